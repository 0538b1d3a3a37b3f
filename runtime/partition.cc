// Partition: divides the instructions of a plan among workers so that each finds in its own cache what it needs.
#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "graph/status.h"
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

// The cost table, in units of about a nanosecond on one core of 2023.
constexpr double kProductsPerUnit = 60;         // multiply-adds of a product of matrices
constexpr double kLaneStepsPerUnit = 12;        // elements times steps of a loop
constexpr double kElementsPerUnit = 3;          // of any other kernel
constexpr double kCrossingElementsPerUnit = 2;  // floats from another core's cache
constexpr double kTie = 1;                      // of ways that differ by less, the first is taken
constexpr double kLeastWork = 12000;            // a step below this stays on one thread
constexpr double kLeastSplit = 700;             // so does an instruction below this
constexpr int64_t kManyRows = 64;               // enough for products divided by rows
constexpr int64_t kLeastOwnedRows = 32;         // of a variable that workers share
constexpr int64_t kLeastInner = 64;             // products shallower than this are added up in one part

class Divider {
 public:
  Divider(Plan* plan, int workers) : plan_(*plan), workers_(workers) {}

  double WorkOfStep() const;
  // Chooses for every instruction; `decide_inner`: also which products are added up in two parts.
  void Run(bool decide_inner);

 private:
  enum class Way { kWhole, kRows, kColumns, kInner, kItems };
  struct Choice {
    Way way = Way::kWhole;
    double cost = 0;
  };

  double Work(const Instruction& instruction) const;
  std::vector<int64_t> CutsOf(const Instruction& instruction, Way way) const;
  std::vector<Way> WaysOf(const Instruction& instruction, bool decide_inner) const;
  double Cost(const Instruction& instruction, Way way);
  double CostForUsers(int index, Way way);
  void Apply(Instruction* instruction, Way way) const;
  void FindWritten();
  bool UpdatesRows(const Instruction& update) const;  // of a variable, by a loop or a kernel
  const Layout* OwnerOf(int buffer) const {
    auto it = owners_.find(buffer);
    return it == owners_.end() ? nullptr : &it->second;
  }

  Plan& plan_;
  const int workers_;
  absl::flat_hash_map<int, Layout> owners_;  // who wrote a buffer last
  absl::flat_hash_set<int> summed_;          // buffers that loops read which sum rows
  absl::flat_hash_set<int> added_;           // and what updates of variables by rows read
};

double Divider::Work(const Instruction& instruction) const {
  if (instruction.loop != nullptr) {
    double units = 0;
    for (const LoopProgram::Step& step : instruction.loop->steps) {
      const bool matrix = instruction.loop->level(step.y) == LaneLevel::kMatrix || step.op == LaneOp::kSumRows;
      units += static_cast<double>(instruction.loop->columns) * (matrix ? instruction.loop->rows : 1);
    }
    return units / kLaneStepsPerUnit;
  }
  if (instruction.product != nullptr) {
    const ProductCall& p = *instruction.product;
    return static_cast<double>(p.m) * p.n * p.k / kProductsPerUnit;
  }
  if (instruction.kind != InstructionKind::kKernel || !instruction.is_static) return 0;
  std::vector<Shape> inputs, outputs;
  for (int value : instruction.inputs) inputs.push_back(value < 0 ? Shape() : plan_.values[value].shape);
  for (int value : instruction.outputs) outputs.push_back(plan_.values[value].shape);
  double work = static_cast<double>(EstimateWork(*instruction.node, inputs, outputs));
  // A rule reads and writes all that it keeps.
  work *= std::max<double>(1, static_cast<double>(instruction.node->op().spec.access.size()));
  const bool contracts = !instruction.node->op().spec.iteration.dims.empty();
  return work / (contracts ? kProductsPerUnit : kElementsPerUnit);
}

