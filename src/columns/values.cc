#include "columns/values.h"

#include <unordered_map>

#include "columns/integers.h"
#include "columns/lanes.h"
#include "columns/packed.h"
#include "columns/protocol_dictionary.h"
#include "columns/text.h"
#include "columns/words.h"

namespace dicube::columns {
namespace {

// Past this size only the encodings whose cost grows gently are tried.
constexpr std::size_t kSmall = 256 * 1024;
// Neighbours that are equal are held once, but stand in most encodings as often as they are: past this size in the one
// that has each value once, alone.
constexpr std::size_t kMuch = std::size_t{4} << 20;
// A constant of over this size is packed by itself, and so is one that has a dictionary; others are packed together, by
// the section they are in.
constexpr std::size_t kLongConstant = 16 * 1024;

using Views = std::vector<ByteSpan>;  // of values that may be large: whole files stand in columns, too

void put_plain(const Views& values, ByteWriter& out) {
  std::vector<std::int64_t> sizes;
  for (const ByteSpan value : values) sizes.push_back(static_cast<std::int64_t>(value.size()));
  put_integers(sizes, out);
  if (values.size() == 1) return put_packed(values[0], out);
  Bytes bytes;
  for (const ByteSpan value : values) append(bytes, value);
  put_packed(bytes, out);
}

Result<ValueList> get_plain(ByteReader& in, std::size_t rows, std::uint64_t most) {
  DICUBE_ASSIGN(auto sizes, get_integers(in, rows));
  DICUBE_ASSIGN(auto bytes, get_packed(in, most));
  ValueList values;
  values.reserve(rows);
  ByteReader reader(bytes, in.what());
  for (std::int64_t size : sizes) {
    DICUBE_ASSIGN(auto value, reader.get_bytes(static_cast<std::uint64_t>(size)));
    values.push(value);
  }
  DICUBE_TRY(reader.expect_end());
  return values;
}

struct Distinct {
  Views values;
  std::vector<std::int64_t> indices;
};

Distinct distinct(const ValueList& values) {
  Distinct result;
  std::unordered_map<std::string_view, std::int64_t> index;
  for (std::size_t row = 0; row < values.size(); ++row) {
    if (row > 0 && values[row].data() == values[row - 1].data() && values[row].size() == values[row - 1].size()) {
      result.indices.push_back(result.indices.back());  // held once
      continue;
    }
    auto [found, is_new] = index.try_emplace(as_text(values[row]), static_cast<std::int64_t>(result.values.size()));
    if (is_new) result.values.push_back(values[row]);
    result.indices.push_back(found->second);
  }
  return result;
}

void put_dictionary(const Distinct& from, ByteWriter& out) {
  out.put_varint(from.values.size());
  put_plain(from.values, out);
  put_integers(from.indices, out);
}

Result<ValueList> get_dictionary(ByteReader& in, std::size_t rows, std::uint64_t most) {
  DICUBE_ASSIGN(auto count, in.get_count(rows, "distinct values"));
  DICUBE_ASSIGN(auto entries, get_plain(in, count, most));
  DICUBE_ASSIGN(auto indices, get_integers(in, rows));
  ValueList values;
  values.reserve(rows);
  std::int64_t before = -1;
  for (std::int64_t index : indices) {
    if (index < 0 || static_cast<std::uint64_t>(index) >= count)
      return fail(ErrorClass::kDamaged, "{}: value {} of {} distinct ones", in.what(), index, count);
    if (index == before) {
      values.repeat_last(1);
      continue;
    }
    const ByteSpan value = entries[static_cast<std::size_t>(index)];
    if (values.byte_count() + value.size() > most)
      return fail(ErrorClass::kDamaged, "{}: over {} bytes of values", in.what(), most);
    values.push(value);
    before = index;
  }
  return values;
}

std::size_t total_bytes(const ValueList& values) {
  std::size_t total = 0;
  for (std::size_t row = 0; row < values.size(); ++row) total += values[row].size();
  return total;
}

ByteWriter started(ListKind kind) {
  ByteWriter out;
  out.put(static_cast<std::uint8_t>(kind));
  return out;
}

// A dictionary of one entry is how a constant is packed.
Bytes encode_constant(const ValueList& values) {
  if (values[0].size() > kLongConstant || speak_of_protocols(values[0])) {
    ByteWriter packed = started(ListKind::kDictionary);
    put_dictionary({{values[0]}, std::vector<std::int64_t>(values.size(), 0)}, packed);
    if (packed.size() <= values[0].size()) return packed.take();
  }
  ByteWriter plain = started(ListKind::kConstant);
  plain.put_bytes(values[0]);
  return plain.take();
}

}  // namespace

Bytes encode_values(const ValueList& values) {
  if (values.empty()) return {};
  if (values.is_constant()) return encode_constant(values);
  const std::size_t total = total_bytes(values);
  const Distinct entries = distinct(values);
  if (total > kMuch && total > values.byte_count()) {
    ByteWriter dictionary = started(ListKind::kDictionary);
    put_dictionary(entries, dictionary);
    return dictionary.take();
  }
  Views all;
  for (std::size_t row = 0; row < values.size(); ++row) all.push_back(values[row]);
  ByteWriter best = started(ListKind::kPlain);
  put_plain(all, best);
  auto offer = [&](ListKind kind, ByteSpan encoded) {
    if (encoded.size() + 1 >= best.size()) return;
    best = started(kind);
    best.put_bytes(encoded);
  };
  if (entries.values.size() < values.size()) {
    ByteWriter dictionary;
    put_dictionary(entries, dictionary);
    offer(ListKind::kDictionary, dictionary.bytes());
  }
  if (total <= kSmall) {
    for (NumberStyle style : {NumberStyle::kDigits, NumberStyle::kDecimals})
      if (auto text = encode_text(values, style)) offer(ListKind::kText, *text);
    if (auto lanes = encode_lanes(values)) offer(ListKind::kLanes, *lanes);
  }
  if (auto words = encode_words(values)) offer(ListKind::kWords, *words);
  return best.take();
}

bool is_constant(ByteSpan encoded) { return encoded[0] == static_cast<std::byte>(ListKind::kConstant); }

Result<ValueList> decode_values(ByteSpan encoded, std::size_t rows, std::uint64_t most, std::string_view what) {
  if (rows == 0) return ValueList();
  ByteReader in(encoded, what);
  DICUBE_ASSIGN(auto kind, in.get<std::uint8_t>());
  Result<ValueList> values = ValueList();
  switch (static_cast<ListKind>(kind)) {
    case ListKind::kConstant: {
      DICUBE_ASSIGN(auto value, in.get_bytes(in.left()));
      values->push(value);
      values->repeat_last(rows - 1);
      break;
    }
    case ListKind::kPlain: values = get_plain(in, rows, most); break;
    case ListKind::kDictionary: values = get_dictionary(in, rows, most); break;
    case ListKind::kText: values = decode_text(in, rows, most); break;
    case ListKind::kLanes: values = decode_lanes(in, rows, most); break;
    case ListKind::kWords: values = decode_words(in, rows, most); break;
    default: return fail(ErrorClass::kDamaged, "{}: unknown value encoding {}", what, kind);
  }
  if (!values) return values;
  DICUBE_TRY(in.expect_end());
  return values;
}

}  // namespace dicube::columns
