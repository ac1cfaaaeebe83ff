// Reading and writing integers in byte strings, with every length checked before it is used.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace dicube {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;
using Bytes = std::vector<std::byte>;

inline ByteSpan as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(ByteSpan bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline void append(Bytes& to, ByteSpan from) { to.insert(to.end(), from.begin(), from.end()); }
inline bool same_bytes(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

template <std::unsigned_integral T>
constexpr T swap_bytes(T value) {
  if constexpr (sizeof(T) == 1) return value;
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

// REQUIRES: `from` has sizeof(T) readable bytes.
template <std::unsigned_integral T>
T load_le(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return std::endian::native == std::endian::little ? value : swap_bytes(value);
}
template <std::unsigned_integral T>
T load_be(const std::byte* from) {
  return swap_bytes(load_le<T>(from));
}
template <std::unsigned_integral T>
void store_le(std::byte* to, T value) {
  if constexpr (std::endian::native != std::endian::little) value = swap_bytes(value);
  std::memcpy(to, &value, sizeof value);
}

// Appends little-endian integers, LEB128 varints and byte strings to a buffer it owns.
class ByteWriter {
 public:
  ByteWriter() = default;
  // Behind what is there.
  explicit ByteWriter(Bytes bytes) : bytes_(std::move(bytes)) {}

  template <std::unsigned_integral T>
  void put(T value) {
    std::byte raw[sizeof(T)];
    store_le(raw, value);
    append(bytes_, raw);
  }
  void put_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(std::byte(value | 0x80));
    bytes_.push_back(std::byte(value));
  }
  void put_bytes(ByteSpan bytes) { append(bytes_, bytes); }
  // The length as a varint, then the bytes.
  void put_string(ByteSpan bytes) {
    put_varint(bytes.size());
    put_bytes(bytes);
  }
  std::size_t size() const { return bytes_.size(); }
  const Bytes& bytes() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Reads what ByteWriter wrote. Does not own the bytes; results point into them.
// Every get_... fails with kDamaged when fewer bytes are left than it needs.
class ByteReader {
 public:
  // `what` names the structure in errors and must outlive the reader.
  ByteReader(ByteSpan bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  template <std::unsigned_integral T>
  Result<T> get() {
    if (left() < sizeof(T)) return short_by(sizeof(T));
    T value = load_le<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }
  Result<std::uint64_t> get_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (left() == 0) return short_by(1);
      auto byte = std::to_integer<std::uint64_t>(bytes_[at_++]);
      if (shift == 63 && byte > 1) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return fail(ErrorClass::kDamaged, "{}: the number at byte {} exceeds 64 bits", what_, at_);
  }
  // A varint that must not exceed `most`.
  Result<std::uint64_t> get_count(std::uint64_t most, std::string_view of) {
    DICUBE_ASSIGN(auto value, get_varint());
    if (value > most)
      return fail(ErrorClass::kDamaged, "{}: {} {} announced, at most {} possible", what_, value, of, most);
    return value;
  }
  Result<ByteSpan> get_bytes(std::uint64_t size) {
    if (left() < size) return short_by(size);
    auto bytes = bytes_.subspan(at_, size);
    at_ += size;
    return bytes;
  }
  Result<ByteSpan> get_string() {
    DICUBE_ASSIGN(auto size, get_varint());
    return get_bytes(size);
  }
  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  std::string_view what() const { return what_; }
  // Fails unless everything was read.
  Status expect_end() const {
    if (left() == 0) return {};
    return fail(ErrorClass::kDamaged, "{}: ends at byte {} but has {} bytes", what_, at_, bytes_.size());
  }

 private:
  tl::unexpected<Error> short_by(std::uint64_t need) const {
    return fail(ErrorClass::kDamaged, "{}: needs {} bytes at byte {} but has {} left", what_, need, at_, left());
  }
  ByteSpan bytes_;
  std::string_view what_;
  std::size_t at_ = 0;
};

}  // namespace dicube
