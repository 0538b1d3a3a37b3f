// DecodeWav, EncodeWav. Contracts: ops/audio.h.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/audio.h"
#include "ops/audio_file.h"
#include "runtime/kernel.h"

namespace staticflow {

namespace {
void AppendLittle(std::string* bytes, uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes->push_back(static_cast<char>(value >> (8 * i)));
}
}  // namespace

std::string WaveFile(const float* samples, int64_t frames, int64_t channels, uint32_t rate) {
  const uint32_t size = static_cast<uint32_t>(frames * channels * 2), frame = static_cast<uint32_t>(channels * 2);
  std::string wav = "RIFF";
  AppendLittle(&wav, size + 36, 4);
  wav.append("WAVEfmt ");
  AppendLittle(&wav, 16, 4);
  AppendLittle(&wav, 1, 2);
  AppendLittle(&wav, static_cast<uint32_t>(channels), 2);
  AppendLittle(&wav, rate, 4);
  AppendLittle(&wav, rate * frame, 4);
  AppendLittle(&wav, frame, 2);
  AppendLittle(&wav, 16, 2);
  wav.append("data");
  AppendLittle(&wav, size, 4);
  for (int64_t i = 0; i < frames * channels; ++i) {
    const float value = std::isnan(samples[i]) ? 0 : std::clamp(std::round(samples[i] * 32768), -32768.0f, 32767.0f);
    AppendLittle(&wav, static_cast<uint32_t>(static_cast<int32_t>(value)), 2);
  }
  return wav;
}

namespace {

// Reads a WAV file from the front. After the first mistake there are only zeros, and status() tells it.
class WaveReader {
 public:
  explicit WaveReader(absl::string_view rest) : rest_(rest) {}

  absl::string_view Bytes(uint64_t count) {
    if (count > rest_.size()) {
      Fail(absl::StrCat("it ends where ", count, " more bytes are expected"));
      return {};
    }
    const absl::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  void Skip(uint64_t count) { rest_.remove_prefix(std::min<uint64_t>(count, rest_.size())); }
  uint32_t Number(int size) {
    const absl::string_view bytes = Bytes(size);
    uint32_t number = 0;
    for (size_t i = 0; i < bytes.size(); ++i) number |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    return number;
  }
  void Expect(absl::string_view text) {
    if (const absl::string_view bytes = Bytes(text.size()); bytes != text) Unexpected(bytes, text);
  }
  void Expect(absl::string_view what, uint64_t number, uint64_t expected) {
    if (number != expected) Fail(absl::StrCat(what, ": ", number, ", expected ", expected));
  }
  void Unexpected(absl::string_view bytes, absl::string_view expected) {
    Fail(absl::StrCat("'", absl::CHexEscape(bytes), "' where ", expected, " is expected"));
  }
  void Fail(absl::string_view what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat("the WAV file: ", what));
    rest_ = {};
  }
  bool AtEnd() const { return rest_.empty(); }
  const absl::Status& status() const { return status_; }

