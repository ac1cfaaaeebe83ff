// An open archive: what it holds, and its frames.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>

#include "archive/shapes.h"
#include "archive/state.h"
#include "base/checked.h"
#include "base/parallel.h"

namespace dicube {
namespace {

// Memory that nobody has touched yet comes in pages of 2 MiB rather than 4 KiB: about a fifth of the time of a load.
// Only a wish; it changes no contents, and memory that has its pages keeps them.
void use_large_pages(std::span<std::byte> memory) {
  constexpr std::uintptr_t kPage = std::uintptr_t{2} << 20;
  const auto first = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::uintptr_t begin = (first + kPage - 1) / kPage * kPage, end = (first + memory.size()) / kPage * kPage;
  if (begin < end) ::madvise(memory.data() + (begin - first), end - begin, MADV_HUGEPAGE);
}

Status check_frames(const Archive& archive, std::size_t first, std::size_t count) {
  const std::size_t all = archive.frame_count();
  if (first <= all && count <= all - first) return {};
  return fail(ErrorClass::kNotFound, "no {} from {} on: it has {}", counted(count, "frame"), first,
              counted(all, "frame"));
}

// Whether frames of one format go into `bytes` bytes. REQUIRES: check_frames(), count > 0.
Status check_alike(const Archive& archive, std::size_t first, std::size_t count, std::size_t bytes) {
  const PixelFormat& format = archive.pixel_format(first);
  if (checked_mul(format.frame_bytes(), count) != bytes)
    return fail(ErrorClass::kUsage, "a buffer of {} bytes for {} frames of {}", bytes, count, format.frame_bytes());
  for (std::size_t i = 1; i < count; ++i)
    if (archive.pixel_format(first + i) != format)
      return fail(ErrorClass::kUsage, "frames {} and {} differ in size or type: read them one by one", first,
                  first + i);
  return {};
}

// Of what is stored of a frame, all but its recipe, if it has one.
Result<ByteSpan> coded_pixels(const format::FrameFormat& format, ByteSpan stored) {
  if (format.recipe == 0) return stored;
  DICUBE_ASSIGN(const auto parts, format::split_frame(stored));
  return parts.pixels;
}

// The first frame with a block of frames, which stands at the block's number or behind.
std::uint64_t first_of(const format::FrameIndex& index, std::uint64_t block) {
  std::uint64_t frame = block;
  while (index.frames[frame].block != block) ++frame;
  return frame;
}

// What a codec says does not say of which frame; what a checksum says is of the first frame with those bytes.
// Neither says of which archive.
Status of_frame(Status done, const Archive::State& state, std::size_t frame) {
  if (done) return done;
  std::string& message = done.error().message;
  const ErrorClass why = done.error().error_class;
  const std::string& file = state.table.instances[state.instance_of(frame)].name;
  if (why == ErrorClass::kCodec || why == ErrorClass::kUnsupported)
    message = formatted("frame {} ({}): {}", frame, file, message);
  else if (why == ErrorClass::kDamaged && frame != first_of(state.index, state.index.frames[frame].block))
    message = formatted("frame {} ({}), the same as an earlier one: {}", frame, file, message);
  else if (why == ErrorClass::kDamaged)
    message = formatted("{} ({})", message, file);
  return state.named(std::move(done));
}

// True, and known to all who wait for it, once its owner is gone.
struct TrueAtEnd {
  std::atomic<bool>& flag;
  ~TrueAtEnd() {
    flag = true;
    flag.notify_all();
  }
};

}  // namespace

Archive::Archive(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Archive::Archive(Archive&&) noexcept = default;
Archive& Archive::operator=(Archive&&) noexcept = default;
Archive::~Archive() = default;

const Archive::State& ArchiveAccess::state(const Archive& archive) { return *archive.state_; }

Status Archive::State::read_frame(std::size_t frame, Bytes& out) const {
  const std::size_t block = index.frames[frame].block;
  const ByteSpan head = index.formats[index.frames[frame].format].head;
  out.resize(head.size() + index.blocks[block].stored);
  if (!head.empty()) std::memcpy(out.data(), head.data(), head.size());
  return read_whole_block(block, MutableByteSpan(out).subspan(head.size()));
}

Status Archive::State::read_block(std::uint64_t block, Bytes& out) const {
  DICUBE_TRY(check_block_number(block));
  out.resize(index.blocks[block].stored);
  return read_whole_block(block, out);
}

Status Archive::State::read_whole_block(std::uint64_t block, MutableByteSpan out) const {
  DICUBE_TRY(source->read_at(header.front_bytes + index.blocks[block].offset, out));
  return check_block(block, format::block_checksum(block, out));
}

Status Archive::State::read_block(std::uint64_t block, const Sink& sink) const {
  DICUBE_TRY(check_block_number(block));
  const format::Block& entry = index.blocks[block];
  Xxh3Stream checksum = format::block_checksum(block);
  Status taken;
  const auto read = [&](std::uint64_t at, MutableByteSpan out) {
    return source->read_at(header.front_bytes + entry.offset + at, out);
  };
  DICUBE_TRY(in_pieces(entry.stored, read, [&](ByteSpan piece) -> Status {
    checksum.update(piece);
    if (taken) taken = sink(piece);
    if (!taken && taken.error().error_class == ErrorClass::kIo) return taken;
    return {};  // another error may come from damage, which the checksum tells
  }));
  DICUBE_TRY(check_block(block, checksum.finish()));
  return taken;
}

Status Archive::State::check_block_number(std::uint64_t block) const {
  if (block < index.blocks.size()) return {};
  return fail(ErrorClass::kDamaged, "block {} of {} is asked for", block, index.blocks.size());
}

Status Archive::State::check_block(std::uint64_t block, std::uint64_t computed) const {
  if (computed == index.blocks[block].checksum) {
    if (!whole_blocks.empty()) whole_blocks[block] = true;
    return {};
  }
  const bool is_bulk = block >= index.frame_blocks;
  return fail(ErrorClass::kDamaged, "{} {}: checksum {:016x} stored, {:016x} computed", is_bulk ? "block" : "frame",
              is_bulk ? block : first_of(index, block), index.blocks[block].checksum, computed);
}

void Archive::State::keep_reference(std::size_t frame, bool planar, ByteSpan pixels) const {
  const std::size_t block = index.frames[frame].block;
  if (is_reference[block]) references.keep(block, planar, std::make_shared<const Bytes>(pixels.begin(), pixels.end()));
}

// Decodes as much of the chain as is not there.
Result<archive::Pixels> Archive::State::read_reference(std::size_t frame, bool planar) const {
  std::vector<std::size_t> missing;
  archive::Pixels pixels;
  while (index.frames[frame].back != 0 && pixels == nullptr) {
    frame -= index.frames[frame].back;
    pixels = references.find(index.frames[frame].block, planar);
    if (pixels == nullptr) missing.push_back(frame);
  }
  auto work = scratch.lend();
  for (; !missing.empty(); missing.pop_back()) {
    const std::size_t number = missing.back();
    const format::Frame& entry = index.frames[number];
    const format::FrameFormat& format = index.formats[entry.format];
    const codec::Shape shape = archive::decoded_shape(format, planar);
    DICUBE_TRY(read_frame(number, work->stored));
    DICUBE_ASSIGN(const ByteSpan coded, coded_pixels(format, work->stored));
    DICUBE_ASSIGN(const auto codec, archive::codec_of(format, entry));
    const auto size = codec::frame_bytes(shape);
    if (!size) return fail(ErrorClass::kCodec, "frame {} of {} x {} values", number, format.rows, format.columns);
    DICUBE_TRY(codec::check_stream(codec, shape, coded, *size));
    auto decoded = std::make_shared<Bytes>(*size);
    DICUBE_TRY(archive::decode(*work, codec, shape, pixels ? ByteSpan(*pixels) : ByteSpan(), coded, *decoded));
    references.keep(entry.block, planar, decoded);
    pixels = std::move(decoded);
  }
  return pixels;
}

Status Archive::State::check_frame_number(std::size_t frame) const {
  if (frame < index.frames.size()) return {};
  return fail(ErrorClass::kNotFound, "no frame {}: it has {}", frame, counted(index.frames.size(), "frame"));
}

Status Archive::State::check_instance_number(std::size_t instance) const {
  if (instance < table.instances.size()) return {};
  return fail(ErrorClass::kNotFound, "no instance {}: it has {}", instance,
              counted(table.instances.size(), "instance"));
}

std::size_t Archive::State::instance_of(std::size_t frame) const {
  const auto after = std::upper_bound(table.instances.begin(), table.instances.end(), frame,
                                      [](std::size_t f, const Instance& instance) { return f < instance.first_frame; });
  return static_cast<std::size_t>(after - table.instances.begin()) - 1;  // those without frames stand in front of it
}

std::uint64_t Archive::State::codestream_size(std::size_t frame) const {
  const format::FrameFormat& format = index.formats[index.frames[frame].format];
  return format.recipe != 0 ? index.frames[frame].source_size
                            : index.blocks[index.frames[frame].block].stored + format.head.size();
}

unsigned Archive::State::bit_offset(std::size_t frame) const {
  const format::FrameFormat& format = index.formats[index.frames[frame].format];
  if (format.bits_allocated != 1) return 0;  // nor look for the instance
  return archive::bit_offset(format, frame - table.instances[instance_of(frame)].first_frame);
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

bool Archive::is_uniform() const {
  const auto& frames = state_->index.frames;
  return std::ranges::all_of(frames, [&](const format::Frame& frame) {
    return state_->formats[frame.format] == state_->formats[frames[0].format];
  });
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
    DICUBE_TRY(state.check_frame_number(frame));
    if (level > 31) return fail(ErrorClass::kUsage, "a reduction by 2^{}", level);
    const format::Frame& entry = state.index.frames[frame];
    const format::FrameFormat& format = state.index.formats[entry.format];
    auto scratch = state.scratch.lend();
    DICUBE_ASSIGN(auto codec, archive::codec_of(format, entry));
    archive::Pixels own;
    if (entry.back != 0 && reference.empty()) {
      DICUBE_ASSIGN(own, state.read_reference(frame, false));
      reference = *own;
    }
    DICUBE_TRY(state.read_frame(frame, scratch->stored));
    DICUBE_ASSIGN(const ByteSpan coded, coded_pixels(format, scratch->stored));
    return archive::decode_to_public(*scratch, format, codec, coded, level, state.bit_offset(frame), out, reference);
  }();
  return of_frame(std::move(done), state, frame);
}

Status Archive::read_frame_reduced(std::size_t frame, unsigned level, std::span<std::byte> out) const {
  DICUBE_TRY(ArchiveAccess::decode_frame(*this, frame, level, {}, out));
  if (level == 0) state_->keep_reference(frame, false, out);
  return {};
}

Result<PixelBuffer> Archive::read_frames(std::size_t first, std::size_t count, unsigned threads) const {
  DICUBE_TRY(state_->named(check_frames(*this, first, count)));
  if (count == 0) return PixelBuffer();
  const std::uint64_t frame = pixel_format(first).frame_bytes();
  PixelBuffer pixels;
  try {
    pixels = PixelBuffer(checked_mul(frame, count).value_or(SIZE_MAX));
  } catch (const std::bad_alloc&) {
    return state_->named<PixelBuffer>(
        fail(ErrorClass::kLimit, "{} frames of {} bytes: more than there is memory for", count, frame));
  }
  DICUBE_TRY(read_frames(first, count, pixels.span(), threads));
  return pixels;
}

Status Archive::read_frames(std::size_t first, std::size_t count, std::span<std::byte> out, unsigned threads) const {
  DICUBE_TRY(state_->named(check_frames(*this, first, count)));
  if (count == 0) return {};
  DICUBE_TRY(state_->named(check_alike(*this, first, count, out.size())));
  const std::uint64_t size = out.size() / count;
  use_large_pages(out);
  std::vector<std::optional<Error>> errors(count);
  // References that are read here, too, are taken from `out`. They were begun before, so that waiting for them ends.
  std::vector<std::atomic<bool>> done(count);
  std::atomic<bool> failed = false;
  const std::vector<std::size_t> order = archive::reading_order(state_->index, first, count);
  parallel_for(count, threads, [&](std::size_t turn, unsigned) {
    const std::size_t i = order[turn] - first, back = state_->index.frames[order[turn]].back;
    const TrueAtEnd at_end{done[i]};
    ByteSpan reference;
    if (back != 0 && back <= i) {
      done[i - back].wait(false);
      if (!errors[i - back]) reference = out.subspan((i - back) * size, size);
    }
    if (failed) return;  // the reference was not read then, perhaps
    auto read = ArchiveAccess::decode_frame(*this, first + i, 0, reference, out.subspan(i * size, size));
    if (read) return;
    errors[i] = std::move(read).error();
    failed = true;
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
  level = std::min(level, 32U);  // one row and column, as from there on
  const std::uint64_t round = (std::uint64_t{1} << level) - 1;
  format.rows = static_cast<std::uint32_t>((format.rows + round) >> level);
  format.columns = static_cast<std::uint32_t>((format.columns + round) >> level);
  return format;
}

Status ArchiveAccess::check_frame(const Archive& archive, std::size_t frame) {
  const Archive::State& state = *archive.state_;
  auto done = [&]() -> Status {
    DICUBE_TRY(state.check_frame_number(frame));
    const format::Frame& entry = state.index.frames[frame];
    const format::FrameFormat& format = state.index.formats[entry.format];
    DICUBE_ASSIGN(auto codec, archive::codec_of(format, entry));
    if (!format.transfer_syntax.empty()) return {};  // decoders of codestreams look at their size before they write
    const auto bits = archive::source_frame_bits(format);
    if (!bits) return fail(ErrorClass::kCodec, "frame {} of {} x {} values", frame, format.rows, format.columns);
    auto scratch = state.scratch.lend();
    DICUBE_TRY(state.read_frame(frame, scratch->stored));
    return archive::check_stream(format, codec, scratch->stored, (state.bit_offset(frame) + *bits + 7) / 8);
  }();
  return of_frame(std::move(done), state, frame);
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

}  // namespace dicube
