// Every op with a loop hook, run as a loop of one op, gives the bits of its kernel; sums over rows come near.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/node_builder.h"
#include "graph/op.h"
#include "graph/shape_inference.h"
#include "ops/array.h"
#include "runtime/executor.h"
#include "runtime/loop.h"
#include "runtime/split.h"

namespace staticflow {
namespace {

// Whether the op updates what is behind the argument.
bool IsVariable(const ArgDef& arg) { return arg.is_ref || arg.dtype == DT_RESOURCE; }

// What the argument is fed with: float where that is possible.
DataType TypeOf(const Op& op, const ArgDef& arg, const AttrMap& attrs) {
  if (IsVariable(arg)) return DT_FLOAT;
  if (arg.type_attr.empty()) return arg.dtype;
  auto given = attrs.find(arg.type_attr);
  if (given != attrs.end()) return given->second.get<DataType>();
  const AttrDef* attr = op.FindAttr(arg.type_attr);
  return attr->allowed_types == 0 || (attr->allowed_types & TypeBit(DT_FLOAT)) != 0 ? DT_FLOAT : DT_INT32;
}

// Every value of the attributes that choose among computations, all else as it comes.
std::vector<AttrMap> Variants(const Op& op) {
  std::vector<AttrMap> variants = {{}};
  const auto multiply = [&](const std::string& name, const std::vector<AttrValue>& values) {
    std::vector<AttrMap> product;
    for (const AttrMap& map : variants) {
      for (const AttrValue& value : values) {
        product.push_back(map);
        product.back()[name] = value;
      }
    }
    variants = std::move(product);
  };
  for (const AttrDef& attr : op.attrs) {
    if (attr.is_list) continue;
    if (attr.kind == AttrKind::kBool && attr.name != "use_locking") multiply(attr.name, {true, false});
    if (attr.kind == AttrKind::kString && attr.allowed_strings.size() > 1) {
      multiply(attr.name, std::vector<AttrValue>(attr.allowed_strings.begin(), attr.allowed_strings.end()));
    }
    if (attr.kind == AttrKind::kShape && !attr.default_value.has_value()) multiply(attr.name, {Shape::Unknown()});
    if (attr.name == "SrcT" || attr.name == "DstT") multiply(attr.name, {DT_FLOAT, DT_BOOL});
    if (attr.name == "exponential_avg_factor") multiply(attr.name, {1.0f, 0.25f});
  }
  return variants;
}

// Ways to give n inputs the levels of a matrix: all of them for a few inputs, the likely ones for many.
std::vector<std::vector<LaneLevel>> Levels(const Op& op, int n) {
  using enum LaneLevel;
  std::vector<std::vector<LaneLevel>> ways;
  if (n <= 3) {
    const int count = static_cast<int>(std::pow(3, n));
    for (int way = 0; way < count; ++way) {
      std::vector<LaneLevel> levels;
      for (int i = 0, rest = way; i < n; ++i, rest /= 3) levels.push_back(static_cast<LaneLevel>(rest % 3));
      ways.push_back(levels);
    }
    return ways;
  }
  for (int k = 1; k <= n; ++k) {
    ways.push_back(std::vector<LaneLevel>(n, kRow));
    std::fill_n(ways.back().begin(), k, kMatrix);
  }
  for (LaneLevel level : {kScalar, kRow, kMatrix}) {
    ways.push_back({});
    for (const ArgDef& arg : op.inputs) {
      const bool has_elements = IsVariable(arg) || arg.name == "grad" || arg.name == "delta";
      ways.back().push_back(has_elements ? level : kScalar);
    }
  }
  return ways;
}

Shape ShapeAt(LaneLevel level, const Shape& matrix) {
  return level == LaneLevel::kScalar ? Shape() : level == LaneLevel::kRow ? Shape({matrix.dim(-1)}) : matrix;
}

// Numbers of both signs; `special`: with zeros, infinities and NaNs among them. Scalars are between 0 and 1, as rates
// are.
Tensor Numbers(DataType dtype, const Shape& shape, bool special, uint32_t seed) {
  Tensor tensor = *Tensor::Create(dtype, shape);
  std::mt19937 random(seed);
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    const float unit = static_cast<float>(random() >> 8) / (1 << 24);
    if (dtype == DT_BOOL) {
      tensor.data<bool>()[i] = unit > 0.5f;
      continue;
    }
    constexpr float kSpecial[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 6.0f, 1e30f, 1e-30f, 100, -100};
    const bool pick = special && tensor.num_elements() > 1 && random() % 4 == 0;
    tensor.data<float>()[i] = pick ? kSpecial[random() % 12] : shape.rank() == 0 ? unit : unit * 16 - 8;
  }
  return tensor;
}

// A node and what it is run on.
struct Sample {
  std::string text;
  Graph graph;
  Node* node = nullptr;
  std::vector<Shape> shapes, output_shapes;
  std::vector<Tensor> inputs;
  std::vector<const Tensor*> values;  // of inputs that are no floats and no truth values

