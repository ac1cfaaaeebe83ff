#include "codec/lane_stream.h"

#include <bit>

namespace dicube::codec::lane {
namespace {

constexpr unsigned kMostActivityShift = 8;
constexpr int kMostRaise = 6;
constexpr unsigned kMostRaised = 16383;
constexpr std::uint8_t kLanesFlag = 1, kZeroFlag = 2, kCorrectionFlag = 4, kGapsFlag = 8;
constexpr unsigned kMostLift = 8, kMostUnrestShift = 15;

tl::unexpected<Error> malformed(const std::string& what) { return fail(ErrorClass::kCodec, "lane stream: {}", what); }

Status read_contexts(ByteReader& in, unsigned count, Plane& plane) {
  for (unsigned i = 1; i < count; ++i) {
    DICUBE_ASSIGN(auto threshold, in.get<std::uint8_t>());
    if (!plane.thresholds.empty() && threshold <= plane.thresholds.back())
      return malformed(formatted("threshold {} behind {}", threshold, plane.thresholds.back()));
    plane.thresholds.push_back(threshold);
  }
  for (unsigned i = 0; i < count; ++i) {
    Context context;
    DICUBE_ASSIGN(context.family, in.get<std::uint8_t>());
    if (context.family >= kFamilies) return malformed(formatted("family {} of {}", context.family, kFamilies));
    unsigned sum = 0;
    for (unsigned token = 0; token < kEscape; ++token) {
      DICUBE_ASSIGN(context.frequency[token], in.get<std::uint8_t>());
      sum += context.frequency[token];
    }
    if (sum > 255) return malformed(formatted("frequencies add up to {}, at most 255 possible", sum));
    context.frequency[kEscape] = static_cast<std::uint8_t>(256 - sum);
    if (sum == 0) return malformed("a context of escapes alone");
    plane.contexts.push_back(context);
  }
  return {};
}

Result<std::int8_t> read_coefficient(ByteReader& in) {
  DICUBE_ASSIGN(auto raw, in.get<std::uint8_t>());
  const auto coefficient = static_cast<std::int8_t>(raw);
  if (coefficient == -128) return malformed("a coefficient of -128");
  return coefficient;
}

Result<Correction> read_correction(ByteReader& in) {
  Correction correction;
  DICUBE_ASSIGN(correction.lift, in.get<std::uint8_t>());
  if (correction.lift < 1 || correction.lift > kMostLift)
    return malformed(formatted("a lift of {}, 1 to {} possible", correction.lift, kMostLift));
  DICUBE_ASSIGN(correction.unrest_shift, in.get<std::uint8_t>());
  if (correction.unrest_shift > kMostUnrestShift)
    return malformed(formatted("an unrest shift of {}, at most {}", correction.unrest_shift, kMostUnrestShift));
  for (std::int16_t& unrest : correction.unrest) {
    DICUBE_ASSIGN(auto value, in.get<std::uint16_t>());
    if (value > 32767) return malformed(formatted("an unrest of {}, at most 32767", value));
    unrest = static_cast<std::int16_t>(value);
  }
  for (auto& of_class : correction.coefficients)
    for (std::int8_t& coefficient : of_class) {
      DICUBE_ASSIGN(coefficient, read_coefficient(in));
    }
  return correction;
}

// Numbers from 1 on as Elias gamma codes: as many zeros as bits follow the first one, then the bits, highest first. Of
// each byte the lowest bit comes first.
class GammaWriter {
 public:
  void put(unsigned number) {
    const auto bits = static_cast<unsigned>(std::bit_width(number));
    for (unsigned i = 1; i < bits; ++i) put_bit(false);
    for (unsigned i = bits; i-- > 0;) put_bit((number >> i & 1) != 0);
  }
  Bytes take() { return std::move(bytes_); }

