// How a thread computes with floats, as its control register says.
//
//   StepFloatMode mode;   // until the end of the block: round to nearest, denormal numbers are zero
//
// Steps run in that mode, whatever their caller's thread has set, as they do in TensorFlow: a network whose activations
// or weights die away would otherwise spend its time in the processor's slow path for denormal numbers (a sigmoid
// network whose units saturate trains five to ten times slower), for values no loss can see.
#ifndef STATICFLOW_RUNTIME_FLOAT_MODE_H_
#define STATICFLOW_RUNTIME_FLOAT_MODE_H_

#include <cstdint>

namespace staticflow {

// The calling thread's rounding and denormal bits. On processors that we do not know: 0, and setting has no effect.
uint32_t FloatMode();
void SetFloatMode(uint32_t mode);

class StepFloatMode {
 public:
  StepFloatMode();
  ~StepFloatMode();
  StepFloatMode(const StepFloatMode&) = delete;
  StepFloatMode& operator=(const StepFloatMode&) = delete;

 private:
  const uint32_t outer_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_FLOAT_MODE_H_
