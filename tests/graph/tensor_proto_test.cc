#include "graph/tensor_proto.h"

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/match.h"
#include "graph/attr_proto.h"
#include "graph/proto_bytes.h"

namespace staticflow {
namespace {

absl::StatusOr<Tensor> FromText(absl::string_view text, const TensorLimits& limits = {}) {
  proto::TensorProto message;
  const absl::Status parsed = ParseTextMessage(text, "TensorProto", &message);
  EXPECT_TRUE(parsed.ok()) << parsed;
  return TensorFromProto(message, limits);
}

struct GoodCase {
  std::string name;
  std::string text;
  Tensor want;
};

template <typename T>
Tensor Floats(std::initializer_list<float> values) {
  std::vector<T> elements;
  for (float value : values) elements.push_back(T(value));
  return Tensor::Of<T>({static_cast<int64_t>(elements.size())}, absl::MakeConstSpan(elements));
}

class GoodTensorTest : public testing::TestWithParam<GoodCase> {};

TEST_P(GoodTensorTest, IsRead) {
  const absl::StatusOr<Tensor> tensor = FromText(GetParam().text);
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_TRUE(BitwiseEqual(*tensor, GetParam().want)) << tensor->ToString();
  const absl::StatusOr<Tensor> again = TensorFromProto(TensorToProto(*tensor));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(BitwiseEqual(*again, *tensor)) << again->ToString();
}

const GoodCase kGoodCases[] = {
    {"scalar", "dtype: DT_FLOAT float_val: 1.5", Tensor(1.5f)},
    {"scalar_zero", "dtype: DT_FLOAT", Tensor(0.0f)},
    {"last_repeats", "dtype: DT_INT32 tensor_shape { dim { size: 4 } } int_val: 1 int_val: 2",
     Tensor::Vector<int32_t>({1, 2, 2, 2})},
    {"zeros", "dtype: DT_INT64 tensor_shape { dim { size: 2 } }", Tensor::Vector<int64_t>({0, 0})},
    {"content", "dtype: DT_INT16 tensor_shape { dim { size: 2 } } tensor_content: '\\001\\000\\002\\001'",
     Tensor::Vector<int16_t>({1, 258})},
    {"empty", "dtype: DT_DOUBLE tensor_shape { dim { size: 0 } dim { size: 3 } }", Tensor::Of<double>({0, 3}, {})},
    {"doubles", "dtype: DT_DOUBLE tensor_shape { dim { size: 2 } } double_val: 1 double_val: -2",
     Tensor::Vector<double>({1, -2})},
    {"small_integers", "dtype: DT_INT8 tensor_shape { dim { size: 2 } } int_val: -1 int_val: 127",
     Tensor::Vector<int8_t>({-1, 127})},
    {"unsigned", "dtype: DT_UINT32 tensor_shape { dim { size: 1 } } uint32_val: 4294967295",
     Tensor::Vector<uint32_t>({4294967295u})},
    {"unsigned_long", "dtype: DT_UINT64 tensor_shape { dim { size: 1 } } uint64_val: 18446744073709551615",
     Tensor::Vector<uint64_t>({18446744073709551615u})},
    {"bools", "dtype: DT_BOOL tensor_shape { dim { size: 3 } } bool_val: false bool_val: true",
     Tensor::Vector<bool>({false, true, true})},
    {"bool_content", "dtype: DT_BOOL tensor_shape { dim { size: 3 } } tensor_content: '\\000\\001\\377'",
     Tensor::Vector<bool>({false, true, true})},
    {"halves", "dtype: DT_HALF tensor_shape { dim { size: 2 } } half_val: 15360 half_val: 49152",
     Floats<Half>({1, -2})},
    {"bfloats", "dtype: DT_BFLOAT16 tensor_shape { dim { size: 2 } } half_val: 16256 half_val: 49152",
     Floats<BFloat16>({1, -2})},
    {"string_content", "dtype: DT_STRING tensor_shape { dim { size: 3 } } tensor_content: '\\001\\000\\002abb'",
     Tensor::Vector<std::string>({"a", "", "bb"})},
    {"strings", "dtype: DT_STRING tensor_shape { dim { size: 3 } } string_val: 'a' string_val: 'b\\000'",
     Tensor::Vector<std::string>({"a", std::string("b\0", 2), std::string("b\0", 2)})},
    {"handle", "dtype: DT_RESOURCE resource_handle_val { container: 'c' name: 'v' }",
     Tensor::Of<ResourceHandle>({}, {{.container = "c", .name = "v"}})},
};

INSTANTIATE_TEST_SUITE_P(All, GoodTensorTest, testing::ValuesIn(kGoodCases),
                         [](const auto& info) { return info.param.name; });

TEST(TensorProtoTest, ComplexNumbersKeepTheirParts) {
  const absl::StatusOr<Tensor> tensor =
      FromText("dtype: DT_COMPLEX64 tensor_shape { dim { size: 2 } } scomplex_val: 1 scomplex_val: 2");
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  const float* parts = static_cast<const float*>(tensor->raw());
  EXPECT_EQ(std::vector<float>(parts, parts + 4), std::vector<float>({1, 2, 1, 2}));
  EXPECT_TRUE(BitwiseEqual(*TensorFromProto(TensorToProto(*tensor)), *tensor));
}

struct BadCase {
  std::string name;
  std::string text;
  std::string want;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

class BadTensorTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadTensorTest, IsRefused) {
  const absl::Status status = FromText(GetParam().text).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().want)) << status;
}

