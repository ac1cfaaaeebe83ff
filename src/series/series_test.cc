// Whole series: pack, restore, compare.
#include "dicube/series.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "archive/testing.h"
#include "base/hash.h"
#include "dicom/testing.h"
#include "dicube/archive.h"
#include "io/file.h"
#include "series/check.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

namespace fs = std::filesystem;
using dicom::testing::ct_image;
using dicom::testing::FileBuilder;

class Series : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "dicube-series-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    fs::create_directories(source());
  }
  void TearDown() override { fs::remove_all(root_); }
  fs::path source() const { return root_ / "source"; }
  fs::path archives() const { return root_ / "archives"; }
  fs::path restored() const { return root_ / "restored"; }

  void write(const std::string& name, ByteSpan bytes) const {
    const fs::path path = source() / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  // Every entry below the folder: SHA-256 of files, "folder" for folders.
  static std::map<std::string, std::string> tree(const fs::path& folder) {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      out[entry.path().lexically_relative(folder).string()] =
          entry.is_directory() ? "folder" : hex(sha256(dicube::testing::read_bytes(entry.path().string())));
    return out;
  }

  PackSummary pack_all(const fs::path& from) const {
    PackOptions options;
    options.all = true;
    auto summary = pack({from.string()}, archives().string(), options);
    EXPECT_TRUE(summary.has_value()) << describe(summary.error());
    for (const SeriesReport& report : summary->series) EXPECT_FALSE(report.error) << describe(*report.error);
    return *summary;
  }

  void unpack_all() const {
    for (const auto& entry : fs::directory_iterator(archives())) {
      auto report = unpack(entry.path().string(), restored().string());
      ASSERT_TRUE(report.has_value()) << describe(report.error());
      for (const Error& error : report->errors) ADD_FAILURE() << describe(error);
    }
  }

  fs::path root_;
};

TEST_F(Series, ComesBackByteForByte) {
  for (unsigned i = 1; i <= 12; ++i) write("ct/IM" + std::to_string(i), ct_image(i, 32, 48));
  const auto summary = pack_all(source());
  ASSERT_EQ(summary.series.size(), 1U);
  EXPECT_EQ(summary.series[0].instances, 12U);
  EXPECT_EQ(summary.series[0].frames, 12U);
  unpack_all();
  EXPECT_EQ(tree(source()), tree(restored()));
}

TEST_F(Series, OfEveryEncodingAndEveryQuirkComeBackByteForByteWithAll) {
  unsigned number = 0;
  for (const Bytes& file : dicom::testing::sample_files()) write("quirk" + std::to_string(number++), file);
  for (auto encoding : {dicom::Encoding::kImplicitLittle, dicom::Encoding::kExplicitBig})
    for (unsigned i = 1; i <= 3; ++i)
      write("e" + std::to_string(static_cast<int>(encoding)) + "/" + std::to_string(i), ct_image(i, 9, 7, 2, encoding));
  write("note.txt", as_bytes("no DICOM"));
  write("nothing", {});
  fs::create_directories(source() / "empty" / "inside");
  pack_all(source());
  unpack_all();
  EXPECT_EQ(tree(source()), tree(restored()));
}

TEST_F(Series, CutAtAnyByteComesBackByteForByteWithAll) {
  const Bytes whole = ct_image(1, 4, 4);
  for (std::size_t size = 0; size < whole.size(); size += 7)
    write("cut" + std::to_string(size), ByteSpan(whole).first(size));
  pack_all(source());
  unpack_all();
  EXPECT_EQ(tree(source()), tree(restored()));
}

