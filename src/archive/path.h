// Paths of elements: "PatientName", "0008,1140[0].ReferencedSOPInstanceUID".
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "columns/schema.h"

namespace dicube::archive {

struct Step {
  std::uint32_t tag = 0;
  std::optional<std::size_t> item;  // of a sequence; absent: every item
};
Result<std::vector<Step>> parse_path(std::string_view text);

// All columns at that place, whatever their VR and header form.
std::vector<columns::ColumnId> find_columns(const columns::Schema& schema, const std::vector<Step>& path);

// The keyword path of a column, tags where there is no keyword.
std::string format_path(const columns::Schema& schema, columns::ColumnId column);

}  // namespace dicube::archive
