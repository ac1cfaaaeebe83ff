// Red, green and blue that vary together get smaller when a transform turns them into a luminance and two differences;
// those of a palette, which stand for numbers, get larger. Codecs code differences between neighbours, in groups whose
// largest sets the bits of all: counted here in some of the rows, both ways. Figures: docs/codec-notes.md.
#include "codec/colour.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <vector>

#include "codec/htj2k_rows.h"

namespace dicube::codec {
namespace {

constexpr std::uint32_t kRows = 32;      // looked at, at least, if there are as many
constexpr std::size_t kGroup = 4;        // differences
using Row = std::vector<std::uint32_t>;  // modulo 2^32

std::uint32_t magnitude(std::uint32_t difference) {
  const std::uint32_t sign = 0 - (difference >> 31);
  return (difference ^ sign) - sign;
}

// `row` becomes the differences' magnitudes.
std::uint64_t bits_of_differences(Row& row) {
  for (std::size_t i = 0; i + 1 < row.size(); ++i) row[i] = magnitude(row[i + 1] - row[i]);
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i + kGroup < row.size(); i += kGroup)
    bits += static_cast<unsigned>(std::bit_width(row[i] | row[i + 1] | row[i + 2] | row[i + 3]));
  return bits;
}

// RCT: ISO/IEC 15444-1 G.2. The lane codec's differs in little.
void transform(const std::array<Row, 3>& colours, std::array<Row, 3>& out) {
  for (std::size_t i = 0; i < colours[0].size(); ++i) {
    const std::uint32_t red = colours[0][i], green = colours[1][i], blue = colours[2][i];
    out[0][i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(red + 2 * green + blue) >> 2);
    out[1][i] = blue - green;
    out[2][i] = red - green;
  }
}

std::uint64_t bits_of_differences(std::array<Row, 3>& rows) {
  std::uint64_t bits = 0;
  for (Row& row : rows) bits += bits_of_differences(row);
  return bits;
}

// Calls `work` with some of the rows, which it may change.
template <class Work>
void for_some_rows(const Shape& shape, ByteSpan pixels, const Work& work) {
  std::array<Row, 3> colours;
  colours.fill(Row(shape.columns));
  for (std::uint64_t r = 0; r < shape.rows; r += std::max(1U, shape.rows / kRows)) {
    for (std::uint32_t c = 0; c < 3; ++c)
      load_row(shape, pixels, static_cast<std::uint32_t>(r), c, reinterpret_cast<std::int32_t*>(colours[c].data()));
    work(colours);
  }
}

// Of each colour, what number a byte is among those that are there.
using Ranks = std::array<std::array<std::uint32_t, 256>, 3>;
Ranks ranks_of_bytes(const Shape& shape, ByteSpan pixels) {
  Ranks ranks{};
  for_some_rows(shape, pixels, [&](const std::array<Row, 3>& colours) {
    for (std::size_t c = 0; c < 3; ++c)
      for (const std::uint32_t value : colours[c]) ranks[c][value & 255] = 1;
  });
  for (auto& of_colour : ranks) std::exclusive_scan(of_colour.begin(), of_colour.end(), of_colour.begin(), 0U);
  return ranks;
}

bool holds_colours(const Shape& shape, ByteSpan pixels) {
  const bool held = shape.samples == 3 && (shape.bits == 8 || shape.bits == 16 || shape.bits == 32);
  return shape.colour && held && frame_bytes(shape) == pixels.size();
}

// `close`: what becomes of the colours that are coded without the transform.
template <class Close>
bool pays(const Shape& shape, ByteSpan pixels, const Close& close) {
  std::array<Row, 3> transformed;
  transformed.fill(Row(shape.columns));
  std::uint64_t apart = 0, together = 0;
  for_some_rows(shape, pixels, [&](std::array<Row, 3>& colours) {
    transform(colours, transformed);
    together += bits_of_differences(transformed);
    close(colours);
    apart += bits_of_differences(colours);
  });
  return together <= apart;
}

}  // namespace

bool colour_transform_pays(const Shape& shape, ByteSpan pixels) {
  return holds_colours(shape, pixels) && pays(shape, pixels, [](const std::array<Row, 3>&) {});
}

bool colour_transform_pays_beside_gaps(const Shape& shape, ByteSpan pixels) {
  if (!holds_colours(shape, pixels) || shape.bits != 8) return false;
  const Ranks ranks = ranks_of_bytes(shape, pixels);
  return pays(shape, pixels, [&](std::array<Row, 3>& colours) {
    for (std::size_t c = 0; c < 3; ++c)
      for (std::uint32_t& value : colours[c]) value = ranks[c][value & 255];
  });
}

}  // namespace dicube::codec