// Texts that are the same in every column of a file, but not in every file, repeat across columns, not in them.
class SeriesWithColumnsAlike : public Series {
 protected:
  // The section of columns of two files, each with `texts` elements and `noise` bytes that don't pack.
  format::Section packed_columns(std::uint32_t texts, std::size_t noise) {
    std::mt19937 random(3);
    for (const std::string name : {"1.dcm", "2.dcm"}) {
      std::string text(200, ' ');
      for (char& letter : text) letter = static_cast<char>('a' + random() % 26);
      Bytes bulk(noise);
      for (std::byte& byte : bulk) byte = std::byte(random());
      FileBuilder file;
      file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kSeriesInstanceUid, "UI", "1.2");
      for (std::uint32_t element = 0; element < texts; ++element)
        file.text(0x00091000 + element, "LT", text + std::to_string(element));
      file.header(0x00111001, "OB", static_cast<std::uint32_t>(noise)).raw(bulk);
      write(name, file.take());
    }
    pack_all(source());
    const Bytes archive = dicube::testing::read_bytes((archives() / "1.2.dcbs").string());
    unpack_all();
    EXPECT_EQ(tree(source()), tree(restored()));
    return *archive::testing::header_of(archive).find(format::SectionId::kColumns);
  }
};

TEST_F(SeriesWithColumnsAlike, HasThemPackedTogetherWhereThatSavesMuchOfTheFile) {
  const format::Section columns = packed_columns(40, 0);
  EXPECT_TRUE(columns.packed);
  EXPECT_LT(columns.stored, 900U);
}

TEST_F(SeriesWithColumnsAlike, HasThemPackedTogetherWhereUnpackingThemAllTakesNoTime) {
  const format::Section columns = packed_columns(12, 1 << 20);
  EXPECT_TRUE(columns.packed);
  EXPECT_LT(columns.stored, 700U);
}

TEST_F(SeriesWithColumnsAlike, HasThemPackedOneByOneElse) { EXPECT_FALSE(packed_columns(40, 1 << 22).packed); }

TEST_F(Series, IsGroupedByItsUidAndOrderedByInstanceNumber) {
  for (unsigned i = 1; i <= 5; ++i) {
    write("z" + std::to_string(9 - i), ct_image(i, 8, 8, 1));
    write("b" + std::to_string(i), ct_image(i, 8, 8, 2));
  }
  auto summary = pack({source().string()}, archives().string());
  ASSERT_TRUE(summary.has_value());
  ASSERT_EQ(summary->series.size(), 2U);
  for (const SeriesReport& report : summary->series) {
    auto archive = Archive::open(report.archive);
    ASSERT_TRUE(archive.has_value()) << describe(archive.error());
    auto numbers = archive->column("InstanceNumber");
    ASSERT_TRUE(numbers.has_value());
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(numbers->number(i), static_cast<double>(i + 1));
  }
}

// As presentation states of Philips' MR scanners: what groups files stands behind long sequences.
TEST_F(Series, IsFoundBehindSequencesHoweverLong) {
  for (const bool defined : {false, true})
    for (const std::size_t size : {std::size_t{20} << 10, std::size_t{100} << 10, std::size_t{600} << 10}) {
      FileBuilder file;
      file.meta(dicom::kExplicitLittleUid).text(dicom::kSopInstanceUid, "UI", "1.2.3." + std::to_string(size));
      file.sequence(0x00081111, defined).item(defined).text(0x00081150, "UI", "1.2.840").end().end();
      file.sequence(0x00081115, defined).item(defined).element(0x00420011, "OB", Bytes(size)).end().end();
      file.text(dicom::kSeriesInstanceUid, "UI", defined ? "1.2.4" : "1.2.5").text(dicom::kInstanceNumber, "IS", "7");
      write((defined ? "d" : "u") + std::to_string(size), file.take());
    }
  const auto summary = pack({source().string()}, archives().string());
  ASSERT_TRUE(summary.has_value()) << describe(summary.error());
  EXPECT_TRUE(summary->errors.empty());
  ASSERT_EQ(summary->series.size(), 2U);
  EXPECT_EQ(Archive::open((archives() / "1.2.4.dcbs").string()).value().instances().size(), 3U);
  EXPECT_EQ(Archive::open((archives() / "1.2.5.dcbs").string()).value().instances().size(), 3U);
  const auto slices = slices_in({source().string()}, {}, [](const Error& error) { ADD_FAILURE() << describe(error); });
  ASSERT_TRUE(slices.has_value()) << describe(slices.error());
  EXPECT_EQ(slices->size(), 2U);
}

