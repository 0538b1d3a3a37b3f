#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "proto/tensor_bundle.pb.h"
#include "runtime/io/bundle.h"
#include "runtime/io/checkpoint_v1.h"
#include "runtime/io/coding.h"
#include "runtime/io/crc32c.h"
#include "runtime/io/table.h"

namespace staticflow {
namespace {

constexpr int kBundleVersion = 1;
constexpr int32_t kMaxShards = 1'000'000;
constexpr uint64_t kVerifyChunk = 1 << 20;

// Slices start with the byte that codes the number 0; a name cannot.
bool IsSliceKey(absl::string_view key) { return absl::StartsWith(key, absl::string_view("\0", 1)); }

absl::StatusOr<BundleEntry> ParseEntry(absl::string_view value) {
  proto::BundleEntryProto message;
  if (!message.ParseFromArray(value.data(), static_cast<int>(value.size())))
    return absl::DataLossError("its entry is not a BundleEntryProto");
  BundleEntry entry;
  std::vector<int64_t> dims;
  for (const auto& dim : message.shape().dim()) dims.push_back(dim.size());
  absl::StatusOr<Shape> shape = Shape::FromFile(dims);
  if (!shape.ok() || !shape->IsFullyDefined() || message.shape().unknown_rank())
    return absl::DataLossError("its shape is not valid");
  if (message.offset() < 0 || message.size() < 0 || message.shard_id() < 0)
    return absl::DataLossError("its place is negative");
  entry.dtype = static_cast<DataType>(message.dtype());
  entry.shape = *std::move(shape);
  entry.shard = message.shard_id();
  entry.offset = static_cast<uint64_t>(message.offset());
  entry.size = static_cast<uint64_t>(message.size());
  entry.crc = crc32c::Unmask(message.crc32c());
  for (const auto& box : message.slices()) {
    TensorSlice slice;
    for (const auto& extent : box.extent()) {
      const bool whole = !extent.has_length();
      slice.starts.push_back(extent.start());
      slice.lengths.push_back(whole ? -1 : extent.length());
      if (!whole && extent.length() < 0) return absl::DataLossError("it has a slice of negative length");
    }
    entry.slices.push_back(std::move(slice));
  }
  return entry;
}

}  // namespace

absl::Status BundleReader::Damaged(absl::string_view name, absl::string_view what) const {
  return absl::DataLossError(absl::StrCat(prefix_, ": tensor '", absl::CEscape(name), "': ", what));
}

absl::Status BundleReader::CutOff(absl::string_view name, absl::string_view what) const {
  return absl::OutOfRangeError(absl::StrCat(prefix_, ": tensor '", absl::CEscape(name), "': ", what));
}

absl::StatusOr<BundleReader> BundleReader::Open(Env* env, const std::string& prefix, const BundleLimits& limits) {
  const std::string previous = BundlePreviousPrefix(prefix);
  SF_ASSIGN_OR_RETURN(const bool interrupted, env->FileExists(BundleIndexPath(previous)));
  absl::StatusOr<BundleReader> reader = OpenPair(env, prefix, limits);
  if (!interrupted || (reader.ok() && reader->Verify().ok())) return reader;
  // A save over an older checkpoint did not come to its end, and its files are not whole.
  absl::StatusOr<BundleReader> older = OpenPair(env, previous, limits);
  if (older.ok() && older->Verify().ok()) return older;
  return reader;
}

absl::StatusOr<BundleReader> BundleReader::OpenPair(Env* env, const std::string& prefix, const BundleLimits& limits) {
  const std::string index = BundleIndexPath(prefix);
  SF_ASSIGN_OR_RETURN(const bool exists, env->FileExists(index));
  if (!exists) {
    SF_ASSIGN_OR_RETURN(const std::vector<std::string> files, CheckpointV1Files(env, prefix));
    if (!files.empty()) return OpenV1(env, prefix, files, limits);
  }
  BundleReader reader(env, prefix, limits);
  const TableLimits table_limits = {.max_block_bytes = limits.max_index_block_bytes, .max_entries = limits.max_entries};
  bool first = true;
  SF_RETURN_IF_ERROR(ScanTable(env, index, table_limits, [&](absl::string_view key, absl::string_view value) {
    if (!std::exchange(first, false)) return reader.AddEntry(key, value);
    if (!key.empty()) return absl::DataLossError(absl::StrCat(index, ": the header is missing"));
    return reader.ReadHeader(value);
  }));
  if (first) return absl::DataLossError(absl::StrCat(index, ": the header is missing"));
  reader.OpenShards();
  for (auto* entries : {&reader.tensors_, &reader.slices_}) {
    for (auto& [name, entry] : *entries) {
      if (!entry.damage.ok()) continue;
      entry.damage = entry.slices.empty() ? reader.CheckPlace(name, entry) : reader.CheckSlices(name, entry);
    }
  }
  return reader;
}

absl::StatusOr<BundleReader> BundleReader::OpenV1(Env* env, const std::string& prefix,
                                                  const std::vector<std::string>& files, const BundleLimits& limits) {
  BundleReader reader(env, prefix, limits);
  SF_ASSIGN_OR_RETURN(CheckpointV1 older, CheckpointV1::Open(env, files, {.limits = limits}));
  for (const auto& [name, tensor] : older.tensors()) {
    BundleEntry& entry = reader.tensors_[name];
    entry.dtype = tensor.dtype;
    entry.shape = tensor.shape;
    for (const auto& [slice, part] : tensor.parts) {
      entry.size += static_cast<uint64_t>(part.bytes());
      if (tensor.parts.size() > 1) entry.slices.push_back(slice);
    }
  }
  reader.older_ = std::make_shared<const CheckpointV1>(std::move(older));
  return reader;
}

absl::Status BundleReader::ReadHeader(absl::string_view value) {
  proto::BundleHeaderProto header;
  const std::string index = BundleIndexPath(prefix_);
  if (!header.ParseFromArray(value.data(), static_cast<int>(value.size())))
    return absl::DataLossError(absl::StrCat(index, ": the header is not a BundleHeaderProto"));
  if (header.num_shards() <= 0 || header.num_shards() > kMaxShards)
    return absl::DataLossError(absl::StrCat(index, ": the header says ", header.num_shards(), " data files"));
  if (header.endianness() != proto::BundleHeaderProto::LITTLE)
    return absl::UnimplementedError(absl::StrCat(index, ": the tensors are big-endian"));
  if (header.version().min_consumer() > kBundleVersion)
    return absl::UnimplementedError(absl::StrCat(index, ": needs a reader of version ", header.version().min_consumer(),
                                                 ", this is ", kBundleVersion));
  num_shards_ = header.num_shards();
  return absl::OkStatus();
}

absl::Status BundleReader::AddEntry(absl::string_view key, absl::string_view value) {
  if (!IsSliceKey(key) && key.size() > limits_.max_name_bytes)
    return absl::ResourceExhaustedError(
        absl::StrCat(prefix_, ": a tensor's name has ", key.size(), " bytes, the limit is ", limits_.max_name_bytes));
  absl::StatusOr<BundleEntry> parsed = ParseEntry(value);
  BundleEntry entry = parsed.ok() ? *std::move(parsed) : BundleEntry();
  if (!parsed.ok()) entry.damage = Damaged(key, parsed.status().message());
  if (entry.shard >= num_shards_)
    entry.damage = Damaged(key, absl::StrCat("it is in data file ", entry.shard, " of ", num_shards_));
  if (IsSliceKey(key) && !entry.slices.empty()) entry.damage = Damaged(key, "a slice has slices");
  // Keys come in order, so the end is the place.
  auto& entries = IsSliceKey(key) ? slices_ : tensors_;
  entries.emplace_hint(entries.end(), std::string(key), std::move(entry));
  return absl::OkStatus();
}

void BundleReader::OpenShards() {
  for (const auto* entries : {&tensors_, &slices_}) {
    for (const auto& [name, entry] : *entries) {
      if (!entry.damage.ok() || !entry.slices.empty() || shards_.count(entry.shard) > 0) continue;
      const std::string path = BundleDataPath(prefix_, entry.shard, num_shards_);
      Shard& shard = shards_[entry.shard];
      absl::StatusOr<uint64_t> size = env_->FileSize(path);
      absl::StatusOr<std::unique_ptr<RandomAccessFile>> file = env_->NewRandomAccessFile(path);
      shard.status = size.ok() ? file.status() : size.status();
      if (!shard.status.ok()) continue;
      shard.size = *size;
      shard.file = *std::move(file);
    }
  }
}

absl::Status BundleReader::CheckPlace(absl::string_view name, const BundleEntry& entry) const {
  SF_RETURN_IF_ERROR(shards_.at(entry.shard).status);
  const uint64_t file_size = shards_.at(entry.shard).size;
  if (entry.offset > file_size || entry.size > file_size - entry.offset)
    return CutOff(name, absl::StrCat(entry.size, " bytes at ", entry.offset, " do not fit into a data file of ",
                                     file_size, " bytes"));
  const int64_t elements = entry.shape.num_elements();
  const int element_size = DataTypeSize(entry.dtype);
  const std::string type = absl::StrCat(DataTypeName(entry.dtype), entry.shape.ToString());
  if (entry.dtype == DT_STRING) {
    // A string takes at least its length's byte; the checksum of the lengths takes four.
    if (entry.size < 4 || static_cast<uint64_t>(elements) > entry.size - 4)
      return Damaged(name, absl::StrCat(type, " does not fit into ", entry.size, " bytes"));
  } else if (element_size > 0 && !IsObject(entry.dtype)) {
    const int64_t bytes = MultiplySizes(elements, element_size);
    if (bytes == kTooLarge || static_cast<uint64_t>(bytes) != entry.size)
      return Damaged(name, absl::StrCat(type, " has ", entry.size, " bytes"));
  }
  if (static_cast<uint64_t>(MultiplySizes(elements, element_size)) > limits_.max_tensor_bytes)
    return absl::ResourceExhaustedError(absl::StrCat(prefix_, ": tensor '", name, "': ", type, " exceeds the limit of ",
                                                     limits_.max_tensor_bytes, " bytes"));
  return absl::OkStatus();
}

absl::StatusOr<const BundleEntry*> BundleReader::FindSlice(const std::string& name, const BundleEntry& entry,
                                                           const TensorSlice& slice) const {
  const auto it = slices_.find(BundleSliceKey(name, slice));
  if (it == slices_.end()) return Damaged(name, "a slice is missing");
  const BundleEntry& part = it->second;
  SF_RETURN_IF_ERROR(part.damage);
  const Shape shape = SliceShape(slice, entry.shape);
  if (part.dtype != entry.dtype || !(part.shape == shape))
    return Damaged(name, absl::StrCat("a slice is ", DataTypeName(part.dtype), part.shape.ToString(), " instead of ",
                                      DataTypeName(entry.dtype), shape.ToString()));
  return &part;
}

absl::Status BundleReader::CheckSlices(const std::string& name, const BundleEntry& entry) const {
  std::vector<const TensorSlice*> sorted;
  for (const TensorSlice& slice : entry.slices) {
    if (!InsideOf(slice, entry.shape)) return Damaged(name, "a slice reaches beyond the tensor");
    if (SliceShape(slice, entry.shape).num_elements() > 0) sorted.push_back(&slice);
  }
  // Disjoint boxes with as many elements as the tensor cover it. Few files have many slices, and those are cut along
  // the first dimension, where comparing neighbours is enough.
  const auto start = [](const TensorSlice* slice) { return slice->starts.empty() ? 0 : slice->starts[0]; };
  std::sort(sorted.begin(), sorted.end(), [&](auto* a, auto* b) { return start(a) < start(b); });
  constexpr size_t kMaxComparisons = 1'000'000;
  size_t comparisons = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    for (size_t j = i + 1; j < sorted.size(); ++j) {
      if (!entry.shape.IsScalar() && start(sorted[j]) >= start(sorted[i]) + SliceLength(*sorted[i], entry.shape, 0))
        break;
      if (Overlap(*sorted[i], *sorted[j], entry.shape)) return Damaged(name, "slices overlap");
      if (++comparisons > kMaxComparisons)
        return absl::ResourceExhaustedError(absl::StrCat(prefix_, ": tensor '", name, "': too many slices"));
    }
  }
  return absl::OkStatus();
}