 private:
  absl::string_view rest_;
  absl::Status status_;
};

struct Wave {
  uint32_t channels = 0;
  uint32_t rate = 0;
  absl::string_view samples;  // 16 bits each, the lower byte first
};

void ReadWaveFormat(WaveReader& file, Wave* wave) {
  constexpr absl::string_view kSkipped[] = {"JUNK", "bext", "iXML", "qlty", "mext", "levl", "link", "axml"};
  absl::string_view chunk;
  while ((chunk = file.Bytes(4)) != "fmt " && file.status().ok()) {
    if (!absl::c_linear_search(kSkipped, chunk)) return file.Unexpected(chunk, "its format");
    file.Bytes(file.Number(4));
  }
  const uint32_t size = file.Number(4);
  if (size != 16 && size != 18) file.Fail(absl::StrCat("its format has ", size, " bytes, expected 16 or 18"));
  file.Expect("its format", file.Number(2), 1);
  wave->channels = file.Number(2);
  wave->rate = file.Number(4);
  const uint32_t bytes_per_second = file.Number(4), bytes_per_frame = file.Number(2);
  file.Expect("bits per sample", file.Number(2), 16);
  if (wave->channels < 1) file.Fail("it has no channels");
  file.Expect("bytes per frame", bytes_per_frame, 2 * wave->channels);
  file.Expect("bytes per second", bytes_per_second, uint64_t{wave->rate} * bytes_per_frame);
  if (size == 18) file.Bytes(2);
}

absl::StatusOr<Wave> ReadWave(absl::string_view contents) {
  WaveReader file(contents);
  Wave wave;
  file.Expect("RIFF");
  file.Number(4);  // the size of the whole, which not all writers know
  file.Expect("WAVE");
  ReadWaveFormat(file, &wave);
  bool has_data = false;
  while (!file.AtEnd()) {
    const bool is_data = file.Bytes(4) == "data";
    const uint32_t size = file.Number(4);
    if (is_data && has_data) file.Fail("it has two parts of data");
    has_data |= is_data;
    if (size > std::numeric_limits<int32_t>::max()) file.Fail(absl::StrCat("a part of ", size, " bytes is too large"));
    // A last part of a frame is left out; other parts may end after the file does.
    if (is_data && file.status().ok()) wave.samples = file.Bytes(size - size % (2 * wave.channels));
    if (!is_data) file.Skip(size);
  }
  SF_RETURN_IF_ERROR(file.status());
  if (!has_data) return absl::InvalidArgumentError("the WAV file has no data");
  return wave;
}

// DecodeWav.
absl::Status DecodeWavShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  Shape audio;
  for (const char* name : {"desired_samples", "desired_channels"}) {
    const int64_t desired = c.attr<int64_t>(name);
    if (desired < -1) return absl::InvalidArgumentError(absl::StrCat(name, " is ", desired));
    audio.push_back(desired);
  }
  c.set_output(0, audio);
  c.set_output(1, {});
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DecodeWavKernel(const KernelSetup& setup) {
  const int64_t channels = setup.attr<int64_t>("desired_channels"), frames = setup.attr<int64_t>("desired_samples");
  return Kernel([desired = Shape({frames, channels})](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const Wave wave, ReadWave(c.scalar<std::string>(0)));
    const int64_t given_frames = static_cast<int64_t>(wave.samples.size() / (2 * wave.channels));
    const int64_t frames = desired.dim(0) < 0 ? given_frames : desired.dim(0);
    const int64_t channels = desired.dim(1) < 0 ? wave.channels : desired.dim(1);
    if (!desired.IsFullyDefined()) SF_RETURN_IF_ERROR(c.AllocateOutput(0, {frames, channels}));
    float* out = c.out<float>(0);
    for (int64_t frame = 0; frame < frames; ++frame) {
      for (int64_t channel = 0; channel < channels; ++channel, ++out) {
        const int64_t at = frame * wave.channels + std::min<int64_t>(channel, wave.channels - 1);
        *out = 0;
        if (frame >= given_frames) continue;
        const uint8_t low = wave.samples[2 * at], high = wave.samples[2 * at + 1];
        *out = static_cast<int16_t>(low | high << 8) / 32768.0f;
      }
    }
    *c.out<int32_t>(1) = static_cast<int32_t>(wave.rate);
    return absl::OkStatus();
  });
}
const OpRegistrar decode_wav({.name = "DecodeWav",
                              .inputs = {"contents: string"},
                              .outputs = {"audio: float", "sample_rate: int32"},
                              .attrs = {"desired_channels: int = -1", "desired_samples: int = -1"},
                              .shape = DecodeWavShape,
                              .gradient = kNotDifferentiable,
                              .kernel = DecodeWavKernel,
                              .doc = "The sound in a WAV file of 16 bits per sample."});

// EncodeWav.
absl::Status EncodeWavShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 2).status());
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  c.set_output(0, {});
  return absl::OkStatus();
}
absl::Status EncodeWavKernel(KernelContext& c) {
  const int64_t frames = c.input(0).dim(0), channels = c.input(0).dim(1);
  const int32_t rate = c.scalar<int32_t>(1);
  if (rate < 1) return absl::InvalidArgumentError(absl::StrCat("sample_rate is ", rate));
  if (channels < 1 || channels > 65535 || c.input(0).num_elements >= int64_t{1} << 30) {
    return absl::InvalidArgumentError(absl::StrCat("no file holds a sound of shape ", c.input(0).shape->ToString()));
  }
  *c.out<std::string>(0) = WaveFile(c.in<float>(0), frames, channels, static_cast<uint32_t>(rate));
  return absl::OkStatus();
}
const OpRegistrar encode_wav({.name = "EncodeWav",
                              .inputs = {"audio: float", "sample_rate: int32"},
                              .outputs = {"contents: string"},
                              .shape = EncodeWavShape,
                              .gradient = kNotDifferentiable,
                              .kernel = EncodeWavKernel,
                              .doc = "A sound as a WAV file of 16 bits per sample."});

}  // namespace

WavContents DecodeWav(Operand contents, const DecodeWavOptions& options) {
  Node* node = NodeBuilder("DecodeWav", {contents})
                   .Attr("desired_channels", options.desired_channels)
                   .Attr("desired_samples", options.desired_samples)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {.audio = node->output(0), .sample_rate = node->output(1)};
}
Output EncodeWav(Operand audio, Operand sample_rate, const OpOptions& options) {
  return NodeBuilder("EncodeWav", {audio, sample_rate}).Name(options.name).Build();
}

}  // namespace staticflow
