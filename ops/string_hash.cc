// StringToHashBucket, StringToHashBucketFast, StringToHashBucketStrong, Fingerprint: strings as numbers, by the hash
// functions that TensorFlow uses, so that models find their features again. Contracts: ops/strings.h.
#include "ops/string_hash.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array_nodes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/strings.h"
#include "runtime/io/coding.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

uint64_t Rotate(uint64_t value, int shift) { return std::rotr(value, shift); }

// --- FarmHash's 64-bit fingerprint (the variant "na" of Hash64) ---

constexpr uint64_t kPrime0 = 0xc3a5c85c97cb3127, kPrime1 = 0xb492b66fbe98f273, kPrime2 = 0x9ae16a3b2f90404f;

uint64_t ShiftMix(uint64_t value) { return value ^ (value >> 47); }
uint64_t HashPair(uint64_t u, uint64_t v, uint64_t factor) {
  const uint64_t a = ShiftMix((u ^ v) * factor);
  return ShiftMix((v ^ a) * factor) * factor;
}
uint64_t Fetch64(const char* p) { return DecodeFixed64(p); }
uint64_t Fetch32(const char* p) { return DecodeFixed32(p); }

uint64_t FarmUpTo16(const char* s, size_t n) {
  const uint64_t factor = kPrime2 + n * 2;
  if (n >= 8) {
    const uint64_t a = Fetch64(s) + kPrime2, b = Fetch64(s + n - 8);
    const uint64_t c = Rotate(b, 37) * factor + a, d = (Rotate(a, 25) + b) * factor;
    return HashPair(c, d, factor);
  }
  if (n >= 4) return HashPair(n + (Fetch32(s) << 3), Fetch32(s + n - 4), factor);
  if (n == 0) return kPrime2;
  const auto byte = [s](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(s[i])); };
  const uint32_t y = byte(0) + (byte(n >> 1) << 8), z = static_cast<uint32_t>(n) + (byte(n - 1) << 2);
  return ShiftMix(y * kPrime2 ^ z * kPrime0) * kPrime2;
}
uint64_t FarmUpTo32(const char* s, size_t n) {
  const uint64_t factor = kPrime2 + n * 2;
  const uint64_t a = Fetch64(s) * kPrime1, b = Fetch64(s + 8);
  const uint64_t c = Fetch64(s + n - 8) * factor, d = Fetch64(s + n - 16) * kPrime2;
  return HashPair(Rotate(a + b, 43) + Rotate(c, 30) + d, a + Rotate(b + kPrime2, 18) + c, factor);
}
uint64_t FarmUpTo64(const char* s, size_t n) {
  const uint64_t factor = kPrime2 + n * 2;
  const uint64_t a = Fetch64(s) * kPrime2, b = Fetch64(s + 8);
  const uint64_t c = Fetch64(s + n - 8) * factor, d = Fetch64(s + n - 16) * kPrime2;
  const uint64_t y = Rotate(a + b, 43) + Rotate(c, 30) + d;
  const uint64_t z = HashPair(y, a + Rotate(b + kPrime2, 18) + c, factor);
  const uint64_t e = Fetch64(s + 16) * factor, f = Fetch64(s + 24);
  const uint64_t g = (y + Fetch64(s + n - 32)) * factor, h = (z + Fetch64(s + n - 24)) * factor;
  return HashPair(Rotate(e + f, 43) + Rotate(g, 30) + h, e + Rotate(f + a, 18) + g, factor);
}

struct Two {
  uint64_t first = 0, second = 0;
};
// Mixes 32 bytes with two seeds.
Two WeakHash(const char* s, uint64_t a, uint64_t b) {
  const uint64_t w = Fetch64(s), x = Fetch64(s + 8), y = Fetch64(s + 16), z = Fetch64(s + 24);
  a += w;
  b = Rotate(b + a + z, 21);
  const uint64_t c = a;
  a += x + y;
  b += Rotate(a, 44);
  return {a + z, b + c};
}

}  // namespace

