// Under the address sanitizer these files of over 32 MiB take minutes each: values in pieces are tested there by
// columns/value_stream_test.cc, with small ones.
#ifndef __SANITIZE_ADDRESS__
// Files, values and images that are too large to be held in memory more than once: packed in pieces, and given back.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>

#include "archive/metadata.h"
#include "archive/state.h"
#include "dicube/dicube.h"
#include "series/faulty_system.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using testing::Fault;
using testing::FaultySystem;
using testing::ScratchFolder;

constexpr std::size_t kLarge = archive::MetadataBuilder::kLargeBytes + 3 * kPieceBytes / 2;

Bytes noise(std::size_t size, std::uint64_t seed = 1) {
  Bytes bytes(size);
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    store_le(bytes.data() + at, seed);
  }
  return bytes;
}

Bytes text(std::size_t size) {
  std::string out;
  for (unsigned i = 0; out.size() < size; ++i)
    out += std::to_string(i * 2654435761U % 1000) + (i % 9 == 0 ? "\n" : " ");
  const ByteSpan bytes = as_bytes(out);
  return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
}

// The archive of what is no DICOM.
Result<PackSummary> pack_others(const std::string& source, const std::string& out, unsigned threads = 1) {
  PackOptions options;
  options.all = true;
  options.threads = threads;
  return pack({source}, out, options);
}

// Packs a folder in several ways and expects the same archives, and the same files from them.
void expect_round_trip(const std::string& source, const ScratchFolder& folder, const PackOptions& how = {}) {
  std::map<std::string, Bytes> archives;
  for (const unsigned threads : {1U, 3U}) {
    const std::string out = folder / ("out" + std::to_string(threads));
    PackOptions options = how;
    options.all = true;
    options.threads = threads;
    const auto summary = pack({source}, out, options);
    ASSERT_TRUE(summary) << describe(summary.error());
    EXPECT_TRUE(summary->errors.empty());
    for (const SeriesReport& report : summary->series) {
      ASSERT_FALSE(report.error) << describe(*report.error);
      EXPECT_TRUE(report.findings.empty()) << report.findings[0].message;
      UnpackOptions unpacking;
      unpacking.verify = true;
      const auto unpacked = unpack(report.archive, folder / "back", unpacking);
      ASSERT_TRUE(unpacked) << describe(unpacked.error());
      for (const Error& error : unpacked->errors) ADD_FAILURE() << describe(error);
    }
    EXPECT_TRUE(testing::tree(folder / "back") == testing::tree(source)) << threads;
    std::filesystem::remove_all(folder / "back");
    auto made = testing::tree(out);
    EXPECT_TRUE(archives.empty() || archives == made) << "other bytes with " << threads << " threads";
    archives = std::move(made);
  }
}

