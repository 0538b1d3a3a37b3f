#include "runtime/profile.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace staticflow {

std::string JsonString(absl::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
      continue;
    }
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

int64_t StepProfile::total_ns() const {
  int64_t total = 0;
  for (const Entry& entry : entries_) total += entry.duration_ns;
  return total;
}

std::string StepProfile::Summary() const {
  struct Row {
    int64_t ns = 0;
    int count = 0;
  };
  std::map<std::string, Row> by_type;
  for (const Entry& entry : entries_) {
    by_type[entry.type].ns += entry.duration_ns;
    ++by_type[entry.type].count;
  }
  std::vector<std::pair<std::string, Row>> rows(by_type.begin(), by_type.end());
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.second.ns > b.second.ns; });
  std::string out;
  const double total = static_cast<double>(std::max<int64_t>(total_ns(), 1));
  for (const auto& [type, row] : rows) {
    absl::StrAppendFormat(&out, "%-40s %5d x %10.1f us %5.1f %%\n", type, row.count, row.ns * 1e-3,
                          100.0 * row.ns / total);
  }
  return out;
}

std::string StepProfile::ToChromeTrace() const {
  std::string out = "{\"traceEvents\": [";
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& e = entries_[i];
    absl::StrAppend(&out, i == 0 ? "\n" : ",\n", "{\"name\": ", JsonString(e.type),
                    ", \"cat\": \"op\", \"ph\": \"X\", ",
                    absl::StrFormat("\"ts\": %.3f, \"dur\": %.3f, ", e.start_ns * 1e-3, e.duration_ns * 1e-3),
                    "\"pid\": 1, \"tid\": 1, \"args\": {\"name\": ", JsonString(e.node), ", \"share\": ", e.share,
                    ", \"waited\": ", e.wait_ns * 1e-3, "}}");
  }
  return absl::StrCat(out, "\n]}\n");
}

}  // namespace staticflow
