// Frames as they are once decoded (see PixelFormat), and work on all frames of an instance.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "archive/pixels.h"
#include "base/parallel.h"

namespace dicube::series {

// What the values mean: the source's Photometric Interpretation unless decoding changes it.
std::string decoded_photometric(const format::FrameFormat& format);

// Interleaved, little endian, as many bits as the container has; precision says how many of them are stored.
codec::Shape decoded_shape(const format::FrameFormat& format);

// Takes away what stands above Bits Stored: it does not belong to the values (PS3.5 8.1.1), and codestreams have no
// place for it.
void clean_upper_bits(const codec::Shape& shape, MutableByteSpan pixels);

// Runs work(frame) for all; the first error in their order.
template <class Work>
Status for_frames(std::size_t frames, unsigned threads, Work work) {
  std::vector<std::optional<Error>> errors(frames);
  parallel_for(frames, threads, [&](std::size_t i, unsigned) {
    if (Status done = work(i); !done) errors[i] = std::move(done).error();
  });
  for (auto& error : errors)
    if (error) return tl::unexpected<Error>(*std::move(error));
  return {};
}

}  // namespace dicube::series
