// Every list of values comes back, whatever encoding was the shortest; what is damaged is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "columns/integers.h"
#include "columns/packed.h"
#include "columns/schema.h"
#include "columns/values.h"

namespace dicube::columns {
namespace {

constexpr std::uint64_t kMost = 1 << 24;

std::vector<std::string> texts(const ValueList& values) {
  std::vector<std::string> out;
  for (std::size_t row = 0; row < values.size(); ++row) out.emplace_back(as_text(values[row]));
  return out;
}

// The size of the encoding, which must give the values back.
std::size_t round_trip(const std::vector<std::string>& values) {
  ValueList list;
  for (const std::string& value : values) list.push(as_bytes(value));
  const Bytes encoded = encode_values(list);
  auto decoded = decode_values(encoded, values.size(), kMost, "test");
  EXPECT_TRUE(decoded.has_value()) << describe(decoded.error());
  if (decoded) {
    EXPECT_EQ(texts(*decoded), values);
  }
  return encoded.size();
}

template <class Make>
std::vector<std::string> make(std::size_t count, Make value) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(value(i));
  return out;
}

TEST(Values, ThatAreConstantCostTheirSizeOnce) {
  EXPECT_LE(round_trip(make(1000, [](auto) { return std::string("HEAD "); })), 8U);
}

TEST(Values, ThatAreConstantAndLongArePacked) {
  const std::string header = [] {
    std::string text;
    for (int i = 0; text.size() < 100'000; ++i)
      text += "sSliceArray.asSlice[" + std::to_string(i) + "].dThickness = 2.5\n";
    return text;
  }();
  EXPECT_LE(round_trip({header}), header.size() / 4);
  EXPECT_LE(round_trip(make(3000, [&](auto) { return std::string(header); })), header.size() / 4);
}

TEST(Values, ThatCountUpCostNothingPerRow) {
  EXPECT_LE(round_trip(make(500, [](auto i) { return "1.2.840.113619.2." + std::to_string(i + 1) + ".7"; })), 64U);
  EXPECT_LE(round_trip(make(500, [](auto i) { return "IM" + std::to_string(10 * i) + ".dcm"; })), 48U);
}

TEST(Values, OfNumbersThatNeverChangeTakeThoseOnce) {
  const std::size_t serial = round_trip(make(10, [](auto i) { return std::to_string(i * i); }));
  const auto with = [](const std::string& root) {
    return round_trip(make(10, [&](auto i) { return root + std::to_string(i * i); }));
  };
  const std::string root = "1.3.46.670589.50.2.", number = "3810301003450120", huge(40, '7');
  EXPECT_LE(with(root), serial + root.size());
  EXPECT_LE(with(number + "."), serial + number.size() - 4) << "shorter as a number";
  EXPECT_LE(with(huge + "."), serial + huge.size() + 1) << "no number, but a text that all have";
  std::string table;
  for (int i = 0; i < 100; ++i) table += std::to_string(i % 7) + "\\";
  EXPECT_LE(round_trip(make(200, [&](auto i) { return table + std::to_string(i); })), table.size() + 12)
      << "more numbers than a pattern may have, but one of them changes";
}

TEST(Values, WhoseFirstAndLastAreAlikeAreNoConstant) {
  round_trip({"1.22.3", "1.23.3", "1.22.3"});
  round_trip({"1.22.3", "1.23.4", "1.22.5"});
}

TEST(Values, OfAsManyNumbersAsAPatternMayHaveAndMoreComeBack) {
  for (std::size_t numbers : {63, 64, 65, 66})
    round_trip(make(8, [&](auto i) {
      std::string text;
      for (std::size_t n = 0; n < numbers; ++n) text += std::to_string(i * n + n) + " ";
      return text;
    }));
}

TEST(Values, OfLargeNumbersFarApartTakeTheirBits) {
  std::mt19937_64 random(5);
  const auto uid = [&](auto) { return "2.25." + std::to_string(random() % 1'000'000'000'000'000'000); };
  EXPECT_LE(round_trip(make(10, uid)), 5 + 75 + 10U) << "10 x 60 bits, and no least one of 9 bytes";
}

TEST(Values, OfDecimalsInEveryStyleComeBackExactly) {
  round_trip({"-102.08\\-31.26\\1371.75", "-102.08\\-31.26\\1367.7", "-102.08\\-31.26\\1371"});
  round_trip({"1.50", "2.25", "-0.75"});
  round_trip({"1.0", "2.5", "-3.0"});
  round_trip({"0", "-0", "00", "0.0", "-0.0"});
  round_trip({"1e-05", "2e-06", "10", ".5", "5.", "+3", " 4"});
  round_trip(
      {"9223372036854775807", "9223372036854775808", "-9223372036854775808", "12345678901234567890123456789012345678"});
  round_trip({"0.000000000000000001", "0.1234567890123456789012", "3"});
}

TEST(Values, PaddedToEvenLengthComeBackExactly) {
  round_trip({"1 ", "10", "100 ", "1000"});
  round_trip({std::string("1.2\0", 4), "1.23", std::string("1.234\0", 6)});
  round_trip({"1  ", "10 ", "2"});
  round_trip({"", " ", "  ", std::string("\0", 1)});
}

TEST(Values, OfBinaryNumbersComeBackExactly) {
  auto binary = [](auto number) { return std::string(reinterpret_cast<const char*>(&number), sizeof number); };
  EXPECT_LE(round_trip(make(200, [&](auto i) { return binary(0.45 * static_cast<double>(i) - 100); })), 500U);
  round_trip(
      make(50, [&](auto i) { return binary(static_cast<double>(static_cast<float>(0.1 * static_cast<double>(i)))); }));
  round_trip(make(50, [&](auto i) { return binary(static_cast<float>(i) / 3); }));
  round_trip(make(50, [&](auto i) { return binary(static_cast<std::uint16_t>(65500 + i)); }));
  round_trip({binary(std::nan("")), binary(-0.0), binary(HUGE_VAL), binary(5e-324)});
}

TEST(Values, AtRandomComeBackExactly) {
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    const auto kind = random() % 5, longest = 1 + random() % 40;
    round_trip(make(1 + random() % 60, [&](auto) {
      std::string value;
      for (auto size = random() % (longest + 1); size > 0; --size)
        value += kind == 0 ? static_cast<char>(random())
                           : "0123456789.-\\ "[random() % (kind == 1   ? 10
                                                           : kind == 2 ? 12
                                                                       : 14)];
      return value;
    }));
  }
}

TEST(Values, CutOrChangedNeverReadBeyondTheirBytes) {
  std::mt19937 random(3);
  ValueList list;
  for (int i = 0; i < 40; ++i) list.push(as_bytes("a" + std::to_string(random() % 1000) + "b"));
  const Bytes encoded = encode_values(list);
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    const auto decoded = decode_values(ByteSpan(encoded).first(size), list.size(), kMost, "cut");
    EXPECT_FALSE(decoded.has_value()) << "cut to " << size << " of " << encoded.size() << " bytes";
  }
  for (int round = 0; round < 2000; ++round) {
    Bytes changed = encoded;
    changed[random() % changed.size()] ^= std::byte(1U << random() % 8);
    (void)decode_values(changed, list.size(), kMost, "changed");  // an error or other values; the sanitizers watch
  }
}

