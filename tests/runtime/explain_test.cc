// Session::Explain: what it says of each node, the doubts it raises, and the three forms it is written in.
#include "runtime/explain.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/layers/core.h"
#include "ops/layers/normalization.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/random.h"
#include "ops/state.h"
#include "ops/train/gradient_descent.h"

namespace staticflow {
namespace {

std::string FateOf(const Explanation& e, const Graph& g, absl::string_view name) {
  const Node* node = g.FindNode(name);
  const ExplainedNode* entry = node == nullptr ? nullptr : e.Find(*node);
  return entry == nullptr ? "not needed" : FateName(entry->fate);
}

// A small network: two layers, one value fetched.
struct Network {
  Network() {
    x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 4}, .name = "x"});
    labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "labels"});
    w = NewVariable(g, Tensor::Matrix<float>({{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {1, 1, 1}}), {.name = "w"});
    const Output two = Const(g, 2.0f, {.name = "two"}), four = Mul(two, two, {.name = "four"});
    const Output product = MatMul(x, w.snapshot, {.name = "product"});
    const Output once = Mul(product, four, {.name = "once"}), again = Mul(product, four, {.name = "again"});
    y = Add(Relu(once), Exp(again), {.name = "y"});
    loss = Mean(SquaredDifference(y, labels), {0, 1}, {.name = "loss"});
    train = AssignSub(w.ref(), Fill(Const(g, Tensor::Vector<int32_t>({4, 3})), loss), {.name = "train"});
  }

  Graph g;
  Output x, labels, y, loss, train;
  Variable w;
};

TEST(ExplainTest, SaysWhatBecomesOfEachNode) {
  Network n;
  ASSERT_TRUE(n.g.status().ok()) << n.g.status();
  Session session(n.g, {.threads = 1});
  const absl::StatusOr<Explanation> e = session.Explain({.feeds = {n.x}, .fetches = {n.y}}, {.feed_shapes = {{5, 4}}});
  ASSERT_TRUE(e.ok()) << e.status();
  const std::pair<const char*, const char*> rows[] = {
      {"x", "fed"},       {"w", "variable"},        {"w/read", "view"},      {"two", "constant"},
      {"four", "folded"}, {"product", "runs"},      {"once", "runs"},        {"again", "shared"},
      {"y", "runs"},      {"labels", "not needed"}, {"train", "not needed"},
  };
  for (const auto& [name, want] : rows) EXPECT_EQ(FateOf(*e, n.g, name), want) << name;
  EXPECT_EQ(e->Find(*n.g.FindNode("again"))->same_as, n.g.FindNode("once"));
  const ExplainedNode* product = e->Find(*n.g.FindNode("product"));
  EXPECT_EQ(product->needed_by, n.g.FindNode("once"));
  EXPECT_EQ(product->root, "fetch y:0");
  // Everything element-wise is one instruction, y its last node.
  const ExplainedNode* y = e->Find(*n.y.node());
  EXPECT_EQ(y->instruction, e->Find(*n.g.FindNode("once"))->instruction);
  EXPECT_NE(y->instruction, product->instruction);
  EXPECT_EQ(e->instructions[y->instruction].nodes.size(), 4);
  ASSERT_FALSE(e->values.empty());
  EXPECT_EQ(e->values[0].bytes, 5 * 3 * 4);
  EXPECT_GE(e->arena_bytes, e->instructions[e->peak_instruction].live_bytes);
  EXPECT_TRUE(e->missing_feeds.empty());
}

