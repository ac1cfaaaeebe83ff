#include "series/chains.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>

#include "archive/pixels.h"
#include "base/parallel.h"

namespace dicube::series {
namespace {

using archive::CodedFrame;
using codec::CodecId;

constexpr std::size_t kFarthest = 128;   // frames back that are looked at
constexpr std::size_t kNearest = 1;      // always tried
constexpr std::size_t kTried = 3;        // distances that are tried out
constexpr std::size_t kSamples = 4;      // frames
constexpr std::size_t kFewest = 4;       // frames, to choose a distance
constexpr std::uint64_t kLeastGain = 2;  // parts of a thousand

bool is_pair(const ChainFrame& frame, const ChainFrame& reference) {
  return frame.coded->codec == CodecId::kLane && reference.coded->codec == CodecId::kLane && !frame.pixels.empty() &&
         frame.pixels.size() == reference.pixels.size() && *frame.format == *reference.format;
}

// The stream after the reference; empty where it doesn't pay.
Bytes code_after(const ChainFrame& frame, const ChainFrame& reference, archive::Scratch& scratch) {
  Bytes stream;
  const auto done =
      scratch.codec.encode_after(archive::coded_shape(*frame.format), reference.pixels, frame.pixels, stream);
  if (!done || !*done) return {};
  return stream;
}

// Sum of differences of some of the values.
std::uint64_t difference(const ChainFrame& a, const ChainFrame& b) {
  const std::size_t width = a.format->bits_allocated / 8U, values = a.pixels.size() / width,
                    step = std::max<std::size_t>(1, values / 2000) | 1;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < values; i += step) {
    const auto value = [&](ByteSpan pixels) {
      if (width == 1) return std::to_integer<int>(pixels[i]);
      const auto raw = load_le<std::uint16_t>(pixels.data() + 2 * i);
      return a.format->is_signed ? int{static_cast<std::int16_t>(raw)} : int{raw};
    };
    sum += static_cast<std::uint64_t>(std::abs(value(a.pixels) - value(b.pixels)));
  }
  return sum;
}

// Frames to try distances on: they have neighbours as far back as possible.
std::vector<std::size_t> samples_of(std::size_t frames) {
  std::vector<std::size_t> samples;
  for (std::size_t i = 0; i < kSamples; ++i) samples.push_back(frames - 1 - i * (frames / 2) / kSamples);
  return samples;
}

}  // namespace

std::optional<std::size_t> best_distance(std::span<const ChainFrame> frames, archive::ScratchPool& scratch,
                                         unsigned threads) {
  if (frames.size() < kFewest) return std::nullopt;
  const std::vector<std::size_t> samples = samples_of(frames.size());
  std::vector<std::pair<std::uint64_t, std::size_t>> near;  // mean difference, distance
  for (std::size_t distance = 1; distance <= std::min(kFarthest, frames.size() / 2); ++distance) {
    std::uint64_t sum = 0, count = 0;
    for (const std::size_t at : samples)
      if (distance <= at && is_pair(frames[at], frames[at - distance])) {
        sum += difference(frames[at], frames[at - distance]);
        ++count;
      }
    if (count > 0) near.emplace_back(sum * 16 / count, distance);
  }
  if (near.empty()) return 0;
  std::stable_sort(near.begin(), near.end());
  std::vector<std::size_t> distances = {kNearest};
  for (const auto& [mean, distance] : near)
    if (distances.size() < kTried && distance != kNearest) distances.push_back(distance);
  struct Trial {
    std::atomic<std::uint64_t> alone = 0, after = 0;
  };
  std::vector<Trial> trials(distances.size());
  parallel_for(distances.size() * samples.size(), threads, [&](std::size_t i, unsigned) {
    const std::size_t at = samples[i % samples.size()], distance = distances[i / samples.size()];
    if (distance > at || !is_pair(frames[at], frames[at - distance])) return;
    auto lease = scratch.lend();
    const std::size_t alone = frames[at].coded->stored.size(),
                      after = code_after(frames[at], frames[at - distance], *lease).size();
    trials[i / samples.size()].alone += alone;
    trials[i / samples.size()].after += after == 0 ? alone : std::min(alone, after);
  });
  std::size_t best = 0;
  std::uint64_t best_gain = kLeastGain;
  for (std::size_t i = 0; i < distances.size(); ++i) {
    if (trials[i].alone == 0) continue;
    const std::uint64_t gain = (trials[i].alone - trials[i].after) * 1000 / trials[i].alone;
    if (gain >= best_gain + (best == 0 ? 0 : 1)) {
      best = distances[i];
      best_gain = gain;
    }
  }
  return best;
}

// Every chain begins with a frame that stands alone, and has kLongestChain frames, `distance` apart. References are
// lane frames whatever becomes of them, so that all can be coded side by side.
void code_chains(std::span<const ChainFrame> frames, std::size_t distance, archive::ScratchPool& scratch,
                 unsigned threads) {
  std::vector<CodedFrame> after(frames.size());
  parallel_for(frames.size(), threads, [&](std::size_t i, unsigned) {
    if (i / distance % format::kLongestChain == 0 || !is_pair(frames[i], frames[i - distance])) return;
    auto lease = scratch.lend();
    after[i].stored = code_after(frames[i], frames[i - distance], *lease);
  });
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (after[i].stored.empty() || after[i].stored.size() >= frames[i].coded->stored.size()) continue;
    frames[i].coded->codec = CodecId::kLaneInter;
    frames[i].coded->back = static_cast<std::uint32_t>(distance);
    frames[i].coded->stored = std::move(after[i].stored);
  }
}

}  // namespace dicube::series
