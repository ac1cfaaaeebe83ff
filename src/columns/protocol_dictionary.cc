#include "columns/protocol_dictionary.h"

#include <zstd.h>

#include <new>

namespace dicube::columns {
namespace {

constexpr unsigned char kBytes[] = {
#include "columns/protocol_dictionary.inc"  // spec/protocols.zdict
};

// Higher ones save a hundredth of what is left and take twice the time.
constexpr int kLevel = 15;

constexpr std::size_t kLeast = 2048, kMost = std::size_t{1} << 20;

}  // namespace

bool speak_of_protocols(ByteSpan bytes) {
  if (bytes.size() < kLeast || bytes.size() > kMost) return false;
  const std::string_view text = as_text(bytes);
  return text.find("ASCCONV") != text.npos || text.find("SV10\4\3\2\1") != text.npos;
}

const ZSTD_CDict* protocols_to_compress() {
  static const ZSTD_CDict* const dictionary = ZSTD_createCDict(kBytes, sizeof kBytes, kLevel);
  if (dictionary == nullptr) throw std::bad_alloc();
  return dictionary;
}

const ZSTD_DDict* protocols_to_decompress() {
  static const ZSTD_DDict* const dictionary = ZSTD_createDDict(kBytes, sizeof kBytes);
  if (dictionary == nullptr) throw std::bad_alloc();
  return dictionary;
}

}  // namespace dicube::columns
