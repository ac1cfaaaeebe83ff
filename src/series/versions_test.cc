// Archives of other versions: golden files of every format version still read; what is not known is refused by name.
#include <gtest/gtest.h>

#include "archive/state.h"
#include "base/hash.h"
#include "dicube/archive.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using format::SectionId;

constexpr unsigned kInstances = 4, kSide = 20;

std::string golden_path(const std::string& version) {
  return std::string(DICUBE_SOURCE_DIR) + "/tests/golden/format-" + version + ".dcbs";
}

// Packs what the golden file of the current version holds.
std::string pack_now(const testing::ScratchFolder& folder) {
  for (unsigned i = 1; i <= kInstances; ++i)
    testing::write_file(folder / ("dicom/IM" + std::to_string(i)), dicom::testing::ct_image(i, kSide, kSide));
  testing::write_file(folder / "dicom/cut", ByteSpan(dicom::testing::ct_image(9, kSide, kSide)).first(700));
  auto summary = pack({folder / "dicom"}, folder / "one.dcbs");
  EXPECT_TRUE(summary.has_value() && !summary->series[0].error);
  return folder / "one.dcbs";
}

TEST(GoldenArchive, OfFormat2Point0GivesBackItsFilesAndFrames) {
  if (std::getenv("DICUBE_WRITE_GOLDEN") != nullptr) {
    testing::ScratchFolder folder;
    std::filesystem::copy_file(pack_now(folder), golden_path("2.0"), std::filesystem::copy_options::overwrite_existing);
  }
  auto archive = Archive::open(golden_path("2.0"));
  ASSERT_TRUE(archive.has_value()) << describe(archive.error());
  ASSERT_EQ(archive->instances().size(), kInstances + 1);
  for (unsigned i = 1; i <= kInstances; ++i) {
    const auto number = archive->find_instance("IM" + std::to_string(i));
    ASSERT_TRUE(number.has_value());
    const Bytes file = dicom::testing::ct_image(i, kSide, kSide);
    EXPECT_TRUE(same_bytes(archive->read_instance(*number).value(), file));
    Bytes frame(2 * kSide * kSide);
    ASSERT_TRUE(archive->read_frame(archive->instances()[*number].first_frame, frame).has_value());
    EXPECT_TRUE(same_bytes(frame, ByteSpan(file).last(frame.size())));
  }
}

// The archive with a changed header.
Bytes with_header(Bytes bytes, const std::function<void(format::Header&)>& change) {
  const auto size = format::peek_header_bytes(bytes).value();
  format::Header header = format::read_header(ByteSpan(bytes).first(size), bytes.size()).value();
  change(header);
  const Bytes changed = format::write_header(header);
  std::copy(changed.begin(), changed.end(), bytes.begin());
  return bytes;
}

ErrorClass error_of_opening(const Bytes& bytes) {
  auto archive = Archive::from_bytes(bytes, "changed");
  EXPECT_FALSE(archive.has_value());
  return archive ? ErrorClass::kUsage : archive.error().error_class;
}

TEST(AnArchive, ThatRequiresAnUnknownFeatureIsRefusedAsUnsupported) {
  testing::ScratchFolder folder;
  const Bytes whole = testing::read_bytes(pack_now(folder));
  EXPECT_EQ(error_of_opening(with_header(whole, [](auto& header) { header.required_features = 4; })),
            ErrorClass::kUnsupported);
  EXPECT_EQ(
      error_of_opening(with_header(whole, [](auto& header) { header.required_features = std::uint64_t{1} << 63; })),
      ErrorClass::kUnsupported);
}

TEST(AnArchive, WithAnUnknownOptionalFeatureOrAHigherMinorVersionIsRead) {
  testing::ScratchFolder folder;
  const Bytes whole = testing::read_bytes(pack_now(folder));
  const Bytes newer = with_header(whole, [](auto& header) {
    header.optional_features = 1;
    header.minor = 7;
  });
  auto archive = Archive::from_bytes(newer, "newer");
  ASSERT_TRUE(archive.has_value()) << describe(archive.error());
  EXPECT_TRUE(archive->read_instance(0).has_value());
}

TEST(AnArchive, OfAnotherMajorVersionIsRefusedAsUnsupported) {
  testing::ScratchFolder folder;
  const Bytes whole = testing::read_bytes(pack_now(folder));
  EXPECT_EQ(error_of_opening(with_header(whole, [](auto& header) { header.major = 3; })), ErrorClass::kUnsupported);
}

TEST(AnArchive, OfTheOriginalDiCubeIsToldFromADamagedOne) {
  Bytes bytes(200);
  std::memcpy(bytes.data(), "DCMCUBES", 8);
  EXPECT_EQ(error_of_opening(bytes), ErrorClass::kUnsupported);
  EXPECT_EQ(error_of_opening(Bytes(200)), ErrorClass::kDamaged);
}

// 200 is free; 5 needs a reference, which an archive without that feature does not name.
class AFrame : public ::testing::TestWithParam<std::uint8_t> {};
INSTANTIATE_TEST_SUITE_P(OfCodec, AFrame, ::testing::Values(200, 5));

TEST_P(AFrame, OfAnUnknownCodecIsRefusedAsUnsupportedAndTheMetadataIsRead) {
  testing::ScratchFolder folder;
  Bytes bytes = testing::read_bytes(pack_now(folder));
  const auto size = format::peek_header_bytes(bytes).value();
  format::Header header = format::read_header(ByteSpan(bytes).first(size), bytes.size()).value();
  for (format::Section& section : header.sections) {
    if (section.id != static_cast<std::uint32_t>(SectionId::kFrames)) continue;
    const ByteSpan stored = ByteSpan(bytes).subspan(section.offset, section.stored);
    auto index = format::read_frame_index(stored, header.sections.back().stored).value();
    for (format::Frame& frame : index.frames) frame.codec = GetParam();
    const Bytes changed = format::write_frame_index(index);
    ASSERT_EQ(changed.size(), section.stored);
    std::copy(changed.begin(), changed.end(), bytes.begin() + static_cast<std::ptrdiff_t>(section.offset));
    section.checksum = format::section_checksum(section.id, changed);
  }
  const Bytes front = format::write_header(header);
  std::copy(front.begin(), front.end(), bytes.begin());
  auto archive = Archive::from_bytes(bytes, "unknown codec");
  ASSERT_TRUE(archive.has_value()) << describe(archive.error());
  EXPECT_EQ(archive->column("PatientName")->text(0), "Phantom^Small");
  Bytes frame(2 * kSide * kSide);
  auto read = archive->read_frame(0, frame);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().error_class, ErrorClass::kUnsupported);
  EXPECT_EQ(archive->read_instance(0).error().error_class, ErrorClass::kUnsupported);
}

}  // namespace
}  // namespace dicube
