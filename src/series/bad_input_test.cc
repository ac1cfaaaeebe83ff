// Broken DICOM of forty kinds is packed and comes back byte for byte, in bounded time and memory (R9).
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <functional>
#include <random>

#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::testing::ct_image;
using dicom::testing::FileBuilder;
using testing::ScratchFolder;
using Random = std::mt19937;

constexpr std::string_view kLittle = dicom::testing::kExplicitLittleUid;
const unsigned kFilesPerKind = testing::rounds(25, 240);
constexpr long kMostKilobytes = 64 * 1024;
constexpr double kMostSeconds = 1;  // of this process on a processor, whatever else the machine does

Bytes any_file(Random& random) {
  auto files = dicom::testing::sample_files();
  return files[random() % files.size()];
}

Bytes noise(std::size_t size, Random& random) {
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

Bytes joined(Bytes a, ByteSpan b) {
  append(a, b);
  return a;
}

// Four bytes somewhere become a length.
Bytes with_length(std::uint32_t length, Random& random) {
  Bytes file = any_file(random);
  store_le(file.data() + random() % (file.size() - 4), length);
  return file;
}

// An image whose description says what its pixels don't hold.
Bytes described(dicom::Tag tag, std::uint16_t value) {
  Bytes file = ct_image(1);
  for (std::size_t at = 132; at + 10 <= file.size(); ++at)
    if (load_le<std::uint16_t>(file.data() + at) == tag >> 16 &&
        load_le<std::uint16_t>(file.data() + at + 2) == (tag & 0xFFFF)) {
      store_le(file.data() + at + 8, value);
      break;
    }
  return file;
}

FileBuilder start(std::string_view syntax = kLittle) {
  FileBuilder file;
  file.meta(syntax).text(dicom::kSopInstanceUid, "UI", "1.2.3.4").text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
  return file;
}

Bytes with_frames(std::string_view frames) {
  return start()
      .text(0x00280008, "IS", frames)
      .u16(dicom::kRows, "US", {4})
      .u16(dicom::kColumns, "US", {4})
      .u16(dicom::kBitsAllocated, "US", {16})
      .element(dicom::kPixelData, "OW", Bytes(32))
      .take();
}

Bytes nested(unsigned depth, bool closed) {
  FileBuilder file = start();
  for (unsigned i = 0; i < depth; ++i) file.sequence(0x00081199).item();
  for (unsigned i = 0; closed && i < depth; ++i) file.end().end();
  return file.take();
}

Bytes encapsulated(const std::vector<Bytes>& fragments, std::string_view frames, bool closed = true) {
  FileBuilder file = start(dicom::kJpegLosslessUid);
  file.text(0x00280008, "IS", frames)
      .u16(dicom::kRows, "US", {4})
      .u16(dicom::kColumns, "US", {4})
      .u16(dicom::kBitsAllocated, "US", {16})
      .fragments(fragments);
  Bytes bytes = file.take();
  if (!closed) bytes.resize(bytes.size() - 8);
  return bytes;
}

Bytes deflate_bomb(std::size_t size) {
  Bytes out(size / 200 + 1000);
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
  const Bytes zeros(size);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(zeros.data()));
  stream.avail_in = static_cast<uInt>(size);
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return FileBuilder().meta(dicom::testing::kDeflatedUid).raw(out).take();
}

Bytes many_elements(unsigned count) {
  FileBuilder file = start();
  for (unsigned i = 0; i < count; ++i) file.header(0x00110000 + (i / 0x8000) * 0x20000 + i % 0x8000, "LO", 0);
  return file.take();
}

Bytes many_items(unsigned count) {
  FileBuilder file = start();
  file.sequence(0x00081199);
  for (unsigned i = 0; i < count; ++i) file.item().end();
  return file.end().take();
}

Bytes cut(Bytes file, std::size_t size) {
  file.resize(std::min(file.size(), size));
  return file;
}

