#include "cli/archives.h"

#include <algorithm>
#include <filesystem>

#include "base/formatted.h"
#include "base/result.h"
#include "format/header.h"
#include "io/file.h"
#include "series/archive_ending.h"

namespace dicube::cli {

namespace fs = std::filesystem;

namespace {

// `size` bytes of a file from `place` on; "" where it can't be read that far.
std::string bytes_at(const std::string& path, std::uint64_t place, std::size_t size) {
  const auto file = io::InputFile::open(path);
  std::string found(size, '\0');
  const bool has_them =
      file && (*file)->size() >= place + size && (*file)->read_at(place, std::as_writable_bytes(std::span(found)));
  return has_them ? found : "";
}

}  // namespace

std::vector<std::string> archives_inside(const std::string& folder, bool recursive,
                                         const std::function<void(Error)>& on_error) {
  std::vector<std::string> inside, open = {folder};
  while (!open.empty()) {
    const std::string next = std::move(open.back());
    open.pop_back();
    auto entries = io::list_folder(next);
    if (!entries) {
      on_error(std::move(entries).error());
      continue;
    }
    for (const io::Entry& entry : *entries) {
      const std::string path = io::path_in(next, entry.name);
      const bool is_folder = entry.kind == io::Entry::Kind::kFolder;
      if (is_folder && recursive) open.push_back(path);
      if (!is_folder && entry.kind != io::Entry::Kind::kLinkToFolder && series::is_archive_name(path))
        inside.push_back(path);
    }
  }
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
    bool is_read = true;
    const auto inside = archives_inside(path, common.recursive, [&](Error error) {
      is_read = false;
      error.error_class = ErrorClass::kIo;
      code = std::max(code, common.error(error));
    });
    if (is_read && inside.empty())
      code = std::max(code, common.error({ErrorClass::kNotFound,
                                          formatted("no archives (*.dcbs, *.dcba, *.dcbl) in it{}",
                                                    common.recursive ? "" : "; -r looks in folders below it, too"),
                                          path}));
    out.insert(out.end(), inside.begin(), inside.end());
  }
  return out;
}

bool is_archive(const std::string& path) {
  if (series::is_archive_name(path)) return true;
  const auto text = [](const auto& magic) { return std::string(magic.begin(), magic.end()); };
  static_assert(format::kMagic.size() == format::kVersion1Magic.size());
  const std::string start = bytes_at(path, 0, format::kMagic.size());
  return start == text(format::kMagic) || start == text(format::kVersion1Magic);
}

Status check_no_folder(const std::string& path) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return {};
  const auto inside = archives_inside(path, false, [](const Error&) {});
  const std::string example = inside.empty() ? "" : formatted(", as {}", inside.front());
  return tl::unexpected<Error>(
      Error{ErrorClass::kUsage, formatted("is a folder: one archive is wanted{}", example), path});
}

Error not_opened(const Error& why, const std::string& path) {
  Error error = in_file(why, path);
  if (bytes_at(path, 128, 4) == "DICM") error.message = "a DICOM file and no archive: dicube pack makes one of it";
  return error;
}

Result<Archive> open_archive(const std::string& path) {
  DICUBE_TRY(check_no_folder(path));
  auto archive = Archive::open(path);
  if (archive) return archive;
  return tl::unexpected<Error>(not_opened(archive.error(), path));
}

}  // namespace dicube::cli
