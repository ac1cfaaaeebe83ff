// Opening:
//  1. read the first 32 KiB, and the rest of the front when it is longer;
//  2. check the header, then each section's checksum, then parse;
//  3. read nothing else until it is asked for.
#include <algorithm>
#include <filesystem>

#include "archive/state.h"
#include "archive/version1.h"
#include "base/checked.h"
#include "columns/packed.h"

namespace dicube {
namespace {

constexpr std::uint64_t kFirstRead = 32 * 1024;

// A column, a run of values, a row costs bytes in a source file, and the front tells of each column and run: an archive
// has no more of them than this.
archive::Metadata::Limits limits_of(const format::Header& header) {
  const auto times16 = [](std::uint64_t bytes) { return 16 * std::min(bytes, std::uint64_t{1} << 40); };
  return {.columns = std::min(65536 + times16(header.front_bytes), std::uint64_t{1} << 20),
          .runs = 65536 + times16(header.front_bytes),
          .rows = 65536 + times16(header.file_bytes),
          .bytes = columns::most_unpacked(header.file_bytes)};
}

Result<Bytes> read_start(const io::Source& source) {
  Bytes start(std::min(source.size(), kFirstRead));
  DICUBE_TRY(source.read_at(0, start));
  return start;
}

// `front`: its start, of which the rest is read.
Result<Bytes> read_front(const io::Source& source, Bytes front, format::Header& header) {
  DICUBE_ASSIGN(auto header_bytes, format::peek_header_bytes(front));
  if (front.size() < header_bytes)
    return fail(ErrorClass::kDamaged, "the file has {} bytes, its header and directory take {}", front.size(),
                header_bytes);
  DICUBE_ASSIGN(header, format::read_header(ByteSpan(front).first(header_bytes), source.size()));
  const std::size_t have = front.size();
  front.resize(header.front_bytes);
  if (have < front.size()) DICUBE_TRY(source.read_at(have, MutableByteSpan(front).subspan(have)));
  return front;
}

// Most of what these sections hold are digests and checksums, which don't pack.
bool has_digests(format::SectionId id) {
  return id == format::SectionId::kInstances || id == format::SectionId::kFrames;
}
std::uint64_t most_of_digests(std::uint64_t stored) { return (std::uint64_t{2} << 20) + 32 * stored; }

// A section's bytes: verified, and unpacked where they are packed.
Result<Bytes> section_bytes(const format::Header& header, ByteSpan front, format::SectionId id) {
  const format::Section* section = header.find(id);
  const auto number = static_cast<std::uint32_t>(id);
  if (section == nullptr) return fail(ErrorClass::kDamaged, "section '{}' is missing", format::section_name(number));
  if (!section->packed && section->size != section->stored)
    return fail(ErrorClass::kDamaged, "section '{}' has {} bytes but {} stored ones", format::section_name(number),
                section->size, section->stored);
  const ByteSpan stored = front.subspan(section->offset, section->stored);
  const std::uint64_t computed = format::section_checksum(number, stored);
  if (computed != section->checksum)
    return fail(ErrorClass::kDamaged, "section '{}': checksum {:016x} stored, {:016x} computed",
                format::section_name(number), section->checksum, computed);
  if (!section->packed) return Bytes(stored.begin(), stored.end());
  if (const std::uint64_t most = most_of_digests(stored.size()); has_digests(id) && section->size > most)
    return fail(ErrorClass::kDamaged, "section '{}': {} stored bytes for {}, at most {} possible",
                format::section_name(number), stored.size(), section->size, most);
  return columns::zstd_decompress(stored, section->size, "a section");
}

// So that PixelFormat::frame_bytes() is right: nothing that it multiplies comes to 2^63 (spec/format.md, limits).
Status check_size(const format::FrameFormat& format) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 63;
  const PixelFormat shown = archive::public_format(format);
  const auto pixels = checked_mul(shown.rows, shown.columns);
  const auto values = pixels ? checked_mul(*pixels, shown.samples) : std::nullopt;
  const auto bytes = values ? checked_mul(*values, shown.bytes_per_value()) : std::nullopt;
  if (bytes && *bytes < kMost) return {};
  return fail(ErrorClass::kDamaged, "section 'FRAM': a frame of {} x {} x {} values of {} bits", format.rows,
              format.columns, format.samples, format.bits_allocated);
}

ArchiveInfo make_info(const Archive::State& state) {
  ArchiveInfo info;
  info.format_major = state.header.major;
  info.format_minor = state.header.minor;
  info.has_references = (state.header.required_features & format::kReferences) != 0;
  info.is_lossy = (state.header.optional_features & format::kLossy) != 0;
  info.series_instance_uid = state.table.series_instance_uid;
  info.file_bytes = state.header.file_bytes;
  info.checksum = state.header.checksum;
  std::vector<std::uint64_t> by_codec(256);
  for (const format::Frame& frame : state.index.frames)
    ++by_codec[state.index.formats[frame.format].has_codec() ? frame.codec : 255];
  for (std::size_t block = 0; block < state.index.frame_blocks; ++block)
    info.pixel_bytes += state.index.blocks[block].stored;
  info.repeated_frames = state.index.frames.size() - state.index.frame_blocks;
  for (std::size_t codec = 0; codec < by_codec.size(); ++codec)
    if (by_codec[codec] > 0)
      info.codecs.emplace_back(codec == 255 ? "source" : std::string(codec::name(static_cast<codec::CodecId>(codec))),
                               by_codec[codec]);
  info.metadata_bytes = info.file_bytes - info.pixel_bytes;
  for (const Instance& instance : state.table.instances) info.source_bytes += instance.size;
  return info;
}

Status read_frame_formats(Archive::State& state) {
  for (const format::FrameFormat& format : state.index.formats) {
    DICUBE_TRY(check_size(format));
    state.formats.push_back(archive::public_format(format));
  }
  return {};
}

// REQUIRES: the sections of frames and instances are read.
Status read_metadata(Archive::State& state, ByteSpan schema, Bytes columns) {
  archive::Metadata::Blocks blocks;
  blocks.read = [raw = &state](std::uint64_t block) -> Result<Bytes> {
    Bytes bytes;
    DICUBE_TRY(raw->read_block(block, bytes));
    return bytes;
  };
  blocks.read_pieces = [raw = &state](std::uint64_t block, const Sink& sink) { return raw->read_block(block, sink); };
  auto& instances = state.table.instances;
  DICUBE_ASSIGN(state.metadata, archive::Metadata::open(schema, std::move(columns), instances.size(),
                                                        limits_of(state.header), std::move(blocks)));
  if (instances.empty()) return {};
  DICUBE_ASSIGN(const auto names, state.metadata->special(columns::ColumnKind::kName));
  archive::Metadata::Cursor cursor(*state.metadata, names);
  for (std::size_t i = 0; i < instances.size(); ++i) {
    DICUBE_ASSIGN(const auto value, cursor.value(i));
    instances[i].name = as_text(value);
  }
  return {};
}

void find_references(Archive::State& state) {
  const auto& frames = state.index.frames;
  state.is_reference.resize(state.index.frame_blocks);
  std::size_t farthest = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (frames[i].back == 0) continue;
    const std::size_t block = frames[i - frames[i].back].block;
    state.is_reference[block] = true;
    farthest = std::max(farthest, frames[i].block - block);
  }
  state.references.set_farthest(farthest);
}

