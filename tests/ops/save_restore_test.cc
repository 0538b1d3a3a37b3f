#include "ops/save_restore.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "ops/array.h"
#include "ops/control_flow.h"
#include "runtime/io/bundle.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::HasSubstr;

Tensor Strings(std::initializer_list<std::string> values) { return Tensor::Vector<std::string>(values); }

INSTANTIATE_OP_TEST(
    StringJoin,
    {{.name = "scalars",
      .op = "StringJoin",
      .inputs = {Tensor("a"), Tensor("b")},
      .attrs = {{"separator", "-"}},
      .want = {Tensor("a-b")}},
     {.name = "one", .inputs = {Tensor("a")}, .want = {Tensor("a")}},
     {.name = "repeats scalars", .inputs = {Strings({"a", "b"}), Tensor("c")}, .want = {Strings({"ac", "bc"})}},
     {.name = "no elements", .inputs = {Strings({}), Tensor("c")}, .want = {Strings({})}},
     {.name = "shapes differ", .inputs = {Strings({"a", "b"}), Strings({"c"})}, .want_error = "[1]"}});

INSTANTIATE_OP_TEST(ShardedFilename, {{.name = "padded",
                                       .op = "ShardedFilename",
                                       .inputs = {Tensor("m"), Tensor(1), Tensor(4)},
                                       .want = {Tensor("m-00001-of-00004")}},
                                      {.name = "no scalar",
                                       .inputs = {Tensor("m"), T<int32_t>({1, 2}), Tensor(4)},
                                       .want_error = "input 1 has shape"}});

INSTANTIATE_OP_TEST(ShardedFilespec, {{.name = "padded",
                                       .inputs = {Tensor("m"), Tensor(4)},
                                       .want = {Tensor("m-" + std::string(5, '?') + "-of-00004")}}});

class SaveRestore : public testing::Test {
 protected:
  SaveRestore() : directory_(testing::TempDir() + "/save_restore") { std::filesystem::remove_all(directory_); }

  std::string Path(absl::string_view name) const { return JoinPath(directory_, name); }

  absl::Status Save(const std::string& prefix, std::initializer_list<std::string> names,
                    std::initializer_list<std::string> slices, const std::vector<Tensor>& tensors) {
    Graph g;
    std::vector<Output> values;
    for (const Tensor& tensor : tensors) values.push_back(Const(g, tensor));
    const Operation save =
        SaveV2(Const(g, Tensor(prefix)), Const(g, Strings(names)), Const(g, Strings(slices)), values);
    EXPECT_EQ(save.node()->type(), "SaveV2");
    Session session(g);
    return session.Run({}, std::vector<Output>(), {save}).status();
  }
  absl::StatusOr<std::vector<Tensor>> Restore(const std::string& prefix, std::initializer_list<std::string> names,
                                              std::initializer_list<std::string> slices, std::vector<DataType> dtypes) {
    Graph g;
    const std::vector<Output> values =
        RestoreV2(Const(g, Tensor(prefix)), Const(g, Strings(names)), Const(g, Strings(slices)), std::move(dtypes));
    EXPECT_EQ(values[0].node()->type(), "RestoreV2");
    Session session(g);
    return session.Run({}, values);
  }

  std::string directory_;
};

TEST_F(SaveRestore, GivesBackEveryType) {
  const std::vector<Tensor> tensors = {M({{1, 2}, {3, 4}}), Tensor("text"), T<int64_t>({1, -1}),
                                       Tensor(true),        T({}),          As<Half>({1.5})};
  const absl::Status saved = Save(Path("m"), {"a", "b", "c", "d", "e", "f"}, {"", "", "", "", "", ""}, tensors);
  ASSERT_TRUE(saved.ok()) << saved;
  const auto got = Restore(Path("m"), {"f", "e", "d", "c", "b", "a"}, {"", "", "", "", "", ""},
                           {DT_HALF, DT_FLOAT, DT_BOOL, DT_INT64, DT_STRING, DT_FLOAT});
  ASSERT_TRUE(got.ok()) << got.status();
  for (size_t i = 0; i < tensors.size(); ++i) EXPECT_TRUE(BitwiseEqual((*got)[i], tensors[5 - i])) << i;
}

