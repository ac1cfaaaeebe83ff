// What damaged, hostile and oversized archives come to (R3, R4, R5, R6, R11, R18), and that output is reproducible
// (R16).
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <locale>
#include <random>

#include "archive/state.h"
#include "archive/testing.h"
#include "archive/writer.h"
#include "base/hash.h"
#include "columns/packed.h"
#include "dicube/dicube.h"
#include "format/frame_index.h"
#include "format/header.h"
#include "io/file.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

namespace fs = std::filesystem;
using archive::testing::header_of;
using archive::testing::part;
using archive::testing::Part;
using archive::testing::Parts;
using archive::testing::put_together;
using archive::testing::take_apart;
using format::SectionId;
using testing::ScratchFolder;

// Everything an archive gives back.
struct Content {
  std::vector<std::string> names, paths, values;
  std::vector<Bytes> files, frames;
  std::vector<PixelFormat> formats;
  friend bool operator==(const Content&, const Content&) = default;
};

Result<Content> read_content(const Archive& archive) {
  Content content;
  for (std::size_t i = 0; i < archive.instances().size(); ++i) {
    content.names.push_back(archive.instances()[i].name);
    DICUBE_ASSIGN(auto bytes, archive.read_instance(i));
    content.files.push_back(std::move(bytes));
  }
  for (std::size_t i = 0; i < archive.frame_count(); ++i) {
    content.formats.push_back(archive.pixel_format(i));
    Bytes frame(archive.pixel_format(i).frame_bytes());
    DICUBE_TRY(archive.read_frame(i, frame));
    content.frames.push_back(std::move(frame));
  }
  content.paths = archive.paths();
  for (const std::string& path : content.paths) {
    DICUBE_ASSIGN(auto column, archive.column(path));
    for (std::size_t i = 0; i < column.size(); ++i) content.values.push_back(column.text(i).value_or("(none)"));
  }
  return content;
}

Result<Content> read_content(ByteSpan bytes) {
  DICUBE_ASSIGN(auto archive, Archive::from_bytes(bytes, "test.dcbs"));
  return read_content(archive);
}

// The classes of error that an archive's bytes can be the cause of.
void expect_archive_error(const Error& error) {
  const ErrorClass found = error.error_class;
  EXPECT_TRUE(found == ErrorClass::kDamaged || found == ErrorClass::kUnsupported || found == ErrorClass::kLimit)
      << describe(error);
  EXPECT_EQ(error.file, "test.dcbs");
  EXPECT_FALSE(error.message.empty());
}

struct Golden {
  std::string name;
  Bytes archive;
  Content content;
};

// A small archive of every codec.
class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    add("stored", Codec::kAuto, 8);
    add("zstd", Codec::kZstd, 8);
    add("htj2k", Codec::kHtj2k, 24);
  }

  void add(const std::string& name, Codec codec, unsigned size, unsigned count = 3, unsigned first = 1) {
    const ScratchFolder scratch;
    const std::vector<Bytes> files = testing::write_series(scratch / "source", count, size, first);
    PackOptions options;
    options.codec = codec;
    options.threads = 1;
    const auto summary = pack({scratch / "source"}, scratch / "series.dcbs", options);
    ASSERT_TRUE(summary) << describe(summary.error());
    ASSERT_EQ(summary->series.size(), 1U);
    ASSERT_FALSE(summary->series[0].error) << describe(*summary->series[0].error);
    ASSERT_EQ(summary->series[0].codec, name);
    Golden golden{name, testing::read_bytes(scratch / "series.dcbs"), {}};
    auto content = read_content(golden.archive);
    ASSERT_TRUE(content) << describe(content.error());
    ASSERT_EQ(content->files, files);
    ASSERT_EQ(content->frames.size(), count);
    ASSERT_GT(content->paths.size(), 10U);
    golden.content = *std::move(content);
    goldens_.push_back(std::move(golden));
  }

  std::vector<Golden> goldens_;
};

// Damaged bytes give an error. Where they differ only in what no reader looks at they may also give the identical
// content.
void expect_found_or_harmless(const Golden& golden, ByteSpan damaged, std::size_t& found) {
  const auto content = read_content(damaged);
  if (!content) {
    ++found;
    expect_archive_error(content.error());
  } else {
    EXPECT_TRUE(*content == golden.content) << "other content, and no error";
  }
}

void expect_found(ByteSpan damaged) {
  const auto content = read_content(damaged);
  ASSERT_FALSE(content) << "not found";
  expect_archive_error(content.error());
}

