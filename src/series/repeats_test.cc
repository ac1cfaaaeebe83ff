// Frames that are the same as others before them: they take no bytes, and are read like all others. What an archive
// says of them may be anything.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "archive/state.h"
#include "archive/testing.h"
#include "base/formatted.h"
#include "dicube/archive.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using namespace archive::testing;

constexpr unsigned kSide = 40;

// A slice of noise that is much like that of other slices; those with equal `pixels` have the same.
Bytes slice(unsigned number, unsigned pixels, unsigned side = kSide) {
  std::mt19937 alike(1), own(pixels);
  Bytes file = dicom::testing::ct_image(number, side, side);
  for (std::size_t at = file.size() - std::size_t{2} * side * side; at < file.size(); at += 2)
    store_le(&file[at], static_cast<std::uint16_t>(1000 + alike() % 500 + own() % 6));
  return file;
}

class Repeats : public ::testing::Test {
 protected:
  // Slices 1, 2, .. with these pixels.
  Archive packed(std::initializer_list<unsigned> slices, PackOptions options = {}) {
    unsigned number = 0;
    for (const unsigned pixels : slices) {
      const std::string name = formatted("source/{:02}.dcm", ++number);
      testing::write_file(scratch_ / name, slice(number, pixels));
    }
    return packed(options);
  }

  Archive packed(PackOptions options = {}) {
    path_ = scratch_ / (options.references ? "scan.dcba" : "scan.dcbs");
    const auto summary = pack({scratch_ / "source"}, path_, options);
    EXPECT_TRUE(summary) << describe(summary.error());
    for (const SeriesReport& report : summary->series) {
      EXPECT_FALSE(report.error) << describe(*report.error);
      for (const Finding& finding : report.findings) EXPECT_NE(finding.code, "codec_not_exact") << finding.message;
    }
    return Archive::open(path_).value();
  }

  void expect_restored() {
    std::filesystem::remove_all(scratch_ / "restored");
    const auto restored = unpack(path_, scratch_ / "restored");
    ASSERT_TRUE(restored && restored->errors.empty());
    EXPECT_TRUE(testing::tree(scratch_ / "source") == testing::tree(scratch_ / "restored"));
    EXPECT_TRUE(verify(path_)->errors.empty());
  }

  testing::ScratchFolder scratch_;
  std::string path_;
};

std::vector<std::size_t> blocks_of(const Archive& archive) {
  std::vector<std::size_t> blocks;
  for (const format::Frame& frame : ArchiveAccess::state(archive).index.frames) blocks.push_back(frame.block);
  return blocks;
}

TEST_F(Repeats, TakeNoBytesAndComeBackByteForByte) {
  for (const Codec codec : {Codec::kAuto, Codec::kHtj2k, Codec::kLane, Codec::kZstd}) {
    PackOptions options;
    options.codec = codec;
    options.on_conflict = OnConflict::kOverwrite;
    const Archive archive = packed({7, 8, 7, 7, 9, 8}, options);
    EXPECT_EQ(blocks_of(archive), (std::vector<std::size_t>{0, 1, 0, 0, 2, 1}));
    EXPECT_EQ(archive.info().repeated_frames, 3U);
    EXPECT_EQ(ArchiveAccess::state(archive).header.required_features, format::kRepeats);
    std::uint64_t stored = 0;
    for (std::size_t block = 0; block < 3; ++block) stored += ArchiveAccess::state(archive).index.blocks[block].stored;
    EXPECT_EQ(archive.info().pixel_bytes, stored);
    expect_restored();
  }
}

TEST_F(Repeats, AreNoneWhereAllFramesDiffer) {
  const Archive archive = packed({1, 2, 3});
  EXPECT_EQ(ArchiveAccess::state(archive).header.required_features, 0U);
  EXPECT_EQ(archive.info().repeated_frames, 0U);
}

TEST_F(Repeats, AreReadLikeOtherFrames) {
  const Archive archive = packed({7, 8, 7, 7, 9, 8});
  const std::uint64_t size = archive.pixel_format(0).frame_bytes();
  Bytes whole(6 * size), one(size);
  ASSERT_TRUE(archive.read_frames(0, 6, whole, 2));
  for (unsigned i = 0; i < 6; ++i) {
    ASSERT_TRUE(archive.read_frame(i, one));
    const Bytes file = testing::read_bytes(scratch_ / formatted("source/{:02}.dcm", i + 1));
    EXPECT_TRUE(std::equal(one.begin(), one.end(), file.end() - static_cast<std::ptrdiff_t>(size))) << i;
    EXPECT_TRUE(std::equal(one.begin(), one.end(), whole.begin() + static_cast<std::ptrdiff_t>(i * size))) << i;
    Bytes small(Archive::reduced(archive.pixel_format(i), 1).frame_bytes());
    EXPECT_TRUE(archive.read_frame_reduced(i, 1, small)) << i;
  }
}