TEST_F(SaveRestore, HandlesSlices) {
  const absl::Status saved =
      Save(Path("m"), {"w", "w"}, {"4 2 0,2:-", "4 2 2,2:-"}, {M({{1, 2}, {3, 4}}), M({{5, 6}, {7, 8}})});
  ASSERT_TRUE(saved.ok()) << saved;
  const auto got = Restore(Path("m"), {"w", "w"}, {"", "4 2 1,2:1,1"}, {DT_FLOAT, DT_FLOAT});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(BitwiseEqual((*got)[0], M({{1, 2}, {3, 4}, {5, 6}, {7, 8}})));
  EXPECT_TRUE(BitwiseEqual((*got)[1], M({{4}, {6}})));
}

TEST_F(SaveRestore, MergesCheckpoints) {
  ASSERT_TRUE(Save(Path("a"), {"v"}, {""}, {Tensor(1.0f)}).ok());
  ASSERT_TRUE(Save(Path("shards/b"), {"w"}, {""}, {Tensor(2.0f)}).ok());
  Graph g;
  const Operation merge =
      MergeV2Checkpoints(Const(g, Strings({Path("a"), Path("shards/b")})), Const(g, Tensor(Path("c"))));
  EXPECT_EQ(merge.node()->type(), "MergeV2Checkpoints");
  Session session(g);
  const absl::Status merged = session.Run({}, std::vector<Output>(), {merge}).status();
  ASSERT_TRUE(merged.ok()) << merged;
  const auto got = Restore(Path("c"), {"v", "w"}, {"", ""}, {DT_FLOAT, DT_FLOAT});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ((*got)[1].scalar<float>(), 2);
  EXPECT_TRUE(absl::IsNotFound(BundleReader::Open(PosixEnv(), Path("a")).status()));
  EXPECT_FALSE(*PosixEnv()->FileExists(Path("shards")));
}

TEST_F(SaveRestore, SaysWhatIsWrong) {
  ASSERT_TRUE(Save(Path("m"), {"w"}, {""}, {T({1, 2})}).ok());
  const auto check = [&](absl::Status status, absl::StatusCode code, absl::string_view text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(text)));
  };
  check(Restore(Path("m"), {"x", "w", "y"}, {"", "", ""}, {DT_FLOAT, DT_FLOAT, DT_FLOAT}).status(),
        absl::StatusCode::kNotFound, "lacks x, y");
  check(Restore(Path("m"), {"w"}, {""}, {DT_INT32}).status(), absl::StatusCode::kInvalidArgument, "w is float");
  check(Restore(Path("m"), {"w"}, {"3 0,1"}, {DT_FLOAT}).status(), absl::StatusCode::kInvalidArgument, "[2]");
  check(Restore(Path("m"), {"w"}, {"2 1,2"}, {DT_FLOAT}).status(), absl::StatusCode::kInvalidArgument, "'2 1,2'");
  check(Restore(Path("m"), {"w", "w"}, {""}, {DT_FLOAT}).status(), absl::StatusCode::kInvalidArgument,
        "2 tensor_names and 1 shape_and_slices");
  check(Restore(Path("n"), {"w"}, {""}, {DT_FLOAT}).status(), absl::StatusCode::kNotFound, "n.index");
  check(Save(Path("m"), {"w"}, {"3 0,1"}, {T({1, 2})}), absl::StatusCode::kInvalidArgument, "its slice [1]");
  check(Save(Path("m"), {"w", "w"}, {"", ""}, {T({1}), T({2})}), absl::StatusCode::kInvalidArgument, "w");
}

// The ops of the first format.
class SaveRestoreV1 : public SaveRestore {
 protected:
  absl::Status SaveFirst(const std::string& path, std::initializer_list<std::string> names,
                         std::initializer_list<std::string> slices, const std::vector<Tensor>& tensors) {
    Graph g;
    std::vector<Output> values;
    for (const Tensor& tensor : tensors) values.push_back(Const(g, tensor));
    Session session(g);
    const Operation save = SaveV1(Const(g, Tensor(path)), Const(g, Strings(names)), Const(g, Strings(slices)), values);
    if (!save.valid()) return g.status();
    EXPECT_EQ(save.node()->type(), "SaveSlices");
    return session.Run({}, std::vector<Output>(), {save}).status();
  }
  absl::StatusOr<Tensor> RestoreFirst(const std::string& pattern, const char* name, const char* slice, DataType dtype) {
    Graph g;
    const Output value = RestoreV1(Const(g, Tensor(pattern)), Const(g, Tensor(name)), Const(g, Tensor(slice)), dtype);
    EXPECT_EQ(value.node()->type(), "RestoreSlice");
    Session session(g);
    return session.Run({}, value);
  }
};