uint64_t FarmFingerprint(absl::string_view text) {
  const char* s = text.data();
  const size_t n = text.size();
  if (n <= 16) return FarmUpTo16(s, n);
  if (n <= 32) return FarmUpTo32(s, n);
  if (n <= 64) return FarmUpTo64(s, n);
  constexpr uint64_t kSeed = 81;
  uint64_t x = kSeed * kPrime2 + Fetch64(s), y = kSeed * kPrime1 + 113;
  uint64_t z = ShiftMix(y * kPrime2 + 113) * kPrime2;
  Two v, w;
  x = kSeed * kPrime2 + Fetch64(s);
  const char* const end = s + (n - 1) / 64 * 64;
  const char* const last64 = end + ((n - 1) & 63) - 63;
  const auto round = [&](uint64_t factor, bool last) {
    x = Rotate(x + y + v.first + Fetch64(s + 8), 37) * factor;
    y = Rotate(y + v.second + Fetch64(s + 48), 42) * factor;
    x ^= last ? w.second * 9 : w.second;
    y += (last ? v.first * 9 : v.first) + Fetch64(s + 40);
    z = Rotate(z + w.first, 33) * factor;
    v = WeakHash(s, v.second * factor, x + w.first);
    w = WeakHash(s + 32, z + w.second, y + Fetch64(s + 16));
    std::swap(z, x);
  };
  for (; s != end; s += 64) round(kPrime1, false);
  const uint64_t factor = kPrime1 + ((z & 0xff) << 1);
  s = last64;
  w.first += (n - 1) & 63;
  v.first += w.first;
  w.first += v.first;
  round(factor, true);
  return HashPair(HashPair(v.first, w.first, factor) + ShiftMix(y) * kPrime0 + z,
                  HashPair(v.second, w.second, factor) + x, factor);
}

namespace {

// --- TensorFlow's own Hash64, of the Murmur family ---

uint64_t MurmurHash(absl::string_view text) {
  constexpr uint64_t kFactor = 0xc6a4a7935bd1e995, kSeed = 0xDECAFCAFFE;
  constexpr int kShift = 47;
  const char* s = text.data();
  size_t n = text.size();
  uint64_t h = kSeed ^ (n * kFactor);
  for (; n >= 8; s += 8, n -= 8) {
    uint64_t k = Fetch64(s) * kFactor;
    k ^= k >> kShift;
    h = (h ^ k * kFactor) * kFactor;
  }
  if (n > 0) {
    for (size_t i = 0; i < n; ++i) h ^= uint64_t{static_cast<unsigned char>(s[i])} << (8 * i);
    h *= kFactor;
  }
  h = (h ^ (h >> kShift)) * kFactor;
  return h ^ (h >> kShift);
}

}  // namespace

uint64_t SipHash(const uint64_t key[2], absl::string_view text) {
  uint64_t v0 = key[0] ^ 0x736f6d6570736575, v1 = key[1] ^ 0x646f72616e646f6d;
  uint64_t v2 = key[0] ^ 0x6c7967656e657261, v3 = key[1] ^ 0x7465646279746573;
  const auto round = [&] {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  };
  const auto absorb = [&](uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  };
  size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) absorb(Fetch64(text.data() + i));
  absorb(DecodeFixed(text.data() + i, static_cast<int>(text.size() - i)) | uint64_t{text.size()} << 56);
  v2 ^= 0xff;
  for (int k = 0; k < 4; ++k) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