TEST(ExplainTest, NamesWhatHasToBeFed) {
  Network n;
  Session session(n.g, {.threads = 1});
  const absl::StatusOr<Explanation> e = session.Explain({.feeds = {n.x}, .fetches = {n.loss}});
  ASSERT_TRUE(e.ok()) << e.status();
  ASSERT_EQ(e->missing_feeds.size(), 1);
  EXPECT_EQ(e->missing_feeds[0]->name(), "labels");
  EXPECT_TRUE(e->batch_assumed);
  EXPECT_EQ(e->feed_shapes[0], Shape({1, 4}));
  EXPECT_EQ(session.Explain({.feeds = {n.x}, .fetches = {n.y}}, {.feed_shapes = {{5, 3}}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Programs with something doubtful in them, and what is said of it: "w: READER WRITER" and "stray: NODE when GUARD".
struct DoubtRow {
  const char* name;
  Signature (*build)(Graph& g, Output p, const Variable& v);
  std::vector<std::string> want;
};

std::vector<std::string> DoubtsOf(const Explanation& e) {
  std::vector<std::string> lines;
  for (const VariableRace& race : e.races) {
    lines.push_back(absl::StrCat(race.variable->name(), ": ", race.first->name(), race.both_write ? " twice " : " ",
                                 race.second->name()));
  }
  for (const StrayNode& stray : e.strays) {
    lines.push_back(absl::StrCat("stray: ", stray.node->name(), " when ", stray.used_when));
  }
  return lines;
}

const DoubtRow kDoubts[] = {
    {"a read and an assignment that nothing orders",
     [](Graph&, Output, const Variable& v) -> Signature {
       return {.fetches = {Mul(v.snapshot, 2.0, {.name = "double"})},
               .targets = {AssignAdd(v.ref(), 1, {.name = "up"})}};
     },
     {"v: double up"}},
    {"the same in order",
     [](Graph& g, Output, const Variable& v) -> Signature {
       const Output twice = Mul(v.snapshot, 2.0, {.name = "double"});
       ControlDependencies after(g, {Operation(twice)});
       return {.fetches = {twice}, .targets = {AssignAdd(v.ref(), 1, {.name = "up"})}};
     },
     {}},
    {"two writes",
     [](Graph&, Output, const Variable& v) -> Signature {
       return {.targets = {AssignAdd(v.ref(), 1, {.name = "up"}), Assign(v.ref(), 5, {.name = "set"})}};
     },
     {"v: up twice set"}},
    {"a read in one branch, a write in the other",
     [](Graph& g, Output p, const Variable& v) -> Signature {
       return {
           .fetches = {Cond(
               p, [&] { return Add(v.snapshot, 1.0); }, [&] { return Identity(Assign(v.ref(), Const(g, 3.0f))); })}};
     },
     {}},
    // tensorflow#3287, #2062: an assignment made before the cond whose result a branch returns.
    {"an assignment made outside of the branch that uses it",
     [](Graph&, Output p, const Variable& v) -> Signature {
       const Output up = AssignAdd(v.ref(), 1, {.name = "up"});
       return {.fetches = {Cond(
                   p, [&] { return Identity(up); }, [&] { return Identity(v.initial_value); })}};
     },
     {"stray: up when p:0"}},
    // tensorflow#10800, DeepSpeech#215: a branch that only waits for what was built outside.
    {"an update that a branch waits for",
     [](Graph& g, Output p, const Variable& v) -> Signature {
       const Output up = AssignAdd(v.ref(), 1, {.name = "up"});
       const auto wait = [&] {
         ControlDependencies after(g, {Operation(up)});
         return Const(g, 1.0f);
       };
       return {.fetches = {Cond(p, wait, [&] { return Const(g, 2.0f); })}};
     },
     {"stray: up when p:0"}},
    // tensorflow#19350: random numbers for one branch, drawn in every step.
    {"random numbers drawn outside",
     [](Graph& g, Output p, const Variable& v) -> Signature {
       const Output noise = RandomUniform(g, std::vector<int64_t>{}, {.seed = 7, .name = "noise"});
       return {.fetches = {Cond(
                   p, [&] { return Identity(v.snapshot); }, [&] { return noise * 2.0; })}};
     },
     {"stray: noise/RandomUniform when not p:0"}},
    {"pure work outside is moved into its branch",
     [](Graph&, Output p, const Variable& v) -> Signature {
       const Output e = Exp(v.snapshot, {.name = "exp"});
       return {.fetches = {Cond(
                   p, [&] { return Identity(e); }, [&] { return Identity(v.initial_value); })}};
     },
     {}},
    {"the same assignment inside",
     [](Graph&, Output p, const Variable& v) -> Signature {
       return {.fetches = {Cond(
                   p, [&] { return Identity(AssignAdd(v.ref(), 1)); }, [&] { return Identity(v.initial_value); })}};
     },
     {}},
    {"an assignment that is also a target",
     [](Graph&, Output p, const Variable& v) -> Signature {
       const Output up = AssignAdd(v.ref(), 1, {.name = "up"});
       return {.fetches = {Cond(
                   p, [&] { return Identity(up); }, [&] { return Identity(v.initial_value); })},
               .targets = {up}};
     },
     {}},
};

TEST(ExplainTest, RaisesDoubts) {
  for (const DoubtRow& row : kDoubts) {
    SCOPED_TRACE(row.name);
    Graph g;
    const Output p = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "p"});
    const Variable v = NewVariable(g, Tensor(1.0f), {.name = "v"});
    Signature signature = row.build(g, p, v);
    ASSERT_TRUE(g.status().ok()) << g.status();
    signature.feeds = {p};
    Session session(g, {.threads = 1});
    absl::StatusOr<Explanation> e = session.Explain(signature);
    ASSERT_TRUE(e.ok()) << e.status();
    EXPECT_EQ(DoubtsOf(*e), row.want);
    for (const std::string& doubt : row.want) {
      const bool stray = doubt.starts_with("stray");
      EXPECT_NE(ExplanationText(*e).find(stray ? "stray: " : "unordered: 'v'"), std::string::npos)
          << ExplanationText(*e);
    }
    if (e->strays.empty()) continue;
    const bool used = e->strays[0].used_when == "p:0";
    for (const bool value : {false, true}) {
      e = session.Explain(signature, {.feed_values = {{p, value}}});
      ASSERT_TRUE(e.ok()) << e.status();
      ASSERT_EQ(e->strays.size(), 1);
      EXPECT_EQ(e->strays[0].always_idle, value != used);
    }
  }
}

TEST(ExplainTest, AFedPredicateLeavesOneBranch) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {8, 4}, .name = "x"});
  const Output training = PlaceholderWithDefault(g, false, {.name = "training"});
  const Output y = layers::BatchNormalization(g, x, {.training = training, .name = "bn"});
  Session session(g, {.threads = 1});
  const Signature signature = {.feeds = {x, training}, .fetches = {y}};
  for (const bool value : {false, true}) {
    const absl::StatusOr<Explanation> e = session.Explain(signature, {.feed_values = {{training, value}}});
    ASSERT_TRUE(e.ok()) << e.status();
    EXPECT_EQ(FateOf(*e, g, "bn/moments/mean"), value ? "runs" : "not taken");
  }
  const absl::StatusOr<Explanation> both = session.Explain(signature);
  ASSERT_TRUE(both.ok());
  const ExplainedNode* mean = both->Find(*g.FindNode("bn/moments/mean"));
  EXPECT_TRUE(mean->moved_into_branch);
  EXPECT_EQ(mean->guard, "training:0");
}

