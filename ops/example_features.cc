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

// An entry of a map: (key, value).
template <typename ReadValue>
bool ReadEntry(absl::string_view bytes, absl::string_view* key, ReadValue read_value) {
  return ForEachField(bytes, [&](const Field& field) {
    if (field.id > 2) return true;
    if (field.id == 1) *key = field.bytes;
    return field.wire == kBytes && (field.id == 1 || read_value(field.bytes));
  });
}

// Calls f(entry) for each entry of the map that is field 1 of the message in field `id`.
template <typename F>
bool ForEachEntry(absl::string_view message, int id, F f) {
  return ForEachField(message, [&](const Field& map) {
    if (map.id != id) return true;
    return map.wire == kBytes && ForEachField(map.bytes, [&](const Field& entry) {
             return entry.id != 1 || (entry.wire == kBytes && f(entry.bytes));
           });
  });
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
  const bool ok = ForEachEntry(example, 1, [&](absl::string_view entry) {
    absl::string_view key;
    EncodedFeature feature;
    const bool entry_ok = ReadEntry(entry, &key, [&](absl::string_view bytes) { return ReadFeature(bytes, &feature); });
    features[key] = feature;
    return entry_ok;
  });
  if (ok) return features;
  return absl::InvalidArgumentError("the bytes are no Example");
}

absl::StatusOr<SequenceLists> ReadSequenceLists(absl::string_view example) {
  SequenceLists lists;
  const bool ok = ForEachEntry(example, 2, [&](absl::string_view entry) {
    absl::string_view key;
    std::vector<EncodedFeature> list;
    const bool entry_ok = ReadEntry(entry, &key, [&](absl::string_view bytes) {
      list.clear();
      return ForEachField(bytes, [&](const Field& moment) {
        return moment.id != 1 || (moment.wire == kBytes && ReadFeature(moment.bytes, &list.emplace_back()));
      });
    });
    lists[key] = std::move(list);
    return entry_ok;
  });
  if (ok) return lists;
  return absl::InvalidArgumentError("the bytes are no SequenceExample");
}

template <typename T>
absl::Status AppendValues(const EncodedFeature& feature, absl::string_view key, std::vector<T>* values) {
  if (feature.dtype == DT_INVALID) return absl::OkStatus();
  if (feature.dtype != kDataTypeOf<T>) {
    return absl::InvalidArgumentError(absl::StrCat("feature '", key, "' is ", DataTypeName(feature.dtype),
                                                   ", expected ", DataTypeName(kDataTypeOf<T>)));
  }
  if (ForEachField(feature.list, [&](const Field& field) { return field.id != 1 || Append(field, values); })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("feature '", key, "' is malformed"));
}

template <typename T>
absl::StatusOr<bool> AppendValues(const ExampleFeatures& features, absl::string_view key, std::vector<T>* values) {
  const auto it = features.find(key);
  if (it == features.end() || it->second.dtype == DT_INVALID) return false;
  SF_RETURN_IF_ERROR(AppendValues(it->second, key, values));
  return true;
}
template absl::StatusOr<bool> AppendValues(const ExampleFeatures&, absl::string_view, std::vector<float>*);
template absl::StatusOr<bool> AppendValues(const ExampleFeatures&, absl::string_view, std::vector<int64_t>*);
template absl::StatusOr<bool> AppendValues(const ExampleFeatures&, absl::string_view, std::vector<std::string>*);
template absl::Status AppendValues(const EncodedFeature&, absl::string_view, std::vector<float>*);
template absl::Status AppendValues(const EncodedFeature&, absl::string_view, std::vector<int64_t>*);
template absl::Status AppendValues(const EncodedFeature&, absl::string_view, std::vector<std::string>*);

}  // namespace staticflow