Bytes flipped(Bytes file, unsigned bits, Random& random) {
  for (unsigned i = 0; i < bits; ++i) file[random() % file.size()] ^= std::byte{1} << (random() % 8);
  return file;
}

struct Kind {
  const char* name;
  std::function<Bytes(Random&)> make;
};

std::vector<Kind> kinds() {
  const Bytes four(4), six(6);
  return {
      {"cut anywhere",
       [](Random& r) {
         Bytes f = any_file(r);
         return cut(f, r() % f.size());
       }},
      {"cut in the meta group", [](Random& r) { return cut(any_file(r), 132 + r() % 60); }},
      {"noise behind", [](Random& r) { return joined(any_file(r), noise(1 + r() % 4096, r)); }},
      {"zeros behind", [](Random& r) { return joined(any_file(r), Bytes(1 + r() % 4096)); }},
      {"zeros", [](Random& r) { return Bytes(r() % 4096); }},
      {"noise", [](Random& r) { return noise(r() % 4096, r); }},
      {"noise behind the preamble",
       [](Random& r) { return joined(FileBuilder().preamble().take(), noise(r() % 4096, r)); }},
      {"noise behind the meta group",
       [](Random& r) { return joined(FileBuilder().meta(kLittle).take(), noise(r() % 4096, r)); }},
      {"the preamble alone", [](Random& r) { return cut(FileBuilder().preamble().take(), 120 + r() % 13); }},
      {"one bit flipped", [](Random& r) { return flipped(any_file(r), 1, r); }},
      {"sixteen bits flipped", [](Random& r) { return flipped(any_file(r), 16, r); }},
      {"a burst of noise",
       [](Random& r) {
         Bytes f = any_file(r);
         for (std::size_t i = 0, at = r() % (f.size() - 20); i < 20; ++i) f[at + i] = static_cast<std::byte>(r());
         return f;
       }},
      {"a length of 0xFFFFFFFE", [](Random& r) { return with_length(0xFFFFFFFE, r); }},
      {"an undefined length", [](Random& r) { return with_length(0xFFFFFFFF, r); }},
      {"a length of 2 GiB", [](Random& r) { return with_length(0x7FFFFFFF, r); }},
      {"65,535 rows", [](Random&) { return described(dicom::kRows, 0xFFFF); }},
      {"no rows", [](Random&) { return described(dicom::kRows, 0); }},
      {"65,535 samples", [](Random&) { return described(dicom::kSamplesPerPixel, 0xFFFF); }},
      {"bits that no type has",
       [](Random& r) { return described(dicom::kBitsAllocated, static_cast<std::uint16_t>(r() % 100)); }},
      {"more bits stored than allocated",
       [](Random& r) { return described(dicom::kBitsStored, static_cast<std::uint16_t>(17 + r() % 100)); }},
      {"2^31 frames", [](Random&) { return with_frames("2147483647"); }},
      {"a negative number of frames", [](Random&) { return with_frames("-5"); }},
      {"a number of frames that is none", [](Random&) { return with_frames("many"); }},
      {"an unknown VR", [](Random& r) { return start().element(0x00100010, "ZZ", noise(r() % 60, r)).take(); }},
      {"the file twice",
       [](Random& r) {
         Bytes f = any_file(r);
         return joined(f, f);
       }},
      {"an element twice",
       [](Random&) { return start().text(0x00100010, "PN", "A").text(0x00100010, "PN", "B").take(); }},
      {"elements out of order",
       [](Random&) { return start().text(0x00100010, "PN", "A").text(0x00080060, "CS", "CT").take(); }},
      {"64 levels", [](Random&) { return nested(64, true); }},
      {"65 levels", [](Random&) { return nested(65, true); }},
      {"a hundred thousand levels", [](Random& r) { return nested(100000, r() % 2 == 0); }},
      {"open sequences", [](Random& r) { return nested(1 + static_cast<unsigned>(r() % 60), false); }},
      {"a delimitation out of place",
       [](Random&) { return start().header(0xFFFEE0DD, "", 0).text(0x00100010, "PN", "A").take(); }},
      {"an odd length",
       [](Random& r) {
         return start().element(0x00100010, "PN", noise(2 * (r() % 20) + 1, r)).text(0x00100020, "LO", "1").take();
       }},
      {"the wrong transfer syntax",
       [](Random& r) {
         return FileBuilder()
             .meta(r() % 2 ? dicom::kExplicitBigUid : dicom::kImplicitLittleUid)
             .raw(ByteSpan(ct_image(1)).subspan(200))
             .take();
       }},
      {"an unknown transfer syntax", [](Random& r) { return joined(start("9.9.9.9").take(), noise(r() % 100, r)); }},
      {"a broken deflate stream",
       [](Random& r) { return FileBuilder().meta(dicom::testing::kDeflatedUid).raw(noise(r() % 500, r)).take(); }},
      {"a deflate stream of 40 MB of zeros", [](Random&) { return deflate_bomb(40 << 20); }},
      {"sixty thousand elements", [](Random&) { return many_elements(60000); }},
      {"a hundred thousand items", [](Random&) { return many_items(100000); }},
      {"fragments that never end",
       [=](Random&) {
         return encapsulated({{}, six}, "1", false);
       }},
      {"fewer fragments than frames",
       [=](Random&) {
         return encapsulated({{}, six, six}, "7");
       }},
      {"an offset table of noise",
       [=](Random& r) {
         return encapsulated({noise(12, r), six, four, six}, "3");
       }},
      {"no fragments at all", [](Random&) { return encapsulated({}, "1"); }},
  };
}

