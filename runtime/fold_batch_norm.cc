// FoldBatchNorm: in frozen graphs, a product by a constant matrix, or a convolution by a constant filter, whose columns
// (channels) are then scaled and shifted by constants, which is what batch normalization is in inference, takes the
// scales into the matrix:
//
//   ((x w) + b) * s + t   ->   x (w s) + (b s + t)
//
// It looks at loops, where all such steps stand together, whatever ops they came from.
#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "runtime/loop.h"
#include "runtime/pass.h"
#include "runtime/passes.h"
#include "runtime/product.h"

namespace staticflow {
namespace {

// y = scale x + shift, by column.
struct Affine {
  std::vector<float> scale;
  std::vector<float> shift;

  bool IsFinite() const {
    const auto finite = [](float v) { return std::isfinite(v); };
    return std::all_of(scale.begin(), scale.end(), finite) && std::all_of(shift.begin(), shift.end(), finite);
  }
  bool Scales() const {
    return std::any_of(scale.begin(), scale.end(), [](float v) { return v != 1; });
  }
  // Follows this by a step whose other operand is `by`; `first`: x is the step's first operand. False for other steps.
  bool Then(LaneOp op, bool first, const std::vector<float>& by) {
    for (size_t j = 0; j < scale.size(); ++j) {
      if (op == LaneOp::kMul) {
        scale[j] *= by[j];
        shift[j] *= by[j];
      } else if (op == LaneOp::kDiv && first) {
        scale[j] /= by[j];
        shift[j] /= by[j];
      } else if (op == LaneOp::kAdd) {
        shift[j] += by[j];
      } else if (op == LaneOp::kSub && first) {
        shift[j] -= by[j];
      } else if (op == LaneOp::kSub) {
        scale[j] = -scale[j];
        shift[j] = by[j] - shift[j];
      } else {
        return false;
      }
    }
    return true;
  }
};

class BatchNormFolder {
 public:
  explicit BatchNormFolder(Plan* plan) : plan_(*plan), readers_(CountReaders(*plan)) {}

  void Run() {
    absl::flat_hash_map<int, Linear> linear;  // by the buffer of the result
    for (size_t i = 0; i < plan_.instructions.size(); ++i) {
      Instruction& instruction = plan_.instructions[i];
      if (const int64_t columns = ColumnsOf(instruction); columns > 0) {
        const int buffer = plan_.values[instruction.outputs[0]].buffer;
        if (readers_[buffer] == 1) linear[buffer] = {static_cast<int>(i), columns};
      }
      if (instruction.loop == nullptr) continue;
      ComputeKnownSteps(&instruction);
      for (size_t k = 0; k < instruction.inputs.size(); ++k) {
        auto it = linear.find(plan_.values[instruction.inputs[k]].buffer);
        if (it == linear.end()) continue;
        Fold(it->second, &instruction, static_cast<int>(k));
        break;  // operands have other numbers now
      }
    }
  }

 private:
  // An instruction whose operand 1 is a constant, each element of which takes part in one column of the result alone.
  struct Linear {
    int instruction = -1;
    int64_t columns = 0;
  };

  // The columns of a linear instruction; 0 for others.
  int64_t ColumnsOf(const Instruction& instruction) const {
    if (instruction.kind != InstructionKind::kKernel || instruction.inputs.size() != 2) return 0;
    const Value& weights = plan_.values[instruction.inputs[1]];
    const Tensor& constant = plan_.buffers[weights.buffer].constant;
    if (plan_.buffers[weights.buffer].kind != BufferKind::kConst || constant.dtype() != DT_FLOAT ||
        constant.shape() != weights.shape) {
      return 0;
    }
    if (instruction.product != nullptr) return instruction.product->accumulate ? 0 : instruction.product->n;
    return instruction.loop == nullptr ? ChannelsOf(*instruction.node, weights.shape) : 0;
  }

  // Of a convolution, which says so in its dimensions ("n,rsck->nhwk"): the result's last letter begins what the filter
  // has of it, the dimensions that lie side by side as the result's channels do.
  static int64_t ChannelsOf(const Node& node, const Shape& filter) {
    if (!node.has_attr("data_format") || !absl::EndsWith(node.attr<std::string>("data_format"), "C")) return 0;
    const std::vector<absl::string_view> sides = absl::StrSplit(node.op().spec.iteration.dims, "->");
    if (sides.size() != 2 || sides[1].empty()) return 0;
    const std::vector<absl::string_view> letters = absl::StrSplit(sides[0], ',');
    if (letters.size() != 2 || absl::StrContains(letters[0], sides[1].substr(sides[1].size() - 1))) return 0;
    const size_t first = letters[1].find(sides[1].back());
    return first == absl::string_view::npos ? 0 : filter.num_elements(static_cast<int>(first), filter.rank());
  }

