// Names that archives get: by templates whose values come from anywhere, for several series, in shards.
#include "series/archive_names.h"

#include <gtest/gtest.h>

#include "dicube/archive.h"
#include "series/scratch_folder.h"

namespace dicube::series {
namespace {

using dicom::testing::FileBuilder;

constexpr dicom::Tag kPatientName = 0x00100010, kPatientId = 0x00100020, kSeriesNumber = 0x00200011;

struct Values {
  std::string id, number = "1", name = "Doe^John", charset = "ISO_IR 192", instance = "1";
};

Bytes file_of(const std::string& uid, const Values& values) {
  return FileBuilder()
      .meta(dicom::testing::kExplicitLittleUid)
      .text(dicom::kSpecificCharacterSet, "CS", values.charset)
      .text(dicom::kSopInstanceUid, "UI", uid + "." + values.instance)
      .text(kPatientName, "PN", values.name)
      .text(kPatientId, "LO", values.id)
      .text(dicom::kSeriesInstanceUid, "UI", uid)
      .text(kSeriesNumber, "IS", values.number)
      .take();
}

std::string name_by(std::string_view text, const Values& values) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "file", file_of("1.2.3", values));
  const auto names = NameTemplate::parse(text);
  if (!names) return describe(names.error());
  return names->name_for({std::make_shared<const std::string>(scratch.path()), "file"});
}

TEST(ATemplateOfNames, IsFilledWithTheValuesOfAFile) {
  EXPECT_EQ(name_by("{PatientID}/{SeriesNumber}", {"P1", "3"}), "P1/3");
  EXPECT_EQ(name_by("scans/{SeriesNumber}-of-{PatientID}", {"P1", "3"}), "scans/3-of-P1");
  EXPECT_EQ(name_by("all", {"P1"}), "all");
}

TEST(ATemplateOfNames, MakesValuesSafeForFileSystemsShellsAndTerminals) {
  EXPECT_EQ(name_by("{PatientName}", {}), "Doe_John");
  EXPECT_EQ(name_by("{PatientID}", {"../../etc/passwd"}), "_._.._etc_passwd");
  EXPECT_EQ(name_by("{PatientID}", {".."}), "__");
  EXPECT_EQ(name_by("{PatientID}/x", {"-rf *"}), "_rf__/x");
  EXPECT_EQ(name_by("{PatientID}", {"a b:c?$(d)\x1B[2J"}), "a_b_c___d___2J") << "each of them is one '_'";
  EXPECT_EQ(name_by("{PatientName}", {"", "1", "M\xC3\xBCller"}), "M\xC3\xBCller");
  EXPECT_EQ(name_by("{PatientName}", {"", "1", "M\xFCller", "ISO_IR 100"}), "M\xC3\xBCller");
  EXPECT_EQ(name_by("{PatientName}", {"", "1", "a\xE2\x80\xAEg"}), "a_g") << "a mark that turns the direction";
  EXPECT_EQ(name_by("{PatientID}", {std::string(300, 'x')}), std::string(100, 'x'));
  const std::string no_characters(300, '\x80');  // a part that were empty would lead to the root
  EXPECT_EQ(name_by(no_characters + "/x", {}), no_characters.substr(0, 100) + "/x");
}

TEST(ATemplateOfNames, SaysWhatIsMissing) {
  EXPECT_EQ(name_by("{PatientID}/{SeriesNumber}", {"", " "}), "no-PatientID/no-SeriesNumber");
  EXPECT_EQ(name_by("{Modality}", {}), "no-Modality");
}

TEST(ATemplateOfNames, ThatIsNoneSaysWhy) {
  const auto why = [](std::string_view text) {
    const auto names = NameTemplate::parse(text);
    EXPECT_FALSE(names) << text;
    EXPECT_TRUE(names || names.error().error_class == ErrorClass::kUsage);
    return names ? "" : names.error().message;
  };
  EXPECT_NE(why("{PatientIDD}").find("'PatientIDD' is no keyword; did you mean PatientID?"), std::string::npos);
  EXPECT_NE(why("{PixelData}").find("can't be a name"), std::string::npos);
  EXPECT_NE(why("{ReferencedImageSequence}").find("can't be a name"), std::string::npos);
  for (const char* text : {"{PatientID", "PatientID}", "{}", "{Patient{ID}}", "}{"}) why(text);
  for (const char* text : {"", "/{PatientID}", "../{PatientID}", "{PatientID}/", "a//b", "a/./b", "a\nb"}) why(text);
}

