// Archives whose frames have references: they come back, single frames and whole series alike, and hostile chains are
// refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "archive/state.h"
#include "archive/testing.h"
#include "base/hash.h"
#include "dicube/archive.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using namespace archive::testing;

constexpr unsigned kSlices = 40, kSide = 48;

// Slices whose noise is half that of the slice before.
void write_slices(const std::string& folder, unsigned count = kSlices) {
  std::mt19937 random(1);
  std::vector<unsigned> before(kSide * kSide), own(kSide * kSide);
  for (unsigned slice = 1; slice <= count; ++slice) {
    Bytes file = dicom::testing::ct_image(slice, kSide, kSide);
    const std::size_t pixels = file.size() - 2 * kSide * kSide;  // the last element
    for (std::size_t i = 0; i < own.size(); ++i) {
      own[i] = static_cast<unsigned>(random() % 200);
      store_le(&file[pixels + 2 * i], static_cast<std::uint16_t>(1000 + i % kSide * 4 + own[i] + before[i]));
    }
    before = own;
    testing::write_file(folder + "/" + std::to_string(slice) + ".dcm", file);
  }
}

std::string pack_inter(const testing::ScratchFolder& scratch, const std::string& name, unsigned threads = 2) {
  PackOptions options;
  options.references = true;
  options.threads = threads;
  const auto summary = pack({scratch / "source"}, scratch / name, options);
  EXPECT_TRUE(summary) << describe(summary.error());
  for (const SeriesReport& report : summary->series) EXPECT_FALSE(report.error) << describe(*report.error);
  return scratch / name;
}

class References : public ::testing::Test {
 protected:
  void SetUp() override {
    write_slices(scratch_ / "source");
    path_ = pack_inter(scratch_, "scan.dcba");
  }

  // The archive with another index, under right checksums.
  Result<Archive> with_index(const std::function<void(format::FrameIndex&)>& change) {
    bytes_ = testing::read_bytes(path_);
    Parts parts = archive::testing::take_apart(bytes_);
    archive::testing::Part& frames = part(parts, format::SectionId::kFrames);
    auto index = format::read_frame_index(frames.stored, part(parts, format::SectionId::kData).stored.size(),
                                          format::kReferences)
                     .value();
    change(index);
    frames.stored = format::write_frame_index(index, format::kReferences);
    frames.size = 0;
    bytes_ = archive::testing::put_together(parts, format::kReferences);
    return Archive::from_bytes(bytes_, "test.dcba");
  }

  testing::ScratchFolder scratch_;
  std::string path_;
  Bytes bytes_;
};

TEST_F(References, MakeASeriesSmallerAndItComesBackByteForByte) {
  const Archive archive = Archive::open(path_).value();
  EXPECT_TRUE(archive.info().has_references);
  const Bytes alone = testing::pack_bytes({scratch_ / "source"}, scratch_ / "scan.dcbs");
  EXPECT_LT(testing::read_bytes(path_).size(), alone.size());
  EXPECT_FALSE(Archive::open(scratch_ / "scan.dcbs")->info().has_references);
  ASSERT_TRUE(unpack(path_, scratch_ / "restored"));
  EXPECT_TRUE(testing::tree(scratch_ / "source") == testing::tree(scratch_ / "restored"));
  EXPECT_TRUE(verify(path_)->errors.empty());
}

TEST_F(References, AreTheSameOnAnyNumberOfThreads) {
  const Bytes one = testing::read_bytes(path_);
  EXPECT_TRUE(testing::read_bytes(pack_inter(scratch_, "other.dcba", 1)) == one);
  EXPECT_TRUE(testing::read_bytes(pack_inter(scratch_, "third.dcba", 7)) == one);
}

