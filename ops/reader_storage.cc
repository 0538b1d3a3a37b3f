// The files behind readers. Contract: ops/queue_storage.h.
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "ops/queue_storage.h"
#include "ops/summary_message.h"
#include "runtime/io/coding.h"
#include "runtime/io/env.h"
#include "runtime/io/record.h"

namespace staticflow {
namespace {

// The bytes of a file from the front, through a buffer.
class FileBytes {
 public:
  static absl::StatusOr<std::shared_ptr<FileBytes>> Open(Env* env, const std::string& path) {
    auto bytes = std::make_shared<FileBytes>();
    SF_ASSIGN_OR_RETURN(bytes->file_, env->NewRandomAccessFile(path));
    SF_ASSIGN_OR_RETURN(bytes->size_, env->FileSize(path));
    return bytes;
  }
  uint64_t size() const { return size_; }
  // The next line without its end, a line feed after a carriage return or alone; false when there is none.
  absl::StatusOr<bool> Line(std::string* line) {
    line->clear();
    while (true) {
      if (next_ == buffer_.size()) {
        buffer_.resize(kBufferSize);
        SF_ASSIGN_OR_RETURN(const size_t count, file_->Read(offset_, kBufferSize, buffer_.data()));
        buffer_.resize(count);
        offset_ += count;
        next_ = 0;
        if (count == 0) return !line->empty();
      }
      const char c = buffer_[next_++];
      if (c != '\n') {
        line->push_back(c);
        continue;
      }
      if (!line->empty() && line->back() == '\r') line->pop_back();
      return true;
    }
  }
  absl::Status Part(uint64_t offset, uint64_t count, std::string* part) const {
    part->resize(count);
    SF_ASSIGN_OR_RETURN(const size_t found, file_->Read(offset, count, part->data()));
    return found == count ? absl::OkStatus() : absl::DataLossError("the file became shorter");
  }

