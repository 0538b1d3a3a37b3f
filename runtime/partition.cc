// Partition: divides the instructions of a plan among workers so that each finds in its own cache what it needs.
//
// What is small costs more to share than it takes, and what follows it is best left with whoever has its result. How
// small that is depends on its neighbors. So the whole step is divided several times, leaving products below a bound to
// one worker, others by what they read; the division of the least estimated time is taken, or none at all.
#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "graph/status.h"
#include "runtime/ask_ahead.h"
#include "runtime/buffer_uses.h"
#include "runtime/gemm.h"
#include "runtime/layout.h"
#include "runtime/loop.h"
#include "runtime/loop_phases.h"
#include "runtime/partial_sums.h"
#include "runtime/parts.h"
#include "runtime/pass.h"
#include "runtime/passes.h"
#include "runtime/product.h"
#include "runtime/split.h"

namespace staticflow {
namespace {

// What workers cost each other, in the units of EstimateTime.
constexpr double kCrossingElementsPerUnit = 2;  // floats from another core's cache, as they lie in memory
constexpr double kCrossingPiecesPerUnit = 1;    // floats in pieces of rows
constexpr double kBarrier = 300;                // with what workers wait because their parts are not equal
constexpr double kDivided = 300;                // of an instruction that each worker begins and ends
constexpr double kHandOver = 1500;              // of a step to the team
constexpr double kAddedPartsPerUnit = 6;        // elements of two parts that are added to a variable
constexpr double kTie = 1;                      // of ways that differ by less, the first is taken
constexpr double kLeastWork = 12000;            // a step below this stays on one thread
constexpr double kLeastSplit = 700;             // so does an instruction below this
constexpr double kMostBound = 50000;            // of the bounds that are tried for products, each twice the one before
constexpr size_t kManyInstructions = 20000;     // more are divided in one way only
constexpr int64_t kManyRows = 64;               // enough for products divided by rows
constexpr int64_t kLeastInner = 64;             // products shallower than this are added up in one part

// The largest part of what is cut there, counted in whole vectors of `width`.
double LargestShare(const std::vector<int64_t>& cuts, int64_t width) {
  if (cuts.empty() || cuts.back() == 0) return 1;
  int64_t most = 0;
  for (size_t w = 0; w + 1 < cuts.size(); ++w) most = std::max(most, (cuts[w + 1] - cuts[w] + width - 1) / width);
  return static_cast<double>(most) / static_cast<double>((cuts.back() + width - 1) / width);
}

class Divider {
 public:
  // `decide_inner`: also which products are added up in two parts.
  Divider(Plan* plan, int workers, bool decide_inner);

  // What one worker alone takes.
  double work() const { return work_of_step_; }
  // Chooses for every instruction. False when the step is best left to one worker; then all is as it was.
  bool Run();

 private:
  enum class Way { kWhole, kRows, kColumns, kInner, kItems };
  struct Division {
    std::vector<Way> ways = {};  // by instruction
    double cost = 0;
  };
  struct Choice {
    Way way = Way::kWhole;
    double cost = 0;  // with what its users will pay
    double own_cost = 0;
    InstructionLayouts layouts = {};
  };

  std::vector<double> Bounds() const;
  // The division that leaves products of less than `bound` whole.
  Division Divide(double bound);
  Choice Choose(int index, double bound);
  std::vector<int64_t> CutsOf(const Instruction& instruction, Way way) const;
  std::vector<Way> WaysOf(int index, double bound) const;
  Choice Try(int index, Way way) const;
  double CostForUsers(const Instruction& instruction, Way way) const;
  void Apply(Instruction* instruction, Way way) const;
  void FindOwners(double bound);
  const Layout* OwnerOf(int buffer) const {
    auto it = owners_.find(buffer);
    return it == owners_.end() ? nullptr : &it->second;
  }

