// The table-driven test of ops: one row is one op applied to some inputs, and every row runs all checks.
//
//   INSTANTIATE_OP_TEST(Relu, {
//       {.name = "mixed", .inputs = {T({-1, 0, 2})}, .want = {T({0, 0, 2})}},
//       {.name = "string input", .inputs = {Tensor("a")}, .want_error = "T"}});
//
// The checks of a row:
//   - value: the op's outputs equal `want`;
//   - shape: the static shapes, inferred from complete, partial and unknown input shapes and from constant inputs,
//     contain the shapes that the kernel gave;
//   - gradient: what Gradients() builds equals central differences, computed in double where the op allows it, with
//     static and with unknown shapes; where that has a gradient, as it must with `second_order`, the same for it;
//   - threads: one thread and two give the same bits, for the outputs and the gradients;
//   - place: the same bits when the op may write over its input, and what was fed stays as it was;
//   - round trip: the graph written as a GraphDef and read back gives the same bits;
//   - error: with `want_error`, building or running fails and says it, whether or not shapes are known statically.
#ifndef STATICFLOW_TESTS_OP_TEST_H_
#define STATICFLOW_TESTS_OP_TEST_H_

#include <gtest/gtest.h>

#include <initializer_list>
#include <ostream>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/string_view.h"
#include "graph/attr.h"
#include "graph/tensor.h"

namespace staticflow {

struct OpCase {
  std::string name = "";            // of the row, unique within its table
  std::string op = "";              // op type; empty: the table's name
  std::vector<Tensor> inputs = {};  // flat, lists included; where the op takes a variable, the variable's value
  AttrMap attrs = {};               // those that the inputs do not tell
  std::vector<Tensor> want = {};    // outputs from the first on; a Tensor() is not compared; empty: only other checks
  double tolerance = 1e-5;          // absolute and relative, for floating-point values; 0: equal
  std::vector<Tensor> want_variables = {};  // the values of the variable inputs afterwards, in their order

  bool check_gradient = true;              // plays a part only for ops that have a gradient and floating inputs
  std::vector<int> gradient_inputs = {};   // by which inputs; empty: all floating ones
  std::vector<int> gradient_outputs = {};  // of which outputs; empty: all floating ones
  double gradient_eps = 0;  // step of the central differences; 0: 1e-5 in double, 1e-2 in float (2e-3 for the second)
  double gradient_tolerance = 0;   // absolute and relative; 0: 1e-5 in double, 2e-2 in float
  bool second_order = false;       // the gradient must have a gradient
  bool check_second_order = true;  // where it has one

  std::string want_error = "";  // part of the message; empty: must succeed
};

// A vector, a tensor of any shape, a matrix: T({1, 2}), T({2, 1, 1}, {1, 2}), T<int64_t>({1}), M({{1, 2}, {3, 4}}).
template <typename E = float>
Tensor T(std::initializer_list<std::type_identity_t<E>> values) {
  return Tensor::Vector<E>(values);
}
template <typename E = float>
Tensor T(const Shape& shape, std::initializer_list<std::type_identity_t<E>> values) {
  return Tensor::Of<E>(shape, values);
}
template <typename E = float>
Tensor M(std::initializer_list<std::initializer_list<std::type_identity_t<E>>> rows) {
  return Tensor::Matrix<E>(rows);
}
// `values` as another number type: As<Half>({1, 2}), As<Half>({2, 1}, {1, 2}) for types without literals.
template <typename E>
Tensor As(const Shape& shape, std::initializer_list<float> values) {
  std::vector<E> converted;
  for (float value : values) converted.push_back(E(value));
  return Tensor::Of<E>(shape, absl::MakeConstSpan(converted));
}
template <typename E>
Tensor As(std::initializer_list<float> values) {
  return As<E>({static_cast<int64_t>(values.size())}, values);
}

class OpTest : public testing::TestWithParam<OpCase> {};

// OK when `got` equals `want`: shape and type exactly, floating-point values within tolerance * (1 + |want|), NaN
// matching NaN.
testing::AssertionResult TensorsNear(const Tensor& got, const Tensor& want, double tolerance);

// For INSTANTIATE_OP_TEST.
std::vector<OpCase> OpRows(absl::string_view table, std::vector<OpCase> rows);
std::string OpRowName(const testing::TestParamInfo<OpCase>& row);
void PrintTo(const OpCase& row, std::ostream* out);

}  // namespace staticflow

// A table of rows, inside namespace staticflow. `table` names it, and gives the op type of rows without one.
#define INSTANTIATE_OP_TEST(table, ...)                                                                   \
  INSTANTIATE_TEST_SUITE_P(table, OpTest, ::testing::ValuesIn(::staticflow::OpRows(#table, __VA_ARGS__)), \
                           ::staticflow::OpRowName)

#endif  // STATICFLOW_TESTS_OP_TEST_H_