TEST_F(Repeats, OfACopiedFileAreFound) {
  const Bytes file = slice(1, 1);
  testing::write_file(scratch_ / "source/a/1.dcm", file);
  testing::write_file(scratch_ / "source/b/copy of 1.dcm", file);
  const Archive archive = packed();
  EXPECT_EQ(blocks_of(archive), (std::vector<std::size_t>{0, 0}));
  expect_restored();
}

TEST_F(Repeats, OfFramesOfOneFileAreFoundWithBitsAcrossBytesToo) {
  dicom::testing::FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
  file.u16(dicom::kSamplesPerPixel, "US", {1}).text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2");
  file.text(dicom::kNumberOfFrames, "IS", "500").u16(dicom::kRows, "US", {10}).u16(dicom::kColumns, "US", {10});
  file.u16(dicom::kBitsAllocated, "US", {1}).u16(dicom::kBitsStored, "US", {1}).u16(dicom::kHighBit, "US", {0});
  Bytes bits(500 * 100 / 8);
  for (std::size_t i = 0; i < bits.size(); i += 613) bits[i] = std::byte{0x5A};
  file.u16(dicom::kPixelRepresentation, "US", {0}).element(dicom::kPixelData, "OB", bits);
  testing::write_file(scratch_ / "source/a", file.take());
  const Archive archive = packed();
  EXPECT_GT(archive.info().repeated_frames, 450U);
  Bytes frame(100);
  for (const std::size_t number : {1U, 250U, 499U}) {
    ASSERT_TRUE(archive.read_frame(number, frame));
    for (std::size_t i = 0; i < 100; ++i) {
      const std::size_t bit = number * 100 + i;
      EXPECT_EQ(std::to_integer<unsigned>(frame[i]), std::to_integer<unsigned>(bits[bit / 8]) >> bit % 8 & 1U);
    }
  }
  expect_restored();
}

TEST_F(Repeats, OfCodestreamsShareThemWithTheirRecipes) {
  const Bytes stream =
      testing::read_bytes(DICUBE_SOURCE_DIR "/tests/golden/format-2.0.dcbs");  // any bytes: no codestream
  for (const unsigned number : {1U, 2U, 3U}) {
    dicom::testing::FileBuilder file;
    file.meta(dicom::kJpeg2000LosslessUid).text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
    file.text(dicom::kInstanceNumber, "IS", std::to_string(number)).u16(dicom::kSamplesPerPixel, "US", {1});
    file.u16(dicom::kRows, "US", {10}).u16(dicom::kColumns, "US", {10}).u16(dicom::kBitsAllocated, "US", {8});
    Bytes own(stream.begin(), stream.begin() + 400);
    own[100] = static_cast<std::byte>(number / 2);
    file.fragments({{}, own});
    testing::write_file(scratch_ / "source/" + std::to_string(number), file.take());
  }
  const Archive archive = packed();
  EXPECT_EQ(blocks_of(archive), (std::vector<std::size_t>{0, 1, 1}));
  expect_restored();
}

// Frames with a reference whose repeats stand before, between and behind it; what each is must not depend on what was
// read before.
TEST_F(Repeats, AndReferencesGoTogether) {
  PackOptions options;
  options.references = true;
  std::vector<unsigned> pixels = {0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9, 5, 3, 10, 0, 11, 12, 12, 13, 2, 2, 14, 15, 9};
  for (unsigned i = 0; i < pixels.size(); ++i)
    testing::write_file(scratch_ / formatted("source/{:02}.dcm", i + 1), slice(i + 1, pixels[i], 96));
  const Archive archive = packed(options);
  const auto& index = ArchiveAccess::state(archive).index;
  unsigned own = 0, both = 0;  // with a reference
  for (std::size_t i = 0, next = 0; i < index.frames.size(); ++i) {
    const bool is_own = index.frames[i].block == next;
    next += is_own;
    if (index.frames[i].back != 0) ++(is_own ? own : both);
  }
  EXPECT_EQ(archive.info().repeated_frames, 8U);
  EXPECT_EQ(ArchiveAccess::state(archive).header.required_features, format::kReferences | format::kRepeats);
  EXPECT_EQ(own, 14U) << "of 16 frames each eighth stands alone";
  EXPECT_EQ(both, 7U) << "the first frame is repeated once";
  expect_restored();
  Bytes frame(archive.pixel_format(0).frame_bytes());
  for (std::size_t i = pixels.size(); i-- > 0;) {
    const Archive anew = Archive::open(path_).value();
    ASSERT_TRUE(anew.read_frame(i, frame));
    const Bytes file = slice(static_cast<unsigned>(i), pixels[i], 96);
    EXPECT_TRUE(std::equal(frame.begin(), frame.end(), file.end() - static_cast<std::ptrdiff_t>(frame.size()))) << i;
  }
}

