// Streams of any parameters that the format allows, most of them such as no encoder chooses: vectors read them as the
// plain decoder does, to their ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "codec/lane_simd.h"
#include "codec/lane_targets_testing.h"
#include "codec/lane_testing.h"
#include "codec/testing.h"

namespace dicube::codec::lane {
namespace {

using testing::Values;

class Any {
 public:
  explicit Any(unsigned seed) : random_(seed) {}
  unsigned below(unsigned count) { return static_cast<unsigned>(random_() % count); }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[below(static_cast<unsigned>(choices.size()))];
  }

  Plane plane(bool refers) {
    Plane plane;
    plane.low = one_of({0, -65536, 65535, static_cast<int>(below(4000)) - 2000});
    plane.range = one_of<std::uint16_t>({1, 32766, 32767, 65535, number(1 + below(300)), 64, number(1 + below(65535))});
    if (below(3) == 0) plane.gaps = gaps(plane.range);
    plane.lane_choice = static_cast<std::uint8_t>(below(kLanes.size()));
    plane.zero_flags = below(2) == 0;
    plane.low_bits = static_cast<std::uint8_t>(below(3) == 0 ? below(9) : 0);
    plane.activity_shift = static_cast<std::uint8_t>(below(2) == 0 ? below(9) : 0);
    plane.levels = static_cast<std::uint8_t>(1 + below(kMostLevels));
    plane.level_shift = static_cast<std::uint8_t>(below(kMostLevelShift + 1));
    fill(plane.coefficients);  // of classes that there are not, too: they are not written
    if (refers) plane.correction = correction();
    for (unsigned threshold = below(8);
         plane.thresholds.size() + 1 < kMostContexts && threshold < kBins && below(9) > 0; threshold += 1 + below(8))
      plane.thresholds.push_back(static_cast<std::uint8_t>(threshold));
    for (std::size_t i = 0; i <= plane.thresholds.size(); ++i) plane.contexts.push_back(context());
    return plane;
  }

  // Some groups have none but in their low bits.
  std::vector<std::uint16_t> magnitudes(const Plane& plane, Size size) {
    const bool quiet = below(3) == 0;  // but for the first one and a few: backgrounds of any value
    const unsigned most = 1U << below(17);
    const Steps steps(size, plane.lanes());
    std::vector<std::uint16_t> magnitudes(size.pixels());
    bool zero = false;
    for (std::uint64_t step = 0; step < steps.count; ++step) {
      if (step % kGroup == 0) zero = below(4) == 0;
      for (unsigned lane = 0; lane < steps.lanes; ++lane) {
        const auto pixel = steps.pixel(step, lane);
        if (!pixel) continue;
        const bool is_any = !quiet || step == 0 || below(800) == 0;
        magnitudes[std::size_t{pixel->y} * size.columns + pixel->x] = number(below(zero     ? 1U << plane.low_bits
                                                                                   : is_any ? most
                                                                                            : 1));
      }
    }
    return magnitudes;
  }

 private:
  static std::uint16_t number(unsigned value) { return static_cast<std::uint16_t>(value); }

  Gaps gaps(unsigned range) {
    Gaps gaps;
    for (unsigned left = 65535 - range, start = 0, most = one_of({1U, 4U, 200U}); gaps.size() < most;) {
      start += 1 + below(range / (2 * most) + 1);
      const unsigned length = 1 + below(left / most + 1);
      if (start > range || length > left) break;
      gaps.push_back({number(start), number(length)});
      left -= length;
    }
    return gaps;
  }

  template <class Coefficients>
  void fill(Coefficients& of_classes) {
    const unsigned most = one_of({5U, 40U, 127U});
    for (auto& of_class : of_classes)
      for (std::int8_t& coefficient : of_class)
        coefficient = static_cast<std::int8_t>(static_cast<int>(below(2 * most + 1)) - static_cast<int>(most));
  }

  Correction correction() {
    Correction correction;
    correction.lift = static_cast<std::uint8_t>(1 + below(8));
    correction.unrest_shift = static_cast<std::uint8_t>(below(16));
    for (std::int16_t& unrest : correction.unrest) unrest = static_cast<std::int16_t>(below(one_of({100U, 32768U})));
    fill(correction.coefficients);
    return correction;
  }

