// The findings that packing stores in an archive.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "archive/findings.h"
#include "archive/testing.h"
#include "codec/foreign.h"
#include "codec/testing.h"
#include "columns/integers.h"
#include "dicom/testing.h"
#include "dicom/uid.h"
#include "dicube/series.h"
#include "series/check.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using archive::read_findings;
using archive::write_findings;

bool same(const Finding& a, const Finding& b) {
  return a.code == b.code && a.severity == b.severity && a.message == b.message && a.slices == b.slices;
}

const std::vector<Finding> kFindings = {
    {"gap_in_positions", "steps of up to 5 mm where 2.5 mm are usual", {}, Severity::kError, {3, 1}},
    {"gantry_tilt", "the slices are stacked aslant", {}, Severity::kWarning, {}}};

TEST(FindingsSection, GivesBackWhatWasWritten) {
  for (const auto& findings : {std::vector<Finding>(), kFindings}) {
    const auto again = read_findings(write_findings(findings), 4);
    ASSERT_TRUE(again) << describe(again.error());
    EXPECT_TRUE(std::ranges::equal(*again, findings, same));
  }
}

TEST(FindingsSection, CutShortOrLongerIsDamaged) {
  const Bytes whole = write_findings(kFindings);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = read_findings(ByteSpan(whole).first(size), 4);
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().error_class, ErrorClass::kDamaged);
  }
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(read_findings(longer, 4));
}

TEST(FindingsSection, AnInstanceThatIsNotThereIsDamaged) {
  const auto found = read_findings(write_findings(kFindings), 3);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "section 'FIND': instance 3 of 3");
}

TEST(FindingsSection, AnnouncedCountsAreBounded) {
  ByteWriter many;
  many.put_varint(archive::kMostFindings + 1);
  EXPECT_FALSE(read_findings(many.bytes(), 4));
  ByteWriter wide;
  wide.put_varint(1);
  wide.put(std::uint8_t{0});
  wide.put_string(as_bytes("a"));
  wide.put_string(as_bytes("b"));
  wide.put_varint(1'000'000'000);
  columns::put_integers(std::vector<std::int64_t>{0}, wide);
  const auto found = read_findings(wide.bytes(), 4);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "section 'FIND': 1000000000 instances announced, at most 4 possible");
}

Bytes report() {
  return dicom::testing::FileBuilder()
      .meta(dicom::testing::kExplicitLittleUid)
      .text(dicom::kSopInstanceUid, "UI", "1.2.3")
      .text(dicom::kModality, "CS", "SR")
      .text(dicom::kStudyInstanceUid, "UI", "1.2.4")
      .text(dicom::kSeriesInstanceUid, "UI", "1.2.826.0.1.3680043.8.498.1.1")
      .text(dicom::kInstanceNumber, "IS", "1")
      .take();
}

class PackedFindings : public ::testing::Test {
 protected:
  Archive packed() const {
    testing::pack_bytes({scratch_ / "in"}, scratch_ / "out.dcbs");
    auto archive = Archive::open(scratch_ / "out.dcbs");
    EXPECT_TRUE(archive) << describe(archive.error());
    return *std::move(archive);
  }
  testing::ScratchFolder scratch_;
};

TEST_F(PackedFindings, AreThoseOfTheArchivesOwnSlices) {
  testing::write_series(scratch_ / "in", 8);
  std::filesystem::remove(scratch_ / "in/5.dcm");
  const Archive archive = packed();
  const auto slices = slices_of(archive);
  ASSERT_TRUE(slices) << describe(slices.error());
  ASSERT_TRUE(archive.info().findings);
  EXPECT_TRUE(std::ranges::equal(*archive.info().findings, check(slices->slices), same));
  const auto gap = std::ranges::find(*archive.info().findings, "gap_in_positions", &Finding::code);
  ASSERT_NE(gap, archive.info().findings->end());
  EXPECT_EQ(gap->slices, std::vector<std::size_t>{4});
}