TEST(ALargeFile, AmongSmallOnesComesBackWhetherItPacksBadlyWellOrTooWell) {
  const ScratchFolder folder;
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  testing::write_series(folder / "in/series", 3);
  testing::write_file(folder / "in/a", text(100));
  testing::write_file(folder / "in/b", noise(kLarge));
  testing::write_file(folder / "in/c", text(kLarge));
  testing::write_file(folder / "in/d", text(200'000));
  testing::write_file(folder / "in/e", Bytes(kLarge));  // zstd's shortest frame of it would look like a bomb
  testing::write_file(folder / "in/f", text(100));
  expect_round_trip(folder / "in", folder);
  const auto archive = Archive::open(folder / "out1/other.dcbs");
  ASSERT_TRUE(archive);
  const auto whole = archive->read_instance(1);
  ASSERT_TRUE(whole) << describe(whole.error());
  EXPECT_TRUE(*whole == noise(kLarge));
  EXPECT_LT(archive->info().file_bytes, kLarge + kLarge / 2)
      << "noise as it is, text at half its size, zeros at a 256th";
  ConvertOptions options;
  const auto converted = convert(folder / "out1/other.dcbs", folder / "again/other.dcbs", options);
  ASSERT_TRUE(converted) << describe(converted.error());
  EXPECT_TRUE(testing::read_bytes(folder / "again/other.dcbs") == testing::read_bytes(folder / "out1/other.dcbs"));
}

TEST(ALargeElement, OfADataSetOrOfAnItemComesBack) {
  const ScratchFolder folder;
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  for (const bool in_item : {false, true}) {
    dicom::testing::FileBuilder file;
    file.meta(dicom::testing::kExplicitLittleUid)
        .text(dicom::kSopInstanceUid, "UI", "1.2.3." + std::to_string(in_item))
        .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
        .element(0x00291010, "OB", noise(200'000));
    if (in_item) file.sequence(0x00291020, true).item();
    file.element(0x00420011, "OB", text(kLarge / 2 * 2));
    if (in_item) file.end().end();
    file.text(0x00420012, "LO", "text/plain").raw(noise(300'000, 2));  // and a tail
    testing::write_file(folder / ("in/" + std::to_string(in_item)), file.take());
  }
  PackOptions options;
  for (const unsigned threads : {1U, 2U}) {
    options.threads = threads;
    const std::string out = folder / ("out" + std::to_string(threads));
    const auto summary = pack({folder / "in"}, out, options);
    ASSERT_TRUE(summary) << describe(summary.error());
    ASSERT_EQ(summary->series.size(), 1U);
    ASSERT_FALSE(summary->series[0].error) << describe(*summary->series[0].error);
    ASSERT_TRUE(unpack(summary->series[0].archive, folder / "back"));
    EXPECT_TRUE(testing::tree(folder / "back") == testing::tree(folder / "in"));
    std::filesystem::remove_all(folder / "back");
  }
  EXPECT_TRUE(testing::tree(folder / "out1") == testing::tree(folder / "out2"));
}

// An image of many frames, every other one of noise.
Bytes many_frames(unsigned frames, unsigned side, std::uint16_t bits) {
  dicom::testing::FileBuilder file;
  Bytes pixels;
  const std::size_t frame_bytes = std::size_t{side} * side * bits / 8;
  for (unsigned i = 0; i < frames; ++i)
    append(pixels, i % 2 == 0 ? noise(frame_bytes, i + 1) : Bytes(frame_bytes, std::byte(i)));
  pixels.resize((std::uint64_t{frames} * side * side * bits + 15) / 16 * 2);
  file.meta(dicom::testing::kExplicitLittleUid)
      .text(dicom::kSopInstanceUid, "UI", "1.2.3.1")
      .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
      .u16(dicom::kSamplesPerPixel, "US", {1})
      .text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2")
      .text(dicom::kNumberOfFrames, "IS", std::to_string(frames))
      .u16(dicom::kRows, "US", {static_cast<std::uint16_t>(side)})
      .u16(dicom::kColumns, "US", {static_cast<std::uint16_t>(side)})
      .u16(dicom::kBitsAllocated, "US", {bits})
      .u16(dicom::kBitsStored, "US", {bits})
      .u16(dicom::kHighBit, "US", {static_cast<std::uint16_t>(bits - 1)})
      .u16(dicom::kPixelRepresentation, "US", {0})
      .element(dicom::kPixelData, bits > 8 ? "OW" : "OB", pixels);
  return file.take();
}

TEST(AnImageOfManyFrames, IsPackedInPartsToTheSameArchiveAndComesBack) {
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  for (const bool references : {false, true}) {
    const ScratchFolder folder;
    testing::write_file(folder / "in/one", many_frames(66, 1024, 8));  // two parts of 32 MiB and a small one
    PackOptions options;
    options.references = references;
    options.codec = references ? Codec::kAuto : Codec::kLane;
    expect_round_trip(folder / "in", folder, options);
  }
}

TEST(AFrame, ThatIsLargeGoesInTheCodecThatTakesLeastMemory) {
  const ScratchFolder folder;
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  for (const unsigned side : {4000U, 4160U}) {  // 32.0 and 34.6 million bytes
    Bytes file = many_frames(1, side, 16);
    std::byte* const pixels = file.data() + file.size() - std::size_t{2} * side * side;
    const Bytes random = noise(std::size_t{side} * side);
    for (unsigned i = 0; i < side * side; ++i)
      store_le(pixels + std::size_t{2} * i,
               static_cast<std::uint16_t>((i % side + i / side) / 4 + std::to_integer<unsigned>(random[i]) % 16));
    testing::write_file(folder / "in/one", file);
    const auto summary = pack({folder / "in"}, folder / std::to_string(side));
    ASSERT_TRUE(summary && !summary->series[0].error);
    EXPECT_EQ(summary->series[0].codec, side == 4000 ? "lane" : "htj2k");
  }
}

TEST(AnImageOfManyFrames, OfOneBitAValueThatShareBytesComesBack) {
  const ScratchFolder folder;
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  testing::write_file(folder / "in/one", many_frames(7, 3003, 1));
  expect_round_trip(folder / "in", folder);
}

TEST(AnImageOfManyFrames, MayHaveManyElementsForEachOfThem) {
  constexpr unsigned kFrames = 130, kSide = 256, kItems = 90'000;
  Bytes file = many_frames(kFrames, kSide, 8), items;
  for (unsigned i = 0; i < kItems; ++i)
    append(items, as_bytes(std::string_view("\xFE\xFF\x00\xE0\x0A\0\0\0\x20\0\x56\x90SH\2\0A1", 18)));
  Bytes sequence(12);
  store_le(sequence.data(), std::uint32_t{0x92305200});  // Per-Frame Functional Groups Sequence
  std::memcpy(sequence.data() + 4, "SQ", 2);
  store_le(sequence.data() + 8, static_cast<std::uint32_t>(items.size()));
  append(sequence, items);
  const auto pixels = file.end() - kFrames * kSide * kSide - 12;
  file.insert(pixels, sequence.begin(), sequence.end());
  const ScratchFolder folder;
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  testing::write_file(folder / "in/one", file);
  expect_round_trip(folder / "in", folder);
  const auto archive = Archive::open(folder / "out1/1.2.3.dcbs");
  ASSERT_TRUE(archive);
  EXPECT_EQ(archive->frame_count(), kFrames);
  EXPECT_TRUE(archive->column("PerFrameFunctionalGroupsSequence"));
}

// Does something to a file when its sixth piece is read; when it returns false, that fails.
class WhileRead : public testing::WithoutSync {
 public:
  explicit WhileRead(std::function<bool()> strike) : strike_(std::move(strike)) {}
  ssize_t pread(int file, void* to, std::size_t size, off_t offset) override {
    const bool strikes = offset == static_cast<off_t>(5 * kPieceBytes) && !struck_;
    struck_ = struck_ || strikes;
    if (!strikes || strike_()) return System::pread(file, to, size, offset);
    errno = EIO;
    return -1;
  }

 private:
  std::function<bool()> strike_;
  bool struck_ = false;
};

TEST(ALargeFile, ThatIsCutOrCantBeReadInTheMiddleIsLeftOutAndTheOthersAreKept) {
  for (const bool cut : {false, true}) {
    const ScratchFolder folder;
    testing::write_file(folder / "in/a", text(100));
    testing::write_file(folder / "in/b", noise(kLarge));
    testing::write_file(folder / "in/c", text(100));
    auto expected = testing::tree(folder / "in");
    expected.erase("b");
    WhileRead system([&] {
      if (cut) std::filesystem::resize_file(folder / "in/b", 5 * kPieceBytes + 100);
      return cut;
    });
    const io::ReplacedSystem replaced(system);
    const auto summary = pack_others(folder / "in", folder / "out");
    ASSERT_TRUE(summary) << describe(summary.error());
    ASSERT_EQ(summary->errors.size(), 1U);
    EXPECT_EQ(summary->errors[0].error_class, cut ? ErrorClass::kChanged : ErrorClass::kIo)
        << describe(summary->errors[0]);
    EXPECT_TRUE(summary->errors[0].file.ends_with("in/b"));
    ASSERT_EQ(summary->series.size(), 1U);
    EXPECT_FALSE(summary->series[0].error);
    EXPECT_EQ(summary->series[0].instances, 2U);
    ASSERT_TRUE(unpack(summary->series[0].archive, folder / "back"));
    EXPECT_EQ(testing::tree(folder / "back"), expected);
  }
}

// At calls all over the work: what is reported as packed is whole, and else nothing is left.
TEST(ALargeFile, IsPackedWholeOrNotAtAllWhenTheSystemFailsInTheMiddle) {
  const ScratchFolder folder;
  testing::write_file(folder / "in/a", noise(kLarge));
  testing::write_file(folder / "in/b", text(100));
  const auto expected = testing::tree(folder / "in");
  constexpr std::size_t kStep = 61;
  unsigned failed = 0;
  for (const Fault fault : {Fault::kIoError, Fault::kNoSpace, Fault::kDiskFull})
    for (std::size_t strike = kStep / 2;; strike += kStep) {
      FaultySystem system(fault, strike);
      Result<PackSummary> summary = PackSummary();
      {
        const io::ReplacedSystem replaced(system);
        summary = pack_others(folder / "in", folder / "out");
      }
      if (!system.has_struck()) break;
      ASSERT_TRUE(summary) << describe(summary.error());
      const bool packed = summary->series.size() == 1 && !summary->series[0].error;
      failed += !packed;
      if (packed) {
        testing::WithoutSync calm;
        const io::ReplacedSystem replaced(calm);
        ASSERT_TRUE(unpack(summary->series[0].archive, folder / "back"));
        auto files = testing::tree(folder / "back");
        for (const Error& error : summary->errors)
          files[std::filesystem::path(error.file).filename()] =
              expected.at(std::filesystem::path(error.file).filename());
        EXPECT_TRUE(files == expected) << strike;
        std::filesystem::remove_all(folder / "back");
      } else if (std::filesystem::exists(folder / "out")) {
        EXPECT_TRUE(std::filesystem::is_empty(folder / "out")) << strike;
      }
      std::filesystem::remove_all(folder / "out");
    }
  EXPECT_GT(failed, 5U);
}

TEST(ALargeFile, WhoseBytesAreDamagedInTheArchiveIsNotGivenBack) {
  const ScratchFolder folder;
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  for (const bool packs : {false, true}) {
    testing::write_file(folder / "in/a", packs ? text(kLarge) : noise(kLarge));
    ASSERT_TRUE(pack_others(folder / "in", folder / "out"));
    Bytes bytes = testing::read_bytes(folder / "out/other.dcbs");
    bytes[bytes.size() / 2] ^= std::byte{4};
    testing::write_file(folder / "bad.dcbs", bytes);
    const auto verified = verify(folder / "bad.dcbs");
    ASSERT_TRUE(verified);
    ASSERT_EQ(verified->errors.size(), 1U);
    EXPECT_EQ(verified->errors[0].error_class, ErrorClass::kDamaged);
    EXPECT_NE(verified->errors[0].message.find("checksum"), std::string::npos) << describe(verified->errors[0]);
    const auto unpacked = unpack(folder / "bad.dcbs", folder / "back");
    ASSERT_TRUE(unpacked);
    EXPECT_EQ(unpacked->failed, 1U);
    EXPECT_FALSE(std::filesystem::exists(folder / "back"));
    const auto archive = Archive::open(folder / "bad.dcbs");
    ASSERT_TRUE(archive);
    EXPECT_FALSE(archive->read_instance(0));
    std::filesystem::remove_all(folder / "out");
  }
}

// KiB by which a process grows in `work`; a failure there fails the test.
long growth(const std::function<bool()>& work) {
  long grown = -1;
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  testing::in_child([&] {
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    const bool well = work();
    ::getrusage(RUSAGE_SELF, &after);
    const long more = well ? after.ru_maxrss - before.ru_maxrss : -1;
    if (::write(ends[1], &more, sizeof more) != sizeof more) ::_exit(1);
  });
  if (::read(ends[0], &grown, sizeof grown) != sizeof grown) grown = -1;
  ::close(ends[0]), ::close(ends[1]);
  return grown;
}

TEST(ALargeFile, TakesLittleMemoryToPackVerifyAndUnpack) {
  if (!testing::kMeasure) GTEST_SKIP();
  const ScratchFolder folder;
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  constexpr long kMost = 80 * 1024;  // KiB, of which zstd takes most; the file has 160
  testing::write_file(folder / "in/a", noise(std::size_t{160} << 20));
  const std::string archive = folder / "out/other.dcbs";
  const auto expect_little = [&](const std::function<bool()>& work) {
    const long grown = growth(work);
    EXPECT_GE(grown, 0);
    EXPECT_LE(grown, kMost);
  };
  expect_little([&] { return pack_others(folder / "in", folder / "out").has_value(); });
  expect_little([&] { return verify(archive)->errors.empty(); });
  expect_little([&] { return unpack(archive, folder / "back")->errors.empty(); });
  EXPECT_EQ(std::filesystem::file_size(folder / "back/a"), std::size_t{160} << 20);
}

TEST(LargeValues, AreNotHeldWhereTheirSizeIsEnough) {
  const ScratchFolder folder;
  dicom::testing::FileBuilder file;
  file.raw(dicom::testing::ct_image(1)).element(0x7FE10010, "OB", noise(kLarge & ~std::size_t{1}));
  testing::write_file(folder / "in/1", file.take());
  testing::pack_bytes({folder / "in"}, folder / "a.dcbs");
  const Archive archive = Archive::open(folder / "a.dcbs").value();
  const auto data = ArchiveAccess::small_data_set(archive, 0);
  ASSERT_TRUE(data) << describe(data.error());
  const Element& large = data->elements.back();
  EXPECT_EQ(large.left_out, kLarge & ~std::size_t{1});
  EXPECT_TRUE(large.value.empty());
  std::size_t held = 0;
  for (const Bytes& value : data->storage) held += value.size();
  EXPECT_LT(held, 10'000U);
  EXPECT_EQ(archive.data_set(0)->elements.back().value.size(), large.left_out);
}

TEST(LargeValues, ThatAreSmallerThanThatAreHeldThoughTheyHaveABlockOfTheirOwn) {
  const ScratchFolder folder;
  const Bytes value = noise(std::size_t{200} << 10);
  dicom::testing::FileBuilder file;
  file.raw(dicom::testing::ct_image(1)).element(0x7FE10010, "OB", value);
  testing::write_file(folder / "in/1", file.take());
  testing::pack_bytes({folder / "in"}, folder / "a.dcbs");
  const Archive archive = Archive::open(folder / "a.dcbs").value();
  const auto data = ArchiveAccess::small_data_set(archive, 0);
  ASSERT_TRUE(data) << describe(data.error());
  EXPECT_EQ(data->elements.back().left_out, 0U);
  EXPECT_TRUE(same_bytes(data->elements.back().value, value));
}

}  // namespace
}  // namespace dicube
#endif
