#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "graph/status.h"
#include "proto/tensor_bundle.pb.h"
#include "runtime/io/bundle.h"
#include "runtime/io/coding.h"
#include "runtime/io/crc32c.h"
#include "runtime/io/table.h"

namespace staticflow {
namespace {

// Order-preserving codes, as TensorFlow's keys of slices use them.
// A number >= 0: how many bytes it has, then those bytes, the highest first.
void PutOrderedNumber(std::string* out, uint64_t value) {
  int bytes = 0;
  while (bytes < 8 && value >> (8 * bytes) != 0) ++bytes;
  out->push_back(static_cast<char>(bytes));
  for (int i = bytes - 1; i >= 0; --i) out->push_back(static_cast<char>(value >> (8 * i)));
}

// A string: 0 becomes (0, 255), 255 becomes (255, 0), the end is (0, 1).
void PutOrderedString(std::string* out, absl::string_view text) {
  for (char c : text) {
    out->push_back(c);
    if (c == '\0') out->push_back('\xff');
    if (c == '\xff') out->push_back('\0');
  }
  out->append("\0\1", 2);
}

// A signed number: n bytes hold 7 * n bits in two's complement, the highest first; the n ones before them are inverted
// for negative numbers, as the sign bit is.
void PutOrderedSigned(std::string* out, int64_t value) {
  const uint64_t magnitude = static_cast<uint64_t>(value < 0 ? ~value : value);
  int n = 1;
  while (n < 10 && magnitude >> (7 * n - 1) != 0) ++n;
  std::string bytes(static_cast<size_t>(n), value < 0 ? '\xff' : '\0');
  for (int i = 0; i < std::min(n, 8); ++i)
    bytes[static_cast<size_t>(n - 1 - i)] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  for (int i = 0; i < n; ++i)
    bytes[static_cast<size_t>(i / 8)] = static_cast<char>(bytes[static_cast<size_t>(i / 8)] ^ (0x80 >> (i % 8)));
  *out += bytes;
}

std::string SerializeEntry(const BundleEntry& entry) {
  proto::BundleEntryProto message;
  message.set_dtype(static_cast<proto::DataType>(entry.dtype));
  auto* shape = message.mutable_shape();
  for (int64_t size : entry.shape.dims()) shape->add_dim()->set_size(size);
  message.set_shard_id(entry.shard);
  message.set_offset(static_cast<int64_t>(entry.offset));
  message.set_size(static_cast<int64_t>(entry.size));
  if (entry.slices.empty()) message.set_crc32c(crc32c::Mask(entry.crc));
  for (const TensorSlice& slice : entry.slices) {
    auto* box = message.add_slices();
    for (size_t d = 0; d < slice.starts.size(); ++d) {
      auto* extent = box->add_extent();
      if (slice.lengths[d] < 0) continue;
      extent->set_start(slice.starts[d]);
      extent->set_length(slice.lengths[d]);
    }
  }
  return message.SerializeAsString();
}

// All data files of `prefix`, whatever their number.
absl::StatusOr<std::vector<std::string>> DataFiles(Env* env, const std::string& prefix) {
  const std::string dir = DirName(prefix), start = BaseName(prefix) + ".data-";
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> names, env->ListDir(dir));
  std::vector<std::string> files;
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, start)) continue;
    const std::string rest = name.substr(start.size());  // 00000-of-00001
    const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    const size_t of = rest.find("-of-");
    if (of == std::string::npos || of == 0 || of + 4 == rest.size()) continue;
    const auto middle = rest.begin() + static_cast<ptrdiff_t>(of);
    if (std::all_of(rest.begin(), middle, is_digit) && std::all_of(middle + 4, rest.end(), is_digit))
      files.push_back(JoinPath(dir, name));
  }
  return files;
}

// Gives the file a second name, or a copy where the file system has no hard links.
absl::Status LinkOrCopy(Env* env, const std::string& from, const std::string& to) {
  const absl::Status linked = env->HardLink(from, to);
  if (linked.code() != absl::StatusCode::kUnimplemented && linked.code() != absl::StatusCode::kPermissionDenied)
    return linked;
  SF_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(env, from, ~uint64_t{0}));
  return ReplaceFile(env, to, bytes);
}

