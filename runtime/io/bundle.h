// Checkpoints in TensorFlow's format V2 (a "tensor bundle"): named tensors in `<prefix>.index`, a sorted table of what
// there is, and `<prefix>.data-00000-of-00001`, the bytes. TensorFlow reads what the writer writes, and the reader
// reads what TensorFlow writes: several data files, partitioned variables, every dtype that Tensor stores.
//
//   BundleWriter writer(env, "out/model.ckpt-10");
//   SF_RETURN_IF_ERROR(writer.Add("dense/kernel", kernel));
//   SF_RETURN_IF_ERROR(writer.Finish());
//
//   SF_ASSIGN_OR_RETURN(BundleReader reader, BundleReader::Open(env, "out/model.ckpt-10"));
//   SF_ASSIGN_OR_RETURN(Tensor kernel, reader.Read("dense/kernel"));
//
// Saving is power-safe. The files are prepared under temporary names, synced, checked by opening them, then renamed. A
// pair that is overwritten stays beside as `<prefix>.previous.*` until the new one is durable; if a crash leaves it
// there, BundleReader::Open checks every byte of both and takes the new pair if it is whole, else the previous one.
#ifndef STATICFLOW_RUNTIME_IO_BUNDLE_H_
#define STATICFLOW_RUNTIME_IO_BUNDLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/tensor.h"
#include "runtime/io/env.h"
#include "runtime/io/tensor_slice.h"

namespace staticflow {

class CheckpointV1;  // runtime/io/checkpoint_v1.h

// What one entry of the index says about a tensor or about a slice of one.
struct BundleEntry {
  DataType dtype = DT_INVALID;
  Shape shape;
  int32_t shard = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint32_t crc = 0;                 // unmasked
  std::vector<TensorSlice> slices;  // of a partitioned tensor, whose bytes are in entries of their own
  absl::Status damage;              // why it cannot be read, as far as the index and the sizes of the files tell
};

struct BundleLimits {
  uint64_t max_entries = 1'000'000;
  uint64_t max_name_bytes = 4096;
  uint64_t max_index_block_bytes = 64 << 20;
  uint64_t max_tensor_bytes = uint64_t{1} << 36;  // of one tensor in memory
};

// Reads a checkpoint. The files may hold anything: damage is DataLoss (what contradicts the format, a wrong checksum,
// a size that does not fit) or, for a data file that ends too early, OutOfRange as in TensorFlow; a missing file or
// tensor is NotFound, a limit is ResourceExhausted. Where one tensor is damaged or its data file is missing, only
// reading that one fails. Memory is taken only for sizes that the files really have. Thread-safe after Open.
class BundleReader {
 public:
  // Reads and checks the index, and looks at the sizes of the data files. Where there is no index, `prefix` may be the
  // file (or the pattern of the files) of a checkpoint in the older format V1, which is then read into memory.
  static absl::StatusOr<BundleReader> Open(Env* env, const std::string& prefix, const BundleLimits& limits = {});

  // All tensors by name; the slices of partitioned ones are not listed.
  const std::map<std::string, BundleEntry>& tensors() const { return tensors_; }
  // The tensor `name`, its bytes checked; a partitioned one is put together when its slices cover it exactly.
  absl::StatusOr<Tensor> Read(const std::string& name) const;
  // A box in it, of which nothing else need be there. InvalidArgument when the box is not inside or not covered.
  absl::StatusOr<Tensor> Read(const std::string& name, const TensorSlice& slice) const;
  // Checks that every tensor is there in full, by the index and the sizes of the data files.
  absl::Status VerifySizes() const;
  // Checks every byte of every tensor, too.
  absl::Status Verify() const;
  // The prefix whose files are read: the one given to Open, or that of the previous pair.
  const std::string& prefix() const { return prefix_; }

 private:
  BundleReader(Env* env, std::string prefix, const BundleLimits& limits)
      : env_(env), prefix_(std::move(prefix)), limits_(limits) {}
  static absl::StatusOr<BundleReader> OpenPair(Env* env, const std::string& prefix, const BundleLimits& limits);
  static absl::StatusOr<BundleReader> OpenV1(Env* env, const std::string& prefix, const std::vector<std::string>& files,
                                             const BundleLimits& limits);