TEST(Values, OfADictionaryThatBeginsBeforeItsEntriesAreRefused) {
  ByteWriter out;
  out.put(std::uint8_t{2});  // a dictionary
  out.put_varint(0);         // of no entries
  put_integers({}, out);     // their sizes
  put_packed({}, out);
  put_integers(std::vector<std::int64_t>(4862, -1), out);
  const auto decoded = decode_values(out.bytes(), 4862, kMost, "hostile");
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().error_class, ErrorClass::kDamaged) << describe(decoded.error());
}

TEST(Values, OfLongTablesOfNumbersTakeTheBytesOfTheirWords) {
  std::mt19937 random(6);
  for (const std::size_t width : {2U, 4U}) {
    ValueList list;
    std::size_t total = 0;
    for (int row = 0; row < 20; ++row) {
      Bytes value((500 + random() % 500) * width);
      for (std::size_t i = 0; i < value.size(); i += width)
        store_le(&value[i], static_cast<std::uint16_t>(i + random() % 64));
      total += value.size();
      list.push(value);
    }
    const Bytes encoded = encode_values(list);
    EXPECT_EQ(encoded[0], std::byte{5});
    EXPECT_LT(encoded.size(), total * 10 / 8 / width) << "nearly what their 6 random bits take, and no more than 10";
    const auto decoded = decode_values(encoded, list.size(), kMost, "words");
    ASSERT_TRUE(decoded) << describe(decoded.error());
    for (std::size_t row = 0; row < list.size(); ++row) EXPECT_TRUE(same_bytes((*decoded)[row], list[row])) << row;
  }
}

