// Decoding goes in groups of rows, as many as a vector has 16-bit lanes:
//  1. The magnitudes of each row, 64 values at a time: their contexts depend on the rows above only, so that nothing in a
//     row waits for its neighbour but for its own state.
//  2. The values of all rows together, row l two values behind row l - 1: N, NE and NW are then the vectors of the last
//     steps, moved up by one lane.
#include "codec/lane_simd.h"

#include <algorithm>
#include <cstring>

#include "codec/lane_reference.h"

// Vectors of a size that is known only when the program runs would need another layout of tables.
#define HWY_DISABLED_TARGETS (HWY_ALL_SVE | HWY_RVV | HWY_SCALAR)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "codec/lane_simd.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace dicube::codec::lane::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D16 = hn::ScalableTag<std::int16_t>;
using DU16 = hn::ScalableTag<std::uint16_t>;
using DU8 = hn::ScalableTag<std::uint8_t>;
using DU32 = hn::ScalableTag<std::uint32_t>;
using V16 = hn::Vec<D16>;
using VU16 = hn::Vec<DU16>;
using VU8 = hn::Vec<DU8>;
using VU32 = hn::Vec<DU32>;

// Neighbours of a vector of values, raised, and what is used again one value further on.
struct Neighbourhood {
  V16 w, ww, n, nw, nww, ne, nn, nnw, nne;
  V16 d_ne, d_nn;      // NE - N, NN - N
  VU16 u_nw, u_nn;     // |NW - N|, |NN - N|
  V16 next_d_nn;       // NNE - NE
  VU16 u_ne, next_u_nn;

  // What depends on the differences of neighbours alone.
  HWY_INLINE void set_differences() {
    const DU16 du;
    d_ne = hn::Sub(ne, n);
    u_ne = hn::BitCast(du, hn::Abs(d_ne));
    next_d_nn = hn::Sub(nne, ne);
    next_u_nn = hn::BitCast(du, hn::Abs(next_d_nn));
  }
  // One value to the right; w, ww, ne and nne are set by the caller.
  HWY_INLINE void move() {
    nww = nw;
    nw = n;
    n = ne;
    nnw = nn;
    nn = nne;
    d_nn = next_d_nn;
    u_nw = u_ne;
    u_nn = next_u_nn;
  }
};

// What prediction needs of a plane.
class Predictor {
 public:
  explicit Predictor(const Plane& plane)
      : raise_(plane.raise()),
        texture_(hn::Set(DU16(), plane.texture)),
        half_(hn::Set(D16(), static_cast<std::int16_t>(raise_ > 0 ? 1 << (raise_ - 1) : 0))),
        low_(hn::Set(D16(), static_cast<std::int16_t>(plane.coded_low()))),
        high_(hn::Set(D16(), static_cast<std::int16_t>(plane.coded_high()))) {
    for (unsigned tap = 0; tap < kTaps; ++tap) {
      HWY_ALIGN std::int16_t of_class[8] = {};
      for (unsigned c = 0; c < kClasses; ++c) of_class[c] = static_cast<std::int16_t>(plane.coefficients[c][tap] * 256);
      coefficients_[tap] = hn::LoadDup128(D16(), of_class);
    }
  }

  HWY_INLINE V16 raised(V16 value) const {
    const DU16 du;
    if (raise_ < 0) return hn::ShiftRight<1>(value);
    return hn::BitCast(D16(), hn::ShiftLeftSame(hn::BitCast(du, value), raise_));
  }
  HWY_INLINE V16 lowered(V16 raised) const { return raise_ < 0 ? hn::ShiftLeft<1>(raised) : hn::ShiftRightSame(raised, raise_); }
  int raise() const { return raise_; }

