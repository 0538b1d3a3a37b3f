#include "runtime/split.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_split.h"
#include "runtime/loop.h"
#include "runtime/product.h"

namespace staticflow {
namespace {

constexpr int64_t kFloatsPerLine = 16;

// What one core does in a unit of time.
constexpr double kProductsPerUnit = 75;   // multiply-adds of a product of matrices
constexpr double kLaneStepsPerUnit = 12;  // elements times steps of a loop
constexpr double kElementsPerUnit = 3;    // of any other kernel
constexpr double kUpdatesPerUnit = 7;     // elements of variables that a rule's kernel reads and writes

int64_t Elements(absl::Span<const Shape> shapes) {
  int64_t most = 0;
  for (const Shape& shape : shapes) most = std::max(most, shape.num_elements());
  return most;
}

}  // namespace

int64_t EstimateWork(const Node& node, absl::Span<const Shape> inputs, absl::Span<const Shape> outputs) {
  const absl::string_view dims = node.op().spec.iteration.dims;
  if (dims.empty()) return std::max(Elements(inputs), Elements(outputs));
  // "mk,kn->mn": the product of the sizes of all letters, each seen first in an input or the output.
  std::array<int64_t, 256> size;
  size.fill(-1);
  const std::vector<absl::string_view> sides = absl::StrSplit(dims, "->");
  const std::vector<absl::string_view> operands = absl::StrSplit(sides[0], ',');
  const auto see = [&](absl::string_view letters, const Shape& shape) {
    for (size_t i = 0; i < letters.size() && static_cast<int>(i) < shape.rank(); ++i) {
      int64_t& known = size[static_cast<unsigned char>(letters[i])];
      known = std::max(known, shape.dim(static_cast<int>(i)));
    }
  };
  if (sides.size() == 2 && !outputs.empty()) see(sides[1], outputs[0]);
  for (size_t i = 0; i < operands.size() && i < inputs.size(); ++i) see(operands[i], inputs[i]);
  int64_t work = 1;
  for (int64_t n : size) work = n > 0 ? MultiplySizes(work, n) : work;
  return work;
}

double EstimateTime(const Plan& plan, const Instruction& instruction) {
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
  for (int value : instruction.inputs) inputs.push_back(value < 0 ? Shape() : plan.values[value].shape);
  for (int value : instruction.outputs) outputs.push_back(plan.values[value].shape);
  double work = static_cast<double>(EstimateWork(*instruction.node, inputs, outputs));
  // A rule reads and writes all that it keeps.
  const size_t kept = instruction.node->op().spec.access.size();
  if (kept > 0) return work * static_cast<double>(kept) / kUpdatesPerUnit;
  const Iteration& iteration = instruction.node->op().spec.iteration;
  if (!iteration.dims.empty()) return work / kProductsPerUnit;
  return work * static_cast<double>(iteration.steps) / kElementsPerUnit;
}

int64_t WholeSplit(const Node& node, const Shape* output) {
  const Split split = node.op().spec.iteration.split;
  if (split == Split::kWhole || output == nullptr || !output->IsFullyDefined()) return 0;
  if (split == Split::kFlat) return output->num_elements();
  if (output->rank() == 0) return 1;
  return split == Split::kColumns ? output->dim(-1) : output->dim(0);
}

int64_t EvenCut(int64_t n, int parts, int part) {
  if (part >= parts) return n;
  const int64_t lines = (n + kFloatsPerLine - 1) / kFloatsPerLine;
  return std::min(n, lines * part / parts * kFloatsPerLine);
}

}  // namespace staticflow
