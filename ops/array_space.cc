// SpaceToBatchND, BatchToSpaceND, SpaceToBatch, BatchToSpace: blocks of space in the batch dimension.
#include "absl/strings/str_cat.h"
#include "ops/array_layout.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/paddings.h"

namespace staticflow {
namespace {

// Block sizes and {before, after} for every blocked dimension, which are dimensions 1, 2, ... of both sides.
struct Blocks {
  Sizes block;
  Sizes margins;
};

absl::Status CheckBlocks(const Blocks& blocks, int64_t rank) {
  const bool fits =
      blocks.margins.size() == 2 * blocks.block.size() && static_cast<int64_t>(blocks.block.size()) < rank;
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat("got ", blocks.block.size(), " block sizes and ",
                                                   blocks.margins.size(), " margins for an input of rank ", rank));
  }
  for (int64_t b : blocks.block) {
    if (b < 1) return absl::InvalidArgumentError(absl::StrCat("a block size is ", b, ", expected 1 or more"));
  }
  for (int64_t m : blocks.margins) {
    if (m < 0) return absl::InvalidArgumentError(absl::StrCat("a padding or crop is ", m, ", expected 0 or more"));
  }
  return absl::OkStatus();
}

// The blocks of a shape function: attribute block_size with the margins in input 1, or inputs 1 and 2.
absl::StatusOr<std::optional<Blocks>> KnownBlocks(const ShapeContext& c) {
  const bool attr = c.num_inputs() == 2;
  SF_ASSIGN_OR_RETURN(const Shape pairs, c.WithRank(attr ? 1 : 2, 2));
  SF_RETURN_IF_ERROR(c.MergeDims(pairs.dim(1), 2, "columns of margins").status());
  if (attr) {
    SF_RETURN_IF_ERROR(c.WithRank(0, 4).status());
  } else {
    SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  }
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> margins, c.Integers(attr ? 1 : 2));
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> block, c.Integers(1));
  if (!margins || !block) return std::optional<Blocks>();
  if (attr) block = std::vector<int64_t>(2, c.attr<int64_t>("block_size"));
  return std::optional<Blocks>(
      Blocks{.block = Sizes(block->begin(), block->end()), .margins = Sizes(margins->begin(), margins->end())});
}

// The same at run time. `block_size`: 0 when it is an input.
Blocks BlocksOf(const KernelContext& c, int64_t block_size) {
  if (block_size > 0) return {.block = Sizes(2, block_size), .margins = Integers(c.input(1))};
  return {.block = Integers(c.input(1)), .margins = Integers(c.input(2))};
}

int64_t BlockSizeOf(const KernelSetup& setup) {
  return setup.num_inputs() == 2 ? setup.attr<int64_t>("block_size") : 0;
}

// With an attribute for both block sizes, the input is a batch of pictures.
absl::StatusOr<Shape> RankChecked(const ShapeContext& c) {
  return c.num_inputs() == 2 ? c.WithRank(0, 4) : absl::StatusOr<Shape>(c.input(0));
}

