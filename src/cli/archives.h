// The archives that a command line names.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace dicube::cli {

// Archives directly inside a folder, or in folders below it too, sorted by name. `on_error` hears of folders that can't
// be read; the others count.
std::vector<std::string> archives_inside(const std::string& folder, bool recursive,
                                         const std::function<void(Error)>& on_error);

// Folders stand for the archives directly inside them, or with common.recursive below them too. Those without any, or
// that can't be read, are failed inputs: `code` becomes their exit code where that is larger.
std::vector<std::string> archives_of(const std::vector<std::string>& paths, const Common& common, int& code);

// By its name or its first bytes.
bool is_archive(const std::string& path);

// kUsage for a folder, where one archive is wanted.
Status check_no_folder(const std::string& path);

// The error of what could not be opened as an archive, in words for who took a DICOM file for one.
Error not_opened(const Error& why, const std::string& path);

// For commands that take one archive; its error names the file. kUsage for a folder.
Result<Archive> open_archive(const std::string& path);

}  // namespace dicube::cli
