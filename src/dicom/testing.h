// For tests: writes small DICOM files, and puts tokens together again.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "dicom/header.h"
#include "dicom/tags.h"
#include "dicom/tokenizer.h"
#include "dicom/uid.h"

namespace dicube::dicom::testing {

using dicom::kDeflatedUid;
using dicom::kExplicitBigUid;
using dicom::kExplicitLittleUid;
using dicom::kImplicitLittleUid;
using dicom::kJpegLosslessUid;

// Appends elements to a byte string, one call each, in the encoding given:
//   FileBuilder().meta(kExplicitLittleUid).text(kModality, "CS", "CT").sequence(0x00081140).item().end().end().take()
class FileBuilder {
 public:
  explicit FileBuilder(Encoding encoding = Encoding::kExplicitLittle) : encoding_(encoding) {}

  // 128 zeros and "DICM".
  FileBuilder& preamble() {
    bytes_.resize(bytes_.size() + 128);
    return raw("DICM");
  }
  // The preamble, and a file meta group of the group length, the version and the transfer syntax.
  FileBuilder& meta(std::string_view transfer_syntax) {
    preamble();
    return meta_group(transfer_syntax);
  }
  FileBuilder& meta_group(std::string_view transfer_syntax) {
    FileBuilder group;
    group.element(0x00020001, "OB", {std::byte{0}, std::byte{1}}).text(0x00020010, "UI", transfer_syntax);
    const Encoding encoding = std::exchange(encoding_, Encoding::kExplicitLittle);
    u32(0x00020000, "UL", {static_cast<std::uint32_t>(group.bytes_.size())});
    encoding_ = encoding;
    return raw(group.bytes_);
  }

  FileBuilder& element(Tag tag, std::string_view vr, ByteSpan value) {
    header(tag, vr, static_cast<std::uint32_t>(value.size()));
    return raw(value);
  }
  FileBuilder& element(Tag tag, std::string_view vr, std::initializer_list<std::byte> value) {
    return element(tag, vr, ByteSpan(value.begin(), value.size()));
  }
  // Padded to an even length, UI by NUL and others by a space.
  FileBuilder& text(Tag tag, std::string_view vr, std::string_view value) {
    std::string padded(value);
    if (padded.size() % 2 != 0) padded += vr == "UI" ? '\0' : ' ';
    return element(tag, vr, as_bytes(padded));
  }
  FileBuilder& u16(Tag tag, std::string_view vr, std::initializer_list<std::uint16_t> values) {
    return numbers(tag, vr, values);
  }
  FileBuilder& u32(Tag tag, std::string_view vr, std::initializer_list<std::uint32_t> values) {
    return numbers(tag, vr, values);
  }

  // A sequence or an item, open until end() writes its delimitation or, when `defined`, fills in its length.
  FileBuilder& sequence(Tag tag, bool defined = false, std::string_view vr = "SQ") {
    header(tag, vr, 0xFFFFFFFF);
    open_.push_back({bytes_.size(), defined, 0xFFFEE0DD});
    return *this;
  }
  FileBuilder& item(bool defined = false) {
    header(0xFFFEE000, "", 0xFFFFFFFF);
    open_.push_back({bytes_.size(), defined, 0xFFFEE00D});
    return *this;
  }
  FileBuilder& end() {
    const Open open = open_.back();
    open_.pop_back();
    if (!open.defined) return header(open.delimitation, "", 0);
    const auto length = static_cast<std::uint32_t>(bytes_.size() - open.value);
    store(bytes_.data() + open.value - 4, length);
    return *this;
  }

  // Encapsulated pixel data; the first fragment is the basic offset table.
  FileBuilder& fragments(const std::vector<Bytes>& fragments, Tag tag = kPixelData, std::string_view vr = "OB") {
    header(tag, vr, 0xFFFFFFFF);
    for (const Bytes& fragment : fragments) element(0xFFFEE000, "", fragment);
    return header(0xFFFEE0DD, "", 0);
  }

  // Header and value in another form than the encoding's own.
  FileBuilder& in(Encoding encoding) {
    encoding_ = encoding;
    return *this;
  }
  FileBuilder& raw(ByteSpan bytes) {
    append(bytes_, bytes);
    return *this;
  }
  FileBuilder& raw(std::string_view bytes) { return raw(as_bytes(bytes)); }

