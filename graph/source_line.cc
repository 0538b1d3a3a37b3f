#include "graph/source_line.h"

namespace staticflow {

SourceLine LineOf(const std::source_location& where) {
  const absl::string_view path = where.file_name();
  return {.file = std::string(path.substr(path.rfind('/') + 1)), .line = static_cast<int>(where.line())};
}

}  // namespace staticflow
