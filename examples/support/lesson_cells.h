// What the lesson did and what came of it: its comparisons and tests, by the number of the notebook's cell.
#ifndef STATICFLOW_EXAMPLES_SUPPORT_LESSON_CELLS_H_
#define STATICFLOW_EXAMPLES_SUPPORT_LESSON_CELLS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace staticflow {

// A figure of the network without and of the one with batch normalization.
struct Both {
  double without = 0, with = 0;
};

struct LessonCell {
  int number = 0;
  std::string activation = "relu";  // or "sigmoid"
  double learning_rate = 0.01;
  int64_t batches = 50000;
  int64_t batches_per_sample = 500;
  double stddev = 0.05;  // of the weights: 0.05 is good, 5 is bad
  int run = 1;           // 2: the same setting a second time, to show chance
  Both validation, test;
  Both batches_per_second;
};
// The 18 comparisons.
const std::vector<LessonCell>& LessonCells();

// The two tests of a network that was trained for 2000 batches with relu, rate 0.01 and good weights.
struct LessonTest {
  int number = 0;
  bool is_training = false;  // fed in the tests
  double validation = 0, test = 0, singles = 0;
};
const std::vector<LessonTest>& LessonTests();

// How many batches the lesson's text gives until an accuracy.
struct LessonClaim {
  int number = 0;  // of the cell
  bool with = false;
  double accuracy = 0;
  int64_t batches = 0;
};
const std::vector<LessonClaim>& LessonClaims();

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_LESSON_CELLS_H_
