#include "columns/integers.h"

#include <algorithm>
#include <array>

#include "columns/packed.h"

namespace dicube::columns {
namespace {

// ON DISK: DO NOT CHANGE.
enum class Mode : std::uint8_t {
  kConstant = 0,     // zigzag value
  kArithmetic = 1,   // zigzag first, zigzag step
  kBits = 2,         // zigzag minimum, width, (value - minimum) in `width` bits each, least significant first
  kDeltaBits = 3,    // zigzag first, then the differences as kBits
  kPlanes = 4,       // zigzag minimum, bytes per value, byte planes of (value - minimum), packed
  kDeltaPlanes = 5,  // zigzag first, then the differences as kPlanes
};

using Unsigned = std::vector<std::uint64_t>;
__extension__ using Wide = unsigned __int128;  // up to 7 pending bits and a 64-bit value

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) { return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1)); }

// Differences and offsets wrap modulo 2^64, so that every list has an encoding.
std::int64_t minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

std::vector<std::int64_t> differences(std::span<const std::int64_t> values) {
  std::vector<std::int64_t> out;
  out.reserve(values.size());
  for (std::size_t i = 1; i < values.size(); ++i) out.push_back(minus(values[i], values[i - 1]));
  return out;
}

struct Offsets {
  std::int64_t minimum;
  unsigned width;  // bits of the largest offset
  Unsigned offsets;
};

Offsets above(std::int64_t minimum, std::span<const std::int64_t> values) {
  Offsets result{minimum, 0, {}};
  std::uint64_t all = 0;
  result.offsets.reserve(values.size());
  for (std::int64_t value : values) {
    result.offsets.push_back(static_cast<std::uint64_t>(minus(value, result.minimum)));
    all |= result.offsets.back();
  }
  result.width = static_cast<unsigned>(std::bit_width(all));
  return result;
}

Offsets above_minimum(std::span<const std::int64_t> values) {
  return above(*std::min_element(values.begin(), values.end()), values);
}

std::size_t size_in_bits(const Offsets& from) {
  ByteWriter minimum;
  minimum.put_varint(zigzag(from.minimum));
  return minimum.size() + (from.offsets.size() * from.width + 7) / 8;
}

void put_bits(const Offsets& from, ByteWriter& out) {
  out.put_varint(zigzag(from.minimum));
  out.put<std::uint8_t>(static_cast<std::uint8_t>(from.width));
  Wide pending = 0;
  unsigned filled = 0;
  for (std::uint64_t offset : from.offsets) {
    pending |= static_cast<Wide>(offset) << filled;
    for (filled += from.width; filled >= 8; filled -= 8, pending >>= 8)
      out.put<std::uint8_t>(static_cast<std::uint8_t>(pending));
  }
  if (filled > 0) out.put<std::uint8_t>(static_cast<std::uint8_t>(pending));
}

// A few large numbers far apart are shorter without a minimum as large as they are.
void put_in_fewest_bits(std::span<const std::int64_t> values, const Offsets& from, ByteWriter& out) {
  const Offsets plain = above(0, values);
  put_bits(size_in_bits(plain) < size_in_bits(from) ? plain : from, out);
}

Result<std::vector<std::int64_t>> get_bits(ByteReader& in, std::size_t count) {
  DICUBE_ASSIGN(auto minimum, in.get_varint());
  DICUBE_ASSIGN(unsigned width, in.get<std::uint8_t>());
  if (width > 64) return fail(ErrorClass::kDamaged, "{}: integers of {} bits, at most 64 possible", in.what(), width);
  DICUBE_ASSIGN(auto bytes, in.get_bytes((std::uint64_t{count} * width + 7) / 8));
  std::vector<std::int64_t> values(count);
  const std::uint64_t mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
  Wide pending = 0;
  unsigned filled = 0;
  std::size_t at = 0;
  for (std::int64_t& value : values) {
    for (; filled < width; filled += 8)
      pending |= static_cast<Wide>(std::to_integer<std::uint8_t>(bytes[at++])) << filled;
    value = plus(unzigzag(minimum), static_cast<std::int64_t>(static_cast<std::uint64_t>(pending) & mask));
    pending >>= width;
    filled -= width;
  }
  return values;
}

void put_planes(const Offsets& from, ByteWriter& out, ListForm form) {
  const unsigned size = std::max(1U, (from.width + 7) / 8);
  out.put_varint(zigzag(from.minimum));
  out.put<std::uint8_t>(static_cast<std::uint8_t>(size));
  Bytes planes;
  planes.reserve(from.offsets.size() * size);
  for (unsigned plane = 0; plane < size; ++plane)
    for (std::uint64_t offset : from.offsets) planes.push_back(std::byte(offset >> (8 * plane)));
  form == ListForm::kShort ? put_packed(planes, out) : put_unpacked(planes, out);
}

