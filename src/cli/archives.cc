#include "cli/archives.h"

#include <algorithm>
#include <filesystem>

#include "base/formatted.h"
#include "base/result.h"
#include "format/header.h"
#include "io/file.h"

namespace dicube::cli {

namespace fs = std::filesystem;

namespace {

// Whether a file has these bytes at a place.
bool has(const std::string& path, std::uint64_t place, std::string_view wanted) {
  const auto file = io::InputFile::open(path);
  Bytes found(wanted.size());
  return file && (*file)->size() >= place + wanted.size() && (*file)->read_at(place, found) && as_text(found) == wanted;
}

}  // namespace

Result<std::vector<std::string>> archives_inside(const std::string& folder) {
  std::vector<std::string> inside;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed))
    if (entry->path().extension() == ".dcbs" || entry->path().extension() == ".dcba" ||
        entry->path().extension() == ".dcbl")
      inside.push_back(entry->path().string());
  if (failed) return tl::unexpected<Error>(Error{ErrorClass::kIo, "can't be read: " + failed.message(), folder});
  std::sort(inside.begin(), inside.end());
  return inside;
}

std::vector<std::string> archives_of(const std::vector<std::string>& paths, const Common& common, int& code) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    std::error_code failed;
    if (!fs::is_directory(path, failed)) {
      out.push_back(path);
      continue;
    }
    const auto inside = archives_inside(path);
    if (!inside)
      code = std::max(code, common.error(inside.error()));
    else if (inside->empty())
      code = std::max(code, common.error({ErrorClass::kNotFound, "no archives (*.dcbs, *.dcba, *.dcbl) in it", path}));
    else
      out.insert(out.end(), inside->begin(), inside->end());
  }
  return out;
}

bool is_archive(const std::string& path) {
  const std::string ending = fs::path(path).extension().string();
  const auto text = [](const auto& magic) {
    return std::string_view(reinterpret_cast<const char*>(magic.data()), magic.size());
  };
  return ending == ".dcbs" || ending == ".dcba" || ending == ".dcbl" || has(path, 0, text(format::kMagic)) ||
         has(path, 0, text(format::kVersion1Magic));
}

Result<Archive> open_archive(const std::string& path) {
  std::error_code failed;
  if (fs::is_directory(path, failed)) {
    const auto inside = archives_inside(path);
    const std::string example = !inside || inside->empty() ? "" : formatted(", as {}", inside->front());
    return tl::unexpected<Error>(
        Error{ErrorClass::kUsage, formatted("is a folder: one archive is wanted{}", example), path});
  }
  auto archive = Archive::open(path);
  if (archive) return archive;
  Error error = in_file(archive.error(), path);
  if (has(path, 128, "DICM")) error.message = "a DICOM file and no archive: dicube pack makes one of it";
  return tl::unexpected<Error>(error);
}

}  // namespace dicube::cli
