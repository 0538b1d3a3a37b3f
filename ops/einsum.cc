// Einsum: y[output labels] = the sum over all other labels of x0[its labels] x1[its labels].
#include "ops/einsum.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/einsum_equation.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "runtime/gemm.h"

namespace staticflow {
namespace {

absl::Status EinsumShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const EinsumEquation equation, EinsumEquation::Parse(c.attr<std::string>("equation")));
  if (c.num_inputs() > 2 || equation.inputs.size() != static_cast<size_t>(c.num_inputs())) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", c.num_inputs(), " inputs, the equation has ", equation.inputs.size(), " (1 or 2)"));
  }
  absl::InlinedVector<const Shape*, 2> shapes;
  for (int i = 0; i < c.num_inputs(); ++i) shapes.push_back(&c.input(i));
  if (std::any_of(shapes.begin(), shapes.end(), [](const Shape* shape) { return !shape->has_rank(); })) {
    return absl::OkStatus();
  }
  SF_ASSIGN_OR_RETURN(const EinsumLabels labels, equation.Resolve(shapes));
  Shape output;
  for (int label : labels.output) output.push_back(labels.sizes[label]);
  c.set_output(0, std::move(output));
  return absl::OkStatus();
}

// A tensor's stride by label: the sum of those of its dimensions with that label (a diagonal), 0 where it is broadcast.
struct Strides {
  Strides(const LabelList& labels, absl::Span<const int64_t> dims) {
    int64_t stride = 1;
    for (int d = static_cast<int>(labels.size()) - 1; d >= 0; --d) {
      if (dims[d] != 1) by_label[labels[d]] += stride;
      stride *= dims[d];
    }
  }
  // A new tensor that has each of `labels` once.
  Strides(const LabelList& labels, const int64_t* sizes) {
    int64_t stride = 1;
    for (int d = static_cast<int>(labels.size()) - 1; d >= 0; stride *= sizes[labels[d--]]) {
      if (sizes[labels[d]] != 1) by_label[labels[d]] = stride;
    }
  }
  int64_t by_label[EinsumLabels::kCount] = {};
};

// Steps through all values of some labels, the last one fastest.
class LabelWalk {
 public:
  LabelWalk(const LabelList& labels, const int64_t* sizes) : labels_(labels), sizes_(sizes), at_(labels.size(), 0) {}
  // Moves offsets[k] by strides[k]; false at the end, when all are back where they began.
  template <size_t n>
  bool Next(const Strides* const (&strides)[n], int64_t (&offsets)[n]) {
    for (int d = static_cast<int>(labels_.size()) - 1; d >= 0; --d) {
      const int label = labels_[d];
      const bool carry = ++at_[d] == sizes_[label];
      for (size_t k = 0; k < n; ++k) {
        offsets[k] += strides[k]->by_label[label] * (carry ? 1 - sizes_[label] : 1);
      }
      if (!carry) return true;
      at_[d] = 0;
    }
    return false;
  }

 private:
  const LabelList& labels_;
  const int64_t* sizes_;
  absl::InlinedVector<int64_t, 8> at_;
};

// to[kept labels] = the sum of from over the removed labels. REQUIRES: all sizes are at least 1.
template <typename T>
void SumLabels(const T* from, const Strides& from_strides, const LabelList& kept, const LabelList& removed,
               const int64_t* sizes, T* to, const Strides& to_strides) {
  const Strides* const both[] = {&from_strides, &to_strides};
  const Strides* const one[] = {&from_strides};
  int64_t offsets[] = {0, 0};
  LabelWalk walk(kept, sizes), inner(removed, sizes);
  do {
    ComputeType<T> sum(0);
    int64_t at[] = {offsets[0]};
    do sum = WrapAdd(sum, ComputeType<T>(Widen(from[at[0]])));
    while (inner.Next(one, at));
    to[offsets[1]] = T(sum);
  } while (walk.Next(both, offsets));
}

