#include "columns/packed.h"

#include <zstd.h>

#include <memory>
#include <stdexcept>

#include "columns/protocol_dictionary.h"

namespace dicube::columns {
namespace {

constexpr std::size_t kWorthTrying = 24;  // a zstd frame alone costs 9 bytes or more
// A block of a zstd frame takes 4 bytes at least (RFC 8878, 3.1.1.2): of so many, none packs better than 256 : 1.
constexpr std::size_t kReadableBlock = 1024;

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

// Only memory can run out in these calls.
std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result)) throw std::runtime_error(ZSTD_getErrorName(result));
  return result;
}

// `compress`: zstd's size or error, of as many bytes as it is given.
template <class Compress>
Bytes compressed(ByteSpan bytes, const Compress& compress) {
  Bytes out(ZSTD_compressBound(bytes.size()));
  out.resize(checked(compress(out)));
  return out;
}

Bytes compressed_as_protocols(ByteSpan bytes) {
  return compressed(bytes, [&](Bytes& out) {
    return ZSTD_compress_usingCDict(compressor(), out.data(), out.size(), bytes.data(), bytes.size(),
                                    protocols_to_compress());
  });
}

// What a frame begins with tells its size, and the dictionary that it needs: nullptr for none.
Result<const ZSTD_DDict*> check_start(ByteSpan frame, std::uint64_t size, std::string_view what) {
  const auto announced = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (announced != size)
    return fail(ErrorClass::kDamaged, "{}: its zstd frame announces {} bytes, {} expected", what, announced, size);
  const unsigned dictionary = ZSTD_getDictID_fromFrame(frame.data(), frame.size());
  if (dictionary == 0) return nullptr;
  if (dictionary == kProtocolDictionary) return protocols_to_decompress();
  return fail(ErrorClass::kUnsupported, "{}: its zstd frame needs dictionary {}; this reader knows {}", what,
              dictionary, kProtocolDictionary);
}

}  // namespace

Status check_most_unpacked(std::uint64_t stored, std::uint64_t size, std::string_view what) {
  if (size <= most_unpacked(stored)) return {};
  return fail(ErrorClass::kLimit, "{}: {} bytes announced by {} packed ones, at most {} possible", what, size, stored,
              most_unpacked(stored));
}

Bytes zstd_compress(ByteSpan bytes, int level) {
  return compressed(bytes, [&](Bytes& out) {
    return ZSTD_compressCCtx(compressor(), out.data(), out.size(), bytes.data(), bytes.size(), level);
  });
}

Result<Bytes> zstd_decompress(ByteSpan frame, std::uint64_t size, std::string_view what) {
  DICUBE_TRY(check_most_unpacked(frame.size(), size, what));
  DICUBE_ASSIGN(const ZSTD_DDict* const dictionary, check_start(frame, size, what));
  if (const auto stored = ZSTD_findFrameCompressedSize(frame.data(), frame.size()); stored != frame.size())
    return fail(ErrorClass::kDamaged, "{}: its zstd frame ends before {} bytes do", what, frame.size());
  Bytes out(size);
  auto got = ZSTD_decompress_usingDDict(decompressor(), out.data(), out.size(), frame.data(), frame.size(), dictionary);
  if (ZSTD_isError(got)) return fail(ErrorClass::kDamaged, "{}: zstd says: {}", what, ZSTD_getErrorName(got));
  if (got != size) return fail(ErrorClass::kDamaged, "{}: {} bytes unpacked, {} expected", what, got, size);
  return out;
}

