// Archives made of archives.
#include <gtest/gtest.h>

#include <cmath>

#include "dicom/rewrite.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using testing::read_bytes;
using testing::ScratchFolder;
using testing::tree;
using testing::write_file;

class Convert : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_series(scratch_ / "source", 4, 40);
    write_file(scratch_ / "source/deeper/5.dcm", dicom::testing::ct_image(5, 40, 40, 1, dicom::Encoding::kExplicitBig));
    testing::pack_bytes({scratch_ / "source"}, scratch_ / "old.dcbs");
  }

  SeriesReport convert_to(const std::string& name, const ConvertOptions& options) {
    auto report = convert(scratch_ / "old.dcbs", scratch_ / name, options);
    EXPECT_TRUE(report) << describe(report.error());
    return report.value_or(SeriesReport{});
  }

  static ErrorClass error_of(const Result<SeriesReport>& report) {
    EXPECT_FALSE(report);
    return report ? ErrorClass::kIo : report.error().error_class;
  }

  ScratchFolder scratch_;
};

TEST_F(Convert, AnotherCodecGivesBackTheSameFiles) {
  for (const auto& [codec, name] :
       {std::pair(Codec::kHtj2k, "htj2k"), std::pair(Codec::kLane, "lane"), std::pair(Codec::kZstd, "zstd")}) {
    ConvertOptions options;
    options.codec = codec;
    const std::string archive = std::string(name) + ".dcbs";
    EXPECT_EQ(convert_to(archive, options).codec, name);
    ASSERT_TRUE(unpack(scratch_ / archive, scratch_ / name));
    EXPECT_EQ(tree(scratch_ / name), tree(scratch_ / "source")) << name;
  }
}

TEST_F(Convert, TheSameCodecGivesTheSameArchive) {
  convert_to("again.dcbs", {});
  EXPECT_EQ(read_bytes(scratch_ / "again.dcbs"), read_bytes(scratch_ / "old.dcbs"));
}

TEST_F(Convert, ALossyArchiveSaysSoAndKeepsItsBound) {
  ConvertOptions options;
  options.max_error = 2;
  convert_to("small.dcbl", options);
  const Archive before = Archive::open(scratch_ / "old.dcbs").value(),
                after = Archive::open(scratch_ / "small.dcbl").value();
  EXPECT_FALSE(before.info().is_lossy);
  EXPECT_TRUE(after.info().is_lossy);
  Bytes ours(before.pixel_format(0).frame_bytes()), theirs(ours.size());
  unsigned worst = 0;
  for (std::size_t i = 0; i < before.frame_count(); ++i) {
    ASSERT_TRUE(before.read_frame(i, theirs));
    ASSERT_TRUE(after.read_frame(i, ours));
    for (std::size_t at = 0; at < ours.size(); at += 2)
      worst = std::max(worst, static_cast<unsigned>(std::abs(load_le<std::uint16_t>(ours.data() + at) -
                                                             load_le<std::uint16_t>(theirs.data() + at))));
    EXPECT_NE(before.column("SOPInstanceUID")->text(i), after.column("SOPInstanceUID")->text(i));
  }
  EXPECT_GT(worst, 0U);
  EXPECT_LE(worst, 2U);
  EXPECT_TRUE(unpack(scratch_ / "small.dcbl", scratch_ / "files")->is_lossy);
  EXPECT_TRUE(verify(scratch_ / "small.dcbl")->is_lossy);
  EXPECT_FALSE(verify(scratch_ / "old.dcbs")->is_lossy);
}

TEST_F(Convert, WhatBearsNoLossIsOneFindingPerReason) {
  for (unsigned i = 0; i < 3; ++i)
    write_file(scratch_ / ("source/wide" + std::to_string(i)),
               dicom::rewrite(dicom::testing::ct_image(7 + i),
                              {{dicom::kPhotometricInterpretation, dicom::text_edit({'C', 'S'}, "PALETTE COLOR")}})
                   .value());
  std::filesystem::remove(scratch_ / "old.dcbs");
  testing::pack_bytes({scratch_ / "source"}, scratch_ / "old.dcbs");
  ConvertOptions options;
  options.max_error = 2;
  const SeriesReport report = convert_to("small.dcbl", options);
  const auto kept = std::ranges::find(report.findings, "kept_lossless", &Finding::code);
  ASSERT_NE(kept, report.findings.end());
  EXPECT_EQ(kept->files, (std::vector<std::string>{"wide0", "wide1", "wide2"}));
  EXPECT_EQ(kept->message, "kept without loss: indices into a palette bear no loss");
}

