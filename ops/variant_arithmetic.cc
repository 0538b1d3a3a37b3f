#include "ops/variant_arithmetic.h"

#include "absl/strings/str_cat.h"
#include "ops/elementwise.h"

namespace staticflow {
namespace {

absl::StatusOr<const ArithmeticVariant*> Arithmetic(const Variant& value) {
  if (value == nullptr) return absl::InvalidArgumentError("expected a variant with a value, got an empty one");
  const auto* arithmetic = dynamic_cast<const ArithmeticVariant*>(value.get());
  if (arithmetic != nullptr) return arithmetic;
  return absl::InvalidArgumentError(absl::StrCat("a variant of type ", value->type_name(), " has no sums"));
}

absl::Status Zeros(absl::Span<const Variant> x, absl::Span<Variant> y) {
  for (size_t i = 0; i < x.size(); ++i) {
    SF_ASSIGN_OR_RETURN(const ArithmeticVariant* value, Arithmetic(x[i]));
    SF_ASSIGN_OR_RETURN(y[i], value->Zeros());
  }
  return absl::OkStatus();
}

absl::Status Add(absl::Span<const Variant> a, absl::Span<const Variant> b, absl::Span<Variant> sum) {
  for (size_t i = 0; i < a.size(); ++i) {
    SF_ASSIGN_OR_RETURN(const ArithmeticVariant* left, Arithmetic(a[i]));
    SF_ASSIGN_OR_RETURN(const ArithmeticVariant* right, Arithmetic(b[i]));
    SF_ASSIGN_OR_RETURN(sum[i], left->Plus(*right));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Tensor> ZerosOfTensor(const Tensor& x) {
  SF_ASSIGN_OR_RETURN(Tensor y, Tensor::Create(x.dtype(), x.shape()));
  if (x.dtype() == DT_VARIANT) SF_RETURN_IF_ERROR(Zeros(x.flat<Variant>(), y.flat<Variant>()));
  return y;
}

absl::StatusOr<Tensor> AddTensors(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot add ", DataTypeName(b.dtype()), b.shape().ToString(), " to ",
                                                   DataTypeName(a.dtype()), a.shape().ToString()));
  }
  SF_ASSIGN_OR_RETURN(Tensor sum, Tensor::Create(a.dtype(), a.shape()));
  if (a.dtype() == DT_VARIANT) {
    SF_RETURN_IF_ERROR(Add(a.flat<Variant>(), b.flat<Variant>(), sum.flat<Variant>()));
    return sum;
  }
  const bool known = DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t,
                                  uint32_t, uint64_t>(a.dtype(), [&]<typename T>() {
    const T *x = a.data<T>(), *y = b.data<T>();
    T* z = sum.data<T>();
    for (int64_t i = 0; i < a.num_elements(); ++i) {
      z[i] = T(WrapAdd<ComputeType<T>>(Widen(x[i]), Widen(y[i])));
    }
  });
  if (!known) return absl::InvalidArgumentError(absl::StrCat("there are no sums of ", DataTypeName(a.dtype())));
  return sum;
}

absl::Status ZerosOfVariants(KernelContext& c) {
  const auto [begin, end] = c.range();
  const int64_t n = end - begin;
  return Zeros(absl::MakeConstSpan(c.in<Variant>(0) + begin, n), absl::MakeSpan(c.out<Variant>(0) + begin, n));
}

absl::Status AddVariants(KernelContext& c) {
  const auto [begin, end] = c.range();
  for (int64_t i = begin; i < end; ++i) {
    Variant sum = c.in<Variant>(0)[i];
    for (int k = 1; k < c.num_inputs(); ++k) {
      const Variant left = sum;
      SF_RETURN_IF_ERROR(Add({&left, 1}, {c.in<Variant>(k) + i, 1}, {&sum, 1}));
    }
    c.out<Variant>(0)[i] = std::move(sum);
  }
  return absl::OkStatus();
}

}  // namespace staticflow
