// Random graphs against the proof of batch dependence: what it calls independent must not change when another example
// does. STATICFLOW_FUZZ_GRAPHS sets the number of graphs.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "graph/batch_dependence.h"
#include "graph/graph_def.h"
#include "ops/diagnostics/batch_confirmation.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

constexpr int64_t kExamples = 3;

Tensor Ints(std::vector<int32_t> values) {
  return Tensor::Of<int32_t>({static_cast<int64_t>(values.size())}, absl::MakeConstSpan(values));
}

// Grows a graph from a batch by ops with random operands and attributes. What does not fit together is not added.
class RandomGraph {
 public:
  explicit RandomGraph(uint32_t seed) : random_(seed) {
    const bool open = Chance(2);
    const int64_t n = open ? -1 : kExamples;
    AddInput("x", DT_FLOAT, Shape({n, 4}), {kExamples, 4});
    AddInput("t", DT_FLOAT, Shape({n, 2, 3}), {kExamples, 2, 3});
    if (Chance(2)) AddInput("pictures", DT_FLOAT, Shape({n, 4, 4, 2}), {kExamples, 4, 4, 2});
    AddInput("labels", DT_INT32, Shape({n}), {kExamples});
    if (Chance(3)) AddInput("last", DT_FLOAT, Shape({4, n}), {4, kExamples}, 1);
    for (const Shape& shape : {Shape({4}), Shape({4, 3}), Shape({2, 3}), Shape({1, 4}), Shape()}) {
      Keep(ConstOf(RandomTensor(DT_FLOAT, shape)));
    }
    const int steps = 3 + Below(10);
    for (int i = 0; i < steps; ++i) Grow();
  }

  const Session::Feeds& feeds() const { return feeds_; }
  const std::vector<BatchInput>& batch() const { return batch_; }
  // Float tensors that ops made, the latest first.
  std::vector<Output> Results(size_t limit) const {
    std::vector<Output> results;
    for (auto it = made_.rbegin(); it != made_.rend() && results.size() < limit; ++it) results.push_back(*it);
    return results;
  }
  const Graph& graph() const { return g_; }

