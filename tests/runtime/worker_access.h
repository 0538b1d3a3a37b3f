// Replays a plan for several workers element by element, from what kernels, loops and products are specified to touch,
// and finds where workers meet. Written apart from runtime/layout.h, which it tests.
//
//   for (const std::string& problem : FindRaces(plan)) ...     // "12 Mul 'mul': workers 0 and 1 meet in ..."
#ifndef STATICFLOW_TESTS_RUNTIME_WORKER_ACCESS_H_
#define STATICFLOW_TESTS_RUNTIME_WORKER_ACCESS_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/loop.h"
#include "runtime/pass.h"
#include "runtime/plan.h"
#include "runtime/product.h"

namespace staticflow {

class RaceFinder {
 public:
  explicit RaceFinder(const Plan& plan) : plan_(plan) {}

  std::vector<std::string> Run() {
    if (plan_.workers == 1) return {};
    std::vector<bool> entered(plan_.instructions.size() + 1, false);
    for (const Instruction& in : plan_.instructions) {
      if (in.target >= 0) entered[in.target] = true;
    }
    for (size_t i = 0; i < plan_.instructions.size(); ++i) {
      const Instruction& in = plan_.instructions[i];
      at_ = static_cast<int>(i);
      if (in.barrier) ++stretch_;
      if (entered[i] && !in.barrier) Report("is entered without a barrier");
      for (writing_ = false;; writing_ = true) {
        for (worker_ = 0; worker_ < plan_.workers; ++worker_) Touch(in);
        if (writing_) break;
      }
    }
    return problems_;
  }
  // Cache lines of padded matrices that two workers wrote between the same barriers.
  int shared_lines() const { return shared_lines_; }

 private:
  struct Cell {
    int stretch = -1;
    int writer = -1;
    uint32_t readers = 0;
  };

  void Report(absl::string_view what) {
    const Instruction& in = plan_.instructions[at_];
    if (problems_.size() >= 5) return;
    problems_.push_back(absl::StrCat(at_, " ", in.node == nullptr ? "" : in.node->DebugName(), " ", what));
  }

  // The cells of a memory: the arena, or a variable.
  std::vector<Cell>& CellsOf(const Buffer& buffer, int64_t end) {
    const void* key = buffer.kind == BufferKind::kVariable ? static_cast<const void*>(buffer.variable) : nullptr;
    std::vector<Cell>& cells = memory_[key];
    if (static_cast<int64_t>(cells.size()) < end) cells.resize(end);
    return cells;
  }
  // Elements [begin, end) of the value as they lie in memory.
  void Elements(int value, int64_t begin, int64_t end) {
    const Value& v = plan_.values[value];
    const Buffer& buffer = plan_.buffers[v.buffer];
    if (begin >= end) return;
    if (buffer.kind != BufferKind::kArena && buffer.kind != BufferKind::kVariable) return;
    const int64_t size = DataTypeSize(v.dtype);
    const int64_t base = buffer.kind == BufferKind::kArena ? buffer.offset : 0;
    const int64_t first = (base + begin * size) / 4, last = (base + end * size + 3) / 4;
    std::vector<Cell>& cells = CellsOf(buffer, last);
    for (int64_t c = first; c < last; ++c) TouchCell(&cells[c], v);
    if (writing_ && v.row_stride > 0) WriteLines(first / 16, (last + 15) / 16);
  }
  void TouchCell(Cell* cell, const Value& value) {
    if (cell->stretch != stretch_) *cell = {.stretch = stretch_};
    if (cell->writer >= 0 && cell->writer != worker_) Meet(cell->writer, value);
    if (writing_) {
      const uint32_t others = cell->readers & ~(uint32_t{1} << worker_);
      if (others != 0) Meet(std::countr_zero(others), value);
      cell->writer = worker_;
    } else {
      cell->readers |= uint32_t{1} << worker_;
    }
  }
  void Meet(int other, const Value& value) {
    Report(absl::StrCat(writing_ ? "writes" : "reads", ": workers ", other, " and ", worker_, " meet in ",
                        DataTypeName(value.dtype), value.shape.ToString()));
  }
  void WriteLines(int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      auto [it, inserted] = lines_.try_emplace({stretch_, line}, worker_);
      if (!inserted && it->second != worker_) ++shared_lines_;
    }
  }

