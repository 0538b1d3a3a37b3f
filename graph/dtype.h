// Element types of tensors, with TensorFlow's numbers, names and spellings.
//
//   DataTypeName(DT_FLOAT) == "float"      DataTypeSize(DT_INT64) == 8      kDataTypeOf<float> == DT_FLOAT
//
// Everything here is a pure function of its arguments and may be called from any thread.
#ifndef STATICFLOW_GRAPH_DTYPE_H_
#define STATICFLOW_GRAPH_DTYPE_H_

#include <bit>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace staticflow {

// The numbers of TensorFlow's types.proto; files depend on them.
enum DataType : int {
  DT_INVALID = 0,
  DT_FLOAT = 1,
  DT_DOUBLE = 2,
  DT_INT32 = 3,
  DT_UINT8 = 4,
  DT_INT16 = 5,
  DT_INT8 = 6,
  DT_STRING = 7,
  DT_COMPLEX64 = 8,
  DT_INT64 = 9,
  DT_BOOL = 10,
  DT_QINT8 = 11,
  DT_QUINT8 = 12,
  DT_QINT32 = 13,
  DT_BFLOAT16 = 14,
  DT_QINT16 = 15,
  DT_QUINT16 = 16,
  DT_UINT16 = 17,
  DT_COMPLEX128 = 18,
  DT_HALF = 19,
  DT_RESOURCE = 20,
  DT_VARIANT = 21,
  DT_UINT32 = 22,
  DT_UINT64 = 23,
};

// In files a reference type is its base type plus this (`float_ref` is 101).
inline constexpr int kRefOffset = 100;

// IEEE 754 binary16 as storage; arithmetic happens in float.
struct Half {
  uint16_t bits = 0;
  Half() = default;
  explicit Half(float value);  // rounds to nearest even
  explicit operator float() const;
  friend bool operator==(Half a, Half b) { return float(a) == float(b); }
};

// The upper half of a float as storage; arithmetic happens in float.
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(float value);  // rounds to nearest even
  explicit operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
  friend bool operator==(BFloat16 a, BFloat16 b) { return float(a) == float(b); }
};

// Bytes per element in memory; 0 for DT_INVALID and the quantized types, which have no storage here. Strings are stored
// as std::string objects, resources as handles, variants as pointers.
int DataTypeSize(DataType dtype);

// "float", "int32", "string", ...; "invalid" for anything unknown.
absl::string_view DataTypeName(DataType dtype);

// The inverse of DataTypeName; also understands "float32", "float64"; DT_INVALID for anything else.
DataType ParseDataType(absl::string_view name);

constexpr bool IsFloating(DataType t) { return t == DT_FLOAT || t == DT_DOUBLE || t == DT_HALF || t == DT_BFLOAT16; }
constexpr bool IsInteger(DataType t) {
  return t == DT_INT32 || t == DT_INT64 || t == DT_UINT8 || t == DT_INT8 || t == DT_INT16 || t == DT_UINT16 ||
         t == DT_UINT32 || t == DT_UINT64;
}
// Whether elements are objects with constructors; those of all other types are bytes.
constexpr bool IsObject(DataType t) { return t == DT_STRING || t == DT_RESOURCE || t == DT_VARIANT; }
constexpr bool IsComplex(DataType t) { return t == DT_COMPLEX64 || t == DT_COMPLEX128; }

// A handle to a resource, the value of a DT_RESOURCE tensor: the key of an entry of the session's resource store.
struct ResourceHandle {
  std::string container;
  std::string name;
  friend bool operator==(const ResourceHandle&, const ResourceHandle&) = default;
};

// What an element of a DT_VARIANT tensor points to: a value that never changes once it is made, such as a list of
// tensors. Whoever holds a copy of the pointer shares it.
class VariantObject {
 public:
  virtual ~VariantObject() = default;
  virtual absl::string_view type_name() const = 0;  // as TensorFlow spells it: "tensorflow::TensorList"
};
using Variant = std::shared_ptr<const VariantObject>;  // null: nothing was put there

// The DataType that stores a C++ type.
template <typename T>
inline constexpr DataType kDataTypeOf = DT_INVALID;
template <>
inline constexpr DataType kDataTypeOf<float> = DT_FLOAT;
template <>
inline constexpr DataType kDataTypeOf<double> = DT_DOUBLE;
template <>
inline constexpr DataType kDataTypeOf<int8_t> = DT_INT8;
template <>
inline constexpr DataType kDataTypeOf<int16_t> = DT_INT16;
template <>
inline constexpr DataType kDataTypeOf<int32_t> = DT_INT32;
template <>
inline constexpr DataType kDataTypeOf<int64_t> = DT_INT64;
template <>
inline constexpr DataType kDataTypeOf<uint8_t> = DT_UINT8;
template <>
inline constexpr DataType kDataTypeOf<uint16_t> = DT_UINT16;
template <>
inline constexpr DataType kDataTypeOf<uint32_t> = DT_UINT32;
template <>
inline constexpr DataType kDataTypeOf<uint64_t> = DT_UINT64;
template <>
inline constexpr DataType kDataTypeOf<bool> = DT_BOOL;
template <>
inline constexpr DataType kDataTypeOf<Half> = DT_HALF;
template <>
inline constexpr DataType kDataTypeOf<BFloat16> = DT_BFLOAT16;
template <>
inline constexpr DataType kDataTypeOf<std::string> = DT_STRING;
template <>
inline constexpr DataType kDataTypeOf<ResourceHandle> = DT_RESOURCE;
template <>
inline constexpr DataType kDataTypeOf<Variant> = DT_VARIANT;

// Calls f.operator()<T>() for the C++ type of `dtype` and returns true, or returns false when `dtype` is not one of
// the listed types:
//
//   bool known = DispatchType<float, double>(dtype, [&]<typename T>() { Scale(view.data<T>(), n); });
template <typename... Ts, typename F>
bool DispatchType(DataType dtype, F&& f) {
  return ((kDataTypeOf<Ts> == dtype ? (f.template operator()<Ts>(), true) : false) || ...);
}

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_DTYPE_H_
