// Little-endian integers and varints, as record files, tables and bundles hold them.
//
//   PutVarint64(&bytes, 300);
//   absl::string_view rest = bytes;  uint64_t value;
//   if (!GetVarint64(&rest, &value)) return absl::DataLossError("...");
//
// The Get functions take what they read off the front of `input`; on false the input is cut or malformed.
#ifndef STATICFLOW_RUNTIME_IO_CODING_H_
#define STATICFLOW_RUNTIME_IO_CODING_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace staticflow {

inline void PutFixed(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}
inline void PutFixed32(std::string* out, uint32_t value) { PutFixed(out, value, 4); }
inline void PutFixed64(std::string* out, uint64_t value) { PutFixed(out, value, 8); }

// REQUIRES: `p` points to 4 (8) readable bytes.
inline uint64_t DecodeFixed(const char* p, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value |= uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
  return value;
}
inline uint32_t DecodeFixed32(const char* p) { return static_cast<uint32_t>(DecodeFixed(p, 4)); }
inline uint64_t DecodeFixed64(const char* p) { return DecodeFixed(p, 8); }

inline void PutVarint64(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

inline bool GetVarint64(absl::string_view* input, uint64_t* value) {
  *value = 0;
  for (int i = 0; i < 10 && i < static_cast<int>(input->size()); ++i) {
    const uint64_t byte = static_cast<unsigned char>((*input)[static_cast<size_t>(i)]);
    if (i == 9 && byte > 1) return false;  // beyond 64 bits
    if (i > 0 && byte == 0) return false;  // not the shortest form, which nobody writes
    *value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      input->remove_prefix(static_cast<size_t>(i) + 1);
      return true;
    }
  }
  return false;
}

inline bool GetVarint32(absl::string_view* input, uint32_t* value) {
  uint64_t wide = 0;
  if (!GetVarint64(input, &wide) || wide > 0xffffffffu) return false;
  *value = static_cast<uint32_t>(wide);
  return true;
}

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_CODING_H_
