#include "graph/tensor_proto.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// Copies `values` into the first elements of `tensor` and repeats the last one. `convert` makes an element of a value.
template <typename T, typename Values, typename Convert>
absl::Status Fill(const Values& values, Tensor& tensor, Convert convert) {
  const int64_t given = values.size(), n = tensor.num_elements();
  if (given > n) {
    return absl::InvalidArgumentError(
        absl::StrCat("a tensor of shape ", tensor.shape().ToString(), " has ", given, " values"));
  }
  if (given == 0) return absl::OkStatus();
  T* out = tensor.data<T>();
  for (int64_t i = 0; i < given; ++i) out[i] = convert(values[static_cast<int>(i)]);
  std::fill(out + given, out + n, out[given - 1]);
  return absl::OkStatus();
}

template <typename T, typename Values>
absl::Status FillNumbers(const Values& values, Tensor& tensor) {
  return Fill<T>(values, tensor, [](auto value) { return static_cast<T>(value); });
}

template <typename T>
absl::Status FillBits(const proto::TensorProto& message, Tensor& tensor) {
  return Fill<T>(message.half_val(), tensor, [](int value) {
    T element;
    element.bits = static_cast<uint16_t>(value);
    return element;
  });
}

// Pairs of numbers: real and imaginary parts.
template <typename E, typename Values>
absl::Status FillComplex(const Values& values, Tensor& tensor) {
  const int64_t given = values.size() / 2, n = tensor.num_elements();
  if (values.size() % 2 != 0 || given > n) {
    return absl::InvalidArgumentError(absl::StrCat("a complex tensor of shape ", tensor.shape().ToString(), " has ",
                                                   values.size(), " parts of values"));
  }
  E* out = static_cast<E*>(tensor.raw());
  for (int64_t i = 0; given > 0 && i < n; ++i) {
    const int64_t k = std::min(i, given - 1);
    out[2 * i] = values[static_cast<int>(2 * k)];
    out[2 * i + 1] = values[static_cast<int>(2 * k + 1)];
  }
  return absl::OkStatus();
}

absl::Status FillFromFields(const proto::TensorProto& m, Tensor& t) {
  switch (t.dtype()) {
    case DT_FLOAT:
      return FillNumbers<float>(m.float_val(), t);
    case DT_DOUBLE:
      return FillNumbers<double>(m.double_val(), t);
    case DT_INT8:
      return FillNumbers<int8_t>(m.int_val(), t);
    case DT_INT16:
      return FillNumbers<int16_t>(m.int_val(), t);
    case DT_INT32:
      return FillNumbers<int32_t>(m.int_val(), t);
    case DT_UINT8:
      return FillNumbers<uint8_t>(m.int_val(), t);
    case DT_UINT16:
      return FillNumbers<uint16_t>(m.int_val(), t);
    case DT_UINT32:
      return FillNumbers<uint32_t>(m.uint32_val(), t);
    case DT_UINT64:
      return FillNumbers<uint64_t>(m.uint64_val(), t);
    case DT_INT64:
      return FillNumbers<int64_t>(m.int64_val(), t);
    case DT_BOOL:
      return FillNumbers<bool>(m.bool_val(), t);
    case DT_HALF:
      return FillBits<Half>(m, t);
    case DT_BFLOAT16:
      return FillBits<BFloat16>(m, t);
    case DT_STRING:
      return Fill<std::string>(m.string_val(), t, [](const std::string& s) { return s; });
    case DT_RESOURCE:
      return Fill<ResourceHandle>(m.resource_handle_val(), t, [](const proto::ResourceHandleProto& h) {
        return ResourceHandle{.container = h.container(), .name = h.name()};
      });
    case DT_COMPLEX64:
      return FillComplex<float>(m.scomplex_val(), t);
    case DT_COMPLEX128:
      return FillComplex<double>(m.dcomplex_val(), t);
    default:
      return absl::InvalidArgumentError(absl::StrCat("no tensor can hold ", DataTypeName(t.dtype())));
  }
}

