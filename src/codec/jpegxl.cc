// JPEG XL (ISO/IEC 18181-1) through libjxl. What it coded in another colour space comes out as red, green, blue.
#include <jxl/decode.h>
#include <jxl/encode.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "codec/foreign.h"

namespace dicube::codec {
namespace {

constexpr int kEffort = 3;

struct DecoderDeleter {
  void operator()(JxlDecoder* decoder) const { JxlDecoderDestroy(decoder); }
};
struct EncoderDeleter {
  void operator()(JxlEncoder* encoder) const { JxlEncoderDestroy(encoder); }
};

Status check_info(const JxlBasicInfo& info, const Shape& shape) {
  DICUBE_TRY(check_declared("JPEG XL", {info.xsize, info.ysize, info.num_color_channels, info.bits_per_sample}, shape));
  if (info.exponent_bits_per_sample != 0 || info.bits_per_sample > 16)
    return fail(ErrorClass::kUnsupported,
                "JPEG XL codestream: {} bits with {} of exponent; integers of at most 16 supported",
                info.bits_per_sample, info.exponent_bits_per_sample);
  if (info.num_extra_channels != 0)
    return fail(ErrorClass::kUnsupported, "JPEG XL codestream: {} channels besides the colours",
                info.num_extra_channels);
  return {};
}

// libjxl scales values of other widths to the whole range of what they come out as.
void scale_back(const Bytes& floats, unsigned precision, const Shape& shape, std::byte* to) {
  const float most = static_cast<float>((1U << precision) - 1);
  Bytes values(floats.size() / 2);
  for (std::size_t i = 0; i < values.size() / 2; ++i) {
    float value;
    std::memcpy(&value, floats.data() + 4 * i, 4);
    value = std::isfinite(value) ? std::clamp(std::nearbyint(value * most), 0.0F, most) : 0.0F;
    store_le(values.data() + 2 * i, static_cast<std::uint16_t>(value));
  }
  place_values(values.data(), 2, values.size() / 2, precision, shape, to);
}

// Values as fractions of the most that the precision holds: what libjxl takes of precisions that no integer type has.
Bytes as_fractions(const Shape& shape, unsigned precision, ByteSpan pixels) {
  const float most = static_cast<float>((1U << precision) - 1);
  const std::size_t width = shape.bits / 8U;
  Bytes floats(pixels.size() / width * 4);
  for (std::size_t i = 0; i < floats.size() / 4; ++i) {
    const unsigned value =
        width == 1 ? std::to_integer<unsigned>(pixels[i]) : load_le<std::uint16_t>(pixels.data() + 2 * i);
    const float fraction = static_cast<float>(value) / most;
    std::memcpy(floats.data() + 4 * i, &fraction, 4);
  }
  return floats;
}

bool start_frame(JxlEncoder* encoder, const Shape& shape, unsigned precision, ByteSpan pixels, float distance) {
  JxlBasicInfo info;
  JxlEncoderInitBasicInfo(&info);
  info.xsize = shape.columns;
  info.ysize = shape.rows;
  info.bits_per_sample = precision;
  info.num_color_channels = shape.samples;
  info.uses_original_profile = JXL_TRUE;
  JxlColorEncoding colour;
  JxlColorEncodingSetToSRGB(&colour, shape.samples == 1 ? JXL_TRUE : JXL_FALSE);
  if (JxlEncoderSetCodestreamLevel(encoder, 10) != JXL_ENC_SUCCESS ||
      JxlEncoderSetBasicInfo(encoder, &info) != JXL_ENC_SUCCESS ||
      JxlEncoderSetColorEncoding(encoder, &colour) != JXL_ENC_SUCCESS)
    return false;
  JxlEncoderFrameSettings* settings = JxlEncoderFrameSettingsCreate(encoder, nullptr);
  const auto loss =
      distance == 0 ? JxlEncoderSetFrameLossless(settings, JXL_TRUE) : JxlEncoderSetFrameDistance(settings, distance);
  if (loss != JXL_ENC_SUCCESS ||
      JxlEncoderFrameSettingsSetOption(settings, JXL_ENC_FRAME_SETTING_EFFORT, kEffort) != JXL_ENC_SUCCESS)
    return false;
  const bool whole = precision == shape.bits;
  const Bytes floats = whole ? Bytes() : as_fractions(shape, precision, pixels);
  const JxlDataType type = !whole ? JXL_TYPE_FLOAT : shape.bits == 8 ? JXL_TYPE_UINT8 : JXL_TYPE_UINT16;
  const JxlPixelFormat format{shape.samples, type, JXL_LITTLE_ENDIAN, 0};
  const ByteSpan frame = whole ? pixels : ByteSpan(floats);
  if (JxlEncoderAddImageFrame(settings, &format, frame.data(), frame.size()) != JXL_ENC_SUCCESS) return false;
  JxlEncoderCloseInput(encoder);
  return true;
}

// Values at the middle of steps of 2 near + 1: what libjxl then codes without loss is within `near`, and smaller than
// what its own quantisation, made for eyes, gives for the same bound (docs/codec-notes.md).
Bytes rounded(const Shape& shape, unsigned precision, ByteSpan pixels, unsigned near) {
  const unsigned most = (1U << precision) - 1, step = 2 * near + 1;
  const auto round = [&](unsigned value) { return std::min((value + near) / step * step, most); };
  Bytes out(pixels.size());
  for (std::size_t at = 0; at < out.size(); at += shape.bits / 8U) {
    if (shape.bits == 8)
      out[at] = static_cast<std::byte>(round(std::to_integer<unsigned>(pixels[at])));
    else
      store_le(out.data() + at, static_cast<std::uint16_t>(round(load_le<std::uint16_t>(pixels.data() + at))));
  }
  return out;
}

}  // namespace

Status encode_jpegxl(const Shape& shape, ByteSpan pixels, Bytes& out, JpegXlLoss loss) {
  if (shape.is_signed) return fail(ErrorClass::kUnsupported, "JPEG XL of signed values");
  DICUBE_ASSIGN(unsigned precision, coded_precision("JPEG XL", shape, pixels));
  const unsigned stored = stored_precision(shape, pixels);
  if (loss.distance > 0) precision = stored;  // what comes out must not reach further bits
  const Bytes near = loss.near > 0 ? rounded(shape, stored, pixels, loss.near) : Bytes();
  if (loss.near > 0) pixels = near;
  const std::unique_ptr<JxlEncoder, EncoderDeleter> encoder(JxlEncoderCreate(nullptr));
  if (!encoder) return fail(ErrorClass::kLimit, "JPEG XL: no memory for an encoder");
  if (!start_frame(encoder.get(), shape, precision, pixels, loss.distance))
    return fail(ErrorClass::kUnsupported, "JPEG XL: can't encode {} x {} x {} values of {} bits", shape.columns,
                shape.rows, shape.samples, precision);
  Bytes coded(pixels.size() / 2 + 4096);
  std::size_t done = 0;
  for (;;) {
    auto* next = reinterpret_cast<std::uint8_t*>(coded.data() + done);
    std::size_t left = coded.size() - done;
    const JxlEncoderStatus status = JxlEncoderProcessOutput(encoder.get(), &next, &left);
    done = coded.size() - left;
    if (status == JXL_ENC_SUCCESS) break;
    if (status != JXL_ENC_NEED_MORE_OUTPUT) return fail(ErrorClass::kUnsupported, "JPEG XL: the encoder failed");
    coded.resize(2 * coded.size());
  }
  append(out, ByteSpan(coded).first(done));
  return {};
}

namespace {

// Where libjxl puts a frame's values: in the frame itself where they have the type of its container, else in memory of
// their own, from which they are moved there.
class Values {
 public:
  Values(const Shape& shape, MutableByteSpan pixels) : shape_(shape), pixels_(pixels) {}

