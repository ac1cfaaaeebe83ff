#include "explicit_form.h"

#include <algorithm>

#include "dicom/dictionary.h"
#include "dicom/header.h"

namespace dicube::python {
namespace {

using dicom::Token;
using dicom::TokenKind;

constexpr std::uint64_t kMostShort = 0xFFFE;

// Elements whose VR is "US or SS" (PS3.6): of the sign of the pixels.
bool follows_pixel_sign(dicom::Tag tag) {
  static constexpr dicom::Tag kTags[] = {0x00280104, 0x00280105, 0x00280106, 0x00280107, 0x00280108, 0x00280109,
                                         0x00280110, 0x00280111, 0x00280120, 0x00280121, 0x00281101, 0x00281102,
                                         0x00281103, 0x00283002, 0x00409211, 0x00409216, 0x00603004, 0x00603006};
  return std::ranges::find(kTags, tag) != std::end(kTags);
}

std::array<char, 2> vr_of(const Token& token, bool is_signed) {
  if (token.kind == TokenKind::kSequence) return {'S', 'Q'};
  if (token.vr[0] != 0) return token.vr;
  const std::string_view vr = dicom::implicit_vr(token.tag);
  if (is_signed && vr == "US" && follows_pixel_sign(token.tag)) return {'S', 'S'};
  if (token.kind == TokenKind::kFragments) return {'O', 'B'};
  return {vr[0], vr[1]};
}

Token explicit_token(const Token& from, bool is_signed) {
  Token token = from;
  token.encoding = dicom::Encoding::kExplicitLittle;
  if (token.kind == TokenKind::kItem || token.kind == TokenKind::kItemEnd || token.kind == TokenKind::kSequenceEnd) {
    token.form = dicom::HeaderForm::kImplicit;
    token.undefined_length = true;
    return token;
  }
  token.vr = vr_of(from, is_signed);
  token.undefined_length = token.kind == TokenKind::kSequence || token.kind == TokenKind::kFragments;
  token.reserved = 0;
  auto form = dicom::vr_form(static_cast<std::byte>(token.vr[0]), static_cast<std::byte>(token.vr[1]));
  if (form == dicom::VrForm::kUnknown || (form == dicom::VrForm::kShort && from.length > kMostShort)) {
    token.vr = {'U', 'N'};  // PS3.5 6.2.2
    form = dicom::VrForm::kLong;
  }
  token.form = form == dicom::VrForm::kShort ? dicom::HeaderForm::kShort : dicom::HeaderForm::kLong;
  return token;
}

}  // namespace

unsigned number_bytes(std::array<char, 2> vr) {
  const std::string_view name(vr.data(), 2);
  if (name == "US" || name == "SS" || name == "AT" || name == "OW") return 2;
  if (name == "UL" || name == "SL" || name == "FL" || name == "OF" || name == "OL") return 4;
  if (name == "FD" || name == "OD" || name == "SV" || name == "UV" || name == "OV") return 8;
  return 1;
}

void swap_numbers(std::array<char, 2> vr, MutableByteSpan value) {
  const unsigned size = number_bytes(vr);
  for (std::size_t at = 0; size > 1 && at + size <= value.size(); at += size)
    std::reverse(value.begin() + static_cast<std::ptrdiff_t>(at),
                 value.begin() + static_cast<std::ptrdiff_t>(at + size));
}

Bytes explicit_element(std::span<const Token> tokens, ByteSpan bytes, bool is_signed) {
  Bytes out;
  for (const Token& from : tokens) {
    Token token = explicit_token(from, is_signed);
    const bool has_value = from.kind == TokenKind::kElement || from.kind == TokenKind::kFragment;
    if (from.kind == TokenKind::kFragment || from.kind == TokenKind::kFragmentsEnd) {
      token = from;
      token.encoding = dicom::Encoding::kExplicitLittle;
    }
    dicom::write_header(token, has_value ? from.length : 0, out);
    if (!has_value) continue;
    const std::size_t at = out.size();
    append(out, bytes.subspan(from.value, from.length));
    if (dicom::is_big(from.encoding)) swap_numbers(token.vr, MutableByteSpan(out).subspan(at));
  }
  return out;
}

}  // namespace dicube::python
