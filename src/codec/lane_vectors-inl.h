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
#include <cstring>
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

// Values of the first and the second half of kCount vectors, in turn.
template <unsigned kCount, class D>
HWY_INLINE void interleave(D d, const hn::Vec<D>* from, hn::Vec<D>* to) {
  for (unsigned i = 0; i < kCount / 2; ++i) {
    to[2 * i] = hn::InterleaveLower(d, from[i], from[i + kCount / 2]);
    to[2 * i + 1] = hn::InterleaveUpper(d, from[i], from[i + kCount / 2]);
  }
}
// Value i of block b of vector s becomes value s of block b of vector i, blocks being of 8 values.
template <class D>
HWY_INLINE void transpose(D d, hn::Vec<D>* v) {
  hn::Vec<D> a[8], b[8];
  interleave<8>(d, v, a);
  interleave<8>(d, a, b);
  interleave<8>(d, b, v);
}

// The same of bytes, blocks being of 16 of them.
template <class D>
HWY_INLINE void transpose_bytes(D d, hn::Vec<D>* v) {
  hn::Vec<D> other[16];
  for (unsigned round = 0; round < 2; ++round) {
    interleave<16>(d, v, other);
    interleave<16>(d, other, v);
  }
}

// A vector of blocks of 128 bits, block b from place(16 b): the lanes of a block are mostly those of 16.
template <class D, class Place>
HWY_INLINE hn::Vec<D> blocks_of(D d, const Place& place) {
  using T = hn::TFromD<D>;
  constexpr std::size_t kBytes = hn::MaxLanes(D()) * sizeof(T);
  const hn::Full128<T> d128;
  if constexpr (kBytes == 16) {
    static_cast<void>(d);
    return hn::ResizeBitCast(d, hn::LoadU(d128, place(0)));
  } else if constexpr (kBytes == 32) {
    return hn::Combine(d, hn::LoadU(d128, place(16)), hn::LoadU(d128, place(0)));
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, hn::Combine(half, hn::LoadU(d128, place(48)), hn::LoadU(d128, place(32))),
                       hn::Combine(half, hn::LoadU(d128, place(16)), hn::LoadU(d128, place(0))));
  }
}

// Neighbours of a vector of values, raised, and differences between them that are used again further on.
template <class D>
struct NeighbourhoodOf {
  using V = hn::Vec<D>;
  V w, ww, n, nw, ne, nne;
  V across[3];  // NE - N, N - NW, NW - NWW
  V down[2];    // NNE - NE, NN - N

  // One value to the right; w, ww, ne and nne are set by the caller.
  HWY_INLINE void move() {
    nw = hn::Sub(ne, across[0]);  // cheaper than to keep N
    n = ne;
    across[2] = across[1];
    across[1] = across[0];
    down[1] = down[0];
  }
  HWY_INLINE void set_differences() {
    across[0] = hn::Sub(ne, n);
    down[0] = hn::Sub(nne, ne);
  }
};

using Neighbourhood = NeighbourhoodOf<D16>;

// What prediction needs of a plane.
template <class D>
class PredictorOf {
 public:
  using V = hn::Vec<D>;
  using DU = hn::RebindToUnsigned<D>;
  using VU = hn::Vec<DU>;
  using D8 = hn::Repartition<std::int8_t, D>;
  explicit PredictorOf(const Plane& plane)
      : raise_(plane.raise()),
        half_(hn::Set(D(), static_cast<std::int16_t>(raise_ > 0 ? 1 << (raise_ - 1) : 0))),
        low_(hn::Set(D(), static_cast<std::int16_t>(plane.coded_low()))),
        high_(hn::Set(D(), static_cast<std::int16_t>(plane.coded_high()))),
        level_down_(std::max(0, int{plane.level_shift} - 8)),
        level_up_(std::max(0, 8 - int{plane.level_shift})),
        most_gradient_(hn::Set(DU(), static_cast<std::uint16_t>((plane.levels << plane.level_shift) - 1))) {
    for (unsigned tap = 0; tap < kTaps; ++tap) {
      HWY_ALIGN std::int8_t of_class[kClasses];
      for (unsigned c = 0; c < kClasses; ++c) of_class[c] = plane.coefficients[c][tap];
      coefficients_[tap] = hn::LoadDup128(D8(), of_class);
    }
  }

  // Values are raised, or, with kSink, sunk.
  template <bool kSink>
  HWY_INLINE V raised(V value) const {
    if constexpr (kSink)
      return hn::ShiftRight<1>(value);
    else
      return hn::BitCast(D(), hn::ShiftLeftSame(hn::BitCast(hn::RebindToUnsigned<D>(), value), raise_));
  }
  template <bool kSink>
  HWY_INLINE V lowered(V raised) const {
    if constexpr (kSink)
      return hn::ShiftLeft<1>(raised);
    else
      return hn::ShiftRightSame(raised, raise_);
  }
  int raise() const { return raise_; }
  // Whether a level stands for over 2^8 of differences.
  bool is_coarse() const { return level_down_ > 0; }