absl::Status BundleReader::ReadAndCheck(absl::string_view name, const BundleEntry& entry, char* bytes) const {
  SF_ASSIGN_OR_RETURN(const size_t got, shards_.at(entry.shard).file->Read(entry.offset, entry.size, bytes));
  if (got != entry.size) return CutOff(name, "the data file became shorter while being read");
  if (crc32c::Value(absl::string_view(bytes, entry.size)) != entry.crc)
    return Damaged(name, "the checksum of its bytes is wrong");
  return absl::OkStatus();
}

absl::Status BundleReader::ReadStrings(absl::string_view name, const BundleEntry& entry, Tensor* tensor) const {
  std::string bytes(entry.size, '\0');
  SF_ASSIGN_OR_RETURN(const size_t got, shards_.at(entry.shard).file->Read(entry.offset, entry.size, bytes.data()));
  if (got != entry.size) return CutOff(name, "the data file became shorter while being read");
  absl::string_view input = bytes;
  std::vector<uint64_t> lengths(static_cast<size_t>(entry.shape.num_elements()));
  uint32_t crc = 0;
  for (uint64_t& length : lengths) {
    if (!GetVarint64(&input, &length)) return Damaged(name, "a string's length is damaged");
    std::string fixed;
    PutFixed(&fixed, length, length <= 0xffffffffu ? 4 : 8);
    crc = crc32c::Extend(crc, fixed);
  }
  if (input.size() < 4 || crc32c::Unmask(DecodeFixed32(input.data())) != crc)
    return Damaged(name, "the checksum of its strings' lengths is wrong");
  crc = crc32c::Extend(crc, input);
  if (crc != entry.crc) return Damaged(name, "the checksum of its strings is wrong");
  input.remove_prefix(4);
  if (tensor != nullptr) {
    SF_ASSIGN_OR_RETURN(*tensor, Tensor::Create(DT_STRING, entry.shape));
  }
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] > input.size()) return Damaged(name, "its strings are longer than its bytes");
    if (tensor != nullptr) tensor->data<std::string>()[i] = std::string(input.substr(0, lengths[i]));
    input.remove_prefix(lengths[i]);
  }
  return input.empty() ? absl::OkStatus() : Damaged(name, "bytes follow its strings");
}

