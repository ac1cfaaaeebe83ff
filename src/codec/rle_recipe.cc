// An encoder is described by the rule that it mostly follows, and by the tokens with which it departs from it. A token
// is a control byte and what belongs to it: a run of 2 to 128 equal bytes, or 1 to 128 bytes as they are (G.3.1). A
// rule says which token comes next at any place, so that it can be taken up again behind a departure.
#include "codec/rle_recipe.h"

#include <algorithm>
#include <array>
#include <limits>

namespace dicube::codec {
namespace {

constexpr std::size_t kHeader = 64, kMostSegments = 15, kMostRun = 128;
constexpr unsigned kNothing = 128;  // the control byte that does nothing

// ON DISK: DO NOT CHANGE. Bits 0-1: what becomes a run. Bit 2: tokens end with their row. Bit 3: tokens are of whole
// granules, and those of equal bytes become a run, as an encoder does that compares vectors; bits 0-1 are 0.
enum Rule : unsigned {
  kPairs = 0,         // two equal bytes and more
  kTriples = 1,       // three
  kPairsInFront = 2,  // three; two only where a token starts
  kPairsAtEnd = 3,    // three; two only at the end of the row
  kRows = 4,
  kGranules = 8,
};
// All there are, likely ones first.
constexpr std::array<unsigned, 10> kRules = {6, 7, 4, 5, kGranules | kRows, 2, 3, 0, 1, kGranules};
constexpr std::size_t kGranule = 16;  // divides kMostRun

// The bytes of one segment, in the order of its pixels.
class Segment {
 public:
  Segment(const Shape& shape, ByteSpan pixels, std::size_t number, unsigned rule) : rule_(rule & 3U) {
    const std::size_t width = shape.bits / 8U;
    stride_ = width * shape.samples;
    first_ = pixels.data() + number / width * width + (width - 1 - number % width);
    count_ = pixels.size() / stride_;
    row_ = (rule & kRows) != 0 ? shape.columns : count_;
    step_ = (rule & kGranules) != 0 ? kGranule : 1;
  }

  std::size_t count() const { return count_; }
  std::byte at(std::size_t i) const { return first_[i * stride_]; }

  // The control byte that the rule puts at pixel i.
  unsigned next(std::size_t i) const {
    const std::size_t end = std::min(count_, i - i % row_ + row_);
    const std::size_t equal = run_at(i, end), run = equal - equal % step_;
    const bool is_run =
        run >= 3 ||
        (run == 2 && (rule_ == kPairs || rule_ == kPairsInFront || (rule_ == kPairsAtEnd && i + run == end)));
    if (is_run) return static_cast<unsigned>(257 - run);
    std::size_t k = i + step_;
    const std::size_t least = std::max<std::size_t>(step_, rule_ == kPairs ? 2 : 3);
    while (k < end && k - i < kMostRun && !starts_run(k, end, least)) k += step_;
    return static_cast<unsigned>(std::min(k, end) - i - 1);
  }

 private:
  std::size_t run_at(std::size_t i, std::size_t end) const {
    std::size_t k = i + 1;
    while (k < end && k - i < kMostRun && at(k) == at(i)) ++k;
    return k - i;
  }
  bool starts_run(std::size_t i, std::size_t end, std::size_t least) const {
    if (i + least > end) return false;
    for (std::size_t k = 1; k < least; ++k)
      if (at(i + k) != at(i)) return false;
    return true;
  }

