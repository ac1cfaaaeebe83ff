// Orders of bytes that spread words over lanes and bring them together again, where a vector unit has no instruction
// for it. Their places in memory are fixed: what a function makes of constants of its own, a compiler may copy at each
// call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace dicube::codec::lane {

// For each set of 8 lanes, byte by byte of 8 words.
using WordOrders = std::array<std::array<std::uint8_t, 16>, 256>;

namespace word_orders {
constexpr std::uint8_t kNone = 0x80;  // a zero

constexpr WordOrders make(bool spread) {
  WordOrders orders{};
  for (std::size_t set = 0; set < orders.size(); ++set) {
    orders[set].fill(kNone);
    for (std::size_t lane = 0, word = 0; lane < 8; ++lane) {
      if ((set >> lane & 1) == 0) continue;
      const std::size_t from = spread ? word : lane, to = spread ? lane : word;
      orders[set][2 * to] = static_cast<std::uint8_t>(2 * from);
      orders[set][2 * to + 1] = static_cast<std::uint8_t>(2 * from + 1);
      ++word;
    }
  }
  return orders;
}
}  // namespace word_orders

alignas(64) inline constexpr WordOrders kSpreadWords =
    word_orders::make(true);  // the next word to each lane of the set
alignas(64) inline constexpr WordOrders kGatherWords =
    word_orders::make(false);  // the words of the set's lanes to the front

}  // namespace dicube::codec::lane
