// Instances of an archive as DICOM files in another transfer syntax.
#pragma once

#include "dicube/archive.h"
#include "series/transfer_syntax.h"

namespace dicube::series {

struct Transcoding {
  const TransferSyntax* target = nullptr;
  codec::Loss loss;      // of a lossy target
  unsigned threads = 1;  // for the frames of one instance
};

struct Transcoded {
  Bytes file;
  bool unchanged = false;  // the original: it has the wanted syntax already, or is no image
};

// One instance's file. What is not pixels keeps its values: as bytes where the encoding stays explicit little endian,
// else element by element. kNotDicom: no DICOM, or a data set that can't be explained to its end. kUnsupported: pixels
// that the syntax does not hold.
Result<Transcoded> transcode(const Archive& archive, std::size_t instance, const Transcoding& how);

// Decodes `made`, as it was written, with the ordinary reader, and compares it with the instance's own pixels. Returns
// the largest difference. kCodec: more than the loss allows.
Result<std::uint64_t> check_transcoded(const Archive& archive, std::size_t instance, const Transcoding& how,
                                       const Transcoded& made, ByteSpan written);

}  // namespace dicube::series
