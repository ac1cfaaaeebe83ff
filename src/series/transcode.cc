// An instance is transcoded so:
//  1. The file without its frames, or whole where its native pixels can stay, is put together and tokenised.
//  2. Frames that the archive keeps as the wanted codestreams are taken as they are; others are decoded and coded
//     (in parallel, by frame).
//  3. What the new pixels change in the data set becomes edits; the file is rewritten in the new encoding.
#include "series/transcode.h"

#include <algorithm>
#include <array>

#include "archive/arrangement.h"
#include "archive/pixels.h"
#include "archive/state.h"
#include "base/checked.h"
#include "base/parallel.h"
#include "codec/htj2k_header.h"
#include "codec/irreversible.h"
#include "dicom/converted_form.h"
#include "dicom/element_writer.h"
#include "dicom/rewrite.h"
#include "dicom/tags.h"
#include "dicom/top_level.h"
#include "dicom/uid.h"
#include "dicom/value.h"
#include "series/derived_image.h"
#include "series/frame_values.h"
#include "series/scan.h"

namespace dicube::series {
namespace {

using codec::CodecId;
using dicom::Edits;
using dicom::Encoding;
using dicom::Tag;
using dicom::text_edit;
using dicom::Token;
using dicom::TokenKind;

constexpr std::uint64_t kMostValue = 0xFFFFFFFE;
constexpr std::size_t kLeastElement = 8;  // bytes: a tag, and a length or a VR and a length (PS3.5 7.1)
constexpr std::uint64_t kMostUnproven = std::uint64_t{64} << 20;  // bytes of frames, before the first is decoded

const Token* pixels_of(const dicom::TopLevel& top) {
  for (Tag tag : {dicom::kPixelData, dicom::kFloatPixelData, dicom::kDoubleFloatPixelData})
    if (const Token* token = top.find(tag)) return token;
  return nullptr;
}

bool has_fragments_in_sequences(const dicom::Tokens& tokens) {
  int depth = 0;
  for (const Token& token : tokens.data) {
    if (token.kind == TokenKind::kSequence) ++depth;
    if (token.kind == TokenKind::kSequenceEnd) --depth;
    if (depth > 0 && token.kind == TokenKind::kFragments) return true;
  }
  return false;
}

class Transcoder {
 public:
  Transcoder(const Archive& archive, std::size_t number, const Transcoding& how)
      : archive_(archive),
        state_(ArchiveAccess::state(archive)),
        number_(number),
        instance_(archive.instances()[number]),
        how_(how),
        target_(*how.target) {
    if (instance_.frames > 0) format_ = &state_.index.formats[state_.index.frames[instance_.first_frame].format];
  }

  Result<Transcoded> run() {
    const bool native = format_ != nullptr && format_->transfer_syntax.empty();
    const bool subset = format_ != nullptr && format_->transfer_syntax == dicom::kHtj2kLosslessRpclUid &&
                        target_.uid == dicom::kHtj2kLosslessUid;  // PS3.5 A.4.8: the second asks for less
    const bool whole =
        format_ == nullptr || (native && !target_.codec) || subset || format_->transfer_syntax == target_.uid;
    DICUBE_TRY(whole ? ArchiveAccess::read_instance(archive_, number_, base_)
                     : ArchiveAccess::read_header(archive_, number_, base_));
    DICUBE_ASSIGN(tokens_, dicom::tokenize(base_));
    const ByteSpan data = tokens_.data_bytes(base_);
    const dicom::TopLevel top(tokens_.data, data);
    top_ = &top;
    has_pixels_ = pixels_of(top) != nullptr;
    if (keeps_original()) {
      if (!whole) DICUBE_TRY(ArchiveAccess::read_instance(archive_, number_, base_));
      return Transcoded{std::move(base_), true};
    }
    if (const Status explained = check_rest(data); !explained)
      return tl::unexpected<Error>(whole ? explained.error() : in_whole_file(explained.error()));
    if (std::ranges::all_of(tokens_.data, &dicom::is_stray))
      return fail(ErrorClass::kNotDicom, "there is no data set in its {} bytes", base_.size());
    DICUBE_TRY(check_held());
    Transcoded made;
    options_.encoding = target_.encoding;
    options_.transfer_syntax = target_.uid;
    if (!has_pixels_ && target_.codec) options_.transfer_syntax = dicom::kExplicitLittleUid;
    if (format_ == nullptr || (native && !target_.codec))
      DICUBE_TRY(keep_native_pixels(data));
    else if (target_.codec && !subset)
      DICUBE_TRY(code_pixels());
    else if (!subset)
      DICUBE_TRY(decode_pixels());
    set_meta(data);
    DICUBE_ASSIGN(made.file, dicom::rewrite(base_, std::move(edits_), options_));
    return made;
  }

