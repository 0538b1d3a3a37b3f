#include "runtime/io/png.h"

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "graph/shape.h"

namespace staticflow {
namespace {

constexpr int64_t kMostBytes = (int64_t{1} << 31) - 1;  // of one chunk

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

absl::StatusOr<std::string> EncodePng(const PngPicture& picture, int level) {
  const int64_t width = picture.width, height = picture.height;
  if (picture.channels < 1 || picture.channels > 4 || (picture.bits != 8 && picture.bits != 16) || level < -1 ||
      level > 9) {
    return absl::InvalidArgumentError(absl::StrCat("no PNG file has ", picture.channels, " channels of ", picture.bits,
                                                   " bits, packed at level ", level));
  }
  const int64_t row = MultiplySizes(width, picture.channels * picture.bits / 8), size = MultiplySizes(row, height);
  if (width < 1 || height < 1 || AddSizes(size, height) > kMostBytes / 2) {
    return absl::InvalidArgumentError(absl::StrCat("no PNG file has ", width, " x ", height, " pixels"));
  }
  if (static_cast<int64_t>(picture.pixels.size()) != size) {
    return absl::InvalidArgumentError(absl::StrCat("the picture has ", picture.pixels.size(), " bytes, not ", size));
  }
  std::string rows;  // each begins with its filter, none
  rows.reserve(static_cast<size_t>(size + height));
  for (int64_t y = 0; y < height; ++y) {
    rows += '\0';
    rows.append(picture.pixels.data() + y * row, static_cast<size_t>(row));
  }
  uLongf packed_size = compressBound(rows.size());
  std::string packed(packed_size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &packed_size, reinterpret_cast<const Bytef*>(rows.data()),
                rows.size(), level) != Z_OK) {
    return absl::ResourceExhaustedError("there is no memory to pack a PNG file");
  }
  packed.resize(packed_size);

  constexpr char kColor[] = {0, 4, 2, 6};  // by channels
  const char format[] = {static_cast<char>(picture.bits), kColor[picture.channels - 1], 0, 0, 0};
  std::string png = "\x89PNG\r\n\x1a\n";
  AppendChunk("IHDR",
              absl::StrCat(BigEndian(static_cast<uint32_t>(width)), BigEndian(static_cast<uint32_t>(height)),
                           absl::string_view(format, sizeof(format))),
              &png);
  AppendChunk("IDAT", packed, &png);
  AppendChunk("IEND", "", &png);
  return png;
}

}  // namespace staticflow
