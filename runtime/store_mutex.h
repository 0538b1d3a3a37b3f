// The lock over the contents of a ResourceStore; see there who holds it how.
//
//   std::shared_lock lock(session.resources().mutex());   // to read variables between steps
#ifndef STATICFLOW_RUNTIME_STORE_MUTEX_H_
#define STATICFLOW_RUNTIME_STORE_MUTEX_H_

#include <mutex>
#include <shared_mutex>

namespace staticflow {

struct StoreMutex : std::shared_mutex {};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_STORE_MUTEX_H_
