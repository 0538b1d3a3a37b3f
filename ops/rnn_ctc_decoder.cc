// CTCGreedyDecoder, CTCBeamSearchDecoder: label sequences from the outputs of a network trained with CTC. Contract:
// ops/rnn.h.
#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/elementwise.h"
#include "ops/rnn.h"
#include "ops/rnn_ctc.h"

namespace staticflow {
namespace {

// What decoders share: outputs are `paths` indices, as many values, as many shapes, and the log probabilities.
absl::Status DecoderShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape inputs, c.WithRank(0, 3));
  SF_ASSIGN_OR_RETURN(const Shape lengths, c.WithRank(1, 1));
  if (inputs.IsFullyDefined() && inputs.num_elements() == 0) {
    return absl::InvalidArgumentError(absl::StrCat("inputs have shape ", inputs.ToString(), ": there are none"));
  }
  const absl::StatusOr<int64_t> batch = c.MergeDims(inputs.dim(1), lengths.dim(0), "batch sizes");
  if (!batch.ok()) {
    // As in TensorFlow: what only the step shows contradicts its state, not the graph.
    const Shape &declared = c.node().input(0).shape(), &declared_lengths = c.node().input(1).shape();
    const bool at_run =
        !declared.has_rank() || !declared_lengths.has_rank() || declared.dim(1) < 0 || declared_lengths.dim(0) < 0;
    return at_run ? absl::FailedPreconditionError(batch.status().message()) : batch.status();
  }
  const int paths = (c.num_outputs() - 1) / 3;
  for (int i = 0; i < paths; ++i) {
    c.set_output(i, {Shape::kUnknownDim, 2});
    c.set_output(paths + i, {Shape::kUnknownDim});
    c.set_output(2 * paths + i, {2});
  }
  c.set_output(3 * paths, {*batch, paths});
  return absl::OkStatus();
}

// FailedPrecondition, as in TensorFlow, for a sequence of more than `time` steps; a negative length means none.
absl::Status CheckNotLonger(absl::Span<const int32_t> lengths, int64_t time) {
  for (size_t b = 0; b < lengths.size(); ++b) {
    if (lengths[b] <= time) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("sequence_length[", b, "] is ", lengths[b], ", expected at most ", time));
  }
  return absl::OkStatus();
}

