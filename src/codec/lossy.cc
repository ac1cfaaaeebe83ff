// Lossy coding within a bound: codecs know quantiser steps, callers the largest error or the ratio that they want. A
// step is found by doubling or halving until the wish turns, then by halving the interval.
#include "codec/lossy.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <type_traits>

#include "codec/foreign.h"

namespace dicube::codec {
namespace {

constexpr int kRefinements = 2;

template <class T>
std::uint64_t difference(ByteSpan a, ByteSpan b) {
  using Unsigned = std::make_unsigned_t<T>;
  std::uint64_t most = 0;
  for (std::size_t at = 0; at + sizeof(T) <= a.size(); at += sizeof(T)) {
    const auto x = static_cast<T>(load_le<Unsigned>(a.data() + at)),
               y = static_cast<T>(load_le<Unsigned>(b.data() + at));
    const auto high = static_cast<std::uint64_t>(std::max(x, y)), low = static_cast<std::uint64_t>(std::min(x, y));
    most = std::max(most, high - low);  // modulo 2^64: right for signed values, too
  }
  return most;
}

}  // namespace

std::uint64_t largest_difference(const Shape& shape, ByteSpan a, ByteSpan b) {
  switch (shape.bits) {
    case 8: return shape.is_signed ? difference<std::int8_t>(a, b) : difference<std::uint8_t>(a, b);
    case 16: return shape.is_signed ? difference<std::int16_t>(a, b) : difference<std::uint16_t>(a, b);
    case 32: return shape.is_signed ? difference<std::int32_t>(a, b) : difference<std::uint32_t>(a, b);
    default: return shape.is_signed ? difference<std::int64_t>(a, b) : difference<std::uint64_t>(a, b);
  }
}

namespace {

// What a codec calls its quantisation, from fine to coarse.
struct Coarseness {
  double finest, start, coarsest;
  bool whole = false;  // integers only
};

struct Trial {
  Bytes stream;
  std::uint32_t error = 0;      // the largest, as decoded
  std::uint32_t elsewhere = 0;  // as another widespread decoder has it
  bool is_legal = true;         // else it is no good, whatever the wish
};

// The coarsest attempt that is good, or the finest when `coarser_is_better` is off, as far as a few attempts find it.
// kUnsupported: none is.
Result<Trial> find_coarseness(const Coarseness& range, const std::function<Result<Trial>(double)>& attempt,
                              const std::function<bool(const Trial&)>& is_good, bool coarser_is_better) {
  double good = 0, bad = 0;  // 0: none yet
  Trial best;
  for (double at = range.start;;) {
    DICUBE_ASSIGN(auto trial, attempt(at));
    const bool fits = is_good(trial);
    if (fits) {
      good = at;
      best = std::move(trial);
    } else {
      bad = at;
    }
    if (good != 0 && bad != 0) break;
    const double next = fits == coarser_is_better ? std::min(range.coarsest, 2 * at) : std::max(range.finest, at / 2);
    if (next == at) break;  // an end of the range
    at = next;
  }
  if (good == 0)
    return fail(ErrorClass::kUnsupported, "{}",
                coarser_is_better ? "not even the finest quantisation of this codec keeps within this error"
                                  : "not even the coarsest quantisation of this codec makes its frames that small");
  for (int i = 0; i < kRefinements && bad != 0; ++i) {
    const double at = range.whole ? std::round((good + bad) / 2) : std::sqrt(good * bad);
    if (at == good || at == bad) break;
    DICUBE_ASSIGN(auto trial, attempt(at));
    if (is_good(trial)) {
      good = at;
      best = std::move(trial);
    } else {
      bad = at;
    }
  }
  return best;
}

// JPEG-LS and JPEG XL keep a largest error by construction; where to search for HTJ2K's step and for a ratio, the
// others find out.
Result<Coarseness> coarseness_of(CodecId codec, const Shape& shape, Loss loss) {
  const unsigned precision = shape.precision == 0 ? shape.bits : std::clamp<unsigned>(shape.precision, 2, 16);
  const double range = static_cast<double>(1U << precision), error = std::max(1U, loss.most_error);
  const bool bound = loss.ratio == 0;
  if (codec == CodecId::kHtj2k) return Coarseness{0.01 / range, 0.5 * error / range, 0.25};
  if (codec == CodecId::kJpegLs)
    return Coarseness{1, std::min(error, 127.0), bound ? std::min(error, 127.0) : 127, true};
  if (codec == CodecId::kJpegXl) return bound ? Coarseness{error, error, error, true} : Coarseness{0.01, 1, 15};
  return fail(ErrorClass::kUnsupported, "{} has no losses", name(codec));
}

Status encode_jpegxl_at(double coarseness, bool bound, const Shape& shape, ByteSpan pixels, Bytes& out) {
  if (bound) return encode_jpegxl(shape, pixels, out, {static_cast<unsigned>(coarseness), 0});
  return encode_jpegxl(shape, pixels, out, {0, static_cast<float>(coarseness)});
}

// One frame, coded as coarsely as a loss allows.
class LossyCoding {
 public:
  LossyCoding(Workspace& workspace, Htj2k& htj2k, CodecId codec, const Shape& shape, ByteSpan pixels, Loss loss)
      : workspace_(workspace),
        htj2k_(htj2k),
        codec_(codec),
        shape_(shape),
        pixels_(pixels),
        loss_(loss),
        stored_(stored_precision(shape, pixels)),
        decoded_(pixels.size()) {}