  // REQUIRES: set_differences() was called. The result is not raised.
  HWY_INLINE V16 predict(const Neighbourhood& at) const {
    const D16 d;
    const DU16 du;
    const auto magnitude = [&](V16 difference) HWY_ATTR { return hn::BitCast(du, hn::Abs(difference)); };
    const VU16 across = hn::SaturatedAdd(hn::SaturatedAdd(at.u_nw, at.u_ne), magnitude(hn::Sub(at.w, at.ww)));
    const VU16 down = hn::SaturatedAdd(hn::SaturatedAdd(at.u_nn, at.next_u_nn), magnitude(hn::Sub(at.w, at.nw)));
    const auto is_across = hn::Gt(across, hn::SaturatedAdd(down, down));
    const auto is_down = hn::Gt(down, hn::SaturatedAdd(across, across));
    const auto is_textured = hn::Gt(hn::SaturatedAdd(across, down), texture_);
    // Twice the class, and that plus one: the bytes of its coefficient.
    const VU16 edge = hn::IfThenElse(is_across, hn::Set(du, 0x0302), hn::IfThenElse(is_down, hn::Set(du, 0x0504), hn::Set(du, 0x0100)));
    const V16 index = hn::BitCast(d, hn::IfThenElse(is_textured, hn::Add(edge, hn::Set(du, 0x0606)), edge));
    const auto term = [&](unsigned tap, V16 difference) HWY_ATTR {
      return hn::MulFixedPoint15(difference, hn::TableLookupBytes(coefficients_[tap], index));
    };
    const V16 d_nw = hn::Sub(at.nw, at.n);
    const V16 first = hn::Add(hn::Add(term(0, hn::Sub(at.w, at.n)), term(1, d_nw)), hn::Add(term(2, at.d_ne), term(3, hn::Sub(at.ww, at.n))));
    const V16 second = hn::Add(hn::Add(term(4, at.d_nn), term(5, hn::Sub(at.nne, at.n))),
                               hn::Add(term(6, hn::Sub(at.nww, at.n)), term(7, hn::Sub(at.nnw, at.n))));
    const V16 correction = hn::Add(first, second);
    V16 expected = hn::SaturatedAdd(hn::SaturatedAdd(hn::SaturatedAdd(at.n, half_), correction), correction);
    expected = raise_ < 0 ? hn::SaturatedAdd(expected, expected) : hn::ShiftRightSame(expected, raise_);
    return hn::Min(hn::Max(expected, low_), high_);
  }

 private:
  int raise_;
  VU16 texture_;
  V16 half_, low_, high_;
  V16 coefficients_[kTaps];
};

void predict_row(const Plane& plane, const RaisedPlane& raised, const std::int16_t* coded, std::int64_t y, std::uint32_t columns, std::uint16_t* out) {
  const D16 d;
  const DU16 du;
  const Predictor predictor(plane);
  const std::int16_t *here = raised.row(y), *above = raised.row(y - 1), *top = raised.row(std::max<std::int64_t>(y - 2, -1));
  const std::int16_t* values = coded + static_cast<std::size_t>(y) * columns;
  for (std::size_t x = 0; x < columns; x += hn::Lanes(d)) {
    const auto load = [&](const std::int16_t* row, std::ptrdiff_t offset) HWY_ATTR { return hn::LoadU(d, row + x + offset); };
    Neighbourhood at;
    at.w = load(here, -1);
    at.ww = load(here, -2);
    at.n = load(above, 0);
    at.nw = load(above, -1);
    at.nww = load(above, -2);
    at.ne = load(above, 1);
    at.nn = load(top, 0);
    at.nnw = load(top, -1);
    at.nne = load(top, 1);
    at.set_differences();
    at.d_nn = hn::Sub(at.nn, at.n);
    at.u_nn = hn::BitCast(du, hn::Abs(at.d_nn));
    at.u_nw = hn::BitCast(du, hn::Abs(hn::Sub(at.nw, at.n)));
    const V16 residual = hn::Sub(hn::LoadN(d, values + x, columns - x), predictor.predict(at));
    const V16 magnitude = hn::Xor(hn::Add(residual, residual), hn::BroadcastSignBit(residual));
    hn::StoreU(hn::BitCast(du, magnitude), du, out + x);
  }
}

// ------------------------------------------------------------------------------------------------ magnitudes

// Looks bytes up in tables of up to 128 entries.
template <unsigned kEntries>
HWY_INLINE VU8 lookup(const std::uint8_t* table, VU8 index) {
  const DU8 d;
#if HWY_TARGET <= HWY_AVX3_DL
  if constexpr (kEntries <= 64) return hn::TableLookupLanes(hn::LoadU(d, table), hn::IndicesFromVec(d, index));
  else return hn::TwoTablesLookupLanes(d, hn::LoadU(d, table), hn::LoadU(d, table + 64), hn::IndicesFromVec(d, index));
#else
  const VU8 low = hn::And(index, hn::Set(d, 15));
  VU8 found = hn::TableLookupBytes(hn::LoadDup128(d, table), low);
  for (unsigned block = 1; block < kEntries / 16; ++block) {
    const auto above = hn::Ge(index, hn::Set(d, static_cast<std::uint8_t>(16 * block)));
    found = hn::IfThenElse(above, hn::TableLookupBytes(hn::LoadDup128(d, table + 16 * block), low), found);
  }
  return found;
#endif
}

