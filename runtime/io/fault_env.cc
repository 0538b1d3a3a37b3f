#include "runtime/io/fault_env.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// SplitMix64: enough for choosing subsets, and the same everywhere.
uint64_t NextRandom(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::string Surviving(const std::string& bytes, const std::string& synced, const PowerCut& cut, uint64_t* random) {
  std::string zeros = synced;
  zeros.resize(std::max(bytes.size(), synced.size()), '\0');
  switch (cut.kind) {
    case PowerCut::kKeepAll:
    case PowerCut::kKeepBytes:
      return bytes;
    case PowerCut::kDropAll:
    case PowerCut::kKeepNames:
      return synced;
    case PowerCut::kZeros:
      return zeros;
    case PowerCut::kRandom:
      break;
  }
  switch (NextRandom(random) % 4) {
    case 0:
      return bytes;
    case 1:
      return synced;
    case 2:
      return zeros;
    default:
      return bytes.substr(0, std::min(bytes.size(), synced.size() + NextRandom(random) % (bytes.size() + 1)));
  }
}

bool NameChangeSurvives(const PowerCut& cut, uint64_t* random) {
  switch (cut.kind) {
    case PowerCut::kKeepAll:
    case PowerCut::kKeepNames:
    case PowerCut::kZeros:
      return true;
    case PowerCut::kDropAll:
    case PowerCut::kKeepBytes:
      return false;
    case PowerCut::kRandom:
      break;
  }
  return NextRandom(random) % 2 == 0;
}

}  // namespace

std::vector<PowerCut> PowerCut::All(int num_random) {
  std::vector<PowerCut> cuts;
  for (Kind kind : {kDropAll, kKeepAll, kKeepNames, kKeepBytes, kZeros}) cuts.push_back({.kind = kind});
  for (int i = 0; i < num_random; ++i) cuts.push_back({.kind = kRandom, .seed = static_cast<uint64_t>(i) + 1});
  return cuts;
}

class FaultEnv::Writable : public WritableFile {
 public:
  Writable(FaultEnv* env, std::string path, InodePtr inode)
      : env_(env), path_(std::move(path)), inode_(std::move(inode)) {}
  ~Writable() override {
    std::lock_guard<std::mutex> lock(env_->mutex_);
    if (open_) --env_->open_files_;
  }

  absl::Status Append(absl::string_view data) override {
    std::lock_guard<std::mutex> lock(env_->mutex_);
    absl::Status status = env_->Step("cannot write", path_);
    if (!status.ok() && env_->fault_.short_write) data = data.substr(0, data.size() / 2);
    if (status.ok() || env_->fault_.short_write) inode_->bytes.append(data.data(), data.size());
    return status;
  }

  absl::Status Sync() override {
    std::lock_guard<std::mutex> lock(env_->mutex_);
    SF_RETURN_IF_ERROR(env_->Step("cannot sync", path_));
    inode_->synced = inode_->bytes;
    return absl::OkStatus();
  }

  absl::Status Close() override {
    std::lock_guard<std::mutex> lock(env_->mutex_);
    if (open_) --env_->open_files_;
    open_ = false;
    return env_->Step("cannot close", path_);
  }

 private:
  FaultEnv* env_;
  std::string path_;
  InodePtr inode_;
  bool open_ = true;
};

class FaultEnv::Readable : public RandomAccessFile {
 public:
  Readable(FaultEnv* env, std::string path, InodePtr inode)
      : env_(env), path_(std::move(path)), inode_(std::move(inode)) {}
  ~Readable() override {
    std::lock_guard<std::mutex> lock(env_->mutex_);
    --env_->open_files_;
  }

  absl::StatusOr<size_t> Read(uint64_t offset, size_t n, char* buffer) const override {
    std::lock_guard<std::mutex> lock(env_->mutex_);
    SF_RETURN_IF_ERROR(env_->Step("cannot read", path_));
    const std::string& bytes = inode_->bytes;
    if (offset >= bytes.size()) return size_t{0};
    n = std::min<size_t>(n, bytes.size() - offset);
    std::memcpy(buffer, bytes.data() + offset, n);
    return n;
  }

 private:
  FaultEnv* env_;
  std::string path_;
  InodePtr inode_;
};

FaultEnv::FaultEnv() : dirs_({".", "/"}) {}

void FaultEnv::FailCall(const Fault& fault) {
  std::lock_guard<std::mutex> lock(mutex_);
  fault_ = fault;
}

int64_t FaultEnv::calls() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return calls_;
}

void FaultEnv::ResetCalls() {
  std::lock_guard<std::mutex> lock(mutex_);
  calls_ = 0;
}

int64_t FaultEnv::open_files() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return open_files_;
}

void FaultEnv::SetFreeBytes(uint64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex_);
  free_bytes_ = bytes;
}

std::vector<std::string> FaultEnv::Files() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}

std::unique_ptr<FaultEnv> FaultEnv::AfterPowerCut(const PowerCut& cut) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto after = std::make_unique<FaultEnv>();
  std::lock_guard<std::mutex> after_lock(after->mutex_);
  uint64_t random = cut.seed;
  std::map<std::string, InodePtr> names = durable_names_;
  for (const NameChange& change : pending_) {
    if (NameChangeSurvives(cut, &random)) Apply(change, &names);
  }
  std::map<InodePtr, InodePtr> copies;  // hard links stay links
  for (const auto& [path, inode] : names) {
    InodePtr& copy = copies[inode];
    if (copy == nullptr) {
      copy = std::make_shared<Inode>();
      copy->bytes = copy->synced = Surviving(inode->bytes, inode->synced, cut, &random);
    }
    after->names_[path] = copy;
  }
  after->durable_names_ = after->names_;
  after->dirs_ = dirs_;
  after->free_bytes_ = free_bytes_;
  return after;
}

