#include "graph/batch_dependence.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "graph/node_builder.h"
#include "ops/array.h"
#include "ops/array_index.h"
#include "ops/array_layout.h"
#include "ops/batch_norm.h"
#include "ops/control_flow.h"
#include "ops/conv.h"
#include "ops/diagnostics/batch_confirmation.h"
#include "ops/initializers.h"
#include "ops/layers/layers.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/pool.h"
#include "ops/random.h"
#include "ops/state.h"

namespace staticflow {
namespace {

// A graph on x [?, 6], pictures [?, 4, 4, 2] and the predicate is_training; `build` gives the fetch.
struct Inputs {
  Graph& g;
  Output x, pictures, is_training;
};
struct DependenceCase {
  std::string name;
  std::function<Output(const Inputs&)> build;
  BatchVerdict verdict;
  std::string reason = "";  // a part of it
  std::optional<bool> training = std::nullopt;
  int axis = 0;
};
void PrintTo(const DependenceCase& c, std::ostream* out) { *out << c.name; }

class BatchDependenceTest : public testing::TestWithParam<DependenceCase> {};

TEST_P(BatchDependenceTest, SaysWhetherRowsMeet) {
  const DependenceCase& c = GetParam();
  Graph g;
  Inputs in{g, Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 6}, .name = "x"}),
            Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 4, 4, 2}, .name = "pictures"}),
            Placeholder(g, {.dtype = DT_BOOL, .shape = Shape::Unknown(), .name = "is_training"})};
  const Output fetch = c.build(in);
  BatchDependenceOptions options;
  if (c.training.has_value()) options.feeds = {{in.is_training, *c.training}};
  const absl::StatusOr<BatchDependence> d = AnalyzeBatchDependence(fetch, c.axis, options);
  ASSERT_TRUE(d.ok()) << d.status();
  EXPECT_EQ(BatchVerdictName(d->verdict), BatchVerdictName(c.verdict)) << d->ToString();
  EXPECT_NE(d->reason.find(c.reason), std::string::npos) << d->ToString();
  EXPECT_EQ(d->path.empty(), d->verdict == BatchVerdict::kIndependent);
  if (!d->path.empty()) {
    EXPECT_EQ(d->path.back(), fetch.node());
  }
}

constexpr BatchVerdict kIndependent = BatchVerdict::kIndependent, kDepends = BatchVerdict::kDepends,
                       kUnknown = BatchVerdict::kUnknown;

Output BatchNorm(const Inputs& in, layers::Training training) {
  return layers::BatchNormalization(in.g, in.x, {.training = training});
}
Output Row(const Inputs& in) { return Reshape(Slice(in.x, {0, 0}, {1, 6}), {6}); }

