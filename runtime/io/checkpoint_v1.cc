#include "runtime/io/checkpoint_v1.h"

#include <algorithm>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "graph/status.h"
#include "graph/tensor_proto.h"
#include "proto/saved_tensor_slice.pb.h"
#include "runtime/io/table.h"

namespace staticflow {
namespace {

constexpr int kProducer = 1;  // TensorFlow's version of this format, and the reader that it needs

// ---- Elements: this format has them in the field of their type, and nothing else in the message ----

// The number of values in the field of `dtype`; -1 for a type that the format does not have.
int64_t CountValues(const proto::TensorProto& m, DataType dtype) {
  switch (dtype) {
    case DT_FLOAT:
      return m.float_val_size();
    case DT_DOUBLE:
      return m.double_val_size();
    case DT_INT8:
    case DT_INT16:
    case DT_INT32:
    case DT_UINT8:
    case DT_UINT16:
      return m.int_val_size();
    case DT_INT64:
      return m.int64_val_size();
    case DT_BOOL:
      return m.bool_val_size();
    case DT_HALF:
      return m.half_val_size();
    case DT_STRING:
      return m.string_val_size();
    default:
      return -1;
  }
}
bool HasType(DataType dtype) { return CountValues(proto::TensorProto(), dtype) == 0; }

void AddValues(const Tensor& tensor, proto::TensorProto* m) {
  const int64_t n = tensor.num_elements();
  const auto all = [&]<typename T>(auto add) {
    for (int64_t i = 0; i < n; ++i) add(tensor.data<T>()[i]);
  };
  if (tensor.dtype() == DT_FLOAT) m->mutable_float_val()->Reserve(static_cast<int>(n));
  if (tensor.dtype() == DT_FLOAT) all.template operator()<float>([m](float x) { m->add_float_val(x); });
  if (tensor.dtype() == DT_DOUBLE) all.template operator()<double>([m](double x) { m->add_double_val(x); });
  if (tensor.dtype() == DT_INT64) all.template operator()<int64_t>([m](int64_t x) { m->add_int64_val(x); });
  if (tensor.dtype() == DT_BOOL) all.template operator()<bool>([m](bool x) { m->add_bool_val(x); });
  if (tensor.dtype() == DT_HALF) all.template operator()<Half>([m](Half x) { m->add_half_val(x.bits); });
  if (tensor.dtype() == DT_STRING) {
    all.template operator()<std::string>([m](const std::string& x) { m->add_string_val(x); });
  }
  DispatchType<int8_t, int16_t, int32_t, uint8_t, uint16_t>(
      tensor.dtype(), [&]<typename T>() { all.template operator()<T>([m](T x) { m->add_int_val(x); }); });
}

// ---- Names and slices ----

// Names are strings of messages, which hold UTF-8 alone.
bool IsUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t k) { return static_cast<uint8_t>(text[i + k]); };
    const uint8_t lead = byte(0);
    const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length == 0 || text.size() - i < length) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((byte(k) & 0xc0) != 0x80) return false;
    }
    // Longer than need be, half of a pair of 16-bit units, or beyond the last code point.
    if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf0 && byte(1) < 0x90) ||
        (lead == 0xf4 && byte(1) >= 0x90)) {
      return false;
    }
    i += length;
  }
  return true;
}

void SetSlice(const TensorSlice& slice, proto::TensorSliceProto* message) {
  for (size_t d = 0; d < slice.starts.size(); ++d) {
    auto* extent = message->add_extent();
    if (slice.lengths[d] < 0) continue;
    extent->set_start(slice.starts[d]);
    extent->set_length(slice.lengths[d]);
  }
}

// The slice in a tensor of shape `full`, which one without extents is all of.
absl::StatusOr<TensorSlice> ReadSlice(const proto::TensorSliceProto& message, const Shape& full) {
  if (message.extent_size() == 0) return TensorSlice::Whole(full.rank());
  TensorSlice slice;
  for (const auto& extent : message.extent()) {
    if (extent.has_length() && extent.length() < 0) return absl::DataLossError("it has a slice of negative length");
    slice.starts.push_back(extent.start());
    slice.lengths.push_back(extent.has_length() ? extent.length() : -1);
  }
  if (!InsideOf(slice, full)) return absl::DataLossError("a slice reaches beyond the tensor");
  return slice;
}