// The number of values that the message gives, of any type.
int64_t CountValues(const proto::TensorProto& m) {
  return int64_t{m.half_val_size()} + m.float_val_size() + m.double_val_size() + m.int_val_size() +
         m.string_val_size() + m.scomplex_val_size() + m.int64_val_size() + m.bool_val_size() + m.dcomplex_val_size() +
         m.resource_handle_val_size() + m.variant_val_size() + m.uint32_val_size() + m.uint64_val_size();
}

absl::Status CheckSize(const proto::TensorProto& message, DataType dtype, const Shape& shape,
                       const TensorLimits& limits) {
  int64_t bytes = MultiplySizes(shape.num_elements(), DataTypeSize(dtype));
  if (dtype == DT_STRING && message.string_val_size() > 0) {
    // The last string fills what is left.
    const int64_t copies = std::max<int64_t>(0, shape.num_elements() - message.string_val_size());
    const std::string& last = message.string_val(message.string_val_size() - 1);
    bytes = AddSizes(bytes, MultiplySizes(copies, static_cast<int64_t>(last.size())));
  }
  const bool has_values = CountValues(message) > 0 || !message.tensor_content().empty();
  const int64_t limit = has_values ? limits.max_bytes : std::min(limits.max_bytes, limits.max_bytes_without_values);
  if (bytes <= limit) return absl::OkStatus();
  constexpr int64_t kNoMachineHolds = int64_t{1} << 40;
  if (bytes >= kNoMachineHolds) {
    return absl::InvalidArgumentError(absl::StrCat("a tensor has shape ", shape.ToString(), ", which no memory holds"));
  }
  return absl::ResourceExhaustedError(absl::StrCat("a tensor of type ", DataTypeName(dtype), " and shape ",
                                                   shape.ToString(), has_values ? "" : " without values",
                                                   " takes more than ", limit, " bytes"));
}

// Takes a number in base 128, least digits first, off the front; false when there is none of at most 32 bits.
bool TakeVarint(absl::string_view* bytes, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 35 && !bytes->empty(); shift += 7) {
    const uint64_t digit = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    *value |= (digit & 127) << shift;
    if (digit < 128) return *value <= 0xffffffffu;
  }
  return false;
}

// Strings in tensor_content: the lengths of all, then all of them one after the other.
absl::Status CopyStrings(absl::string_view content, Tensor& tensor) {
  std::vector<uint64_t> lengths;
  uint64_t total = 0;
  for (int64_t i = 0; i < tensor.num_elements(); ++i) {
    uint64_t length = 0;
    if (!TakeVarint(&content, &length)) return absl::InvalidArgumentError("tensor_content has too few strings");
    lengths.push_back(length);
    total += length;
  }
  if (total != content.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor_content has strings of ", content.size(), " bytes, expected ", total));
  }
  for (size_t i = 0; i < lengths.size(); ++i) {
    tensor.data<std::string>()[i] = std::string(content.substr(0, lengths[i]));
    content.remove_prefix(lengths[i]);
  }
  return absl::OkStatus();
}

absl::Status CopyContent(const std::string& content, Tensor& tensor) {
  if (tensor.dtype() == DT_STRING) return CopyStrings(content, tensor);
  if (IsObject(tensor.dtype())) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor_content cannot hold ", DataTypeName(tensor.dtype()), " values"));
  }
  if (static_cast<int64_t>(content.size()) != tensor.bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("tensor_content has ", content.size(), " bytes, a tensor of type ",
                                                   DataTypeName(tensor.dtype()), " and shape ",
                                                   tensor.shape().ToString(), " has ", tensor.bytes()));
  }
  if (content.empty()) return absl::OkStatus();
  if (tensor.dtype() == DT_BOOL) {
    // A bool object may hold nothing but 0 and 1.
    std::transform(content.begin(), content.end(), tensor.data<bool>(), [](char c) { return c != 0; });
  } else {
    std::memcpy(tensor.raw(), content.data(), content.size());
  }
  return absl::OkStatus();
}