  int size() const { return static_cast<int>(inputs.size()); }
  bool IsVariableInput(int i) const {
    return i < static_cast<int>(node->op().inputs.size()) && IsVariable(node->op().inputs[i]);
  }
};

// The integers that argument `arg` wants for a matrix: axes to reduce, or the shape.
Tensor IntegersFor(const ArgDef& arg, const Shape& matrix) {
  std::vector<int32_t> integers;
  const bool axes = arg.name == "reduction_indices";
  for (int i = 0; i < matrix.rank() - (axes ? 1 : 0); ++i) integers.push_back(axes ? i : int32_t(matrix.dim(i)));
  return Tensor::Of<int32_t>({static_cast<int64_t>(integers.size())}, absl::MakeConstSpan(integers));
}

// Null when the op does not take such inputs.
std::unique_ptr<Sample> MakeSample(const Op& op, const AttrMap& attrs, const Shape& matrix,
                                   const std::vector<LaneLevel>& levels) {
  auto sample = std::make_unique<Sample>();
  Graph& g = sample->graph;
  NodeBuilder builder(op.name(), {});
  int at = 0;
  for (const ArgDef& arg : op.inputs) {
    const DataType dtype = TypeOf(op, arg, attrs);
    std::vector<Output> outputs;
    for (int k = 0; k < (arg.number_attr.empty() ? 1 : 3); ++k) {
      const Shape shape = ShapeAt(levels[std::min<size_t>(at, levels.size() - 1)], matrix);
      const bool is_number = dtype == DT_FLOAT || dtype == DT_BOOL;
      sample->inputs.push_back(is_number ? Tensor() : IntegersFor(arg, matrix));
      sample->shapes.push_back(is_number ? shape : sample->inputs.back().shape());
      if (IsVariable(arg)) {
        outputs.push_back(NodeBuilder(g, arg.is_ref ? "VariableV2" : "VarHandleOp", std::source_location::current())
                              .Attr("dtype", dtype)
                              .Attr("shape", shape)
                              .Build());
      } else {
        outputs.push_back(is_number ? Placeholder(g, {.dtype = dtype, .shape = shape})
                                    : Const(g, sample->inputs.back()));
      }
      ++at;
    }
    if (arg.number_attr.empty()) {
      builder.Input(outputs[0]);
    } else {
      builder.Inputs(outputs);
    }
  }
  for (const auto& [name, value] : attrs) builder.Attr(name, value);
  sample->node = builder.BuildNode();
  if (sample->node == nullptr || !g.status().ok()) return nullptr;
  for (const Tensor& input : sample->inputs) sample->values.push_back(input.valid() ? &input : nullptr);
  absl::StatusOr<std::vector<Shape>> shapes = InferShapes(*sample->node, sample->shapes, sample->values);
  if (!shapes.ok()) return nullptr;
  sample->output_shapes = *std::move(shapes);
  for (const auto& [name, value] : attrs) absl::StrAppend(&sample->text, name, "=", value.ToString(), " ");
  for (const Shape& shape : sample->shapes) absl::StrAppend(&sample->text, shape.ToString());
  return sample;
}

// What comes out: the op's outputs, then its variables.
using Results = std::vector<Tensor>;

Results RunPlain(const Sample& s) {
  ResourceStore store;
  absl::StatusOr<Kernel> kernel =
      s.node->op().spec.kernel.Make(KernelSetup(*s.node, s.shapes, s.output_shapes, s.values, &store));
  EXPECT_TRUE(kernel.ok()) << kernel.status();
  if (!kernel.ok()) return {};
  std::vector<VariableSlot> slots(s.size());
  std::vector<VariableSlot*> variables(s.size(), nullptr);
  std::vector<TensorView> operands, outputs;
  Results results(s.node->num_outputs());
  for (int i = 0; i < s.size(); ++i) {
    operands.push_back(ViewOf(s.inputs[i]));
    if (!s.IsVariableInput(i)) continue;
    slots[i].dtype = DT_FLOAT;
    slots[i].value = *s.inputs[i].Clone();
    slots[i].initialized = true;
    variables[i] = &slots[i];
  }
  for (int i = 0; i < s.node->num_outputs(); ++i) {
    if (!s.node->output_is_ref(i)) results[i] = *Tensor::Create(s.node->output_dtype(i), s.output_shapes[i]);
    outputs.push_back(ViewOf(s.node->output_is_ref(i) ? slots[0].value : results[i]));
  }
  const int64_t items = WholeSplit(*s.node, outputs.empty() ? nullptr : &s.output_shapes[0]);
  const absl::Status status = RunKernel(*kernel, operands, absl::MakeSpan(outputs), {0, items}, variables);
  EXPECT_TRUE(status.ok()) << status;
  for (int i = 0; i < s.size(); ++i) results.push_back(s.IsVariableInput(i) ? slots[i].value : Tensor());
  return results;
}

// The node alone in its space, as runtime/fuse_loops.cc writes it.
struct Written {
  LoopProgram program;
  std::vector<int> operands;  // inputs of the node
  std::vector<int> results;   // positions in Results
};

bool WriteLoop(const Sample& s, Written* w) {
  const Shape* largest = nullptr;
  const auto see = [&](const Shape& shape) {
    if (largest == nullptr || shape.num_elements() > largest->num_elements()) largest = &shape;
  };
  for (const Shape& shape : s.output_shapes) see(shape);
  for (int i = 0; i < s.size(); ++i) {
    if (s.values[i] == nullptr) see(s.shapes[i]);
  }
  LoopProgram& program = w->program;
  if (largest->rank() > 0) {
    program.columns = largest->dim(-1);
    program.rows = largest->num_elements() / program.columns;
  }
  std::vector<int> registers;
  for (int i = 0; i < s.size(); ++i) {
    if (s.values[i] != nullptr) {
      registers.push_back(-1);
      continue;
    }
    const std::optional<LaneLevel> level = LevelIn(s.shapes[i], program.rows, program.columns);
    if (!level.has_value()) return false;
    registers.push_back(program.AddInput(*level));
    w->operands.push_back(i);
  }
  LoopContext context(*s.node, s.shapes, s.values, registers, &program);
  if (!s.node->op().spec.loop(context)) return false;
  const auto add = [&](int reg, const Shape& shape, int position, int same_as_input) {
    const std::optional<LaneLevel> level = LevelIn(shape, program.rows, program.columns);
    if (!level.has_value() || reg < 0 || program.level(reg) > *level) return false;
    if (program.level(reg) < *level) {
      reg = program.AddStep(LaneOp::kCopy, {reg, -1, -1});
      program.registers[reg].level = *level;
    }
    program.results.push_back({.reg = reg, .same_as_input = same_as_input});
    w->results.push_back(position);
    return true;
  };
  const int num_outputs = s.node->num_outputs();
  for (int i = 0; i < num_outputs; ++i) {
    if (s.node->output_is_ref(i) || s.output_shapes[i].num_elements() == 0) continue;
    if (!add(context.outputs()[i], s.output_shapes[i], i, -1)) return false;
  }
  for (int i = 0; i < s.size(); ++i) {
    if (context.variables()[i] < 0) continue;
    if (!add(context.variables()[i], s.shapes[i], num_outputs + i, i)) return false;
  }
  return true;
}

// Truth values are 1 and 0.
Tensor AsFloat(const Tensor& tensor) {
  if (tensor.dtype() != DT_BOOL) return *tensor.Clone();
  Tensor floats = *Tensor::Create(DT_FLOAT, tensor.shape());
  for (int64_t i = 0; i < tensor.num_elements(); ++i) floats.data<float>()[i] = tensor.data<bool>()[i];
  return floats;
}

Results RunWritten(const Sample& s, Written w, bool flat) {
  if (flat) FlattenLoop(&w.program);
  std::vector<Tensor> memory;
  Results results(s.node->num_outputs() + s.size());
  for (int i = 0; i < s.size(); ++i) memory.push_back(AsFloat(s.inputs[i]));
  std::vector<TensorView> operands, outputs;
  for (int i : w.operands) operands.push_back(ViewOf(memory[i]));
  for (int position : w.results) {
    const bool is_variable = position >= s.node->num_outputs();
    results[position] =
        is_variable ? memory[position - s.node->num_outputs()] : *Tensor::Create(DT_FLOAT, s.output_shapes[position]);
    outputs.push_back(ViewOf(results[position]));
  }
  const int64_t items = w.program.items();
  const absl::Status status =
      RunKernel(CompileLoop(std::move(w.program)), operands, absl::MakeSpan(outputs), {0, items});
  EXPECT_TRUE(status.ok()) << status;
  return results;
}

void ExpectSame(const Tensor& got, const Tensor& want, double tolerance, const std::string& what) {
  const Tensor floats = AsFloat(want);
  double largest = 0;
  for (float w : floats.flat<float>()) largest = std::max(largest, std::abs(double{w}));
  for (int64_t i = 0; i < floats.num_elements(); ++i) {
    const float g = got.data<float>()[i], w = floats.data<float>()[i];
    const bool same = std::bit_cast<uint32_t>(g) == std::bit_cast<uint32_t>(w) || (std::isnan(g) && std::isnan(w));
    ASSERT_TRUE(same || std::abs(g - w) <= tolerance * largest) << what << "[" << i << "]: " << g << ", not " << w;
  }
}

class LoopHookTest : public testing::TestWithParam<const Op*> {};

TEST_P(LoopHookTest, GivesTheBitsOfTheKernel) {
  const Op& op = *GetParam();
  int checked = 0;
  const int n = static_cast<int>(op.inputs.size()) + (op.inputs[0].number_attr.empty() ? 0 : 2);
  for (const Shape& matrix : {Shape({3, 5}), Shape({60, 100}), Shape({1, 17}), Shape({2, 3, 4, 18}), Shape({7, 1})}) {
    for (const std::vector<LaneLevel>& levels : Levels(op, n)) {
      for (const AttrMap& attrs : Variants(op)) {
        const std::unique_ptr<Sample> sample = MakeSample(op, attrs, matrix, levels);
        Written written;
        if (sample == nullptr || !WriteLoop(*sample, &written)) continue;
        const bool sums = written.program.SumsRows();
        for (int i = 0; i < sample->size(); ++i) {
          if (sample->values[i] != nullptr) continue;
          const DataType dtype = TypeOf(op, op.inputs[std::min<size_t>(i, op.inputs.size() - 1)], attrs);
          sample->inputs[i] = Numbers(dtype, sample->shapes[i], !sums, i * 77 + 1);
        }
        const Results want = RunPlain(*sample);
        for (const bool flat : {false, true}) {
          const Results got = RunWritten(*sample, written, flat);
          for (int position : written.results) {
            ExpectSame(got[position], want[position], sums ? 1e-5 : 0,
                       absl::StrCat(sample->text, " result ", position, ": ", written.program.ToString()));
            if (HasFatalFailure()) return;
          }
        }
        ++checked;
      }
    }
  }
  RecordProperty("checked", checked);
  EXPECT_GT(checked, 0) << "the hook was never right for any shapes";
}

std::vector<const Op*> OpsWithHooks() {
  std::vector<const Op*> ops;
  for (const Op* op : AllOps()) {
    if (op->spec.loop != nullptr) ops.push_back(op);
  }
  return ops;
}

INSTANTIATE_TEST_SUITE_P(Ops, LoopHookTest, testing::ValuesIn(OpsWithHooks()),
                         [](const auto& info) { return info.param->name(); });

TEST(LoopHooksTest, WhatHooksCannotWriteIsLeftToTheKernels) {
  const auto writes = [](const char* type, AttrMap attrs, const Shape& matrix, std::vector<LaneLevel> levels) {
    const std::unique_ptr<Sample> sample = MakeSample(*FindOp(type), attrs, matrix, levels);
    Written written;
    return sample != nullptr && WriteLoop(*sample, &written);
  };
  using enum LaneLevel;
  EXPECT_TRUE(writes("BiasAdd", {}, {8, 8, 8, 8}, {kMatrix, kRow}));
  EXPECT_FALSE(writes("BiasAdd", {{"data_format", "NCHW"}}, {8, 8, 8, 8}, {kMatrix, kRow}));
  EXPECT_FALSE(writes("BiasAddGrad", {{"data_format", "NCHW"}}, {8, 8, 8, 8}, {kMatrix}));
  EXPECT_FALSE(writes("FusedBatchNormV3", {{"data_format", "NCHW"}}, {8, 8, 8, 8}, {kMatrix, kRow, kRow, kRow, kRow}));
  EXPECT_TRUE(writes("Select", {}, {8, 8}, {kMatrix, kMatrix, kMatrix}));
  EXPECT_FALSE(writes("Select", {}, {8, 8}, {kRow, kMatrix, kMatrix})) << "a vector chooses rows";
  EXPECT_FALSE(writes("Equal", {{"incompatible_shape_error", false}}, {8, 8}, {kMatrix, kMatrix}));
}

}  // namespace
}  // namespace staticflow