LabelList Distinct(const LabelList& labels) {
  LabelList result;
  for (int label : labels) {
    if (std::find(result.begin(), result.end(), label) == result.end()) result.push_back(label);
  }
  return result;
}
bool Has(const LabelList& labels, int label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }
int64_t Product(const LabelList& labels, const int64_t* sizes) {
  int64_t product = 1;
  for (int label : labels) product = MultiplySizes(product, sizes[label]);
  return product;
}
LabelList operator+(LabelList a, const LabelList& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// The labels of a product, by the part they play.
struct Roles {
  explicit Roles(const EinsumLabels& labels) {
    const LabelList x = Distinct(labels.inputs[0]), y = Distinct(labels.inputs[1]);
    for (int label : x) {
      const bool kept = Has(labels.output, label), shared = Has(y, label);
      (shared ? (kept ? batch : inner) : (kept ? rows : x_only)).push_back(label);
    }
    for (int label : y) {
      if (!Has(x, label)) (Has(labels.output, label) ? columns : y_only).push_back(label);
    }
  }
  LabelList batch, rows, columns, inner, x_only, y_only;
};

// x, y packed as batches of matrices, multiplied, and the product unpacked.
template <typename T>
absl::Status Multiply(KernelContext& c, const EinsumLabels& labels) {
  const Roles roles(labels);
  const int64_t* sizes = labels.sizes;
  const int64_t batches = Product(roles.batch, sizes);
  const int64_t m = Product(roles.rows, sizes), n = Product(roles.columns, sizes), k = Product(roles.inner, sizes);
  const GemmShape gemm = ContiguousGemm(m, n, k);
  const auto padded = [](int64_t count) { return AddSizes(MultiplySizes(count, sizeof(T)), 63) / 64 * 64; };
  const int64_t x_bytes = padded(MultiplySizes(batches, MultiplySizes(m, k)));
  const int64_t y_bytes = padded(MultiplySizes(batches, MultiplySizes(k, n)));
  const int64_t z_bytes = padded(MultiplySizes(batches, MultiplySizes(m, n)));
  SF_ASSIGN_OR_RETURN(char* scratch, c.Scratch<char>(AddSizes(AddSizes(x_bytes, y_bytes),
                                                              AddSizes(z_bytes, GemmScratchBytes<T>(gemm)))));
  T* x = reinterpret_cast<T*>(scratch);
  T* y = reinterpret_cast<T*>(scratch + x_bytes);
  T* z = reinterpret_cast<T*>(scratch + x_bytes + y_bytes);
  const LabelList xs = roles.batch + roles.rows + roles.inner, ys = roles.batch + roles.inner + roles.columns;
  const LabelList zs = roles.batch + roles.rows + roles.columns;
  SumLabels(c.in<T>(0), Strides(labels.inputs[0], c.input(0).shape->dims()), xs, roles.x_only, sizes, x,
            Strides(xs, sizes));
  SumLabels(c.in<T>(1), Strides(labels.inputs[1], c.input(1).shape->dims()), ys, roles.y_only, sizes, y,
            Strides(ys, sizes));
  for (int64_t b = 0; b < batches; ++b) {
    Gemm(gemm, x + b * m * k, y + b * k * n, z + b * m * n, scratch + x_bytes + y_bytes + z_bytes);
  }
  SumLabels(z, Strides(zs, sizes), zs, {}, sizes, c.out<T>(0), Strides(labels.output, c.output(0).shape->dims()));
  return absl::OkStatus();
}

template <typename T>
absl::Status EinsumInto(KernelContext& c, const EinsumEquation& equation) {
  absl::InlinedVector<const Shape*, 2> shapes;
  for (int i = 0; i < c.num_inputs(); ++i) shapes.push_back(c.input(i).shape);
  SF_ASSIGN_OR_RETURN(const EinsumLabels labels, equation.Resolve(shapes));
  // An output that has a label twice is 0 off the diagonal; a sum of nothing is 0.
  std::fill_n(c.out<T>(0), c.output(0).num_elements, T(0));
  for (const LabelList& input : labels.inputs) {
    if (Product(input, labels.sizes) == 0) return absl::OkStatus();
  }
  if (labels.inputs.size() == 2) return Multiply<T>(c, labels);
  const LabelList kept = Distinct(labels.output);
  LabelList removed;
  for (int label : Distinct(labels.inputs[0])) {
    if (!Has(kept, label)) removed.push_back(label);
  }
  SumLabels(c.in<T>(0), Strides(labels.inputs[0], c.input(0).shape->dims()), kept, removed, labels.sizes, c.out<T>(0),
            Strides(labels.output, c.output(0).shape->dims()));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> EinsumKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(EinsumEquation equation, EinsumEquation::Parse(setup.attr<std::string>("equation")));
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [equation](KernelContext& c) { return EinsumInto<T>(c, equation); };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

std::string Without(std::string subscripts, const std::string& removed) {
  std::erase_if(subscripts,
                [&](char letter) { return letter != '.' && absl::StrContains(removed, std::string(1, letter)); });
  return subscripts;
}

// The letters of `subscripts` that none of `others` has, each once.
std::string OnlyIn(const std::string& subscripts, const std::string& others) {
  std::string only;
  for (char letter : Without(subscripts, others)) {
    if (letter != '.' && !absl::StrContains(only, std::string(1, letter))) only += letter;
  }
  return only;
}

// `g` has the dimensions `from`; the result has those of `to`, x's subscripts: letters that only x has were summed
// over, so each of their values gets the same.
Output SpreadOver(Output g, const std::string& from, Output x, const std::string& to, const std::string& summed) {
  if (summed.empty()) return from == to ? g : Einsum(absl::StrCat(from, "->", to), {g});
  const Output shape = ShapeOf(x), g_shape = ShapeOf(g);
  const size_t ellipsis = to.find("...");
  std::vector<Output> sizes, ones;
  for (char letter : summed) {
    const size_t at = to.find(letter);
    const int64_t axis = static_cast<int64_t>(at) - (at > ellipsis ? static_cast<int64_t>(to.size()) : 0);
    const StridedSliceOptions last = {.end_mask = axis == -1 ? 1 : 0};
    sizes.push_back(StridedSlice(shape, {axis}, {axis + 1}, {1}, last));
    ones.push_back(OnesLike(sizes.back()));
  }
  ones.push_back(g_shape);
  sizes.push_back(g_shape);
  const Output spread = BroadcastTo(Reshape(g, Concat(ones, 0)), Ints(Concat(sizes, 0)));
  return Einsum(absl::StrCat(summed, from, "->", to), {spread});
}

// Sums what the ellipsis of x broadcast; the rest of g has x's dimensions.
Output SumEllipsis(Output g, Output x, const std::string& subscripts) {
  const size_t ellipsis = subscripts.find("...");
  if (ellipsis == std::string::npos) return g;
  if (g.shape().IsFullyDefined() && g.shape() == x.shape()) return g;
  const int64_t begin = static_cast<int64_t>(ellipsis), tail = static_cast<int64_t>(subscripts.size()) - begin - 3;
  const auto middle = [&](Output t) {
    return StridedSlice(ShapeOf(t), {begin}, {-tail}, {1}, {.end_mask = tail == 0 ? 1 : 0});
  };
  const auto [axes, unused] = BroadcastGradientArgs(middle(x), middle(g));
  return Reshape(Sum(g, Axes(axes + static_cast<double>(begin))), ShapeOf(x));
}

// dx = Einsum of dy and the other input, whose labels trade places.
void EinsumGradient(GradientContext& c) {
  const absl::StatusOr<EinsumEquation> parsed = EinsumEquation::Parse(c.attr<std::string>("equation"));
  if (!parsed.ok()) return c.Fail(parsed.status().message());
  const EinsumEquation& e = *parsed;
  if (e.inputs.size() == 1) {
    c.set_dx(0, SpreadOver(c.dy(0), e.output, c.x(0), e.inputs[0], OnlyIn(e.inputs[0], e.output)));
    return;
  }
  for (int i = 0; i < 2; ++i) {
    const std::string &x = e.inputs[i], &other = e.inputs[1 - i];
    const std::string summed = OnlyIn(x, e.output + other), kept = Without(x, summed);
    const Output g = Einsum(absl::StrCat(e.output, ",", other, "->", kept), {c.dy(0), c.x(1 - i)});
    c.set_dx(i, SumEllipsis(SpreadOver(g, kept, c.x(i), x, summed), c.x(i), x));
  }
}

// A letter for each label, the dimensions of the ellipsis included.
void EinsumBatch(BatchContext& c) {
  std::vector<const Shape*> shapes;
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (!c.input_shape(i).has_rank()) return c.Unknown("the rank is not known");
    shapes.push_back(&c.input_shape(i));
  }
  const absl::StatusOr<EinsumEquation> parsed = EinsumEquation::Parse(c.attr<std::string>("equation"));
  if (!parsed.ok()) return c.Unknown("its equation is none");
  const absl::StatusOr<EinsumLabels> labels = parsed->Resolve(shapes);
  if (!labels.ok()) return c.Unknown("its equation does not fit");
  const auto letters = [](std::string* out, const LabelList& list) {
    for (int label : list) out->push_back(static_cast<char>('0' + label));
  };
  std::string equation = absl::StrJoin(labels->inputs, ",", letters) + "->";
  letters(&equation, labels->output);
  ContractBatch(c, equation);
}

const OpRegistrar einsum({.name = "Einsum",
                          .inputs = {"inputs: N * T"},
                          .outputs = {"output: T"},
                          .attrs = {"equation: string", "N: int >= 1",
                                    "T: {float, double, half, bfloat16, int32, int64}"},
                          .shape = EinsumShape,
                          .gradient = EinsumGradient,
                          .kernel = EinsumKernel,
                          .batch = EinsumBatch,
                          .doc = "Sums of products along named dimensions."});

// "ij,jk" means "ij,jk->ik": the letters that come once, sorted, behind the broadcast dimensions.
std::string WithOutput(std::string equation) {
  std::erase(equation, ' ');
  if (absl::StrContains(equation, "->")) return equation;
  std::string output;
  for (char letter : equation) {
    if (absl::ascii_isalpha(letter) && std::count(equation.begin(), equation.end(), letter) == 1) output += letter;
  }
  std::sort(output.begin(), output.end());
  return absl::StrCat(equation, "->", absl::StrContains(equation, "...") ? "..." : "", output);
}

}  // namespace

