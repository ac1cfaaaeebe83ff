// Packing files that stand nowhere on disk: those of another archive, as they are or changed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "io/file.h"
#include "series/scan.h"

namespace dicube::series {

struct MadeFile {
  File file;
  bool looks_like_dicom = false;
  std::uint64_t sop_instance = 0;  // as Head has it
};

struct Making {
  std::string series_instance_uid;
  std::vector<MadeFile> files;                      // in the archive's order
  std::function<Status(const File&, Bytes&)> read;  // from several threads at once; the same bytes each time
  bool lossy = false;                               // the archive is to say that they are derived images
};

// Packs them into the archive `name` in `folder`, proven as by pack(). A file that can't be made fails it as a whole.
SeriesReport pack_made(Making making, const io::Folder& folder, const std::string& name, const PackOptions& options);

}  // namespace dicube::series