// A chain has eight frames at most, those included that a repeat would add.
TEST_F(Repeats, MakeNoChainOfReferencesTooLong) {
  PackOptions options;
  options.references = true;
  for (unsigned repeated = 1; repeated < 16; ++repeated) {
    std::filesystem::remove_all(scratch_ / "source");
    std::filesystem::remove(scratch_ / "scan.dcba");
    for (unsigned i = 0; i < 20; ++i)
      testing::write_file(scratch_ / formatted("source/{:02}.dcm", i + 1),
                          slice(i + 1, i == repeated ? repeated - 1 : i, 64));
    const auto summary = pack({scratch_ / "source"}, scratch_ / "scan.dcba", options);
    ASSERT_TRUE(summary && !summary->series[0].error);
    EXPECT_NE(summary->series[0].codec, "zstd") << "the archive was refused by its reader, and packed again";
    EXPECT_EQ(Archive::open(scratch_ / "scan.dcba")->info().repeated_frames, 1U) << repeated;
  }
}

// A batch is 32 MiB.
TEST_F(Repeats, OfASeriesPackedInSeveralBatchesAreFoundInAllOfThemWithReferencesToo) {
  PackOptions options;
  for (const bool references : {false, true}) {
    options.references = references;
    for (unsigned i = 0; i < 30; ++i)
      testing::write_file(scratch_ / formatted("source/{:02}.dcm", i + 1), slice(i + 1, i % 15, 1200));
    const Archive archive = packed(options);
    EXPECT_EQ(archive.info().repeated_frames, 15U);
    expect_restored();
  }
}

TEST_F(Repeats, AreOfTheSameSizeNotOnlyOfTheSameBytes) {
  PackOptions options;
  for (const bool references : {false, true}) {
    options.references = references;
    testing::write_file(scratch_ / "source/1", dicom::testing::ct_image(1, 20, 40));
    Bytes other = dicom::testing::ct_image(2, 40, 20);
    const Bytes first = testing::read_bytes(scratch_ / "source/1");
    std::copy(first.end() - 1600, first.end(), other.end() - 1600);
    testing::write_file(scratch_ / "source/2", other);
    EXPECT_EQ(packed(options).info().repeated_frames, 0U);
    expect_restored();
  }
}

TEST_F(Repeats, AreFoundAnewWhenConverting) {
  packed({7, 8, 7, 7, 9, 8});
  ConvertOptions options;
  options.codec = Codec::kHtj2k;
  ASSERT_TRUE(convert(path_, scratch_ / "other.dcbs", options));
  EXPECT_EQ(Archive::open(scratch_ / "other.dcbs")->info().repeated_frames, 3U);
  path_ = scratch_ / "other.dcbs";
  expect_restored();
}

TEST_F(Repeats, AreDamagedWithTheFrameThatTheyRepeatAndNoOthersAre) {
  const Archive whole = packed({7, 7, 8, 9, 8});
  Bytes bytes = testing::read_bytes(path_);
  const Archive::State& state = ArchiveAccess::state(whole);
  bytes[state.header.front_bytes + state.index.blocks[1].offset + 9] ^= std::byte{4};
  const Archive archive = Archive::from_bytes(bytes, "damaged").value();
  Bytes frame(archive.pixel_format(0).frame_bytes());
  for (const std::size_t i : {2U, 4U}) EXPECT_FALSE(archive.read_frame(i, frame)) << i;
  for (const std::size_t i : {0U, 1U, 3U}) EXPECT_TRUE(archive.read_frame(i, frame)) << i;
  const auto said = [&](std::size_t i) { return archive.read_frame(i, frame).error().message; };
  const auto name = [&](std::size_t i) { return "(" + archive.instances()[i].name + ")"; };
  EXPECT_TRUE(said(2).starts_with("frame 2: checksum") && said(2).ends_with(name(2))) << said(2);
  EXPECT_TRUE(said(4).starts_with("frame 4 " + name(4) + ", the same as an earlier one: frame 2: checksum")) << said(4);
  testing::write_file(scratch_ / "damaged.dcbs", bytes);
  const auto report = verify(scratch_ / "damaged.dcbs");
  EXPECT_EQ(report->failed, 2U);
  ASSERT_EQ(report->errors.size(), 1U);
  EXPECT_NE(report->errors[0].message.find("frame 2: checksum"), std::string::npos) << report->errors[0].message;
}

