#include "series/frame_file.h"

#include "archive/arrangement.h"
#include "archive/state.h"
#include "codec/htj2k_header.h"
#include "dicom/rewrite.h"
#include "dicom/tags.h"
#include "dicom/uid.h"
#include "series/frame_values.h"

namespace dicube::series {
namespace {

using dicom::Edit;
using dicom::Edits;
using dicom::number_edit;
using dicom::RewriteOptions;
using dicom::text_edit;

class FrameFileMaker {
 public:
  FrameFileMaker(const Archive& archive, std::size_t frame, std::string uid, bool uncompressed)
      : archive_(archive),
        uncompressed_(uncompressed),
        state_(ArchiveAccess::state(archive)),
        frame_(frame),
        uid_(std::move(uid)),
        number_(archive.instance_of(frame)),
        instance_(archive.instances()[number_]),
        format_(state_.index.formats[state_.index.frames[frame].format]) {}

  // The original file where it is a single frame in the wanted form already, or in one that HTJ2K does not hold; and
  // where it begins as files do (PS3.10 7.1).
  Result<FrameFile> make() {
    DICUBE_ASSIGN(auto roots, state_.metadata->roots(number_));
    if (roots.kept && instance_.frames == 1) return original();
    const bool native = format_.transfer_syntax.empty();
    DICUBE_ASSIGN(const bool htj2k, code_htj2k());
    if (instance_.frames == 1 && !htj2k && (native || !uncompressed_)) {
      DICUBE_ASSIGN(auto file, original());
      if (dicom::has_prefix(file.file)) return file;
    }
    if (htj2k)
      DICUBE_TRY(add_htj2k());
    else if (native || uncompressed_)
      DICUBE_TRY(add_native());
    else
      DICUBE_TRY(add_encapsulated(format_.transfer_syntax));
    if (instance_.frames > 1) single_out();
    DICUBE_TRY(ArchiveAccess::read_header(archive_, number_, base_));
    DICUBE_ASSIGN(auto file, dicom::rewrite(base_, std::move(edits_), options_));
    return FrameFile{std::move(file), options_.transfer_syntax};
  }

 private:
  Result<FrameFile> original() const {
    DICUBE_ASSIGN(auto file, archive_.read_instance(number_));
    return FrameFile{std::move(file), ""};
  }

  Status add_encapsulated(std::string_view transfer_syntax) {
    if (stream_.empty()) DICUBE_TRY(ArchiveAccess::read_codestream(archive_, frame_, stream_));
    options_.encoding = dicom::Encoding::kExplicitLittle;
    options_.transfer_syntax = transfer_syntax;
    Edit& pixels = edits_[dicom::kPixelData];
    pixels.vr = {'O', 'B'};
    pixels.frames.push_back(std::move(stream_));
    return {};
  }

  // Whether the frame's values, all of them, are now an HTJ2K codestream in stream_: the archive's own, or one coded
  // here.
  Result<bool> code_htj2k() {
    if (uncompressed_ || !format_.transfer_syntax.empty() || format_.is_float) return false;
    if (format_.bits_allocated != 8 && format_.bits_allocated != 16) return false;
    if (format_.bits_stored != 0 && format_.high_bit + 1 != format_.bits_stored) return false;
    DICUBE_ASSIGN(const bool passes, pass());
    if (passes) return true;
    DICUBE_ASSIGN(const auto read, ArchiveAccess::read_values(archive_, frame_));
    Bytes values(read.span().begin(), read.span().end());
    codec::Shape shape = public_shape(format_);
    const Bytes whole = values;
    clean_upper_bits(shape, values);
    if (values != whole) {
      DICUBE_TRY(ArchiveAccess::read_header(archive_, number_, base_));
      DICUBE_ASSIGN(const auto tokens, dicom::tokenize(base_));
      if (has_overlay_in_pixels({tokens.data, tokens.data_bytes(base_)})) return false;
    }
    const Status coded = state_.scratch.lend()->codec.encode(codec::CodecId::kHtj2k, shape, values, stream_);
    if (!coded && coded.error().error_class == ErrorClass::kUnsupported) return false;
    DICUBE_TRY(coded);
    return true;
  }

  // The archive's own codestream, if its values are the stored ones: bits above Bits Stored, which do not count in a
  // native frame, would count in that. And if red, green and blue are transformed in it: public_shape says why.
  Result<bool> pass() {
    if (archive_.codec(frame_) != "htj2k") return false;
    DICUBE_TRY(state_.read_frame(frame_, stream_));
    DICUBE_ASSIGN(auto header, codec::read_htj2k_header(stream_));
    if (header.components == format_.samples && header.colour_transform == public_shape(format_).colour &&
        (format_.bits_stored == 0 || header.component[0].precision <= format_.bits_stored))
      return true;
    stream_.clear();
    return false;
  }

  // PS3.5 8.2.15: what the attributes say must be what the codestream says.
  Status add_htj2k() {
    DICUBE_TRY(add_encapsulated(dicom::kHtj2kLosslessRpclUid));
    DICUBE_ASSIGN(auto header, codec::read_htj2k_header(edits_[dicom::kPixelData].frames[0]));
    const std::uint16_t precision = header.component[0].precision;
    if (precision != format_.bits_stored) {
      edits_[dicom::kBitsStored] = number_edit(precision);
      edits_[dicom::kHighBit] = number_edit(static_cast<std::uint16_t>(precision - 1));
    }
    describe_pixels(format_, header.colour_transform ? "YBR_RCT" : decoded_photometric(format_), edits_);
    return {};
  }

  Status add_native() {
    const PixelFormat& format = archive_.pixel_format(frame_);
    DICUBE_ASSIGN(const auto read, ArchiveAccess::read_values(archive_, frame_));
    Bytes pixels(read.span().begin(), read.span().end());
    archive::saturate_lossy(format_, pixels);
    options_.encoding = dicom::Encoding::kExplicitLittle;
    options_.transfer_syntax = dicom::kExplicitLittleUid;
    if (format.bits_allocated == 1) pixels = archive::packed_bits(pixels);
    if (pixels.size() % 2 == 1) pixels.push_back(std::byte{0});
    describe_pixels(format_, decoded_photometric(format_), edits_);
    if (!format.is_float)
      edits_[dicom::kPixelData] = {{'O', format.bits_allocated <= 8 ? 'B' : 'W'}, std::move(pixels)};
    else if (format.bits_allocated == 32)
      edits_[dicom::kFloatPixelData] = {{'O', 'F'}, std::move(pixels)};
    else
      edits_[dicom::kDoubleFloatPixelData] = {{'O', 'D'}, std::move(pixels)};
    return {};
  }

  void single_out() {
    edits_[dicom::kNumberOfFrames] = text_edit({'I', 'S'}, "1");
    edits_[dicom::kSopInstanceUid] = text_edit({'U', 'I'}, uid_);
    options_.only_frame = frame_ - instance_.first_frame;
    options_.encoding = dicom::Encoding::kExplicitLittle;
  }

  const Archive& archive_;
  bool uncompressed_;
  const Archive::State& state_;
  std::size_t frame_;
  std::string uid_;
  std::size_t number_;
  const Instance& instance_;
  const format::FrameFormat& format_;
  Bytes base_, stream_;
  Edits edits_;
  RewriteOptions options_;
};

}  // namespace

Result<FrameFile> frame_file(const Archive& archive, std::size_t frame, std::string uid, bool uncompressed) {
  return FrameFileMaker(archive, frame, std::move(uid), uncompressed).make();
}

}  // namespace dicube::series
