#include "columns/value_stream.h"

#include <array>

#include "columns/integers.h"

namespace dicube::columns {

Bytes value_head(std::uint64_t size, std::uint64_t packed) {
  ByteWriter out;
  out.put(static_cast<std::uint8_t>(ListKind::kPlain));
  put_integers(std::array{static_cast<std::int64_t>(size)}, out);
  out.put_varint(size);
  out.put_varint(packed);
  return out.take();
}

Status ValueStream::take(ByteSpan bytes) {
  taken_ += bytes.size();
  if (!kind_) {
    DICUBE_ASSIGN(const auto head, read_head(bytes));
    bytes = bytes.subspan(head);
  }
  const ByteSpan value = bytes.first(std::min<std::uint64_t>(left_, bytes.size()));
  left_ -= value.size();
  if (!value.empty()) DICUBE_TRY(packed_ ? packed_->take(value, out_) : out_(value));
  append(rest_, bytes.subspan(value.size()));
  if (!out_ || rest_.size() <= kMostValueHead) return {};
  return fail(ErrorClass::kDamaged, "{}: its bytes end before {} do", what_, list_);
}

// The number of its bytes. Nothing is read of what is held whole.
Result<std::size_t> ValueStream::read_head(ByteSpan start) {
  ByteReader in(start, what_);
  DICUBE_ASSIGN(const auto kind, in.get<std::uint8_t>());
  kind_ = static_cast<ListKind>(kind);
  if (kind_ == ListKind::kConstant) {
    DICUBE_TRY(begin(list_ - 1, 0));
    return in.at();
  }
  if (kind_ != ListKind::kPlain && kind_ != ListKind::kDictionary) return 0;
  if (kind_ == ListKind::kDictionary) {
    DICUBE_ASSIGN(const auto distinct, in.get_varint());
    if (distinct != 1) return fail(ErrorClass::kDamaged, "{}: {} distinct values of one", what_, distinct);
  }
  DICUBE_ASSIGN(const auto sizes, get_integers(in, 1));
  DICUBE_ASSIGN(const auto size, in.get_count(most_, "bytes"));
  DICUBE_ASSIGN(const auto stored, in.get_varint());
  if (static_cast<std::uint64_t>(sizes[0]) != size)
    return fail(ErrorClass::kDamaged, "{}: a value of {} bytes in {}", what_, sizes[0], size);
  DICUBE_TRY(begin(size, stored));
  return in.at();
}

Status ValueStream::begin(std::uint64_t size, std::uint64_t stored) {
  if (stored > 0) {
    DICUBE_TRY(check_most_unpacked(stored, size, what_));
    packed_.emplace(stored, size, what_);
  }
  left_ = stored > 0 ? stored : size;
  if (left_ > list_) return fail(ErrorClass::kDamaged, "{}: {} bytes of a value in {}", what_, left_, list_);
  DICUBE_ASSIGN(out_, start_(size));
  return {};
}

Status ValueStream::finish() {
  if (taken_ != list_) return fail(ErrorClass::kDamaged, "{}: {} bytes, {} expected", what_, taken_, list_);
  if (!out_) {
    DICUBE_ASSIGN(const auto values, decode_values(rest_, 1, most_, what_));
    DICUBE_ASSIGN(const Sink out, start_(values[0].size()));
    return out(values[0]);
  }
  if (left_ > 0) return fail(ErrorClass::kDamaged, "{}: {} bytes of a value are missing", what_, left_);
  if (packed_) DICUBE_TRY(packed_->finish());
  ByteReader in(rest_, what_);
  if (kind_ == ListKind::kDictionary) {
    DICUBE_ASSIGN(const auto index, get_integers(in, 1));
    if (index[0] != 0) return fail(ErrorClass::kDamaged, "{}: value {} of 1 distinct ones", what_, index[0]);
  }
  return in.expect_end();
}

}  // namespace dicube::columns