  // A header alone, with any length. An empty VR, and group FFFE, have the implicit form.
  FileBuilder& header(Tag tag, std::string_view vr, std::uint32_t length) {
    put(static_cast<std::uint16_t>(tag >> 16));
    put(static_cast<std::uint16_t>(tag));
    if (vr.empty() || encoding_ == Encoding::kImplicitLittle) {
      put(length);
      return *this;
    }
    raw(vr);
    constexpr std::string_view kShort = "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US";
    if (kShort.find(vr) != kShort.npos) {
      put(static_cast<std::uint16_t>(length));
    } else {
      put(std::uint16_t{0});
      put(length);
    }
    return *this;
  }

  std::size_t size() const { return bytes_.size(); }
  const Bytes& bytes() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  struct Open {
    std::size_t value;
    bool defined;
    Tag delimitation;
  };
  template <std::unsigned_integral T>
  void store(std::byte* to, T value) const {
    store_le(to, encoding_ == Encoding::kExplicitBig ? swap_bytes(value) : value);
  }
  template <std::unsigned_integral T>
  void put(T value) {
    bytes_.resize(bytes_.size() + sizeof value);
    store(bytes_.data() + bytes_.size() - sizeof value, value);
  }
  template <std::unsigned_integral T>
  FileBuilder& numbers(Tag tag, std::string_view vr, std::initializer_list<T> values) {
    header(tag, vr, static_cast<std::uint32_t>(values.size() * sizeof(T)));
    for (T value : values) put(value);
    return *this;
  }

