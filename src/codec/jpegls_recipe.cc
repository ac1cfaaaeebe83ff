// A codestream is, scan by scan, marker segments through SOS and the coded scan; then a tail (EOI, padding). The scans
// come from CharLS, which codes the pixels with what the marker segments say; its own marker segments are left out.
#include "codec/jpegls_recipe.h"

#include <charls/charls.h>

#include <vector>

#include "codec/foreign.h"

namespace dicube::codec {
namespace {

constexpr std::size_t kMostScans = 4;
constexpr unsigned kSos = 0xDA, kEoi = 0xD9, kDri = 0xDD;

unsigned u8(ByteSpan bytes, std::size_t at) { return std::to_integer<unsigned>(bytes[at]); }

Status unfit(std::string_view what, std::size_t at) {
  return fail(ErrorClass::kCodec, "JPEG-LS codestream: {} at byte {}", what, at);
}

// Moves `at` behind the next SOS segment.
Status skip_segments(ByteSpan stream, std::size_t& at) {
  while (stream.size() - at >= 4) {
    const unsigned marker = u8(stream, at + 1);
    if (u8(stream, at) != 0xFF || marker < 0x80 || marker == 0xFF) return unfit("no marker", at);
    if (marker == 0xD8) {
      at += 2;
      continue;
    }
    const std::size_t length = load_be<std::uint16_t>(stream.data() + at + 2);
    if (marker == kEoi || marker == kDri || length < 2 || length > stream.size() - at - 2)
      return unfit("no segment", at);
    at += 2 + length;
    if (marker == kSos) return {};
  }
  return unfit("no scan", at);
}

// Where a coded scan ends: a zero bit stands behind each FF, so at FF and a byte from 80 on (A.1).
std::size_t end_of_scan(ByteSpan stream, std::size_t at) {
  for (; at + 1 < stream.size(); ++at)
    if (u8(stream, at) == 0xFF && u8(stream, at + 1) >= 0x80) return at;
  return stream.size();
}

struct Piece {
  ByteSpan segments, scan;
};

Result<std::vector<Piece>> take_apart(ByteSpan stream, std::size_t& done) {
  std::vector<Piece> pieces;
  done = 0;
  while (pieces.size() < kMostScans) {
    std::size_t at = done;
    if (const Status read = skip_segments(stream, at); !read) {
      if (pieces.empty()) return tl::unexpected<Error>(read.error());
      break;
    }
    const std::size_t end = end_of_scan(stream, at);
    pieces.push_back({stream.subspan(done, at - done), stream.subspan(at, end - at)});
    done = end;
  }
  return pieces;
}

// The values as CharLS takes them: no bits above the precision, one or two bytes, all of a component together if it
// codes so.
Bytes charls_values(const Shape& shape, unsigned precision, bool planes, ByteSpan pixels) {
  const std::size_t width = shape.bits / 8U, to_width = precision <= 8 ? 1 : 2, count = pixels.size() / width;
  const unsigned mask = (1U << precision) - 1;
  Bytes values(count * to_width);
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned value =
        (width == 1 ? std::to_integer<unsigned>(pixels[i]) : load_le<std::uint16_t>(pixels.data() + 2 * i)) & mask;
    const std::size_t to = planes ? i % shape.samples * (count / shape.samples) + i / shape.samples : i;
    if (to_width == 1)
      values[to] = static_cast<std::byte>(value);
    else
      store_le(values.data() + 2 * to, static_cast<std::uint16_t>(value));
  }
  return values;
}

// With a MAXVAL of its own (ISO/IEC 14495-1 C.2.4.1.1), CharLS 2.4 ends the process for some values, also for ones
// below it.
Status check_parameters(const charls::jpegls_decoder& header, unsigned precision) {
  const auto most = static_cast<unsigned>(header.preset_coding_parameters().maximum_sample_value);
  if (most == 0 || most == (1U << precision) - 1) return {};
  return fail(ErrorClass::kUnsupported, "JPEG-LS: a recipe for values up to {} in {} bits", most, precision);
}

// The codestream that CharLS makes of the pixels with the parameters in `segments`.
Result<Bytes> code(const Shape& shape, ByteSpan segments, unsigned precision, ByteSpan pixels) {
  Bytes closed(segments.begin(), segments.end());  // CharLS up to 2.4.2 may look for a marker behind them
  append(closed, as_bytes("\xFF\xD9"));
  charls::jpegls_decoder header;
  header.source(closed.data(), closed.size());
  header.read_header();
  DICUBE_TRY(check_parameters(header, precision));
  charls::jpegls_encoder encoder;
  encoder.frame_info({shape.columns, shape.rows, static_cast<std::int32_t>(precision), shape.samples});
  encoder.near_lossless(header.near_lossless());
  encoder.interleave_mode(header.interleave_mode());
  encoder.preset_coding_parameters(header.preset_coding_parameters());
  encoder.color_transformation(header.color_transformation());
  const Bytes values =
      charls_values(shape, precision, header.interleave_mode() == charls::interleave_mode::none, pixels);
  Bytes coded(encoder.estimated_destination_size() + values.size());
  encoder.destination(coded);
  coded.resize(encoder.encode(values.data(), values.size()));
  return coded;
}

Result<Bytes> code_checked(const Shape& shape, ByteSpan segments, ByteSpan pixels) {
  if (shape.bits != 8 && shape.bits != 16)
    return fail(ErrorClass::kUnsupported, "JPEG-LS of {}-bit values", shape.bits);
  DICUBE_ASSIGN(const auto header, read_jpeg_header(segments));
  DICUBE_TRY(check_declared("JPEG-LS", header.declared, shape));
  if (header.process != 0xF7)
    return fail(ErrorClass::kCodec, "JPEG-LS codestream: a frame of process {:#04x}", header.process);
  try {
    return code(shape, segments, header.declared.precision, pixels);
  } catch (const std::exception& error) {
    return fail(ErrorClass::kCodec, "JPEG-LS codestream: {}", error.what());
  }
}

}  // namespace