  int64_t Size(int value) const { return plan_.values[value].shape.num_elements(); }
  void All(int value) {
    if (value < 0 || !plan_.values[value].is_static) return;
    Block(value, 0, Rows(value), 0, Columns(value));
  }
  int64_t Columns(int value) const {
    const Shape& shape = plan_.values[value].shape;
    return shape.rank() == 0 ? 1 : shape.dim(-1);
  }
  int64_t Rows(int value) const { return Columns(value) == 0 ? 0 : Size(value) / Columns(value); }
  int64_t Stride(int value) const {
    return plan_.values[value].row_stride > 0 ? plan_.values[value].row_stride : Columns(value);
  }
  void Block(int value, int64_t row0, int64_t row1, int64_t column0, int64_t column1) {
    for (int64_t r = row0; r < row1; ++r) Elements(value, r * Stride(value) + column0, r * Stride(value) + column1);
  }

  void Touch(const Instruction& in) {
    if (in.kind == InstructionKind::kJump || in.kind == InstructionKind::kMerge) {
      std::vector<GuardId> guards = in.merge_guards;
      if (in.kind == InstructionKind::kJump) guards = {in.guard};
      if (!writing_ && (in.kind == InstructionKind::kJump || worker_ == 0)) {
        for (GuardId guard : guards) {
          for (Output p : plan_.program->guards.Predicates(guard)) All(plan_.predicates.at(p));
        }
      }
    }
    if (in.kind == InstructionKind::kJump || in.kind == InstructionKind::kCheckVariable) return;
    if (in.cuts.empty()) {
      if (worker_ == 0) Whole(in);
      return;
    }
    const int64_t begin = in.cuts[worker_], end = in.cuts[worker_ + 1];
    if (begin == end) return;
    if (in.loop != nullptr) {
      TouchLoop(in, begin, end);
    } else if (in.product != nullptr) {
      TouchProduct(in, begin, end);
    } else if (in.in_parts) {
      if (in.outputs.size() != 2) Report("has no memory for its second part");
      for (int value : in.inputs) {
        if (!writing_) All(value);
      }
      for (int64_t part = begin; writing_ && part < end; ++part) All(in.outputs[part]);
    } else {
      TouchKernel(in, begin, end);
    }
  }

  void Whole(const Instruction& in) {
    for (int value : writing_ ? in.outputs : in.inputs) All(value);
    for (size_t k = 0; k < in.variables.size(); ++k) {
      const int value = in.variables[k] == nullptr ? -1 : ValueOfVariable(plan_, in.variables[k]);
      const std::optional<Access> access = in.variables[k] == nullptr ? std::nullopt : AccessOf(*in.node, k);
      if (!writing_ || access == Access::kUpdate || access == Access::kOverwrite) All(value);
    }
  }

  void TouchLoop(const Instruction& in, int64_t begin, int64_t end) {
    const LoopProgram& p = *in.loop;
    const std::vector<int>& values = writing_ ? in.outputs : in.inputs;
    for (size_t k = 0; k < values.size(); ++k) {
      const int value = values[k];
      const int reg = writing_ ? p.results[k].reg : p.inputs[k];
      const LaneLevel level = p.level(reg);
      if (level == LaneLevel::kScalar) {
        if (!writing_ || begin == 0) Elements(value, 0, 1);
      } else if (p.chunk > 0) {
        if (level == LaneLevel::kMatrix) {
          Elements(value, begin * p.chunk * p.columns, std::min(end * p.chunk, p.rows) * p.columns);
        } else if (writing_) {
          Elements(value, begin * p.columns, end * p.columns);
        } else {
          Elements(value, 0, p.columns);
        }
      } else if (level == LaneLevel::kRow) {
        Elements(value, begin, end);
      } else {
        // The last columns are written by whole vectors where the row has room for them.
        const int64_t tail = begin + (end - begin) / 16 * 16;
        const int64_t last = tail < end && Stride(value) >= tail + 16 ? tail + 16 : end;
        Block(value, 0, p.rows, begin, last);
      }
    }
  }