absl::Status RemoveIfThere(Env* env, const std::string& path) {
  const absl::Status removed = env->Remove(path);
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

// The index goes first: without it the data files are no checkpoint.
absl::Status RemovePair(Env* env, const std::string& prefix) {
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> data_files, DataFiles(env, prefix));
  SF_RETURN_IF_ERROR(RemoveIfThere(env, BundleIndexPath(prefix)));
  for (const std::string& path : data_files) SF_RETURN_IF_ERROR(RemoveIfThere(env, path));
  return absl::OkStatus();
}

}  // namespace

std::string BundleIndexPath(absl::string_view prefix) { return absl::StrCat(prefix, ".index"); }

std::string BundleDataPath(absl::string_view prefix, int shard, int num_shards) {
  return absl::StrFormat("%s.data-%05d-of-%05d", prefix, shard, num_shards);
}

std::string BundlePreviousPrefix(absl::string_view prefix) { return absl::StrCat(prefix, ".previous"); }

std::string BundleSliceKey(absl::string_view name, const TensorSlice& slice) {
  std::string key;
  PutOrderedNumber(&key, 0);
  PutOrderedString(&key, name);
  PutOrderedNumber(&key, slice.starts.size());
  for (size_t d = 0; d < slice.starts.size(); ++d) {
    PutOrderedSigned(&key, slice.starts[d]);
    PutOrderedSigned(&key, slice.lengths[d]);
  }
  return key;
}

BundleWriter::BundleWriter(Env* env, std::string prefix)
    : env_(env), prefix_(std::move(prefix)), temporary_(TemporaryName(prefix_)) {}

BundleWriter::~BundleWriter() {
  if (!finished_) RemoveTemporaries();
}

void BundleWriter::RemoveTemporaries() {
  data_.reset();
  env_->Remove(BundleDataPath(temporary_, 0, 1)).IgnoreError();
  env_->Remove(BundleIndexPath(temporary_)).IgnoreError();
}

absl::Status BundleWriter::Reserve(uint64_t bytes) {
  SF_RETURN_IF_ERROR(env_->CreateDir(DirName(prefix_)));
  SF_ASSIGN_OR_RETURN(const uint64_t free, env_->FreeBytes(DirName(prefix_)));
  if (free < bytes)
    return absl::ResourceExhaustedError(
        absl::StrCat(prefix_, ": saving needs ", bytes, " bytes, the file system has ", free, " left"));
  return absl::OkStatus();
}

absl::Status BundleWriter::CheckName(const std::string& name) const {
  if (finished_) return absl::FailedPreconditionError(absl::StrCat(prefix_, ": the checkpoint is finished"));
  const bool bad = name.empty() || name[0] == '\0' || name.size() > BundleLimits().max_name_bytes;
  if (bad)
    return absl::InvalidArgumentError(absl::StrCat(prefix_, ": '", name, "' cannot name a tensor in a checkpoint"));
  return absl::OkStatus();
}

absl::Status BundleWriter::Start() {
  if (data_ != nullptr) return absl::OkStatus();
  SF_RETURN_IF_ERROR(env_->CreateDir(DirName(prefix_)));
  SF_ASSIGN_OR_RETURN(data_, env_->NewWritableFile(BundleDataPath(temporary_, 0, 1)));
  return absl::OkStatus();
}

absl::Status BundleWriter::Append(absl::string_view bytes, BundleEntry* entry) {
  entry->crc = crc32c::Extend(entry->crc, bytes);
  entry->size += bytes.size();
  offset_ += bytes.size();
  return bytes.empty() ? absl::OkStatus() : data_->Append(bytes);
}

// The lengths as varints, a checksum of the lengths as fixed-size numbers, the bytes. The entry's checksum goes over
// the fixed-size numbers, the stored checksum and the bytes.
absl::Status BundleWriter::AppendStrings(const Tensor& tensor, BundleEntry* entry) {
  std::string lengths, fixed;
  for (const std::string& text : tensor.flat<std::string>()) {
    PutVarint64(&lengths, text.size());
    PutFixed(&fixed, text.size(), text.size() <= 0xffffffffu ? 4 : 8);
  }
  SF_RETURN_IF_ERROR(Append(lengths, entry));
  entry->crc = crc32c::Value(fixed);
  std::string checksum;
  PutFixed32(&checksum, crc32c::Mask(entry->crc));
  SF_RETURN_IF_ERROR(Append(checksum, entry));
  for (const std::string& text : tensor.flat<std::string>()) SF_RETURN_IF_ERROR(Append(text, entry));
  return absl::OkStatus();
}