// Words in order; behind their end zeros, so that a vector may be read anywhere.
class Words {
 public:
  static constexpr std::size_t kSpare = 4 * kMostLanes;
  Words(ByteSpan bytes, std::vector<std::uint16_t>& copy) {
    count_ = bytes.size() / 2;
    copy.resize(count_ + kSpare);
    if (count_ > 0) std::memcpy(copy.data(), bytes.data(), 2 * count_);
    std::fill(copy.begin() + static_cast<std::ptrdiff_t>(count_), copy.end(), std::uint16_t{0});
    begin_ = at_ = copy.data();
  }
  const std::uint16_t* at() const { return at_; }
  void skip(std::size_t count) { at_ += count; }
  std::uint16_t next() { return *at_++; }
  std::size_t used() const { return static_cast<std::size_t>(at_ - begin_); }
  std::size_t count() const { return count_; }
  bool overrun() const { return used() > count_; }

 private:
  const std::uint16_t *begin_, *at_;
  std::size_t count_;
};

class MagnitudeReader {
 public:
  MagnitudeReader(const Plane& plane, const Coded& coded, std::vector<std::uint16_t>& words)
      : plane_(plane), coded_(coded), words_(coded.words, words) {
    const Tables tables = make_tables(plane);
    std::copy(tables.frequency.begin(), tables.frequency.end(), frequency_);
    std::copy(tables.start.begin(), tables.start.end(), start_);
    std::copy(tables.raw_bits.begin(), tables.raw_bits.end(), raw_bits_);
    for (unsigned i = 0; i < kMostContexts * kTokens; ++i) {
      base_low_[i] = static_cast<std::uint8_t>(tables.base[i]);
      base_high_[i] = static_cast<std::uint8_t>(tables.base[i] >> 8);
    }
    for (unsigned context = 0; context < kMostContexts; ++context) {  // a binary search for the token
      const std::uint8_t* start = start_ + kTokens * context;
      first_[context] = start[4];
      for (unsigned i = 0; i < 2; ++i) second_[2 * context + i] = start[4 * i + 2];
      for (unsigned i = 0; i < 4; ++i) third_[4 * context + i] = start[2 * i + 1];
    }
#if HWY_TARGET > HWY_AVX3
    for (std::size_t context = 0; context < plane.contexts.size(); ++context)
      for (unsigned token = 0, slot = 0; token < kTokens; ++token) {
        const std::size_t at = kTokens * context + token;
        const std::uint32_t entry = tables.frequency[at] | std::uint32_t{tables.raw_bits[at]} << 16 | std::uint32_t{tables.base[at]} << 20 | (token == kEscape ? 1u << 31 : 0);
        for (unsigned offset = 0; offset < tables.frequency[at]; ++offset) entries_[256 * context + slot++] = entry | offset << 8;
      }
#endif
    std::fill(thresholds_, thresholds_ + 32, std::uint16_t{0xFFFF});  // above every energy
    std::copy(plane.thresholds.begin(), plane.thresholds.end(), thresholds_);
    for (unsigned lane = 0; lane < plane.lanes(); ++lane) states_[lane] = load_le<std::uint32_t>(coded.states.data() + 4 * lane);
  }

  // Row y's magnitudes into `out`; `above` and `top`: those of the two rows before. All may be read and written up to
  // kMostLanes behind their end, and stay 0 there and in front.
  HWY_INLINE Status read_row(std::uint32_t columns, const std::uint16_t* above, const std::uint16_t* top, std::uint16_t* out) {
    for (std::uint32_t x = 0; x < columns; x += plane_.lanes(), ++group_) {
      const std::uint32_t count = std::min<std::uint32_t>(plane_.lanes(), columns - x);
      if (plane_.zero_flags && (coded_.zero_flags[group_ / 8] >> (group_ % 8) & std::byte{1}) != std::byte{0}) {
        std::fill(out + x, out + x + count, std::uint16_t{0});
        continue;
      }
#if HWY_TARGET > HWY_AVX3
      if (count == kMostLanes) gather_group<true>(above + x, top + x, out + x, count);
      else gather_group<false>(above + x, top + x, out + x, count);
#else
      if (count == kMostLanes) read_group<true>(above + x, top + x, out + x, count);
      else read_group<false>(above + x, top + x, out + x, count);
#endif
      if (words_.overrun()) return fail(ErrorClass::kCodec, "lane stream: its {} words end too early", words_.count());
    }
    return {};
  }

  Status check_end() const {
    if (words_.used() != words_.count())
      return fail(ErrorClass::kCodec, "lane stream: {} words used of {}", words_.used(), words_.count());
    for (unsigned lane = 0; lane < plane_.lanes(); ++lane)
      if (states_[lane] != kLeastState) return fail(ErrorClass::kCodec, "lane stream: a state ends at {:#x}, {:#x} expected", states_[lane], kLeastState);
    return {};
  }