Result<std::vector<std::int64_t>> get_planes(ByteReader& in, std::size_t count) {
  DICUBE_ASSIGN(auto minimum, in.get_varint());
  DICUBE_ASSIGN(unsigned size, in.get<std::uint8_t>());
  if (size < 1 || size > 8)
    return fail(ErrorClass::kDamaged, "{}: integers of {} bytes, 1 to 8 possible", in.what(), size);
  DICUBE_ASSIGN(auto planes, get_packed(in, count * size));
  if (planes.size() != count * size)
    return fail(ErrorClass::kDamaged, "{}: {} bytes of integers, {} expected", in.what(), planes.size(), count * size);
  std::vector<std::int64_t> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t offset = 0;
    for (unsigned plane = 0; plane < size; ++plane)
      offset |= std::to_integer<std::uint64_t>(planes[plane * count + i]) << (8 * plane);
    values[i] = plus(unzigzag(minimum), static_cast<std::int64_t>(offset));
  }
  return values;
}

// The first value, then the running sum of differences.
std::vector<std::int64_t> summed(std::int64_t first, const std::vector<std::int64_t>& steps) {
  std::vector<std::int64_t> values = {first};
  values.reserve(steps.size() + 1);
  for (std::int64_t step : steps) values.push_back(plus(values.back(), step));
  return values;
}

ByteWriter started(Mode mode) {
  ByteWriter out;
  out.put(static_cast<std::uint8_t>(mode));
  return out;
}

bool all_equal(std::span<const std::int64_t> values) {
  return std::all_of(values.begin(), values.end(), [&](std::int64_t value) { return value == values[0]; });
}

}  // namespace

void put_integers(std::span<const std::int64_t> values, ByteWriter& out, ListForm form) {
  if (values.empty()) return;
  if (all_equal(values)) {
    out.put(static_cast<std::uint8_t>(Mode::kConstant));
    out.put_varint(zigzag(values[0]));
    return;
  }
  const auto steps = differences(values);
  if (all_equal(steps) && values.size() > 2) {
    out.put(static_cast<std::uint8_t>(Mode::kArithmetic));
    out.put_varint(zigzag(values[0]));
    out.put_varint(zigzag(steps[0]));
    return;
  }
  const Offsets plain = above_minimum(values);
  if (form == ListForm::kForPacking) {
    out.put(static_cast<std::uint8_t>(Mode::kPlanes));
    put_planes(plain, out, form);
    return;
  }
  const Offsets delta = above_minimum(steps);
  std::array<ByteWriter, 4> candidates = {started(Mode::kBits), started(Mode::kDeltaBits), started(Mode::kPlanes),
                                          started(Mode::kDeltaPlanes)};
  put_in_fewest_bits(values, plain, candidates[0]);
  candidates[1].put_varint(zigzag(values[0]));
  put_in_fewest_bits(steps, delta, candidates[1]);
  put_planes(plain, candidates[2], form);
  candidates[3].put_varint(zigzag(values[0]));
  put_planes(delta, candidates[3], form);
  const auto shortest = std::min_element(candidates.begin(), candidates.end(),
                                         [](const auto& a, const auto& b) { return a.size() < b.size(); });
  out.put_bytes(shortest->bytes());
}

Result<std::vector<std::int64_t>> get_integers(ByteReader& in, std::size_t count) {
  if (count == 0) return std::vector<std::int64_t>();
  DICUBE_ASSIGN(auto mode, in.get<std::uint8_t>());
  if (mode == static_cast<std::uint8_t>(Mode::kBits)) return get_bits(in, count);
  if (mode == static_cast<std::uint8_t>(Mode::kPlanes)) return get_planes(in, count);
  DICUBE_ASSIGN(auto raw, in.get_varint());
  const std::int64_t first = unzigzag(raw);
  switch (static_cast<Mode>(mode)) {
    case Mode::kConstant: return std::vector<std::int64_t>(count, first);
    case Mode::kArithmetic: {
      DICUBE_ASSIGN(auto step, in.get_varint());
      return summed(first, std::vector<std::int64_t>(count - 1, unzigzag(step)));
    }
    case Mode::kDeltaBits: {
      DICUBE_ASSIGN(auto steps, get_bits(in, count - 1));
      return summed(first, steps);
    }
    case Mode::kDeltaPlanes: {
      DICUBE_ASSIGN(auto steps, get_planes(in, count - 1));
      return summed(first, steps);
    }
    default: return fail(ErrorClass::kDamaged, "{}: unknown integer encoding {}", in.what(), mode);
  }
}

}  // namespace dicube::columns