absl::StatusOr<Tensor> BundleReader::ReadWhole(absl::string_view name, const BundleEntry& entry) const {
  if (DataTypeSize(entry.dtype) == 0 || (IsObject(entry.dtype) && entry.dtype != DT_STRING))
    return absl::UnimplementedError(absl::StrCat(prefix_, ": tensor '", name, "' has the dtype ",
                                                 DataTypeName(entry.dtype), ", number ", int{entry.dtype}));
  Tensor tensor;
  if (entry.dtype == DT_STRING) {
    SF_RETURN_IF_ERROR(ReadStrings(name, entry, &tensor));
    return tensor;
  }
  SF_ASSIGN_OR_RETURN(tensor, Tensor::Create(entry.dtype, entry.shape));
  SF_RETURN_IF_ERROR(ReadAndCheck(name, entry, static_cast<char*>(tensor.raw())));
  return tensor;
}

absl::StatusOr<Tensor> BundleReader::ReadPartitioned(const std::string& name, const BundleEntry& entry,
                                                     const TensorSlice& slice) const {
  const auto bad = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(prefix_, ": tensor '", absl::CEscape(name), "': ", what));
  };
  if (!InsideOf(slice, entry.shape)) return bad("what is asked for reaches beyond it");
  const Shape shape = SliceShape(slice, entry.shape);
  int64_t there = 0;
  for (const TensorSlice& part : entry.slices) there = AddSizes(there, SliceShape(part, entry.shape).num_elements());
  if (there < shape.num_elements()) return bad("its slices do not cover what is asked for");
  SF_ASSIGN_OR_RETURN(Tensor box, Tensor::Create(entry.dtype, shape));
  int64_t covered = 0;
  for (const TensorSlice& part_slice : entry.slices) {
    if (!Overlap(part_slice, slice, entry.shape)) continue;
    SF_ASSIGN_OR_RETURN(const BundleEntry* part_entry, FindSlice(name, entry, part_slice));
    SF_ASSIGN_OR_RETURN(const Tensor part, ReadWhole(name, *part_entry));
    covered += CopyCommon(part, part_slice, slice, entry.shape, &box);
  }
  if (covered != shape.num_elements()) return bad("its slices do not cover what is asked for");
  return box;
}

