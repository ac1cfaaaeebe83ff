// One file on its way into an archive: read, tokenised, its frames found.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "archive/code_frame.h"
#include "archive/pixels.h"
#include "dicube/series.h"
#include "series/check.h"
#include "series/scan.h"

namespace dicube::series {

using Read = std::function<Status(const File&, Bytes&)>;
Status read_from_disk(const File& file, Bytes& bytes);

// How a file is packed: with more care when the proof has failed with less.
enum class Care : std::uint8_t {
  kNone,   // as asked for
  kZstd,   // a codec simple enough to trust, and codestreams as they are
  kWhole,  // as one byte string, without columns and frames
};

struct Prepared {
  Instance instance;
  Bytes bytes;
  std::optional<dicom::Tokens> tokens;
  std::optional<archive::PixelPlan> pixels;
  std::uint8_t precision = 0;
  std::vector<archive::CodedFrame> frames;
  std::optional<Error> error;
  std::vector<Finding> findings;
  Slice slice;
  Care care = Care::kNone;

  // For another file; the memory for its bytes stays.
  void reset() {
    Bytes kept = std::move(bytes);
    *this = {};
    bytes = std::move(kept);
  }
};

using FrameList = std::vector<std::pair<std::size_t, std::size_t>>;  // of some files: file, frame

// The bytes of a native frame. REQUIRES: file.pixels.
ByteSpan frame_source(const Prepared& file, std::size_t frame);

// Takes the pixels out of its bytes, when all its frames are coded and nothing but its header is asked for any more.
// Returns the memory of the whole file.
Bytes take_pixels(Prepared& file);

// What can't be read is an error in `file`; what can't be explained is a finding, and kept as it is.
void prepare(const Member& member, Care care, const Read& read_whole, Prepared& file);

}  // namespace dicube::series
