// Whoever a session warns.
//
//   Listener listener;
//   Session session(g, listener.Options());
//   ...
//   EXPECT_THAT(listener.told, IsEmpty());
#ifndef STATICFLOW_TESTS_OPS_AUDIT_LISTENER_H_
#define STATICFLOW_TESTS_OPS_AUDIT_LISTENER_H_

#include <string>
#include <vector>

#include "runtime/io/fault_env.h"
#include "runtime/session.h"

namespace staticflow {

// REQUIRES: it outlives the sessions that take its options.
struct Listener {
  SessionOptions Options(Audit audit = Audit::kWarn) {
    return {
        .threads = 1, .warn = [this](absl::string_view line) { told.push_back(std::string(line)); }, .audit = audit};
  }
  // Of a session with the file system `env`.
  SessionOptions On(FaultEnv& env, Audit audit = Audit::kWarn) {
    SessionOptions options = Options(audit);
    options.env = &env;
    return options;
  }
  std::vector<std::string> told = {};
};

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_OPS_AUDIT_LISTENER_H_