 private:
  // The wanted syntax already, or no image and little endian.
  bool keeps_original() const {
    const std::string& own = tokens_.transfer_syntax;
    if (tokens_.stop || tokens_.deflated) return false;
    if (top_->text(dicom::kSopClassUid) == dicom::kDirectoryUid || is_dicomdir(tokens_, base_))
      return true;  // offsets in its records count bytes of the file (PS3.3 F.3.2.2)
    if (dicom::first_defect(tokens_)) return false;
    const bool as_said =
        tokens_.encoding == (own == dicom::kImplicitLittleUid ? Encoding::kImplicitLittle : Encoding::kExplicitLittle);
    if (own == target_.uid && as_said && tokens_.preamble > 0) return true;
    return !has_pixels_ && target_.codec && as_said && tokens_.preamble > 0 &&
           (own == dicom::kImplicitLittleUid || own == dicom::kExplicitLittleUid);
  }

  // What may stand behind the data set: zeros, less than an element behind its pixel data, or a checksum behind a
  // deflate stream that came to its end. Anything else may belong to it.
  Status check_rest(ByteSpan data) const {
    if (!tokens_.stop) return {};
    if (tokens_.deflated) {
      if (tokens_.inflated_whole && tokens_.end == data.size()) return {};
    } else {
      const ByteSpan rest = ByteSpan(base_).subspan(tokens_.end);
      if (has_pixels_ && rest.size() < kLeastElement) return {};
      if (std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; })) return {};
    }
    return fail(ErrorClass::kNotDicom, "the data set can't be explained: {}", tokens_.stop->reason);
  }

  // The error of check_rest() in the file with its frames, whose places people find again.
  Error in_whole_file(Error error) {
    if (!ArchiveAccess::read_instance(archive_, number_, base_)) return error;
    auto tokens = dicom::tokenize(base_);
    if (!tokens) return error;
    tokens_ = *std::move(tokens);
    const Status explained = check_rest(tokens_.data_bytes(base_));
    return explained ? error : explained.error();
  }

  Status check_held() const {
    if (!has_pixels_) return {};
    if (has_fragments_in_sequences(tokens_))
      return fail(ErrorClass::kUnsupported,
                  "an image inside a sequence is compressed, too: only the original syntax holds it");
    if (format_ == nullptr) {
      if (!target_.codec && pixels_of(*top_)->kind == TokenKind::kElement) return {};
      return fail(ErrorClass::kUnsupported, "its pixel data can't be told apart into frames");
    }
    if (!target_.codec) return {};
    const format::FrameFormat& f = *format_;
    if (f.is_float || f.bits_allocated == 1 || f.bits_allocated == 64)
      return fail(ErrorClass::kUnsupported, "{} does not hold {} pixels of {}", target_.name,
                  f.is_float ? "floating-point" : "integer", counted(f.bits_allocated, "bit"));
    if (*target_.codec != CodecId::kRle) {  // codestreams of more than 16 bits are legal, but hardly anybody reads them
      if (f.bits_allocated > 16)
        return fail(ErrorClass::kUnsupported, "{} of {}-bit values; 8 or 16 supported", target_.name, f.bits_allocated);
      if (f.bits_stored != 0 && f.high_bit + 1 != f.bits_stored)
        return fail(ErrorClass::kUnsupported, "High Bit is {} with {} stored: {} holds values in the lowest bits only",
                    f.high_bit, counted(f.bits_stored, "bit"), target_.name);
      if (has_overlay_in_pixels(*top_))
        return fail(ErrorClass::kUnsupported, "{} does not hold overlays in unused bits of the pixels", target_.name);
    }
    return target_.is_lossy ? check_lossy() : Status{};
  }

  Status check_lossy() const {
    constexpr std::string_view kSegmentations = "1.2.840.10008.5.1.4.1.1.66.";
    if (format_->photometric == "PALETTE COLOR")
      return fail(ErrorClass::kUnsupported, "indices into a palette bear no loss");
    if (top_->text(dicom::kSopClassUid).starts_with(kSegmentations))
      return fail(ErrorClass::kUnsupported, "a segmentation's labels bear no loss");
    return {};
  }

