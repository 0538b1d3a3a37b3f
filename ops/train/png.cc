#include "ops/train/png.h"

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace staticflow {
namespace {

std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

void AppendChunk(absl::string_view type, absl::string_view data, std::string* png) {
  const std::string body = absl::StrCat(type, data);
  absl::StrAppend(png, BigEndian(static_cast<uint32_t>(data.size())), body);
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  absl::StrAppend(png, BigEndian(static_cast<uint32_t>(crc)));
}

}  // namespace

std::string EncodeGreyPng(absl::Span<const uint8_t> pixels, int64_t width, int64_t height) {
  std::string rows;  // each begins with its filter, none
  for (int64_t y = 0; y < height; ++y) {
    rows += '\0';
    rows.append(reinterpret_cast<const char*>(pixels.data()) + y * width, static_cast<size_t>(width));
  }
  uLongf size = compressBound(rows.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()), rows.size());
  packed.resize(size);

  std::string png = "\x89PNG\r\n\x1a\n";
  const char format[] = {8, 0, 0, 0, 0};  // bits, grey, and the only methods that there are
  AppendChunk("IHDR",
              absl::StrCat(BigEndian(static_cast<uint32_t>(width)), BigEndian(static_cast<uint32_t>(height)),
                           absl::string_view(format, sizeof(format))),
              &png);
  AppendChunk("IDAT", packed, &png);
  AppendChunk("IEND", "", &png);
  return png;
}

}  // namespace staticflow