TEST_F(Damage, AFlippedBitIsFoundOrChangesNothing) {
  const char* all = std::getenv("DICUBE_ALL_BITS");  // one bit in 16 otherwise
  std::mt19937_64 random(1);
  for (const Golden& golden : goldens_) {
    Bytes bytes = golden.archive;
    std::size_t flips = 0, found = 0;
    const auto flip = [&](std::size_t bit) {
      SCOPED_TRACE(formatted("{}: bit {} of {}", golden.name, bit, 8 * bytes.size()));
      const std::byte mask{static_cast<unsigned char>(1U << bit % 8)};
      bytes[bit / 8] ^= mask;
      expect_found_or_harmless(golden, bytes, found);
      bytes[bit / 8] ^= mask;
      ++flips;
    };
    for (std::size_t bit = 0; bit < 8 * bytes.size() && !HasFailure(); bit += 16) {
      if (all != nullptr) {
        for (std::size_t i = 0; i < 16 && bit + i < 8 * bytes.size(); ++i) flip(bit + i);
      } else {
        flip(std::min(bit + random() % 16, 8 * bytes.size() - 1));
      }
    }
    EXPECT_EQ(found, flips) << golden.name << ": every byte is covered by a checksum";
    EXPECT_TRUE(bytes == golden.archive);
  }
}

TEST_F(Damage, AnArchiveCutOffAtAnyLengthIsRefusedWhenOpened) {
  for (const Golden& golden : goldens_)
    for (std::size_t size = 0; size < golden.archive.size() && !HasFailure(); ++size) {
      SCOPED_TRACE(formatted("{}: {} of {} bytes", golden.name, size, golden.archive.size()));
      // A copy of exactly that size, so that reading behind it is an error of memory too.
      const Bytes part(golden.archive.begin(), golden.archive.begin() + static_cast<std::ptrdiff_t>(size));
      const auto archive = Archive::from_bytes(part, "test.dcbs");
      ASSERT_FALSE(archive);
      EXPECT_EQ(archive.error().error_class, ErrorClass::kDamaged) << describe(archive.error());
    }
}

TEST_F(Damage, AnArchiveCutOffOnDiskIsRefusedWhenOpened) {
  const ScratchFolder scratch;
  const Bytes& whole = goldens_[0].archive;
  for (std::size_t size = 0; size < whole.size() && !HasFailure(); size += 1 + size / 64) {
    testing::write_file(scratch / "cut.dcbs", ByteSpan(whole).first(size));
    const auto archive = Archive::open(scratch / "cut.dcbs");
    ASSERT_FALSE(archive) << size;
    EXPECT_EQ(archive.error().error_class, ErrorClass::kDamaged) << describe(archive.error());
    EXPECT_EQ(archive.error().file, scratch / "cut.dcbs");
  }
}

TEST_F(Damage, BytesBehindTheEndAreRefusedWhenOpened) {
  for (const Golden& golden : goldens_) {
    Bytes longer = golden.archive;
    for (std::size_t more = 1; more <= 4096 && !HasFailure(); ++more) {
      longer.push_back(more % 2 != 0 ? std::byte{0} : std::byte{0x89});
      const auto archive = Archive::from_bytes(longer, "test.dcbs");
      ASSERT_FALSE(archive) << golden.name << ": " << more << " bytes";
      EXPECT_EQ(archive.error().error_class, ErrorClass::kDamaged) << describe(archive.error());
    }
  }
}

// An archive of many sectors of a disk.
class Sectors : public Damage {
 protected:
  static constexpr std::size_t kSector = 512;
  void SetUp() override {
    add("htj2k", Codec::kHtj2k, 48, 12);
    ASSERT_FALSE(HasFatalFailure());
    sectors_ = goldens_[0].archive.size() / kSector;
    ASSERT_GT(sectors_, 12U);
  }
  MutableByteSpan sector(Bytes& bytes, std::size_t number) const {
    return MutableByteSpan(bytes).subspan(number * kSector, kSector);
  }
  void expect_found_if_changed(const Bytes& damaged) {
    if (damaged == goldens_[0].archive) return;
    ++changed_;
    expect_found(damaged);
  }
  std::size_t sectors_ = 0, changed_ = 0;
};

