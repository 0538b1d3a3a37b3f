// Tables of ops whose output is their input; the values are TensorFlow's.
#include <gtest/gtest.h>

#include <cmath>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    Identity,
    {{.name = "floats", .inputs = {M({{1, -2}, {3, 0.5}})}, .want = {M({{1, -2}, {3, 0.5}})}, .second_order = true},
     {.name = "strings", .inputs = {T<std::string>({"a", "b"})}, .want = {T<std::string>({"a", "b"})}}});

INSTANTIATE_OP_TEST(
    Snapshot,
    {{.name = "floats", .inputs = {M({{1, -2}, {3, 0.5}})}, .want = {M({{1, -2}, {3, 0.5}})}, .second_order = true},
     {.name = "strings", .inputs = {T<std::string>({"a", "b"})}, .want = {T<std::string>({"a", "b"})}}});

INSTANTIATE_OP_TEST(
    GuaranteeConst,
    {{.name = "floats", .inputs = {M({{1, -2}, {3, 0.5}})}, .want = {M({{1, -2}, {3, 0.5}})}},
     {.name = "strings", .inputs = {T<std::string>({"a", "b"})}, .want = {T<std::string>({"a", "b"})}}});

INSTANTIATE_OP_TEST(
    StopGradient, {{.name = "floats", .inputs = {M({{1, -2}, {3, 0.5}})}, .want = {M({{1, -2}, {3, 0.5}})}},
                   {.name = "strings", .inputs = {T<std::string>({"a", "b"})}, .want = {T<std::string>({"a", "b"})}}});

INSTANTIATE_OP_TEST(PreventGradient, {{.name = "forward",
                                       .inputs = {M({{1, -2}, {3, 0.5}})},
                                       .attrs = {{"message", "no"}},
                                       .want = {M({{1, -2}, {3, 0.5}})},
                                       .check_gradient = false}});

INSTANTIATE_OP_TEST(IdentityN, {{.name = "two_types",
                                 .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({1, 2})},
                                 .want = {M({{1, -2}, {3, 0.5}}), T<int32_t>({1, 2})}}});

INSTANTIATE_OP_TEST(EnsureShape, {{.name = "fits",
                                   .inputs = {M({{1, -2}, {3, 0.5}})},
                                   .attrs = {{"shape", Shape({-1, 2})}},
                                   .want = {M({{1, -2}, {3, 0.5}})},
                                   .second_order = true},
                                  {.name = "contradiction",
                                   .inputs = {M({{1, -2}, {3, 0.5}})},
                                   .attrs = {{"shape", Shape({-1, 3})}},
                                   .want_error = "do not agree"}});

INSTANTIATE_OP_TEST(CheckNumerics, {{.name = "finite",
                                     .inputs = {M({{1, -2}, {3, 0.5}})},
                                     .attrs = {{"message", "bad"}},
                                     .want = {M({{1, -2}, {3, 0.5}})},
                                     .second_order = true},
                                    {.name = "nan",
                                     .inputs = {T({1, NAN})},
                                     .attrs = {{"message", "my tensor"}},
                                     .want_error = "my tensor: the tensor holds NaN"},
                                    {.name = "infinity",
                                     .inputs = {T<double>({INFINITY})},
                                     .attrs = {{"message", "my tensor"}},
                                     .want_error = "my tensor: the tensor holds Inf"}});

INSTANTIATE_OP_TEST(Bitcast, {{.name = "same_size",
                               .inputs = {T({1, -2})},
                               .attrs = {{"type", DT_INT32}},
                               .want = {T<int32_t>({1065353216, -1073741824})}},
                              {.name = "smaller",
                               .inputs = {T<int32_t>({1, 256})},
                               .attrs = {{"type", DT_UINT8}},
                               .want = {M<uint8_t>({{1, 0, 0, 0}, {0, 1, 0, 0}})}},
                              {.name = "larger",
                               .inputs = {M<uint8_t>({{1, 0, 0, 0}, {0, 1, 0, 0}})},
                               .attrs = {{"type", DT_INT32}},
                               .want = {T<int32_t>({1, 256})}},
                              {.name = "wrong_last_dimension",
                               .inputs = {T<uint8_t>({1, 2, 3})},
                               .attrs = {{"type", DT_INT32}},
                               .want_error = "expected a last dimension of size 4"}});

INSTANTIATE_OP_TEST(
    CheckNumericsV2,
    {{.name = "finite", .inputs = {M({{1, -2}})}, .attrs = {{"message", std::string("here")}}, .want = {M({{1, -2}})}},
     {.name = "half",
      .inputs = {As<Half>({1, 2})},
      .attrs = {{"message", std::string("here")}},
      .want = {As<Half>({1, 2})}},
     {.name = "all",
      .inputs = {T({1, NAN, INFINITY, -INFINITY})},
      .attrs = {{"message", std::string("here")}},
      .want_error = "here: the tensor holds -Inf and +Inf and NaN"},
     {.name = "low",
      .inputs = {T<double>({1, -INFINITY})},
      .attrs = {{"message", std::string("here")}},
      .want_error = "holds -Inf"}});

// The reference leads to the variable: what is assigned to it is there, and a gradient by its value goes through it.
TEST(RefIdentityTest, IsTheVariable) {
  Graph g;
  const Variable v = NewVariable(g, T({1, 2}), {.name = "v"});
  const Output alias = NodeBuilder("RefIdentity", {v.ref()}).Build();
  const Output added = AssignAdd(alias, Const(g, T({10, 20})));
  const std::vector<Output> gradient = Gradients({Square(alias)}, {v.ref()});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  absl::StatusOr<Tensor> got = session.Run({}, gradient[0]);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear(*got, T({2, 4}), 1e-6));
  got = session.Run({}, added);
  ASSERT_TRUE(got.ok()) << got.status();
  got = session.Run({}, v.snapshot);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear(*got, T({11, 22}), 1e-6));
}

}  // namespace
}  // namespace staticflow
