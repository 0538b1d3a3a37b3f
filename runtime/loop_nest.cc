// CompileLoop: a loop program as calls of lane functions on strips.
//
// A strip is all rows by some whole vectors of columns. What lives within a strip gets slots of scratch memory, as few
// as the lives allow; operands and results are used where they lie. The last columns, when they fill no vector, are a
// strip of their own: of a whole vector that begins with columns that have been computed, or on copies where these have
// overwritten what they came from.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "graph/status.h"
#include "runtime/lane_scalars.h"
#include "runtime/loop.h"
#include "runtime/loop_pairs.h"
#include "runtime/loop_placement.h"

namespace staticflow {
namespace {

// Floats of one slot: a handful of slots should fit 32 KiB.
constexpr int64_t kSlotFloats = 1024;
constexpr int64_t kFewMatrices = 4;
// Rows of a strip where they need not stay together.
constexpr int64_t kMostRows = 64;

class LoopNest {
 public:
  explicit LoopNest(LoopProgram program);

  absl::Status Run(KernelContext& c) const;

 private:
  struct CompiledStep {
    LaneFunction function = nullptr;
    int operands = 0;
    bool over_rows = false;
    std::array<int, 4> places = {};  // the operands', at 3 the result's
  };
  // Numbers of places by kind, level and index.
  using PlaceNumbers = std::array<std::array<std::vector<int>, 3>, 3>;
  // A pointer that moves from strip to strip.
  struct Moving {
    int step;
    int place;
  };
  struct Address {
    float* data = nullptr;
    int64_t row_step = 0;
    int64_t vector_step = 0;
  };
  // The scratch memory of one run.
  struct Memory {
    std::array<float*, 3> slots = {};  // by level
    float* scalars = nullptr;          // the values that fill the slots of scalars
    float* tail = nullptr;             // copies of operands and results, 16 columns of each
    LaneCall* calls = nullptr;
    Address* addresses = nullptr;  // of the places that steps use
    float* folded = nullptr;       // operands that are rows, repeated for the rows side by side, and sums of a chunk
    int64_t vectors = 1;           // of a strip
    int64_t most_rows = 1;
    int64_t first_row = 0;
    int64_t rows = 0;  // of a strip

    int64_t RowsOf(LaneLevel level) const { return level == LaneLevel::kMatrix ? rows : 1; }
    float* TailSlot(int index) const { return tail + index * rows * kLanes; }
  };

  const TensorView& ViewOf(const KernelContext& c, const Place& place) const {
    return place.kind == Place::kOperand ? c.input(place.index) : c.output(place.index);
  }
  int TailIndex(const Place& place) const {
    return place.kind == Place::kOperand ? place.index : static_cast<int>(program_.inputs.size()) + place.index;
  }
  // Whether a whole vector at `column` stays within each row's own memory.
  static bool HasWholeVector(const TensorView& view, LaneLevel level, int64_t column) {
    return level == LaneLevel::kMatrix && view.row_stride >= column + kLanes;
  }
  Address Find(const KernelContext& c, const Memory& memory, const Place& place, int64_t column, bool tail) const;
  int NumberOf(const Place& place, PlaceNumbers* numbers);
  void BuildCalls(const KernelContext& c, const Memory& memory, int64_t column, bool tail) const;
  void CompileSteps();
  void RunScalars(const KernelContext& c, const Memory& memory) const;
  void RunStrips(const Memory& memory, int64_t count, int64_t vectors) const;
  void MoveCalls(const Memory& memory, int64_t rows, int64_t columns) const;
  void CopyTail(const KernelContext& c, const Memory& memory, const Place& place, int64_t column, int64_t width,
                bool in) const;
  void RunTail(const KernelContext& c, const Memory& memory, int64_t column, int64_t width) const;
  void StoreScalars(const KernelContext& c, const Memory& memory) const;
  int64_t VectorsPerStrip(int64_t rows, int64_t vectors) const;
  absl::Status Allocate(KernelContext& c, int64_t columns, int64_t rows, Memory* memory) const;
  void RunRows(const KernelContext& c, IndexRange rows, IndexRange columns, Memory* memory) const;
  absl::Status RunColumns(KernelContext& c) const;
  absl::Status RunChunks(KernelContext& c) const;
  void RepeatRows(const KernelContext& c, const Memory& memory) const;
  void StoreSums(const KernelContext& c, const Memory& memory, int64_t chunk) const;

