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

bool is_named_as_archive(const fs::path& path) {
  const std::string ending = path.extension().string();
  return ending == ".dcbs" || ending == ".dcba" || ending == ".dcbl";
}

// `size` bytes of a file from `place` on; "" where it can't be read that far.
std::string bytes_at(const std::string& path, std::uint64_t place, std::size_t size) {
  const auto file = io::InputFile::open(path);
  std::string found(size, '\0');
  const bool has_them =
      file && (*file)->size() >= place + size && (*file)->read_at(place, std::as_writable_bytes(std::span(found)));
  return has_them ? found : "";
}

}  // namespace

Result<std::vector<std::string>> archives_inside(const std::string& folder, bool recursive) {
  std::vector<std::string> inside;
  std::error_code failed, ignored;
  for (fs::recursive_directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const bool is_folder = entry->is_directory(ignored);
    if (!is_folder && is_named_as_archive(entry->path())) inside.push_back(entry->path().string());
    if (is_folder && !recursive) entry.disable_recursion_pending();
  }
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
    const auto inside = archives_inside(path, common.recursive);
    if (!inside)
      code = std::max(code, common.error(inside.error()));
    else if (inside->empty())
      code = std::max(code, common.error({ErrorClass::kNotFound,
                                          formatted("no archives (*.dcbs, *.dcba, *.dcbl) in it{}",
                                                    common.recursive ? "" : "; -r looks in folders below it, too"),
                                          path}));
    else
      out.insert(out.end(), inside->begin(), inside->end());
  }
  return out;
}

bool is_archive(const std::string& path) {
  if (is_named_as_archive(path)) return true;
  const auto text = [](const auto& magic) { return std::string(magic.begin(), magic.end()); };
  static_assert(format::kMagic.size() == format::kVersion1Magic.size());
  const std::string start = bytes_at(path, 0, format::kMagic.size());
  return start == text(format::kMagic) || start == text(format::kVersion1Magic);
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
  if (bytes_at(path, 128, 4) == "DICM") error.message = "a DICOM file and no archive: dicube pack makes one of it";
  return tl::unexpected<Error>(error);
}

}  // namespace dicube::cli
