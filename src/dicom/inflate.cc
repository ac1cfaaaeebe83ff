#include "dicom/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <new>

namespace dicube::dicom {
namespace {

constexpr int kRawWindow = -MAX_WBITS;
constexpr int kZlibWindow = MAX_WBITS;

// zlib's state for one stream.
class Inflater {
 public:
  explicit Inflater(int window_bits) {
    if (inflateInit2(&state_, window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&state_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Inflates into `out` until it is full or the stream ends, one way or the other; the result is zlib's.
  // Counts both sides on, because zlib's own numbers are 32 bits wide.
  int run(ByteSpan in, std::uint64_t& consumed, MutableByteSpan out, std::uint64_t& produced) {
    int result = Z_OK;
    while (result == Z_OK && produced < out.size()) {
      auto source = in.subspan(consumed).first(std::min<std::size_t>(in.size() - consumed, kMost));
      auto target = out.subspan(produced).first(std::min<std::size_t>(out.size() - produced, kMost));
      state_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(source.data()));
      state_.avail_in = static_cast<uInt>(source.size());
      state_.next_out = reinterpret_cast<Bytef*>(target.data());
      state_.avail_out = static_cast<uInt>(target.size());
      result = inflate(&state_, Z_NO_FLUSH);
      consumed += source.size() - state_.avail_in;
      produced += target.size() - state_.avail_out;
    }
    return result;
  }

 private:
  static constexpr std::size_t kMost = std::size_t{1} << 30;
  z_stream state_ = {};
};

// What zlib's last result says of a stream.
InflateEnd end_of(int result) {
  if (result == Z_STREAM_END) return InflateEnd::kComplete;
  return result == Z_BUF_ERROR ? InflateEnd::kTruncated : InflateEnd::kCorrupt;
}

Result<Inflated> inflate_as(int window_bits, ByteSpan stream, std::uint64_t max_size) {
  Inflater inflater(window_bits);
  Inflated inflated;
  std::uint64_t produced = 0;
  std::uint64_t room = std::min<std::uint64_t>(max_size, stream.size() * 4 + 4096);
  for (;;) {
    inflated.bytes.resize(room);
    int result = inflater.run(stream, inflated.consumed, inflated.bytes, produced);
    if (result == Z_OK && room < max_size) {
      room = std::min(max_size, room * 2);
      continue;
    }
    if (result == Z_OK) {  // full: only a stream that ends right here is within the limit
      std::byte more;
      std::uint64_t beyond = 0;
      result = inflater.run(stream, inflated.consumed, MutableByteSpan(&more, 1), beyond);
      if (beyond != 0)
        return fail(ErrorClass::kLimit, "the deflated data set of {} bytes inflates to more than {} bytes",
                    stream.size(), max_size);
    }
    inflated.end = end_of(result);
    inflated.bytes.resize(produced);
    return inflated;
  }
}

bool has_zlib_header(ByteSpan stream) {
  return stream.size() >= 2 && (stream[0] & std::byte{0x0F}) == std::byte{8} &&
         load_be<std::uint16_t>(stream.data()) % 31 == 0;
}

}  // namespace

Result<Inflated> inflate_data_set(ByteSpan stream, std::uint64_t max_size) {
  DICUBE_ASSIGN(Inflated raw, inflate_as(kRawWindow, stream, max_size));
  if (raw.end != InflateEnd::kCorrupt || !has_zlib_header(stream)) return raw;
  DICUBE_ASSIGN(Inflated wrapped, inflate_as(kZlibWindow, stream, max_size));
  return wrapped.bytes.size() > raw.bytes.size() ? std::move(wrapped) : std::move(raw);
}

std::size_t checksum_bytes(ByteSpan rest, ByteSpan inflated) {
  constexpr std::size_t kBytes = 8;
  if (rest.size() < kBytes || load_le<std::uint32_t>(rest.data() + 4) != static_cast<std::uint32_t>(inflated.size()))
    return 0;
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(inflated.data()), inflated.size());
  return load_le<std::uint32_t>(rest.data()) == crc ? kBytes : 0;
}

}  // namespace dicube::dicom