  unsigned rule_;
  const std::byte* first_;
  std::size_t stride_, count_, row_, step_;
};

std::size_t covered(unsigned control) {
  return control == kNothing ? 0 : control < kNothing ? control + 1 : 257 - control;
}

// Appends the token and moves `i` behind what it covers; false when that is more than there is, or no run.
bool put_token(const Segment& segment, unsigned control, std::size_t& i, Bytes& out) {
  const std::size_t size = covered(control);
  if (size > segment.count() - i) return false;
  out.push_back(static_cast<std::byte>(control));
  if (control > kNothing) {
    for (std::size_t k = 1; k < size; ++k)
      if (segment.at(i + k) != segment.at(i)) return false;
    out.push_back(segment.at(i));
  } else {
    for (std::size_t k = 0; k < size; ++k) out.push_back(segment.at(i + k));
  }
  i += size;
  return true;
}

tl::unexpected<Error> unfit(std::string_view what, std::size_t segment) {
  return fail(ErrorClass::kCodec, "a recipe of RLE: {} in segment {}", what, segment);
}

// The tokens of one segment as departures from the rule; `packed` starts with them. How many bytes they are, in `used`.
// Gives up at `most` bytes.
Status describe(const Segment& segment, std::size_t number, ByteSpan packed, std::size_t most, ByteWriter& out,
                std::size_t& used) {
  std::size_t at = 0, i = 0;
  std::uint64_t as_ruled = 0;
  while (i < segment.count() && out.size() < most) {
    if (at == packed.size()) return unfit("too few bytes", number);
    const auto control = std::to_integer<unsigned>(packed[at]);
    if (control == segment.next(i)) {
      ++as_ruled;
    } else {
      out.put_varint(as_ruled + 1);
      out.put(static_cast<std::uint8_t>(control));
      as_ruled = 0;
    }
    const std::size_t size = covered(control);
    if (size > segment.count() - i) return unfit("a token of more than there is", number);
    i += size;
    at += 1 + (control == kNothing ? 0 : control < kNothing ? size : 1);
    if (at > packed.size()) return unfit("too few bytes", number);
  }
  out.put_varint(0);
  used = at;
  return {};
}

// A recipe of `most` bytes and more need not be whole.
Result<Bytes> recipe_by(unsigned rule, const Shape& shape, ByteSpan pixels, ByteSpan stream,
                        const std::vector<std::size_t>& starts, std::size_t most) {
  ByteWriter out;
  out.put(static_cast<std::uint8_t>(rule));
  for (std::size_t s = 0; s + 1 < starts.size() && out.size() < most; ++s) {
    const ByteSpan packed = stream.subspan(starts[s], starts[s + 1] - starts[s]);
    std::size_t used = 0;
    DICUBE_TRY(describe(Segment(shape, pixels, s, rule), s, packed, most, out, used));
    const ByteSpan rest = packed.subspan(used);
    const bool usual = rest.size() == used % 2 && (rest.empty() || rest[0] == std::byte{0});
    out.put_varint(usual ? 0 : rest.size() + 1);
    if (!usual) out.put_bytes(rest);
  }
  return out.take();
}

Result<std::size_t> segment_count(const Shape& shape, ByteSpan pixels) {
  const std::size_t segments = shape.bits % 8 == 0 ? std::size_t{shape.samples} * (shape.bits / 8U) : 0;
  if (segments != 0 && segments <= kMostSegments && !pixels.empty()) return segments;
  return fail(ErrorClass::kUnsupported, "RLE of {} samples of {} bits", shape.samples, shape.bits);
}

}  // namespace

Result<Bytes> make_rle_recipe(const Shape& shape, ByteSpan pixels, ByteSpan stream) {
  DICUBE_ASSIGN(const std::size_t segments, segment_count(shape, pixels));
  if (stream.size() < kHeader) return fail(ErrorClass::kCodec, "an RLE frame of {} bytes", stream.size());
  std::vector<std::size_t> starts;
  for (std::size_t s = 0; s < segments; ++s) starts.push_back(load_le<std::uint32_t>(stream.data() + 4 * (s + 1)));
  starts.push_back(stream.size());
  for (std::size_t s = 0; s < segments; ++s)
    if (starts[s] < kHeader || starts[s] > starts[s + 1]) return unfit("no place", s);
  Bytes best;
  for (const unsigned rule : kRules) {
    const std::size_t most = best.empty() ? std::numeric_limits<std::size_t>::max() : best.size();
    DICUBE_ASSIGN(auto recipe, recipe_by(rule, shape, pixels, stream, starts, most));
    if (recipe.size() < most) best = std::move(recipe);
  }
  return best;
}

Status follow_rle_recipe(const Shape& shape, ByteSpan pixels, ByteSpan recipe, std::uint64_t size, Bytes& out) {
  DICUBE_ASSIGN(const std::size_t segments, segment_count(shape, pixels));
  ByteReader in(recipe, "a recipe of RLE");
  DICUBE_ASSIGN(const unsigned rule, in.get<std::uint8_t>());
  if (std::find(kRules.begin(), kRules.end(), rule) == kRules.end())
    return fail(ErrorClass::kUnsupported, "a recipe of RLE by rule {}, unknown to this version", rule);
  const std::size_t start = out.size();
  out.resize(start + kHeader);
  store_le(out.data() + start, static_cast<std::uint32_t>(segments));
  for (std::size_t s = 0; s < segments; ++s) {
    const std::size_t first = out.size();
    store_le(out.data() + start + 4 * (s + 1), static_cast<std::uint32_t>(first - start));
    const Segment segment(shape, pixels, s, rule);
    std::size_t i = 0;
    for (bool last = false; !last;) {
      DICUBE_ASSIGN(std::uint64_t as_ruled, in.get_varint());
      last = as_ruled == 0;
      while (i < segment.count() && (last || --as_ruled > 0))
        if (!put_token(segment, segment.next(i), i, out)) return unfit("a token that does not fit", s);
      if (out.size() - start > size) return fail(ErrorClass::kCodec, "an RLE frame of over {} bytes", size);
      if (last) break;
      DICUBE_ASSIGN(const unsigned control, in.get<std::uint8_t>());
      if (as_ruled > 0 || !put_token(segment, control, i, out)) return unfit("a token that does not fit", s);
    }
    DICUBE_ASSIGN(const std::uint64_t padding, in.get_varint());
    if (padding == 0 && (out.size() - first) % 2 != 0) out.push_back(std::byte{0});
    if (padding > 1) {
      DICUBE_ASSIGN(auto rest, in.get_bytes(padding - 1));
      append(out, rest);
    }
    if (out.size() - start > size) return fail(ErrorClass::kCodec, "an RLE frame of over {} bytes", size);
  }
  return in.expect_end();
}

}  // namespace dicube::codec
