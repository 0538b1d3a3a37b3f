// The inner loops of convolutions that compute 16 pictures at a time, one in each lane of a vector. Pictures lie in
// lanes as they lie in a tensor, but every element is a vector: element e of picture i is lanes[e * kConvLanes + i].
// So vectors are always full, whatever the channels, and no product with padding is ever computed.
//
//   TransposeLanes({.source = x, .source_step = elements, .rows = 16, .columns = elements,
//                   .target = lanes, .target_step = kConvLanes});
//   AddConvRuns(sums);                                    // some channels of one pixel of 16 or 32 pictures
//   TransposeLanes({.source = lanes, ...});               // back
//
// The order of additions is fixed: that of the runs, channels within a run in order; so a picture's results do not
// depend on its neighbours. REQUIRES of all functions: ConvLanesSupported().
// Thread-safety: calls with disjoint results may run at the same time.
#ifndef STATICFLOW_RUNTIME_CONV_LANES_H_
#define STATICFLOW_RUNTIME_CONV_LANES_H_

#include <cstdint>

namespace staticflow {

inline constexpr int kConvLanes = 16;

// Whether this CPU has the instructions.
bool ConvLanesSupported();

// target[c * target_step + r] = source[r * source_step + c]: with few rows, from pictures to lanes; with few columns,
// back.
struct LaneTranspose {
  const float* source = nullptr;
  int64_t source_step = 0;
  int64_t rows = 0;
  int64_t columns = 0;
  float* target = nullptr;
  int64_t target_step = 0;
  bool fill = false;  // rows [rows, the next multiple of kConvLanes) of the target too, with zeros
};
void TransposeLanes(const LaneTranspose& t);

// Some consecutive (source vector, weight row) pairs.
struct ConvRun {
  int64_t x = 0;  // where the first vector is, in floats from ConvSums::x
  int64_t w = 0;  // and the first row of weights, from ConvSums::w
  int64_t count = 0;
};

// y[k] = the sum over the pairs of all runs of x * w[k], for k < sums; 0 without runs.
struct ConvSums {
  const ConvRun* runs = nullptr;
  int64_t num_runs = 0;
  const float* x = nullptr;
  int64_t x_step = 0;  // floats from one pair's vector to the next one's
  const float* w = nullptr;
  int64_t w_step = 0;
  float* y = nullptr;
  int64_t y_step = 0;  // floats from one sum to the next
  int vectors = 1;     // 1 .. kMaxConvVectors: x and y may be several vectors with the same weights
  int64_t x_vector_step = 0;
  int64_t y_vector_step = 0;
  int sums = 0;             // 1 .. kMaxConvSums[vectors]
  bool accumulate = false;  // add to y instead of overwriting it
};
inline constexpr int kMaxConvVectors = 3;
inline constexpr int kMaxConvSums[] = {0, 14, 14, 9};
void AddConvRuns(const ConvSums& s);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_CONV_LANES_H_