  // REQUIRES: set_differences() was called. The result is not raised.
  template <bool kSink>
  HWY_INLINE V predict(const NeighbourhoodOf<D>& at) const {
    return predict<kSink>(at, index_of<true>(at));
  }
  // The bytes of its class's coefficients: the class in the high byte of each word. kCoarse: is_coarse() may be so.
  template <bool kCoarse>
  HWY_INLINE V index_of(const NeighbourhoodOf<D>& at) const {
    const DU d;
    const auto mean = [&](V a, V b)
                          HWY_ATTR { return hn::AverageRound(hn::BitCast(d, hn::Abs(a)), hn::BitCast(d, hn::Abs(b))); };
    const VU across = mean(at.across[1], at.across[0]), down = mean(hn::Sub(at.w, at.nw), at.down[1]);
    VU level = hn::Min(hn::AverageRound(across, down), most_gradient_);
    if constexpr (kCoarse) level = hn::ShiftRightSame(level, level_down_);
    const VU direction = hn::IfThenElse(hn::Gt(down, across), down_index_, across_index_);
    return hn::BitCast(D(), hn::Or(hn::ShiftLeftSame(level, level_up_), direction));
  }
  template <bool kSink>
  HWY_INLINE V predict(const NeighbourhoodOf<D>& at, V index) const {
    const V w_nw = hn::Sub(at.w, at.nw), w_ww = hn::Sub(at.w, at.ww);
    const auto term = [&](unsigned tap, V difference) HWY_ATTR {
      return hn::MulFixedPoint15(
          difference, hn::BitCast(D(), hn::TableLookupBytesOr0(coefficients_[tap], hn::BitCast(D8(), index))));
    };
    const V first =
        hn::Add(hn::Add(term(0, w_nw), term(1, w_ww)), hn::Add(term(2, at.across[1]), term(3, at.across[0])));
    const V second = hn::Add(hn::Add(term(4, at.down[1]), term(5, at.down[0])), term(6, at.across[2]));
    const V correction = hn::Add(first, second);
    V expected = hn::SaturatedAdd(hn::SaturatedAdd(hn::SaturatedAdd(at.n, half_), correction), correction);
    if constexpr (kSink)
      expected = hn::SaturatedAdd(expected, expected);
    else
      expected = hn::ShiftRightSame(expected, raise_);
    return hn::Min(hn::Max(expected, low_), high_);
  }

 private:
  int raise_;
  V half_, low_, high_;
  int level_down_, level_up_;
  VU most_gradient_;
  // In memory, for compilers make constants anew wherever they run out of registers.
  VU across_index_ = hn::Set(DU(), 0x0080), down_index_ = hn::Set(DU(), kMostLevels << 8 | 0x0080);
  hn::Vec<D8> coefficients_[kTaps];
};
using Predictor = PredictorOf<D16>;

// What neighbours are to the contexts of a row: a byte per magnitude, with zeros around each row.
template <class D>
HWY_INLINE hn::Vec<D> activity_index(D d, const std::uint8_t* own, const std::uint8_t* above, const std::uint8_t* top) {
  const auto at = [&](const std::uint8_t* row, std::ptrdiff_t offset) HWY_ATTR { return hn::LoadU(d, row + offset); };
  const auto next = hn::AverageRound(at(own, -1), at(above, 0)),
             corners = hn::AverageRound(at(above, -1), at(above, 1)), far = hn::AverageRound(at(own, -2), at(top, 0));
  return hn::AverageRound(next, hn::AverageRound(corners, far));
}

