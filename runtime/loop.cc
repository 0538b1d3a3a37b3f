// LoopProgram and LoopContext: writing a loop down. runtime/loop_nest.cc runs it.
#include "runtime/loop.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace staticflow {

int LoopProgram::AddInput(LaneLevel level) {
  registers.push_back({.level = level, .input = static_cast<int>(inputs.size())});
  inputs.push_back(static_cast<int>(registers.size()) - 1);
  return inputs.back();
}

int LoopProgram::AddConstant(float value) {
  for (size_t i = 0; i < registers.size(); ++i) {
    // By bits: 0 and -0 differ, and NaN equals itself.
    if (registers[i].is_constant && std::bit_cast<uint32_t>(registers[i].constant) == std::bit_cast<uint32_t>(value)) {
      return static_cast<int>(i);
    }
  }
  registers.push_back({.is_constant = true, .constant = value});
  return static_cast<int>(registers.size()) - 1;
}

int LoopProgram::AddStep(LaneOp op, std::array<int, 3> x) {
  LaneLevel level = LaneLevel::kScalar;
  for (int k = 0; k < NumLaneOperands(op); ++k) {
    if (x[k] < 0) return -1;
    level = std::max(level, registers[x[k]].level);
  }
  if (op == LaneOp::kSumRows) level = LaneLevel::kRow;
  const int y = static_cast<int>(registers.size());
  registers.push_back({.level = level});
  steps.push_back({.op = op, .x = x, .y = y});
  return y;
}

bool LoopProgram::HasLevel(LaneLevel level) const {
  return std::any_of(registers.begin(), registers.end(),
                     [&](const Register& r) { return r.level == level && !r.is_constant; });
}

bool LoopProgram::SumsRows() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.op == LaneOp::kSumRows; });
}

// Rows side by side that fill whole vectors, so that few columns waste none; 1 when the rows do not divide so. Of a
// small matrix all rows.
int64_t LoopProgram::fold() const {
  if (chunk == 0) return 1;
  constexpr int64_t kLeastWidth = 4 * kLanes, kMostWidth = 1024;
  if (rows * columns <= kMostWidth && !SumsRows()) return rows;
  int64_t fold = kLanes / std::gcd<int64_t>(columns, kLanes);
  while (fold * columns < kLeastWidth && rows % (2 * fold) == 0) fold *= 2;
  return rows % fold == 0 && fold * columns <= kMostWidth ? fold : 1;
}

void LoopProgram::DivideByRows() {
  constexpr int64_t kFoldedRows = 64, kMostChunks = 512, kFewChunks = 8;
  chunk = 1;
  const int64_t together = fold();
  int64_t folded = std::min(kFoldedRows, std::max<int64_t>(1, rows / (together * kFewChunks)));
  const int64_t chunks = (rows + folded * together - 1) / (folded * together);
  folded *= (chunks + kMostChunks - 1) / kMostChunks;
  chunk = folded * together;
}

std::string LoopProgram::ToString() const {
  std::string text;
  const auto name = [&](int reg) {
    const Register& r = registers[reg];
    if (r.is_constant) return absl::StrCat(r.constant);
    return r.input >= 0 ? absl::StrCat("x", r.input) : absl::StrCat("r", reg);
  };
  for (const Step& step : steps) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", name(step.y), " = ", LaneOpName(step.op), "(");
    for (int k = 0; k < NumLaneOperands(step.op); ++k) absl::StrAppend(&text, k > 0 ? ", " : "", name(step.x[k]));
    absl::StrAppend(&text, ")");
  }
  for (size_t i = 0; i < results.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? " -> " : ", ", name(results[i].reg), results[i].by_chunk ? " by chunk" : "",
                    results[i].same_as_input >= 0 ? absl::StrCat(" into x", results[i].same_as_input) : "");
  }
  return text;
}

LoopContext::LoopContext(const Node& node, absl::Span<const Shape> shapes, absl::Span<const Tensor* const> values,
                         absl::Span<const int> inputs, LoopProgram* program)
    : node_(node),
      shapes_(shapes),
      values_(values),
      inputs_(inputs),
      program_(*program),
      outputs_(node.num_outputs(), -1),
      variables_(node.num_inputs(), -1) {}

int64_t LoopContext::rows(int i) const {
  const Shape& shape = shapes_[i];
  int64_t rows = 1;
  for (int d = 0; d + 1 < shape.rank(); ++d) rows = MultiplySizes(rows, shape.dim(d));
  return rows;
}

bool LoopContext::ReducesRows(int i, absl::Span<const int64_t> axes) const {
  const Shape& shape = shapes_[i];
  if (shape.rank() < 2) return false;
  std::vector<bool> reduced(shape.rank(), false);
  for (int64_t axis : axes) {
    if (axis < -shape.rank() || axis >= shape.rank()) return false;
    reduced[axis < 0 ? axis + shape.rank() : axis] = true;
  }
  if (reduced.back()) return false;
  for (int d = 0; d + 1 < shape.rank(); ++d) {
    if (!reduced[d] && shape.dim(d) != 1) return false;
  }
  const int64_t n = rows(i);
  // A constant in all rows has no matrix of its own.
  if (inputs_[i] < 0 || (n > 1 && program_.level(inputs_[i]) != LaneLevel::kMatrix)) return false;
  return n >= 1 && shape.dim(-1) > 0;
}

int LoopContext::SumRows(int x) {
  // A single row (a batch of one) is its own sum.
  return x >= 0 && program_.level(x) == LaneLevel::kMatrix ? Apply(LaneOp::kSumRows, x) : x;
}

bool LoopContext::set_output(int i, int reg) {
  outputs_[i] = reg;
  return true;
}

bool LoopContext::set_variable(int i, int reg) {
  variables_[i] = reg;
  return true;
}

void FlattenLoop(LoopProgram* program) {
  if (program->HasLevel(LaneLevel::kRow) || !program->HasLevel(LaneLevel::kMatrix)) return;
  program->columns *= program->rows;
  program->rows = 1;
  for (LoopProgram::Register& r : program->registers) {
    if (r.level == LaneLevel::kMatrix) r.level = LaneLevel::kRow;
  }
}

std::optional<LaneLevel> LevelIn(const Shape& shape, int64_t rows, int64_t columns) {
  if (!shape.IsFullyDefined()) return std::nullopt;
  const int64_t n = shape.num_elements();
  if (n == 1) return LaneLevel::kScalar;
  if (shape.rank() == 0 || shape.dim(-1) != columns) return std::nullopt;
  if (n == columns) return LaneLevel::kRow;
  if (n == MultiplySizes(rows, columns)) return LaneLevel::kMatrix;
  return std::nullopt;
}

}  // namespace staticflow
