// Gradients through while loops, of loops that were built here and of the same loops from a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "graph/gradients.h"
#include "graph/graph_def.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/control_flow_while.h"
#include "ops/diagnostics/check_gradients.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/stack.h"
#include "ops/state.h"
#include "ops/tensor_array.h"
#include "ops/tensor_list.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::HasSubstr;

struct Inputs {
  explicit Inputs(Graph& g)
      : graph(g),
        n(Placeholder(g, {.dtype = DT_INT32, .shape = {}, .name = "n"})),
        x(Placeholder(g, {.dtype = DT_DOUBLE, .shape = {3}, .name = "x"})),
        w(Placeholder(g, {.dtype = DT_DOUBLE, .shape = {3, 3}, .name = "w"})),
        zero(Const(g, 0)) {}
  Graph& graph;
  Output n, x, w, zero;

  // `body` n times over a double vector that begins as x.
  Output Repeat(const std::function<Output(Output i, Output y)>& body, Output times = Output()) const {
    const Output limit = times.valid() ? times : n;
    return While([&](Output i, Output) { return Less(i, limit); },
                 [&](Output i, Output y) {
                   return LoopVariables{i + 1, body(i, y)};
                 },
                 {Const(graph, 0), x})[1];
  }
  Output Apply(Output matrix, Output vector) const { return Reshape(MatMul(Reshape(vector, {1, 3}), matrix), {3}); }
};

std::string RowName(const char* row) {
  std::string name = row;
  for (char& c : name) c = c == ' ' ? '_' : c;
  return name;
}

struct GradientCase {
  const char* name;
  std::function<Output(const Inputs& in)> build;  // y, of any shape
};

class LoopGradients : public testing::TestWithParam<GradientCase> {};

Tensor Vec(std::initializer_list<double> values) { return Tensor::Vector<double>(values); }

// A number made of the gradients' elements, to differentiate once more.
Output Blend(Graph& g, const std::vector<Output>& gradients) {
  const Output of_x = Sum(gradients[0] * Const(g, Vec({1, -0.5, 0.25})));
  return of_x + Sum(gradients[1] * Const(g, Tensor::Matrix<double>({{1, 2, 3}, {-1, 1, 2}, {0.5, -2, 1}})));
}

// Compares d sum(y) / d feed with central differences.
void CheckGradient(Session& session, std::vector<std::pair<Output, Tensor>> feeds, size_t varied, Output sum,
                   Output gradient) {
  const absl::StatusOr<Tensor> analytic = session.Run(feeds, gradient);
  ASSERT_TRUE(analytic.ok()) << analytic.status();
  const Tensor at = *feeds[varied].second.Clone();
  ASSERT_EQ(analytic->shape(), at.shape());
  constexpr double kEps = 1e-6;
  for (int64_t i = 0; i < at.num_elements(); ++i) {
    double values[2];
    for (int side = 0; side < 2; ++side) {
      Tensor moved = *at.Clone();
      moved.data<double>()[i] += side == 0 ? -kEps : kEps;
      feeds[varied].second = moved;
      const auto value = session.Run(feeds, sum);
      ASSERT_TRUE(value.ok()) << value.status();
      values[side] = value->scalar<double>();
    }
    const double want = (values[1] - values[0]) / (2 * kEps);
    EXPECT_NEAR(analytic->data<double>()[i], want, 4e-6 * (1 + std::abs(want))) << "element " << i;
  }
}

