// DecodeCSV, SerializeTensor, ParseTensor. Contracts: ops/parsing.h.
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "graph/tensor_bytes.h"
#include "ops/array_nodes.h"
#include "ops/parsing.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// The fields of a line by RFC 4180: fields in quotation marks may hold delimiters, line ends and doubled quotation
// marks.
class CsvLine {
 public:
  CsvLine(absl::string_view text, char delimiter, bool quotes) : text_(text), delimiter_(delimiter), quotes_(quotes) {}

  absl::StatusOr<std::vector<std::string>> Fields() {
    std::vector<std::string> fields;
    while (at_ < text_.size()) {
      fields.emplace_back();
      SF_RETURN_IF_ERROR(quotes_ && text_[at_] == '"' ? Quoted(&fields.back()) : Plain(&fields.back()));
      // A delimiter at the end has an empty field behind it.
      if (at_ == text_.size() && !text_.empty() && text_.back() == delimiter_ && ended_by_delimiter_) {
        fields.emplace_back();
      }
    }
    return fields;
  }

 private:
  absl::Status Plain(std::string* field) {
    ended_by_delimiter_ = false;
    while (at_ < text_.size() && !ended_by_delimiter_) {
      const char c = text_[at_++];
      if (c == delimiter_) {
        ended_by_delimiter_ = true;
      } else if ((quotes_ && c == '"') || c == '\n' || c == '\r') {
        return absl::InvalidArgumentError("an unquoted field has a quotation mark, CR or LF inside");
      } else {
        field->push_back(c);
      }
    }
    return absl::OkStatus();
  }
  absl::Status Quoted(std::string* field) {
    ended_by_delimiter_ = false;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != '"') {
        field->push_back(text_[at_]);
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        field->push_back(text_[at_++]);
      } else {
        ++at_;
        if (at_ == text_.size()) return absl::OkStatus();
        if (text_[at_] != delimiter_)
          return absl::InvalidArgumentError("a quoted field does not end with its line or delimiter");
        ++at_;
        ended_by_delimiter_ = true;
        return absl::OkStatus();
      }
    }
    return absl::InvalidArgumentError("a quoted field has no closing quotation mark");
  }

  absl::string_view text_;
  char delimiter_;
  bool quotes_;
  size_t at_ = 0;
  bool ended_by_delimiter_ = false;
};

bool ParseField(const std::string& text, float* value) { return absl::SimpleAtof(text, value); }
bool ParseField(const std::string& text, double* value) { return absl::SimpleAtod(text, value); }
bool ParseField(const std::string& text, int32_t* value) { return absl::SimpleAtoi(text, value); }
bool ParseField(const std::string& text, int64_t* value) { return absl::SimpleAtoi(text, value); }
bool ParseField(const std::string& text, std::string* value) {
  *value = text;
  return true;
}

absl::Status CsvShape(ShapeContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) {
    const Shape& fallback = c.input(1 + i);
    if (fallback.rank() > 1 || (fallback.rank() == 1 && fallback.dim(0) > 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("default ", i, " has shape ", fallback.ToString(), ", expected at most one element"));
    }
    c.set_output(i, c.input(0));
  }
  if (c.attr<std::string>("field_delim").size() != 1) {
    return absl::InvalidArgumentError("expected field_delim of one character");
  }
  const std::vector<int64_t>& columns = c.attr<std::vector<int64_t>>("select_cols");
  if (!columns.empty() && static_cast<int>(columns.size()) != c.num_outputs()) {
    return absl::InvalidArgumentError(
        absl::StrCat("select_cols has ", columns.size(), " entries, expected ", c.num_outputs()));
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] < 0 || (i > 0 && columns[i] <= columns[i - 1])) {
      return absl::InvalidArgumentError("expected select_cols >= 0 and increasing");
    }
  }
  return absl::OkStatus();
}

struct CsvReader {
  explicit CsvReader(const KernelSetup& setup)
      : delimiter(setup.attr<std::string>("field_delim")[0]),
        quotes(setup.attr<bool>("use_quote_delim")),
        missing(setup.attr<std::string>("na_value")),
        columns(setup.attr<std::vector<int64_t>>("select_cols")) {}

  absl::Status operator()(KernelContext& c) const {
    for (int64_t record = 0; record < c.input(0).num_elements; ++record) {
      const absl::Status status = ReadRecord(c, record);
      if (!status.ok()) return Annotate(status, absl::StrCat("record ", record, ": "));
    }
    return absl::OkStatus();
  }