TEST_F(Sectors, ABurstOfRandomBytesIsFound) {
  std::mt19937_64 random(2);
  constexpr unsigned kBursts = 20000 / testing::kFewer;
  for (unsigned i = 0; i < kBursts && !HasFailure(); ++i) {
    Bytes damaged = goldens_[0].archive;
    const std::size_t begin = random() % damaged.size();
    const std::size_t size = 1 + random() % std::min<std::size_t>(damaged.size() - begin, 1 + random() % 600);
    SCOPED_TRACE(formatted("{} bytes at {}", size, begin));
    for (std::byte& byte : MutableByteSpan(damaged).subspan(begin, size)) byte = static_cast<std::byte>(random());
    expect_found_if_changed(damaged);
  }
  EXPECT_GT(changed_, kBursts / 20 * 19);
}

TEST_F(Sectors, AZeroedSectorIsFound) {
  for (const std::byte fill : {std::byte{0}, std::byte{0xFF}})
    for (std::size_t i = 0; i < sectors_ && !HasFailure(); ++i) {
      SCOPED_TRACE(formatted("sector {} of {}", i, sectors_));
      Bytes damaged = goldens_[0].archive;
      std::ranges::fill(sector(damaged, i), fill);
      expect_found_if_changed(damaged);
    }
  EXPECT_EQ(changed_, 2 * sectors_);
}

TEST_F(Sectors, ASectorInAnothersPlaceIsFound) {
  for (std::size_t from = 0; from < sectors_; ++from)
    for (std::size_t to = 0; to < sectors_ && !HasFailure(); ++to) {
      if (from == to) continue;
      SCOPED_TRACE(formatted("sector {} copied to {}", from, to));
      Bytes damaged = goldens_[0].archive;
      std::ranges::copy(ByteSpan(goldens_[0].archive).subspan(from * kSector, kSector), sector(damaged, to).begin());
      expect_found_if_changed(damaged);
      if (from > to) continue;
      std::ranges::copy(ByteSpan(goldens_[0].archive).subspan(to * kSector, kSector), sector(damaged, from).begin());
      expect_found_if_changed(damaged);  // now the two are swapped
    }
  EXPECT_GT(changed_, sectors_ * (sectors_ - 1));
}

TEST_F(Damage, ASectionOfAnotherArchiveIsFound) {
  goldens_.clear();
  add("htj2k", Codec::kHtj2k, 24, 3, 1);
  add("htj2k", Codec::kHtj2k, 24, 3, 4);
  ASSERT_FALSE(HasFatalFailure());
  const Parts first = take_apart(goldens_[0].archive), second = take_apart(goldens_[1].archive);
  ASSERT_TRUE(put_together(first) == goldens_[0].archive) << "taking apart and putting together is not exact";
  ASSERT_EQ(first.size(), second.size());
  std::size_t transplanted = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    SCOPED_TRACE(format::section_name(static_cast<std::uint32_t>(first[i].id)));
    Parts mixed = first;
    mixed[i] = second[i];
    if (mixed[i].stored == first[i].stored) continue;
    ++transplanted;
    expect_found(put_together(mixed));
  }
  EXPECT_GE(transplanted, 4U);
}

TEST_F(Damage, SwappedSectionsAreFound) {
  const Parts parts = take_apart(goldens_[2].archive);
  for (std::size_t a = 0; a < parts.size(); ++a)
    for (std::size_t b = a + 1; b < parts.size(); ++b) {
      SCOPED_TRACE(formatted("sections {} and {}", a, b));
      Parts swapped = parts;  // the contents change places, the names stay
      std::swap(swapped[a], swapped[b]);
      std::swap(swapped[a].id, swapped[b].id);
      expect_found(put_together(swapped));
    }
}

TEST_F(Damage, AMissingSectionIsFound) {
  const Parts whole = take_apart(goldens_[2].archive);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].id == format::SectionId::kFindings) continue;  // need not be there
    Parts parts = whole;
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
    expect_found(put_together(parts));
  }
}

