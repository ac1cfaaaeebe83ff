#include "series/check.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "series/slice_list.h"

namespace dicube {
namespace {

std::vector<Slice> regular(std::size_t count) {
  std::vector<Slice> slices(count);
  for (std::size_t i = 0; i < count; ++i) {
    Slice& s = slices[i];
    s.instance_number = static_cast<double>(i + 1);
    s.position = {{0, 0, 1.2 * static_cast<double>(i)}};
    s.orientation = {{1, 0, 0, 0, 1, 0}};
    s.pixel_spacing = {{0.5, 0.5}};
    s.slope = 1, s.intercept = -1024;
    s.rows = s.columns = 512;
    s.samples = 1, s.bits_allocated = 16, s.bits_stored = 12, s.high_bit = 11, s.is_signed = 0;
    s.sop_instance_uid = "1." + std::to_string(i);
    s.series_instance_uid = s.study_instance_uid = s.frame_of_reference_uid = "1.2";
    s.patient_id = s.patient_name = "P";
    s.modality = "CT";
  }
  return slices;
}

using Numbers = std::vector<std::size_t>;

// The slices of the one finding with this code; a failure when there is none.
Numbers slices_with(const std::vector<Finding>& findings, std::string_view code) {
  const auto at = std::ranges::find(findings, code, &Finding::code);
  if (at != findings.end()) return at->slices;
  ADD_FAILURE() << "no finding " << code << " among " << findings.size();
  return {};
}

bool has(const std::vector<Finding>& findings, std::string_view code) {
  return std::ranges::find(findings, code, &Finding::code) != findings.end();
}

TEST(Check, ARegularSeriesHasNoFindings) {
  for (std::size_t count : {0u, 1u, 2u, 3u, 50u}) EXPECT_TRUE(check(regular(count)).empty()) << count;
}

TEST(Check, RoundingOfPositionsIsNoFinding) {
  auto slices = regular(40);
  for (std::size_t i = 0; i < slices.size(); ++i) (*slices[i].position)[2] += i % 2 == 0 ? 1e-12 : -1e-6;
  EXPECT_TRUE(check(slices).empty());
}

TEST(Check, DescendingSlicesAreAsGoodAsAscendingOnes) {
  auto slices = regular(20);
  for (Slice& s : slices) (*s.position)[2] *= -1;
  EXPECT_TRUE(check(slices).empty());
  (*slices[7].position)[2] -= 0.6;
  EXPECT_EQ(slices_with(check(slices), "gap_in_positions"), Numbers{6});  // the one behind the gap, ascending
}

TEST(Check, StepsThatDriftLeaveTheLineWithoutAGap) {
  auto slices = regular(30);
  for (std::size_t i = 0; i < slices.size(); ++i) (*slices[i].position)[2] += 2e-4 * static_cast<double>(i * i);
  const auto findings = check(slices);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "uneven_positions");
  EXPECT_EQ(findings[0].slices.size(), 24u);
}

TEST(Check, ASliceMovedAsideLeavesTheLine) {
  auto slices = regular(10);
  (*slices[4].position)[0] += 0.5;
  EXPECT_EQ(slices_with(check(slices), "uneven_positions"), Numbers{4});
  for (std::size_t i = 0; i < slices.size(); ++i) (*slices[i].position)[0] = 0.5 * static_cast<double>(i);
  EXPECT_FALSE(has(check(slices), "uneven_positions"));  // a tilt
}

TEST(Check, AMissingSliceIsAGapInNumbersAndPositions) {
  auto slices = regular(10);
  slices.erase(slices.begin() + 4);
  const auto findings = check(slices);
  EXPECT_EQ(slices_with(findings, "gap_in_instance_numbers"), Numbers{4});
  EXPECT_EQ(slices_with(findings, "gap_in_positions"), Numbers{4});
  EXPECT_EQ(findings.size(), 2u);
}

TEST(Check, RepeatedNumbersAndUidsAreNamedWithTheirSlices) {
  auto slices = regular(6);
  slices[4].instance_number = 2;
  slices[5].sop_instance_uid = slices[0].sop_instance_uid;
  const auto findings = check(slices);
  EXPECT_EQ(slices_with(findings, "duplicate_instance_numbers"), (Numbers{1, 4}));
  EXPECT_EQ(slices_with(findings, "duplicate_sop_instance_uid"), (Numbers{0, 5}));
}

TEST(Check, VolumesInTimeAreToldFromDuplicatePositions) {
  auto slices = regular(12);
  for (std::size_t i = 0; i < 12; ++i) (*slices[i].position)[2] = static_cast<double>(i % 4);
  EXPECT_TRUE(has(check(slices), "repeated_positions"));
  EXPECT_FALSE(has(check(slices), "order_reverses")) << "one volume after another goes back between them";
  slices = regular(12);
  slices[5].position = slices[4].position;
  const auto findings = check(slices);
  EXPECT_FALSE(has(findings, "repeated_positions"));
  EXPECT_EQ(slices_with(findings, "duplicate_positions"), (Numbers{4, 5}));
}

TEST(Check, ATiltedGantryIsSeen) {
  auto slices = regular(10);
  for (Slice& s : slices) (*s.position)[1] = 0.2 * (*s.position)[2];
  const auto findings = check(slices);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "gantry_tilt");
  EXPECT_NE(findings[0].message.find("11.3 degrees"), std::string::npos);
}

