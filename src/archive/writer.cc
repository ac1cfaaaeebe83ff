#include "archive/writer.h"

#include <algorithm>

#include "base/hash.h"
#include "columns/packed.h"
#include "format/header.h"

namespace dicube::archive {
namespace {

constexpr int kSchemaLevel = 19;

// HTJ2K codestreams that agree so far agree on their sizes and precision (SIZ), and mostly on all of the main header.
constexpr std::size_t kSignature = 48;
constexpr std::size_t kMostHead = 1024;
constexpr std::size_t kMostFormats = 64;  // no more are made for the sake of heads

struct FrontSection {
  format::SectionId id;
  Bytes bytes;
  bool may_pack;
};

// Places the sections one behind the other and returns the whole front.
Bytes lay_out(const std::vector<FrontSection>& parts, std::uint64_t data_bytes) {
  format::Header header;
  std::vector<Bytes> stored;
  std::uint64_t at = format::kHeaderBytes + format::kEntryBytes * (parts.size() + 1);
  for (const FrontSection& part : parts) {
    Bytes packed = part.may_pack ? columns::zstd_compress(part.bytes, kSchemaLevel) : Bytes();
    const bool pays = part.may_pack && packed.size() < part.bytes.size() &&
                      part.bytes.size() <= columns::most_unpacked(packed.size());
    const Bytes& chosen = pays ? packed : part.bytes;
    const auto id = static_cast<std::uint32_t>(part.id);
    header.sections.push_back({id, pays, at, chosen.size(), part.bytes.size(), format::section_checksum(id, chosen)});
    at += chosen.size();
    stored.push_back(chosen);
  }
  header.front_bytes = at;
  header.file_bytes = at + data_bytes;
  header.sections.push_back({static_cast<std::uint32_t>(format::SectionId::kData), false, at, data_bytes, data_bytes, 0});
  Bytes front = format::write_header(header);
  for (const Bytes& bytes : stored) append(front, bytes);
  return front;
}

}  // namespace

ArchiveWriter::ArchiveWriter(const io::Folder& folder, std::string name, io::NewFile spool)
    : folder_(folder), name_(std::move(name)), spool_(std::move(spool)),
      metadata_([this](ByteSpan encoded) { return store_block(encoded); }) {}

Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::create(const io::Folder& folder, std::string name) {
  DICUBE_ASSIGN(auto spool, io::NewFile::create(folder, name));
  return std::unique_ptr<ArchiveWriter>(new ArchiveWriter(folder, std::move(name), std::move(spool)));
}

Result<std::uint64_t> ArchiveWriter::store_block(ByteSpan encoded) {
  blocks_.push_back({spool_.size(), encoded.size()});
  DICUBE_TRY(spool_.append(encoded));
  return blocks_.size() - 1;
}

Status ArchiveWriter::add(Instance instance, const Shreddable& parts, const std::vector<CodedFrame>& frames) {
  DICUBE_TRY(shred(parts, metadata_));
  if (!frames.empty()) {
    for (const CodedFrame& frame : frames) {
      frames_.push_back({spool_.size(), frame.stored.size()});
      index_.frames.push_back({format_number(parts.pixels->format, frame), static_cast<std::uint8_t>(frame.codec)});
      DICUBE_TRY(spool_.append(frame.stored));
    }
  }
  instance.first_frame = frames_.size() - frames.size();
  instance.frames = frames.size();
  table_.instances.push_back(std::move(instance));
  return {};
}

// Frames whose codestreams begin alike share a format, whose head is for now what they must agree on.
std::uint32_t ArchiveWriter::format_number(const format::FrameFormat& format, const CodedFrame& frame) {
  format::FrameFormat key = format;
  const bool headed = frame.codec == codec::CodecId::kHtj2k && format.transfer_syntax.empty();
  if (headed && frame.stored.size() >= kSignature && index_.formats.size() < kMostFormats)
    key.head.assign(frame.stored.begin(), frame.stored.begin() + kSignature);
  const auto found = std::find(index_.formats.begin(), index_.formats.end(), key);
  const auto number = static_cast<std::size_t>(found - index_.formats.begin());
  if (found == index_.formats.end()) {
    index_.formats.push_back(std::move(key));
    frames_of_format_.push_back(0);
  }
  ++frames_of_format_[number];
  return static_cast<std::uint32_t>(number);
}

// Each format's head becomes all that its frames begin with alike, and they lose it.
Status ArchiveWriter::strip_heads() {
  std::vector<bool> started(index_.formats.size());
  Bytes start;
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    const std::uint32_t number = index_.frames[i].format;
    Bytes& head = index_.formats[number].head;
    if (head.empty()) continue;
    start.resize(std::min<std::uint64_t>(frames_[i].size, started[number] ? head.size() : kMostHead));
    DICUBE_TRY(spool_.read_at(frames_[i].offset, start));
    if (!started[number]) head = start;
    const auto end = std::mismatch(head.begin(), head.end(), start.begin(), start.end()).first;
    head.erase(end, head.end());
    started[number] = true;
  }
  for (std::size_t number = 0; number < index_.formats.size(); ++number)
    if (frames_of_format_[number] < 2) index_.formats[number].head.clear();
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    const std::size_t stripped = index_.formats[index_.frames[i].format].head.size();
    frames_[i].offset += stripped;
    frames_[i].size -= stripped;
  }
  return {};
}

// Extents that follow one another are copied in one go.
Status ArchiveWriter::append_blocks(io::NewFile& file) const {
  std::vector<Extent> all = frames_;
  all.insert(all.end(), blocks_.begin(), blocks_.end());
  for (std::size_t i = 0; i < all.size();) {
    Extent run = all[i++];
    while (i < all.size() && all[i].offset == run.offset + run.size) run.size += all[i++].size;
    DICUBE_TRY(file.append_from(spool_, run.offset, run.size));
  }
  return {};
}

Result<io::NewFile> ArchiveWriter::finish(std::string series_instance_uid) {
  table_.series_instance_uid = std::move(series_instance_uid);
  DICUBE_TRY(strip_heads());
  DICUBE_ASSIGN(auto sections, metadata_.finish(frames_.size()));
  std::uint64_t data_bytes = 0;
  Bytes buffer;
  for (const auto* extents : {&frames_, &blocks_})
    for (const Extent& extent : *extents) {
      buffer.resize(extent.size);
      DICUBE_TRY(spool_.read_at(extent.offset, buffer));
      index_.blocks.push_back({data_bytes, extent.size, format::block_checksum(index_.blocks.size(), buffer)});
      data_bytes += extent.size;
    }
  const Bytes front = lay_out({{format::SectionId::kInstances, write_instances(table_), false},
                               {format::SectionId::kSchema, std::move(sections.schema), true},
                               {format::SectionId::kColumns, std::move(sections.columns), false},
                               {format::SectionId::kFrames, format::write_frame_index(index_), false}},
                              data_bytes);
  DICUBE_ASSIGN(auto file, io::NewFile::create(folder_, name_));
  DICUBE_TRY(file.append(front));
  DICUBE_TRY(append_blocks(file));
  return file;
}

}  // namespace dicube::archive
