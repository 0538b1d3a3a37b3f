// ExportFolded: a graph for predicting, without variables, modes and batch normalization, that was compared with the
// one it comes from.
//
//   SF_ASSIGN_OR_RETURN(FoldedExport result, ExportFolded(session, g, {.feeds = {x}, .fetches = {probabilities},
//                       .samples = {images}, .path = "model.pb", .source_checkpoint = "model.ckpt-1000"}));
//   result.ToString();
//   //  18 of 18 batch-normalization layers folded; 233 nodes became 41; largest error 2.1e-7 over 100 examples
//
// Variables become constants, the mode is that of inference, assignments and checks are gone, everything that depends
// on no feed is computed, and scales and shifts per channel are part of the product or convolution next to them. Both
// graphs then run on the samples. The file is a GraphDef that TensorFlow loads, or the same in a SavedModel, whose
// signature "serving_default" calls tensors by their nodes' names; a string constant, "export_report", holds the
// report.
//
// Folded are MatMul, Conv2D, Conv3D, DepthwiseConv2dNative and Conv2DBackpropInput by constant weights, with channels
// last or second, across a bias, zero padding and reshapes that keep channels together.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_FOLDED_EXPORT_H_
#define STATICFLOW_OPS_DIAGNOSTICS_FOLDED_EXPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "runtime/session.h"

namespace staticflow {

struct FoldedExportOptions {
  std::vector<Output> feeds = {};      // what stays an input
  std::vector<Output> fetches = {};    // what stays a result; each keeps its node's name
  Session::Feeds constants = {};       // other inputs, with the values they get for good; the mode needs none
  std::vector<Tensor> samples = {};    // one for each feed: what both graphs are run on
  double tolerance = 1e-3;             // largest error that is accepted, relative to the largest result
  bool fold = true;                    // false: only freeze
  std::string path = "";               // the file; "": none
  std::string saved_model_dir = "";    // the same as a SavedModel, tag "serve"; "": none
  std::string source_checkpoint = "";  // whose fingerprint goes into the report
};

struct FoldedExport {
  std::string graph_def;  // the bytes of the file
  int nodes_before = 0, nodes_after = 0;
  int layers = 0;                        // of batch normalization, on the way to the fetches
  std::vector<std::string> folded;       // nodes that products and convolutions took in
  std::vector<std::string> normalizing;  // fused nodes that are left, since nothing next to them could take them in
  double largest_error = 0;              // |folded - original| over all results
  double largest_result = 0;             // |original|, of finite ones
  int64_t not_finite = 0;                // results that are NaN or infinite, in both graphs
  int64_t examples = 0;
  // Whether each result depends on its own example alone, for the mode that was pinned: "y:0 independent: ...".
  std::vector<std::string> verdicts;
  std::string fingerprint = "";  // "model.ckpt-1000 crc32c 0x12345678", of the checkpoint's index; "" without one

  std::string ToString() const;
};

// The session holds the variables. FailedPrecondition: a layer on the way to a fetch always normalizes with the
// statistics of its batch (it is named), a fetch needs a write, a branch is not decided, or the error is above the
// tolerance: no file is written then. InvalidArgument: samples that do not fit the feeds, or none.
absl::StatusOr<FoldedExport> ExportFolded(Session& session, const Graph& g, const FoldedExportOptions& options);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_FOLDED_EXPORT_H_