TEST(Check, OrientationJitterIsToldFromAnotherOrientation) {
  auto slices = regular(5);
  (*slices[2].orientation)[1] = 1e-3;
  EXPECT_EQ(slices_with(check(slices), "orientation_jitter"), Numbers{2});
  slices[3].orientation = {{0, 1, 0, 0, 0, 1}};
  EXPECT_EQ(slices_with(check(slices), "mixed_orientation"), Numbers{3});
}

TEST(Check, ALoopOfOneSliceIsASeriesInTime) {
  auto slices = regular(10);
  for (Slice& s : slices) s.position = {{0, 0, 1e-7 * *s.instance_number}};
  const auto findings = check(slices);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].message, "all 10 slices lie at one position");
}

TEST(Check, RadiographsNeedNotSayWhereTheyLie) {
  auto slices = regular(2);
  for (Slice& s : slices) {
    s.modality = "DX";
    s.position.reset(), s.orientation.reset(), s.pixel_spacing.reset();
  }
  EXPECT_TRUE(check(slices).empty());
  slices[0].orientation = {{1, 0, 0, 0, 1, 0}};
  EXPECT_EQ(slices_with(check(slices), "missing_orientation"), Numbers{1});
}

TEST(Check, LocalisersInFrontHideNoGap) {
  auto slices = regular(12);
  slices[0].orientation = slices[1].orientation = {{0, 1, 0, 0, 0, -1}};
  slices[0].position = slices[1].position = {{500, 0, 0}};
  (*slices[11].position)[2] += 1.2;
  const auto findings = check(slices);
  EXPECT_EQ(slices_with(findings, "mixed_orientation"), (Numbers{0, 1}));
  EXPECT_EQ(slices_with(findings, "gap_in_positions"), Numbers{11});
  EXPECT_EQ(findings.size(), 2u);
}

TEST(Check, ImagesWithoutPixelsAreNamedAndReportsAreNone) {
  auto slices = regular(3);
  for (Slice& slice : slices) slice.has_frames = true;
  EXPECT_TRUE(check(slices).empty());
  slices[1].has_frames = false;
  EXPECT_EQ(slices_with(check(slices), "missing_pixels"), Numbers{1});
  Slice report;
  report.sop_instance_uid = report.series_instance_uid = report.study_instance_uid = "1.2";
  report.modality = "SR";
  report.has_frames = false;
  EXPECT_TRUE(check({report}).empty());
}

TEST(Check, FilesWithBytesThatNobodyCanExplainAreNamed) {
  auto slices = regular(3);
  for (Slice& slice : slices) slice.is_whole = true;
  EXPECT_TRUE(check(slices).empty());
  slices[1].is_whole = false;
  EXPECT_EQ(slices_with(check(slices), "unexplained_bytes"), Numbers{1});
}

TEST(Check, RawDataOfTheSizeOfTheirImageAreNone) {
  auto slices = regular(3);
  Slice raw;
  raw.sop_instance_uid = "1.2.9";
  raw.series_instance_uid = slices[0].series_instance_uid;
  raw.study_instance_uid = slices[0].study_instance_uid;
  raw.modality = "MR";
  raw.rows = raw.columns = 512;
  raw.has_frames = false;
  EXPECT_TRUE(check({raw}).empty());
  SliceList instances;
  for (const Slice& slice : {slices[0], raw, slices[1], slices[2]}) instances.push(slice);
  EXPECT_TRUE(check_instances(instances).empty());
}

TEST(Check, SlicesWithoutANameOfTheirOwnAreNamed) {
  auto slices = regular(3);
  slices[2].sop_instance_uid.clear();
  EXPECT_EQ(slices_with(check(slices), "missing_sop_instance_uid"), Numbers{2});
}

TEST(Check, FloatingPointPixelsMissNothingOfIntegers) {
  auto slices = regular(3);
  for (Slice& slice : slices) {
    slice.bits_allocated = 32;
    slice.bits_stored.reset();
    slice.high_bit.reset();
    slice.is_signed.reset();
  }
  EXPECT_TRUE(check(slices).empty());
  slices[1].bits_allocated = 64;
  EXPECT_EQ(slices_with(check(slices), "mixed_pixel_type"), Numbers{1});
  slices[1].bits_allocated = 16;
  EXPECT_EQ(slices_with(check(slices), "missing_pixel_type"), (Numbers{0, 1, 2}));
}

