#include "format/frame_index.h"

#include <map>

#include "base/checked.h"
#include "format/header.h"

namespace dicube::format {
namespace {

constexpr std::string_view kWhat = "section 'FRAM'";
// ON DISK: DO NOT CHANGE. codec::CodecId: of frames that have a reference, and of all that may be one.
constexpr std::uint8_t kLane = 3, kLaneInter = 5;
constexpr std::size_t kBlockBytes = 9;  // a block's least: one byte of size, eight of checksum
constexpr std::size_t kRunBytes = 3;    // a run of repeats', likewise

// ON DISK: DO NOT CHANGE.
enum FormatFlag : std::uint8_t { kSigned = 1, kFloat = 2, kPlanar = 4, kColour = 8, kSubsampled = 16 };

void put_format(const FrameFormat& format, ByteSpan head, ByteWriter& out) {
  out.put_varint(format.rows);
  out.put_varint(format.columns);
  out.put_varint(format.samples);
  out.put_varint(format.bits_allocated);
  out.put_varint(format.bits_stored);
  out.put_varint(format.high_bit);
  out.put(static_cast<std::uint8_t>((format.is_signed ? kSigned : 0) | (format.is_float ? kFloat : 0) |
                                    (format.planar ? kPlanar : 0) | (format.colour ? kColour : 0) |
                                    (format.subsampled ? kSubsampled : 0)));
  out.put(format.swap);
  out.put_string(as_bytes(format.photometric));
  out.put_string(as_bytes(format.transfer_syntax));
  out.put_string(head);
  if (format.transfer_syntax.empty()) return;
  out.put(format.recipe);
  out.put_string(format.recipe_head);
}

Result<FrameFormat> get_format(ByteReader& in) {
  FrameFormat format;
  auto get16 = [&](std::uint16_t& to) -> Status {
    DICUBE_ASSIGN(auto value, in.get_count(0xFFFF, "as a 16-bit number"));
    to = static_cast<std::uint16_t>(value);
    return {};
  };
  DICUBE_ASSIGN(auto rows, in.get_count(0xFFFFFFFF, "rows"));
  DICUBE_ASSIGN(auto columns, in.get_count(0xFFFFFFFF, "columns"));
  format.rows = static_cast<std::uint32_t>(rows);
  format.columns = static_cast<std::uint32_t>(columns);
  for (std::uint16_t* field : {&format.samples, &format.bits_allocated, &format.bits_stored, &format.high_bit})
    DICUBE_TRY(get16(*field));
  DICUBE_ASSIGN(unsigned flags, in.get<std::uint8_t>());
  format.is_signed = flags & kSigned;
  format.is_float = flags & kFloat;
  format.planar = flags & kPlanar;
  format.colour = flags & kColour;
  format.subsampled = flags & kSubsampled;
  DICUBE_ASSIGN(format.swap, in.get<std::uint8_t>());
  const auto bits = format.bits_allocated;
  if (flags > 31 || (format.swap != 1 && format.swap != 2 && format.swap != 4 && format.swap != 8) ||
      (bits != 1 && bits != 8 && bits != 16 && bits != 32 && bits != 64))
    return fail(ErrorClass::kDamaged, "{}: a frame format with flags {:#x}, swap {} and {} bits", kWhat, flags,
                format.swap, bits);
  if (format.planar && format.samples < 2)
    return fail(ErrorClass::kDamaged, "{}: planes of {} samples", kWhat, format.samples);
  if (format.subsampled && (format.samples != 3 || bits != 8 || format.columns % 2 != 0 || format.columns > 0x7FFFFFFF))
    return fail(ErrorClass::kDamaged, "{}: subsampled frames of {} samples, {} columns and {} bits", kWhat,
                format.samples, format.columns, bits);
  DICUBE_ASSIGN(auto photometric, in.get_string());
  DICUBE_ASSIGN(auto transfer_syntax, in.get_string());
  DICUBE_ASSIGN(auto head, in.get_string());
  format.head.assign(head.begin(), head.end());
  format.photometric = as_text(photometric);
  format.transfer_syntax = as_text(transfer_syntax);
  if (format.transfer_syntax.empty()) return format;
  if (format.subsampled)
    return fail(ErrorClass::kDamaged, "{}: subsampled frames in transfer syntax {}", kWhat, format.transfer_syntax);
  DICUBE_ASSIGN(format.recipe, in.get<std::uint8_t>());
  DICUBE_ASSIGN(auto recipe_head, in.get_string());
  format.recipe_head.assign(recipe_head.begin(), recipe_head.end());
  return format;
}

// Runs of frames with the same format and codec: length, format, codec. Then the sizes of what recipes give.
void put_frames(const FrameIndex& index, const std::vector<Frame>& frames, ByteWriter& out) {
  out.put_varint(frames.size());
  for (std::size_t at = 0; at < frames.size();) {
    std::size_t end = at + 1;
    while (end < frames.size() && frames[end].format == frames[at].format && frames[end].codec == frames[at].codec)
      ++end;
    out.put_varint(end - at);
    out.put_varint(frames[at].format);
    out.put(frames[at].codec);
    at = end;
  }
  for (const Frame& frame : frames)
    if (index.formats[frame.format].recipe != 0) out.put_varint(frame.source_size);
}

Status get_frames(ByteReader& in, FrameIndex& index) {
  DICUBE_ASSIGN(auto count, in.get_count(in.left() / kBlockBytes, "frames"));
  index.frames.reserve(count);
  while (index.frames.size() < count) {
    DICUBE_ASSIGN(auto run, in.get_count(count - index.frames.size(), "frames in a run"));
    if (run == 0) return fail(ErrorClass::kDamaged, "{}: a run of 0 frames", kWhat);
    DICUBE_ASSIGN(auto format, in.get_varint());
    if (format >= index.formats.size())
      return fail(ErrorClass::kDamaged, "{}: frame format {} of {}", kWhat, format, index.formats.size());
    DICUBE_ASSIGN(auto codec, in.get<std::uint8_t>());
    index.frames.resize(index.frames.size() + run, Frame{static_cast<std::uint32_t>(format), codec});
  }
  for (Frame& frame : index.frames)
    if (index.formats[frame.format].recipe != 0) {
      DICUBE_ASSIGN(frame.source_size, in.get_varint());
    }
  return {};
}

bool has_reference(const FrameIndex& index, const Frame& frame) {
  return frame.codec == kLaneInter && index.formats[frame.format].has_codec();
}

// Of each format a number that it shares with those that differ in their heads at most. Heads may be large, and frames
// many.
std::vector<std::size_t> kinds_of(const std::vector<FrameFormat>& formats) {
  std::map<Bytes, std::size_t> known;
  std::vector<std::size_t> kinds;
  for (const FrameFormat& format : formats) {
    ByteWriter but_head;
    put_format(format, {}, but_head);
    kinds.push_back(known.emplace(but_head.take(), known.size()).first->second);
  }
  return kinds;
}

// References go backwards, so that there are no circles; all frames of a chain are lane frames of one format, but for
// its head.
Status get_references(ByteReader& in, FrameIndex& index) {
  const std::vector<std::size_t> kinds = kinds_of(index.formats);
  std::vector<std::uint8_t> chain(index.frames.size(), 1);  // frames to decode for each
  for (std::size_t i = 0; i < index.frames.size(); ++i) {
    Frame& frame = index.frames[i];
    if (!has_reference(index, frame)) continue;
    DICUBE_ASSIGN(const auto back, in.get_varint());
    if (back < 1 || back > i || back > 0xFFFFFFFF)
      return fail(ErrorClass::kDamaged, "{}: the reference of frame {} is {} frames before it", kWhat, i, back);
    frame.back = static_cast<std::uint32_t>(back);
    const Frame& reference = index.frames[i - back];
    if (kinds[reference.format] != kinds[frame.format] || (reference.codec != kLane && reference.codec != kLaneInter))
      return fail(ErrorClass::kDamaged, "{}: frame {} can't have frame {} as its reference: another format or codec {}",
                  kWhat, i, i - back, reference.codec);
    chain[i] = static_cast<std::uint8_t>(chain[i - back] + 1);
    if (chain[i] > kLongestChain)
      return fail(ErrorClass::kDamaged, "{}: frame {} needs {} frames, at most {} possible", kWhat, i, chain[i],
                  kLongestChain);
  }
  return {};
}

// The frames that are no repeats; their references count these alone.
std::vector<Frame> without_repeats(const FrameIndex& index) {
  std::vector<Frame> coded;
  for (std::size_t i = 0; i < index.frames.size(); ++i) {
    Frame frame = index.frames[i];
    if (frame.block != coded.size()) continue;
    if (frame.back <= i)  // else it is none, and read as none
      frame.back = static_cast<std::uint32_t>(frame.block - index.frames[i - frame.back].block);
    coded.push_back(frame);
  }
  return coded;
}

// A run of repeats: frames that are none in front of it, length, how far before each the same frame stands.
struct Run {
  std::uint64_t skipped, length, distance;
};

void put_repeats(const FrameIndex& index, ByteWriter& out) {
  std::vector<Run> runs;
  std::vector<std::size_t> latest;  // the frame that shows a block
  std::uint64_t skipped = 0;
  for (std::size_t i = 0; i < index.frames.size(); ++i) {
    const std::size_t block = index.frames[i].block;
    if (block == latest.size()) {
      latest.push_back(i);
      ++skipped;
      continue;
    }
    if (skipped == 0 && !runs.empty() && index.frames[i - runs.back().distance].block == block) {
      ++runs.back().length;
    } else {
      runs.push_back({skipped, 1, i - latest[block]});
      skipped = 0;
    }
    latest[block] = i;
  }
  out.put_varint(runs.size());
  for (const Run& run : runs) {
    out.put_varint(run.skipped);
    out.put_varint(run.length);
    out.put_varint(run.distance);
  }
}

// Puts repeats between the frames that are there.
class Repeating {
 public:
  explicit Repeating(std::vector<Frame> coded) : coded_(std::move(coded)) {}