 private:
  HWY_INLINE VU16 contexts(const std::uint16_t* above, const std::uint16_t* top) const {
    const DU16 d;
    const VU16 most = hn::Set(d, kMostMagnitude);
    const auto at = [&](const std::uint16_t* row, std::ptrdiff_t offset) HWY_ATTR { return hn::Min(hn::LoadU(d, row + offset), most); };
    const VU16 n = at(above, 0), sides = hn::Add(at(above, -1), at(above, 1)), nn = at(top, 0);
    const VU16 outer = hn::Add(hn::Add(at(above, -2), at(above, 2)), hn::Add(at(top, -1), at(top, 1)));
    VU16 energy = hn::Add(hn::Add(hn::ShiftLeft<2>(n), hn::Add(sides, hn::Add(sides, sides))), hn::Add(outer, hn::Add(nn, nn)));
    VU16 context = hn::Zero(d);
#if HWY_TARGET <= HWY_AVX3
    const VU16 table = hn::Load(d, thresholds_);
    for (std::uint16_t step = 8; step > 0; step = static_cast<std::uint16_t>(step / 2)) {
      const VU16 next = hn::Add(context, hn::Set(d, step));
      const VU16 threshold = hn::TableLookupLanes(table, hn::IndicesFromVec(d, hn::Sub(next, hn::Set(d, 1))));
      context = hn::IfThenElse(hn::Ge(energy, threshold), next, context);
    }
#else
    for (std::uint16_t threshold : plane_.thresholds)
      context = hn::Sub(context, hn::BitCast(d, hn::VecFromMask(d, hn::Ge(energy, hn::Set(d, threshold)))));
#endif
    return context;
  }

#if HWY_TARGET > HWY_AVX3
  // Tables of 128 bytes in registers are slow here: what belongs to a slot comes from memory instead.
  template <bool kAll>
  HWY_INLINE void gather_group(const std::uint16_t* above, const std::uint16_t* top, std::uint16_t* out, std::uint32_t count) {
    const DU16 d16;
    const DU32 d32;
    const hn::RebindToSigned<DU32> di32;
    const hn::Rebind<std::uint16_t, DU32> half16;
    constexpr std::size_t kN16 = HWY_MAX_BYTES / 2, kN32 = HWY_MAX_BYTES / 4;
    HWY_ALIGN std::uint32_t entries[kMostLanes];
    VU32 any = hn::Zero(d32);
    for (std::size_t i = 0; i < (kAll ? kMostLanes : count); i += kN16) {
      const VU16 context = contexts(above + i, top + i);
      const auto read = [&](VU32 of_lane, std::size_t lane) HWY_ATTR {
        const VU32 before = hn::Load(d32, states_ + lane);
        const VU32 slot = hn::Or(hn::ShiftLeft<8>(of_lane), hn::And(before, hn::Set(d32, 255)));
        const VU32 entry = hn::GatherIndex(d32, entries_, hn::BitCast(di32, slot));
        const VU32 bits = hn::And(hn::ShiftRight<16>(entry), hn::Set(d32, 15));
        const VU32 whole = hn::Add(hn::Mul(hn::And(entry, hn::Set(d32, 255)), hn::ShiftRight<8>(before)),
                                   hn::And(hn::ShiftRight<8>(entry), hn::Set(d32, 255)));
        const VU32 rest = hn::Shr(whole, bits);
        auto short_of = hn::Lt(rest, hn::Set(d32, kLeastState));
        if constexpr (!kAll) short_of = hn::And(short_of, hn::FirstN(d32, count - std::min<std::size_t>(lane, count)));
        const VU32 words = hn::Expand(hn::PromoteTo(d32, hn::LoadU(half16, words_.at())), short_of);
        VU32 after = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(rest), words), rest);
        if constexpr (!kAll) after = hn::IfThenElse(hn::FirstN(d32, count - std::min<std::size_t>(lane, count)), after, before);
        hn::Store(after, d32, states_ + lane);
        words_.skip(hn::CountTrue(d32, short_of));
        hn::Store(entry, d32, entries + lane);
        any = hn::Or(any, entry);
        return hn::Add(hn::And(hn::ShiftRight<20>(entry), hn::Set(d32, 0x7FF)), hn::Sub(whole, hn::Shl(rest, bits)));
      };
      const VU32 lower = read(hn::PromoteLowerTo(d32, context), i), upper = read(hn::PromoteUpperTo(d32, context), i + kN32);
      VU16 magnitude = hn::OrderedTruncate2To(d16, lower, upper);
      if constexpr (!kAll) magnitude = hn::IfThenElseZero(hn::FirstN(d16, count - std::min<std::size_t>(i, count)), magnitude);
      hn::StoreU(magnitude, d16, out + i);
    }
    if (hn::AllFalse(di32, hn::Lt(hn::BitCast(di32, any), hn::Zero(di32)))) return;
    for (std::size_t lane = 0; lane < count; ++lane)
      if (entries[lane] >> 31 != 0) out[lane] = words_.next();
  }

