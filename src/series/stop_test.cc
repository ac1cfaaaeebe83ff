// What ends a batch, what costs one frame only, and what several files suffer from alike.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "archive/testing.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using testing::ScratchFolder;

// Takes no bytes.
class FullDisk : public testing::WithoutSync {
 public:
  ssize_t pwrite(int, const void*, std::size_t, off_t) override {
    errno = ENOSPC;
    return -1;
  }
};

TEST(AFullTarget, EndsAPackWithOneErrorAndCountsWhatWasNotTried) {
  const ScratchFolder folder;
  constexpr unsigned kSeries = 9;
  for (unsigned series = 1; series <= kSeries; ++series)
    testing::write_file(folder / ("in/" + std::to_string(series)), dicom::testing::ct_image(1, 8, 8, series));
  for (const unsigned threads : {1U, 3U}) {
    FullDisk system;
    const io::ReplacedSystem replaced(system);
    PackOptions options;
    options.threads = threads;
    const auto summary = pack({folder / "in"}, folder / "full", options);
    ASSERT_TRUE(summary);
    ASSERT_EQ(summary->series.size(), 1U);
    ASSERT_TRUE(summary->series[0].error);
    EXPECT_TRUE(writes_no_more(*summary->series[0].error)) << describe(*summary->series[0].error);
    ASSERT_EQ(summary->not_tried.size(), kSeries - 1);
    for (const SeriesReport& report : summary->not_tried) EXPECT_EQ(report.error->error_class, ErrorClass::kStopped);
    EXPECT_FALSE(std::filesystem::exists(folder / "full")) << "an empty folder was left behind";
  }
}

TEST(AFullTarget, EndsAnUnpackWithOneErrorAndCountsWhatWasNotTried) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 9);
  testing::pack_bytes({folder / "in"}, folder / "one.dcbs");
  FullDisk system;
  const io::ReplacedSystem replaced(system);
  UnpackOptions options;
  options.threads = 3;
  const auto report = unpack(folder / "one.dcbs", folder / "full", options);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->errors.size(), 1U);
  EXPECT_EQ(report->failed + report->not_tried, 9U);
  EXPECT_FALSE(std::filesystem::exists(folder / "full")) << "an empty folder was left behind";
}

TEST(APack, OfFilesThatCantBeReadLeavesNoFolderBehind) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  PackOptions options;
  options.name_template = "{Modality}/{SeriesNumber}";
  options.on_progress = [&](const Progress& progress) {
    if (progress.phase != Progress::Phase::kScan || progress.files_total == 0 || progress.files_done < 3) return;
    for (const char* name : {"1.dcm", "2.dcm", "3.dcm"}) std::filesystem::remove(folder / ("in/" + std::string(name)));
  };
  std::filesystem::create_directory(folder / "there");
  for (const char* out : {"out/deep", "there"}) {
    testing::write_series(folder / "in", 3);
    const auto summary = pack({folder / "in"}, folder / out, options);
    ASSERT_TRUE(summary) << describe(summary.error());
    ASSERT_EQ(summary->series.size(), 1U);
    EXPECT_TRUE(summary->series[0].error);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "there")) << "a folder that was there before stays";
}

TEST(ADamagedArchive, LeavesNoFoldersBehindThatWereForItsFiles) {
  const ScratchFolder folder;
  testing::write_series(folder / "in/series", 1);
  std::filesystem::create_directory(folder / "in/more");
  Bytes bytes = testing::pack_bytes({folder / "in"}, folder / "one.dcbs");
  for (std::size_t i = 0; i < 40; ++i) bytes[bytes.size() - 1 - i] ^= std::byte{4};
  testing::write_file(folder / "bad.dcbs", bytes);
  const auto report = unpack(folder / "bad.dcbs", folder / "out/deep");
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->failed, 1U);
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  EXPECT_FALSE(convert(folder / "bad.dcbs", folder / "out/new.dcbs"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST(AnEmptyFolder, ThatWasPackedIsMadeAgain) {
  const ScratchFolder folder;
  std::filesystem::create_directories(folder / "in/a/b");
  PackOptions options;
  options.all = true;
  ASSERT_TRUE(pack({folder / "in"}, folder / "packed", options));
  const auto report = unpack(folder / "packed/other.dcbs", folder / "out");
  ASSERT_TRUE(report && report->errors.empty());
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out/a/b"));
}

TEST(APack, StoppedWhileItIsProvenSaysNothingElse) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 9);
  std::atomic<bool> cancel = false;
  PackOptions options;
  options.threads = 1;
  options.cancel = &cancel;
  options.on_progress = [&](const Progress& progress) { cancel = progress.phase == Progress::Phase::kProve; };
  std::vector<SeriesReport> reports;
  options.on_series = [&](const SeriesReport& report) { reports.push_back(report); };
  EXPECT_FALSE(pack({folder / "in"}, folder / "out", options));
  ASSERT_EQ(reports.size(), 1U);
  ASSERT_TRUE(reports[0].error);
  EXPECT_EQ(reports[0].error->error_class, ErrorClass::kStopped);
  EXPECT_TRUE(reports[0].findings.empty());
}

