// The hash functions of strings that TensorFlow uses, so that models find their features again.
//
//   const uint64_t bucket = FarmFingerprint(word) % num_buckets;
//
// Pure functions, the same on all machines.
#ifndef STATICFLOW_OPS_STRING_HASH_H_
#define STATICFLOW_OPS_STRING_HASH_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace staticflow {

// FarmHash's Fingerprint64.
uint64_t FarmFingerprint(absl::string_view text);
// SipHash-2-4, a hash with a secret key.
uint64_t SipHash(const uint64_t key[2], absl::string_view text);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_STRING_HASH_H_