TEST_F(Sectors, ADamagedFrameCostsItsInstanceAndNoOther) {
  const ScratchFolder scratch;
  const Golden& golden = goldens_[0];
  const Archive whole = Archive::from_bytes(golden.archive, "whole").value();
  const Archive::State& state = ArchiveAccess::state(whole);
  for (std::size_t bad = 0; bad < golden.content.frames.size() && !HasFailure(); ++bad) {
    SCOPED_TRACE(formatted("frame {}", bad));
    Bytes damaged = golden.archive;
    const format::Block& block = state.index.blocks[bad];
    damaged[state.header.front_bytes + block.offset + block.stored / 2] ^= std::byte{1};
    const std::string path = scratch / "damaged.dcbs", target = scratch / ("target" + std::to_string(bad));
    testing::write_file(path, damaged);

    const Archive archive = Archive::open(path).value();
    for (std::size_t i = 0; i < archive.frame_count(); ++i) {
      Bytes frame(archive.pixel_format(i).frame_bytes());
      const Status read = archive.read_frame(i, frame);
      ASSERT_EQ(read.has_value(), i != bad);
      if (read) {
        EXPECT_TRUE(frame == golden.content.frames[i]);
      } else {
        EXPECT_EQ(read.error().error_class, ErrorClass::kDamaged) << describe(read.error());
        EXPECT_EQ(read.error().file, path);
      }
    }
    const auto verified = verify(path);
    ASSERT_TRUE(verified) << describe(verified.error());
    ASSERT_EQ(verified->errors.size(), 1U);
    EXPECT_NE(verified->errors[0].message.find(golden.content.names[bad]), std::string::npos)
        << describe(verified->errors[0]);

    const auto unpacked = unpack(path, target);
    ASSERT_TRUE(unpacked) << describe(unpacked.error());
    ASSERT_EQ(unpacked->errors.size(), 1U);
    EXPECT_EQ(unpacked->errors[0].error_class, ErrorClass::kDamaged);
    EXPECT_EQ(unpacked->files, golden.content.files.size() - 1);
    std::map<std::string, Bytes> expected;
    for (std::size_t i = 0; i < golden.content.files.size(); ++i)
      if (i != bad) expected[golden.content.names[i]] = golden.content.files[i];
    EXPECT_TRUE(testing::tree(target) == expected);
  }
}

// Refusing them takes little time and memory. Each case runs in a process of its own, whose memory can be measured.
void expect_refused_cheaply(const std::string& what, ByteSpan bytes) {
  constexpr long kMostKilobytes = 16 * 1024;
  constexpr std::chrono::milliseconds kMostTime{10};
  SCOPED_TRACE(what);
  const auto attempt = [&] {
    const auto archive = Archive::from_bytes(bytes, "test.dcbs");
    if (!archive) return archive.error().error_class;
    const auto instance = archive->read_instance(0);
    return instance ? ErrorClass::kUsage : instance.error().error_class;
  };
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    const ErrorClass found = attempt();
    ::getrusage(RUSAGE_SELF, &after);
    if (after.ru_maxrss - before.ru_maxrss > kMostKilobytes) ::_exit(101);
    ::_exit(static_cast<int>(found));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  ASSERT_NE(WEXITSTATUS(status), 101) << "takes more than " << kMostKilobytes << " KiB";
  const auto found = static_cast<ErrorClass>(WEXITSTATUS(status));
  EXPECT_TRUE(found == ErrorClass::kDamaged || found == ErrorClass::kLimit || found == ErrorClass::kUnsupported ||
              found == ErrorClass::kCodec)
      << "not refused: " << name(found);
  std::chrono::nanoseconds best = std::chrono::hours(1);  // of several, since others use the machine too
  for (int i = 0; i < 5 && best > kMostTime; ++i) {
    const auto start = std::chrono::steady_clock::now();
    attempt();
    best = std::min<std::chrono::nanoseconds>(best, std::chrono::steady_clock::now() - start);
  }
  EXPECT_LE(best, kMostTime);
}

constexpr std::uint64_t kHuge[] = {0xFFFFFFFFFFFFFFFF,     0x8000000000000000, 0x7FFFFFFFFFFFFFFF,
                                   std::uint64_t{1} << 40, 0xFFFFFFFF,         std::uint64_t{1} << 28};

