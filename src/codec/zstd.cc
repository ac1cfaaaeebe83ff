// To code: every filter that applies is tried at a quick level; the one with the fewest bytes, the first of several,
// is coded again at the final level.
#include "codec/zstd.h"

#include <zstd.h>

#include "codec/filters.h"

namespace dicube::codec {
namespace {

constexpr int kTrialLevel = 1;
constexpr int kLevel = 9;  // docs/codec-notes.md

}  // namespace

void Zstd::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }
void Zstd::Free::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

Zstd::Zstd() = default;
Zstd::~Zstd() = default;
Zstd::Zstd(Zstd&&) noexcept = default;
Zstd& Zstd::operator=(Zstd&&) noexcept = default;

Result<ByteSpan> Zstd::compress(ByteSpan bytes, int level) {
  if (!compressor_) compressor_.reset(ZSTD_createCCtx());
  if (!compressor_) return fail(ErrorClass::kCodec, "zstd encoder: out of memory");
  const std::size_t bound = ZSTD_compressBound(bytes.size());
  if (compressed_.size() < bound) compressed_.resize(bound);
  const std::size_t size =
      ZSTD_compressCCtx(compressor_.get(), compressed_.data(), compressed_.size(), bytes.data(), bytes.size(), level);
  if (ZSTD_isError(size) != 0) return fail(ErrorClass::kCodec, "zstd encoder: {}", ZSTD_getErrorName(size));
  return ByteSpan(compressed_.data(), size);
}

Status Zstd::encode(const Shape& shape, ByteSpan pixels, Bytes& out) {
  const auto filtered = [&](Filter filter) {
    if (filter == Filter::kNone) return pixels;
    filtered_.resize(pixels.size());
    values_.resize(pixels.size());
    apply(filter, shape, pixels, values_, filtered_);
    return ByteSpan(filtered_);
  };
  Filter best = Filter::kNone;
  std::size_t fewest = SIZE_MAX;
  for (unsigned id = 0; id < kFilters && applies(Filter::kLeft, shape); ++id) {
    const auto filter = static_cast<Filter>(id);
    if (!applies(filter, shape)) continue;
    DICUBE_ASSIGN(const auto trial, compress(filtered(filter), kTrialLevel));
    if (trial.size() >= fewest) continue;
    fewest = trial.size();
    best = filter;
  }
  DICUBE_ASSIGN(const auto frame, compress(filtered(best), kLevel));
  out.reserve(out.size() + 1 + frame.size());
  out.push_back(static_cast<std::byte>(best));
  append(out, frame);
  return {};
}

Status Zstd::check_size(ByteSpan stream, std::uint64_t bytes) {
  if (stream.empty()) return fail(ErrorClass::kCodec, "zstd stream: 0 bytes, at least 1 needed");
  const ByteSpan frame = stream.subspan(1);
  const unsigned long long announced = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (announced == ZSTD_CONTENTSIZE_ERROR || announced == ZSTD_CONTENTSIZE_UNKNOWN)
    return fail(ErrorClass::kCodec, "zstd stream: no frame with a size in {} bytes", frame.size());
  if (announced == bytes) return {};
  return fail(ErrorClass::kCodec, "zstd stream: {} bytes announced, {} expected", announced, bytes);
}

Status Zstd::decode(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_TRY(check_size(stream, pixels.size()));
  const auto id = std::to_integer<unsigned>(stream[0]);
  if (id >= kFilters || !applies(static_cast<Filter>(id), shape))
    return fail(ErrorClass::kCodec, "zstd stream: filter {} on values of {} bits", id, shape.bits);
  const auto filter = static_cast<Filter>(id);
  const ByteSpan frame = stream.subspan(1);
  const std::size_t coded = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(coded) != 0 || coded != frame.size())
    return fail(ErrorClass::kCodec, "zstd stream: the frame does not end at byte {}", stream.size());
  if (!decompressor_) decompressor_.reset(ZSTD_createDCtx());
  if (!decompressor_) return fail(ErrorClass::kCodec, "zstd decoder: out of memory");
  if (filter != Filter::kNone) filtered_.resize(pixels.size());
  const MutableByteSpan target = filter == Filter::kNone ? pixels : MutableByteSpan(filtered_);
  const std::size_t size =
      ZSTD_decompressDCtx(decompressor_.get(), target.data(), target.size(), frame.data(), frame.size());
  if (ZSTD_isError(size) != 0) return fail(ErrorClass::kCodec, "zstd decoder: {}", ZSTD_getErrorName(size));
  if (size != pixels.size())
    return fail(ErrorClass::kCodec, "zstd stream: {} bytes decoded, {} expected", size, pixels.size());
  if (filter != Filter::kNone) undo(filter, shape, filtered_, pixels);
  return {};
}

}  // namespace dicube::codec
