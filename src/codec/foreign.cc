#include "codec/foreign.h"

#include <algorithm>

namespace dicube::codec {
namespace {

template <class From, class To>
void place(const std::byte* from, std::size_t count, unsigned precision, bool is_signed, std::byte* to) {
  constexpr unsigned kBits = 8 * sizeof(To);
  const unsigned unused = is_signed && precision < kBits ? kBits - precision : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<To>(load_le<From>(from + i * sizeof(From)));
    const auto raised = static_cast<std::make_signed_t<To>>(static_cast<To>(value << unused));
    store_le(to + i * sizeof(To), unused == 0 ? value : static_cast<To>(raised >> unused));
  }
}

template <class From>
void place_from(const std::byte* from, std::size_t count, unsigned precision, const Shape& shape, std::byte* to) {
  switch (shape.bits) {
    case 8: return place<From, std::uint8_t>(from, count, precision, shape.is_signed, to);
    case 16: return place<From, std::uint16_t>(from, count, precision, shape.is_signed, to);
    case 32: return place<From, std::uint32_t>(from, count, precision, shape.is_signed, to);
    default: return place<From, std::uint64_t>(from, count, precision, shape.is_signed, to);
  }
}

}  // namespace

Status check_declared(std::string_view codec, const Declared& declared, const Shape& shape) {
  if (declared.columns != shape.columns || declared.rows != shape.rows)
    return fail(ErrorClass::kCodec, "{} codestream: {} x {} pixels, {} x {} expected", codec, declared.columns,
                declared.rows, shape.columns, shape.rows);
  if (declared.samples != shape.samples)
    return fail(ErrorClass::kCodec, "{} codestream: {}, {} expected", codec, counted(declared.samples, "component"),
                shape.samples);
  if (declared.precision == 0 || declared.precision > shape.bits)
    return fail(ErrorClass::kCodec, "{} codestream: values of {} bits, at most {} expected", codec, declared.precision,
                shape.bits);
  return {};
}

unsigned sign_precision(unsigned precision, const Shape& shape) {
  return std::clamp<unsigned>(precision, shape.precision, shape.bits);
}

bool stands_as_it_is(unsigned width, unsigned precision, const Shape& shape) {
  return 8 * width == shape.bits && (!shape.is_signed || precision >= shape.bits);
}

void place_values(const std::byte* from, unsigned width, std::size_t count, unsigned precision, const Shape& shape,
                  std::byte* to) {
  switch (width) {
    case 1: return place_from<std::uint8_t>(from, count, precision, shape, to);
    case 2: return place_from<std::uint16_t>(from, count, precision, shape, to);
    default: return place_from<std::uint32_t>(from, count, precision, shape, to);
  }
}

unsigned stored_precision(const Shape& shape, ByteSpan pixels) {
  return std::clamp<unsigned>(std::max(shape.precision, needed_precision(shape, pixels)), 1, shape.bits);
}

Result<unsigned> coded_precision(std::string_view codec, const Shape& shape, ByteSpan pixels) {
  if (shape.bits != 8 && shape.bits != 16)
    return fail(ErrorClass::kUnsupported, "{} of {}-bit values; 8 or 16 supported", codec, shape.bits);
  if (shape.samples != 1 && shape.samples != 3)
    return fail(ErrorClass::kUnsupported, "{} of {} samples; 1 or 3 supported", codec, shape.samples);
  if (shape.rows == 0 || shape.columns == 0 || shape.rows > 65535 || shape.columns > 65535)
    return fail(ErrorClass::kUnsupported, "{} of {} x {} pixels; 1 to 65535 supported", codec, shape.columns,
                shape.rows);
  return std::max(stored_precision(shape, pixels), shape.bits == 16 ? 9U : 2U);
}

Result<JpegHeader> read_jpeg_header(ByteSpan stream) {
  const auto u8 = [&](std::size_t at) { return std::to_integer<unsigned>(stream[at]); };
  if (stream.size() < 4 || u8(0) != 0xFF || u8(1) != 0xD8)
    return fail(ErrorClass::kCodec, "JPEG codestream: no SOI marker at its start");
  for (std::size_t at = 2; at + 4 <= stream.size();) {
    if (u8(at) != 0xFF)
      return fail(ErrorClass::kCodec, "JPEG codestream: {:#04x} instead of a marker at byte {}", u8(at), at);
    const unsigned marker = u8(at + 1);
    if (marker == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // without a length
      at += 2;
      continue;
    }
    const std::size_t length = load_be<std::uint16_t>(stream.data() + at + 2);
    if (marker == 0xD9 || marker == 0xDA) break;
    if (length < 2 || length > stream.size() - at - 2)
      return fail(ErrorClass::kCodec, "JPEG codestream: segment {:#04x} of {} bytes at byte {} of {}", marker, length,
                  at, stream.size());
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame || marker == 0xF7) {
      if (length < 8) return fail(ErrorClass::kCodec, "JPEG codestream: a frame header of {} bytes, 8 needed", length);
      JpegHeader header;
      header.process = marker;
      header.declared = {load_be<std::uint16_t>(stream.data() + at + 7), load_be<std::uint16_t>(stream.data() + at + 5),
                         u8(at + 9), u8(at + 4)};
      return header;
    }
    at += 2 + length;
  }
  return fail(ErrorClass::kCodec, "JPEG codestream: no frame header in {} bytes", stream.size());
}

Status check_jpeg_source(const Shape& shape, ByteSpan stream) {
  DICUBE_ASSIGN(const auto header, read_jpeg_header(stream));
  DICUBE_TRY(check_declared("JPEG", header.declared, shape));
  if (as_text(stream).rfind("\xFF\xD9") != std::string_view::npos) return {};
  return fail(ErrorClass::kCodec, "JPEG codestream: no EOI marker in its {} bytes", stream.size());
}

}  // namespace dicube::codec
