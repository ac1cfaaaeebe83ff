// One image as an HTJ2K codestream, and back.
#include "codec/codec.h"

#include <nanobind/ndarray.h>

#include <algorithm>
#include <bit>

#include "base/result.h"
#include "binding.h"
#include "codec/htj2k_header.h"

namespace dicube::python {
namespace {

using Octets = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OctetsOut = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// `pixels`: rows x columns x samples values of `bits` bits, little endian.
nb::bytes encode_htj2k(Octets pixels, std::uint32_t rows, std::uint32_t columns, std::uint16_t samples,
                       std::uint8_t bits, bool is_signed, bool colour) {
  codec::Shape shape;
  shape.rows = rows;
  shape.columns = columns;
  shape.samples = samples;
  shape.bits = bits;
  shape.is_signed = is_signed;
  shape.colour = colour;
  if (bits < 32) shape.precision = bits;  // so that decoding gives the same type; HTJ2K holds no 32 bits
  const ByteSpan bytes{reinterpret_cast<const std::byte*>(pixels.data()), pixels.size()};
  if (codec::frame_bytes(shape) != bytes.size())
    raise_error({ErrorClass::kUsage, "the image's bytes and its shape disagree", ""});
  Bytes out;
  check(without_gil([&] { return codec::Workspace().encode(codec::CodecId::kHtj2k, shape, bytes, out); }));
  return to_bytes(out);
}

Result<codec::Shape> shape_of(const codec::Htj2kHeader& header) {
  codec::Shape shape;
  shape.rows = header.rows;
  shape.columns = header.columns;
  shape.samples = header.components;
  shape.is_signed = header.component[0].is_signed;
  shape.bits = static_cast<std::uint8_t>(std::max(8U, std::bit_ceil(unsigned{header.component[0].precision})));
  DICUBE_TRY(codec::check_htj2k_shape(header, shape));
  return shape;
}

// Before memory is made for its pixels.
nb::tuple htj2k_shape(nb::bytes stream) {
  const auto header = value_or_raise(codec::read_htj2k_header(span_of(stream)));
  const auto shape = value_or_raise(shape_of(header));
  const auto bytes = codec::frame_bytes(shape);
  if (!bytes) raise_error({ErrorClass::kLimit, "the codestream's image has more bytes than 64 bits count", ""});
  check(codec::check_stream(codec::CodecId::kHtj2k, shape, span_of(stream), *bytes));
  return nb::make_tuple(shape.rows, shape.columns, shape.samples, shape.bits, shape.is_signed, header.levels);
}

void decode_htj2k(nb::bytes stream, unsigned level, OctetsOut out) {
  const auto header = value_or_raise(codec::read_htj2k_header(span_of(stream)));
  const auto whole = value_or_raise(shape_of(header));
  const MutableByteSpan pixels{reinterpret_cast<std::byte*>(out.data()), out.size()};
  if (level > header.levels || codec::frame_bytes(codec::reduced(whole, level)) != pixels.size())
    raise_error({ErrorClass::kUsage, "the array's bytes and the codestream's shape disagree", ""});
  const ByteSpan bytes = span_of(stream);
  check(without_gil(
      [&] { return codec::Workspace().decode_reduced(codec::CodecId::kHtj2k, whole, bytes, level, pixels); }));
}

}  // namespace

void bind_codec(nb::module_& m) {
  m.def("encode_htj2k", &encode_htj2k, nb::arg("pixels"), nb::arg("rows"), nb::arg("columns"), nb::arg("samples"),
        nb::arg("bits"), nb::arg("is_signed"), nb::arg("colour"));
  m.def("htj2k_shape", &htj2k_shape, nb::arg("stream"),
        nb::sig("def htj2k_shape(stream: bytes) -> tuple[int, int, int, int, bool, int]"),
        "(rows, columns, samples, bits, signed, levels) of a codestream that may be decoded.");
  m.def("decode_htj2k", &decode_htj2k, nb::arg("stream"), nb::arg("level"), nb::arg("out").noconvert());
}

}  // namespace dicube::python