  Plan& plan_;
  const int workers_;
  const bool always_;  // whether it gains anything or not
  const bool decide_inner_;
  std::vector<double> work_;  // by instruction
  double work_of_step_ = 0;
  BufferUses buffers_;
  absl::flat_hash_map<int, Layout> owners_;  // who wrote a buffer last
  UsesSinceBarrier uses_;
};

Divider::Divider(Plan* plan, int workers, bool decide_inner)
    : plan_(*plan), workers_(workers), always_(plan->divide_always), decide_inner_(decide_inner) {
  for (const Instruction& instruction : plan_.instructions) {
    work_.push_back(EstimateTime(plan_, instruction));
    work_of_step_ += work_.back();
  }
}

std::vector<int64_t> Divider::CutsOf(const Instruction& instruction, Way way) const {
  std::vector<int64_t> cuts;
  if (way == Way::kWhole) return cuts;
  if (way == Way::kInner) {
    for (int w = 0; w <= workers_; ++w) cuts.push_back(std::min(w, 2));
    return cuts;
  }
  int64_t items = instruction.split_items, width = 1;
  bool in_lines = true;
  if (instruction.loop != nullptr) {
    items = instruction.loop->items();
    in_lines = way == Way::kColumns;
  } else if (instruction.product != nullptr) {
    items = way == Way::kRows ? instruction.product->m : instruction.product->n;
  } else {
    in_lines = instruction.node->op().spec.iteration.split != Split::kRows;
    // A flat range of a matrix is cut where its rows are.
    const Shape& shape = plan_.values[instruction.outputs[0]].shape;
    if (instruction.node->op().spec.iteration.split == Split::kFlat && shape.rank() >= 2 && shape.dim(0) > 0 &&
        shape.num_elements() == items) {
      width = items / shape.dim(0);
      items = shape.dim(0);
    }
  }
  // Columns are cut between vectors: a loop writes whole ones, and a product shares no cache line of its rows.
  const bool vectors = way == Way::kColumns;
  for (int w = 0; w <= workers_; ++w) {
    cuts.push_back(vectors || (in_lines && items >= 32 * workers_ / 2) ? EvenCut(items, workers_, w) * width
                                                                       : items * w / workers_ * width);
  }
  return cuts;
}

std::vector<Divider::Way> Divider::WaysOf(int index, double bound) const {
  const Instruction& instruction = plan_.instructions[index];
  if (!instruction.is_static || instruction.kind != InstructionKind::kKernel || instruction.outputs.empty() ||
      work_[index] < kLeastSplit) {
    return {Way::kWhole};
  }
  std::vector<Way> ways;
  if (instruction.loop != nullptr) {
    const LoopProgram& program = *instruction.loop;
    if (program.columns >= 2 * kLanes && program.chunk == 0) ways.push_back(Way::kColumns);
    if (CanDivideByRows(program)) ways.push_back(Way::kRows);
    if (ways.empty() || !always_) ways.push_back(Way::kWhole);
    return ways;
  }
  if (instruction.product != nullptr) {
    if (work_[index] < bound) return {Way::kWhole};
    const ProductCall& p = *instruction.product;
    // Of equals the first is taken: with weights that stay as they are, a step needs no exchange when rows stay apart.
    const bool rows_first = OwnerOf(plan_.values[instruction.inputs[1]].buffer) == nullptr && p.m >= kManyRows;
    if (p.m >= 2 && rows_first) ways.push_back(Way::kRows);
    if (p.n >= 2 * kLanes) ways.push_back(Way::kColumns);
    if (p.m >= 2 && !rows_first) ways.push_back(Way::kRows);
    // A sum that is added to a variable as it is computed would be so twice, where one block had done.
    const bool deep = p.accumulate ? p.k > kGemmDepth : p.k >= kLeastInner;
    const bool two_parts = decide_inner_ ? deep : p.inner_cut > 0;
    const Value& result = plan_.values[instruction.outputs[0]];
    if (two_parts && result.is_static && result.dtype == DT_FLOAT) ways.push_back(Way::kInner);
    if (ways.empty()) ways.push_back(Way::kWhole);
    return ways;
  }
  // Its items share what they read, its parts do not: two workers take these.
  if (SumsInParts(plan_, instruction)) {
    if (workers_ > 2) ways.push_back(Way::kItems);
    ways.push_back(Way::kInner);
  } else if (instruction.split_items > 1) {
    ways.push_back(Way::kItems);
  }
  if (ways.empty() || !always_) ways.push_back(Way::kWhole);
  return ways;
}

void Divider::Apply(Instruction* instruction, Way way) const {
  if (instruction->loop != nullptr && way == Way::kRows && instruction->loop->chunk == 0) {
    LoopProgram& program = *instruction->loop;
    program.DivideByRows();
    // Without shared rows any cut will do: that of variables, whose rows are divided by cache lines.
    if (!program.HasLevel(LaneLevel::kRow) && program.rows >= kLeastOwnedRows) program.chunk = kLanes;
  }
  instruction->cuts = CutsOf(*instruction, way);
  instruction->in_parts = way == Way::kInner && instruction->product == nullptr;
  if (instruction->product != nullptr) {
    instruction->product->split = way == Way::kColumns ? ProductCall::Split::kColumns
                                  : way == Way::kInner ? ProductCall::Split::kInner
                                                       : ProductCall::Split::kRows;
  }
}

// What the instruction takes when it is divided like that, with what workers fetch from each other before.
Divider::Choice Divider::Try(int index, Way way) const {
  const Instruction& instruction = plan_.instructions[index];
  Choice choice{.way = way, .own_cost = work_[index]};
  double missing = 0;
  if (way == Way::kWhole) {
    choice.layouts = LayoutsOf(plan_, instruction, {});
  } else {
    Instruction tried = instruction;
    if (tried.loop != nullptr) tried.loop = std::make_shared<LoopProgram>(*tried.loop);
    if (tried.product != nullptr) {
      tried.product = std::make_shared<ProductCall>(*tried.product);
      if (way == Way::kInner) tried.product->inner_cut = InnerCut(tried.product->k);
    }
    Apply(&tried, way);
    choice.layouts = LayoutsOf(plan_, tried, tried.cuts);
    choice.own_cost = work_[index] * LargestShare(tried.cuts, way == Way::kColumns ? kLanes : 1) + kDivided;
  }
  for (const auto* side : {&choice.layouts.reads, &choice.layouts.writes}) {
    for (const BufferLayout& use : *side) {
      const Layout* owner = OwnerOf(use.buffer);
      if (owner == nullptr) continue;
      const bool pieces = use.layout.kind == Layout::kColumns || owner->kind == Layout::kColumns;
      missing += static_cast<double>(use.layout.Missing(*owner)) /
                 (pieces ? kCrossingPiecesPerUnit : kCrossingElementsPerUnit);
    }
  }
  choice.own_cost += missing + kBarrier * uses_.Meet(choice.layouts);
  if (way == Way::kInner && instruction.product != nullptr && instruction.product->accumulate) {
    const double elements = static_cast<double>(plan_.values[instruction.outputs[0]].shape.num_elements());
    choice.own_cost += elements / workers_ / kAddedPartsPerUnit + kDivided + kBarrier;
  }
  if (way == Way::kInner) {
    for (BufferLayout& write : choice.layouts.writes) write.layout.kind = Layout::kParts;
  }
  choice.cost = choice.own_cost + CostForUsers(instruction, way);
  return choice;
}

// Sums over rows are divided by columns, updates of matrices by rows: who writes their operands should have them so.
// Whoever adds parts fetches one of them.
double Divider::CostForUsers(const Instruction& instruction, Way way) const {
  if ((way != Way::kRows && way != Way::kColumns && way != Way::kInner) || instruction.outputs.empty()) return 0;
  const Value& value = plan_.values[instruction.outputs[0]];
  if (way != Way::kInner && !(way == Way::kRows ? buffers_.by_columns : buffers_.by_rows).contains(value.buffer))
    return 0;
  return static_cast<double>(value.shape.num_elements()) / 2 / kCrossingElementsPerUnit;
}

// Variables that the step updates stay where their rows (of vectors: their elements) are updated.
void Divider::FindOwners(double bound) {
  owners_.clear();
  uses_.Clear();
  for (const auto& [slot, value] : plan_.variable_values) {
    const Value& v = plan_.values[value];
    const auto written = buffers_.written.find(v.buffer);
    if (written == buffers_.written.end() || v.shape.rank() == 0 || v.dtype != DT_FLOAT) continue;
    const int64_t n = v.shape.num_elements(), rows = v.shape.rank() == 1 ? n : v.shape.dim(0);
    if (written->second < bound) {
      owners_[v.buffer] = {.kind = Layout::kFirst, .elements = n};
    } else if (rows >= kLeastOwnedRows) {
      Layout layout{.kind = Layout::kFlat, .elements = n};
      for (int w = 0; w <= workers_; ++w) layout.cuts.push_back(EvenCut(rows, workers_, w) * (n / rows));
      owners_[v.buffer] = std::move(layout);
    }
  }
}

Divider::Choice Divider::Choose(int index, double bound) {
  Choice best;
  bool first = true;
  for (Way way : WaysOf(index, bound)) {
    Choice choice = Try(index, way);
    if (first || choice.cost < best.cost - kTie) best = std::move(choice);
    first = false;
  }
  return best;
}

Divider::Division Divider::Divide(double bound) {
  FindOwners(bound);
  Division division{.cost = kHandOver};
  for (size_t i = 0; i < plan_.instructions.size(); ++i) {
    division.ways.push_back(Way::kWhole);
    const Instruction& instruction = plan_.instructions[i];
    if (!instruction.is_static || instruction.kind == InstructionKind::kJump ||
        instruction.kind == InstructionKind::kCheckVariable) {
      continue;
    }
    Choice choice = Choose(static_cast<int>(i), bound);
    division.ways.back() = choice.way;
    division.cost += choice.own_cost;
    if (uses_.Meet(choice.layouts)) uses_.Clear();
    uses_.Note(choice.layouts);
    // What all have fetched they have until it is written again; variables are written before the next step.
    for (const BufferLayout& read : choice.layouts.reads) {
      auto owner = owners_.find(read.buffer);
      if (owner == owners_.end() || plan_.buffers[read.buffer].kind == BufferKind::kVariable) continue;
      if (read.layout.kind == Layout::kEverywhere) owner->second.kind = Layout::kEverywhere;
    }
    for (BufferLayout& write : choice.layouts.writes) {
      if (plan_.buffers[write.buffer].kind == BufferKind::kVariable && owners_.contains(write.buffer)) continue;
      owners_[write.buffer] = std::move(write.layout);
    }
  }
  return division;
}

// Those between which there is the work of some product.
std::vector<double> Divider::Bounds() const {
  std::vector<double> bounds = {kLeastSplit};
  if (plan_.instructions.size() > kManyInstructions) return bounds;
  for (double bound = 2 * kLeastSplit; bound < kMostBound; bound *= 2) {
    for (size_t i = 0; i < work_.size(); ++i) {
      if (plan_.instructions[i].product == nullptr || work_[i] < bounds.back() || work_[i] >= bound) continue;
      bounds.push_back(bound);
      break;
    }
  }
  return bounds;
}

bool Divider::Run() {
  if (*std::max_element(work_.begin(), work_.end()) < kLeastSplit) return false;
  buffers_ = FindBufferUses(plan_, work_);
  Division best{.cost = work_of_step_};
  for (double bound : Bounds()) {
    Division division = Divide(bound);
    if (division.cost < best.cost || always_) best = std::move(division);
    if (always_) break;
  }
  if (best.ways.empty()) return false;
  for (size_t i = 0; i < plan_.instructions.size(); ++i) {
    Instruction& instruction = plan_.instructions[i];
    if (!instruction.is_static) continue;
    if (decide_inner_ && instruction.product != nullptr) {
      instruction.product->inner_cut = best.ways[i] == Way::kInner ? InnerCut(instruction.product->k) : 0;
    }
    Apply(&instruction, best.ways[i]);
  }
  return true;
}

// One worker computes everything, with the sums that were decided.
void LeaveWhole(Plan* plan) {
  plan->workers = 1;
  for (Instruction& instruction : plan->instructions) {
    instruction.cuts.clear();
    instruction.in_parts = false;
    if (instruction.product != nullptr && instruction.product->split == ProductCall::Split::kInner) {
      instruction.product->split = ProductCall::Split::kRows;
    }
  }
}

}  // namespace

void Partition(Plan* plan) {
  const int workers = plan->workers;
  plan->workers = 1;
  // In two parts, always: what is decided here for the inner sums holds for any number of workers.
  Divider two(plan, 2, /*decide_inner=*/true);
  plan->work_ns = static_cast<int64_t>(two.work());
  if (two.work() < kLeastWork || !two.Run()) return;
  if (workers == 1 || (workers > 2 && !Divider(plan, workers, /*decide_inner=*/false).Run())) {
    LeaveWhole(plan);
    return;
  }
  plan->workers = workers;
  KeepPartsApart(plan);
  AskAhead(plan);
}

}  // namespace staticflow
