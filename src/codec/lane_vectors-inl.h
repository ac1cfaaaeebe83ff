// What encoding and decoding have in common, for one vector unit; included once for each.
#if defined(DICUBE_LANE_VECTORS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DICUBE_LANE_VECTORS_INL
#undef DICUBE_LANE_VECTORS_INL
#else
#define DICUBE_LANE_VECTORS_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <type_traits>

#include "codec/lane_gaps.h"
#include "codec/lane_reference.h"
#include "codec/lane_words.h"

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

// The first `count` of a vector's values, or all of them: FirstN() takes only what fits a value.
template <class D>
HWY_INLINE hn::Mask<D> leading(D d, std::size_t count) {
  return hn::FirstN(d, std::min(count, hn::Lanes(d)));
}

// Value i of block b of vector s becomes value s of block b of vector i, blocks being of 8 values.
template <class D>
HWY_INLINE void interleave(D d, const hn::Vec<D>* from, hn::Vec<D>* to) {
  for (int i = 0; i < 4; ++i) {
    to[2 * i] = hn::InterleaveLower(d, from[i], from[i + 4]);
    to[2 * i + 1] = hn::InterleaveUpper(d, from[i], from[i + 4]);
  }
}
template <class D>
HWY_INLINE void transpose(D d, hn::Vec<D>* v) {
  hn::Vec<D> a[8], b[8];
  interleave(d, v, a);
  interleave(d, a, b);
  interleave(d, b, v);
}

// Neighbours of a vector of values, raised, and differences between them that are used again further on.
struct Neighbourhood {
  V16 w, ww, n, nw, ne, nne;
  V16 across[3];  // NE - N, N - NW, NW - NWW
  V16 down[3];    // NNE - NE, NN - N, NNW - NW

  // One value to the right; w, ww, ne and nne are set by the caller.
  HWY_INLINE void move() {
    nw = hn::Sub(ne, across[0]);  // cheaper than to keep N
    n = ne;
    for (int i = 2; i > 0; --i) {
      across[i] = across[i - 1];
      down[i] = down[i - 1];
    }
  }
  HWY_INLINE void set_differences() {
    across[0] = hn::Sub(ne, n);
    down[0] = hn::Sub(nne, ne);
  }
};

// What prediction needs of a plane.
class Predictor {
 public:
  explicit Predictor(const Plane& plane)
      : raise_(plane.raise()),
        texture_(hn::Set(D16(), plane.texture)),
        half_(hn::Set(D16(), static_cast<std::int16_t>(raise_ > 0 ? 1 << (raise_ - 1) : 0))),
        low_(hn::Set(D16(), static_cast<std::int16_t>(plane.coded_low()))),
        high_(hn::Set(D16(), static_cast<std::int16_t>(plane.coded_high()))) {
    for (unsigned tap = 0; tap < kTaps; ++tap) {
      HWY_ALIGN std::int16_t of_class[8] = {};
      for (unsigned c = 0; c < kClasses; ++c) of_class[c] = static_cast<std::int16_t>(plane.coefficients[c][tap] * 256);
      coefficients_[tap] = hn::LoadDup128(D16(), of_class);
    }
  }

  // Values are raised, or, with kSink, sunk.
  template <bool kSink>
  HWY_INLINE V16 raised(V16 value) const {
    if constexpr (kSink)
      return hn::ShiftRight<1>(value);
    else
      return hn::BitCast(D16(), hn::ShiftLeftSame(hn::BitCast(DU16(), value), raise_));
  }
  template <bool kSink>
  HWY_INLINE V16 lowered(V16 raised) const {
    if constexpr (kSink)
      return hn::ShiftLeft<1>(raised);
    else
      return hn::ShiftRightSame(raised, raise_);
  }
  int raise() const { return raise_; }