// Stores a sequence for each example as path `path` of `paths`.
absl::Status StorePath(KernelContext& c, int path, int paths, absl::Span<const std::vector<int>> sequences) {
  int64_t n = 0, longest = 0;
  for (const std::vector<int>& sequence : sequences) {
    n += static_cast<int64_t>(sequence.size());
    longest = std::max(longest, static_cast<int64_t>(sequence.size()));
  }
  SF_RETURN_IF_ERROR(c.AllocateOutput(path, {n, 2}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(paths + path, {n}));
  int64_t *index = c.out<int64_t>(path), *value = c.out<int64_t>(paths + path);
  for (size_t b = 0; b < sequences.size(); ++b) {
    for (size_t k = 0; k < sequences[b].size(); ++k) {
      *index++ = static_cast<int64_t>(b);
      *index++ = static_cast<int64_t>(k);
      *value++ = sequences[b][k];
    }
  }
  c.out<int64_t>(2 * paths + path)[0] = static_cast<int64_t>(sequences.size());
  c.out<int64_t>(2 * paths + path)[1] = longest;
  return absl::OkStatus();
}

// CTCGreedyDecoder: the best class of each step, without blanks and, if so wished, repetitions.
template <typename T>
absl::Status DecodeGreedily(KernelContext& c, bool merge, int64_t blank_index) {
  const int64_t time = c.input(0).dim(0), batch = c.input(0).dim(1), classes = c.input(0).dim(2);
  const absl::Span<const int32_t> lengths(c.in<int32_t>(1), c.input(1).num_elements);
  SF_RETURN_IF_ERROR(CheckNotLonger(lengths, time));
  const int64_t blank = blank_index < 0 ? blank_index + classes : blank_index;
  if (blank < 0 || blank >= classes) {
    return absl::InvalidArgumentError(absl::StrCat("blank_index ", blank_index, " is none of ", classes, " classes"));
  }
  std::vector<std::vector<int>> sequences(batch);
  for (int64_t b = 0; b < batch; ++b) {
    double sum = 0;
    int64_t previous = -1;
    for (int64_t t = 0; t < lengths[b]; ++t) {
      const T* row = c.in<T>(0) + (t * batch + b) * classes;
      const int64_t best = std::max_element(row, row + classes) - row;
      sum -= row[best];
      if (best != blank && !(merge && best == previous)) sequences[b].push_back(static_cast<int>(best));
      previous = best;
    }
    c.out<T>(3)[b] = static_cast<T>(sum);
  }
  return StorePath(c, 0, 1, sequences);
}
absl::StatusOr<Kernel> GreedyKernel(const KernelSetup& setup) {
  const bool merge = setup.attr<bool>("merge_repeated");
  const int64_t blank = setup.attr<int64_t>("blank_index");
  Kernel kernel;
  DispatchType<float, double>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [=](KernelContext& c) { return DecodeGreedily<T>(c, merge, blank); };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
const OpRegistrar greedy(
    {.name = "CTCGreedyDecoder",
     .inputs = {"inputs: T", "sequence_length: int32"},
     .outputs = {"decoded_indices: int64", "decoded_values: int64", "decoded_shape: int64", "log_probability: T"},
     .attrs = {"merge_repeated: bool = false", "blank_index: int = -1", "T: {float, double} = float"},
     .shape = DecoderShape,
     .gradient = kNotDifferentiable,
     .kernel = GreedyKernel,
     .doc = "The best class of each step, without blanks."});

// CTCBeamSearchDecoder.

// Log-probabilities that the steps so far spell a prefix, ending in a blank or in its last label.
template <typename T>
struct PrefixProbability {
  T total = kNever<T>, blank = kNever<T>, label = kNever<T>;
};

template <typename T>
struct Prefix {
  const Prefix* parent = nullptr;
  int label = -1;
  PrefixProbability<T> before, now;  // after the last step, after this one
  std::map<int, Prefix*> longer = {};

  bool is_active() const { return now.total != kNever<T>; }
  std::vector<int> Labels(bool merge_repeated) const {
    std::vector<int> labels;
    int next = -1;
    for (const Prefix* p = this; p->parent != nullptr; p = p->parent) {
      if (!merge_repeated || p->label != next) labels.push_back(p->label);
      next = p->label;
    }
    std::reverse(labels.begin(), labels.end());
    return labels;
  }
};

// The most probable prefixes of one sequence, `width` of them after every step.
template <typename T>
class BeamSearch {
 public:
  BeamSearch(int64_t width, int64_t classes) : width_(static_cast<size_t>(width)), classes_(classes) {
    Prefix<T>& empty = prefixes_.emplace_back();
    empty.now = {.total = 0, .blank = 0};
    beam_.push_back(&empty);
  }

  void Step(const T* logits) {
    const T most = *std::max_element(logits, logits + classes_);
    T sum = 0;
    for (int64_t k = 0; k < classes_; ++k) sum += std::exp(logits[k] - most);
    const T norm = most + std::log(sum);
    const std::vector<Prefix<T>*> prefixes = beam_;
    beam_.clear();
    for (Prefix<T>* p : prefixes) p->before = p->now;
    for (Prefix<T>* p : prefixes) Stay(*p, logits, norm);
    std::stable_sort(beam_.begin(), beam_.end(), Better);
    for (Prefix<T>* p : prefixes) Grow(*p, logits, norm);
  }

  // The best first.
  const std::vector<Prefix<T>*>& beam() const { return beam_; }

 private:
  static bool Better(const Prefix<T>* a, const Prefix<T>* b) { return a->now.total > b->now.total; }

  // The step adds a blank, or the last label again, or the last label to the shorter prefix.
  void Stay(Prefix<T>& p, const T* logits, T norm) {
    if (p.parent != nullptr) {
      if (p.parent->is_active()) {
        p.now.label = LogAdd(p.now.label, p.label == p.parent->label ? p.parent->before.blank : p.parent->before.total);
      }
      p.now.label += logits[p.label] - norm;
    }
    p.now.blank = p.before.total + logits[classes_ - 1] - norm;
    p.now.total = LogAdd(p.now.blank, p.now.label);
    beam_.push_back(&p);
  }

  bool IsCandidate(const PrefixProbability<T>& probability) const {
    return probability.total > kNever<T> && (beam_.size() < width_ || probability.total > beam_.back()->now.total);
  }

  // The step adds a label.
  void Grow(Prefix<T>& p, const T* logits, T norm) {
    if (!IsCandidate(p.before)) return;
    for (int label = 0; label < classes_ - 1; ++label) {
      const auto known = p.longer.find(label);
      if (known != p.longer.end() && known->second->is_active()) continue;
      PrefixProbability<T> grown;
      grown.label = grown.total = logits[label] - norm + (label == p.label ? p.before.blank : p.before.total);
      if (!IsCandidate(grown)) {
        // A prefix that this step has already pushed out of the beam does not grow either, as in TensorFlow.
        if (known != p.longer.end()) known->second->before = {};
        continue;
      }
      if (beam_.size() == width_) {
        beam_.back()->now = {};
        beam_.pop_back();
      }
      Prefix<T>* longer = known != p.longer.end() ? known->second : Make(p, label);
      longer->now = grown;
      beam_.insert(std::upper_bound(beam_.begin(), beam_.end(), longer, Better), longer);
    }
  }

  Prefix<T>* Make(Prefix<T>& parent, int label) {
    Prefix<T>& made = prefixes_.emplace_back();
    made.parent = &parent;
    made.label = label;
    return parent.longer[label] = &made;
  }

  size_t width_;
  int64_t classes_;
  std::deque<Prefix<T>> prefixes_;  // all that were ever in the beam
  std::vector<Prefix<T>*> beam_;    // by falling probability
};

struct BeamAttrs {
  int64_t width, paths;
  bool merge;
};

template <typename T>
absl::Status DecodeByBeam(KernelContext& c, const BeamAttrs& attrs) {
  const int64_t time = c.input(0).dim(0), batch = c.input(0).dim(1), classes = c.input(0).dim(2);
  const absl::Span<const int32_t> lengths(c.in<int32_t>(1), c.input(1).num_elements);
  SF_RETURN_IF_ERROR(CheckNotLonger(lengths, time));
  if (c.input(0).num_elements == 0) return absl::InvalidArgumentError("inputs must not be empty");
  const int paths = static_cast<int>(attrs.paths);
  std::vector<std::vector<std::vector<int>>> sequences(paths, std::vector<std::vector<int>>(batch));
  for (int64_t b = 0; b < batch; ++b) {
    BeamSearch<T> search(attrs.width, classes);
    for (int64_t t = 0; t < lengths[b]; ++t) search.Step(c.in<T>(0) + (t * batch + b) * classes);
    if (static_cast<int64_t>(search.beam().size()) < attrs.paths) {
      return absl::InvalidArgumentError(absl::StrCat("example ", b, " has ", search.beam().size(),
                                                     " label sequences, top_paths asks for ", attrs.paths));
    }
    for (int p = 0; p < paths; ++p) {
      sequences[p][b] = search.beam()[p]->Labels(attrs.merge);
      c.out<T>(3 * paths)[b * paths + p] = search.beam()[p]->now.total;
    }
  }
  for (int p = 0; p < paths; ++p) SF_RETURN_IF_ERROR(StorePath(c, p, paths, sequences[p]));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> BeamKernel(const KernelSetup& setup) {
  const BeamAttrs attrs = {setup.attr<int64_t>("beam_width"), setup.attr<int64_t>("top_paths"),
                           setup.attr<bool>("merge_repeated")};
  Kernel kernel;
  DispatchType<float, double>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [=](KernelContext& c) { return DecodeByBeam<T>(c, attrs); };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
absl::Status BeamShape(ShapeContext& c) {
  if (c.attr<int64_t>("top_paths") > c.attr<int64_t>("beam_width")) {
    return absl::InvalidArgumentError(absl::StrCat("top_paths is ", c.attr<int64_t>("top_paths"),
                                                   ", more than beam_width ", c.attr<int64_t>("beam_width")));
  }
  return DecoderShape(c);
}
const OpRegistrar beam({.name = "CTCBeamSearchDecoder",
                        .inputs = {"inputs: T", "sequence_length: int32"},
                        .outputs = {"decoded_indices: top_paths * int64", "decoded_values: top_paths * int64",
                                    "decoded_shape: top_paths * int64", "log_probability: T"},
                        .attrs = {"beam_width: int >= 1", "top_paths: int >= 1", "merge_repeated: bool = true",
                                  "T: {float, double} = float"},
                        .shape = BeamShape,
                        .gradient = kNotDifferentiable,
                        .kernel = BeamKernel,
                        .doc = "The most probable label sequences, searched among the best prefixes of each step."});

CtcDecoded Decoded(Node* node) {
  CtcDecoded decoded;
  if (node == nullptr) return decoded;
  const int paths = (node->num_outputs() - 1) / 3;
  for (int i = 0; i < paths; ++i) {
    decoded.paths.push_back({node->output(i), node->output(paths + i), node->output(2 * paths + i)});
  }
  decoded.log_probability = node->output(3 * paths);
  return decoded;
}

}  // namespace

CtcDecoded CtcGreedyDecoder(Operand inputs, Operand sequence_length, const CtcGreedyDecoderOptions& options) {
  return Decoded(NodeBuilder("CTCGreedyDecoder", {inputs, sequence_length})
                     .Attr("merge_repeated", options.merge_repeated)
                     .Attr("blank_index", options.blank_index)
                     .Name(options.name)
                     .BuildNode());
}

CtcDecoded CtcBeamSearchDecoder(Operand inputs, Operand sequence_length, const CtcBeamSearchDecoderOptions& options) {
  return Decoded(NodeBuilder("CTCBeamSearchDecoder", {inputs, sequence_length})
                     .Attr("beam_width", options.beam_width)
                     .Attr("top_paths", options.top_paths)
                     .Attr("merge_repeated", options.merge_repeated)
                     .Name(options.name)
                     .BuildNode());
}

}  // namespace staticflow
