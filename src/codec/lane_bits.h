// What a difference takes to code, about: for choosing between forms before coding.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>

namespace dicube::codec::lane {

// Of 2 |difference| + 1, the logarithm of base 2, in 16ths.
constexpr int bits_by_octave(unsigned size) {
  const int octave = static_cast<int>(std::bit_width(size)) - 1;
  const unsigned rest = octave >= 4 ? size >> (octave - 4) : size << (4 - octave);
  return 16 * octave + static_cast<int>(rest) - 16;
}
inline constexpr auto kBitsOfSmall = [] {
  std::array<std::uint8_t, 1024> bits{};
  for (unsigned i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint8_t>(bits_by_octave(2 * i + 1));
  return bits;
}();

// About the bits that a difference takes, in 16ths.
inline int bits_of_difference(int difference) {
  const auto size = static_cast<unsigned>(std::abs(difference));
  return size < kBitsOfSmall.size() ? kBitsOfSmall[size] : bits_by_octave(2 * size + 1);
}

}  // namespace dicube::codec::lane
