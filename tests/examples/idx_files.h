// IDX files, as MNIST has them, of pictures that are made here: a bright bar at the height of the class, and noise.
#ifndef STATICFLOW_TESTS_EXAMPLES_IDX_FILES_H_
#define STATICFLOW_TESTS_EXAMPLES_IDX_FILES_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/io/env.h"

namespace staticflow {

inline std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

// `n` pictures and their labels as `prefix`-images-idx3-ubyte and `prefix`-labels-idx1-ubyte; `state` is the noise's.
inline void WriteIdxFiles(const std::string& dir, const std::string& prefix, int n, uint32_t state) {
  std::string images = absl::StrCat(BigEndian(0x803), BigEndian(n), BigEndian(28), BigEndian(28));
  std::string labels = absl::StrCat(BigEndian(0x801), BigEndian(n));
  for (int i = 0; i < n; ++i) {
    const int label = i * 7 % 10;
    labels.push_back(static_cast<char>(label));
    for (int pixel = 0; pixel < 784; ++pixel) {
      state = state * 1664525u + 1013904223u;
      const int bar = pixel / 28 / 2 == label + 2 ? 120 : 0;
      images.push_back(static_cast<char>(bar + (state >> 25)));
    }
  }
  ASSERT_TRUE(WriteWholeFile(PosixEnv(), absl::StrCat(dir, "/", prefix, "-images-idx3-ubyte"), images).ok());
  ASSERT_TRUE(WriteWholeFile(PosixEnv(), absl::StrCat(dir, "/", prefix, "-labels-idx1-ubyte"), labels).ok());
}

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_EXAMPLES_IDX_FILES_H_