absl::StatusOr<Tensor> BundleReader::Read(const std::string& name) const {
  const auto it = tensors_.find(name);
  return Read(name, TensorSlice::Whole(it == tensors_.end() ? 0 : it->second.shape.rank()));
}

absl::StatusOr<Tensor> BundleReader::Read(const std::string& name, const TensorSlice& slice) const {
  const auto it = tensors_.find(name);
  if (it == tensors_.end())
    return absl::NotFoundError(absl::StrCat(prefix_, ": the checkpoint has no tensor '", name, "'"));
  if (older_ != nullptr) return older_->Read(name, slice);
  const BundleEntry& entry = it->second;
  SF_RETURN_IF_ERROR(entry.damage);
  if (!entry.slices.empty()) return ReadPartitioned(name, entry, slice);
  SF_ASSIGN_OR_RETURN(Tensor whole, ReadWhole(name, entry));
  const TensorSlice all = TensorSlice::Whole(entry.shape.rank());
  if (slice.starts == all.starts && slice.lengths == all.lengths) return whole;
  if (!InsideOf(slice, entry.shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat(prefix_, ": tensor '", absl::CEscape(name), "': what is asked for reaches beyond it"));
  }
  SF_ASSIGN_OR_RETURN(Tensor box, Tensor::Create(entry.dtype, SliceShape(slice, entry.shape)));
  CopyCommon(whole, all, slice, entry.shape, &box);
  return box;
}