const DependenceCase kLayers[] = {
    {"dense", [](const Inputs& in) { return layers::Dense(in.g, in.x, {.units = 3, .activation = Relu}); },
     kIndependent, "index i of dimension 0 is example i"},
    {"batch norm hard-wired to training", [](const Inputs& in) { return BatchNorm(in, true); }, kDepends,
     "over axis 0 in batch_normalization/moments/mean"},
    {"batch norm in inference", [](const Inputs& in) { return BatchNorm(in, false); }, kIndependent},
    {"batch norm by cond, training", [](const Inputs& in) { return BatchNorm(in, in.is_training); }, kDepends,
     "batch_normalization/moments/mean", true},
    {"batch norm by cond, inference", [](const Inputs& in) { return BatchNorm(in, in.is_training); }, kIndependent, "",
     false},
    {"batch norm by cond, either", [](const Inputs& in) { return BatchNorm(in, in.is_training); }, kDepends},
    {"fused batch norm in training",
     [](const Inputs& in) { return layers::BatchNormalization(in.g, in.pictures, {.training = true}); }, kDepends,
     "FusedBatchNormV3 with the statistics of the batch in batch_normalization/FusedBatchNormV3"},
    {"fused batch norm by cond, inference",
     [](const Inputs& in) { return layers::BatchNormalization(in.g, in.pictures, {.training = in.is_training}); },
     kIndependent, "", false},
    {"layer normalization", [](const Inputs& in) { return in.x - Mean(in.x, {1}, {.keep_dims = true}); }, kIndependent},
    {"instance normalization",
     [](const Inputs& in) {
       return in.pictures - Moments(in.pictures, {1, 2}, {.keep_dims = true}).mean;
     },
     kIndependent},
    {"convolution, pooling, flatten, dense",
     [](const Inputs& in) {
       Output h = layers::Conv2D(in.g, in.pictures, {.filters = 3, .kernel_size = 3, .padding = "same"});
       h = layers::MaxPooling2D(in.g, h, {.pool_size = 2, .strides = 2});
       return layers::Dense(in.g, layers::Flatten(in.g, h), {.units = 2});
     },
     kIndependent},
    {"dropout", [](const Inputs& in) { return layers::Dropout(in.g, in.x, {.training = true}); }, kIndependent},
    {"softmax", [](const Inputs& in) { return Softmax(in.x); }, kIndependent},
    {"softmax over the batch",
     [](const Inputs& in) {
       return Softmax(Transpose(in.x, {1, 0}));
     },
     kDepends, "Softmax along dimension 1", std::nullopt, 1},
    {"loss", [](const Inputs& in) { return Mean(Square(in.x)); }, kDepends, "Mean over axes 0, 1 in Mean"},
    {"loss per example", [](const Inputs& in) { return Sum(Square(in.x), {1}); }, kIndependent},
    {"number of examples", [](const Inputs& in) { return Cast(ShapeOf(in.x), DT_FLOAT); }, kIndependent,
     "it holds no data of the batch"},
};
INSTANTIATE_TEST_SUITE_P(Layers, BatchDependenceTest, testing::ValuesIn(kLayers));

const DependenceCase kArrays[] = {
    {"transposed",
     [](const Inputs& in) {
       return Transpose(in.x, {1, 0});
     },
     kDepends, "the examples lie along dimension 1, not 0"},
    {"transposed, asked along 1",
     [](const Inputs& in) {
       return Transpose(in.x, {1, 0});
     },
     kIndependent, "", std::nullopt, 1},
    {"gram matrix", [](const Inputs& in) { return MatMul(in.x, in.x, {.transpose_b = true}); }, kDepends,
     "MatMul of operands whose examples"},
    {"flattened and back",
     [](const Inputs& in) {
       return Reshape(Reshape(in.pictures, {-1, 2}), {-1, 4, 4, 2});
     },
     kIndependent},
    {"flattened",
     [](const Inputs& in) {
       return Reshape(in.pictures, {-1, 2});
     },
     kIndependent, "of example k / 16"},
    {"flattened and cut elsewhere",
     [](const Inputs& in) {
       return Reshape(in.pictures, {-1, 64});
     },
     kUnknown, "Reshape of sizes that are not known in Reshape"},
    {"two batches in one, and apart",
     [](const Inputs& in) {
       return Split(Concat({in.x, Tanh(in.x)}, 0), 2, 0)[1];
     },
     kIndependent},
    {"another tensor below the batch",
     [](const Inputs& in) {
       return Concat({in.x, Const(in.g, Tensor::Matrix<float>({{1, 2, 3, 4, 5, 6}}))}, 0);
     },
     kDepends, "beside the examples"},
    {"another tensor beside",
     [](const Inputs& in) {
       return Concat({in.x, ZerosLike(in.x)}, 1);
     },
     kIndependent},
    {"the batch's mean or none, as a mode selects",
     [](const Inputs& in) { return in.x - Where(in.is_training, Mean(in.x, {0}), ZerosLike(Mean(in.x, {0}))); },
     kDepends, "Mean over axis 0", true},
    {"the batch's mean, not selected",
     [](const Inputs& in) {
       return in.x - Select(in.is_training, Mean(in.x, {0}), Const(in.g, Tensor::Vector<float>({0, 0, 0, 0, 0, 0})));
     },
     kIndependent, "", false},
    {"the other rows, not selected", [](const Inputs& in) { return Select(in.is_training, in.x, Reverse(in.x, {0})); },
     kIndependent, "", true},
    {"one example", [](const Inputs& in) { return in.x - Row(in); }, kDepends, "takes a part of the batch"},
    {"all of the batch",
     [](const Inputs& in) {
       return Slice(in.x, {0, 1}, {-1, 2});
     },
     kIndependent},
    {"the first columns",
     [](const Inputs& in) {
       return StridedSlice(in.x, {0, 0}, {0, 3}, {1, 1}, {.begin_mask = 1, .end_mask = 1});
     },
     kIndependent},
    {"every second example",
     [](const Inputs& in) {
       return StridedSlice(in.x, {0, 0}, {0, 3}, {2, 1}, {.begin_mask = 1, .end_mask = 1});
     },
     kDepends, "takes a part of the batch"},
    {"reversed", [](const Inputs& in) { return Reverse(in.x, {0}); }, kDepends, "the order of the examples"},
    {"running sums", [](const Inputs& in) { return CumSum(in.x, 0); }, kDepends, "along axis 0"},
    {"running sums in a row", [](const Inputs& in) { return CumSum(in.x, 1); }, kIndependent},
    {"repeated",
     [](const Inputs& in) {
       return Tile(in.x, {2, 3});
     },
     kIndependent},
    {"embedding",
     [](const Inputs& in) {
       return Gather(GetVariable(in.g, "table", {.shape = {9, 4}}).snapshot, ArgMax(in.x, 1));
     },
     kIndependent},
    {"rows of other examples", [](const Inputs& in) { return Gather(in.x, ArgMax(in.x, 0)); }, kDepends},
    {"an op without a rule",
     [](const Inputs& in) {
       return TensorScatterUpdate(in.x, Const(in.g, Tensor::Matrix<int32_t>({{0, 1}})),
                                  Const(in.g, Tensor::Vector<float>({5})));
     },
     kUnknown, "the op has no rule"},
    {"sizes that nobody knows",
     [](const Inputs& in) {
       const Output t = Placeholder(in.g, {.dtype = DT_FLOAT, .shape = {-1, -1, 3}});
       return Reshape(t, {-1, 3});
     },
     kUnknown, "of sizes that are not known"},
};