TEST_F(References, SingleFramesPartsReducedOnesAndWholeSeriesAreAsWithoutThem) {
  testing::pack_bytes({scratch_ / "source"}, scratch_ / "scan.dcbs");
  const Archive plain = Archive::open(scratch_ / "scan.dcbs").value();
  const std::uint64_t size = plain.pixel_format(0).frame_bytes();
  Bytes whole(size * kSlices), expected(size * kSlices), one(size);
  ASSERT_TRUE(plain.read_frames(0, kSlices, expected, 2));
  for (unsigned threads : {1U, 2U, 5U}) {
    const Archive archive = Archive::open(path_).value();
    std::fill(whole.begin(), whole.end(), std::byte{0xEE});
    ASSERT_TRUE(archive.read_frames(0, kSlices, whole, threads));
    EXPECT_TRUE(whole == expected) << threads;
    const MutableByteSpan part = MutableByteSpan(whole).first(size * 9);
    ASSERT_TRUE(archive.read_frames(13, 9, part, threads));
    EXPECT_TRUE(std::equal(part.begin(), part.end(), expected.begin() + static_cast<std::ptrdiff_t>(13 * size)));
  }
  for (unsigned frame = kSlices; frame-- > 0;) {  // each as the first thing that is read
    const Archive archive = Archive::open(path_).value();
    ASSERT_TRUE(archive.read_frame(frame, one));
    EXPECT_TRUE(std::equal(one.begin(), one.end(), expected.begin() + static_cast<std::ptrdiff_t>(frame * size)))
        << frame;
    for (unsigned level : {1U, 3U}) {
      Bytes small(Archive::reduced(archive.pixel_format(frame), level).frame_bytes()), other(small.size());
      ASSERT_TRUE(archive.read_frame_reduced(frame, level, small));
      ASSERT_TRUE(plain.read_frame_reduced(frame, level, other));
      EXPECT_TRUE(small == other) << frame;
    }
  }
}

TEST_F(References, NeedNoMoreThanEightFramesForOne) {
  const Archive archive = Archive::open(path_).value();
  const auto& frames = ArchiveAccess::state(archive).index.frames;
  unsigned with_reference = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    unsigned chain = 1;
    for (std::size_t at = i; frames[at].back != 0; at -= frames[at].back) ++chain;
    EXPECT_LE(chain, format::kLongestChain);
    with_reference += frames[i].back != 0;
  }
  EXPECT_GE(with_reference, kSlices / 2);
}

TEST(ReferencesOfBits, AreNotLookedFor) {
  const testing::ScratchFolder scratch;
  dicom::testing::FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
  file.u16(dicom::kSamplesPerPixel, "US", {1}).text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2");
  file.text(dicom::kNumberOfFrames, "IS", "9").u16(dicom::kRows, "US", {16}).u16(dicom::kColumns, "US", {16});
  file.u16(dicom::kBitsAllocated, "US", {1}).u16(dicom::kBitsStored, "US", {1}).u16(dicom::kHighBit, "US", {0});
  file.u16(dicom::kPixelRepresentation, "US", {0}).element(dicom::kPixelData, "OB", Bytes(9 * 32, std::byte{0x5A}));
  testing::write_file(scratch / "source/a", file.take());
  ASSERT_TRUE(unpack(pack_inter(scratch, "bits.dcba"), scratch / "restored"));
  EXPECT_TRUE(testing::tree(scratch / "source") == testing::tree(scratch / "restored"));
}