  Result<Trial> best() {
    DICUBE_ASSIGN(const auto range, coarseness_of(codec_, shape_, loss_));
    auto found = search(range, true);
    if (!found && is_bounded_htj2k()) found = search(range, false);
    if (!found) return tl::unexpected<Error>(refusal_.value_or(found.error()));
    return found;
  }

 private:
  bool is_bounded_htj2k() const { return codec_ == CodecId::kHtj2k && loss_.ratio == 0; }

  // `everywhere`: other decoders keep the bound, too.
  Result<Trial> search(const Coarseness& range, bool everywhere) {
    return find_coarseness(
        range, [&](double coarseness) { return attempt(coarseness); },
        [&](const Trial& trial) { return is_good(trial, everywhere); }, loss_.ratio == 0);
  }

  bool is_good(const Trial& trial, bool everywhere) const {
    if (!trial.is_legal) return false;
    if (loss_.ratio > 0)
      return static_cast<double>(trial.stream.size()) * loss_.ratio <= static_cast<double>(pixels_.size());
    return trial.error <= loss_.most_error && (!everywhere || trial.elsewhere <= loss_.most_error);
  }

  Result<Trial> attempt(double coarseness) {
    Trial trial;
    if (const Status coded = code(coarseness, trial.stream); !coded) {
      // A step can be so coarse that HTJ2K has no exponent for a subband (ISO/IEC 15444-1 E.1): a finer one may do.
      if (codec_ != CodecId::kHtj2k || coded.error().error_class != ErrorClass::kUnsupported)
        return tl::unexpected<Error>(coded.error());
      refusal_ = coded.error();
      trial.is_legal = false;
      return trial;
    }
    trial.error = static_cast<std::uint32_t>(largest_difference(shape_, pixels_, decoded_));
    // The standard leaves arithmetic open, and the widespread OpenJPEG is off by some 1/20,000 of the values' range.
    Bytes theirs(is_bounded_htj2k() ? pixels_.size() : 0);
    if (!theirs.empty() && decode_jpeg2000(shape_, trial.stream, theirs))
      trial.elsewhere = static_cast<std::uint32_t>(largest_difference(shape_, pixels_, theirs));
    trial.is_legal = needed_precision(shape_, decoded_) <= stored_;
    return trial;
  }

  // And decoded, for its error.
  Status code(double coarseness, Bytes& stream) {
    switch (codec_) {
      case CodecId::kHtj2k:
        DICUBE_TRY(htj2k_.encode_lossy(shape_, pixels_, static_cast<float>(coarseness), stream));
        break;
      case CodecId::kJpegLs:
        DICUBE_TRY(encode_jpegls(shape_, pixels_, stream, static_cast<unsigned>(coarseness)));
        break;
      default: DICUBE_TRY(encode_jpegxl_at(coarseness, loss_.ratio == 0, shape_, pixels_, stream)); break;
    }
    return workspace_.decode(codec_, shape_, stream, decoded_);
  }

  Workspace& workspace_;
  Htj2k& htj2k_;
  CodecId codec_;
  const Shape& shape_;
  ByteSpan pixels_;
  Loss loss_;
  unsigned stored_;  // bits of the values, beyond which errors must not lead
  Bytes decoded_;
  std::optional<Error> refusal_;
};

}  // namespace

Result<std::uint32_t> code_lossy(Workspace& workspace, Htj2k& htj2k, CodecId codec, const Shape& shape, ByteSpan pixels,
                                 Loss loss, Bytes& out) {
  DICUBE_ASSIGN(const Trial best, LossyCoding(workspace, htj2k, codec, shape, pixels, loss).best());
  append(out, best.stream);
  return best.error;
}

}  // namespace dicube::codec