TEST(Values, OfLongRunsOfEqualOnesAreHeldOnceWhenTheyAreEncoded) {
  std::mt19937 random(7);
  ValueList list;
  for (int run = 0; run < 2; ++run) {
    Bytes value(100'000);
    for (std::size_t i = 0; i < value.size(); i += 2) store_le(&value[i], static_cast<std::uint16_t>(random() % 300));
    list.push(value);
    list.repeat_last(999'999);  // 200 GB
  }
  const Bytes encoded = encode_values(list);
  EXPECT_EQ(encoded[0], std::byte{2});
  const auto decoded = decode_values(encoded, list.size(), kMost, "runs");
  ASSERT_TRUE(decoded) << describe(decoded.error());
  for (const std::size_t row : {0U, 999'999U, 1'000'000U, 1'999'999U})
    EXPECT_TRUE(same_bytes((*decoded)[row], list[row])) << row;
}

TEST(Values, OfWordsThatAnnounceMoreThanThereMayBeAreRefused) {
  const auto decoded = [](std::uint8_t width, std::int64_t first, std::int64_t second) {
    ByteWriter out;
    out.put(std::uint8_t{5});  // words
    out.put(width);
    put_integers(std::vector<std::int64_t>{first, second}, out);
    put_integers(std::vector<std::int64_t>(9, 1), out);
    return decode_values(out.bytes(), 2, kMost, "hostile");
  };
  EXPECT_TRUE(decoded(2, 4, 5));
  EXPECT_EQ(decoded(4, 9, 0)->byte_count(), 36U);
  const auto most = static_cast<std::int64_t>(kMost);
  for (const auto& [width, first, second] :
       std::vector<std::tuple<std::uint8_t, std::int64_t, std::int64_t>>{{2, most / 2, 1},
                                                                         {2, 1 << 20, 1},
                                                                         {2, (1 << 20) + 1, 0},
                                                                         {4, most / 4 + 1, 0},
                                                                         {2, -1, 10},
                                                                         {2, 10, -1},
                                                                         {2, INT64_MAX, INT64_MAX},
                                                                         {1, 4, 5},
                                                                         {8, 4, 5},
                                                                         {0, 4, 5}}) {
    const auto refused = decoded(width, first, second);
    ASSERT_FALSE(refused) << int{width} << " " << first << " " << second;
    EXPECT_EQ(refused.error().error_class, ErrorClass::kDamaged);
  }
}

TEST(Values, OfDecimalsThatHaveNotTheBytesOfANumberAreRefused) {
  const auto decoded = [](std::uint8_t width, std::uint8_t kind) {
    ByteWriter out;
    out.put(std::uint8_t{4});  // lanes
    out.put(width);
    out.put_varint(1);  // of them
    out.put(kind);
    out.put(std::uint8_t{2});  // digits
    put_integers(std::vector<std::int64_t>{1, 2, 3}, out);
    return decode_values(out.bytes(), 3, kMost, "hostile").has_value();
  };
  for (const std::uint8_t width : std::vector<std::uint8_t>{1, 2, 4, 8}) {
    EXPECT_TRUE(decoded(width, 0));
    EXPECT_EQ(decoded(width, 1), width >= 4) << int{width};
    EXPECT_EQ(decoded(width, 2), width == 8) << int{width};
  }
}

TEST(Integers, OfEveryPatternComeBack) {
  std::mt19937_64 random(5);
  const std::int64_t low = std::numeric_limits<std::int64_t>::min(), high = std::numeric_limits<std::int64_t>::max();
  std::vector<std::vector<std::int64_t>> lists = {
      {}, {0}, {low}, {high, low}, {low, high, 0, -1}, {5, 5, 5}, {1, 3, 5, 7}, {high, low, high}};
  for (unsigned bits = 0; bits < 64; ++bits) {
    auto& list = lists.emplace_back();
    for (int i = 0; i < 33; ++i) list.push_back(static_cast<std::int64_t>(random() >> bits));
  }
  for (const auto form : {ListForm::kShort, ListForm::kForPacking})
    for (const auto& list : lists) {
      ByteWriter out;
      put_integers(list, out, form);
      ByteReader in(out.bytes(), "test");
      EXPECT_EQ(get_integers(in, list.size()).value(), list);
      EXPECT_TRUE(in.expect_end().has_value());
    }
}

TEST(Integers, OfLargeStepsFarApartTakeTheirBits) {
  std::mt19937_64 random(4);
  std::vector<std::int64_t> values = {0};
  for (int i = 0; i < 8; ++i)
    values.push_back(values.back() + (std::int64_t{1} << 56) + static_cast<std::int64_t>(random() >> 8));
  ByteWriter out;
  put_integers(values, out);
  EXPECT_LE(out.size(), 1U + 1 + 1 + 1 + (8 * 58 + 7) / 8) << "and no least one of 9 bytes";
}

TEST(Packed, BytesThatAnnounceMoreThanTheyCanHoldAreRefused) {
  ByteWriter out;
  out.put_varint(std::uint64_t{1} << 40);
  out.put_varint(20);
  out.put_bytes(Bytes(20));
  ByteReader in(out.bytes(), "bomb");
  const auto result = get_packed(in, std::uint64_t{1} << 50);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().error_class, ErrorClass::kLimit);
}

TEST(Packed, BytesBehindTheirFrameAreRefused) {
  Bytes frame = zstd_compress(Bytes(100, std::byte{7}), 3);
  const Bytes nothing = zstd_compress({}, 3);
  EXPECT_TRUE(zstd_decompress(frame, 100, "one frame").has_value());
  append(frame, nothing);
  const auto decoded = zstd_decompress(frame, 100, "two frames");
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().error_class, ErrorClass::kDamaged) << describe(decoded.error());
}

TEST(Packed, BytesThatCompressTooWellAreKeptAsTheyAre) {
  const Bytes zeros(std::size_t{40} << 20);
  ByteWriter out;
  put_packed(zeros, out);
  ByteReader in(out.bytes(), "zeros");
  EXPECT_TRUE(same_bytes(get_packed(in, zeros.size()).value(), zeros));
}

constexpr std::uint64_t kMostColumns = 16;

TEST(Schema, ComesBackAndRefusesColumnsBeforeTheirParents) {
  Schema schema;
  ColumnKey key;
  key.kind = ColumnKind::kSequence;
  key.tag = 0x00081140;
  const ColumnId parent = schema.intern(key);
  ColumnKey child;
  child.parent = parent;
  child.vr = {'U', 'I'};
  const ColumnId inner = schema.intern(child);
  EXPECT_EQ(schema.intern(child), inner);
  schema.intern(Layout{inner});
  schema.intern(Layout{parent});
  for (const auto form : {ListForm::kShort, ListForm::kForPacking}) {
    ByteWriter out;
    schema.write(out, form);
    ByteReader in(out.bytes(), "schema");
    auto again = Schema::read(in, kMostColumns);
    ASSERT_TRUE(again.has_value()) << describe(again.error());
    EXPECT_EQ(again->columns(), schema.columns());
    EXPECT_EQ(again->layouts(), schema.layouts());
  }

  Schema wrong;
  child.parent = 5;
  wrong.intern(child);
  ByteWriter bad;
  wrong.write(bad);
  ByteReader bad_in(bad.bytes(), "schema");
  EXPECT_FALSE(Schema::read(bad_in, kMostColumns).has_value());
}

TEST(Schema, OfMoreThanThereMayBeIsRefused) {
  Schema schema;
  for (std::uint32_t tag = 0; tag < kMostColumns; ++tag) {
    ColumnKey key;
    key.tag = tag;
    schema.intern(key);
  }
  const auto read = [&] {
    ByteWriter out;
    schema.write(out);
    ByteReader in(out.bytes(), "schema");
    return Schema::read(in, kMostColumns).has_value();
  };
  for (ColumnId id = 0; id < 4; ++id) schema.intern(Layout(kMostColumns, id));
  EXPECT_TRUE(read());
  schema.intern(Layout{0});
  EXPECT_FALSE(read()) << "one element more";
  schema = {};
  for (std::size_t size = 0; size < kMostColumns; ++size) schema.intern(Layout(size, 0));
  EXPECT_FALSE(read()) << "of columns that there are not";
}

TEST(Schema, WithTwoColumnsOfFileNamesIsRefused) {
  for (std::uint32_t tag : {0U, 1U}) {
    Schema schema;
    ColumnKey key;
    key.kind = ColumnKind::kName;
    schema.intern(key);
    key.tag = tag;
    schema.intern(key);
    ByteWriter out;
    schema.write(out);
    ByteReader in(out.bytes(), "schema");
    EXPECT_EQ(Schema::read(in, kMostColumns).has_value(), tag == 0) << "the same column is interned once";
  }
}

}  // namespace
}  // namespace dicube::columns
