#include "columns/lanes.h"

#include <array>
#include <cmath>

#include "columns/integers.h"

namespace dicube::columns {
namespace {

// ON DISK: DO NOT CHANGE. How a lane's bits follow from its integers.
enum class Lane : std::uint8_t {
  kInteger = 0,      // the bits are the integer
  kDecimal = 1,      // 8 bytes: the double nearest to integer / 10^digits; 4 bytes: that double rounded to float
  kFloatDecimal = 2  // 8 bytes: integer / 10^digits rounded to double, to float, and widened again
};

// Decimals are the numbers of IEEE 754 that have 4 and 8 bytes.
bool fits(Lane lane, std::size_t width) {
  return lane == Lane::kInteger || width == 8 || (width == 4 && lane == Lane::kDecimal);
}

constexpr std::size_t kMaxLanes = 64;
constexpr unsigned kMaxDecimals = 9;
constexpr std::array<double, kMaxDecimals + 1> kPower = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

std::uint64_t load(ByteSpan bytes) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) bits |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return bits;
}

// The bits of a lane of `width` bytes. IEEE 754 division and conversion, rounding to nearest even: the same everywhere.
std::uint64_t bits_of(std::int64_t integer, Lane lane, unsigned digits, std::size_t width) {
  if (lane == Lane::kInteger) return static_cast<std::uint64_t>(integer);
  const double number = static_cast<double>(integer) / kPower[digits];
  if (width == 4) return std::bit_cast<std::uint32_t>(static_cast<float>(number));
  if (lane == Lane::kFloatDecimal) return std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<float>(number)));
  return std::bit_cast<std::uint64_t>(number);
}

// The integer whose decimal has these bits.
std::optional<std::int64_t> decimal_of(std::uint64_t bits, Lane lane, unsigned digits, std::size_t width) {
  const double number = width == 4 ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)))
                                   : std::bit_cast<double>(bits);
  const double scaled = number * kPower[digits];
  if (!(std::fabs(scaled) < 9e15)) return std::nullopt;
  const auto integer = static_cast<std::int64_t>(std::nearbyint(scaled));
  if (bits_of(integer, lane, digits, width) != bits) return std::nullopt;
  return integer;
}

bool put_decimals(const std::vector<std::uint64_t>& lane_bits, Lane lane, std::size_t width, ByteWriter& out) {
  for (unsigned digits = 0; digits <= kMaxDecimals; ++digits) {
    std::vector<std::int64_t> integers;
    for (std::uint64_t bits : lane_bits) {
      auto integer = decimal_of(bits, lane, digits, width);
      if (!integer) break;
      integers.push_back(*integer);
    }
    if (integers.size() != lane_bits.size()) continue;
    out.put(static_cast<std::uint8_t>(lane));
    out.put<std::uint8_t>(static_cast<std::uint8_t>(digits));
    put_integers(integers, out);
    return true;
  }
  return false;
}

std::int64_t sign_extended(std::uint64_t bits, std::size_t width) {
  const unsigned shift = static_cast<unsigned>(64 - 8 * width);
  return static_cast<std::int64_t>(bits << shift) >> shift;
}

void put_lane(const std::vector<std::uint64_t>& lane_bits, std::size_t width, ByteWriter& out) {
  std::vector<Bytes> candidates;
  auto keep = [&](ByteWriter& writer) { candidates.push_back(writer.take()); };
  for (bool is_signed : {false, true}) {
    std::vector<std::int64_t> integers;
    for (std::uint64_t bits : lane_bits)
      integers.push_back(is_signed ? sign_extended(bits, width) : static_cast<std::int64_t>(bits));
    ByteWriter writer;
    writer.put(static_cast<std::uint8_t>(Lane::kInteger));
    writer.put<std::uint8_t>(0);
    put_integers(integers, writer);
    keep(writer);
  }
  if (width >= 4) {
    ByteWriter writer;
    if (put_decimals(lane_bits, Lane::kDecimal, width, writer) ||
        (width == 8 && put_decimals(lane_bits, Lane::kFloatDecimal, width, writer)))
      keep(writer);
  }
  const Bytes* best = &candidates[0];
  for (const Bytes& candidate : candidates)
    if (candidate.size() < best->size()) best = &candidate;
  out.put_bytes(*best);
}

