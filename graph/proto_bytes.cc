#include "graph/proto_bytes.h"

#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"

namespace staticflow {
namespace {

constexpr int kMaxNesting = 100;

// Keeps the first error, which would go to standard error otherwise.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  void AddWarning(int, int, const std::string&) override {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

absl::StatusOr<std::string> SerializeMessage(const google::protobuf::Message& message) {
  const size_t size = message.ByteSizeLong();
  if (size > std::numeric_limits<int>::max()) {
    return absl::ResourceExhaustedError(
        absl::StrCat(message.GetTypeName(), " has ", size, " bytes, a file can hold at most 2 GiB"));
  }
  std::string bytes;
  bytes.reserve(size);
  google::protobuf::io::StringOutputStream stream(&bytes);
  {
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeWithCachedSizes(&coded);
  }
  return bytes;
}

std::string PrintMessage(const google::protobuf::Message& message) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(message, &text);
  return text;
}

absl::Status ParseMessage(absl::string_view bytes, absl::string_view what, google::protobuf::Message* message) {
  const absl::Status invalid = absl::InvalidArgumentError(absl::StrCat("these ", bytes.size(), " bytes are no ", what));
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) return invalid;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetRecursionLimit(kMaxNesting);
  const bool ok = message->ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage();
  return ok ? absl::OkStatus() : invalid;
}

absl::Status ParseTextMessage(absl::string_view text, absl::string_view what, google::protobuf::Message* message) {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(absl::StrCat("this text is too long for a ", what));
  }
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(kMaxNesting);
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&stream, message)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("this text is no ", what, ": ", error.text()));
}

}  // namespace staticflow
