#include "columns/words.h"

#include <algorithm>

#include "base/checked.h"
#include "columns/integers.h"
#include "columns/packed.h"

namespace dicube::columns {
namespace {

constexpr std::size_t kLong = 64;  // bytes of a value: shorter ones are lanes, if anything
// ON DISK: DO NOT CHANGE. Words in all: as integers they take a multiple of their bytes.
constexpr std::size_t kMostWords = std::size_t{1} << 20;
constexpr std::size_t kSample = 64 * 1024;  // bytes
constexpr int kSampleLevel = 1;
constexpr std::size_t kWorth = 16;  // a part of the sample's bytes

Bytes encoded(ByteSpan bytes, std::size_t width) {
  std::vector<std::int64_t> words;
  words.reserve(bytes.size() / width);
  for (std::size_t i = 0; i < bytes.size(); i += width)
    words.push_back(width == 2 ? load_le<std::uint16_t>(&bytes[i]) : load_le<std::uint32_t>(&bytes[i]));
  ByteWriter out;
  put_integers(words, out);
  return out.take();
}

// Numbers have bytes that texts have not.
bool is_text(ByteSpan bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte < std::byte{9}; });
}

}  // namespace

std::optional<Bytes> encode_words(const ValueList& values) {
  std::size_t total = 0, all_sizes = 0;
  for (std::size_t row = 0; row < values.size(); ++row) {
    total += values[row].size();
    all_sizes |= values[row].size();
  }
  if (all_sizes % 2 != 0 || total <= kLong * values.size() || total > 2 * kMostWords) return std::nullopt;
  Bytes bytes;
  bytes.reserve(total);
  for (std::size_t row = 0; row < values.size(); ++row) append(bytes, values[row]);
  const ByteSpan sample = ByteSpan(bytes).first(std::min(total, kSample));
  if (is_text(sample)) return std::nullopt;
  const std::size_t plain = zstd_compress(sample, kSampleLevel).size();
  std::size_t best = 0, fewest = plain - plain / kWorth;
  Bytes words;
  for (const std::size_t width : {2UL, 4UL}) {
    if (all_sizes % width != 0) continue;
    Bytes tried = encoded(sample, width);
    if (tried.size() >= fewest) continue;
    fewest = tried.size();
    best = width;
    words = std::move(tried);
  }
  if (best == 0) return std::nullopt;
  ByteWriter out;
  out.put(static_cast<std::uint8_t>(best));
  std::vector<std::int64_t> counts;
  for (std::size_t row = 0; row < values.size(); ++row)
    counts.push_back(static_cast<std::int64_t>(values[row].size() / best));
  put_integers(counts, out);
  out.put_bytes(sample.size() == total ? words : encoded(bytes, best));
  return out.take();
}

Result<ValueList> decode_words(ByteReader& in, std::size_t rows, std::uint64_t most) {
  DICUBE_ASSIGN(const std::size_t width, in.get<std::uint8_t>());
  if (width != 2 && width != 4) return fail(ErrorClass::kDamaged, "{}: words of {} bytes", in.what(), width);
  DICUBE_ASSIGN(const auto counts, get_integers(in, rows));
  const std::uint64_t most_words = std::min<std::uint64_t>(most / width, kMostWords);
  std::uint64_t total = 0;
  for (const std::int64_t count : counts) {
    if (count < 0 || !fits(total, static_cast<std::uint64_t>(count), most_words))
      return fail(ErrorClass::kDamaged, "{}: {} words behind {}, at most {} possible", in.what(), count, total,
                  most_words);
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
      if (width == 2)
        store_le(&value[i], static_cast<std::uint16_t>(words[at]));
      else
        store_le(&value[i], static_cast<std::uint32_t>(words[at]));
    values.push(value);
  }
  return values;
}

}  // namespace dicube::columns