absl::Status BundleWriter::AppendTensor(const std::string& key, const Tensor& tensor) {
  if (DataTypeSize(tensor.dtype()) == 0 || tensor.dtype() == DT_RESOURCE)
    return absl::InvalidArgumentError(absl::StrCat(prefix_, ": a tensor of dtype ", DataTypeName(tensor.dtype()),
                                                   " cannot be saved in a checkpoint"));
  if (entries_.count(key) > 0)
    return absl::InvalidArgumentError(absl::StrCat(prefix_, ": tensor '", key, "' is saved twice"));
  SF_RETURN_IF_ERROR(status_);
  BundleEntry entry;
  entry.dtype = tensor.dtype();
  entry.shape = tensor.shape();
  entry.offset = offset_;
  status_ = Start();
  if (status_.ok()) {
    status_ = tensor.dtype() == DT_STRING
                  ? AppendStrings(tensor, &entry)
                  : Append({static_cast<const char*>(tensor.raw()), static_cast<size_t>(tensor.bytes())}, &entry);
  }
  if (status_.ok()) entries_[key] = std::move(entry);
  return status_;
}

absl::Status BundleWriter::Add(const std::string& name, const Tensor& tensor) {
  SF_RETURN_IF_ERROR(CheckName(name));
  return AppendTensor(name, tensor);
}

absl::Status BundleWriter::AddSlice(const std::string& name, const Shape& full_shape, const TensorSlice& slice,
                                    const Tensor& tensor) {
  SF_RETURN_IF_ERROR(CheckName(name));
  const auto it = entries_.find(name);
  const size_t rank = static_cast<size_t>(full_shape.rank());
  if (!full_shape.IsFullyDefined() || slice.starts.size() != rank || slice.lengths.size() != rank ||
      (it != entries_.end() &&
       (it->second.slices.empty() || it->second.dtype != tensor.dtype() || !(it->second.shape == full_shape))))
    return absl::InvalidArgumentError(absl::StrCat(prefix_, ": a slice of '", name, "' does not agree with ",
                                                   full_shape.ToString(), " or other slices"));
  SF_RETURN_IF_ERROR(AppendTensor(BundleSliceKey(name, slice), tensor));
  BundleEntry& full = entries_[name];
  full.dtype = tensor.dtype();
  full.shape = full_shape;
  full.slices.push_back(slice);
  return absl::OkStatus();
}

absl::Status BundleWriter::WriteIndex() {
  SF_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, env_->NewWritableFile(BundleIndexPath(temporary_)));
  TableWriter table(file.get());
  proto::BundleHeaderProto header;
  header.set_num_shards(1);
  header.mutable_version()->set_producer(1);
  SF_RETURN_IF_ERROR(table.Add("", header.SerializeAsString()));
  for (const auto& [key, entry] : entries_) SF_RETURN_IF_ERROR(table.Add(key, SerializeEntry(entry)));
  SF_RETURN_IF_ERROR(table.Finish());
  SF_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

// Makes sure that a whole older checkpoint has a durable second name; `kept` receives the files of that name.
absl::Status BundleWriter::KeepPrevious(std::vector<std::string>* kept) {
  const std::string previous = BundlePreviousPrefix(prefix_);
  SF_ASSIGN_OR_RETURN(const bool leftover, env_->FileExists(BundleIndexPath(previous)));
  if (leftover) {
    // An earlier save was interrupted. What it left is needed unless the pair under the real name is whole.
    const absl::StatusOr<BundleReader> reader = BundleReader::Open(env_, prefix_);
    if (!reader.ok() || reader->prefix() == previous || !reader->VerifySizes().ok()) {
      SF_ASSIGN_OR_RETURN(*kept, DataFiles(env_, previous));
      return absl::OkStatus();
    }
  }
  SF_RETURN_IF_ERROR(RemovePair(env_, previous));
  SF_ASSIGN_OR_RETURN(const bool exists, env_->FileExists(BundleIndexPath(prefix_)));
  if (!exists) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> data_files, DataFiles(env_, prefix_));
  for (const std::string& path : data_files) {
    kept->push_back(previous + path.substr(path.rfind(".data-")));
    SF_RETURN_IF_ERROR(LinkOrCopy(env_, path, kept->back()));
  }
  SF_RETURN_IF_ERROR(LinkOrCopy(env_, BundleIndexPath(prefix_), BundleIndexPath(previous)));
  return env_->SyncDir(DirName(prefix_));
}