  Status read(ByteReader& in) {
    DICUBE_ASSIGN(const auto runs, get_runs(in));
    for (const Run& run : runs) {
      DICUBE_TRY(take(run.skipped));
      if (run.distance == 0 || run.distance > frames_.size())
        return fail(ErrorClass::kDamaged, "{}: repeats of frames {} before them, of {}", kWhat, run.distance,
                    frames_.size());
      for (std::uint64_t k = 0; k < run.length; ++k)
        DICUBE_TRY(add(frames_[frames_.size() - run.distance], run.distance));
    }
    return take(coded_.size() - firsts_.size());
  }

  std::vector<Frame> frames() && { return std::move(frames_); }

 private:
  // All of them, before memory is made for what they say.
  Result<std::vector<Run>> get_runs(ByteReader& in) {
    DICUBE_ASSIGN(const auto count, in.get_count(in.left() / kRunBytes, "runs of repeats"));
    std::vector<Run> runs(count);
    std::uint64_t others = coded_.size(), repeats = 0;
    for (Run& run : runs) {
      DICUBE_ASSIGN(run.skipped, in.get_count(others, "frames between repeats"));
      DICUBE_ASSIGN(run.length, in.get_count(kMostRepeats - repeats, "repeats"));
      DICUBE_ASSIGN(run.distance, in.get_varint());
      if (run.length == 0) return fail(ErrorClass::kDamaged, "{}: a run of 0 repeats", kWhat);
      others -= run.skipped;
      repeats += run.length;
    }
    frames_.reserve(coded_.size() + repeats);
    firsts_.reserve(coded_.size());
    return runs;
  }