TEST(DamagedMetadata, ThatSeveralFilesNeedAreOneErrorWithTheirNumber) {
  const ScratchFolder folder;
  constexpr unsigned kInstances = 5;
  for (unsigned i = 1; i <= kInstances; ++i) {
    dicom::testing::FileBuilder file;
    Bytes noise(20'000);
    std::uint32_t state = i;
    for (std::byte& byte : noise) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
    file.meta(dicom::testing::kExplicitLittleUid)
        .text(dicom::kSopInstanceUid, "UI", "1.2.3." + std::to_string(i))
        .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
        .text(dicom::kInstanceNumber, "IS", std::to_string(i))
        .element(0x00290010 + 0x1000, "OB", noise);
    testing::write_file(folder / ("in/" + std::to_string(i)), file.take());
  }
  Bytes bytes = testing::pack_bytes({folder / "in"}, folder / "one.dcbs");
  ASSERT_FALSE(bytes.empty());
  bytes.back() ^= std::byte{1};
  testing::write_file(folder / "bad.dcbs", bytes);
  const auto verified = verify(folder / "bad.dcbs");
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->failed, kInstances);
  ASSERT_EQ(verified->errors.size(), 1U);
  EXPECT_NE(verified->errors[0].message.find("(5 files need it, 1 is the first)"), std::string::npos)
      << verified->errors[0].message;
  const auto unpacked = unpack(folder / "bad.dcbs", folder / "out");
  ASSERT_TRUE(unpacked);
  EXPECT_EQ(unpacked->failed, kInstances);
  EXPECT_EQ(unpacked->errors.size(), 1U);
}

// A small archive whose frame index `change` has changed, under right checksums.
template <class Change>
Bytes with_index(const ScratchFolder& folder, Change change) {
  testing::write_series(folder / "in", 3);
  auto parts = archive::testing::take_apart(testing::pack_bytes({folder / "in"}, folder / "one.dcbs"));
  auto& frames = archive::testing::part(parts, format::SectionId::kFrames);
  auto index =
      format::read_frame_index(frames.stored, archive::testing::part(parts, format::SectionId::kData).stored.size())
          .value();
  change(index);
  frames.stored = format::write_frame_index(index);
  frames.size = 0;  // that of what is stored
  return archive::testing::put_together(parts);
}

TEST(AFrame, OfAnUnknownCodecCostsItsInstanceOnly) {
  const ScratchFolder folder;
  const Bytes bytes = with_index(folder, [](format::FrameIndex& index) { index.frames[1].codec = 77; });
  const auto archive = Archive::from_bytes(bytes, "unknown codec");
  ASSERT_TRUE(archive) << describe(archive.error());
  EXPECT_TRUE(archive->read_instance(0));
  EXPECT_TRUE(archive->read_instance(2));
  const auto unknown = archive->read_instance(1);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().error_class, ErrorClass::kUnsupported);
  Bytes frame(archive->pixel_format(0).frame_bytes());
  EXPECT_TRUE(archive->read_frame(0, frame));
  EXPECT_FALSE(archive->read_frame(1, frame));
}

TEST(AFrameFormat, WhoseBytesOverflowIsRefusedWhenTheArchiveIsOpened) {
  const ScratchFolder folder;
  const Bytes bytes = with_index(folder, [](format::FrameIndex& index) {
    index.formats[0].rows = index.formats[0].columns = 0x80000000;
    index.formats[0].samples = 4;
  });
  const auto archive = Archive::from_bytes(bytes, "overflow");
  ASSERT_FALSE(archive);
  EXPECT_EQ(archive.error().error_class, ErrorClass::kDamaged);
}

// Replaces a file behind the scan: when the file is opened for the second time, another one has its name.
class Replacing : public io::System {
 public:
  Replacing(std::string path, Bytes other) : path_(std::move(path)), other_(std::move(other)) {}
  int openat(int folder, const char* name, int flags, mode_t mode) override {
    if (path_ == name && ++opened_ == 2) {
      testing::write_file(path_ + ".new", other_);
      std::filesystem::rename(path_ + ".new", path_);
    }
    return System::openat(folder, name, flags, mode);
  }

 private:
  std::string path_;
  Bytes other_;
  int opened_ = 0;
};

