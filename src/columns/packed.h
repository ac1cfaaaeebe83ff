// A byte string, through zstd where that is shorter.
#pragma once

#include <cstdint>
#include <memory>

#include "base/pieces.h"

namespace dicube::columns {

// The most bytes that `stored` packed bytes may stand for. What packs better is packed less well, or stored as it is: a
// small file that announces huge contents is thereby told from an honest one before anything is allocated.
constexpr std::uint64_t most_unpacked(std::uint64_t stored) {
  return (std::uint64_t{16} << 20) + (stored < std::uint64_t{1} << 48 ? 256 * stored : stored);
}

// kLimit when `size` is more.
Status check_most_unpacked(std::uint64_t stored, std::uint64_t size, std::string_view what);

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

// One zstd frame of `size` bytes, neither of which is ever held whole. kChanged when there are more or fewer.
// kReadable: never smaller than most_unpacked() wants it.
enum class Density : std::uint8_t { kMost, kReadable };
Status zstd_compress(const Pieces& bytes, std::uint64_t size, const Sink& out, Density density = Density::kMost);

// zstd_decompress() of a frame that comes in pieces. The caller has checked its size against most_unpacked().
class ZstdStream {
 public:
  // `frame`: the bytes of the frame; `what` must outlive this.
  ZstdStream(std::uint64_t frame, std::uint64_t size, std::string_view what);
  ~ZstdStream();
  ZstdStream(ZstdStream&&) noexcept;
  ZstdStream& operator=(ZstdStream&&) noexcept;
  // The next bytes of the frame; what they stand for goes to `out`. REQUIRES: the first ones are 18, which tell its
  // size, or all.
  Status take(ByteSpan bytes, const Sink& out);
  // After the last ones.
  Status finish() const;

 private:
  struct Decoder;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace dicube::columns
