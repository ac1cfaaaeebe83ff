// The file is cut into its top-level elements; edited ones are written anew, the others copied.
#include "dicom/rewrite.h"

#include <algorithm>
#include <map>

#include "dicom/converted_form.h"
#include "dicom/dictionary.h"
#include "dicom/element_writer.h"
#include "dicom/header.h"
#include "dicom/tags.h"
#include "dicom/uid.h"
#include "dicom/value.h"

namespace dicube::dicom {
namespace {

struct Piece {
  Tag tag;
  Bytes bytes;
};

bool is_group_length(Tag tag) { return (tag & 0xFFFF) == 0; }

class Rewriter {
 public:
  Rewriter(ByteSpan file, Edits edits, const RewriteOptions& options)
      : file_(file), edits_(std::move(edits)), options_(options) {}

  Result<Bytes> run() {
    DICUBE_ASSIGN(tokens_, tokenize(file_));
    data_ = tokens_.data_bytes(file_);
    encoding_ = options_.encoding.value_or(tokens_.encoding);
    is_signed_ = says_signed(tokens_.data, data_).value_or(false);
    DICUBE_TRY(complete_edits());
    const std::vector<Piece> data = data_pieces();
    Bytes out;
    DICUBE_TRY(write_meta(out));
    for (const Piece& piece : data) append(out, piece.bytes);
    if (!options_.encoding && !tokens_.deflated) append(out, file_.subspan(tokens_.end));
    return out;
  }

 private:
  // The meta group repeats two UIDs of the data set (PS3.10 7.1), and says how it is encoded. A file without one gets
  // one only where it has to say something new.
  Status complete_edits() {
    std::string syntax = options_.transfer_syntax;
    if (syntax.empty() && (tokens_.deflated || encoding_ != tokens_.encoding)) syntax = kExplicitLittleUid;
    if (!syntax.empty()) set_uid(kTransferSyntaxUid, syntax);
    for (auto [from, to] : {std::pair(kSopClassUid, kMetaSopClassUid), std::pair(kSopInstanceUid, kMetaSopInstanceUid)})
      if (const auto edit = edits_.find(from); edit != edits_.end() && (!tokens_.meta.empty() || edits_meta()))
        edits_[to] = edit->second;
    for (const auto& [tag, edit] : edits_)
      if (is_group_length(tag)) return fail(ErrorClass::kUsage, "{}: group lengths can't be set", format_tag(tag));
    return {};
  }

  bool edits_meta() const { return !edits_.empty() && edits_.begin()->first >> 16 == 2; }

  void set_uid(Tag tag, std::string uid) { edits_[tag] = text_edit({'U', 'I'}, std::move(uid)); }

  // REQUIRES: edit.stays().
  static Bytes element(Tag tag, const Edit& edit, Encoding encoding) {
    Bytes out;
    if (!edit.frames.empty()) {
      put_fragments(out, {edit.frames.begin(), edit.frames.end()});
      return out;
    }
    Token token;
    token.tag = tag;
    token.vr = edit.vr;
    token.encoding = encoding;
    auto form = vr_form(static_cast<std::byte>(edit.vr[0]), static_cast<std::byte>(edit.vr[1]));
    if (form == VrForm::kShort && edit.value->size() > 0xFFFE) {
      token.vr = {'U', 'N'};
      form = VrForm::kLong;
    }
    token.form = encoding == Encoding::kImplicitLittle ? HeaderForm::kImplicit
                 : form == VrForm::kShort              ? HeaderForm::kShort
                                                       : HeaderForm::kLong;
    write_header(token, edit.value->size(), out);
    const std::size_t at = out.size();
    append(out, *edit.value);
    if (is_big(encoding)) swap_numbers(token.vr, MutableByteSpan(out).subspan(at));
    return out;
  }

  // The index behind the element that starts at `begin`, all it holds included.
  static std::size_t end_of(const std::vector<Token>& tokens, std::size_t begin) {
    std::size_t depth = 0;
    for (std::size_t i = begin; i < tokens.size(); ++i) {
      const TokenKind kind = tokens[i].kind;
      if (kind == TokenKind::kSequence || kind == TokenKind::kFragments) ++depth;
      if (kind == TokenKind::kSequenceEnd || kind == TokenKind::kFragmentsEnd) --depth;
      if (depth == 0) return i + 1;
    }
    return tokens.size();
  }

