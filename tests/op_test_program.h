// The graph of one row of an op test: sources for the inputs, the op, and how to run it.
#ifndef STATICFLOW_TESTS_OP_TEST_PROGRAM_H_
#define STATICFLOW_TESTS_OP_TEST_PROGRAM_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "tests/op_test.h"

namespace staticflow {

// What the graph is told about the inputs.
enum class Known { kStaticShapes, kRanks, kNothing, kValues };
inline constexpr Known kAllKnown[] = {Known::kStaticShapes, Known::kRanks, Known::kNothing, Known::kValues};
std::string KnownName(Known known);

struct TestProgram {
  Graph graph;                  // its status tells whether building went well
  std::vector<Output> sources;  // one per input of the row
  std::vector<std::pair<Output, Tensor>> feeds;
  std::vector<Operation> initializers;  // of the variables among the sources
  std::vector<Output> variables;        // their values
  Node* node = nullptr;                 // the op; null after an error
  std::vector<Output> outputs;          // its outputs, but for resource handles
};

// Builds the row's op into `p`. `copy_input` puts a node before input 0, whose value nobody else reads: the op may
// then work in place.
void BuildProgram(const OpCase& row, Known known, bool copy_input, TestProgram& p);

// Runs the initializers and then the op once, in a session of its own. `variables` receives their values afterwards.
absl::StatusOr<std::vector<Tensor>> RunProgram(const TestProgram& p, absl::Span<const Output> fetches, int threads,
                                               std::vector<Tensor>* variables = nullptr);

Output MakeConst(Graph& g, const Tensor& value);

// Whether BuildProgram can put a copy before input 0.
bool CanCopyInput(const OpCase& row);
// Whether one of the op's arguments is a variable.
bool TakesVariables(const OpCase& row);

// The row with its float inputs and types in double, as far as the op allows it.
OpCase InDouble(const OpCase& row);

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_OP_TEST_PROGRAM_H_
