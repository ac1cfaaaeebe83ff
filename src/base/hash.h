// Checksums: XXH3 finds damage, SHA-256 lets users compare with `sha256sum`.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "base/bytes.h"

namespace dicube {

// XXH3-64 of the bytes. `seed` binds the sum to a place or an identity.
std::uint64_t xxh3(ByteSpan bytes, std::uint64_t seed = 0);

// XXH3-128: of many byte strings no two that differ have the same, unless somebody makes them so.
struct Hash128 {
  std::uint64_t low = 0, high = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
};
Hash128 xxh3_128(ByteSpan bytes, std::uint64_t seed = 0);

// XXH3 of bytes that arrive in pieces.
class Xxh3Stream {
 public:
  explicit Xxh3Stream(std::uint64_t seed = 0);
  ~Xxh3Stream();
  Xxh3Stream(const Xxh3Stream&) = delete;
  Xxh3Stream& operator=(const Xxh3Stream&) = delete;
  void update(ByteSpan bytes);
  std::uint64_t finish() const;
  Hash128 finish_128() const;

 private:
  void* state_;  // XXH3_state_t, owned
};

using Sha256 = std::array<std::byte, 32>;

Sha256 sha256(ByteSpan bytes);

// SHA-256 of bytes that arrive in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void update(ByteSpan bytes);
  Sha256 finish();

 private:
  void* context_;  // EVP_MD_CTX, owned
};

std::string hex(ByteSpan bytes);

}  // namespace dicube