  Status provide(JxlDecoder* decoder, unsigned bits) {
    bits_ = bits;
    const unsigned width = bits == 8 ? 1 : bits == 16 ? 2 : 4;
    const std::size_t values = std::size_t{shape_.rows} * shape_.columns * shape_.samples;
    const JxlDataType type = width == 1 ? JXL_TYPE_UINT8 : width == 2 ? JXL_TYPE_UINT16 : JXL_TYPE_FLOAT;
    const JxlPixelFormat format{shape_.samples, type, JXL_LITTLE_ENDIAN, 0};
    direct_ = width != 4 && 8 * width == shape_.bits;
    if (!direct_) decoded_.resize(values * width);
    std::byte* to = direct_ ? pixels_.data() : decoded_.data();
    if (JxlDecoderSetImageOutBuffer(decoder, &format, to, values * width) == JXL_DEC_SUCCESS) return {};
    return fail(ErrorClass::kCodec, "JPEG XL codestream: {} bytes do not hold its frame", values * width);
  }

  void move_to_frame() const {
    if (direct_) return;
    if (bits_ == 8 || bits_ == 16)
      place_values(decoded_.data(), bits_ / 8, decoded_.size() / (bits_ / 8), bits_, shape_, pixels_.data());
    else
      scale_back(decoded_, bits_, shape_, pixels_.data());
  }

 private:
  const Shape& shape_;
  MutableByteSpan pixels_;
  Bytes decoded_;
  unsigned bits_ = 0;  // per sample
  bool direct_ = false;
};

}  // namespace

Status decode_jpegxl(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  const std::unique_ptr<JxlDecoder, DecoderDeleter> decoder(JxlDecoderCreate(nullptr));
  if (!decoder) return fail(ErrorClass::kLimit, "JPEG XL codestream: no memory for a decoder");
  JxlDecoderSubscribeEvents(decoder.get(), JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE);
  JxlDecoderSetKeepOrientation(decoder.get(), JXL_TRUE);
  JxlDecoderSetInput(decoder.get(), reinterpret_cast<const std::uint8_t*>(stream.data()), stream.size());
  JxlBasicInfo info{};
  Values values(shape, pixels);
  for (;;) {
    switch (JxlDecoderProcessInput(decoder.get())) {
      case JXL_DEC_BASIC_INFO:
        if (JxlDecoderGetBasicInfo(decoder.get(), &info) != JXL_DEC_SUCCESS)
          return fail(ErrorClass::kCodec, "JPEG XL codestream: no header");
        DICUBE_TRY(check_info(info, shape));
        break;
      case JXL_DEC_NEED_IMAGE_OUT_BUFFER: DICUBE_TRY(values.provide(decoder.get(), info.bits_per_sample)); break;
      case JXL_DEC_FULL_IMAGE: values.move_to_frame(); return {};
      case JXL_DEC_NEED_MORE_INPUT:
        return fail(ErrorClass::kCodec, "JPEG XL codestream: cut off at {} bytes", stream.size());
      default: return fail(ErrorClass::kCodec, "JPEG XL codestream: malformed");
    }
  }
}

}  // namespace dicube::codec