TEST_F(Damage, AHeaderThatAnnouncesHugeSizesIsRefusedCheaply) {
  const Bytes& whole = goldens_[2].archive;
  const format::Header honest = header_of(whole);
  const auto try_header = [&](const std::string& what, const format::Header& header) {
    Bytes bytes = format::write_header(header);
    append(bytes, ByteSpan(whole).subspan(bytes.size()));
    expect_refused_cheaply(what, bytes);
  };
  for (const std::uint64_t huge : kHuge) {
    format::Header header = honest;
    header.front_bytes = huge;
    try_header(formatted("front of {}", huge), header);
    header = honest;
    header.file_bytes = huge;
    try_header(formatted("file of {}", huge), header);
    header.front_bytes = huge;
    try_header(formatted("front and file of {}", huge), header);
    for (std::size_t i = 0; i < honest.sections.size(); ++i) {
      const std::string section = format::section_name(honest.sections[i].id);
      header = honest;
      header.sections[i].offset = huge;
      try_header(formatted("{} at {}", section, huge), header);
      header = honest;
      header.sections[i].stored = huge;
      try_header(formatted("{} of {} stored", section, huge), header);
      if (honest.sections[i].id == static_cast<std::uint32_t>(SectionId::kData)) continue;
      header = honest;
      header.sections[i].size = huge;
      header.sections[i].packed = true;
      try_header(formatted("{} of {} unpacked", section, huge), header);
    }
  }
  for (const std::uint32_t sections : {65U, 0xFFFFU, 0xFFFFFFFFU}) {
    Bytes bytes = whole;
    store_le(bytes.data() + 12, sections);
    expect_refused_cheaply(formatted("{} sections", sections), bytes);
  }
}

TEST_F(Damage, APackedSectionThatUnpacksToMuchIsRefusedCheaply) {
  const Bytes bomb = columns::zstd_compress(Bytes(std::size_t{256} << 20), 3);
  ASSERT_LT(bomb.size(), 64U << 10);
  for (const std::uint64_t announced : {std::uint64_t{256} << 20, std::uint64_t{1} << 20, std::uint64_t{1} << 62})
    for (const SectionId id : {SectionId::kInstances, SectionId::kSchema, SectionId::kColumns, SectionId::kFrames}) {
      Parts parts = take_apart(goldens_[2].archive);
      Part& target = part(parts, id);
      target.stored = bomb;
      target.packed = true;
      target.size = announced;
      expect_refused_cheaply(formatted("{} of {}", format::section_name(static_cast<std::uint32_t>(id)), announced),
                             put_together(parts));
    }
}

// The archive with another frame index, under right checksums.
Bytes with_index(const Golden& golden, Bytes index) {
  Parts parts = take_apart(golden.archive);
  Part& frames = part(parts, SectionId::kFrames);
  frames.stored = std::move(index);
  frames.packed = false;
  frames.size = 0;
  return put_together(parts);
}

format::FrameIndex index_of(const Golden& golden) {
  const Archive archive = Archive::from_bytes(golden.archive, "whole").value();
  return ArchiveAccess::state(archive).index;
}

TEST_F(Damage, AFrameIndexThatAnnouncesHugeCountsIsRefusedCheaply) {
  const Golden& golden = goldens_[2];
  const format::FrameIndex honest = index_of(golden);
  ASSERT_TRUE(with_index(golden, format::write_frame_index(honest)) == golden.archive);
  const auto count_at = [&](int which, std::uint64_t count) {
    format::FrameIndex empty;
    empty.formats = honest.formats;
    const Bytes formats = format::write_frame_index(empty);  // ends with two zeros: no frames, no blocks
    ByteWriter out;
    if (which == 0) {
      out.put_varint(count);
      return out.take();
    }
    out.put_bytes(ByteSpan(formats).first(formats.size() - 2));
    out.put_varint(which == 1 ? count : 3);
    out.put_varint(which == 2 ? count : 3);
    out.put_varint(which == 3 ? count : 0);
    out.put(std::uint8_t{0});
    out.put_varint(which == 4 ? count : 3);
    for (int i = 0; i < 3; ++i) out.put_varint(which == 5 ? count : 1);
    out.put_bytes(Bytes(64));
    return out.take();
  };
  constexpr std::string_view kWhich[] = {"formats",       "frames", "frames in a run",
                                         "format number", "blocks", "bytes in a block"};
  for (const std::uint64_t huge : kHuge)
    for (int which = 0; which < 6; ++which)
      expect_refused_cheaply(formatted("{} {}", huge, kWhich[which]), with_index(golden, count_at(which, huge)));
}

