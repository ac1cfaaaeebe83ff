// Archives that announce more than they hold are refused in little time and memory (R11).
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

#include "archive/state.h"
#include "archive/testing.h"
#include "base/hash.h"
#include "columns/packed.h"
#include "dicom/uid.h"
#include "format/frame_index.h"
#include "format/header.h"
#include "series/golden_testing.h"

namespace dicube {
namespace {

using namespace archive::testing;
using format::SectionId;
using testing::Golden;

class Bombs : public testing::Damage {};

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

TEST_F(Bombs, AHeaderThatAnnouncesHugeSizesIsRefusedCheaply) {
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

TEST_F(Bombs, APackedSectionThatUnpacksToMuchIsRefusedCheaply) {
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

// An integer list whose values are all the same.
void put_constant(std::int64_t value, ByteWriter& out) {
  out.put(std::uint8_t{0});
  out.put_varint(static_cast<std::uint64_t>(value) << 1);
}

// The archive with another schema, packed under right checksums.
Bytes with_schema(const Golden& golden, Bytes schema, std::size_t unpacked) {
  Parts parts = take_apart(golden.archive);
  Part& target = part(parts, SectionId::kSchema);
  schema.resize(std::max(schema.size(), unpacked));
  target.stored = columns::zstd_compress(schema, 3);
  target.packed = true;
  target.size = schema.size();
  return put_together(parts);
}

TEST_F(Bombs, ASchemaOfManyColumnsInFewBytesIsRefusedCheaply) {
  for (const std::uint64_t columns : {100'000U, 1'000'000U, 600'000'000U}) {
    ByteWriter schema;
    schema.put_varint(columns);
    for (int list = 0; list < 5; ++list) put_constant(0, schema);
    expect_refused_cheaply(formatted("{} columns", columns), with_schema(goldens_[2], schema.take(), 1 << 20));
  }
}

TEST_F(Bombs, ASchemaOfManyLayoutsOrElementsInFewBytesIsRefusedCheaply) {
  for (const bool in_one : {false, true}) {
    ByteWriter schema;
    schema.put_varint(1);
    for (int list = 0; list < 5; ++list) put_constant(0, schema);
    schema.put_varint(in_one ? 1 : 1'000'000);
    schema.put_varint(in_one ? 50'000'000 : 1);
    expect_refused_cheaply(in_one ? "elements" : "layouts", with_schema(goldens_[2], schema.take(), 1 << 20));
  }
}

TEST_F(Bombs, RunsOfValuesThatTheFrontDoesNotTellOfAreRefusedCheaply) {
  constexpr std::uint64_t kRuns = 4'000'000;
  ByteWriter schema;
  schema.put_varint(1);
  for (int list = 0; list < 5; ++list) put_constant(0, schema);
  schema.put_varint(0);
  put_constant(kRuns, schema);
  schema.put_varint(kRuns);
  for (const std::int64_t field : {0, 1, 0}) put_constant(field, schema);  // place, rows, size
  expect_refused_cheaply("runs", with_schema(goldens_[2], schema.take(), 0));
}

TEST_F(Bombs, DigestsThatPackWellAreRefusedCheaply) {
  for (const SectionId id : {SectionId::kInstances, SectionId::kFrames}) {
    ByteWriter section;
    section.put_varint(0);
    section.put_varint(id == SectionId::kInstances ? 500'000 : 0);
    Bytes bytes = section.take();
    bytes.resize(std::size_t{16} << 20);
    Parts parts = take_apart(goldens_[2].archive);
    Part& target = part(parts, id);
    target.stored = columns::zstd_compress(bytes, 3);
    target.packed = true;
    target.size = bytes.size();
    expect_refused_cheaply(format::section_name(static_cast<std::uint32_t>(id)), put_together(parts));
  }
}

// The archive with another frame index, under right checksums.
Bytes with_index(const Golden& golden, Bytes index, std::uint64_t required_features = 0) {
  Parts parts = take_apart(golden.archive);
  Part& frames = part(parts, SectionId::kFrames);
  frames.stored = std::move(index);
  frames.packed = false;
  frames.size = 0;
  return put_together(parts, required_features);
}

format::FrameIndex index_of(const Golden& golden) {
  const Archive archive = Archive::from_bytes(golden.archive, "whole").value();
  return ArchiveAccess::state(archive).index;
}

TEST_F(Bombs, AFrameIndexThatAnnouncesHugeCountsIsRefusedCheaply) {
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

TEST_F(Bombs, AFrameIndexOfAsManyRepeatsAsThereMayBeIsRefusedCheaply) {
  const Golden& golden = goldens_[2];
  for (const std::uint64_t repeats : {format::kMostRepeats, format::kMostRepeats + 1}) {
    format::FrameIndex index = index_of(golden);
    for (std::uint64_t i = 0; i < repeats; ++i) index.frames.push_back(index.frames.back());
    const Bytes bytes = format::write_frame_index(index, format::kRepeats);
    expect_refused_cheaply(formatted("{} repeats", repeats), with_index(golden, bytes, format::kRepeats));
  }
}

TEST_F(Bombs, AFrameOfHugeDimensionsIsRefusedCheaply) {
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

TEST_F(Bombs, AFrameFormatWhosePixelsNeedMoreMemoryThanItsSamplesSayIsRefused) {
  const Golden& golden = goldens_[2];
  const auto refused = [&](const auto& change) {
    format::FrameIndex index = index_of(golden);
    for (format::FrameFormat& format : index.formats) {
      format.bits_allocated = format.bits_stored = 8;
      format.columns = 64;
      change(format);
    }
    return !Archive::from_bytes(with_index(golden, format::write_frame_index(index)), "test.dcbs");
  };
  for (const unsigned samples : {0U, 1U, 2U, 4U})
    EXPECT_TRUE(refused([&](auto& format) {
      format.samples = static_cast<std::uint16_t>(samples), format.subsampled = true;
    })) << samples;
  for (const unsigned samples : {0U, 1U})
    EXPECT_TRUE(refused([&](auto& format) {
      format.samples = static_cast<std::uint16_t>(samples), format.planar = true;
    })) << samples;
  EXPECT_TRUE(refused([&](auto& format) {
    format.samples = 3, format.subsampled = true, format.transfer_syntax = dicom::kHtj2kLosslessRpclUid;
  }));
  EXPECT_FALSE(refused([&](auto& format) { format.samples = 3, format.subsampled = true; }));
}

}  // namespace
}  // namespace dicube
