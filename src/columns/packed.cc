#include "columns/packed.h"

#include <zstd.h>

#include <memory>
#include <stdexcept>

#include "columns/protocol_dictionary.h"

namespace dicube::columns {
namespace {

constexpr std::size_t kWorthTrying = 24;  // a zstd frame alone costs 9 bytes or more

// One context per thread: making one costs more than compressing a column.
ZSTD_CCtx* compressor() {
  thread_local std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) throw std::bad_alloc();
  return context.get();
}

ZSTD_DCtx* decompressor() {
  thread_local std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context) throw std::bad_alloc();
  return context.get();
}

// Metadata is small and written once; bulk values are not small. Higher levels save 16 bytes of 14 kB and take 3 % of
// packing.
int level_for(std::size_t size) { return size <= 128 * 1024 ? 13 : 9; }

// `compress`: zstd's size or error, of as many bytes as it is given.
template <class Compress>
Bytes compressed(ByteSpan bytes, const Compress& compress) {
  Bytes out(ZSTD_compressBound(bytes.size()));
  const std::size_t size = compress(out);
  if (ZSTD_isError(size)) throw std::runtime_error(ZSTD_getErrorName(size));  // only memory can run out here
  out.resize(size);
  return out;
}

Bytes compressed_as_protocols(ByteSpan bytes) {
  return compressed(bytes, [&](Bytes& out) {
    return ZSTD_compress_usingCDict(compressor(), out.data(), out.size(), bytes.data(), bytes.size(),
                                    protocols_to_compress());
  });
}

}  // namespace

Bytes zstd_compress(ByteSpan bytes, int level) {
  return compressed(bytes, [&](Bytes& out) {
    return ZSTD_compressCCtx(compressor(), out.data(), out.size(), bytes.data(), bytes.size(), level);
  });
}

Result<Bytes> zstd_decompress(ByteSpan frame, std::uint64_t size, std::string_view what) {
  if (size > most_unpacked(frame.size()))
    return fail(ErrorClass::kLimit, "{}: {} bytes announced by {} packed ones, at most {} possible", what, size,
                frame.size(), most_unpacked(frame.size()));
  auto announced = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (announced != size)
    return fail(ErrorClass::kDamaged, "{}: its zstd frame announces {} bytes, {} expected", what, announced, size);
  if (const auto stored = ZSTD_findFrameCompressedSize(frame.data(), frame.size()); stored != frame.size())
    return fail(ErrorClass::kDamaged, "{}: its zstd frame ends before {} bytes do", what, frame.size());
  const unsigned dictionary = ZSTD_getDictID_fromFrame(frame.data(), frame.size());
  if (dictionary != 0 && dictionary != kProtocolDictionary)
    return fail(ErrorClass::kUnsupported, "{}: its zstd frame needs dictionary {}; this reader knows {}", what,
                dictionary, kProtocolDictionary);
  Bytes out(size);
  auto got = ZSTD_decompress_usingDDict(decompressor(), out.data(), out.size(), frame.data(), frame.size(),
                                        dictionary == 0 ? nullptr : protocols_to_decompress());
  if (ZSTD_isError(got)) return fail(ErrorClass::kDamaged, "{}: zstd says: {}", what, ZSTD_getErrorName(got));
  if (got != size) return fail(ErrorClass::kDamaged, "{}: {} bytes unpacked, {} expected", what, got, size);
  return out;
}

void put_packed(ByteSpan bytes, ByteWriter& out) {
  if (bytes.size() >= kWorthTrying) {
    Bytes packed =
        speak_of_protocols(bytes) ? compressed_as_protocols(bytes) : zstd_compress(bytes, level_for(bytes.size()));
    if (packed.size() < bytes.size() && bytes.size() <= most_unpacked(packed.size())) {
      out.put_varint(bytes.size());
      out.put_varint(packed.size());
      out.put_bytes(packed);
      return;
    }
  }
  put_unpacked(bytes, out);
}

void put_unpacked(ByteSpan bytes, ByteWriter& out) {
  out.put_varint(bytes.size());
  out.put_varint(0);
  out.put_bytes(bytes);
}

Result<Bytes> get_packed(ByteReader& in, std::uint64_t most) {
  DICUBE_ASSIGN(auto size, in.get_count(most, "bytes"));
  DICUBE_ASSIGN(auto stored, in.get_varint());
  if (stored == 0) {
    DICUBE_ASSIGN(auto bytes, in.get_bytes(size));
    return Bytes(bytes.begin(), bytes.end());
  }
  DICUBE_ASSIGN(auto frame, in.get_bytes(stored));
  return zstd_decompress(frame, size, in.what());
}

}  // namespace dicube::columns