 private:
  static constexpr size_t kBufferSize = size_t{1} << 16;
  std::unique_ptr<RandomAccessFile> file_;
  uint64_t size_ = 0, offset_ = 0;
  std::string buffer_;
  size_t next_ = 0;
};

absl::StatusOr<FileRecords> LinesOf(Env* env, const std::string& path, int64_t skipped) {
  SF_ASSIGN_OR_RETURN(const std::shared_ptr<FileBytes> file, FileBytes::Open(env, path));
  std::string line;
  int64_t number = 0;
  for (bool more = true; number < skipped && more; number += more) {
    SF_ASSIGN_OR_RETURN(more, file->Line(&line));
  }
  return FileRecords([=](std::string* key, std::string* value) mutable -> absl::StatusOr<bool> {
    SF_ASSIGN_OR_RETURN(const bool more, file->Line(value));
    *key = absl::StrCat(path, ":", ++number);
    return more;
  });
}
absl::StatusOr<FileRecords> PartsOfOneSize(Env* env, const std::string& path, const ReaderForm& form) {
  SF_ASSIGN_OR_RETURN(const std::shared_ptr<FileBytes> file, FileBytes::Open(env, path));
  const int64_t end = static_cast<int64_t>(file->size()) - form.footer_bytes;
  const int64_t hop = form.hop_bytes > 0 ? form.hop_bytes : form.record_bytes;
  int64_t number = 0, at = form.header_bytes;
  return FileRecords([=](std::string* key, std::string* value) mutable -> absl::StatusOr<bool> {
    if (AddSizes(at, form.record_bytes) > end) return false;
    SF_RETURN_IF_ERROR(file->Part(static_cast<uint64_t>(at), static_cast<uint64_t>(form.record_bytes), value));
    *key = absl::StrCat(path, ":", number++);
    at = AddSizes(at, hop);
    return true;
  });
}
absl::StatusOr<FileRecords> RecordsOf(Env* env, const std::string& path) {
  SF_ASSIGN_OR_RETURN(RecordReader opened, RecordReader::Open(env, path));
  const auto reader = std::make_shared<RecordReader>(std::move(opened));
  return FileRecords([=](std::string* key, std::string* value) -> absl::StatusOr<bool> {
    *key = absl::StrCat(path, ":", reader->offset());
    SF_ASSIGN_OR_RETURN(const bool more, reader->Read(value));
    if (!more && reader->truncated()) return absl::DataLossError(absl::StrCat(path, " ends inside a record"));
    return more;
  });
}
absl::StatusOr<FileRecords> RecordsFor(const ReaderForm& form, Env* env, const std::string& path) {
  if (form.type == "TextLineReader") return LinesOf(env, path, form.skip_header_lines);
  if (form.type == "FixedLengthRecordReader") return PartsOfOneSize(env, path, form);
  if (form.type == "TFRecordReader") return RecordsOf(env, path);
  const bool contents = form.type == "WholeFileReader";
  return FileRecords([=](std::string* key, std::string* value) -> absl::StatusOr<bool> {
    *key = *value = path;
    if (!contents) return true;
    SF_ASSIGN_OR_RETURN(*value, ReadWholeFile(env, path));
    return true;
  });
}

}  // namespace

absl::Status QueueFileReader::Read(Env* env, TensorQueue& names, int64_t n, std::vector<std::string>* keys,
                                   std::vector<std::string>* values) {
  absl::MutexLock lock(&mutex_);
  while (static_cast<int64_t>(keys->size()) < n) {
    if (!in_progress()) {
      if (!keys->empty()) return absl::OkStatus();
      SF_RETURN_IF_ERROR(names.CheckTypes({DT_STRING}));
      SF_ASSIGN_OR_RETURN(const std::vector<TensorQueue::Element> taken, names.Take(1, false));
      if (taken[0][0].num_elements() != 1) return absl::InvalidArgumentError("an element of the queue is no name");
      file_ = taken[0][0].data<std::string>()[0];
      SF_ASSIGN_OR_RETURN(records_, RecordsFor(form_, env, file_));
      ++started_;
    }
    if (records_ == nullptr) {
      SF_ASSIGN_OR_RETURN(records_, RecordsFor(form_, env, file_));
    }
    std::string key, value;
    SF_ASSIGN_OR_RETURN(const bool produced, records_(&key, &value));
    if (produced) {
      ++produced_;
      keys->push_back(std::move(key));
      values->push_back(std::move(value));
    }
    if (!produced || form_.is_single()) {
      finished_ = started_;
      file_.clear();
      records_ = nullptr;
    }
  }
  return absl::OkStatus();
}

int64_t QueueFileReader::records_produced() const {
  absl::MutexLock lock(&mutex_);
  return produced_;
}
int64_t QueueFileReader::units_completed() const {
  absl::MutexLock lock(&mutex_);
  return finished_;
}
void QueueFileReader::Reset() {
  absl::MutexLock lock(&mutex_);
  started_ = finished_ = produced_ = 0;
  file_.clear();
  records_ = nullptr;
}

absl::Status QueueFileReader::CheckHasState() const {
  if (form_.is_single()) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("the place of a ", form_.type, " in its file is no state to keep"));
}
// The message's fields: started, finished, produced, the file's name.
absl::StatusOr<std::string> QueueFileReader::State() const {
  absl::MutexLock lock(&mutex_);
  SF_RETURN_IF_ERROR(CheckHasState());
  MessageWriter state;
  const int64_t numbers[] = {started_, finished_, produced_};
  for (int i = 0; i < 3; ++i) {
    if (numbers[i] != 0) state.Varint(i + 1, static_cast<uint64_t>(numbers[i]));
  }
  if (!file_.empty()) state.Bytes(4, file_);
  return state.bytes();
}
absl::Status QueueFileReader::Restore(absl::string_view state) {
  absl::MutexLock lock(&mutex_);
  SF_RETURN_IF_ERROR(CheckHasState());
  const absl::Status invalid =
      absl::InvalidArgumentError(absl::StrCat("no state of a reader: '", absl::CHexEscape(state), "'"));
  uint64_t numbers[3] = {0, 0, 0};
  std::string file;
  while (!state.empty()) {
    uint64_t tag = 0, number = 0;
    if (!GetVarint64(&state, &tag) || !GetVarint64(&state, &number)) return invalid;
    if (tag == (4 << 3 | 2) && number <= state.size()) {
      file = std::string(state.substr(0, number));
      state.remove_prefix(number);
    } else if (tag % 8 == 0 && tag / 8 >= 1 && tag / 8 <= 3 && static_cast<int64_t>(number) >= 0) {
      numbers[tag / 8 - 1] = number;
    } else {
      return invalid;
    }
  }
  if (numbers[0] < numbers[1]) return invalid;
  started_ = static_cast<int64_t>(numbers[0]);
  finished_ = static_cast<int64_t>(numbers[1]);
  produced_ = static_cast<int64_t>(numbers[2]);
  file_ = std::move(file);
  records_ = nullptr;
  return absl::OkStatus();
}

}  // namespace staticflow
