#include "codec/filters.h"

#include <algorithm>
#include <cstring>

namespace dicube::codec {
namespace {

// Between a value and the one that predicts it, in values.
std::size_t distance(Filter filter, const Shape& shape) {
  const std::size_t pixel = shape.planar ? 1 : shape.samples;
  return filter == Filter::kUp ? pixel * shape.columns : pixel;
}

template <class T>
void subtract(ByteSpan from, std::size_t distance, MutableByteSpan to) {
  const std::size_t count = from.size() / sizeof(T), first = std::min(distance, count);
  const std::byte* __restrict source = from.data();
  std::byte* __restrict target = to.data();
  std::memcpy(target, source, first * sizeof(T));
  for (std::size_t i = first; i < count; ++i)
    store_le<T>(target + i * sizeof(T), static_cast<T>(load_le<T>(source + i * sizeof(T)) -
                                                       load_le<T>(source + (i - distance) * sizeof(T))));
}

template <class T>
void accumulate(MutableByteSpan values, std::size_t distance) {
  const std::size_t count = values.size() / sizeof(T);
  for (std::size_t i = distance; i < count; ++i) {
    std::byte* at = values.data() + i * sizeof(T);
    store_le<T>(at, static_cast<T>(load_le<T>(at) + load_le<T>(at - distance * sizeof(T))));
  }
}

template <std::size_t kWidth>
void shuffle(ByteSpan from, MutableByteSpan to) {
  const std::size_t count = from.size() / kWidth;
  const std::byte* __restrict source = from.data();
  std::byte* __restrict target = to.data();
  for (std::size_t plane = 0; plane < kWidth; ++plane)
    for (std::size_t i = 0; i < count; ++i) target[plane * count + i] = source[i * kWidth + plane];
}

template <std::size_t kWidth>
void unshuffle(ByteSpan from, MutableByteSpan to) {
  const std::size_t count = from.size() / kWidth;
  const std::byte* __restrict source = from.data();
  std::byte* __restrict target = to.data();
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t plane = 0; plane < kWidth; ++plane) target[i * kWidth + plane] = source[plane * count + i];
}

template <class T>
void apply(Filter filter, const Shape& shape, ByteSpan values, MutableByteSpan scratch, MutableByteSpan filtered) {
  if (filter != Filter::kShuffle) {
    subtract<T>(values, distance(filter, shape), sizeof(T) == 1 ? filtered : scratch);
    values = scratch;
  }
  if (sizeof(T) > 1) shuffle<sizeof(T)>(values, filtered);
}

template <class T>
void undo(Filter filter, const Shape& shape, ByteSpan filtered, MutableByteSpan values) {
  unshuffle<sizeof(T)>(filtered, values);
  if (filter != Filter::kShuffle) accumulate<T>(values, distance(filter, shape));
}

}  // namespace

bool applies(Filter filter, const Shape& shape) {
  switch (filter) {
    case Filter::kNone: return true;
    case Filter::kShuffle: return shape.bits > 8;
    case Filter::kLeft:
    case Filter::kUp: return shape.bits >= 8 && shape.columns > 0 && shape.samples > 0;
  }
  return false;
}

void apply(Filter filter, const Shape& shape, ByteSpan values, MutableByteSpan scratch, MutableByteSpan filtered) {
  switch (shape.bits) {
    case 8: return apply<std::uint8_t>(filter, shape, values, scratch, filtered);
    case 16: return apply<std::uint16_t>(filter, shape, values, scratch, filtered);
    case 32: return apply<std::uint32_t>(filter, shape, values, scratch, filtered);
    default: return apply<std::uint64_t>(filter, shape, values, scratch, filtered);
  }
}

void undo(Filter filter, const Shape& shape, ByteSpan filtered, MutableByteSpan values) {
  switch (shape.bits) {
    case 8: return undo<std::uint8_t>(filter, shape, filtered, values);
    case 16: return undo<std::uint16_t>(filter, shape, filtered, values);
    case 32: return undo<std::uint32_t>(filter, shape, filtered, values);
    default: return undo<std::uint64_t>(filter, shape, filtered, values);
  }
}

}  // namespace dicube::codec
