#include "dicom/element_writer.h"

#include "dicom/header.h"
#include "dicom/tags.h"

namespace dicube::dicom {
namespace {

template <class T>
void put(Bytes& out, T value) {
  std::byte raw[sizeof(T)];
  store_le(raw, value);
  append(out, raw);
}

void put_tag(Bytes& out, Tag tag) {
  put(out, static_cast<std::uint16_t>(tag >> 16));
  put(out, static_cast<std::uint16_t>(tag));
}

bool has_short_length(std::string_view vr) {
  return vr_form(static_cast<std::byte>(vr[0]), static_cast<std::byte>(vr[1])) == VrForm::kShort;
}

void put_header(Bytes& out, Tag tag, std::string_view vr, std::uint32_t length) {
  put_tag(out, tag);
  // PS3.5 6.2.2: a value too long for its VR's length field is written as UN.
  if (has_short_length(vr) && length > 0xFFFE) vr = "UN";
  append(out, as_bytes(vr));
  if (has_short_length(vr)) return put(out, static_cast<std::uint16_t>(length));
  put(out, std::uint16_t{0});
  put(out, length);
}

}  // namespace

void put_element(Bytes& out, Tag tag, std::string_view vr, ByteSpan value) {
  put_header(out, tag, vr, static_cast<std::uint32_t>(value.size() + value.size() % 2));
  append(out, value);
  if (value.size() % 2 != 0) out.push_back(vr == "UI" || vr == "UN" || vr[0] == 'O' ? std::byte{0} : std::byte{' '});
}

void put_element(Bytes& out, Tag tag, std::string_view vr, std::uint16_t value) {
  std::byte raw[2];
  store_le(raw, value);
  put_element(out, tag, vr, ByteSpan(raw));
}

void put_sequence(Bytes& out, Tag tag, const std::vector<Bytes>& items) {
  std::size_t size = 0;
  for (const Bytes& item : items) size += 8 + item.size();
  put_header(out, tag, "SQ", static_cast<std::uint32_t>(size));
  for (const Bytes& item : items) {
    put_tag(out, kItem);
    put(out, static_cast<std::uint32_t>(item.size()));
    append(out, item);
  }
}

void put_fragments(Bytes& out, const std::vector<ByteSpan>& frames) {
  put_header(out, kPixelData, "OB", kUndefinedLength);
  std::vector<std::uint32_t> offsets;
  std::uint64_t at = 0;
  for (const ByteSpan frame : frames) {
    offsets.push_back(static_cast<std::uint32_t>(at));
    at += 8 + frame.size() + frame.size() % 2;
  }
  if (at > 0xFFFFFFFF) offsets.clear();
  put_tag(out, kItem);
  put(out, static_cast<std::uint32_t>(4 * offsets.size()));
  for (const std::uint32_t offset : offsets) put(out, offset);
  for (const ByteSpan frame : frames) {
    put_tag(out, kItem);
    put(out, static_cast<std::uint32_t>(frame.size() + frame.size() % 2));
    append(out, frame);
    if (frame.size() % 2 != 0) out.push_back(std::byte{0});
  }
  put_tag(out, kSequenceDelimitation);
  put(out, std::uint32_t{0});
}

Bytes file_head(std::string_view sop_class, std::string_view sop_instance, std::string_view transfer_syntax) {
  Bytes group;
  constexpr std::byte kVersion[2] = {std::byte{0}, std::byte{1}};
  put_element(group, kMetaVersion, "OB", ByteSpan(kVersion));
  put_element(group, kMetaSopClassUid, "UI", as_bytes(sop_class));
  put_element(group, kMetaSopInstanceUid, "UI", as_bytes(sop_instance));
  put_element(group, kTransferSyntaxUid, "UI", as_bytes(transfer_syntax));
  put_element(group, kImplementationClassUid, "UI", as_bytes(kImplementationUid));
  put_element(group, kImplementationVersionName, "SH", as_bytes(kImplementationName));
  Bytes out(kPreambleBytes);
  append(out, as_bytes(kPrefix));
  std::byte length[4];
  store_le(length, static_cast<std::uint32_t>(group.size()));
  put_element(out, kMetaGroupLength, "UL", ByteSpan(length));
  append(out, group);
  return out;
}

}  // namespace dicube::dicom
