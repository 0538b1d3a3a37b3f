#include "runtime/loop_phases.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"

namespace staticflow {
namespace {

// Passes over the matrices alternate with loops over rows: matrix pass d uses sums of the passes before it, row loop d
// stands before it and adds up the sums of pass d - 1.
class PhaseSplitter {
 public:
  explicit PhaseSplitter(const LoopProgram& whole) : whole_(whole) {}

  std::optional<LoopPhases> Split();

 private:
  // One phase while it is written.
  struct Writer {
    LoopPhase phase;
    absl::flat_hash_map<int, int> registers;  // of the phase, by register of the whole
  };

  void FindDepths();
  int AddConstantOrInput(int reg, Writer* writer);
  int Shared(int reg, const Shape& shape);
  int ImportShared(int shared, LaneLevel level, Writer* writer);
  int RegisterOf(int reg, Writer* writer);
  void ComputeMatrices(std::vector<bool> wanted, Writer* writer);
  void WriteRows(int depth, int last);
  void WriteMatrices(int depth);
  void Keep(Writer writer) {
    if (!writer.phase.results.empty()) result_.phases.push_back(std::move(writer.phase));
  }
  bool IsMatrix(int reg) const { return whole_.level(reg) == LaneLevel::kMatrix; }

  const LoopProgram& whole_;
  LoopPhases result_;
  std::vector<int> depth_;                   // by register: passes over the matrices that must have ended
  absl::flat_hash_map<int, int> shared_of_;  // rows that later phases read, by register
  int64_t chunks_ = 1;
};

void PhaseSplitter::FindDepths() {
  depth_.assign(whole_.registers.size(), 0);
  for (const LoopProgram::Step& step : whole_.steps) {
    int depth = 0;
    for (int k = 0; k < NumLaneOperands(step.op); ++k) depth = std::max(depth, depth_[step.x[k]]);
    depth_[step.y] = depth + (step.op == LaneOp::kSumRows ? 1 : 0);
  }
}

int PhaseSplitter::Shared(int reg, const Shape& shape) {
  auto [it, inserted] = shared_of_.try_emplace(reg, static_cast<int>(result_.shared.size()));
  if (inserted) result_.shared.push_back(shape);
  return it->second;
}

int PhaseSplitter::ImportShared(int shared, LaneLevel level, Writer* writer) {
  writer->phase.inputs.push_back({.shared = shared});
  return writer->phase.program.AddInput(level);
}

// The register for a constant or an operand; -1 for what a step makes.
int PhaseSplitter::AddConstantOrInput(int reg, Writer* writer) {
  const LoopProgram::Register& r = whole_.registers[reg];
  if (r.is_constant) return writer->phase.program.AddConstant(r.constant);
  if (r.input < 0) return -1;
  writer->phase.inputs.push_back({.of_loop = r.input});
  return writer->phase.program.AddInput(r.level);
}

// What this phase has computed, an operand, or a row that an earlier phase has left.
int PhaseSplitter::RegisterOf(int reg, Writer* writer) {
  auto it = writer->registers.find(reg);
  if (it != writer->registers.end()) return it->second;
  int here = AddConstantOrInput(reg, writer);
  if (here < 0) {
    const Shape shape = whole_.level(reg) == LaneLevel::kScalar ? Shape({}) : Shape({whole_.columns});
    here = ImportShared(Shared(reg, shape), whole_.level(reg), writer);
  }
  return writer->registers[reg] = here;
}

// Writes the steps that the matrices in `wanted` follow from, with their operands.
void PhaseSplitter::ComputeMatrices(std::vector<bool> wanted, Writer* writer) {
  for (size_t s = whole_.steps.size(); s-- > 0;) {
    const LoopProgram::Step& step = whole_.steps[s];
    if (!wanted[step.y] || !IsMatrix(step.y)) continue;
    for (int k = 0; k < NumLaneOperands(step.op); ++k) wanted[step.x[k]] = true;
  }
  for (const LoopProgram::Step& step : whole_.steps) {
    if (!wanted[step.y] || !IsMatrix(step.y)) continue;
    std::array<int, 3> x = {-1, -1, -1};
    for (int k = 0; k < NumLaneOperands(step.op); ++k) x[k] = RegisterOf(step.x[k], writer);
    const int y = writer->phase.program.AddStep(step.op, x);
    writer->phase.program.registers[y].level = LaneLevel::kMatrix;  // a row may stand for one
    writer->registers[step.y] = y;
  }
}

void PhaseSplitter::WriteMatrices(int depth) {
  Writer writer;
  LoopProgram& program = writer.phase.program;
  program.rows = whole_.rows;
  program.columns = whole_.columns;
  program.DivideByRows();
  std::vector<bool> wanted(whole_.registers.size(), false);
  const auto sums_here = [&](const LoopProgram::Step& step) {
    return step.op == LaneOp::kSumRows && depth_[step.x[0]] == depth;
  };
  const auto ends_here = [&](const LoopProgram::Result& result) {
    return IsMatrix(result.reg) && depth_[result.reg] == depth;
  };
  for (const LoopProgram::Step& step : whole_.steps) {
    if (sums_here(step)) wanted[step.x[0]] = true;
  }
  for (const LoopProgram::Result& result : whole_.results) {
    if (ends_here(result)) wanted[result.reg] = true;
  }
  ComputeMatrices(std::move(wanted), &writer);
  for (const LoopProgram::Step& step : whole_.steps) {
    if (!sums_here(step)) continue;
    const int sum = program.AddStep(LaneOp::kSumRows, {RegisterOf(step.x[0], &writer), -1, -1});
    program.results.push_back({.reg = sum, .by_chunk = true});
    writer.phase.results.push_back({.shared = Shared(step.y, {chunks_, whole_.columns})});
  }
  for (size_t i = 0; i < whole_.results.size(); ++i) {
    if (!ends_here(whole_.results[i])) continue;
    program.results.push_back({.reg = RegisterOf(whole_.results[i].reg, &writer)});
    writer.phase.results.push_back({.of_loop = static_cast<int>(i)});
  }
  Keep(std::move(writer));
}

// All steps on rows of this depth; those that later phases need become shared. Results wait for the last row loop, when
// nobody reads any more what they may overwrite.
void PhaseSplitter::WriteRows(int depth, int last) {
  Writer writer;
  LoopProgram& program = writer.phase.program;
  program.rows = depth == 0 || depth == last ? 1 : chunks_;
  program.columns = whole_.columns;
  std::vector<int> made;
  for (const LoopProgram::Step& step : whole_.steps) {
    if (IsMatrix(step.y) || depth_[step.y] != depth) continue;
    int y;
    if (step.op == LaneOp::kSumRows) {
      const int parts = ImportShared(shared_of_.at(step.y), LaneLevel::kMatrix, &writer);
      y = program.AddStep(LaneOp::kSumRows, {parts, -1, -1});
    } else {
      std::array<int, 3> x = {-1, -1, -1};
      for (int k = 0; k < NumLaneOperands(step.op); ++k) x[k] = RegisterOf(step.x[k], &writer);
      y = program.AddStep(step.op, x);
    }
    writer.registers[step.y] = y;
    made.push_back(step.y);
  }
  for (int reg : made) {
    bool later = false;
    for (const LoopProgram::Step& step : whole_.steps) {
      for (int k = 0; k < NumLaneOperands(step.op); ++k) {
        later |= step.x[k] == reg && (IsMatrix(step.y) || depth_[step.y] > depth);
      }
    }
    for (const LoopProgram::Result& result : whole_.results) later |= result.reg == reg && depth < last;
    if (!later) continue;
    shared_of_.erase(reg);  // of a sum: its parts have been read
    const Shape shape = whole_.level(reg) == LaneLevel::kScalar ? Shape({}) : Shape({whole_.columns});
    program.results.push_back({.reg = writer.registers[reg]});
    writer.phase.results.push_back({.shared = Shared(reg, shape)});
  }
  for (size_t i = 0; i < whole_.results.size() && depth == last; ++i) {
    const LoopProgram::Result& result = whole_.results[i];
    if (IsMatrix(result.reg)) continue;
    program.results.push_back({.reg = RegisterOf(result.reg, &writer)});
    // In the memory of which operand of this phase it goes, if the phase reads it.
    for (size_t k = 0; k < writer.phase.inputs.size() && result.same_as_input >= 0; ++k) {
      if (writer.phase.inputs[k].of_loop == result.same_as_input) {
        program.results.back().same_as_input = static_cast<int>(k);
      }
    }
    writer.phase.results.push_back({.of_loop = static_cast<int>(i)});
  }
  Keep(std::move(writer));
}

std::optional<LoopPhases> PhaseSplitter::Split() {
  FindDepths();
  int deepest = 0;
  for (const LoopProgram::Result& result : whole_.results) {
    if (IsMatrix(result.reg) && result.same_as_input >= 0) return std::nullopt;
  }
  for (int depth : depth_) deepest = std::max(deepest, depth);
  LoopProgram probe{.rows = whole_.rows, .columns = whole_.columns};
  probe.DivideByRows();
  chunks_ = probe.chunks();
  const int last = deepest + 1;  // after the last pass over matrices, which may still read what results overwrite
  for (int depth = 0; depth <= deepest; ++depth) {
    WriteRows(depth, last);
    WriteMatrices(depth);
  }
  WriteRows(last, last);
  return std::move(result_);
}

}  // namespace

std::optional<LoopPhases> SplitIntoPhases(const LoopProgram& program) { return PhaseSplitter(program).Split(); }

bool CanDivideByRows(const LoopProgram& program) {
  if (program.chunk > 0) return true;
  if (program.rows <= 1 || program.SumsRows()) return false;
  for (const LoopProgram::Result& result : program.results) {
    if (program.level(result.reg) != LaneLevel::kMatrix) return false;
  }
  return true;
}

}  // namespace staticflow
