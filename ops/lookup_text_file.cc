// InitializeTableFromTextFile: the contents of a table from the lines of a file.
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/lookup_table.h"
#include "runtime/io/env.h"

namespace staticflow {
namespace {

// What a column index stands for besides a column.
constexpr int64_t kWholeLine = -2, kLineNumber = -1;

struct FileFormat {
  int64_t key_index, value_index, vocab_size, offset;
  std::string delimiter;
};

absl::Status SetElement(absl::string_view text, int64_t line, Tensor& tensor, int64_t i) {
  absl::Status status =
      absl::InvalidArgumentError(absl::StrCat("line ", line, ": '", text, "' is no ", DataTypeName(tensor.dtype())));
  DispatchType<int32_t, int64_t>(tensor.dtype(), [&]<typename T>() {
    if (absl::SimpleAtoi(text, tensor.data<T>() + i)) status = absl::OkStatus();
  });
  if (tensor.dtype() == DT_FLOAT && absl::SimpleAtof(text, tensor.data<float>() + i)) status = absl::OkStatus();
  if (tensor.dtype() == DT_DOUBLE && absl::SimpleAtod(text, tensor.data<double>() + i)) status = absl::OkStatus();
  if (tensor.dtype() == DT_STRING) {
    tensor.data<std::string>()[i] = std::string(text);
    status = absl::OkStatus();
  }
  return status;
}

absl::Status SetFromLine(absl::string_view line, int64_t number, int64_t column, const FileFormat& format,
                         Tensor& tensor) {
  if (column == kLineNumber) return SetElement(absl::StrCat(number + format.offset), number, tensor, number);
  if (column == kWholeLine) return SetElement(line, number, tensor, number);
  const std::vector<absl::string_view> fields = absl::StrSplit(line, format.delimiter);
  if (column >= static_cast<int64_t>(fields.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", number, " has ", fields.size(), " fields, column ", column, " is wanted"));
  }
  return SetElement(fields[column], number, tensor, number);
}

absl::Status InitializeFromFile(KernelContext& c, const FileFormat& format) {
  SF_ASSIGN_OR_RETURN(LookupTable * table, TableBehind(c));
  if (c.input(1).num_elements != 1) return absl::InvalidArgumentError("filename is no scalar");
  const std::string& path = *c.in<std::string>(1);
  if (path.empty()) return absl::InvalidArgumentError("filename is empty");
  if ((format.key_index == kLineNumber && table->key_dtype() != DT_INT64) ||
      (format.value_index == kLineNumber && table->value_dtype() != DT_INT64)) {
    return absl::InvalidArgumentError(absl::StrCat("the table has ", DataTypeName(table->key_dtype()), " keys and ",
                                                   DataTypeName(table->value_dtype()),
                                                   " values, numbers of lines are int64"));
  }
  SF_ASSIGN_OR_RETURN(const std::string contents, ReadWholeFile(c.step().env, path));
  std::vector<absl::string_view> lines = absl::StrSplit(contents, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  for (absl::string_view& line : lines) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  }
  int64_t count = static_cast<int64_t>(lines.size());
  if (format.vocab_size >= 0) {
    if (count < format.vocab_size) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " has ", count, " lines, vocab_size is ", format.vocab_size));
    }
    count = format.vocab_size;
  }
  SF_ASSIGN_OR_RETURN(Tensor keys, Tensor::Create(table->key_dtype(), {count}));
  SF_ASSIGN_OR_RETURN(Tensor values, Tensor::Create(table->value_dtype(), {count}));
  for (int64_t i = 0; i < count; ++i) {
    SF_RETURN_IF_ERROR(Annotate(SetFromLine(lines[i], i, format.key_index, format, keys), absl::StrCat(path, ": ")));
    SF_RETURN_IF_ERROR(
        Annotate(SetFromLine(lines[i], i, format.value_index, format, values), absl::StrCat(path, ": ")));
  }
  const auto view = [](Tensor& t) {
    return TensorView{.data = t.raw(), .shape = &t.shape(), .num_elements = t.num_elements(), .dtype = t.dtype()};
  };
  return table->Initialize(view(keys), view(values));
}

absl::StatusOr<Kernel> FromFileKernel(const KernelSetup& setup) {
  const FileFormat format = {.key_index = setup.attr<int64_t>("key_index"),
                             .value_index = setup.attr<int64_t>("value_index"),
                             .vocab_size = setup.attr<int64_t>("vocab_size"),
                             .offset = setup.attr<int64_t>("offset"),
                             .delimiter = setup.attr<std::string>("delimiter")};
  if (format.delimiter.size() != 1) return absl::InvalidArgumentError("delimiter must be one character");
  return Kernel([format](KernelContext& c) { return InitializeFromFile(c, format); });
}

absl::Status FromFileShape(ShapeContext& c) { return c.WithRank(1, 0).status(); }

OpSpec FromFile(const char* name, const char* handle) {
  return {.name = name,
          .inputs = {handle, "filename: string"},
          .attrs = {"key_index: int >= -2", "value_index: int >= -2", "vocab_size: int >= -1 = -1",
                    "delimiter: string = '\t'", "offset: int = 0"},
          .shape = FromFileShape,
          .gradient = kNotDifferentiable,
          .kernel = FromFileKernel,
          .traits = kStateful,
          .doc = "Sets the contents of a table from the lines of a file."};
}
const OpRegistrar from_file(FromFile("InitializeTableFromTextFile", "table_handle: Ref(string)"));
const OpRegistrar from_file_v2(FromFile("InitializeTableFromTextFileV2", "table_handle: resource"));

}  // namespace
}  // namespace staticflow
