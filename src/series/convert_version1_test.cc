// What format version 1 is given: the values of the originals, proven.
#include <gtest/gtest.h>

#include <cstdlib>

#include "archive/state.h"
#include "archive/testing.h"
#include "archive/version1.h"
#include "codec/codec.h"
#include "dicom/rewrite.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::number_edit;
using dicom::testing::FileBuilder;
using format::SectionId;
using testing::read_bytes;
using testing::write_file;

class ToVersion1 : public ::testing::Test {
 protected:
  // The instances' files, with frames as HTJ2K.
  Archive packed(const std::vector<Bytes>& files) {
    std::filesystem::remove_all(scratch_ / "source");
    for (std::size_t i = 0; i < files.size(); ++i) write_file(scratch_ / ("source/" + std::to_string(i)), files[i]);
    PackOptions options;
    options.codec = Codec::kHtj2k;
    options.on_conflict = OnConflict::kOverwrite;
    EXPECT_TRUE(pack({scratch_ / "source"}, scratch_ / "new.dcbs", options));
    return Archive::open(scratch_ / "new.dcbs").value();
  }
  Result<SeriesReport> convert_to_version1(const std::string& name = "v1.dcbs") {
    ConvertOptions options;
    options.to_version1 = true;
    options.on_conflict = OnConflict::kOverwrite;
    return convert(scratch_ / "new.dcbs", scratch_ / name, options);
  }
  // Unsupported, and in these words.
  void expect_refused(std::string_view why) {
    const auto report = convert_to_version1();
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().error_class, ErrorClass::kUnsupported);
    EXPECT_NE(report.error().message.find(why), std::string::npos) << report.error().message;
  }
  // As readers of the format take them: the codestream's own words.
  std::vector<std::int16_t> written_values() {
    const Archive archive = Archive::open(scratch_ / "v1.dcbs").value();
    Bytes bytes(archive.pixel_format(0).frame_bytes());
    EXPECT_TRUE(archive.read_frame(0, bytes));
    std::vector<std::int16_t> values;
    for (std::size_t at = 0; at < bytes.size(); at += 2)
      values.push_back(static_cast<std::int16_t>(load_le<std::uint16_t>(bytes.data() + at)));
    return values;
  }

  testing::ScratchFolder scratch_;
};

// Of 16 bits, `stored` of which count; every word is `word`.
Bytes image_of(std::uint16_t word, std::uint16_t stored, std::uint16_t high_bit, bool is_signed) {
  Bytes file = dicom::rewrite(dicom::testing::ct_image(1), {{dicom::kBitsStored, number_edit(stored)},
                                                            {dicom::kHighBit, number_edit(high_bit)},
                                                            {dicom::kPixelRepresentation, number_edit(is_signed)}})
                   .value();
  for (std::size_t at = file.size() - 2 * 64; at < file.size(); at += 2) store_le(file.data() + at, word);
  return file;
}

TEST_F(ToVersion1, ValuesGoWithoutTheBitsAboveThem) {
  packed({image_of(2982, 12, 11, true)});
  ASSERT_TRUE(convert_to_version1());
  EXPECT_EQ(written_values(), std::vector<std::int16_t>(64, -1114));
  packed({image_of(0x8000 | 2982, 12, 11, false)});
  ASSERT_TRUE(convert_to_version1());
  EXPECT_EQ(written_values(), std::vector<std::int16_t>(64, 2982));
  packed({image_of(static_cast<std::uint16_t>(-1114), 12, 11, true)});
  ASSERT_TRUE(convert_to_version1());
  EXPECT_EQ(written_values(), std::vector<std::int16_t>(64, -1114));
}

TEST_F(ToVersion1, ValuesThatDoNotStandInTheLowestBitsAreRefused) {
  packed({image_of(2982, 12, 15, false)});
  expect_refused("High Bit is 15 with 12 bits stored");
}

TEST_F(ToVersion1, OverlaysInUnusedBitsAreRefused) {
  packed({dicom::rewrite(image_of(0x8000, 12, 11, false), {{0x60000102, number_edit(15)}}).value()});
  expect_refused("overlay in unused bits");
}

