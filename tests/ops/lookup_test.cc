// Lookup tables, through the builders and through the older ops on references.
#include "ops/lookup.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "ops/array.h"
#include "ops/state.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

absl::Status RunOnce(Session& session, Operation op) { return session.Run({}, std::vector<Output>(), {op}).status(); }

TEST(HashTable, FindsWhatItWasInitializedWith) {
  Graph g;
  const Output table = HashTable(g, DT_STRING, DT_INT64);
  InitializeTable(table, Const(g, T<std::string>({"a", "b", "c"})), Const(g, T<int64_t>({0, 1, 2})));
  const Output found =
      LookupTableFind(table, Const(g, M<std::string>({{"b", "x"}, {"c", "a"}})), Const(g, Tensor(int64_t{-1})));
  EXPECT_EQ(found.shape(), Shape({2, 2}));
  const Output count = LookupTableSize(table);
  const Operation init = TablesInitializer(g);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(session.Run({}, found).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(RunOnce(session, init).ok());
  ASSERT_TRUE(RunOnce(session, init).ok()) << "the same contents again are no mistake";
  EXPECT_TRUE(TensorsNear(*session.Run({}, found), M<int64_t>({{1, -1}, {2, 0}}), 0));
  EXPECT_EQ(session.Run({}, count)->scalar<int64_t>(), 3);
}

TEST(HashTable, IsFixed) {
  Graph g;
  const Output table = HashTable(g, DT_INT64, DT_FLOAT);
  const Output keys = Const(g, T<int64_t>({1, 2}));
  const Operation first = InitializeTable(table, keys, Const(g, T({1, 2})));
  const Operation other = InitializeTable(table, keys, Const(g, T({1, 3})));
  const Operation twice = InitializeTable(table, Const(g, T<int64_t>({1, 1})), Const(g, T({1, 3})));
  const Operation insert = LookupTableInsert(table, keys, Const(g, T({5, 6})));
  Session session(g);
  EXPECT_EQ(RunOnce(session, twice).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(RunOnce(session, first).ok());
  EXPECT_EQ(RunOnce(session, other).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(RunOnce(session, insert).code(), absl::StatusCode::kUnimplemented);
}

TEST(MutableHashTable, Changes) {
  Graph g;
  const Output table = MutableHashTable(g, DT_INT64, DT_STRING);
  const auto keys = [&](std::initializer_list<int64_t> values) { return Const(g, T<int64_t>(values)); };
  const auto texts = [&](std::initializer_list<std::string> values) { return Const(g, T<std::string>(values)); };
  const Operation insert = LookupTableInsert(table, keys({3, -1}), texts({"c", "a"}));
  const Operation replace = LookupTableInsert(table, keys({3}), texts({"d"}));
  const Operation remove = LookupTableRemove(table, keys({-1, 7}));
  const Operation import = LookupTableImport(table, keys({9}), texts({"z"}));
  const auto [all, values] = LookupTableExport(table, DT_INT64, DT_STRING);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  const auto expect = [&](const Tensor& want_keys, const Tensor& want_values) {
    const auto got = session.Run({}, std::vector<Output>{all, values});
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(TensorsNear((*got)[0], want_keys, 0));
    EXPECT_TRUE(TensorsNear((*got)[1], want_values, 0));
  };
  expect(T<int64_t>({}), T<std::string>({}));
  ASSERT_TRUE(RunOnce(session, insert).ok());
  expect(T<int64_t>({-1, 3}), T<std::string>({"a", "c"}));
  ASSERT_TRUE(RunOnce(session, replace).ok());
  expect(T<int64_t>({-1, 3}), T<std::string>({"a", "d"}));
  ASSERT_TRUE(RunOnce(session, remove).ok());
  expect(T<int64_t>({3}), T<std::string>({"d"}));
  ASSERT_TRUE(RunOnce(session, import).ok());
  expect(T<int64_t>({9}), T<std::string>({"z"}));
}

TEST(MutableHashTable, OfTensors) {
  Graph g;
  const Output table = MutableHashTable(g, DT_STRING, DT_STRING, {.value_shape = {2}});
  const Operation insert =
      LookupTableInsert(table, Const(g, T<std::string>({"k"})), Const(g, M<std::string>({{"one", ""}})));
  const Operation wrong = LookupTableInsert(table, Const(g, T<std::string>({"k"})), Const(g, T<std::string>({"x"})));
  const Output found =
      LookupTableFind(table, Const(g, T<std::string>({"q", "k"})), Const(g, T<std::string>({"-", "+"})));
  Session session(g);
  ASSERT_TRUE(RunOnce(session, insert).ok());
  EXPECT_EQ(RunOnce(session, wrong).code(), absl::StatusCode::kInvalidArgument);
  const auto got = session.Run({}, found);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear(*got, M<std::string>({{"-", "+"}, {"one", ""}}), 0));
}

TEST(MutableDenseHashTable, RefusesItsEmptyKey) {
  Graph g;
  const Output table =
      NodeBuilder("MutableDenseHashTableV2", {Const(g, Tensor(int64_t{0})), Const(g, Tensor(int64_t{-1}))})
          .Attr("value_dtype", DT_FLOAT)
          .Build();
  const Operation good = LookupTableInsert(table, Const(g, T<int64_t>({5})), Const(g, T({2.5})));
  const Operation bad = LookupTableInsert(table, Const(g, T<int64_t>({0})), Const(g, T({2.5})));
  Session session(g);
  EXPECT_TRUE(RunOnce(session, good).ok());
  EXPECT_EQ(RunOnce(session, bad).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(session.Run({}, LookupTableSize(table))->scalar<int64_t>(), 1);
}

TEST(Builders, MakeTheFormsForHandles) {
  Graph g;
  const Output fixed = HashTable(g, DT_INT64, DT_FLOAT), table = MutableHashTable(g, DT_INT64, DT_FLOAT);
  const Output tensors = MutableHashTable(g, DT_INT64, DT_FLOAT, {.value_shape = {2}});
  const Output keys = Const(g, T<int64_t>({1})), values = Const(g, T({1}));
  const std::pair<Node*, const char*> table_of_types[] = {
      {fixed.node(), "HashTableV2"},
      {table.node(), "MutableHashTableV2"},
      {tensors.node(), "MutableHashTableOfTensorsV2"},
      {InitializeTable(fixed, keys, values).node(), "InitializeTableV2"},
      {LookupTableFind(table, keys, values).node(), "LookupTableFindV2"},
      {LookupTableInsert(table, keys, values).node(), "LookupTableInsertV2"},
      {LookupTableRemove(table, keys).node(), "LookupTableRemoveV2"},
      {LookupTableImport(table, keys, values).node(), "LookupTableImportV2"},
      {LookupTableExport(table, DT_INT64, DT_FLOAT).keys.node(), "LookupTableExportV2"},
      {LookupTableSize(table).node(), "LookupTableSizeV2"}};
  ASSERT_TRUE(g.status().ok()) << g.status();
  for (const auto& [node, type] : table_of_types) EXPECT_EQ(node->type(), type);
}

// The ops before handles: what they share with the V2 forms is everything but the handle.
TEST(TablesBehindReferences, Work) {
  Graph g;
  const auto here = std::source_location::current();
  for (const char* type : {"MutableHashTable", "MutableHashTableOfTensors"}) {
    const Output table = NodeBuilder(g, type, here).Attr("key_dtype", DT_INT64).Attr("value_dtype", DT_FLOAT).Build();
    const Output keys = Const(g, T<int64_t>({4, 2})), values = Const(g, T({40, 20}));
    const Operation insert = NodeBuilder("LookupTableInsert", {table, keys, values}).BuildNode();
    const Operation import = NodeBuilder("LookupTableImport", {table, keys, values}).BuildNode();
    const Output found =
        NodeBuilder("LookupTableFind", {table, Const(g, T<int64_t>({2, 3})), Const(g, Tensor(-1.0f))}).Build();
    Node* all = NodeBuilder("LookupTableExport", {table}).Attr("Tkeys", DT_INT64).Attr("Tvalues", DT_FLOAT).BuildNode();
    const Output count = NodeBuilder("LookupTableSize", {table}).Build();
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g);
    ASSERT_TRUE(RunOnce(session, insert).ok());
    ASSERT_TRUE(RunOnce(session, import).ok());
    EXPECT_TRUE(TensorsNear(*session.Run({}, found), T({20, -1}), 0));
    EXPECT_TRUE(TensorsNear(*session.Run({}, all->output(1)), T({20, 40}), 0));
    EXPECT_EQ(session.Run({}, count)->scalar<int64_t>(), 2);
  }
  const Output fixed =
      NodeBuilder(g, "HashTable", here).Attr("key_dtype", DT_INT32).Attr("value_dtype", DT_BOOL).Build();
  const Operation init =
      NodeBuilder("InitializeTable", {fixed, Const(g, T<int32_t>({1})), Const(g, T<bool>({true}))}).BuildNode();
  const Output dense =
      NodeBuilder("MutableDenseHashTable", {Const(g, Tensor(int64_t{0}))}).Attr("value_dtype", DT_FLOAT).Build();
  const Output count = NodeBuilder("LookupTableSize", {dense}).Build();
  Session session(g);
  EXPECT_TRUE(RunOnce(session, init).ok());
  EXPECT_EQ(session.Run({}, count)->scalar<int64_t>(), 0);
}

TEST(InitializeTableFromTextFile, ReadsColumns) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "lookup_test_vocabulary.txt";
  std::ofstream(path) << "emerson\t10\nlake\t20\npalmer\t30\n";
  for (const std::string op : {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}) {
    const std::string suffix = absl::EndsWith(op, "V2") ? "V2" : "";
    Graph g;
    const Output table = NodeBuilder(g, "HashTable" + suffix, std::source_location::current())
                             .Attr("key_dtype", DT_STRING)
                             .Attr("value_dtype", DT_INT64)
                             .Build();
    const auto init = [&](int64_t key, int64_t value, int64_t size) {
      return Operation(NodeBuilder(op, {table, Const(g, Tensor(path.string()))})
                           .Attr("key_index", key)
                           .Attr("value_index", value)
                           .Attr("vocab_size", size)
                           .BuildNode());
    };
    const Operation columns = init(0, 1, -1), too_long = init(-2, -1, 4), no_column = init(0, 2, -1);
    const Output found = NodeBuilder("LookupTableFind" + suffix,
                                     {table, Const(g, T<std::string>({"lake", "none"})), Const(g, Tensor(int64_t{-1}))})
                             .Build();
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g);
    EXPECT_EQ(RunOnce(session, too_long).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(RunOnce(session, no_column).code(), absl::StatusCode::kInvalidArgument);
    ASSERT_TRUE(RunOnce(session, columns).ok());
    EXPECT_TRUE(TensorsNear(*session.Run({}, found), T<int64_t>({20, -1}), 0));
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace staticflow
