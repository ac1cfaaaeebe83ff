#include "base/checked.h"
#include "codec/codec.h"

namespace dicube::codec {

std::optional<std::uint64_t> frame_bytes(const Shape& shape) {
  const auto pixels = checked_mul(shape.rows, shape.columns);
  const auto values = pixels ? checked_mul(*pixels, shape.samples) : std::nullopt;
  if (!values) return std::nullopt;
  if (shape.bits % 8 == 0) return checked_mul(*values, shape.bits / 8U);
  const auto bits = checked_mul(*values, shape.bits);
  if (!bits) return std::nullopt;
  return *bits / 8 + (*bits % 8 != 0 ? 1 : 0);
}

}  // namespace dicube::codec