  // The elements of an operand of a step, one for each of `columns`; nullopt when they are not known.
  std::optional<std::vector<float>> Known(const Instruction& loop, int reg, int64_t columns) const {
    const LoopProgram::Register& r = loop.loop->registers[reg];
    if (r.is_constant) return std::vector<float>(columns, r.constant);
    if (r.input < 0 || r.level == LaneLevel::kMatrix) return std::nullopt;
    const Buffer& buffer = plan_.buffers[plan_.values[loop.inputs[r.input]].buffer];
    if (buffer.kind != BufferKind::kConst) return std::nullopt;
    const absl::Span<const float> elements = buffer.constant.flat<float>();
    if (elements.size() == 1) return std::vector<float>(columns, elements[0]);
    return std::vector<float>(elements.begin(), elements.end());
  }

  // What depends on constants alone, such as scale / sqrt(variance + epsilon), becomes a constant.
  void ComputeKnownSteps(Instruction* loop) {
    LoopProgram& program = *loop->loop;
    std::vector<LoopProgram::Step> kept;
    for (const LoopProgram::Step& step : program.steps) {
      const std::optional<std::vector<float>> row = Computed(*loop, step);
      if (!row.has_value()) {
        kept.push_back(step);
        continue;
      }
      program.registers[step.y].input = static_cast<int>(loop->inputs.size());
      program.inputs.push_back(step.y);
      loop->inputs.push_back(NewConstant(RowOf(*row)));
    }
    if (kept.size() == program.steps.size()) return;
    program.steps = std::move(kept);
    DropUnusedOperands(loop);
  }

  std::optional<std::vector<float>> Computed(const Instruction& loop, const LoopProgram::Step& step) const {
    const LoopProgram& program = *loop.loop;
    const int operands = NumLaneOperands(step.op);
    const bool leaves = std::any_of(program.results.begin(), program.results.end(),
                                    [&](const LoopProgram::Result& result) { return result.reg == step.y; });
    if (program.level(step.y) == LaneLevel::kMatrix || step.op == LaneOp::kSumRows || operands > 2 || leaves) {
      return std::nullopt;
    }
    const int64_t n = program.level(step.y) == LaneLevel::kRow ? program.columns : 1;
    const std::optional<std::vector<float>> x0 = Known(loop, step.x[0], n);
    const std::optional<std::vector<float>> x1 = operands == 2 ? Known(loop, step.x[1], n) : x0;
    if (!x0.has_value() || !x1.has_value()) return std::nullopt;
    std::vector<float> row(n);
    if (operands == 1) {
      ApplyLanes(step.op, x0->data(), row.data(), n);
    } else {
      ApplyLanes(step.op, x0->data(), x1->data(), row.data(), n);
    }
    return row;
  }

  // The only step that uses `reg`; -1 when several do, or what leaves the loop.
  static int OnlyUse(const LoopProgram& program, int reg) {
    for (const LoopProgram::Result& result : program.results) {
      if (result.reg == reg) return -1;
    }
    int use = -1;
    for (size_t s = 0; s < program.steps.size(); ++s) {
      for (int k = 0; k < NumLaneOperands(program.steps[s].op); ++k) {
        if (program.steps[s].x[k] != reg) continue;
        if (use >= 0) return -1;
        use = static_cast<int>(s);
      }
    }
    return use;
  }

