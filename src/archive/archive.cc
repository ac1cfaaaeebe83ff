// Opening:
//  1. read the first 32 KiB, and the rest of the front when it is longer;
//  2. check the header, then each section's checksum, then parse;
//  3. read nothing else until it is asked for.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "archive/assemble.h"
#include "archive/pixels.h"
#include "archive/state.h"
#include "archive/version1.h"
#include "base/checked.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "columns/packed.h"

namespace dicube {
namespace {

constexpr std::uint64_t kFirstRead = 32 * 1024;

// A row of a column costs bytes in a source file; an archive can't have more rows than this.
std::uint64_t most_rows(std::uint64_t file_bytes) {
  return (std::uint64_t{1} << 16) + 16 * std::min<std::uint64_t>(file_bytes, std::uint64_t{1} << 40);
}

Result<Bytes> read_front(const io::Source& source, format::Header& header) {
  Bytes front(std::min(source.size(), kFirstRead));
  DICUBE_TRY(source.read_at(0, front));
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
  return columns::zstd_decompress(stored, section->size, "a section");
}

ArchiveInfo make_info(const Archive::State& state);

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

// Frames of one instance, for putting it together.
class InstanceFrames : public archive::FrameSource {
 public:
  InstanceFrames(const Archive::State& state, const Instance& instance, archive::Scratch& scratch)
      : state_(state), instance_(instance), scratch_(scratch) {}

  Status append_native(Bytes& out) override {
    const std::size_t begin = out.size();
    std::uint64_t bit = 0;
    for (std::uint64_t i = 0; i < instance_.frames; ++i) {
      const std::uint64_t number = instance_.first_frame + i;
      const format::Frame& frame = state_.index.frames[number];
      const format::FrameFormat& format = state_.index.formats[frame.format];
      const auto bits = archive::source_frame_bits(format);
      const auto end = bits ? checked_add(bit, *bits) : std::nullopt;
      if (!end || *end / 8 > instance_.size || !format.transfer_syntax.empty())
        return fail(ErrorClass::kDamaged, "frame {} does not fit its instance of {} bytes", number, instance_.size);
      const std::uint64_t first = bit / 8, last = (*end + 7) / 8;
      DICUBE_TRY(state_.read_block(number, scratch_.stored));
      DICUBE_ASSIGN(auto codec, archive::codec_of(format, frame.codec));
      DICUBE_TRY(archive::check_stream(format, codec, scratch_.stored, last - first));
      DICUBE_ASSIGN(const auto reference, state_.read_reference(number, format.planar));
      if (out.size() < begin + last) out.resize(begin + last);
      const MutableByteSpan pixels = MutableByteSpan(out).subspan(begin + first, last - first);
      DICUBE_TRY(archive::decode_to_source(scratch_, format, codec, scratch_.stored, pixels,
                                           reference ? ByteSpan(*reference) : ByteSpan()));
      if (archive::is_as_coded(format)) state_.keep_reference(number, format.planar, pixels);
      bit = *end;
    }
    return {};
  }

  std::vector<std::uint64_t> encapsulated_sizes() override {
    std::vector<std::uint64_t> sizes;
    for (std::uint64_t i = 0; i < instance_.frames; ++i) {
      const format::Frame& frame = state_.index.frames[instance_.first_frame + i];
      const format::FrameFormat& format = state_.index.formats[frame.format];
      sizes.push_back(format.recipe != 0 ? frame.source_size
                                         : state_.index.blocks[instance_.first_frame + i].stored + format.head.size());
    }
    return sizes;
  }

  Status append_encapsulated(std::size_t frame, Bytes& out) override {
    const std::uint64_t number = instance_.first_frame + frame;
    DICUBE_TRY(state_.read_block(number, scratch_.stored));
    const format::Frame& entry = state_.index.frames[number];
    const format::FrameFormat& format = state_.index.formats[entry.format];
    if (format.recipe == 0) {
      append(out, scratch_.stored);
      return {};
    }
    if (entry.source_size > instance_.size)
      return fail(ErrorClass::kDamaged, "frame {} has {} bytes, its instance {}", number, entry.source_size,
                  instance_.size);
    DICUBE_ASSIGN(const auto reference, state_.read_reference(number, false));
    return archive::follow_recipe(scratch_, format, entry, scratch_.stored, out,
                                  reference ? ByteSpan(*reference) : ByteSpan());
  }

