// sf reestimate: repairs the moving averages of a checkpoint from a data set.
#include <cstring>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "graph/status.h"
#include "ops/analysis/batch_norm_layers.h"
#include "ops/diagnostics/reestimate.h"
#include "runtime/io/env.h"
#include "runtime/io/idx.h"
#include "tools/sf.h"

namespace staticflow {
namespace {

// What follows `key` in the header of a NumPy file, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }".
std::string HeaderField(const std::string& header, absl::string_view key) {
  const size_t at = header.find(std::string(key));
  if (at == std::string::npos) return "";
  const size_t begin = header.find(':', at) + 1;
  const bool is_shape = key == "'shape'";
  const size_t end = header.find(is_shape ? ')' : ',', begin);
  return end == std::string::npos ? "" : std::string(absl::StripAsciiWhitespace(header.substr(begin, end - begin)));
}

absl::StatusOr<IdxArray> ReadNumpy(const std::string& path) {
  SF_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(PosixEnv(), path));
  const auto damaged = [&](absl::string_view what) { return absl::DataLossError(absl::StrCat(path, ": ", what)); };
  if (bytes.size() < 10 || bytes[6] != 1) return damaged("no NumPy file of version 1");
  const size_t length = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  if (bytes.size() < 10 + length) return damaged("its header is cut");
  const std::string header = bytes.substr(10, length);
  const std::pair<absl::string_view, DataType> types[] = {
      {"'<f4'", DT_FLOAT}, {"'<f8'", DT_DOUBLE}, {"'|u1'", DT_UINT8}, {"'<i4'", DT_INT32}, {"'<i8'", DT_INT64}};
  IdxArray array;
  for (const auto& [name, dtype] : types) {
    if (HeaderField(header, "'descr'") == name) array.dtype = dtype;
  }
  if (array.dtype == DT_INVALID) return damaged("numbers of another type than f4, f8, u1, i4 or i8");
  if (HeaderField(header, "'fortran_order'") != "False") return damaged("stored by columns, expected by rows");
  int64_t elements = 1;
  const std::string shape = HeaderField(header, "'shape'");
  for (absl::string_view word : absl::StrSplit(absl::StripPrefix(shape, "("), ',', absl::SkipWhitespace())) {
    int64_t dim = 0;
    if (!absl::SimpleAtoi(word, &dim) || dim < 0) return damaged("its shape is no list of sizes");
    array.dims.push_back(dim);
    elements = MultiplySizes(elements, dim);
  }
  array.bytes = bytes.substr(10 + length);
  if (MultiplySizes(elements, DataTypeSize(array.dtype)) != static_cast<int64_t>(array.bytes.size())) {
    return damaged("its size contradicts its shape");
  }
  return array;
}

template <typename From, typename To>
void Convert(const IdxArray& array, double scale, Tensor* to) {
  for (int64_t i = 0; i < to->num_elements(); ++i) {
    From value;
    std::memcpy(&value, array.bytes.data() + i * static_cast<int64_t>(sizeof(From)), sizeof(From));
    to->data<To>()[i] = static_cast<To>(static_cast<double>(value) * scale);
  }
}

template <typename To>
bool ConvertTo(const IdxArray& array, Tensor* to) {
  constexpr bool kReal = std::is_floating_point_v<To>;
  switch (array.dtype) {
    case DT_UINT8:
      Convert<uint8_t, To>(array, kReal ? 1.0 / 255 : 1, to);
      return true;
    case DT_INT32:
      Convert<int32_t, To>(array, 1, to);
      return true;
    case DT_INT64:
      Convert<int64_t, To>(array, 1, to);
      return true;
    case DT_FLOAT:
      Convert<float, To>(array, 1, to);
      return true;
    case DT_DOUBLE:
      Convert<double, To>(array, 1, to);
      return true;
    default:
      return false;
  }
}

absl::StatusOr<Tensor> ReadComponent(const std::string& path, Output feed) {
  SF_ASSIGN_OR_RETURN(const std::string start, ReadWholeFile(PosixEnv(), path));
  absl::StatusOr<IdxArray> array = absl::StartsWith(start, "\x93NUMPY") ? ReadNumpy(path) : ReadIdx(PosixEnv(), path);
  if (!array.ok()) return array.status();
  if (array->dims.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": one number is no data set"));
  // An example takes the feed's shape when it has as many elements.
  Shape shape = Shape::UnknownOfRank(0), row;
  SF_ASSIGN_OR_RETURN(shape, Shape::FromFile(array->dims));
  if (feed.shape().rank() > 0) {
    row = feed.shape().Slice(1, feed.shape().rank());
    if (row.IsFullyDefined() && row.num_elements() == shape.num_elements(1, shape.rank())) {
      shape = Shape({shape.dim(0)}).Concatenate(row);
    }
  }
  SF_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(feed.dtype(), shape));
  const bool converted = feed.dtype() == DT_FLOAT    ? ConvertTo<float>(*array, &tensor)
                         : feed.dtype() == DT_DOUBLE ? ConvertTo<double>(*array, &tensor)
                         : feed.dtype() == DT_INT32  ? ConvertTo<int32_t>(*array, &tensor)
                         : feed.dtype() == DT_INT64  ? ConvertTo<int64_t>(*array, &tensor)
                                                     : false;
  if (converted) return tensor;
  return absl::InvalidArgumentError(absl::StrCat(path, ": numbers of type ", DataTypeName(array->dtype),
                                                 " cannot be fed to ", feed.name(), ", which takes ",
                                                 DataTypeName(feed.dtype())));
}

}  // namespace

