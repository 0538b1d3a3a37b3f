// WaveFile: sounds as the bytes of a WAV file.
//
//   *c.out<std::string>(0) = WaveFile(samples, frames, channels, 44100);
#ifndef STATICFLOW_OPS_AUDIO_FILE_H_
#define STATICFLOW_OPS_AUDIO_FILE_H_

#include <cstdint>
#include <string>

namespace staticflow {

// 16 bits per sample; `samples` from -1 to 1, frame by frame. REQUIRES: less than 2^30 samples, 1 to 65535 channels.
std::string WaveFile(const float* samples, int64_t frames, int64_t channels, uint32_t rate);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_AUDIO_FILE_H_
