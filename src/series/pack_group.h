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
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const Member& member : members) sum += member.file.size;
    return sum;
  }
};

// Told of files, their bytes, and what was done with them; by several threads at once.
using Advance = std::function<void(Progress::Phase, std::uint64_t, std::uint64_t)>;

struct PackedGroup {
  SeriesReport report;        // its error: there is no archive
  std::vector<Error> errors;  // of files that are not in it
};

// The path of a file in a folder, as a person would write it: without "./" in front and "//" inside.
std::string path_in(const std::string& folder, const std::string& name);

// Packs the group into the archive `name` in `folder`.
PackedGroup pack_group(const Group& group, const io::Folder& folder, std::string name, unsigned threads,
                       const PackOptions& options, const Advance& advance);

}  // namespace dicube::series