// The one element of `t`, in the field of its type.
void AddValue(const Tensor& t, proto::TensorProto* m) {
  DispatchType<int8_t, int16_t, int32_t, uint8_t, uint16_t>(t.dtype(),
                                                            [&]<typename T>() { m->add_int_val(*t.data<T>()); }) ||
      DispatchType<Half, BFloat16>(t.dtype(), [&]<typename T>() { m->add_half_val(t.data<T>()->bits); }) ||
      DispatchType<float>(t.dtype(), [&]<typename T>() { m->add_float_val(*t.data<T>()); }) ||
      DispatchType<double>(t.dtype(), [&]<typename T>() { m->add_double_val(*t.data<T>()); }) ||
      DispatchType<int64_t>(t.dtype(), [&]<typename T>() { m->add_int64_val(*t.data<T>()); }) ||
      DispatchType<uint32_t>(t.dtype(), [&]<typename T>() { m->add_uint32_val(*t.data<T>()); }) ||
      DispatchType<uint64_t>(t.dtype(), [&]<typename T>() { m->add_uint64_val(*t.data<T>()); }) ||
      DispatchType<bool>(t.dtype(), [&]<typename T>() { m->add_bool_val(*t.data<T>()); });
}

}  // namespace

absl::StatusOr<DataType> DataTypeFromProto(int number) {
  const DataType dtype = static_cast<DataType>(number);
  if (number > 0 && number < kRefOffset && DataTypeName(dtype) != DataTypeName(DT_INVALID)) return dtype;
  if (number > kRefOffset) {
    return absl::InvalidArgumentError(absl::StrCat("type ", number, " is a reference type, which no value can have"));
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no type ", number));
}

absl::StatusOr<Shape> ShapeFromProto(const proto::TensorShapeProto& message) {
  if (message.unknown_rank()) {
    if (message.dim_size() == 0) return Shape::Unknown();
    return absl::InvalidArgumentError("a shape of unknown rank has dimensions");
  }
  absl::InlinedVector<int64_t, 8> dims;
  for (const auto& dim : message.dim()) dims.push_back(dim.size());
  return Shape::FromFile(dims);
}

proto::TensorShapeProto ShapeToProto(const Shape& shape) {
  proto::TensorShapeProto message;
  message.set_unknown_rank(!shape.has_rank());
  for (int64_t size : shape.dims()) message.add_dim()->set_size(size);
  return message;
}

absl::StatusOr<Tensor> TensorFromProto(const proto::TensorProto& message, const TensorLimits& limits) {
  SF_ASSIGN_OR_RETURN(const DataType dtype, DataTypeFromProto(message.dtype()));
  SF_ASSIGN_OR_RETURN(const Shape shape, ShapeFromProto(message.tensor_shape()));
  if (DataTypeSize(dtype) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("no tensor can hold ", DataTypeName(dtype)));
  }
  if (!shape.IsFullyDefined()) {
    return absl::InvalidArgumentError(absl::StrCat("a tensor has shape ", shape.ToString(), ", which is incomplete"));
  }
  SF_RETURN_IF_ERROR(CheckSize(message, dtype, shape, limits));
  SF_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(dtype, shape));
  if (!message.tensor_content().empty()) {
    SF_RETURN_IF_ERROR(CopyContent(message.tensor_content(), tensor));
  } else {
    SF_RETURN_IF_ERROR(FillFromFields(message, tensor));
  }
  return tensor;
}

proto::TensorProto TensorToProto(const Tensor& tensor) {
  proto::TensorProto message;
  message.set_dtype(static_cast<proto::DataType>(tensor.dtype()));
  *message.mutable_tensor_shape() = ShapeToProto(tensor.shape());
  if (tensor.dtype() == DT_STRING) {
    for (const std::string& s : tensor.flat<std::string>()) message.add_string_val(s);
  } else if (tensor.dtype() == DT_RESOURCE) {
    for (const ResourceHandle& handle : tensor.flat<ResourceHandle>()) {
      proto::ResourceHandleProto* out = message.add_resource_handle_val();
      out->set_container(handle.container);
      out->set_name(handle.name);
    }
  } else if (tensor.num_elements() == 1 && !IsComplex(tensor.dtype())) {
    AddValue(tensor, &message);
  } else if (tensor.bytes() > 0) {
    message.set_tensor_content(tensor.raw(), static_cast<size_t>(tensor.bytes()));
  }
  return message;
}

}  // namespace staticflow
