// Packing the files of one series into one archive, proven before it gets its name.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "dicube/series.h"
#include "io/file.h"
#include "series/prepared.h"
#include "series/scan.h"

namespace dicube::series {

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

// How far packing and proving are, which take turns. The mutex, which must outlive it, is that of the callbacks.
class PackProgress {
 public:
  PackProgress(std::uint64_t files, std::uint64_t bytes, const CallOptions& options, std::mutex& mutex)
      : packed_{Progress::Phase::kPack, 0, files, 0, bytes},
        proven_{Progress::Phase::kProve, 0, files, 0, bytes},
        options_(options),
        mutex_(mutex) {}
  // Told of each file, by its name and size, and what was done with it; by several threads at once.
  void advance(Progress::Phase phase, const std::string& file, std::uint64_t bytes);
  // Not to be packed after all, as it is there already: takes no time.
  void leave_out(const Group& group);

 private:
  Progress packed_, proven_;
  const CallOptions& options_;
  std::mutex& mutex_;
};

struct PackedGroup {
  SeriesReport report;        // its error: there is no archive
  std::vector<Error> errors;  // of files that are not in it
};

// Packs the group into the archive `name` in `folder`.
PackedGroup pack_group(const Group& group, const io::Folder& folder, std::string name, unsigned threads,
                       const PackOptions& options, PackProgress& progress);

// Files that stand nowhere on disk: those of another archive, as they are or changed.
struct Making {
  std::string series_instance_uid;
  std::vector<Member> files;  // in the archive's order
  Read read;
  bool lossy = false;  // the archive is to say that they are derived images
};

// Packs them into the archive `name` in `folder`, proven as by pack(). A file that can't be made fails it as a whole.
SeriesReport pack_made(Making making, const io::Folder& folder, const std::string& name, const PackOptions& options);

}  // namespace dicube::series
