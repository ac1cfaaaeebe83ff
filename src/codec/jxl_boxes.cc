#include "codec/jxl_boxes.h"

#include <algorithm>
#include <array>

namespace dicube::codec {
namespace {

std::uint64_t get_be(ByteSpan bytes) {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint64_t>(byte);
  return value;
}

struct Box {
  std::string_view type;
  ByteSpan payload;
};

// Takes the first box off `rest` (9.1).
Result<Box> next_box(ByteSpan& rest) {
  constexpr std::size_t kShort = 8, kLong = 16;
  const auto refuse = [&](std::uint64_t size) {
    return fail(ErrorClass::kCodec, "a box of {} bytes in a JPEG XL file, {} are left", size, rest.size());
  };
  if (rest.size() < kShort) return refuse(kShort);
  std::uint64_t size = get_be(rest.first(4)), header = kShort;
  if (size == 0) size = rest.size();
  if (size == 1) {
    if (rest.size() < kLong) return refuse(kLong);
    size = get_be(rest.subspan(kShort, 8));
    header = kLong;
  }
  if (size < header || size > rest.size()) return refuse(size);
  const Box box{as_text(rest.subspan(4, 4)), rest.subspan(header, size - header)};
  rest = rest.subspan(size);
  return box;
}

// The reconstruction data begin with fields, lowest bit first (annex A).
class Bits {
 public:
  explicit Bits(ByteSpan bytes) : bytes_(bytes) {}
  // Zeros behind the end: to be asked for by is_over().
  unsigned get(unsigned count) {
    unsigned value = 0;
    for (unsigned i = 0; i < count; ++i, ++at_)
      if (at_ / 8 < bytes_.size()) value |= (std::to_integer<unsigned>(bytes_[at_ / 8]) >> (at_ % 8) & 1U) << i;
    return value;
  }
  bool is_over() const { return at_ > 8 * bytes_.size(); }

 private:
  ByteSpan bytes_;
  std::size_t at_ = 0;
};

Result<std::uint64_t> announced_by(ByteSpan data) {
  constexpr unsigned kFirstMarker = 0xC0, kEoi = 0xD9, kCom = 0xFE, kBetween = 0xFF;
  constexpr std::uint64_t kMostSize = 1 << 16;
  Bits bits(data);
  bits.get(1);  // whether there is one component
  std::uint64_t bytes = 0;
  std::size_t apps = 0, comments = 0;
  for (unsigned marker = 0; marker != kEoi;) {
    marker = kFirstMarker + bits.get(6);
    if (bits.is_over())
      return fail(ErrorClass::kCodec, "{} bytes of JPEG reconstruction data are cut off", data.size());
    if ((marker & 0xF0U) == 0xE0) ++apps;
    if (marker == kCom) ++comments;
    if (marker == kBetween) bytes += kMostSize;
  }
  for (std::size_t i = 0; i < apps + comments && !bits.is_over(); ++i) {
    constexpr std::array<unsigned, 4> kKindBits = {0, 0, 1, 2};
    if (i < apps) bits.get(kKindBits[bits.get(2)]);
    bytes += bits.get(16) + 1U;
  }
  if (bits.is_over()) return fail(ErrorClass::kCodec, "{} bytes of JPEG reconstruction data are cut off", data.size());
  return bytes;
}

}  // namespace

Result<std::uint64_t> announced_jpeg_bytes(ByteSpan file) {
  // Not "brob": a compressed box may unfold to anything.
  constexpr std::array<std::string_view, 8> kKnown = {"JXL ", "ftyp", "jxll", "jxlc", "jxlp", "jbrd", "Exif", "xml "};
  std::optional<std::uint64_t> bytes;
  for (ByteSpan rest = file; !rest.empty();) {
    DICUBE_ASSIGN(const auto box, next_box(rest));
    if (std::find(kKnown.begin(), kKnown.end(), box.type) == kKnown.end())
      return fail(ErrorClass::kCodec, "a JPEG XL file of {} bytes has a box of another kind, {} bytes before its end",
                  file.size(), rest.size());
    if (box.type != "jbrd") continue;
    if (bytes) return fail(ErrorClass::kCodec, "a JPEG XL file of {} bytes has several boxes 'jbrd'", file.size());
    DICUBE_ASSIGN(bytes, announced_by(box.payload));
  }
  if (!bytes) return fail(ErrorClass::kCodec, "a JPEG XL file of {} bytes carries no JPEG codestream", file.size());
  return *bytes;
}

}  // namespace dicube::codec
