// For tests: an archive taken apart, to be put together with other parts under right checksums.
#pragma once

#include <algorithm>
#include <vector>

#include "format/frame_index.h"
#include "format/header.h"

namespace dicube::archive::testing {

struct Part {
  format::SectionId id;
  bool packed = false;
  std::uint64_t size = 0;  // as announced; 0: that of `stored`
  Bytes stored;
};
using Parts = std::vector<Part>;

inline Bytes put_together(const Parts& parts, std::uint64_t required_features = 0,
                          std::uint64_t optional_features = format::kChecked) {
  format::Header header;
  header.required_features = required_features;
  header.optional_features = optional_features;
  std::uint64_t at = format::kHeaderBytes + format::kEntryBytes * parts.size();
  for (const Part& p : parts) {
    const auto id = static_cast<std::uint32_t>(p.id);
    const bool is_data = p.id == format::SectionId::kData;
    if (is_data) header.front_bytes = at;
    header.sections.push_back({id, p.packed, at, p.stored.size(), p.size == 0 ? p.stored.size() : p.size,
                               is_data ? 0 : format::section_checksum(id, p.stored)});
    at += p.stored.size();
  }
  header.file_bytes = at;
  Bytes bytes = format::write_header(header);
  for (const Part& p : parts) append(bytes, p.stored);
  return bytes;
}

// REQUIRES: a whole archive.
inline format::Header header_of(ByteSpan archive) {
  return format::read_header(archive.first(format::peek_header_bytes(archive).value()), archive.size()).value();
}

inline Parts take_apart(ByteSpan archive) {
  Parts parts;
  for (const format::Section& section : header_of(archive).sections) {
    const ByteSpan stored = archive.subspan(section.offset, section.stored);
    parts.push_back({static_cast<format::SectionId>(section.id), section.packed, section.size,
                     Bytes(stored.begin(), stored.end())});
  }
  return parts;
}

inline Part& part(Parts& parts, format::SectionId id) {
  return *std::find_if(parts.begin(), parts.end(), [&](const Part& p) { return p.id == id; });
}

// Whatever the directory says of each section is taken for true as far as the bytes go.
inline Parts take_apart_by_force(ByteSpan bytes) {
  Parts parts;
  for (std::size_t entry = format::kHeaderBytes; entry + format::kEntryBytes <= bytes.size() && parts.size() < 8;
       entry += format::kEntryBytes) {
    const auto id = load_le<std::uint32_t>(bytes.data() + entry);
    const auto offset = std::min<std::uint64_t>(load_le<std::uint64_t>(bytes.data() + entry + 8), bytes.size());
    const auto stored =
        std::min<std::uint64_t>(load_le<std::uint64_t>(bytes.data() + entry + 16), bytes.size() - offset);
    const auto size = load_le<std::uint64_t>(bytes.data() + entry + 24);
    const ByteSpan section = bytes.subspan(offset, stored);
    parts.push_back({static_cast<format::SectionId>(id), (load_le<std::uint32_t>(bytes.data() + entry + 4) & 1) != 0,
                     size, Bytes(section.begin(), section.end())});
    if (parts.back().id == format::SectionId::kData) break;
  }
  return parts;
}

// Gives every block the checksum of the bytes that are there, where the frame index can be read.
inline void seal_blocks(Parts& parts, std::uint64_t required_features) {
  const auto of = [&](format::SectionId id) {
    return std::find_if(parts.begin(), parts.end(), [&](const Part& p) { return p.id == id; });
  };
  const auto frames = of(format::SectionId::kFrames), data = of(format::SectionId::kData);
  if (frames == parts.end() || data == parts.end()) return;
  auto index = format::read_frame_index(frames->stored, data->stored.size(), required_features);
  if (!index) return;
  for (std::size_t i = 0; i < index->blocks.size(); ++i) {
    format::Block& block = index->blocks[i];
    block.checksum = format::block_checksum(i, ByteSpan(data->stored).subspan(block.offset, block.stored));
  }
  frames->stored = format::write_frame_index(*index, required_features);
  frames->size = 0;
}

}  // namespace dicube::archive::testing
