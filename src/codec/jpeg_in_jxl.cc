#include "codec/jpeg_in_jxl.h"

#include <jxl/decode.h>
#include <jxl/encode.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "codec/foreign.h"
#include "codec/jxl_boxes.h"

namespace dicube::codec {
namespace {

constexpr int kEffort = 7;
constexpr std::size_t kFirstBuffer = std::size_t{64} << 10;
// Values of a frame; libjxl 0.7 takes 20 to 26 bytes for each, and packing has 256 MB (docs/cli.md).
constexpr std::uint64_t kLarge = std::uint64_t{1} << 20, kMost = std::uint64_t{9} << 20;

// Of 8 bits each, as all JPEG in JPEG XL.
std::uint64_t values_of(const Shape& shape) { return frame_bytes(shape).value_or(~std::uint64_t{0}); }

// Large frames are transcoded one at a time, for memory's sake.
std::unique_lock<std::mutex> wait_if_large(const Shape& shape) {
  static std::mutex turn;
  std::unique_lock lock(turn, std::defer_lock);
  if (values_of(shape) > kLarge) lock.lock();
  return lock;
}

struct DecoderDeleter {
  void operator()(JxlDecoder* decoder) const { JxlDecoderDestroy(decoder); }
};
struct EncoderDeleter {
  void operator()(JxlEncoder* encoder) const { JxlEncoderDestroy(encoder); }
};

const std::uint8_t* raw(ByteSpan bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

// Before libjxl makes memory for what a file announces.
Status check_announced(const Shape& shape, ByteSpan file, std::uint64_t most) {
  constexpr std::uint64_t kFree = std::uint64_t{16} << 20, kMostRatio = 4096, kFreeSegments = std::uint64_t{4} << 20;
  const auto size = frame_bytes(shape);
  if (size && (*size <= kFree || (*size - kFree) / kMostRatio <= file.size())) {
    DICUBE_ASSIGN(const auto segments, announced_jpeg_bytes(file));
    if (segments <= most + kFreeSegments) return {};
    return fail(ErrorClass::kCodec, "a JPEG XL file announces {} bytes of segments of a JPEG codestream of at most {}",
                segments, most);
  }
  return fail(ErrorClass::kLimit, "a JPEG XL file of {} bytes for {} x {} pixels", file.size(), shape.columns,
              shape.rows);
}

// More than any JPEG codestream of the shape that an encoder writes: values take 27 bits at most, and its segments are
// small.
std::uint64_t most_bytes(const Shape& shape) {
  constexpr std::uint64_t kSegments = std::uint64_t{1} << 20, kPerByte = 4;
  return kSegments + kPerByte * frame_bytes(shape).value_or(0);
}

Status malformed(ByteSpan file) {
  return fail(ErrorClass::kCodec, "a JPEG XL file of {} bytes is malformed or carries no JPEG codestream", file.size());
}

// A buffer that doubles until what libjxl writes fits. Version 0.7 begins anew with each, later ones go on behind what
// they wrote.
class Output {
 public:
  Output(JxlDecoder* decoder, std::uint64_t first, std::uint64_t most, Bytes& out)
      : decoder_(decoder), start_(out.size()), most_(most), next_(std::min(first, most)), out_(out) {}

  // False when the decoder wants more than `most` bytes.
  bool offer() {
    if (is_offered_) done_ = out_.size() - start_ - JxlDecoderReleaseJPEGBuffer(decoder_);
    if (is_offered_ && out_.size() - start_ == most_) return false;
    out_.resize(start_ + next_);
    next_ = std::min(most_, 2 * next_);
    is_offered_ = true;
    return JxlDecoderSetJPEGBuffer(decoder_, reinterpret_cast<std::uint8_t*>(out_.data() + start_ + done_),
                                   out_.size() - start_ - done_) == JXL_DEC_SUCCESS;
  }
  bool is_offered() const { return is_offered_; }
  void finish() { out_.resize(out_.size() - JxlDecoderReleaseJPEGBuffer(decoder_)); }

 private:
  JxlDecoder* decoder_;
  std::size_t start_, done_ = 0;
  std::uint64_t most_, next_;
  Bytes& out_;
  bool is_offered_ = false;
};

Status check_image(JxlDecoder* decoder, const Shape& shape, ByteSpan file) {
  JxlBasicInfo info{};
  if (JxlDecoderGetBasicInfo(decoder, &info) != JXL_DEC_SUCCESS) return malformed(file);
  DICUBE_TRY(check_declared("JPEG XL", {info.xsize, info.ysize, info.num_color_channels, info.bits_per_sample}, shape));
  if (info.num_extra_channels == 0 && info.exponent_bits_per_sample == 0 && info.have_animation == JXL_FALSE &&
      info.have_preview == JXL_FALSE)
    return {};
  return malformed(file);
}

// Appends what the file carries to `out`.
Status reconstruct(const Shape& shape, ByteSpan file, std::uint64_t most, Bytes& out) {
  const std::unique_ptr<JxlDecoder, DecoderDeleter> decoder(JxlDecoderCreate(nullptr));
  if (!decoder) return fail(ErrorClass::kLimit, "JPEG XL: no memory for a decoder");
  JxlDecoderSubscribeEvents(decoder.get(), JXL_DEC_BASIC_INFO | JXL_DEC_JPEG_RECONSTRUCTION | JXL_DEC_FULL_IMAGE);
  JxlDecoderSetInput(decoder.get(), raw(file), file.size());
  JxlDecoderCloseInput(decoder.get());
  Output output(decoder.get(), kFirstBuffer + 2 * file.size(), most, out);
  for (;;) {
    switch (JxlDecoderProcessInput(decoder.get())) {
      case JXL_DEC_BASIC_INFO: DICUBE_TRY(check_image(decoder.get(), shape, file)); break;
      case JXL_DEC_JPEG_RECONSTRUCTION:
        if (output.is_offered() || !output.offer()) return malformed(file);
        break;
      case JXL_DEC_JPEG_NEED_MORE_OUTPUT:
        if (!output.offer())
          return fail(ErrorClass::kCodec, "a JPEG XL file of {} bytes carries a JPEG codestream of over {}",
                      file.size(), most);
        break;
      case JXL_DEC_FULL_IMAGE:
        if (!output.is_offered()) return malformed(file);
        output.finish();
        return {};
      default: return malformed(file);
    }
  }
}

// What libjxl would refuse with a message on the standard error stream: a restart interval that changes from scan to
// scan.
bool has_one_restart_interval(ByteSpan stream) {
  constexpr std::string_view kDri = "\xFF\xDD";
  const std::string_view text = as_text(stream);
  return text.find(kDri) == text.rfind(kDri);
}

bool start_transcoding(JxlEncoder* encoder, ByteSpan stream) {
  JxlEncoderFrameSettings* settings = JxlEncoderFrameSettingsCreate(encoder, nullptr);
  const bool started =
      JxlEncoderUseContainer(encoder, JXL_TRUE) == JXL_ENC_SUCCESS &&
      JxlEncoderStoreJPEGMetadata(encoder, JXL_TRUE) == JXL_ENC_SUCCESS &&
      JxlEncoderFrameSettingsSetOption(settings, JXL_ENC_FRAME_SETTING_EFFORT, kEffort) == JXL_ENC_SUCCESS &&
      JxlEncoderAddJPEGFrame(settings, raw(stream), stream.size()) == JXL_ENC_SUCCESS;
  if (started) JxlEncoderCloseInput(encoder);
  return started;
}

// Nothing where libjxl does not hold the codestream. Its memory is free again afterwards.
Bytes transcode(ByteSpan stream) {
  const std::unique_ptr<JxlEncoder, EncoderDeleter> encoder(JxlEncoderCreate(nullptr));
  if (!encoder || !start_transcoding(encoder.get(), stream)) return {};
  Bytes file(stream.size() + kFirstBuffer);
  std::size_t done = 0;
  for (;;) {
    auto* next = reinterpret_cast<std::uint8_t*>(file.data() + done);
    std::size_t left = file.size() - done;
    const JxlEncoderStatus status = JxlEncoderProcessOutput(encoder.get(), &next, &left);
    done = file.size() - left;
    if (status == JXL_ENC_SUCCESS) break;
    if (status != JXL_ENC_NEED_MORE_OUTPUT) return {};
    file.resize(2 * file.size());
  }
  file.resize(done);
  return file;
}

}  // namespace

Result<Bytes> jpeg_to_jxl(const Shape& shape, ByteSpan stream) {
  const auto unsupported = [&] {
    return fail(ErrorClass::kUnsupported, "a JPEG codestream of {} bytes that JPEG XL does not carry", stream.size());
  };
  if (!has_one_restart_interval(stream)) return unsupported();
  if (values_of(shape) > kMost)
    return fail(ErrorClass::kUnsupported, "JPEG XL would take too much memory for {} x {} pixels", shape.columns,
                shape.rows);
  const auto turn = wait_if_large(shape);
  Bytes file = transcode(stream);
  if (file.empty()) return unsupported();
  Bytes again;
  if (!jpeg_from_jxl(shape, file, stream.size(), again) || !same_bytes(again, stream)) return unsupported();
  return file;
}

Status jpeg_from_jxl(const Shape& shape, ByteSpan file, std::uint64_t most, Bytes& out) {
  most = std::min(most, most_bytes(shape));
  DICUBE_TRY(check_announced(shape, file, most));
  const std::size_t start = out.size();
  Status done = reconstruct(shape, file, most, out);
  if (!done) out.resize(start);
  return done;
}

Status decode_jpeg_in_jxl(const Shape& shape, ByteSpan file, MutableByteSpan pixels) {
  Bytes stream;
  DICUBE_TRY(jpeg_from_jxl(shape, file, most_bytes(shape), stream));
  return decode_jpeg(shape, stream, pixels);
}

}  // namespace dicube::codec
