// sf: the diagnoses on files. What its subcommands share; each is a file of its own, sf_*.cc.
//
// Exit codes: 0 nothing to say against the file, 1 findings, 2 bad usage or a file that cannot be read.
#ifndef STATICFLOW_TOOLS_SF_H_
#define STATICFLOW_TOOLS_SF_H_

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "graph/meta_graph.h"
#include "runtime/io/dataset.h"
#include "runtime/session.h"

namespace staticflow {

// The command line behind the subcommand. Lists are separated by commas.
struct SfArguments {
  std::vector<std::string> files;
  std::vector<std::string> feeds;    // "x:0", "is_training=true"
  std::vector<std::string> fetches;  // "logits:0"
  std::vector<std::string> targets;  // "train"
  std::vector<std::string> data;     // IDX or NumPy files, one for each feed without value
  std::string checkpoint = "";       // prefix; "": the one beside the file
  std::string output = "";
  std::string format = "text";
  int64_t batch_size = 100;
  bool results_only = false;  // set by a subcommand that asks for rows of results, not for the train op
};

// 0 or 1; an error is printed and gives 2.
using SfCommand = absl::StatusOr<int> (*)(const SfArguments&, std::ostream& out);
absl::StatusOr<int> SfInspect(const SfArguments& arguments, std::ostream& out);
absl::StatusOr<int> SfSummary(const SfArguments& arguments, std::ostream& out);
absl::StatusOr<int> SfAudit(const SfArguments& arguments, std::ostream& out);
absl::StatusOr<int> SfDependence(const SfArguments& arguments, std::ostream& out);
absl::StatusOr<int> SfExplain(const SfArguments& arguments, std::ostream& out);
absl::StatusOr<int> SfReestimate(const SfArguments& arguments, std::ostream& out);
absl::StatusOr<int> SfExport(const SfArguments& arguments, std::ostream& out);

// A file that was opened.
struct ModelFile {
  std::string path;
  std::string kind;                        // "GraphDef", "MetaGraphDef", "SavedModel", "checkpoint"
  std::unique_ptr<Graph> graph = nullptr;  // null for a checkpoint without graph
  MetaGraph meta = {};
  std::string checkpoint = "";  // the prefix of the checkpoint that belongs to it, if there is one
  int inlined_calls = 0;        // of functions, which the graph has in the place of the calls
};

// Opens a GraphDef, MetaGraphDef or SavedModel (binary or text; also as a field of another message, as in a golden
// case), a checkpoint by its prefix or one of its files, or a folder that holds a SavedModel or checkpoints. Never
// trusts what it reads: errors as of ImportMetaGraph and BundleReader.
absl::StatusOr<ModelFile> OpenModelFile(const std::string& path);

// What to run, with the feeds' values where they were given. Without fetches and targets: the collection train_op,
// else all results that nobody uses. Without feeds: all placeholders that these need.
struct SfSignature {
  Signature signature;
  std::vector<std::pair<Output, Tensor>> values;
};
absl::StatusOr<SfSignature> ReadSignature(const ModelFile& file, const SfArguments& arguments);

// The feeds that data files are for: without value, and no layer of batch normalization's predicate.
std::vector<Output> FeedsFromData(const ModelFile& file, const SfSignature& what);

// The variables' values: from --checkpoint, from the checkpoint beside the file, else by their initializers.
absl::Status Initialize(const ModelFile& file, const SfArguments& arguments, Session& session);

// The data files as components for `feeds`: bytes become numbers from 0 to 1 for feeds of floating-point numbers, and
// rows get the shape of the feed.
absl::StatusOr<DataSet> ReadData(const std::vector<std::string>& paths, const std::vector<Output>& feeds);

}  // namespace staticflow

#endif  // STATICFLOW_TOOLS_SF_H_