// Rows of two patterns, which zstd codes best; the slice behind it has them, too, but with noise. The former is among
// those that tell whether frames can share parameters: they can't.
TEST_F(References, AreNoneOfFramesThatEndedWithAnotherCodec) {
  std::mt19937 random(2);
  std::vector<std::uint16_t> values(kSide * kSide);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = i % (kSide * kSide / 2) < kSide ? static_cast<std::uint16_t>(1000 + random() % 200) : values[i - kSide];
  for (const unsigned slice : {12U, 13U}) {
    Bytes file = testing::read_bytes(scratch_ / "source/" + std::to_string(slice) + ".dcm");
    for (std::size_t i = 0; i < values.size(); ++i)
      store_le(&file[file.size() - 2 * (values.size() - i)],
               static_cast<std::uint16_t>(values[i] + (slice == 13 ? random() % 3 : 0)));
    testing::write_file(scratch_ / "source/" + std::to_string(slice) + ".dcm", file);
  }
  const Archive archive = Archive::open(pack_inter(scratch_, "rows.dcba")).value();
  EXPECT_EQ(archive.codec(10), "lane-inter");
  EXPECT_EQ(archive.codec(11), "zstd");
  EXPECT_EQ(archive.codec(12), "lane");
  EXPECT_EQ(archive.codec(14), "lane-inter");
  ASSERT_TRUE(unpack(scratch_ / "rows.dcba", scratch_ / "restored"));
  EXPECT_TRUE(testing::tree(scratch_ / "source") == testing::tree(scratch_ / "restored"));
}

TEST_F(References, ToFramesThatAreNotThereOrOfAnotherKindAreRefused) {
  EXPECT_TRUE(with_index([](format::FrameIndex&) {}));
  const auto last = [](format::FrameIndex& index) -> format::Frame& {
    for (std::size_t i = index.frames.size(); i-- > 0;)
      if (index.frames[i].back != 0) return index.frames[i];
    return index.frames[0];
  };
  const std::vector<std::function<void(format::FrameIndex&)>> changes = {
      [&](auto& index) { last(index).back = 0; },        // itself
      [&](auto& index) { last(index).back = kSlices; },  // before the first
      [&](auto& index) { last(index).back = 0xFFFFFFFF; },
      [&](auto& index) {  // of another format
        index.formats.push_back(index.formats[0]);
        index.formats[1].rows += 1;
        last(index).format = 1;
      },
      [&](auto& index) {  // of another format with another head
        index.formats.push_back(index.formats[0]);
        index.formats.back().columns += 1;
        index.formats.back().head.push_back(std::byte{1});
        last(index).format = static_cast<std::uint32_t>(index.formats.size() - 1);
      },
      [&](auto& index) {  // no lane frame
        format::Frame* const frame = &last(index);
        (frame - frame->back)->codec = 1;
      },
      [&](auto& index) {  // too long a chain
        for (std::size_t i = 1; i <= format::kLongestChain; ++i) index.frames[i].codec = 5, index.frames[i].back = 1;
      }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto opened = with_index(changes[i]);
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().error_class, ErrorClass::kDamaged) << i << describe(opened.error());
  }
}

TEST_F(References, OfOtherFramesThanTheWritersGiveAnErrorOrOtherPixelsButNoHarm) {
  const auto archive = with_index([](format::FrameIndex& index) {
    for (std::size_t i = 10; i < index.frames.size(); ++i)
      if (index.frames[i].back == 1 && index.frames[i - 1].back == 0) index.frames[i].back = 9;
  });
  if (!archive) {
    EXPECT_EQ(archive.error().error_class, ErrorClass::kDamaged) << "a chain got too long";
    return;
  }
  Bytes whole(archive->pixel_format(0).frame_bytes() * kSlices);
  const Status read = archive->read_frames(0, kSlices, whole, 2);
  EXPECT_TRUE(read || read.error().error_class == ErrorClass::kCodec) << describe(read.error());
}