#else
  template <bool kAll>
  HWY_INLINE void read_group(const std::uint16_t* above, const std::uint16_t* top, std::uint16_t* out, std::uint32_t count) {
    const DU8 d8;
    const DU16 d16;
    const DU32 d32;
    const hn::Rebind<std::uint8_t, DU32> quarter;
    const hn::Rebind<std::uint8_t, DU16> half;
    const hn::Rebind<std::uint16_t, DU32> half16;
    constexpr std::size_t kN8 = HWY_MAX_BYTES;  // scalable vectors are not used
    HWY_ALIGN std::uint8_t frequency[kMostLanes], offset[kMostLanes], bits[kMostLanes], low[kMostLanes], high[kMostLanes], tokens[kMostLanes];
    HWY_ALIGN std::uint16_t raw[kMostLanes];
    static_assert(64 % kN8 == 0);
    for (std::size_t i = 0; i < (kAll ? kMostLanes : count); i += kN8) {
      const VU8 context = hn::OrderedTruncate2To(d8, contexts(above + i, top + i), contexts(above + i + kN8 / 2, top + i + kN8 / 2));
      const auto state = [&](std::size_t part) HWY_ATTR { return hn::Load(d32, states_ + i + part * kN8 / 4); };
      const VU8 slot = hn::OrderedTruncate2To(d8, hn::OrderedTruncate2To(d16, state(0), state(1)), hn::OrderedTruncate2To(d16, state(2), state(3)));
      const auto one_if_not_below = [&](VU8 start) HWY_ATTR { return hn::IfThenElseZero(hn::Ge(slot, start), hn::Set(d8, 1)); };
      VU8 at = context;
      const VU8 first = one_if_not_below(lookup<16>(first_, at));
      at = hn::Add(hn::Add(at, at), first);
      const VU8 second = one_if_not_below(lookup<32>(second_, at));
      at = hn::Add(hn::Add(at, at), second);
      const VU8 third = one_if_not_below(lookup<64>(third_, at));
      at = hn::Add(hn::Add(at, at), third);
      hn::Store(lookup<128>(frequency_, at), d8, frequency + i);
      hn::Store(hn::Sub(slot, lookup<128>(start_, at)), d8, offset + i);
      hn::Store(lookup<128>(raw_bits_, at), d8, bits + i);
      hn::Store(lookup<128>(base_low_, at), d8, low + i);
      hn::Store(lookup<128>(base_high_, at), d8, high + i);
      hn::Store(hn::And(at, hn::Set(d8, kTokens - 1)), d8, tokens + i);
    }
    constexpr std::size_t kN32 = kN8 / 4;
    for (std::size_t i = 0; i < (kAll ? kMostLanes : count); i += kN32) {
      const VU32 before = hn::Load(d32, states_ + i);
      const VU32 f = hn::PromoteTo(d32, hn::Load(quarter, frequency + i)), o = hn::PromoteTo(d32, hn::Load(quarter, offset + i)),
                 n = hn::PromoteTo(d32, hn::Load(quarter, bits + i));
      const VU32 whole = hn::Add(hn::Mul(f, hn::ShiftRight<8>(before)), o);
      const VU32 rest = hn::Shr(whole, n);
      hn::Store(hn::TruncateTo(half16, hn::Sub(whole, hn::Shl(rest, n))), half16, raw + i);
      auto short_of = hn::Lt(rest, hn::Set(d32, kLeastState));
      VU32 after;
      if constexpr (kAll) {
        const VU32 words = hn::Expand(hn::PromoteTo(d32, hn::LoadU(half16, words_.at())), short_of);
        after = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(rest), words), rest);
      } else {
        const auto inside = hn::FirstN(d32, count - std::min<std::size_t>(i, count));
        short_of = hn::And(short_of, inside);
        const VU32 words = hn::Expand(hn::PromoteTo(d32, hn::LoadU(half16, words_.at())), short_of);
        after = hn::IfThenElse(short_of, hn::Or(hn::ShiftLeft<16>(rest), words), rest);
        after = hn::IfThenElse(inside, after, before);
      }
      hn::Store(after, d32, states_ + i);
      words_.skip(hn::CountTrue(d32, short_of));
    }
    constexpr std::size_t kN16 = kN8 / 2;
    for (std::size_t i = 0; i < (kAll ? kMostLanes : count); i += kN16) {
      const VU16 base = hn::Or(hn::PromoteTo(d16, hn::Load(half, low + i)), hn::ShiftLeft<8>(hn::PromoteTo(d16, hn::Load(half, high + i))));
      VU16 magnitude = hn::Add(base, hn::Load(d16, raw + i));
      if constexpr (!kAll) magnitude = hn::IfThenElseZero(hn::FirstN(d16, count - std::min<std::size_t>(i, count)), magnitude);
      hn::StoreU(magnitude, d16, out + i);
    }
    read_escapes<kAll>(tokens, out, count);
  }

  template <bool kAll>
  HWY_INLINE void read_escapes(const std::uint8_t* tokens, std::uint16_t* out, std::uint32_t count) {
    const DU8 d8;
    for (std::size_t i = 0; i < (kAll ? kMostLanes : count); i += hn::Lanes(d8)) {
      auto escaped = hn::Eq(hn::Load(d8, tokens + i), hn::Set(d8, kEscape));
      if constexpr (!kAll) escaped = hn::And(escaped, hn::FirstN(d8, count - i));
      if (hn::AllFalse(d8, escaped)) continue;
      for (std::size_t lane = i; lane < std::min<std::size_t>(i + hn::Lanes(d8), count); ++lane)
        if (tokens[lane] == kEscape) out[lane] = words_.next();
    }
  }