struct Packed {
  PackSummary summary;
  std::vector<std::string> names;
};

Packed pack_scan(const testing::ScratchFolder& scratch, PackOptions options, const std::string& out = "out") {
  options.threads = 2;
  auto summary = pack({scratch / "scan"}, scratch / out, options);
  if (!summary) {
    ADD_FAILURE() << describe(summary.error());
    return {};
  }
  Packed packed{*std::move(summary), {}};
  if (std::filesystem::exists(scratch / out))
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch / out))
      if (entry.is_regular_file()) packed.names.push_back(entry.path().lexically_relative(scratch / out).string());
  std::ranges::sort(packed.names);
  return packed;
}

TEST(SeriesOfTheSameName, HaveTheirUidBehindIt) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/1", file_of("1.2.1", {"P"}));
  testing::write_file(scratch / "scan/2", file_of("1.2.2", {"p"}));
  testing::write_file(scratch / "scan/3", file_of("1.2.3", {"Q"}));
  testing::write_file(scratch / "scan/4", file_of("1.2.4", {"Other"}));
  testing::write_file(scratch / "scan/5", as_bytes("text"));
  PackOptions options;
  options.name_template = "{PatientID}";
  options.all = true;
  const Packed packed = pack_scan(scratch, options);
  EXPECT_EQ(packed.names,
            (std::vector<std::string>{"Other-1.2.4.dcbs", "P-1.2.1.dcbs", "Q.dcbs", "other.dcbs", "p-1.2.2.dcbs"}));
  EXPECT_EQ(packed.summary.same_names, 3U);
}

TEST(AnArchiveThatIsThere, IsSkippedWhenItIsOfTheSameSeriesOnly) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/1", file_of("1.2.1", {"P"}));
  PackOptions options;
  options.name_template = "{PatientID}/{SeriesNumber}.dcbs";
  options.on_conflict = OnConflict::kSkip;
  EXPECT_EQ(pack_scan(scratch, options).names, std::vector<std::string>{"P/1.dcbs"});
  EXPECT_TRUE(pack_scan(scratch, options).summary.series[0].skipped);
  testing::write_file(scratch / "scan/1", file_of("1.2.2", {"P"}));
  const auto by_name = [&] { return pack({scratch / "scan"}, scratch / "out/P/1.dcbs", options)->series[0]; };
  options.name_template.clear();
  const SeriesReport other = by_name();
  ASSERT_TRUE(other.error);
  EXPECT_NE(other.error->message.find("is there already, with another series: 1.2.1"), std::string::npos);
  options.on_conflict = OnConflict::kRename;
  EXPECT_EQ(by_name().archive, scratch / "out/P/1-2.dcbs");
}

TEST(AnArchiveThatIsThere, IsNotSkippedWhenItHoldsLessThanIsFound) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/1", file_of("1.2.1", {"P"}));
  testing::write_file(scratch / "scan/2", file_of("1.2.1", {"Q"}));
  PackOptions options;
  options.on_conflict = OnConflict::kSkip;
  EXPECT_EQ(pack_scan(scratch, options).names, std::vector<std::string>{"1.2.1.dcbs"});
  EXPECT_TRUE(pack_scan(scratch, options).summary.series[0].skipped);
  const auto why = [&] {
    const SeriesReport report = pack_scan(scratch, options).summary.series[0];
    return report.error ? report.error->message : "";
  };
  testing::write_file(scratch / "scan/2", file_of("1.2.1", {"Quentin"}));
  EXPECT_NE(why().find("is there already, with files of "), std::string::npos) << why();
  testing::write_file(scratch / "scan/3", file_of("1.2.1", {"R"}));  // sent later
  EXPECT_NE(why().find("is there already, with 2 of the 3 files found now"), std::string::npos) << why();
  std::filesystem::remove(scratch / "scan/2");
  std::filesystem::remove(scratch / "scan/3");
  EXPECT_EQ(why(), "") << "files that are gone are in the archive";
  testing::write_file(scratch / "out/1.2.1.dcbs", {});  // of a copy that a full disk ended
  EXPECT_NE(why().find("and can't be read as an archive: "), std::string::npos) << why();
}