TEST_F(Damage, AFrameOfHugeDimensionsIsRefusedCheaply) {
  struct Size {
    std::uint32_t rows, columns;
    std::uint16_t samples, bits;
  };
  // The third and fourth have a size in bytes that is 0 modulo 2^64.
  constexpr Size kSizes[] = {{0xFFFFFFFF, 0xFFFFFFFF, 0xFFFF, 64},
                             {65535, 65535, 1, 16},
                             {0x80000000, 0x80000000, 4, 8},
                             {0x80000000, 0x80000000, 2, 16},
                             {0xFFFFFFFF, 0xFFFFFFFF, 1, 1},
                             {0x10000, 0x10000, 3, 32},
                             {1, 0xFFFFFFFF, 1, 16},
                             {0xFFFFFFFF, 1, 1, 8},
                             {20000, 20000, 1, 16}};
  for (const Golden& golden : goldens_)
    for (const Size& size : kSizes) {
      format::FrameIndex index = index_of(golden);
      for (format::FrameFormat& format : index.formats) {
        format.rows = size.rows;
        format.columns = size.columns;
        format.samples = size.samples;
        format.bits_allocated = size.bits;
        format.bits_stored = size.bits;
        format.high_bit = static_cast<std::uint16_t>(size.bits - 1);
      }
      const Bytes bytes = with_index(golden, format::write_frame_index(index));
      const std::string what =
          formatted("{}: {} x {} x {} of {} bits", golden.name, size.rows, size.columns, size.samples, size.bits);
      expect_refused_cheaply(what, bytes);
      // A buffer that fits only because the frame's size wraps around does not help.
      const auto archive = Archive::from_bytes(bytes, "test.dcbs");
      if (!archive || archive->pixel_format(0).frame_bytes() > 1024) continue;
      Bytes small(archive->pixel_format(0).frame_bytes());
      EXPECT_FALSE(archive->read_frame(0, small)) << what;
    }
}

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

TEST(Reproducible, TheSameFilesGiveTheSameBytesWithAnyNumberOfThreadsInAnyOrder) {
  const ScratchFolder scratch;
  std::vector<Bytes> images;
  std::vector<std::string> names;
  for (unsigned i = 1; i <= 24; ++i) {
    images.push_back(dicom::testing::ct_image(1 + i % 20, 16, 16));  // some instances are there twice, and tie
    names.push_back((i % 3 == 0 ? "b/" : "a/") + std::to_string(i) + ".dcm");
  }
  std::vector<std::size_t> order(images.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937_64 random(3);
  std::optional<Bytes> first;
  for (int round = 0; round < 4; ++round) {
    const std::string source = scratch / ("source" + std::to_string(round));
    std::ranges::shuffle(order, random);  // files are made in another order, too
    for (const std::size_t i : order) testing::write_file(source + "/" + names[i], images[i]);
    std::ranges::shuffle(order, random);
    std::vector<std::string> sources;
    for (const std::size_t i : order) sources.push_back(source + "/" + names[i]);
    for (const unsigned threads : {1U, 2U, 7U}) {
      const std::string archive = scratch / formatted("{}-{}.dcbs", round, threads);
      for (const auto& from : {std::vector<std::string>{source}, sources}) {
        fs::remove(archive);
        const Bytes bytes = testing::pack_bytes(from, archive, threads);
        ASSERT_FALSE(bytes.empty());
        if (!first) first = bytes;
        EXPECT_TRUE(bytes == *first) << "round " << round << ", " << threads << " threads, " << from.size()
                                     << " sources";
      }
    }
  }
  const auto content = read_content(*first);
  ASSERT_TRUE(content) << describe(content.error());
  EXPECT_EQ(content->files.size(), images.size());
}

// Thousands in groups of two, and a decimal comma.
class OddNumbers : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\2"; }
};

TEST(Reproducible, TheTimeZoneAndTheLocaleChangeNothing) {
  const ScratchFolder scratch;
  testing::write_series(scratch / "a", 5, 16);
  const Bytes expected = testing::pack_bytes({scratch / "a"}, scratch / "first.dcbs");
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new OddNumbers));
  for (const char* zone : {"UTC", "Asia/Kathmandu", "America/St_Johns"}) {
    ::setenv("TZ", zone, 1);
    ::tzset();
    EXPECT_TRUE(testing::pack_bytes({scratch / "a"}, scratch / (std::string(zone, 3) + ".dcbs")) == expected) << zone;
  }
  std::locale::global(before);
  ::unsetenv("TZ");
}

TEST(Reproducible, OtherPixelsGiveOtherBytes) {
  const ScratchFolder scratch;
  testing::write_series(scratch / "a", 3);
  testing::write_series(scratch / "b", 3);
  Bytes changed = testing::read_bytes(scratch / "b/2.dcm");
  changed.back() ^= std::byte{1};
  testing::write_file(scratch / "b/2.dcm", changed);
  EXPECT_FALSE(testing::pack_bytes({scratch / "a"}, scratch / "a.dcbs") ==
               testing::pack_bytes({scratch / "b"}, scratch / "b.dcbs"));
}

}  // namespace
}  // namespace dicube