#endif

  const Plane& plane_;
  const Coded& coded_;
  Words words_;
  std::uint64_t group_ = 0;
  HWY_ALIGN std::uint32_t states_[kMostLanes] = {};
  HWY_ALIGN std::uint16_t thresholds_[32];
#if HWY_TARGET > HWY_AVX3
  HWY_ALIGN std::uint32_t entries_[256 * kMostContexts] = {};  // frequency, offset, bits, base and escape of a context's slot
#endif
  HWY_ALIGN std::uint8_t first_[64] = {}, second_[64] = {}, third_[64] = {};
  HWY_ALIGN std::uint8_t frequency_[128], start_[128], raw_bits_[128], base_low_[128], base_high_[128];
};

// Takes low bits of consecutive pixels.
class LowBits {
 public:
  LowBits(ByteSpan bytes, unsigned bits) : bytes_(bytes), bits_(bits) {}
  unsigned next() {
    while (held_ < bits_) {
      window_ |= std::to_integer<std::uint32_t>(bytes_[at_++]) << held_;
      held_ += 8;
    }
    const unsigned value = window_ & ((1u << bits_) - 1);
    window_ >>= bits_;
    held_ -= bits_;
    return value;
  }

 private:
  ByteSpan bytes_;
  unsigned bits_, held_ = 0;
  std::uint32_t window_ = 0;
  std::size_t at_ = 0;
};

// ---------------------------------------------------------------------------------------------------- values

// Lane l works on row l of the group, at column t - 2 l of step t.
class Wave {
 public:
  static constexpr std::size_t kRows = HWY_MAX_BYTES / 2;
  static constexpr std::size_t kMargin = 2 * kRows + 16;  // columns in front of and behind a row that are read or written

  Wave(const Predictor& predictor, std::uint32_t columns, std::size_t stride) : predictor_(predictor), columns_(columns), stride_(stride) {}

  // `residuals` and `values`: column 0 of the group's first row; the two rows before stand in front of `values`.
  HWY_INLINE void run(const std::int16_t* residuals, std::int16_t* values) {
    const V16 zero = hn::Zero(D16());
    at_.w = at_.ww = at_.ne = at_.n = at_.nw = at_.nww = at_.nne = at_.nn = at_.nnw = zero;
    at_.d_nn = at_.next_d_nn = zero;
    at_.set_differences();
    const auto columns = static_cast<std::ptrdiff_t>(columns_);
    const auto last = columns + 2 * static_cast<std::ptrdiff_t>(kRows - 1);
    for (std::ptrdiff_t t = -8; t <= last; t += 8) {
      if (t >= 2 * static_cast<std::ptrdiff_t>(kRows - 1) && t + 8 <= columns) block<false>(t, residuals, values);
      else block<true>(t, residuals, values);
    }
  }

 private:
  static constexpr std::size_t kBlocks = HWY_MAX_BYTES / 16;  // of 8 lanes

  // Rows of a block of 8 columns each become steps, and back: lane 8 b + i of vector s is value s of vector i, block b.
  HWY_INLINE static void transpose(V16* v) {
    V16 a[8], b[8];
    shuffle(v, a);
    shuffle(a, b);
    shuffle(b, v);
  }
  HWY_INLINE static void shuffle(const V16* from, V16* to) {
    const D16 d;
    for (int i = 0; i < 4; ++i) {
      to[2 * i] = hn::InterleaveLower(d, from[i], from[i + 4]);
      to[2 * i + 1] = hn::InterleaveUpper(d, from[i], from[i + 4]);
    }
  }