INSTANTIATE_TEST_SUITE_P(Arrays, BatchDependenceTest, testing::ValuesIn(kArrays));

Output BatchMean(const Inputs& in) { return Mean(in.x, {0}); }
Output Counter(const Inputs& in, bool resource) {
  return GetVariable(in.g, "v", {.shape = {6}, .initializer = initializers::Zeros(), .use_resource = resource}).ref();
}

const DependenceCase kEffects[] = {
    {"a branch chosen by the fed predicate",
     [](const Inputs& in) {
       return Cond(
           in.is_training, [&]() -> Output { return in.x * 2; }, [&]() -> Output { return Relu(in.x); });
     },
     kIndependent},
    {"a branch chosen by data",
     [](const Inputs& in) {
       return Cond(
           Greater(Sum(in.x), 0), [&]() -> Output { return in.x * 2; }, [&]() -> Output { return Relu(in.x); });
     },
     kDepends, "Sum over axes 0, 1"},
    {"constants chosen by data",
     [](const Inputs& in) {
       return Cond(
           Greater(Sum(in.x), 0), [&]() -> Output { return Const(in.g, 1.0f); },
           [&]() -> Output { return Const(in.g, 2.0f); });
     },
     kDepends, "Sum over axes 0, 1"},
    {"a branch of a branch that is not taken",
     [](const Inputs& in) {
       return Cond(
           LogicalNot(in.is_training), [&]() -> Output { return in.x - BatchMean(in); },
           [&]() -> Output { return Relu(in.x); });
     },
     kIndependent, "", true},
    {"an assertion about the data does not choose",
     [](const Inputs& in) {
       const Output check = Cond(
           Greater(Sum(in.x), 0), [&]() -> Output { return Const(in.g, true); },
           [&]() -> Output { return Const(in.g, false); });
       const ControlDependencies after(in.g, {Operation(check)});
       return Cond(
           in.is_training, [&]() -> Output { return Relu(in.x); }, [&]() -> Output { return Tanh(in.x); });
     },
     kIndependent},
    {"a variable", [](const Inputs& in) { return in.x * Counter(in, false); }, kIndependent},
    {"a variable that this step writes before",
     [](const Inputs& in) {
       const Output v = Counter(in, false);
       const ControlDependencies after(in.g, {Operation(Assign(v, BatchMean(in)))});
       return in.x * v;
     },
     kDepends, "Mean over axis 0 in Mean"},
    {"a variable that this step writes afterwards",
     [](const Inputs& in) {
       const Output v = Counter(in, false);
       const Output y = in.x * Identity(v);
       Operation write;
       {
         const ControlDependencies after(in.g, {Operation(y)});
         write = Assign(v, BatchMean(in));
       }
       return y;
     },
     kIndependent},
    {"a resource that this step writes before",
     [](const Inputs& in) {
       const Output v = Counter(in, true);
       const ControlDependencies after(in.g, {Operation(AssignAdd(v, BatchMean(in)))});
       return in.x * ReadVariable(v, DT_FLOAT);
     },
     kDepends, "Mean over axis 0 in Mean"},
    {"a resource that another handle writes before",
     [](const Inputs& in) {
       const Output v = Counter(in, true);
       const AttrMap attrs = {{"dtype", DT_FLOAT}, {"shape", Shape({6})}, {"shared_name", "v"}};
       const Output other = (*in.g.AddNode({.name = "other", .op = FindOp("VarHandleOp"), .attrs = attrs}))->output(0);
       const ControlDependencies after(in.g, {Operation(AssignAdd(other, BatchMean(in)))});
       return in.x * ReadVariable(v, DT_FLOAT);
     },
     kDepends, "Mean over axis 0 in Mean"},
    {"a resource that this step writes in a branch that is not taken",
     [](const Inputs& in) {
       const Output v = Counter(in, true);
       const Output write = Cond(
           in.is_training, [&]() -> Output { return AssignAdd(v, BatchMean(in)); },
           [&]() -> Output { return ReadVariable(v, DT_FLOAT); });
       const ControlDependencies after(in.g, {Operation(write)});
       return in.x * ReadVariable(v, DT_FLOAT);
     },
     kIndependent, "", false},
    {"random numbers hold no data", [](const Inputs& in) { return in.x + RandomNormal(in.g, ShapeOf(in.x)); },
     kIndependent},
};
INSTANTIATE_TEST_SUITE_P(Effects, BatchDependenceTest, testing::ValuesIn(kEffects));