TEST_F(Series, HasSlicesWhosePlaceIsNoNumberBehindTheOthers) {
  const auto slice = [](const std::string& position, const std::string& orientation) {
    return FileBuilder()
        .meta(dicom::kExplicitLittleUid)
        .text(dicom::kSeriesInstanceUid, "UI", "1.2")
        .text(dicom::kImagePosition, "DS", position)
        .text(dicom::kImageOrientation, "DS", orientation)
        .take();
  };
  write("a", slice("0\\0\\1", "1e200\\1e200\\1e200\\1e200\\1e200\\1e200"));
  write("b", slice("0\\0\\2", "1\\0\\0\\0\\1\\0"));
  write("c", slice("0\\0\\1", "1\\0\\0\\0\\1\\0"));
  ASSERT_TRUE(pack({source().string()}, (root_ / "one.dcbs").string()).has_value());
  auto archive = Archive::open((root_ / "one.dcbs").string());
  ASSERT_TRUE(archive.has_value()) << describe(archive.error());
  std::string names;
  for (const Instance& instance : archive->instances()) names += instance.name;
  EXPECT_EQ(names, "cba");
}

TEST_F(Series, AnswersFieldsByKeywordTagAndPath) {
  for (unsigned i = 1; i <= 4; ++i) write(std::to_string(i), ct_image(i));
  auto summary = pack({source().string()}, (root_ / "one.dcbs").string());
  ASSERT_TRUE(summary.has_value()) << describe(summary.error());
  auto archive = Archive::open((root_ / "one.dcbs").string());
  ASSERT_TRUE(archive.has_value()) << describe(archive.error());
  EXPECT_TRUE(archive->column("PatientName")->is_constant());
  EXPECT_EQ(archive->column("0010,0010")->text(2), "Phantom^Small");
  EXPECT_EQ(archive->column("ImagePositionPatient")->numbers(2), (std::vector<double>{-100, -100, 6}));
  const std::string path = "ReferencedImageSequence[0].ReferencedSOPInstanceUID";
  ASSERT_TRUE(archive->column(path).has_value());
  EXPECT_EQ(archive->column(path)->text(3), "1.2.826.0.1.3680043.8.498.1.1.4.1");
  EXPECT_EQ(archive->column("PatientSize").error().error_class, ErrorClass::kNotFound);
  EXPECT_EQ(archive->column("NoSuchKeyword").error().error_class, ErrorClass::kUsage);
}

TEST_F(Series, GivesTheStoredValuesOfEveryFrame) {
  const Bytes file = ct_image(3, 6, 5);
  for (unsigned i = 1; i <= 3; ++i) write(std::to_string(i), ct_image(i, 6, 5));
  ASSERT_TRUE(pack({source().string()}, (root_ / "one.dcbs").string()).has_value());
  auto archive = Archive::open((root_ / "one.dcbs").string());
  ASSERT_TRUE(archive.has_value());
  Bytes pixels(archive->pixel_format(2).frame_bytes());
  ASSERT_TRUE(archive->read_frame(2, pixels).has_value());
  EXPECT_TRUE(same_bytes(pixels, ByteSpan(file).last(pixels.size())));
  Bytes all(3 * pixels.size());
  ASSERT_TRUE(archive->read_frames(0, 3, all, 2).has_value());
  EXPECT_TRUE(same_bytes(ByteSpan(all).last(pixels.size()), pixels));
  EXPECT_TRUE(same_bytes(archive->read_frames(1, 2, 2)->span(), ByteSpan(all).last(2 * pixels.size())));
  EXPECT_EQ(archive->read_frames(3, 0, 2)->size(), 0U);
  for (const std::size_t count : {std::size_t{3}, std::size_t{1} << 40, ~std::size_t{0}})
    EXPECT_EQ(archive->read_frames(1, count, 2).error().error_class, ErrorClass::kNotFound) << count;
  EXPECT_EQ(archive->read_frame(3, pixels).error().error_class, ErrorClass::kNotFound);
  EXPECT_EQ(archive->read_frame(0, all).error().error_class, ErrorClass::kUsage);
}

