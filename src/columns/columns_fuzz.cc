// Hostile value lists and schemas are refused within their limits, and what was encoded comes back. The first byte
// chooses what is done with the others.
#include <algorithm>
#include <cstdlib>

#include "columns/schema.h"
#include "columns/value_stream.h"
#include "columns/values.h"

namespace {

using namespace dicube;
using namespace dicube::columns;

constexpr std::uint64_t kMost = 1 << 20, kMostColumns = 1 << 14;

void require(bool ok) {
  if (!ok) std::abort();
}

void require_equal(const ValueList& a, const ValueList& b) {
  require(a.size() == b.size());
  for (std::size_t row = 0; row < a.size(); ++row) require(same_bytes(a[row], b[row]));
}

void round_trip(const ValueList& values) {
  const Bytes encoded = encode_values(values);
  const auto decoded = decode_values(encoded, values.size(), kMost, "fuzz");
  require(decoded.has_value());
  require_equal(values, *decoded);
}

// A list of one value says in pieces what it says whole.
void require_streamed(ByteSpan list, const Result<ValueList>& whole) {
  Bytes value;
  const Sink sink = [&](ByteSpan bytes) {
    append(value, bytes);
    return Status();
  };
  ValueStream stream(
      list.size(), kMost, [&](std::uint64_t) { return Result<Sink>(sink); }, "fuzz");
  Status taken;
  for (std::size_t at = 0; at < list.size() && taken; at += kMostValueHead)
    taken = stream.take(list.subspan(at, std::min(kMostValueHead, list.size() - at)));
  if (taken) taken = stream.finish();
  require(taken.has_value() == whole.has_value());
  require(!taken || same_bytes(value, (*whole)[0]));
}

void decode(ByteSpan bytes) {
  if (bytes.size() < 2) return;
  const std::size_t rows = load_le<std::uint16_t>(bytes.data()) % 5000u;
  const auto values = decode_values(bytes.subspan(2), rows, kMost, "fuzz");
  if (rows == 1) require_streamed(bytes.subspan(2), values);
  if (!values) return;
  require(values->size() == rows && values->byte_count() <= kMost);
  round_trip(*values);
}

// Values end at line ends; a value of one control byte repeats the one before that often.
ValueList list_of(ByteSpan bytes) {
  ValueList values;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= bytes.size(); ++i) {
    if (i < bytes.size() && bytes[i] != std::byte{'\n'}) continue;
    const ByteSpan value = bytes.subspan(begin, i - begin);
    begin = i + 1;
    if (value.size() == 1 && value[0] < std::byte{' '} && !values.empty())
      values.repeat_last(std::to_integer<std::size_t>(value[0]));
    else
      values.push(value);
  }
  return values;
}

void read_schema(ByteSpan bytes) {
  ByteReader in(bytes, "fuzz");
  const auto schema = Schema::read(in, kMostColumns);
  if (!schema) return;
  ByteWriter out;
  schema->write(out);
  ByteReader again(out.bytes(), "fuzz");
  const auto second = Schema::read(again, kMostColumns);
  require(second && second->columns() == schema->columns() && second->layouts() == schema->layouts());
}

void read_item_list(ByteSpan bytes) {
  const auto items = read_items(bytes);
  if (!items) return;
  const auto again = read_items(write_items(*items));
  require(again && again->size() == items->size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 4) {
    case 0: decode(bytes); break;
    case 1: round_trip(list_of(bytes)); break;
    case 2: read_schema(bytes); break;
    default: read_item_list(bytes); break;
  }
  return 0;
}