TEST(BatchDependenceModes, TellsBothValuesOfThePredicate) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 6}, .name = "x"});
  const Output is_training = PlaceholderWithDefault(g, false, {.name = "is_training"});
  const Output by_cond = layers::BatchNormalization(g, x, {.training = is_training});
  const Output selected = x - Where(is_training, Mean(x, {0}), Const(g, 0.0f));
  for (Output y : {by_cond, selected}) {
    const absl::StatusOr<BatchDependence> d = AnalyzeBatchDependence(y);
    ASSERT_TRUE(d.ok()) << d.status();
    ASSERT_EQ(d->modes.size(), 2u) << d->ToString();
    EXPECT_EQ(d->modes[0].predicate, is_training);
    EXPECT_EQ(d->modes[0].verdict, kIndependent);
    EXPECT_EQ(d->modes[1].verdict, kDepends);
    EXPECT_NE(d->ToString().find("when is_training is true: depends: Mean over axis 0"), std::string::npos)
        << d->ToString();
  }
}

TEST(BatchDependenceModes, TakesTheBatchFromTheCaller) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {5, -1, 3}});  // time first
  const Output y = Tanh(x);
  const absl::StatusOr<BatchDependence> d = AnalyzeBatchDependence(y, 1, {.batch = {{x, 1}}});
  ASSERT_TRUE(d.ok()) << d.status();
  EXPECT_EQ(d->verdict, kIndependent) << d->ToString();
  EXPECT_FALSE(AnalyzeBatchDependence(y, 3).ok());
  EXPECT_FALSE(AnalyzeBatchDependence(y, 0, {.batch = {{x, 7}}}).ok());
  EXPECT_FALSE(AnalyzeBatchDependence(Output()).ok());
}