double Divider::WorkOfStep() const {
  double work = 0;
  for (const Instruction& instruction : plan_.instructions) work += Work(instruction);
  return work;
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

std::vector<Divider::Way> Divider::WaysOf(const Instruction& instruction, bool decide_inner) const {
  if (!instruction.is_static || instruction.kind != InstructionKind::kKernel || instruction.outputs.empty() ||
      Work(instruction) < kLeastSplit) {
    return {Way::kWhole};
  }
  if (instruction.loop != nullptr) {
    const LoopProgram& program = *instruction.loop;
    std::vector<Way> ways;
    if (program.columns >= 2 * kLanes && program.chunk == 0) ways.push_back(Way::kColumns);
    if (CanDivideByRows(program)) ways.push_back(Way::kRows);
    if (ways.empty()) ways.push_back(Way::kWhole);
    return ways;
  }
  if (instruction.product != nullptr) {
    const ProductCall& p = *instruction.product;
    std::vector<Way> ways;
    // Of equals the first is taken: with weights that stay as they are, a step needs no exchange when rows stay apart.
    const bool rows_first = OwnerOf(plan_.values[instruction.inputs[1]].buffer) == nullptr && p.m >= kManyRows;
    if (p.m >= 2 && rows_first) ways.push_back(Way::kRows);
    if (p.n >= 2 * kLanes) ways.push_back(Way::kColumns);
    if (p.m >= 2 && !rows_first) ways.push_back(Way::kRows);
    const bool two_parts = decide_inner ? p.k >= kLeastInner && !p.accumulate : p.inner_cut > 0 && !p.accumulate;
    if (two_parts && plan_.values[instruction.outputs[0]].is_static) ways.push_back(Way::kInner);
    if (ways.empty()) ways.push_back(Way::kWhole);
    return ways;
  }
  // Its items share what they read, its parts do not: two workers take these.
  if (SumsInParts(plan_, instruction)) {
    return workers_ == 2 ? std::vector<Way>{Way::kInner} : std::vector<Way>{Way::kItems, Way::kInner};
  }
  return {instruction.split_items > 1 ? Way::kItems : Way::kWhole};
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

double Divider::Cost(const Instruction& instruction, Way way) {
  Instruction tried = instruction;
  if (tried.loop != nullptr) tried.loop = std::make_shared<LoopProgram>(*tried.loop);
  if (tried.product != nullptr) {
    tried.product = std::make_shared<ProductCall>(*tried.product);
    if (way == Way::kInner) tried.product->inner_cut = InnerCut(tried.product->k);
  }
  Apply(&tried, way);
  double share = 1;
  if (!tried.cuts.empty() && tried.cuts.back() > 0) {
    // Of columns, a vector that is not full takes the time of a whole one.
    const int64_t width = way == Way::kColumns ? kLanes : 1;
    int64_t most = 0;
    for (size_t w = 0; w + 1 < tried.cuts.size(); ++w) {
      most = std::max(most, (tried.cuts[w + 1] - tried.cuts[w] + width - 1) / width);
    }
    share = static_cast<double>(most) / static_cast<double>((tried.cuts.back() + width - 1) / width);
  }
  double missing = 0;
  const InstructionLayouts layouts = LayoutsOf(plan_, tried, tried.cuts);
  for (const auto* side : {&layouts.reads, &layouts.writes}) {
    for (const BufferLayout& use : *side) {
      const Layout* owner = OwnerOf(use.buffer);
      if (owner != nullptr) missing += static_cast<double>(use.layout.Missing(*owner));
    }
  }
  if (way == Way::kInner) {
    // Whoever adds the parts fetches one of them.
    missing += static_cast<double>(plan_.values[tried.outputs[0]].shape.num_elements()) / 2 * (workers_ > 1);
  }
  return Work(instruction) * share + missing / kCrossingElementsPerUnit;
}

// Sums over rows are divided by columns, updates of matrices by rows: who writes their operands should have them so.
double Divider::CostForUsers(int index, Way way) {
  const Instruction& instruction = plan_.instructions[index];
  if ((way != Way::kRows && way != Way::kColumns) || instruction.outputs.empty()) return 0;
  const Value& value = plan_.values[instruction.outputs[0]];
  if (!(way == Way::kRows ? summed_ : added_).contains(value.buffer)) return 0;
  return static_cast<double>(value.shape.num_elements()) / 2 / kCrossingElementsPerUnit;
}

bool Divider::UpdatesRows(const Instruction& update) const {
  const bool kernel = update.loop == nullptr && update.product == nullptr && !update.variables.empty();
  if (update.outputs.empty() || (update.loop == nullptr && !kernel)) return false;
  const Shape& shape = plan_.values[update.outputs[0]].shape;
  const int64_t rows = update.loop != nullptr ? update.loop->rows : shape.rank() < 2 ? 1 : shape.dim(0);
  return rows >= kLeastOwnedRows && std::any_of(update.outputs.begin(), update.outputs.end(), [&](int value) {
           return plan_.buffers[plan_.values[value].buffer].kind == BufferKind::kVariable;
         });
}

// Variables that the step updates stay where their rows (of vectors: their elements) are updated.
void Divider::FindWritten() {
  std::vector<bool> written(plan_.buffers.size(), false);
  for (const Instruction& instruction : plan_.instructions) {
    for (int buffer : AccessOfBuffers(plan_, instruction).writes) written[buffer] = true;
    if (instruction.loop != nullptr && instruction.loop->SumsRows()) {
      for (int value : instruction.inputs) summed_.insert(plan_.values[value].buffer);
    } else if (UpdatesRows(instruction)) {
      for (int value : instruction.inputs) {
        if (value >= 0) added_.insert(plan_.values[value].buffer);
      }
    }
  }
  for (const auto& [slot, value] : plan_.variable_values) {
    const Value& v = plan_.values[value];
    if (!written[v.buffer] || v.shape.rank() == 0 || v.dtype != DT_FLOAT) continue;
    const int64_t n = v.shape.num_elements(), rows = v.shape.rank() == 1 ? n : v.shape.dim(0);
    if (rows < kLeastOwnedRows) continue;
    Layout layout{.kind = Layout::kFlat, .elements = n};
    for (int w = 0; w <= workers_; ++w) layout.cuts.push_back(EvenCut(rows, workers_, w) * (n / rows));
    owners_[v.buffer] = std::move(layout);
  }
}

void Divider::Run(bool decide_inner) {
  FindWritten();
  for (size_t i = 0; i < plan_.instructions.size(); ++i) {
    Instruction& instruction = plan_.instructions[i];
    if (!instruction.is_static) continue;
    Choice best;
    bool first = true;
    for (Way way : WaysOf(instruction, decide_inner)) {
      const double cost = Cost(instruction, way) + CostForUsers(static_cast<int>(i), way);
      if (first || cost < best.cost - kTie) best = {way, cost};
      first = false;
    }
    if (decide_inner && instruction.product != nullptr) {
      instruction.product->inner_cut = best.way == Way::kInner ? InnerCut(instruction.product->k) : 0;
    }
    Apply(&instruction, best.way);
    for (BufferLayout& write : LayoutsOf(plan_, instruction, instruction.cuts).writes) {
      if (plan_.buffers[write.buffer].kind == BufferKind::kVariable && owners_.contains(write.buffer)) continue;
      owners_[write.buffer] = std::move(write.layout);
    }
  }
}

}  // namespace

void Partition(Plan* plan) {
  const int workers = plan->workers;
  plan->workers = 1;
  Divider two(plan, 2);
  const double work = two.WorkOfStep();
  plan->work_ns = static_cast<int64_t>(work);
  if (work < kLeastWork) return;
  // In two parts, always: what is decided here for the inner sums holds for any number of workers.
  two.Run(/*decide_inner=*/true);
  if (workers > 2) Divider(plan, workers).Run(/*decide_inner=*/false);
  plan->workers = workers;
  if (workers > 1) {
    KeepPartsApart(plan);
    return;
  }
  for (Instruction& instruction : plan->instructions) {
    instruction.cuts.clear();
    instruction.in_parts = false;
    if (instruction.product != nullptr && instruction.product->split == ProductCall::Split::kInner) {
      instruction.product->split = ProductCall::Split::kRows;
    }
  }
}

}  // namespace staticflow