TEST_F(Repeats, BeyondWhatAReaderBelievesAreCoded) {
  constexpr std::size_t kMost = format::kMostRepeats / 2;  // of one who finds them: coder and writer may both
  constexpr std::size_t kFrames = kMost + 500;
  dicom::testing::FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
  file.u16(dicom::kSamplesPerPixel, "US", {1}).text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2");
  file.text(dicom::kNumberOfFrames, "IS", std::to_string(kFrames)).u16(dicom::kRows, "US", {8});
  file.u16(dicom::kColumns, "US", {8}).u16(dicom::kBitsAllocated, "US", {8}).u16(dicom::kBitsStored, "US", {8});
  file.u16(dicom::kHighBit, "US", {7}).u16(dicom::kPixelRepresentation, "US", {0});
  file.element(dicom::kPixelData, "OB", Bytes(64 * kFrames, std::byte{7}));
  testing::write_file(scratch_ / "source/a", file.take());
  PackOptions options;
  for (const bool references : {false, true}) {
    options.references = references;
    EXPECT_EQ(packed(options).info().repeated_frames, kMost);
    expect_restored();
  }
}

// The repeats of frames 0, 1, 0, 0 with other numbers, under right checksums.
class HostileRepeats : public Repeats {
 protected:
  Result<Archive> with_repeats(std::uint64_t runs, std::initializer_list<std::uint64_t> numbers) {
    const Archive archive = packed({7, 8, 7, 7});
    Parts parts = take_apart(testing::read_bytes(path_));
    archive::testing::Part& frames = part(parts, format::SectionId::kFrames);
    ByteWriter honest, other;
    for (const unsigned number : {2U, 2U, 1U, 2U, 0U, 1U, 1U}) honest.put_varint(number);
    const Bytes before = honest.take();
    const auto found = std::search(frames.stored.begin(), frames.stored.end(), before.begin(), before.end());
    EXPECT_NE(found, frames.stored.end());
    other.put_bytes(ByteSpan(frames.stored.data(), static_cast<std::size_t>(found - frames.stored.begin())));
    other.put_varint(runs);
    for (const std::uint64_t number : numbers) other.put_varint(number);
    const auto behind = found + static_cast<std::ptrdiff_t>(before.size());
    other.put_bytes(ByteSpan(&*behind, static_cast<std::size_t>(frames.stored.end() - behind)));
    frames.stored = other.take();
    frames.size = 0;
    bytes_ = put_together(parts, format::kRepeats);
    std::filesystem::remove(path_);
    return Archive::from_bytes(bytes_, "hostile");
  }
  Bytes bytes_;
};

TEST_F(HostileRepeats, OfFramesThatAreNotThereAreRefused) {
  EXPECT_TRUE(with_repeats(2, {2, 1, 2, 0, 1, 1}));
  const std::uint64_t huge = std::uint64_t{1} << 63;
  const std::initializer_list<std::uint64_t> cases[] = {
      {2, 1, 0, 0, 1, 1},     // itself
      {2, 1, 3, 0, 1, 1},     // before the first
      {2, 1, huge, 0, 1, 1},  // far before
      {0, 1, 1, 2, 1, 1},     // none stands before it
      {3, 1, 2, 0, 1, 1},     // beyond the last
      {2, 0, 2, 0, 2, 1},     // none
      {2, huge, 1, 0, 1, 1},  // more than there is memory for
      {2, 2, 2, 0, 1, 1},     // more than the instances have
      {2, 1, 2},              // cut off
  };
  for (const auto& numbers : cases) {
    const auto opened = with_repeats(2, numbers);
    ASSERT_FALSE(opened) << ::testing::PrintToString(std::vector<std::uint64_t>(numbers));
    EXPECT_EQ(opened.error().error_class, ErrorClass::kDamaged) << describe(opened.error());
  }
  EXPECT_FALSE(with_repeats(huge, {2, 1, 2, 0, 1, 1}));
  EXPECT_FALSE(with_repeats(0, {}));
}

}  // namespace
}  // namespace dicube
