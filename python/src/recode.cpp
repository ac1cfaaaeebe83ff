// Texts inside sequences, written anew for another character set.
#include <algorithm>

#include "binding.h"
#include "dicom/dictionary.h"
#include "dicom/header.h"
#include "dicom/tags.h"
#include "dicom/tokenizer.h"

namespace dicube::python {
namespace {

using dicom::Token;
using dicom::TokenKind;

bool is_end(TokenKind kind) {
  return kind == TokenKind::kItemEnd || kind == TokenKind::kSequenceEnd || kind == TokenKind::kFragmentsEnd;
}

bool holds(TokenKind kind) {
  return kind == TokenKind::kSequence || kind == TokenKind::kItem || kind == TokenKind::kFragments;
}

// Nesting is bounded by TokenizeOptions::kMaxDepth.
class Recoder {
 public:
  Recoder(const dicom::Tokens& tokens, ByteSpan data, const nb::callable& encode)
      : tokens_(tokens.data), data_(data), encode_(encode) {
    for (std::size_t i = 0; i < tokens_.size(); i = end_of(i) + 1)
      if (tokens_[i].tag == dicom::kSpecificCharacterSet) charset_ = dicom::CharacterSet(as_text(value_of(tokens_[i])));
  }

  // (tag, VR, new value) of the sequences that change.
  nb::list run() {
    nb::list out;
    for (std::size_t i = 0; i < tokens_.size(); i = end_of(i) + 1) {
      const Token& token = tokens_[i];
      if (token.kind != TokenKind::kSequence) continue;
      changed_ = false;
      Bytes value;
      put_children(i + 1, true, value);
      if (!changed_) continue;
      if (token.vr[0] == 'U')
        raise_error({ErrorClass::kUnsupported, formatted("{}: texts in a sequence of VR UN can't be written anew",
                                                         dicom::format_tag(token.tag))});
      out.append(nb::make_tuple(token.tag, "SQ", to_bytes(value)));
    }
    return out;
  }

 private:
  // The index of the last token of what starts at `i`.
  std::size_t end_of(std::size_t i) const {
    for (std::size_t depth = 0; i < tokens_.size(); ++i) {
      if (holds(tokens_[i].kind)) ++depth;
      if (is_end(tokens_[i].kind)) --depth;
      if (depth == 0) return i;
    }
    return tokens_.size();
  }

  ByteSpan value_of(const Token& token) const { return data_.subspan(token.value, token.length); }

  // A data set in an item may have a character set of its own (PS3.3 C.12.1.1.2), which goes for all that it holds.
  bool has_own_charset(std::size_t item) const {
    for (std::size_t i = item + 1; i < tokens_.size() && !is_end(tokens_[i].kind); i = end_of(i) + 1)
      if (tokens_[i].tag == dicom::kSpecificCharacterSet) return true;
    return false;
  }

  void put_children(std::size_t i, bool inherits, Bytes& out) {
    for (; i < tokens_.size() && !is_end(tokens_[i].kind); i = end_of(i) + 1) {
      const Token& token = tokens_[i];
      Bytes value;
      if (holds(token.kind))
        put_children(i + 1, inherits && !(token.kind == TokenKind::kItem && has_own_charset(i)), value);
      else if (token.kind != TokenKind::kElement || !inherits || !recoded(token, value))
        append(value, value_of(token));
      dicom::write_header(token, value.size(), out);
      append(out, value);
      if (holds(token.kind)) dicom::write_header(tokens_[end_of(i)], 0, out);
    }
  }

  bool recoded(const Token& token, Bytes& out) {
    const std::string vr =
        token.vr[0] == 0 ? std::string(dicom::implicit_vr(token.tag)) : std::string(token.vr.data(), 2);
    if (!dicom::is_affected_by_charset(vr)) return false;
    const auto values = dicom::decode(value_of(token), vr, token.encoding, charset_);
    if (!std::holds_alternative<std::vector<std::string>>(values)) return false;
    const std::string text = *dicom::joined(values, vr, "\\");
    if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return false;
    const nb::bytes coded = nb::cast<nb::bytes>(encode_(token.tag, vr, to_text(text)));
    if (token.form == dicom::HeaderForm::kShort && coded.size() > 0xFFFE) throw nb::value_error("the text is too long");
    append(out, span_of(coded));
    changed_ = true;
    return true;
  }

  const std::vector<Token>& tokens_;
  ByteSpan data_;
  const nb::callable& encode_;
  dicom::CharacterSet charset_;
  bool changed_ = false;
};

nb::list recode_sequences(nb::bytes file, const nb::callable& encode) {
  const ByteSpan bytes = span_of(file);
  const auto tokens = value_or_raise(dicom::tokenize(bytes));
  return Recoder(tokens, tokens.data_bytes(bytes), encode).run();
}

// Whether the data set has implicit VR; nothing of one in big endian. As found, for transfer syntaxes may be wrong.
std::optional<bool> is_implicit(nb::bytes file) {
  const auto tokens = value_or_raise(dicom::tokenize(span_of(file), {.stop_before_pixels = true}));
  if (dicom::is_big(tokens.encoding)) return std::nullopt;
  return tokens.encoding == dicom::Encoding::kImplicitLittle;
}

void collect_vrs(const Element& element, nb::dict& out) {
  for (const auto& item : element.items)
    for (const Element& inner : item) {
      out[nb::int_(inner.tag)] = to_text(inner.is_sequence ? "SQ" : inner.vr);
      collect_vrs(inner, out);
    }
}

// {tag: VR} of what the sequence `tag` of one instance holds, however deep.
nb::dict vrs_in_sequence(const OpenArchive& open, std::size_t instance, std::uint32_t tag) {
  check_instance(open, instance);
  const auto data = value_or_raise(reading(open, [&] { return open.archive.data_set(instance); }));
  nb::dict out;
  for (const Element& element : data.elements)
    if (element.tag == tag) collect_vrs(element, out);
  return out;
}

}  // namespace

void bind_recode(nb::module_& m) {
  m.def("recode_sequences", &recode_sequences, nb::arg("file"), nb::arg("encode"),
        "(tag, VR, new value) of the sequences with texts beyond ASCII in the data set's own character set; "
        "encode(tag, vr, text) "
        "gives their bytes.");
  m.def("is_implicit", &is_implicit, nb::arg("file"),
        "Whether the data set has implicit VR, whatever its transfer syntax says; None of one in big endian.");
  m.def("vrs_in_sequence", &vrs_in_sequence, nb::arg("archive"), nb::arg("instance"), nb::arg("tag"));
}

}  // namespace dicube::python
