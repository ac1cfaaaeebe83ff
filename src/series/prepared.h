// One file on its way into an archive: read, tokenised, its frames found.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "archive/code_frame.h"
#include "archive/pixels.h"
#include "archive/writer.h"
#include "base/hash.h"
#include "dicube/series.h"
#include "series/check.h"
#include "series/scan.h"

namespace dicube::series {

// How files are read: from several threads at once, the same bytes each time.
struct Read {
  std::function<Status(const File&, Bytes&)> whole;
  std::function<Status(const File&, const Sink&)> in_pieces;  // none: they are held whole, however large
};
Read read_from_disk();

// How a file is packed: with more care when the proof has failed with less.
enum class Care : std::uint8_t {
  kNone,   // as asked for
  kZstd,   // a codec simple enough to trust, and codestreams as they are
  kWhole,  // as one byte string, without columns and frames
};

struct Prepared {
  Instance instance;
  Hash128 hash;  // of the file; the instance has its SHA-256
  Bytes bytes;
  bool is_unread = false;  // kept as it is, and so large that it is read in pieces: when it is added
  std::optional<archive::Chunk> coded;
  std::optional<dicom::Tokens> tokens;
  std::optional<archive::PixelPlan> pixels;
  std::uint8_t precision = 0;
  std::vector<archive::CodedFrame> frames;
  std::size_t frames_added = 0;  // so many of them the writer has; what is left of them is what they are coded in
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

// Takes the pixels out of its bytes, when all its frames are coded and nothing but its header is asked for any more.
// Returns the memory of the whole file.
Bytes take_pixels(Prepared& file);

// What can't be read is an error in `file`; what can't be explained is a finding, and kept as it is.
void prepare(const Member& member, Care care, const Read& read, Prepared& file);

// Reads and codes an unread file. An error of the file is in it, one of the writer is returned.
Status code_unread(const Member& member, const Read& read, const CallOptions& options, archive::ArchiveWriter& writer,
                   Prepared& file);

}  // namespace dicube::series
