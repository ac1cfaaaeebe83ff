// What the fuzz targets of the codecs share with the program that writes their seeds (tests/fuzz/seeds.cc).
#pragma once

#include <array>

#include "codec/testing.h"

namespace dicube::codec::testing {

inline Shape lane_shape(unsigned choice) {
  constexpr std::array<std::array<std::uint32_t, 2>, 8> kSides = {
      {{64, 64}, {1, 1}, {17, 5}, {3, 200}, {128, 96}, {33, 33}, {96, 260}, {512, 512}}};
  return chosen_shape(choice, kSides);
}

// One that has a reference has one sample.
inline Shape lane_shape_after(unsigned choice) {
  Shape shape = lane_shape(choice);
  shape.samples = 1;
  shape.colour = shape.planar = false;
  return shape;
}

// A frame's reference: like it, but not the same.
inline Bytes lane_reference(const Shape& shape, unsigned choice) {
  Bytes reference = make_frame(shape, Kind::kSmooth, choice);
  for (std::size_t i = 0; i < reference.size(); i += 7) reference[i] ^= std::byte{1};
  return reference;
}

// What the second byte of an input for the lane codec says.
enum class LaneInput : std::uint8_t { kStream, kChanges, kFrame, kStreamAfter, kChangesAfter, kFrameAfter };
inline constexpr unsigned kLaneInputs = 6;

inline constexpr std::array kForeignCodecs = {CodecId::kRle,    CodecId::kDeflated, CodecId::kJpeg,
                                              CodecId::kJpegLs, CodecId::kJpeg2000, CodecId::kJpegXl};

// What the first byte of an input for these codecs says besides the codec.
enum class ForeignInput : std::uint8_t { kStream, kChanges, kFrame };
inline constexpr unsigned kForeignInputs = 3;

inline Shape foreign_shape(unsigned choice) {
  constexpr std::array<std::array<std::uint32_t, 2>, 8> kSides = {
      {{64, 64}, {1, 1}, {17, 5}, {3, 200}, {100, 100}, {33, 33}, {256, 256}, {8, 8}}};
  Shape shape = chosen_shape(choice, kSides);
  shape.planar = false;  // codestreams have a layout of their own
  shape.colour = (choice & 64) != 0;
  return shape;
}

}  // namespace dicube::codec::testing
