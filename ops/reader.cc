// Readers, each for handles (...V2) and for the references that came before them. Contracts: ops/queue.h.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "graph/variable_key.h"
#include "ops/queue.h"
#include "ops/queue_storage.h"
#include "ops/step_objects.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

absl::StatusOr<ReaderForm> FormOfReader(const Node& node) {
  ReaderForm form = {.type = std::string(absl::StripSuffix(node.type(), "V2"))};
  if (form.type == "TextLineReader") form.skip_header_lines = node.attr<int64_t>("skip_header_lines");
  if (form.type == "FixedLengthRecordReader") {
    form.header_bytes = node.attr<int64_t>("header_bytes");
    form.record_bytes = node.attr<int64_t>("record_bytes");
    form.footer_bytes = node.attr<int64_t>("footer_bytes");
    form.hop_bytes = node.attr<int64_t>("hop_bytes");
    if (form.header_bytes < 0 || form.record_bytes < 1 || form.footer_bytes < 0 || form.hop_bytes < 0) {
      return absl::InvalidArgumentError(absl::StrCat("records of ", form.record_bytes, " bytes after ",
                                                     form.header_bytes, ", before ", form.footer_bytes, ", one every ",
                                                     form.hop_bytes));
    }
  }
  for (const char* name : {"compression_type", "encoding"}) {
    if (!node.has_attr(name) || node.attr<std::string>(name).empty()) continue;
    return absl::UnimplementedError(
        absl::StrCat(name, " is ", node.attr<std::string>(name), ", but only files that are not compressed are read"));
  }
  return form;
}
absl::StatusOr<Kernel> ReaderDeclarationKernel(const KernelSetup& setup) {
  const std::string key = VariableKey(setup.node());
  SF_ASSIGN_OR_RETURN(const ReaderForm form, FormOfReader(setup.node()));
  return Kernel([form, key](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(QueueFileReader * reader, c.step().resources->FindOrCreate<QueueFileReader>(
                                                      key, [&] { return std::make_unique<QueueFileReader>(form); }));
    if (reader->form() != form) {
      return absl::InvalidArgumentError(absl::StrCat("reader ", key, " exists with other attributes"));
    }
    SetHandle(c, 0, key);
    return absl::OkStatus();
  });
}
absl::Status ReaderHandleShape(ShapeContext& c) {
  c.set_output(0, HandleShape(c.node().output_dtype(0)));
  return absl::OkStatus();
}

// A reader's two ops; `attrs` of both, `v2_attrs` of the second besides.
struct ReaderDeclaration {
  ReaderDeclaration(const std::string& name, std::vector<std::string> attrs, const std::string& doc,
                    absl::string_view v2_attr = "")
      : reference(Spec(name, "Ref(string)", attrs, "", doc)),
        handle(Spec(name + "V2", "resource", attrs, v2_attr, doc)) {}
  static OpSpec Spec(std::string name, absl::string_view handle_type, std::vector<std::string> attrs,
                     absl::string_view more, std::string doc) {
    attrs.insert(attrs.end(), {"container: string = ''", "shared_name: string = ''"});
    if (!more.empty()) attrs.emplace_back(more);
    return {.name = std::move(name),
            .outputs = {absl::StrCat("reader_handle: ", handle_type)},
            .attrs = std::move(attrs),
            .shape = ReaderHandleShape,
            .gradient = kNotDifferentiable,
            .kernel = ReaderDeclarationKernel,
            .traits = kStateful,
            .doc = std::move(doc)};
  }
  OpRegistrar reference, handle;
};
const ReaderDeclaration whole_file("WholeFileReader", {}, "A reader whose records are whole files.");
const ReaderDeclaration identity("IdentityReader", {}, "A reader whose records are what the queue holds.");
const ReaderDeclaration text_line("TextLineReader", {"skip_header_lines: int = 0"}, "A reader of lines of text.");
const ReaderDeclaration tf_record("TFRecordReader", {"compression_type: string = ''"}, "A reader of TFRecord files.");
const ReaderDeclaration fixed_length("FixedLengthRecordReader",
                                     {"header_bytes: int = 0", "record_bytes: int", "footer_bytes: int = 0",
                                      "hop_bytes: int = 0"},
                                     "A reader of records of one size.", "encoding: string = ''");