TEST_F(PackedFindings, TellOfStrayBytesAsACheckOfTheFilesDoes) {
  using dicom::testing::FileBuilder;
  const auto with = [](Bytes file, std::string_view stray) {
    append(file, as_bytes(stray));
    return file;
  };
  const Bytes native = dicom::testing::ct_image(1), padding = FileBuilder().element(0xFFFCFFFC, "OB", Bytes(16)).take();
  const auto tokens = dicom::tokenize(native).value();
  const ByteSpan header =
      ByteSpan(native).subspan(tokens.data_begin).first(tokens.data.back().header - tokens.data_begin);
  const Bytes stray = FileBuilder()
                          .meta(dicom::kExplicitLittleUid)
                          .header(0xFFFEE000, "", 0)
                          .raw(ByteSpan(native).subspan(tokens.data_begin))
                          .take();
  Bytes damaged_prefix = native;
  damaged_prefix[128] = std::byte{'d'};
  Bytes frame;
  ASSERT_TRUE(codec::encode_rle(codec::testing::make_shape(8, 8, 16), Bytes(128), frame));
  const Bytes compressed = FileBuilder().meta(dicom::kRleUid).raw(header).fragments({{}, frame}).take();
  struct Case {
    const char* what;
    Bytes file;
    bool is_found;
  };
  const std::vector<Case> cases = {
      {"a whole file", native, false},
      {"padding behind the pixels", with(native, as_text(padding)), false},
      {"a byte behind the pixels", with(native, "1"), true},
      {"an item outside of sequences", stray, true},
      {"a damaged prefix", damaged_prefix, true},
      {"text behind the padding", with(with(native, as_text(padding)), "text and more text"), true},
      {"a compressed file", compressed, false},
      {"compressed pixels without an item", FileBuilder().meta(dicom::kRleUid).raw(header).fragments({}).take(), false},
      {"compressed pixels of an offset table alone",
       FileBuilder().meta(dicom::kRleUid).raw(header).fragments({{}}).take(), false},
      {"compressed pixels without their delimitation", Bytes(compressed.begin(), compressed.end() - 8), true},
      {"a delimitation too many behind compressed pixels",
       with(compressed, as_text(FileBuilder().header(0xFFFEE0DD, "", 0).take())), true},
      {"a large item outside of sequences",
       FileBuilder()
           .meta(dicom::kExplicitLittleUid)
           .element(0xFFFEE000, "", Bytes(3 << 20))
           .raw(ByteSpan(native).subspan(tokens.data_begin))
           .take(),
       true},
      {"text behind compressed pixels", with(compressed, "text and more text"), true},
      {"a file cut short", Bytes(native.begin(), native.end() - 10), true},
      {"a report", report(), false},
      {"text behind a report", with(report(), "text and more text"), true},
  };
  for (const Case& one : cases) {
    std::filesystem::remove(scratch_ / "out.dcbs");
    testing::write_file(scratch_ / "in/1.dcm", one.file);
    const Archive archive = packed();
    const auto of_files =
        slices_in({scratch_ / "in"}, {}, [](const Error& error) { ADD_FAILURE() << describe(error); });
    ASSERT_TRUE(of_files && of_files->size() == 1) << one.what;
    const auto findings = check(of_files->front());
    EXPECT_EQ(std::ranges::count(findings, "unexplained_bytes", &Finding::code), one.is_found) << one.what;
    EXPECT_TRUE(std::ranges::equal(findings, *archive.info().findings, same)) << one.what;
    EXPECT_TRUE(std::ranges::equal(findings, check(slices_of(archive).value()), same)) << one.what;
  }
}

TEST_F(PackedFindings, SayWhetherFilesWithOneUidAreCopies) {
  const auto said = [&] {
    std::filesystem::remove(scratch_ / "out.dcbs");
    const Archive archive = packed();
    const auto checked = check(slices_of(archive).value());
    const auto of = [](const auto& findings) {
      return std::ranges::find(findings, "duplicate_sop_instance_uid", &Finding::code)->message;
    };
    EXPECT_EQ(of(*archive.info().findings), of(checked));
    return of(checked);
  };
  const Bytes one = dicom::testing::ct_image(1);
  Bytes other = one;
  other.back() ^= std::byte{1};
  testing::write_file(scratch_ / "in/1.dcm", one);
  testing::write_file(scratch_ / "in/2.dcm", other);
  EXPECT_EQ(said(), "1 SOP Instance UID occurs more than once; the files differ");
  testing::write_file(scratch_ / "in/3.dcm", one);
  EXPECT_EQ(said(), "1 SOP Instance UID occurs more than once; 2 of 3 files are copies, byte for byte");
  testing::write_file(scratch_ / "in/2.dcm", one);
  EXPECT_EQ(said(), "1 SOP Instance UID occurs more than once; the files are copies, byte for byte");
}

