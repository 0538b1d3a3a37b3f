// Writing Summary messages: the few fields of the wire format that summary ops need, without the message classes.
#ifndef STATICFLOW_OPS_SUMMARY_MESSAGE_H_
#define STATICFLOW_OPS_SUMMARY_MESSAGE_H_

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace staticflow {

// Appends fields of a message to a string, in the order of the calls.
class MessageWriter {
 public:
  const std::string& bytes() const { return bytes_; }

  void Varint(int field, uint64_t value) {
    Key(field, 0);
    Number(value);
  }
  void Double(int field, double value) {
    Key(field, 1);
    Raw(&value, sizeof(value));
  }
  void Float(int field, float value) {
    Key(field, 5);
    Raw(&value, sizeof(value));
  }
  // A string, bytes, a message or packed numbers.
  void Bytes(int field, absl::string_view value) {
    Key(field, 2);
    Number(value.size());
    bytes_.append(value.data(), value.size());
  }

 private:
  void Key(int field, int wire_type) { Number(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire_type)); }
  void Number(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  void Raw(const void* data, size_t size) { bytes_.append(static_cast<const char*>(data), size); }

  std::string bytes_;
};

// Fields of proto/summary.proto.
enum SummaryField { kSummaryValue = 1 };
enum SummaryValueField {
  kTag = 1,
  kSimpleValue = 2,
  kImage = 4,
  kHistogram = 5,
  kAudio = 6,
  kNodeName = 7,
  kTensor = 8,
  kMetadata = 9
};
enum ImageField { kHeight = 1, kWidth = 2, kColorSpace = 3, kEncodedImage = 4 };
enum AudioField { kSampleRate = 1, kNumChannels = 2, kLengthFrames = 3, kEncodedAudio = 4, kContentType = 5 };
enum HistogramField { kMin = 1, kMax = 2, kNum = 3, kSum = 4, kSumSquares = 5, kBucketLimit = 6, kBucket = 7 };

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SUMMARY_MESSAGE_H_
