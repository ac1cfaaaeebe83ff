// How a header's form is found:
//  1. The encoding's own form, when the VR bytes (explicit) are a VR of the standard, or (implicit) are none.
//     All headers of a conforming file end here.
//  2. Otherwise every form that the bytes could mean is tried, the likeliest first. The first that makes sense is
//     taken: its value fits, and after the value another header with a tag that isn't lower can follow.
//  3. When none makes sense, the likeliest is taken if its VR looks like a VR, so that the error names the element.
#include "dicom/header.h"
#include "dicom/tags.h"

#include <algorithm>
#include <span>

namespace dicube::dicom {
namespace {

constexpr auto kVrForms = [] {
  std::array<VrForm, 26 * 26> forms{};
  auto set = [&](std::string_view names, VrForm form) {
    for (std::size_t i = 0; i < names.size(); i += 3)
      forms[static_cast<std::size_t>((names[i] - 'A') * 26 + names[i + 1] - 'A')] = form;
  };
  set("AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US", VrForm::kShort);
  set("OB OD OF OL OV OW SQ SV UC UN UR UT UV", VrForm::kLong);
  return forms;
}();

bool is_capital(std::byte letter) { return letter >= std::byte{'A'} && letter <= std::byte{'Z'}; }

Tag load_tag(const std::byte* from, Encoding encoding) {
  return Tag{load<std::uint16_t>(from, encoding)} << 16 | load<std::uint16_t>(from + 2, encoding);
}

HeaderStatus read_long(const std::byte* from, std::uint64_t left, Header& header) {
  header.form = HeaderForm::kLong;
  header.size = 12;
  if (left < 12) return HeaderStatus::kTooShort;
  header.reserved = load<std::uint16_t>(from + 6, header.encoding);
  header.length = load<std::uint32_t>(from + 8, header.encoding);
  return HeaderStatus::kRead;
}

// One header in a given form. REQUIRES: 8 bytes at `from`; `left` counts what is there.
HeaderStatus read_form(const std::byte* from, std::uint64_t left, HeaderForm form, Encoding encoding, Header& header) {
  header.form = form;
  header.tag = load_tag(from, encoding);
  header.reserved = 0;
  header.size = 8;
  if (form == HeaderForm::kImplicit) {
    // An implicit header inside big endian data stays big endian; no transfer syntax of the standard has that.
    header.encoding = is_big(encoding) ? encoding : Encoding::kImplicitLittle;
    header.vr = {0, 0};
    header.length = load<std::uint32_t>(from + 4, encoding);
    return HeaderStatus::kRead;
  }
  header.encoding = is_big(encoding) ? encoding : Encoding::kExplicitLittle;
  header.vr = {static_cast<char>(from[4]), static_cast<char>(from[5])};
  if (form == HeaderForm::kLong) return read_long(from, left, header);
  header.length = load<std::uint16_t>(from + 6, encoding);
  return HeaderStatus::kRead;
}

// Whether the bytes at `at` can be the header behind an element `previous`, as far as they are at hand.
bool can_follow(const Window& window, std::uint64_t at, std::uint64_t bound, Encoding encoding, Tag previous) {
  if (at == bound) return true;
  if (bound - at < 8) return false;
  if (at > window.bytes.size() || window.bytes.size() - at < 8) return true;
  const std::byte* from = window.bytes.data() + at;
  const Tag tag = load_tag(from, encoding);
  if (tag == kItemDelimitation || tag == kSequenceDelimitation) return true;
  if (tag < previous || is_item_or_delimitation(tag)) return false;
  if (vr_form(from[4], from[5]) != VrForm::kUnknown) return true;
  const auto length = load<std::uint32_t>(from + 4, encoding);
  return length == kUndefinedLength || length <= bound - at - 8;
}

// Whether items or a delimitation begin at `at`. UN holds little endian items in a big endian data set, too.
bool items_begin(const Window& window, std::uint64_t at, std::uint64_t bound, Encoding encoding) {
  if (at > bound || bound - at < 8) return false;
  if (at > window.bytes.size() || window.bytes.size() - at < 8) return true;
  for (Encoding order : {encoding, Encoding::kImplicitLittle}) {
    const Tag tag = load_tag(window.bytes.data() + at, order);
    if (tag == kItem || tag == kSequenceDelimitation) return true;
  }
  return false;
}

bool makes_sense(const Window& window, std::uint64_t at, std::uint64_t bound, const Header& header) {
  const std::uint64_t value = at + header.size;
  if (header.undefined()) return items_begin(window, value, bound, header.encoding);
  if (value > bound || header.length > bound - value) return false;
  return can_follow(window, value + header.length, bound, header.encoding, header.tag);
}

// Step 2 and 3 of the file's head comment. REQUIRES: 8 bytes at `at`.
HeaderStatus guess(const Window& window, std::uint64_t at, std::uint64_t bound, Encoding encoding, Header& header) {
  const std::byte* from = window.bytes.data() + at;
  const std::uint64_t left = std::min<std::uint64_t>(bound, window.bytes.size()) - at;
  const VrForm known = vr_form(from[4], from[5]);
  const bool letters = is_capital(from[4]) && is_capital(from[5]);

  std::array<HeaderForm, 3> order;
  std::size_t count = 3;
  if (encoding == Encoding::kImplicitLittle) {
    order = {HeaderForm::kImplicit, known == VrForm::kLong ? HeaderForm::kLong : HeaderForm::kShort};
    count = 2;
  } else if (known == VrForm::kLong) {  // its reserved bytes aren't zero
    order = {HeaderForm::kLong, HeaderForm::kShort};
    count = 2;
  } else if (letters) {  // a VR of a later edition has the long form (PS3.5 7.1.2)
    order = {HeaderForm::kLong, HeaderForm::kShort, HeaderForm::kImplicit};
  } else {
    order = {HeaderForm::kImplicit, HeaderForm::kShort, HeaderForm::kLong};
  }
  for (HeaderForm form : std::span(order).first(count))
    if (read_form(from, left, form, encoding, header) == HeaderStatus::kRead && makes_sense(window, at, bound, header))
      return HeaderStatus::kRead;

  if (read_form(from, left, order[0], encoding, header) != HeaderStatus::kRead)
    return bound - at < header.size ? HeaderStatus::kTooShort : HeaderStatus::kCut;
  return order[0] == HeaderForm::kImplicit && encoding != Encoding::kImplicitLittle ? HeaderStatus::kNonsense
                                                                                    : HeaderStatus::kRead;
}

}  // namespace

VrForm vr_form(std::byte first, std::byte second) {
  if (!is_capital(first) || !is_capital(second)) return VrForm::kUnknown;
  return kVrForms[(std::to_integer<std::size_t>(first) - 'A') * 26 + std::to_integer<std::size_t>(second) - 'A'];
}

Tag load_tag(ByteSpan bytes, std::uint64_t at, Encoding encoding) { return load_tag(bytes.data() + at, encoding); }

HeaderStatus read_header(const Window& window, std::uint64_t at, std::uint64_t bound, Encoding encoding,
                         Header& header) {
  const std::uint64_t left = std::min<std::uint64_t>(bound, window.bytes.size()) - at;
  header.size = 8;
  if (left < 8) return bound - at < 8 ? HeaderStatus::kTooShort : HeaderStatus::kCut;
  const std::byte* from = window.bytes.data() + at;
  const Tag tag = load_tag(from, encoding);
  if (is_item_or_delimitation(tag)) {  // without a VR in any encoding (PS3.5 7.5)
    read_form(from, left, HeaderForm::kImplicit, encoding, header);
    header.encoding = encoding;
    return HeaderStatus::kRead;
  }
  const VrForm known = vr_form(from[4], from[5]);
  if (encoding == Encoding::kImplicitLittle) {
    if (known != VrForm::kUnknown) return guess(window, at, bound, encoding, header);
    read_form(from, left, HeaderForm::kImplicit, encoding, header);
    return tag == 0 && header.length == 0 ? HeaderStatus::kNonsense : HeaderStatus::kRead;  // padding
  }
  if (known == VrForm::kShort) return read_form(from, left, HeaderForm::kShort, encoding, header);
  if (known == VrForm::kLong) {
    auto status = read_form(from, left, HeaderForm::kLong, encoding, header);
    if (status != HeaderStatus::kRead) return bound - at < header.size ? HeaderStatus::kTooShort : HeaderStatus::kCut;
    if (header.reserved == 0) return status;
  } else if (tag == 0 && load_le<std::uint32_t>(from + 4) == 0) {
    read_form(from, left, HeaderForm::kImplicit, encoding, header);
    return HeaderStatus::kNonsense;
  }
  return guess(window, at, bound, encoding, header);
}

bool starts_data_set(const Window& window, std::uint64_t at, Encoding encoding) {
  if (at == window.limit) return true;
  if (window.limit - at < 8) return false;
  const std::uint64_t left = window.bytes.size() - at;
  if (left < 8) return true;
  const std::byte* from = window.bytes.data() + at;
  const VrForm known = vr_form(from[4], from[5]);
  if ((known == VrForm::kUnknown) != (encoding == Encoding::kImplicitLittle)) return false;
  HeaderForm form = known == VrForm::kUnknown ? HeaderForm::kImplicit
                    : known == VrForm::kLong  ? HeaderForm::kLong
                                              : HeaderForm::kShort;
  Header header;
  if (read_form(from, left, form, encoding, header) != HeaderStatus::kRead) return window.limit - at >= header.size;
  // First groups are low: 0x0800 is 0x0008 in the other byte order, as 0xFEFF is 0xFFFE.
  const auto group = static_cast<std::uint16_t>(header.tag >> 16);
  return header.tag != 0 && group <= swap_bytes(group) && group != 0xFEFF &&
         makes_sense(window, at, window.limit, header);
}

void write_header(const Token& token, std::uint64_t length, Bytes& out) {
  const bool delimitation = token.kind == TokenKind::kItemEnd || token.kind == TokenKind::kSequenceEnd ||
                            token.kind == TokenKind::kFragmentsEnd;
  if (delimitation && !token.undefined_length) return;
  std::array<std::byte, 12> header;
  auto put = [&](std::size_t at, std::unsigned_integral auto value) {
    store_le(header.data() + at, is_big(token.encoding) ? swap_bytes(value) : value);
  };
  if (delimitation) {
    length = 0;
  } else if (token.undefined_length) {
    length = kUndefinedLength;
  }
  put(0, static_cast<std::uint16_t>(token.tag >> 16));
  put(2, static_cast<std::uint16_t>(token.tag));
  std::size_t size = 8;
  if (token.form == HeaderForm::kImplicit) {
    put(4, static_cast<std::uint32_t>(length));
  } else {
    header[4] = static_cast<std::byte>(token.vr[0]);
    header[5] = static_cast<std::byte>(token.vr[1]);
    if (token.form == HeaderForm::kShort) {
      put(6, static_cast<std::uint16_t>(length));
    } else {
      put(6, token.reserved);
      put(8, static_cast<std::uint32_t>(length));
      size = 12;
    }
  }
  append(out, ByteSpan(header).first(size));
}

}  // namespace dicube::dicom