  // One item of a sequence, as a sequence of undefined length.
  std::vector<Token> only_item(std::span<const Token> tokens, std::size_t wanted) const {
    std::vector<Token> out{tokens[0]};
    out[0].undefined_length = true;
    std::size_t depth = 0, item = 0;
    for (const Token& token : tokens.subspan(1, tokens.size() - 2)) {
      if (item == wanted) out.push_back(token);
      if (token.kind == TokenKind::kItem) ++depth;
      if (token.kind == TokenKind::kItemEnd && --depth == 0) ++item;
    }
    out.push_back(tokens.back());
    out.back().undefined_length = true;
    return out;
  }

  Piece copied(const std::vector<Token>& tokens, std::size_t begin, std::size_t end) const {
    const auto of = std::span(tokens).subspan(begin, end - begin);
    const Token& first = tokens[begin];
    if (first.tag == kPerFrameGroups && first.kind == TokenKind::kSequence && options_.only_frame)
      return {first.tag, converted_element(only_item(of, *options_.only_frame), data_, encoding_, is_signed_)};
    if (options_.encoding && !has_encoding(of, encoding_))
      return {first.tag, converted_element(of, data_, encoding_, is_signed_)};
    const std::uint64_t stop = end < tokens.size() ? tokens[end].header : tokens_.end;
    const ByteSpan bytes = data_.subspan(first.header, stop - first.header);
    Piece piece{first.tag, Bytes(bytes.begin(), bytes.end())};
    if (Token last = of.back(); last.kind == TokenKind::kFragmentsEnd && !last.undefined_length) {
      last.undefined_length = true;  // other elements may follow now
      write_header(last, 0, piece.bytes);
    }
    return piece;
  }

  std::vector<Piece> data_pieces() const {
    std::vector<Piece> pieces;
    auto edit = edits_.lower_bound(0x00030000);
    const auto insert_before = [&](std::optional<Tag> tag) {
      for (; edit != edits_.end() && (!tag || edit->first < *tag); ++edit)
        if (edit->second.stays()) pieces.push_back({edit->first, element(edit->first, edit->second, encoding_)});
    };
    for (std::size_t i = 0, end = 0; i < tokens_.data.size(); i = end) {
      end = end_of(tokens_.data, i);
      const Tag tag = tokens_.data[i].tag;
      if (is_item_or_delimitation(tag) || tag >> 16 == 2) continue;  // strays, at which readers stumble
      if (!edits_.contains(tag)) {
        insert_before(tag);
        pieces.push_back(copied(tokens_.data, i, end));
      } else {
        insert_before(tag + 1);
      }
    }
    insert_before({});
    adjust_group_lengths(pieces);
    return pieces;
  }

  // Retired, but where they stand they must be right (PS3.5 7.2).
  void adjust_group_lengths(std::vector<Piece>& pieces) const {
    std::map<std::uint32_t, std::uint64_t> bytes;  // by group
    for (const Piece& piece : pieces)
      if (!is_group_length(piece.tag)) bytes[piece.tag >> 16] += piece.bytes.size();
    for (Piece& piece : pieces) {
      if (!is_group_length(piece.tag) || piece.bytes.size() < 12 || !is_changed(piece.tag >> 16)) continue;
      Bytes value(4);
      store_le(value.data(), static_cast<std::uint32_t>(bytes[piece.tag >> 16]));
      piece.bytes = element(piece.tag, {{'U', 'L'}, value}, encoding_);
    }
  }

  bool is_changed(std::uint32_t group) const {
    if (encoding_ != tokens_.encoding || options_.encoding) return true;
    const auto at = edits_.lower_bound(group << 16);
    return at != edits_.end() && at->first >> 16 == group;
  }

