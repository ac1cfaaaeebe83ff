// The header of one element: reading it, also where a file breaks the rules, and writing it.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "dicom/tokenizer.h"

namespace dicube::dicom {

constexpr Tag kItem = 0xFFFEE000;
constexpr Tag kItemDelimitation = 0xFFFEE00D;
constexpr Tag kSequenceDelimitation = 0xFFFEE0DD;
constexpr std::uint32_t kUndefinedLength = 0xFFFFFFFF;

// The header form that a VR has in the explicit encodings (PS3.5 7.1.2); kUnknown: no VR of the standard.
enum class VrForm : std::uint8_t { kUnknown, kShort, kLong };
VrForm vr_form(std::byte first, std::byte second);

// Bytes to parse. `limit` is where the file ends, bytes.size() or beyond when only its first bytes are at hand.
struct Window {
  ByteSpan bytes;
  std::uint64_t limit;
};

struct Header {
  Tag tag = 0;
  HeaderForm form = HeaderForm::kImplicit;
  Encoding encoding = Encoding::kImplicitLittle;
  std::array<char, 2> vr = {0, 0};
  std::uint16_t reserved = 0;
  std::uint32_t length = 0;  // as it stands in the file
  std::uint32_t size = 0;    // bytes of the header itself

  bool undefined() const { return length == kUndefinedLength && form != HeaderForm::kShort; }
};

enum class HeaderStatus : std::uint8_t {
  kRead,
  kCut,       // reaches beyond the bytes at hand, but not beyond the limit
  kTooShort,  // reaches beyond `bound`
  kNonsense,  // no form of a header makes sense here; tag and length are filled in as if implicit
};

// Reads the header at `at`, in a data set or item that ends at `bound` at the latest and is written in `encoding`.
// A header in another form than `encoding` asks for is taken when it alone makes sense.
// REQUIRES: at <= window.bytes.size(), at <= bound <= window.limit.
HeaderStatus read_header(const Window& window, std::uint64_t at, std::uint64_t bound, Encoding encoding,
                         Header& header);

// Whether the header at `at` makes sense as the first of a data set in `encoding`: it has the form that the encoding
// asks for, its value fits, and a further header can follow.
bool starts_data_set(const Window& window, std::uint64_t at, Encoding encoding);

inline bool is_big(Encoding encoding) { return encoding == Encoding::kExplicitBig; }

// A number in the byte order of the encoding. REQUIRES: `from` has sizeof(T) readable bytes.
template <std::unsigned_integral T>
T load(const std::byte* from, Encoding encoding) {
  return is_big(encoding) ? load_be<T>(from) : load_le<T>(from);
}

// The four bytes at `at` as a tag. REQUIRES: they exist.
Tag load_tag(ByteSpan bytes, std::uint64_t at, Encoding encoding);

// Appends the header that `token` describes, with `length` in its length field (0xFFFFFFFF when it is
// undefined). The inverse of tokenising: for every token of a file, the bytes of its header. For kItemEnd, kSequenceEnd
// and kFragmentsEnd: the delimitation item when `undefined_length`, else nothing.
void write_header(const Token& token, std::uint64_t length, Bytes& out);

}  // namespace dicube::dicom