// One frame, whose rescale stands in functional groups.
Bytes enhanced(unsigned number, std::string_view slope, bool shared) {
  FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid)
      .text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.2.1")
      .text(dicom::kSopInstanceUid, "UI", "1.2.3." + std::to_string(number))
      .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
      .text(dicom::kInstanceNumber, "IS", std::to_string(number))
      .u16(dicom::kSamplesPerPixel, "US", {1})
      .text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2")
      .text(dicom::kNumberOfFrames, "IS", "1")
      .u16(dicom::kRows, "US", {4})
      .u16(dicom::kColumns, "US", {4})
      .u16(dicom::kBitsAllocated, "US", {16})
      .u16(dicom::kBitsStored, "US", {16})
      .u16(dicom::kHighBit, "US", {15})
      .u16(dicom::kPixelRepresentation, "US", {0})
      .sequence(shared ? dicom::kSharedGroups : dicom::kPerFrameGroups)
      .item()
      .sequence(0x00289145)
      .item()
      .text(0x00281052, "DS", "-1000")
      .text(0x00281053, "DS", std::string(slope))
      .end()
      .end()
      .end()
      .end();
  return file.element(dicom::kPixelData, "OW", Bytes(32, std::byte{5})).take();
}

TEST_F(ToVersion1, RescaleInFunctionalGroupsIsTheFiles) {
  packed({enhanced(1, "2.5", true), enhanced(2, "2.5", false)});
  ASSERT_TRUE(convert_to_version1());
  const Archive archive = Archive::open(scratch_ / "v1.dcbs").value();
  EXPECT_EQ(archive.column("RescaleSlope")->number(1), 2.5);
  EXPECT_EQ(archive.column("RescaleIntercept")->number(1), -1000);
}

TEST_F(ToVersion1, RescaleInFunctionalGroupsMustBeOneForAll) {
  packed({enhanced(1, "2.5", true), enhanced(2, "2", true)});
  expect_refused("RescaleSlope differs");
}

// A frame's block with one byte changed and right checksums, so that it decodes to other pixels.
Bytes with_other_pixels(ByteSpan whole) {
  const Archive before = Archive::from_bytes(whole, "before").value();
  Bytes wanted(before.pixel_format(0).frame_bytes()), got(wanted.size());
  EXPECT_TRUE(before.read_frame(0, wanted));
  archive::testing::Parts parts = archive::testing::take_apart(whole);
  Bytes& data = archive::testing::part(parts, SectionId::kData).stored;
  const Archive::State& state = ArchiveAccess::state(before);
  const auto stored = state.index.blocks[0].stored, features = state.header.required_features;
  for (std::size_t at = stored; at-- > 0; data[at] ^= std::byte{1}) {
    data[at] ^= std::byte{1};
    archive::testing::seal_blocks(parts, features);
    Bytes changed = archive::testing::put_together(parts, features);
    const auto after = Archive::from_bytes(changed, "after");
    if (after && after->read_frame(0, got) && got != wanted) return changed;
  }
  ADD_FAILURE() << "no byte that makes other pixels";
  return {};
}

TEST_F(ToVersion1, WrongPixelsUnderRightChecksumsAreDamage) {
  packed({dicom::testing::ct_image(1, 40, 40), dicom::testing::ct_image(2, 40, 40)});
  write_file(scratch_ / "new.dcbs", with_other_pixels(read_bytes(scratch_ / "new.dcbs")));
  const auto report = convert_to_version1();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().error_class, ErrorClass::kDamaged) << describe(report.error());
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "v1.dcbs"));
}

TEST_F(ToVersion1, FramesThatWereWrittenAreComparedWithTheArchives) {
  packed({dicom::testing::ct_image(3)});
  ASSERT_TRUE(convert_to_version1("other.dcbs"));
  const Archive archive = packed({dicom::testing::ct_image(1)});
  ASSERT_TRUE(convert_to_version1("own.dcbs"));
  for (const auto& [name, is_own] : {std::pair("own.dcbs", true), std::pair("other.dcbs", false)}) {
    const Bytes bytes = read_bytes(scratch_ / name);
    const io::MemorySource source(bytes, name);
    const auto written = archive::Version1::read(source);
    ASSERT_TRUE(written);
    const Status proven = archive::prove_version1(archive, *written, {});
    EXPECT_EQ(proven.has_value(), is_own);
    EXPECT_TRUE(is_own || proven.error().message == "frame 0 written has other values");
  }
}

}  // namespace
}  // namespace dicube
