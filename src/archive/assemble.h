// An instance's original bytes, from columns and frames.
#pragma once

#include "archive/walk.h"

namespace dicube::archive {

// Where an instance's frames come from.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  // Appends all frames of native pixel data as they stood in the source.
  virtual Status append_native(Bytes& out) = 0;
  // Of encapsulated pixel data: the size of each frame, and its bytes appended.
  virtual std::vector<std::uint64_t> encapsulated_sizes() = 0;
  virtual Status append_encapsulated(std::size_t frame, Bytes& out) = 0;
};

// The bytes into `out`, at most `size` of them. They are proven by the caller, against the SHA-256.
Status assemble(const Metadata& metadata, std::size_t instance, std::uint64_t size, FrameSource& frames, Bytes& out);

}  // namespace dicube::archive
