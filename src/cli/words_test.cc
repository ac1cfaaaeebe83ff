// What the program says: names that terminals must not obey, floods, findings, progress.
#include <gtest/gtest.h>

#include "base/formatted.h"
#include "cli/complaints.h"
#include "cli/findings.h"
#include "cli/progress_line.h"
#include "series/scratch_folder.h"

namespace dicube::cli {
namespace {

TEST(ANameOnATerminal, ShowsWhatATerminalWouldObeyAndWhatIsNoUtf8) {
  EXPECT_EQ(printable("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(printable("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(printable("\x1B[2J"), "\\x1B[2J");
  EXPECT_EQ(printable("caf\xE9"), "caf\\xE9");
  EXPECT_EQ(printable("\xC2\x9B[2J"), "\\u009B[2J") << "a C1 control";
  EXPECT_EQ(printable("\xE2\x80\xAEgpj.exe"), "\\u202Egpj.exe") << "a mark that turns the direction of writing";
}

TEST(ANameInJson, IsTheNameItselfOrEscapedWithItsBytesBesideIt) {
  Json plain = Json::object(), latin = Json::object();
  put_name(plain, "name", "a\nb\xC3\xA9");
  EXPECT_EQ(plain.dump(), "{\"name\":\"a\\nb\xC3\xA9\"}");
  put_name(latin, "name", "caf\xE9");
  EXPECT_EQ(latin.dump(), R"({"name":"caf\\xE9","name_hex":"636166e9"})");
}

std::string said(std::size_t count, bool json) {
  Common common;
  common.json = json;
  Complaints complaints(common);
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  for (std::size_t i = 0; i < count; ++i)
    EXPECT_EQ(complaints.add({ErrorClass::kDamaged, "ends at byte " + std::to_string(i), "file" + std::to_string(i)}),
              kDamaged);
  complaints.say_rest();
  const std::string out = ::testing::internal::GetCapturedStdout(), err = ::testing::internal::GetCapturedStderr();
  return json ? out : err;
}

TEST(AFlood, OfErrorsOfOneKindIsAFewNamesAndACount) {
  EXPECT_EQ(said(3, false),
            "dicube: file0: ends at byte 0\ndicube: file1: ends at byte 1\ndicube: file2: ends at byte 2\n");
  const std::string flood = said(3000, false);
  EXPECT_EQ(std::count(flood.begin(), flood.end(), '\n'), 4);
  EXPECT_NE(flood.find("... and 2997 more for the same reason: ends at byte N\n"), std::string::npos) << flood;
  const std::string json = said(3000, true);
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 3000) << "JSON keeps each";
}

TEST(AFlood, OfTheSameErrorIsThatErrorAndACount) {
  Common common;
  Complaints complaints(common);
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) complaints.add({ErrorClass::kIo, "can't make the folder: Permission denied", "out/s"});
  complaints.say_rest();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "dicube: out/s: can't make the folder: Permission denied\n"
            "dicube: ... and 2 more for the same reason: can't make the folder: Permission denied\n");
}

TEST(AFlood, GivesNumbersOnlyWhereTheyAreThoseOfAllTheFilesThatItCounts) {
  Common common;
  Complaints complaints(common);
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 9; ++i)
    complaints.add({ErrorClass::kNotDicom, formatted("no element at byte 0 of {} bytes", i), "f" + std::to_string(i)});
  complaints.say_rest();
  const std::string flood = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(flood.ends_with("... and 6 more for the same reason: no element at byte 0 of N bytes\n")) << flood;
}

TEST(AFlood, IsOneOfOneKindWhateverFileOfTheArchiveAndTagItNames) {
  Common common;
  Complaints complaints(common);
  ::testing::internal::CaptureStderr();
  for (unsigned i = 0; i < 300; ++i) {
    const std::string reason = formatted("({:04X},{:04X}) is cut at byte {}", i * 97, i * 31, i);
    complaints.add({ErrorClass::kNotDicom, "letter" + std::string(1 + i % 7, 'x') + ": " + reason, "a.dcbs"}, reason);
  }
  complaints.say_rest();
  const std::string flood = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(flood.begin(), flood.end(), '\n'), 4) << flood;
}