absl::Status SpaceToBatchShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(std::optional<Blocks> blocks, KnownBlocks(c));
  SF_ASSIGN_OR_RETURN(Shape shape, RankChecked(c));
  if (!shape.has_rank()) return absl::OkStatus();
  if (!blocks) return c.set_output(0, Shape::UnknownOfRank(shape.rank())), absl::OkStatus();
  SF_RETURN_IF_ERROR(CheckBlocks(*blocks, shape.rank()));
  for (size_t i = 0; i < blocks->block.size(); ++i) {
    const int d = static_cast<int>(i) + 1;
    const int64_t block = blocks->block[i];
    if (shape.dim(0) >= 0) shape.set_dim(0, MultiplySizes(shape.dim(0), block));
    if (shape.dim(d) < 0) continue;
    const int64_t padded = AddSizes(shape.dim(d), AddSizes(blocks->margins[2 * i], blocks->margins[2 * i + 1]));
    if (padded % block != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("dimension ", d, " has padded size ", padded, ", which blocks of ", block, " do not divide"));
    }
    shape.set_dim(d, padded / block);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::Status BatchToSpaceShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(std::optional<Blocks> blocks, KnownBlocks(c));
  SF_ASSIGN_OR_RETURN(Shape shape, RankChecked(c));
  if (!shape.has_rank()) return absl::OkStatus();
  if (!blocks) return c.set_output(0, Shape::UnknownOfRank(shape.rank())), absl::OkStatus();
  SF_RETURN_IF_ERROR(CheckBlocks(*blocks, shape.rank()));
  for (size_t i = 0; i < blocks->block.size(); ++i) {
    const int d = static_cast<int>(i) + 1;
    const int64_t block = blocks->block[i];
    if (shape.dim(0) >= 0) {
      if (shape.dim(0) % block != 0) {
        return absl::InvalidArgumentError(absl::StrCat("the batch does not divide into blocks of ", block));
      }
      shape.set_dim(0, shape.dim(0) / block);
    }
    if (shape.dim(d) < 0) continue;
    const int64_t whole = MultiplySizes(shape.dim(d), block);
    const int64_t crops = AddSizes(blocks->margins[2 * i], blocks->margins[2 * i + 1]);
    if (crops > whole) return absl::InvalidArgumentError(absl::StrCat("crops of ", crops, " exceed size ", whole));
    shape.set_dim(d, whole - crops);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// Calls visit(b, s) for every slice of the batch side and its place on the space side, -1 within a margin. Slices hold
// the dimensions behind the blocked ones.
template <typename F>
void ForEachBlocked(const Blocks& blocks, const Shape& batch, const Shape& space, F&& visit) {
  const int m = static_cast<int>(blocks.block.size());
  const int64_t count = batch.num_elements(0, m + 1);
  Sizes offset(m);
  for (int64_t flat = 0; flat < count; ++flat) {
    // From the innermost: position within the dimension, then, left of all, the offsets within the block.
    int64_t rest = flat;
    Sizes at(m);
    for (int i = m - 1; i >= 0; --i) {
      at[i] = rest % batch.dim(i + 1);
      rest /= batch.dim(i + 1);
    }
    int64_t place = rest % space.dim(0);
    rest /= space.dim(0);
    for (int i = m - 1; i >= 0; --i) {
      offset[i] = rest % blocks.block[i];
      rest /= blocks.block[i];
    }
    for (int i = 0; i < m && place >= 0; ++i) {
      const int64_t k = at[i] * blocks.block[i] + offset[i] - blocks.margins[2 * i];
      place = k < 0 || k >= space.dim(i + 1) ? -1 : place * space.dim(i + 1) + k;
    }
    visit(flat, place);
  }
}

absl::Status CheckSides(const Blocks& blocks, const Shape& batch, const Shape& space) {
  SF_RETURN_IF_ERROR(CheckBlocks(blocks, space.rank()));
  int64_t expected = space.dim(0);
  for (int64_t b : blocks.block) expected = MultiplySizes(expected, b);
  if (expected == batch.dim(0)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("batch sizes ", batch.dim(0), " and ", space.dim(0), " do not fit the blocks"));
}

absl::StatusOr<Kernel> SpaceToBatchKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [block_size = BlockSizeOf(setup)](KernelContext& c) {
      const Blocks blocks = BlocksOf(c, block_size);
      const Shape &space = *c.input(0).shape, &batch = *c.output(0).shape;
      SF_RETURN_IF_ERROR(CheckSides(blocks, batch, space));
      const int64_t n = space.num_elements(static_cast<int>(blocks.block.size()) + 1, space.rank());
      ForEachBlocked(blocks, batch, space, [&](int64_t to, int64_t from) {
        T* y = c.out<T>(0) + to * n;
        from < 0 ? std::fill_n(y, n, T()) : std::copy_n(c.in<T>(0) + from * n, n, y);
      });
      return absl::OkStatus();
    };
  });
}

absl::StatusOr<Kernel> BatchToSpaceKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [block_size = BlockSizeOf(setup)](KernelContext& c) {
      const Blocks blocks = BlocksOf(c, block_size);
      const Shape &batch = *c.input(0).shape, &space = *c.output(0).shape;
      SF_RETURN_IF_ERROR(CheckSides(blocks, batch, space));
      const int64_t n = space.num_elements(static_cast<int>(blocks.block.size()) + 1, space.rank());
      ForEachBlocked(blocks, batch, space, [&](int64_t from, int64_t to) {
        if (to >= 0) std::copy_n(c.in<T>(0) + from * n, n, c.out<T>(0) + to * n);
      });
      return absl::OkStatus();
    };
  });
}