  Status take(std::uint64_t count) {
    for (; count > 0; --count) {
      const std::size_t number = firsts_.size();
      firsts_.push_back(frames_.size());
      const Frame& frame = coded_[number];
      DICUBE_TRY(add(frame, frames_.size() - firsts_[number - frame.back] - frame.back));
    }
    return {};
  }
  // `farther`: away from its reference, where it has one.
  Status add(Frame frame, std::uint64_t farther) {
    if (frame.back != 0) {
      if (farther > 0xFFFFFFFF - frame.back)
        return fail(ErrorClass::kDamaged, "{}: the reference of frame {} is over 2^32 frames before it", kWhat,
                    frames_.size());
      frame.back += static_cast<std::uint32_t>(farther);
    }
    frames_.push_back(frame);
    return {};
  }

  std::vector<Frame> coded_, frames_;
  std::vector<std::size_t> firsts_;  // which of frames_ those of coded_ are that were taken
};

}  // namespace

std::uint64_t hash_of(const FrameFormat& format) {
  ByteWriter all;
  put_format(format, format.head, all);
  return xxh3(all.bytes());
}

std::uint64_t features_of(const FrameIndex& index) {
  const bool references =
      std::any_of(index.frames.begin(), index.frames.end(), [](const Frame& f) { return f.back != 0; });
  return (references ? kReferences : 0) | (index.frame_blocks < index.frames.size() ? kRepeats : 0);
}

Bytes write_frame_index(const FrameIndex& index, std::uint64_t features) {
  ByteWriter out;
  out.put_varint(index.formats.size());
  for (const FrameFormat& format : index.formats) put_format(format, format.head, out);
  const std::vector<Frame> coded = without_repeats(index);
  put_frames(index, coded, out);
  if ((features & kReferences) != 0)
    for (const Frame& frame : coded)
      if (has_reference(index, frame)) out.put_varint(frame.back);
  if ((features & kRepeats) != 0) put_repeats(index, out);
  out.put_varint(index.blocks.size());
  for (const Block& block : index.blocks) out.put_varint(block.stored);
  for (const Block& block : index.blocks) out.put(block.checksum);
  return out.take();
}

Result<FrameIndex> read_frame_index(ByteSpan bytes, std::uint64_t data_bytes, std::uint64_t features) {
  FrameIndex index;
  ByteReader in(bytes, kWhat);
  DICUBE_ASSIGN(auto formats, in.get_count(in.left(), "frame formats"));
  for (std::uint64_t i = 0; i < formats; ++i) {
    DICUBE_ASSIGN(auto format, get_format(in));
    index.formats.push_back(std::move(format));
  }
  DICUBE_TRY(get_frames(in, index));
  if ((features & kReferences) != 0) DICUBE_TRY(get_references(in, index));
  index.frame_blocks = index.frames.size();
  for (std::size_t i = 0; i < index.frames.size(); ++i) index.frames[i].block = i;
  if ((features & kRepeats) != 0) {
    Repeating repeating(std::move(index.frames));
    DICUBE_TRY(repeating.read(in));
    index.frames = std::move(repeating).frames();
  }
  DICUBE_ASSIGN(auto blocks, in.get_count(in.left() / kBlockBytes, "blocks"));
  if (blocks < index.frame_blocks)
    return fail(ErrorClass::kDamaged, "{}: {} blocks for {} frames", kWhat, blocks, index.frame_blocks);
  index.blocks.resize(blocks);
  std::uint64_t at = 0;
  for (Block& block : index.blocks) {
    DICUBE_ASSIGN(block.stored, in.get_varint());
    if (!fits(at, block.stored, data_bytes))
      return fail(ErrorClass::kDamaged, "{}: a block of {} bytes at {} but the data has {} bytes", kWhat, block.stored,
                  at, data_bytes);
    block.offset = at;
    at += block.stored;
  }
  for (Block& block : index.blocks) {
    DICUBE_ASSIGN(block.checksum, in.get<std::uint64_t>());
  }
  DICUBE_TRY(in.expect_end());
  if (at != data_bytes)
    return fail(ErrorClass::kDamaged, "{}: the blocks end at {} but the data has {} bytes", kWhat, at, data_bytes);
  return index;
}

void append_recipe(ByteSpan recipe, Bytes& pixels) {
  append(pixels, recipe);
  ByteWriter size;
  size.put(static_cast<std::uint32_t>(recipe.size()));
  append(pixels, size.bytes());
}

Result<FrameParts> split_frame(ByteSpan stored) {
  if (stored.size() < kRecipeSizeBytes)
    return fail(ErrorClass::kDamaged, "a frame with a recipe has {} bytes, at least {} expected", stored.size(),
                kRecipeSizeBytes);
  const ByteSpan both = stored.first(stored.size() - kRecipeSizeBytes);
  const std::size_t size = load_le<std::uint32_t>(stored.data() + both.size());
  if (size > both.size())
    return fail(ErrorClass::kDamaged, "a recipe of {} bytes in a frame of {}", size, stored.size());
  return FrameParts{both.first(both.size() - size), both.last(size)};
}

std::uint64_t block_checksum(std::uint64_t number, ByteSpan stored) { return xxh3(stored, number); }
Xxh3Stream block_checksum(std::uint64_t number) { return Xxh3Stream(number); }

}  // namespace dicube::format
