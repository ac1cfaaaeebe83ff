// What decoding a JPEG 2000 codestream will cost, by its marker segments: OpenJPEG makes memory for each tile, precinct
// and code-block that they announce, and runs through each packet, whether or not there are bytes for it.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace dicube::codec {

// kLimit: more tiles, code-blocks or packets than the frame's size and the codestream's length account for; kCodec: no
// main header. REQUIRES: `stream` starts with SOC and a SIZ segment of at least 38 bytes.
Status check_jpeg2000_cost(ByteSpan stream);

}  // namespace dicube::codec
