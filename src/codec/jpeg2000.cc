// JPEG 2000 (ISO/IEC 15444-1) through OpenJPEG. A component transform is undone: RCT and ICT come out as red, green,
// blue.
#include <openjpeg.h>

#include <algorithm>
#include <memory>

#include "codec/foreign.h"
#include "codec/jpeg2000_cost.h"

namespace dicube::codec {
namespace {

struct CodecDeleter {
  void operator()(opj_codec_t* codec) const { opj_destroy_codec(codec); }
};
struct StreamDeleter {
  void operator()(opj_stream_t* stream) const { opj_stream_destroy(stream); }
};
struct ImageDeleter {
  void operator()(opj_image_t* image) const { opj_image_destroy(image); }
};
using Image = std::unique_ptr<opj_image_t, ImageDeleter>;

constexpr unsigned kMostComponents = 4;

// The codestream itself: some sources wrap it into the boxes of JP2 (ISO/IEC 15444-1 I.4), which PS3.5 8.2.4 forbids.
Result<ByteSpan> without_boxes(ByteSpan stream) {
  if (stream.size() < 12 || load_be<std::uint32_t>(stream.data()) != 12 || as_text(stream.subspan(4, 4)) != "jP  ")
    return stream;
  for (std::size_t at = 0; at + 8 <= stream.size();) {
    std::uint64_t length = load_be<std::uint32_t>(stream.data() + at), header = 8;
    const auto type = as_text(stream.subspan(at + 4, 4));
    if (length == 1 && at + 16 <= stream.size()) {
      length = load_be<std::uint64_t>(stream.data() + at + 8);
      header = 16;
    }
    if (length == 0) length = stream.size() - at;
    if (length < header || length > stream.size() - at)
      return fail(ErrorClass::kCodec, "JPEG 2000 file: a box of {} bytes at byte {} of {}", length, at, stream.size());
    if (type == "jp2c") return stream.subspan(at + header, length - header);
    at += length;
  }
  return fail(ErrorClass::kCodec, "JPEG 2000 file: no codestream in its {} bytes", stream.size());
}

// A.5.1
Result<Declared> read_siz(ByteSpan stream) {
  if (stream.size() < 44 || load_be<std::uint32_t>(stream.data()) != 0xFF4FFF51)
    return fail(ErrorClass::kCodec, "JPEG 2000 codestream: no SOC and SIZ markers at its start");
  const auto u32 = [&](std::size_t at) { return load_be<std::uint32_t>(stream.data() + at); };
  const std::uint32_t x1 = u32(8), y1 = u32(12), x0 = u32(16), y0 = u32(20);
  if (x1 <= x0 || y1 <= y0)
    return fail(ErrorClass::kCodec, "JPEG 2000 codestream: the image ends at {}, {} and starts at {}, {}", x1, y1, x0,
                y0);
  Declared declared{x1 - x0, y1 - y0, load_be<std::uint16_t>(stream.data() + 40), 0};
  if (stream.size() < 42 + 3 * std::size_t{declared.samples})
    return fail(ErrorClass::kCodec, "JPEG 2000 codestream: {} components in {} bytes", declared.samples, stream.size());
  for (unsigned c = 0; c < std::min(declared.samples, kMostComponents); ++c) {
    const auto depth = std::to_integer<unsigned>(stream[42 + 3 * c]);
    declared.precision = std::max(declared.precision, (depth & 0x7F) + 1);
    if (stream[43 + 3 * c] != std::byte{1} || stream[44 + 3 * c] != std::byte{1})
      return fail(ErrorClass::kUnsupported, "JPEG 2000 codestream: component {} is subsampled", c);
  }
  return declared;
}

struct Input {
  ByteSpan bytes;
  std::size_t at = 0;
};

constexpr auto kEnd = static_cast<OPJ_SIZE_T>(-1);

OPJ_SIZE_T read_bytes(void* to, OPJ_SIZE_T size, void* data) {
  auto& input = *static_cast<Input*>(data);
  if (input.at == input.bytes.size()) return kEnd;
  size = std::min(size, input.bytes.size() - input.at);
  std::memcpy(to, input.bytes.data() + input.at, size);
  input.at += size;
  return size;
}

OPJ_OFF_T skip_bytes(OPJ_OFF_T size, void* data) {
  auto& input = *static_cast<Input*>(data);
  const auto left = static_cast<OPJ_OFF_T>(input.bytes.size() - input.at);
  if (size < 0 || left == 0) return -1;
  size = std::min(size, left);
  input.at += static_cast<std::size_t>(size);
  return size;
}

OPJ_BOOL seek_bytes(OPJ_OFF_T to, void* data) {
  auto& input = *static_cast<Input*>(data);
  if (to < 0 || static_cast<std::size_t>(to) > input.bytes.size()) return OPJ_FALSE;
  input.at = static_cast<std::size_t>(to);
  return OPJ_TRUE;
}

void keep_message(const char* text, void* data) {
  auto& message = *static_cast<std::string*>(data);
  if (!message.empty()) return;
  message = text;
  while (!message.empty() && message.back() == '\n') message.pop_back();
}

// A component that is signed only in the codestream, or only in the data set: its values' low bits, as many as its
// precision, are numbers of the data set's signedness.
template <class T>
void store_component(const opj_image_comp_t& component, std::size_t count, std::size_t stride, bool is_signed,
                     std::byte* to) {
  const unsigned unused = 32 - std::clamp(component.prec, 1U, 32U);
  for (std::size_t i = 0; i < count; ++i) {
    auto value = static_cast<std::uint32_t>(component.data[i]);
    if (is_signed && component.sgnd == 0)
      value = static_cast<std::uint32_t>(static_cast<std::int32_t>(value << unused) >> unused);
    if (!is_signed && component.sgnd != 0) value = value << unused >> unused;
    store_le(to + i * stride * sizeof(T), static_cast<T>(value));
  }
}

struct Output {
  Bytes bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T write_bytes(void* from, OPJ_SIZE_T size, void* data) {
  auto& output = *static_cast<Output*>(data);
  output.bytes.resize(std::max(output.bytes.size(), output.at + size));
  std::memcpy(output.bytes.data() + output.at, from, size);
  output.at += size;
  return size;
}

OPJ_OFF_T skip_output(OPJ_OFF_T size, void* data) {
  auto& output = *static_cast<Output*>(data);
  if (size < 0) return -1;
  output.at += static_cast<std::size_t>(size);
  output.bytes.resize(std::max(output.bytes.size(), output.at));
  return size;
}

OPJ_BOOL seek_output(OPJ_OFF_T to, void* data) {
  auto& output = *static_cast<Output*>(data);
  if (to < 0) return OPJ_FALSE;
  output.at = static_cast<std::size_t>(to);
  output.bytes.resize(std::max(output.bytes.size(), output.at));
  return OPJ_TRUE;
}

Image image_of(const Shape& shape, unsigned precision, ByteSpan pixels) {
  std::array<opj_image_cmptparm_t, kMostComponents> components{};
  for (opj_image_cmptparm_t& component : components) {
    component.dx = component.dy = 1;
    component.w = shape.columns;
    component.h = shape.rows;
    component.prec = precision;
    component.sgnd = shape.is_signed;
  }
  Image image(
      opj_image_create(shape.samples, components.data(), shape.samples == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY));
  if (!image) return image;
  image->x1 = shape.columns;
  image->y1 = shape.rows;
  const std::size_t count = std::size_t{shape.rows} * shape.columns;
  for (unsigned c = 0; c < shape.samples; ++c)
    for (std::size_t i = 0; i < count; ++i) {
      const std::byte* from = pixels.data() + (i * shape.samples + c) * (shape.bits / 8U);
      const std::uint16_t value =
          shape.bits == 8 ? std::to_integer<std::uint16_t>(*from) : load_le<std::uint16_t>(from);
      const int widened = shape.bits == 8 ? static_cast<std::int8_t>(value) : static_cast<std::int16_t>(value);
      image->comps[c].data[i] = shape.is_signed ? widened : value;
    }
  return image;
}

// As many as leave the smallest resolution 32 or more wide and high, at most five.
int resolutions(const Shape& shape) {
  int count = 1;
  for (std::uint32_t side = std::min(shape.rows, shape.columns); side >= 64 && count < 6; side /= 2) ++count;
  return count;
}

Result<Image> decoded_image(ByteSpan stream) {
  std::string message;
  Input input{stream};
  const std::unique_ptr<opj_codec_t, CodecDeleter> codec(opj_create_decompress(OPJ_CODEC_J2K));
  const std::unique_ptr<opj_stream_t, StreamDeleter> source(
      opj_stream_create(std::clamp<std::size_t>(stream.size(), 64, 1 << 20), OPJ_TRUE));
  if (!codec || !source) return fail(ErrorClass::kLimit, "JPEG 2000 codestream: no memory for a decoder");
  opj_set_error_handler(codec.get(), keep_message, &message);
  opj_stream_set_user_data(source.get(), &input, nullptr);
  opj_stream_set_user_data_length(source.get(), stream.size());
  opj_stream_set_read_function(source.get(), read_bytes);
  opj_stream_set_skip_function(source.get(), skip_bytes);
  opj_stream_set_seek_function(source.get(), seek_bytes);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* raw = nullptr;
  bool done = opj_setup_decoder(codec.get(), &parameters) != 0 && opj_read_header(source.get(), codec.get(), &raw) != 0;
  Image image(raw);
  done = done && opj_decode(codec.get(), source.get(), image.get()) != 0 &&
         opj_end_decompress(codec.get(), source.get()) != 0;
  if (!done) return fail(ErrorClass::kCodec, "JPEG 2000 codestream: {}", message.empty() ? "malformed" : message);
  return image;
}

}  // namespace

Status encode_jpeg2000(const Shape& shape, ByteSpan pixels, Bytes& out) {
  DICUBE_ASSIGN(const unsigned precision, coded_precision("JPEG 2000", shape, pixels));
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  parameters.numresolution = resolutions(shape);
  parameters.tcp_numlayers = 1;
  parameters.cp_disto_alloc = 1;
  parameters.tcp_mct = shape.colour && shape.samples == 3 ? 1 : 0;
  std::string message;
  Output output;
  const auto image = image_of(shape, precision, pixels);
  const std::unique_ptr<opj_codec_t, CodecDeleter> codec(opj_create_compress(OPJ_CODEC_J2K));
  const std::unique_ptr<opj_stream_t, StreamDeleter> sink(opj_stream_create(1 << 20, OPJ_FALSE));
  if (!image || !codec || !sink) return fail(ErrorClass::kLimit, "JPEG 2000: no memory for an encoder");
  opj_set_error_handler(codec.get(), keep_message, &message);
  opj_stream_set_user_data(sink.get(), &output, nullptr);
  opj_stream_set_write_function(sink.get(), write_bytes);
  opj_stream_set_skip_function(sink.get(), skip_output);
  opj_stream_set_seek_function(sink.get(), seek_output);
  const bool done = opj_setup_encoder(codec.get(), &parameters, image.get()) != 0 &&
                    opj_start_compress(codec.get(), image.get(), sink.get()) != 0 &&
                    opj_encode(codec.get(), sink.get()) != 0 && opj_end_compress(codec.get(), sink.get()) != 0;
  if (!done) return fail(ErrorClass::kUnsupported, "JPEG 2000: {}", message.empty() ? "can't encode" : message);
  append(out, output.bytes);
  return {};
}

Status check_jpeg2000_source(const Shape& shape, ByteSpan stream) {
  DICUBE_ASSIGN(stream, without_boxes(stream));
  DICUBE_ASSIGN(const auto declared, read_siz(stream));
  DICUBE_TRY(check_declared("JPEG 2000", declared, shape));
  if (as_text(stream).rfind("\xFF\xD9") != std::string_view::npos) return {};
  return fail(ErrorClass::kCodec, "JPEG 2000 codestream: no EOC marker in its {} bytes", stream.size());
}

Status decode_jpeg2000(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_ASSIGN(stream, without_boxes(stream));
  DICUBE_ASSIGN(const Declared declared, read_siz(stream));
  DICUBE_TRY(check_declared("JPEG 2000", declared, shape));
  DICUBE_TRY(check_jpeg2000_cost(stream));
  if (shape.samples > kMostComponents || shape.bits > 32)
    return fail(ErrorClass::kUnsupported, "JPEG 2000 codestream: {} components of {} bits", shape.samples, shape.bits);
  DICUBE_ASSIGN(const Image image, decoded_image(stream));
  const std::size_t count = std::size_t{shape.rows} * shape.columns;
  for (unsigned c = 0; c < shape.samples; ++c) {
    const opj_image_comp_t& component = image->comps[c];
    if (component.data == nullptr || component.w != shape.columns || component.h != shape.rows)
      return fail(ErrorClass::kCodec, "JPEG 2000 codestream: component {} decodes to {} x {} values", c, component.w,
                  component.h);
    std::byte* to = pixels.data() + c * (shape.bits / 8U);
    if (shape.bits == 8)
      store_component<std::uint8_t>(component, count, shape.samples, shape.is_signed, to);
    else if (shape.bits == 16)
      store_component<std::uint16_t>(component, count, shape.samples, shape.is_signed, to);
    else
      store_component<std::uint32_t>(component, count, shape.samples, shape.is_signed, to);
  }
  return {};
}

}  // namespace dicube::codec
