// Where frames lie, by functional groups, and what check() finds there.
#include "series/planes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dicom/testing.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::testing::FileBuilder;

constexpr dicom::Tag kPlanePosition = 0x00209113, kPlaneOrientation = 0x00209116, kPixelMeasures = 0x00289110,
                     kPrivateSequence = 0x2005140F;

void add_groups(FileBuilder& file, const std::vector<std::string>& positions) {
  file.sequence(dicom::kSharedGroups).item();
  file.sequence(kPlaneOrientation).item().text(dicom::kImageOrientation, "DS", "1\\0\\0\\0\\1\\0").end().end();
  file.sequence(kPixelMeasures).item().text(dicom::kPixelSpacing, "DS", "0.5\\0.25").end().end();
  file.end().end();
  file.sequence(dicom::kPerFrameGroups);
  for (const std::string& position : positions) {
    file.item().sequence(kPrivateSequence).item();
    file.text(dicom::kImagePosition, "DS", "7\\7\\7").text(dicom::kPixelSpacing, "DS", "9\\9").end().end();
    file.sequence(kPlanePosition).item().text(dicom::kImagePosition, "DS", position).end().end();
    file.end();
  }
  file.end();
}

std::vector<Plane> planes_of(Bytes file) {
  const auto tokens = dicom::tokenize(file);
  return tokens ? series::planes_of(*tokens, file) : std::vector<Plane>();
}

TEST(Planes, AreThoseOfTheFramesGroupsThenTheSharedOnes) {
  FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kNumberOfFrames, "IS", "2");
  add_groups(file, {"1\\2\\3", "1\\2\\4", "1\\2\\5"});
  const auto planes = planes_of(file.take());
  ASSERT_EQ(planes.size(), 2U);  // an item more is of no frame
  EXPECT_EQ(planes[0].position, (std::array<double, 3>{1, 2, 3}));
  EXPECT_EQ(planes[1].position, (std::array<double, 3>{1, 2, 4}));
  EXPECT_EQ(planes[1].orientation, (std::array<double, 6>{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(planes[1].pixel_spacing, (std::array<double, 2>{0.5, 0.25}));
}

TEST(Planes, OfASingleFrameMayAllBeShared) {
  FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kImagePosition, "DS", "1\\2\\3");
  add_groups(file, {});
  const auto planes = planes_of(file.take());
  ASSERT_EQ(planes.size(), 1U);
  EXPECT_EQ(planes[0].position, (std::array<double, 3>{1, 2, 3}));
  EXPECT_EQ(planes[0].pixel_spacing, (std::array<double, 2>{0.5, 0.25}));
}

TEST(Planes, AreNoneWhereTheDataSetSaysIt) {
  FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kImagePosition, "DS", "1\\2\\3");
  EXPECT_TRUE(planes_of(file.take()).empty());
}

TEST(Planes, AreReadOfFilesWhoseGroupsAreLong) {
  FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kSopInstanceUid, "UI", "1.2.3");
  file.text(dicom::kSeriesInstanceUid, "UI", "1.2").u16(dicom::kSamplesPerPixel, "US", {1});
  file.text(dicom::kNumberOfFrames, "IS", "700").u16(dicom::kRows, "US", {2}).u16(dicom::kColumns, "US", {2});
  file.u16(dicom::kBitsAllocated, "US", {16}).text(0x00400244, "DA", "20260101");
  std::vector<std::string> positions;
  for (int i = 0; i < 700; ++i) positions.push_back("0\\0\\" + std::to_string(i));
  add_groups(file, positions);
  const testing::ScratchFolder folder;
  const Bytes bytes = file.element(dicom::kPixelData, "OW", Bytes(700 * 8)).take();
  ASSERT_GT(bytes.size(), 90'000U);  // more than what is read first
  testing::write_file(folder / "a", bytes);
  const auto series = slices_in({folder / "a"}, {}, [](const Error&) {});
  ASSERT_TRUE(series && series->size() == 1 && series->front().slices.size() == 1);
  EXPECT_EQ(series->front().slices[0].planes.size(), 700U);
  EXPECT_EQ(series->front().slices[0].has_frames, true);
}

Slice enhanced(const std::vector<double>& heights) {
  Slice s;
  s.instance_number = 1;
  s.slope = 1, s.intercept = 0;
  s.rows = s.columns = 64;
  s.samples = 1, s.bits_allocated = 16, s.bits_stored = 16, s.high_bit = 15, s.is_signed = 0;
  s.sop_instance_uid = "1.2.3";
  s.series_instance_uid = s.study_instance_uid = s.frame_of_reference_uid = "1.2";
  s.patient_id = s.patient_name = "P";
  s.modality = "CT";
  s.frames = static_cast<double>(heights.size());
  for (const double z : heights) s.planes.push_back({{{0, 0, z}}, {{1, 0, 0, 0, 1, 0}}, {{0.5, 0.5}}});
  return s;
}

std::vector<std::string> found(const std::vector<Slice>& slices) {
  std::vector<std::string> out;
  for (const Finding& finding : check(slices)) out.push_back(finding.code + ": " + finding.message);
  return out;
}
using Texts = std::vector<std::string>;

TEST(Planes, OfEvenFramesAreNoFinding) {
  EXPECT_EQ(found({enhanced({0, 1, 2, 3})}), Texts());
  EXPECT_EQ(found({enhanced({3, 2, 1, 0})}), Texts());
  EXPECT_EQ(found({enhanced({0})}), Texts());
}

TEST(Planes, OfUnevenFramesAreFoundWithTheirNumbers) {
  EXPECT_EQ(found({enhanced({0, 1, 2, 5, 6})}),
            Texts{"gap_in_positions: steps of up to 3 mm where 1 mm are usual (frame 3)"});
  EXPECT_EQ(found({enhanced({0, 1, 2, 0, 1, 2})}),
            Texts{"repeated_positions: 2 volumes of 3 slices each in one series"});
  EXPECT_EQ(found({enhanced({0, 1, 1, 2})}), Texts{"duplicate_positions: 4 slices lie at 3 positions (frames 1, 2)"});
  EXPECT_EQ(found({enhanced({0, 2, 1, 3})}),
            Texts{"order_reverses: the frames go back through the patient at 1 slice (frame 2)"});
}

TEST(Planes, OfSeveralObjectsAreOneVolumeWhoseFindingsNameTheObjects) {
  std::vector<Slice> slices = {enhanced({0, 1, 2}), enhanced({3, 4, 7})};
  slices[1].instance_number = 2;
  slices[1].sop_instance_uid = "1.2.4";
  const auto findings = check(slices);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].code, "gap_in_positions");
  EXPECT_EQ(findings[0].slices, Numbers{1});
}

TEST(Planes, OfASegmentationNeedNotBeEven) {
  Slice segmentation = enhanced({0, 1, 5, 1});
  segmentation.modality = "SEG";
  EXPECT_EQ(found({segmentation}), Texts());
}

}  // namespace
}  // namespace dicube