bool Matches(absl::string_view pattern, absl::string_view name) {
  size_t p = 0, n = 0, star = absl::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> CheckpointV1Files(Env* env, const std::string& pattern) {
  const std::string dir = DirName(pattern), last = BaseName(pattern);
  if (last.find_first_of("*?") == std::string::npos) {
    return env->FileSize(pattern).ok() ? std::vector<std::string>{pattern} : std::vector<std::string>();
  }
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> names, env->ListDir(dir));
  std::vector<std::string> files;
  for (const std::string& name : names) {
    if (Matches(last, name)) files.push_back(JoinPath(dir, name));
  }
  return files;
}

// ---- Reading ----

namespace {

// Parts of a tensor do not overlap, and are not so many that finding that out takes long.
absl::Status CheckNewPart(const std::string& path, const std::string& name, const PartitionedTensor& tensor,
                          const TensorSlice& slice) {
  constexpr size_t kMaxParts = 4096;
  if (tensor.parts.size() >= kMaxParts) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": tensor '", absl::CEscape(name), "': too many slices"));
  }
  for (const auto& [other, part] : tensor.parts) {
    if (Overlap(slice, other, tensor.shape) && part.num_elements() > 0) {
      return absl::DataLossError(absl::StrCat(path, ": tensor '", absl::CEscape(name), "': slices overlap"));
    }
  }
  return absl::OkStatus();
}

// The tensors of one file.
class FileReader {
 public:
  FileReader(const std::string& path, const CheckpointV1Options& options)
      : path_(path), limits_(options.limits), wanted_(options.only.empty() ? "" : BundleSliceKey(options.only, {})) {
    if (!wanted_.empty()) wanted_.pop_back();  // the number of dimensions
  }

  absl::Status Read(Env* env) {
    const TableLimits limits = {.max_block_bytes = uint64_t{1} << 32,
                                .max_entries = limits_.max_entries,
                                .max_key_bytes = 2 * limits_.max_name_bytes + 1024};
    bool first = true;
    SF_RETURN_IF_ERROR(ScanTable(env, path_, limits, [&](absl::string_view key, absl::string_view value) {
      if (!first && !absl::StartsWith(key, wanted_)) return absl::OkStatus();
      proto::SavedTensorSlices message;
      if (value.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
          !message.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
        return Damaged(key, "its entry is not a SavedTensorSlices");
      }
      if (!std::exchange(first, false)) return AddPart(message.data());
      return key.empty() ? ReadMeta(message.meta()) : Damaged(key, "the list of tensors is missing");
    }));
    return first ? Damaged("", "the list of tensors is missing") : absl::OkStatus();
  }

  std::map<std::string, PartitionedTensor>& tensors() { return tensors_; }

 private:
  absl::Status Damaged(absl::string_view name, absl::string_view what) const {
    return absl::DataLossError(absl::StrCat(path_, ": tensor '", absl::CEscape(name), "': ", what));
  }

  absl::Status ReadMeta(const proto::SavedTensorSliceMeta& meta) {
    if (meta.versions().min_consumer() > kProducer) {
      return absl::UnimplementedError(
          absl::StrCat(path_, ": needs a reader of version ", meta.versions().min_consumer(), ", this is ", kProducer));
    }
    for (const auto& listed : meta.tensor()) {
      if (listed.name().size() > limits_.max_name_bytes) {
        return absl::ResourceExhaustedError(absl::StrCat(path_, ": a tensor's name has ", listed.name().size(),
                                                         " bytes, the limit is ", limits_.max_name_bytes));
      }
      const absl::StatusOr<Shape> shape = ShapeFromProto(listed.shape());
      if (!shape.ok() || !shape->IsFullyDefined()) return Damaged(listed.name(), "its shape is not valid");
      PartitionedTensor& tensor = tensors_[listed.name()];
      tensor.dtype = static_cast<DataType>(listed.type());
      tensor.shape = *shape;
    }
    return absl::OkStatus();
  }