Output Einsum(const std::string& equation, absl::Span<const Output> inputs, const OpOptions& options) {
  std::string rest = WithOutput(equation);
  std::vector<Output> operands(inputs.begin(), inputs.end());
  for (absl::StatusOr<EinsumEquation> e = EinsumEquation::Parse(rest);
       operands.size() > 2 && e.ok() && e->inputs.size() == operands.size(); e = EinsumEquation::Parse(rest)) {
    // The first two become one, with the letters that anyone still needs.
    const std::string needed = absl::StrJoin(e->inputs.begin() + 2, e->inputs.end(), "") + e->output;
    const bool broadcasts = absl::StrContains(e->inputs[0] + e->inputs[1], "...");
    std::string letters = OnlyIn(e->inputs[0] + e->inputs[1], "");
    letters = Without(letters, OnlyIn(letters, needed));
    const std::string made = absl::StrCat(broadcasts ? "..." : "", letters);
    operands[1] = Einsum(absl::StrCat(e->inputs[0], ",", e->inputs[1], "->", made), {operands[0], operands[1]});
    operands.erase(operands.begin());
    e->inputs[1] = made;
    rest = absl::StrCat(absl::StrJoin(e->inputs.begin() + 1, e->inputs.end(), ","), "->", e->output);
  }
  return NodeBuilder("Einsum", {})
      .Inputs(operands)
      .Attr("equation", rest)
      .Name(options.name, options.name.empty() ? "einsum/Einsum" : "")
      .Build();
}

}  // namespace staticflow