Status read_sections(Archive::State& state, Bytes start) {
  format::Header& header = state.header;
  DICUBE_ASSIGN(const auto front, read_front(*state.source, std::move(start), header));
  DICUBE_ASSIGN(const auto frames, section_bytes(header, front, format::SectionId::kFrames));
  DICUBE_ASSIGN(const auto instances, section_bytes(header, front, format::SectionId::kInstances));
  DICUBE_ASSIGN(const auto schema, section_bytes(header, front, format::SectionId::kSchema));
  DICUBE_ASSIGN(auto columns, section_bytes(header, front, format::SectionId::kColumns));
  DICUBE_ASSIGN(state.index,
                format::read_frame_index(frames, header.file_bytes - header.front_bytes, header.required_features));
  find_references(state);
  DICUBE_ASSIGN(state.table, archive::read_instances(instances, state.index.frames.size()));
  DICUBE_TRY(read_metadata(state, schema, std::move(columns)));
  DICUBE_TRY(read_frame_formats(state));
  state.info = make_info(state);
  if ((header.optional_features & format::kChecked) != 0) state.info.findings.emplace();
  if (header.find(format::SectionId::kFindings) == nullptr) return {};
  DICUBE_ASSIGN(const auto findings, section_bytes(header, front, format::SectionId::kFindings));
  DICUBE_ASSIGN(state.info.findings, archive::read_findings(findings, state.table.instances.size()));
  return {};
}