TEST_F(Convert, OnceLossyAlwaysLossy) {
  ConvertOptions options;
  options.max_error = 2;
  convert_to("small.dcbl", options);
  ASSERT_TRUE(convert(scratch_ / "small.dcbl", scratch_ / "recoded.dcbl"));
  EXPECT_TRUE(Archive::open(scratch_ / "recoded.dcbl")->info().is_lossy);
  EXPECT_EQ(error_of(convert(scratch_ / "small.dcbl", scratch_ / "recoded.dcbs")), ErrorClass::kUsage);
  options.max_error = 5;
  ASSERT_TRUE(convert(scratch_ / "small.dcbl", scratch_ / "smaller.dcbl", options));
  EXPECT_TRUE(Archive::open(scratch_ / "smaller.dcbl")->info().is_lossy);
  ConvertOptions version1;
  version1.to_version1 = true;
  EXPECT_EQ(error_of(convert(scratch_ / "small.dcbl", scratch_ / "v1.dcbs", version1)), ErrorClass::kUnsupported);
}

TEST_F(Convert, ANameMustSayWhetherAnArchiveIsLossy) {
  ConvertOptions lossy;
  lossy.max_error = 2;
  EXPECT_EQ(error_of(convert(scratch_ / "old.dcbs", scratch_ / "small.dcbs", lossy)), ErrorClass::kUsage);
  EXPECT_EQ(error_of(convert(scratch_ / "old.dcbs", scratch_ / "small.dcbl")), ErrorClass::kUsage);
  lossy.to_version1 = true;
  EXPECT_EQ(error_of(convert(scratch_ / "old.dcbs", scratch_ / "small.dcbl", lossy)), ErrorClass::kUsage);
}

TEST_F(Convert, Version1TakesNoCodecButItsOwn) {
  ConvertOptions options;
  options.to_version1 = true;
  for (const Codec codec : {Codec::kLane, Codec::kZstd}) {
    options.codec = codec;
    EXPECT_EQ(error_of(convert(scratch_ / "old.dcbs", scratch_ / "v1.dcbs", options)), ErrorClass::kUsage);
  }
  options.codec = Codec::kHtj2k;
  EXPECT_EQ(convert_to("v1.dcbs", options).codec, "htj2k");
}

TEST_F(Convert, WhatVersion1DoesNotHoldIsNamed) {
  testing::write_series(scratch_ / "some", 3);
  const Bytes whole = testing::read_bytes(scratch_ / "some/2.dcm");
  testing::write_file(scratch_ / "some/2.dcm", ByteSpan(whole).first(whole.size() - 9));
  ASSERT_TRUE(pack({scratch_ / "some"}, scratch_ / "some.dcbs"));
  ConvertOptions options;
  options.to_version1 = true;
  const auto report = convert(scratch_ / "some.dcbs", scratch_ / "v1.dcbs", options);
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->instances, 2U);
  EXPECT_EQ(report->frames, 2U);
  ASSERT_EQ(report->findings.size(), 1U);
  EXPECT_EQ(report->findings[0].code, "left_out");
  EXPECT_EQ(report->findings[0].files, std::vector<std::string>{"2.dcm"});
}

TEST_F(Convert, Version1HoldsTheSamePixelsAndValues) {
  ConvertOptions options;
  options.to_version1 = true;
  EXPECT_EQ(convert_to("v1.dcbs", options).frames, 5U);
  const Archive before = Archive::open(scratch_ / "old.dcbs").value(),
                after = Archive::open(scratch_ / "v1.dcbs").value();
  ASSERT_EQ(after.info().format_major, 1);
  ASSERT_EQ(after.frame_count(), before.frame_count());
  Bytes ours(before.pixel_format(0).frame_bytes()), theirs(ours.size());
  for (std::size_t i = 0; i < before.frame_count(); ++i) {
    ASSERT_TRUE(before.read_frame(i, theirs));
    ASSERT_TRUE(after.read_frame(i, ours));
    EXPECT_EQ(ours, theirs);
    for (const char* path :
         {"SOPInstanceUID", "PatientName", "InstanceNumber", "ReferencedImageSequence[0].ReferencedSOPInstanceUID"})
      EXPECT_EQ(before.column(path)->text(i), after.column(path)->text(i)) << path;
    EXPECT_EQ(before.column("ImagePositionPatient")->numbers(i), after.column("ImagePositionPatient")->numbers(i));
  }
}

TEST_F(Convert, FromVersion1TellsHowFarItIsAndCanBeStopped) {
  ConvertOptions options;
  options.to_version1 = true;
  convert_to("v1.dcbs", options);
  options.to_version1 = false;
  std::map<Progress::Phase, std::uint64_t> done;
  options.on_progress = [&](const Progress& progress) {
    EXPECT_EQ(progress.files_total, 5U);
    EXPECT_LE(progress.bytes_done, progress.bytes_total);
    EXPECT_EQ(++done[progress.phase], progress.files_done);
  };
  ASSERT_TRUE(convert(scratch_ / "v1.dcbs", scratch_ / "again.dcbs", options));
  EXPECT_EQ(done,
            (std::map<Progress::Phase, std::uint64_t>{{Progress::Phase::kPack, 5}, {Progress::Phase::kProve, 5}}));
  for (const auto phase : {Progress::Phase::kPack, Progress::Phase::kProve}) {
    std::atomic<bool> cancel = false;
    options.on_progress = [&](const Progress& progress) { cancel = progress.phase == phase; };
    options.cancel = &cancel;
    options.threads = 1;
    EXPECT_EQ(error_of(convert(scratch_ / "v1.dcbs", scratch_ / "stopped.dcbs", options)), ErrorClass::kStopped);
    EXPECT_FALSE(std::filesystem::exists(scratch_ / "stopped.dcbs"));
  }
}

