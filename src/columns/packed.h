// A byte string, through zstd where that is shorter.
#pragma once

#include "base/bytes.h"

namespace dicube::columns {

// The most bytes that `stored` packed bytes may stand for. What packs better is stored as it is: a small file that
// announces huge contents is thereby told from an honest one before anything is allocated.
constexpr std::uint64_t most_unpacked(std::uint64_t stored) {
  return (std::uint64_t{16} << 20) + (stored < std::uint64_t{1} << 48 ? 256 * stored : stored);
}

// Appends: varint size, varint stored size, the stored bytes. Stored size 0 stands for "as they are".
void put_packed(ByteSpan bytes, ByteWriter& out);
// The same, always as they are.
void put_unpacked(ByteSpan bytes, ByteWriter& out);

// The inverse. Refuses a size over `most` or over most_unpacked() before it allocates.
Result<Bytes> get_packed(ByteReader& in, std::uint64_t most);

// One zstd frame; `level` as zstd's.
Bytes zstd_compress(ByteSpan bytes, int level);
// Exactly `size` bytes; refuses a size over most_unpacked() before it allocates.
Result<Bytes> zstd_decompress(ByteSpan frame, std::uint64_t size, std::string_view what);

}  // namespace dicube::columns
