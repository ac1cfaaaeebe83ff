// Frames from their form in the source file to the form in which they are stored.
#pragma once

#include <functional>

#include "archive/pixels.h"
#include "archive/scratch.h"
#include "codec/recipe.h"

namespace dicube::archive {

enum class CodecChoice : std::uint8_t {
  kAuto,       // of lane and HTJ2K the smaller, lane if within 1 %; zstd where smaller yet and the frame simple or tiny
  kAutoLane,   // the same without HTJ2K
  kAutoHtj2k,  // the same without lane
  kHtj2k,
  kLane,
  kZstd,
  kPlain,  // zstd, and codestreams kept as they are
};

struct CodedFrame {
  codec::CodecId codec = codec::CodecId::kStored;
  Bytes stored;
  // Of encapsulated frames whose pixels are coded.
  codec::Recipe recipe = codec::Recipe::kKept;
  Bytes recipe_bytes = {};
  std::uint64_t source_size = 0;  // of the codestream
  std::uint32_t back = 0;         // of kLaneInter: how many frames before it its reference is
  std::uint32_t same = 0;         // not 0: it repeats the frame so many before it, and nothing else is said here
  std::string defect = {};        // of a codestream of the source: why it can't be decoded, as far as that is known
  std::size_t head_bytes = 0;     // of `stored`: the head that was asked for, and that others begin with, too
};

// What a frame may be coded with besides its own bytes. REQUIRES, for each that is not empty: is_as_coded(format).
struct Beside {
  ByteSpan reference = {};  // the source of another frame, after which lane may code it (kLaneInter)
  ByteSpan head = {};       // of Workspace::shared_head(): lane codestreams of such frames may begin with it
};

// Codes one native frame from its bytes in the source. `precision`: see codec::Shape. Never fails: what the chosen
// codec does not hold, or makes no smaller, goes in zstd or is stored.
CodedFrame code_native(Scratch& scratch, const format::FrameFormat& format, std::uint8_t precision, CodecChoice choice,
                       ByteSpan source, const Beside& beside = {});

// Whether a frame is too large for lane: without a choice of its codec it goes in HTJ2K.
bool is_large(const format::FrameFormat& format);

// Codes frame `frame` of a plan whose pieces point into `bytes`: a native one as above; an encapsulated one likewise
// where that is smaller and a recipe gives its codestream back, else as it is.
CodedFrame code_frame(Scratch& scratch, const PixelPlan& plan, ByteSpan bytes, std::size_t frame,
                      std::uint8_t precision, CodecChoice choice, const Beside& beside = {});

// While it lives, every frame that code_native() makes goes through `change`: a codec that errs, for tests of what then
// happens. Not for two threads at once.
class FaultyCodec {
 public:
  using Change = std::function<void(const codec::Shape&, CodedFrame&)>;
  explicit FaultyCodec(Change change);
  ~FaultyCodec();
  FaultyCodec(const FaultyCodec&) = delete;
  FaultyCodec& operator=(const FaultyCodec&) = delete;
};

// Bits that hold every value of a native frame; 0 when that does not matter to any codec.
std::uint8_t source_precision(const format::FrameFormat& format, ByteSpan source);

}  // namespace dicube::archive