TEST(AnArchiveThatIsThere, IsNotSkippedForOtherInstancesOfItsSeries) {
  const testing::ScratchFolder scratch;
  for (const std::string number : {"1", "2", "3"})
    testing::write_file(scratch / ("scan/" + number), file_of("1.2.1", {.id = "P", .instance = number}));
  PackOptions options;
  options.on_conflict = OnConflict::kSkip;
  pack_scan(scratch, options);
  const auto report = [&] { return pack_scan(scratch, options).summary.series[0]; };
  std::filesystem::remove(scratch / "scan/1");
  std::filesystem::rename(scratch / "scan/2", scratch / "scan/under another name");
  EXPECT_TRUE(report().skipped);
  testing::write_file(scratch / "scan/3", file_of("1.2.1", {.id = "P", .instance = "4"}));  // of the same size
  ASSERT_TRUE(report().error);
  EXPECT_NE(report().error->message.find("with 1 of the 2 files found now"), std::string::npos)
      << report().error->message;
}

TEST(AnArchiveThatIsThere, IsSkippedForFilesOfNoInstanceByTheirNames) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/a.txt", as_bytes("text"));
  testing::write_file(scratch / "scan/folder/b.txt", as_bytes("text"));
  PackOptions options;
  options.all = true;
  options.on_conflict = OnConflict::kSkip;
  EXPECT_EQ(pack_scan(scratch, options).names, std::vector<std::string>{"other.dcbs"});
  std::filesystem::remove(scratch / "scan/a.txt");
  EXPECT_TRUE(pack_scan(scratch, options).summary.series[0].skipped);
  std::filesystem::rename(scratch / "scan/folder/b.txt", scratch / "scan/folder/c.txt");
  EXPECT_TRUE(pack_scan(scratch, options).summary.series[0].error);
}

TEST(GoingOn, SaysOfItsProgressNothingOfWhatIsSkipped) {
  for (const std::string added : {"1.2.8", "1.2.3"}) {  // packed behind the one that is there, and before it
    const testing::ScratchFolder scratch;
    for (const std::string number : {"1", "2", "3"})
      testing::write_file(scratch / ("scan/" + number), file_of("1.2.5", {.id = "P", .instance = number}));
    PackOptions options;
    options.threads = 1;
    ASSERT_TRUE(pack({scratch / "scan"}, scratch / "out", options));
    testing::write_file(scratch / "scan/b", file_of(added, {"P"}));
    std::map<Progress::Phase, Progress> last;
    options.on_conflict = OnConflict::kSkip;
    options.on_progress = [&](const Progress& progress) { last.insert_or_assign(progress.phase, progress); };
    EXPECT_EQ(pack({scratch / "scan"}, scratch / "out", options)->series.size(), 2U);
    for (const auto phase : {Progress::Phase::kPack, Progress::Phase::kProve}) {
      ASSERT_TRUE(last.contains(phase));
      EXPECT_EQ(last.at(phase).files_done, 1U);
      EXPECT_EQ(last.at(phase).files_total, 1U) << "with " << added;
      EXPECT_EQ(last.at(phase).bytes_done, last.at(phase).bytes_total);
    }
  }
}