TEST_F(Series, WithTwoFilesOfOneSopInstanceUidKeepsBothAndSaysSo) {
  write("a", ct_image(1));
  write("b", ct_image(1));
  const auto summary = pack_all(source());
  ASSERT_EQ(summary.series[0].findings.size(), 1U);
  EXPECT_EQ(summary.series[0].findings[0].code, "duplicate_sop_instance_uid");
  EXPECT_TRUE(summary.series[0].findings[0].message.ends_with(", the same byte for byte"));
  unpack_all();
  EXPECT_EQ(tree(source()), tree(restored()));
}

TEST_F(Series, ThatExistsIsNotReplacedUnasked) {
  write("a", ct_image(1));
  pack_all(source());
  const auto before = tree(archives());
  auto again = pack({source().string()}, archives().string());
  ASSERT_TRUE(again.has_value());
  ASSERT_TRUE(again->series[0].error.has_value());
  EXPECT_EQ(again->series[0].error->error_class, ErrorClass::kConflict);
  EXPECT_EQ(tree(archives()), before);
}

TEST_F(Series, InAFolderWithoutDicomIsAnError) {
  write("a.txt", as_bytes("text"));
  auto summary = pack({source().string()}, archives().string());
  ASSERT_FALSE(summary.has_value());
  EXPECT_EQ(summary.error().error_class, ErrorClass::kNotDicom);
  EXPECT_FALSE(fs::exists(archives()));
}

// A slice whose share is away, or whose contents were not fetched (git-annex), is such a link: unlike text, it can't be
// told to be no DICOM, and who deletes sources by the exit code would believe it packed.
TEST_F(Series, WithALinkToNothingLacksWhatMayBeASlice) {
  write("1.dcm", ct_image(1));
  write("notes", as_bytes("text"));
  fs::create_symlink("/nowhere/2.dcm", source() / "2.dcm");
  for (const bool all : {false, true}) {
    PackOptions options;
    options.all = all;
    const auto summary = pack({source().string()}, (root_ / (all ? "all" : "some")).string(), options);
    ASSERT_TRUE(summary && summary->errors.size() == 1);
    EXPECT_EQ(describe(summary->errors[0]), (source() / "2.dcm").string() + ": a link to nothing: left out");
    EXPECT_EQ(summary->series.size(), all ? 2U : 1U) << "the rest is packed";
  }
}

TEST_F(Series, AboveALinkIsThatOfTheFolderItPointsInto) {
  write("other", ct_image(1, 8, 8, 1));
  write("here/far/IM1", ct_image(1, 8, 8, 2));
  fs::create_directories(source() / "here/far/in");
  fs::create_directory_symlink("here/far/in", source() / "link");
  PackOptions options;
  options.dry_run = true;
  for (const char* path : {"link/..", "link/../", "link/../.", "link/../../far", "link/../IM1"}) {
    const auto found = pack({(source() / path).string()}, archives().string(), options);
    EXPECT_TRUE(found && found->files == 1) << path;
  }
}

TEST_F(Series, OnlyOneFitsIntoOneNamedArchive) {
  write("a", ct_image(1, 8, 8, 1));
  write("b", ct_image(1, 8, 8, 2));
  auto summary = pack({source().string()}, (root_ / "one.dcbs").string());
  ASSERT_FALSE(summary.has_value());
  EXPECT_EQ(summary.error().error_class, ErrorClass::kUsage);
}

TEST_F(Series, IsVerifiedAndDamageIsFound) {
  for (unsigned i = 1; i <= 3; ++i) write(std::to_string(i), ct_image(i, 64, 64));
  const std::string path = (root_ / "one.dcbs").string();
  ASSERT_TRUE(pack({source().string()}, path).has_value());
  EXPECT_TRUE(verify(path)->errors.empty());
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-10, std::ios::end);
  file.put('!');
  file.close();
  auto report = verify(path);
  ASSERT_TRUE(report.has_value());
  ASSERT_EQ(report->errors.size(), 1U);
  EXPECT_EQ(report->errors[0].error_class, ErrorClass::kDamaged);
}