absl::Status BundleReader::VerifySizes() const {
  for (const auto* entries : {&tensors_, &slices_}) {
    for (const auto& [name, entry] : *entries) {
      SF_RETURN_IF_ERROR(entry.damage);
      if (older_ != nullptr) continue;
      for (const TensorSlice& slice : entry.slices) SF_RETURN_IF_ERROR(FindSlice(name, entry, slice).status());
    }
  }
  return absl::OkStatus();
}

absl::Status BundleReader::Verify() const {
  SF_RETURN_IF_ERROR(VerifySizes());
  if (older_ != nullptr) return absl::OkStatus();  // Open has read every byte
  std::string chunk;
  for (const auto* entries : {&tensors_, &slices_}) {
    for (const auto& [name, entry] : *entries) {
      if (!entry.slices.empty()) continue;
      if (entry.dtype == DT_STRING) {
        SF_RETURN_IF_ERROR(ReadStrings(name, entry, nullptr));
        continue;
      }
      uint32_t crc = 0;
      for (uint64_t done = 0; done < entry.size; done += chunk.size()) {
        chunk.resize(std::min(kVerifyChunk, entry.size - done));
        SF_ASSIGN_OR_RETURN(const size_t got,
                            shards_.at(entry.shard).file->Read(entry.offset + done, chunk.size(), chunk.data()));
        if (got != chunk.size()) return Damaged(name, "the data file became shorter while being read");
        crc = crc32c::Extend(crc, chunk);
      }
      if (crc != entry.crc) return Damaged(name, "the checksum of its bytes is wrong");
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyBundle(Env* env, const std::string& prefix, const BundleLimits& limits) {
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(env, prefix, limits));
  return reader.Verify();
}

}  // namespace staticflow