TEST_F(PackedFindings, TakeNoSectionWhereThereAreNone) {
  testing::write_file(scratch_ / "in/report.dcm", report());
  const Bytes bytes = testing::pack_bytes({scratch_ / "in"}, scratch_ / "out.dcbs");
  EXPECT_EQ(archive::testing::header_of(bytes).find(format::SectionId::kFindings), nullptr);
  const auto checked = Archive::from_bytes(bytes, "checked").value().info().findings;
  EXPECT_TRUE(checked && checked->empty());
  const Bytes unchecked = archive::testing::put_together(archive::testing::take_apart(bytes), 0, 0);
  EXPECT_FALSE(Archive::from_bytes(unchecked, "unchecked").value().info().findings);
}

TEST_F(PackedFindings, CountInstancesWhenSomeHaveNoFrames) {
  testing::write_series(scratch_ / "in", 8, 8, 2);
  std::filesystem::remove(scratch_ / "in/5.dcm");
  testing::write_file(scratch_ / "in/report.dcm", report());
  const Archive archive = packed();
  ASSERT_EQ(archive.instances()[0].name, "report.dcm");
  ASSERT_TRUE(archive.info().findings);
  const auto gap = std::ranges::find(*archive.info().findings, "gap_in_positions", &Finding::code);
  ASSERT_NE(gap, archive.info().findings->end());
  EXPECT_EQ(gap->slices, std::vector<std::size_t>{4});
  EXPECT_EQ(archive.instances()[4].name, "6.dcm");
}

TEST_F(PackedFindings, DoNotMissTheFramesOfVideo) {
  for (const std::string syntax : {"1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.102.1"}) {
    dicom::testing::FileBuilder video;
    video.meta(syntax)
        .text(dicom::kSopInstanceUid, "UI", "1.2.3")
        .text(dicom::kModality, "CS", "ES")
        .text(dicom::kStudyInstanceUid, "UI", "1.2.4")
        .text(dicom::kSeriesInstanceUid, "UI", "1.2.5")
        .text(dicom::kInstanceNumber, "IS", "1")
        .u16(dicom::kSamplesPerPixel, "US", {3})
        .text(dicom::kNumberOfFrames, "IS", "5")
        .u16(dicom::kRows, "US", {4})
        .u16(dicom::kColumns, "US", {4})
        .u16(dicom::kBitsAllocated, "US", {8})
        .u16(dicom::kBitsStored, "US", {8})
        .u16(dicom::kHighBit, "US", {7})
        .u16(dicom::kPixelRepresentation, "US", {0})
        .fragments({{}, Bytes(32), Bytes(16)});
    std::filesystem::create_directory(scratch_ / syntax);
    testing::write_file(scratch_ / syntax + "/video.dcm", video.take());
    testing::pack_bytes({scratch_ / syntax}, scratch_ / syntax + ".dcbs");
    const Archive archive = Archive::open(scratch_ / syntax + ".dcbs").value();
    ASSERT_EQ(archive.frame_count(), 0U) << syntax;
    EXPECT_TRUE(archive.info().findings->empty()) << syntax;
    EXPECT_TRUE(check(slices_of(archive)->slices).empty()) << syntax;
    const auto files = slices_in({scratch_ / syntax}, {}, [](const Error&) {}).value();
    EXPECT_TRUE(check(files.at(0).slices).empty()) << syntax;
  }
}

TEST_F(PackedFindings, AreOfAFolderWithItsProgressAndUntilACancel) {
  testing::write_series(scratch_ / "scan", 5);
  CallOptions options;
  std::atomic<bool> cancel = false;
  options.cancel = &cancel;
  std::uint64_t last = 0;
  options.on_progress = [&](const Progress& progress) {
    EXPECT_EQ(progress.phase, Progress::Phase::kScan);
    last = progress.files_done;
  };
  EXPECT_TRUE(slices_in({scratch_ / "scan"}, options, [](const Error&) {}));
  EXPECT_EQ(last, 5U);
  cancel = true;
  EXPECT_FALSE(slices_in({scratch_ / "scan"}, options, [](const Error&) {}));
}

}  // namespace
}  // namespace dicube
