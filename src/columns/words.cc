#include "columns/words.h"

#include <algorithm>

#include "base/checked.h"
#include "columns/integers.h"
#include "columns/packed.h"

namespace dicube::columns {
namespace {

constexpr std::size_t kLong = 64;           // bytes of a value: shorter ones are lanes, if anything
constexpr std::size_t kSample = 64 * 1024;  // bytes
constexpr int kSampleLevel = 1;
constexpr std::size_t kWorth = 16;  // a part of the sample's bytes

std::uint64_t load(const std::byte* from, std::size_t width) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < width; ++i) word |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
  return word;
}

std::vector<std::int64_t> words_of(ByteSpan bytes, std::size_t width) {
  std::vector<std::int64_t> words;
  words.reserve(bytes.size() / width);
  for (std::size_t i = 0; i < bytes.size(); i += width)
    words.push_back(static_cast<std::int64_t>(load(&bytes[i], width)));
  return words;
}

// The values one behind the other, up to `most` bytes.
Bytes joined(const ValueList& values, std::size_t most) {
  Bytes bytes;
  for (std::size_t row = 0; row < values.size() && bytes.size() < most; ++row) append(bytes, values[row]);
  return bytes;
}

bool are_long_words(const ValueList& values, std::size_t width) {
  std::size_t total = 0;
  for (std::size_t row = 0; row < values.size(); ++row) {
    if (values[row].size() % width != 0) return false;
    total += values[row].size();
  }
  return total > kLong * values.size();
}

// Numbers have bytes that texts have not.
bool is_text(ByteSpan bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte < std::byte{9}; });
}

// Bytes of the sample as words; `width` 1: as it is.
std::size_t sampled(ByteSpan sample, std::size_t width) {
  if (width == 1) return zstd_compress(sample, kSampleLevel).size();
  ByteWriter out;
  put_integers(words_of(sample.first(sample.size() - sample.size() % width), width), out);
  return out.size();
}

}  // namespace

std::optional<Bytes> encode_words(const ValueList& values) {
  if (!are_long_words(values, 2)) return std::nullopt;
  const Bytes sample = joined(values, kSample);
  if (is_text(sample)) return std::nullopt;
  const std::size_t plain = sampled(sample, 1);
  std::size_t best = 0, fewest = plain - plain / kWorth;
  for (const std::size_t width : {2UL, 4UL}) {
    if (!are_long_words(values, width)) continue;
    const std::size_t size = sampled(sample, width);
    if (size >= fewest) continue;
    fewest = size;
    best = width;
  }
  if (best == 0) return std::nullopt;
  ByteWriter out;
  out.put(static_cast<std::uint8_t>(best));
  std::vector<std::int64_t> counts;
  for (std::size_t row = 0; row < values.size(); ++row)
    counts.push_back(static_cast<std::int64_t>(values[row].size() / best));
  put_integers(counts, out);
  put_integers(words_of(joined(values, SIZE_MAX), best), out);
  return out.take();
}

Result<ValueList> decode_words(ByteReader& in, std::size_t rows, std::uint64_t most) {
  DICUBE_ASSIGN(const std::size_t width, in.get<std::uint8_t>());
  if (width != 2 && width != 4) return fail(ErrorClass::kDamaged, "{}: words of {} bytes", in.what(), width);
  DICUBE_ASSIGN(const auto counts, get_integers(in, rows));
  std::uint64_t total = 0;
  for (const std::int64_t count : counts) {
    if (count < 0 || !fits(total, static_cast<std::uint64_t>(count), most / width))
      return fail(ErrorClass::kDamaged, "{}: {} words behind {}, at most {} possible", in.what(), count, total,
                  most / width);
    total += static_cast<std::uint64_t>(count);
  }
  DICUBE_ASSIGN(const auto words, get_integers(in, total));
  ValueList values;
  values.reserve(rows);
  Bytes value;
  std::size_t at = 0;
  for (const std::int64_t count : counts) {
    value.resize(static_cast<std::size_t>(count) * width);
    for (std::size_t i = 0; i < value.size(); i += width, ++at)
      for (std::size_t k = 0; k < width; ++k)
        value[i + k] = std::byte(static_cast<std::uint64_t>(words[at]) >> (8 * k));
    values.push(value);
  }
  return values;
}

}  // namespace dicube::columns
