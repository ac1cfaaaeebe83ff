#include "archive/shred.h"

namespace dicube::archive {
namespace {

using columns::ColumnKind;
using dicom::Token;
using dicom::TokenKind;

ColumnKey special(ColumnKind kind) {
  ColumnKey key;
  key.kind = kind;
  return key;
}

ColumnKey key_of(const Token& token, ColumnId parent, ColumnKind kind) {
  ColumnKey key;
  key.parent = parent;
  key.kind = kind;
  key.form = static_cast<std::uint8_t>(token.form);
  key.encoding = static_cast<std::uint8_t>(token.encoding);
  key.undefined_length = token.undefined_length;
  key.vr = token.vr;
  key.reserved = token.reserved;
  key.tag = token.tag;
  return key;
}

// Walks the tokens of one data set. An open sequence or item is a level of `open_`; no recursion.
class Shredder {
 public:
  Shredder(MetadataBuilder& builder, ByteSpan bytes, const PixelPlan* pixels)
      : builder_(builder), bytes_(bytes), pixels_(pixels) {}

  Result<LayoutId> run(const std::vector<Token>& tokens) {
    open_.push_back({});
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (pixels_ != nullptr && i == pixels_->token) {
        DICUBE_TRY(add_pixels(tokens[i], tokens[pixels_->end_token - 1]));
        i = pixels_->end_token - 1;
      } else if (tokens[i].kind == TokenKind::kFragments) {
        const std::size_t begin = i;
        while (tokens[i].kind != TokenKind::kFragmentsEnd) ++i;
        DICUBE_TRY(add_verbatim(tokens[begin], tokens[i]));
      } else if (const std::size_t end = end_in_other_order(tokens, i); end != 0) {
        DICUBE_TRY(add_verbatim(tokens[i], tokens[end]));
        i = end;
      } else {
        DICUBE_TRY(step(tokens[i]));
      }
    }
    return builder_.schema().intern(open_.back().layout);
  }

 private:
  struct Level {
    ColumnId column = columns::kNoParent;    // the sequence this level is in
    columns::Layout layout;                  // of the data set or item
    std::vector<columns::Item> items;        // of the sequence opened last on this level
    ColumnId sequence = columns::kNoParent;  // the one opened last on this level
    columns::Item item;                      // how this item is written
  };

  Status step(const Token& token) {
    switch (token.kind) {
      case TokenKind::kElement: return add(token, ColumnKind::kElement, bytes_.subspan(token.value, token.length));
      case TokenKind::kSequence: {
        Level& level = open_.back();
        const ColumnId column = builder_.schema().intern(key_of(token, level.column, ColumnKind::kSequence));
        level.layout.push_back(column);
        level.sequence = column;
        level.items.clear();
        return {};
      }
      case TokenKind::kItem: {
        Level inner;
        inner.column = open_.back().sequence;
        inner.item = {0, token.undefined_length, token.encoding == dicom::Encoding::kExplicitBig};
        open_.push_back(std::move(inner));
        return {};
      }
      case TokenKind::kItemEnd: {
        columns::Item item = open_.back().item;
        item.layout = builder_.schema().intern(open_.back().layout);
        open_.pop_back();
        open_.back().items.push_back(item);
        return {};
      }
      case TokenKind::kSequenceEnd:
        return builder_.push(open_.back().sequence, columns::write_items(open_.back().items));
      default: return fail(ErrorClass::kNotDicom, "a fragment outside of pixel data at byte {}", token.header);
    }
  }

  Status add(const Token& token, ColumnKind kind, ByteSpan value) {
    const ColumnId column = builder_.schema().intern(key_of(token, open_.back().column, kind));
    open_.back().layout.push_back(column);
    return builder_.push(column, value);
  }

  Status add_pixels(Token header, const Token& end) {
    if (header.kind != TokenKind::kFragments) return add(header, ColumnKind::kPixels, pixels_->description);
    header.undefined_length = end.undefined_length;  // see ColumnKey: that of the header always is
    return add(header, ColumnKind::kFragments, pixels_->description);
  }

  // Where a big-endian sequence ends whose delimitation is little endian (an UN with implicit VR inside, PS3.5 6.2.2);
  // 0 for every other token. No column says how such a delimitation is written.
  static std::size_t end_in_other_order(const std::vector<Token>& tokens, std::size_t begin) {
    const Token& token = tokens[begin];
    if (token.kind != TokenKind::kSequence || !token.undefined_length ||
        token.encoding != dicom::Encoding::kExplicitBig)
      return 0;
    std::size_t depth = 1, end = begin;
    while (depth > 0) {
      const TokenKind kind = tokens[++end].kind;
      if (kind == TokenKind::kSequence) ++depth;
      if (kind == TokenKind::kSequenceEnd) --depth;
    }
    return tokens[end].encoding == dicom::Encoding::kExplicitBig ? 0 : end;
  }

  // One value, from behind the header through the delimitation: sequences as above, and encapsulated data that is not
  // cut into frames (an icon's).
  Status add_verbatim(const Token& header, const Token& end) {
    return add(header, ColumnKind::kElement, bytes_.subspan(header.value, end.value - header.value));
  }

  MetadataBuilder& builder_;
  ByteSpan bytes_;
  const PixelPlan* pixels_;
  std::vector<Level> open_;
};

Status push_special(MetadataBuilder& builder, ColumnKind kind, ByteSpan value) {
  return builder.push(builder.schema().intern(special(kind)), value);
}

}  // namespace

Status shred(const Shreddable& instance, MetadataBuilder& builder) {
  DICUBE_TRY(push_special(builder, ColumnKind::kName, as_bytes(instance.name)));
  Roots roots;
  ByteSpan preamble, tail = instance.file;
  // The order of these columns is the order in which they are first pushed: keep it the same for every instance.
  const ColumnId preamble_column = builder.schema().intern(special(ColumnKind::kPreamble));
  const ColumnId tail_column = builder.schema().intern(special(ColumnKind::kTail));
  const ColumnId roots_column = builder.schema().intern(special(ColumnKind::kRoots));
  roots.kept = true;
  roots.meta = roots.data = builder.schema().intern(columns::Layout());
  if (instance.tokens != nullptr) {
    const dicom::Tokens& tokens = *instance.tokens;
    const ByteSpan bytes = tokens.data_bytes(instance.file);
    roots.encoding = static_cast<std::uint8_t>(tokens.encoding);
    DICUBE_ASSIGN(roots.meta, Shredder(builder, instance.file, nullptr).run(tokens.meta));
    DICUBE_ASSIGN(roots.data, Shredder(builder, bytes, instance.pixels).run(tokens.data));
    // A deflated data set can't be made again from what it holds: another zlib gives other bytes.
    roots.kept = tokens.deflated;
    if (!roots.kept) {
      preamble = instance.file.first(tokens.preamble);
      tail = instance.file.subspan(tokens.end);
    }
  }
  DICUBE_TRY(builder.push(preamble_column, preamble));
  DICUBE_TRY(instance.coded != nullptr ? builder.push(tail_column, *instance.coded) : builder.push(tail_column, tail));
  return builder.push(roots_column, write_roots(roots));
}

}  // namespace dicube::archive
