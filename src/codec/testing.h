// Frames of every kind for the tests of the codecs.
#pragma once

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include "codec/codec.h"

namespace dicube::codec::testing {

enum class Kind { kConstant, kLeast, kMost, kRamp, kCheckerboard, kExtremes, kNoise, kSmooth, kSparse };
inline constexpr unsigned kKinds = 9;

inline Shape make_shape(std::uint32_t columns, std::uint32_t rows, std::uint8_t bits, std::uint16_t samples = 1,
                        bool is_signed = false) {
  Shape shape;
  shape.columns = columns;
  shape.rows = rows;
  shape.bits = bits;
  shape.samples = samples;
  shape.is_signed = is_signed;
  return shape;
}

inline std::string describe(const Shape& shape) {
  return formatted(" in {} x {} x {} values of {} bits{}{}{}, precision {}", shape.columns, shape.rows, shape.samples,
                   shape.bits, shape.is_signed ? " signed" : "", shape.planar ? " planar" : "",
                   shape.colour ? " colour" : "", shape.precision);
}

// The value at column x and row y of sample s, of `bits` bits.
inline std::uint64_t value_at(Kind kind, bool is_signed, unsigned bits, std::uint64_t x, std::uint64_t y,
                              std::uint64_t s, std::mt19937_64& random) {
  const std::uint64_t least = is_signed ? std::uint64_t{1} << (bits - 1) : 0, most = least - 1;
  switch (kind) {
    case Kind::kConstant: return 42;
    case Kind::kLeast: return least;
    case Kind::kMost: return most;
    case Kind::kRamp: return least + x + 3 * y + 7 * s;
    case Kind::kCheckerboard: return (x + y) % 2 != 0 ? 1 : 0;
    case Kind::kExtremes: return random() % 2 != 0 ? least : most;
    case Kind::kNoise: return random();
    case Kind::kSmooth: return (x * x + y * y) / 8 + random() % 4 + 5 * s;
    case Kind::kSparse: return random() % 50 == 0 ? random() % 7 : 0;
  }
  return 0;
}

// Deterministic in its arguments.
inline Bytes make_frame(const Shape& shape, Kind kind, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes frame(frame_bytes(shape).value());
  if (shape.bits == 1) {
    for (std::byte& byte : frame) byte = static_cast<std::byte>(value_at(kind, false, 8, 0, 0, 0, random));
    return frame;
  }
  const std::size_t width = shape.bits / 8U;
  for (std::size_t i = 0; i < frame.size() / width; ++i) {
    const std::size_t pixels = std::size_t{shape.rows} * shape.columns;
    const std::size_t pixel = shape.planar ? i % pixels : i / shape.samples;
    const std::size_t sample = shape.planar ? i / pixels : i % shape.samples;
    const std::uint64_t value =
        value_at(kind, shape.is_signed, shape.bits, pixel % shape.columns, pixel / shape.columns, sample, random);
    for (std::size_t b = 0; b < width; ++b) frame[i * width + b] = static_cast<std::byte>(value >> 8 * b);
  }
  return frame;
}

// FNV-1a: tells streams apart, and is the same everywhere.
inline std::uint64_t fingerprint(ByteSpan bytes) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const std::byte byte : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3;
  return hash;
}

// For fuzz targets: a shape from one byte, its sides from a table.
inline Shape chosen_shape(unsigned choice, const std::array<std::array<std::uint32_t, 2>, 8>& sides) {
  Shape shape;
  shape.rows = sides[choice % 8][0];
  shape.columns = sides[choice % 8][1];
  shape.samples = choice & 8 ? 3 : 1;
  shape.bits = choice & 16 ? 16 : 8;
  shape.is_signed = (choice & 32) != 0;
  shape.planar = (choice & 64) != 0;
  shape.colour = (choice & 128) != 0;
  return shape;
}

// The bytes, again and again, make a frame.
inline Bytes repeated_frame(const Shape& shape, ByteSpan data) {
  Bytes frame(frame_bytes(shape).value());
  for (std::size_t i = 0; i < frame.size() && !data.empty(); ++i) frame[i] = data[i % data.size()];
  return frame;
}

// Each three bytes of `data` change one of the stream's first `most` bytes. REQUIRES: neither is empty.
inline Bytes changed_stream(Bytes stream, ByteSpan data, std::size_t most) {
  for (; data.size() >= 3; data = data.subspan(3))
    stream[load_le<std::uint16_t>(data.data()) % std::min(stream.size(), most)] ^= data[2];
  return stream;
}

}  // namespace dicube::codec::testing