  // Native pixels go on as they are; in little endian, and of an even length (PS3.5 8.1.1).
  Status keep_native_pixels(ByteSpan data) {
    const Token* pixels = pixels_of(*top_);
    if (pixels == nullptr || pixels->kind != TokenKind::kElement) return {};
    const bool is_big = pixels->encoding == dicom::Encoding::kExplicitBig;
    const bool by_vr = format_ == nullptr || format_->swap == 1 || (is_big && format_->swap == 2);  // as rewriting does
    if (by_vr && pixels->length % 2 == 0) return {};
    Bytes value(data.begin() + static_cast<std::ptrdiff_t>(pixels->value),
                data.begin() + static_cast<std::ptrdiff_t>(pixels->value + pixels->length));
    if (!by_vr)
      dicom::swap_groups(value, format_->swap);  // Bits Allocated's, where the VR is OW
    else if (is_big)
      dicom::swap_numbers(pixels->vr, value);
    if (value.size() % 2 == 1) value.push_back(std::byte{0});
    edits_[pixels->tag] = {pixels->vr[0] == 0 ? std::array{'O', 'W'} : pixels->vr, std::move(value)};
    return {};
  }

  Status decode_pixels() {
    const codec::Shape shape = public_shape(*format_);
    const std::uint64_t frame = archive_.pixel_format(instance_.first_frame).frame_bytes();
    const bool packed = format_->bits_allocated == 1;
    const auto values = checked_mul(frame, instance_.frames);
    if (!values || *values / (packed ? 8 : 1) > kMostValue)
      return fail(ErrorClass::kUnsupported, "{} frames of {} bytes: native pixel data hold {}", instance_.frames,
                  packed ? frame / 8 : frame, kMostValue);
    if (*values > kMostUnproven) DICUBE_TRY(ArchiveAccess::read_values(archive_, instance_.first_frame));
    Bytes value(*values);
    DICUBE_TRY(try_parallel(instance_.frames, how_.threads, [&](std::size_t i) {
      return archive_.read_frame(instance_.first_frame + i, MutableByteSpan(value).subspan(i * frame, frame));
    }));
    archive::saturate_lossy(*format_, value);
    if (packed) value = archive::packed_bits(value);
    if (value.size() % 2 == 1) value.push_back(std::byte{0});
    edits_[dicom::kPixelData] = {{'O', shape.bits <= 8 ? 'B' : 'W'}, std::move(value)};
    describe_pixels(*format_, decoded_photometric(*format_), edits_);
    return keep_loss();
  }

  Status code_pixels() {
    dicom::Edit& pixels = edits_[dicom::kPixelData];
    pixels.vr = {'O', 'B'};
    pixels.frames.resize(instance_.frames);
    codec::Shape shape = public_shape(*format_);
    shape.colour = shape.colour && (target_.codec == CodecId::kHtj2k || target_.codec == CodecId::kJpeg2000);
    DICUBE_TRY(try_parallel(instance_.frames, how_.threads,
                            [&](std::size_t i) { return code_frame(i, shape, pixels.frames[i]); }));
    describe_pixels(*format_, coded_photometric(shape.colour), edits_);
    DICUBE_TRY(keep_loss());
    place_extended_offsets(pixels.frames);
    if (target_.is_lossy) describe_loss(pixels.frames);
    return {};
  }

  std::string coded_photometric(bool transformed) const {
    if (!transformed) return decoded_photometric(*format_);
    return target_.is_lossy ? "YBR_ICT" : "YBR_RCT";
  }

  Status code_frame(std::size_t i, const codec::Shape& shape, Bytes& out) const {
    const std::size_t frame = instance_.first_frame + i;
    DICUBE_ASSIGN(const bool passes, passed(frame, shape, out));
    if (passes) return {};
    DICUBE_ASSIGN(const auto read, ArchiveAccess::read_values(archive_, frame));
    const MutableByteSpan values = read.span();
    archive::saturate_lossy(*format_, values);
    auto scratch = state_.scratch.lend();
    if (*target_.codec != CodecId::kRle) clean_upper_bits(shape, values);
    if (!target_.is_lossy) return scratch->codec.encode(*target_.codec, shape, values, out);
    DICUBE_TRY(scratch->codec.encode_lossy(*target_.codec, shape, values, how_.loss, out));
    return {};
  }

  // The archive's own HTJ2K codestream, if it is what would be written: the same precision and colours. Blocks of
  // frames that are not native hold more, or another codestream.
  Result<bool> passed(std::size_t frame, const codec::Shape& shape, Bytes& out) const {
    if (target_.codec != CodecId::kHtj2k || target_.is_lossy || !format_->transfer_syntax.empty() ||
        archive_.codec(frame) != codec::name(CodecId::kHtj2k))
      return false;
    DICUBE_TRY(state_.read_frame(frame, out));
    DICUBE_ASSIGN(const auto header, codec::read_htj2k_header(out));
    const bool same = header.components == shape.samples && header.colour_transform == shape.colour &&
                      header.component[0].precision == std::max<unsigned>(shape.precision, 2) &&
                      header.component[0].is_signed == shape.is_signed;
    if (!same) out.clear();
    return same;
  }