TEST_F(Series, OfTheCorpusComeBackByteForByteWithAll) {
  const char* named = std::getenv("DICUBE_CORPUS");
  const fs::path corpus = named != nullptr ? fs::path(named) : fs::path(DICUBE_SOURCE_DIR) / ".." / "shared" / "data";
  if (!fs::exists(corpus)) GTEST_SKIP() << "no corpus at " << corpus;
  pack_all(fs::canonical(corpus));
  unpack_all();
  EXPECT_EQ(tree(corpus), tree(restored()));
}

TEST_F(Series, OfEachSingleCorpusFileComesBackByteForByte) {
  const char* named = std::getenv("DICUBE_CORPUS");
  const fs::path corpus = named != nullptr ? fs::path(named) : fs::path(DICUBE_SOURCE_DIR) / ".." / "shared" / "data";
  if (!fs::exists(corpus)) GTEST_SKIP() << "no corpus at " << corpus;
  PackOptions options;
  options.all = true;
  options.on_conflict = OnConflict::kOverwrite;
  const std::string archive = (root_ / "one.dcbs").string();
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(corpus)) {
    if (!entry.is_regular_file()) continue;
    auto summary = pack({entry.path().string()}, archive, options);
    ASSERT_TRUE(summary.has_value()) << entry.path() << ": " << describe(summary.error());
    ASSERT_FALSE(summary->series[0].error) << describe(*summary->series[0].error);
    auto opened = Archive::open(archive);
    ASSERT_TRUE(opened.has_value());
    auto bytes = opened->read_instance(0);
    ASSERT_TRUE(bytes.has_value()) << describe(bytes.error());
    ASSERT_TRUE(same_bytes(*bytes, dicube::testing::read_bytes(entry.path().string()))) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 0U);
  RecordProperty("files", static_cast<int>(files));
}

TEST_F(Series, NumbersWithoutAVrAreSignedByTheirOwnItemsPixelRepresentation) {
  FileBuilder file(dicom::Encoding::kImplicitLittle);
  file.meta(dicom::testing::kImplicitLittleUid).text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
  file.u16(dicom::kPixelRepresentation, "US", {1});
  file.sequence(0x00409096).item().u16(0x00409216, "SS", {0xF830}).end().end();
  file.sequence(0x00880200).item().u16(dicom::kPixelRepresentation, "US", {0}).u16(0x00280120, "US", {9}).end().end();
  file.sequence(0x00880300).item().u16(0x00280120, "SS", {0xF830}).end().end();
  write("a", file.take());
  pack_all(source());
  const auto data = Archive::open((archives() / "1.2.3.dcbs").string()).value().data_set(0).value();
  std::vector<std::string> vrs;
  for (const Element& element : data.elements)
    if (element.is_sequence) vrs.push_back(element.items[0].back().vr);
  EXPECT_EQ(vrs, (std::vector<std::string>{"SS", "US", "SS"}));
}

TEST(Archive, ReducedByMoreThanThereIsHasOnePixel) {
  PixelFormat format;
  format.rows = 0xFFFFFFFF;
  format.columns = 5;
  for (const unsigned level : {32U, 33U, 63U, 64U, 1000U}) {
    EXPECT_EQ(Archive::reduced(format, level).rows, 1U);
    EXPECT_EQ(Archive::reduced(format, level).columns, 1U);
  }
}

// Looking for each among those before it would take minutes.
TEST(Archive, OfVeryManyColumnsNamesTheirPathsAtOnce) {
  const testing::ScratchFolder folder;
  constexpr std::uint32_t kMany = 240'000;
  dicom::testing::FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
  std::mt19937 random(1);  // what is regular gives a schema of fewer bytes than so many columns need
  for (std::uint32_t i = 0; i < kMany; ++i)
    file.text((0x0021 + 2 * (i / 0x5000)) << 16 | (0x1000 + i % 0x5000 * 2 + random() % 2), "LO", "x");
  testing::write_file(folder / "in/many", file.take());
  testing::pack_bytes({folder / "in"}, folder / "many.dcbs");
  const auto archive = Archive::open(folder / "many.dcbs");
  ASSERT_TRUE(archive) << describe(archive.error());
  EXPECT_GE(archive->paths().size(), kMany);
}

}  // namespace
}  // namespace dicube
