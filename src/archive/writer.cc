#include "archive/writer.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "columns/packed.h"
#include "format/header.h"

namespace dicube::archive {
namespace {

constexpr int kSectionLevel = 19;
constexpr std::size_t kMostPackedColumns = std::size_t{128} << 10;
constexpr std::size_t kQuicklyUnpacked = std::size_t{4} << 10;  // in some microseconds
constexpr std::uint64_t kWorthUnpacking = 256;                  // a part in so many

// HTJ2K codestreams that agree so far agree on their sizes and precision (SIZ), and mostly on all of the main header.
constexpr std::size_t kSignature = 48;
constexpr std::size_t kMostHead = 1024;
constexpr std::size_t kMostFormats = 64;  // no more are made for the sake of heads

struct FrontSection {
  format::SectionId id;
  Bytes bytes;
  bool packed = false;
  std::uint64_t size = 0;  // after unpacking, when packed
};

FrontSection packed_if_shorter(FrontSection section) {
  Bytes packed = columns::zstd_compress(section.bytes, kSectionLevel);
  section.size = section.bytes.size();
  section.packed = packed.size() < section.bytes.size() && section.size <= columns::most_unpacked(packed.size());
  if (section.packed) section.bytes = std::move(packed);
  return section;
}

// The shorter of two forms.
FrontSection packed_schema(std::array<Bytes, 2> forms) {
  FrontSection first = packed_if_shorter({format::SectionId::kSchema, std::move(forms[0])});
  FrontSection second = packed_if_shorter({format::SectionId::kSchema, std::move(forms[1])});
  return second.bytes.size() < first.bytes.size() ? second : first;
}

// Columns are packed one by one. A few that are alike get shorter together; but then opening unpacks them all, so that
// it must save a part of the file that is worth it, unless it takes no time.
FrontSection packed_columns(Bytes columns, std::uint64_t data_bytes) {
  FrontSection plain{format::SectionId::kColumns, std::move(columns)};
  if (plain.bytes.size() > kMostPackedColumns) return plain;
  FrontSection packed = packed_if_shorter(plain);
  if (plain.bytes.size() <= kQuicklyUnpacked) return packed;
  const std::uint64_t saved = plain.bytes.size() - packed.bytes.size();
  return saved >= (plain.bytes.size() + data_bytes) / kWorthUnpacking ? packed : plain;
}

std::uint64_t front_bytes(const std::vector<FrontSection>& sections) {
  std::uint64_t bytes = format::kHeaderBytes + format::kEntryBytes * (sections.size() + 1);
  for (const FrontSection& section : sections) bytes += section.bytes.size();
  return bytes;
}

// Header, directory, and the sections one behind the other.
Bytes lay_out(const std::vector<FrontSection>& sections, std::uint64_t data_bytes, std::uint64_t optional_features,
              std::uint64_t required_features) {
  format::Header header;
  header.required_features = required_features;
  header.optional_features = optional_features;
  std::uint64_t at = format::kHeaderBytes + format::kEntryBytes * (sections.size() + 1);
  for (const FrontSection& section : sections) {
    const auto id = static_cast<std::uint32_t>(section.id);
    header.sections.push_back({id, section.packed, at, section.bytes.size(),
                               section.packed ? section.size : section.bytes.size(),
                               format::section_checksum(id, section.bytes)});
    at += section.bytes.size();
  }
  header.front_bytes = at;
  header.file_bytes = at + data_bytes;
  header.sections.push_back(
      {static_cast<std::uint32_t>(format::SectionId::kData), false, at, data_bytes, data_bytes, 0});
  Bytes front = format::write_header(header);
  for (const FrontSection& section : sections) append(front, section.bytes);
  return front;
}

}  // namespace

ArchiveWriter::ArchiveWriter(const io::Folder& folder, std::string name)
    : folder_(folder),
      name_(std::move(name)),
      frames_(folder, name_),
      recipes_(folder, name_),
      blocks_(folder, name_),
      metadata_(blocks_) {}

void ArchiveWriter::reserve(std::size_t instances) {
  table_.instances.reserve(instances);
  index_.frames.reserve(instances);
}

Status ArchiveWriter::add(Instance instance, const Shreddable& parts, std::vector<CodedFrame> frames) {
  DICUBE_TRY(shred(parts, metadata_));
  if (!frames.empty()) DICUBE_TRY(add_frames(parts.pixels->format, frames));
  instance.first_frame =
      table_.instances.empty() ? 0 : table_.instances.back().first_frame + table_.instances.back().frames;
  instance.frames = index_.frames.size() - instance.first_frame;
  instance.name = {};  // is in its column
  table_.instances.push_back(std::move(instance));
  return {};
}

Status ArchiveWriter::add_frames(const format::FrameFormat& format, std::span<CodedFrame> frames) {
  for (CodedFrame& frame : frames) {
    if (frame.same > 0) {
      repeat(frame.same);
      continue;
    }
    format::Frame entry{format_number(format, frame), static_cast<std::uint8_t>(frame.codec), frame.source_size,
                        frame.back};
    DICUBE_ASSIGN(entry.block, find_same(entry, frame));
    index_.frames.push_back(entry);
    Bytes stored = std::move(frame.stored), recipe = std::move(frame.recipe_bytes);
    if (entry.block < frames_.count()) continue;
    ++blocks_of_format_[entry.format];
    frame_of_block_.push_back(index_.frames.size() - 1);
    DICUBE_TRY(frames_.add(std::move(stored)));
    DICUBE_TRY(recipes_.add(std::move(recipe)));
  }
  return {};
}

// Adds the frame `distance` before the next one again.
void ArchiveWriter::repeat(std::uint32_t distance) {
  format::Frame entry = index_.frames[index_.frames.size() - distance];
  if (entry.back != 0) entry.back += distance;
  index_.frames.push_back(entry);
}

// The block of an earlier frame with the same stored bytes, or the number of the next one. Of frames with one hash the
// first is looked at alone, so that none can be made up to cost time.
Result<std::size_t> ArchiveWriter::find_same(const format::Frame& entry, const CodedFrame& frame) {
  const std::size_t next = frames_.count();
  const std::size_t number = index_.frames.size();
  const std::uint64_t hash =
      xxh3(frame.stored, xxh3(frame.recipe_bytes, entry.format ^ reference_of(entry, number) << 32));
  const auto [found, is_new] = blocks_by_hash_.try_emplace(hash, next);
  if (is_new || number - next >= format::kMostFound) return next;
  DICUBE_ASSIGN(const bool same, is_same(entry, frame, found->second));
  return same ? found->second : next;
}

// What a frame, the `number`th, is coded after: 0 for nothing, else the block's number and 1.
std::uint64_t ArchiveWriter::reference_of(const format::Frame& frame, std::size_t number) const {
  return frame.back == 0 ? 0 : index_.frames[number - frame.back].block + 1;
}

Result<bool> ArchiveWriter::is_same(const format::Frame& entry, const CodedFrame& frame, std::size_t block) const {
  const std::size_t number = frame_of_block_[block];
  const format::Frame& other = index_.frames[number];
  if (other.format != entry.format || other.codec != entry.codec || other.source_size != entry.source_size ||
      reference_of(other, number) != reference_of(entry, index_.frames.size()))
    return false;
  DICUBE_ASSIGN(const bool same, frames_.holds(block, frame.stored));
  if (!same) return false;
  return recipes_.holds(block, frame.recipe_bytes);
}

const format::FrameFormat& ArchiveWriter::format_of(std::size_t block) const {
  return index_.formats[index_.frames[frame_of_block_[block]].format];
}

// Frames whose codestreams begin alike share a format, whose head is for now what they must agree on.
std::uint32_t ArchiveWriter::format_number(const format::FrameFormat& format, const CodedFrame& frame) {
  format::FrameFormat key = format;
  const bool is_htj2k =
      frame.codec == codec::CodecId::kHtj2k && (format.transfer_syntax.empty() || frame.recipe != codec::Recipe::kKept);
  key.recipe = static_cast<std::uint8_t>(frame.recipe);
  const std::size_t alike = is_htj2k ? kSignature : frame.head_bytes;
  if (frame.stored.size() >= alike && index_.formats.size() < kMostFormats)
    key.head.assign(frame.stored.begin(), frame.stored.begin() + static_cast<std::ptrdiff_t>(alike));
  const std::uint64_t hash = format::hash_of(key);
  const auto [begin, end] = formats_by_hash_.equal_range(hash);
  auto found = std::find_if(begin, end, [&](const auto& known) { return index_.formats[known.second] == key; });
  if (found == end) {
    found = formats_by_hash_.emplace(hash, static_cast<std::uint32_t>(index_.formats.size()));
    index_.formats.push_back(std::move(key));
    blocks_of_format_.push_back(0);
  }
  return found->second;
}

// All that the entries of each format begin with alike; `prefix` says where a format keeps it, nullptr: nowhere.
Status ArchiveWriter::find_prefixes(const Spool& spool, Bytes* (*prefix)(format::FrameFormat&)) {
  std::vector<bool> started(index_.formats.size());
  Bytes scratch;
  for (std::size_t i = 0; i < frames_.count(); ++i) {
    const std::uint32_t number = index_.frames[frame_of_block_[i]].format;
    Bytes* const found = prefix(index_.formats[number]);
    if (found == nullptr || blocks_of_format_[number] < 2) continue;
    Bytes& head = *found;
    const auto most = std::min<std::uint64_t>(spool.size(i), started[number] ? head.size() : kMostHead);
    DICUBE_ASSIGN(auto start, spool.read(i, 0, most, scratch));
    if (!started[number]) head.assign(start.begin(), start.end());
    const auto end = std::mismatch(head.begin(), head.end(), start.begin(), start.end()).first;
    head.erase(end, head.end());
    started[number] = true;
  }
  return {};
}

// Each format's heads become all that its codestreams and recipes begin with alike, and they lose it.
Status ArchiveWriter::strip_heads() {
  DICUBE_TRY(
      find_prefixes(frames_, [](format::FrameFormat& format) { return format.head.empty() ? nullptr : &format.head; }));
  DICUBE_TRY(find_prefixes(
      recipes_, [](format::FrameFormat& format) { return format.recipe == 0 ? nullptr : &format.recipe_head; }));
  for (std::size_t number = 0; number < index_.formats.size(); ++number)
    if (blocks_of_format_[number] < 2) index_.formats[number].head.clear();
  return {};
}

std::uint64_t ArchiveWriter::stored_bytes(std::size_t block) const {
  const format::FrameFormat& format = format_of(block);
  const std::uint64_t pixels = frames_.size(block) - format.head.size();
  return format.recipe == 0 ? pixels
                            : pixels + recipes_.size(block) - format.recipe_head.size() + format::kRecipeSizeBytes;
}

// What is stored of a frame: behind the heads of its format.
Result<ByteSpan> ArchiveWriter::frame_block(std::size_t block, Bytes& scratch) const {
  const format::FrameFormat& format = format_of(block);
  const std::uint64_t head = format.head.size(), recipe_head = format.recipe_head.size();
  DICUBE_ASSIGN(auto pixels, frames_.read(block, head, frames_.size(block) - head, scratch));
  if (format.recipe == 0) return pixels;
  Bytes both(pixels.begin(), pixels.end()), more;
  DICUBE_ASSIGN(auto recipe, recipes_.read(block, recipe_head, recipes_.size(block) - recipe_head, more));
  format::append_recipe(recipe, both);
  scratch = std::move(both);
  return ByteSpan(scratch);
}

// Frames and blocks in their order, and their checksums into the index.
Status ArchiveWriter::append_blocks(io::NewFile& file) {
  Bytes scratch;
  for (std::size_t number = 0; number < index_.blocks.size(); ++number) {
    Xxh3Stream checksum = format::block_checksum(number);
    const auto append_piece = [&](ByteSpan bytes) {
      checksum.update(bytes);
      return file.append(bytes);
    };
    if (number < frames_.count()) {
      DICUBE_ASSIGN(const auto block, frame_block(number, scratch));
      DICUBE_TRY(append_piece(block));
      frames_.forget(number);
      recipes_.forget(number);
    } else {
      DICUBE_TRY(blocks_.read(number - frames_.count(), append_piece));
      blocks_.forget(number - frames_.count());
    }
    index_.blocks[number].checksum = checksum.finish();
  }
  return {};
}

std::uint64_t ArchiveWriter::optional_features() const {
  return (lossy_ ? format::kLossy : 0) | (findings_ ? format::kChecked : 0);
}

Result<io::NewFile> ArchiveWriter::finish(std::string series_instance_uid, unsigned threads) {
  table_.series_instance_uid = std::move(series_instance_uid);
  DICUBE_TRY(strip_heads());
  for (Spool* spool : {&frames_, &recipes_, &blocks_}) DICUBE_TRY(spool->let_go());  // coding the columns takes memory
  DICUBE_ASSIGN(auto metadata, metadata_.finish(frames_.count(), threads));
  std::uint64_t data_bytes = 0;
  const auto place = [&](std::uint64_t stored) {
    index_.blocks.push_back({data_bytes, stored, 0});
    data_bytes += stored;
  };
  for (std::size_t i = 0; i < frames_.count(); ++i) place(stored_bytes(i));
  for (std::size_t i = 0; i < blocks_.count(); ++i) place(blocks_.size(i));
  index_.frame_blocks = frames_.count();
  const std::uint64_t required = format::features_of(index_);
  // The index has its final size before it has its checksums.
  std::vector<FrontSection> sections;
  sections.push_back({format::SectionId::kInstances, write_instances(table_)});
  sections.push_back(packed_schema(std::move(metadata.schema)));
  sections.push_back(packed_columns(std::move(metadata.columns), data_bytes));
  if (findings_ && !findings_->empty())
    sections.push_back(packed_if_shorter({format::SectionId::kFindings, write_findings(*findings_)}));
  sections.push_back({format::SectionId::kFrames, format::write_frame_index(index_, required)});
  DICUBE_ASSIGN(auto file, io::NewFile::create(folder_, name_));
  file.leave_gap(front_bytes(sections));
  DICUBE_TRY(append_blocks(file));
  sections.back().bytes = format::write_frame_index(index_, required);
  DICUBE_TRY(file.write_at(0, lay_out(sections, data_bytes, optional_features(), required)));
  file.start_writeback();
  return file;
}

}  // namespace dicube::archive