  HWY_INLINE std::ptrdiff_t offset(std::size_t row, std::ptrdiff_t t) const {
    return static_cast<std::ptrdiff_t>(row * stride_) + t - 2 * static_cast<std::ptrdiff_t>(row);
  }

  template <bool kEdges>
  HWY_INLINE void block(std::ptrdiff_t t, const std::int16_t* residuals, std::int16_t* values) {
    const D16 d;
    const hn::Full128<std::int16_t> d128;
    HWY_ALIGN std::int16_t gathered[8][kRows];
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t b = 0; b < kBlocks; ++b) hn::Store(hn::LoadU(d128, residuals + offset(8 * b + i, t)), d128, gathered[i] + 8 * b);
    V16 v[8];
    for (std::size_t i = 0; i < 8; ++i) v[i] = hn::Load(d, gathered[i]);
    transpose(v);
    for (std::size_t i = 0; i < 8; ++i) hn::Store(v[i], d, gathered[i]);
    const std::int16_t *above = values - stride_ + t, *top = above - stride_;
    Neighbourhood at = at_;  // in registers, as far as they go
    for (int s = 0; s < 8; ++s) {
      const V16 nne = moved_up(at.n, top[s + 1]);  // the NE of the lane before, two steps ago, is its N now
      at.move();
      at.nne = nne;
      at.ne = moved_up(at.w, above[s + 1]);
      at.set_differences();
      V16 value = hn::Add(predictor_.predict(at), hn::Load(d, gathered[s]));
      V16 raised = predictor_.raised(value);
      if constexpr (kEdges) {
        const V16 edge = edge_value(t + s, raised, at);
        value = hn::IfThenElse(hn::Eq(edge, raised), value, predictor_.lowered(edge));
        raised = edge;
      }
      hn::Store(value, d, gathered[s]);
      at.ww = at.w;
      at.w = raised;
    }
    at_ = at;
    for (std::size_t i = 0; i < 8; ++i) v[i] = hn::Load(d, gathered[i]);
    transpose(v);
    for (std::size_t i = 0; i < 8; ++i) hn::Store(v[i], d, gathered[i]);
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t b = 0; b < kBlocks; ++b) hn::StoreU(hn::Load(d128, gathered[i] + 8 * b), d128, values + offset(8 * b + i, t));
  }

  // Each lane's value to the next one; lane 0 from a value that isn't raised yet.
  HWY_INLINE V16 moved_up(V16 vector, std::int16_t first) const {
    const D16 d;
    return hn::IfThenElse(hn::FirstN(d, 1), hn::Set(d, lane::raised(first, predictor_.raise())), hn::Slide1Up(d, vector));
  }

  // In front of a row stands what is to the north-east of there; behind it, its last value.
  HWY_INLINE V16 edge_value(std::ptrdiff_t t, V16 value, const Neighbourhood& at) const {
    const D16 d;
    // Lane l is in front of its row while t < 2 l, and behind it from t - 2 l = columns on.
    const auto columns = static_cast<std::ptrdiff_t>(columns_), lanes = static_cast<std::ptrdiff_t>(kRows);
    const auto front = std::clamp<std::ptrdiff_t>(t < 0 ? 0 : t / 2 + 1, 0, lanes);
    const auto behind = std::clamp<std::ptrdiff_t>(t < columns ? 0 : (t - columns) / 2 + 1, 0, lanes);
    value = hn::IfThenElse(hn::FirstN(d, static_cast<std::size_t>(front)), value, at.ne);
    return hn::IfThenElse(hn::FirstN(d, static_cast<std::size_t>(behind)), at.w, value);
  }

  const Predictor& predictor_;
  std::uint32_t columns_;
  std::size_t stride_;
  Neighbourhood at_;
};

class PlaneDecoder {
 public:
  PlaneDecoder(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out)
      : size_(size), low_bits_(plane.low_bits), low_(coded.low_bits, plane.low_bits), predictor_(plane),
        reader_(plane, coded, buffers.words), centre_(static_cast<std::uint16_t>(plane.centre())), out_(out),
        stride_((size.columns + 2 * Wave::kMargin + kMostLanes + 31) / 32 * 32) {
    buffers.residuals.assign(stride_ * Wave::kRows + 2 * Wave::kMargin, 0);
    buffers.values.assign(stride_ * (Wave::kRows + 2) + 2 * Wave::kMargin, 0);
    buffers.magnitudes.assign(stride_ * 3, 0);
    residuals_ = buffers.residuals.data() + Wave::kMargin;
    values_ = buffers.values.data() + Wave::kMargin;
    for (unsigned i = 0; i < 3; ++i) magnitudes_[i] = buffers.magnitudes.data() + i * stride_ + Wave::kMargin;
  }

