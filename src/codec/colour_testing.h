// Frames that a colour transform makes smaller, and others.
#pragma once

#include <algorithm>
#include <random>

#include "codec/testing.h"

namespace dicube::codec::testing {

// Three samples: light, whose colours vary together, or a palette's: black, red, yellow, white, for numbers.
enum class Colours { kLight, kPalette };

inline int colour_of(Colours colours, int number, int sample) {
  return colours == Colours::kLight ? number * 7 / 8 + 10 * sample : std::clamp(3 * number - 255 * sample, 0, 255);
}

inline Bytes make_colours(const Shape& shape, Colours colours, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes frame(frame_bytes(shape).value());
  const std::size_t pixels = std::size_t{shape.rows} * shape.columns, width = shape.bits / 8U;
  for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
    const std::size_t number = (pixel % shape.columns + 2 * (pixel / shape.columns) + random() % 8) % 256;
    for (std::size_t sample = 0; sample < 3; ++sample) {
      const std::size_t at = shape.planar ? sample * pixels + pixel : 3 * pixel + sample;
      frame[at * width] =
          static_cast<std::byte>(colour_of(colours, static_cast<int>(number), static_cast<int>(sample)));
    }
  }
  return frame;
}

}  // namespace dicube::codec::testing