  Encoding encoding_;
  Bytes bytes_;
  std::vector<Open> open_;
};

// Headers and values of a list of tokens, in order. Their lengths are taken from the tokens.
inline void append_tokens(const std::vector<Token>& tokens, ByteSpan source, Bytes& out) {
  for (const Token& token : tokens) {
    write_header(token, token.length, out);
    const bool has_value = token.kind == TokenKind::kElement || token.kind == TokenKind::kFragment;
    if (has_value) append(out, source.subspan(token.value, token.length));
  }
}

// What tokenising `file` came to, put together again: equal to `file`, whatever the file is. For a deflated file
// the data set stands in it inflated, so that it is to be compared with inflated().
inline Bytes reassemble(const Tokens& tokens, ByteSpan file) {
  Bytes out(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(tokens.preamble));
  append_tokens(tokens.meta, file, out);
  append_tokens(tokens.data, tokens.data_bytes(file), out);
  append(out, tokens.data_bytes(file).subspan(tokens.end));
  return out;
}
inline Bytes inflated(const Tokens& tokens, ByteSpan file) {
  if (!tokens.deflated) return Bytes(file.begin(), file.end());
  Bytes out(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(tokens.data_begin));
  append(out, tokens.inflated);
  return out;
}

// An image of `rows` x `columns` 16-bit pixels as a CT scanner might write it. Instances with one `series` number
// form a series; `instance` counts from 1 and sets position and pixels.
inline Bytes ct_image(unsigned instance, unsigned rows = 8, unsigned columns = 8, unsigned series = 1,
                      Encoding encoding = Encoding::kExplicitLittle) {
  const std::string study = "1.2.826.0.1.3680043.8.498.1";
  const std::string series_uid = study + "." + std::to_string(series);
  const std::string instance_uid = series_uid + "." + std::to_string(instance);
  FileBuilder file(encoding);
  file.meta(encoding == Encoding::kImplicitLittle ? kImplicitLittleUid
            : encoding == Encoding::kExplicitBig  ? kExplicitBigUid
                                                  : kExplicitLittleUid)
      .text(kSpecificCharacterSet, "CS", "ISO_IR 100")
      .text(kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.2")
      .text(kSopInstanceUid, "UI", instance_uid)
      .text(kModality, "CS", "CT")
      .sequence(0x00081140)
      .item()
      .text(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2")
      .text(0x00081155, "UI", instance_uid + ".1")
      .end()
      .end()
      .text(0x00100010, "PN", "Phantom^Small")
      .text(kStudyInstanceUid, "UI", study)
      .text(kSeriesInstanceUid, "UI", series_uid)
      .text(kInstanceNumber, "IS", std::to_string(instance))
      .text(kImagePosition, "DS", "-100\\-100\\" + std::to_string(2 * instance))
      .text(kImageOrientation, "DS", "1\\0\\0\\0\\1\\0")
      .u16(kSamplesPerPixel, "US", {1})
      .text(kPhotometricInterpretation, "CS", "MONOCHROME2")
      .u16(kRows, "US", {static_cast<std::uint16_t>(rows)})
      .u16(kColumns, "US", {static_cast<std::uint16_t>(columns)})
      .u16(kBitsAllocated, "US", {16})
      .u16(kBitsStored, "US", {12})
      .u16(kHighBit, "US", {11})
      .u16(kPixelRepresentation, "US", {0})
      .header(kPixelData, "OW", static_cast<std::uint32_t>(2 * rows * columns));
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned column = 0; column < columns; ++column) {
      const unsigned value = (row * row + 3 * column * instance + 7) % 4096;
      std::byte low{static_cast<unsigned char>(value & 0xFF)}, high{static_cast<unsigned char>(value >> 8)};
      if (encoding == Encoding::kExplicitBig) std::swap(low, high);
      file.raw(ByteSpan(std::array{low, high}));
    }
  return file.take();
}

// A raw deflate stream (RFC 1951) of one stored block. REQUIRES: bytes.size() <= 65535.
inline Bytes deflated(ByteSpan bytes) {
  const auto size = static_cast<std::uint16_t>(bytes.size());
  ByteWriter stream;
  stream.put(std::uint8_t{1});
  stream.put(size);
  stream.put(static_cast<std::uint16_t>(~size));
  stream.put_bytes(bytes);
  return stream.take();
}

// A data set with every kind of token in it, nested sequences of both kinds of length among them.
inline FileBuilder rich_data_set(Encoding encoding) {
  FileBuilder data(encoding);
  data.text(kSopInstanceUid, "UI", "1.2.3")
      .sequence(0x00081115, true)
      .item()
      .sequence(0x00081199)
      .item(true)
      .text(0x00081155, "UI", "1.2.3.4")
      .end()
      .item()
      .end()
      .end()
      .end()
      .end()
      .text(0x00090010, "LO", "PRIVATE")
      .element(0x00091001, "UN", {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}})
      .sequence(0x00091002, false, "UN")
      .in(Encoding::kImplicitLittle)
      .item()
      .text(0x00091003, "LO", "inside UN")
      .end()
      .end()
      .in(encoding)
      .text(0x00100010, "PN", "A^B")
      .sequence(0x0040A730)
      .end()
      .fragments({{}, Bytes(6, std::byte{0xAA}), Bytes(3, std::byte{0xBB})})
      .element(0xFFFCFFFC, "OB", Bytes(4));
  return data;
}

// One small file of every kind: seeds for fuzzing, and for tests that hold for every file.
inline std::vector<Bytes> sample_files() {
  const auto with_meta = [](std::string_view uid, ByteSpan data) { return FileBuilder().meta(uid).raw(data).take(); };
  const Bytes explicit_little = rich_data_set(Encoding::kExplicitLittle).take();
  const Bytes implicit_little = rich_data_set(Encoding::kImplicitLittle).take();
  const Bytes explicit_big = rich_data_set(Encoding::kExplicitBig).take();
  const Bytes stray = FileBuilder().element(0xFFFEE000, "", Bytes(6)).header(0xFFFEE0DD, "", 0).take();
  const Bytes undelimited = FileBuilder()
                                .header(kPixelData, "OB", 0xFFFFFFFF)
                                .header(0xFFFEE000, "", 0)
                                .element(0xFFFEE000, "", Bytes(6))
                                .take();
  return {with_meta(kJpegLosslessUid, explicit_little),
          with_meta(kImplicitLittleUid, implicit_little),
          with_meta(kExplicitBigUid, explicit_big),
          with_meta(kDeflatedUid, deflated(explicit_little)),
          FileBuilder().meta(kRleUid).raw(stray).raw(undelimited).take(),
          with_meta(kExplicitLittleUid, implicit_little),
          with_meta(kImplicitLittleUid, explicit_big),
          FileBuilder().meta_group(kExplicitLittleUid).raw(explicit_little).take(),
          FileBuilder().preamble().raw(implicit_little).take(),
          explicit_little,
          implicit_little,
          explicit_big,
          ct_image(1),
          ct_image(2, 4, 4, 1, Encoding::kImplicitLittle),
          ct_image(3, 4, 4, 1, Encoding::kExplicitBig)};
}

}  // namespace dicube::dicom::testing
