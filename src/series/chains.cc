#include "series/chains.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "archive/shapes.h"
#include "base/parallel.h"
#include "codec/colour.h"

namespace dicube::series {
namespace {

using codec::CodecId;

constexpr std::size_t kFarthest = 128;   // frames back that are looked at
constexpr std::size_t kNearest = 1;      // always tried
constexpr std::size_t kTried = 3;        // distances that are tried out
constexpr std::size_t kSamples = 4;      // frames
constexpr std::size_t kFewest = 4;       // frames, to choose a distance
constexpr std::size_t kSmall = 32768;    // bytes of a frame
constexpr std::uint64_t kLeastGain = 2;  // parts of a thousand

// What the lane codec may hold.
bool is_for_lanes(const format::FrameFormat& format) {
  return (format.bits_allocated == 8 || format.bits_allocated == 16) && !format.is_float;
}

bool is_pair(const ChainFrame& frame, const ChainFrame& reference) {
  return !frame.pixels.empty() && is_for_lanes(*frame.format) && frame.pixels.size() == reference.pixels.size() &&
         *frame.format == *reference.format;
}

codec::Shape shape_of(const ChainFrame& frame) {
  codec::Shape shape = archive::coded_shape(*frame.format);
  shape.colour = codec::colour_transform_pays(shape, frame.pixels);
  return shape;
}

// What each reference would save; nothing where there is none, or lanes can't. Small frames are coded for it, for there
// estimates take a wrong distance now and then.
std::vector<codec::Promise> promises_of(codec::Workspace& codec, const ChainFrame& frame,
                                        std::span<const ByteSpan> references) {
  const codec::Shape shape = shape_of(frame);
  std::vector<codec::Promise> promises(references.size());
  if (frame.pixels.size() > kSmall) {
    for (std::size_t i = 0; i < references.size(); ++i)
      promises[i] = codec.promise(shape, references[i], frame.pixels).value_or(codec::Promise());
    return promises;
  }
  const auto size_of = [](const auto& encode) {
    Bytes stream;
    return encode(stream).has_value() ? stream.size() : 0;
  };
  const std::size_t alone = size_of([&](Bytes& out) { return codec.encode(CodecId::kLane, shape, frame.pixels, out); });
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (references[i].empty()) continue;
    promises[i] = {alone,
                   size_of([&](Bytes& out) { return codec.encode_after(shape, references[i], frame.pixels, out); })};
  }
  return promises;
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

// The distances at which samples and the frames before them are most alike, but for the nearest, which comes first;
// those that are less alike than that are no better. Empty: there are no pairs.
std::vector<std::size_t> distances_to_try(std::span<const ChainFrame> frames, std::span<const std::size_t> samples) {
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
  if (near.empty()) return {};
  const auto nearest = std::find_if(near.begin(), near.end(), [](const auto& of) { return of.second == kNearest; });
  const std::uint64_t mean_of_nearest = nearest == near.end() ? ~std::uint64_t{0} : nearest->first;
  std::stable_sort(near.begin(), near.end());
  std::vector<std::size_t> distances = {kNearest};
  for (const auto& [mean, distance] : near)
    if (distances.size() < kTried && distance != kNearest && mean < mean_of_nearest) distances.push_back(distance);
  return distances;
}

// The samples' sizes at one distance.
struct Trial {
  std::atomic<std::uint64_t> alone = 0, after = 0;
};

std::vector<Trial> tried(std::span<const ChainFrame> frames, std::span<const std::size_t> samples,
                         std::span<const std::size_t> distances, archive::ScratchPool& scratch, unsigned threads) {
  std::vector<Trial> trials(distances.size());
  parallel_for(samples.size(), threads, [&](std::size_t sample, unsigned) {
    const std::size_t at = samples[sample];
    std::vector<ByteSpan> references(distances.size());
    for (std::size_t i = 0; i < distances.size(); ++i)
      if (distances[i] <= at && is_pair(frames[at], frames[at - distances[i]]))
        references[i] = frames[at - distances[i]].pixels;
    const auto promises = promises_of(scratch.lend()->codec, frames[at], references);
    for (std::size_t i = 0; i < distances.size(); ++i) {
      trials[i].alone += promises[i].alone;
      trials[i].after += promises[i].after;
    }
  });
  return trials;
}

bool begins_chain(std::size_t frame, std::size_t distance) { return frame / distance % format::kLongestChain == 0; }

// How many of so many frames have a reference.
std::uint64_t with_reference(std::size_t frames, std::size_t distance) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < frames; ++i) count += !begins_chain(i, distance);
  return count;
}

}  // namespace

std::optional<std::size_t> best_distance(std::span<const ChainFrame> frames, archive::ScratchPool& scratch,
                                         unsigned threads) {
  if (frames.size() < kFewest) return std::nullopt;
  const std::vector<std::size_t> samples = samples_of(frames.size());
  const std::vector<std::size_t> distances = distances_to_try(frames, samples);
  const std::vector<Trial> trials = tried(frames, samples, distances, scratch, threads);
  std::size_t best = 0;
  std::uint64_t best_gain = kLeastGain;
  for (std::size_t i = 0; i < distances.size(); ++i) {
    if (trials[i].alone <= trials[i].after) continue;
    const std::uint64_t gain = (trials[i].alone - trials[i].after) * 1000 / trials[i].alone *
                               with_reference(frames.size(), distances[i]) / frames.size();
    if (gain >= best_gain + (best == 0 ? 0 : 1)) {
      best = distances[i];
      best_gain = gain;
    }
  }
  return best;
}

const ChainFrame* reference_of(std::span<const ChainFrame> frames, std::size_t frame, std::size_t distance) {
  if (distance == 0 || begins_chain(frame, distance)) return nullptr;
  const ChainFrame& reference = frames[frame - distance];
  return is_pair(frames[frame], reference) ? &reference : nullptr;
}

SharedHeads shared_heads(std::span<const ChainFrame> frames, std::size_t distance, archive::ScratchPool& scratch) {
  const auto first = std::ranges::find_if(frames, [](const ChainFrame& frame) { return !frame.pixels.empty(); });
  if (first == frames.end() || !is_for_lanes(*first->format)) return {};
  std::vector<ByteSpan> all, successors, references;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (!is_pair(*first, frames[i])) continue;
    all.push_back(frames[i].pixels);
    const ChainFrame* const reference = reference_of(frames, i, distance);
    if (reference == nullptr) continue;
    successors.push_back(frames[i].pixels);
    references.push_back(reference->pixels);
  }
  auto lease = scratch.lend();
  codec::Workspace& codec = lease->codec;
  const codec::Shape shape = archive::coded_shape(*first->format);
  SharedHeads heads{*first->format, codec.shared_head(shape, all), {}};
  if (!references.empty()) heads.after = codec.shared_head(shape, successors, references);
  return heads;
}

}  // namespace dicube::series