// Packs and restores one file; the bytes must be the same.
void expect_same_back(const ScratchFolder& folder, ByteSpan bytes, const char* kind, unsigned index) {
  const std::string number = std::to_string(index);
  testing::write_file(folder / ("in" + number + "/file"), bytes);
  PackOptions options;
  options.all = true;
  options.threads = 1;
  const std::clock_t start = std::clock();
  const auto summary = pack({folder / ("in" + number)}, folder / ("packed" + number), options);
  ASSERT_TRUE(summary.has_value()) << kind << ": " << describe(summary.error());
  ASSERT_EQ(summary->series.size(), 1U) << kind;
  ASSERT_FALSE(summary->series[0].error) << kind << ": " << describe(*summary->series[0].error);
  for (const Finding& finding : summary->series[0].findings)
    EXPECT_NE(finding.code, "kept_whole") << kind << ": " << finding.message;
  UnpackOptions unpacking;
  unpacking.threads = 1;
  const auto restored = unpack(summary->series[0].archive, folder / ("out" + number), unpacking);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  ASSERT_TRUE(restored.has_value() && restored->errors.empty()) << kind;
  EXPECT_TRUE(same_bytes(testing::read_bytes(folder / ("out" + number + "/file")), bytes)) << kind;
  if (testing::kMeasure) {
    EXPECT_LE(seconds, kMostSeconds) << kind << ", " << bytes.size() << " bytes";
  }
}

