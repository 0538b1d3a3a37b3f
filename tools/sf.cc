// sf SUBCOMMAND FILE...: see sf --help.
#include "tools/sf.h"

#include <cstdio>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/status.h"

namespace staticflow {
namespace {

constexpr int kBadUsage = 2;

struct Subcommand {
  absl::string_view name;
  SfCommand run;
  absl::string_view doc;
};

constexpr Subcommand kSubcommands[] = {
    {"inspect", SfInspect,
     "what a file holds: nodes by op, inputs, layers, collections; a checkpoint's tensors, and\n"
     "                whether they are those of its graph"},
    {"summary", SfSummary, "the variables by scope, with shapes and numbers of parameters"},
    {"audit", SfAudit,
     "what a step does with its batch-normalization layers, and what its author may not have meant: of\n"
     "                these, of losses, dropout and gradients"},
    {"dependence", SfDependence, "whether row i of a result depends on row i of the batch alone"},
    {"explain", SfExplain, "what a step runs and why, its memory, and what is doubtful about it"},
    {"reestimate", SfReestimate, "batch normalization's statistics over a data set, into a repaired checkpoint"},
    {"export", SfExport, "a graph for predicting, batch normalization folded away, compared with the original"},
};

constexpr char kFlags[] =
    "  --feeds=x:0,is_training=true   what is fed, scalars with their values; default: all placeholders needed\n"
    "  --fetches=logits:0             what is asked for; default: the train op, else what nobody uses\n"
    "  --targets=train                operations to run besides\n"
    "  --checkpoint=PREFIX            the variables' values; default: those beside the file, else the initializers'\n"
    "  --data=FILE,...                IDX or NumPy files for the feeds without values, examples along dimension 0\n"
    "  --batch_size=100\n"
    "  --output=PATH                  where to write the checkpoint (reestimate) or the graph (export)\n"
    "  --format=text|dot|trace        of explain; trace runs one step and writes a Chrome trace\n"
    "  --format=graph_def|saved_model of export; a SavedModel is a folder\n";

void PrintHelp(std::ostream& out) {
  out << "sf SUBCOMMAND [FLAGS] FILE...\n\n";
  for (const Subcommand& command : kSubcommands) {
    out << "  " << command.name << std::string(14 - command.name.size(), ' ') << command.doc << "\n";
  }
  out << "\nFILE is a GraphDef, MetaGraphDef or SavedModel (binary or text), a checkpoint's prefix, or a folder of\n"
         "either.\n\n"
      << kFlags << "\nExit codes: 0 no findings, 1 findings, 2 bad usage or a file that cannot be read.\n";
}

absl::Status ReadFlag(absl::string_view flag, SfArguments* arguments) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(flag, absl::MaxSplits('=', 1));
  const auto [name, value] = parts;
  const std::vector<std::string> list = absl::StrSplit(value, ',', absl::SkipEmpty());
  if (name == "--feeds") {
    arguments->feeds = list;
  } else if (name == "--fetches") {
    arguments->fetches = list;
  } else if (name == "--targets") {
    arguments->targets = list;
  } else if (name == "--data") {
    arguments->data = list;
  } else if (name == "--checkpoint") {
    arguments->checkpoint = std::string(value);
  } else if (name == "--output") {
    arguments->output = std::string(value);
  } else if (name == "--format") {
    arguments->format = std::string(value);
  } else if (name != "--batch_size") {
    return absl::InvalidArgumentError(absl::StrCat("no flag ", name, "; see sf --help"));
  } else if (!absl::SimpleAtoi(value, &arguments->batch_size) || arguments->batch_size < 1) {
    return absl::InvalidArgumentError(absl::StrCat("--batch_size=", value, " is no positive number"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Run(const std::vector<std::string>& words, std::ostream& out) {
  SfArguments arguments;
  const Subcommand* command = nullptr;
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h" || word == "help") {
      PrintHelp(out);
      return 0;
    }
    if (absl::StartsWith(word, "--")) {
      SF_RETURN_IF_ERROR(ReadFlag(word, &arguments));
    } else if (command != nullptr) {
      arguments.files.push_back(word);
    } else {
      for (const Subcommand& known : kSubcommands) {
        if (known.name == word) command = &known;
      }
      if (command == nullptr)
        return absl::InvalidArgumentError(absl::StrCat("no subcommand '", word, "'; see sf --help"));
    }
  }
  if (command == nullptr) return absl::InvalidArgumentError("which subcommand? See sf --help");
  if (arguments.files.empty()) return absl::InvalidArgumentError("which file? See sf --help");
  return command->run(arguments, out);
}

}  // namespace
}  // namespace staticflow

int main(int argc, char** argv) {
  const absl::StatusOr<int> code = staticflow::Run(std::vector<std::string>(argv + 1, argv + argc), std::cout);
  if (code.ok()) return *code;
  std::cerr << "sf: " << code.status().message() << "\n";
  return staticflow::kBadUsage;
}