  void TouchProduct(const Instruction& in, int64_t begin, int64_t end) {
    const ProductCall& p = *in.product;
    int64_t rows[2] = {0, p.m}, columns[2] = {0, p.n}, inner[2] = {0, p.k};
    if (p.split == ProductCall::Split::kRows) rows[0] = begin, rows[1] = end;
    if (p.split == ProductCall::Split::kColumns) columns[0] = begin, columns[1] = end;
    if (p.split == ProductCall::Split::kInner) {
      if (begin == 1) inner[0] = p.inner_cut;
      if (end == 1) inner[1] = p.inner_cut;
    }
    const auto matrix = [&](int value, bool transposed, const int64_t(&r)[2], const int64_t(&c)[2]) {
      transposed ? Block(value, c[0], c[1], r[0], r[1]) : Block(value, r[0], r[1], c[0], c[1]);
    };
    if (!writing_) {
      matrix(in.inputs[0], p.transpose_a, rows, inner);
      matrix(in.inputs[1], p.transpose_b, inner, columns);
      if (p.scale_input >= 0) All(in.inputs[p.scale_input]);
      if (p.accumulate) matrix(in.outputs[0], false, rows, columns);
    } else if (p.split == ProductCall::Split::kInner) {
      if (!p.partial || in.outputs.size() != 2) Report("has no memory for its second part");
      for (int64_t part = begin; part < end; ++part) All(in.outputs[part]);
    } else {
      matrix(in.outputs[0], false, rows, columns);
      if (p.partial) Report("gives parts that nobody divides");
    }
  }

  // An op's split says which part of a result the range is; what of its operands is read, only element-wise ops and
  // the letters of its iteration tell.
  void TouchKernel(const Instruction& in, int64_t begin, int64_t end) {
    const Op& op = in.node->op();
    const auto split = op.spec.iteration.split;
    const std::vector<std::string> sides = absl::StrSplit(std::string(op.spec.iteration.dims), "->");
    const std::vector<std::string> operands = absl::StrSplit(sides[0], ',');
    const auto part = [&](int value) {
      if (split == Split::kFlat && Size(value) == in.split_items) {
        Elements(value, begin, end);
      } else if (split == Split::kRows && plan_.values[value].shape.rank() > 0 &&
                 plan_.values[value].shape.dim(0) == in.split_items) {
        const int64_t width = Size(value) / in.split_items;
        Elements(value, begin * width, end * width);
      } else if (split == Split::kColumns && Columns(value) == in.split_items) {
        Block(value, 0, Rows(value), begin, end);
      } else {
        All(value);
      }
    };
    if (writing_) {
      for (int value : in.outputs) part(value);
    } else {
      for (size_t k = 0; k < in.inputs.size(); ++k) {
        const bool has_letters = sides.size() == 2 && k < operands.size() && !operands[k].empty() && !sides[1].empty();
        const bool same = split == Split::kFlat ||
                          (has_letters && split == Split::kRows && operands[k].front() == sides[1].front()) ||
                          (has_letters && split == Split::kColumns && operands[k].back() == sides[1].back());
        same ? part(in.inputs[k]) : All(in.inputs[k]);
      }
    }
    for (size_t k = 0; k < in.variables.size(); ++k) {
      if (in.variables[k] == nullptr) continue;
      const std::optional<Access> access = AccessOf(*in.node, static_cast<int>(k));
      const int value = ValueOfVariable(plan_, in.variables[k]);
      if (value >= 0 && (!writing_ || access == Access::kUpdate || access == Access::kOverwrite)) part(value);
    }
  }

  const Plan& plan_;
  std::map<const void*, std::vector<Cell>> memory_;
  std::map<std::pair<int, int64_t>, int> lines_;
  int shared_lines_ = 0;
  int stretch_ = 0;
  int at_ = 0;
  int worker_ = 0;
  bool writing_ = false;
  std::vector<std::string> problems_;
};

inline std::vector<std::string> FindRaces(const Plan& plan) { return RaceFinder(plan).Run(); }

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_RUNTIME_WORKER_ACCESS_H_
