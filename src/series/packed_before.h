// Archives that are there before packing, and whether they stand for what is to be packed.
#pragma once

#include <span>

#include "dicube/archive.h"
#include "series/pack_group.h"

namespace dicube::series {

// Whether the archive `name` in `folder`, where there is one, stands for the group, which is then not packed; kConflict
// where it does not, and is not to be replaced or left beside another.
Result<bool> is_packed(const Group& group, const io::Folder& folder, const std::string& name, OnConflict on_conflict);

// How many files of an archive are not among the members.
std::size_t others_in(const Archive& archive, std::span<const Member* const> members);

// That one of the group's series is replaced which holds `others` files besides.
Finding replaces_more(const Archive& archive, std::size_t others);

}  // namespace dicube::series