absl::StatusOr<DataSet> ReadData(const std::vector<std::string>& paths, const std::vector<Output>& feeds) {
  if (paths.size() != feeds.size()) {
    const auto append_name = [](std::string* to, Output feed) { to->append(feed.name()); };
    return absl::InvalidArgumentError(
        absl::StrCat("--data=FILE,... names ", paths.size(), " file(s), but ", feeds.size(),
                     " input(s) have no value: ", absl::StrJoin(feeds, ", ", append_name)));
  }
  std::vector<Tensor> components;
  for (size_t i = 0; i < paths.size(); ++i) {
    SF_ASSIGN_OR_RETURN(Tensor component, ReadComponent(paths[i], feeds[i]));
    components.push_back(std::move(component));
  }
  return DataSet::Create(std::move(components));
}

absl::StatusOr<int> SfReestimate(const SfArguments& arguments, std::ostream& out) {
  if (arguments.files.size() != 1) return absl::InvalidArgumentError("reestimate takes one file");
  if (arguments.output.empty()) return absl::InvalidArgumentError("where shall the checkpoint go? --output=PREFIX");
  SF_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(arguments.files[0]));
  // Without --feeds: what the layers need.
  SfArguments forward = arguments;
  if (file.graph != nullptr && forward.fetches.empty()) {
    for (const BatchNormLayer& layer : FindBatchNormLayers(*file.graph)) forward.fetches.push_back(layer.input.name());
  }
  SF_ASSIGN_OR_RETURN(const SfSignature what, ReadSignature(file, forward));
  Session session(*file.graph);
  SF_RETURN_IF_ERROR(Initialize(file, arguments, session));
  ReestimateOptions options{.constants = what.values, .batch_size = arguments.batch_size};
  options.feeds = FeedsFromData(file, what);
  SF_ASSIGN_OR_RETURN(const DataSet data, ReadData(arguments.data, options.feeds));
  options.checkpoint = arguments.output;
  options.saver = file.meta.saver;
  options.source_checkpoint = arguments.checkpoint.empty() ? file.checkpoint : arguments.checkpoint;
  SF_ASSIGN_OR_RETURN(const ReestimateReport report, ReestimateBatchNorm(session, *file.graph, data, options));
  // With the graph beside it the repaired checkpoint opens wherever the old one did.
  const absl::StatusOr<std::string> meta = ReadWholeFile(PosixEnv(), options.source_checkpoint + ".meta");
  if (meta.ok()) SF_RETURN_IF_ERROR(ReplaceFile(PosixEnv(), arguments.output + ".meta", *meta));
  out << report.ToString() << "written to " << arguments.output << (meta.ok() ? ", with its .meta" : "") << "\n";
  return 0;
}

}  // namespace staticflow
