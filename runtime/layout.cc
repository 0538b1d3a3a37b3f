#include "runtime/layout.h"

#include <algorithm>

#include "absl/strings/str_split.h"
#include "runtime/loop.h"
#include "runtime/pass.h"
#include "runtime/product.h"

namespace staticflow {
namespace {

int NumWorkers(const Layout& layout) { return static_cast<int>(layout.cuts.size()) - 1; }

Layout Everywhere(int64_t elements) { return {.kind = Layout::kEverywhere, .elements = elements}; }
Layout First(int64_t elements) { return {.kind = Layout::kFirst, .elements = elements}; }

// The rows of a matrix with rows of `width` elements.
Layout Rows(int64_t elements, int64_t width, const std::vector<int64_t>& cuts) {
  Layout layout{.kind = Layout::kFlat, .elements = elements, .cuts = cuts};
  for (int64_t& cut : layout.cuts) cut = std::min(cut * width, elements);
  return layout;
}

Layout Columns(int64_t elements, int64_t columns, const std::vector<int64_t>& cuts) {
  if (columns == elements) return {.kind = Layout::kFlat, .elements = elements, .cuts = cuts};  // of one row
  return {.kind = Layout::kColumns, .elements = elements, .columns = columns, .cuts = cuts};
}

// Writes down the layouts of one instruction.
class LayoutWriter {
 public:
  LayoutWriter(const Plan& plan, const Instruction& instruction, const std::vector<int64_t>& cuts)
      : plan_(plan), instruction_(instruction), cuts_(cuts) {}

  InstructionLayouts Write() {
    if (cuts_.empty()) {
      Whole();
    } else if (instruction_.loop != nullptr) {
      Loop(*instruction_.loop);
    } else if (instruction_.product != nullptr) {
      Product(*instruction_.product);
    } else if (instruction_.in_parts) {
      Parts();
    } else {
      Kernel();
    }
    return std::move(layouts_);
  }

 private:
  const Value& ValueAt(int value) const { return plan_.values[value]; }
  int64_t Elements(int value) const {
    const Value& v = ValueAt(value);
    return v.is_static ? v.shape.num_elements() : 0;
  }
  void Read(int value, Layout layout) {
    if (value >= 0) layouts_.reads.push_back({ValueAt(value).buffer, std::move(layout)});
  }
  void WriteTo(int value, Layout layout) { layouts_.writes.push_back({ValueAt(value).buffer, std::move(layout)}); }

  void Whole() {
    const BufferAccess access = AccessOfBuffers(plan_, instruction_);
    for (int buffer : access.reads) layouts_.reads.push_back({buffer, First(Size(buffer))});
    for (int buffer : access.writes) layouts_.writes.push_back({buffer, First(Size(buffer))});
  }
  int64_t Size(int buffer) const { return plan_.buffers[buffer].bytes / 4; }

  Layout OfLevel(LaneLevel level, int64_t elements, const LoopProgram& program, bool written) const {
    if (level == LaneLevel::kScalar) return written ? First(elements) : Everywhere(elements);
    if (program.chunk > 0) {
      if (level == LaneLevel::kRow && !written) return Everywhere(elements);
      // Of a sum by chunk each chunk writes a row.
      return Rows(elements, (level == LaneLevel::kRow ? 1 : program.chunk) * program.columns, cuts_);
    }
    if (level == LaneLevel::kRow) return Rows(elements, 1, cuts_);
    return Columns(elements, program.columns, cuts_);
  }
  void Loop(const LoopProgram& program) {
    for (size_t i = 0; i < instruction_.inputs.size(); ++i) {
      const int value = instruction_.inputs[i];
      Read(value, OfLevel(program.level(program.inputs[i]), Elements(value), program, false));
    }
    for (size_t i = 0; i < instruction_.outputs.size(); ++i) {
      const int value = instruction_.outputs[i];
      WriteTo(value, OfLevel(program.level(program.results[i].reg), Elements(value), program, true));
    }
  }