TEST(ADryRun, TellsOfArchivesThatAreThere) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/1", file_of("1.2.1", {"P"}));
  testing::write_file(scratch / "scan/2", file_of("1.2.2", {"Q"}));
  PackOptions options;
  options.name_template = "{PatientID}/{SeriesNumber}";
  pack_scan(scratch, options);
  testing::write_file(scratch / "scan/2", file_of("1.2.3", {"Q"}));
  options.dry_run = true;
  const auto summary = [&](OnConflict on_conflict) {
    options.on_conflict = on_conflict;
    return pack_scan(scratch, options).summary.series;
  };
  const auto errors = summary(OnConflict::kError);
  EXPECT_TRUE(errors[0].error) << "exists already";
  const auto skipping = summary(OnConflict::kSkip);
  EXPECT_TRUE(skipping[0].skipped);
  const auto overwriting = summary(OnConflict::kOverwrite);
  EXPECT_FALSE(overwriting[0].skipped || overwriting[0].error);
  for (const auto& series : {errors[1], skipping[1], overwriting[1]}) {
    EXPECT_FALSE(series.skipped || series.error || !series.findings.empty());
    EXPECT_EQ(series.archive, scratch / "out/Q/1-1.2.3.dcbs") << "Q/1.dcbs is another series'";
  }
}

// Names would else change with what is packed beside: archives would be made twice, or lost.
TEST(ArchivesNamedByATemplate, KeepTheirNamesWhenOtherSeriesCome) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "a/1", file_of("1.2.1", {"P"}));
  testing::write_file(scratch / "b/1", file_of("1.2.2", {"P"}));
  testing::write_file(scratch / "c/1", file_of("1.2.3", {"P"}));
  PackOptions options;
  options.name_template = "{PatientID}";
  const auto pack_of = [&](std::vector<std::string> folders, OnConflict on_conflict) {
    for (std::string& folder : folders) folder = scratch / folder;
    options.on_conflict = on_conflict;
    const auto summary = pack(folders, scratch / "out", options);
    EXPECT_TRUE(summary);
    std::vector<std::string> names;
    for (const SeriesReport& report : summary->series) {
      EXPECT_FALSE(report.error) << describe(*report.error);
      names.push_back(std::filesystem::path(report.archive).filename().string() + (report.skipped ? " skipped" : ""));
    }
    std::ranges::sort(names);
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(pack_of({"a"}, OnConflict::kError), Names{"P.dcbs"});
  EXPECT_EQ(pack_of({"b"}, OnConflict::kOverwrite), Names{"P-1.2.2.dcbs"});
  EXPECT_EQ(pack_of({"a", "b", "c"}, OnConflict::kSkip),
            (Names{"P-1.2.2.dcbs skipped", "P-1.2.3.dcbs", "P.dcbs skipped"}));
  EXPECT_EQ(pack_of({"b"}, OnConflict::kSkip), Names{"P-1.2.2.dcbs skipped"});
  EXPECT_EQ(Archive::open(scratch / "out/P.dcbs")->info().series_instance_uid, "1.2.1");
}

TEST(AnArchiveOfAnotherSeries, IsReplacedUnderANameThatWasGivenAndSaysSo) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "a/1", file_of("1.2.1", {"P"}));
  testing::write_file(scratch / "b/1", file_of("1.2.2", {"P"}));
  PackOptions options;
  ASSERT_TRUE(pack({scratch / "a"}, scratch / "one.dcbs", options));
  options.on_conflict = OnConflict::kOverwrite;
  for (const bool dry_run : {true, false}) {
    options.dry_run = dry_run;
    const auto summary = pack({scratch / "b"}, scratch / "one.dcbs", options);
    ASSERT_TRUE(summary && !summary->series[0].error);
    ASSERT_EQ(summary->series[0].findings.size(), 1U);
    EXPECT_EQ(summary->series[0].findings[0].message,
              "replaces an archive of 1 file of another series, 1 of them not in the new one");
  }
}

TEST(ADryRun, TellsOfFilesThatWouldBeLost) {
  const testing::ScratchFolder scratch;
  for (const char* name : {"scan/1", "scan/2", "scan/3"}) testing::write_file(scratch / name, file_of("1.2.1", {"P"}));
  PackOptions options;
  pack_scan(scratch, options);
  std::filesystem::remove(scratch / "scan/2");
  options.on_conflict = OnConflict::kOverwrite;
  options.dry_run = true;
  const auto findings = pack_scan(scratch, options).summary.series[0].findings;
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].message, "replaces an archive of 3 files, 1 of them not in the new one");
}

