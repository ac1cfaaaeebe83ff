// DICOM's RLE Lossless (PS3.5 annex G): a header of 16 little-endian numbers (how many segments, where each starts),
// then one PackBits stream per byte of a pixel: samples in order, of each the most significant byte first.
#include <algorithm>

#include "codec/foreign.h"

namespace dicube::codec {
namespace {

constexpr std::size_t kHeader = 64, kMostSegments = 15, kMostRun = 128;

// Unpacks one segment to every `stride`-th byte from `to` on; returns how many of `count` it gave.
std::size_t unpack(ByteSpan segment, std::byte* to, std::size_t stride, std::size_t count) {
  std::size_t done = 0;
  for (std::size_t at = 0; at < segment.size() && done < count;) {
    const auto code = std::to_integer<unsigned>(segment[at++]);
    if (code == 128) continue;  // no operation
    if (code < 128) {
      const std::size_t run = std::min({std::size_t{code} + 1, segment.size() - at, count - done});
      for (std::size_t i = 0; i < run; ++i, ++done) to[done * stride] = segment[at + i];
      at += code + 1;
    } else {
      if (at == segment.size()) break;
      const std::size_t run = std::min<std::size_t>(257 - code, count - done);
      for (std::size_t i = 0; i < run; ++i, ++done) to[done * stride] = segment[at];
      ++at;
    }
  }
  return done;
}

// Packs every `stride`-th byte of one row: runs of three or more as runs, the others as they are.
void pack(const std::byte* row, std::size_t stride, std::size_t count, Bytes& out) {
  const auto at = [&](std::size_t i) { return row[i * stride]; };
  for (std::size_t i = 0; i < count;) {
    std::size_t run = 1;
    while (i + run < count && run < kMostRun && at(i + run) == at(i)) ++run;
    if (run >= 3 || i + run == count) {
      out.push_back(static_cast<std::byte>(257 - run));
      if (run == 1) out.back() = std::byte{0};
      out.push_back(at(i));
      i += run;
      continue;
    }
    const std::size_t first = i;
    const auto run_starts = [&](std::size_t k) { return k + 2 < count && at(k) == at(k + 1) && at(k) == at(k + 2); };
    while (i < count && i - first < kMostRun && !run_starts(i)) ++i;
    out.push_back(static_cast<std::byte>(i - first - 1));
    for (std::size_t k = first; k < i; ++k) out.push_back(at(k));
  }
}

}  // namespace

Status encode_rle(const Shape& shape, ByteSpan pixels, Bytes& out) {
  const std::size_t width = std::max(1U, shape.bits / 8U), segments = shape.samples * width;
  if (segments == 0 || segments > kMostSegments)
    return fail(ErrorClass::kUnsupported, "RLE of {} bytes to a pixel, at most {}", segments, kMostSegments);
  const std::size_t start = out.size();
  out.resize(start + kHeader);
  store_le(out.data() + start, static_cast<std::uint32_t>(segments));
  for (std::size_t i = 0; i < segments; ++i) {
    if (out.size() - start > 0xFFFFFFFF) {
      out.resize(start);
      return fail(ErrorClass::kUnsupported, "an RLE frame of over 4 GiB");
    }
    store_le(out.data() + start + 4 * (i + 1), static_cast<std::uint32_t>(out.size() - start));
    const std::size_t sample = i / width, byte = width - 1 - i % width;
    for (std::size_t y = 0; y < shape.rows; ++y)
      pack(pixels.data() + y * shape.columns * segments + sample * width + byte, segments, shape.columns, out);
    if ((out.size() - start) % 2 != 0) out.push_back(std::byte{0});
  }
  return {};
}

Status decode_rle(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  const std::size_t width = std::max(1U, shape.bits / 8U), segments = shape.samples * width;
  if (segments == 0 || segments > kMostSegments)
    return fail(ErrorClass::kUnsupported, "RLE frame: {} bytes to a pixel, 1 to {} supported", segments, kMostSegments);
  if (stream.size() < kHeader)
    return fail(ErrorClass::kCodec, "RLE frame: {} bytes, {} needed for its header", stream.size(), kHeader);
  std::array<std::size_t, kMostSegments + 1> starts{};
  const std::size_t announced = load_le<std::uint32_t>(stream.data());
  if (announced != segments)
    return fail(ErrorClass::kCodec, "RLE frame: {} segments, {} expected", announced, segments);
  for (std::size_t i = 0; i < segments; ++i) {
    starts[i] = load_le<std::uint32_t>(stream.data() + 4 * (i + 1));
    if (starts[i] < kHeader || starts[i] > stream.size() || (i > 0 && starts[i] < starts[i - 1]))
      return fail(ErrorClass::kCodec, "RLE frame: segment {} starts at byte {} of {}", i, starts[i], stream.size());
  }
  starts[segments] = stream.size();
  const std::size_t count = pixels.size() / segments;
  for (std::size_t i = 0; i < segments; ++i) {
    const std::size_t sample = i / width, byte = width - 1 - i % width;
    const ByteSpan segment = stream.subspan(starts[i], starts[i + 1] - starts[i]);
    const std::size_t got = unpack(segment, pixels.data() + sample * width + byte, segments, count);
    if (got != count) return fail(ErrorClass::kCodec, "RLE frame: segment {} has {} bytes, {} expected", i, got, count);
  }
  return {};
}

}  // namespace dicube::codec