absl::Status BundleWriter::RenamePair(bool has_old_data) {
  const std::string data = BundleDataPath(prefix_, 0, 1);
  SF_RETURN_IF_ERROR(env_->Rename(BundleDataPath(temporary_, 0, 1), data));
  const absl::Status renamed = env_->Rename(BundleIndexPath(temporary_), BundleIndexPath(prefix_));
  if (renamed.ok()) return absl::OkStatus();
  // Back to the old data file, through a link, so that the previous pair stays whole meanwhile.
  const std::string old_data = BundleDataPath(BundlePreviousPrefix(prefix_), 0, 1);
  const std::string step = BundleDataPath(temporary_, 0, 1);
  const absl::Status linked = has_old_data ? LinkOrCopy(env_, old_data, step) : absl::OkStatus();
  if (linked.ok()) (has_old_data ? env_->Rename(step, data) : env_->Remove(data)).IgnoreError();
  return renamed;
}

// After a failure: the previous pair goes if the one under the real name is whole and durable.
void BundleWriter::DropPrevious() {
  const std::string previous = BundlePreviousPrefix(prefix_);
  const absl::StatusOr<bool> exists = env_->FileExists(BundleIndexPath(previous));
  if (!exists.ok()) return;
  if (*exists) {
    const absl::StatusOr<BundleReader> reader = BundleReader::Open(env_, prefix_);
    if (!reader.ok() || reader->prefix() == previous || !reader->Verify().ok()) return;
    if (!env_->SyncDir(DirName(prefix_)).ok()) return;
  }
  RemovePair(env_, previous).IgnoreError();
}

absl::Status BundleWriter::Finish() {
  if (finished_) return absl::FailedPreconditionError(absl::StrCat(prefix_, ": the checkpoint is finished"));
  std::vector<std::string> kept;
  const auto prepare = [&]() -> absl::Status {
    SF_RETURN_IF_ERROR(status_);
    SF_RETURN_IF_ERROR(Start());
    SF_RETURN_IF_ERROR(data_->Sync());
    SF_RETURN_IF_ERROR(data_->Close());
    SF_RETURN_IF_ERROR(WriteIndex());
    SF_ASSIGN_OR_RETURN(const BundleReader written, BundleReader::Open(env_, temporary_));
    SF_RETURN_IF_ERROR(written.VerifySizes());
    SF_RETURN_IF_ERROR(KeepPrevious(&kept));
    return RenamePair(absl::c_linear_search(kept, BundleDataPath(BundlePreviousPrefix(prefix_), 0, 1)));
  };
  status_ = prepare();
  if (!status_.ok()) {
    RemoveTemporaries();
    DropPrevious();
    return status_;
  }
  finished_ = true;
  SF_RETURN_IF_ERROR(env_->SyncDir(DirName(prefix_)));
  // From here the new checkpoint is durable; what could not be removed of the older one does no harm.
  if (!kept.empty() && RemovePair(env_, BundlePreviousPrefix(prefix_)).ok())
    env_->SyncDir(DirName(prefix_)).IgnoreError();
  return absl::OkStatus();
}

absl::Status DeleteBundle(Env* env, const std::string& prefix) {
  SF_ASSIGN_OR_RETURN(const bool exists, env->FileExists(BundleIndexPath(prefix)));
  SF_RETURN_IF_ERROR(RemovePair(env, BundlePreviousPrefix(prefix)));
  SF_RETURN_IF_ERROR(RemovePair(env, prefix));
  if (!exists) return absl::NotFoundError(absl::StrCat(prefix, ": there is no such checkpoint"));
  return absl::OkStatus();
}

}  // namespace staticflow
