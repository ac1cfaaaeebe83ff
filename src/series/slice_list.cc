#include "series/slice_list.h"

#include <cstring>

namespace dicube {
namespace {

// Every field and its number, always in the same order.
template <class AnySlice, class Visit>
void each_field(AnySlice& slice, Visit visit) {
  std::size_t number = 0;
  for (const auto& field : kSliceNumbers) visit(number++, slice.*field.member);
  for (const auto& field : kSliceTexts) visit(number++, slice.*field.member);
  visit(number++, slice.position);
  visit(number++, slice.orientation);
  visit(number++, slice.pixel_spacing);
  visit(number++, slice.has_frames);
}

ByteSpan bytes_of(const std::string& text) { return as_bytes(text); }
template <class T>
ByteSpan bytes_of(const std::optional<T>& value) {
  return value ? std::as_bytes(std::span(&*value, 1)) : ByteSpan();
}

void take(ByteSpan bytes, std::string& text) { text = as_text(bytes); }
template <class T>
void take(ByteSpan bytes, std::optional<T>& value) {
  if (!bytes.empty()) std::memcpy(&value.emplace(), bytes.data(), sizeof(T));
}

}  // namespace

void SliceList::push(const Slice& slice) {
  each_field(slice, [&](std::size_t number, const auto& value) { fields_[number].push(bytes_of(value)); });
}

std::size_t SliceList::held_bytes() const {
  std::size_t bytes = 0;
  for (const columns::ValueList& field : fields_) bytes += field.held_bytes();
  return bytes;
}

std::vector<Slice> SliceList::slices() const {
  std::vector<Slice> out(size());
  for (std::size_t i = 0; i < out.size(); ++i)
    each_field(out[i], [&](std::size_t number, auto& value) { take(fields_[number][i], value); });
  return out;
}

}  // namespace dicube