  Status write_meta(Bytes& out) {
    if (!edits_meta()) {
      append(out, file_.first(tokens_.data_begin));
      if (tokens_.damaged_prefix) store_prefix(out);
      return {};
    }
    std::map<Tag, Bytes> meta;
    for (std::size_t i = 0; i < tokens_.meta.size(); ++i) {
      const Token& token = tokens_.meta[i];
      if (token.kind == TokenKind::kElement)  // of some writers without a VR, which the group always has (PS3.10 7.1)
        meta[token.tag] = converted_element({&token, 1}, file_, Encoding::kExplicitLittle, false);
    }
    for (const auto& [tag, edit] : edits_)
      if (tag >> 16 == 2 && edit.value) meta[tag] = element(tag, edit, Encoding::kExplicitLittle);
    fill_meta(meta);
    std::uint64_t bytes = 0;
    for (const auto& [tag, piece] : meta) bytes += piece.size();
    Bytes length(4);
    store_le(length.data(), static_cast<std::uint32_t>(bytes));
    append(out, file_.first(tokens_.preamble));
    out.resize(kPreambleBytes + kPrefix.size());
    store_prefix(out);
    append(out, element(kMetaGroupLength, {{'U', 'L'}, length}, Encoding::kExplicitLittle));
    for (const auto& [tag, piece] : meta) append(out, piece);
    return {};
  }

  static void store_prefix(Bytes& out) { std::ranges::copy(as_bytes(kPrefix), out.begin() + kPreambleBytes); }
  static Bytes copy(ByteSpan bytes) { return Bytes(bytes.begin(), bytes.end()); }

  // How the data set is written, where nothing says it. That of compressed pixels is not known then.
  void fill_transfer_syntax(std::map<Tag, Bytes>& meta) {
    if (meta.contains(kTransferSyntaxUid)) return;
    if (std::ranges::find(tokens_.data, TokenKind::kFragments, &Token::kind) != tokens_.data.end()) return;
    set_uid(kTransferSyntaxUid, std::string(is_big(encoding_)                        ? kExplicitBigUid
                                            : encoding_ == Encoding::kImplicitLittle ? kImplicitLittleUid
                                                                                     : kExplicitLittleUid));
    meta[kTransferSyntaxUid] = element(kTransferSyntaxUid, edits_[kTransferSyntaxUid], Encoding::kExplicitLittle);
  }

  // What PS3.10 7.1 asks for, where the source had no meta group.
  void fill_meta(std::map<Tag, Bytes>& meta) {
    meta.erase(kMetaGroupLength);
    if (tokens_.meta.empty()) fill_transfer_syntax(meta);
    if (!meta.contains(kMetaVersion))
      meta[kMetaVersion] =
          element(kMetaVersion, {{'O', 'B'}, Bytes{std::byte{0}, std::byte{1}}}, Encoding::kExplicitLittle);
    for (auto [tag, source] :
         {std::pair(kMetaSopClassUid, kSopClassUid), std::pair(kMetaSopInstanceUid, kSopInstanceUid)}) {
      if (meta.contains(tag)) continue;
      const auto token = std::ranges::find(tokens_.data, source, &Token::tag);
      if (token == tokens_.data.end()) continue;
      meta[tag] =
          element(tag, {{'U', 'I'}, copy(data_.subspan(token->value, token->length))}, Encoding::kExplicitLittle);
    }
    if (meta.contains(kImplementationClassUid)) return;
    set_uid(kImplementationClassUid, std::string(kImplementationUid));
    meta[kImplementationClassUid] =
        element(kImplementationClassUid, edits_[kImplementationClassUid], Encoding::kExplicitLittle);
  }

  ByteSpan file_, data_;
  Edits edits_;
  const RewriteOptions& options_;
  Tokens tokens_;
  Encoding encoding_ = Encoding::kExplicitLittle;
  bool is_signed_ = false;
};

}  // namespace

Edit text_edit(std::array<char, 2> vr, std::string text) {
  if (text.size() % 2 == 1) text.push_back(vr == std::array<char, 2>{'U', 'I'} ? '\0' : ' ');
  const ByteSpan bytes = as_bytes(text);
  return {vr, Bytes(bytes.begin(), bytes.end())};
}

Edit number_edit(std::uint16_t number) {
  Bytes value(2);
  store_le(value.data(), number);
  return {{'U', 'S'}, value};
}

Result<Bytes> rewrite(ByteSpan file, Edits edits, const RewriteOptions& options) {
  return Rewriter(file, std::move(edits), options).run();
}

}  // namespace dicube::dicom
