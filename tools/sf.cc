// sf SUBCOMMAND FILE...: see sf --help.
#include "tools/sf.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "graph/status.h"

namespace staticflow {
namespace {

constexpr int kBadUsage = 2;

struct Flag {
  absl::string_view name, doc;
};

constexpr Flag kFlags[] = {
    {"feeds",
     "--feeds=x:0,is_training=true   what is fed, scalars with their values; default: all placeholders needed"},
    {"fetches", "--fetches=logits:0             what is asked for; default: the train op, else what nobody uses"},
    {"targets", "--targets=train                operations to run besides"},
    {"checkpoint",
     "--checkpoint=PREFIX            the variables' values; default: those beside the file, else the initializers'"},
    {"data",
     "--data=FILE,...                IDX or NumPy files for the feeds without values, examples along dimension 0"},
    {"batch_size", "--batch_size=100"},
    {"output", "--output=PATH                  where to write the checkpoint (reestimate) or the graph (export)"},
    {"format",
     "--format=text|dot|trace        of explain; trace runs one step and writes a Chrome trace\n"
     "  --format=graph_def|saved_model of export; a SavedModel is a folder"},
};

struct Subcommand {
  absl::string_view name;
  SfCommand run;
  absl::string_view flags;  // that it takes, with spaces between them
  absl::string_view doc;
};

constexpr Subcommand kSubcommands[] = {
    {"inspect", SfInspect, "",
     "what a file holds: nodes by op, inputs, layers, collections; a checkpoint's tensors, and\n"
     "                whether they are those of its graph"},
    {"summary", SfSummary, "", "the variables by scope, with shapes and numbers of parameters"},
    {"audit", SfAudit, "feeds fetches targets",
     "what a step does with its batch-normalization layers, and what its author may not have meant: of\n"
     "                these, of losses, dropout and gradients"},
    {"dependence", SfDependence, "feeds fetches",
     "whether row i of a result depends on row i of the batch alone; of what becomes one number for\n"
     "                the batch, the values before"},
    {"explain", SfExplain, "feeds fetches targets checkpoint batch_size format",
     "what a step runs and why, its memory, and what is doubtful about it"},
    {"reestimate", SfReestimate, "feeds fetches targets checkpoint data batch_size output",
     "batch normalization's statistics over a data set, into a repaired checkpoint"},
    {"export", SfExport, "feeds fetches checkpoint data batch_size output format",
     "a graph for predicting, batch normalization folded away, compared with the original"},
};

bool Takes(const Subcommand& command, absl::string_view flag) {
  const std::vector<absl::string_view> flags = absl::StrSplit(command.flags, ' ', absl::SkipEmpty());
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

// Of one subcommand, or of all.
void PrintHelp(const Subcommand* only, std::ostream& out) {
  out << "sf " << (only == nullptr ? "SUBCOMMAND" : only->name) << " [FLAGS] FILE...\n\n";
  for (const Subcommand& command : kSubcommands) {
    if (only != nullptr && only != &command) continue;
    out << "  " << command.name << std::string(14 - command.name.size(), ' ') << command.doc << "\n";
  }
  out << "\nFILE is a GraphDef, MetaGraphDef or SavedModel (binary or text), a checkpoint's prefix, or a folder of\n"
         "either.\n\n";
  for (const Flag& flag : kFlags) {
    if (only == nullptr || Takes(*only, flag.name)) out << "  " << flag.doc << "\n";
  }
  out << "\nExit codes: 0 no findings, 1 findings, 2 bad usage or a file that cannot be read.\n";
}

absl::Status ReadFlag(const Subcommand& command, absl::string_view flag, SfArguments* arguments) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(flag, absl::MaxSplits('=', 1));
  const auto [name, value] = parts;
  const std::vector<std::string> list = absl::StrSplit(value, ',', absl::SkipEmpty());
  if (!Takes(command, absl::StripPrefix(name, "--"))) {
    return absl::InvalidArgumentError(
        absl::StrCat(command.name, " takes no flag ", name, "; see sf ", command.name, " --help"));
  }
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
  } else if (!absl::SimpleAtoi(value, &arguments->batch_size) || arguments->batch_size < 1) {
    return absl::InvalidArgumentError(absl::StrCat("--batch_size=", value, " is no positive number"));
  }
  return absl::OkStatus();
}

absl::StatusOr<const Subcommand*> FindSubcommand(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (absl::StartsWith(word, "-") || word == "help") continue;
    for (const Subcommand& known : kSubcommands) {
      if (known.name == word) return &known;
    }
    return absl::InvalidArgumentError(absl::StrCat("no subcommand '", word, "'; see sf --help"));
  }
  return absl::InvalidArgumentError("which subcommand? See sf --help");
}

absl::StatusOr<int> Run(const std::vector<std::string>& words, std::ostream& out) {
  const absl::StatusOr<const Subcommand*> command = FindSubcommand(words);
  const auto asks_for_help = [](const std::string& word) { return word == "--help" || word == "-h" || word == "help"; };
  if (std::any_of(words.begin(), words.end(), asks_for_help)) {
    PrintHelp(command.ok() ? *command : nullptr, out);
    return 0;
  }
  SF_RETURN_IF_ERROR(command.status());
  SfArguments arguments;
  bool named = false;
  for (const std::string& word : words) {
    if (absl::StartsWith(word, "-")) {
      SF_RETURN_IF_ERROR(ReadFlag(**command, word, &arguments));
    } else if (named) {
      arguments.files.push_back(word);
    } else {
      named = true;
    }
  }
  if (arguments.files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("which file? See sf ", (*command)->name, " --help"));
  }
  return (*command)->run(arguments, out);
}

}  // namespace
}  // namespace staticflow

int main(int argc, char** argv) {
  const absl::StatusOr<int> code = staticflow::Run(std::vector<std::string>(argv + 1, argv + argc), std::cout);
  if (code.ok()) return *code;
  std::cerr << "sf: " << code.status().message() << "\n";
  return staticflow::kBadUsage;
}
