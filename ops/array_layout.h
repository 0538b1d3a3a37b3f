// Arrays rearranged: padding, reversing, rolling, blocks of space, diagonals, patches. Padding with zeros is Pad in
// ops/array.h.
//
//   Output framed = MirrorPad(image, {0, 0, 1, 1, 1, 1, 0, 0}, "REFLECT");
//   Output lower = MatrixBandPart(square, -1, 0);
//
// Every op takes any element type unless it says otherwise. Not thread-safe: all of them add to the graph.
// Source: the TensorFlow 1.15 functions of these names.
#ifndef STATICFLOW_OPS_ARRAY_LAYOUT_H_
#define STATICFLOW_OPS_ARRAY_LAYOUT_H_

#include <string>
#include <vector>

#include "ops/array.h"

namespace staticflow {

// Adds paddings[d][0] elements before and paddings[d][1] after dimension d, all `constant_value`. A list of paddings
// is [rank, 2] row by row here and below.
Output PadV2(Operand input, const Ints& paddings, Operand constant_value, const OpOptions& options = {});
// The same with mirrored elements: "REFLECT" leaves the edge out of the mirror image, "SYMMETRIC" repeats it. Numbers
// have gradients.
Output MirrorPad(Operand input, const Ints& paddings, const std::string& mode, const OpOptions& options = {});
// The gradient of MirrorPad: every element with its mirror images added. Floating types.
Output MirrorPadGrad(Operand input, const Ints& paddings, const std::string& mode, const OpOptions& options = {});

// The dimensions `axes` back to front. Op ReverseV2.
Output Reverse(Operand tensor, const Ints& axes, const OpOptions& options = {});
struct ReverseSequenceOptions {
  int64_t seq_dim = 1;
  int64_t batch_dim = 0;
  std::string name = "";
};
// For each entry b of the batch dimension, the first seq_lengths[b] elements of the sequence dimension back to front.
Output ReverseSequence(Operand input, Operand seq_lengths, const ReverseSequenceOptions& options = {});
// Element i of dimension axes[k] moves to i + shift[k], round the end.
Output Roll(Operand input, const Ints& shift, const Ints& axes, const OpOptions& options = {});

// Pads dimensions 1, 2, ..., then moves blocks of them into the batch dimension; and back, with crops.
Output SpaceToBatchND(Operand input, const Ints& block_shape, const Ints& paddings, const OpOptions& options = {});
Output BatchToSpaceND(Operand input, const Ints& block_shape, const Ints& crops, const OpOptions& options = {});
struct BlockOptions {
  std::string data_format = "NHWC";  // or "NCHW"
  std::string name = "";
};
// Moves blocks of block_size x block_size pixels into the channels; and back.
Output SpaceToDepth(Operand input, int block_size, const BlockOptions& options = {});
Output DepthToSpace(Operand input, int block_size, const BlockOptions& options = {});

// The innermost matrices with zeros but for num_lower diagonals below and num_upper above the main one; negative
// numbers keep all.
Output MatrixBandPart(Operand input, Operand num_lower, Operand num_upper, const OpOptions& options = {});
// [..., n] -> [..., n, n] with the vectors on the diagonals, zeros elsewhere; and back, of [..., m, n].
Output MatrixDiag(Operand diagonal, const OpOptions& options = {});
Output MatrixDiagPart(Operand input, const OpOptions& options = {});
// `input` with the diagonals of its innermost matrices replaced.
Output MatrixSetDiag(Operand input, Operand diagonal, const OpOptions& options = {});

struct MatrixDiagV3Options {
  std::string align = "RIGHT_LEFT";  // where rows of diagonals above (below) the main one stand when they are shorter
  std::string name = "";
};
// The same for any band of diagonals: k, int32, is one number or the lowest and the highest; 0 is the main diagonal,
// those above it are positive. A band of several has them as rows [..., diagonals, longest], the highest first.
// Elements that no diagonal sets are padding_value. num_rows and num_cols may be -1: as small as possible.
Output MatrixDiagV3(Operand diagonal, Operand k, Operand num_rows, Operand num_cols, Operand padding_value,
                    const MatrixDiagV3Options& options = {});
Output MatrixDiagPartV3(Operand input, Operand k, Operand padding_value, const MatrixDiagV3Options& options = {});
Output MatrixSetDiagV3(Operand input, Operand diagonal, Operand k, const MatrixDiagV3Options& options = {});

// A tensor of rank r on the diagonal of one of rank 2 r; and back. Numbers.
Output Diag(Operand diagonal, const OpOptions& options = {});
Output DiagPart(Operand input, const OpOptions& options = {});

struct ExtractImagePatchesOptions {
  std::vector<int64_t> ksizes = {1, 1, 1, 1};  // [1, rows, columns, 1], as all three
  std::vector<int64_t> strides = {1, 1, 1, 1};
  std::vector<int64_t> rates = {1, 1, 1, 1};  // distance of the pixels of one patch
  std::string padding = "VALID";              // or "SAME"
  std::string name = "";
};
// [n, h, w, c] -> [n, patches down, patches across, rows * columns * c]: the pixels under a sliding window. Numbers.
Output ExtractImagePatches(Operand images, const ExtractImagePatchesOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ARRAY_LAYOUT_H_