 private:
  int Below(int n) { return n < 2 ? 0 : static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  bool Chance(int n) { return Below(n) == 0; }

  Tensor RandomTensor(DataType dtype, const Shape& shape) {
    Tensor tensor = *Tensor::Create(dtype, shape);
    for (int64_t i = 0; i < tensor.num_elements(); ++i) {
      if (dtype == DT_INT32) tensor.data<int32_t>()[i] = Below(3);
      if (dtype == DT_FLOAT) tensor.data<float>()[i] = 0.25f * static_cast<float>(Below(17) - 8);
    }
    return tensor;
  }
  Output Add(const char* type, std::vector<Output> inputs, AttrMap attrs = {}, std::vector<Node*> controls = {},
             int output = 0) {
    const absl::StatusOr<Node*> node = g_.AddNode({.name = absl::StrCat(type, "_", g_.num_nodes()),
                                                   .op = FindOp(type),
                                                   .inputs = std::move(inputs),
                                                   .control_inputs = std::move(controls),
                                                   .attrs = std::move(attrs)});
    return node.ok() && (*node)->num_outputs() > output ? (*node)->output(output) : Output();
  }
  Output ConstOf(Tensor value) {
    const DataType dtype = value.dtype();
    return Add("Const", {}, {{"value", std::move(value)}, {"dtype", dtype}});
  }
  Output Int(int value) { return ConstOf(Tensor(int32_t{value})); }
  void AddInput(const char* name, DataType dtype, Shape shape, Shape fed, int axis = 0) {
    const Output input =
        (*g_.AddNode(
             {.name = name, .op = FindOp("Placeholder"), .attrs = {{"dtype", dtype}, {"shape", std::move(shape)}}}))
            ->output(0);
    feeds_.push_back({input, RandomTensor(dtype, fed)});
    batch_.push_back({input, axis});
    Keep(input);
  }
  void Keep(Output output) {
    if (!output.valid() || output.shape().rank() > 5) return;
    if (output.dtype() == DT_FLOAT) floats_.push_back(output);
    if (output.dtype() == DT_FLOAT && !output.node()->op().is(OpRole::kConst)) flows_.push_back(output);
    if (output.dtype() == DT_INT32) ints_.push_back(output);
  }
  void Made(Output output) {
    if (!output.valid()) return;
    Keep(output);
    if (output.dtype() == DT_FLOAT) made_.push_back(output);
  }
  void MadeAll(Output output) {
    for (int i = 0; output.valid() && i < output.node()->num_outputs(); ++i) Made(output.node()->output(i));
  }

  // Constants are a third of the operands.
  Output F() {
    const std::vector<Output>& from = Chance(3) || flows_.empty() ? floats_ : flows_;
    return from[static_cast<size_t>(Below(static_cast<int>(from.size())))];
  }
  Output I() { return ints_[static_cast<size_t>(Below(static_cast<int>(ints_.size())))]; }
  int Rank(Output x) { return x.shape().has_rank() ? x.shape().rank() : 2; }
  int AxisOf(Output x) { return Below(std::max(1, Rank(x))) - (Chance(3) ? Rank(x) : 0); }
  template <typename T>
  T OneOf(std::initializer_list<T> values) {
    return values.begin()[Below(static_cast<int>(values.size()))];
  }

  void Grow() {
    switch (Below(8)) {
      case 0:
        return Elementwise();
      case 1:
        return Products();
      case 2:
        return Reductions();
      case 3:
      case 4:
        return Shapes();
      case 5:
        return Pieces();
      case 6:
        return Networks();
      default:
        return Effects();
    }
  }

  void Elementwise() {
    if (Chance(3)) return Made(Add(OneOf({"Relu", "Tanh", "Neg", "Square", "ZerosLike", "Softplus"}), {F()}));
    if (Chance(6)) return Made(Add("AddN", {F(), F(), F()}));
    if (Chance(6)) return Made(Add("SelectV2", {Add("Greater", {F(), F()}), F(), F()}));
    if (Chance(6)) return Made(Add("Select", {Add("Greater", {F(), F()}), F(), F()}));
    Made(Add(OneOf({"Add", "Sub", "Mul", "Maximum", "SquaredDifference"}), {F(), F()}));
  }

  void Products() {
    switch (Below(4)) {
      case 0:
        return Made(Add("MatMul", {F(), F()}, {{"transpose_a", Chance(2)}, {"transpose_b", Chance(2)}}));
      case 1:
        return Made(Add("BatchMatMulV2", {F(), F()}, {{"adj_x", Chance(2)}, {"adj_y", Chance(2)}}));
      case 2:
        return Made(Add("BiasAdd", {F(), F()}));
      default:
        return Made(Add("Einsum", {F(), F()},
                        {{"equation", OneOf({"ij,jk->ik", "ij,kj->ik", "ij,ij->i", "ij,ij->ij", "bij,bj->bi",
                                             "bij,jk->bik", "...i,ij->...j", "ij,j->j", "ij,ik->jk"})}}));
    }
  }

  void Reductions() {
    const Output x = F();
    switch (Below(5)) {
      case 0: {
        std::vector<int32_t> axes;
        for (int i = 0; i <= Below(2); ++i) axes.push_back(AxisOf(x));
        return Made(Add(OneOf({"Sum", "Mean", "Max", "Prod"}), {x, ConstOf(Ints(axes))}, {{"keep_dims", Chance(2)}}));
      }
      case 1:
        return Made(Add(OneOf({"Cumsum", "Cumprod"}), {x, Int(AxisOf(x))}, {{"reverse", Chance(2)}}));
      case 2:
        return Made(Add("ArgMax", {x, Int(AxisOf(x))}, {{"output_type", DT_INT32}}));
      case 3:
        return Made(Add(OneOf({"SegmentSum", "SegmentMean"}), {x, ConstOf(Ints({0, 0, 1}))}));
      default:
        return Made(Add("UnsortedSegmentSum", {x, Chance(2) ? I() : ConstOf(Ints({2, 0, 1})), Int(3)}));
    }
  }

  void Shapes() {
    const Output x = F();
    const int rank = Rank(x);
    switch (Below(12)) {
      case 0:
        return Made(Add("Reshape", {x, ConstOf(RandomSizes(x))}));
      case 1: {
        std::vector<int32_t> perm;
        for (int i = 0; i < rank; ++i) perm.push_back(i);
        std::shuffle(perm.begin(), perm.end(), random_);
        return Made(Add("Transpose", {x, ConstOf(Ints(perm))}));
      }
      case 2:
        return Made(Add("ExpandDims", {x, Int(Below(rank + 1))}));
      case 3:
        return Made(Add("Squeeze", {x}));
      case 4:
        return Made(Add("Reshape", {x, Add("Shape", {F()})}));
      case 5:
        return Made(Add("BroadcastTo", {x, Add("Shape", {F()})}));
      case 6: {
        std::vector<int32_t> times;
        for (int i = 0; i < rank; ++i) times.push_back(1 + Below(2));
        return Made(Add("Tile", {x, ConstOf(Ints(times))}));
      }
      case 7:
        return Made(Add("ReverseV2", {x, ConstOf(Ints({AxisOf(x)}))}));
      case 8:
        return Made(Add("Roll", {x, Int(1), Int(AxisOf(x))}));
      case 9:
        return Made(Add("ReverseSequence", {x, I()}, {{"seq_dim", Below(rank)}, {"batch_dim", Below(rank)}}));
      case 10:
        return Made(Add(OneOf({"MatrixDiag", "MatrixDiagPart", "DiagPart"}), {x}));
      default:
        return Made(Add("SpaceToBatchND", {x, ConstOf(Ints({2})), ConstOf(Tensor::Matrix<int32_t>({{0, 0}}))}));
    }
  }

  // A shape into which x goes: its sizes joined, cut, or in another order.
  Tensor RandomSizes(Output x) {
    std::vector<int32_t> sizes;
    for (int i = 0; i < Rank(x); ++i) {
      const int64_t size = x.shape().has_rank() && x.shape().dim(i) >= 0 ? x.shape().dim(i) : -1;
      if (!sizes.empty() && Chance(2) && sizes.back() > 0 && size > 0) {
        sizes.back() *= static_cast<int32_t>(size);
      } else if (size > 0 && size % 2 == 0 && Chance(3)) {
        sizes.insert(sizes.end(), {static_cast<int32_t>(size / 2), 2});
      } else {
        sizes.push_back(static_cast<int32_t>(size));
      }
    }
    if (Chance(4)) std::shuffle(sizes.begin(), sizes.end(), random_);
    if (Chance(3) && !sizes.empty()) sizes[static_cast<size_t>(Below(static_cast<int>(sizes.size())))] = -1;
    if (Chance(4)) return Ints({-1, OneOf({2, 3, 4, 6})});
    return Ints(sizes);
  }

  void Pieces() {
    const Output x = F();
    const int rank = Rank(x);
    switch (Below(11)) {
      case 0:
        return Made(Add("ConcatV2", {x, Chance(2) ? x : F(), Int(AxisOf(x))}));
      case 1:
        return Made(Add("Pack", {x, Chance(2) ? x : F()}, {{"axis", Below(rank + 1)}}));
      case 2:
        return MadeAll(Add("Unpack", {x}, {{"num", OneOf({2, 3, 4})}, {"axis", Below(rank)}}));
      case 3:
        return MadeAll(Add("Split", {Int(AxisOf(x)), x}, {{"num_split", OneOf({2, 3})}}));
      case 4:
        return MadeAll(Add("SplitV", {x, ConstOf(Ints({1, -1})), Int(AxisOf(x))}, {{"num_split", 2}}));
      case 5: {
        std::vector<int32_t> begin, size;
        for (int i = 0; i < rank; ++i) {
          begin.push_back(Chance(3) ? 1 : 0);
          size.push_back(Chance(2) ? -1 : 1 + Below(3));
        }
        return Made(Add("Slice", {x, ConstOf(Ints(begin)), ConstOf(Ints(size))}));
      }
      case 6: {
        std::vector<int32_t> begin, end, strides;
        for (int i = 0; i < 1 + Below(3); ++i) {
          begin.push_back(Below(2));
          end.push_back(OneOf({1, 2, 3, 4, -1}));
          strides.push_back(OneOf({1, 1, 1, 2, -1}));
        }
        const auto mask = [&] { return Chance(2) ? Below(8) : 0; };
        return Made(Add("StridedSlice", {x, ConstOf(Ints(begin)), ConstOf(Ints(end)), ConstOf(Ints(strides))},
                        {{"begin_mask", mask()},
                         {"end_mask", mask()},
                         {"ellipsis_mask", Chance(3) ? 1 << Below(2) : 0},
                         {"new_axis_mask", Chance(3) ? 1 << Below(3) : 0},
                         {"shrink_axis_mask", Chance(3) ? 1 << Below(3) : 0}}));
      }
      case 7: {
        Tensor paddings = *Tensor::Create(DT_INT32, {rank, 2});
        for (int32_t& padding : paddings.flat<int32_t>()) padding = Chance(4) ? 1 : 0;
        if (Chance(2)) return Made(Add("MirrorPad", {x, ConstOf(paddings)}, {{"mode", "REFLECT"}}));
        return Made(Add("Pad", {x, ConstOf(paddings)}));
      }
      case 8:
        return Made(Add("GatherV2", {x, I(), Int(AxisOf(x))}, {{"batch_dims", Chance(3) ? 1 : 0}}));
      case 9:
        return Made(Add("GatherNd", {x, Chance(2) ? Add("ExpandDims", {I(), Int(-1)}) : I()}));
      default:
        return Made(
            Add("OneHot", {I(), Int(3), ConstOf(Tensor(1.0f)), ConstOf(Tensor(0.0f))}, {{"axis", Chance(2) ? -1 : 0}}));
    }
  }

  void Networks() {
    const Output x = F();
    const AttrMap window = {{"ksize", std::vector<int64_t>{1, 2, 2, 1}},
                            {"strides", std::vector<int64_t>{1, 2, 2, 1}},
                            {"padding", "SAME"}};
    const auto vector = [&](int64_t n) { return ConstOf(RandomTensor(DT_FLOAT, {n})); };
    switch (Below(9)) {
      case 0:
        return Made(Add(OneOf({"Softmax", "LogSoftmax"}), {x}));
      case 1:
        return MadeAll(Add("TopKV2", {x, Int(2)}));
      case 2:
        return MadeAll(Add("SoftmaxCrossEntropyWithLogits", {x, F()}));
      case 3:
        return MadeAll(Add("SparseSoftmaxCrossEntropyWithLogits", {x, I()}));
      case 4:
        return Made(Add(OneOf({"MaxPool", "AvgPool"}), {x}, window));
      case 5: {
        const Output filter = Chance(4) ? F() : ConstOf(RandomTensor(DT_FLOAT, {2, 2, 2, 3}));
        return Made(Add("Conv2D", {x, filter}, {{"strides", std::vector<int64_t>{1, 1, 1, 1}}, {"padding", "SAME"}}));
      }
      case 6: {
        const int64_t channels = x.shape().rank() == 4 ? std::max<int64_t>(1, x.shape().dim(3)) : 2;
        const Output ones = ConstOf(RandomTensor(DT_FLOAT, {channels}));
        const bool training = Chance(2);
        const Output given = training ? vector(0) : vector(channels);
        return MadeAll(Add("FusedBatchNormV3", {x, ones, ones, given, given}, {{"is_training", training}}));
      }
      case 7:
        return Made(Add(OneOf({"LRN", "L2Loss"}), {x}));
      default:
        return Made(Add(OneOf({"DepthToSpace", "SpaceToDepth"}), {x}, {{"block_size", 2}}));
    }
  }

  // Branches, and variables that are written and read in one step.
  void Effects() {
    const Output x = F(), y = F();
    if (Chance(2)) {
      const Output sum = Add("Max", {F(), ConstOf(Ints({0}))});
      const Output predicate = Chance(2) ? Add("Const", {}, {{"value", Tensor(Chance(2))}, {"dtype", DT_BOOL}})
                               : sum.valid() && sum.shape().IsScalar() ? Add("Greater", {sum, ConstOf(Tensor(0.0f))})
                                                                       : Output();
      if (!predicate.valid()) return;
      const Output first = Add("Switch", {x, predicate}), second = Add("Switch", {y, predicate});
      if (!first.valid() || !second.valid()) return;
      Output taken = first.node()->output(1);
      if (Chance(2)) taken = Add("Tanh", {taken});
      return Made(Add("Merge", {second, taken}));
    }
    if (!y.shape().IsFullyDefined() || variables_ > 2) return;
    const Output variable = Add("VariableV2", {}, {{"shape", y.shape()}, {"dtype", DT_FLOAT}});
    const Output zeros = ConstOf(RandomTensor(DT_FLOAT, y.shape()));
    const Output initial = Add("Assign", {variable, zeros});
    if (!initial.valid()) return;
    ++variables_;
    const Output write = Add("Assign", {initial, y}, {}, {initial.node()});
    const bool ordered = Chance(2);
    const Output read = Add("Identity", {variable}, {}, {ordered ? write.node() : initial.node()});
    Made(Add("Mul", {read, x}));
  }

  std::mt19937 random_;
  Graph g_;
  Session::Feeds feeds_;
  std::vector<BatchInput> batch_;
  std::vector<Output> floats_, ints_, flows_, made_;
  int variables_ = 0;
};

struct Tally {
  int independent = 0, depends = 0, unknown = 0;  // verdicts
  int confirmed = 0;                              // independent ones whose own rows were seen to change
  int seen = 0;                                   // dependent ones that the numbers show
  int failed = 0;                                 // steps that do not run, as their sizes do not fit
};

void CheckGraph(uint32_t seed, Tally* tally) {
  const RandomGraph random(seed);
  Session session(random.graph(), {.threads = 1, .warn = [](absl::string_view) {}, .audit = Audit::kOff});
  for (Output fetch : random.Results(3)) {
    const absl::StatusOr<BatchDependence> d = AnalyzeBatchDependence(fetch, 0, {.batch = random.batch()});
    ASSERT_TRUE(d.ok()) << "seed " << seed << ": " << d.status();
    const bool independent = d->verdict == BatchVerdict::kIndependent;
    if (d->verdict == BatchVerdict::kUnknown) ++tally->unknown;
    if (d->verdict == BatchVerdict::kDepends) ++tally->depends;
    const bool constant = d->rows.is_constant() || d->rows.kind == BatchRows::kNone;
    if (constant) {
      // Nothing that is fed may change it.
      const absl::StatusOr<Tensor> base = session.Run(random.feeds(), fetch);
      Session::Feeds changed = random.feeds();
      for (size_t i = 0; i < changed.size(); ++i) {
        changed[i].second = *WithChangedExample(changed[i].second, random.batch()[i].axis, 0);
      }
      const absl::StatusOr<Tensor> other = session.Run(changed, fetch);
      if (!base.ok() || !other.ok()) {
        ++tally->failed;
        continue;
      }
      ++tally->independent;
      EXPECT_TRUE(BitwiseEqual(*base, *other)) << "seed " << seed << ", " << fetch.name() << " is no constant";
      continue;
    }
    ConfirmationOptions options{.batch = random.batch()};
    if (independent) options.rows = d->rows;
    const absl::StatusOr<BatchConfirmation> seen = ConfirmBatchDependence(session, random.feeds(), fetch, options);
    if (!seen.ok()) {
      // Rows that are said to lie along a dimension do so whenever the step runs with as many examples as the graph
      // is built for.
      const int64_t size = independent ? fetch.shape().dim(d->rows.axis) : -1;
      if (independent && (size < 0 || size % kExamples == 0) && session.Run(random.feeds(), fetch).ok()) {
        ADD_FAILURE() << "seed " << seed << ", " << fetch.name() << ": " << seen.status() << "\n"
                      << d->rows.ToString() << "\n"
                      << *GraphDefText(random.graph());
      }
      ++tally->failed;
      continue;
    }
    if (independent) {
      ++tally->independent;
      tally->confirmed += seen->own_rows > 0;
      EXPECT_FALSE(seen->depends) << "seed " << seed << ", " << fetch.name() << ": " << seen->ToString() << "\n"
                                  << d->ToString() << *GraphDefText(random.graph());
    } else if (d->verdict == BatchVerdict::kDepends) {
      tally->seen += seen->depends;
    }
  }
}

TEST(BatchDependenceFuzz, NothingIsCalledIndependentThatIsNot) {
  const char* wanted = std::getenv("STATICFLOW_FUZZ_GRAPHS");
  const int graphs = wanted == nullptr ? 1500 : std::atoi(wanted);
  Tally tally;
  for (int i = 0; i < graphs && !HasFailure(); ++i) CheckGraph(static_cast<uint32_t>(i), &tally);
  std::cout << graphs << " graphs: " << tally.independent << " independent (" << tally.confirmed
            << " seen to hold rows of their own), " << tally.depends << " depend (" << tally.seen << " seen to), "
            << tally.unknown << " unknown, " << tally.failed << " did not run\n";
  // The check would be empty if most graphs did not run, or if nothing were independent.
  EXPECT_GT(tally.confirmed, graphs / 10);
  EXPECT_GT(tally.seen, graphs / 20);
}

}  // namespace
}  // namespace staticflow
