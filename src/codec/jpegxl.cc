// JPEG XL (ISO/IEC 18181-1) through libjxl. What it coded in another colour space comes out as red, green, blue.
#include <jxl/decode.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "codec/foreign.h"

namespace dicube::codec {
namespace {

struct DecoderDeleter {
  void operator()(JxlDecoder* decoder) const { JxlDecoderDestroy(decoder); }
};

Status check_info(const JxlBasicInfo& info, const Shape& shape) {
  DICUBE_TRY(check_declared("JPEG XL", {info.xsize, info.ysize, info.num_color_channels, info.bits_per_sample}, shape));
  if (info.exponent_bits_per_sample != 0 || info.bits_per_sample > 16)
    return fail(ErrorClass::kUnsupported, "JPEG XL codestream: {} bits with {} of exponent; integers of at most 16 supported",
                info.bits_per_sample, info.exponent_bits_per_sample);
  if (info.num_extra_channels != 0)
    return fail(ErrorClass::kUnsupported, "JPEG XL codestream: {} channels besides the colours", info.num_extra_channels);
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

}  // namespace

Status decode_jpegxl(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  const std::unique_ptr<JxlDecoder, DecoderDeleter> decoder(JxlDecoderCreate(nullptr));
  if (!decoder) return fail(ErrorClass::kLimit, "JPEG XL codestream: no memory for a decoder");
  JxlDecoderSubscribeEvents(decoder.get(), JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE);
  JxlDecoderSetKeepOrientation(decoder.get(), JXL_TRUE);
  JxlDecoderSetInput(decoder.get(), reinterpret_cast<const std::uint8_t*>(stream.data()), stream.size());
  JxlDecoderCloseInput(decoder.get());
  JxlBasicInfo info{};
  Bytes decoded;
  bool direct = false;
  for (;;) {
    switch (JxlDecoderProcessInput(decoder.get())) {
      case JXL_DEC_BASIC_INFO: {
        if (JxlDecoderGetBasicInfo(decoder.get(), &info) != JXL_DEC_SUCCESS) return fail(ErrorClass::kCodec, "JPEG XL codestream: no header");
        DICUBE_TRY(check_info(info, shape));
        break;
      }
      case JXL_DEC_NEED_IMAGE_OUT_BUFFER: {
        const unsigned width = info.bits_per_sample == 8 ? 1 : info.bits_per_sample == 16 ? 2 : 4;
        const std::size_t values = std::size_t{shape.rows} * shape.columns * shape.samples;
        const JxlDataType type = width == 1 ? JXL_TYPE_UINT8 : width == 2 ? JXL_TYPE_UINT16 : JXL_TYPE_FLOAT;
        const JxlPixelFormat format{shape.samples, type, JXL_LITTLE_ENDIAN, 0};
        direct = width != 4 && 8 * width == shape.bits;
        if (!direct) decoded.resize(values * width);
        std::byte* to = direct ? pixels.data() : decoded.data();
        if (JxlDecoderSetImageOutBuffer(decoder.get(), &format, to, values * width) != JXL_DEC_SUCCESS)
          return fail(ErrorClass::kCodec, "JPEG XL codestream: {} bytes do not hold its frame", values * width);
        break;
      }
      case JXL_DEC_FULL_IMAGE: {
        if (direct) return {};
        if (info.bits_per_sample != 8 && info.bits_per_sample != 16) scale_back(decoded, info.bits_per_sample, shape, pixels.data());
        else place_values(decoded.data(), info.bits_per_sample / 8, decoded.size() / (info.bits_per_sample / 8), info.bits_per_sample, shape, pixels.data());
        return {};
      }
      case JXL_DEC_NEED_MORE_INPUT: return fail(ErrorClass::kCodec, "JPEG XL codestream: cut off at {} bytes", stream.size());
      default: return fail(ErrorClass::kCodec, "JPEG XL codestream: malformed");
    }
  }
}

}  // namespace dicube::codec