Status zstd_compress(const Pieces& bytes, std::uint64_t size, const Sink& out, Density density) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) throw std::bad_alloc();
  checked(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level_for(size)));
  checked(ZSTD_CCtx_setPledgedSrcSize(context.get(), size));
  Bytes buffer(ZSTD_CStreamOutSize());
  std::uint64_t to_come = size;
  const auto code = [&](ByteSpan piece, ZSTD_EndDirective how) -> Status {
    to_come -= piece.size();
    if (to_come > size || (how == ZSTD_e_end && to_come > 0))
      return fail(ErrorClass::kChanged, "{} bytes expected, {} came", size, size - to_come);
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    for (bool more = true; more;) {
      ZSTD_outBuffer coded{buffer.data(), buffer.size(), 0};
      const std::size_t left = checked(ZSTD_compressStream2(context.get(), &coded, &in, how));
      DICUBE_TRY(out(ByteSpan(buffer).first(coded.pos)));
      more = how == ZSTD_e_continue ? in.pos < in.size : left > 0;
    }
    return {};
  };
  const Sink in_blocks = [&](ByteSpan piece) -> Status {
    for (; !piece.empty(); piece = piece.subspan(std::min(piece.size(), kReadableBlock)))
      DICUBE_TRY(code(piece.first(std::min(piece.size(), kReadableBlock)), ZSTD_e_flush));
    return {};
  };
  const Sink in_one = [&](ByteSpan piece) { return code(piece, ZSTD_e_continue); };
  DICUBE_TRY(bytes(density == Density::kMost ? in_one : in_blocks));
  return code({}, ZSTD_e_end);
}

struct ZstdStream::Decoder {
  std::uint64_t frame, size;
  std::string_view what;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context{ZSTD_createDCtx(), ZSTD_freeDCtx};
  Bytes buffer = Bytes(ZSTD_DStreamOutSize());
  std::uint64_t taken = 0, made = 0;
  bool at_end = false;
};

ZstdStream::ZstdStream(std::uint64_t frame, std::uint64_t size, std::string_view what)
    : decoder_(new Decoder{frame, size, what}) {
  if (!decoder_->context) throw std::bad_alloc();
  checked(ZSTD_DCtx_setParameter(decoder_->context.get(), ZSTD_d_windowLogMax,
                                 ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound));
}
ZstdStream::~ZstdStream() = default;
ZstdStream::ZstdStream(ZstdStream&&) noexcept = default;
ZstdStream& ZstdStream::operator=(ZstdStream&&) noexcept = default;

Status ZstdStream::take(ByteSpan bytes, const Sink& out) {
  Decoder& to = *decoder_;
  if (to.taken == 0) {
    DICUBE_ASSIGN(const ZSTD_DDict* const dictionary, check_start(bytes, to.size, to.what));
    checked(ZSTD_DCtx_refDDict(to.context.get(), dictionary));
  }
  to.taken += bytes.size();
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (bool more = true; more;) {
    if (to.at_end && in.pos < in.size)
      return fail(ErrorClass::kDamaged, "{}: its zstd frame ends before {} bytes do", to.what, to.frame);
    ZSTD_outBuffer unpacked{to.buffer.data(), to.buffer.size(), 0};
    const std::size_t left = ZSTD_decompressStream(to.context.get(), &unpacked, &in);
    if (ZSTD_isError(left)) return fail(ErrorClass::kDamaged, "{}: zstd says: {}", to.what, ZSTD_getErrorName(left));
    to.at_end = left == 0;
    to.made += unpacked.pos;
    if (to.made > to.size)  // zstd itself sees it at the end, after as much as the frame likes
      return fail(ErrorClass::kDamaged, "{}: its zstd frame holds more than its {} bytes", to.what, to.size);
    DICUBE_TRY(out(ByteSpan(to.buffer).first(unpacked.pos)));
    more = in.pos < in.size || (!to.at_end && unpacked.pos == unpacked.size);
  }
  return {};
}

Status ZstdStream::finish() const {
  const Decoder& from = *decoder_;
  if (from.at_end && from.made == from.size && from.taken == from.frame) return {};
  return fail(ErrorClass::kDamaged, "{}: {} bytes unpacked, {} expected", from.what, from.made, from.size);
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
