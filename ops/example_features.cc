#include "ops/example_features.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/io/coding.h"

namespace staticflow {
namespace {

enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field of a message: `number` holds a varint, `bytes` everything else.
struct Field {
  int id = 0;
  int wire = 0;
  uint64_t number = 0;
  absl::string_view bytes;
};

// Takes the next field off the front of `message`; false when it is malformed.
bool TakeField(absl::string_view* message, Field* field) {
  uint64_t tag = 0, length = 0;
  if (!GetVarint64(message, &tag) || tag >> 3 == 0 || tag >> 32 != 0) return false;
  field->id = static_cast<int>(tag >> 3);
  field->wire = static_cast<int>(tag & 7);
  switch (field->wire) {
    case kVarint:
      return GetVarint64(message, &field->number);
    case kFixed64:
      length = 8;
      break;
    case kFixed32:
      length = 4;
      break;
    case kBytes:
      if (!GetVarint64(message, &length)) return false;
      break;
    default:
      return false;
  }
  if (length > message->size()) return false;
  field->bytes = message->substr(0, length);
  message->remove_prefix(length);
  return true;
}

// Calls f(field) for each field of a message; false as soon as one is malformed or f says so.
template <typename F>
bool ForEachField(absl::string_view message, F f) {
  Field field;
  while (!message.empty()) {
    if (!TakeField(&message, &field) || !f(field)) return false;
  }
  return true;
}

bool ReadFeature(absl::string_view bytes, EncodedFeature* feature) {
  return ForEachField(bytes, [feature](const Field& field) {
    constexpr DataType kLists[] = {DT_INVALID, DT_STRING, DT_FLOAT, DT_INT64};
    if (field.id > 3) return true;
    *feature = {kLists[field.id], field.bytes};
    return field.wire == kBytes;
  });
}

// An entry of the map: (key, feature).
bool ReadEntry(absl::string_view bytes, ExampleFeatures* features) {
  absl::string_view key;
  EncodedFeature feature;
  const bool ok = ForEachField(bytes, [&](const Field& field) {
    if (field.id > 2) return true;
    if (field.id == 1) key = field.bytes;
    return field.wire == kBytes && (field.id == 1 || ReadFeature(field.bytes, &feature));
  });
  (*features)[key] = feature;
  return ok;
}

// Numbers come packed, many in one field, or each in a field of its own.
bool Append(const Field& field, std::vector<float>* values) {
  if ((field.wire != kBytes && field.wire != kFixed32) || field.bytes.size() % 4 != 0) return false;
  for (size_t i = 0; i < field.bytes.size(); i += 4) {
    values->push_back(std::bit_cast<float>(DecodeFixed32(field.bytes.data() + i)));
  }
  return true;
}
bool Append(const Field& field, std::vector<int64_t>* values) {
  if (field.wire == kVarint) {
    values->push_back(static_cast<int64_t>(field.number));
    return true;
  }
  absl::string_view packed = field.bytes;
  uint64_t number = 0;
  while (field.wire == kBytes && !packed.empty()) {
    if (!GetVarint64(&packed, &number)) return false;
    values->push_back(static_cast<int64_t>(number));
  }
  return field.wire == kBytes;
}
bool Append(const Field& field, std::vector<std::string>* values) {
  values->emplace_back(field.bytes);
  return field.wire == kBytes;
}

}  // namespace

absl::StatusOr<ExampleFeatures> ReadExample(absl::string_view example) {
  ExampleFeatures features;
  const bool ok = ForEachField(example, [&](const Field& of_example) {
    if (of_example.id != 1) return true;
    return of_example.wire == kBytes && ForEachField(of_example.bytes, [&](const Field& entry) {
             return entry.id != 1 || (entry.wire == kBytes && ReadEntry(entry.bytes, &features));
           });
  });
  if (ok) return features;
  return absl::InvalidArgumentError("the bytes are no Example");
}

template <typename T>
absl::StatusOr<bool> AppendValues(const ExampleFeatures& features, absl::string_view key, std::vector<T>* values) {
  const auto it = features.find(key);
  if (it == features.end() || it->second.dtype == DT_INVALID) return false;
  if (it->second.dtype != kDataTypeOf<T>) {
    return absl::InvalidArgumentError(absl::StrCat("feature '", key, "' is ", DataTypeName(it->second.dtype),
                                                   ", expected ", DataTypeName(kDataTypeOf<T>)));
  }
  if (ForEachField(it->second.list, [&](const Field& field) { return field.id != 1 || Append(field, values); })) {
    return true;
  }
  return absl::InvalidArgumentError(absl::StrCat("feature '", key, "' is malformed"));
}
template absl::StatusOr<bool> AppendValues(const ExampleFeatures&, absl::string_view, std::vector<float>*);
template absl::StatusOr<bool> AppendValues(const ExampleFeatures&, absl::string_view, std::vector<int64_t>*);
template absl::StatusOr<bool> AppendValues(const ExampleFeatures&, absl::string_view, std::vector<std::string>*);

}  // namespace staticflow
