#include "dicom/converted_form.h"

#include <algorithm>

#include "dicom/dictionary.h"
#include "dicom/header.h"
#include "dicom/tags.h"

namespace dicube::dicom {
namespace {

constexpr std::uint64_t kMostShort = 0xFFFE;
constexpr Tag kLutData = 0x00283006, kWaveformData = 0x54001010, kOverlayData = 0x60003000;

// PS3.5 A.1 says OW where PS3.6 leaves a choice that the length or Bits Allocated would have to make.
bool is_ow_when_implicit(Tag tag) {
  return tag == kPixelData || tag == kLutData || tag == kWaveformData || (tag & 0xFF00FFFF) == kOverlayData;
}

std::array<char, 2> vr_of(const Token& token, bool is_signed) {
  if (token.kind == TokenKind::kSequence) return {'S', 'Q'};
  if (token.vr[0] != 0) return token.vr;
  if (token.kind == TokenKind::kFragments) return {'O', 'B'};
  if (is_ow_when_implicit(token.tag)) return {'O', 'W'};
  if (is_signed && follows_pixel_representation(token.tag)) return {'S', 'S'};
  const std::string_view vr = implicit_vr(token.tag);
  if (vr == "SQ") return {'U', 'N'};  // what it holds are no items
  return {vr[0], vr[1]};
}

bool is_delimiter_or_item(TokenKind kind) {
  return kind == TokenKind::kItem || kind == TokenKind::kItemEnd || kind == TokenKind::kSequenceEnd ||
         kind == TokenKind::kFragmentsEnd;
}

Token converted_token(const Token& from, Encoding to, bool is_signed) {
  Token token = from;
  token.encoding = to;
  if (from.kind == TokenKind::kFragment) return token;
  token.form = HeaderForm::kImplicit;
  if (is_delimiter_or_item(token.kind)) {
    token.undefined_length = true;
    return token;
  }
  token.vr = vr_of(from, is_signed);
  token.undefined_length = token.kind == TokenKind::kSequence || token.kind == TokenKind::kFragments;
  token.reserved = 0;
  if (to == Encoding::kImplicitLittle) return token;
  auto form = vr_form(static_cast<std::byte>(token.vr[0]), static_cast<std::byte>(token.vr[1]));
  if (form == VrForm::kUnknown || (form == VrForm::kShort && from.length > kMostShort)) {
    token.vr = {'U', 'N'};  // PS3.5 6.2.2
    form = VrForm::kLong;
  }
  token.form = form == VrForm::kShort ? HeaderForm::kShort : HeaderForm::kLong;
  return token;
}

// A group length where one stands in the data set or an item: the new form makes it another (PS3.5 7.2).
struct GroupLength {
  Tag group = 0;
  std::size_t value = 0;  // where it stands in the output; 0: there is none

  void settle(Bytes& out) {
    if (value != 0) store_le(out.data() + value, static_cast<std::uint32_t>(out.size() - value - 4));
    value = 0;
  }
};

}  // namespace

unsigned number_bytes(std::array<char, 2> vr) {
  const std::string_view name(vr.data(), 2);
  if (name == "US" || name == "SS" || name == "AT" || name == "OW") return 2;
  if (name == "UL" || name == "SL" || name == "FL" || name == "OF" || name == "OL") return 4;
  if (name == "FD" || name == "OD" || name == "SV" || name == "UV" || name == "OV") return 8;
  return 1;
}

void swap_groups(MutableByteSpan value, std::size_t size) {
  for (std::size_t at = 0; size > 1 && at + size <= value.size(); at += size)
    std::reverse(value.begin() + static_cast<std::ptrdiff_t>(at),
                 value.begin() + static_cast<std::ptrdiff_t>(at + size));
}

bool has_encoding(std::span<const Token> tokens, Encoding encoding) {
  const bool is_implicit = encoding == Encoding::kImplicitLittle;
  return std::ranges::all_of(tokens, [&](const Token& token) {
    const bool has_vr_field =
        token.kind == TokenKind::kElement || token.kind == TokenKind::kSequence || token.kind == TokenKind::kFragments;
    return is_big(token.encoding) == is_big(encoding) &&
           (!has_vr_field || (token.form == HeaderForm::kImplicit) == is_implicit);
  });
}

std::optional<bool> says_signed(std::span<const Token> tokens, ByteSpan bytes) {
  std::size_t depth = 0;
  for (const Token& token : tokens) {
    if (token.kind == TokenKind::kItemEnd && depth == 0) break;
    if (token.kind == TokenKind::kItem) ++depth;
    if (token.kind == TokenKind::kItemEnd) --depth;
    if (depth == 0 && token.tag == kPixelRepresentation && token.kind == TokenKind::kElement && token.length == 2)
      return (bytes[token.value] | bytes[token.value + 1]) != std::byte{0};
  }
  return std::nullopt;
}

Bytes converted_element(std::span<const Token> tokens, ByteSpan bytes, Encoding to, bool is_signed) {
  Bytes out;
  std::vector<bool> signs = {is_signed};  // of the data set and the items around
  std::vector<GroupLength> lengths(1);    // likewise
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& from = tokens[i];
    const bool ends_group = !is_item_or_delimitation(from.tag) && from.tag >> 16 != lengths.back().group;
    if (ends_group || from.kind == TokenKind::kItemEnd) lengths.back().settle(out);
    const bool has_value = from.kind == TokenKind::kElement || from.kind == TokenKind::kFragment;
    write_header(converted_token(from, to, signs.back()), has_value ? from.length : 0, out);
    if (from.kind == TokenKind::kItem) {
      signs.push_back(says_signed(tokens.subspan(i + 1), bytes).value_or(signs.back()));
      lengths.emplace_back();
    } else if (from.kind == TokenKind::kItemEnd) {
      signs.pop_back();
      lengths.pop_back();
    }
    if (!has_value) continue;
    const std::size_t at = out.size();
    append(out, bytes.subspan(from.value, from.length));
    if (is_big(from.encoding)) swap_numbers(from.vr, MutableByteSpan(out).subspan(at));
    if ((from.tag & 0xFFFF) == 0 && from.length == 4) lengths.back() = {from.tag >> 16, at};
  }
  return out;
}

}  // namespace dicube::dicom