  absl::Status AddPart(const proto::SavedSlice& saved) {
    const auto it = tensors_.find(saved.name());
    if (it == tensors_.end()) return Damaged(saved.name(), "it is not in the list of tensors");
    PartitionedTensor& tensor = it->second;
    if (!HasType(tensor.dtype)) {
      return absl::UnimplementedError(absl::StrCat(path_, ": tensor '", saved.name(), "' has the dtype ",
                                                   DataTypeName(tensor.dtype), ", number ", int{tensor.dtype}));
    }
    const absl::StatusOr<TensorSlice> slice = ReadSlice(saved.slice(), tensor.shape);
    if (!slice.ok()) return Damaged(saved.name(), slice.status().message());
    const Shape shape = SliceShape(*slice, tensor.shape);
    if (CountValues(saved.data(), tensor.dtype) != shape.num_elements()) {
      return Damaged(saved.name(), absl::StrCat("a slice of shape ", shape.ToString(), " has ",
                                                CountValues(saved.data(), tensor.dtype), " values"));
    }
    SF_RETURN_IF_ERROR(CheckNewPart(path_, saved.name(), tensor, *slice));
    proto::TensorProto message = saved.data();
    message.set_dtype(static_cast<proto::DataType>(tensor.dtype));
    *message.mutable_tensor_shape() = ShapeToProto(shape);
    absl::StatusOr<Tensor> part =
        TensorFromProto(message, {.max_bytes = static_cast<int64_t>(limits_.max_tensor_bytes)});
    if (!part.ok()) return Damaged(saved.name(), part.status().message());
    tensor.parts.emplace_back(*slice, *std::move(part));
    return absl::OkStatus();
  }

  const std::string& path_;
  const BundleLimits& limits_;
  std::string wanted_;  // how the keys start whose values are read
  std::map<std::string, PartitionedTensor> tensors_;
};

}  // namespace

