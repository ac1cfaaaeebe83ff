#include "series/codec_choice.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/parallel.h"
#include "series/call.h"

namespace dicube::series {

archive::CodecChoice choice_of(Codec codec) {
  switch (codec) {
    case Codec::kZstd: return archive::CodecChoice::kZstd;
    case Codec::kHtj2k: return archive::CodecChoice::kHtj2k;
    case Codec::kLane: return archive::CodecChoice::kLane;
    case Codec::kAuto: break;
  }
  return archive::CodecChoice::kAuto;
}

std::optional<archive::CodecChoice> clear_choice(std::span<const Prepared> files, const FrameList& frames,
                                                 unsigned threads, const CallOptions& options) {
  if (frames.empty() || archive::is_large(files[frames[0].first].pixels->format)) return std::nullopt;
  constexpr std::array kChoices = {archive::CodecChoice::kAutoLane, archive::CodecChoice::kAutoHtj2k};
  constexpr std::uint64_t kPercent = 100, kClear = 3;
  const std::set<std::size_t> distinct = {0, frames.size() / 2, frames.size() - 1};
  const std::vector<std::size_t> samples(distinct.begin(), distinct.end());
  std::vector<std::array<std::uint64_t, kChoices.size()>> sizes(samples.size());
  archive::ScratchPool pool;  // of its own: that of a codec which is not used again would stay
  parallel_for(samples.size() * kChoices.size(), threads, [&](std::size_t i, unsigned) {
    if (!check_cancel(options)) return;
    const std::size_t sample = i / kChoices.size(), choice = i % kChoices.size();
    const auto [number, frame] = frames[samples[sample]];
    const Prepared& file = files[number];
    auto scratch = pool.lend();
    sizes[sample][choice] = archive::code_frame(*scratch, *file.pixels, file.tokens->data_bytes(file.bytes), frame,
                                                file.precision, kChoices[choice])
                                .stored.size();
  });
  for (std::size_t choice = 0; choice < kChoices.size(); ++choice)
    if (std::all_of(sizes.begin(), sizes.end(),
                    [&](const auto& of) { return of[choice] * (kPercent + kClear) < of[1 - choice] * kPercent; }))
      return kChoices[choice];
  return std::nullopt;
}

}  // namespace dicube::series