  Status run() {
    DICUBE_TRY(first_row());
    Wave wave(predictor_, size_.columns, stride_);
    for (std::uint32_t y = 1; y < size_.rows; y += Wave::kRows) {
      const auto rows = std::min<std::uint32_t>(Wave::kRows, size_.rows - y);
      for (std::uint32_t i = 0; i < rows; ++i) DICUBE_TRY(read_residuals(residuals_ + i * stride_));
      wave.run(residuals_, values_ + 2 * stride_);
      for (std::uint32_t i = 0; i < rows; ++i) copy_out(y + i, values_ + (2 + i) * stride_);
      for (std::size_t i = 0; i < 2; ++i)
        std::memcpy(values_ + i * stride_ - Wave::kMargin, values_ + (Wave::kRows + i) * stride_ - Wave::kMargin, 2 * stride_);
    }
    return reader_.check_end();
  }

 private:
  // Every value is expected to be the one before.
  Status first_row() {
    DICUBE_TRY(read_residuals(residuals_));
    std::uint16_t value = 0;
    std::int16_t* row = values_ + stride_;
    for (std::uint32_t x = 0; x < size_.columns; ++x) {
      value = static_cast<std::uint16_t>(value + static_cast<std::uint16_t>(residuals_[x]));
      row[x] = static_cast<std::int16_t>(value);
    }
    for (std::size_t i = 1; i <= Wave::kMargin; ++i) row[-static_cast<std::ptrdiff_t>(i)] = row[0];
    std::fill(row + size_.columns, row + size_.columns + Wave::kMargin, row[size_.columns - 1]);
    std::memcpy(values_ - Wave::kMargin, row - Wave::kMargin, 2 * stride_);  // the row above the first is the first
    copy_out(0, row);
    return {};
  }

  Status read_residuals(std::int16_t* out) {
    const D16 d;
    const DU16 du;
    std::uint16_t* row = magnitudes_[2];
    DICUBE_TRY(reader_.read_row(size_.columns, magnitudes_[1], magnitudes_[0], row));
    std::rotate(magnitudes_, magnitudes_ + 1, magnitudes_ + 3);
    if (low_bits_ > 0) {
      for (std::uint32_t x = 0; x < size_.columns; ++x) {
        const auto magnitude = static_cast<std::uint16_t>(unsigned{row[x]} << low_bits_ | low_.next());
        out[x] = static_cast<std::int16_t>((magnitude >> 1) ^ (magnitude & 1 ? 0xFFFFu : 0u));
      }
      return {};
    }
    for (std::size_t x = 0; x < size_.columns; x += hn::Lanes(d)) {
      const VU16 magnitude = hn::LoadU(du, row + x);
      const VU16 sign = hn::Sub(hn::Zero(du), hn::And(magnitude, hn::Set(du, 1)));
      hn::StoreU(hn::BitCast(d, hn::Xor(hn::ShiftRight<1>(magnitude), sign)), d, out + x);
    }
    return {};
  }

  void copy_out(std::uint32_t y, const std::int16_t* row) {
    const DU16 d;
    std::uint16_t* out = out_ + std::size_t{y} * size_.columns;
    const auto* from = reinterpret_cast<const std::uint16_t*>(row);
    const VU16 centre = hn::Set(d, centre_);
    std::size_t x = 0;
    for (; x + hn::Lanes(d) <= size_.columns; x += hn::Lanes(d)) hn::StoreU(hn::Add(hn::LoadU(d, from + x), centre), d, out + x);
    for (; x < size_.columns; ++x) out[x] = static_cast<std::uint16_t>(from[x] + centre_);
  }

  Size size_;
  unsigned low_bits_;
  LowBits low_;
  Predictor predictor_;
  MagnitudeReader reader_;
  std::uint16_t centre_;
  std::uint16_t* out_;
  std::size_t stride_;
  std::int16_t *residuals_, *values_;
  std::uint16_t* magnitudes_[3];
};

Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out) {
  return PlaneDecoder(plane, size, coded, buffers, out).run();
}

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dicube::codec::lane {

HWY_EXPORT(predict_row);
HWY_EXPORT(decode_vectors);

void predict_row(const Plane& plane, const RaisedPlane& raised, const std::int16_t* coded, std::int64_t y, std::uint32_t columns, std::uint16_t* out) {
  HWY_DYNAMIC_DISPATCH(predict_row)(plane, raised, coded, y, columns, out);
}

Status decode_vectors(const Plane& plane, Size size, const Coded& coded, RowBuffers& buffers, std::uint16_t* out) {
  return HWY_DYNAMIC_DISPATCH(decode_vectors)(plane, size, coded, buffers, out);
}

}  // namespace dicube::codec::lane
#endif