 private:
  void put_bit(bool bit) {
    if (used_ % 8 == 0) bytes_.push_back(std::byte{0});
    if (bit) bytes_.back() |= std::byte{1} << (used_ % 8);
    ++used_;
  }
  Bytes bytes_;
  std::size_t used_ = 0;
};

class GammaReader {
 public:
  explicit GammaReader(ByteSpan bytes) : bytes_(bytes) {}
  // A number over 65535 is none that is written.
  Result<unsigned> get() {
    unsigned zeros = 0;
    while (true) {
      DICUBE_ASSIGN(const bool bit, get_bit());
      if (bit) break;
      if (++zeros > 15) return malformed("a number of gaps that has over 16 bits");
    }
    unsigned number = 1;
    for (; zeros > 0; --zeros) {
      DICUBE_ASSIGN(const bool bit, get_bit());
      number = number << 1 | (bit ? 1 : 0);
    }
    return number;
  }
  std::size_t bytes_used() const { return (used_ + 7) / 8; }

 private:
  Result<bool> get_bit() {
    if (used_ / 8 >= bytes_.size()) return malformed(formatted("gaps end behind {} bytes", bytes_.size()));
    const bool bit = (bytes_[used_ / 8] >> (used_ % 8) & std::byte{1}) != std::byte{0};
    ++used_;
    return bit;
  }
  ByteSpan bytes_;
  std::size_t used_ = 0;
};

Bytes gamma_codes(const Gaps& gaps) {
  GammaWriter codes;
  unsigned before = 0;
  for (const Gap& gap : gaps) {
    codes.put(gap.start - before);
    codes.put(gap.length);
    before = gap.start;
  }
  return codes.take();
}

Result<Gaps> read_gaps(ByteReader& in, std::uint16_t range) {
  DICUBE_ASSIGN(const auto count, in.get<std::uint16_t>());
  DICUBE_ASSIGN(const auto size, in.get<std::uint16_t>());
  DICUBE_ASSIGN(const ByteSpan bytes, in.get_bytes(size));
  if (count == 0 || count > range) return malformed(formatted("{} gaps in a range of {}", count, range));
  GammaReader codes(bytes);
  Gaps gaps;
  unsigned start = 0, open = 0;
  for (unsigned i = 0; i < count; ++i) {
    DICUBE_ASSIGN(const unsigned distance, codes.get());
    DICUBE_ASSIGN(const unsigned length, codes.get());
    start += distance;
    open += length;
    if (start > range || range + open > 65535)
      return malformed(formatted("gap {} at {}, {} values long in all, in a range of {}", i, start, open, range));
    gaps.push_back({static_cast<std::uint16_t>(start), static_cast<std::uint16_t>(length)});
  }
  if (codes.bytes_used() != bytes.size())
    return malformed(formatted("gaps take {} bytes of {}", codes.bytes_used(), bytes.size()));
  return gaps;
}

Result<Plane> read_parameters(ByteReader& in, bool may_refer) {
  Plane plane;
  DICUBE_ASSIGN(auto low, in.get<std::uint32_t>());
  plane.low = static_cast<std::int32_t>(low);
  if (plane.low < -65536 || plane.low > 65535) return malformed(formatted("a smallest value of {}", plane.low));
  DICUBE_ASSIGN(plane.range, in.get<std::uint16_t>());
  if (plane.range == 0) return plane;
  DICUBE_ASSIGN(auto flags, in.get<std::uint8_t>());
  plane.lane_choice = flags & kLanesFlag;
  if ((flags & ~(kLanesFlag | kZeroFlag | kGapsFlag | (may_refer ? kCorrectionFlag : 0))) != 0)
    return malformed(formatted("unknown flags {:#x}", flags));
  plane.zero_flags = (flags & kZeroFlag) != 0;
  if ((flags & kGapsFlag) != 0) {
    DICUBE_ASSIGN(plane.gaps, read_gaps(in, plane.range));
  }
  DICUBE_ASSIGN(plane.low_bits, in.get<std::uint8_t>());
  if (plane.low_bits > kMostLowBits)
    return malformed(formatted("{} low bits, at most {}", plane.low_bits, kMostLowBits));
  DICUBE_ASSIGN(plane.activity_shift, in.get<std::uint8_t>());
  if (plane.activity_shift > kMostActivityShift)
    return malformed(formatted("an activity shift of {}, at most {}", plane.activity_shift, kMostActivityShift));
  DICUBE_ASSIGN(plane.levels, in.get<std::uint8_t>());
  if (plane.levels < 1 || plane.levels > kMostLevels)
    return malformed(formatted("{} levels, 1 to {} possible", plane.levels, kMostLevels));
  DICUBE_ASSIGN(plane.level_shift, in.get<std::uint8_t>());
  if (plane.level_shift > kMostLevelShift)
    return malformed(formatted("a level shift of {}, at most {}", plane.level_shift, kMostLevelShift));
  for (unsigned c = 0; c < kClasses; ++c)
    if (plane.has_class(c))
      for (std::int8_t& coefficient : plane.coefficients[c]) {
        DICUBE_ASSIGN(coefficient, read_coefficient(in));
      }
  if ((flags & kCorrectionFlag) != 0) {
    DICUBE_ASSIGN(plane.correction, read_correction(in));
  }
  DICUBE_ASSIGN(unsigned count, in.get<std::uint8_t>());
  if (count < 1 || count > kMostContexts)
    return malformed(formatted("{} contexts, 1 to {} possible", count, kMostContexts));
  DICUBE_TRY(read_contexts(in, count, plane));
  return plane;
}

// What ByteReader calls damaged is a malformed stream here.
template <class T>
Result<T> as_codec_error(Result<T> result) {
  if (!result && result.error().error_class == ErrorClass::kDamaged) result.error().error_class = ErrorClass::kCodec;
  return result;
}

Result<Coded> read_parts(const Plane& plane, Size size, ByteReader& in) {
  Coded coded;
  if (plane.zero_flags) {
    DICUBE_ASSIGN(coded.zero_flags, in.get_bytes((Steps(size, plane.lanes()).groups() + 7) / 8));
  }
  DICUBE_ASSIGN(coded.states, in.get_bytes(4 * plane.lanes()));
  DICUBE_ASSIGN(auto words, in.get<std::uint32_t>());
  DICUBE_ASSIGN(coded.words, in.get_bytes(2 * std::uint64_t{words}));
  DICUBE_ASSIGN(coded.low_bits, in.get_bytes((size.pixels() * plane.low_bits + 7) / 8));
  for (unsigned lane = 0; lane < plane.lanes(); ++lane)
    if (load_le<std::uint32_t>(coded.states.data() + 4 * lane) < kLeastState)
      return malformed(formatted("the state of lane {} is too small", lane));
  return coded;
}

}  // namespace

// Best for Laplacian distributions with heavy tails, whose mean grows by a factor of sqrt(2) from family to family.
const std::array<std::array<std::uint8_t, kTokens - 1>, kFamilies> kRawBits = {{
    {0, 0, 0, 0, 0, 0, 2}, {0, 0, 0, 0, 1, 0, 2}, {0, 0, 0, 0, 1, 1, 3}, {0, 0, 0, 0, 1, 2, 3}, {0, 0, 0, 0, 1, 2, 4},
    {0, 0, 0, 1, 1, 2, 4}, {0, 1, 1, 1, 2, 3, 5}, {1, 1, 1, 2, 2, 3, 5}, {1, 1, 2, 2, 3, 4, 5}, {2, 2, 2, 3, 3, 4, 6},
    {2, 2, 3, 3, 4, 5, 6}, {2, 3, 3, 3, 4, 5, 7}, {3, 3, 4, 4, 5, 6, 7}, {3, 4, 4, 4, 5, 6, 8}, {4, 4, 5, 5, 6, 7, 8},
    {5, 5, 5, 6, 7, 8, 8}, {5, 5, 6, 6, 7, 8, 8}, {6, 6, 6, 7, 8, 8, 8}, {6, 7, 7, 8, 8, 8, 8}, {7, 7, 8, 8, 8, 8, 8},
    {7, 8, 8, 8, 8, 8, 8}, {8, 8, 8, 8, 8, 8, 8},
}};

int Plane::raise() const {
  const unsigned half = (unsigned{range} + 1) / 2;
  if (half > kMostRaised) return -1;
  int bits = 0;
  while (bits < kMostRaise && half << (bits + 1) <= kMostRaised) ++bits;
  return bits;
}

std::size_t bytes_of(const Gaps& gaps) {
  const auto bits_of = [](unsigned number) { return 2 * static_cast<std::size_t>(std::bit_width(number)) - 1; };
  std::size_t bits = 0;
  unsigned before = 0;
  for (const Gap& gap : gaps) {
    bits += bits_of(gap.start - before) + bits_of(gap.length);
    before = gap.start;
  }
  return 4 + (bits + 7) / 8;
}

void write_plane(const Plane& plane, ByteWriter& out) {
  out.put(static_cast<std::uint32_t>(plane.low));
  out.put(plane.range);
  if (plane.range == 0) return;
  out.put(static_cast<std::uint8_t>(plane.lane_choice | (plane.zero_flags ? kZeroFlag : 0) |
                                    (plane.correction ? kCorrectionFlag : 0) | (plane.gaps.empty() ? 0 : kGapsFlag)));
  if (!plane.gaps.empty()) {
    const Bytes codes = gamma_codes(plane.gaps);
    out.put(static_cast<std::uint16_t>(plane.gaps.size()));
    out.put(static_cast<std::uint16_t>(codes.size()));
    out.put_bytes(codes);
  }
  out.put(plane.low_bits);
  out.put(plane.activity_shift);
  out.put(plane.levels);
  out.put(plane.level_shift);
  for (unsigned c = 0; c < kClasses; ++c)
    if (plane.has_class(c))
      for (std::int8_t coefficient : plane.coefficients[c]) out.put(static_cast<std::uint8_t>(coefficient));
  if (plane.correction) {
    out.put(plane.correction->lift);
    out.put(plane.correction->unrest_shift);
    for (std::int16_t unrest : plane.correction->unrest) out.put(static_cast<std::uint16_t>(unrest));
    for (const auto& of_class : plane.correction->coefficients)
      for (std::int8_t coefficient : of_class) out.put(static_cast<std::uint8_t>(coefficient));
  }
  out.put(static_cast<std::uint8_t>(plane.contexts.size()));
  for (std::uint8_t threshold : plane.thresholds) out.put(threshold);
  for (const Context& context : plane.contexts) {
    out.put(context.family);
    for (unsigned token = 0; token < kEscape; ++token) out.put(context.frequency[token]);
  }
}

void write_coded(const Coded& coded, ByteWriter& out) {
  out.put_bytes(coded.zero_flags);
  out.put_bytes(coded.states);
  out.put(static_cast<std::uint32_t>(coded.words.size() / 2));
  out.put_bytes(coded.words);
  out.put_bytes(coded.low_bits);
}

Result<Plane> read_plane(ByteReader& in, bool may_refer) { return as_codec_error(read_parameters(in, may_refer)); }

Result<Coded> read_coded(const Plane& plane, Size size, ByteReader& in) {
  return as_codec_error(read_parts(plane, size, in));
}

Tables make_tables(const Plane& plane) {
  Tables tables;
  for (std::size_t i = 0; i < plane.contexts.size(); ++i) {
    const Context& context = plane.contexts[i];
    unsigned start = 0, base = 0;
    for (unsigned token = 0; token < kTokens; ++token) {
      const std::size_t at = kTokens * i + token;
      tables.frequency[at] = context.frequency[token];
      tables.start[at] = static_cast<std::uint8_t>(start);
      start += context.frequency[token];
      if (token == kEscape) continue;
      tables.raw_bits[at] = kRawBits[context.family][token];
      tables.base[at] = static_cast<std::uint16_t>(base);
      base += 1u << tables.raw_bits[at];
    }
  }
  return tables;
}

}  // namespace dicube::codec::lane
