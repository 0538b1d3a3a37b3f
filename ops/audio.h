// Sounds: WAV files, and the features that recognizers of speech compute from them.
//
//   const WavContents wav = DecodeWav(ReadFile(path), {.desired_channels = 1, .desired_samples = 16000});
//   const Output spectrogram = AudioSpectrogram(wav.audio, 480, 160, {.magnitude_squared = true});
//   const Output features = Mfcc(spectrogram, wav.sample_rate);                 // [1,98,13]
//
// Pure functions. Source: the kernels of tensorflow.contrib.framework.audio (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_AUDIO_H_
#define STATICFLOW_OPS_AUDIO_H_

#include <string>

#include "graph/node_builder.h"

namespace staticflow {

struct DecodeWavOptions {
  int64_t desired_channels = -1;  // -1: those of the file; more repeat the last one
  int64_t desired_samples = -1;   // -1: those of the file; more are silence
  std::string name = "";
};
struct WavContents {
  Output audio;        // float [samples, channels], from -1 to 1
  Output sample_rate;  // int32, samples per second
};
// What a WAV file of 16 bits per sample holds. contents: a string scalar. InvalidArgument when run: another format.
WavContents DecodeWav(Operand contents, const DecodeWavOptions& options = {});
// The file, with 16 bits per sample: audio is float [samples, channels], sample_rate an int32 scalar. InvalidArgument
// when run: no channels or more than 65535, a sample rate below 1.
Output EncodeWav(Operand audio, Operand sample_rate, const OpOptions& options = {});

struct AudioSpectrogramOptions {
  bool magnitude_squared = false;
  std::string name = "";
};
// The magnitudes of the frequencies in windows of `window_size` samples, one every `stride`: float [samples, channels]
// to [channels, windows, 1 + n / 2], n being the power of 2 from window_size on. Windows are Hann's, and filled up to
// n. InvalidArgument: window_size below 2, stride below 1.
Output AudioSpectrogram(Operand input, int64_t window_size, int64_t stride,
                        const AudioSpectrogramOptions& options = {});

struct MfccOptions {
  float upper_frequency_limit = 4000;  // Hz
  float lower_frequency_limit = 20;
  int64_t filterbank_channel_count = 40;
  int64_t dct_coefficient_count = 13;  // of the result
  std::string name = "";
};
// Mel-frequency cepstral coefficients of squared magnitudes [channels, windows, frequencies]: float [channels, windows,
// dct_coefficient_count]. sample_rate: an int32 scalar. Limits above what the frequencies reach give zeros.
// InvalidArgument when run: no positive numbers, limits in the wrong order, more coefficients than channels.
Output Mfcc(Operand spectrogram, Operand sample_rate, const MfccOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_AUDIO_H_
