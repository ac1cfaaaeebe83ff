#include "archive/assemble.h"

#include <algorithm>

#include "archive/pixels.h"
#include "dicom/header.h"

namespace dicube::archive {
namespace {

using columns::ColumnKind;
using dicom::Token;
using dicom::TokenKind;

constexpr std::uint64_t kReserveAtMost = std::uint64_t{64} << 20;  // the rest only when it is really there

// Headers of defined length are written first and again when the length is known.
class Assembler : public Visitor {
 public:
  Assembler(std::uint64_t size, FrameSource& frames, Bytes& out) : size_(size), frames_(frames), out_(out) {}

  Status begin_data_set() override { return {}; }

  Status element(const ColumnKey& key, ByteSpan value) override {
    DICUBE_TRY(check_size(value.size()));
    if (key.kind == ColumnKind::kPixels) return native_pixels(key, value);
    if (key.kind == ColumnKind::kFragments) return fragments(key, value);
    write_header(header_of(key), value.size(), out_);
    append(out_, value);
    return {};
  }

  Status begin_sequence(const ColumnKey& key) override {
    open(header_of(key));
    return {};
  }
  Status begin_item(const ColumnKey&, const columns::Item& item) override {
    open(item_token(TokenKind::kItem, item));
    return {};
  }
  Status end_item(const ColumnKey&, const columns::Item& item) override {
    close(item_token(TokenKind::kItem, item));
    write_header(item_token(TokenKind::kItemEnd, item), 0, out_);
    return {};
  }
  Status end_sequence(const ColumnKey& key) override {
    close(header_of(key));
    write_header(end_of(key, TokenKind::kSequenceEnd), 0, out_);
    return {};
  }

 private:
  static Token item_token(TokenKind kind, const columns::Item& item) {
    Token token;
    token.kind = kind;
    token.tag = kind == TokenKind::kItem ? dicom::kItem : dicom::kItemDelimitation;
    token.undefined_length = item.undefined_length;
    token.encoding = item.big_endian ? dicom::Encoding::kExplicitBig : dicom::Encoding::kExplicitLittle;
    return token;
  }

  // The sequence delimitation; an implicit header whatever the sequence's own form.
  static Token end_of(const ColumnKey& key, TokenKind kind) {
    Token token;
    token.kind = kind;
    token.tag = dicom::kSequenceDelimitation;
    token.undefined_length = key.undefined_length;
    token.encoding = static_cast<dicom::Encoding>(key.encoding);
    return token;
  }

  void open(const Token& token) {
    const std::size_t header = out_.size();
    write_header(token, 0, out_);
    open_.push_back({header, out_.size()});
  }

  void close(const Token& token) {
    const Place place = open_.back();
    open_.pop_back();
    Bytes header;
    write_header(token, out_.size() - place.value, header);
    std::copy(header.begin(), header.end(), out_.begin() + static_cast<std::ptrdiff_t>(place.header));
  }

  Status check_size(std::uint64_t more) const {
    if (more <= size_ && out_.size() <= size_ - more) return {};
    return fail(ErrorClass::kDamaged, "the file put together exceeds its {} bytes", size_);
  }

  Status native_pixels(const ColumnKey& key, ByteSpan padding) {
    open(header_of(key));
    DICUBE_TRY(frames_.append_native(out_));
    append(out_, padding);
    close(header_of(key));
    return check_size(0);
  }

  void item(ByteSpan value_or_nothing, std::uint64_t length) {
    write_header(item_token(TokenKind::kItem, {}), length, out_);
    append(out_, value_or_nothing);
  }

  Status fragments(const ColumnKey& key, ByteSpan description) {
    DICUBE_ASSIGN(auto structure, read_description(description, frames_.encapsulated_sizes()));
    write_header(header_of(key), 0, out_);
    item(structure.offset_table, structure.offset_table.size());
    Bytes frame;
    for (std::size_t i = 0; i < structure.sizes.size(); ++i) {
      frame.clear();
      DICUBE_TRY(check_size(0));
      DICUBE_TRY(frames_.append_encapsulated(i, frame));
      ByteSpan left = frame;
      for (std::uint64_t size : structure.sizes[i]) {
        item(left.first(size), size);
        left = left.subspan(size);
      }
    }
    write_header(end_of(key, TokenKind::kFragmentsEnd), 0, out_);
    return {};
  }

  struct Place {
    std::size_t header, value;
  };
  std::uint64_t size_;
  FrameSource& frames_;
  Bytes& out_;
  std::vector<Place> open_;
};

}  // namespace

Status assemble(const Metadata& metadata, std::size_t instance, std::uint64_t size, FrameSource& frames, Bytes& out) {
  out.clear();
  out.reserve(std::min(size, kReserveAtMost));
  DICUBE_ASSIGN(auto roots, metadata.roots(instance));
  DICUBE_ASSIGN(auto tail, special_value(metadata, ColumnKind::kTail, instance));
  if (roots.kept) {
    out = std::move(tail);
    return {};
  }
  DICUBE_ASSIGN(auto preamble, special_value(metadata, ColumnKind::kPreamble, instance));
  append(out, preamble);
  Assembler assembler(size, frames, out);
  DICUBE_TRY(walk(metadata, instance, assembler));
  append(out, tail);
  return {};
}

}  // namespace dicube::archive
