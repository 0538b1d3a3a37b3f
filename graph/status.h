// Two macros that pass an error up, and one for our own broken invariants.
//
//   SF_ASSIGN_OR_RETURN(Step step, session.Prepare(signature));
//   SF_RETURN_IF_ERROR(session.Initialize());
#ifndef STATICFLOW_GRAPH_STATUS_H_
#define STATICFLOW_GRAPH_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace staticflow::internal {

// Prints the broken invariant and its place, and ends the process.
[[noreturn]] void InvariantFailed(const char* file, int line, const char* condition);

}  // namespace staticflow::internal

namespace staticflow {

// `status` with `prefix` before its message; the code and the payloads stay.
absl::Status Annotate(const absl::Status& status, absl::string_view prefix);

}  // namespace staticflow

#define SF_RETURN_IF_ERROR(expr)                                       \
  do {                                                                 \
    if (absl::Status sf_status = (expr); !sf_status.ok()) [[unlikely]] \
      return sf_status;                                                \
  } while (false)

#define SF_CONCAT_INNER(a, b) a##b
#define SF_CONCAT(a, b) SF_CONCAT_INNER(a, b)
#define SF_ASSIGN_OR_RETURN(lhs, expr) SF_ASSIGN_OR_RETURN_INNER(SF_CONCAT(sf_statusor_, __LINE__), lhs, expr)
#define SF_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  if (!tmp.ok()) [[unlikely]]                     \
    return std::move(tmp).status();               \
  lhs = *std::move(tmp)

// For conditions that only our own bugs can break: never for anything that a caller, a file or a feed can contain.
#define SF_CHECK(condition)      \
  if (!(condition)) [[unlikely]] \
  ::staticflow::internal::InvariantFailed(__FILE__, __LINE__, #condition)

#endif  // STATICFLOW_GRAPH_STATUS_H_
