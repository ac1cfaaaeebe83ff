// Finding the files below folders, and what series each belongs to.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dicube/series.h"

namespace dicube::series {

struct File {
  std::string path, name;  // name: relative, '/' between folders
  std::uint64_t size = 0;
  bool is_folder = false;  // an empty one
};

// Regular files and empty folders in and below `sources`, sorted by name. Links to folders are not followed. What can't be
// read goes to `on_error`, and the rest goes on. `output`: where archives are written; those there are left out.
std::vector<File> find_files(const std::vector<std::string>& sources, const std::string& output,
                             const std::function<void(const Error&)>& on_error);

// What grouping and ordering need of one file.
struct Head {
  std::string series_instance_uid;  // empty: no instance of a series
  std::string sop_instance_uid;
  std::optional<double> instance_number;
  std::optional<double> position;  // along the normal of the image plane, mm
  bool looks_like_dicom = false;
  bool is_dicomdir = false;
};
Result<Head> read_head(const File& file);

}  // namespace dicube::series