TEST(AFile, ReplacedBetweenTheScanAndThePackIsReportedAndTheRestIsPacked) {
  const ScratchFolder folder;
  const auto files = testing::write_series(folder / "in", 3);
  Replacing system(folder / "in/2.dcm", dicom::testing::ct_image(7));
  const io::ReplacedSystem replaced(system);
  PackOptions options;
  options.threads = 1;
  const auto summary = pack({folder / "in"}, folder / "one.dcbs", options);
  ASSERT_TRUE(summary);
  ASSERT_EQ(summary->errors.size(), 1U);
  EXPECT_EQ(summary->errors[0].error_class, ErrorClass::kChanged) << describe(summary->errors[0]);
  ASSERT_EQ(summary->series.size(), 1U);
  EXPECT_EQ(summary->series[0].instances, 2U);
}

TEST(AnArchive, IsNotOverwrittenByOneThatLacksFilesWhichCouldNotBeRead) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  PackOptions options;
  options.threads = 1;
  options.on_conflict = OnConflict::kOverwrite;
  ASSERT_TRUE(pack({folder / "in"}, folder / "one.dcbs", options)->series[0].error == std::nullopt);
  {
    Replacing system(folder / "in/2.dcm", dicom::testing::ct_image(7));
    const io::ReplacedSystem replaced(system);
    const auto summary = pack({folder / "in"}, folder / "one.dcbs", options);
    ASSERT_TRUE(summary && summary->series[0].error);
    EXPECT_EQ(summary->series[0].error->message,
              "not overwritten: it holds 3 files, 1 of them not among the 2 read this time");
  }
  std::filesystem::create_symlink("nowhere", folder / "in/link");
  std::filesystem::remove(folder / "in/3.dcm");
  EXPECT_TRUE(pack({folder / "in"}, folder / "one.dcbs", options)->series[0].error);
  EXPECT_EQ(Archive::open(folder / "one.dcbs")->instances().size(), 3U);
  std::filesystem::remove(folder / "in/link");  // nothing that could not be read: fewer files are what is wanted
  const SeriesReport fewer = pack({folder / "in"}, folder / "one.dcbs", options)->series[0];
  EXPECT_FALSE(fewer.error);
  ASSERT_EQ(fewer.findings.size(), 1U);
  EXPECT_EQ(fewer.findings[0].message, "replaces an archive of 3 files, 2 of them not in the new one");
  EXPECT_EQ(Archive::open(folder / "one.dcbs")->instances().size(), 2U);
  EXPECT_TRUE(pack({folder / "in"}, folder / "one.dcbs", options)->series[0].findings.empty());
}

TEST(AnArchive, IsNotOverwrittenByAsManyOtherFilesWhenSomeCouldNotBeRead) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  PackOptions options;
  options.on_conflict = OnConflict::kOverwrite;
  ASSERT_TRUE(pack({folder / "in"}, folder / "one.dcbs", options)->series[0].error == std::nullopt);
  testing::write_series(folder / "in", 2, 8, 4);
  std::filesystem::remove(folder / "in/2.dcm");
  std::filesystem::create_symlink("nowhere", folder / "in/2.dcm");
  const auto lacking = pack({folder / "in"}, folder / "one.dcbs", options);
  ASSERT_TRUE(lacking && lacking->series.size() == 1);
  EXPECT_TRUE(lacking->series[0].error) << "slice 2 is nowhere else";
  EXPECT_EQ(Archive::open(folder / "one.dcbs")->instances().size(), 3U);
  std::filesystem::remove(folder / "in/2.dcm");
  const auto without = pack({folder / "in"}, folder / "one.dcbs", options);
  ASSERT_TRUE(without && without->series.size() == 1 && !without->series[0].error);
  ASSERT_EQ(without->series[0].findings.size(), 1U) << "nobody is told that slice 2 is gone";
  EXPECT_EQ(without->series[0].findings[0].code, "replaces_more");
}

// Does not give one file to read.
class Refusing : public testing::WithoutSync {
 public:
  Refusing(std::string end, int error) : end_(std::move(end)), error_(error) {}
  int openat(int folder, const char* name, int flags, mode_t mode) override {
    if (!std::string_view(name).ends_with(end_)) return System::openat(folder, name, flags, mode);
    errno = error_;
    return -1;
  }

 private:
  const std::string end_;
  const int error_;
};

TEST(AnArchive, ThatCantBeReadIsNotOverwrittenWhenFilesCouldNotBeReadEither) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  const Bytes before = testing::pack_bytes({folder / "in"}, folder / "one.dcbs");
  std::filesystem::remove(folder / "in/3.dcm");
  std::filesystem::create_symlink("nowhere", folder / "in/3.dcm");
  Refusing system("/one.dcbs", EIO);
  const io::ReplacedSystem replaced(system);
  PackOptions options;
  options.on_conflict = OnConflict::kOverwrite;
  const auto summary = pack({folder / "in"}, folder / "one.dcbs", options);
  ASSERT_TRUE(summary && summary->series.size() == 1);
  EXPECT_TRUE(summary->series[0].error);
  EXPECT_EQ(testing::read_bytes(folder / "one.dcbs"), before);
}

}  // namespace
}  // namespace dicube