absl::Status FaultEnv::Step(absl::string_view action, const std::string& path) {
  const int64_t call = calls_++;
  const bool fails = fault_.call >= 0 && (call == fault_.call || (fault_.forever && call > fault_.call));
  return fails ? ErrnoStatus(fault_.error, action, path) : absl::OkStatus();
}

void FaultEnv::Apply(const NameChange& change, std::map<std::string, InodePtr>* names) const {
  if (!change.erased.empty()) names->erase(change.erased);
  if (change.inode != nullptr) (*names)[change.path] = change.inode;
}

void FaultEnv::Change(NameChange change) {
  Apply(change, &names_);
  pending_.push_back(std::move(change));
}

absl::StatusOr<FaultEnv::InodePtr> FaultEnv::Find(absl::string_view action, const std::string& path) {
  auto it = names_.find(path);
  if (it == names_.end()) return ErrnoStatus(dirs_.count(path) > 0 ? EISDIR : ENOENT, action, path);
  return it->second;
}

absl::StatusOr<std::unique_ptr<WritableFile>> FaultEnv::NewWritableFile(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot create", path));
  if (dirs_.count(DirName(path)) == 0) return ErrnoStatus(ENOENT, "cannot create", path);
  InodePtr& inode = names_[path];
  if (inode == nullptr) {
    inode = std::make_shared<Inode>();
    pending_.push_back({.erased = "", .path = path, .inode = inode});
  }
  inode->bytes.clear();
  inode->synced.clear();  // truncation is not ordered: the old bytes may be gone at once
  ++open_files_;
  return std::make_unique<Writable>(this, path, inode);
}

absl::StatusOr<std::unique_ptr<RandomAccessFile>> FaultEnv::NewRandomAccessFile(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot open", path));
  SF_ASSIGN_OR_RETURN(InodePtr inode, Find("cannot open", path));
  ++open_files_;
  return std::make_unique<Readable>(this, path, std::move(inode));
}

absl::Status FaultEnv::Rename(const std::string& from, const std::string& to) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot rename", from));
  SF_ASSIGN_OR_RETURN(InodePtr inode, Find("cannot rename", from));
  if (dirs_.count(DirName(to)) == 0) return ErrnoStatus(ENOENT, "cannot rename to", to);
  Change({.erased = from, .path = to, .inode = std::move(inode)});
  return absl::OkStatus();
}

absl::Status FaultEnv::HardLink(const std::string& from, const std::string& to) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot link", from));
  SF_ASSIGN_OR_RETURN(InodePtr inode, Find("cannot link", from));
  if (names_.count(to) > 0) return ErrnoStatus(EEXIST, "cannot link", to);
  Change({.erased = "", .path = to, .inode = std::move(inode)});
  return absl::OkStatus();
}

absl::Status FaultEnv::Remove(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot remove", path));
  if (dirs_.count(path) > 0) {
    const auto is_inside = [&](const std::string& other) { return other != path && DirName(other) == path; };
    if (std::any_of(dirs_.begin(), dirs_.end(), is_inside) ||
        std::any_of(names_.begin(), names_.end(), [&](const auto& name) { return is_inside(name.first); })) {
      return ErrnoStatus(ENOTEMPTY, "cannot remove", path);
    }
    dirs_.erase(path);
    return absl::OkStatus();
  }
  SF_RETURN_IF_ERROR(Find("cannot remove", path).status());
  Change({.erased = path, .path = "", .inode = nullptr});
  return absl::OkStatus();
}

absl::Status FaultEnv::SyncDir(const std::string& dir) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot sync directory", dir));
  if (dirs_.count(dir) == 0) return ErrnoStatus(ENOENT, "cannot sync directory", dir);
  std::vector<NameChange> later;
  for (NameChange& change : pending_) {
    if (DirName(change.inode != nullptr ? change.path : change.erased) == dir) {
      Apply(change, &durable_names_);
    } else {
      later.push_back(std::move(change));
    }
  }
  pending_ = std::move(later);
  return absl::OkStatus();
}

absl::Status FaultEnv::CreateDir(const std::string& dir) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot create directory", dir));
  for (std::string part = dir; dirs_.insert(part).second; part = DirName(part)) {
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FaultEnv::ListDir(const std::string& dir) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot list", dir));
  if (dirs_.count(dir) == 0) return ErrnoStatus(ENOENT, "cannot list", dir);
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_) {
    if (DirName(path) == dir) names.push_back(BaseName(path));
  }
  for (const std::string& path : dirs_) {
    if (path != dir && DirName(path) == dir) names.push_back(BaseName(path));
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<bool> FaultEnv::FileExists(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot look up", path));
  return names_.count(path) > 0 || dirs_.count(path) > 0;
}

absl::StatusOr<uint64_t> FaultEnv::FileSize(const std::string& path) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot look up", path));
  SF_ASSIGN_OR_RETURN(InodePtr inode, Find("cannot look up", path));
  return static_cast<uint64_t>(inode->bytes.size());
}

absl::StatusOr<uint64_t> FaultEnv::FreeBytes(const std::string& dir) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(Step("cannot ask for free space of", dir));
  return free_bytes_;
}

}  // namespace staticflow
