// Cast and AddN. The values are TensorFlow's where it has a kernel.
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

// What a tensor becomes in other types.
struct Casts {
  Tensor from;
  std::vector<Tensor> to;
};
const Casts kCasts[] = {
    {T({-1.5f, 0, 2.5f, 300}),
     {T<double>({-1.5, 0, 2.5, 300}), T<int32_t>({-1, 0, 2, 300}), T<int64_t>({-1, 0, 2, 300}),
      T<bool>({true, false, true, true}), As<Half>({-1.5f, 0, 2.5f, 300}), As<BFloat16>({-1.5f, 0, 2.5f, 300}),
      T<int16_t>({-1, 0, 2, 300})}},
    {T({0, 2.5f}), {T<uint8_t>({0, 2}), T<uint16_t>({0, 2}), T<uint32_t>({0, 2}), T<uint64_t>({0, 2})}},
    {T({-1.5f, 0, 2.5f}), {T<int8_t>({-1, 0, 2})}},
    {T<double>({-1.5, 0, 2.5, 300}),
     {T({-1.5f, 0, 2.5f, 300}), T<int32_t>({-1, 0, 2, 300}), T<int64_t>({-1, 0, 2, 300}),
      T<bool>({true, false, true, true}), As<Half>({-1.5f, 0, 2.5f, 300}), As<BFloat16>({-1.5f, 0, 2.5f, 300}),
      T<int16_t>({-1, 0, 2, 300})}},
    {T<double>({0, 2.5}), {T<uint8_t>({0, 2}), T<uint16_t>({0, 2}), T<uint32_t>({0, 2}), T<uint64_t>({0, 2})}},
    {T<double>({-1.5, 0, 2.5}), {T<int8_t>({-1, 0, 2})}},
    {T<int32_t>({-1, 0, 3, 300}),
     {T({-1, 0, 3, 300}), T<double>({-1, 0, 3, 300}), T<int64_t>({-1, 0, 3, 300}), T<uint8_t>({255, 0, 3, 44}),
      T<int8_t>({-1, 0, 3, 44}), T<bool>({true, false, true, true}), As<Half>({-1, 0, 3, 300}),
      As<BFloat16>({-1, 0, 3, 300}), T<int16_t>({-1, 0, 3, 300}), T<uint16_t>({65535, 0, 3, 300}),
      T<uint32_t>({4294967295, 0, 3, 300}), T<uint64_t>({18446744073709551615u, 0, 3, 300})}},
    {T<int64_t>({-1, 0, 3, 1099511627776}),
     {T({-1, 0, 3, 1.0995116e+12f}), T<double>({-1, 0, 3, 1099511627776}), T<int32_t>({-1, 0, 3, 0}),
      T<uint8_t>({255, 0, 3, 0}), T<int8_t>({-1, 0, 3, 0}), T<bool>({true, false, true, true}),
      As<BFloat16>({-1, 0, 3, 1.0995116e+12f}), T<int16_t>({-1, 0, 3, 0}), T<uint16_t>({65535, 0, 3, 0}),
      T<uint32_t>({4294967295, 0, 3, 0}), T<uint64_t>({18446744073709551615u, 0, 3, 1099511627776})}},
    {T<int64_t>({-1, 0, 3}), {As<Half>({-1, 0, 3})}},
    {T<uint8_t>({0, 3, 200}),
     {T({0, 3, 200}), T<double>({0, 3, 200}), T<int32_t>({0, 3, 200}), T<int64_t>({0, 3, 200}), T<int8_t>({0, 3, -56}),
      T<bool>({false, true, true}), As<Half>({0, 3, 200}), As<BFloat16>({0, 3, 200}), T<int16_t>({0, 3, 200}),
      T<uint16_t>({0, 3, 200}), T<uint32_t>({0, 3, 200}), T<uint64_t>({0, 3, 200})}},
    {T<int8_t>({-1, 0, 3}),
     {T({-1, 0, 3}), T<double>({-1, 0, 3}), T<int32_t>({-1, 0, 3}), T<int64_t>({-1, 0, 3}), T<uint8_t>({255, 0, 3}),
      T<bool>({true, false, true}), As<Half>({-1, 0, 3}), As<BFloat16>({-1, 0, 3}), T<int16_t>({-1, 0, 3}),
      T<uint16_t>({65535, 0, 3}), T<uint32_t>({4294967295, 0, 3}), T<uint64_t>({18446744073709551615u, 0, 3})}},
    {T<bool>({true, false}),
     {T({1, 0}), T<double>({1, 0}), T<int32_t>({1, 0}), T<int64_t>({1, 0}), T<uint8_t>({1, 0}), T<int8_t>({1, 0}),
      As<Half>({1, 0}), As<BFloat16>({1, 0}), T<int16_t>({1, 0}), T<uint16_t>({1, 0}), T<uint32_t>({1, 0}),
      T<uint64_t>({1, 0})}},
    {As<Half>({-1.5f, 0, 2.5f}),
     {T({-1.5f, 0, 2.5f}), T<double>({-1.5, 0, 2.5}), T<int32_t>({-1, 0, 2}), T<int64_t>({-1, 0, 2}),
      T<int8_t>({-1, 0, 2}), T<bool>({true, false, true}), As<BFloat16>({-1.5f, 0, 2.5f}), T<int16_t>({-1, 0, 2})}},
    {As<Half>({0, 2.5f}), {T<uint8_t>({0, 2}), T<uint16_t>({0, 2}), T<uint32_t>({0, 2}), T<uint64_t>({0, 2})}},
    {As<BFloat16>({-1.5f, 0, 2.5f}),
     {T({-1.5f, 0, 2.5f}), T<double>({-1.5, 0, 2.5}), T<int32_t>({-1, 0, 2}), T<int64_t>({-1, 0, 2}),
      T<int8_t>({-1, 0, 2}), T<bool>({true, false, true}), As<Half>({-1.5f, 0, 2.5f}), T<int16_t>({-1, 0, 2})}},
    {As<BFloat16>({0, 2.5f}), {T<uint8_t>({0, 2}), T<uint16_t>({0, 2}), T<uint32_t>({0, 2}), T<uint64_t>({0, 2})}},
    {T<int16_t>({-1, 300}),
     {T({-1, 300}), T<double>({-1, 300}), T<int32_t>({-1, 300}), T<int64_t>({-1, 300}), T<uint8_t>({255, 44}),
      T<int8_t>({-1, 44}), T<bool>({true, true}), As<Half>({-1, 300}), As<BFloat16>({-1, 300}),
      T<uint16_t>({65535, 300}), T<uint32_t>({4294967295, 300}), T<uint64_t>({18446744073709551615u, 300})}},
    {T<uint16_t>({1, 60000}),
     {T({1, 6e+04f}), T<double>({1, 6e+04}), T<int32_t>({1, 60000}), T<int64_t>({1, 60000}), T<uint8_t>({1, 96}),
      T<int8_t>({1, 96}), T<bool>({true, true}), As<BFloat16>({1, 59904}), T<int16_t>({1, -5536}),
      T<uint32_t>({1, 60000}), T<uint64_t>({1, 60000})}},
    {T<uint16_t>({1, 300}), {As<Half>({1, 300})}},
    {T<uint32_t>({1, 4000000000}),
     {T({1, 4e+09f}), T<double>({1, 4e+09}), T<int32_t>({1, -294967296}), T<int64_t>({1, 4000000000}),
      T<uint8_t>({1, 0}), T<int8_t>({1, 0}), T<bool>({true, true}), As<BFloat16>({1, 3.9929774e+09f}),
      T<int16_t>({1, 10240}), T<uint16_t>({1, 10240}), T<uint64_t>({1, 4000000000})}},
    {T<uint32_t>({1, 300}), {As<Half>({1, 300})}},
    {T<uint64_t>({1, 100}),
     {T({1, 100}), T<double>({1, 100}), T<int32_t>({1, 100}), T<int64_t>({1, 100}), T<uint8_t>({1, 100}),
      T<int8_t>({1, 100}), T<bool>({true, true}), As<Half>({1, 100}), As<BFloat16>({1, 100}), T<int16_t>({1, 100}),
      T<uint16_t>({1, 100}), T<uint32_t>({1, 100})}}};