// --- What is done with a reader ---

struct OnReader {
  OnReader(const OpSpec& spec, bool takes_queue)
      : reference(Form(spec, "", "Ref(string)", takes_queue)), handle(Form(spec, "V2", "resource", takes_queue)) {}
  static OpSpec Form(OpSpec spec, absl::string_view ending, absl::string_view handle_type, bool takes_queue) {
    absl::StrAppend(&spec.name, ending);
    if (takes_queue) spec.inputs.insert(spec.inputs.begin(), absl::StrCat("queue_handle: ", handle_type));
    spec.inputs.insert(spec.inputs.begin(), absl::StrCat("reader_handle: ", handle_type));
    spec.gradient = kNotDifferentiable;
    spec.traits = kStateful;
    return spec;
  }
  OpRegistrar reference, handle;
};

absl::StatusOr<QueueFileReader*> ReaderBehind(const KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const absl::string_view name, HandleName(c, 0));
  return c.step().resources->Find<QueueFileReader>(name);
}
absl::Status ReadRecords(KernelContext& c, int64_t n, std::vector<std::string>* keys,
                         std::vector<std::string>* values) {
  SF_ASSIGN_OR_RETURN(QueueFileReader * reader, ReaderBehind(c));
  SF_ASSIGN_OR_RETURN(const absl::string_view queue, HandleName(c, 1));
  SF_ASSIGN_OR_RETURN(TensorQueue * names, c.step().resources->Find<TensorQueue>(queue));
  return reader->Read(c.step().env, *names, n, keys, values);
}

absl::Status ReadKernel(KernelContext& c) {
  std::vector<std::string> keys, values;
  SF_RETURN_IF_ERROR(ReadRecords(c, 1, &keys, &values));
  *c.out<std::string>(0) = std::move(keys[0]);
  *c.out<std::string>(1) = std::move(values[0]);
  return absl::OkStatus();
}
const OnReader read({.name = "ReaderRead",
                     .outputs = {"key: string", "value: string"},
                     .shape = ScalarShape,
                     .kernel = ReadKernel,
                     .doc = "The next record of the files whose names a queue holds."},
                    true);

absl::Status ReadUpToShape(ShapeContext& c) {
  c.set_output(0, {Shape::kUnknownDim});
  c.set_output(1, {Shape::kUnknownDim});
  return c.WithRank(2, 0).status();
}
absl::Status ReadUpToKernel(KernelContext& c) {
  const int64_t n = c.scalar<int64_t>(2);
  if (n < 1) return absl::InvalidArgumentError(absl::StrCat("num_records is ", n, ", expected at least 1"));
  std::vector<std::string> keys, values;
  SF_RETURN_IF_ERROR(ReadRecords(c, n, &keys, &values));
  for (int i = 0; i < 2; ++i) {
    std::vector<std::string>& from = i == 0 ? keys : values;
    SF_RETURN_IF_ERROR(c.AllocateOutput(i, {static_cast<int64_t>(from.size())}));
    std::move(from.begin(), from.end(), c.out<std::string>(i));
  }
  return absl::OkStatus();
}
const OnReader read_up_to({.name = "ReaderReadUpTo",
                           .inputs = {"num_records: int64"},
                           .outputs = {"keys: string", "values: string"},
                           .shape = ReadUpToShape,
                           .kernel = ReadUpToKernel,
                           .doc = "The next records, up to so many, of one file."},
                          true);

absl::Status ProducedKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(QueueFileReader * reader, ReaderBehind(c));
  *c.out<int64_t>(0) = reader->records_produced();
  return absl::OkStatus();
}
const OnReader produced({.name = "ReaderNumRecordsProduced",
                         .outputs = {"records_produced: int64"},
                         .shape = ScalarShape,
                         .kernel = ProducedKernel,
                         .doc = "How many records a reader has read."},
                        false);
absl::Status CompletedKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(QueueFileReader * reader, ReaderBehind(c));
  *c.out<int64_t>(0) = reader->units_completed();
  return absl::OkStatus();
}
const OnReader completed({.name = "ReaderNumWorkUnitsCompleted",
                          .outputs = {"units_completed: int64"},
                          .shape = ScalarShape,
                          .kernel = CompletedKernel,
                          .doc = "How many files a reader has read to their end."},
                         false);