  LoopProgram program_;
  bool all_rows_ = false;      // a strip must hold all rows
  bool repeatable_ = true;     // nothing is overwritten: what was computed may be computed again
  int64_t fold_ = 1;           // rows side by side
  int64_t width_ = 0;          // their columns, up to whole vectors
  std::vector<Place> places_;  // by register
  std::array<int, 3> num_slots_ = {};
  LaneScalars scalars_;
  std::vector<Place> step_places_;  // each once
  std::vector<CompiledStep> steps_;
  std::vector<Moving> moving_;
};

LoopNest::LoopNest(LoopProgram program) : program_(std::move(program)) {
  all_rows_ = program_.SumsRows();
  fold_ = program_.fold();
  width_ = (fold_ * program_.columns + kLanes - 1) / kLanes * kLanes;
  // A variable must not be updated once for each of several strips.
  for (const LoopProgram::Result& result : program_.results) {
    all_rows_ |= program_.level(result.reg) == LaneLevel::kRow;
    repeatable_ &= result.same_as_input < 0;
  }
  BringPairsTogether(&program_);
  const Placement placement(&program_);
  for (size_t r = 0; r < program_.registers.size(); ++r) places_.push_back(placement.place(static_cast<int>(r)));
  for (size_t r = 0; r < program_.registers.size(); ++r) {
    const LoopProgram::Register& reg = program_.registers[r];
    if (reg.level != LaneLevel::kScalar) continue;
    if (reg.is_constant) scalars_.Constant(places_[r].index, reg.constant);
    if (reg.input >= 0) scalars_.Operand(places_[r].index, reg.input);
  }
  for (int level = 0; level < 3; ++level) num_slots_[level] = placement.num_slots(static_cast<LaneLevel>(level));
  CompileSteps();
}

void LoopNest::CompileSteps() {
  const StepPairs pairs(program_);
  PlaceNumbers numbers;
  const int n = static_cast<int>(program_.steps.size());
  for (int s = 0; s < n; ++s) {
    const LoopProgram::Step& step = program_.steps[s];
    const LaneLevel level = program_.level(step.y);
    std::array<int, 3> x = step.x;
    if (level == LaneLevel::kScalar) {
      for (int k = 0; k < NumLaneOperands(step.op); ++k) x[k] = places_[x[k]].index;
      scalars_.Step(step.op, x, places_[step.y].index);
      continue;
    }
    CompiledStep compiled{.function = LaneFunctionFor(step.op), .operands = NumLaneOperands(step.op)};
    std::optional<StepPairs::Pair> pair = s + 1 < n ? pairs.Find(s + 1) : std::nullopt;
    if (pair.has_value() && pair->first == s) {
      ++s;
      if (const std::optional<StepPairs::Pair> longer = pairs.Extend(*pair, s + 1); longer.has_value()) {
        pair = longer;
        ++s;
      }
      compiled.function = LaneFunctionFor(pair->op);
      compiled.operands = NumLaneOperands(pair->op);
      x = pair->x;
    }
    compiled.over_rows = level == LaneLevel::kMatrix || step.op == LaneOp::kSumRows;
    for (int k : {0, 1, 2, 3}) {
      if (k >= compiled.operands && k != 3) continue;
      const Place& place = places_[k < 3 ? x[k] : program_.steps[s].y];
      compiled.places[k] = NumberOf(place, &numbers);
      if (place.kind != Place::kSlot) moving_.push_back({static_cast<int>(steps_.size()), k});
    }
    steps_.push_back(compiled);
  }
}

int LoopNest::NumberOf(const Place& place, PlaceNumbers* numbers) {
  std::vector<int>& of_index = (*numbers)[place.kind][static_cast<int>(place.level)];
  if (of_index.size() <= static_cast<size_t>(place.index)) of_index.resize(place.index + 1, -1);
  int& number = of_index[place.index];
  if (number < 0) {
    number = static_cast<int>(step_places_.size());
    step_places_.push_back(place);
  }
  return number;
}

LoopNest::Address LoopNest::Find(const KernelContext& c, const Memory& memory, const Place& place, int64_t column,
                                 bool tail) const {
  const bool matrix = place.level == LaneLevel::kMatrix;
  if (place.kind == Place::kSlot) {
    float* slots = memory.slots[static_cast<int>(place.level)];
    if (place.level == LaneLevel::kScalar) return {slots + place.index * kLanes, 0, 0};
    const int64_t width = memory.vectors * kLanes;
    return {slots + place.index * memory.RowsOf(place.level) * width, matrix ? width : 0, kLanes};
  }
  if (!matrix && program_.chunk > 0) return {memory.folded + TailIndex(place) * width_ + column, 0, kLanes};
  const TensorView& view = ViewOf(c, place);
  if (tail && !HasWholeVector(view, place.level, column)) {
    return {memory.TailSlot(TailIndex(place)), matrix ? kLanes : 0, kLanes};
  }
  const int64_t row_step = matrix ? view.row_stride * fold_ : 0;
  return {view.as<float>() + memory.first_row * row_step + column, row_step, kLanes};
}

void LoopNest::BuildCalls(const KernelContext& c, const Memory& memory, int64_t column, bool tail) const {
  for (size_t i = 0; i < step_places_.size(); ++i) {
    memory.addresses[i] = Find(c, memory, step_places_[i], column, tail);
  }
  for (size_t s = 0; s < steps_.size(); ++s) {
    const CompiledStep& step = steps_[s];
    LaneCall& call = memory.calls[s];
    call.rows = step.over_rows ? memory.rows : 1;
    for (int k = 0; k < step.operands; ++k) {
      const Address& x = memory.addresses[step.places[k]];
      call.x[k] = x.data;
      call.row_step[k] = x.row_step;
      call.vector_step[k] = x.vector_step;
    }
    const Address& y = memory.addresses[step.places[3]];
    call.y = y.data;
    call.y_row_step = y.row_step;
  }
}

void LoopNest::RunScalars(const KernelContext& c, const Memory& memory) const {
  const float* values = memory.scalars;
  scalars_.Run(c, memory.scalars);
  if (steps_.empty()) return;
  for (int slot = 0; slot < num_slots_[0]; ++slot) std::fill_n(memory.slots[0] + slot * kLanes, kLanes, values[slot]);
}

void LoopNest::RunStrips(const Memory& memory, int64_t count, int64_t vectors) const {
  const size_t n = steps_.size();
  for (size_t s = 0; s < n; ++s) memory.calls[s].vectors = vectors;
  for (int64_t i = 0; i < count; ++i) {
    for (size_t s = 0; s < n; ++s) steps_[s].function(memory.calls[s]);
    MoveCalls(memory, 0, vectors * kLanes);
  }
}

// The calls for a strip of the same shape so many rows and columns further on.
void LoopNest::MoveCalls(const Memory& memory, int64_t rows, int64_t columns) const {
  for (const Moving& m : moving_) {
    LaneCall& call = memory.calls[m.step];
    if (m.place == 3) {
      call.y += rows * call.y_row_step + columns;
    } else {
      call.x[m.place] += rows * call.row_step[m.place] + columns;
    }
  }
}

void LoopNest::CopyTail(const KernelContext& c, const Memory& memory, const Place& place, int64_t column, int64_t width,
                        bool in) const {
  const TensorView& view = ViewOf(c, place);
  if (place.level == LaneLevel::kScalar || HasWholeVector(view, place.level, column)) return;
  if (place.level == LaneLevel::kRow && program_.chunk > 0) return;  // in the folded memory, up to whole vectors
  for (int64_t r = 0; r < memory.RowsOf(place.level); ++r) {
    const int64_t row = place.level == LaneLevel::kMatrix ? memory.first_row + r : 0;
    float* outside = view.as<float>() + row * view.row_stride + column;
    float* inside = memory.TailSlot(TailIndex(place)) + r * kLanes;
    if (in) {
      std::copy_n(outside, width, inside);
      std::fill_n(inside + width, kLanes - width, 1.0f);  // harmless for every operation
    } else {
      std::copy_n(inside, width, outside);
    }
  }
}

void LoopNest::RunTail(const KernelContext& c, const Memory& memory, int64_t column, int64_t width) const {
  for (size_t i = 0; i < program_.inputs.size(); ++i) {
    const LaneLevel level = program_.level(program_.inputs[i]);
    CopyTail(c, memory, {Place::kOperand, level, static_cast<int>(i)}, column, width, /*in=*/true);
  }
  BuildCalls(c, memory, column, /*tail=*/true);
  RunStrips(memory, 1, 1);
  for (size_t i = 0; i < program_.results.size(); ++i) {
    const LaneLevel level = program_.level(program_.results[i].reg);
    CopyTail(c, memory, {Place::kResult, level, static_cast<int>(i)}, column, width, /*in=*/false);
  }
}

void LoopNest::StoreScalars(const KernelContext& c, const Memory& memory) const {
  for (size_t i = 0; i < program_.results.size(); ++i) {
    const int reg = program_.results[i].reg;
    if (program_.level(reg) != LaneLevel::kScalar) continue;
    *c.out<float>(static_cast<int>(i)) = memory.scalars[places_[reg].index];
  }
}

// All rows, the columns of the range.
absl::Status LoopNest::RunColumns(KernelContext& c) const {
  const IndexRange range = c.range();
  Memory memory;
  SF_RETURN_IF_ERROR(Allocate(c, range.end - range.begin, all_rows_ ? program_.rows : kMostRows, &memory));
  RunScalars(c, memory);
  for (int64_t row = 0; row < program_.rows && !steps_.empty(); row += memory.most_rows) {
    RunRows(c, {row, std::min(row + memory.most_rows, program_.rows)}, range, &memory);
  }
  if (range.begin == 0) StoreScalars(c, memory);
  return absl::OkStatus();
}

// All columns, the rows of the chunks in the range.
absl::Status LoopNest::RunChunks(KernelContext& c) const {
  const IndexRange range = c.range();
  Memory memory;
  SF_RETURN_IF_ERROR(Allocate(c, fold_ * program_.columns, program_.chunk / fold_, &memory));
  RunScalars(c, memory);
  RepeatRows(c, memory);
  const int64_t rows = program_.rows / fold_, chunk = program_.chunk / fold_;
  for (int64_t i = range.begin; i < range.end; ++i) {
    RunRows(c, {i * chunk, std::min((i + 1) * chunk, rows)}, {0, fold_ * program_.columns}, &memory);
    StoreSums(c, memory, i);
  }
  if (range.begin == 0) StoreScalars(c, memory);
  return absl::OkStatus();
}

void LoopNest::RepeatRows(const KernelContext& c, const Memory& memory) const {
  for (size_t i = 0; i < program_.inputs.size(); ++i) {
    if (program_.level(program_.inputs[i]) != LaneLevel::kRow) continue;
    float* row = memory.folded + static_cast<int64_t>(i) * width_;
    const int64_t columns = fold_ * program_.columns;
    std::copy_n(c.in<float>(static_cast<int>(i)), program_.columns, row);
    for (int64_t done = program_.columns; done < columns; done *= 2) {
      std::copy_n(row, std::min(done, columns - done), row + done);
    }
    std::fill(row + columns, row + width_, 1.0f);
  }
}

void LoopNest::StoreSums(const KernelContext& c, const Memory& memory, int64_t chunk) const {
  for (size_t i = 0; i < program_.results.size(); ++i) {
    if (!program_.results[i].by_chunk) continue;
    const float* sums = memory.folded + static_cast<int64_t>(program_.inputs.size() + i) * width_;
    float* row = c.out<float>(static_cast<int>(i)) + chunk * program_.columns;
    const int64_t vectors = program_.columns / kLanes;
    LaneFunctionFor(LaneOp::kSumRows)({.rows = fold_,
                                       .vectors = vectors,
                                       .x = {sums},
                                       .row_step = {program_.columns},
                                       .vector_step = {kLanes},
                                       .y = row});
    for (int64_t j = vectors * kLanes; j < program_.columns; ++j) {
      float sum = sums[j];
      for (int64_t k = 1; k < fold_; ++k) sum += sums[k * program_.columns + j];
      row[j] = sum;
    }
  }
}

// How many of `vectors` go into a strip of `rows` rows: nearly equal strips, which may be a quarter larger than usual,
// if that saves one, where a few matrices share the cache.
int64_t LoopNest::VectorsPerStrip(int64_t rows, int64_t vectors) const {
  if (rows * vectors * kLanes <= kSlotFloats) return std::max<int64_t>(vectors, 1);
  const auto is_matrix = [this](int reg) { return program_.level(reg) == LaneLevel::kMatrix; };
  const int64_t matrices = num_slots_[2] + std::count_if(program_.inputs.begin(), program_.inputs.end(), is_matrix);
  int64_t most = std::max<int64_t>(kSlotFloats / (rows * kLanes), 1);
  if (matrices <= kFewMatrices) most += most / 4;
  const int64_t strips = std::max<int64_t>((vectors + most - 1) / most, 1);
  return std::max<int64_t>((vectors + strips - 1) / strips, 1);
}

// Scratch memory for strips of at most `rows` rows within `columns` columns.
absl::Status LoopNest::Allocate(KernelContext& c, int64_t columns, int64_t rows, Memory* memory) const {
  const int64_t all_vectors = columns / kLanes;
  memory->most_rows = std::min(rows, program_.rows);
  memory->vectors = VectorsPerStrip(memory->most_rows, all_vectors);
  const int64_t width = memory->vectors * kLanes;
  const int64_t tails = static_cast<int64_t>(program_.inputs.size() + program_.results.size());
  const int64_t value_floats = (num_slots_[0] + kLanes - 1) / kLanes * kLanes;
  const int64_t scalar_floats = steps_.empty() ? 0 : num_slots_[0] * kLanes;
  const int64_t row_floats = num_slots_[1] * width;
  const int64_t matrix_floats = num_slots_[2] * memory->most_rows * width;
  const int64_t tail_floats = columns % kLanes > 0 ? tails * memory->most_rows * kLanes : 0;
  const int64_t folded_floats = program_.chunk > 0 ? tails * width_ : 0;
  const int64_t call_floats = static_cast<int64_t>(steps_.size() * sizeof(LaneCall) / sizeof(float));
  const int64_t address_floats = static_cast<int64_t>(step_places_.size() * sizeof(Address) / sizeof(float));
  const int64_t floats = value_floats + scalar_floats + row_floats + matrix_floats + tail_floats + folded_floats +
                         call_floats + address_floats;
  SF_ASSIGN_OR_RETURN(float* scratch, c.Scratch<float>(floats));
  memory->scalars = scratch;
  scratch += value_floats;
  memory->slots = {scratch, scratch + scalar_floats, scratch + scalar_floats + row_floats};
  memory->tail = memory->slots[2] + matrix_floats;
  memory->folded = memory->tail + tail_floats;
  memory->calls = reinterpret_cast<LaneCall*>(memory->folded + folded_floats);
  std::uninitialized_default_construct_n(memory->calls, steps_.size());
  memory->addresses = reinterpret_cast<Address*>(memory->calls + steps_.size());
  return absl::OkStatus();
}

// Some columns of some rows, behind those that `memory` was used for before.
void LoopNest::RunRows(const KernelContext& c, IndexRange rows, IndexRange columns, Memory* memory) const {
  const int64_t width = columns.end - columns.begin, all_vectors = width / kLanes, tail = width % kLanes;
  const bool as_before = memory->rows == rows.end - rows.begin && memory->first_row + memory->rows == rows.begin;
  memory->first_row = rows.begin;
  memory->rows = rows.end - rows.begin;
  if (all_vectors > 0) {
    if (as_before && (tail == 0 || repeatable_)) {
      MoveCalls(*memory, memory->rows, -width);
    } else {
      BuildCalls(c, *memory, columns.begin, /*tail=*/false);
    }
    RunStrips(*memory, all_vectors / memory->vectors, memory->vectors);
    if (all_vectors % memory->vectors > 0) RunStrips(*memory, 1, all_vectors % memory->vectors);
  }
  if (tail == 0) return;
  if (repeatable_ && all_vectors > 0) {
    MoveCalls(*memory, 0, tail - kLanes);
    RunStrips(*memory, 1, 1);
  } else {
    RunTail(c, *memory, columns.end - tail, tail);
  }
}

absl::Status LoopNest::Run(KernelContext& c) const {
  if (c.range().begin >= c.range().end) return absl::OkStatus();
  return program_.chunk > 0 ? RunChunks(c) : RunColumns(c);
}

}  // namespace

Kernel CompileLoop(LoopProgram program) {
  return [nest = std::make_shared<const LoopNest>(std::move(program))](KernelContext& c) { return nest->Run(c); };
}

}  // namespace staticflow
