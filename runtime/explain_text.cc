// An Explanation as text, for Graphviz, and with the times of a run for trace viewers.
#include <algorithm>
#include <map>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "runtime/explain.h"

namespace staticflow {
namespace {

constexpr size_t kMaxListed = 12;  // of a finding's nodes, and of values

std::string NodeText(const Node& node) { return absl::StrCat(node.type(), " '", node.name(), "'"); }

std::string Names(const std::vector<const Node*>& nodes) {
  std::string out;
  for (size_t i = 0; i < nodes.size() && i < kMaxListed; ++i) {
    absl::StrAppend(&out, i == 0 ? "" : ", ", nodes[i]->name());
  }
  if (nodes.size() > kMaxListed) absl::StrAppend(&out, ", and ", nodes.size() - kMaxListed, " more");
  return out;
}

std::string WhyText(const ExplainedNode& entry) {
  if (entry.needed_by == nullptr) return entry.root;
  return absl::StrCat(entry.by_control ? "waited for by " : "for ", entry.needed_by->name(), " (", entry.root, ")");
}

std::string SignatureText(const Explanation& e) {
  std::string out;
  for (size_t i = 0; i < e.signature.feeds.size(); ++i) {
    const Output feed = e.signature.feeds[i];
    absl::StrAppend(&out, i == 0 ? "feeds " : ", ", feed.name(), " ", DataTypeName(feed.dtype()),
                    e.feed_shapes[i].ToString());
  }
  if (e.batch_assumed) absl::StrAppend(&out, " (unknown sizes taken as 1)");
  const auto add = [&](absl::string_view what, const std::vector<std::string>& names) {
    if (!names.empty()) absl::StrAppend(&out, out.empty() ? "" : "; ", what, " ", absl::StrJoin(names, ", "));
  };
  std::vector<std::string> fetches, targets;
  for (Output fetch : e.signature.fetches) fetches.push_back(fetch.name());
  for (Operation target : e.signature.targets) targets.push_back(target.name());
  add("fetches", fetches);
  add("targets", targets);
  return out;
}

// "41 nodes: 12 runs, 9 view, ...; 192 of the graph are not needed".
std::string CountText(const Explanation& e) {
  std::map<Fate, int> counts;
  for (const ExplainedNode& entry : e.nodes) ++counts[entry.fate];
  std::string out = absl::StrCat(e.nodes.size(), " nodes in ", e.instructions.size(), " instructions: ");
  out += absl::StrJoin(counts, ", ", [](std::string* to, const auto& count) {
    absl::StrAppend(to, count.second, " ", FateName(count.first));
  });
  if (!e.not_needed.empty()) absl::StrAppend(&out, "; ", e.not_needed.size(), " of the graph not needed");
  return out;
}

// One line for all readers that are in doubt with the same write.
std::string RaceText(const Explanation& e) {
  std::string out;
  for (size_t i = 0; i < e.races.size();) {
    const VariableRace& race = e.races[i];
    std::vector<const Node*> firsts;
    for (; i < e.races.size() && e.races[i].second == race.second && e.races[i].variable == race.variable &&
           e.races[i].both_write == race.both_write;
         ++i) {
      firsts.push_back(e.races[i].first);
    }
    absl::StrAppend(&out, "unordered: '", race.variable->name(), "' is ", race.both_write ? "written" : "read", " by ",
                    Names(firsts), " and written by ", race.second->name(), ", and no edge says which comes first; ",
                    race.both_write ? "here they write in this order" : "here the read sees the value before", "\n");
  }
  return out;
}

std::string FindingsText(const Explanation& e) {
  std::string out;
  for (const Node* node : e.missing_feeds) {
    const ExplainedNode* entry = e.Find(*node);
    absl::StrAppend(&out, "missing: '", node->name(), "' has to be fed with ", DataTypeName(node->output_dtype(0)),
                    node->output_shape(0).ToString(), "; needed ", WhyText(*entry), "\n");
  }
  for (const StrayNode& stray : e.strays) {
    absl::StrAppend(&out, "stray: ", NodeText(*stray.node), " runs in every step, but its result is only used when ",
                    stray.used_when, stray.always_idle ? ", which these feeds rule out" : "",
                    "; build it inside that branch\n");
  }
  return out + RaceText(e);
}

std::string InstructionsText(const Explanation& e) {
  absl::flat_hash_map<const Node*, const ExplainedNode*> entries;
  for (const ExplainedNode& entry : e.nodes) entries[entry.node] = &entry;
  std::string out;
  for (size_t i = 0; i < e.instructions.size(); ++i) {
    const ExplainedInstruction& instruction = e.instructions[i];
    absl::StrAppend(&out, i, "  ", instruction.guard.empty() ? "" : absl::StrCat("when ", instruction.guard, ": "),
                    instruction.text, "\n");
    for (const Node* node : instruction.nodes) {
      auto it = entries.find(node);
      if (it == entries.end()) continue;
      const ExplainedNode& entry = *it->second;
      absl::StrAppend(&out, "      ", NodeText(*node), ": ", WhyText(entry), entry.in_place ? ", in place" : "",
                      entry.moved_into_branch ? ", moved into the branch that uses it" : "", "\n");
    }
  }
  for (const ExplainedNode& entry : e.nodes) {
    if (entry.fate == Fate::kShared) {
      absl::StrAppend(&out, "shared: ", NodeText(*entry.node), " is ", NodeText(*entry.same_as), "\n");
    }
    if (entry.fate == Fate::kLeftOut) {
      absl::StrAppend(&out, "left out by ", entry.pass, ": ", NodeText(*entry.node), "\n");
    }
    if (entry.fate == Fate::kFolded) absl::StrAppend(&out, "folded: ", NodeText(*entry.node), "\n");
  }
  return out;
}

std::string MemoryText(const Explanation& e) {
  std::string out = absl::StrFormat("memory: %d bytes for %d bytes of tensors, %d bytes of constants", e.arena_bytes,
                                    e.tensor_bytes, e.constant_bytes);
  if (e.peak_instruction >= 0) {
    absl::StrAppendFormat(&out, "; most at instruction %d, %d bytes", e.peak_instruction,
                          e.instructions[e.peak_instruction].live_bytes);
  }
  out += "\n";
  for (size_t i = 0; i < e.values.size() && i < kMaxListed; ++i) {
    const ExplainedValue& value = e.values[i];
    absl::StrAppend(&out, "  ", value.name, " ", DataTypeName(value.dtype), value.shape.ToString(), " ",
                    value.bytes < 0 ? "?" : absl::StrCat(value.bytes), " bytes, ", value.place,
                    value.shares.empty() ? "" : absl::StrCat(", in the memory of ", value.shares), "\n");
  }
  if (e.values.size() > kMaxListed) absl::StrAppend(&out, "  and ", e.values.size() - kMaxListed, " smaller ones\n");
  return out;
}

// ---- Graphviz ----

std::string DotString(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", " "}}), "\"");
}

const char* DotColor(Fate fate) {
  switch (fate) {
    case Fate::kRuns:
      return "lightblue";
    case Fate::kFed:
    case Fate::kVariable:
      return "palegreen";
    case Fate::kMissing:
      return "salmon";
    default:
      return "gray90";
  }
}

}  // namespace

