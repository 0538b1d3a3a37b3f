// Plan::ToString: the listing of a plan. "|" before an instruction: all workers wait there for each other; "cut
// 0|64|100": two workers run items 0 to 64 and 64 to 100 (rows, columns, or parts of inner sums, as the brackets say).
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/loop.h"
#include "runtime/plan.h"
#include "runtime/product.h"

namespace staticflow {
namespace {

std::string ValueText(const Plan& plan, int index) {
  if (index < 0) return "dead";
  const Value& value = plan.values[index];
  const Buffer& buffer = plan.buffers[value.buffer];
  std::string text = absl::StrCat(DataTypeName(value.dtype), value.is_static ? value.shape.ToString() : "[dynamic]");
  switch (buffer.kind) {
    case BufferKind::kArena:
      return absl::StrCat(text, "@", buffer.offset);
    case BufferKind::kFeed:
      return absl::StrCat(text, " ", plan.program->signature.feeds[buffer.index].name());
    case BufferKind::kConst:
      return absl::StrCat(
          text, buffer.constant.num_elements() <= 4 ? buffer.constant.ToString().substr(text.size()) : " const");
    case BufferKind::kVariable:
      return absl::StrCat(text, " variable ", buffer.variable->name);
    case BufferKind::kObjects:
    case BufferKind::kDynamic:
      return text;
  }
  return text;
}

std::string ListText(const Plan& plan, const std::vector<int>& values) {
  return absl::StrJoin(values, ", ", [&](std::string* out, int v) { absl::StrAppend(out, ValueText(plan, v)); });
}

// What passes made of the instruction: "[60x100: r2 = add(x0, x1) -> r2]", "[60x784x100 columns, B^T]".
std::string CallText(const Instruction& in) {
  if (in.loop != nullptr) {
    return absl::StrCat("[", in.loop->rows, "x", in.loop->columns,
                        in.loop->chunk > 0 ? absl::StrCat(" by ", in.loop->chunk) : "", ": ", in.loop->ToString(),
                        "] ");
  }
  if (in.product == nullptr) return "";
  const ProductCall& p = *in.product;
  const absl::string_view split = p.split == ProductCall::Split::kRows      ? "rows"
                                  : p.split == ProductCall::Split::kColumns ? "columns"
                                                                            : "inner";
  const absl::string_view sign = p.sign < 0 ? "subtracted" : "added";
  return absl::StrCat("[", p.m, "x", p.k, "x", p.n, in.cuts.empty() ? "" : absl::StrCat(" ", split),
                      p.transpose_a ? ", A^T" : "", p.transpose_b ? ", B^T" : "",
                      p.inner_cut > 0 ? absl::StrCat(", parts at ", p.inner_cut) : "", p.partial ? " apart" : "",
                      p.accumulate ? absl::StrCat(", ", p.scale_input >= 0 ? "scaled and " : "", sign) : "", "] ");
}

std::string InstructionText(const Plan& plan, const Instruction& in) {
  const std::string operands = absl::StrCat("(", ListText(plan, in.inputs), ") -> ", ListText(plan, in.outputs));
  const std::string name = in.node == nullptr ? "" : absl::StrCat(in.node->type(), " ", in.node->name(), " ");
  switch (in.kind) {
    case InstructionKind::kKernel:
      return absl::StrCat(in.loop != nullptr ? "loop " : "", name, CallText(in), operands,
                          in.cuts.empty() ? "" : absl::StrCat(" cut ", absl::StrJoin(in.cuts, "|")),
                          in.ahead < 0 ? "" : absl::StrCat(" asks for ", ValueText(plan, in.ahead)),
                          in.is_static ? "" : " shapes at run time");
    case InstructionKind::kJump:
      return absl::StrCat("unless ", plan.program->guards.ToString(in.guard), " go to ", in.target);
    case InstructionKind::kCheckVariable:
      return absl::StrCat("check variable ", in.variable->name);
    case InstructionKind::kCopy:
      return absl::StrCat("copy ", name, operands);
    case InstructionKind::kMerge:
      return absl::StrCat(name, operands);
    case InstructionKind::kAlias:
      return absl::StrCat("view ", name, operands);
    case InstructionKind::kLoopAssign:
      return absl::StrCat("loop ", operands);
    case InstructionKind::kLoopNext:
      return absl::StrCat("next ", operands, ", go to ", in.target);
    case InstructionKind::kFail:
      return absl::StrCat("fail ", name);
  }
  return "";
}

}  // namespace

std::string Plan::InstructionToString(int i) const { return InstructionText(*this, instructions[i]); }

std::string Plan::ToString() const {
  std::string out;
  for (size_t i = 0; i < instructions.size(); ++i) {
    const bool guarded = instructions[i].guard != GuardTable::kAlways && instructions[i].kind != InstructionKind::kJump;
    absl::StrAppend(&out, i, instructions[i].barrier ? " |" : "  ", guarded ? "  " : "",
                    InstructionToString(static_cast<int>(i)), "\n");
  }
  for (size_t i = 0; i < fetch_values.size(); ++i) {
    absl::StrAppend(&out, "fetch ", program->signature.fetches[i].name(), " = ", ValueText(*this, fetch_values[i]),
                    "\n");
  }
  int64_t total = 0;
  for (const Buffer& buffer : buffers)
    total += buffer.kind == BufferKind::kArena && buffer.first_use >= 0 ? buffer.bytes : 0;
  return absl::StrCat(out, "arena ", arena_bytes, " bytes for ", total, " bytes of tensors\n");
}

}  // namespace staticflow
