#include "series/frame_coder.h"

#include "archive/shapes.h"
#include "base/parallel.h"
#include "series/call.h"

namespace dicube::series {
namespace {

constexpr std::uint64_t kPartBytes = std::uint64_t{32} << 20;

}  // namespace

FrameCoder::FrameCoder(std::size_t files, const PackOptions& options, unsigned threads)
    : files_(files),
      options_(options),
      threads_(threads),
      is_chosen_(options.codec == Codec::kHtj2k || options.codec == Codec::kZstd),
      choice_(choice_of(options.codec)) {}

Status FrameCoder::code_batch(std::span<Prepared> files,
                              const std::function<void(std::size_t file, unsigned worker)>& code_alone,
                              const std::function<Status(std::size_t end)>& hand_on) {
  FrameList frames;
  for (std::size_t i = 0; i < files.size(); ++i)
    for (std::size_t frame = 0; !codes_at_once(files[i]) && frame < files[i].frames.size(); ++frame)
      frames.emplace_back(i, frame);
  const std::vector<ChainFrame> chain = chain_of(files, frames);
  if (!is_chosen_) choose(files, frames, chain);
  if (options_.references && !distance_) distance_ = best_distance(chain, scratch_, threads_);
  for (std::size_t first = 0, last = 0, at = 0; first < frames.size(); first = last) {
    last = files.size() == 1 ? end_of_part(files[0], first) : frames.size();
    const std::size_t begin = at;
    while (at < chain.size() && chain[at].place < last) ++at;
    parallel_for(at - begin, threads_, [&](std::size_t i, unsigned worker) {
      if (!check_cancel(options_)) return;
      const ChainFrame& own = chain[begin + i];
      const auto [file, frame] = frames[own.place];
      const ChainFrame* const reference = reference_of(chain, begin + i, distance_.value_or(0));
      if (stands_alone(files[file]))
        code_alone(file, worker);
      else if (reference == nullptr)
        code(files[file], frame);
      else
        code(files[file], frame, reference->pixels, own.place - reference->place);
    });
    DICUBE_TRY(check_cancel(options_));
    if (options_.references) free_orphans(files, std::span(frames).first(last), first);
    if (last < frames.size()) DICUBE_TRY(hand_on(last));
  }
  frames_before_ += frames.size();
  return check_cancel(options_);
}

// The frames as others may be coded after them, without those that repeat earlier ones.
std::vector<ChainFrame> FrameCoder::chain_of(std::span<Prepared> files, const FrameList& frames) {
  std::vector<ChainFrame> chain;
  Bytes none;  // frames that fit are in their files' bytes
  for (std::size_t place = 0; place < frames.size(); ++place) {
    const auto& [number, frame] = frames[place];
    Prepared& file = files[number];
    const format::FrameFormat& format = file.pixels->format;
    const bool fits = format.transfer_syntax.empty() && archive::is_as_coded(format);
    const ByteSpan bytes = file.tokens->data_bytes(file.bytes);
    const ByteSpan pixels = fits ? archive::frame_source(*file.pixels, bytes, frame, none) : ByteSpan();
    if (!repeats(file, frame, pixels, frames_before_ + place)) chain.push_back({&format, pixels, place});
  }
  return chain;
}

// Whether a frame, the `number`th of the series, has the pixels of an earlier one; then that is all that is said of it.
// With references it must be known before others are coded after it. The proof finds out if two hashes are alike by
// chance; files that it did not give back have no repeats.
bool FrameCoder::repeats(Prepared& file, std::size_t frame, ByteSpan pixels, std::uint64_t number) {
  if (!options_.references || pixels.empty() || file.care != Care::kNone) return false;
  const auto [first, is_new] = numbers_.try_emplace(xxh3_128(pixels, format::hash_of(file.pixels->format)), number);
  if (is_new || repeats_ == format::kMostFound) return false;
  ++repeats_;
  file.frames[frame].same = static_cast<std::uint32_t>(number - first->second);
  return true;
}

void FrameCoder::choose(std::span<const Prepared> files, const FrameList& frames, std::span<const ChainFrame> chain) {
  using archive::CodecChoice;
  is_chosen_ = true;
  constexpr std::size_t kFew = 3;  // trying them out takes longer than coding each with both codecs
  const bool are_few = files.size() == files_ && frames.size() <= kFew;
  if (options_.codec == Codec::kAuto && !are_few)
    choice_ = clear_choice(files, frames, threads_, options_).value_or(choice_);
  if (options_.references) distance_ = best_distance(chain, scratch_, threads_);
  if (choice_ == CodecChoice::kAuto || choice_ == CodecChoice::kAutoLane || choice_ == CodecChoice::kLane)
    heads_ = shared_heads(chain, distance_.value_or(0), scratch_);
}

void FrameCoder::code(Prepared& file, std::size_t frame, ByteSpan reference, std::size_t back) {
  auto scratch = scratch_.lend();
  const auto choice = file.care == Care::kNone ? choice_ : archive::CodecChoice::kPlain;
  archive::CodedFrame& coded = file.frames[frame];
  coded = archive::code_frame(*scratch, *file.pixels, file.tokens->data_bytes(file.bytes), frame, file.precision,
                              choice, {reference, heads_.of(file.pixels->format, !reference.empty())});
  if (coded.codec == codec::CodecId::kLaneInter) coded.back = static_cast<std::uint32_t>(back);
}

// A file of many frames, which fills a batch by itself, has them coded in parts, for all of them may take as much
// memory as the file: where the part ends that begins with frame `first`.
std::size_t FrameCoder::end_of_part(const Prepared& file, std::size_t first) const {
  std::uint64_t bytes = 0;
  std::size_t end = first;
  while (end < file.frames.size() && (bytes < kPartBytes || end - first < threads_))
    for (const auto& piece : file.pixels->frames[end++].pieces) bytes += piece.size;
  return end;
}

// References must be lane frames; those of frames, from `first` on, that turned out otherwise are coded alone. This may
// leave others without one.
void FrameCoder::free_orphans(std::span<Prepared> files, std::span<const FrameList::value_type> frames,
                              std::size_t first) {
  const auto coded = [&](std::size_t i) -> const archive::CodedFrame& {
    return files[frames[i].first].frames[frames[i].second];
  };
  for (;;) {
    FrameList orphans;
    for (std::size_t i = first; i < frames.size(); ++i) {
      if (coded(i).back == 0) continue;
      const codec::CodecId reference = coded(i - coded(i).back).codec;
      if (reference != codec::CodecId::kLane && reference != codec::CodecId::kLaneInter) orphans.push_back(frames[i]);
    }
    if (orphans.empty()) return;
    parallel_for(orphans.size(), threads_,
                 [&](std::size_t i, unsigned) { code(files[orphans[i].first], orphans[i].second); });
  }
}

}  // namespace dicube::series
