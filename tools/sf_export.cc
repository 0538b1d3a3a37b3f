// sf export: a folded graph for predicting, checked on the data.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/diagnostics/folded_export.h"
#include "tools/sf.h"

namespace staticflow {

absl::StatusOr<int> SfExport(const SfArguments& arguments, std::ostream& out) {
  if (arguments.files.size() != 1) return absl::InvalidArgumentError("export takes one file");
  if (arguments.fetches.empty()) return absl::InvalidArgumentError("what shall it predict? --fetches=NAME");
  if (arguments.output.empty()) return absl::InvalidArgumentError("where shall the graph go? --output=PATH");
  const bool saved_model = arguments.format == "saved_model";
  if (!saved_model && arguments.format != "graph_def" && arguments.format != "text") {
    return absl::InvalidArgumentError(
        absl::StrCat("--format=", arguments.format, ": expected graph_def or saved_model"));
  }
  SF_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(arguments.files[0]));
  SF_ASSIGN_OR_RETURN(const SfSignature what, ReadSignature(file, arguments));
  Session session(*file.graph);
  SF_RETURN_IF_ERROR(Initialize(file, arguments, session));
  FoldedExportOptions options{.fetches = what.signature.fetches, .constants = what.values};
  (saved_model ? options.saved_model_dir : options.path) = arguments.output;
  options.feeds = FeedsFromData(file, what);
  SF_ASSIGN_OR_RETURN(const DataSet data, ReadData(arguments.data, options.feeds));
  SF_ASSIGN_OR_RETURN(options.samples, data.Split(arguments.batch_size).first.AllRows());
  options.source_checkpoint = arguments.checkpoint.empty() ? file.checkpoint : arguments.checkpoint;
  SF_ASSIGN_OR_RETURN(const FoldedExport result, ExportFolded(session, *file.graph, options));
  out << result.ToString() << "written to " << arguments.output << "\n";
  return 0;
}

}  // namespace staticflow