Result<Bytes> make_jpegls_recipe(const Shape&, ByteSpan, ByteSpan stream) {
  std::size_t done = 0;
  DICUBE_ASSIGN(const auto pieces, take_apart(stream, done));
  ByteWriter recipe;
  recipe.put(static_cast<std::uint8_t>(pieces.size()));
  for (const Piece& piece : pieces) recipe.put_string(piece.segments);
  recipe.put_bytes(stream.subspan(done));
  return recipe.take();
}

Status follow_jpegls_recipe(const Shape& shape, ByteSpan pixels, ByteSpan recipe, std::uint64_t size, Bytes& out) {
  ByteReader in(recipe, "a recipe of JPEG-LS");
  DICUBE_ASSIGN(const std::size_t count, in.get<std::uint8_t>());
  if (count == 0 || count > kMostScans) return fail(ErrorClass::kCodec, "a recipe of JPEG-LS of {} scans", count);
  Bytes coded;
  std::vector<Piece> pieces;
  const std::size_t start = out.size();
  for (std::size_t i = 0; i < count; ++i) {
    DICUBE_ASSIGN(auto segments, in.get_string());
    if (i == 0) {
      DICUBE_ASSIGN(coded, code_checked(shape, segments, pixels));
      std::size_t done = 0;
      DICUBE_ASSIGN(pieces, take_apart(coded, done));
      if (pieces.size() != count)
        return fail(ErrorClass::kCodec, "a recipe of JPEG-LS of {} scans, {} expected", count, pieces.size());
    }
    append(out, segments);
    append(out, pieces[i].scan);
    if (out.size() - start > size) return fail(ErrorClass::kCodec, "a JPEG-LS codestream of over {} bytes", size);
  }
  append(out, recipe.last(in.left()));
  return {};
}

}  // namespace dicube::codec