// Row i of the state after three steps depends on row i alone; the sum over the batch reaches all rows.
TEST(BatchDependenceLoops, FollowsValuesAround) {
  for (const bool mixes : {false, true}) {
    Graph g;
    const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 2}, .name = "x"});
    const auto node = [&](const char* type, std::vector<Output> inputs, AttrMap attrs = {}) {
      return *g.AddNode({.name = g.UniqueName(type), .op = FindOp(type), .inputs = inputs, .attrs = attrs});
    };
    const AttrMap frame = {{"frame_name", "loop"}};
    Node* enter_i = node("Enter", {Const(g, int32_t{0})}, frame);
    Node* enter_h = node("Enter", {ZerosLike(x)}, frame);
    Node* enter_x = node("Enter", {x}, {{"frame_name", "loop"}, {"is_constant", true}});
    const auto merge = [&](Node* enter) {
      const DataType type = enter->output_dtype(0);
      return *g.AddNodeWithBackEdge({.name = g.UniqueName("Merge"),
                                     .op = FindOp("Merge"),
                                     .inputs = {enter->output(0), Output()},
                                     .attrs = {{"T", type}, {"N", 2}}},
                                    {1}, {type});
    };
    Node *merge_i = merge(enter_i), *merge_h = merge(enter_h);
    ASSERT_TRUE(merge_h->MergeOutputShape(0, {-1, 2}).ok());
    const Output cond = node("LoopCond", {Less(merge_i->output(0), 3)})->output(0);
    Node* switch_i = node("Switch", {merge_i->output(0), cond});
    Node* switch_h = node("Switch", {merge_h->output(0), cond});
    Output h = switch_h->output(1) + enter_x->output(0);
    if (mixes) h = h - Mean(h, {0}, {.name = "mean"});
    ASSERT_TRUE(merge_i->ReplaceInput(1, node("NextIteration", {switch_i->output(1) + 1})->output(0)).ok());
    ASSERT_TRUE(merge_h->ReplaceInput(1, node("NextIteration", {h})->output(0)).ok());
    const Output result = node("Exit", {switch_h->output(0)})->output(0);
    ASSERT_TRUE(g.status().ok()) << g.status();
    const absl::StatusOr<BatchDependence> d = AnalyzeBatchDependence(result);
    ASSERT_TRUE(d.ok()) << d.status();
    EXPECT_EQ(d->verdict, mixes ? kDepends : kIndependent) << d->ToString();
    if (mixes) {
      EXPECT_NE(d->reason.find("Mean over axis 0 in mean"), std::string::npos) << d->ToString();
    }
  }
}

TEST(ConfirmBatchDependence, SeesWhatTheProofSays) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 2}});
  const Output rows = Relu(x), meeting = x - Mean(x, {0});
  Session session(g, {.threads = 1});
  const Tensor value = Tensor::Matrix<float>({{1, 2}, {3, -4}, {5, 6}});
  absl::StatusOr<BatchConfirmation> seen = ConfirmBatchDependence(session, {{x, value}}, rows);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_FALSE(seen->depends) << seen->ToString();
  EXPECT_EQ(seen->own_rows, 3);
  seen = ConfirmBatchDependence(session, {{x, value}}, meeting);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(seen->depends) << seen->ToString();
  EXPECT_EQ(seen->changed, 0);
  EXPECT_EQ(seen->row, 1);
  EXPECT_FALSE(ConfirmBatchDependence(session, {{x, value}}, x + RandomNormal(g, ShapeOf(x))).ok());
  EXPECT_FALSE(ConfirmBatchDependence(session, {{x, Tensor::Matrix<float>({{1, 2}})}}, rows).ok());
}

