// Checksums: XXH3-64 finds damage, SHA-256 lets users compare with `sha256sum`.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace dicube {

// XXH3-64 of the bytes. `seed` binds the sum to a place or an identity.
std::uint64_t xxh3(ByteSpan bytes, std::uint64_t seed = 0);

// The same of bytes that arrive in pieces.
class Xxh3Stream {
 public:
  explicit Xxh3Stream(std::uint64_t seed);
  ~Xxh3Stream();
  Xxh3Stream(const Xxh3Stream&) = delete;
  Xxh3Stream& operator=(const Xxh3Stream&) = delete;
  void update(ByteSpan bytes);
  std::uint64_t finish() const;

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
