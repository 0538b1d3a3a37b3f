// What the tests of passes share: a graph's steps, run with plans of one's own choice.
//
//   TestGraph t;
//   t.Feed(x, tensor); t.Fetch(y);
//   Outcome plain = RunPlanned(t, {.passes = "-all"}), fused = RunPlanned(t, {.passes = "", .workers = 2});
//   EXPECT_EQ(Difference(plain, fused), 0);             // the largest relative difference of any value
//
// Every call starts with freshly initialized variables.
#ifndef STATICFLOW_TESTS_RUNTIME_PLAN_RUNNER_H_
#define STATICFLOW_TESTS_RUNTIME_PLAN_RUNNER_H_

#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"
#include "ops/array.h"
#include "runtime/executor.h"
#include "runtime/io/env.h"
#include "runtime/loop.h"
#include "runtime/pass.h"
#include "runtime/plan.h"
#include "runtime/product.h"
#include "runtime/resource_store.h"
#include "runtime/session.h"

namespace staticflow {

struct TestGraph {
  Graph graph;
  Signature signature;
  std::vector<Tensor> feeds;

  void Feed(Output output, Tensor value) {
    signature.feeds.push_back(output);
    feeds.push_back(std::move(value));
  }
  void Fetch(Output output) { signature.fetches.push_back(output); }
  void Target(Operation operation) { signature.targets.push_back(operation); }
  // A fed matrix of numbers in [-1, 1), the same for the same `seed`.
  Output Random(const Shape& shape, int seed) {
    Output x = Placeholder(graph, {.dtype = DT_FLOAT, .shape = shape});
    Feed(x, RandomTensor(shape, seed));
    return x;
  }
  static Tensor RandomTensor(const Shape& shape, int seed) {
    std::mt19937 bits(seed);
    Tensor tensor = Tensor::Create(DT_FLOAT, shape).value();
    for (float& value : tensor.flat<float>()) value = static_cast<float>(bits() % 2000000) / 1000000 - 1;
    return tensor;
  }
};

struct RunSpec {
  std::string passes = "";  // as in ParsePasses
  int workers = 1;
  int steps = 1;
  bool predicates_known = false;  // scalar bool feeds are part of the plan
  bool always = true;             // divided among workers whether that gains anything or not
};

struct Outcome {
  absl::Status status;
  std::string text;             // the plan
  std::vector<Tensor> fetches;  // of the last step
  std::map<std::string, Tensor> variables;
  int workers = 1;  // of the plan
};

// The plan for a graph, with the session that owns its variables.
struct Planned {
  std::unique_ptr<Session> session;
  std::shared_ptr<Plan> plan;
};

inline absl::StatusOr<Planned> MakePlan(const TestGraph& t, const RunSpec& spec) {
  Planned result;
  result.session = std::make_unique<Session>(t.graph, SessionOptions{.threads = 1});
  SF_RETURN_IF_ERROR(t.graph.status());
  SF_RETURN_IF_ERROR(result.session->Initialize());
  SF_ASSIGN_OR_RETURN(Program program, CompileProgram(t.signature));
  PlanOptions options{.workers = spec.workers, .divide_always = spec.always};
  SF_ASSIGN_OR_RETURN(options.passes, ParsePasses(spec.passes));
  std::vector<Shape> shapes;
  for (const Tensor& feed : t.feeds) shapes.push_back(feed.shape());
  for (int feed : program.predicate_feeds) {
    if (spec.predicates_known) options.feed_predicates.push_back({feed, *t.feeds[feed].data<bool>()});
  }
  SF_ASSIGN_OR_RETURN(std::unique_ptr<const Plan> plan, BuildPlan(std::make_shared<Program>(std::move(program)), shapes,
                                                                  &result.session->resources(), options));
  result.plan = std::make_shared<Plan>(*plan);
  result.plan->work_ns = int64_t{1} << 30;  // worth waking the team for
  return result;
}

inline absl::Status RunSteps(const TestGraph& t, const Planned& planned, int steps, Outcome* outcome) {
  SF_ASSIGN_OR_RETURN(std::unique_ptr<Frame> frame, Frame::Create(planned.plan, int64_t{1} << 32));
  const std::function<void(absl::string_view)> warn = [](absl::string_view) {};
  const StepState state{.resources = &planned.session->resources(), .env = PosixEnv(), .warn = &warn};
  for (int step = 0; step < steps; ++step) {
    SF_RETURN_IF_ERROR(RunPlan(*frame, t.feeds, state, {}, &outcome->fetches));
  }
  ResourceStore& resources = planned.session->resources();
  for (const std::string& name : resources.InitializedVariables()) {
    SF_ASSIGN_OR_RETURN(outcome->variables[name], resources.FindVariable(name)->value.Clone());
  }
  return absl::OkStatus();
}

inline Outcome RunPlanned(const TestGraph& t, const RunSpec& spec) {
  Outcome outcome;
  absl::StatusOr<Planned> planned = MakePlan(t, spec);
  outcome.status = planned.status();
  if (!planned.ok()) return outcome;
  outcome.text = planned->plan->ToString();
  outcome.workers = planned->plan->workers;
  outcome.status = RunSteps(t, *planned, spec.steps, &outcome);
  return outcome;
}

// The largest difference of an element, relative to the largest element of its tensor (or to 0.01: sums that cancel are
// as exact as what was added); 0 when all bits agree, 1 for tensors that cannot be compared.
inline double Difference(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return 1;
  if (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0) return 0;
  if (a.dtype() != DT_FLOAT) return 1;
  double largest = 0.01, worst = 1e-12;
  for (float x : a.flat<float>()) largest = std::isfinite(x) ? std::max(largest, std::fabs(double{x})) : largest;
  for (int64_t i = 0; i < a.num_elements(); ++i) {
    const float x = a.flat<float>()[i], y = b.flat<float>()[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double difference = std::fabs(double{x} - double{y}) / largest;
    worst = std::isnan(difference) ? 1 : std::max(worst, difference);
  }
  return worst;
}

inline double Difference(const Outcome& a, const Outcome& b) {
  if (!a.status.ok() || !b.status.ok() || a.fetches.size() != b.fetches.size()) return 1;
  double worst = 0;
  for (size_t i = 0; i < a.fetches.size(); ++i) worst = std::max(worst, Difference(a.fetches[i], b.fetches[i]));
  for (const auto& [name, value] : a.variables) {
    auto other = b.variables.find(name);
    worst = std::max(worst, other == b.variables.end() ? 1 : Difference(value, other->second));
  }
  return worst;
}

// One word or a few for each instruction, without the checks of variables: "Exp; MatMul 4x3x5 B^T; jump 4; loop 4x20:
// r1 = tanh(x0) -> r1".
inline std::string WordsOf(const Instruction& in) {
  if (in.loop != nullptr) return absl::StrCat("loop ", in.loop->rows, "x", in.loop->columns, ": ", in.loop->ToString());
  switch (in.kind) {
    case InstructionKind::kJump:
      return absl::StrCat("jump ", in.target);
    case InstructionKind::kCopy:
      return "copy";
    case InstructionKind::kMerge:
      return "merge";
    case InstructionKind::kAlias:
      return "view";
    case InstructionKind::kLoopAssign:
      return "enter";
    case InstructionKind::kLoopNext:
      return absl::StrCat("next ", in.target);
    default:
      break;
  }
  if (in.product == nullptr) return in.node->type();
  const ProductCall& p = *in.product;
  return absl::StrCat(in.node->type(), " ", p.m, "x", p.k, "x", p.n, p.transpose_a ? " A^T" : "",
                      p.transpose_b ? " B^T" : "", p.accumulate ? (p.sign < 0 ? " subtracted" : " added") : "",
                      p.scale_input >= 0 ? " scaled" : "");
}

inline std::string Instructions(const Plan& plan) {
  std::vector<std::string> words;
  for (const Instruction& in : plan.instructions) {
    if (in.kind != InstructionKind::kCheckVariable) words.push_back(WordsOf(in));
  }
  return absl::StrJoin(words, "; ");
}

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_RUNTIME_PLAN_RUNNER_H_
