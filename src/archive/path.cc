#include "archive/path.h"

#include <charconv>

#include "dicom/dictionary.h"

namespace dicube::archive {
namespace {

Result<Step> parse_step(std::string_view text, std::string_view path) {
  Step step;
  const auto bracket = text.find('[');
  if (bracket != std::string_view::npos) {
    const std::string_view number = text.substr(bracket + 1, text.size() - bracket - 2);
    std::size_t item = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), item);
    if (text.back() != ']' || error != std::errc() || end != number.data() + number.size())
      return fail(ErrorClass::kUsage, "'{}' is no path: an item number like [0] is expected in '{}'", path, text);
    step.item = item;
  }
  const auto tag = dicom::parse_tag(text.substr(0, bracket));
  const std::string_view name = text.substr(0, bracket);
  if (!tag) return fail(ErrorClass::kUsage, "'{}' is no keyword or tag{}", name, dicom::suggested_keyword(name));
  step.tag = *tag;
  return step;
}

}  // namespace

Result<std::vector<Step>> parse_path(std::string_view text) {
  std::vector<Step> path;
  for (std::size_t at = 0; at <= text.size();) {
    const auto dot = std::min(text.find('.', at), text.size());
    DICUBE_ASSIGN(auto step, parse_step(text.substr(at, dot - at), text));
    path.push_back(step);
    at = dot + 1;
  }
  return path;
}

std::vector<columns::ColumnId> find_columns(const columns::Schema& schema, const std::vector<Step>& path) {
  std::vector<columns::ColumnId> found;
  const auto& all = schema.columns();
  for (columns::ColumnId id = 0; id < all.size(); ++id) {
    columns::ColumnId at = id;
    std::size_t step = path.size();
    while (step > 0 && at != columns::kNoParent && all[at].tag == path[step - 1].tag) {
      at = all[at].parent;
      --step;
    }
    if (step == 0 && at == columns::kNoParent && all[id].kind <= columns::ColumnKind::kFragments) found.push_back(id);
  }
  return found;
}

std::string format_path(const columns::Schema& schema, columns::ColumnId column) {
  const auto& key = schema.columns()[column];
  const auto* entry = dicom::find(key.tag);
  const bool named = entry != nullptr && dicom::find_keyword(entry->keyword) == key.tag;  // not of (6002,3000)
  const std::string own =
      named ? std::string(entry->keyword) : formatted("{:04x},{:04x}", key.tag >> 16, key.tag & 0xFFFF);
  return key.parent == columns::kNoParent ? own : format_path(schema, key.parent) + "." + own;
}

}  // namespace dicube::archive
