// Prints the reference of all ops, docs/ops.md.
//
//   bazel run //tools:ops_page > docs/ops.md
#include <cstdio>

#include "graph/op_reference.h"

int main() {
  const std::string page = staticflow::OpReference();
  return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0 : 1;
}