  // Some tokens have nothing, and often nearly all belongs to one.
  Context context() {
    Context context;
    context.family = static_cast<std::uint8_t>(below(kFamilies));
    std::array<unsigned, kTokens + 1> ends = {};
    for (unsigned token = 1; token < kTokens; ++token)
      ends[token] = below(2) == 0 ? below(256) : one_of({1U, 2U, 255U});
    ends[kTokens] = 256;
    std::sort(ends.begin(), ends.end());
    ends[kEscape] = std::max(ends[kEscape], 1U);
    for (unsigned token = 0; token < kTokens; ++token)
      context.frequency[token] = static_cast<std::uint8_t>(ends[token + 1] - ends[token]);
    return context;
  }

  std::mt19937 random_;
};

// Writes magnitudes with a plane's parameters.
class Writer {
 public:
  Writer(const Plane& plane, Size size, std::span<const std::uint16_t> magnitudes, const Values* reference = nullptr)
      : plane_(plane),
        size_(size),
        steps_(size, plane.lanes()),
        stride_(size.columns + 2 * kSpareActivities),
        magnitudes_(stride_ * size.rows),
        bins_(size.pixels() + 2 * kSpareActivities),
        classes_(size.pixels() + kGroup) {
    set_magnitudes(magnitudes);
    find_bins(reference);
  }

  Bytes stream() {
    ByteWriter out;
    out.put(kVersion);
    out.put(static_cast<std::uint8_t>(plane_.correction ? 2 : 0));
    write_plane(plane_, out);
    std::vector<std::uint16_t> words(2 * size_.pixels() + 1);
    std::array<std::uint32_t, kMostLanes> states;
    const Residuals residuals{magnitudes_.data(), stride_, bins_.data(), classes_.data(), zero_flags_};
    std::uint16_t* const end = words.data() + words.size();
    const std::uint16_t* const first =
        write_residuals(plane_, size_, contexts_of_bins(plane_), residuals, states.data(), end);
    const Bytes low_bits = packed_low_bits();
    write_coded({zero_flags_, std::as_bytes(std::span(states).first(plane_.lanes())),
                 std::as_bytes(std::span(first, end)), low_bits},
                out);
    return out.take();
  }

 private:
  // In the order of steps.
  template <class Work>
  void for_each_pixel(const Work& work) const {
    for (std::uint64_t step = 0; step < steps_.count; ++step)
      for (unsigned lane = 0; lane < steps_.lanes; ++lane)
        if (const auto pixel = steps_.pixel(step, lane)) work(step, std::size_t{pixel->y}, std::size_t{pixel->x});
  }

  void set_magnitudes(std::span<const std::uint16_t> magnitudes) {
    if (plane_.zero_flags) zero_flags_.assign((steps_.groups() + 7) / 8, std::byte{0xFF});
    for_each_pixel([&](std::uint64_t step, std::size_t y, std::size_t x) {
      const std::size_t i = y * size_.columns + x;
      magnitudes_[y * stride_ + x] = magnitudes[i];
      classes_[i] = magnitude_classes().of[magnitudes[i] >> plane_.low_bits];
      const std::uint64_t group = step / kGroup;
      if (plane_.zero_flags && magnitudes[i] >> plane_.low_bits != 0)
        zero_flags_[group / 8] &= ~(std::byte{1} << group % 8);
    });
  }

  void find_bins(const Values* values) {
    ReferencePlane reference;
    if (values != nullptr) reference.assign(*values, size_);
    const std::size_t row = size_.columns + 2 * kSpareActivities;
    std::vector<std::uint8_t> above(row), top(row), own(row), unrest(size_.columns + ReferencePlane::kRight);
    std::vector<std::int16_t> corrections(size_.columns + ReferencePlane::kRight);
    for (std::uint32_t y = 0; y < size_.rows; ++y) {
      std::uint8_t* const bins = &bins_[std::size_t{y} * size_.columns];
      find_activities(&magnitudes_[y * stride_], size_.columns, plane_.low_bits + plane_.activity_shift,
                      &above[kSpareActivities], &top[kSpareActivities], &own[kSpareActivities], bins);
      if (plane_.correction && y > 0) {
        correct_row(CorrectionTables(*plane_.correction), reference, y, corrections.data(), unrest.data());
        join_unrest(unrest.data(), bins, size_.columns);
      }
      std::swap(top, above);
      std::swap(above, own);
    }
  }