  void Product(const ProductCall& call) {
    using Split = ProductCall::Split;
    const int a = instruction_.inputs[0], b = instruction_.inputs[1];
    std::vector<int64_t> inner;
    for (int64_t part : cuts_) inner.push_back(part == 0 ? 0 : part == 1 ? call.inner_cut : call.k);
    // The rows of op(A) are columns of A when it is transposed, and so on.
    const auto rows_or_columns = [&](int value, bool rows, const std::vector<int64_t>& cuts) {
      const int64_t width = ValueAt(value).shape.dim(-1);
      return rows ? Rows(Elements(value), width, cuts) : Columns(Elements(value), width, cuts);
    };
    switch (call.split) {
      case Split::kRows:
        Read(a, rows_or_columns(a, !call.transpose_a, cuts_));
        Read(b, Everywhere(Elements(b)));
        break;
      case Split::kColumns:
        Read(a, Everywhere(Elements(a)));
        Read(b, rows_or_columns(b, call.transpose_b, cuts_));
        break;
      case Split::kInner:
        Read(a, rows_or_columns(a, call.transpose_a, inner));
        Read(b, rows_or_columns(b, !call.transpose_b, inner));
        break;
    }
    for (size_t i = 2; i < instruction_.inputs.size(); ++i) {
      const int value = instruction_.inputs[i];
      // What is added to is read where it is written.
      const bool added_to = call.accumulate && ValueAt(value).buffer == ValueAt(instruction_.outputs[0]).buffer;
      if (!added_to) Read(value, Everywhere(Elements(value)));
    }
    for (size_t i = 0; i < instruction_.outputs.size(); ++i) {
      const int y = instruction_.outputs[i];
      if (call.split != Split::kInner) {
        WriteTo(y, rows_or_columns(y, call.split == Split::kRows, cuts_));
      } else {
        WritePart(y, i);
      }
      if (call.accumulate) Read(y, layouts_.writes.back().layout);
    }
  }

  // The worker that computes part i has all of output i.
  void WritePart(int value, size_t part) {
    std::vector<int64_t> whole;
    for (int64_t cut : cuts_) whole.push_back(cut > static_cast<int64_t>(part) ? Elements(value) : 0);
    WriteTo(value, Rows(Elements(value), 1, whole));
  }

  void Parts() {
    for (int value : instruction_.inputs) Read(value, Everywhere(Elements(value)));
    for (size_t i = 0; i < instruction_.outputs.size(); ++i) WritePart(instruction_.outputs[i], i);
  }

  void Kernel() {
    const Node& node = *instruction_.node;
    const Split split = node.op().spec.iteration.split;
    const int64_t items = instruction_.split_items;
    const auto divided = [&](int value) {
      const int64_t n = Elements(value);
      const Shape& shape = ValueAt(value).shape;
      if (split == Split::kFlat && n == items) return Rows(n, 1, cuts_);
      if (split == Split::kRows && shape.rank() > 0 && shape.dim(0) == items && items > 0) {
        return Rows(n, n / items, cuts_);
      }
      if (split == Split::kColumns && shape.rank() > 0 && shape.dim(-1) == items) return Columns(n, items, cuts_);
      return Everywhere(n);
    };
    const std::vector<absl::string_view> sides = absl::StrSplit(node.op().spec.iteration.dims, "->");
    const std::vector<absl::string_view> letters = absl::StrSplit(sides[0], ',');
    for (size_t i = 0; i < instruction_.inputs.size(); ++i) {
      const int value = instruction_.inputs[i];
      if (value < 0) continue;
      // Unless its letters say so, any row of an operand may go into any row of the result.
      bool same_rows = split == Split::kFlat;
      if (sides.size() == 2 && i < letters.size() && !letters[i].empty() && !sides[1].empty()) {
        same_rows |= split == Split::kRows && letters[i].front() == sides[1].front();
        same_rows |= split == Split::kColumns && letters[i].back() == sides[1].back();
      }
      Read(value, same_rows ? divided(value) : Everywhere(Elements(value)));
    }
    for (int value : instruction_.outputs) WriteTo(value, divided(value));
    for (VariableSlot* slot : instruction_.variables) {
      const int value = slot == nullptr ? -1 : ValueOfVariable(plan_, slot);
      if (value < 0) continue;
      Read(value, divided(value));
      WriteTo(value, divided(value));
    }
  }

