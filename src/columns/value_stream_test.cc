// A list of one value is read in pieces as it is read whole, and what is damaged is refused.
#include "columns/value_stream.h"

#include <gtest/gtest.h>

#include <random>

namespace dicube::columns {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 30;

Bytes text_of(std::size_t size) {
  std::string text;
  for (std::uint64_t i = 0; text.size() < size; ++i) text += "line " + std::to_string(i * i) + "\n";
  text.resize(size);
  const ByteSpan bytes = as_bytes(text);
  return Bytes(bytes.begin(), bytes.end());
}

Bytes noise_of(std::size_t size) {
  std::mt19937 random(7);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

Pieces pieces_of(ByteSpan bytes, std::size_t piece) {
  return [=](const Sink& sink) -> Status {
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      DICUBE_TRY(sink(bytes.subspan(at, std::min(piece, bytes.size() - at))));
    return {};
  };
}

// The value of a list that comes in such pieces.
Result<Bytes> streamed(ByteSpan list, std::size_t piece) {
  Bytes value;
  std::optional<std::uint64_t> announced;
  const auto start = [&](std::uint64_t size) -> Result<Sink> {
    EXPECT_FALSE(announced) << "asked twice";
    announced = size;
    return Sink([&](ByteSpan bytes) {
      append(value, bytes);
      return Status();
    });
  };
  ValueStream stream(list.size(), kMost, start, "test");
  DICUBE_TRY(pieces_of(list, piece)([&](ByteSpan bytes) { return stream.take(bytes); }));
  DICUBE_TRY(stream.finish());
  EXPECT_EQ(announced, value.size());
  return value;
}

// As a zstd frame or as it is.
Bytes listed(ByteSpan value, bool packed, Density density = Density::kMost) {
  Bytes body(value.begin(), value.end());
  if (packed) {
    body.clear();
    const Sink out = [&](ByteSpan bytes) {
      append(body, bytes);
      return Status();
    };
    EXPECT_TRUE(zstd_compress(pieces_of(value, 10'000), value.size(), out, density));
  }
  Bytes list = value_head(value.size(), packed ? body.size() : 0);
  append(list, body);
  return list;
}

TEST(AValueInPieces, ThatPacksTooWellForReadersIsPackedLessWell) {
  for (const std::size_t size : {1000U, 1024U, 300'000U, 3'000'000U}) {
    const Bytes value(size);
    const Bytes list = listed(value, true, Density::kReadable);
    EXPECT_GT(256 * list.size(), size);
    EXPECT_LT(200 * list.size(), size + 20'000);
    for (const std::size_t piece : {std::size_t{64}, list.size()}) EXPECT_TRUE(streamed(list, piece) == value);
    const auto whole = decode_values(list, 1, kMost, "test");
    EXPECT_TRUE(whole && (*whole)[0].size() == size);
  }
}

TEST(AValueInPieces, ComesBackFromPiecesOfAnySizeAndWhole) {
  for (const Bytes& value : {text_of(300'000), noise_of(300'000), noise_of(100)})
    for (const bool packed : {false, true}) {
      const Bytes list = listed(value, packed);
      const auto whole = decode_values(list, 1, kMost, "test");
      ASSERT_TRUE(whole) << describe(whole.error());
      EXPECT_TRUE(same_bytes((*whole)[0], value));
      for (const std::size_t piece : {std::size_t{64}, std::size_t{65}, std::size_t{4099}, std::size_t{1} << 20}) {
        const auto got = streamed(list, piece);
        ASSERT_TRUE(got) << describe(got.error());
        EXPECT_EQ(*got, value);
      }
    }
}

TEST(AValueInPieces, IsPackedToTheSameBytesEachTime) {
  const Bytes value = text_of(3'000'000);
  EXPECT_EQ(listed(value, true), listed(value, true));
}

TEST(AValueInPieces, IsAnyThatAListOfOneValueHolds) {
  Bytes protocol = text_of(100'000);  // packed with the dictionary (columns/protocol_dictionary.h)
  append(protocol, as_bytes("### ASCCONV BEGIN ###"));
  for (const Bytes& value : {Bytes(), text_of(4), text_of(100'000), noise_of(100'000), protocol}) {
    ValueList values;
    values.push(value);
    const auto got = streamed(encode_values(values), std::size_t{1} << 20);
    ASSERT_TRUE(got) << describe(got.error());
    EXPECT_EQ(*got, value);
  }
  // a text (spec/format.md, "Text values"): padding 0, a number between two empty literals, "4711"
  const Bytes text = {std::byte{3}, std::byte{0}, std::byte{1},    std::byte{0},   std::byte{0},
                      std::byte{0}, std::byte{0}, std::byte{0xCE}, std::byte{0x49}};
  const auto whole = decode_values(Bytes(text), 1, kMost, "test");
  const auto got = streamed(text, 64);
  ASSERT_EQ(whole.has_value(), got.has_value());
  if (got) {
    EXPECT_TRUE(same_bytes(*got, (*whole)[0]));
  }
}

TEST(AValueInPieces, CutOrContinuedIsRefused) {
  for (const bool packed : {false, true}) {
    Bytes list = listed(text_of(5000), packed);
    for (std::size_t size = 0; size < list.size(); ++size)
      EXPECT_FALSE(streamed(ByteSpan(list).first(size), 64)) << size;
    list.push_back(std::byte{0});
    EXPECT_FALSE(streamed(list, 64));
    list.resize(list.size() + 1000);
    EXPECT_FALSE(streamed(list, 64));
  }
}

TEST(AValueInPieces, ThatIsChangedIsReadAsItIsWholeOrRefused) {
  std::mt19937 random(11);
  const Bytes value = text_of(5000);
  ValueList values;
  values.push(value);
  for (const Bytes& list : {listed(value, false), listed(value, true), encode_values(values)})
    for (int i = 0; i < 2000; ++i) {
      Bytes changed = list;
      const std::size_t most = i % 2 == 0 ? 64 : changed.size();
      changed[random() % most] ^= static_cast<std::byte>(1 + random() % 255);
      const auto whole = decode_values(changed, 1, kMost, "test");
      const auto got = streamed(changed, 64);
      EXPECT_EQ(whole.has_value(), got.has_value());
      if (whole && got) {
        EXPECT_TRUE(same_bytes((*whole)[0], *got));
      }
    }
}

TEST(AValueInPieces, ThatAnnouncesMoreThanItCanHoldIsRefusedBeforeItIsAskedFor) {
  Bytes list = value_head(std::uint64_t{1} << 29, 100);
  list.resize(list.size() + 100);
  ValueStream stream(
      list.size(), kMost,
      [](std::uint64_t) -> Result<Sink> {
        ADD_FAILURE();
        return Sink();
      },
      "test");
  const auto taken = stream.take(list);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().error_class, ErrorClass::kLimit);
}

// Blocks of one byte repeated, each of 128 KiB, in a frame that announces `size` bytes and a small window.
Bytes frame_of_repeats(std::uint64_t size, std::size_t blocks) {
  ByteWriter frame;
  frame.put(std::uint32_t{0xFD2FB528});
  frame.put(std::uint8_t{0xC0});                 // 8 bytes of size, a window
  frame.put(static_cast<std::uint8_t>(7 << 3));  // of 128 KiB
  frame.put(size);
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::uint32_t header = (128U << 10) << 3 | 1U << 1 | (i + 1 == blocks ? 1U : 0U);
    for (const unsigned shift : {0U, 8U, 16U}) frame.put(static_cast<std::uint8_t>(header >> shift));
    frame.put(std::uint8_t{'x'});
  }
  return frame.take();
}

TEST(AValueInPieces, IsHandedOutNoFurtherThanItIsAnnounced) {
  constexpr std::uint64_t kSize = std::uint64_t{8} << 20;
  for (const std::size_t blocks : {std::size_t{64}, std::size_t{5000}}) {
    const Bytes frame = frame_of_repeats(kSize, blocks);
    Bytes list = value_head(kSize, frame.size());
    append(list, frame);
    std::uint64_t got = 0;
    const auto start = [&](std::uint64_t) {
      return Result<Sink>([&](ByteSpan bytes) {
        got += bytes.size();
        return Status();
      });
    };
    ValueStream stream(list.size(), kMost, start, "test");
    const Status taken = stream.take(list);
    EXPECT_EQ(taken.has_value(), blocks == 64);
    EXPECT_EQ(got, kSize);
    EXPECT_EQ(decode_values(list, 1, kMost, "test").has_value(), blocks == 64);
  }
}

TEST(AValueInPieces, ThatEndsBeforeItsListDoesIsRefused) {
  for (const bool packed : {false, true}) {
    const Bytes list = listed(text_of(5000), packed);
    ValueStream stream(
        list.size() + 1, kMost, [](std::uint64_t) { return Sink([](ByteSpan) { return Status(); }); }, "test");
    ASSERT_TRUE(stream.take(list));
    EXPECT_FALSE(stream.finish());
  }
}

TEST(AValueInPieces, OfMoreOrFewerBytesThanAnnouncedIsNotPacked) {
  const Bytes value = text_of(5000);
  for (const std::uint64_t announced : {4999U, 5001U}) {
    const auto packed = zstd_compress(pieces_of(value, 1000), announced, [](ByteSpan) { return Status(); });
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().error_class, ErrorClass::kChanged);
  }
}

}  // namespace
}  // namespace dicube::columns