std::string ExplanationText(const Explanation& explanation) {
  return absl::StrCat(SignatureText(explanation), "\n", CountText(explanation), "\n", FindingsText(explanation),
                      InstructionsText(explanation), MemoryText(explanation));
}

std::string ExplanationDot(const Explanation& explanation) {
  absl::flat_hash_map<const Node*, const ExplainedNode*> drawn;
  std::map<int, std::string> clusters;
  std::string nodes;
  for (const ExplainedNode& entry : explanation.nodes) {
    drawn[entry.node] = &entry;
    const bool works = entry.fate == Fate::kRuns;
    std::string line =
        absl::StrCat("  n", entry.node->id(), " [label=",
                     DotString(absl::StrCat(entry.node->type(), " ", entry.node->name(), works ? "" : " (",
                                            works ? "" : FateName(entry.fate), works ? "" : ")")),
                     ", fillcolor=", DotColor(entry.fate), "];\n");
    (works ? clusters[entry.instruction] : nodes) += line;
  }
  std::string out = "digraph step {\n  node [shape=box, style=filled, fontsize=10];\n" + nodes;
  for (const auto& [instruction, lines] : clusters) {
    const std::string& guard = explanation.instructions[instruction].guard;
    absl::StrAppend(&out, "  subgraph cluster_", instruction,
                    " {\n  label=", DotString(absl::StrCat(instruction, guard.empty() ? "" : " when ", guard)), ";\n",
                    lines, "  }\n");
  }
  for (const auto& entry : explanation.nodes) {
    if (entry.fate == Fate::kFed) continue;
    for (Output input : entry.node->inputs()) {
      if (drawn.contains(input.node())) {
        absl::StrAppend(&out, "  n", input.node()->id(), " -> n", entry.node->id(), ";\n");
      }
    }
    for (const Node* control : entry.node->control_inputs()) {
      if (drawn.contains(control)) {
        absl::StrAppend(&out, "  n", control->id(), " -> n", entry.node->id(), " [style=dashed];\n");
      }
    }
  }
  return out + "}\n";
}

std::string ExplanationTrace(const Explanation& explanation, const StepProfile& profile) {
  std::string out =
      "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n"
      "{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"args\": {\"name\": \"step\"}},\n"
      "{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"args\": {\"name\": \"worker 0\"}}";
  for (const StepProfile::Entry& e : profile.entries()) {
    if (e.wait_ns > 0) {
      absl::StrAppendFormat(&out,
                            ",\n{\"name\": \"wait\", \"cat\": \"barrier\", \"ph\": \"X\", \"ts\": %.3f, \"dur\": %.3f, "
                            "\"pid\": 1, \"tid\": 1}",
                            std::max<int64_t>(e.start_ns - e.wait_ns, 0) * 1e-3, e.wait_ns * 1e-3);
    }
    absl::StrAppendFormat(&out,
                          ",\n{\"name\": %s, \"cat\": \"op\", \"ph\": \"X\", \"ts\": %.3f, \"dur\": %.3f, \"pid\": 1, "
                          "\"tid\": 1, \"args\": {\"node\": %s, \"share\": %g",
                          JsonString(e.type), e.start_ns * 1e-3, e.duration_ns * 1e-3, JsonString(e.node), e.share);
    const bool known = e.instruction >= 0 && e.instruction < static_cast<int>(explanation.instructions.size());
    if (known) {
      const ExplainedInstruction& instruction = explanation.instructions[e.instruction];
      const std::string nodes = absl::StrJoin(instruction.nodes, ", ", [](std::string* to, const Node* node) {
        absl::StrAppend(to, JsonString(node->name()));
      });
      absl::StrAppend(&out, ", \"instruction\": ", e.instruction, ", \"computes\": [", nodes, "]}}");
      absl::StrAppendFormat(&out,
                            ",\n{\"name\": \"memory\", \"ph\": \"C\", \"ts\": %.3f, \"pid\": 1, \"args\": {\"bytes\": "
                            "%d}}",
                            e.start_ns * 1e-3, instruction.live_bytes);
    } else {
      out += "}}";
    }
  }
  return out + "\n]}\n";
}

}  // namespace staticflow
