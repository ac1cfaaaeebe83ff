// Packing the files of one series into one archive, proven before it gets its name.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dicube/series.h"
#include "io/file.h"
#include "series/repack.h"

namespace dicube::series {

using Member = MadeFile;

// What goes into one archive, in its order.
struct Group {
  std::string uid;  // the Series Instance UID; empty: what belongs to no series
  std::vector<Member> members;
  std::string name = {};  // of the archive: a path in the output folder
  bool may_lack = false;  // not all that was found could be read
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const Member& member : members) sum += member.file.size;
    return sum;
  }
};

// Told of each file, by its name and size, and what was done with it; by several threads at once.
using Advance = std::function<void(Progress::Phase, const std::string&, std::uint64_t)>;

struct PackedGroup {
  SeriesReport report;        // its error: there is no archive
  std::vector<Error> errors;  // of files that are not in it
};

// Whether the archive `name` in `folder`, where there is one, stands for the group, which is then not packed; kConflict
// where it does not, and is not to be replaced or left beside another.
Result<bool> is_packed(const Group& group, const io::Folder& folder, const std::string& name, OnConflict on_conflict);

// Packs the group into the archive `name` in `folder`.
PackedGroup pack_group(const Group& group, const io::Folder& folder, std::string name, unsigned threads,
                       const PackOptions& options, const Advance& advance);

}  // namespace dicube::series
