// Single frames of an archive as DICOM files.
#pragma once

#include <string>

#include "base/bytes.h"
#include "dicube/archive.h"

namespace dicube::series {

struct FrameFile {
  Bytes file;
  std::string transfer_syntax;  // in which it was made; empty: the original file
};

// The frame as a file of its own: in HTJ2K Lossless RPCL where its source did not compress it, unless `uncompressed`;
// else in the source's transfer syntax. The original file where it is a single frame in that form already, or in one
// that HTJ2K does not hold, and begins as files do (PS3.10 7.1). `uid`: the SOP Instance UID of one out of several.
// REQUIRES: frame < frame_count().
Result<FrameFile> frame_file(const Archive& archive, std::size_t frame, std::string uid, bool uncompressed);

}  // namespace dicube::series
