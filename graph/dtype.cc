#include "graph/dtype.h"

#include <iterator>

namespace staticflow {
namespace {

struct TypeRow {
  DataType dtype;
  absl::string_view name;
  int size;
};

constexpr TypeRow kTypes[] = {
    {DT_FLOAT, "float", 4},
    {DT_DOUBLE, "double", 8},
    {DT_INT32, "int32", 4},
    {DT_UINT8, "uint8", 1},
    {DT_INT16, "int16", 2},
    {DT_INT8, "int8", 1},
    {DT_STRING, "string", sizeof(std::string)},
    {DT_COMPLEX64, "complex64", 8},
    {DT_INT64, "int64", 8},
    {DT_BOOL, "bool", 1},
    {DT_QINT8, "qint8", 0},
    {DT_QUINT8, "quint8", 0},
    {DT_QINT32, "qint32", 0},
    {DT_BFLOAT16, "bfloat16", 2},
    {DT_QINT16, "qint16", 0},
    {DT_QUINT16, "quint16", 0},
    {DT_UINT16, "uint16", 2},
    {DT_COMPLEX128, "complex128", 16},
    {DT_HALF, "half", 2},
    {DT_RESOURCE, "resource", sizeof(ResourceHandle)},
    {DT_VARIANT, "variant", sizeof(Variant)},
    {DT_UINT32, "uint32", 4},
    {DT_UINT64, "uint64", 8},
};

const TypeRow* Find(DataType dtype) {
  const int i = static_cast<int>(dtype) - 1;  // the rows stand in the order of their numbers, which start at 1
  return i >= 0 && i < static_cast<int>(std::size(kTypes)) ? &kTypes[i] : nullptr;
}

}  // namespace

int DataTypeSize(DataType dtype) {
  const TypeRow* row = Find(dtype);
  return row == nullptr ? 0 : row->size;
}

absl::string_view DataTypeName(DataType dtype) {
  const TypeRow* row = Find(dtype);
  return row == nullptr ? "invalid" : row->name;
}

DataType ParseDataType(absl::string_view name) {
  if (name == "float32") return DT_FLOAT;
  if (name == "float64") return DT_DOUBLE;
  if (name == "float16") return DT_HALF;
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.dtype;
  }
  return DT_INVALID;
}

BFloat16::BFloat16(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  if (value != value) {
    bits = static_cast<uint16_t>((u >> 16) | 0x40);  // stays a NaN when its payload sat in the lower half
  } else {
    bits = static_cast<uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16);
  }
}

Half::Half(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (u >> 16) & 0x8000;
  const uint32_t magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000) {
    bits = static_cast<uint16_t>(sign | 0x7e00);
  } else if (magnitude >= 0x47800000) {  // 2^16 and above
    bits = static_cast<uint16_t>(sign | 0x7c00);
  } else if (magnitude < 0x38800000) {  // below 2^-14: adding 0.5 aligns the mantissa and rounds in hardware
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    bits = static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(aligned) - 0x3f000000));
  } else {
    const uint32_t odd = (magnitude >> 13) & 1;
    bits = static_cast<uint16_t>(sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13));
  }
}

Half::operator float() const {
  const uint32_t sign = uint32_t{bits} >> 15 << 31;
  const uint32_t exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

}  // namespace staticflow
