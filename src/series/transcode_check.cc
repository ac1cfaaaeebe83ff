// What was written, decoded with the ordinary reader and compared with the archive's own frames.
#include <algorithm>

#include "archive/arrangement.h"
#include "archive/pixels.h"
#include "archive/shapes.h"
#include "archive/state.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "series/frame_values.h"
#include "series/transcode.h"

namespace dicube::series {
namespace {

using codec::CodecId;

// The largest difference between frames of `plan`, in `file`, and those of the archive from `first` on.
class Comparison {
 public:
  Comparison(const Archive& archive, const Instance& instance, const archive::PixelPlan& plan, ByteSpan bytes,
             bool clean)
      : archive_(archive), instance_(instance), plan_(plan), bytes_(bytes), clean_(clean) {}

  Result<std::uint64_t> difference(std::size_t i) const {
    const std::size_t frame = instance_.first_frame + i;
    const format::FrameFormat& before = format_of(frame);
    const PixelFormat &wanted = archive_.pixel_format(frame), got = archive::public_format(plan_.format);
    if (got.frame_bytes() != wanted.frame_bytes() || got.rows != wanted.rows || got.columns != wanted.columns ||
        got.is_signed != wanted.is_signed)
      return fail(ErrorClass::kCodec, "frame {} written has {} bytes, {} expected", i, got.frame_bytes(),
                  wanted.frame_bytes());
    Bytes ours(got.frame_bytes()), theirs(wanted.frame_bytes());
    DICUBE_TRY(archive_.read_frame(frame, theirs));
    archive::saturate_lossy(before, theirs);
    DICUBE_TRY(decode(i, ours));
    const codec::Shape shape = public_shape(before);
    if (clean_) clean_upper_bits(shape, theirs), clean_upper_bits(shape, ours);
    if (same_bytes(ours, theirs)) return 0;
    if (before.is_float || shape.bits == 1) return fail(ErrorClass::kCodec, "frame {} written has other values", i);
    return codec::largest_difference(shape, ours, theirs);
  }

 private:
  const format::FrameFormat& format_of(std::size_t frame) const {
    const auto& index = ArchiveAccess::state(archive_).index;
    return index.formats[index.frames[frame].format];
  }

  Status decode(std::size_t i, MutableByteSpan out) const {
    auto scratch = ArchiveAccess::state(archive_).scratch.lend();
    Bytes stored, coded;
    const format::FrameFormat& format = plan_.format;
    DICUBE_ASSIGN(const auto codec, archive::codec_of(format, static_cast<std::uint8_t>(CodecId::kStored)));
    const ByteSpan seen = archive::arranged(format, archive::frame_source(plan_, bytes_, i, stored), coded);
    return archive::decode_to_public(*scratch, format, codec, seen, 0, archive::bit_offset(format, i), out);
  }

  const Archive& archive_;
  const Instance& instance_;
  const archive::PixelPlan& plan_;
  ByteSpan bytes_;
  bool clean_;
};

}  // namespace

Result<std::uint64_t> check_transcoded(const Archive& archive, std::size_t number, const Transcoding& how,
                                       const Transcoded& made, ByteSpan written) {
  const Instance& instance = archive.instances()[number];
  if (!same_bytes(made.file, written))
    return fail(ErrorClass::kCodec, "{}: what was written does not read back", instance.name);
  if (made.unchanged) {
    if (sha256(written) == instance.sha256) return 0;
    return fail(ErrorClass::kCodec, "{}: the SHA-256 of the file written is not the original's", instance.name);
  }
  DICUBE_ASSIGN(const auto tokens, dicom::tokenize(written));
  if (const auto defect = dicom::first_defect(tokens))
    return fail(ErrorClass::kCodec, "{}: the file written makes no sense: {}", instance.name, defect->reason);
  if (instance.frames == 0) return 0;
  DICUBE_ASSIGN(const auto plan, archive::plan_pixels(tokens, written));
  if (!plan || plan->frames.size() != instance.frames)
    return fail(ErrorClass::kCodec, "{}: {} written, {} expected", instance.name,
                counted(plan ? plan->frames.size() : 0, "frame"), instance.frames);
  const bool clean = how.target->codec && *how.target->codec != CodecId::kRle;
  const Comparison comparison(archive, instance, *plan, written, clean);
  std::vector<std::uint64_t> differences(instance.frames);
  DICUBE_TRY(try_parallel(instance.frames, how.threads, [&](std::size_t i) -> Status {
    DICUBE_ASSIGN(differences[i], comparison.difference(i));
    return {};
  }));
  const std::uint64_t most = *std::ranges::max_element(differences);
  if (how.target->is_lossy ? how.loss.ratio == 0 && most > how.loss.most_error : most > 0)
    return fail(ErrorClass::kCodec, "{}: values written differ by up to {}, at most {} allowed", instance.name, most,
                how.target->is_lossy ? how.loss.most_error : 0);
  return most;
}

}  // namespace dicube::series
