#include "runtime/float_mode.h"

namespace staticflow {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kExceptionFlags = 0x3f;
// All exceptions masked, to nearest; results (bit 15) and operands (bit 6) that are denormal are zero.
constexpr uint32_t kStepMode = 0x1f80 | 0x8000 | 0x0040;
#elif defined(__aarch64__)
constexpr uint32_t kStepMode = 1u << 24;  // to nearest, flush to zero
#else
constexpr uint32_t kStepMode = 0;
#endif

}  // namespace

uint32_t FloatMode() {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr() & ~kExceptionFlags;
#elif defined(__aarch64__)
  return __builtin_aarch64_get_fpcr();
#else
  return 0;
#endif
}

void SetFloatMode([[maybe_unused]] uint32_t mode) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(mode);
#elif defined(__aarch64__)
  __builtin_aarch64_set_fpcr(mode);
#endif
}

StepFloatMode::StepFloatMode() : outer_(FloatMode()) {
  if (outer_ != kStepMode) SetFloatMode(kStepMode);
}

StepFloatMode::~StepFloatMode() {
  if (outer_ != kStepMode) SetFloatMode(outer_);
}

}  // namespace staticflow