TEST_F(References, ThatAreDamagedCostTheFramesThatNeedThemAndNoOthers) {
  Bytes bytes = testing::read_bytes(path_);
  std::vector<std::size_t> chain;  // frames that need a reference in it
  std::size_t first = 0;
  {
    const Archive archive = Archive::from_bytes(bytes, "test.dcba").value();
    const Archive::State& state = ArchiveAccess::state(archive);
    while (!state.is_reference[first] || state.index.frames[first].back != 0) ++first;
    bytes[state.header.front_bytes + state.index.blocks[first].offset + 50] ^= std::byte{1};
    for (std::size_t i = 0; i < kSlices; ++i) {
      std::size_t at = i;
      while (state.index.frames[at].back != 0) at -= state.index.frames[at].back;
      if (at == first) chain.push_back(i);
    }
  }
  ASSERT_GT(chain.size(), 1U);
  const Archive archive = Archive::from_bytes(bytes, "test.dcba").value();
  Bytes pixels(archive.pixel_format(0).frame_bytes()), whole(pixels.size() * kSlices);
  for (std::size_t i = 0; i < kSlices; ++i) {
    const auto read = archive.read_frame(i, pixels);
    const bool needs = std::find(chain.begin(), chain.end(), i) != chain.end();
    EXPECT_EQ(read.has_value(), !needs) << i;
    if (!read) {
      EXPECT_EQ(read.error().error_class, ErrorClass::kDamaged);
    }
  }
  EXPECT_FALSE(archive.read_frames(0, kSlices, whole, 3));
}

TEST_F(References, GoWithNamesEndingInDcbaAndWithTheLaneCodecAlone) {
  PackOptions options;
  EXPECT_EQ(pack({scratch_ / "source"}, scratch_ / "x.dcba", options).error().error_class, ErrorClass::kUsage);
  options.references = true;
  EXPECT_EQ(pack({scratch_ / "source"}, scratch_ / "x.dcbs", options).error().error_class, ErrorClass::kUsage);
  options.codec = Codec::kHtj2k;
  EXPECT_EQ(pack({scratch_ / "source"}, scratch_ / "x.dcba", options).error().error_class, ErrorClass::kUsage);
  ConvertOptions converting;
  EXPECT_EQ(convert(path_, scratch_ / "x.dcba", converting).error().error_class, ErrorClass::kUsage);
  converting.references = true;
  EXPECT_EQ(convert(path_, scratch_ / "x.dcbs", converting).error().error_class, ErrorClass::kUsage);
}

TEST_F(References, ConvertingMakesAndDropsThem) {
  const Bytes alone = testing::pack_bytes({scratch_ / "source"}, scratch_ / "scan.dcbs");
  ConvertOptions converting;
  ASSERT_TRUE(convert(path_, scratch_ / "dropped.dcbs", converting));
  EXPECT_TRUE(testing::read_bytes(scratch_ / "dropped.dcbs") == alone);
  converting.references = true;
  ASSERT_TRUE(convert(scratch_ / "scan.dcbs", scratch_ / "made.dcba", converting));
  EXPECT_TRUE(testing::read_bytes(scratch_ / "made.dcba") == testing::read_bytes(path_));
}

TEST(ReferencesInTheCorpus, SeriesComeBackByteForByte) {
  const char* corpus = std::getenv("DICUBE_CORPUS");
  const std::filesystem::path folder =
      corpus != nullptr ? std::filesystem::path(corpus) : std::filesystem::path(DICUBE_SOURCE_DIR "/../shared/data");
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no corpus at " << folder;
  for (const char* name :
       {"petct-philips-phantom", "dicube-testdata/sample_10", "dcm_qa_nih/In/20180918GE", "cornerstone3d"}) {
    if (!std::filesystem::is_directory(folder / name)) continue;
    testing::ScratchFolder scratch;
    PackOptions options;
    options.references = true;
    const auto summary = pack({folder / name}, scratch / "archives", options);
    ASSERT_TRUE(summary) << name << describe(summary.error());
    for (const SeriesReport& report : summary->series) {
      ASSERT_FALSE(report.error) << describe(*report.error);
      const auto restored = unpack(report.archive, scratch / "restored");
      ASSERT_TRUE(restored && restored->errors.empty()) << report.archive;
    }
    for (const auto& [path, bytes] : testing::tree(scratch / "restored")) {
      if (std::filesystem::is_directory(folder / name / path)) continue;
      EXPECT_EQ(hex(sha256(bytes)), hex(sha256(testing::read_bytes((folder / name / path).string())))) << path;
    }
  }
}

}  // namespace
}  // namespace dicube