 private:
  const Archive::State& state_;
  const Instance& instance_;
  archive::Scratch& scratch_;
};

// Memory that nobody has touched yet comes in pages of 2 MiB rather than 4 KiB: about a fifth of the time of a load.
// Only a wish; it changes no contents, and memory that has its pages keeps them.
void use_large_pages(std::span<std::byte> memory) {
  constexpr std::uintptr_t kPage = std::uintptr_t{2} << 20;
  const auto first = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::uintptr_t begin = (first + kPage - 1) / kPage * kPage, end = (first + memory.size()) / kPage * kPage;
  if (begin < end) ::madvise(memory.data() + (begin - first), end - begin, MADV_HUGEPAGE);
}

// The instance without its native frames, and with zeros for the bytes of encapsulated ones.
class NoFrames : public InstanceFrames {
 public:
  using InstanceFrames::InstanceFrames;
  Status append_native(Bytes&) override { return {}; }
  std::vector<std::uint64_t> encapsulated_sizes() override { return sizes_ = InstanceFrames::encapsulated_sizes(); }
  Status append_encapsulated(std::size_t frame, Bytes& out) override {
    out.resize(out.size() + sizes_[frame]);
    return {};
  }

 private:
  std::vector<std::uint64_t> sizes_;
};

}  // namespace

Status Archive::State::read_block(std::uint64_t block, Bytes& out) const {
  if (block >= index.blocks.size())
    return fail(ErrorClass::kDamaged, "block {} of {} is asked for", block, index.blocks.size());
  const format::Block& entry = index.blocks[block];
  ByteSpan head;
  if (block < index.frames.size()) head = index.formats[index.frames[block].format].head;
  out.resize(head.size() + entry.stored);
  if (!head.empty()) std::memcpy(out.data(), head.data(), head.size());
  const MutableByteSpan stored = MutableByteSpan(out).subspan(head.size());
  DICUBE_TRY(source->read_at(header.front_bytes + entry.offset, stored));
  const std::uint64_t computed = format::block_checksum(block, stored);
  if (computed == entry.checksum) return {};
  return fail(ErrorClass::kDamaged, "{} {}: checksum {:016x} stored, {:016x} computed",
              block < index.frames.size() ? "frame" : "block", block, entry.checksum, computed);
}

void Archive::State::keep_reference(std::size_t frame, bool planar, ByteSpan pixels) const {
  if (is_reference[frame]) references.keep(frame, planar, std::make_shared<const Bytes>(pixels.begin(), pixels.end()));
}

// Decodes as much of the chain as is not there.
Result<archive::Pixels> Archive::State::read_reference(std::size_t frame, bool planar) const {
  std::vector<std::size_t> missing;
  archive::Pixels pixels;
  while (index.frames[frame].back != 0 && pixels == nullptr) {
    frame -= index.frames[frame].back;
    pixels = references.find(frame, planar);
    if (pixels == nullptr) missing.push_back(frame);
  }
  auto work = scratch.lend();
  for (; !missing.empty(); missing.pop_back()) {
    const std::size_t number = missing.back();
    const format::Frame& entry = index.frames[number];
    const format::FrameFormat& format = index.formats[entry.format];
    const codec::Shape shape = archive::decoded_shape(format, planar);
    DICUBE_TRY(read_block(number, work->stored));
    ByteSpan coded = work->stored;
    if (format.recipe != 0) {
      DICUBE_ASSIGN(const auto parts, format::split_frame(coded));
      coded = parts.pixels;
    }
    DICUBE_ASSIGN(const auto codec, archive::codec_of(format, entry.codec));
    const auto size = codec::frame_bytes(shape);
    if (!size) return fail(ErrorClass::kCodec, "frame {} of {} x {} values", number, format.rows, format.columns);
    DICUBE_TRY(codec::check_stream(codec, shape, coded, *size));
    auto decoded = std::make_shared<Bytes>(*size);
    DICUBE_TRY(entry.back != 0 ? work->codec.decode_after(shape, *pixels, coded, *decoded)
                               : work->codec.decode(codec, shape, coded, *decoded));
    references.keep(number, planar, decoded);
    pixels = std::move(decoded);
  }
  return pixels;
}

std::size_t Archive::State::instance_of(std::size_t frame) const {
  const auto after = std::upper_bound(table.instances.begin(), table.instances.end(), frame,
                                      [](std::size_t f, const Instance& instance) { return f < instance.first_frame; });
  auto at = after - 1;
  while (at->frames == 0) --at;  // instances without frames share the number
  return static_cast<std::size_t>(at - table.instances.begin());
}

unsigned Archive::State::bit_offset(std::size_t frame) const {
  const format::FrameFormat& format = index.formats[index.frames[frame].format];
  if (format.bits_allocated != 1 || !format.transfer_syntax.empty()) return 0;
  const std::uint64_t before = frame - table.instances[instance_of(frame)].first_frame;
  return static_cast<unsigned>(before % 8 * (archive::source_frame_bits(format).value_or(0) % 8) % 8);
}

Result<Archive> ArchiveAccess::open(std::unique_ptr<io::Source> source, std::uint16_t major, std::string status) {
  auto state = std::make_unique<Archive::State>();
  const std::string name = source->name();
  state->source = std::move(source);
  const auto opened = [&]() -> Status {
    format::Header& header = state->header;
    DICUBE_ASSIGN(auto front, read_front(*state->source, header));
    DICUBE_ASSIGN(auto frames, section_bytes(header, front, format::SectionId::kFrames));
    DICUBE_ASSIGN(auto instances, section_bytes(header, front, format::SectionId::kInstances));
    DICUBE_ASSIGN(auto schema, section_bytes(header, front, format::SectionId::kSchema));
    DICUBE_ASSIGN(auto columns, section_bytes(header, front, format::SectionId::kColumns));
    DICUBE_ASSIGN(state->index, format::read_frame_index(frames, header.file_bytes - header.front_bytes,
                                                         (header.required_features & format::kReferences) != 0));
    state->is_reference.resize(state->index.frames.size());
    for (std::size_t i = 0; i < state->index.frames.size(); ++i)
      if (state->index.frames[i].back != 0) state->is_reference[i - state->index.frames[i].back] = true;
    DICUBE_ASSIGN(state->table, archive::read_instances(instances, state->index.frames.size()));
    auto read_block = [raw = state.get()](std::uint64_t block) -> Result<Bytes> {
      Bytes bytes;
      DICUBE_TRY(raw->read_block(block, bytes));
      return bytes;
    };
    DICUBE_ASSIGN(state->metadata, archive::Metadata::open(schema, std::move(columns), state->table.instances.size(),
                                                           most_rows(header.file_bytes), std::move(read_block)));
    if (!state->table.instances.empty()) {
      DICUBE_ASSIGN(auto names, state->metadata->special(columns::ColumnKind::kName));
      archive::Metadata::Cursor cursor(*state->metadata, names);
      for (std::size_t i = 0; i < state->table.instances.size(); ++i) {
        DICUBE_ASSIGN(const auto value, cursor.value(i));
        state->table.instances[i].name = as_text(value);
      }
    }
    for (const format::FrameFormat& format : state->index.formats) {
      DICUBE_TRY(check_size(format));
      state->formats.push_back(archive::public_format(format));
    }
    state->info = make_info(*state);
    if (header.find(format::SectionId::kFindings) != nullptr) {
      DICUBE_ASSIGN(auto findings, section_bytes(header, front, format::SectionId::kFindings));
      DICUBE_ASSIGN(state->info.findings, archive::read_findings(findings, state->table.instances.size()));
    }
    if (major != 0) {
      state->info.format_major = major;
      state->info.format_minor = 0;
      state->info.status = std::move(status);
    }
    return {};
  }();
  if (!opened) return tl::unexpected<Error>(in_file(opened.error(), name));
  return Archive(std::move(state));
}

const Archive::State& ArchiveAccess::state(const Archive& archive) { return *archive.state_; }

namespace {

ArchiveInfo make_info(const Archive::State& state) {
  ArchiveInfo info;
  info.format_major = state.header.major;
  info.format_minor = state.header.minor;
  info.has_references = (state.header.required_features & format::kReferences) != 0;
  info.is_lossy = (state.header.optional_features & format::kLossy) != 0;
  info.series_instance_uid = state.table.series_instance_uid;
  info.file_bytes = state.header.file_bytes;
  std::vector<std::uint64_t> by_codec(256);
  for (std::size_t i = 0; i < state.index.frames.size(); ++i) {
    info.pixel_bytes += state.index.blocks[i].stored;
    const bool source_coded = !state.index.formats[state.index.frames[i].format].has_codec();
    ++by_codec[source_coded ? 255 : state.index.frames[i].codec];
  }
  for (std::size_t codec = 0; codec < by_codec.size(); ++codec)
    if (by_codec[codec] > 0)
      info.codecs.emplace_back(codec == 255 ? "source" : std::string(codec::name(static_cast<codec::CodecId>(codec))),
                               by_codec[codec]);
  info.metadata_bytes = info.file_bytes - info.pixel_bytes;
  for (const Instance& instance : state.table.instances) info.source_bytes += instance.size;
  return info;
}

}  // namespace

Archive::Archive(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;
Archive::~Archive() = default;

namespace {

// What a file of format version 1 becomes: without a name, in the folder for temporary files, as long as the archive is
// open.
class ConvertedSource : public io::Source {
 public:
  static Result<std::unique_ptr<io::Source>> make(const io::Source& old) {
    std::error_code code;
    DICUBE_ASSIGN(auto folder, io::Folder::open(std::filesystem::temp_directory_path(code).string()));
    std::unique_ptr<ConvertedSource> made(new ConvertedSource(std::move(folder), old.name()));
    DICUBE_ASSIGN(auto file, archive::convert_version1(old, made->folder_, "dicube-version-1.dcbs"));
    made->file_.emplace(std::move(file));
    return made;
  }
  std::uint64_t size() const override { return file_->size(); }
  const std::string& name() const override { return name_; }
  Status read_at(std::uint64_t offset, MutableByteSpan out) const override { return file_->read_at(offset, out); }

 private:
  ConvertedSource(io::Folder folder, std::string name) : folder_(std::move(folder)), name_(std::move(name)) {}
  io::Folder folder_;
  std::optional<io::NewFile> file_;
  std::string name_;
};

Result<Archive> open_source(std::unique_ptr<io::Source> source) {
  Bytes first(std::min<std::uint64_t>(12, source->size()));
  if (source->read_at(0, first) && archive::is_version1(first)) {
    auto converted = ConvertedSource::make(*source);
    if (!converted) return tl::unexpected<Error>(in_file(converted.error(), source->name()));
    auto status = archive::version1_status(*source);
    if (!status) return tl::unexpected<Error>(in_file(status.error(), source->name()));
    return ArchiveAccess::open(*std::move(converted), 1, *std::move(status));
  }
  return ArchiveAccess::open(std::move(source));
}

}  // namespace

Result<Archive> Archive::open(const std::string& path) {
  DICUBE_ASSIGN(auto file, io::InputFile::open(path));
  return open_source(std::move(file));
}

Result<Archive> Archive::from_bytes(std::span<const std::byte> bytes, std::string name) {
  return open_source(std::make_unique<io::MemorySource>(bytes, std::move(name)));
}

const ArchiveInfo& Archive::info() const { return state_->info; }
std::span<const Instance> Archive::instances() const { return state_->table.instances; }
std::size_t Archive::frame_count() const { return state_->index.frames.size(); }
std::size_t Archive::instance_of(std::size_t frame) const { return state_->instance_of(frame); }

std::optional<std::size_t> Archive::find_instance(std::string_view name) const {
  for (std::size_t i = 0; i < instances().size(); ++i)
    if (instances()[i].name == name) return i;
  return std::nullopt;
}

const PixelFormat& Archive::pixel_format(std::size_t frame) const {
  return state_->formats[state_->index.frames[frame].format];
}

std::string_view Archive::codec(std::size_t frame) const {
  const format::FrameFormat& format = state_->index.formats[state_->index.frames[frame].format];
  if (!format.has_codec()) return format.transfer_syntax;
  return codec::name(static_cast<codec::CodecId>(state_->index.frames[frame].codec));
}

Status Archive::read_frame(std::size_t frame, std::span<std::byte> out) const {
  return read_frame_reduced(frame, 0, out);
}

// `reference`: of a frame that has one, its pixels when they are at hand.
Status ArchiveAccess::decode_frame(const Archive& archive, std::size_t frame, unsigned level, ByteSpan reference,
                                   MutableByteSpan out) {
  const Archive::State& state = *archive.state_;
  auto done = [&]() -> Status {
    if (frame >= archive.frame_count())
      return fail(ErrorClass::kNotFound, "no frame {}: there are {}", frame, archive.frame_count());
    if (level > 31) return fail(ErrorClass::kUsage, "a reduction by 2^{}", level);
    const format::Frame& entry = state.index.frames[frame];
    const format::FrameFormat& format = state.index.formats[entry.format];
    auto scratch = state.scratch.lend();
    DICUBE_ASSIGN(auto codec, archive::codec_of(format, entry.codec));
    archive::Pixels own;
    if (entry.back != 0 && reference.empty()) {
      DICUBE_ASSIGN(own, state.read_reference(frame, false));
      reference = *own;
    }
    DICUBE_TRY(state.read_block(frame, scratch->stored));
    ByteSpan coded = scratch->stored;
    if (format.recipe != 0) {
      DICUBE_ASSIGN(const auto parts, format::split_frame(coded));
      coded = parts.pixels;
    }
    return archive::decode_to_public(*scratch, format, codec, coded, level, state.bit_offset(frame), out, reference);
  }();
  if (done) return done;
  Error error = done.error();
  if (error.error_class == ErrorClass::kCodec) error.message = formatted("frame {}: {}", frame, error.message);
  return tl::unexpected<Error>(in_file(std::move(error), state.source->name()));
}

Status Archive::read_frame_reduced(std::size_t frame, unsigned level, std::span<std::byte> out) const {
  DICUBE_TRY(ArchiveAccess::decode_frame(*this, frame, level, {}, out));
  if (level == 0) state_->keep_reference(frame, false, out);
  return {};
}

Result<PixelBuffer> Archive::read_frames(std::size_t first, std::size_t count, unsigned threads) const {
  const auto size = first < frame_count() ? checked_mul(pixel_format(first).frame_bytes(), count) : 0;
  if (!size) return fail(ErrorClass::kUsage, "{} frames of {} bytes", count, pixel_format(first).frame_bytes());
  PixelBuffer pixels(*size);
  DICUBE_TRY(read_frames(first, count, pixels.span(), threads));
  return pixels;
}

Status Archive::read_frames(std::size_t first, std::size_t count, std::span<std::byte> out, unsigned threads) const {
  if (first > frame_count() || count > frame_count() - first)
    return fail(ErrorClass::kNotFound, "no frames {} to {}: there are {}", first, first + count, frame_count());
  if (count == 0) return {};
  const PixelFormat& format = pixel_format(first);
  const std::uint64_t size = format.frame_bytes();
  const auto total = checked_mul(size, count);
  if (!total || *total != out.size())
    return fail(ErrorClass::kUsage, "a buffer of {} bytes for {} frames of {}", out.size(), count, size);
  for (std::size_t i = 1; i < count; ++i)
    if (pixel_format(first + i) != format)
      return fail(ErrorClass::kUsage, "frames {} and {} differ in size or type: read them one by one", first,
                  first + i);
  use_large_pages(out);
  std::vector<std::optional<Error>> errors(count);
  // References that are read here, too, are taken from `out`. They were begun before, so that waiting for them ends.
  std::vector<std::atomic<bool>> done(count);
  struct AtEnd {
    std::atomic<bool>& flag;
    ~AtEnd() {
      flag = true;
      flag.notify_all();
    }
  };
  const std::vector<std::size_t> order = archive::reading_order(state_->index, first, count);
  parallel_for(count, threads, [&](std::size_t turn, unsigned) {
    const std::size_t i = order[turn] - first, back = state_->index.frames[order[turn]].back;
    const AtEnd at_end{done[i]};
    ByteSpan reference;
    if (back != 0 && back <= i) {
      done[i - back].wait(false);
      if (!errors[i - back]) reference = out.subspan((i - back) * size, size);
    }
    auto read = ArchiveAccess::decode_frame(*this, first + i, 0, reference, out.subspan(i * size, size));
    if (!read) errors[i] = std::move(read).error();
  });
  for (auto& error : errors)
    if (error) return tl::unexpected<Error>(*std::move(error));
  return {};
}

std::vector<std::size_t> ArchiveAccess::reading_order(const Archive& archive) {
  const Archive::State& state = *archive.state_;
  const auto& instances = state.table.instances;
  std::vector<std::size_t> order;
  std::vector<bool> taken(instances.size());
  for (const std::size_t frame : archive::reading_order(state.index, 0, state.index.frames.size())) {
    const std::size_t instance = state.instance_of(frame);
    if (!taken[instance]) order.push_back(instance);
    taken[instance] = true;
  }
  for (std::size_t i = 0; i < instances.size(); ++i)
    if (!taken[i]) order.push_back(i);
  return order;
}

PixelFormat Archive::reduced(PixelFormat format, unsigned level) {
  const std::uint64_t round = (std::uint64_t{1} << level) - 1;
  format.rows = static_cast<std::uint32_t>((format.rows + round) >> level);
  format.columns = static_cast<std::uint32_t>((format.columns + round) >> level);
  return format;
}

Status ArchiveAccess::check_frame(const Archive& archive, std::size_t frame) {
  const Archive::State& state = *archive.state_;
  auto done = [&]() -> Status {
    if (frame >= archive.frame_count())
      return fail(ErrorClass::kNotFound, "no frame {}: there are {}", frame, archive.frame_count());
    const format::Frame& entry = state.index.frames[frame];
    const format::FrameFormat& format = state.index.formats[entry.format];
    DICUBE_ASSIGN(auto codec, archive::codec_of(format, entry.codec));
    if (!format.transfer_syntax.empty()) return {};  // decoders of codestreams look at their size before they write
    const auto bits = archive::source_frame_bits(format);
    if (!bits) return fail(ErrorClass::kCodec, "frame {} of {} x {} values", frame, format.rows, format.columns);
    auto scratch = state.scratch.lend();
    DICUBE_TRY(state.read_block(frame, scratch->stored));
    return archive::check_stream(format, codec, scratch->stored, (state.bit_offset(frame) + *bits + 7) / 8);
  }();
  if (done) return done;
  Error error = done.error();
  if (error.error_class == ErrorClass::kCodec) error.message = formatted("frame {}: {}", frame, error.message);
  return tl::unexpected<Error>(in_file(std::move(error), state.source->name()));
}

Result<FrameBuffer> ArchiveAccess::frame_buffer(const Archive& archive, std::size_t frame, unsigned level) {
  DICUBE_TRY(check_frame(archive, frame));
  const std::uint64_t bytes = Archive::reduced(archive.pixel_format(frame), level).frame_bytes();
  try {
    return FrameBuffer{std::make_unique_for_overwrite<std::byte[]>(bytes), bytes};
  } catch (const std::bad_alloc&) {
  }
  return fail(ErrorClass::kLimit, "frame {} has {} bytes: more than there is memory for", frame, bytes);
}

Result<FrameBuffer> ArchiveAccess::read_values(const Archive& archive, std::size_t frame) {
  DICUBE_ASSIGN(auto values, frame_buffer(archive, frame));
  DICUBE_TRY(archive.read_frame(frame, values.span()));
  return values;
}

Status ArchiveAccess::read_instance(const Archive& archive, std::size_t number, Bytes& out) {
  const Archive::State& state = *archive.state_;
  auto done = [&]() -> Status {
    if (number >= archive.instances().size())
      return fail(ErrorClass::kNotFound, "no instance {}: there are {}", number, archive.instances().size());
    const Instance& instance = archive.instances()[number];
    out.clear();
    if (instance.is_folder) return {};
    auto scratch = state.scratch.lend();
    InstanceFrames frames(state, instance, *scratch);
    DICUBE_TRY(archive::assemble(*state.metadata, number, instance.size, frames, out));
    if (out.size() != instance.size)
      return fail(ErrorClass::kDamaged, "{}: {} bytes put together, {} expected", instance.name, out.size(),
                  instance.size);
    if (sha256(out) != instance.sha256)
      return fail(ErrorClass::kDamaged, "{}: the SHA-256 of the file put together is not the original's",
                  instance.name);
    return {};
  }();
  if (!done) return tl::unexpected<Error>(in_file(done.error(), state.source->name()));
  return done;
}

Status ArchiveAccess::read_codestream(const Archive& archive, std::size_t frame, Bytes& out) {
  const Archive::State& state = *archive.state_;
  if (frame >= archive.frame_count())
    return fail(ErrorClass::kNotFound, "no frame {}: there are {}", frame, archive.frame_count());
  const Instance& instance = archive.instances()[archive.instance_of(frame)];
  auto scratch = state.scratch.lend();
  out.clear();
  auto done = InstanceFrames(state, instance, *scratch).append_encapsulated(frame - instance.first_frame, out);
  if (!done) return tl::unexpected<Error>(in_file(done.error(), state.source->name()));
  return {};
}

Status ArchiveAccess::read_header(const Archive& archive, std::size_t number, Bytes& out) {
  const Archive::State& state = *archive.state_;
  if (number >= archive.instances().size())
    return fail(ErrorClass::kNotFound, "no instance {}: there are {}", number, archive.instances().size());
  const Instance& instance = archive.instances()[number];
  auto scratch = state.scratch.lend();
  NoFrames none(state, instance, *scratch);
  auto done = archive::assemble(*state.metadata, number, instance.size, none, out);
  if (!done) return tl::unexpected<Error>(in_file(done.error(), state.source->name()));
  return {};
}

Result<std::vector<std::byte>> Archive::read_instance(std::size_t number) const {
  Bytes bytes;
  DICUBE_TRY(ArchiveAccess::read_instance(*this, number, bytes));
  return bytes;
}

}  // namespace dicube
