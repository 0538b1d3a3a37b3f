// AudioSpectrogram, Mfcc. Contracts: ops/audio.h.
#include <bit>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/audio.h"
#include "ops/batch_rules.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

constexpr int64_t kMaxWindow = int64_t{1} << 24;

// The discrete Fourier transform of `size` numbers, a power of 2, by radix 2 and decimation in time.
class FourierTransform {
 public:
  explicit FourierTransform(int64_t size) : size_(size) {
    for (int64_t k = 0; k < size / 2; ++k) {
      const double angle = -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(size);
      roots_.emplace_back(std::cos(angle), std::sin(angle));
    }
  }
  int64_t size() const { return size_; }
  void Run(double* re, double* im) const {
    for (int64_t i = 0, j = 0; i < size_; ++i) {  // j: the bits of i in reverse
      if (i < j) {
        std::swap(re[i], re[j]);
        std::swap(im[i], im[j]);
      }
      int64_t bit = size_ / 2;
      for (; bit > 0 && (j & bit) != 0; bit /= 2) j ^= bit;
      j ^= bit;
    }
    for (int64_t half = 1; half < size_; half *= 2) {
      for (int64_t begin = 0; begin < size_; begin += 2 * half) {
        for (int64_t k = begin; k < begin + half; ++k) {
          const auto [c, s] = roots_[(k - begin) * (size_ / (2 * half))];
          const double x = re[k + half] * c - im[k + half] * s, y = re[k + half] * s + im[k + half] * c;
          re[k + half] = re[k] - x;
          im[k + half] = im[k] - y;
          re[k] += x;
          im[k] += y;
        }
      }
    }
  }

 private:
  int64_t size_;
  std::vector<std::pair<double, double>> roots_;
};

// AudioSpectrogram.
absl::Status SpectrogramShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRank(0, 2));
  const int64_t window = c.attr<int64_t>("window_size"), stride = c.attr<int64_t>("stride");
  if (window < 2 || window > kMaxWindow || stride < 1) {
    return absl::InvalidArgumentError(absl::StrCat("windows of ", window, " samples, one every ", stride));
  }
  const int64_t samples = input.dim(0);
  const int64_t windows = samples < 0 ? samples : samples < window ? 0 : 1 + (samples - window) / stride;
  c.set_output(0, {input.dim(1), windows, 1 + static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(window))) / 2});
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SpectrogramKernel(const KernelSetup& setup) {
  const int64_t window = setup.attr<int64_t>("window_size"), stride = setup.attr<int64_t>("stride");
  const bool squared = setup.attr<bool>("magnitude_squared");
  std::vector<double> hann(window);
  for (int64_t i = 0; i < window; ++i) {
    hann[i] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(window));
  }
  FourierTransform transform(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(window))));
  return Kernel([=, hann = std::move(hann), transform = std::move(transform)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(double* const re, c.Scratch<double>(2 * transform.size()));
    double* const im = re + transform.size();
    const int64_t channels = c.output(0).dim(0), windows = c.output(0).dim(1), frequencies = c.output(0).dim(2);
    float* out = c.out<float>(0);
    for (int64_t i = 0; i < channels * windows; ++i) {
      const float* in = c.in<float>(0) + i % windows * stride * channels + i / windows;
      std::fill_n(re, 2 * transform.size(), 0.0);
      for (int64_t k = 0; k < window; ++k) re[k] = static_cast<double>(in[k * channels]) * hann[k];
      transform.Run(re, im);
      for (int64_t k = 0; k < frequencies; ++k) {
        const float magnitude = static_cast<float>(re[k] * re[k] + im[k] * im[k]);
        *out++ = squared ? magnitude : std::sqrt(magnitude);
      }
    }
    return absl::OkStatus();
  });
}
const OpRegistrar spectrogram({.name = "AudioSpectrogram",
                               .inputs = {"input: float"},
                               .outputs = {"spectrogram: float"},
                               .attrs = {"window_size: int", "stride: int", "magnitude_squared: bool = false"},
                               .shape = SpectrogramShape,
                               .gradient = kGradientIsError,
                               .kernel = SpectrogramKernel,
                               .batch = MixBatch,
                               .doc = "The magnitudes of frequencies in windows of a sound."});

// Mfcc: energies in bands of equal width in mel, their logarithms, and the cosine transform of these.
double Mel(double frequency) { return 1127 * std::log1p(frequency / 700); }

// Which two bands a frequency belongs to, and how much of it to the lower one.
struct FrequencyShare {
  int64_t band = -2;  // -2: none; -1: the upper one is the first
  double weight = 0;
};

class CepstralCoefficients {
 public:
  CepstralCoefficients(const KernelSetup& setup)
      : lower_(setup.attr<float>("lower_frequency_limit")),
        upper_(setup.attr<float>("upper_frequency_limit")),
        bands_(setup.attr<int64_t>("filterbank_channel_count")),
        coefficients_(setup.attr<int64_t>("dct_coefficient_count")) {}

