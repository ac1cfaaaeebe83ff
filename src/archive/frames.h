// Frames between three forms: as in the source file, as coded, and as the public interface hands them out.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "archive/pixels.h"
#include "codec/recipe.h"
#include "dicube/archive.h"
#include "format/frame_index.h"

namespace dicube::archive {

// What one thread needs to decode frames, used again from call to call.
struct Scratch {
  codec::Workspace codec;
  Bytes stored, decoded, pixels;
};

// Lends a Scratch per thread at work.
class ScratchPool {
 public:
  class Lease {
   public:
    Lease(ScratchPool& pool, std::unique_ptr<Scratch> scratch) : pool_(pool), scratch_(std::move(scratch)) {}
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Scratch* operator->() { return scratch_.get(); }
    Scratch& operator*() { return *scratch_; }

   private:
    ScratchPool& pool_;
    std::unique_ptr<Scratch> scratch_;
  };
  Lease lend();
  void clear();  // lets go of those that are not lent

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> idle_;
};

enum class CodecChoice : std::uint8_t {
  kAuto,       // of lane and HTJ2K the smaller, lane if within 1 %; zstd where it is smaller yet and the frame simple
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
};

// Codes one native frame from its bytes in the source. `precision`: see codec::Shape. `reference`: the source of
// another frame, after which lane may code it (kLaneInter); REQUIRES: is_as_coded(format). Never fails: what no codec
// holds is stored.
CodedFrame code_native(Scratch& scratch, const format::FrameFormat& format, std::uint8_t precision, CodecChoice choice,
                       ByteSpan source, ByteSpan reference = {});

// Codes frame `frame` of a plan whose pieces point into `bytes`: a native one as above; an encapsulated one likewise
// where that is smaller and a recipe gives its codestream back, else as it is.
CodedFrame code_frame(Scratch& scratch, const PixelPlan& plan, ByteSpan bytes, std::size_t frame,
                      std::uint8_t precision, CodecChoice choice, ByteSpan reference = {});

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

// The codec of a frame: its own, or that of its transfer syntax when it is encapsulated (kUnsupported).
Result<codec::CodecId> codec_of(const format::FrameFormat& format, std::uint8_t codec);
// The same; a frame after a reference that the archive does not name is kUnsupported, too.
Result<codec::CodecId> codec_of(const format::FrameFormat& format, const format::Frame& frame);

// kCodec when the stream itself says that it holds another frame than one of `bytes`: to be asked before memory is made
// for them.
Status check_stream(const format::FrameFormat& format, codec::CodecId codec, ByteSpan stored, std::uint64_t bytes);

// Decodes into `out`, as the codec gives it; after `reference` where the codec is kLaneInter.
Status decode(Scratch& scratch, codec::CodecId codec, const codec::Shape& shape, ByteSpan reference, ByteSpan stored,
              MutableByteSpan out);

// Decodes a native frame into `out`, as it stood in the source. `reference`: of a frame that has one, the reference's
// pixels in the layout of decoded_shape().
Status decode_to_source(Scratch& scratch, const format::FrameFormat& format, codec::CodecId codec, ByteSpan stored,
                        MutableByteSpan out, ByteSpan reference = {});

// The shape that the codec of a frame with pixels sees: `planar` as in the source, or not.
codec::Shape decoded_shape(const format::FrameFormat& format, bool planar);

// Decodes any frame at 1/2^level into `out`, in the public form. `bit_offset`: of a 1-bit frame's first bit.
// `reference`: whole, as its codec gives it.
Status decode_to_public(Scratch& scratch, const format::FrameFormat& format, codec::CodecId codec, ByteSpan stored,
                        unsigned level, unsigned bit_offset, MutableByteSpan out, ByteSpan reference = {});

// The codestream of `frame`, an encapsulated one with a recipe, appended to `out`.
Status follow_recipe(Scratch& scratch, const format::FrameFormat& format, const format::Frame& frame, ByteSpan stored,
                     Bytes& out, ByteSpan reference = {});

PixelFormat public_format(const format::FrameFormat& format);

}  // namespace dicube::archive
