// An instance's original bytes, from columns and frames.
#pragma once

#include "archive/walk.h"

namespace dicube::archive {

// Where an instance's frames come from.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // Of native pixel data: where each frame ends, in bytes, counted from the first one's begin; and a frame's bytes,
  // appended as they stood in the source. Those of 1 bit a value may begin in the last byte of the frame before, which
  // must be the last one of `out` then.
  virtual Result<std::vector<std::uint64_t>> native_ends() = 0;
  virtual Status append_native(std::size_t frame, Bytes& out) = 0;
  // Of how many bytes the groups are that frames share, which the source has reversed all through the value; 1: none.
  virtual std::size_t shared_groups() const = 0;
  // Of encapsulated pixel data: the size of each frame, and its bytes appended.
  virtual std::vector<std::uint64_t> encapsulated_sizes() = 0;
  virtual Status append_encapsulated(std::size_t frame, Bytes& out) = 0;
};

// The bytes into `out`, at most `size` of them; or, piece by piece, to the sink, so that `out` holds no more than a
// frame at a time. They are proven by the caller, against the SHA-256.
Status assemble(const Metadata& metadata, std::size_t instance, std::uint64_t size, FrameSource& frames, Bytes& out,
                const Sink* sink = nullptr);

}  // namespace dicube::archive