TEST(AnArchive, IsOneWithAnEndingInCapitalLettersToo) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/1", file_of("1.2.1", {"P"}));
  const auto first = pack({scratch / "scan"}, scratch / "scan/out/ONE.DCBS", {});
  ASSERT_TRUE(first && !first->series[0].error);
  EXPECT_TRUE(std::filesystem::is_regular_file(scratch / "scan/out/ONE.DCBS"));
  PackOptions options;
  options.all = true;
  const auto second = pack({scratch / "scan"}, scratch / "scan/out", options);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->series.size(), 1U) << "the archive is no file to be packed";
  EXPECT_FALSE(pack({scratch / "scan"}, scratch / "LOSSY.DCBL", {}));
}

TEST(ArchivesInFoldersOfTheOutput, AreNotPackedWhenItLiesInTheSource) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/1", file_of("1.2.1", {"P"}));
  PackOptions options;
  options.name_template = "{PatientID}/{SeriesNumber}";
  options.all = true;
  options.on_conflict = OnConflict::kOverwrite;
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(pack_scan(scratch, options, "scan/out").names, std::vector<std::string>{"P/1.dcbs"});
}

TEST(Shards, PackEverySeriesOnceAndWhatBelongsToNoneOnce) {
  const testing::ScratchFolder scratch;
  constexpr unsigned kSeries = 12, kShards = 3;
  for (unsigned i = 0; i < kSeries; ++i)
    testing::write_file(scratch / ("scan/" + std::to_string(i)), file_of("1.2." + std::to_string(i), {"P"}));
  testing::write_file(scratch / "scan/text", as_bytes("text"));
  PackOptions options;
  options.all = true;
  options.shards = kShards;
  std::set<std::string> archives;
  for (options.shard = 0; options.shard < kShards; ++options.shard) {
    const PackSummary summary = pack_scan(scratch, options).summary;
    EXPECT_EQ(summary.series.size() + summary.other_shards, kSeries + 1);
    EXPECT_LT(summary.series.size(), kSeries);
    for (const SeriesReport& report : summary.series) {
      EXPECT_FALSE(report.error) << describe(*report.error);
      EXPECT_TRUE(archives.insert(report.archive).second) << report.archive;
    }
  }
  EXPECT_EQ(archives.size(), kSeries + 1);
}

TEST(Shards, AreTheSameOnEveryMachine) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/1", file_of("1.2.840.1", {"P"}));
  PackOptions options;
  options.dry_run = true;
  options.shards = 1000;
  options.shard = 162;  // int(hashlib.sha256(b"1.2.840.1").hexdigest()[:16], 16) % 1000
  EXPECT_EQ(pack_scan(scratch, options).summary.series.size(), 1U);
}

TEST(Shards, LeaveFilesOfNoSeriesToOneOfThem) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/1", file_of("1.2.1", {"P"}));
  testing::write_file(scratch / "scan/text", as_bytes("text"));
  testing::write_file(scratch / "scan/nameless", file_of("", {"P"}));
  PackOptions options;
  options.shards = 4;
  std::uint64_t left_out = 0, errors = 0;
  for (options.shard = 0; options.shard < options.shards; ++options.shard) {
    const PackSummary summary = pack_scan(scratch, options).summary;
    left_out += summary.not_dicom;
    errors += summary.errors.size();
  }
  EXPECT_EQ(left_out, 1U);
  EXPECT_EQ(errors, 1U);
}

TEST(TheSourceOfAnArchive, IsTheDeepestFolderThatHoldsItsFiles) {
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "scan/a/b/1", file_of("1.2.1", {"P"}));
  testing::write_file(scratch / "scan/a/bc/1", file_of("1.2.1", {"P"}));
  testing::write_file(scratch / "scan/d/1", file_of("1.2.2", {"P"}));
  const auto series = pack_scan(scratch, {}).summary.series;
  ASSERT_EQ(series.size(), 2U);
  EXPECT_EQ(series[0].source, scratch / "scan/a");
  EXPECT_EQ(series[1].source, scratch / "scan/d");
}

}  // namespace
}  // namespace dicube::series