  const Plan& plan_;
  const Instruction& instruction_;
  const std::vector<int64_t>& cuts_;
  InstructionLayouts layouts_;
};

}  // namespace

bool Layout::Crosses(const Layout& other) const {
  if (kind == kFirst && other.kind == kFirst) return false;
  const bool divided = (kind == kFlat || kind == kColumns) && (other.kind == kFlat || other.kind == kColumns);
  const bool alike = kind == other.kind && columns == other.columns && elements == other.elements;
  if (divided && alike && NumWorkers(*this) == NumWorkers(other)) {
    for (int w = 0; w < NumWorkers(*this); ++w) {
      for (int v = 0; v < NumWorkers(other); ++v) {
        if (w == v) continue;
        if (std::max(cuts[w], other.cuts[v]) < std::min(cuts[w + 1], other.cuts[v + 1])) return true;
      }
    }
    return false;
  }
  // Everything that worker 0 alone has, as a division of its own.
  const auto all_of_first = [](const Layout& a) {
    if (a.kind == kFirst) return true;
    if (a.kind != kFlat && a.kind != kColumns) return false;
    return a.cuts.size() > 1 && a.cuts[0] == 0 && a.cuts[1] == a.cuts.back();
  };
  return !(all_of_first(*this) && all_of_first(other));
}

int64_t Layout::Missing(const Layout& owned) const {
  if (owned.kind == kEverywhere || elements == 0) return 0;
  if (!Crosses(owned)) return 0;
  const int workers = std::max({2, NumWorkers(*this), NumWorkers(owned)});
  const int64_t rows = columns > 0 ? elements / columns : 1;
  if (kind == owned.kind && columns == owned.columns && !cuts.empty() && cuts.size() == owned.cuts.size()) {
    int64_t most = 0;
    for (int w = 0; w < NumWorkers(*this); ++w) {
      const int64_t common =
          std::max<int64_t>(0, std::min(cuts[w + 1], owned.cuts[w + 1]) - std::max(cuts[w], owned.cuts[w]));
      most = std::max(most, cuts[w + 1] - cuts[w] - common);
    }
    return most * rows;
  }
  // One of them is whole, or rows against columns: of what a worker wants the others have their share.
  const int64_t wanted = kind == kEverywhere || kind == kFirst ? elements : elements / workers;
  if (owned.kind == kFirst) return kind == kFirst ? 0 : wanted;
  if (owned.kind == kParts) return wanted;
  return wanted - wanted / workers;
}

InstructionLayouts LayoutsOf(const Plan& plan, const Instruction& instruction, const std::vector<int64_t>& cuts) {
  return LayoutWriter(plan, instruction, cuts).Write();
}

bool UsesSinceBarrier::Meet(const InstructionLayouts& layouts) const {
  const auto crosses = [](const Layout& layout, const std::vector<Layout>& others) {
    return std::any_of(others.begin(), others.end(), [&](const Layout& other) { return layout.Crosses(other); });
  };
  for (const BufferLayout& read : layouts.reads) {
    auto it = uses_.find(read.buffer);
    if (it != uses_.end() && crosses(read.layout, it->second.writes)) return true;
  }
  for (const BufferLayout& write : layouts.writes) {
    auto it = uses_.find(write.buffer);
    if (it == uses_.end()) continue;
    if (crosses(write.layout, it->second.writes) || crosses(write.layout, it->second.reads)) return true;
  }
  return false;
}

void UsesSinceBarrier::Note(const InstructionLayouts& layouts) {
  const auto note = [](const Layout& layout, std::vector<Layout>* uses) {
    const auto same = [&](const Layout& other) {
      return layout.kind == other.kind && layout.columns == other.columns && layout.cuts == other.cuts;
    };
    if (std::none_of(uses->begin(), uses->end(), same)) uses->push_back(layout);
  };
  for (const BufferLayout& read : layouts.reads) note(read.layout, &uses_[read.buffer].reads);
  for (const BufferLayout& write : layouts.writes) note(write.layout, &uses_[write.buffer].writes);
}

}  // namespace staticflow
