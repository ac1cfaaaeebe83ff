#include "base/hash.h"

#include <openssl/evp.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdlib>

namespace dicube {
namespace {

// OpenSSL's digest calls fail only when memory runs out.
void require(bool ok) {
  if (!ok) throw std::bad_alloc();
}

XXH3_state_t* state(void* raw) { return static_cast<XXH3_state_t*>(raw); }

Hash128 hash_of(XXH128_hash_t hash) { return {hash.low64, hash.high64}; }

EVP_MD_CTX* context(void* raw) { return static_cast<EVP_MD_CTX*>(raw); }

}  // namespace

std::uint64_t xxh3(ByteSpan bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Hash128 xxh3_128(ByteSpan bytes, std::uint64_t seed) {
  return hash_of(XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
}

Xxh3Stream::Xxh3Stream(std::uint64_t seed) : state_(XXH3_createState()) {
  require(state_ != nullptr);
  XXH3_64bits_reset_withSeed(state(state_), seed);
}

Xxh3Stream::~Xxh3Stream() { XXH3_freeState(state(state_)); }

void Xxh3Stream::update(ByteSpan bytes) { XXH3_64bits_update(state(state_), bytes.data(), bytes.size()); }

std::uint64_t Xxh3Stream::finish() const { return XXH3_64bits_digest(state(state_)); }

// Both sizes have one way to begin and to go on (xxhash.h: "uses the same XXH3_state_t").
Hash128 Xxh3Stream::finish_128() const { return hash_of(XXH3_128bits_digest(state(state_))); }

Sha256 sha256(ByteSpan bytes) {
  Sha256Stream stream;
  stream.update(bytes);
  return stream.finish();
}

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr);
  require(EVP_DigestInit_ex(context(context_), EVP_sha256(), nullptr) == 1);
}

Sha256Stream::~Sha256Stream() { EVP_MD_CTX_free(context(context_)); }

void Sha256Stream::update(ByteSpan bytes) {
  require(EVP_DigestUpdate(context(context_), bytes.data(), bytes.size()) == 1);
}

Sha256 Sha256Stream::finish() {
  Sha256 digest;
  require(EVP_DigestFinal_ex(context(context_), reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
  return digest;
}

std::string hex(ByteSpan bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

}  // namespace dicube
