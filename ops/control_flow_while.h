// While loops.
//
//   // The sum of i * x for i < n.
//   std::vector<Output> end = While([&](Output i, Output sum) { return Less(i, n); },
//                                   [&](Output i, Output sum) {
//                                     return std::vector<Output>{i + 1, sum + Cast(i, DT_FLOAT) * x};
//                                   },
//                                   {Const(g, 0), Const(g, 0.0f)});
//
// The two functions are called once each, to build; they take the loop variables one by one, or all as a
// std::vector<Output>. What they use from outside is the same in every iteration. Loops and conds nest in each other.
// Gradients flow through loops, to the initial values and to what is used from outside.
// Not thread-safe: it adds to the graph. Source: tf.while_loop (TensorFlow 1.15); node names are the same.
#ifndef STATICFLOW_OPS_CONTROL_FLOW_WHILE_H_
#define STATICFLOW_OPS_CONTROL_FLOW_WHILE_H_

#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

struct WhileOptions {
  std::vector<Shape> shape_invariants = {};  // of each variable in every iteration; empty: the initial values' shapes
  Output maximum_iterations = {};            // an int32 scalar; invalid: no limit
  int64_t parallel_iterations = 10;          // kept for files; iterations run one after the other
  bool back_prop = true;                     // false: no gradient flows through the loop
  bool swap_memory = false;                  // kept for files
  std::string name = "while";
  std::source_location where = std::source_location::current();
};

using LoopVariables = std::vector<Output>;
using LoopCondition = absl::FunctionRef<Output(const LoopVariables&)>;
using LoopBody = absl::FunctionRef<LoopVariables(const LoopVariables&)>;

// For While: builds the loop. None after an error.
LoopVariables BuildWhile(LoopCondition cond, LoopBody body, absl::Span<const Output> loop_vars,
                         const WhileOptions& options);

namespace internal {

// f(variables) or f(variables[0], variables[1], ...), whichever it takes.
template <typename F, size_t... kIndex>
constexpr bool TakesVariables(std::index_sequence<kIndex...>) {
  return std::is_invocable_v<F&, decltype((void)kIndex, Output())...>;
}
template <typename F, size_t kCount = 1>
auto CallWithVariables(F& f, const LoopVariables& variables) {
  static_assert(kCount <= 16, "the function takes neither a vector nor up to 16 outputs");
  if constexpr (std::is_invocable_v<F&, const LoopVariables&> && !std::is_invocable_v<F&, Output>) {
    return f(variables);
  } else if constexpr (TakesVariables<F>(std::make_index_sequence<kCount>())) {
    return [&]<size_t... kIndex>(std::index_sequence<kIndex...>) {
      return f((kIndex < variables.size() ? variables[kIndex] : Output())...);
    }
    (std::make_index_sequence<kCount>());
  } else {
    return CallWithVariables<F, kCount + 1>(f, variables);
  }
}
inline LoopVariables AsVariables(Output output) { return {output}; }
inline LoopVariables AsVariables(LoopVariables outputs) { return outputs; }

}  // namespace internal

// body, applied to `loop_vars` as long as cond, a bool scalar, holds; gives the variables' last values. The body
// returns one output per variable (an Output alone when there is one). InvalidArgument when the body gives another
// number of values, another type, or a shape that is not the invariant.
template <typename Cond, typename Body>
LoopVariables While(Cond cond, Body body, const LoopVariables& loop_vars, const WhileOptions& options = {}) {
  return BuildWhile([&](const LoopVariables& v) { return internal::CallWithVariables(cond, v); },
                    [&](const LoopVariables& v) { return internal::AsVariables(internal::CallWithVariables(body, v)); },
                    loop_vars, options);
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONTROL_FLOW_WHILE_H_
