#include "codec/zstd.h"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace dicube::codec {
namespace {

// ON DISK: DO NOT CHANGE.
enum class Filter : std::uint8_t {
  kNone = 0,
  kShuffle = 1,  // byte planes: all first bytes of the values, then all second ones
  kDelta = 2,    // each value minus the one `samples` before it, modulo its width; then as kShuffle
};

constexpr int kLevel = 6;

using Context = std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)>;

std::size_t width_of(const Shape& shape) { return shape.bits <= 8 ? 1 : shape.bits / 8u; }
std::size_t stride_of(const Shape& shape) { return shape.planar ? 1 : shape.samples; }

template <class T>
void delta(ByteSpan from, std::size_t stride, Bytes& to) {
  const std::size_t count = from.size() / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    const T before = i < stride ? T{0} : load_le<T>(from.data() + (i - stride) * sizeof(T));
    store_le<T>(to.data() + i * sizeof(T), static_cast<T>(load_le<T>(from.data() + i * sizeof(T)) - before));
  }
}

template <class T>
void undelta(MutableByteSpan values, std::size_t stride) {
  const std::size_t count = values.size() / sizeof(T);
  for (std::size_t i = stride; i < count; ++i) {
    std::byte* at = values.data() + i * sizeof(T);
    store_le<T>(at, static_cast<T>(load_le<T>(at) + load_le<T>(at - stride * sizeof(T))));
  }
}

template <class Call>
void with_width(std::size_t width, Call call) {
  if (width == 1) call(std::uint8_t{});
  if (width == 2) call(std::uint16_t{});
  if (width == 4) call(std::uint32_t{});
  if (width == 8) call(std::uint64_t{});
}

void shuffle(ByteSpan from, std::size_t width, Bytes& to) {
  const std::size_t count = from.size() / width;
  for (std::size_t plane = 0; plane < width; ++plane)
    for (std::size_t i = 0; i < count; ++i) to[plane * count + i] = from[i * width + plane];
}

void unshuffle(ByteSpan from, std::size_t width, MutableByteSpan to) {
  const std::size_t count = from.size() / width;
  for (std::size_t plane = 0; plane < width; ++plane)
    for (std::size_t i = 0; i < count; ++i) to[i * width + plane] = from[plane * count + i];
}

Bytes filtered(Filter filter, const Shape& shape, ByteSpan pixels) {
  Bytes planes(pixels.size());
  if (filter == Filter::kShuffle) {
    shuffle(pixels, width_of(shape), planes);
    return planes;
  }
  Bytes differences(pixels.size());
  with_width(width_of(shape), [&](auto type) { delta<decltype(type)>(pixels, stride_of(shape), differences); });
  shuffle(differences, width_of(shape), planes);
  return planes;
}

Bytes compressed(ByteSpan bytes) {
  thread_local Context context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) throw std::bad_alloc();
  Bytes out(ZSTD_compressBound(bytes.size()));
  const auto size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size)) throw std::runtime_error(ZSTD_getErrorName(size));  // only memory can run out here
  out.resize(size);
  return out;
}

}  // namespace

void encode_zstd(const Shape& shape, ByteSpan pixels, Bytes& out) {
  Filter best = Filter::kNone;
  Bytes smallest = compressed(pixels);
  if (pixels.size() % width_of(shape) == 0 && shape.bits > 1) {
    for (Filter filter : {Filter::kShuffle, Filter::kDelta}) {
      if (filter == Filter::kShuffle && width_of(shape) == 1) continue;
      Bytes candidate = compressed(filtered(filter, shape, pixels));
      if (candidate.size() >= smallest.size()) continue;
      smallest = std::move(candidate);
      best = filter;
    }
  }
  out.push_back(std::byte{static_cast<std::uint8_t>(best)});
  append(out, smallest);
}

Status decode_zstd(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  if (stream.empty() || std::to_integer<unsigned>(stream[0]) > static_cast<unsigned>(Filter::kDelta))
    return fail(ErrorClass::kCodec, "zstd frame: unknown filter {}", stream.empty() ? -1 : std::to_integer<int>(stream[0]));
  const auto filter = static_cast<Filter>(stream[0]);
  const ByteSpan frame = stream.subspan(1);
  const auto announced = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (announced != pixels.size())
    return fail(ErrorClass::kCodec, "zstd frame announces {} bytes, {} expected", announced, pixels.size());
  if (filter != Filter::kNone && (shape.bits == 1 || pixels.size() % width_of(shape) != 0))
    return fail(ErrorClass::kCodec, "zstd frame: filter {} on values of {} bits", static_cast<int>(filter), shape.bits);
  // The planes are needed whole before values can be made; a failed frame must not cost memory for what it only announces.
  Bytes planes;
  MutableByteSpan target = pixels;
  if (filter != Filter::kNone && width_of(shape) > 1) {
    planes.resize(pixels.size());
    target = planes;
  }
  const auto got = ZSTD_decompress(target.data(), target.size(), frame.data(), frame.size());
  if (ZSTD_isError(got)) return fail(ErrorClass::kCodec, "zstd says: {}", ZSTD_getErrorName(got));
  if (got != pixels.size()) return fail(ErrorClass::kCodec, "zstd frame of {} bytes, {} expected", got, pixels.size());
  if (!planes.empty()) unshuffle(planes, width_of(shape), pixels);
  if (filter == Filter::kDelta)
    with_width(width_of(shape), [&](auto type) { undelta<decltype(type)>(pixels, stride_of(shape)); });
  return {};
}

}  // namespace dicube::codec
