#include "graph/function_library.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"

namespace staticflow {
namespace {

using CallGraph = absl::flat_hash_map<std::string, std::vector<std::string>>;

// The names of all functions in an attribute, those in attributes of functions included.
void CollectFunctions(const proto::AttrValue& root, std::vector<std::string>* names) {
  std::vector<const proto::AttrValue*> open = {&root};
  const auto add = [&](const proto::NameAttrList& function) {
    names->push_back(function.name());
    for (const auto& [key, value] : function.attr()) open.push_back(&value);
  };
  while (!open.empty()) {
    const proto::AttrValue* attr = open.back();
    open.pop_back();
    if (attr->has_func()) add(attr->func());
    if (attr->has_list()) {
      for (const proto::NameAttrList& function : attr->list().func()) add(function);
    }
  }
}

CallGraph Calls(const proto::FunctionDefLibrary& library) {
  CallGraph calls;
  for (const proto::FunctionDef& function : library.function()) calls[function.signature().name()];
  for (const proto::FunctionDef& function : library.function()) {
    std::vector<std::string> names;
    for (const proto::NodeDef& node : function.node_def()) {
      names.push_back(node.op());
      for (const auto& [key, value] : node.attr()) CollectFunctions(value, &names);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::erase_if(names, [&](const std::string& name) { return !calls.contains(name); });
    calls[function.signature().name()] = std::move(names);
  }
  return calls;
}

// Walks the calls depth first. The height of a function is the length of the longest chain of calls from it.
class CallCheck {
 public:
  CallCheck(const CallGraph& calls, int max_depth) : calls_(calls), max_depth_(max_depth) {}

  absl::Status Check(const std::string& root) {
    if (heights_.contains(root)) return absl::OkStatus();
    Enter(root);
    while (!path_.empty()) {
      Frame& frame = path_.back();
      const std::vector<std::string>& callees = calls_.at(frame.name);
      if (frame.next == callees.size()) {
        SF_RETURN_IF_ERROR(Leave());
        continue;
      }
      const std::string& callee = callees[frame.next++];
      auto height = heights_.find(callee);
      if (height == heights_.end()) {
        Enter(callee);
      } else if (height->second == kOpen) {
        return absl::InvalidArgumentError(absl::StrCat("functions call each other in a circle: ", PathTo(callee)));
      } else {
        frame.height = std::max(frame.height, height->second + 1);
      }
    }
    return absl::OkStatus();
  }

 private:
  static constexpr int kOpen = -1;
  struct Frame {
    std::string name;
    size_t next = 0;
    int height = 0;
  };

  void Enter(const std::string& name) {
    heights_[name] = kOpen;
    path_.push_back({.name = name});
  }

  absl::Status Leave() {
    const Frame done = path_.back();
    path_.pop_back();
    heights_[done.name] = done.height;
    if (!path_.empty()) path_.back().height = std::max(path_.back().height, done.height + 1);
    if (done.height < max_depth_) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat("function '", done.name, "' nests calls deeper than ", max_depth_));
  }

  std::string PathTo(const std::string& callee) const {
    std::vector<std::string> names;
    for (const Frame& frame : path_) names.push_back(frame.name);
    names.erase(names.begin(), std::find(names.begin(), names.end(), callee));
    return absl::StrCat(absl::StrJoin(names, " -> "), " -> ", callee);
  }

  const CallGraph& calls_;
  const int max_depth_;
  absl::flat_hash_map<std::string, int> heights_;
  std::vector<Frame> path_;
};

}  // namespace

absl::StatusOr<std::string> AddToFunctionLibrary(const std::string& library, const proto::FunctionDefLibrary& added,
                                                 int max_depth) {
  proto::FunctionDefLibrary merged;
  SF_RETURN_IF_ERROR(ParseMessage(library, "FunctionDefLibrary", &merged));
  absl::flat_hash_map<std::string, std::string> known;
  for (const proto::FunctionDef& function : merged.function()) {
    SF_ASSIGN_OR_RETURN(known[function.signature().name()], SerializeMessage(function));
  }
  for (const proto::FunctionDef& function : added.function()) {
    const std::string& name = function.signature().name();
    if (name.empty()) return absl::InvalidArgumentError("a function of the library has no name");
    SF_ASSIGN_OR_RETURN(std::string bytes, SerializeMessage(function));
    auto [it, is_new] = known.try_emplace(name, bytes);
    if (!is_new && it->second != bytes) {
      return absl::InvalidArgumentError(absl::StrCat("there are two different functions '", name, "'"));
    }
    if (is_new) *merged.add_function() = function;
  }
  merged.mutable_gradient()->MergeFrom(added.gradient());
  const CallGraph calls = Calls(merged);
  CallCheck check(calls, max_depth);
  for (const proto::FunctionDef& function : merged.function()) {
    SF_RETURN_IF_ERROR(check.Check(function.signature().name()));
  }
  return SerializeMessage(merged);
}

}  // namespace staticflow
