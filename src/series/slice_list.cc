#include "series/slice_list.h"

#include <span>

namespace dicube {
namespace {

ByteSpan bytes_of(const std::string& text) { return as_bytes(text); }
template <class T>
ByteSpan bytes_of(const std::optional<T>& value) {
  return value ? std::as_bytes(std::span(&*value, 1)) : ByteSpan();
}

}  // namespace

void SliceList::push(const Slice& slice) {
  each_field([&](auto field) { fields_[number_of(field)].push(bytes_of(slice.*field)); });
}

std::size_t SliceList::held_bytes() const {
  std::size_t bytes = 0;
  for (const columns::ValueList& field : fields_) bytes += field.held_bytes();
  return bytes;
}

Slice SliceList::slice(std::size_t number) const {
  Slice out;
  each_field([&](auto field) { out.*field = (*this)[number][field]; });
  return out;
}

}  // namespace dicube
