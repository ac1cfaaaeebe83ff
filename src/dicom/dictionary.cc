#include "dicom/dictionary.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <vector>

#include "base/formatted.h"
#include "base/spelling.h"

namespace dicube::dicom {
namespace {

using std::string_view_literals::operator""sv;

struct Element {
  DictionaryEntry entry;
  bool bytes_or_words;  // "OB or OW", which implicit VR encodings settle as OW (PS3.5 A.1)
};

constexpr Element kElements[] = {
#define DICUBE_ELEMENT(tag, keyword, vr, bytes_or_words) {{keyword, vr}, bytes_or_words},
#include "dicom/dictionary_data.inc"
#undef DICUBE_ELEMENT
};

// Beside the elements, so that a search touches 20 kB and not all of them.
constexpr Tag kTags[] = {
#define DICUBE_ELEMENT(tag, ...) tag,
#include "dicom/dictionary_data.inc"
#undef DICUBE_ELEMENT
};
static_assert(std::size(kTags) == std::size(kElements));
static_assert(std::is_sorted(std::begin(kTags), std::end(kTags)));

constexpr std::uint16_t kByKeyword[] = {
#define DICUBE_KEYWORD(index) index,
#include "dicom/dictionary_data.inc"
#undef DICUBE_KEYWORD
};

struct Repeater {
  Tag mask, tag;
  Element element;
};
constexpr Repeater kRepeaters[] = {
#define DICUBE_REPEATER(mask, tag, keyword, vr, bytes_or_words) {mask, tag, {{keyword, vr}, bytes_or_words}},
#include "dicom/dictionary_data.inc"
#undef DICUBE_REPEATER
};

const Element* find_repeater(Tag tag) {
  // The groups that repeat: overlays, curves, and retired ones (PS3.5 7.6).
  const Tag group = tag >> 16;
  if (group != 0x0020 && group != 0x0028 && (group & 0xFFEF) != 0x1000 && (group >> 8) != 0x50 &&
      (group >> 8) != 0x60 && (group >> 8) != 0x7F)
    return nullptr;
  for (const Repeater& repeater : kRepeaters)
    if ((tag & repeater.mask) == repeater.tag) return &repeater.element;
  return nullptr;
}

const Element* find_element(Tag tag) {
  if ((tag >> 16) % 2 != 0) return nullptr;  // private
  const Tag* at = std::lower_bound(std::begin(kTags), std::end(kTags), tag);
  if (at != std::end(kTags) && *at == tag) return &kElements[at - std::begin(kTags)];
  return find_repeater(tag);
}

// A repeating element's keyword means the first of its tags: OverlayData is (6000,3000). A tag that is an element of
// its own is passed over.
Tag first_tag(const Repeater& repeater) {
  const Tag free = ~repeater.mask;
  const Tag step = free & (~free + 1);  // the lowest of the bits that differ
  return find_element(repeater.tag) == &repeater.element ? repeater.tag : repeater.tag + step;
}

std::optional<Tag> parse_hex(std::string_view digits) {
  Tag tag = 0;
  const char* end = digits.data() + digits.size();
  auto [stopped, error] = std::from_chars(digits.data(), end, tag, 16);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return tag;
}

}  // namespace

const DictionaryEntry* find(Tag tag) {
  const Element* found = find_element(tag);
  return found ? &found->entry : nullptr;
}

std::optional<Tag> find_keyword(std::string_view keyword) {
  auto keyword_of = [](std::uint16_t index) { return kElements[index].entry.keyword; };
  const auto* at = std::ranges::lower_bound(kByKeyword, keyword, {}, keyword_of);
  if (at != std::end(kByKeyword) && keyword_of(*at) == keyword) return kTags[*at];
  if (keyword.empty()) return std::nullopt;
  for (const Repeater& repeater : kRepeaters)
    if (repeater.element.entry.keyword == keyword) return first_tag(repeater);
  return std::nullopt;
}

std::string suggested_keyword(std::string_view typed) {
  std::vector<std::string_view> keywords;
  for (const Element& element : kElements)
    if (!element.entry.keyword.empty()) keywords.push_back(element.entry.keyword);
  const auto meant = nearest_word(typed, keywords);
  return meant ? formatted("; did you mean {}?", *meant) : "";
}

std::optional<Tag> parse_tag(std::string_view text) {
  std::string_view digits = text;
  if (digits.size() > 2 && digits.front() == '(' && digits.back() == ')') digits = digits.substr(1, digits.size() - 2);
  if (digits.size() == 9 && digits[4] == ',') {
    auto group = parse_hex(digits.substr(0, 4));
    auto number = parse_hex(digits.substr(5));
    if (group && number) return *group << 16 | *number;
  } else if (digits.size() == text.size()) {
    if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
    if (digits.size() == 8)
      if (auto tag = parse_hex(digits)) return tag;
  }
  return find_keyword(text);
}

std::string format_tag(Tag tag) { return formatted("({:04X},{:04X})", tag >> 16, tag & 0xFFFF); }

std::string_view implicit_vr(Tag tag) {
  const Tag group = tag >> 16;
  const Tag number = tag & 0xFFFF;
  if (number == 0) return "UL";
  if (group % 2 != 0) return number >= 0x10 && number <= 0xFF ? "LO" : "UN";
  const Element* found = find_element(tag);
  if (!found || found->entry.vr.empty()) return "UN";
  return found->bytes_or_words ? "OW" : found->entry.vr;
}

bool follows_pixel_representation(Tag tag) {
  static constexpr Tag kFollowing[] = {0x00189810, 0x00221452, 0x00280071, 0x00280104, 0x00280105, 0x00280106,
                                       0x00280107, 0x00280108, 0x00280109, 0x00280110, 0x00280111, 0x00280120,
                                       0x00280121, 0x00281101, 0x00281102, 0x00281103, 0x00281111, 0x00281112,
                                       0x00281113, 0x00283002, 0x00409211, 0x00409216, 0x00603004, 0x00603006};
  return std::ranges::binary_search(kFollowing, tag);
}

}  // namespace dicube::dicom