// Ops about whose rows nothing is said, each for the reason it stands under. An op that is neither here nor has a rule
// nor is covered by a default was forgotten.
const std::map<std::string, std::vector<std::string>>& OpsWithoutRule() {
  static const auto& ops = *new std::map<std::string, std::vector<std::string>>{
      {"numbers about shapes and places, constant as a rule",
       {"BroadcastArgs", "BroadcastGradientArgs", "ConcatOffset", "LinSpace", "Range", "UnravelIndex"}},
      {"random numbers, made of shapes and seeds",
       {"ParameterizedTruncatedNormal",
        "RandomGamma",
        "RandomIndexShuffle",
        "RandomPoisson",
        "RandomPoissonV2",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "StatelessMultinomial",
        "StatelessParameterizedTruncatedNormal",
        "StatelessRandomBinomial",
        "StatelessRandomGammaV2",
        "StatelessRandomGammaV3",
        "StatelessRandomGetKeyCounter",
        "StatelessRandomGetKeyCounterAlg",
        "StatelessRandomNormal",
        "StatelessRandomNormalV2",
        "StatelessRandomPoisson",
        "StatelessRandomUniform",
        "StatelessRandomUniformFullInt",
        "StatelessRandomUniformFullIntV2",
        "StatelessRandomUniformInt",
        "StatelessRandomUniformIntV2",
        "StatelessRandomUniformV2",
        "StatelessTruncatedNormal",
        "StatelessTruncatedNormalV2",
        "TruncatedNormal"}},
      {"values at places that indices name",
       {"ScatterNd", "ScatterNdNonAliasingAdd", "SparseSegmentMean", "SparseSegmentMeanGrad",
        "SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtN", "SparseSegmentSqrtNGrad",
        "SparseSegmentSqrtNWithNumSegments", "SparseSegmentSum", "SparseSegmentSumGrad",
        "SparseSegmentSumWithNumSegments", "TensorScatterAdd", "TensorScatterMax", "TensorScatterMin",
        "TensorScatterSub", "TensorScatterUpdate", "TensorStridedSliceUpdate", "DenseBincount"}},
      {"gradients of cutting and padding, by shapes that are computed", {"MirrorPadGrad", "StridedSliceGrad"}},
      {"classes drawn at random",
       {"AllCandidateSampler", "ComputeAccidentalHits", "FixedUnigramCandidateSampler",
        "LearnedUnigramCandidateSampler", "LogUniformCandidateSampler", "ThreadUnsafeUnigramCandidateSampler",
        "UniformCandidateSampler"}},
      {"elements of queues",
       {"QueueDequeueManyV2", "QueueDequeueUpToV2", "QueueDequeueV2", "QueueIsClosedV2", "QueueSizeV2",
        "ReaderNumRecordsProducedV2", "ReaderNumWorkUnitsCompletedV2", "ReaderReadUpToV2", "ReaderReadV2",
        "ReaderSerializeStateV2"}},
      {"gradients that steps gave before", {"ResourceAccumulatorNumAccumulated", "ResourceAccumulatorTakeGradient"}},
      {"texts about tensors, for people",
       {"AudioSummary", "AudioSummaryV2", "HistogramSummary", "MergeSummary", "ScalarSummary", "StringFormat",
        "TensorSummary", "TensorSummaryV2"}},
      {"pieces of strings, as many as the strings say", {"DecodeRaw", "StringSplit", "StringSplitV2"}},
      {"file names and files",
       {"Restore", "RestoreSlice", "MatchingFiles", "ReadFile", "RestoreV2", "ShardedFilename", "ShardedFilespec"}},
      {"lists and optionals as values",
       {"EmptyTensorList",
        "OptionalFromValue",
        "OptionalGetValue",
        "OptionalHasValue",
        "TensorListConcat",
        "TensorListConcatLists",
        "TensorListConcatV2",
        "TensorListElementShape",
        "TensorListFromTensor",
        "TensorListGather",
        "TensorListGetItem",
        "TensorListLength",
        "TensorListPopBack",
        "TensorListPushBack",
        "TensorListPushBackBatch",
        "TensorListReserve",
        "TensorListResize",
        "TensorListScatter",
        "TensorListScatterIntoExistingList",
        "TensorListScatterV2",
        "TensorListSetItem",
        "TensorListSplit",
        "TensorListStack"}},
      {"pictures and boxes",
       {"AdjustContrast", "SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2",
        "StatelessSampleDistortedBoundingBox", "AdjustContrastv2", "AdjustHue", "AdjustSaturation", "CropAndResize",
        "CropAndResizeGradBoxes", "CropAndResizeGradImage", "HSVToRGB", "NonMaxSuppression", "NonMaxSuppressionV2",
        "NonMaxSuppressionV3", "NonMaxSuppressionV4", "NonMaxSuppressionV5", "NonMaxSuppressionWithOverlaps",
        "RGBToHSV"}},
      {"cells and whole sequences in one op",
       {"BlockLSTM", "BlockLSTMGrad", "BlockLSTMGradV2", "BlockLSTMV2", "CTCBeamSearchDecoder", "CTCGreedyDecoder",
        "CTCLoss", "CTCLossV2", "GRUBlockCell", "GRUBlockCellGrad", "LSTMBlockCell", "LSTMBlockCellGrad"}},
      {"factors and solutions of matrices",
       {"BandedTriangularSolve", "BatchMatrixSolveLs", "BatchSvd", "Lu", "MatrixSolveLs", "Svd", "TridiagonalMatMul",
        "TridiagonalSolve"}},
      {"simulated quantization, whose range may be that of all elements",
       {"FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsGradient", "FakeQuantWithMinMaxVarsPerChannel",
        "FakeQuantWithMinMaxVarsPerChannelGradient", "QuantizeAndDequantize", "QuantizeAndDequantizeV2",
        "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4", "QuantizeAndDequantizeV4Grad"}},
      {"sparse tensors, whose rows are where the indices say",
       {"DenseToDenseSetOperation",
        "DenseToSparseSetOperation",
        "DeserializeManySparse",
        "DeserializeSparse",
        "EditDistance",
        "SerializeManySparse",
        "SerializeSparse",
        "SetSize",
        "DenseCountSparseOutput",
        "RaggedBincount",
        "RaggedCountSparseOutput",
        "SparseAdd",
        "SparseAddGrad",
        "SparseBincount",
        "SparseCountSparseOutput",
        "SparseConcat",
        "SparseCross",
        "SparseCrossHashed",
        "SparseCrossV2",
        "SparseDenseCwiseAdd",
        "SparseDenseCwiseDiv",
        "SparseDenseCwiseMul",
        "SparseFillEmptyRows",
        "SparseFillEmptyRowsGrad",
        "SparseReduceMax",
        "SparseReduceMaxSparse",
        "SparseReduceSum",
        "SparseReduceSumSparse",
        "SparseReorder",
        "SparseReshape",
        "SparseSegmentMeanGradV2",
        "SparseSegmentSqrtNGradV2",
        "SparseSegmentSumGradV2",
        "SparseSlice",
        "SparseSliceGrad",
        "SparseSoftmax",
        "SparseSparseMaximum",
        "SparseSparseMinimum",
        "SparseSplit",
        "SparseTensorDenseAdd",
        "SparseTensorDenseMatMul",
        "SparseToDense",
        "SparseToSparseSetOperation"}},
      {"records and texts",
       {"DecodePaddedRaw", "DecodeWav", "EncodeWav", "StringNGrams", "UnicodeDecode", "UnicodeDecodeWithOffsets",
        "UnicodeEncode", "DecodeCSV", "ParseExample", "ParseExampleV2", "ParseSequenceExample",
        "ParseSequenceExampleV2", "ParseSingleExample", "ParseSingleSequenceExample", "ParseTensor", "SerializeTensor",
        "StringToHashBucket", "StringToHashBucketFast", "StringToHashBucketStrong"}},
      {"distinct rows, the largest ones, rows written in place",
       {"Empty", "InplaceAdd", "InplaceSub", "InplaceUpdate", "ParallelConcat", "TopK", "UniqueV2",
        "UniqueWithCountsV2"}},
      {"copies that debuggers leave", {"Copy", "CopyHost", "DeepCopy"}},
      {"tables as a whole",
       {"LookupTableExportV2", "LookupTableSizeV2", "MutableDenseHashTable", "MutableDenseHashTableV2"}},
  };
  return ops;
}

TEST(BatchRules, NoOpIsSilent) {
  std::map<std::string, std::string> without;
  for (const auto& [reason, names] : OpsWithoutRule()) {
    for (const std::string& name : names) without[name] = reason;
  }
  std::string forgotten, needless;
  for (const Op* op : AllOps()) {
    const bool none = BatchRuleOf(*op) == BatchRule::kNone;
    if (none && !without.contains(op->name())) forgotten += op->name() + " ";
    if (!none && without.contains(op->name())) needless += op->name() + " ";
    without.erase(op->name());
  }
  EXPECT_EQ(forgotten, "") << "neither a rule nor a reason";
  EXPECT_EQ(needless, "") << "a rule and a reason against one";
  for (const auto& [name, reason] : without) ADD_FAILURE() << "no op is named " << name;
}

}  // namespace
}  // namespace staticflow
