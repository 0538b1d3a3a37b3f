#include "runtime/partial_sums.h"

#include <algorithm>
#include <functional>

#include "absl/container/flat_hash_map.h"
#include "runtime/loop.h"
#include "runtime/pass.h"
#include "runtime/product.h"
#include "runtime/split.h"

namespace staticflow {
namespace {

// Loops that would read both parts, where one would write the sum for all.
constexpr int kManyReaders = 3;

// The parts of a product's inner sums as values of their own, added up by whoever reads the product.
class PartialSums {
 public:
  explicit PartialSums(Plan* plan) : plan_(*plan) {}

  void Run() {
    FindReaders();
    for (size_t i = 0; i < plan_.instructions.size(); ++i) {
      Instruction& product = plan_.instructions[i];
      const bool divided = product.product != nullptr && product.product->split == ProductCall::Split::kInner;
      if (!divided && !product.in_parts) continue;
      if (divided) product.product->partial = true;
      if (product.in_parts) product.split_items = 2;
      const bool accumulates = divided && product.product->accumulate;
      if (accumulates || !AddUpInReaders(product)) sums_.push_back({static_cast<int>(i), AddUpAtOnce(&product)});
    }
    if (sums_.empty()) return;
    size_t next = 0;
    InsertAfter([&](int i) -> Instruction* {
      if (next == sums_.size() || sums_[next].first != i) return nullptr;
      return &sums_[next++].second;
    });
  }

 private:
  void FindReaders() {
    for (size_t i = 0; i < plan_.instructions.size(); ++i) {
      for (int buffer : AccessOfBuffers(plan_, plan_.instructions[i]).reads) {
        readers_[buffer].push_back(static_cast<int>(i));
      }
    }
    uses_ = CountReaders(plan_);
  }
  int NewPart(const Value& like) {
    const int64_t bytes = MultiplySizes(like.shape.num_elements(), DataTypeSize(like.dtype));
    plan_.buffers.push_back({.kind = BufferKind::kArena, .bytes = bytes});
    plan_.values.push_back(
        {.dtype = like.dtype, .shape = like.shape, .buffer = static_cast<int>(plan_.buffers.size()) - 1});
    return static_cast<int>(plan_.values.size()) - 1;
  }
  // Where the operand of `buffer` is in a loop, if it is a matrix there; -1 otherwise.
  int MatrixOperand(const Instruction& loop, int buffer) const {
    for (size_t k = 0; k < loop.inputs.size(); ++k) {
      if (plan_.values[loop.inputs[k]].buffer != buffer) continue;
      return loop.loop->level(loop.loop->inputs[k]) == LaneLevel::kMatrix ? static_cast<int>(k) : -1;
    }
    return -1;
  }
  bool AddUpInReaders(Instruction& product) {
    const int buffer = plan_.values[product.outputs[0]].buffer;
    const std::vector<int>& readers = readers_[buffer];
    if (static_cast<int>(readers.size()) != uses_[buffer]) return false;
    for (int i : readers) {
      const Instruction& reader = plan_.instructions[i];
      if (reader.loop == nullptr || MatrixOperand(reader, buffer) < 0) return false;
    }
    const int whole = product.outputs[0], part = NewPart(plan_.values[whole]);
    product.outputs.push_back(part);
    // Of many readers, the first one leaves the sum to the others.
    if (static_cast<int>(readers.size()) >= kManyReaders && plan_.instructions[readers[0]].guard == product.guard) {
      product.outputs[0] = NewPart(plan_.values[whole]);
      Instruction& reader = plan_.instructions[readers[0]];
      const int sum = AddUpIn(&reader, MatrixOperand(reader, buffer), product.outputs);
      reader.loop->results.push_back({.reg = sum});
      reader.outputs.push_back(whole);
      return true;
    }
    for (int i : readers) {
      Instruction& reader = plan_.instructions[i];
      AddUpIn(&reader, MatrixOperand(reader, buffer), product.outputs);
    }
    return true;
  }
  // Puts the sum of `parts` in the place of a loop's operand. Returns its register.
  int AddUpIn(Instruction* loop, int operand, const std::vector<int>& parts) {
    LoopProgram& program = *loop->loop;
    loop->inputs[operand] = parts[0];
    loop->inputs.push_back(parts[1]);
    const int first = program.inputs[operand], second = program.AddInput(LaneLevel::kMatrix);
    const int sum = static_cast<int>(program.registers.size());
    program.registers.push_back({.level = LaneLevel::kMatrix});
    for (LoopProgram::Step& step : program.steps) std::replace(step.x.begin(), step.x.end(), first, sum);
    for (LoopProgram::Result& r : program.results) r.reg = r.reg == first ? sum : r.reg;
    program.steps.insert(program.steps.begin(), {.op = LaneOp::kAdd, .x = {first, second, -1}, .y = sum});
    return sum;
  }
  // An instruction that adds the parts up, to what the product's output holds if the product does so.
  Instruction AddUpAtOnce(Instruction* product) {
    const bool accumulates = product->product != nullptr && product->product->accumulate;
    const int whole = product->outputs[0];
    const Value value = plan_.values[whole];
    product->outputs = {NewPart(value), NewPart(value)};
    auto program = std::make_shared<LoopProgram>();
    program->columns = value.shape.dim(-1);
    program->rows = value.shape.num_elements() / program->columns;
    const LaneLevel level = program->rows > 1 ? LaneLevel::kMatrix : LaneLevel::kRow;
    if (program->rows > 1) program->DivideByRows();
    if (accumulates && program->rows > 1) program->chunk = kLanes;  // where variables are cut
    const int before = accumulates ? program->AddInput(level) : -1;
    const int a = program->AddInput(level), b = program->AddInput(level);
    Instruction sum{.kind = InstructionKind::kKernel, .node = product->node};
    sum.inputs = product->outputs;
    sum.outputs = {whole};
    if (accumulates) {
      const int first = program->AddStep(LaneOp::kAdd, {before, a, -1});
      program->results.push_back({.reg = program->AddStep(LaneOp::kAdd, {first, b, -1}), .same_as_input = 0});
      sum.inputs.insert(sum.inputs.begin(), whole);
      product->inputs.pop_back();  // what it added to
      product->product->accumulate = false;
    } else {
      program->results.push_back({.reg = program->AddStep(LaneOp::kAdd, {a, b, -1})});
    }
    sum.guard = product->guard;
    sum.loop = std::move(program);
    const int64_t items = sum.loop->items();
    for (int w = 0; w <= plan_.workers; ++w) {
      sum.cuts.push_back(sum.loop->chunk > 0 ? items * w / plan_.workers : EvenCut(items, plan_.workers, w));
    }
    return sum;
  }
  void InsertAfter(const std::function<Instruction*(int)>& what) {
    std::vector<Instruction> result;
    std::vector<int> moved;
    for (size_t i = 0; i < plan_.instructions.size(); ++i) {
      moved.push_back(static_cast<int>(result.size()));
      result.push_back(std::move(plan_.instructions[i]));
      if (Instruction* more = what(static_cast<int>(i))) result.push_back(std::move(*more));
    }
    moved.push_back(static_cast<int>(result.size()));
    ReplaceInstructions(std::move(result), moved, &plan_);
  }

  Plan& plan_;
  absl::flat_hash_map<int, std::vector<int>> readers_;  // by buffer
  std::vector<int> uses_;
  std::vector<std::pair<int, Instruction>> sums_;
};

}  // namespace

void KeepPartsApart(Plan* plan) { PartialSums(plan).Run(); }

}  // namespace staticflow
