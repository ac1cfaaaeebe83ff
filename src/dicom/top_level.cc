#include "dicom/top_level.h"

#include <algorithm>

#include "dicom/dictionary.h"
#include "dicom/value.h"

namespace dicube::dicom {

std::string_view vr_of(const Token& token) {
  const std::string_view stated(token.vr.data(), token.vr.size());
  return token.vr[0] == 0 || stated == "UN" ? implicit_vr(token.tag) : stated;
}

TopLevel::TopLevel(const std::vector<Token>& tokens, ByteSpan bytes) : bytes_(bytes) {
  for_each_top_level(tokens, [&](const Token& token) { tokens_.push_back(&token); });
}

const Token* TopLevel::find(Tag tag) const {
  const auto found = std::ranges::find(tokens_, tag, &Token::tag);
  return found == tokens_.end() ? nullptr : *found;
}

ByteSpan TopLevel::value(Tag tag) const {
  const Token* token = find(tag);
  if (token == nullptr || token->kind != TokenKind::kElement) return {};
  return bytes_.subspan(token->value, token->length);
}

std::string TopLevel::text(Tag tag) const { return std::string(trimmed(value(tag))); }

}  // namespace dicube::dicom