TEST(BadInput, OfFortyKindsComesBackByteForByteInBoundedTimeAndMemory) {
  ASSERT_GE(kinds().size(), 40U);
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  unsigned seed = 1;
  for (const Kind& kind : kinds()) {
    const ScratchFolder folder;
    const pid_t child = ::fork();  // its memory can be measured
    ASSERT_GE(child, 0);
    if (child == 0) {
      Random random(seed);
      std::vector<Bytes> files;
      for (unsigned i = 0; i < kFilesPerKind; ++i) files.push_back(kind.make(random));
      const auto size = [](const Bytes& a, const Bytes& b) { return a.size() < b.size(); };
      const auto largest = static_cast<long>(std::max_element(files.begin(), files.end(), size)->size() / 1024);
      const bool alike = std::all_of(files.begin(), files.end(), [&](const Bytes& file) { return file == files[0]; });
      rusage before{}, after{};
      ::getrusage(RUSAGE_SELF, &before);
      for (unsigned i = 0; i < (alike ? 1 : kFilesPerKind); ++i) expect_same_back(folder, files[i], kind.name, i);
      ::getrusage(RUSAGE_SELF, &after);
      const long more = after.ru_maxrss - before.ru_maxrss;
      if (testing::kMeasure) {
        EXPECT_LE(more, largest + kMostKilobytes) << kind.name << ": KiB";
      }
      std::fflush(stdout);
      ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << kind.name;
    ++seed;
  }
}

// KiB that a process has when it packed the one series in `source`; -1 when not all of its files were.
long memory_of_packing(const std::string& source, const std::string& archive, unsigned files) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto summary = pack({source}, archive, {});
    const bool all = summary && summary->series.size() == 1 && summary->series[0].instances == files;
    ::_exit(all ? 0 : 1);
  }
  int status = 0;
  rusage used{};
  if (child < 0 || ::wait4(child, &status, 0, &used) != child) return -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? used.ru_maxrss : -1;
}

TEST(BadInput, OfTensOfThousandsOfSmallFilesTakesTheMemoryOfABatch) {
  constexpr unsigned kFiles = testing::kMeasure ? 20000 : 6000;  // more than a batch
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  const ScratchFolder folder;
  for (unsigned i = 0; i < kFiles; ++i)
    testing::write_file(folder / ("in/" + std::to_string(i % 20) + "/" + std::to_string(i)), ct_image(i, 2, 2));
  const long used = memory_of_packing(folder / "in", folder / "packed.dcbs", kFiles);
  EXPECT_GT(used, 0);
  if (testing::kMeasure) {
    EXPECT_LE(used, 170 * 1024) << "KiB; all at once took 250 MiB";
  }
}

TEST(BadInput, OfOneLargeValueTakesAFewTimesItsMemory) {
  constexpr std::size_t kSize = std::size_t{48} << 20;
  Random random(1);
  const ScratchFolder folder;
  testing::write_file(folder / "in/document", start().element(0x00420011, "OB", noise(kSize, random)).take());
  const long used = memory_of_packing(folder / "in", folder / "packed.dcbs", 1);
  EXPECT_GT(used, 0);
  if (testing::kMeasure) {
    EXPECT_LE(used, 250 * 1024) << "KiB; six copies took 300 MiB";
  }
}

TEST(BadInput, OfFilesThatHaveNoElementInCommonTakesMemoryForItsElementsOnly) {
  constexpr unsigned kFiles = testing::kMeasure ? 400 : 40, kElements = 250;
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  const ScratchFolder folder;
  for (unsigned i = 0; i < kFiles; ++i) {
    FileBuilder file = start();
    for (unsigned k = 0; k < kElements; ++k)
      file.text(0x00211000 + i * 0x20000 + k, "LO", std::to_string(i * k));  // a group for each file
    testing::write_file(folder / ("in/" + std::to_string(i)), file.take());
  }
  const long used = memory_of_packing(folder / "in", folder / "packed.dcbs", kFiles);
  EXPECT_GT(used, 0);
  if (testing::kMeasure) {
    EXPECT_LE(used, 250 * 1024) << "KiB; a number for each file and element took 450 MiB";
  }
  const auto archive = Archive::open(folder / "packed.dcbs");
  ASSERT_TRUE(archive) << describe(archive.error());
  const auto column = archive->column("0023,1007");  // of the second file
  ASSERT_TRUE(column) << describe(column.error());
  for (std::size_t i = 0; i < kFiles; ++i) {
    const bool own = archive->instances()[i].name == "1";
    EXPECT_EQ(column->is_present(i), own) << archive->instances()[i].name;
    if (own) {
      EXPECT_EQ(column->text(i), "7");
    }
  }
}

}  // namespace
}  // namespace dicube
