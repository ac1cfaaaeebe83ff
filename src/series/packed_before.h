// Archives that are there before packing, and whether they stand for what is to be packed.
#pragma once

#include <optional>
#include <span>

#include "dicube/archive.h"
#include "series/pack_group.h"

namespace dicube::series {

// Whether the archive `name` in `folder`, where there is one, stands for the group, which is then not packed; kConflict
// where it does not, and is not to be replaced or left beside another.
Result<bool> is_packed(const Group& group, const io::Folder& folder, const std::string& name, OnConflict on_conflict);

// What is lost with an archive that one of these members of the group would replace, if anything. kConflict where that
// may be the files which could not be read this time, when `lacks` is set.
Result<std::optional<Finding>> lost_with(const Archive& there, const Group& group,
                                         std::span<const Member* const> members, bool lacks);

}  // namespace dicube::series