std::optional<Bytes> encode_width(const ValueList& values, std::size_t size, std::size_t width) {
  if (size % width != 0 || size / width > kMaxLanes) return std::nullopt;
  ByteWriter out;
  out.put<std::uint8_t>(static_cast<std::uint8_t>(width));
  out.put_varint(size / width);
  std::vector<std::uint64_t> lane_bits(values.size());
  for (std::size_t lane = 0; lane < size; lane += width) {
    for (std::size_t row = 0; row < values.size(); ++row) lane_bits[row] = load(values[row].subspan(lane, width));
    put_lane(lane_bits, width, out);
  }
  return out.take();
}

struct LaneValues {
  Lane kind;
  unsigned digits;
  std::vector<std::int64_t> integers;
};

Result<LaneValues> get_lane(ByteReader& in, std::size_t rows, std::size_t width) {
  LaneValues lane;
  DICUBE_ASSIGN(auto kind, in.get<std::uint8_t>());
  DICUBE_ASSIGN(lane.digits, in.get<std::uint8_t>());
  if (kind > static_cast<std::uint8_t>(Lane::kFloatDecimal) || lane.digits > kMaxDecimals)
    return fail(ErrorClass::kDamaged, "{}: unknown lane encoding {} with {} digits", in.what(), kind, lane.digits);
  lane.kind = static_cast<Lane>(kind);
  if (!fits(lane.kind, width))
    return fail(ErrorClass::kDamaged, "{}: lane encoding {} of {} bytes", in.what(), kind, width);
  DICUBE_ASSIGN(lane.integers, get_integers(in, rows));
  return lane;
}

}  // namespace

std::optional<Bytes> encode_lanes(const ValueList& values) {
  const std::size_t size = values[0].size();
  if (size == 0 || size > 8 * kMaxLanes) return std::nullopt;
  for (std::size_t row = 0; row < values.size(); ++row)
    if (values[row].size() != size) return std::nullopt;
  std::optional<Bytes> best;
  for (std::size_t width : {1UL, 2UL, 4UL, 8UL}) {
    auto encoded = encode_width(values, size, width);
    if (encoded && (!best || encoded->size() < best->size())) best = std::move(encoded);
  }
  return best;
}

Result<ValueList> decode_lanes(ByteReader& in, std::size_t rows, std::uint64_t most) {
  DICUBE_ASSIGN(std::size_t width, in.get<std::uint8_t>());
  if (width != 1 && width != 2 && width != 4 && width != 8)
    return fail(ErrorClass::kDamaged, "{}: lanes of {} bytes", in.what(), width);
  DICUBE_ASSIGN(auto count, in.get_count(kMaxLanes, "lanes"));
  if (rows * count * width > most)
    return fail(ErrorClass::kDamaged, "{}: {} values of {} bytes, at most {} bytes possible", in.what(), rows,
                count * width, most);
  std::vector<LaneValues> lanes;
  for (std::size_t i = 0; i < count; ++i) {
    DICUBE_ASSIGN(auto lane, get_lane(in, rows, width));
    lanes.push_back(std::move(lane));
  }
  ValueList values;
  values.reserve(rows);
  Bytes value(count * width);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t bits = bits_of(lanes[i].integers[row], lanes[i].kind, lanes[i].digits, width);
      for (std::size_t k = 0; k < width; ++k) value[i * width + k] = std::byte(bits >> (8 * k));
    }
    values.push(value);
  }
  return values;
}

}  // namespace dicube::columns