  // REQUIRES: set_differences() was called. The result is not raised.
  template <bool kSink>
  HWY_INLINE V16 predict(const Neighbourhood& at) const {
    const D16 d;
    const V16 w_nw = hn::Sub(at.w, at.nw), w_ww = hn::Sub(at.w, at.ww);
    const V16 across = hn::SaturatedAdd(hn::Abs(w_ww), hn::SaturatedAdd(hn::Abs(at.across[1]), hn::Abs(at.across[0])));
    const V16 down = hn::SaturatedAdd(hn::Abs(w_nw), hn::SaturatedAdd(hn::Abs(at.down[1]), hn::Abs(at.down[0])));
    const auto is_across = hn::Gt(across, hn::SaturatedAdd(down, down));
    const auto is_down = hn::Gt(down, hn::SaturatedAdd(across, across));
    const auto is_textured = hn::Gt(hn::SaturatedAdd(across, down), texture_);
    // Twice the class, and that plus one: the bytes of its coefficient.
    const V16 edge =
        hn::IfThenElse(is_across, hn::Set(d, 0x0302), hn::IfThenElse(is_down, hn::Set(d, 0x0504), hn::Set(d, 0x0100)));
    const V16 index = hn::MaskedAddOr(edge, is_textured, edge, hn::Set(d, 0x0606));
    const auto term = [&](unsigned tap, V16 difference) HWY_ATTR {
      return hn::MulFixedPoint15(difference, hn::TableLookupBytes(coefficients_[tap], index));
    };
    const V16 first =
        hn::Add(hn::Add(term(0, w_nw), term(1, w_ww)), hn::Add(term(2, at.across[1]), term(3, at.across[0])));
    const V16 second =
        hn::Add(hn::Add(term(4, at.down[1]), term(5, at.down[0])), hn::Add(term(6, at.across[2]), term(7, at.down[2])));
    const V16 correction = hn::Add(first, second);
    V16 expected = hn::SaturatedAdd(hn::SaturatedAdd(hn::SaturatedAdd(at.n, half_), correction), correction);
    if constexpr (kSink)
      expected = hn::SaturatedAdd(expected, expected);
    else
      expected = hn::ShiftRightSame(expected, raise_);
    return hn::Min(hn::Max(expected, low_), high_);
  }

 private:
  int raise_;
  V16 texture_, half_, low_, high_;
  V16 coefficients_[kTaps];
};

// What a row's neighbours are to its contexts: a byte per magnitude, with zeros around the row.
template <class D>
HWY_INLINE hn::Vec<D> activity_index(D d, const std::uint8_t* above, const std::uint8_t* top) {
  const auto at = [&](const std::uint8_t* row, std::ptrdiff_t offset) HWY_ATTR { return hn::LoadU(d, row + offset); };
  const auto n = at(above, 0), sides = hn::AverageRound(at(above, -1), at(above, 1));
  const auto outer =
      hn::AverageRound(hn::AverageRound(at(above, -2), at(above, 2)), hn::AverageRound(at(top, -1), at(top, 1)));
  const auto twice = hn::Add(hn::Add(n, outer), sides);
  return hn::ShiftRight<2>(hn::Add(hn::Add(twice, twice), hn::Add(sides, at(top, 0))));
}

// The same where a reference has its own unrest.
template <class V>
HWY_INLINE V joined(V around, V unrest) {
  return hn::AverageRound(around, hn::AverageRound(around, hn::Add(unrest, unrest)));
}

// Of bytes, the activities.
template <class V>
HWY_INLINE V activities(V byte) {
  const hn::DFromV<V> d;
  const V high = hn::ShiftRight<4>(byte);
  const V fine = hn::TableLookupBytes(hn::LoadDup128(d, kActivity.data()), hn::And(byte, hn::Set(d, 15)));
  const V coarse = hn::TableLookupBytes(hn::LoadDup128(d, kActivity.data() + 16), high);
  return hn::IfThenElse(hn::Eq(high, hn::Zero(d)), fine, coarse);
}

// Of the magnitudes of even and odd columns.
template <class V>
HWY_INLINE auto activities(V even, V odd, unsigned shift) {
  const hn::DFromV<V> d16;
  const hn::Repartition<std::uint8_t, hn::DFromV<V>> d;
  const V most = hn::Set(d16, 255);
  return activities(
      hn::BitCast(d, hn::Or(hn::Min(hn::ShiftRightSame(even, static_cast<int>(shift)), most),
                            hn::ShiftLeft<8>(hn::Min(hn::ShiftRightSame(odd, static_cast<int>(shift)), most)))));
}

