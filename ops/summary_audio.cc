// AudioSummaryV2, AudioSummary: sounds as WAV files. Contract: ops/summary.h.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array.h"
#include "ops/audio_file.h"
#include "ops/elementwise.h"
#include "ops/summary.h"
#include "ops/summary_message.h"

namespace staticflow {
namespace {

absl::Status AudioShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  const Shape& tensor = c.input(1);
  if (tensor.has_rank() && tensor.rank() != 2 && tensor.rank() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("the sounds have shape ", tensor.ToString(), ", expected [batch,frames] or with channels"));
  }
  if (c.num_inputs() > 2) SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  c.set_output(0, {});
  return absl::OkStatus();
}
absl::Status WriteSounds(KernelContext& c, float rate, int64_t max_outputs) {
  const TensorView& tensor = c.input(1);
  const int64_t frames = tensor.dim(1), channels = tensor.rank() == 3 ? tensor.dim(2) : 1;
  const int64_t samples = MultiplySizes(frames, channels);
  if (!(rate > 0) || rate > 1e9f) return absl::InvalidArgumentError(absl::StrCat("sample_rate is ", rate));
  if (samples >= int64_t{1} << 30 || channels < 1 || channels > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("no sound can have shape ", tensor.shape->ToString()));
  }
  MessageWriter summary;
  for (int64_t i = 0; i < std::min(max_outputs, tensor.dim(0)); ++i) {
    MessageWriter audio;
    audio.Float(kSampleRate, rate);
    audio.Varint(kNumChannels, static_cast<uint64_t>(channels));
    audio.Varint(kLengthFrames, static_cast<uint64_t>(frames));
    audio.Bytes(kEncodedAudio, WaveFile(tensor.as<float>() + i * samples, frames, channels,
                                        static_cast<uint32_t>(std::nearbyint(rate))));
    audio.Bytes(kContentType, "audio/wav");
    const std::string& tag = c.scalar<std::string>(0);
    MessageWriter value;
    value.Bytes(kTag, max_outputs == 1 ? absl::StrCat(tag, "/audio") : absl::StrCat(tag, "/audio/", i));
    value.Bytes(kAudio, audio.bytes());
    summary.Bytes(kSummaryValue, value.bytes());
  }
  *c.out<std::string>(0) = summary.bytes();
  return absl::OkStatus();
}
absl::StatusOr<Kernel> AudioKernel(const KernelSetup& setup) {
  return Kernel([max_outputs = setup.attr<int64_t>("max_outputs")](KernelContext& c) {
    return WriteSounds(c, c.scalar<float>(2), max_outputs);
  });
}
const OpRegistrar audio({.name = "AudioSummaryV2",
                         .inputs = {"tag: string", "tensor: float", "sample_rate: float"},
                         .outputs = {"summary: string"},
                         .attrs = {"max_outputs: int >= 1 = 3"},
                         .shape = AudioShape,
                         .gradient = kNotDifferentiable,
                         .kernel = AudioKernel,
                         .doc = "Sounds as a Summary message."});

// AudioSummary: the sample rate was an attribute first.
absl::StatusOr<Kernel> AudioV1Kernel(const KernelSetup& setup) {
  return Kernel([max_outputs = setup.attr<int64_t>("max_outputs"), rate = setup.attr<float>("sample_rate")](
                    KernelContext& c) { return WriteSounds(c, rate, max_outputs); });
}
const OpRegistrar audio_v1({.name = "AudioSummary",
                            .inputs = {"tag: string", "tensor: float"},
                            .outputs = {"summary: string"},
                            .attrs = {"sample_rate: float", "max_outputs: int >= 1 = 3"},
                            .shape = AudioShape,
                            .gradient = kNotDifferentiable,
                            .kernel = AudioV1Kernel,
                            .doc = "Sounds as a Summary message, the sample rate an attribute."});

}  // namespace

Output AudioSummary(const std::string& tag, Operand tensor, Operand sample_rate, int64_t max_outputs,
                    const SummaryOptions& options) {
  if (!tensor.output().valid()) return Output();
  const Output name = Const(tensor.output().graph(), Tensor(tag), {.name = absl::StrCat(tag, "/tag")});
  const Output summary = NodeBuilder("AudioSummaryV2", {name, tensor, sample_rate})
                             .Attr("max_outputs", max_outputs)
                             .Name(options.name, tag)
                             .Build();
  if (summary.valid() && !options.collection.empty()) summary.graph().AddToCollection(options.collection, summary);
  return summary;
}

}  // namespace staticflow