TEST_F(Convert, Version1KeepsTheTypeOfDarkImages) {
  for (unsigned i = 1; i <= 2; ++i) {
    Bytes file = dicom::testing::ct_image(i, 16, 16);
    for (std::size_t at = file.size() - 2 * 16 * 16; at < file.size(); at += 2)
      store_le(file.data() + at, static_cast<std::uint16_t>(at % 11));
    write_file(scratch_ / ("dark/" + std::to_string(i) + ".dcm"), file);
  }
  PackOptions packing;
  packing.codec = Codec::kHtj2k;
  ASSERT_TRUE(pack({scratch_ / "dark"}, scratch_ / "dark.dcbs", packing));
  ConvertOptions options;
  options.to_version1 = true;
  ASSERT_TRUE(convert(scratch_ / "dark.dcbs", scratch_ / "v1.dcbs", options));
  const Archive before = Archive::open(scratch_ / "dark.dcbs").value(),
                after = Archive::open(scratch_ / "v1.dcbs").value();
  EXPECT_EQ(after.pixel_format(0).bits_allocated, 16);
  EXPECT_EQ(after.pixel_format(0).is_signed, before.pixel_format(0).is_signed);
  Bytes ours(before.pixel_format(0).frame_bytes()), theirs(ours.size());
  ASSERT_TRUE(before.read_frame(0, theirs));
  ASSERT_TRUE(after.read_frame(0, ours));
  EXPECT_EQ(ours, theirs);
}

TEST_F(Convert, WhatVersion1DoesNotHoldIsRefused) {
  write_file(scratch_ / "mixed/1.dcm", dicom::testing::ct_image(1, 8, 8));
  write_file(scratch_ / "mixed/2.dcm", dicom::testing::ct_image(2, 16, 8));
  testing::pack_bytes({scratch_ / "mixed"}, scratch_ / "mixed.dcbs");
  ConvertOptions options;
  options.to_version1 = true;
  EXPECT_EQ(error_of(convert(scratch_ / "mixed.dcbs", scratch_ / "v1.dcbs", options)), ErrorClass::kUnsupported);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "v1.dcbs"));
}

TEST_F(Convert, RatiosThatSayNothingAndEmptyNamesAreErrorsOfUsage) {
  for (const double ratio : {-1.0, 1e-300, 0.5, 10001.0, std::nan("")}) {
    ConvertOptions options;
    options.ratio = ratio;
    EXPECT_EQ(error_of(convert(scratch_ / "old.dcbs", scratch_ / "small.dcbl", options)), ErrorClass::kUsage) << ratio;
    UnpackOptions unpacking;
    unpacking.transfer_syntax = "htj2k-lossy";
    unpacking.ratio = ratio;
    const auto unpacked = unpack(scratch_ / "old.dcbs", scratch_ / "out", unpacking);
    ASSERT_FALSE(unpacked);
    EXPECT_EQ(unpacked.error().error_class, ErrorClass::kUsage) << ratio;
  }
  for (const std::string name : {"", "folder/"}) {
    EXPECT_EQ(error_of(convert(scratch_ / "old.dcbs", name)), ErrorClass::kUsage);
    ConvertOptions version1;
    version1.to_version1 = true;
    EXPECT_EQ(error_of(convert(scratch_ / "old.dcbs", name, version1)), ErrorClass::kUsage);
  }
}

TEST_F(Convert, AnExistingArchiveStaysUnlessToldOtherwise) {
  write_file(scratch_ / "there.dcbs", Bytes(3));
  ConvertOptions options;
  EXPECT_EQ(error_of(convert(scratch_ / "old.dcbs", scratch_ / "there.dcbs", options)), ErrorClass::kConflict);
  options.on_conflict = OnConflict::kSkip;
  EXPECT_TRUE(convert_to("there.dcbs", options).skipped);
  EXPECT_EQ(read_bytes(scratch_ / "there.dcbs"), Bytes(3));
  options.on_conflict = OnConflict::kOverwrite;
  convert_to("there.dcbs", options);
  EXPECT_TRUE(Archive::open(scratch_ / "there.dcbs"));
}

}  // namespace
}  // namespace dicube