absl::Status CheckpointV1::AddFile(Env* env, const std::string& file, const CheckpointV1Options& options) {
  FileReader reader(file, options);
  SF_RETURN_IF_ERROR(reader.Read(env));
  for (auto& [name, tensor] : reader.tensors()) {
    const auto [it, is_new] = tensors_.try_emplace(name, tensor);
    if (is_new) continue;
    if (it->second.dtype != tensor.dtype || !(it->second.shape == tensor.shape)) {
      return absl::DataLossError(absl::StrCat(file, ": tensor '", absl::CEscape(name), "' is ",
                                              DataTypeName(tensor.dtype), tensor.shape.ToString(), ", in another file ",
                                              DataTypeName(it->second.dtype), it->second.shape.ToString()));
    }
    for (auto& part : tensor.parts) {
      SF_RETURN_IF_ERROR(CheckNewPart(file, name, it->second, part.first));
      it->second.parts.push_back(std::move(part));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckpointV1> CheckpointV1::Open(Env* env, absl::Span<const std::string> files,
                                                const CheckpointV1Options& options) {
  CheckpointV1 checkpoint;
  if (files.empty()) return absl::NotFoundError("there are no files of a checkpoint");
  checkpoint.first_file_ = files[0];
  for (const std::string& file : files) SF_RETURN_IF_ERROR(checkpoint.AddFile(env, file, options));
  return checkpoint;
}

absl::StatusOr<const PartitionedTensor*> CheckpointV1::Find(const std::string& name) const {
  const auto it = tensors_.find(name);
  if (it != tensors_.end()) return &it->second;
  return absl::NotFoundError(absl::StrCat(first_file_, ": the checkpoint has no tensor '", name, "'"));
}

absl::StatusOr<Tensor> CheckpointV1::Read(const std::string& name) const {
  SF_ASSIGN_OR_RETURN(const PartitionedTensor* tensor, Find(name));
  return Read(name, TensorSlice::Whole(tensor->shape.rank()));
}

absl::StatusOr<Tensor> CheckpointV1::Read(const std::string& name, const TensorSlice& slice) const {
  SF_ASSIGN_OR_RETURN(const PartitionedTensor* tensor, Find(name));
  if (!InsideOf(slice, tensor->shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the slice is not inside of ", name, ", which has shape ", tensor->shape.ToString()));
  }
  const Shape shape = SliceShape(slice, tensor->shape);
  if (tensor->parts.size() == 1 && shape == tensor->shape && tensor->parts[0].second.shape() == shape) {
    return tensor->parts[0].second;
  }
  // Parts of one tensor do not overlap, so that their sizes tell whether they can cover it before memory is taken.
  int64_t there = 0;
  for (const auto& [part_slice, part] : tensor->parts) there = AddSizes(there, part.num_elements());
  const absl::Status uncovered = absl::DataLossError(
      absl::StrCat(first_file_, ": the parts of tensor '", absl::CEscape(name), "' do not cover what is asked for"));
  if (there < shape.num_elements()) return uncovered;
  SF_ASSIGN_OR_RETURN(Tensor box, Tensor::Create(tensor->dtype, shape));
  int64_t copied = 0;
  for (const auto& [part_slice, part] : tensor->parts) {
    copied += CopyCommon(part, part_slice, slice, tensor->shape, &box);
  }
  if (copied < shape.num_elements()) return uncovered;
  return box;
}

// ---- Writing ----

absl::Status CheckpointV1Writer::Add(const std::string& name, const Tensor& tensor) {
  return AddSlice(name, tensor.shape(), TensorSlice::Whole(tensor.shape().rank()), tensor);
}

absl::Status CheckpointV1Writer::AddSlice(const std::string& name, const Shape& full_shape, const TensorSlice& slice,
                                          const Tensor& tensor) {
  const auto bad = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": tensor '", absl::CEscape(name), "': ", what));
  };
  if (name.empty() || name.size() > BundleLimits().max_name_bytes || !IsUtf8(name)) {
    return bad("it cannot have this name in a checkpoint");
  }
  if (!HasType(tensor.dtype())) {
    return absl::UnimplementedError(absl::StrCat(path_, ": tensor '", absl::CEscape(name),
                                                 "': the format does not have the type ",
                                                 DataTypeName(tensor.dtype())));
  }
  if (!InsideOf(slice, full_shape)) return bad(absl::StrCat("its slice is not inside of ", full_shape.ToString()));
  const Shape shape = SliceShape(slice, full_shape);
  if (!(tensor.shape() == shape)) {
    return bad(absl::StrCat("it has shape ", tensor.shape().ToString(), ", its slice ", shape.ToString()));
  }
  const auto [it, is_new] =
      tensors_.try_emplace(name, PartitionedTensor{.dtype = tensor.dtype(), .shape = full_shape, .parts = {}});
  PartitionedTensor& all = it->second;
  if (all.dtype != tensor.dtype() || !(all.shape == full_shape)) return bad("its parts differ in type or full shape");
  for (const auto& [other, part] : all.parts) {
    if (part.num_elements() == 0 || Overlap(slice, other, full_shape)) return bad("it is given twice");
  }
  all.parts.emplace_back(slice, tensor);
  return absl::OkStatus();
}

absl::Status CheckpointV1Writer::WriteTable(WritableFile* file) const {
  TableWriter table(file);
  proto::SavedTensorSlices list;
  std::map<std::string, std::pair<const std::string*, const std::pair<TensorSlice, Tensor>*>> parts;
  for (const auto& [name, tensor] : tensors_) {
    auto* listed = list.mutable_meta()->add_tensor();
    listed->set_name(name);
    *listed->mutable_shape() = ShapeToProto(tensor.shape);
    listed->set_type(static_cast<proto::DataType>(tensor.dtype));
    for (const auto& part : tensor.parts) {
      SetSlice(part.first, listed->add_slice());
      parts[BundleSliceKey(name, part.first)] = {&name, &part};
    }
  }
  list.mutable_meta()->mutable_versions()->set_producer(kProducer);
  SF_RETURN_IF_ERROR(table.Add("", list.SerializeAsString()));
  for (const auto& [key, part] : parts) {
    proto::SavedTensorSlices message;
    proto::SavedSlice* saved = message.mutable_data();
    saved->set_name(*part.first);
    SetSlice(part.second->first, saved->mutable_slice());
    AddValues(part.second->second, saved->mutable_data());
    if (message.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max())) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": tensor '", absl::CEscape(*part.first), "' exceeds the format's 2 GiB"));
    }
    SF_RETURN_IF_ERROR(table.Add(key, message.SerializeAsString()));
  }
  return table.Finish();
}

absl::Status CheckpointV1Writer::Finish() {
  SF_RETURN_IF_ERROR(env_->CreateDir(DirName(path_)));
  const std::string temporary = TemporaryName(path_);
  const absl::Status written = [&]() -> absl::Status {
    SF_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, env_->NewWritableFile(temporary));
    SF_RETURN_IF_ERROR(WriteTable(file.get()));
    SF_RETURN_IF_ERROR(file->Sync());
    SF_RETURN_IF_ERROR(file->Close());
    return env_->Rename(temporary, path_);
  }();
  if (!written.ok()) {
    env_->Remove(temporary).IgnoreError();
    return written;
  }
  return env_->SyncDir(DirName(path_));
}

}  // namespace staticflow
