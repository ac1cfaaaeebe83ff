#include "codec/irreversible.h"

#include <optional>

namespace dicube::codec {
namespace {

// The body of the first marker segment of that kind, from `at` on; all before it have lengths.
std::optional<ByteSpan> find_segment(ByteSpan stream, std::size_t at, unsigned marker) {
  while (at + 4 <= stream.size()) {
    const unsigned here = load_be<std::uint16_t>(stream.data() + at);
    const std::size_t length = load_be<std::uint16_t>(stream.data() + at + 2);
    if (here == 0xFFFF) {  // a fill byte
      ++at;
      continue;
    }
    if (here < 0xFF00 || length < 2 || length > stream.size() - at - 2) return std::nullopt;
    if (here == marker) return stream.subspan(at + 4, length - 2);
    at += 2 + length;
  }
  return std::nullopt;
}

bool is_byte(const std::optional<ByteSpan>& body, std::size_t at, bool zero) {
  return body && at < body->size() && ((*body)[at] == std::byte{0}) == zero;
}

}  // namespace

bool may_say_irreversible(CodecId codec) {
  return codec == CodecId::kJpegLs || codec == CodecId::kJpeg2000 || codec == CodecId::kHtj2k;
}

bool is_irreversible(CodecId codec, ByteSpan stream) {
  constexpr unsigned kStartOfScan = 0xFFDA, kCodingStyle = 0xFF52;
  if (codec == CodecId::kJpegLs) {
    const auto scan = find_segment(stream, 2, kStartOfScan);
    return scan && !scan->empty() && is_byte(scan, 1 + 2 * std::to_integer<std::size_t>((*scan)[0]), false);
  }
  if (!may_say_irreversible(codec)) return false;
  const std::size_t start = as_text(stream).find("\xFF\x4F\xFF\x51");  // behind the boxes of JP2, if there are any
  if (start == std::string_view::npos) return false;
  return is_byte(find_segment(stream, start + 2, kCodingStyle), 9, true);
}

}  // namespace dicube::codec
