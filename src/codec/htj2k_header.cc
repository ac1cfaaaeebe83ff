#include <algorithm>

#include "codec/htj2k.h"

namespace dicube::codec {
namespace {

// Markers of ISO/IEC 15444-1, table A.2.
constexpr std::uint16_t kSoc = 0xFF4F, kSiz = 0xFF51, kCod = 0xFF52, kTlm = 0xFF55, kSot = 0xFF90, kEoc = 0xFFD9;
constexpr std::uint64_t kSotBytes = 12;

tl::unexpected<Error> malformed(std::string_view what, std::uint64_t at) {
  return fail(ErrorClass::kCodec, "HTJ2K codestream: {} at byte {}", what, at);
}

// SIZ, A.5.1
Status read_siz(ByteSpan body, Htj2kHeader& header) {
  if (body.size() < 36) return malformed("a short SIZ", 4);
  auto u32 = [&](std::size_t at) { return load_be<std::uint32_t>(body.data() + at); };
  const std::uint32_t x1 = u32(2), y1 = u32(6), x0 = u32(10), y0 = u32(14), tile_x = u32(18), tile_y = u32(22);
  const std::uint32_t tile_x0 = u32(26), tile_y0 = u32(30);
  header.components = load_be<std::uint16_t>(body.data() + 34);
  if (x1 <= x0 || y1 <= y0 || tile_x == 0 || tile_y == 0 || tile_x0 > x0 || tile_y0 > y0)
    return malformed("impossible sizes in SIZ", 4);
  if (header.components == 0 || body.size() != 36 + 3 * std::size_t{header.components})
    return malformed("a SIZ whose length does not fit its components", 4);
  header.columns = x1 - x0;
  header.rows = y1 - y0;
  const auto count = [](std::uint64_t end, std::uint64_t origin, std::uint64_t size) { return (end - origin + size - 1) / size; };
  header.tiles = count(x1, tile_x0, tile_x) * count(y1, tile_y0, tile_y);
  for (std::size_t i = 0; i < header.components; ++i) {
    const auto at = [&](std::size_t k) { return std::to_integer<unsigned>(body[36 + 3 * i + k]); };
    header.precision = std::max(header.precision, (at(0) & 0x7F) + 1);
    if (at(1) != 1 || at(2) != 1) header.subsampled = true;
  }
  return {};
}

// TLM, A.7.1
Status read_tlm(ByteSpan body, std::uint64_t at, Htj2kHeader& header) {
  if (body.size() < 2) return malformed("a short TLM", at);
  const unsigned form = std::to_integer<unsigned>(body[1]);
  const std::size_t index_bytes = form >> 4 & 3, size_bytes = (form >> 6 & 1) ? 4 : 2;
  const std::size_t entry = index_bytes + size_bytes;
  if (index_bytes > 2 || (body.size() - 2) % entry != 0) return malformed("an uneven TLM", at);
  for (std::size_t i = 2; i < body.size(); i += entry) {
    const std::byte* size = body.data() + i + index_bytes;
    header.tile_part_sizes.push_back(size_bytes == 4 ? load_be<std::uint32_t>(size) : load_be<std::uint16_t>(size));
  }
  return {};
}

}  // namespace

Result<Htj2kHeader> read_htj2k_header(ByteSpan stream) {
  auto u16 = [&](std::uint64_t at) { return load_be<std::uint16_t>(stream.data() + at); };
  if (stream.size() < 4 || u16(0) != kSoc || u16(2) != kSiz) return malformed("no SOC and SIZ", 0);
  Htj2kHeader header;
  std::uint64_t at = 2;
  while (true) {
    if (at + 4 > stream.size()) return malformed("the main header does not end", at);
    const std::uint16_t marker = u16(at);
    if (marker == kSot) break;
    const std::uint64_t length = u16(at + 2);
    if (marker < 0xFF00 || length < 2 || at + 2 + length > stream.size()) return malformed("a malformed marker segment", at);
    const ByteSpan body = stream.subspan(at + 4, length - 2);
    if (marker == kSiz) DICUBE_TRY(read_siz(body, header));
    if (marker == kCod) {
      if (body.size() < 6) return malformed("a short COD", at);
      header.levels = std::to_integer<unsigned>(body[5]);
      if (header.levels > 32) return malformed("over 32 decompositions", at);
    }
    if (marker == kTlm) DICUBE_TRY(read_tlm(body, at, header));
    at += 2 + length;
  }
  header.first_tile_part = at;
  return header;
}

Status check_htj2k_complete(const Htj2kHeader& header, ByteSpan stream) {
  std::uint64_t at = header.first_tile_part;
  while (at + 2 <= stream.size()) {
    const auto marker = load_be<std::uint16_t>(stream.data() + at);
    if (marker == kEoc) return {};
    if (marker != kSot || at + kSotBytes > stream.size()) return malformed("no tile-part where one must start", at);
    const std::uint64_t size = load_be<std::uint32_t>(stream.data() + at + 6);
    if (size == 0) return {};  // A.4.2: the last tile-part, to the end of the codestream
    if (size < kSotBytes + 2 || size > stream.size() - at)
      return fail(ErrorClass::kCodec, "HTJ2K codestream: a tile-part of {} bytes at byte {}, {} are left", size, at,
                  stream.size() - at);
    at += size;
  }
  return at == stream.size() ? malformed("no end marker", at) : malformed("it ends inside a marker", at);
}

}  // namespace dicube::codec