TEST(AFlood, IsOneOfOneKindWhateverChecksumsItNames) {
  Common common;
  Complaints complaints(common);
  ::testing::internal::CaptureStderr();
  for (std::uint64_t i = 0; i < 300; ++i) {
    const std::uint64_t stored = (i + 1) * 0x9E3779B97F4A7C15, computed = stored * stored;
    complaints.add(
        {ErrorClass::kDamaged, formatted("checksum {:016x} stored, {:016x} computed", stored, computed), "a.dcbs"});
  }
  complaints.say_rest();
  const std::string flood = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(flood.begin(), flood.end(), '\n'), 4) << flood;
}

TEST(Findings, AreOneLinePerKindWithCountAndMeaning) {
  std::vector<Finding> findings;
  for (int i = 0; i < 3000; ++i) findings.push_back({"unexplained_bytes", "byte 40: cut", {"f" + std::to_string(i)}});
  findings.push_back({"duplicate_sop_instance_uid", "two files with SOP Instance UID 1.2", {"a", "b"}});
  findings.push_back({"mixed_size", "1 slice differs from slice 0 in rows and columns", {}});
  const auto lines = findings_text(findings);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "mixed_size: 1 slice differs from slice 0 in rows and columns");
  EXPECT_EQ(lines[1].substr(0, 60), "unexplained_bytes: 3000 files cut short, or with bytes that ");
  EXPECT_NE(lines[1].find("and 2997 more"), std::string::npos) << lines[1];
  EXPECT_NE(lines[2].find("b and a"), std::string::npos) << lines[2];
}

TEST(Progress, SaysPhaseRateAndTimeLeft) {
  EXPECT_EQ(progress_text({Progress::Phase::kScan, 250, 0, 0, 0}, 0.1), "scanning 250 files");
  EXPECT_EQ(progress_text({Progress::Phase::kScan, 250, 1000, 0, 0}, 1),
            "scanning 250 of 1000 files, 250/s, 0:03 left");
  EXPECT_EQ(progress_text({Progress::Phase::kPack, 1, 100, 10'000'000, 1'300'000'000}, 1),
            "packing 1 of 100 files, 10.0 MB/s, 2:09 left");
  EXPECT_EQ(progress_text({Progress::Phase::kProve, 1, 2, 10, 20}, 0.1), "proving 1 of 2 files");
  EXPECT_EQ(progress_text({Progress::Phase::kPack, 1, 2, 10'000'000, 20'000'000}, 1, 64),
            "packing 1 of 2 files, 10.0 MB/s, 1:05 left")
      << "what is left to prove";
}

TEST(Progress, OfSeveralArchivesIsThatOfAllByTheirSizes) {
  const testing::ScratchFolder scratch;
  std::vector<std::string> archives;
  for (const std::size_t size : {100U, 300U, 600U}) {
    archives.push_back(scratch / std::to_string(size));
    testing::write_file(archives.back(), Bytes(size));
  }
  archives.push_back(scratch / "missing");
  std::vector<std::string> said;
  CallOptions options;
  options.on_progress = [&](const Progress& progress) { said.push_back(progress_text(progress, 10, 0, "archives")); };
  ArchivesProgress of_all(archives, options);
  options.on_progress({Progress::Phase::kVerify, 1, 2, 5'000, 10'000});
  of_all.end_archive();
  options.on_progress({Progress::Phase::kVerify, 3, 6, 0, 0});
  of_all.end_archive();
  of_all.end_archive();
  options.on_progress({Progress::Phase::kVerify, 1, 1, 10, 10});
  EXPECT_EQ(said, (std::vector<std::string>{"verifying 0 of 4 archives, 5 B/s, 3:10 left",
                                            "verifying 1 of 4 archives, 25 B/s, 0:30 left",
                                            "verifying 3 of 4 archives, 100 B/s, 0:00 left"}));
}

}  // namespace
}  // namespace dicube::cli
