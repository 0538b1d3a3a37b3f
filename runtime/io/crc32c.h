// CRC32C (Castagnoli, RFC 3720), the checksum of record files, event files and checkpoints.
//
//   crc32c::Value("123456789") == 0xe3069283
//   crc32c::Extend(crc32c::Value(a), b) == crc32c::Value(a + b)
//
// Pure functions, callable from any thread.
#ifndef STATICFLOW_RUNTIME_IO_CRC32C_H_
#define STATICFLOW_RUNTIME_IO_CRC32C_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace staticflow::crc32c {

// The checksum of A + data, where `crc` is the checksum of A. Uses the processor's instruction where there is one.
uint32_t Extend(uint32_t crc, absl::string_view data);
inline uint32_t Value(absl::string_view data) { return Extend(0, data); }

// The same by table lookup: the reference, and the way on other processors.
uint32_t ExtendPortable(uint32_t crc, absl::string_view data);

// Files store checksums masked (rotated and offset), because the checksum of bytes that contain their own checksum
// says little. LevelDB defined the mask.
constexpr uint32_t kMaskDelta = 0xa282ead8u;
constexpr uint32_t Mask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + kMaskDelta; }
constexpr uint32_t Unmask(uint32_t masked) {
  const uint32_t rotated = masked - kMaskDelta;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace staticflow::crc32c

#endif  // STATICFLOW_RUNTIME_IO_CRC32C_H_
