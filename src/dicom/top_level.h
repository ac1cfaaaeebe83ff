// The elements of a data set outside of its sequences.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dicom/tokenizer.h"

namespace dicube::dicom {

// The VR as the header states it; the dictionary's where it states none, or UN (PS3.5 6.2.2, note 5).
std::string_view vr_of(const Token& token);

// Elements by their tags; of one that stands there twice the first. REQUIRES: tokens and bytes outlive it.
class TopLevel {
 public:
  // `bytes`: what the tokens' offsets point into.
  TopLevel(const std::vector<Token>& tokens, ByteSpan bytes);
  std::span<const Token* const> all() const { return tokens_; }
  // nullptr where there is none.
  const Token* find(Tag tag) const;
  // Of an element with a value; empty where there is none.
  ByteSpan value(Tag tag) const;
  // The same as text, trimmed and not decoded.
  std::string text(Tag tag) const;

 private:
  ByteSpan bytes_;
  std::vector<const Token*> tokens_;
};

}  // namespace dicube::dicom
