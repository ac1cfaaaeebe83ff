#include "format/frame_index.h"

#include <gtest/gtest.h>

#include <random>

#include "format/header.h"

namespace dicube::format {
namespace {

constexpr std::uint8_t kZstd = 1, kLane = 3, kLaneInter = 5;  // codec::CodecId
constexpr std::uint64_t kBoth = kReferences | kRepeats;

FrameIndex empty_index() {
  FrameIndex index;
  index.formats.resize(2);
  for (FrameFormat& format : index.formats) format.bits_allocated = 16;
  index.formats[1].rows = 7;
  return index;
}

// A frame that is none of the others.
void add_own(FrameIndex& index, std::uint8_t codec, std::uint32_t back = 0) {
  Frame frame;
  frame.codec = codec;
  frame.back = back;
  frame.block = index.frame_blocks++;
  index.frames.push_back(frame);
  index.blocks.push_back({0, 10, 0});
}

void add_repeat(FrameIndex& index, std::size_t distance) {
  Frame frame = index.frames[index.frames.size() - distance];
  if (frame.back != 0) frame.back += static_cast<std::uint32_t>(distance);
  index.frames.push_back(frame);
}

Result<FrameIndex> read(const FrameIndex& index, std::uint64_t features) {
  return read_frame_index(write_frame_index(index, features), 10 * index.blocks.size(), features);
}

// Any frames, with references and repeats as a writer may have them; each own frame's reference is an own frame or a
// repeat of one, at most `kLongestChain` deep.
FrameIndex random_index(std::mt19937& random) {
  FrameIndex index = empty_index();
  std::vector<unsigned> depth;  // by block
  const std::size_t count = 1 + random() % 60;
  while (index.frames.size() < count) {
    const std::size_t i = index.frames.size();
    if (i > 0 && random() % 3 == 0) {
      const std::size_t distance = 1 + random() % i;
      for (std::size_t length = 1 + random() % 4; length > 0; --length) add_repeat(index, distance);
      continue;
    }
    std::uint32_t back = 0;
    if (i > 0 && random() % 2 == 0) back = static_cast<std::uint32_t>(1 + random() % i);
    const Frame* const reference = back == 0 ? nullptr : &index.frames[i - back];
    const bool fits = reference != nullptr && reference->codec != kZstd && depth[reference->block] < kLongestChain;
    depth.push_back(fits ? depth[reference->block] + 1 : 1);
    add_own(index, fits ? kLaneInter : random() % 2 == 0 ? kLane : kZstd, fits ? back : 0);
  }
  return index;
}

// The blocks of a frame and of its reference, or the frame's alone.
std::pair<std::size_t, std::size_t> blocks_of(const FrameIndex& index, std::size_t i) {
  const Frame& frame = index.frames[i];
  return {frame.block, index.frames[i - frame.back].block};
}

TEST(AFrameIndex, ComesBackWithItsRepeatsAndReferences) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    const FrameIndex index = random_index(random);
    const std::uint64_t features = features_of(index);
    const auto back = read(index, features);
    ASSERT_TRUE(back) << round << describe(back.error());
    ASSERT_EQ(back->frames.size(), index.frames.size());
    EXPECT_EQ(back->frame_blocks, index.frame_blocks);
    EXPECT_EQ(features_of(*back), features);
    for (std::size_t i = 0; i < index.frames.size(); ++i) {
      EXPECT_EQ(back->frames[i].codec, index.frames[i].codec) << round;
      EXPECT_EQ(blocks_of(*back, i), blocks_of(index, i)) << round << " frame " << i;
    }
    EXPECT_TRUE(write_frame_index(*back, features) == write_frame_index(index, features));
  }
}

TEST(AFrameIndex, OfFramesThatGoOnRepeatingOthersSaysSoOnce) {
  FrameIndex index = empty_index();
  for (int i = 0; i < 3; ++i) add_own(index, kLane);
  const std::size_t alone = write_frame_index(index, kRepeats).size();
  for (int i = 0; i < 3000; ++i) add_repeat(index, 3);
  EXPECT_LE(write_frame_index(index, kRepeats).size(), alone + 4);
  FrameIndex other = empty_index();  // A A B A A B ..
  for (int i = 0; i < 300; ++i) i == 0 || i == 2 ? add_own(other, kLane) : add_repeat(other, i < 3 ? 1 : 3);
  EXPECT_LE(write_frame_index(other, kRepeats).size(), alone + 7);
}

TEST(AFrameIndex, HasNoMoreRepeatsThanAReaderBelieves) {
  FrameIndex index = empty_index();
  add_own(index, kLane);
  for (std::uint64_t i = 0; i < kMostRepeats; ++i) add_repeat(index, 1);
  EXPECT_TRUE(read(index, kRepeats));
  add_repeat(index, 1);
  const auto refused = read(index, kRepeats);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error_class, ErrorClass::kDamaged);
  FrameIndex two = empty_index();  // in two runs, likewise
  add_own(two, kLane);
  for (std::uint64_t i = 0; i < kMostRepeats; ++i) add_repeat(two, 1);
  add_own(two, kLane);
  EXPECT_TRUE(read(two, kRepeats));
  add_repeat(two, 1);
  EXPECT_FALSE(read(two, kRepeats));
}

TEST(AFrameIndex, WithFewerBlocksThanFramesThatAreNoRepeatsIsRefused) {
  for (const std::uint64_t features : {std::uint64_t{0}, kBoth}) {
    FrameIndex index = empty_index();
    for (int i = 0; i < 3; ++i) add_own(index, kLane);
    if (features != 0) add_repeat(index, 2);
    EXPECT_TRUE(read(index, features));
    index.blocks.pop_back();
    const auto refused = read(index, features);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error_class, ErrorClass::kDamaged) << describe(refused.error());
  }
}

TEST(AFrameIndex, WithTheFeatureOfRepeatsAndNoneIsRead) {
  FrameIndex index = empty_index();
  add_own(index, kLane);
  const auto back = read(index, kRepeats);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->frames.size(), 1U);
}

TEST(TheHashOfAFrameFormat, TellsEveryFieldApart) {
  const FrameFormat format;
  const auto changed = [&](const auto& change) {
    FrameFormat other = format;
    change(other);
    return hash_of(other) != hash_of(format);
  };
  EXPECT_TRUE(changed([](FrameFormat& f) { f.rows = 1; }));
  EXPECT_TRUE(changed([](FrameFormat& f) { f.columns = 1; }));
  EXPECT_TRUE(changed([](FrameFormat& f) { f.samples = 3; }));
  EXPECT_TRUE(changed([](FrameFormat& f) { f.bits_allocated = 8; }));
  EXPECT_TRUE(changed([](FrameFormat& f) { f.is_signed = true; }));
  EXPECT_TRUE(changed([](FrameFormat& f) { f.planar = true; }));
  EXPECT_TRUE(changed([](FrameFormat& f) { f.swap = 2; }));
  EXPECT_TRUE(changed([](FrameFormat& f) { f.photometric = "RGB"; }));
  EXPECT_TRUE(changed([](FrameFormat& f) { f.head = {std::byte{1}}; }));
  EXPECT_FALSE(changed([](FrameFormat&) {}));
}

}  // namespace
}  // namespace dicube::format
