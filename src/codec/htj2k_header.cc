// Steps: walk the marker segments of the main header; read SIZ, COD, COC, QCD, QCC and TLM; check what they say
// against one another; bound the memory that decoding takes. Clauses are those of ISO/IEC 15444-1 and -15.
#include "codec/htj2k_header.h"

#include <algorithm>

#include "codec/htj2k_cost.h"
#include "codec/htj2k_markers.h"

namespace dicube::codec {
namespace {

constexpr unsigned kReversible53 = 1, kIrreversible97 = 0;

template <class... Args>
tl::unexpected<Error> malformed(fmt::format_string<Args...> text, Args&&... args) {
  return fail(ErrorClass::kCodec, "HTJ2K codestream: {}", formatted(text, std::forward<Args>(args)...));
}
template <class... Args>
tl::unexpected<Error> unsupported(fmt::format_string<Args...> text, Args&&... args) {
  return fail(ErrorClass::kUnsupported, "HTJ2K codestream: {}", formatted(text, std::forward<Args>(args)...));
}

unsigned u8(ByteSpan bytes, std::size_t at) { return std::to_integer<unsigned>(bytes[at]); }
std::uint32_t u16(ByteSpan bytes, std::size_t at) { return load_be<std::uint16_t>(bytes.data() + at); }
std::uint32_t u32(ByteSpan bytes, std::size_t at) { return load_be<std::uint32_t>(bytes.data() + at); }

// QCD or QCC: A.6.4
struct Quantization {
  unsigned style = 0, guard_bits = 0, subbands = 0;
  unsigned least_exponent = 0, most_exponent = 0;
  // Magnitude bits of the widest subband (equation E-2).
  unsigned magnitude_bits() const { return guard_bits + (most_exponent == 0 ? 0 : most_exponent - 1); }
};

struct MainHeader {
  Htj2kHeader out;
  Extent extent;
  bool has_siz = false, has_cod = false, has_qcd = false;
  Coding cod;
  Quantization qcd;
  std::array<std::optional<Coding>, kMostComponents> coc;
  std::array<std::optional<Quantization>, kMostComponents> qcc;
  bool single_tile_tlm = true;

