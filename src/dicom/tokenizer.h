// From the bytes of a DICOM file (PS3.10) to a flat list of tokens, and from a token back to its bytes.
//
// Every byte of the file belongs to exactly one of: the preamble, the header or value of one token,
// or the tail behind the last token. What can't be explained stands in the tail, whole.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "dicom/tags.h"

namespace dicube::dicom {

// How a data set's element headers are written (PS3.5 section 7.1, A.1 to A.3).
enum class Encoding : std::uint8_t { kExplicitLittle = 0, kImplicitLittle = 1, kExplicitBig = 2 };

// The form of one element's header, which quirky files mix inside one data set.
enum class HeaderForm : std::uint8_t {
  kImplicit = 0,  // tag, 32-bit length
  kShort = 1,     // tag, VR, 16-bit length
  kLong = 2,      // tag, VR, 16 reserved bits, 32-bit length
};

enum class TokenKind : std::uint8_t {
  kElement = 0,       // a value: header, then value_length bytes
  kSequence = 1,      // a sequence's header; its items follow, then kSequenceEnd
  kItem = 2,          // an item's header; its elements follow, then kItemEnd
  kItemEnd = 3,       // the item delimitation, no bytes when the item's length was defined
  kSequenceEnd = 4,   // the sequence delimitation, no bytes when the sequence's length was defined
  kFragments = 5,     // header of encapsulated pixel data (PS3.5 A.4); kFragment tokens follow, then kFragmentsEnd
  kFragment = 6,      // an item header and its value; the first is the basic offset table
  kFragmentsEnd = 7,  // the sequence delimitation, no bytes when the file ends without it
};

struct Token {
  TokenKind kind = TokenKind::kElement;
  HeaderForm form = HeaderForm::kImplicit;
  bool undefined_length = false;                  // the header's length field says 0xFFFFFFFF
  Encoding encoding = Encoding::kExplicitLittle;  // of this header
  std::array<char, 2> vr = {0, 0};                // as it stands in the file; 0 0 for kImplicit
  std::uint16_t reserved = 0;                     // the reserved 16 bits of kLong, 0 in a conforming file
  Tag tag = 0;
  std::uint64_t header = 0;  // offset of the header, in the parsed bytes
  std::uint64_t value = 0;   // offset of the value (header's end)
  std::uint64_t length = 0;  // bytes of the value; for kSequence and kItem: of everything inside
};

// Why tokenising ended before the end of the bytes.
struct Stop {
  std::uint64_t offset;  // where in the parsed bytes
  std::string reason;    // names the element and the two numbers that disagree
};

// REQUIRES: the parsed bytes outlive it, unless `deflated`.
struct Tokens {
  std::uint64_t preamble = 0;   // bytes before the meta group: 132 ("DICM" at 128), or 0
  bool damaged_prefix = false;  // other bytes than "DICM" stand there
  std::vector<Token> meta;      // the file meta group (0002,xxxx), always explicit VR little endian; may be empty
  std::string transfer_syntax;  // (0002,0010) without padding; empty when absent
  Encoding encoding = Encoding::kImplicitLittle;  // of the data set, as found (a wrong transfer syntax is overruled)
  std::uint64_t data_begin = 0;                   // where the data set starts in the file
  bool deflated = false;  // the data set is `inflated`; offsets of `data` and `end` point into that
  Bytes inflated;
  std::uint64_t deflated_end = 0;  // for a deflated file: where its deflate stream ends in the file
  bool inflated_whole = false;     // for a deflated file: the stream came to its end
  std::vector<Token> data;         // the data set; only whole top-level elements
  std::uint64_t end = 0;           // where the explained bytes end; what follows is the tail
  std::optional<Stop> stop;        // set when the tail is not empty, or bytes of a deflated file are unexplained

  // The bytes that `data`'s offsets point into: `file` itself, or the inflated data set.
  ByteSpan data_bytes(ByteSpan file) const { return deflated ? ByteSpan(inflated) : file; }
};

// Calls visit(token) for each token of a data set but those inside of its sequences.
template <class Visit>
void for_each_top_level(const std::vector<Token>& tokens, Visit visit) {
  int depth = 0;
  for (const Token& token : tokens) {
    if (depth == 0) visit(token);
    if (token.kind == TokenKind::kSequence) ++depth;
    if (token.kind == TokenKind::kSequenceEnd) --depth;
  }
}

// The tag of the last element outside of sequences, the last token being perhaps a delimitation in one; 0 of no tokens.
inline Tag last_top_level(const std::vector<Token>& tokens) {
  Tag last = 0;
  for_each_top_level(tokens, [&](const Token& token) {
    if (!is_item_or_delimitation(token.tag)) last = token.tag;
  });
  return last;
}

// Whether it is an item or delimitation that stands outside of sequences.
inline bool is_stray(const Token& token) {
  return token.kind == TokenKind::kElement && is_item_or_delimitation(token.tag);
}

// What makes no sense, first in the file: other bytes than "DICM", a stray item or delimitation among the elements,
// fragments without their delimitation, or what stops the elements.
std::optional<Stop> first_defect(const Tokens& tokens);

// Whether it begins as files do (PS3.10 7.1): with a preamble or a meta group, or both.
inline bool begins_as_file(const Tokens& tokens) { return tokens.preamble > 0 || !tokens.meta.empty(); }

// Whether the file begins with a preamble and "DICM" (PS3.10 7.1).
bool has_prefix(ByteSpan file);

struct TokenizeOptions {
  static constexpr unsigned kMaxDepth = 64;  // nested sequences
  bool stop_before_pixels = false;           // end without a Stop at (7FE0,0008), (7FE0,0009), (7FE0,0010)
  // `file` is only the first bytes of a file of this size; elements that reach beyond it end the list.
  std::optional<std::uint64_t> file_size = {};
  std::optional<std::uint64_t> max_inflated = {};  // kLimit beyond; by default 128 MiB and 64 times the stream
};

// Fails with kNotDicom when `file` starts with no "DICM" prefix, meta group (at its place or at byte 0) or plausible
// data set, and with kLimit for an inflated size over the limit. Any other defect ends the list with `stop` set.
// Uses an explicit stack; memory is bounded by a small multiple of the number of elements.
Result<Tokens> tokenize(ByteSpan file, const TokenizeOptions& options = {});

}  // namespace dicube::dicom