  absl::Status ReadRecord(KernelContext& c, int64_t record) const {
    SF_ASSIGN_OR_RETURN(const std::vector<std::string> fields,
                        CsvLine(c.in<std::string>(0)[record], delimiter, quotes).Fields());
    const size_t outputs = static_cast<size_t>(c.num_outputs());
    const size_t needed = columns.empty() ? outputs : static_cast<size_t>(columns.back()) + 1;
    if (columns.empty() ? fields.size() != needed : fields.size() < needed) {
      return absl::InvalidArgumentError(absl::StrCat("it has ", fields.size(), " fields, expected ", needed));
    }
    for (size_t i = 0; i < outputs; ++i) {
      const size_t column = columns.empty() ? i : static_cast<size_t>(columns[i]);
      SF_RETURN_IF_ERROR(Store(c, static_cast<int>(i), fields[column], record));
    }
    return absl::OkStatus();
  }

  absl::Status Store(KernelContext& c, int i, const std::string& field, int64_t record) const {
    absl::Status status;
    DispatchType<float, double, int32_t, int64_t, std::string>(c.output(i).dtype, [&]<typename T>() {
      T* to = c.out<T>(i) + record;
      if (field.empty() || field == missing) {
        if (c.input(1 + i).num_elements == 1) {
          *to = *c.in<T>(1 + i);
        } else {
          status = absl::InvalidArgumentError(absl::StrCat("field ", i, " is missing, and there is no default"));
        }
      } else if (!ParseField(field, to)) {
        status = absl::InvalidArgumentError(
            absl::StrCat("field ", i, " is no ", DataTypeName(c.output(i).dtype), ": '", field, "'"));
      }
    });
    return status;
  }

  char delimiter;
  bool quotes;
  std::string missing;
  std::vector<int64_t> columns;
};
absl::StatusOr<Kernel> CsvKernel(const KernelSetup& setup) { return Kernel(CsvReader(setup)); }

const OpRegistrar decode_csv({.name = "DecodeCSV",
                              .inputs = {"records: string", "record_defaults: OUT_TYPE"},
                              .outputs = {"output: OUT_TYPE"},
                              .attrs = {"OUT_TYPE: list({float, double, int32, int64, string}) >= 1",
                                        "field_delim: string = ','", "use_quote_delim: bool = true",
                                        "na_value: string = ''", "select_cols: list(int) = []"},
                              .shape = CsvShape,
                              .gradient = kNotDifferentiable,
                              .kernel = CsvKernel,
                              .doc = "The columns of lines of comma-separated values."});

absl::Status SerializeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const Tensor tensor, c.InputTensor(0));
  SF_ASSIGN_OR_RETURN(*c.out<std::string>(0), TensorToBytes(tensor));
  return absl::OkStatus();
}
const OpRegistrar serialize_tensor({.name = "SerializeTensor",
                                    .inputs = {"tensor: T"},
                                    .outputs = {"serialized: string"},
                                    .attrs = {"T: type"},
                                    .shape = ScalarShape,
                                    .gradient = kNotDifferentiable,
                                    .kernel = SerializeKernel,
                                    .doc = "A tensor as a serialized TensorProto."});

absl::Status ParseTensorShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  return AnyShape(c);
}
absl::Status ParseTensorKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(Tensor tensor, TensorFromBytes(c.scalar<std::string>(0)));
  if (tensor.dtype() != c.output(0).dtype) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tensor is ", DataTypeName(tensor.dtype()), ", expected ", DataTypeName(c.output(0).dtype)));
  }
  return c.SetOutput(0, std::move(tensor));
}
const OpRegistrar parse_tensor({.name = "ParseTensor",
                                .inputs = {"serialized: string"},
                                .outputs = {"output: out_type"},
                                .attrs = {"out_type: type"},
                                .shape = ParseTensorShape,
                                .gradient = kNotDifferentiable,
                                .kernel = ParseTensorKernel,
                                .doc = "The tensor in a serialized TensorProto."});

}  // namespace

std::vector<Output> DecodeCsv(Operand records, absl::Span<const Output> record_defaults,
                              const DecodeCsvOptions& options) {
  return OutputsOf(NodeBuilder("DecodeCSV", {records})
                       .Inputs(record_defaults)
                       .Attr("field_delim", options.field_delim)
                       .Attr("use_quote_delim", options.use_quote_delim)
                       .Attr("na_value", options.na_value)
                       .Attr("select_cols", options.select_cols)
                       .Name(options.name)
                       .BuildNode());
}
Output SerializeTensor(Operand tensor, const OpOptions& options) {
  return NodeBuilder("SerializeTensor", {tensor}).Name(options.name).Build();
}
Output ParseTensor(Operand serialized, DataType out_type, const OpOptions& options) {
  return NodeBuilder("ParseTensor", {serialized}).Attr("out_type", out_type).Name(options.name).Build();
}

}  // namespace staticflow
