#include "archive/assemble.h"

#include <algorithm>

#include "archive/pixels.h"
#include "dicom/converted_form.h"
#include "dicom/header.h"

namespace dicube::archive {
namespace {

using columns::ColumnKind;
using dicom::Token;
using dicom::TokenKind;

constexpr std::uint64_t kReserveAtMost = std::uint64_t{64} << 20;  // the rest only when it is really there

// Headers of defined length are written first and again when the length is known. What is whole goes to the sink, if
// there is one, as soon as it is a piece.
class Assembler : public Visitor {
 public:
  Assembler(std::uint64_t size, FrameSource& frames, Bytes& out, const Sink* sink)
      : size_(size), frames_(frames), out_(out), sink_(sink) {}

  Status begin_data_set() override { return {}; }

  Status element(const ColumnKey& key, ByteSpan value) override {
    DICUBE_TRY(check_size(value.size()));
    if (key.kind == ColumnKind::kPixels) return native_pixels(key, value);
    if (key.kind == ColumnKind::kFragments) return fragments(key, value);
    write_header(header_of(key), value.size(), out_);
    return add(value);
  }

  bool takes_pieces() const override { return sink_ != nullptr && open_.empty(); }
  Result<Sink> begin_element(const ColumnKey& key, std::uint64_t size) override {
    write_header(header_of(key), size, out_);
    return begin_value(size);
  }

  // For bytes that are no element.
  Result<Sink> begin_value(std::uint64_t size) {
    DICUBE_TRY(check_size(size));
    if (sink_ == nullptr) out_.reserve(out_.size() + size);
    return Sink([this](ByteSpan piece) { return add(piece); });
  }

  // What is still here goes to the sink, too.
  Status finish() { return pass_on(0, 0); }

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
    if (more <= size_ && passed_ + out_.size() <= size_ - more) return {};
    return fail(ErrorClass::kDamaged, "the file put together exceeds its {} bytes", size_);
  }

  // Gives the sink what is here, but for the last `kept` bytes, when it is `least` bytes or more.
  Status pass_on(std::size_t least, std::size_t kept) {
    if (sink_ == nullptr || !open_.empty() || out_.size() < least + kept || out_.size() == kept) return {};
    const std::size_t ready = out_.size() - kept;
    DICUBE_TRY((*sink_)(ByteSpan(out_).first(ready)));
    passed_ += ready;
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(ready));
    return {};
  }

  // In front of large bytes nothing waits, so that they are not copied.
  Status add(ByteSpan bytes) {
    if (bytes.size() < kPieceBytes || !takes_pieces()) {
      append(out_, bytes);
      return pass_on(kPieceBytes, 0);
    }
    DICUBE_TRY(pass_on(0, 0));
    passed_ += bytes.size();
    return (*sink_)(bytes);
  }

  Status native_pixels(const ColumnKey& key, ByteSpan padding) {
    DICUBE_ASSIGN(const auto frames, frames_.native_ends());
    const std::uint64_t bytes = frames.empty() ? 0 : frames.back();
    DICUBE_TRY(check_size(bytes));
    write_header(header_of(key), bytes + padding.size(), out_);
    const std::size_t group = frames_.shared_groups(), begin = out_.size();
    for (std::size_t i = 0; i < frames.size(); ++i) {
      DICUBE_TRY(frames_.append_native(i, out_));
      if (group == 1) DICUBE_TRY(pass_on(kPieceBytes, 1));  // the last byte may be the next frame's, too
    }
    DICUBE_TRY(check_size(padding.size()));
    if (group == 1) return add(padding);
    append(out_, padding);
    dicom::swap_groups(MutableByteSpan(out_).subspan(begin), group);
    return pass_on(kPieceBytes, 0);
  }

  void item(ByteSpan value_or_nothing, std::uint64_t length) {
    write_header(item_token(TokenKind::kItem, {}), length, out_);
    append(out_, value_or_nothing);
  }

  Status fragments(const ColumnKey& key, ByteSpan description) {
    DICUBE_ASSIGN(auto structure, read_description(description, frames_.encapsulated_sizes()));
    Token header = header_of(key);
    header.undefined_length = true;  // the key's flag is the delimitation's
    write_header(header, 0, out_);
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
      DICUBE_TRY(pass_on(kPieceBytes, 0));
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
  const Sink* sink_;
  std::uint64_t passed_ = 0;  // bytes that the sink has
  std::vector<Place> open_;   // in out_, whose bytes stay meanwhile
};

}  // namespace

Status assemble(const Metadata& metadata, std::size_t instance, std::uint64_t size, FrameSource& frames, Bytes& out,
                const Sink* sink) {
  out.clear();
  if (sink == nullptr) out.reserve(std::min(size, kReserveAtMost));
  Assembler assembler(size, frames, out, sink);
  DICUBE_ASSIGN(const auto roots, metadata.roots(instance));
  if (!roots.kept) {
    DICUBE_ASSIGN(const auto preamble, special_value(metadata, ColumnKind::kPreamble, instance));
    append(out, preamble);
    DICUBE_TRY(walk(metadata, instance, assembler));
  }
  DICUBE_ASSIGN(const auto tail, metadata.special(ColumnKind::kTail));
  DICUBE_TRY(metadata.stream(tail, instance, [&](std::uint64_t bytes) { return assembler.begin_value(bytes); }));
  return assembler.finish();
}

}  // namespace dicube::archive