TEST_F(SaveRestoreV1, PartsOfTwoFilesAreOneTensor) {
  ASSERT_TRUE(SaveFirst(Path("m-0"), {"p", "s"}, {"3 2 0,2:-", ""}, {M({{1, 2}, {3, 4}}), Tensor("text")}).ok());
  ASSERT_TRUE(SaveFirst(Path("m-1"), {"p"}, {"3 2 2,1:-"}, {M({{5, 6}})}).ok());
  const auto all = RestoreFirst(Path("m-*"), "p", "", DT_FLOAT);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(BitwiseEqual(*all, M({{1, 2}, {3, 4}, {5, 6}})));
  EXPECT_TRUE(BitwiseEqual(*RestoreFirst(Path("m-*"), "p", "3 2 1,2:1,1", DT_FLOAT), M({{4}, {6}})));
  EXPECT_TRUE(BitwiseEqual(*RestoreFirst(Path("m-0"), "p", "3 2 0,1:-", DT_FLOAT), M({{1, 2}})));
  const std::vector<std::pair<absl::Status, const char*>> failures = {
      {RestoreFirst(Path("m-0"), "p", "", DT_FLOAT).status(), "do not cover"},
      {RestoreFirst(Path("m-0"), "q", "", DT_FLOAT).status(), "lacks q"},
      {RestoreFirst(Path("m-0"), "s", "", DT_FLOAT).status(), "s is string in checkpoint"},
      {RestoreFirst(Path("m-0"), "p", "4 2 0,1:-", DT_FLOAT).status(), "a slice of [4,2] is asked for"},
      {RestoreFirst(Path("n"), "p", "", DT_FLOAT).status(), "there is no file"},
      {SaveFirst(Path("n"), {"p"}, {"3 2 0,2:-"}, {M({{1, 2}})}), "its slice [2,2]"},
      {SaveFirst(Path("n"), {"p"}, {}, {M({{1, 2}})}), "got 0 shapes_and_slices for 1 tensors"},
      {SaveFirst(Path("n"), {"p", "q"}, {""}, {M({{1, 2}})}), "got 2 tensor_names for 1 tensors"}};
  for (const auto& [status, message] : failures) EXPECT_THAT(status.message(), HasSubstr(message));
}

TEST_F(SaveRestoreV1, WhatTensorFlowWroteIsRestoredByEveryVersion) {
  const std::string file = "tests/golden/files/checkpoint_v1/model.ckpt";
  const Tensor want = M({{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}});
  const auto second = Restore(file, {"part/p", "scalar"}, {"", ""}, {DT_FLOAT, DT_FLOAT});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(BitwiseEqual((*second)[0], want));
  EXPECT_TRUE(BitwiseEqual(*RestoreFirst(file, "part/p", "", DT_FLOAT), want));
  Graph g;
  const Output value =
      NodeBuilder("Restore", {Const(g, Tensor(file)), Const(g, Tensor("w"))}).Attr("dt", DT_FLOAT).Build();
  const Output copy = Const(g, Tensor(Path("copy")));
  Node* save = NodeBuilder("Save", {copy, Const(g, Strings({"w"}))}).Inputs({value}).BuildNode();
  ASSERT_NE(save, nullptr) << g.status();
  Session session(g);
  ASSERT_TRUE(session.Run({}, std::vector<Output>(), {save}).ok());
  EXPECT_TRUE(BitwiseEqual(*RestoreFirst(Path("copy"), "w", "", DT_FLOAT), M({{0, 0.25, 0.5}, {0.75, 1, 1.25}})));
}

}  // namespace
}  // namespace staticflow