  absl::Status Check() const {
    if (bands_ >= 1 && bands_ < kMaxWindow && lower_ >= 0 && upper_ > lower_ && coefficients_ >= 1 &&
        coefficients_ <= bands_) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat(coefficients_, " coefficients of ", bands_, " bands from ", lower_, " to ", upper_, " Hz"));
  }

  absl::Status Run(KernelContext& c) const {
    const int64_t frequencies = c.input(0).dim(2), rate = c.scalar<int32_t>(1);
    if (frequencies < 2 || rate < 1) {
      return absl::InvalidArgumentError(absl::StrCat(frequencies, " frequencies of a sound at ", rate, " Hz"));
    }
    const double spacing = 0.5 * static_cast<double>(rate) / static_cast<double>(frequencies - 1);
    // Limits above all frequencies leave all bands unknown.
    const bool reaches = upper_ / spacing < static_cast<double>(frequencies);
    const std::vector<FrequencyShare> shares = reaches ? Shares(frequencies, spacing) : std::vector<FrequencyShare>();
    const double scale = std::sqrt(2 / static_cast<double>(bands_));
    std::vector<double> energies(bands_);
    const float* in = c.in<float>(0);
    float* out = c.out<float>(0);
    for (int64_t i = 0; i < c.input(0).dim(0) * c.input(0).dim(1); ++i, in += frequencies) {
      if (reaches) LogEnergies(in, shares, &energies);
      for (int64_t k = 0; k < coefficients_; ++k) {
        double sum = 0;
        for (int64_t j = 0; reaches && j < bands_; ++j) sum += scale * Cosine(k, j) * energies[j];
        *out++ = static_cast<float>(sum);
      }
    }
    return absl::OkStatus();
  }

 private:
  std::vector<FrequencyShare> Shares(int64_t frequencies, double spacing) const {
    const double low = Mel(lower_), width = (Mel(upper_) - low) / static_cast<double>(bands_ + 1);
    const auto center = [&](int64_t band) { return low + width * static_cast<double>(band + 1); };
    // The constant part never counts.
    const double first = std::floor(1.5 + lower_ / spacing), last = std::floor(upper_ / spacing);
    std::vector<FrequencyShare> shares(frequencies);
    int64_t above = 0;  // the first band whose center is not below the frequency
    for (int64_t i = 0; i < frequencies; ++i) {
      if (static_cast<double>(i) < first || static_cast<double>(i) > last) continue;
      const double mel = Mel(static_cast<double>(i) * spacing);
      while (above < bands_ && center(above) < mel) ++above;
      const double from = above == 0 ? low : center(above - 1);
      shares[i] = {.band = above - 1, .weight = (center(above) - mel) / (center(above) - from)};
    }
    return shares;
  }
  void LogEnergies(const float* in, absl::Span<const FrequencyShare> shares, std::vector<double>* energies) const {
    energies->assign(bands_, 0);
    for (size_t i = 0; i < shares.size(); ++i) {
      if (shares[i].band == -2) continue;
      const double magnitude = std::sqrt(static_cast<double>(in[i])), lower = magnitude * shares[i].weight;
      if (shares[i].band >= 0) (*energies)[shares[i].band] += lower;
      if (shares[i].band + 1 < bands_) (*energies)[shares[i].band + 1] += magnitude - lower;
    }
    for (double& energy : *energies) energy = std::log(energy < 1e-12 ? 1e-12 : energy);
  }
  double Cosine(int64_t k, int64_t j) const {
    return std::cos(static_cast<double>(k) * (std::numbers::pi / static_cast<double>(bands_)) *
                    (static_cast<double>(j) + 0.5));
  }

  double lower_, upper_;  // Hz
  int64_t bands_, coefficients_;
};

absl::Status MfccShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape spectrogram, c.WithRank(0, 3));
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  const int64_t coefficients = c.attr<int64_t>("dct_coefficient_count");
  if (coefficients < 0) return absl::InvalidArgumentError(absl::StrCat("dct_coefficient_count is ", coefficients));
  spectrogram.set_dim(2, coefficients);
  c.set_output(0, std::move(spectrogram));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> MfccKernel(const KernelSetup& setup) {
  const CepstralCoefficients coefficients(setup);
  SF_RETURN_IF_ERROR(coefficients.Check());
  return Kernel([coefficients](KernelContext& c) { return coefficients.Run(c); });
}
const OpRegistrar mfcc({.name = "Mfcc",
                        .inputs = {"spectrogram: float", "sample_rate: int32"},
                        .outputs = {"output: float"},
                        .attrs = {"upper_frequency_limit: float = 4000", "lower_frequency_limit: float = 20",
                                  "filterbank_channel_count: int = 40", "dct_coefficient_count: int = 13"},
                        .shape = MfccShape,
                        .gradient = kGradientIsError,
                        .kernel = MfccKernel,
                        .batch = VectorsBatch,
                        .doc = "Mel-frequency cepstral coefficients of squared magnitudes."});

}  // namespace

Output AudioSpectrogram(Operand input, int64_t window_size, int64_t stride, const AudioSpectrogramOptions& options) {
  return NodeBuilder("AudioSpectrogram", {input})
      .Attr("window_size", window_size)
      .Attr("stride", stride)
      .Attr("magnitude_squared", options.magnitude_squared)
      .Name(options.name)
      .Build();
}
Output Mfcc(Operand spectrogram, Operand sample_rate, const MfccOptions& options) {
  return NodeBuilder("Mfcc", {spectrogram, sample_rate})
      .Attr("upper_frequency_limit", options.upper_frequency_limit)
      .Attr("lower_frequency_limit", options.lower_frequency_limit)
      .Attr("filterbank_channel_count", options.filterbank_channel_count)
      .Attr("dct_coefficient_count", options.dct_coefficient_count)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