// What a file of format version 1 becomes: without a name, in the folder for temporary files, as long as the archive is
// open.
Result<std::unique_ptr<io::Source>> converted(const io::Source& old) {
  std::error_code code;
  DICUBE_ASSIGN(auto opened, io::Folder::open(std::filesystem::temp_directory_path(code).string()));
  auto folder = std::make_unique<io::Folder>(std::move(opened));
  DICUBE_ASSIGN(auto file, archive::convert_version1(old, *folder, "dicube-version-1.dcbs"));
  return std::make_unique<io::NamelessSource>(std::move(folder), std::move(file), old.name());
}

// What somebody else reads.
class ReadSource : public io::Source {
 public:
  ReadSource(std::uint64_t size, Archive::Read read, std::string name)
      : size_(size), read_(std::move(read)), name_(std::move(name)) {}
  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Status read_at(std::uint64_t offset, MutableByteSpan out) const override { return read_(offset, out); }

 private:
  std::uint64_t size_;
  Archive::Read read_;
  std::string name_;
};

// Of format version 1: the archive that it converts to.
Result<std::unique_ptr<Archive::State>> open_version1(const io::Source& source) {
  auto state = std::make_unique<Archive::State>();
  DICUBE_ASSIGN(state->source, converted(source));
  DICUBE_ASSIGN(auto status, archive::version1_status(source));
  DICUBE_ASSIGN(auto start, read_start(*state->source));
  DICUBE_TRY(read_sections(*state, std::move(start)));
  ArchiveInfo& info = state->info;  // of the file, not of what it became
  info.file_bytes = source.size();
  info.pixel_bytes = info.repeated_frames = 0;
  for (std::size_t frame = 0; frame < state->index.frames.size(); ++frame)
    info.pixel_bytes += state->codestream_size(frame);
  info.metadata_bytes = info.file_bytes - std::min(info.file_bytes, info.pixel_bytes);
  info.format_major = 1;
  info.format_minor = 0;
  info.status = std::move(status);
  return state;
}

Result<std::unique_ptr<Archive::State>> open_any(std::unique_ptr<io::Source> source) {
  DICUBE_ASSIGN(auto start, read_start(*source));
  if (archive::is_version1(start)) return open_version1(*source);
  auto state = std::make_unique<Archive::State>();
  state->source = std::move(source);
  DICUBE_TRY(read_sections(*state, std::move(start)));
  return state;
}

}  // namespace

Result<Archive> ArchiveAccess::open(std::unique_ptr<io::Source> source) {
  const std::string name = source->name();
  auto state = open_any(std::move(source));
  if (!state) return tl::unexpected<Error>(in_file(state.error(), name));
  return Archive(*std::move(state));
}

Result<Archive> Archive::open(const std::string& path) {
  DICUBE_ASSIGN(auto file, io::InputFile::open(path));
  return ArchiveAccess::open(std::move(file));
}

Result<Archive> Archive::from_bytes(std::span<const std::byte> bytes, std::string name) {
  return ArchiveAccess::open(std::make_unique<io::MemorySource>(bytes, std::move(name)));
}

Result<Archive> Archive::from_reader(std::uint64_t size, Read read, std::string name) {
  if (!read) return tl::unexpected<Error>(Error{ErrorClass::kUsage, "no function to read with", std::move(name)});
  return ArchiveAccess::open(std::make_unique<ReadSource>(size, std::move(read), std::move(name)));
}

}  // namespace dicube