  absl::Status ReadHeader(absl::string_view value);
  absl::Status AddEntry(absl::string_view key, absl::string_view value);
  void OpenShards();
  absl::Status CheckPlace(absl::string_view name, const BundleEntry& entry) const;
  absl::Status CheckSlices(const std::string& name, const BundleEntry& entry) const;
  // The part `slice` of the tensor `name`, whose entry is `entry`.
  absl::StatusOr<const BundleEntry*> FindSlice(const std::string& name, const BundleEntry& entry,
                                               const TensorSlice& slice) const;
  absl::Status ReadAndCheck(absl::string_view name, const BundleEntry& entry, char* bytes) const;
  absl::Status ReadStrings(absl::string_view name, const BundleEntry& entry, Tensor* tensor) const;
  absl::StatusOr<Tensor> ReadWhole(absl::string_view name, const BundleEntry& entry) const;
  absl::StatusOr<Tensor> ReadPartitioned(const std::string& name, const BundleEntry& entry,
                                         const TensorSlice& slice) const;
  absl::Status Damaged(absl::string_view name, absl::string_view what) const;
  absl::Status CutOff(absl::string_view name, absl::string_view what) const;

  Env* env_;
  std::string prefix_;
  BundleLimits limits_;
  int32_t num_shards_ = 0;
  std::map<std::string, BundleEntry> tensors_;
  std::map<std::string, BundleEntry> slices_;  // by encoded key
  struct Shard {
    absl::Status status;  // of opening the file
    std::unique_ptr<RandomAccessFile> file;
    uint64_t size = 0;
  };
  std::map<int32_t, Shard> shards_;            // those that hold something
  std::shared_ptr<const CheckpointV1> older_;  // of format V1: has the tensors
};

// Writes a checkpoint with one data file. Belongs to one thread at a time.
class BundleWriter {
 public:
  // Creates the directory of `prefix` if it is missing, when the first tensor comes.
  BundleWriter(Env* env, std::string prefix);
  BundleWriter(const BundleWriter&) = delete;
  BundleWriter& operator=(const BundleWriter&) = delete;
  // Without a successful Finish, removes what it wrote; the files of an older checkpoint stay as they are.
  ~BundleWriter();

  // ResourceExhausted unless the file system has room for `bytes` bytes of tensors and the index.
  absl::Status Reserve(uint64_t bytes);
  // InvalidArgument for a name that is empty, too long or given before, or a dtype without a file form.
  absl::Status Add(const std::string& name, const Tensor& tensor);
  // Adds the part `slice` of a partitioned tensor of shape `full_shape`.
  absl::Status AddSlice(const std::string& name, const Shape& full_shape, const TensorSlice& slice,
                        const Tensor& tensor);
  // Makes the checkpoint durable under its prefix, replacing an older one. After an error the older one is what a
  // reader finds, unless only the last sync of the directory failed: then it finds the new one.
  absl::Status Finish();

 private:
  absl::Status Start();
  absl::Status Append(absl::string_view bytes, BundleEntry* entry);
  absl::Status AppendStrings(const Tensor& tensor, BundleEntry* entry);
  absl::Status AppendTensor(const std::string& key, const Tensor& tensor);
  absl::Status CheckName(const std::string& name) const;
  absl::Status WriteIndex();
  absl::Status KeepPrevious(std::vector<std::string>* kept);
  absl::Status RenamePair(bool has_old_data);
  void DropPrevious();
  void RemoveTemporaries();

  Env* env_;
  std::string prefix_;
  std::string temporary_;  // the prefix of the files in preparation
  std::unique_ptr<WritableFile> data_;
  uint64_t offset_ = 0;
  std::map<std::string, BundleEntry> entries_;
  absl::Status status_;  // the first failure; nothing is written after it
  bool finished_ = false;
};

// Opens the checkpoint and checks every byte.
absl::Status VerifyBundle(Env* env, const std::string& prefix, const BundleLimits& limits = {});
// Removes the files of the checkpoint, the index first, and what a crash left beside it. NotFound if there is none.
absl::Status DeleteBundle(Env* env, const std::string& prefix);

// File names and keys of the format.
std::string BundleIndexPath(absl::string_view prefix);
std::string BundleDataPath(absl::string_view prefix, int shard, int num_shards);
std::string BundlePreviousPrefix(absl::string_view prefix);
// The key of a slice's entry: TensorFlow's order-preserving code of the name and the box.
std::string BundleSliceKey(absl::string_view name, const TensorSlice& slice);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_BUNDLE_H_