void SpaceToBatchNDGradient(GradientContext& c) { c.set_dx(0, BatchToSpaceND(c.dy(0), c.x(1), c.x(2))); }
void BatchToSpaceNDGradient(GradientContext& c) { c.set_dx(0, SpaceToBatchND(c.dy(0), c.x(1), c.x(2))); }

void OppositeGradient(GradientContext& c) {
  const char* opposite = c.node().type() == "SpaceToBatch" ? "BatchToSpace" : "SpaceToBatch";
  c.set_dx(0, NodeBuilder(opposite, {c.dy(0), c.x(1)}).Attr("block_size", c.attr<int64_t>("block_size")).Build());
}

const OpRegistrar space_to_batch_nd({.name = "SpaceToBatchND",
                                     .inputs = {"input: T", "block_shape: Tblock_shape", "paddings: Tpaddings"},
                                     .outputs = {"output: T"},
                                     .attrs = {"T: type", "Tblock_shape: indextype = int32",
                                               "Tpaddings: indextype = int32"},
                                     .shape = SpaceToBatchShape,
                                     .gradient = SpaceToBatchNDGradient,
                                     .kernel = SpaceToBatchKernel,
                                     .batch = SpaceToBatchBatch,
                                     .doc = "Blocks of space become entries of the batch."});

const OpRegistrar batch_to_space_nd({.name = "BatchToSpaceND",
                                     .inputs = {"input: T", "block_shape: Tblock_shape", "crops: Tcrops"},
                                     .outputs = {"output: T"},
                                     .attrs = {"T: type", "Tblock_shape: indextype = int32",
                                               "Tcrops: indextype = int32"},
                                     .shape = BatchToSpaceShape,
                                     .gradient = BatchToSpaceNDGradient,
                                     .kernel = BatchToSpaceKernel,
                                     .batch = BatchToSpaceBatch,
                                     .doc = "Entries of the batch become blocks of space."});

const OpRegistrar space_to_batch({.name = "SpaceToBatch",
                                  .inputs = {"input: T", "paddings: Tpaddings"},
                                  .outputs = {"output: T"},
                                  .attrs = {"T: type", "Tpaddings: indextype = int32", "block_size: int >= 2"},
                                  .shape = SpaceToBatchShape,
                                  .gradient = OppositeGradient,
                                  .kernel = SpaceToBatchKernel,
                                  .batch = SpaceToBatchBatch,
                                  .doc = "Square blocks of two dimensions become entries of the batch."});

const OpRegistrar batch_to_space({.name = "BatchToSpace",
                                  .inputs = {"input: T", "crops: Tidx"},
                                  .outputs = {"output: T"},
                                  .attrs = {"T: type", "block_size: int >= 2", "Tidx: indextype = int32"},
                                  .shape = BatchToSpaceShape,
                                  .gradient = OppositeGradient,
                                  .kernel = BatchToSpaceKernel,
                                  .batch = BatchToSpaceBatch,
                                  .doc = "Entries of the batch become square blocks of two dimensions."});

}  // namespace

Output SpaceToBatchND(Operand input, const Ints& block_shape, const Ints& paddings, const OpOptions& options) {
  const NodeName node(input, options.name, "SpaceToBatchND");
  if (!node) return Output();
  return NodeBuilder("SpaceToBatchND",
                     {input, node.Vector(block_shape, "block_shape"), PaddingsVector(node, paddings, "paddings")})
      .Name(node.exact())
      .Build();
}

Output BatchToSpaceND(Operand input, const Ints& block_shape, const Ints& crops, const OpOptions& options) {
  const NodeName node(input, options.name, "BatchToSpaceND");
  if (!node) return Output();
  return NodeBuilder("BatchToSpaceND",
                     {input, node.Vector(block_shape, "block_shape"), PaddingsVector(node, crops, "crops")})
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
