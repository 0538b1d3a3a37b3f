// BufferUses: what the rest of a step does with a buffer, which whoever writes it should know when it is divided among
// workers. Inside the pass that partitions.
#ifndef STATICFLOW_RUNTIME_BUFFER_USES_H_
#define STATICFLOW_RUNTIME_BUFFER_USES_H_

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "runtime/plan.h"

namespace staticflow {

// The fewest rows of a variable that workers share.
inline constexpr int64_t kLeastOwnedRows = 32;

struct BufferUses {
  absl::flat_hash_map<int, double> written;  // the work of the largest product that is written there
  absl::flat_hash_set<int> by_columns;       // read by loops that sum rows
  absl::flat_hash_set<int> by_rows;          // read by updates of matrices, and by loops that sum rows by chunks
};

// `work`: what one worker takes for each instruction.
BufferUses FindBufferUses(const Plan& plan, absl::Span<const double> work);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_BUFFER_USES_H_