  Bytes packed_low_bits() const {
    Bytes packed((size_.pixels() * plane_.low_bits + 7) / 8);
    std::size_t at = 0;
    for_each_pixel([&](std::uint64_t, std::size_t y, std::size_t x) {
      for (unsigned bit = 0; bit < plane_.low_bits; ++bit, ++at)
        if ((magnitudes_[y * stride_ + x] >> bit & 1) != 0) packed[at / 8] |= std::byte{1} << at % 8;
    });
    return packed;
  }

  const Plane& plane_;
  Size size_;
  Steps steps_;
  std::size_t stride_;
  std::vector<std::uint16_t> magnitudes_;
  std::vector<std::uint8_t> bins_, classes_;
  Bytes zero_flags_;
};

Status decode_in_vectors(const Plane& plane, Size size, const Coded& coded, std::uint16_t* out,
                         const std::uint16_t* reference) {
  RowBuffers buffers;
  return decode_vectors(plane, size, coded, buffers, out, reference);
}

// Values of 0 and 1 in planes with fewer rows than lanes, so that lanes are left over.
TEST(LaneStreams, WordsThatAreLeftAndStatesThatDoNotEndWhereTheyShouldAreRefused) {
  const Size size{10, 40};
  Any any(1);
  Plane plane;
  plane.range = 1;
  plane.contexts = {{0, {200, 55, 0, 0, 0, 0, 0, 1}}};
  std::vector<std::uint16_t> magnitudes(size.pixels());
  for (std::uint16_t& magnitude : magnitudes) magnitude = static_cast<std::uint16_t>(any.below(2));
  const Bytes stream = Writer(plane, size, magnitudes).stream();
  ByteReader in(ByteSpan(stream).subspan(2), "test");
  ASSERT_TRUE(read_plane(in).has_value());
  const Coded coded = read_coded(plane, size, in).value();
  ASSERT_GT(coded.words.size(), 2U);
  std::vector<std::uint16_t> out(size.pixels());
  const auto is_read = [&](ByteSpan states, ByteSpan words) {
    const Coded changed{coded.zero_flags, states, words, coded.low_bits};
    const bool plain = decode_reference(plane, size, changed, out.data()).has_value();
    testing::on_every_target(
        [&] { EXPECT_EQ(decode_in_vectors(plane, size, changed, out.data(), nullptr).has_value(), plain); });
    return plain;
  };
  EXPECT_TRUE(is_read(coded.states, coded.words));
  Bytes longer(coded.words.begin(), coded.words.end());
  longer.resize(longer.size() + 2);
  EXPECT_FALSE(is_read(coded.states, longer));
  EXPECT_FALSE(is_read(coded.states, coded.words.first(coded.words.size() - 2)));
  Bytes states(coded.states.begin(), coded.states.end());
  states[4 * 15] ^= std::byte{1};  // of a lane that no pixel is in
  EXPECT_FALSE(is_read(states, coded.words));
}

// Values of 30 where 10 is the largest one, kept there by residuals of 20 as far as these go; from there on the largest
// one is expected, and then, of what is 20 less than the value above, 19 less than that.
TEST(LaneStreams, BackgroundsBeyondTheLargestValueGoOnAsResidualsSay) {
  const Size size{65, 200};
  Plane plane;
  plane.low = 0;
  plane.range = 20;  // from -10 to 10 around the centre
  for (auto& of_class : plane.coefficients) of_class[0] = 127;
  plane.contexts = {{5, {100, 50, 50, 20, 20, 10, 5, 1}}};
  std::vector<std::uint16_t> magnitudes(size.pixels());
  magnitudes[0] = 60;
  for (std::uint32_t y = 1; y < size.rows; ++y)
    for (std::uint32_t x = 0; x + 2 * y < 2 + 144; ++x) magnitudes[y * size.columns + x] = 40;
  const Bytes stream = Writer(plane, size, magnitudes).stream();
  const auto plain = testing::decode_planes(stream, size, 1, decode_reference);
  ASSERT_TRUE(plain) << describe(plain.error());
  EXPECT_EQ((*plain)[size.columns + 143], 40);  // 30 above the centre
  EXPECT_EQ((*plain)[size.columns + 144], 20);
  EXPECT_LT((*plain)[size.columns + 145], 20);
  testing::on_every_target([&] {
    const auto vectors = testing::decode_planes(stream, size, 1, decode_in_vectors);
    EXPECT_TRUE(vectors && *vectors == *plain);
  });
}

// All targets read what the plain decoder reads; its values.
Values read_on_every_target(ByteSpan stream, Size size, std::span<const Values> references) {
  const auto plain = testing::decode_planes(stream, size, 1, decode_reference, references);
  EXPECT_TRUE(plain) << describe(plain.error());
  if (!plain) return {};
  testing::on_every_target([&] {
    const auto vectors = testing::decode_planes(stream, size, 1, decode_in_vectors, references);
    ASSERT_TRUE(vectors) << describe(vectors.error());
    ASSERT_TRUE(*vectors == *plain);
  });
  return *plain;
}

std::vector<Values> any_references(Any& any, Size size) {
  Values values(size.pixels());
  const unsigned most = any.one_of({1U, 2U, 300U, 65536U});
  for (std::uint16_t& value : values) value = static_cast<std::uint16_t>(any.below(most));
  if (most == 1) {  // a chessboard, whose lifted differences may be the least of 16 bits all around
    const auto height = static_cast<std::uint16_t>(1U << any.below(16));
    for (std::size_t y = 0, i = 0; y < size.rows; ++y)
      for (std::size_t x = 0; x < size.columns; ++x, ++i) values[i] = (x + y) % 2 == 0 ? height : std::uint16_t{0};
  }
  return std::vector<Values>(any.below(2), values);
}

TEST(LaneStreams, OfAnyParametersAreReadAlikeOnEveryTarget) {
  for (unsigned round = 0; round < 700; ++round) {
    SCOPED_TRACE(formatted("round {}", round));
    Any any(round);
    const Size size{1 + any.below(any.one_of({4U, 70U})), 1 + any.below(any.one_of({5U, 100U, 300U}))};
    const auto references = any_references(any, size);
    const Plane plane = any.plane(!references.empty());
    const Bytes stream = Writer(plane, size, any.magnitudes(plane, size), references.data()).stream();
    read_on_every_target(stream, size, references);
    ASSERT_FALSE(HasFailure());
  }
}

// Rows fewer than lanes, as many, and a few more; columns around the shortest way from a row of a lane to the next one,
// and around whole groups of steps.
TEST(LaneStreams, OfEverySizeAtAnEdgeAreReadAlikeOnEveryTarget) {
  unsigned round = 0;
  for (unsigned choice = 0; choice < kLanes.size(); ++choice) {
    const unsigned lanes = kLanes[choice], least = 2 * lanes + 16;
    for (const unsigned rows :
         {1U, 2U, 3U, lanes / 2 + 1, lanes - 1, lanes, lanes + 1, 2 * lanes, 2 * lanes + 1, 5 * lanes / 2})
      for (const unsigned columns :
           {1U,        2U,         3U,         4U,         15U,        16U,        17U,       31U,       32U,
            33U,       least - 18, least - 17, least - 16, least - 15, least - 5,  least - 4, least - 3, least - 2,
            least - 1, least,      least + 1,  least + 12, least + 27, least + 28, least + 29}) {
        SCOPED_TRACE(formatted("round {}: {} lanes, {} x {}", round, lanes, rows, columns));
        Any any(1000 + round++);
        const Size size{rows, columns};
        const auto references = any_references(any, size);
        Plane plane = any.plane(!references.empty());
        plane.lane_choice = static_cast<std::uint8_t>(choice);
        const Bytes stream = Writer(plane, size, any.magnitudes(plane, size), references.data()).stream();
        read_on_every_target(stream, size, references);
        ASSERT_FALSE(HasFailure());
      }
  }
}

// Everything at once that groups of no residuals may come with: their low bits are there all the same.
TEST(LaneStreams, OfZeroFlagsAndLowBitsAreReadAlikeOnEveryTarget) {
  for (unsigned round = 0; round < 72; ++round) {
    SCOPED_TRACE(formatted("round {}", round));
    Any any(3000 + round);
    const Size size{1 + any.below(140), 1 + any.below(200)};
    const auto references = any_references(any, size);
    Plane plane = any.plane(!references.empty());
    plane.zero_flags = true;
    plane.low_bits = static_cast<std::uint8_t>(round % (kMostLowBits + 1));
    plane.lane_choice = static_cast<std::uint8_t>(round / (kMostLowBits + 1) % 2);
    std::vector<std::uint16_t> magnitudes(size.pixels());
    const unsigned others = any.one_of({1U, 40U, 4000U, 1000000U});  // pixels for one that has more than low bits
    for (std::uint16_t& magnitude : magnitudes)
      magnitude = static_cast<std::uint16_t>(any.below(any.below(others) == 0 ? 65536 : 1U << plane.low_bits));
    read_on_every_target(Writer(plane, size, magnitudes, references.data()).stream(), size, references);
    ASSERT_FALSE(HasFailure());
  }
}

TEST(LaneStreams, OfEveryLevelAndDirectionAreReadAlikeOnEveryTarget) {
  for (unsigned round = 0; round < 72; ++round) {
    SCOPED_TRACE(formatted("round {}", round));
    Any any(4000 + round);
    const Size size{20 + any.below(80), 20 + any.below(200)};
    Plane plane = any.plane(false);
    plane.levels = static_cast<std::uint8_t>(1 + round % kMostLevels);
    plane.level_shift = static_cast<std::uint8_t>(round % (kMostLevelShift + 1));
    // Other classes, other values: from 1 to 16 in front of W - NW and N - NW.
    for (unsigned c = 0; c < kClasses; ++c)
      plane.coefficients[c] = {static_cast<std::int8_t>(1 + c), 0, static_cast<std::int8_t>(16 - c)};
    read_on_every_target(Writer(plane, size, any.magnitudes(plane, size)).stream(), size, {});
    ASSERT_FALSE(HasFailure());
  }
}

// Streams of any parameters that were written once, with fingerprints of their values: tests/archives_by_spec.py reads
// them, too. With DICUBE_WRITE_GOLDEN set they are written instead. Each: its rows, columns and bytes (4 bytes each),
// the fingerprint of its values (8 bytes), and the stream.
TEST(LaneStreams, OfAnyParametersThatWereWrittenOnceAreRead) {
  const std::string path = DICUBE_SOURCE_DIR "/tests/golden/lane-3-any.lanes";
  const auto reference_of = [](Size size) {
    Values values(size.pixels());
    for (std::uint32_t y = 0, i = 0; y < size.rows; ++y)
      for (std::uint32_t x = 0; x < size.columns; ++x, ++i) values[i] = static_cast<std::uint16_t>(x * x * y + 300 * x);
    return values;
  };
  const auto values_of = [&](ByteSpan stream, Size size) {
    std::vector<Values> references;
    if ((stream[1] & std::byte{2}) != std::byte{}) references.push_back(reference_of(size));
    return read_on_every_target(stream, size, references);
  };
  const auto fingerprint = [](std::span<const std::uint16_t> values) {
    ByteWriter bytes;
    for (const std::uint16_t value : values) bytes.put(value);
    return codec::testing::fingerprint(bytes.take());
  };
  if (std::getenv("DICUBE_WRITE_GOLDEN") != nullptr) {
    ByteWriter out;
    for (unsigned round = 0; round < 16; ++round) {
      Any any(5000 + round);
      const Size size{1 + any.below(round < 8 ? 30 : 70), 1 + any.below(round % 4 == 0 ? 160 : 40)};
      const Values reference = reference_of(size);
      Plane plane = any.plane(round % 3 == 0);
      plane.levels = static_cast<std::uint8_t>(1 + round % kMostLevels);
      const Bytes stream = Writer(plane, size, any.magnitudes(plane, size), &reference).stream();
      out.put(size.rows);
      out.put(size.columns);
      out.put(static_cast<std::uint32_t>(stream.size()));
      out.put(fingerprint(values_of(stream, size)));
      out.put_bytes(stream);
    }
    const Bytes bytes = out.take();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file) << path;
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  unsigned streams = 0;
  for (ByteReader in(as_bytes(text), "golden streams"); in.left() > 0; ++streams) {
    SCOPED_TRACE(formatted("stream {}", streams));
    const auto rows = in.get<std::uint32_t>().value(), columns = in.get<std::uint32_t>().value(),
               bytes = in.get<std::uint32_t>().value();
    const auto expected = in.get<std::uint64_t>().value();
    EXPECT_EQ(fingerprint(values_of(in.get_bytes(bytes).value(), {rows, columns})), expected);
  }
  EXPECT_EQ(streams, 16U);
}

}  // namespace
}  // namespace dicube::codec::lane
