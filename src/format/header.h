// The fixed start of every archive: header and section directory. spec/format.md is normative.
//
//   0  magic   8  version   16 features   32 front size, file size   56 checksum   64 directory, 40 bytes per section
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace dicube::format {

// Like PNG's: a high bit, and line ends that a text transfer would change.
constexpr std::array<std::uint8_t, 8> kMagic = {0x89, 'D', 'C', 'B', '\r', '\n', 0x1A, '\n'};
constexpr std::array<std::uint8_t, 8> kVersion1Magic = {'D', 'C', 'M', 'C', 'U', 'B', 'E', 'S'};  // the original DiCube
constexpr std::uint16_t kMajor = 2, kMinor = 0;
constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kEntryBytes = 40;
constexpr std::uint32_t kMaxSections = 64;
constexpr std::uint64_t kMaxFront = std::uint64_t{1} << 32;

// ON DISK: DO NOT CHANGE. Required features.
constexpr std::uint64_t kReferences = 1;  // frames may have others as references: section "FRAM" says which
constexpr std::uint64_t kRepeats = 2;     // frames may be the same as others: section "FRAM" says which
constexpr std::uint64_t kKnownFeatures = kReferences | kRepeats;  // that this reader knows

// ON DISK: DO NOT CHANGE. Optional features.
constexpr std::uint64_t kLossy = 1;    // the instances are lossy codings of others, which the archive does not hold
constexpr std::uint64_t kChecked = 2;  // the series was checked: without section "FIND" nothing was found

// ON DISK: DO NOT CHANGE.
enum class SectionId : std::uint32_t {
  kInstances = 0x54534E49,  // "INST"
  kSchema = 0x4D484353,     // "SCHM"
  kColumns = 0x534C4F43,    // "COLS"
  kFrames = 0x4D415246,     // "FRAM"
  kFindings = 0x444E4946,   // "FIND"; need not be there
  kData = 0x41544144,       // "DATA": the blocks; not part of the front
};

struct Section {
  std::uint32_t id = 0;
  bool packed = false;       // one zstd frame
  std::uint64_t offset = 0;  // in the file
  std::uint64_t stored = 0;  // bytes in the file
  std::uint64_t size = 0;    // bytes after unpacking
  std::uint64_t checksum =
      0;  // XXH3-64 of the stored bytes, seeded with the id; 0 for kData, whose blocks have their own
};

struct Header {
  std::uint16_t major = kMajor, minor = kMinor;
  std::uint64_t required_features = 0, optional_features = 0;
  std::uint64_t front_bytes = 0;  // header, directory and every section but kData
  std::uint64_t file_bytes = 0;
  std::uint64_t checksum = 0;  // as read; write_header() computes it
  std::vector<Section> sections;

  const Section* find(SectionId id) const;
};

std::string section_name(std::uint32_t id);  // "INST"

// Header and directory. REQUIRES: at most kMaxSections sections.
Bytes write_header(const Header& header);

// Bytes of header and directory, read from the first kHeaderBytes of a file. Tells foreign files, version 1 and unknown
// required features apart (kNotDicom is never returned: kDamaged, kUnsupported).
Result<std::uint64_t> peek_header_bytes(ByteSpan start);

// REQUIRES: `bytes` has peek_header_bytes bytes. Verifies the checksum, the file's size, and that sections lie one
// behind the other, inside the front (kData: behind it, to the end).
Result<Header> read_header(ByteSpan bytes, std::uint64_t file_bytes);

std::uint64_t section_checksum(std::uint32_t id, ByteSpan stored);

}  // namespace dicube::format