TEST(Check, WhatDiffersOrIsMissingIsNamed) {
  auto slices = regular(4);
  slices[1].rows = 256;
  slices[2].bits_stored = 16;
  slices[1].samples.reset();
  slices[3].samples = 3;
  slices[3].slope = 2;
  slices[0].patient_id = "";
  slices[3].patient_id = "Q";
  slices[2].pixel_spacing.reset();
  slices[1].instance_number.reset();
  slices[0].position.reset();
  const auto findings = check(slices);
  EXPECT_EQ(slices_with(findings, "mixed_size"), Numbers{1});
  EXPECT_EQ(slices_with(findings, "mixed_samples"), Numbers{3});
  EXPECT_FALSE(has(findings, "missing_samples"));
  EXPECT_EQ(slices_with(findings, "mixed_pixel_type"), Numbers{2});
  EXPECT_EQ(slices_with(findings, "mixed_rescale"), Numbers{3});
  EXPECT_EQ(slices_with(findings, "missing_patient_id"), Numbers{0});
  EXPECT_EQ(slices_with(findings, "several_patient_id"), Numbers{3});
  EXPECT_EQ(slices_with(findings, "missing_pixel_spacing"), Numbers{2});
  EXPECT_EQ(slices_with(findings, "missing_instance_number"), Numbers{1});
  EXPECT_EQ(slices_with(findings, "missing_position"), Numbers{0});
}

TEST(Check, ASlopeOrInterceptAloneIsNoRescale) {
  auto slices = regular(3);
  for (Slice& slice : slices) slice.slope.reset();  // "1,5", for example
  EXPECT_EQ(slices_with(check(slices), "missing_rescale"), (Numbers{0, 1, 2}));
  for (Slice& slice : slices) slice.intercept.reset();
  EXPECT_TRUE(check(slices).empty());
}

TEST(Check, ASlopeOfZeroIsFoundForItLeavesNothingButTheIntercept) {
  auto slices = regular(3);
  slices[1].slope = 0;
  const auto findings = check(slices);
  EXPECT_EQ(slices_with(findings, "zero_rescale_slope"), Numbers{1});
  EXPECT_EQ(slices_with(findings, "mixed_rescale"), Numbers{1});
  EXPECT_EQ(findings.size(), 2U);
}

TEST(Check, WhatAnonymisedSeriesLeaveEmptyIsNoFinding) {
  auto slices = regular(4);
  for (Slice& slice : slices) slice.patient_id = slice.patient_name = slice.frame_of_reference_uid = "";
  EXPECT_TRUE(check(slices).empty());
  for (Slice& slice : slices) slice.study_instance_uid = slice.modality = "";
  EXPECT_EQ(slices_with(check(slices), "missing_study_instance_uid"), (Numbers{0, 1, 2, 3}));
  EXPECT_EQ(slices_with(check(slices), "missing_modality"), (Numbers{0, 1, 2, 3}));
}

TEST(Check, SaysHowManySlicesHaveNothingAsPeopleDo) {
  const auto said = [](std::size_t all, std::size_t without) {
    auto slices = regular(all);
    for (std::size_t i = 0; i < without; ++i) slices[i].modality = "";
    const auto findings = check(slices);
    return findings.empty() ? "" : findings[0].message;
  };
  EXPECT_EQ(said(1, 1), "the only slice has no modality");
  EXPECT_EQ(said(3, 3), "all 3 slices have no modality");
  EXPECT_EQ(said(3, 2), "2 of 3 slices have no modality");
  EXPECT_EQ(said(3, 1), "1 of 3 slices has no modality");
}

TEST(Check, ImagesOfManyFramesKeepTheirGeometryElsewhere) {
  auto slices = regular(2);
  for (Slice& slice : slices) {
    slice.frames = 24;
    slice.pixel_spacing.reset(), slice.orientation.reset(), slice.position.reset();
  }
  EXPECT_TRUE(check(slices).empty());
  slices[1].frames = 1;
  EXPECT_EQ(slices_with(check(slices), "missing_pixel_spacing"), Numbers{1});
  EXPECT_EQ(slices_with(check(slices), "missing_orientation"), Numbers{1});
}

TEST(Check, WhatCanBeNoSpacingAndNoOrientationIsMissing) {
  auto slices = regular(4);
  slices[1].pixel_spacing = {{0, 0}};
  slices[2].pixel_spacing = {{-0.5, 0.5}};
  slices[1].orientation = {{0, 0, 0, 0, 0, 0}};
  slices[3].orientation = {{1, 0, 0, 1, 0, 0}};
  const auto findings = check(slices);
  EXPECT_EQ(slices_with(findings, "missing_pixel_spacing"), (Numbers{1, 2}));
  EXPECT_EQ(slices_with(findings, "missing_orientation"), (Numbers{1, 3}));
  EXPECT_FALSE(has(findings, "mixed_pixel_spacing"));
  EXPECT_FALSE(has(findings, "mixed_orientation"));
}

TEST(Check, InstanceNumbersThatTurnBackAreNamed) {
  auto slices = regular(8);
  std::swap(slices[3].position, slices[4].position);
  EXPECT_TRUE(has(check(slices), "order_reverses"));
}

TEST(Check, HostileNumbersDoNoHarm) {
  auto slices = regular(3);
  slices[1].instance_number = 1e300;
  slices[2].position = {{1e308, -1e308, 1e308}};
  slices[0].orientation = {{0, 0, 0, 0, 0, 0}};
  EXPECT_FALSE(check(slices).empty());
}

}  // namespace
}  // namespace dicube
