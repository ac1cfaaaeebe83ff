#include "series/archive_names.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "base/hash.h"
#include "base/parallel.h"
#include "dicom/dictionary.h"
#include "dicom/tags.h"
#include "dicom/top_level.h"
#include "dicom/value.h"

namespace dicube::series {
namespace {

constexpr std::uint64_t kFirstRead = std::uint64_t{64} << 10;
constexpr std::size_t kLongestPart = 100;  // bytes; a UID, an ending and a number have room behind it
constexpr std::string_view kNoNames[] = {"SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN"};

// Bytes of the UTF-8 character that `text` begins with, or of something as short that is none: a name always has room.
std::size_t character_length(std::string_view text) {
  constexpr std::size_t kLongest = 4;
  std::size_t length = 1;
  while (length < std::min(kLongest, text.size()) && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80)
    ++length;
  return length;
}

// Of what is beyond ASCII, controls and general punctuation (spaces, marks that turn the direction of writing) are not.
bool is_safe(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (first < 0x80) return std::isalnum(first) != 0 || std::string_view("-_.+").find(character[0]) != std::string::npos;
  const auto second = static_cast<unsigned char>(character.size() > 1 ? character[1] : 0);
  return !(first == 0xC2 && second <= 0xA0) && !(first == 0xE2 && second <= 0x81);
}

std::string safe(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (is_safe(text.substr(0, length)))
      out += text.substr(0, length);
    else
      out += '_';
    text.remove_prefix(length);
  }
  return out;
}

// One folder's or file's name: not hidden, no option, not too long.
std::string as_part(std::string_view text) {
  std::string out;
  for (std::size_t length; !text.empty(); text.remove_prefix(length)) {
    length = character_length(text);
    if (out.size() + length > kLongestPart) break;
    out += text.substr(0, length);
  }
  if (out.starts_with('.') || out.starts_with('-')) out[0] = '_';
  if (out.ends_with('.')) out.back() = '_';
  return out;
}

using Texts = std::map<dicom::Tag, std::string>;

// The wanted values of a data set, its outermost elements'. True when all that are there were seen.
bool take_values(const dicom::Tokens& tokens, ByteSpan file, Texts& wanted) {
  dicom::CharacterSet charset;
  dicom::Tag last = 0;
  dicom::for_each_top_level(tokens.data, [&](const dicom::Token& token) {
    if (token.kind != dicom::TokenKind::kElement) return;
    last = token.tag;
    const ByteSpan value = tokens.data_bytes(file).subspan(token.value, token.length);
    if (token.tag == dicom::kSpecificCharacterSet) charset = dicom::CharacterSet(as_text(value));
    const auto found = wanted.find(token.tag);
    if (found == wanted.end()) return;
    const std::string_view vr = dicom::vr_of(token);
    const std::string text = dicom::joined(dicom::decode(value, vr, token.encoding, charset), vr, "_").value_or("");
    found->second = dicom::trimmed(as_bytes(text));
  });
  return last > wanted.rbegin()->first;
}

tl::unexpected<Error> no_template(std::string_view text, std::string_view why) {
  return fail(ErrorClass::kUsage, "'{}' is no template of names: {}", text, why);
}

Result<dicom::Tag> tag_in(std::string_view keyword, std::string_view text) {
  const auto tag = dicom::find_keyword(keyword);
  if (!tag) return no_template(text, formatted("'{}' is no keyword{}", keyword, dicom::suggested_keyword(keyword)));
  if (std::ranges::find(kNoNames, dicom::find(*tag)->vr) != std::end(kNoNames) || *tag >> 16 <= 2)
    return no_template(text, formatted("{} can't be a name: a text or number of the data set is wanted", keyword));
  return *tag;
}

// Whether each of the names between '/' is one below a folder.
bool stays_inside(std::string_view text) {
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

std::string without_case(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

}  // namespace

std::string name_after(const std::string& uid) {
  if (uid.empty()) return "other";
  const bool plain = uid != "other" && !uid.starts_with("series-") && uid.size() <= 128 &&
                     uid.find_first_not_of("0123456789.abcdefghijklmnopqrstuvwxyz_-") == std::string::npos &&
                     uid[0] != '.' && uid[0] != '-';
  return plain ? uid : "series-" + hex(sha256(as_bytes(uid))).substr(0, 32);
}

Result<NameTemplate> NameTemplate::parse(std::string_view text) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(text, is_control)) return no_template(text, "it has a control character");
  if (!stays_inside(text)) return no_template(text, "names below the output folder are wanted, with '/' between them");
  NameTemplate names;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t brace = std::min(rest.find_first_of("{}"), rest.size());
    if (brace > 0) names.parts_.push_back({std::string(rest.substr(0, brace))});
    rest.remove_prefix(brace);
    if (rest.empty()) break;
    const std::size_t end = rest.find_first_of("{}", 1);
    if (rest[0] == '}' || end == std::string_view::npos || rest[end] == '{')
      return no_template(text, "keywords stand in braces, as in {PatientID}");
    const std::string_view keyword = rest.substr(1, end - 1);
    DICUBE_ASSIGN(const dicom::Tag tag, tag_in(keyword, text));
    names.parts_.push_back({std::string(keyword), tag});
    rest.remove_prefix(end + 1);
  }
  return names;
}

std::string NameTemplate::name_for(const File& file) const {
  Texts values;
  for (const Part& part : parts_)
    if (part.tag != 0) values[part.tag];
  if (!values.empty())  // what can't be read has no values; packing it will say why
    static_cast<void>(read_start(file, kFirstRead,
                                 [&](const Start& start) { return take_values(start.tokens, start.bytes, values); }));
  std::string whole;
  for (const Part& part : parts_)
    whole += part.tag == 0 ? part.text : values[part.tag].empty() ? "no-" + part.text : safe(values[part.tag]);
  std::string name;
  for (std::size_t at = 0; at <= whole.size();) {
    const std::size_t end = std::min(whole.find('/', at), whole.size());
    (name += at > 0 ? "/" : "") += as_part(std::string_view(whole).substr(at, end - at));
    at = end + 1;
  }
  return name;
}

std::size_t give_names(std::vector<Group>& groups, const NameTemplate* names, std::string_view ending,
                       const SeriesThere& series_there, unsigned threads) {
  parallel_for(groups.size(), threads, [&](std::size_t i, unsigned) {
    Group& group = groups[i];
    const bool by_template = names != nullptr && !group.uid.empty();
    group.name = by_template ? names->name_for(group.members[0].file) : name_after(group.uid);
  });
  std::map<std::string, std::size_t> wanted = {{name_after(""), 1}};  // whether or not there is one
  for (const Group& group : groups)
    if (!group.uid.empty()) ++wanted[without_case(group.name)];
  const auto needs_uid = [&](const Group& group, const std::string& longer) {
    const bool is_wanted_twice = wanted[without_case(group.name)] > 1;
    if (names == nullptr) return is_wanted_twice;
    if (series_there(longer + std::string(ending)) == group.uid) return true;
    const auto there = series_there(group.name + std::string(ending));
    return there ? *there != group.uid : is_wanted_twice;
  };
  std::set<std::string> given;
  std::size_t with_uid = 0;
  for (Group& group : groups) {
    const std::string own = "-" + name_after(group.uid);
    if (!group.uid.empty() && needs_uid(group, group.name + own)) {
      group.name += own;
      ++with_uid;
    }
    while (!given.insert(without_case(group.name)).second) group.name += own;
    group.name += ending;
  }
  return with_uid;
}

}  // namespace dicube::series