// What the Trace Event Format asks of the kinds of events that are written: complete events, counters and metadata.
void CheckTraceEvent(const google::protobuf::Struct& event) {
  using google::protobuf::Value;
  const auto has = [&](const char* name, Value::KindCase kind) {
    const auto it = event.fields().find(name);
    EXPECT_TRUE(it != event.fields().end() && it->second.kind_case() == kind) << name << " of " << event.DebugString();
    return it != event.fields().end() && it->second.kind_case() == kind;
  };
  if (!has("ph", Value::kStringValue) || !has("name", Value::kStringValue) || !has("pid", Value::kNumberValue)) return;
  const std::string phase = event.fields().at("ph").string_value(), name = event.fields().at("name").string_value();
  if (phase == "X") {
    has("cat", Value::kStringValue);
    has("tid", Value::kNumberValue);
    if (has("ts", Value::kNumberValue) && has("dur", Value::kNumberValue)) {
      EXPECT_GE(event.fields().at("dur").number_value(), 0);
    }
  } else if (phase == "C") {
    if (!has("ts", Value::kNumberValue) || !has("args", Value::kStructValue)) return;
    for (const auto& [series, value] : event.fields().at("args").struct_value().fields()) {
      EXPECT_EQ(value.kind_case(), Value::kNumberValue) << series;
    }
  } else {
    EXPECT_EQ(phase, "M");
    EXPECT_TRUE(name == "process_name" || name == "thread_name") << name;
    if (has("args", Value::kStructValue)) {
      EXPECT_TRUE(event.fields().at("args").struct_value().fields().contains("name"));
    }
  }
}

