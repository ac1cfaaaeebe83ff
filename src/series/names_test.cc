// Names and UIDs that lead out of the target, or to another's archive (R18).
#include <gtest/gtest.h>

#include <filesystem>

#include "archive/testing.h"
#include "archive/writer.h"
#include "base/hash.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

namespace fs = std::filesystem;
using testing::ScratchFolder;

// An archive of one instance per name, each name as given, under right checksums.
void write_hostile(const std::string& folder, const std::string& archive, const std::vector<std::string>& names,
                   bool are_folders = false) {
  const io::Folder out = io::Folder::make(folder).value();
  archive::ArchiveWriter writer(out, archive);
  const Bytes content = are_folders ? Bytes() : dicom::testing::ct_image(1);
  for (const std::string& name : names) {
    Instance instance;
    instance.name = name;
    instance.size = content.size();
    instance.sha256 = sha256(content);
    instance.is_folder = are_folders;
    const auto added = writer.add(instance, {name, content}, {});
    ASSERT_TRUE(added) << describe(added.error());
  }
  auto file = writer.finish("1.2.3", 1);
  ASSERT_TRUE(file) << describe(file.error());
  const auto done = file->commit(false);
  ASSERT_TRUE(done) << describe(done.error());
}

std::vector<std::string> hostile_names(const std::string& outside) {
  return {"..",
          ".",
          "",
          "/",
          "/abs",
          outside + "/absolute",
          "../escape",
          "../../escape",
          "a/../../escape",
          "a/..",
          "a/../b",
          "./b",
          "a/./b",
          "a//b",
          "//b",
          "a/",
          "..//escape",
          std::string("nul\0byte", 8),
          std::string("..\0", 3),
          std::string("\0", 1),
          std::string("a/\0/b", 5),
          std::string(300, 'n'),
          "a/" + std::string(300, 'n') + "/b",
          std::string(256, 'n')};
}

class Hostile : public ::testing::TestWithParam<bool> {};

TEST_P(Hostile, NamesAreRefusedAndNothingOutsideTheTargetIsTouched) {
  const ScratchFolder scratch;
  const bool are_folders = GetParam();
  const std::string target = scratch / "x/y/target";
  std::vector<std::string> names = hostile_names(scratch / "x");
  const std::size_t hostile = names.size();
  names.push_back("good/..fine");
  names.push_back(std::string(255, 'n'));
  write_hostile(scratch.path(), "hostile.dcbs", names, are_folders);
  ASSERT_FALSE(HasFatalFailure());
  fs::create_directories(target);
  const auto before = testing::tree(scratch.path());
  UnpackOptions options;
  options.on_conflict = OnConflict::kOverwrite;
  const auto report = unpack(scratch / "hostile.dcbs", target, options);
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->errors.size(), hostile);
  for (const Error& error : report->errors) EXPECT_EQ(error.error_class, ErrorClass::kDamaged) << describe(error);
  EXPECT_EQ(report->files, are_folders ? 0U : 2U);
  auto after = testing::tree(scratch.path());
  std::erase_if(after, [](const auto& entry) { return entry.first.starts_with("x/y/target/"); });
  EXPECT_TRUE(after == before);
  std::vector<std::string> restored;
  for (const auto& [name, bytes] : testing::tree(target)) restored.push_back(name);
  EXPECT_EQ(restored, (std::vector<std::string>{"good", "good/..fine", std::string(255, 'n')}));
  EXPECT_FALSE(fs::exists("/abs"));
}

INSTANTIATE_TEST_SUITE_P(FilesAndFolders, Hostile, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "Folders" : "Files"; });

TEST(HostileTarget, SymbolicLinksAreNotFollowed) {
  for (const OnConflict on_conflict : {OnConflict::kError, OnConflict::kSkip, OnConflict::kOverwrite}) {
    const ScratchFolder scratch;
    const std::string target = scratch / "target", outside = scratch / "outside";
    testing::write_file(outside + "/file", as_bytes("precious"));
    fs::create_directories(target + "/real");
    fs::create_directory_symlink("../outside", target + "/link");
    fs::create_directory_symlink(outside, target + "/real/link");
    fs::create_symlink("../outside/file", target + "/file");
    fs::create_symlink("../outside/new", target + "/dangling");
    write_hostile(scratch.path(), "hostile.dcbs",
                  {"link/new", "link/file", "real/link/new", "file", "dangling", "link"});
    ASSERT_FALSE(::testing::Test::HasFatalFailure());
    UnpackOptions options;
    options.on_conflict = on_conflict;
    const auto before = testing::tree(outside);
    const auto report = unpack(scratch / "hostile.dcbs", target, options);
    ASSERT_TRUE(report) << describe(report.error());
    EXPECT_TRUE(testing::tree(outside) == before);
    // "link/...": no folder to enter. The other three have their names taken: refused, left alone or replaced
    // themselves.
    const std::size_t taken = 3, through_links = 3;
    EXPECT_EQ(report->errors.size(), through_links + (on_conflict == OnConflict::kError ? taken : 0));
    EXPECT_EQ(report->skipped, on_conflict == OnConflict::kSkip ? taken : 0);
    EXPECT_EQ(report->files, on_conflict == OnConflict::kOverwrite ? taken : 0);
    EXPECT_EQ(fs::is_symlink(target + "/file"), on_conflict != OnConflict::kOverwrite);
    for (const Error& error : report->errors) EXPECT_EQ(error.error_class, ErrorClass::kConflict) << describe(error);
  }
}

