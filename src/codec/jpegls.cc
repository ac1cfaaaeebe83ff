// JPEG-LS (ISO/IEC 14495-1) through CharLS.
#include <charls/charls.h>

#include <algorithm>

#include "codec/foreign.h"

namespace dicube::codec {
namespace {

// Components one after the other -> values of a pixel side by side.
void interleave(ByteSpan planes, std::size_t samples, std::size_t width, std::byte* to) {
  const std::size_t pixels = planes.size() / samples / width;
  for (std::size_t s = 0; s < samples; ++s)
    for (std::size_t i = 0; i < pixels; ++i)
      std::memcpy(to + (i * samples + s) * width, planes.data() + (s * pixels + i) * width, width);
}

// CharLS up to 2.4.2 reads zero bits without an end behind a stream that is cut off, but stops at a marker: so there is
// one.
ByteSpan with_end(ByteSpan stream, Bytes& copy) {
  const ByteSpan tail = stream.last(std::min<std::size_t>(stream.size(), 2));
  if (as_text(tail) == "\xFF\xD9") return stream;
  copy.reserve(stream.size() + 2);
  copy.assign(stream.begin(), stream.end());
  append(copy, as_bytes("\xFF\xD9"));
  return copy;
}

// Some encoders write a zero byte more than the codes take (of the committee's test images of 2004, for one); CharLS
// wants a marker there. Empty when the stream does not end like that.
Bytes without_zero_before_end(ByteSpan stream) {
  Bytes copy;
  const std::size_t end = as_text(stream).rfind("\xFF\xD9");
  if (end == std::string_view::npos || end == 0 || end + 3 < stream.size() || stream[end - 1] != std::byte{0})
    return copy;
  append(copy, stream.first(end - 1));
  append(copy, stream.subspan(end));
  return copy;
}

void run(const Shape& shape, unsigned precision, ByteSpan stream, MutableByteSpan pixels) {
  Bytes copy;
  stream = with_end(stream, copy);
  charls::jpegls_decoder decoder;
  decoder.source(stream.data(), stream.size());
  decoder.read_header();
  const unsigned width = precision <= 8 ? 1 : 2;
  precision = sign_precision(precision, shape);
  const std::size_t values = std::size_t{shape.rows} * shape.columns * shape.samples;
  if (decoder.destination_size() != values * width)
    throw std::runtime_error(
        formatted("it decodes to {} bytes, {} expected", decoder.destination_size(), values * width));
  const bool planes = shape.samples > 1 && decoder.interleave_mode() == charls::interleave_mode::none;
  if (!planes && 8 * width == shape.bits) {
    decoder.decode(pixels.data(), pixels.size());
    if (!stands_as_it_is(width, precision, shape))
      place_values(pixels.data(), width, values, precision, shape, pixels.data());
    return;
  }
  Bytes decoded(values * width), mixed;
  decoder.decode(decoded.data(), decoded.size());
  if (planes) {
    mixed.resize(decoded.size());
    interleave(decoded, shape.samples, width, mixed.data());
  }
  place_values(planes ? mixed.data() : decoded.data(), width, values, precision, shape, pixels.data());
}

void run_encoder(const Shape& shape, unsigned precision, ByteSpan pixels, unsigned near, std::size_t room,
                 Bytes& coded) {
  charls::jpegls_encoder encoder;
  encoder.near_lossless(static_cast<std::int32_t>(near));
  encoder.frame_info({shape.columns, shape.rows, static_cast<std::int32_t>(precision), shape.samples});
  if (shape.samples > 1) encoder.interleave_mode(charls::interleave_mode::sample);
  coded.resize(encoder.estimated_destination_size() + room);
  encoder.destination(coded);
  coded.resize(encoder.encode(pixels.data(), pixels.size()));
}

// ISO/IEC 14495-1 C.2.3. CharLS 2.4 ends the process for more.
unsigned most_near(unsigned precision) { return std::min(255U, ((1U << precision) - 1) / 2); }

int value_at(const Shape& shape, const std::byte* from) {
  if (shape.bits == 8) return shape.is_signed ? static_cast<std::int8_t>(*from) : std::to_integer<int>(*from);
  const auto value = load_le<std::uint16_t>(from);
  return shape.is_signed ? static_cast<std::int16_t>(value) : value;
}

// An error must not take a signed value across the limit of `stored` bits, where it changes its sign, nor any value
// beyond what is stored into further bits of the codestream. Where values are that close, half of the error is spent on
// moving them away. Returns what is left for the codec.
unsigned keep_off_limits(const Shape& shape, unsigned stored, unsigned near, Bytes& pixels) {
  const int least = shape.is_signed ? -(1 << (stored - 1)) : 0, most = least + (1 << stored) - 1;
  const std::size_t width = shape.bits / 8U;
  const auto is_off = [&](int value, int room) {  // the least unsigned value is every codec's
    return (!shape.is_signed || value >= least + room) && value <= most - room;
  };
  bool has_room = true;
  for (std::size_t at = 0; at < pixels.size() && has_room; at += width)
    has_room = is_off(value_at(shape, pixels.data() + at), static_cast<int>(near));
  if (has_room) return near;
  const int room = static_cast<int>(near / 2);
  for (std::size_t at = 0; at < pixels.size(); at += width) {
    const int value =
        std::clamp(value_at(shape, pixels.data() + at), least + (shape.is_signed ? room : 0), most - room);
    if (width == 1)
      pixels[at] = static_cast<std::byte>(value);
    else
      store_le(pixels.data() + at, static_cast<std::uint16_t>(value));
  }
  return near / 2;
}

// JPEG-LS knows no signs: the low bits of two's complement are coded.
void cut_signs(const Shape& shape, unsigned precision, Bytes& pixels) {
  const auto mask = static_cast<std::uint16_t>((1U << precision) - 1);
  if (shape.bits == 8)
    for (std::byte& value : pixels) value &= static_cast<std::byte>(mask);
  else
    for (std::size_t at = 0; at < pixels.size(); at += 2)
      store_le(pixels.data() + at, static_cast<std::uint16_t>(load_le<std::uint16_t>(pixels.data() + at) & mask));
}

}  // namespace

Status encode_jpegls(const Shape& shape, ByteSpan pixels, Bytes& out, unsigned near) {
  DICUBE_ASSIGN(const unsigned precision, coded_precision("JPEG-LS", shape, pixels));
  const unsigned stored = stored_precision(shape, pixels);
  near = std::min(near, most_near(stored));
  Bytes cut;
  if ((near > 0 && (shape.is_signed || stored < precision)) || (shape.is_signed && precision < shape.bits)) {
    cut.assign(pixels.begin(), pixels.end());
    if (near > 0) near = keep_off_limits(shape, stored, near, cut);
    if (shape.is_signed) cut_signs(shape, precision, cut);
    pixels = cut;
  }
  // What CharLS estimates is too little for noise: its codes have up to four times the bits of a value.
  Bytes coded;
  for (const std::size_t room : {std::size_t{0}, 4 * pixels.size()}) {
    try {
      run_encoder(shape, precision, pixels, near, room, coded);
      append(out, coded);
      return {};
    } catch (const charls::jpegls_error& error) {
      if (room == 0 && error.code() == charls::jpegls_errc::destination_buffer_too_small) continue;
      return fail(ErrorClass::kUnsupported, "JPEG-LS: {}", error.what());
    } catch (const std::exception& error) {
      return fail(ErrorClass::kUnsupported, "JPEG-LS: {}", error.what());
    }
  }
  return fail(ErrorClass::kUnsupported, "JPEG-LS: no room for the codestream of {} bytes of pixels", pixels.size());
}

Status decode_jpegls(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_ASSIGN(const JpegHeader header, read_jpeg_header(stream));
  DICUBE_TRY(check_declared("JPEG-LS", header.declared, shape));
  if (header.process != 0xF7)
    return fail(ErrorClass::kCodec, "JPEG-LS codestream: a frame of process {:#04x}", header.process);
  if (header.declared.precision > 16)
    return fail(ErrorClass::kUnsupported, "JPEG-LS codestream: {} bits, at most 16", header.declared.precision);
  try {
    try {
      run(shape, header.declared.precision, stream, pixels);
    } catch (const charls::jpegls_error& error) {
      const Bytes shorter = error.code() == charls::jpegls_errc::jpeg_marker_start_byte_not_found
                                ? without_zero_before_end(stream)
                                : Bytes();
      if (shorter.empty()) throw;
      run(shape, header.declared.precision, shorter, pixels);
    }
    return {};
  } catch (const std::exception& error) {
    return fail(ErrorClass::kCodec, "JPEG-LS codestream: {}", error.what());
  }
}

}  // namespace dicube::codec
