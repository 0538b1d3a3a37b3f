// Strings put together: file names of checkpoints and whatever a graph makes of text.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/batch_rules.h"
#include "ops/save_restore.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// StringJoin: output[i] = inputs[0][i] + separator + inputs[1][i] + ...   Scalars are repeated.
absl::Status StringJoinShape(ShapeContext& c) {
  Shape shape;
  for (int i = 0; i < c.num_inputs(); ++i) {
    const Shape& input = c.input(i);
    if (input.IsScalar()) continue;
    // An input of unknown rank may yet be a scalar, so it tells nothing.
    if (!input.has_rank()) {
      if (shape.IsScalar()) shape = Shape::Unknown();
      continue;
    }
    if (shape.IsScalar() || !shape.has_rank()) {
      shape = input;
    } else {
      SF_ASSIGN_OR_RETURN(shape, shape.MergeWith(input));
    }
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::Status JoinInto(KernelContext& c, absl::string_view separator) {
  const int64_t n = c.output(0).num_elements;
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (c.input(i).rank() != 0 && *c.input(i).shape != *c.output(0).shape) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", c.input(i).shape->ToString(),
                                                     ", another one ", c.output(0).shape->ToString()));
    }
  }
  for (int64_t k = 0; k < n; ++k) {
    std::string joined;
    for (int i = 0; i < c.num_inputs(); ++i) {
      const std::string& part = c.in<std::string>(i)[c.input(i).rank() == 0 ? 0 : k];
      absl::StrAppend(&joined, i == 0 ? "" : separator, part);
    }
    c.out<std::string>(0)[k] = std::move(joined);
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> StringJoinKernel(const KernelSetup& setup) {
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  return Kernel([separator = setup.attr<std::string>("separator"), allocate](KernelContext& c) -> absl::Status {
    if (allocate) {
      Shape shape;
      for (int i = 0; i < c.num_inputs(); ++i) {
        if (c.input(i).rank() != 0) shape = *c.input(i).shape;
      }
      SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
    }
    return JoinInto(c, separator);
  });
}
const OpRegistrar string_join({.name = "StringJoin",
                               .inputs = {"inputs: N * string"},
                               .outputs = {"output: string"},
                               .attrs = {"N: int >= 0", "separator: string = ''"},
                               .shape = StringJoinShape,
                               .gradient = kNotDifferentiable,
                               .kernel = StringJoinKernel,
                               .batch = ElementwiseBatch,
                               .doc = "Joins strings element by element."});

// ShardedFilename: "basename-00001-of-00004".
absl::Status CheckScalars(const KernelContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (c.input(i).num_elements != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", i, " has shape ", c.input(i).shape->ToString(), ", expected a scalar"));
    }
  }
  return absl::OkStatus();
}
absl::Status AllScalars(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  c.set_output(0, Shape());
  return absl::OkStatus();
}
absl::Status ShardedFilenameKernel(KernelContext& c) {
  SF_RETURN_IF_ERROR(CheckScalars(c));
  *c.out<std::string>(0) =
      absl::StrFormat("%s-%05d-of-%05d", *c.in<std::string>(0), *c.in<int32_t>(1), *c.in<int32_t>(2));
  return absl::OkStatus();
}
const OpRegistrar sharded_filename({.name = "ShardedFilename",
                                    .inputs = {"basename: string", "shard: int32", "num_shards: int32"},
                                    .outputs = {"filename: string"},
                                    .shape = AllScalars,
                                    .gradient = kNotDifferentiable,
                                    .kernel = ShardedFilenameKernel,
                                    .doc = "The name of one file of several."});

// ShardedFilespec: ShardedFilename with question marks for the shard.
absl::Status ShardedFilespecKernel(KernelContext& c) {
  SF_RETURN_IF_ERROR(CheckScalars(c));
  *c.out<std::string>(0) =
      absl::StrFormat("%s-%s-of-%05d", *c.in<std::string>(0), std::string(5, '?'), *c.in<int32_t>(1));
  return absl::OkStatus();
}
const OpRegistrar sharded_filespec({.name = "ShardedFilespec",
                                    .inputs = {"basename: string", "num_shards: int32"},
                                    .outputs = {"filename: string"},
                                    .shape = AllScalars,
                                    .gradient = kNotDifferentiable,
                                    .kernel = ShardedFilespecKernel,
                                    .doc = "The pattern of the names of several files."});

}  // namespace

Output StringJoin(absl::Span<const Output> inputs, const StringJoinOptions& options) {
  return NodeBuilder("StringJoin", {}).Inputs(inputs).Attr("separator", options.separator).Name(options.name).Build();
}

Output ShardedFilename(Operand basename, Operand shard, Operand num_shards, const OpOptions& options) {
  return NodeBuilder("ShardedFilename", {basename, shard, num_shards}).Name(options.name).Build();
}

Output ShardedFilespec(Operand basename, Operand num_shards, const OpOptions& options) {
  return NodeBuilder("ShardedFilespec", {basename, num_shards}).Name(options.name).Build();
}

}  // namespace staticflow