TEST_P(LoopGradients, EqualDifferences) {
  Graph g;
  const Inputs in(g);
  const Output y = GetParam().build(in);
  Sum(y * y, {}, {.name = "total"});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Graph copy;
  ASSERT_TRUE(ImportGraphDef(*GraphDefBytes(g), copy).ok());
  for (Graph* graph : {&g, &copy}) {
    SCOPED_TRACE(graph == &g ? "built" : "from a file");
    const Output n = *graph->FindOutput("n"), x = *graph->FindOutput("x"), w = *graph->FindOutput("w");
    const Output s = *graph->FindOutput("total");
    const std::vector<Output> gradients = Gradients({s}, {x, w}, {.unconnected = Unconnected::kZero});
    const Output s2 = Blend(*graph, gradients);
    const std::vector<Output> second = Gradients({s2}, {x, w}, {.unconnected = Unconnected::kZero});
    ASSERT_TRUE(graph->status().ok()) << graph->status();
    Session session(*graph);
    const Tensor matrix = Tensor::Matrix<double>({{0.3, -0.2, 0.5}, {0.1, 0.4, -0.3}, {-0.6, 0.2, 0.7}});
    for (int count : {0, 1, 3}) {
      SCOPED_TRACE(count);
      const std::vector<std::pair<Output, Tensor>> feeds = {{n, count}, {x, Vec({0.5, -1.25, 0.75})}, {w, matrix}};
      CheckGradient(session, feeds, 1, s, gradients[0]);
      CheckGradient(session, feeds, 2, s, gradients[1]);
      SCOPED_TRACE("second");
      CheckGradient(session, feeds, 1, s2, second[0]);
      CheckGradient(session, feeds, 2, s2, second[1]);
    }
    // The same program with all forward and backward fetches in one step, on two threads: the same bits.
    std::vector<Tensor> results[2];
    for (int threads : {1, 2}) {
      Session other(*graph, {.threads = threads});
      const auto got = other.Run({{n, 3}, {x, Vec({0.5, -1.25, 0.75})}, {w, matrix}}, {s, gradients[0], second[1]});
      ASSERT_TRUE(got.ok()) << got.status();
      results[threads - 1] = *got;
    }
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(BitwiseEqual(results[0][i], results[1][i]));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, LoopGradients,
    testing::Values(
        GradientCase{"product", [](const Inputs& in) { return in.Repeat([&](Output, Output y) { return y * in.x; }); }},
        GradientCase{
            "matrix",
            [](const Inputs& in) { return in.Repeat([&](Output, Output y) { return Tanh(in.Apply(in.w, y)); }); }},
        GradientCase{"counter in the value",
                     [](const Inputs& in) {
                       return in.Repeat([&](Output i, Output y) { return Sin(y) * Cast(i + 1, DT_DOUBLE); });
                     }},
        GradientCase{"variables that change places",
                     [](const Inputs& in) {
                       const LoopVariables end = While([&](Output i, Output, Output, Output) { return Less(i, in.n); },
                                                       [&](Output i, Output a, Output b, Output c) {
                                                         return LoopVariables{i + 1, b, a * b + c, c};
                                                       },
                                                       {in.zero, in.x, in.x * 2, Sin(in.x)});
                       return end[1] + end[2];
                     }},
        GradientCase{"an exit that nobody uses",
                     [](const Inputs& in) {
                       return While([&](Output i, Output, Output) { return Less(i, in.n); },
                                    [&](Output i, Output a, Output b) {
                                      return LoopVariables{i + 1, a * 2 + b, Sin(b)};
                                    },
                                    {in.zero, in.x, in.x})[1];
                     }},
        GradientCase{"a variable that the body replaces",
                     [](const Inputs& in) {
                       return While([&](Output i, Output, Output) { return Less(i, in.n); },
                                    [&](Output i, Output, Output b) {
                                      return LoopVariables{i + 1, in.x * b, b + in.x};
                                    },
                                    {in.zero, in.x, in.x})[1];
                     }},
        GradientCase{"a condition on the value",
                     [](const Inputs& in) {
                       return While(
                           [&](Output i, Output y) { return LogicalAnd(Less(i, in.n), Less(Sum(y * y), 1e6)); },
                           [&](Output i, Output y) {
                             return LoopVariables{i + 1, y * y + in.x};
                           },
                           {in.zero, in.x})[1];
                     }},
        GradientCase{"nested",
                     [](const Inputs& in) {
                       return in.Repeat([&](Output i, Output y) {
                         const Output inner = While([&](Output j, Output) { return LessEqual(j, i); },
                                                    [&](Output j, Output z) {
                                                      return LoopVariables{j + 1, Sin(z * y) + Tanh(in.Apply(in.w, z))};
                                                    },
                                                    {in.zero, y})[1];
                         return inner + y * in.x;
                       });
                     }},
        GradientCase{"nested three deep",
                     [](const Inputs& in) {
                       return in.Repeat([&](Output i, Output y) {
                         return While([&](Output j, Output) { return Less(j, 2); },
                                      [&](Output j, Output z) {
                                        return LoopVariables{j + 1,
                                                             While([&](Output k, Output) { return LessEqual(k, i); },
                                                                   [&](Output k, Output u) {
                                                                     return LoopVariables{k + 1, Sin(u * z) + y * in.x};
                                                                   },
                                                                   {in.zero, z})[1]};
                                      },
                                      {in.zero, y})[1];
                       });
                     }},
        GradientCase{"cond inside",
                     [](const Inputs& in) {
                       return in.Repeat([&](Output i, Output y) {
                         return Cond(
                             Equal(Mod(i, 2), 0), [&] { return Sin(y) * in.x; }, [&] { return in.Apply(in.w, y * y); });
                       });
                     }},
        GradientCase{"conds in a cond inside",
                     [](const Inputs& in) {
                       return in.Repeat([&](Output i, Output y) {
                         return Cond(
                             Greater(i, 0),
                             [&] {
                               return Cond(
                                   Greater(i, 1), [&] { return Sin(y) * Exp(y); }, [&] { return y * y * in.x; });
                             },
                             [&] { return y; });
                       });
                     }},
        GradientCase{"a loop in a cond in a loop",
                     [](const Inputs& in) {
                       return in.Repeat([&](Output i, Output y) {
                         return Cond(
                             Equal(Mod(i, 2), 0),
                             [&] {
                               return While([&](Output j, Output) { return LessEqual(j, i); },
                                            [&](Output j, Output z) {
                                              return LoopVariables{j + 1, Sin(z) * y};
                                            },
                                            {in.zero, y})[1];
                             },
                             [&] { return in.Apply(in.w, y); });
                       });
                     }},
        GradientCase{"inside a cond",
                     [](const Inputs& in) {
                       return Cond(
                           Less(in.n, 2), [&] { return in.Repeat([&](Output, Output y) { return Sin(y) * in.x; }); },
                           [&] { return in.Repeat([&](Output, Output y) { return Tanh(in.Apply(in.w, y)); }); });
                     }},
        GradientCase{"one loop after the other",
                     [](const Inputs& in) {
                       const Output first = in.Repeat([&](Output, Output y) { return Sin(y) + in.x; });
                       return While([&](Output i, Output) { return Less(i, in.n); },
                                    [&](Output i, Output y) {
                                      return LoopVariables{i + 1, y * first};
                                    },
                                    {in.zero, first})[1];
                     }},
        GradientCase{"rows of a matrix",
                     [](const Inputs& in) {
                       return in.Repeat([&](Output i, Output y) { return y * Gather(in.w, Mod(i, 2)) + y; });
                     }},
        GradientCase{"an array that is read",
                     [](const Inputs& in) {
                       const TensorArray rows =
                           TensorArray::Create(in.graph, DT_DOUBLE, Const(in.graph, 3)).Unstack(in.w);
                       return in.Repeat([&](Output i, Output y) { return Sin(y) * rows.Read(i); });
                     }},
        GradientCase{"an array that is written",
                     [](const Inputs& in) {
                       const TensorArray array = TensorArray::Create(in.graph, DT_DOUBLE, in.n, {.element_shape = {3}});
                       const LoopVariables end =
                           While([&](Output i, Output, Output) { return Less(i, in.n); },
                                 [&](Output i, Output y, Output flow) {
                                   const Output next = Tanh(in.Apply(in.w, y)) * in.x;
                                   return LoopVariables{i + 1, next, array.WithFlow(flow).Write(i, next * y).flow()};
                                 },
                                 {in.zero, in.x, array.flow()});
                       return Concat({{array.WithFlow(end[2]).Stack(), ExpandDims(end[1], 0)}}, 0);
                     }},
        GradientCase{
            "an array alone",
            [](const Inputs& in) {
              const TensorArray array = TensorArray::Create(in.graph, DT_DOUBLE, in.n, {.element_shape = {3}});
              const LoopVariables end = While(
                  [&](Output i, Output) { return Less(i, in.n); },
                  [&](Output i, Output flow) {
                    return LoopVariables{i + 1, array.WithFlow(flow).Write(i, in.x * Cast(i + 1, DT_DOUBLE)).flow()};
                  },
                  {in.zero, array.flow()});
              return array.WithFlow(end[1]).Stack();
            }},
        GradientCase{"a shape that grows",
                     [](const Inputs& in) {
                       return While([&](Output i, Output) { return Less(i, in.n); },
                                    [&](Output i, Output y) {
                                      return LoopVariables{i + 1, Concat({{y * 2, Sin(in.x)}}, 0)};
                                    },
                                    {in.zero, in.x}, {.shape_invariants = {Shape(), Shape({-1})}})[1];
                     }},
        GradientCase{"maximum iterations",
                     [](const Inputs& in) {
                       return While([&](Output y) { return Less(Sum(y), 1e9); },
                                    [&](Output y) { return Sin(y) * in.x; }, {in.x}, {.maximum_iterations = in.n})[0];
                     }},
        GradientCase{"batch normalization inside",
                     [](const Inputs& in) {
                       const Output end = While([&](Output i, Output) { return Less(i, in.n); },
                                                [&](Output i, Output y) {
                                                  // Moments() holds the mean constant in the variance.
                                                  const Output mean = Mean(y, Const(in.graph, 0));
                                                  const Output variance = Mean(Square(y - mean), Const(in.graph, 0));
                                                  const Output normal =
                                                      BatchNormalization(y, mean, variance, in.x, in.x * 2, 0.1);
                                                  return LoopVariables{i + 1, MatMul(normal, in.w)};
                                                },
                                                {in.zero, in.w + 0.5})[1];
                       return end;
                     }},
        GradientCase{"a list that grows",
                     [](const Inputs& in) {
                       const Output shape = Const(in.graph, Tensor::Vector<int32_t>({3}));
                       const LoopVariables end =
                           While([&](Output i, Output, Output) { return Less(i, in.n); },
                                 [&](Output i, Output y, Output list) {
                                   const Output next = Tanh(in.Apply(in.w, y)) * in.x;
                                   return LoopVariables{i + 1, next, TensorListPushBack(list, next * y)};
                                 },
                                 {in.zero, in.x, EmptyTensorList(shape, -1, DT_DOUBLE)});
                       return Concat({{TensorListStack(end[2], shape, DT_DOUBLE), ExpandDims(end[1], 0)}}, 0);
                     }},
        GradientCase{"a list that is read",
                     [](const Inputs& in) {
                       const Output shape = Const(in.graph, Tensor::Vector<int32_t>({3}));
                       const Output rows = TensorListFromTensor(in.w, shape);
                       return in.Repeat(
                           [&](Output i, Output y) { return Sin(y) * TensorListGetItem(rows, i, shape, DT_DOUBLE); });
                     }},
        GradientCase{"control dependencies inside",
                     [](const Inputs& in) {
                       return in.Repeat([&](Output i, Output y) {
                         const std::vector<Output> data = {i};
                         const ControlDependencies after(in.graph, {Assert(GreaterEqual(i, 0), data)});
                         return Sin(y) * in.x;
                       });
                     }}),
    [](const auto& info) { return RowName(info.param.name); });

// Random programs of loops, branches, lists and arithmetic over vectors of three.
class RandomProgram {
 public:
  RandomProgram(const Inputs& in, int seed) : in_(in), bits_(seed) {}

  Output Build() { return Tanh(Block({in_.x, in_.x * 0.5}, {}, 3)); }

 private:
  using Values = std::vector<Output>;

  int Below(size_t n) { return static_cast<int>(bits_() % n); }
  Output Any(const Values& values) { return values[Below(values.size())]; }

  Output Arithmetic(const Values& values) {
    const Output a = Any(values), b = Any(values);
    switch (Below(6)) {
      case 0:
        return Tanh(a) * b;
      case 1:
        return a + b * 0.5;
      case 2:
        return Tanh(in_.Apply(in_.w, a));
      case 3:
        return Sin(a) * Gather(in_.w, Const(in_.graph, Below(3)));
      case 4:
        return a * Const(in_.graph, Vec({0.3, -0.7, 1.1}));
      default:
        return Sin(a - b);
    }
  }
  Output Predicate(const Values& values, const Values& counters) {
    if (Below(3) == 0) return Greater(Sum(Any(values)), 0.3);
    if (counters.empty() || Below(3) == 0) return Less(in_.n, 1 + Below(3));
    return Equal(Mod(Any(counters), 2), Below(2));
  }
  Output Block(Values values, const Values& counters, int depth) {
    const int n = 1 + Below(3);
    for (int k = 0; k < n; ++k) values.push_back(Statement(values, counters, depth));
    return values.back();
  }
  Output Statement(const Values& values, const Values& counters, int depth) {
    const int kind = depth == 0 ? 0 : Below(4);
    if (kind == 2) return Loop(values, counters, depth);
    if (kind != 1) return Arithmetic(values);
    return Cond(
        Predicate(values, counters), [&] { return Block(values, counters, depth - 1); },
        [&] { return Block(values, counters, depth - 1); });
  }
  Output Loop(const Values& values, const Values& counters, int depth) {
    const Output limit = (counters.empty() || Below(2) == 0 ? in_.n : Any(counters)) + Below(2);
    const Output shape = Const(in_.graph, Tensor::Vector<int32_t>({3}));
    const bool keeps_list = Below(3) == 0;
    LoopVariables initial = {in_.zero, Any(values), Any(values)};
    if (keeps_list) initial.push_back(EmptyTensorList(shape, -1, DT_DOUBLE));
    const LoopVariables end = While([&](const LoopVariables& v) { return Less(v[0], limit); },
                                    [&](const LoopVariables& v) {
                                      Values inner = values, inner_counters = counters;
                                      inner.insert(inner.end(), {v[1], v[2]});
                                      inner_counters.push_back(v[0]);
                                      const Output x = Tanh(Block(inner, inner_counters, depth - 1)) + v[1] * 0.25;
                                      const Output y =
                                          Below(2) == 0 ? v[1] : Tanh(Block(inner, inner_counters, depth - 1));
                                      LoopVariables next = {v[0] + 1, x, y};
                                      if (keeps_list) next.push_back(TensorListPushBack(v[3], Sin(x) * y));
                                      return next;
                                    },
                                    initial);
    if (keeps_list) return Sum(TensorListStack(end[3], shape, DT_DOUBLE), {0}) * 0.5 + Tanh(end[1]);
    return Below(2) == 0 ? end[1] : end[1] + end[2];
  }

  const Inputs& in_;
  std::mt19937 bits_;
};

std::vector<GradientCase> RandomCases() {
  std::vector<GradientCase> cases;
  for (int seed = 0; seed < 10; ++seed) {
    cases.push_back({"random", [seed](const Inputs& in) { return RandomProgram(in, seed).Build(); }});
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(Random, LoopGradients, testing::ValuesIn(RandomCases()),
                         [](const auto& info) { return std::to_string(info.index); });

TEST(WhileGradient, StopsWhereBackPropIsOff) {
  Graph g;
  const Inputs in(g);
  const Output y = While([&](Output v) { return Less(Sum(v), 9.0); }, [&](Output v) { return v * v; }, {in.x},
                         {.back_prop = false})[0];
  EXPECT_FALSE(Gradients({y}, {in.x})[0].valid());
  EXPECT_TRUE(g.status().ok()) << g.status();
}

TEST(WhileGradient, IsTakenInsideALoop) {
  // Three steps of gradient descent on (v - x)^2, and the same by hand: v - x shrinks to (1 - 0.2)^3 of itself.
  Graph g;
  const Inputs in(g);
  const Output v = While([&](Output i, Output) { return Less(i, in.n); },
                         [&](Output i, Output v) {
                           const Output loss = Sum(Square(v - in.x));
                           return LoopVariables{i + 1, v - Gradients({loss}, {v})[0] * 0.1};
                         },
                         {in.zero, in.x * 0})[1];
  ASSERT_TRUE(g.status().ok()) << g.status();
  const Output dx = Gradients({v}, {in.x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  const auto got = session.Run({{in.n, 3}, {in.x, Vec({1, 2, 3})}}, {v, dx});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear((*got)[0], Vec({0.488, 0.976, 1.464}), 1e-12));
  EXPECT_TRUE(TensorsNear((*got)[1], Vec({0.488, 0.488, 0.488}), 1e-12));
}

TEST(WhileGradient, GoesToVariablesOfBothKinds) {
  for (const bool use_resource : {false, true}) {
    Graph g;
    const Inputs in(g);
    const Variable v = GetVariable(g, "v", {.dtype = DT_DOUBLE, .shape = {3}, .use_resource = use_resource});
    const Output inside = in.Repeat(
        [&](Output, Output y) { return y * (use_resource ? ReadVariable(v.ref(), DT_DOUBLE) : Identity(v.ref())); });
    const Output dv = Gradients({inside}, {v.ref()})[0];
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g);
    ASSERT_TRUE(session.Initialize().ok());
    const auto got = session.Run({{in.n, 2}, {in.x, Vec({1, 2, 3})}}, {v.snapshot, dv});
    ASSERT_TRUE(got.ok()) << got.status();
    for (int i = 0; i < 3; ++i) {
      EXPECT_NEAR((*got)[1].data<double>()[i], 2 * (i + 1) * (*got)[0].data<double>()[i], 1e-12);
    }
  }
}

TEST(WhileGradient, GivesSlicesForRows) {
  Graph g;
  const Inputs in(g);
  const Output y = in.Repeat([&](Output i, Output y) { return y + Gather(in.w, i) * Gather(in.w, Const(g, 1)); });
  const std::vector<Output> ys = {y}, xs = {in.w};
  const SlicesOrDense dw = GradientsOrSlices(ys, xs)[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  ASSERT_TRUE(dw.is_slices());
  Session session(g);
  const auto got = session.Run(
      {{in.n, 2}, {in.x, Vec({1, 2, 3})}, {in.w, Tensor::Matrix<double>({{1, 1, 1}, {2, 2, 2}, {3, 3, 3}})}},
      {dw.slices.indices, dw.slices.values});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[0].num_elements(), 4);
  EXPECT_EQ((*got)[1].shape(), Shape({4, 3}));
}

TEST(WhileGradient, IsTakenThreeTimes) {
  // x -> x^(2^n): with n = 3 the derivatives of x^8.
  Graph g;
  const Inputs in(g);
  Output y = in.Repeat([&](Output, Output y) { return y * y; });
  std::vector<Output> fetches;
  for (int order = 0; order < 4; ++order) fetches.push_back(y = Gradients({y}, {in.x})[0]);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  const auto got = session.Run({{in.n, 3}, {in.x, Vec({0.5, -1.25, 0.75})}}, fetches);
  ASSERT_TRUE(got.ok()) << got.status();
  double factor = 1;
  for (int order = 1; order <= 4; ++order) {
    factor *= 9 - order;
    Tensor want = Vec({0.5, -1.25, 0.75});
    for (int i = 0; i < 3; ++i) want.data<double>()[i] = factor * std::pow(want.data<double>()[i], 8 - order);
    EXPECT_TRUE(TensorsNear((*got)[order - 1], want, 1e-9)) << order;
  }
}

TEST(WhileGradient, IsCheckedLikeAnyOther) {
  Graph g;
  const Inputs in(g);
  const Output y = in.Repeat([&](Output, Output y) { return Sin(y) * in.x + Tanh(in.Apply(in.w, y)); });
  const Output s = Blend(g, Gradients({y}, {in.x, in.w}));
  ASSERT_TRUE(g.status().ok()) << g.status();
  const Tensor w = Tensor::Matrix<double>({{0.3, -0.2, 0.5}, {0.1, 0.4, -0.3}, {-0.6, 0.2, 0.7}});
  const absl::StatusOr<GradientCheck> check =
      CheckGradients(s, {in.x, in.w}, {.feeds = {{in.n, 3}, {in.x, Vec({0.5, -1.25, 0.75})}, {in.w, w}}});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->ok()) << check->ToString();
  EXPECT_EQ(check->elements_checked, 12);
}

TEST(WhileGradient, IsDifferentiatedWhereItIsInABranchAndItsLoopIsNot) {
  Graph g;
  const Inputs in(g);
  const Output y = in.Repeat([&](Output, Output y) { return Sin(y) * in.x; });
  const Output h = Cond(
      Less(in.n, 3), [&] { return Gradients({y}, {in.x})[0]; }, [&] { return y * y; });
  const Output sum = Sum(h * h);
  const Output second = Gradients({sum}, {in.x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  for (int n : {0, 2, 4}) {
    SCOPED_TRACE(n);
    CheckGradient(session, {{in.x, Vec({0.5, -1.25, 0.75})}, {in.n, n}}, 0, sum, second);
  }
}

TEST(WhileGradient, RefusesStacksThatItCannotFollow) {
  Graph g;
  const Inputs in(g);
  const Output stack = StackV2(Const(g, -1), DT_DOUBLE);
  const Output kept = StackPush(stack, in.x * in.x);
  const ControlDependencies after(g, {kept});
  Gradients({StackPop(stack, DT_DOUBLE)}, {in.x});
  EXPECT_EQ(g.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(g.status().message()), HasSubstr("takes off a stack what no single node in another loop"));
}

TEST(WhileGradient, RefusesAnXInsideTheLoop) {
  Graph g;
  const Inputs in(g);
  Output inside;
  const Output y = in.Repeat([&](Output, Output y) { return inside = Sin(y); });
  Gradients({y}, {inside});
  EXPECT_THAT(std::string(g.status().message()), HasSubstr("is inside a loop, where ys are not"));
}

}  // namespace
}  // namespace staticflow
