// A file is taken apart in this order:
//  1. The preamble, if "DICM" stands behind it (PS3.10 7.1), or other four bytes and a meta group.
//  2. The file meta group. Its group length isn't trusted; it ends where another group begins.
//  3. The data set's encoding: the transfer syntax's, or another when only that makes sense of the first element.
//  4. The data set, inflated first if it is deflated.
#include "dicom/tokenizer.h"

#include <algorithm>

#include "dicom/data_set.h"
#include "dicom/dictionary.h"
#include "dicom/header.h"
#include "dicom/inflate.h"
#include "dicom/tags.h"
#include "dicom/uid.h"
#include "dicom/value.h"

namespace dicube::dicom {
namespace {

constexpr std::uint64_t kBegin = kPreambleBytes + kPrefix.size();  // of the meta group

bool is_deflated(std::string_view transfer_syntax) {
  return transfer_syntax == kDeflatedUid || transfer_syntax == kJpipDeflatedUid ||
         transfer_syntax == kJpipHtj2kDeflatedUid;
}

Encoding declared_encoding(std::string_view transfer_syntax) {
  if (transfer_syntax == kImplicitLittleUid || transfer_syntax == kGeBigEndianPixelsUid)
    return Encoding::kImplicitLittle;
  if (transfer_syntax == kExplicitBigUid) return Encoding::kExplicitBig;
  return Encoding::kExplicitLittle;
}

// The encoding, `declared` if possible, in which a data set begins at `at`; nullopt when none makes sense.
std::optional<Encoding> find_encoding(const Window& window, std::uint64_t at, Encoding declared) {
  for (Encoding encoding : {declared, Encoding::kExplicitLittle, Encoding::kImplicitLittle, Encoding::kExplicitBig})
    if (starts_data_set(window, at, encoding)) return encoding;
  return std::nullopt;
}

// Whether a file without "DICM" is DICOM nevertheless: it begins with an element of the standard.
bool starts_like_dicom(const Window& window) {
  if (window.bytes.size() < 8) return false;
  const auto encoding = find_encoding(window, 0, Encoding::kExplicitLittle);
  if (!encoding) return false;
  const Tag tag = load_tag(window.bytes, 0, *encoding);
  return find(tag) != nullptr || ((tag & 0xFFFF) == 0 && tag >> 16 <= 0x0028 && tag >> 16 != 0);
}

// Whether a meta group begins where one does behind a preamble and "DICM".
bool has_meta_in_place(const Window& window) {
  if (window.bytes.size() < kBegin + 8 || !starts_data_set(window, kBegin, Encoding::kExplicitLittle)) return false;
  const Tag tag = load_tag(window.bytes, kBegin, Encoding::kExplicitLittle);
  const DictionaryEntry* entry = find(tag);
  return tag >> 16 == 2 && entry != nullptr && as_text(window.bytes.subspan(kBegin + 4, 2)) == entry->vr;
}

// Whether nothing that makes sense follows "DICM": in a file that begins with an element, it is four letters of a
// value.
bool has_prefix_in_value(const Window& window) { return !find_encoding(window, kBegin, Encoding::kExplicitLittle); }

const Token* find_meta(const Elements& meta, Tag tag) {
  auto at = std::ranges::find(meta.tokens, tag, &Token::tag);
  return at == meta.tokens.end() ? nullptr : &*at;
}

// A deflate stream may begin with the bytes of a group 0002, so in front of one the group length counts.
void end_by_group_length(ByteSpan file, Elements& meta) {
  const Token* group_length = find_meta(meta, kMetaGroupLength);
  if (!group_length || group_length->length != 4) return;
  const std::uint64_t value_end = group_length->value + 4;
  const std::uint64_t end = value_end + load_le<std::uint32_t>(file.data() + group_length->value);
  auto beyond = std::ranges::find(meta.tokens, end, &Token::header);
  if (beyond == meta.tokens.end() && meta.end != end) return;
  meta.tokens.erase(beyond, meta.tokens.end());
  meta.end = end;
  meta.stop.reset();
}

void read_meta(const Window& window, Tokens& tokens) {
  Elements meta = read_elements(window, tokens.preamble, Encoding::kExplicitLittle, Until::kDataSet);
  if (const Token* uid = find_meta(meta, kTransferSyntaxUid))
    tokens.transfer_syntax = trimmed(window.bytes.subspan(uid->value, uid->length));
  if (is_deflated(tokens.transfer_syntax)) end_by_group_length(window.bytes, meta);
  tokens.meta = std::move(meta.tokens);
  tokens.stop = std::move(meta.stop);
  tokens.data_begin = tokens.end = meta.end;
}

void read_data(const Window& window, std::uint64_t begin, const TokenizeOptions& options, Tokens& tokens) {
  const Encoding declared = declared_encoding(tokens.transfer_syntax);
  tokens.encoding = find_encoding(window, begin, declared).value_or(declared);
  Elements data =
      read_elements(window, begin, tokens.encoding, options.stop_before_pixels ? Until::kPixels : Until::kEnd);
  tokens.data = std::move(data.tokens);
  tokens.end = data.end;
  tokens.stop = std::move(data.stop);
}

// What is wrong around a deflate stream, if anything. A stream of odd length is padded by one NUL (PS3.5 A.5).
std::optional<Stop> deflate_defect(const Window& window, const Tokens& tokens, InflateEnd end) {
  if (end == InflateEnd::kCorrupt)
    return Stop{tokens.inflated.size(),
                formatted("the deflate stream is damaged behind its byte {}, {} of the data set came out",
                          tokens.deflated_end - tokens.data_begin, counted(tokens.inflated.size(), "byte"))};
  if (end == InflateEnd::kTruncated) {
    if (window.limit > window.bytes.size()) return std::nullopt;
    return Stop{tokens.inflated.size(),
                formatted("the deflate stream is cut off at its byte {}, {} of the data set came out",
                          tokens.deflated_end - tokens.data_begin, counted(tokens.inflated.size(), "byte"))};
  }
  const ByteSpan behind = window.bytes.subspan(tokens.deflated_end);
  const ByteSpan rest = behind.subspan(checksum_bytes(behind, tokens.inflated));
  if (rest.empty() || (rest.size() == 1 && rest[0] == std::byte{0} && tokens.deflated_end % 2 != 0))
    return std::nullopt;
  return Stop{tokens.inflated.size(),
              formatted("the deflate stream ends at byte {} of the file but {} {}", tokens.deflated_end,
                        counted(behind.size(), "byte"), behind.size() == 1 ? "follows" : "follow")};
}

// Leaves `tokens` alone and returns false when the data set isn't deflated after all.
Result<bool> read_deflated(const Window& window, const TokenizeOptions& options, Tokens& tokens) {
  const ByteSpan stream = window.bytes.subspan(tokens.data_begin);
  const std::uint64_t most = options.max_inflated.value_or((std::uint64_t{128} << 20) + 64 * stream.size());
  DICUBE_ASSIGN(Inflated inflated, inflate_data_set(stream, most));
  if (inflated.end == InflateEnd::kCorrupt && find_encoding(window, tokens.data_begin, Encoding::kExplicitLittle))
    return false;
  tokens.deflated = true;
  tokens.inflated_whole = inflated.end == InflateEnd::kComplete;
  tokens.deflated_end = tokens.data_begin + inflated.consumed;
  tokens.inflated = std::move(inflated.bytes);
  const bool more = inflated.end == InflateEnd::kTruncated && window.limit > window.bytes.size();
  // How much more the rest of the file would give, nobody knows.
  const std::uint64_t limit = more ? std::uint64_t{1} << 62 : tokens.inflated.size();
  read_data({tokens.inflated, limit}, 0, options, tokens);
  if (auto defect = deflate_defect(window, tokens, inflated.end)) tokens.stop = std::move(defect);
  return true;
}

std::string_view name_of_stray(Tag tag) {
  if (tag == kItem) return "item";
  return tag == kSequenceDelimitation ? "sequence delimitation" : "item delimitation";
}

}  // namespace

std::optional<Stop> first_defect(const Tokens& tokens) {
  if (tokens.damaged_prefix) return Stop{kPreambleBytes, "no \"DICM\" at byte 128, where a meta group follows"};
  for (const Token& token : tokens.data) {
    if (is_stray(token))
      return Stop{token.header,
                  formatted("a stray {} {} at byte {}", name_of_stray(token.tag), format_tag(token.tag), token.header)};
    if (token.kind == TokenKind::kFragmentsEnd && !token.undefined_length)
      return Stop{token.header, formatted("the data set ends at byte {}, where {} should end the pixel data",
                                          token.header, format_tag(token.tag))};
  }
  return tokens.stop;
}

bool has_prefix(ByteSpan file) {
  return file.size() >= kBegin && as_text(file.subspan(kPreambleBytes, kPrefix.size())) == kPrefix;
}

Result<Tokens> tokenize(ByteSpan file, const TokenizeOptions& options) {
  const Window window{file, std::max<std::uint64_t>(file.size(), options.file_size.value_or(0))};
  Tokens tokens;
  const bool is_bare = starts_like_dicom(window), is_prefixed = has_prefix(file);
  tokens.damaged_prefix = !is_prefixed && !is_bare && has_meta_in_place(window);
  if (tokens.damaged_prefix || (is_prefixed && !(is_bare && has_prefix_in_value(window)))) {
    tokens.preamble = kBegin;
  } else if (!is_bare) {
    return fail(ErrorClass::kNotDicom, "no \"DICM\" at byte 128 and no DICOM element at byte 0 of {}",
                counted(window.limit, "byte"));
  }
  read_meta(window, tokens);
  if (tokens.stop) {
    tokens.encoding = declared_encoding(tokens.transfer_syntax);
    return tokens;
  }
  if (is_deflated(tokens.transfer_syntax)) {
    DICUBE_ASSIGN(const bool deflated, read_deflated(window, options, tokens));
    if (deflated) return tokens;
  }
  read_data(window, tokens.data_begin, options, tokens);
  return tokens;
}

}  // namespace dicube::dicom