  const Coding& coding(unsigned c) const { return coc[c] ? *coc[c] : cod; }
  const Quantization& quantization(unsigned c) const { return qcc[c] ? *qcc[c] : qcd; }
};

// A.5.1
Status read_siz(ByteSpan body, MainHeader& header) {
  if (body.size() < 36) return malformed("SIZ has {} bytes, 36 needed", body.size());
  if ((u16(body, 0) & 0x4000) == 0) return unsupported("Rsiz {:#06x} says plain JPEG 2000", u16(body, 0));
  Extent& e = header.extent;
  e = {u32(body, 10), u32(body, 14), u32(body, 2),  u32(body, 6),
       u32(body, 18), u32(body, 22), u32(body, 26), u32(body, 30)};
  constexpr std::uint32_t kMost = 0x7FFFFFFF;  // OpenJPH computes in 32 bits
  if (e.x1 > kMost || e.y1 > kMost || e.tile_width > kMost || e.tile_height > kMost)
    return unsupported("a reference grid of {} x {} is over {}", e.x1, e.y1, kMost);
  if (e.x1 <= e.x0 || e.y1 <= e.y0)
    return malformed("the image ends at {}, {} and starts at {}, {}", e.x1, e.y1, e.x0, e.y0);
  if (e.tile_width == 0 || e.tile_height == 0 || e.tile_x0 > e.x0 || e.tile_y0 > e.y0 ||
      e.tile_x0 + e.tile_width <= e.x0 || e.tile_y0 + e.tile_height <= e.y0)
    return malformed("tiles of {} x {} at {}, {} miss the image's first pixel", e.tile_width, e.tile_height, e.tile_x0,
                     e.tile_y0);
  Htj2kHeader& out = header.out;
  out.components = static_cast<std::uint16_t>(u16(body, 34));
  if (out.components == 0 || body.size() != 36 + 3 * std::size_t{out.components})
    return malformed("SIZ has {} bytes for {} components", body.size(), out.components);
  if (out.components > kMostComponents)
    return unsupported("{} components, at most {} supported", out.components, kMostComponents);
  for (unsigned c = 0; c < out.components; ++c) {
    const unsigned depth = u8(body, 36 + 3 * c);
    out.component[c] = {static_cast<std::uint8_t>((depth & 0x7F) + 1), (depth & 0x80) != 0};
    if (out.component[c].precision > 38) return malformed("a precision of {}, at most 38", out.component[c].precision);
    if (u8(body, 37 + 3 * c) != 1 || u8(body, 38 + 3 * c) != 1)
      return unsupported("component {} is subsampled {} x {}", c, u8(body, 37 + 3 * c), u8(body, 38 + 3 * c));
  }
  out.columns = e.x1 - e.x0;
  out.rows = e.y1 - e.y0;
  out.tiles = e.tiles();
  if (out.tiles > 65535) return malformed("{} tiles, at most 65535", out.tiles);
  header.has_siz = true;
  return {};
}

// The part that COD and COC share, from `at` on: A.6.1, tables A.15 and A.20
Result<Coding> read_coding(ByteSpan body, std::size_t at, bool has_precincts) {
  if (body.size() < at + 5) return malformed("COD or COC has {} bytes, {} needed", body.size(), at + 5);
  Coding coding;
  coding.levels = u8(body, at);
  coding.log_width = u8(body, at + 1) + 2;
  coding.log_height = u8(body, at + 2) + 2;
  coding.wavelet = u8(body, at + 4);
  const unsigned style = u8(body, at + 3);
  if (coding.levels > kMostLevels) return malformed("{} decompositions, at most {}", coding.levels, kMostLevels);
  if (coding.log_width > 10 || coding.log_height > 10 || coding.log_width + coding.log_height > 12)
    return malformed("code-blocks of 2^{} x 2^{}", coding.log_width, coding.log_height);
  if ((style & 0x40) == 0 || (style & 0xB7) != 0) return unsupported("code-block style {:#04x}", style);
  if (coding.wavelet > 1) return unsupported("wavelet kernel {}", coding.wavelet);
  const std::size_t end = at + 5 + (has_precincts ? coding.levels + 1 : 0);
  if (body.size() != end) return malformed("COD or COC has {} bytes, {} expected", body.size(), end);
  for (unsigned r = 0; has_precincts && r <= coding.levels; ++r) {
    const unsigned size = u8(body, at + 5 + r);
    coding.precincts[r] = {static_cast<std::uint8_t>(size & 15), static_cast<std::uint8_t>(size >> 4)};
    if (r > 0 && ((size & 15) == 0 || size >> 4 == 0)) return malformed("a precinct of one sample at resolution {}", r);
  }
  return coding;
}

Status read_cod(ByteSpan body, MainHeader& header) {
  if (header.has_cod) return malformed("two COD segments");
  if (body.size() < 10) return malformed("COD has {} bytes, 10 needed", body.size());
  const unsigned style = u8(body, 0), order = u8(body, 1), layers = u16(body, 2), transform = u8(body, 4);
  if (style > 7) return unsupported("coding style {:#04x}", style);
  if (order > 4) return malformed("progression order {}, at most 4", order);
  if (layers != 1) return unsupported("{} quality layers, 1 supported", layers);
  if (transform > 1) return unsupported("component transform {}", transform);
  DICUBE_ASSIGN(header.cod, read_coding(body, 5, (style & 1) != 0));
  header.out.colour_transform = transform == 1;
  header.has_cod = true;
  return {};
}

Status read_coc(ByteSpan body, MainHeader& header) {
  if (!header.has_cod) return unsupported("COC before COD");
  if (body.size() < 2) return malformed("COC has {} bytes", body.size());
  const unsigned c = u8(body, 0), style = u8(body, 1);
  if (c >= header.out.components) return malformed("COC for component {} of {}", c, header.out.components);
  if (header.coc[c]) return malformed("two COC segments for component {}", c);
  if (style > 1) return malformed("coding style {:#04x} in COC", style);
  DICUBE_ASSIGN(header.coc[c], read_coding(body, 2, style != 0));
  return {};
}

Result<Quantization> read_quantization(ByteSpan body) {
  if (body.size() < 2) return malformed("QCD or QCC has {} bytes", body.size());
  Quantization q;
  q.style = u8(body, 0) & 31;
  q.guard_bits = u8(body, 0) >> 5;
  if (q.style != 0 && q.style != 2) return unsupported("quantization style {}", q.style);
  const std::size_t width = q.style == 0 ? 1 : 2;
  if ((body.size() - 1) % width != 0 || (body.size() - 1) / width > 97)
    return malformed("QCD or QCC has {} bytes", body.size());
  q.subbands = static_cast<unsigned>((body.size() - 1) / width);
  q.least_exponent = 31;
  for (std::size_t at = 1; at < body.size(); at += width) {  // both forms have the exponent in the first byte's top
    const unsigned exponent = u8(body, at) >> 3;
    q.least_exponent = std::min(q.least_exponent, exponent);
    q.most_exponent = std::max(q.most_exponent, exponent);
  }
  return q;
}

Status read_qcd(ByteSpan body, MainHeader& header) {
  if (header.has_qcd) return malformed("two QCD segments");
  DICUBE_ASSIGN(header.qcd, read_quantization(body));
  header.has_qcd = true;
  return {};
}

Status read_qcc(ByteSpan body, MainHeader& header) {
  if (body.empty()) return malformed("an empty QCC");
  const unsigned c = u8(body, 0);
  if (c >= header.out.components) return malformed("QCC for component {} of {}", c, header.out.components);
  if (header.qcc[c]) return malformed("two QCC segments for component {}", c);
  DICUBE_ASSIGN(header.qcc[c], read_quantization(body.subspan(1)));
  return {};
}

// A.7.1
Status read_tlm(ByteSpan body, MainHeader& header) {
  if (body.size() < 2) return malformed("TLM has {} bytes", body.size());
  const unsigned form = u8(body, 1), index_bytes = form >> 4 & 3, size_bytes = (form >> 6 & 1) != 0 ? 4 : 2;
  if (index_bytes == 3 || (form & 0x8F) != 0 || (body.size() - 2) % (index_bytes + size_bytes) != 0)
    return malformed("TLM of form {:#04x} has {} bytes", form, body.size());
  Htj2kHeader& out = header.out;
  for (std::size_t at = 2; at < body.size(); at += index_bytes + size_bytes) {
    if (out.parts == out.part_bytes.size()) header.single_tile_tlm = false;
    if (!header.single_tile_tlm) break;
    out.part_bytes[out.parts++] = size_bytes == 4 ? u32(body, at + index_bytes) : u16(body, at + index_bytes);
  }
  return {};
}

Status read_segment(std::uint32_t marker, ByteSpan body, MainHeader& header) {
  if (!header.has_siz && marker != kSiz) return malformed("marker {:#06x} where SIZ must stand", marker);
  switch (marker) {
    case kSiz: return header.has_siz ? Status(malformed("two SIZ segments")) : read_siz(body, header);
    case kCod: return read_cod(body, header);
    case kCoc: return read_coc(body, header);
    case kQcd: return read_qcd(body, header);
    case kQcc: return read_qcc(body, header);
    case kTlm: return read_tlm(body, header);
    case kCap:
    case kPrf:
    case kCpf:
    case kPlm:
    case kCrg:
    case kCom: return {};
    // RGN, POC, PPM and the kernels, styles and transforms of Part 2: OpenJPH skips some of them with a warning and
    // decodes other pixels than were coded.
    default: return unsupported("marker segment {:#06x}", marker);
  }
}

// The traps of OpenJPH 0.32 that this keeps away from: an irreversible component over 32 bits is written as 64-bit
// values into rows of 32; components of one colour transform with rows of different width; a quantizer without an
// exponent; a missing step size, replaced by another subband's.
Status check_component(const MainHeader& header, unsigned c) {
  const Coding& coding = header.coding(c);
  const Quantization& q = header.quantization(c);
  if (q.subbands < 1 + 3 * coding.levels)
    return malformed("{} step sizes for {} decompositions", q.subbands, coding.levels);
  if (coding.wavelet == kReversible53 && q.style != 0)
    return unsupported("quantization style {} with the reversible wavelet", q.style);
  if (coding.wavelet == kIrreversible97 && (q.style != 2 || q.least_exponent == 0 || !fits_32_bits(q.magnitude_bits())))
    return unsupported("quantization style {} of {} bits with the irreversible wavelet", q.style, q.magnitude_bits());
  return {};
}

Status check_colour_transform(const MainHeader& header) {
  const Htj2kHeader& out = header.out;
  if (out.components < 3) return malformed("a colour transform over {} components", out.components);
  for (unsigned c = 1; c < 3; ++c) {
    if (out.component[c].precision != out.component[0].precision ||
        out.component[c].is_signed != out.component[0].is_signed)
      return malformed("a colour transform over components of {} and {} bits", out.component[0].precision,
                       out.component[c].precision);
    if (header.coding(c).wavelet != header.coding(0).wavelet)
      return malformed("a colour transform over two kinds of wavelet");
    if (fits_32_bits(header.quantization(c).magnitude_bits()) != fits_32_bits(header.quantization(0).magnitude_bits()))
      return unsupported("a colour transform over components of {} and {} magnitude bits",
                         header.quantization(0).magnitude_bits(), header.quantization(c).magnitude_bits());
  }
  return {};
}

Status finish(MainHeader& header) {
  Htj2kHeader& out = header.out;
  if (!header.has_cod || !header.has_qcd) return malformed("the main header has no {}", header.has_cod ? "QCD" : "COD");
  out.levels = kMostLevels;
  unsigned most_levels = 0;
  Cost cost(header.extent);
  for (unsigned c = 0; c < out.components; ++c) {
    DICUBE_TRY(check_component(header, c));
    const Coding& coding = header.coding(c);
    out.levels = std::min(out.levels, coding.levels);
    most_levels = std::max(most_levels, coding.levels);
    cost.add_component(coding, fits_32_bits(header.quantization(c).magnitude_bits()));
  }
  if (out.colour_transform) DICUBE_TRY(check_colour_transform(header));
  out.working_bytes = cost.working_bytes();
  out.code_blocks = cost.code_blocks();
  if (out.tiles != 1 || out.levels != most_levels || !header.single_tile_tlm || out.parts != out.levels + 1)
    out.parts = 0;
  return {};
}

// SOT: A.4.2
struct TilePart {
  std::uint32_t tile = 0, index = 0, announced = 0;
  std::uint64_t size = 0;
};

Result<TilePart> read_tile_part(ByteSpan stream, std::uint64_t at) {
  const std::uint64_t left = stream.size() - at;
  if (left < kSotBytes) return malformed("a tile-part at byte {} has {} bytes left, {} needed", at, left, kSotBytes);
  if (u16(stream, at) != kSot || u16(stream, at + 2) != 10)
    return malformed("marker {:#06x} at byte {} where a tile-part must start", u16(stream, at), at);
  const TilePart part{u16(stream, at + 4), u8(stream, at + 10), u8(stream, at + 11), u32(stream, at + 6)};
  if (part.size == 0) return unsupported("a tile-part of undeclared length at byte {}", at);
  if (part.size > left) return malformed("a tile-part of {} bytes at byte {}, {} left", part.size, at, left);
  const ByteSpan bytes = stream.subspan(at, part.size);
  for (std::uint64_t segment = kSotBytes;;) {  // the segments up to SOD
    if (bytes.size() - segment < 2) return malformed("the tile-part at byte {} has no data", at);
    const std::uint32_t marker = u16(bytes, segment);
    if (marker == kSod) return part;
    if (marker != kPlt && marker != kCom) return unsupported("marker {:#06x} in the tile-part at byte {}", marker, at);
    const std::uint64_t room = bytes.size() - segment - 2;
    const std::uint64_t length = room < 2 ? 0 : u16(bytes, segment + 2);
    if (length < 2 || length > room)
      return malformed("a segment of {} bytes in the tile-part at byte {}, {} left", length, at, room);
    segment += 2 + length;
  }
}

}  // namespace

Result<Htj2kHeader> read_htj2k_header(ByteSpan head) {
  if (head.size() < 4 || u16(head, 0) != kSoc) return malformed("no start marker in {} bytes", head.size());
  MainHeader header;
  for (std::uint64_t at = 2;;) {
    if (head.size() - at < 4) return malformed("the main header does not end within {} bytes", head.size());
    const std::uint32_t marker = u16(head, at);
    if (marker == kSot && header.has_siz) {
      header.out.bytes = at;
      DICUBE_TRY(finish(header));
      return header.out;
    }
    const std::uint64_t length = u16(head, at + 2), room = head.size() - at - 2;
    if (marker < 0xFF00 || length < 2) return malformed("no marker segment at byte {}", at);
    if (length > room) return malformed("a segment of {} bytes at byte {}, {} left", length, at, room);
    DICUBE_TRY(read_segment(marker, head.subspan(at + 4, length - 2), header));
    at += 2 + length;
  }
}

Status check_htj2k_shape(const Htj2kHeader& header, const Shape& shape) {
  if (header.rows != shape.rows || header.columns != shape.columns)
    return malformed("{} x {} pixels, {} x {} expected", header.columns, header.rows, shape.columns, shape.rows);
  if (header.components != shape.samples)
    return malformed("{}, {} expected", counted(header.components, "component"), shape.samples);
  for (unsigned c = 0; c < header.components; ++c)
    if (header.component[c].precision > shape.bits)
      return malformed("a precision of {}, at most {} expected", header.component[c].precision, shape.bits);
  const Limits most(shape.rows, shape.columns, shape.samples);
  if (header.working_bytes > most.working_bytes)
    return fail(ErrorClass::kLimit, "HTJ2K codestream: decoding takes {} bytes of memory, at most {} allowed",
                header.working_bytes, most.working_bytes);
  if (header.code_blocks > most.code_blocks)
    return fail(ErrorClass::kLimit, "HTJ2K codestream: {} code-blocks, at most {} allowed", header.code_blocks,
                most.code_blocks);
  return {};
}

Status check_htj2k_complete(const Htj2kHeader& header, ByteSpan stream, std::vector<TilePartCount>& scratch) {
  scratch.assign(header.tiles, {});
  std::uint64_t at = header.bytes;
  for (; stream.size() - at >= 2 && u16(stream, at) != kEoc;) {
    DICUBE_ASSIGN(const TilePart part, read_tile_part(stream, at));
    if (part.tile >= header.tiles) return malformed("a tile-part of tile {} of {}", part.tile, header.tiles);
    TilePartCount& count = scratch[part.tile];
    if (part.index != count.seen)
      return malformed("tile-part {} of tile {}, {} expected", part.index, part.tile, count.seen);
    if (part.announced != 0 && count.announced != 0 && part.announced != count.announced)
      return malformed("tile {} has {} and {} tile-parts", part.tile, count.announced, part.announced);
    ++count.seen;
    count.announced = std::max(count.announced, part.announced);
    at += part.size;
  }
  if (stream.size() - at < 2) return malformed("no end marker at byte {}, where the last tile-part ends", at);
  for (std::uint64_t tile = 0; tile < header.tiles; ++tile)
    if (scratch[tile].seen == 0 || (scratch[tile].announced != 0 && scratch[tile].announced != scratch[tile].seen))
      return malformed("tile {} has {} tile-parts, {} announced", tile, scratch[tile].seen, scratch[tile].announced);
  // A data set pads an odd codestream with a zero byte (PS3.5 A.4).
  for (at += 2; at < stream.size(); ++at)
    if (stream[at] != std::byte{0}) return malformed("it ends at byte {} of {}", at, stream.size());
  return {};
}

std::uint64_t htj2k_prefix(const Htj2kHeader& header, unsigned level) {
  if (header.parts == 0) return 0;
  std::uint64_t end = header.bytes;
  for (unsigned part = 0; part <= header.levels - level; ++part) end += header.part_bytes[part];
  return end;
}

Status check_htj2k_prefix(const Htj2kHeader& header, ByteSpan prefix) {
  std::uint64_t at = header.bytes;
  for (unsigned i = 0; at < prefix.size(); ++i) {
    DICUBE_ASSIGN(const TilePart part, read_tile_part(prefix, at));
    if (part.size != header.part_bytes[i])
      return malformed("tile-part {} has {} bytes, {} in TLM", i, part.size, header.part_bytes[i]);
    if (part.tile != 0 || part.index != i || (part.announced != 0 && part.announced != header.parts))
      return malformed("tile-part {} of {}, {} of {} expected", part.index, part.announced, i, header.parts);
    at += part.size;
  }
  return {};
}

}  // namespace dicube::codec
