// What damaged archives come to (R3, R4, R5, R6).
#include <gtest/gtest.h>

#include <random>

#include "archive/state.h"
#include "archive/testing.h"
#include "format/header.h"
#include "io/file.h"
#include "series/golden_testing.h"

namespace dicube {
namespace {

using namespace archive::testing;
using format::SectionId;
using testing::Damage;
using testing::expect_archive_error;
using testing::Golden;
using testing::read_content;
using testing::ScratchFolder;

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
  const bool all = testing::rounds(1, 16) == 16;  // of 16 bits
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
      if (all) {
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
  const unsigned kBursts = testing::rounds(20'000, 1'000'000) / testing::kFewer;
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

TEST_F(Sectors, AFileThatIsThereAlreadyIsSaidToBeWithoutDecodingItsDamagedFrame) {
  const ScratchFolder scratch;
  const Golden& golden = goldens_[0];
  const Archive whole = Archive::from_bytes(golden.archive, "whole").value();
  const Archive::State& state = ArchiveAccess::state(whole);
  Bytes damaged = golden.archive;
  damaged[state.header.front_bytes + state.index.blocks[0].offset] ^= std::byte{1};
  const std::string path = scratch / "damaged.dcbs", target = scratch / "target";
  testing::write_file(path, damaged);
  ASSERT_TRUE(unpack(path, target));
  testing::write_file(target + "/" + golden.content.names[0], {});

  const auto unpacked = unpack(path, target);
  ASSERT_TRUE(unpacked) << describe(unpacked.error());
  EXPECT_EQ(unpacked->errors.size(), golden.content.files.size());
  for (const Error& error : unpacked->errors) EXPECT_EQ(error.error_class, ErrorClass::kConflict) << describe(error);
}

}  // namespace
}  // namespace dicube
