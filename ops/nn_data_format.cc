// DataFormatDimMap, DataFormatVecPermute: what becomes of dimensions and of vectors about them when a picture's layout
// changes. Contract: ops/nn.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/nn.h"

namespace staticflow {
namespace {

const std::vector<std::string> kFormatAttrs = {"T: indextype = int32", "src_format: string = 'NHWC'",
                                               "dst_format: string = 'NCHW'"};

// Two orders of the same letters.
struct Formats {
  std::string from, to;

  template <typename Source>
  static absl::StatusOr<Formats> Read(const Source& source) {
    const Formats formats = {source.template attr<std::string>("src_format"),
                             source.template attr<std::string>("dst_format")};
    if (formats.from.size() < 4 || formats.from.size() > 5) {
      return absl::InvalidArgumentError(absl::StrCat("src_format must have 4 or 5 letters, got '", formats.from, "'"));
    }
    std::string letters = formats.from;
    std::sort(letters.begin(), letters.end());
    const bool repeats = std::adjacent_find(letters.begin(), letters.end()) != letters.end();
    if (repeats || !std::is_permutation(letters.begin(), letters.end(), formats.to.begin(), formats.to.end())) {
      return absl::InvalidArgumentError(absl::StrCat("dst_format must have the letters of src_format once each, got '",
                                                     formats.from, "' and '", formats.to, "'"));
    }
    return formats;
  }
  // Without all but depth, height and width.
  Formats Spatial() const {
    const auto spatial = [](std::string format) {
      std::erase_if(format, [](char letter) { return letter != 'D' && letter != 'H' && letter != 'W'; });
      return format;
    };
    return {spatial(from), spatial(to)};
  }
};

// DataFormatDimMap: where a dimension goes.
absl::Status DimMapShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(Formats::Read(c).status());
  return SameShape(c);
}
absl::StatusOr<Kernel> DimMapKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const Formats formats, Formats::Read(setup));
  std::vector<int64_t> map;
  for (char letter : formats.from) map.push_back(static_cast<int64_t>(formats.to.find(letter)));
  Kernel kernel;
  DispatchType<int32_t, int64_t>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [map](KernelContext& c) {
      const int64_t n = static_cast<int64_t>(map.size());
      for (int64_t i = c.range().begin; i < c.range().end; ++i) {
        // Out of range, too, dimensions count around.
        const int64_t dim = static_cast<int64_t>(c.in<T>(0)[i]) % n;
        c.out<T>(0)[i] = static_cast<T>(map[static_cast<size_t>(dim < 0 ? dim + n : dim)]);
      }
      return absl::OkStatus();
    };
  });
  return kernel;
}

// DataFormatVecPermute: a vector with an element (or a row of two) for each dimension, or for each spatial one.
absl::Status VecPermuteShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Formats formats, Formats::Read(c));
  const Shape& x = c.input(0);
  if (x.has_rank() && x.rank() != 1 && x.rank() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("expected a vector or a matrix, got shape ", x.ToString()));
  }
  if (!x.has_rank()) return absl::OkStatus();
  const int64_t all = static_cast<int64_t>(formats.from.size()), n = x.dim(0);
  if (n != Shape::kUnknownDim && n != all && n != all - 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", all - 2, " or ", all, " rows, got shape ", x.ToString()));
  }
  if (n == all - 2 && static_cast<int64_t>(formats.Spatial().from.size()) != n) {
    return absl::InvalidArgumentError(absl::StrCat("'", formats.from, "' has no ", n, " spatial dimensions"));
  }
  if (x.rank() == 2) SF_RETURN_IF_ERROR(c.MergeDims(x.dim(1), 2, "columns").status());
  return SameShape(c);
}
absl::StatusOr<Kernel> VecPermuteKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const Formats formats, Formats::Read(setup));
  Kernel kernel;
  DispatchType<int32_t, int64_t>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [all = formats, spatial = formats.Spatial()](KernelContext& c) {
      const int64_t rows = c.input(0).dim(0), columns = c.input(0).rank() == 1 ? 1 : 2;
      const Formats& now = rows == static_cast<int64_t>(all.from.size()) ? all : spatial;
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t from = static_cast<int64_t>(now.from.find(now.to[static_cast<size_t>(i)]));
        std::copy_n(c.in<T>(0) + from * columns, columns, c.out<T>(0) + i * columns);
      }
      return absl::OkStatus();
    };
  });
  return kernel;
}

const OpRegistrar dim_map({.name = "DataFormatDimMap",
                           .inputs = {"x: T"},
                           .outputs = {"y: T"},
                           .attrs = kFormatAttrs,
                           .shape = DimMapShape,
                           .gradient = kNotDifferentiable,
                           .kernel = DimMapKernel,
                           .traits = kElementwise,
                           .iteration = {.split = Split::kFlat},
                           .doc = "Where dimensions of one layout of a picture are in another one."});
const OpRegistrar vec_permute({.name = "DataFormatVecPermute",
                               .inputs = {"x: T"},
                               .outputs = {"y: T"},
                               .attrs = kFormatAttrs,
                               .shape = VecPermuteShape,
                               .gradient = kNotDifferentiable,
                               .kernel = VecPermuteKernel,
                               .batch = MixBatch,
                               .doc = "A vector about the dimensions of a picture in the order of another layout."});

Output Build(const char* type, const Operand& x, const DataFormatOptions& options) {
  return NodeBuilder(type, {x})
      .Attr("src_format", options.src_format)
      .Attr("dst_format", options.dst_format)
      .Name(options.name)
      .Build();
}

}  // namespace

Output DataFormatDimMap(Operand x, const DataFormatOptions& options) { return Build("DataFormatDimMap", x, options); }
Output DataFormatVecPermute(Operand x, const DataFormatOptions& options) {
  return Build("DataFormatVecPermute", x, options);
}

}  // namespace staticflow