// The same where a reference has its own unrest.
template <class V>
HWY_INLINE V joined(V around, V unrest) {
  return hn::AverageRound(around, hn::AverageRound(around, unrest));
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

// By magnitude.
HWY_ALIGN static constexpr auto kActivityOf = [] {
  std::array<std::uint8_t, kMostActive + 1> all{};
  for (unsigned i = 0; i <= kMostActive; ++i) all[i] = activity_of(static_cast<std::uint16_t>(i), 0);
  return all;
}();

// Of bytes up to 127, the activities.
template <class V>
HWY_INLINE V activities(V byte) {
  const hn::DFromV<V> d;
#if HWY_TARGET <= HWY_AVX3_DL
  if constexpr (hn::MaxLanes(hn::DFromV<V>()) == HWY_MAX_BYTES) return of_128(kActivityOf.data(), byte);
#endif
  const V high = hn::ShiftRight<4>(byte);
  const V fine = hn::TableLookupBytes(hn::LoadDup128(d, kActivity.data()), hn::And(byte, hn::Set(d, 15)));
  const V coarse = hn::TableLookupBytes(hn::LoadDup128(d, kActivity.data() + 16), high);
  return hn::IfThenElse(hn::Eq(high, hn::Zero(d)), fine, coarse);
}

// Of the magnitudes of even and odd lanes.
template <class V>
HWY_INLINE auto activities(V even, V odd, int shift) {
  const hn::DFromV<V> d16;
  const hn::Repartition<std::uint8_t, hn::DFromV<V>> d;
  const V most = hn::Set(d16, kMostActive);
  return activities(hn::BitCast(d, hn::Or(hn::Min(hn::ShiftRightSame(even, shift), most),
                                          hn::ShiftLeft<8>(hn::Min(hn::ShiftRightSame(odd, shift), most)))));
}

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

// The next words from `words` on, one to each lane of `taking`; zeros to the others. Adds the bytes that were taken to
// `words`, behind which as many words as a vector has lanes may be read.
HWY_INLINE VU32 take_words(hn::Mask<DU32> taking, const std::byte*& words) {
  const DU32 d;
  const hn::Rebind<std::uint16_t, DU32> half;
  const hn::Repartition<std::uint8_t, decltype(half)> bytes;
  const auto next = hn::LoadU(bytes, reinterpret_cast<const std::uint8_t*>(words));
#if HWY_TARGET <= HWY_AVX3
  words += 2 * hn::CountTrue(d, taking);
  return hn::Expand(hn::PromoteTo(d, hn::BitCast(half, next)), taking);
#else
  const auto set = static_cast<unsigned>(hn::BitsFromMask(d, taking));
  const auto order = hn::Load(bytes, kSpreadWords[set].data());
  words += 2 * std::popcount(set);
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

// What belongs to lane 4 i + j stands in dword i of vector j, and byte j of it: bytes of all four vectors are put
// together, and taken apart again, by shifts.
constexpr std::size_t place(std::size_t lane) { return lane % 4 * (kMostLanes / 4) + lane / 4; }
// Few lanes have a dword each, in the order in which words are taken: where a lane stands, and which one stands there.
constexpr std::size_t kFewLanes = kLanes[0];
constexpr std::size_t few_place(std::size_t lane) { return lane % 4 * (kFewLanes / 4) + lane / 4; }

// Each value of `vector` one lane further; into the first one comes the last of `before`.
template <class D>
HWY_INLINE hn::Vec<D> moved_up(D d, hn::Vec<D> vector, hn::Vec<D> before) {
  using T = hn::TFromD<D>;
  constexpr std::size_t kCount = hn::MaxLanes(D());
  if constexpr (kCount * sizeof(T) == 16) {
    return hn::CombineShiftRightBytes<16 - sizeof(T)>(d, vector, before);
  } else if constexpr (kCount * sizeof(T) == 32) {
    return hn::CombineShiftRightBytes<16 - sizeof(T)>(d, vector, hn::ConcatLowerUpper(d, vector, before));
  } else if constexpr (sizeof(T) == 2 || HWY_TARGET <= HWY_AVX3_DL) {
    HWY_ALIGN static constexpr auto kIndices = [] {
      std::array<T, kCount> indices{};
      for (std::size_t i = 0; i < kCount; ++i) indices[i] = static_cast<T>(kCount - 1 + i);
      return indices;
    }();
    const hn::RebindToSigned<D> di;
    return hn::TwoTablesLookupLanes(
        d, before, vector,
        hn::IndicesFromVec(d, hn::Load(di, reinterpret_cast<const hn::TFromD<decltype(di)>*>(kIndices.data()))));
  } else {
    const hn::Repartition<std::uint64_t, D> wide;
    HWY_ALIGN static constexpr std::uint64_t kIndices[8] = {7, 8, 9, 10, 11, 12, 13, 14};
    const auto own = hn::BitCast(wide, vector);
    const auto words_before = hn::TwoTablesLookupLanes(wide, hn::BitCast(wide, before), own,
                                                       hn::IndicesFromVec(wide, hn::Load(wide, kIndices)));
    return hn::BitCast(d, hn::Or(hn::ShiftLeft<8 * sizeof(T)>(own), hn::ShiftRight<64 - 8 * sizeof(T)>(words_before)));
  }
}
// A vector whose last value is the one at `last`, in front of which another one may be read. A whole vector loaded from
// there would mostly stand in two lines of the cache.
template <class D>
HWY_INLINE hn::Vec<D> ending_with(D d, const hn::TFromD<D>* last) {
  const hn::Repartition<std::uint32_t, D> d32;
  std::uint32_t dword;
  std::memcpy(&dword, reinterpret_cast<const std::byte*>(last + 1) - sizeof dword, sizeof dword);
  return hn::BitCast(d, hn::Set(d32, dword));
}
// The same of several vectors; into the first of them comes the value at `first`, in front of which a vector may be
// read.
template <class D, std::size_t kCount>
HWY_INLINE void move_up(D d, const hn::Vec<D> (&vectors)[kCount], const hn::TFromD<D>* first,
                        hn::Vec<D> (&out)[kCount]) {
  for (std::size_t v = kCount - 1; v > 0; --v) out[v] = moved_up(d, vectors[v], vectors[v - 1]);
  out[0] = moved_up(d, vectors[0], ending_with(d, first));
}

HWY_ALIGN static constexpr std::uint8_t kLowMasks[16] = {0, 1, 3, 7, 15, 31, 63, 127, 255};

}  // namespace dicube::codec::lane::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
