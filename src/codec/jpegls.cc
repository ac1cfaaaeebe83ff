// JPEG-LS (ISO/IEC 14495-1) through CharLS.
#include <charls/charls.h>

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

void run(const Shape& shape, unsigned precision, ByteSpan stream, MutableByteSpan pixels) {
  charls::jpegls_decoder decoder;
  decoder.source(stream.data(), stream.size());
  decoder.read_header();
  const unsigned width = precision <= 8 ? 1 : 2;
  const std::size_t values = std::size_t{shape.rows} * shape.columns * shape.samples;
  if (decoder.destination_size() != values * width)
    throw std::runtime_error(fmt::format("it decodes to {} bytes, {} expected", decoder.destination_size(), values * width));
  const bool planes = shape.samples > 1 && decoder.interleave_mode() == charls::interleave_mode::none;
  if (!planes && 8 * width == shape.bits) {
    decoder.decode(pixels.data(), pixels.size());
    if (!stands_as_it_is(width, precision, shape)) place_values(pixels.data(), width, values, precision, shape, pixels.data());
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

}  // namespace

Status decode_jpegls(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_ASSIGN(const JpegHeader header, read_jpeg_header(stream));
  DICUBE_TRY(check_declared("JPEG-LS", header.declared, shape));
  if (header.process != 0xF7) return fail(ErrorClass::kCodec, "JPEG-LS codestream: a frame of process {:#04x}", header.process);
  if (header.declared.precision > 16) return fail(ErrorClass::kUnsupported, "JPEG-LS codestream: {} bits, at most 16", header.declared.precision);
  try {
    run(shape, header.declared.precision, stream, pixels);
    return {};
  } catch (const std::exception& error) {
    return fail(ErrorClass::kCodec, "JPEG-LS codestream: {}", error.what());
  }
}

}  // namespace dicube::codec
