// Coding with losses, as coarsely as a bound or a ratio allows.
#pragma once

#include "codec/codec.h"
#include "codec/htj2k.h"

namespace dicube::codec {

// Workspace::encode_lossy(), of frames that lossy codecs hold. `htj2k` is the workspace's.
Result<std::uint32_t> code_lossy(Workspace& workspace, Htj2k& htj2k, CodecId codec, const Shape& shape, ByteSpan pixels,
                                 Loss loss, Bytes& out);

}  // namespace dicube::codec