const BadCase kBadCases[] = {
    {"no_type", "float_val: 1", "there is no type 0"},
    {"unknown_type", "dtype: 77", "there is no type 77"},
    {"reference", "dtype: DT_FLOAT_REF", "reference type"},
    {"variant", "dtype: DT_VARIANT", "no tensor can hold variant"},
    {"quantized", "dtype: DT_QINT8", "no tensor can hold qint8"},
    {"too_many_values", "dtype: DT_FLOAT float_val: 1 float_val: 2", "has 2 values"},
    {"unknown_rank", "dtype: DT_FLOAT tensor_shape { unknown_rank: true }", "incomplete"},
    {"unknown_dimension", "dtype: DT_FLOAT tensor_shape { dim { size: -1 } }", "incomplete"},
    {"negative", "dtype: DT_FLOAT tensor_shape { dim { size: -7 } }", "dimension -7"},
    {"short_content", "dtype: DT_FLOAT tensor_content: 'abc'", "has 3 bytes"},
    {"content_of_strings", "dtype: DT_STRING tensor_content: 'abc'", "strings of 2 bytes, expected 97"},
    {"content_of_too_few_strings", "dtype: DT_STRING tensor_shape { dim { size: 2 } } tensor_content: '\\000'",
     "too few strings"},
    {"endless_length", "dtype: DT_STRING tensor_content: '\\377\\377\\377\\377\\377\\377'", "too few strings"},
    {"content_of_resources", "dtype: DT_RESOURCE tensor_content: 'abc'", "cannot hold resource"},
    {"odd_complex", "dtype: DT_COMPLEX64 scomplex_val: 1", "1 parts"},
    {"overflow", "dtype: DT_INT8 int_val: 1 tensor_shape { dim { size: 9223372036854775807 } dim { size: 2 } }",
     "no memory holds"},
    {"nothing_in_64_mib", "dtype: DT_INT8 tensor_shape { dim { size: 67108865 } }", "without values",
     absl::StatusCode::kResourceExhausted},
    {"one_gib", "dtype: DT_INT8 int_val: 1 tensor_shape { dim { size: 1073741825 } }", "takes more than",
     absl::StatusCode::kResourceExhausted},
};

INSTANTIATE_TEST_SUITE_P(All, BadTensorTest, testing::ValuesIn(kBadCases),
                         [](const auto& info) { return info.param.name; });

TEST(TensorProtoTest, CopiesOfALongStringCount) {
  const absl::Status status = FromText("dtype: DT_STRING tensor_shape { dim { size: 10 } } string_val: '0123456789'",
                                       {.max_bytes = 10 * sizeof(std::string) + 89})
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

TEST(TensorProtoTest, RankAboveTheLimitIsRefused) {
  proto::TensorShapeProto message;
  for (int i = 0; i <= Shape::kMaxRank; ++i) message.add_dim()->set_size(1);
  EXPECT_EQ(ShapeFromProto(message).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(AttrProtoTest, EveryKindComesBack) {
  AttrMap inner = {{"N", 3}};
  const AttrValue values[] = {
      "text",
      int64_t{-5},
      1.5f,
      true,
      DT_HALF,
      Shape({-1, 2}),
      Shape::Unknown(),
      Tensor::Vector<float>({1, 2}),
      FunctionRef{"f", std::make_shared<const AttrMap>(inner)},
      AttrPlaceholder{"T"},
      EmptyList(),
      std::vector<std::string>{"a", "b"},
      std::vector<int64_t>{1, 2},
      std::vector<float>{1, 2},
      std::vector<bool>{true, false},
      std::vector<DataType>{DT_FLOAT, DT_STRING},
      std::vector<Shape>{Shape({1}), Shape::Unknown()},
      std::vector<Tensor>{Tensor(1.0f)},
      std::vector<FunctionRef>{FunctionRef{"f", nullptr}},
  };
  for (const AttrValue& value : values) {
    proto::AttrValue message;
    AttrToProto(value, &message);
    const absl::StatusOr<AttrValue> again = AttrFromProto(message);
    ASSERT_TRUE(again.ok()) << value.ToString() << ": " << again.status();
    EXPECT_TRUE(*again == value) << again->ToString() << " was " << value.ToString();
  }
}

TEST(AttrProtoTest, LongListsAreRefused) {
  proto::AttrValue message;
  for (int i = 0; i < 5; ++i) message.mutable_list()->add_i(i);
  EXPECT_TRUE(AttrFromProto(message, {.max_list_length = 5}).ok());
  EXPECT_EQ(AttrFromProto(message, {.max_list_length = 4}).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace staticflow
