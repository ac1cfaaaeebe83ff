#include "format/header.h"

#include <algorithm>

#include "base/checked.h"
#include "base/hash.h"

namespace dicube::format {
namespace {

constexpr std::size_t kChecksumAt = 56;
constexpr std::uint32_t kPackedFlag = 1;

bool starts_with(ByteSpan bytes, const std::array<std::uint8_t, 8>& magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

// Over everything but the checksum itself.
std::uint64_t header_checksum(ByteSpan bytes) {
  Bytes covered(bytes.begin(), bytes.begin() + kChecksumAt);
  append(covered, bytes.subspan(kHeaderBytes));
  return xxh3(covered);
}

Status check_places(const Header& header) {
  std::uint64_t at = kHeaderBytes + kEntryBytes * header.sections.size();
  if (header.sections.empty() || header.sections.back().id != static_cast<std::uint32_t>(SectionId::kData) ||
      header.sections.back().packed)
    return fail(ErrorClass::kDamaged, "header: {} sections, of which the last is not the data", header.sections.size());
  for (const Section& section : header.sections)
    if (header.find(static_cast<SectionId>(section.id)) != &section)
      return fail(ErrorClass::kDamaged, "section '{}' stands twice", section_name(section.id));
  for (const Section& section : header.sections) {
    const bool is_data = section.id == static_cast<std::uint32_t>(SectionId::kData);
    if (section.offset != at)
      return fail(ErrorClass::kDamaged, "section '{}' starts at {} but {} was expected", section_name(section.id),
                  section.offset, at);
    const std::uint64_t limit = is_data ? header.file_bytes : header.front_bytes;
    if (!fits(section.offset, section.stored, limit))
      return fail(ErrorClass::kDamaged, "section '{}' has {} bytes at {} but its part of the file ends at {}",
                  section_name(section.id), section.stored, section.offset, limit);
    at += section.stored;
    if (is_data != (&section == &header.sections.back()) || (is_data && section.offset != header.front_bytes))
      return fail(ErrorClass::kDamaged, "section '{}' at {} is out of place; the front ends at {}",
                  section_name(section.id), section.offset, header.front_bytes);
  }
  if (at != header.file_bytes)
    return fail(ErrorClass::kDamaged, "the sections end at {} but the file has {} bytes", at, header.file_bytes);
  return {};
}

Result<Section> read_section(ByteReader& in) {
  Section section;
  DICUBE_ASSIGN(section.id, in.get<std::uint32_t>());
  DICUBE_ASSIGN(auto flags, in.get<std::uint32_t>());
  if (flags > kPackedFlag)
    return fail(ErrorClass::kUnsupported, "section '{}' has unknown flags {:#x}", section_name(section.id), flags);
  section.packed = flags == kPackedFlag;
  DICUBE_ASSIGN(section.offset, in.get<std::uint64_t>());
  DICUBE_ASSIGN(section.stored, in.get<std::uint64_t>());
  DICUBE_ASSIGN(section.size, in.get<std::uint64_t>());
  DICUBE_ASSIGN(section.checksum, in.get<std::uint64_t>());
  return section;
}

}  // namespace

const Section* Header::find(SectionId id) const {
  for (const Section& section : sections)
    if (section.id == static_cast<std::uint32_t>(id)) return &section;
  return nullptr;
}

std::string section_name(std::uint32_t id) {
  std::string text;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    const char c = static_cast<char>(id >> shift);
    text += c >= ' ' && c <= '~' ? c : '?';
  }
  return text;
}

std::uint64_t section_checksum(std::uint32_t id, ByteSpan stored) { return xxh3(stored, id); }

Bytes write_header(const Header& header) {
  ByteWriter out;
  out.put_bytes(std::as_bytes(std::span(kMagic)));
  out.put(header.major);
  out.put(header.minor);
  out.put(static_cast<std::uint32_t>(header.sections.size()));
  out.put(header.required_features);
  out.put(header.optional_features);
  out.put(header.front_bytes);
  out.put(header.file_bytes);
  out.put(std::uint64_t{0});  // reserved
  out.put(std::uint64_t{0});  // the checksum's place
  for (const Section& section : header.sections) {
    out.put(section.id);
    out.put(section.packed ? kPackedFlag : 0U);
    out.put(section.offset);
    out.put(section.stored);
    out.put(section.size);
    out.put(section.checksum);
  }
  Bytes bytes = out.take();
  store_le(bytes.data() + kChecksumAt, header_checksum(bytes));
  return bytes;
}

Result<std::uint64_t> peek_header_bytes(ByteSpan start) {
  if (starts_with(start, kVersion1Magic))
    return fail(ErrorClass::kUnsupported,
                "format version 1, written by the original DiCube; this reader knows version {}", kMajor);
  if (start.size() < kMagic.size())
    return fail(ErrorClass::kDamaged, "no DiCube archive: it has {}, the magic alone {}", counted(start.size(), "byte"),
                kMagic.size());
  if (!starts_with(start, kMagic))
    return fail(ErrorClass::kDamaged, "no DiCube archive: the first bytes are not its magic");
  if (start.size() < kHeaderBytes)
    return fail(ErrorClass::kDamaged, "the file has {}, its header alone takes {}", counted(start.size(), "byte"),
                kHeaderBytes);
  ByteReader in(start.subspan(kMagic.size()), "header");
  DICUBE_ASSIGN(auto major, in.get<std::uint16_t>());
  DICUBE_ASSIGN(auto minor, in.get<std::uint16_t>());
  DICUBE_ASSIGN(auto sections, in.get<std::uint32_t>());
  if (major != kMajor)
    return fail(ErrorClass::kUnsupported, "format version {}.{}, or a damaged header; this reader knows version {}",
                major, minor, kMajor);
  if (sections > kMaxSections)
    return fail(ErrorClass::kDamaged, "header: {} sections announced, at most {} possible", sections, kMaxSections);
  return kHeaderBytes + kEntryBytes * std::uint64_t{sections};
}

Result<Header> read_header(ByteSpan bytes, std::uint64_t file_bytes) {
  const std::uint64_t stored = load_le<std::uint64_t>(bytes.data() + kChecksumAt);
  const std::uint64_t computed = header_checksum(bytes);
  if (stored != computed)
    return fail(ErrorClass::kDamaged, "header: checksum {:016x} stored, {:016x} computed", stored, computed);
  Header header;
  header.checksum = stored;
  ByteReader in(bytes.subspan(kMagic.size()), "header");
  DICUBE_ASSIGN(header.major, in.get<std::uint16_t>());
  DICUBE_ASSIGN(header.minor, in.get<std::uint16_t>());
  DICUBE_ASSIGN(auto sections, in.get<std::uint32_t>());
  DICUBE_ASSIGN(header.required_features, in.get<std::uint64_t>());
  DICUBE_ASSIGN(header.optional_features, in.get<std::uint64_t>());
  DICUBE_ASSIGN(header.front_bytes, in.get<std::uint64_t>());
  DICUBE_ASSIGN(header.file_bytes, in.get<std::uint64_t>());
  DICUBE_TRY(in.get_bytes(16));
  if ((header.required_features & ~kKnownFeatures) != 0)
    return fail(ErrorClass::kUnsupported, "the archive requires features {:#x}, of which this reader knows {:#x}",
                header.required_features, kKnownFeatures);
  if (header.file_bytes != file_bytes)
    return fail(ErrorClass::kDamaged, "the header says {} bytes but the file has {}", header.file_bytes, file_bytes);
  if (header.front_bytes > std::min(kMaxFront, file_bytes))
    return fail(ErrorClass::kDamaged, "the front takes {} bytes but the file has {}", header.front_bytes, file_bytes);
  for (std::uint32_t i = 0; i < sections; ++i) {
    DICUBE_ASSIGN(auto section, read_section(in));
    header.sections.push_back(section);
  }
  DICUBE_TRY(check_places(header));
  return header;
}

}  // namespace dicube::format