  // Once lossy, always lossy (PS3.3 C.7.6.1.1.5), also where the source forgot to say so.
  Status keep_loss() {
    // JPEG with DCT, also within JPEG XL.
    constexpr std::array kAlwaysLossy = {dicom::kJpegBaselineUid, dicom::kJpegExtendedUid, dicom::kJpegSpectralUid,
                                         dicom::kJpegProgressiveUid, dicom::kJpegXlOfJpegUid};
    if (top_->text(dicom::kLossyImageCompression) == "01" || format_->transfer_syntax.empty()) return {};
    bool lossy = std::ranges::find(kAlwaysLossy, format_->transfer_syntax) != kAlwaysLossy.end();
    const auto codec = archive::codec_of_syntax(format_->transfer_syntax);
    if (!lossy && codec && codec::may_say_irreversible(*codec)) {
      Bytes stream;
      DICUBE_TRY(ArchiveAccess::read_codestream(archive_, instance_.first_frame, stream));
      lossy = codec::is_irreversible(*codec, stream);
    }
    if (!lossy) return {};
    edits_[dicom::kLossyImageCompression] = text_edit({'C', 'S'}, "01");
    if (!tells_lossy_steps(*top_)) add_lossy_step(*top_, source_ratio(), lossy_method(*codec), edits_);
    return {};
  }

  // How many times smaller than their values the source's codestreams are.
  double source_ratio() const {
    std::uint64_t coded = 0;
    for (std::uint64_t i = 0; i < instance_.frames; ++i) coded += state_.codestream_size(instance_.first_frame + i);
    return ratio_to(coded);
  }
  double ratio_to(std::uint64_t coded) const {
    const auto values = archive_.pixel_format(instance_.first_frame).frame_bytes() * instance_.frames;
    return static_cast<double>(values) / static_cast<double>(std::max<std::uint64_t>(1, coded));
  }

  // Where the offsets exceed the basic table's 32 bits (PS3.5 A.4), which put_fragments() then leaves empty.
  void place_extended_offsets(const std::vector<Bytes>& frames) {
    ByteWriter offsets, lengths;
    std::uint64_t at = 0;
    for (const Bytes& frame : frames) {
      offsets.put(at);
      lengths.put(std::uint64_t{frame.size() + frame.size() % 2});
      at += 8 + frame.size() + frame.size() % 2;
    }
    if (at <= 0xFFFFFFFF) return;
    edits_[dicom::kExtendedOffsetTable] = {{'O', 'V'}, offsets.take()};
    edits_[dicom::kExtendedOffsetTableLengths] = {{'O', 'V'}, lengths.take()};
  }

  void describe_loss(const std::vector<Bytes>& frames) {
    std::uint64_t coded = 0;
    for (const Bytes& frame : frames) coded += frame.size();
    derive_image(*top_, instance_, how_, ratio_to(coded), edits_);
    derive_frames(tokens_, base_);
  }

  // PS3.10 7.1: the UIDs are the data set's, the implementation is who wrote the file.
  void set_meta(ByteSpan data) {
    for (const auto& [tag, source] : {std::pair(dicom::kMetaSopClassUid, dicom::kSopClassUid),
                                      std::pair(dicom::kMetaSopInstanceUid, dicom::kSopInstanceUid)}) {
      const Token* token = top_->find(source);
      if (token == nullptr || token->kind != TokenKind::kElement || edits_.contains(source)) continue;
      edits_[tag] = text_edit({'U', 'I'}, std::string(dicom::trimmed(data.subspan(token->value, token->length))));
    }
    edits_[dicom::kImplementationClassUid] = text_edit({'U', 'I'}, std::string(dicom::kImplementationUid));
    edits_[dicom::kImplementationVersionName] = text_edit({'S', 'H'}, std::string(dicom::kImplementationName));
  }

  const Archive& archive_;
  const Archive::State& state_;
  std::size_t number_;
  const Instance& instance_;
  const Transcoding& how_;
  const TransferSyntax& target_;
  const format::FrameFormat* format_ = nullptr;  // of the frames; nullptr without
  Bytes base_;
  dicom::Tokens tokens_;
  const dicom::TopLevel* top_ = nullptr;
  bool has_pixels_ = false;
  Edits edits_;
  dicom::RewriteOptions options_;
};

}  // namespace

Result<Transcoded> transcode(const Archive& archive, std::size_t instance, const Transcoding& how) {
  auto made = Transcoder(archive, instance, how).run();
  if (made) return made;
  Error error = made.error();
  error.message = formatted("{}: {}", archive.instances()[instance].name, error.message);
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace dicube::series