TEST(HostileTarget, NothingIsOverwrittenUnasked) {
  const ScratchFolder scratch;
  write_hostile(scratch.path(), "archive.dcbs", {"a", "folder/b", "free"});
  testing::write_file(scratch / "target/a", as_bytes("mine"));
  testing::write_file(scratch / "target/folder/b", as_bytes("mine too"));
  const auto before = testing::tree(scratch / "target");
  const auto report = unpack(scratch / "archive.dcbs", scratch / "target");
  ASSERT_TRUE(report) << describe(report.error());
  EXPECT_EQ(report->errors.size(), 2U);
  for (const Error& error : report->errors) EXPECT_EQ(error.error_class, ErrorClass::kConflict) << describe(error);
  auto after = testing::tree(scratch / "target");
  EXPECT_TRUE(after["free"] == dicom::testing::ct_image(1));
  after.erase("free");
  EXPECT_TRUE(after == before);
}

TEST(HostileTarget, ASeriesUidIsNoPath) {
  for (const std::string& uid :
       {std::string("../../escape"), std::string("/abs"), std::string(".."), std::string("a/b"), std::string(".hidden"),
        std::string("-rf"), std::string(300, '1'), std::string("1\0002", 3)}) {
    const ScratchFolder scratch;
    testing::write_file(scratch / "source/1.dcm", dicom::testing::FileBuilder()
                                                      .meta(dicom::testing::kExplicitLittleUid)
                                                      .text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.2")
                                                      .text(dicom::kSopInstanceUid, "UI", "1.2.3.4")
                                                      .text(dicom::kModality, "CS", "CT")
                                                      .text(dicom::kSeriesInstanceUid, "UI", uid)
                                                      .take());
    fs::create_directories(scratch / "x/y/out");
    auto expected = testing::tree(scratch.path());
    const auto summary = pack({scratch / "source"}, scratch / "x/y/out");
    ASSERT_TRUE(summary) << describe(summary.error());
    ASSERT_EQ(summary->series.size(), 1U) << uid;
    EXPECT_FALSE(summary->series[0].error);
    const auto inside = testing::tree(scratch / "x/y/out");
    ASSERT_EQ(inside.size(), 1U) << uid;
    EXPECT_TRUE(inside.begin()->first.ends_with(".dcbs") && inside.begin()->first[0] != '.' &&
                inside.begin()->first[0] != '-')
        << inside.begin()->first;
    EXPECT_EQ(summary->series[0].archive, scratch / ("x/y/out/" + inside.begin()->first));
    expected["x/y/out/" + inside.begin()->first] = inside.begin()->second;
    EXPECT_TRUE(testing::tree(scratch.path()) == expected) << uid;
  }
}

TEST(HostileTarget, ASeriesUidThatIsTheNameOfAnotherSeriesArchiveTakesNothingFromIt) {
  const ScratchFolder scratch;
  const auto add = [&](const std::string& name, const std::string& uid) {
    testing::write_file(scratch / ("source/" + name), dicom::testing::FileBuilder()
                                                          .meta(dicom::testing::kExplicitLittleUid)
                                                          .text(dicom::kSopInstanceUid, "UI", "1.2.3." + name)
                                                          .text(dicom::kSeriesInstanceUid, "UI", uid)
                                                          .take());
  };
  add("1", "a/b");
  const auto first = pack({scratch / "source"}, scratch / "first");
  ASSERT_TRUE(first) << describe(first.error());
  add("2", fs::path(first->series.at(0).archive).stem().string());
  PackOptions options;
  options.on_conflict = OnConflict::kOverwrite;
  const auto both = pack({scratch / "source"}, scratch / "both", options);
  ASSERT_TRUE(both) << describe(both.error());
  EXPECT_EQ(testing::tree(scratch / "both").size(), 2U);
}

TEST(HostileTarget, SeriesUidsThatDifferInCapitalLettersAloneHaveArchivesWhoseNamesDifferInMore) {
  const ScratchFolder scratch;
  for (const std::string uid : {"1.2.a", "1.2.A", "OTHER", "other", "1.2.3"})
    testing::write_file(scratch / ("source/" + uid), dicom::testing::FileBuilder()
                                                         .meta(dicom::testing::kExplicitLittleUid)
                                                         .text(dicom::kSopInstanceUid, "UI", "1.2.3." + uid)
                                                         .text(dicom::kSeriesInstanceUid, "UI", uid)
                                                         .take());
  testing::write_file(scratch / "source/text", Bytes(3));
  PackOptions options;
  options.all = true;
  const auto summary = pack({scratch / "source"}, scratch / "out", options);
  ASSERT_TRUE(summary) << describe(summary.error());
  std::set<std::string> names;
  for (const SeriesReport& report : summary->series) {
    std::string name = fs::path(report.archive).filename().string();
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 6U);
  EXPECT_TRUE(names.contains("1.2.3.dcbs"));
}

}  // namespace
}  // namespace dicube