// A training step with everything in it, for the forms of output.
TEST(ExplainTest, IsWrittenAsTextDotAndTrace) {
  Network n;
  const Operation step = train::GradientDescent(n.g, {.learning_rate = 0.1}).Minimize(n.loss);
  ASSERT_TRUE(n.g.status().ok()) << n.g.status();
  for (const int threads : {1, 2}) {
    Session session(n.g, {.threads = threads});
    ASSERT_TRUE(session.Initialize().ok());
    const Signature signature = {.feeds = {n.x, n.labels}, .fetches = {n.loss}, .targets = {step}};
    const absl::StatusOr<Explanation> e = session.Explain(signature, {.feed_shapes = {{64, 4}, {64, 3}}});
    ASSERT_TRUE(e.ok()) << e.status();
    const Node* update = n.g.FindNode("GradientDescent/update_w/ApplyGradientDescent");
    ASSERT_NE(update, nullptr);
    EXPECT_TRUE(e->Find(*update)->in_place);

    const std::string text = ExplanationText(*e);
    for (const char* part : {"feeds x:0 float[64,4], labels:0 float[64,3]; fetches loss:0; targets GradientDescent",
                             "shared: ", "folded: ", "memory: ", "ApplyGradientDescent"}) {
      EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    }
    const std::string dot = ExplanationDot(*e);
    EXPECT_EQ(std::count(dot.begin(), dot.end(), '{'), std::count(dot.begin(), dot.end(), '}'));
    EXPECT_NE(dot.find("subgraph cluster_"), std::string::npos);

    StepProfile profile;
    absl::StatusOr<Step> prepared = session.Prepare(signature);
    ASSERT_TRUE(prepared.ok());
    const Tensor x = Tensor::Create(DT_FLOAT, {64, 4}).value(), labels = Tensor::Create(DT_FLOAT, {64, 3}).value();
    ASSERT_TRUE(prepared->Run({x, labels}, {.profile = &profile}).ok());
    google::protobuf::Struct trace;
    const auto status = google::protobuf::util::JsonStringToMessage(ExplanationTrace(*e, profile), &trace);
    ASSERT_TRUE(status.ok()) << status.ToString();
    int timed = 0;
    std::map<double, std::vector<std::pair<double, double>>> times;  // by thread: begin and end
    for (const auto& event : trace.fields().at("traceEvents").list_value().values()) {
      CheckTraceEvent(event.struct_value());
      const auto& fields = event.struct_value().fields();
      if (fields.at("ph").string_value() == "X") {
        const double begin = fields.at("ts").number_value();
        times[fields.at("tid").number_value()].push_back({begin, begin + fields.at("dur").number_value()});
      }
      if (fields.at("ph").string_value() != "X" || fields.at("name").string_value() == "wait") continue;
      ++timed;
      EXPECT_TRUE(fields.at("args").struct_value().fields().contains("instruction"));
    }
    EXPECT_EQ(timed, static_cast<int>(profile.entries().size()));
    // Of one thread, events follow or hold one another.
    for (auto& [thread, spans] : times) {
      std::sort(spans.begin(), spans.end());
      for (size_t i = 1; i < spans.size(); ++i) {
        const bool follows = spans[i].first >= spans[i - 1].second - 1e-3;
        EXPECT_TRUE(follows || spans[i].second <= spans[i - 1].second + 1e-3) << thread << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace staticflow
