// The dictionary that zstd frames of metadata may be made with (spec/format.md, "Packed bytes"): what Siemens' MR
// scanners write into every series, names of parameters mostly.
#pragma once

#include "base/bytes.h"

struct ZSTD_CDict_s;
struct ZSTD_DDict_s;

namespace dicube::columns {

constexpr std::uint32_t kProtocolDictionary = 56321;  // ON DISK: DO NOT CHANGE

// Whether the dictionary may know what `bytes` say. More than 1 MiB repeat themselves: nothing is gained there.
bool speak_of_protocols(ByteSpan bytes);

// For all threads, for ever.
const ZSTD_CDict_s* protocols_to_compress();
const ZSTD_DDict_s* protocols_to_decompress();

}  // namespace dicube::columns