  void Fold(const Linear& linear, Instruction* loop, int operand) {
    LoopProgram& program = *loop->loop;
    const int64_t n = linear.columns;
    if (program.columns != n || plan_.values[loop->inputs[operand]].shape.dim(-1) != n) return;
    Affine affine{.scale = std::vector<float>(n, 1), .shift = std::vector<float>(n, 0)};
    std::vector<int> chain;
    int last = program.inputs[operand];
    for (int s = OnlyUse(program, last); s >= 0; s = OnlyUse(program, last)) {
      const LoopProgram::Step& step = program.steps[s];
      if (NumLaneOperands(step.op) != 2) break;
      const bool first = step.x[0] == last;
      const std::optional<std::vector<float>> by = Known(*loop, step.x[first ? 1 : 0], n);
      if (!by.has_value() || static_cast<int64_t>(by->size()) != n || !affine.Then(step.op, first, *by)) break;
      chain.push_back(s);
      last = step.y;
    }
    if (chain.empty() || !affine.Scales() || !affine.IsFinite()) return;
    if (!ScaleColumns(&plan_.instructions[linear.instruction], affine.scale)) return;
    // One step is left of the chain, its last, which adds the shift.
    LoopProgram::Step& end = program.steps[chain.back()];
    end = {.op = LaneOp::kAdd, .x = {program.inputs[operand], AddRow(loop, affine.shift), -1}, .y = last};
    chain.pop_back();
    std::vector<LoopProgram::Step> kept;
    for (size_t s = 0; s < program.steps.size(); ++s) {
      if (std::find(chain.begin(), chain.end(), static_cast<int>(s)) == chain.end()) kept.push_back(program.steps[s]);
    }
    program.steps = std::move(kept);
    DropUnusedOperands(loop);
  }

  int NewConstant(Tensor constant) {
    plan_.values.push_back(
        {.dtype = constant.dtype(), .shape = constant.shape(), .buffer = static_cast<int>(plan_.buffers.size())});
    const int64_t bytes = constant.bytes();
    plan_.buffers.push_back({.kind = BufferKind::kConst, .bytes = bytes, .constant = std::move(constant)});
    return static_cast<int>(plan_.values.size()) - 1;
  }

  // False when there is no memory for another matrix.
  bool ScaleColumns(Instruction* linear, const std::vector<float>& scale) {
    const Buffer& buffer = plan_.buffers[plan_.values[linear->inputs[1]].buffer];
    absl::StatusOr<Tensor> scaled = buffer.constant.Clone();
    if (!scaled.ok()) return false;
    const absl::Span<float> elements = scaled->flat<float>();
    const bool by_row = linear->product != nullptr && linear->product->transpose_b;
    const int64_t columns = static_cast<int64_t>(scale.size()), depth = scaled->num_elements() / columns;
    for (int64_t i = 0; i < scaled->num_elements(); ++i) elements[i] *= scale[by_row ? i / depth : i % columns];
    linear->inputs[1] = NewConstant(*std::move(scaled));
    return true;
  }

  static Tensor RowOf(const std::vector<float>& elements) {
    return Tensor::Of<float>({static_cast<int64_t>(elements.size())}, elements);
  }
  int AddRow(Instruction* loop, const std::vector<float>& row) {
    if (std::all_of(row.begin(), row.end(), [&](float v) { return v == row[0]; }))
      return loop->loop->AddConstant(row[0]);
    loop->inputs.push_back(NewConstant(RowOf(row)));
    return loop->loop->AddInput(LaneLevel::kRow);
  }

  static void DropUnusedOperands(Instruction* loop) {
    LoopProgram& program = *loop->loop;
    std::vector<bool> used(program.registers.size(), false);
    for (const LoopProgram::Step& step : program.steps) {
      for (int k = 0; k < NumLaneOperands(step.op); ++k) used[step.x[k]] = true;
    }
    std::vector<int> moved(program.inputs.size(), -1);
    for (const LoopProgram::Result& result : program.results) {
      used[result.reg] = true;
      if (result.same_as_input >= 0) used[program.inputs[result.same_as_input]] = true;
    }
    std::vector<int> inputs, registers;
    for (size_t i = 0; i < program.inputs.size(); ++i) {
      LoopProgram::Register& reg = program.registers[program.inputs[i]];
      if (!used[program.inputs[i]]) {
        reg = {.level = LaneLevel::kScalar, .is_constant = true};  // nobody reads it
        continue;
      }
      moved[i] = reg.input = static_cast<int>(inputs.size());
      inputs.push_back(loop->inputs[i]);
      registers.push_back(program.inputs[i]);
    }
    for (LoopProgram::Result& result : program.results) {
      if (result.same_as_input >= 0) result.same_as_input = moved[result.same_as_input];
    }
    loop->inputs = std::move(inputs);
    program.inputs = std::move(registers);
  }

  Plan& plan_;
  const std::vector<int> readers_;
};

}  // namespace

void FoldBatchNorm(Plan* plan) { BatchNormFolder(plan).Run(); }

}  // namespace staticflow