// Bytes by 128 and 64 entries.
#if HWY_TARGET <= HWY_AVX3_DL
HWY_INLINE VU8 of_64(const std::uint8_t* table, VU8 index) {
  const DU8 d;
  return hn::TableLookupLanes(hn::Load(d, table), hn::IndicesFromVec(d, index));
}
HWY_INLINE VU8 of_128(const std::uint8_t* table, VU8 index) {
  const DU8 d;
  return hn::TwoTablesLookupLanes(d, hn::Load(d, table), hn::Load(d, table + 64), hn::IndicesFromVec(d, index));
}
#else
HWY_INLINE VU8 of_64(const std::uint8_t* table, VU8 index) {
  const DU8 d;
  const hn::RebindToSigned<DU8> signed_bytes;
  const hn::Repartition<std::uint16_t, DU8> words;
  const VU8 low = hn::And(index, hn::Set(d, 15));
  const auto part = [&](unsigned i) HWY_ATTR {
    return hn::BitCast(signed_bytes, hn::TableLookupBytes(hn::LoadDup128(d, table + 16 * i), low));
  };
  // Bits 4 and 5 of the index, as signs.
  const auto bit4 = hn::BitCast(signed_bytes, hn::ShiftLeft<3>(hn::BitCast(words, index)));
  const auto bit5 = hn::BitCast(signed_bytes, hn::ShiftLeft<2>(hn::BitCast(words, index)));
  return hn::BitCast(d, hn::IfNegativeThenElse(bit5, hn::IfNegativeThenElse(bit4, part(3), part(2)),
                                               hn::IfNegativeThenElse(bit4, part(1), part(0))));
}
#endif

// Byte kByte of each dword.
template <unsigned kByte>
HWY_INLINE VU32 byte_of(VU8 bytes) {
  const DU32 d;
  const VU32 whole = hn::BitCast(d, bytes);
  if constexpr (kByte == 0)
    return hn::And(whole, hn::Set(d, 255));
  else if constexpr (kByte == 3)
    return hn::ShiftRight<24>(whole);
  else
    return hn::And(hn::ShiftRight<8 * kByte>(whole), hn::Set(d, 255));
}

// The next words from `words` on, one to each lane of `taking`; zeros to the others. Adds what was taken to `words`,
// behind which as many as a vector has lanes may be read.
HWY_INLINE VU32 take_words(hn::Mask<DU32> taking, const std::uint16_t*& words) {
  const DU32 d;
  const hn::Rebind<std::uint16_t, DU32> half;
#if HWY_TARGET <= HWY_AVX3
  const VU32 taken = hn::Expand(hn::PromoteTo(d, hn::LoadU(half, words)), taking);
  words += hn::CountTrue(d, taking);
  return taken;
#else
  const hn::Repartition<std::uint8_t, decltype(half)> bytes;
  const auto set = static_cast<unsigned>(hn::BitsFromMask(d, taking));
  const auto order = hn::Load(bytes, kSpreadWords[set].data());
  const auto next = hn::BitCast(bytes, hn::LoadU(half, words));
  words += std::popcount(set);
  return hn::PromoteTo(d, hn::BitCast(half, hn::TableLookupBytesOr0(next, order)));
#endif
}

// The low words of the lanes of `putting`, one behind the other, to `words`, which may be written as far as a vector
// has lanes. Returns where they end.
HWY_INLINE std::uint16_t* put_words(VU32 from, hn::Mask<DU32> putting, std::uint16_t* words) {
  const DU32 d;
  const hn::Rebind<std::uint16_t, DU32> half;
#if HWY_TARGET <= HWY_AVX3
  hn::StoreU(hn::TruncateTo(half, hn::Compress(from, putting)), half, words);
  return words + hn::CountTrue(d, putting);
#else
  const hn::Repartition<std::uint8_t, decltype(half)> bytes;
  const auto set = static_cast<unsigned>(hn::BitsFromMask(d, putting));
  const auto order = hn::Load(bytes, kGatherWords[set].data());
  const auto low = hn::BitCast(bytes, hn::TruncateTo(half, from));
  hn::StoreU(hn::BitCast(half, hn::TableLookupBytesOr0(low, order)), half, words);
  return words + std::popcount(set);
#endif
}

// Calls `work` with a number of gaps, at most kFewGaps, as a constant of the compiler's.
template <class Work>
HWY_INLINE auto with_few_gaps(std::size_t gaps, const Work& work) {
  static_assert(kFewGaps == 4);
  switch (gaps) {
    case 0: return work(std::integral_constant<std::size_t, 0>());
    case 1: return work(std::integral_constant<std::size_t, 1>());
    case 2: return work(std::integral_constant<std::size_t, 2>());
    case 3: return work(std::integral_constant<std::size_t, 3>());
    default: return work(std::integral_constant<std::size_t, 4>());
  }
}

// Where the state of a lane stands: what belongs to lane 4 i + j of a block stands in dword i of vector j, and byte j
// of it. Bytes of all four vectors are put together, and taken apart again, by shifts.
constexpr std::size_t place(std::size_t lane) {
  return lane / kBlock * kBlock + lane % 4 * (kBlock / 4) + lane % kBlock / 4;
}

HWY_ALIGN static constexpr std::uint8_t kLowMasks[16] = {0, 1, 3, 7, 15, 31, 63, 127, 255};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
