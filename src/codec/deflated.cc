// Deflated Image Frame Compression (PS3.5 A.4.13): each frame's native bytes as a raw deflate stream.
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "codec/foreign.h"

namespace dicube::codec {

Status decode_deflated(const Shape&, ByteSpan stream, MutableByteSpan pixels) {
  z_stream z{};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return fail(ErrorClass::kCodec, "deflated frame: zlib can't start");
  constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
  std::size_t in = 0, out = 0;
  std::byte nothing;  // shows whether more comes than fits
  int state = Z_OK;
  while (state == Z_OK) {
    z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(stream.data())) + in;
    z.avail_in = static_cast<uInt>(std::min(kMost, stream.size() - in));
    const bool full = out == pixels.size();
    z.next_out = reinterpret_cast<Bytef*>(full ? &nothing : pixels.data() + out);
    z.avail_out = full ? 1 : static_cast<uInt>(std::min(kMost, pixels.size() - out));
    const uInt had_in = z.avail_in, had_out = z.avail_out;
    state = inflate(&z, Z_NO_FLUSH);
    in += had_in - z.avail_in;
    out += had_out - z.avail_out;
    if (out > pixels.size() || (had_in == z.avail_in && had_out == z.avail_out)) break;
  }
  inflateEnd(&z);
  // A frame of an odd number of bytes may have been padded before it was deflated.
  const bool padded = out == pixels.size() + 1 && pixels.size() % 2 == 1 && state == Z_STREAM_END;
  if (out > pixels.size() && !padded)
    return fail(ErrorClass::kCodec, "deflated frame: more than the {} bytes expected", pixels.size());
  if (state != Z_STREAM_END)
    return fail(ErrorClass::kCodec, "deflated frame: malformed or cut off at byte {} of {}", in, stream.size());
  if (out < pixels.size()) return fail(ErrorClass::kCodec, "deflated frame: {} bytes, {} expected", out, pixels.size());
  return {};
}

}  // namespace dicube::codec