std::vector<OpCase> CastRows() {
  std::vector<OpCase> rows = {
      {.name = "does_not_fit_int32",
       .inputs = {T({3e+09f, -3e+09f, kNan, kInf})},
       .attrs = {{"DstT", DT_INT32}},
       .want = {T<int32_t>({INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN})}},
      {.name = "does_not_fit_uint8",
       .inputs = {T({3e+09f, kNan, 300, -1})},
       .attrs = {{"DstT", DT_UINT8}},
       .want = {T<uint8_t>({0, 0, 44, 255})}},
      {.name = "does_not_fit_int64",
       .inputs = {T<double>({1e+30, kNan, -kInf})},
       .attrs = {{"DstT", DT_INT64}},
       .want = {T<int64_t>({INT64_MIN, INT64_MIN, INT64_MIN})}},
      {.name = "truncate_to_bfloat16",
       .inputs = {T({1.0039062f, 1.0078125f, 3e+09f, kNan})},
       .attrs = {{"DstT", DT_BFLOAT16}, {"Truncate", true}},
       .want = {As<BFloat16>({1, 1.0078125f, 2.9863444e+09f, kNan})},
       .check_gradient = false},
      {.name = "round_to_bfloat16",
       .inputs = {T({1.0039062f, 1.0117188f, 3e+09f, kNan})},
       .attrs = {{"DstT", DT_BFLOAT16}},
       .want = {As<BFloat16>({1, 1.015625f, 3.0031217e+09f, kNan})},
       .check_gradient = false},
      {.name = "truncate_to_half",
       .inputs = {T({1.0009766f, 1.0009f, -1.0009f})},
       .attrs = {{"DstT", DT_HALF}, {"Truncate", true}},
       .want = {As<Half>({1.0009766f, 1, -1})}},
      {.name = "truncate_to_float",
       .inputs = {T<double>({1.0000000605359674})},
       .attrs = {{"DstT", DT_FLOAT}, {"Truncate", true}},
       .want = {T({1})},
       .check_gradient = false},
      {.name = "nan_is_true",
       .inputs = {T({kNan, 0, -0})},
       .attrs = {{"DstT", DT_BOOL}},
       .want = {T<bool>({true, false, false})}},
      {.name = "string", .inputs = {T<std::string>({"a"})}, .attrs = {{"DstT", DT_INT32}}, .want_error = "string"}};
  for (const Casts& casts : kCasts) {
    for (const Tensor& to : casts.to) {
      rows.push_back({.name = absl::StrCat(DataTypeName(casts.from.dtype()), "_to_", DataTypeName(to.dtype())),
                      .inputs = {casts.from},
                      .attrs = {{"DstT", to.dtype()}},
                      .want = {to}});
    }
  }
  return rows;
}
INSTANTIATE_OP_TEST(Cast, CastRows());

INSTANTIATE_OP_TEST(
    AddN,
    {{.name = "three",
      .inputs = {M<double>({{1, 2}}), M<double>({{3, 4}}), M<double>({{5, 6}})},
      .want = {M<double>({{9, 12}})}},
     {.name = "one", .inputs = {T({1, 2})}, .want = {T({1, 2})}},
     {.name = "int32", .inputs = {T<int32_t>({1}), T<int32_t>({2})}, .want = {T<int32_t>({3})}},
     {.name = "half", .inputs = {As<Half>({1}), As<Half>({2.5f})}, .want = {As<Half>({3.5f})}, .check_gradient = false},
     {.name = "empty", .inputs = {T({0}, {}), T({0}, {})}, .want = {T({0}, {})}},
     {.name = "shapes_differ", .inputs = {T({1, 2}), T({1})}, .want_error = "input 1"}});

}  // namespace
}  // namespace staticflow