namespace {

absl::Status HashShape(ShapeContext& c) {
  if (c.node().op().FindAttr("key") != nullptr && c.attr<std::vector<int64_t>>("key").size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a key of 2 numbers, got ", c.attr<std::vector<int64_t>>("key").size()));
  }
  return SameShape(c);
}

template <typename F>
Kernel BucketKernel(const KernelSetup& setup, F hash) {
  return [hash, buckets = static_cast<uint64_t>(setup.attr<int64_t>("num_buckets"))](KernelContext& c) {
    for (int64_t i = c.range().begin; i < c.range().end; ++i) {
      c.out<int64_t>(0)[i] = static_cast<int64_t>(hash(c.in<std::string>(0)[i]) % buckets);
    }
    return absl::OkStatus();
  };
}
absl::StatusOr<Kernel> MurmurKernel(const KernelSetup& setup) { return BucketKernel(setup, MurmurHash); }
absl::StatusOr<Kernel> FarmKernel(const KernelSetup& setup) { return BucketKernel(setup, FarmFingerprint); }
absl::StatusOr<Kernel> SipKernel(const KernelSetup& setup) {
  const std::vector<int64_t>& key = setup.attr<std::vector<int64_t>>("key");
  const uint64_t first = static_cast<uint64_t>(key[0]), second = static_cast<uint64_t>(key[1]);
  return BucketKernel(setup, [first, second](absl::string_view text) {
    const uint64_t halves[2] = {first, second};
    return SipHash(halves, text);
  });
}

OpSpec HashOp(const char* name, const char* input, std::vector<std::string> attrs, KernelSource kernel,
              const char* doc) {
  return {.name = name,
          .inputs = {input},
          .outputs = {"output: int64"},
          .attrs = std::move(attrs),
          .shape = HashShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .iteration = {.split = Split::kFlat},
          .doc = doc};
}
constexpr char kBuckets[] = "num_buckets: int >= 1";
const OpRegistrar plain(HashOp("StringToHashBucket", "string_tensor: string", {kBuckets}, &MurmurKernel,
                               "The bucket of each string by TensorFlow's first hash function."));
const OpRegistrar fast(HashOp("StringToHashBucketFast", "input: string", {kBuckets}, &FarmKernel,
                              "The bucket of each string by FarmHash."));
const OpRegistrar strong(HashOp("StringToHashBucketStrong", "input: string", {kBuckets, "key: list(int)"}, &SipKernel,
                                "The bucket of each string by SipHash with a key."));

// Fingerprint: eight bytes for each row of any tensor, the lowest of the hash first. A row of several strings has the
// hash of its strings' hashes.
absl::Status FingerprintShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape data, c.WithRankAtLeast(0, 1));
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  c.set_output(0, {data.has_rank() ? data.dim(0) : Shape::kUnknownDim, 8});
  return absl::OkStatus();
}
std::string BytesOf(uint64_t hash) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(hash >> (8 * i)));
  return bytes;
}
uint64_t HashRow(const TensorView& data, int64_t row, int64_t length) {
  if (data.dtype != DT_STRING) {
    const size_t size = static_cast<size_t>(length * DataTypeSize(data.dtype));
    return FarmFingerprint({data.as<char>() + static_cast<size_t>(row) * size, size});
  }
  const std::string* strings = data.as<std::string>() + row * length;
  if (length == 1) return FarmFingerprint(strings[0]);
  std::string hashes;
  for (int64_t i = 0; i < length; ++i) hashes += BytesOf(FarmFingerprint(strings[i]));
  return FarmFingerprint(hashes);
}
absl::StatusOr<Kernel> FingerprintKernel(const KernelSetup& setup) {
  const DataType dtype = setup.input_dtype(0);
  if (DataTypeSize(dtype) == 0 || (IsObject(dtype) && dtype != DT_STRING)) return NoKernelFor(setup, dtype);
  return Kernel([](KernelContext& c) -> absl::Status {
    const TensorView& data = c.input(0);
    if (const std::string& method = c.scalar<std::string>(1); method != "farmhash64") {
      return absl::InvalidArgumentError(absl::StrCat("method is '", method, "', expected farmhash64"));
    }
    const int64_t rows = data.dim(0), length = data.shape->num_elements(1, data.rank());
    for (int64_t row = 0; row < rows; ++row) {
      const std::string bytes = BytesOf(HashRow(data, row, length));
      std::copy(bytes.begin(), bytes.end(), c.out<uint8_t>(0) + 8 * row);
    }
    return absl::OkStatus();
  });
}
const OpRegistrar fingerprint({.name = "Fingerprint",
                               .inputs = {"data: T", "method: string"},
                               .outputs = {"fingerprint: uint8"},
                               .attrs = {"T: type"},
                               .shape = FingerprintShape,
                               .gradient = kNotDifferentiable,
                               .kernel = FingerprintKernel,
                               .batch = LeadingBatch,
                               .doc = "Eight bytes that tell each row from any other."});

}  // namespace

Output Fingerprint(Operand data, const OpOptions& options) {
  const NodeName node(data, options.name, "Fingerprint");
  if (!node) return Output();
  const Output method = node.Constant(Tensor("farmhash64"), "method");
  return NodeBuilder("Fingerprint", {data, method}).Name(node.exact()).Build();
}
Output StringToHashBucketFast(Operand input, int64_t num_buckets, const OpOptions& options) {
  return NodeBuilder("StringToHashBucketFast", {input}).Attr("num_buckets", num_buckets).Name(options.name).Build();
}
Output StringToHashBucketStrong(Operand input, int64_t num_buckets, const std::vector<int64_t>& key,
                                const OpOptions& options) {
  return NodeBuilder("StringToHashBucketStrong", {input})
      .Attr("num_buckets", num_buckets)
      .Attr("key", key)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
