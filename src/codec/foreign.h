// Codestreams of other syntaxes, as sources hold them and as they are written for receivers: what their adapters share.
//
// Every adapter reads the codestream's own header first and compares it with the declared shape (check_declared) before
// anything is allocated from it. Values come out interleaved, whatever shape.planar says, and widened to the shape's
// container.
#pragma once

#include <array>

#include "codec/codec.h"

namespace dicube::codec {

// What a codestream's header says of its frame.
struct Declared {
  std::uint64_t columns = 0, rows = 0;
  unsigned samples = 0, precision = 0;
};

// kCodec, with the two that disagree, unless the stream has the shape's size and samples, and values that fit its
// container.
Status check_declared(std::string_view codec, const Declared& declared, const Shape& shape);

// Where the sign is in codestreams that know none, of JPEG and JPEG-LS: at Bits Stored (shape.precision), or above it
// where the codestream has more bits.
unsigned sign_precision(unsigned precision, const Shape& shape);

// Copies `count` values from little-endian ones of `width` bytes (1, 2 or 4) to the shape's container. Those of a
// signed shape are extended from `precision` bits. `from` and `to` may be the same when the containers are.
void place_values(const std::byte* from, unsigned width, std::size_t count, unsigned precision, const Shape& shape,
                  std::byte* to);

// Whether place_values() would change nothing.
bool stands_as_it_is(unsigned width, unsigned precision, const Shape& shape);

// A start-of-frame segment of JPEG (ISO/IEC 10918-1 B.2.2) or JPEG-LS (ISO/IEC 14495-1 C.2.2).
struct JpegHeader {
  Declared declared;
  unsigned process = 0;  // the marker's low byte: 0xC0 baseline, 0xC3 lossless, 0xF7 JPEG-LS
};
Result<JpegHeader> read_jpeg_header(ByteSpan stream);

// kCodec unless the stream begins with a header of this shape and has an end marker.
Status check_jpeg_source(const Shape& shape, ByteSpan stream);      // JPEG-LS, too
Status check_jpeg2000_source(const Shape& shape, ByteSpan stream);  // HTJ2K, too

// Decoders. REQUIRES: pixels.size() == frame_bytes(shape).
// kCodec: the stream is malformed, cut off, or differs from the shape. kUnsupported: legal, but not held by this
// library.
Status decode_rle(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);     // PS3.5 annex G
Status decode_jpeg(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);    // ISO/IEC 10918-1
Status decode_jpegls(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);  // ISO/IEC 14495-1
Status decode_jpeg2000(const Shape& shape, ByteSpan stream,
                       MutableByteSpan pixels);  // ISO/IEC 15444-1, also in JP2 boxes
Status decode_jpegxl(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);    // ISO/IEC 18181-1
Status decode_deflated(const Shape& shape, ByteSpan stream, MutableByteSpan pixels);  // RFC 1951

// Encoders, lossless unless a loss is asked for, of interleaved values; they append to `out`, which is unchanged on
// failure. The stream's precision is the larger of shape.precision and what the values need. kUnsupported: a shape that
// the syntax or library doesn't hold.
Status encode_rle(const Shape& shape, ByteSpan pixels, Bytes& out);
Status encode_jpegls(const Shape& shape, ByteSpan pixels, Bytes& out,
                     unsigned near = 0);  // near: the largest error, at most 255
Status encode_jpeg2000(const Shape& shape, ByteSpan pixels,
                       Bytes& out);  // shape.colour: with the reversible transform (YBR_RCT)
// Unsigned values only: codestreams hold no signed integers, and the data set must agree with them (PS3.5 8.2.15).
// Lossless, or with one of two losses.
struct JpegXlLoss {
  unsigned near = 0;   // the largest error
  float distance = 0;  // libjxl's measure of what eyes see, at most 15; without a change of colours
};
Status encode_jpegxl(const Shape& shape, ByteSpan pixels, Bytes& out, JpegXlLoss loss = {});

// The bits that the values have by the shape or need; losses must not lead out of them.
unsigned stored_precision(const Shape& shape, ByteSpan pixels);

// The precision that an encoder of whole values writes: at least shape.precision, and over 8 in a container of 16 bits,
// since decoders choose the container by it. kUnsupported unless the shape has 8 or 16 bits and a size that JPEG's
// headers hold.
Result<unsigned> coded_precision(std::string_view codec, const Shape& shape, ByteSpan pixels);

}  // namespace dicube::codec