absl::Status ResetKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(QueueFileReader * reader, ReaderBehind(c));
  reader->Reset();
  return absl::OkStatus();
}
const OnReader reset({.name = "ReaderReset",
                      .shape = NoOutputs,
                      .kernel = ResetKernel,
                      .doc = "Lets a reader begin anew, with the next file."},
                     false);
absl::Status StateKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(QueueFileReader * reader, ReaderBehind(c));
  SF_ASSIGN_OR_RETURN(*c.out<std::string>(0), reader->State());
  return absl::OkStatus();
}
const OnReader state({.name = "ReaderSerializeState",
                      .outputs = {"state: string"},
                      .shape = ScalarShape,
                      .kernel = StateKernel,
                      .doc = "What a reader of whole files has done, as a message."},
                     false);
absl::Status RestoreKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(QueueFileReader * reader, ReaderBehind(c));
  return reader->Restore(c.scalar<std::string>(1));
}
absl::Status RestoreShape(ShapeContext& c) { return c.WithRank(1, 0).status(); }
const OnReader restore({.name = "ReaderRestoreState",
                        .inputs = {"state: string"},
                        .shape = RestoreShape,
                        .kernel = RestoreKernel,
                        .doc = "Lets a reader of whole files go on where another one was."},
                       false);

NodeBuilder ReaderNode(Graph& g, absl::string_view type, const ReaderOptions& options) {
  NodeBuilder node(g, type, options.where);
  node.Attr("shared_name", options.shared_name).Name(options.name);
  return node;
}
std::string ReaderOp(absl::string_view type, const Operand& reader) {
  const bool is_reference = reader.output().valid() && reader.output().dtype() == DT_STRING;
  return absl::StrCat(type, is_reference ? "" : "V2");
}

}  // namespace

Output WholeFileReader(Graph& g, const ReaderOptions& options) {
  return ReaderNode(g, "WholeFileReaderV2", options).Build();
}
Output IdentityReader(Graph& g, const ReaderOptions& options) {
  return ReaderNode(g, "IdentityReaderV2", options).Build();
}
Output TFRecordReader(Graph& g, const ReaderOptions& options) {
  return ReaderNode(g, "TFRecordReaderV2", options).Build();
}
Output TextLineReader(Graph& g, int64_t skip_header_lines, const ReaderOptions& options) {
  return ReaderNode(g, "TextLineReaderV2", options).Attr("skip_header_lines", skip_header_lines).Build();
}
Output FixedLengthRecordReader(Graph& g, const RecordSizes& sizes, const ReaderOptions& options) {
  return ReaderNode(g, "FixedLengthRecordReaderV2", options)
      .Attr("record_bytes", sizes.record_bytes)
      .Attr("header_bytes", sizes.header_bytes)
      .Attr("footer_bytes", sizes.footer_bytes)
      .Attr("hop_bytes", sizes.hop_bytes)
      .Build();
}
FileRecord ReaderRead(Operand reader, Operand queue, const OpOptions& options) {
  Node* node = NodeBuilder(ReaderOp("ReaderRead", reader), {reader, queue}).Name(options.name).BuildNode();
  return node == nullptr ? FileRecord() : FileRecord{.key = node->output(0), .value = node->output(1)};
}
FileRecord ReaderReadUpTo(Operand reader, Operand queue, Operand num_records, const OpOptions& options) {
  Node* node =
      NodeBuilder(ReaderOp("ReaderReadUpTo", reader), {reader, queue, num_records}).Name(options.name).BuildNode();
  return node == nullptr ? FileRecord() : FileRecord{.key = node->output(0), .value = node->output(1)};
}
Output ReaderNumRecordsProduced(Operand reader, const OpOptions& options) {
  return NodeBuilder(ReaderOp("ReaderNumRecordsProduced", reader), {reader}).Name(options.name).Build();
}
Output ReaderNumWorkUnitsCompleted(Operand reader, const OpOptions& options) {
  return NodeBuilder(ReaderOp("ReaderNumWorkUnitsCompleted", reader), {reader}).Name(options.name).Build();
}
Operation ReaderReset(Operand reader, const OpOptions& options) {
  return NodeBuilder(ReaderOp("ReaderReset", reader), {reader}).Name(options.name).BuildNode();
}

}  // namespace staticflow
