// What all long calls do.
#pragma once

#include <cerrno>
#include <chrono>
#include <filesystem>

#include "base/result.h"
#include "dicube/series.h"
#include "io/file.h"

namespace dicube {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// kStopped once the caller has asked for the end.
inline Status check_cancel(const CallOptions& options) {
  if (options.cancel == nullptr || !*options.cancel) return {};
  return fail(ErrorClass::kStopped, "cancelled");
}

// kUsage for a codec that does not code frames after others, where they shall be.
inline Status check_codec(Codec codec, bool references) {
  if (!references || codec == Codec::kAuto || codec == Codec::kLane) return {};
  return fail(ErrorClass::kUsage, "only the lane codec codes frames after others");
}

// kUsage for a loss that says nothing.
inline Status check_ratio(double ratio) {
  constexpr double kMost = 10000;
  if (ratio == 0 || (ratio >= 1 && ratio <= kMost)) return {};
  return fail(ErrorClass::kUsage, "a ratio of {}: from 1 to {}, or 0 for none", ratio, kMost);
}

// Counts one more file of so many bytes, and tells of it.
inline void count(Progress& progress, std::uint64_t bytes, const CallOptions& options) {
  ++progress.files_done;
  progress.bytes_done += bytes;
  if (options.on_progress) options.on_progress(progress);
}

// Whether a name that something has already is no obstacle: that is replaced, or another name is found.
inline bool may_be_there(OnConflict on_conflict) {
  return on_conflict == OnConflict::kOverwrite || on_conflict == OnConflict::kRename;
}

// Whether something has the name and is left as it is, so that nothing is to be written. kConflict where it is in the
// way.
inline Result<bool> leaves(const io::Folder& folder, const std::string& name, OnConflict on_conflict) {
  if (may_be_there(on_conflict) || !folder.has(name)) return false;
  if (on_conflict == OnConflict::kSkip) return true;
  return tl::unexpected<Error>(
      Error{ErrorClass::kConflict, "exists already", io::path_in(folder.path(), name), EEXIST});
}

// kUsage for the path of a folder where that of a file is wanted, which is to be written.
inline Status check_file_path(const std::string& path) {
  std::error_code failed;
  if (!path.ends_with('/') && !std::filesystem::is_directory(path, failed)) return {};
  return tl::unexpected<Error>(
      Error{ErrorClass::kUsage, "is a folder, and what is written is a file: give a name for that", path, EISDIR});
}

// Gives a finished file its name, or one beside what has it. False: another one has it meanwhile, and is left.
inline Result<bool> commit(io::NewFile& file, OnConflict on_conflict) {
  const Status named =
      on_conflict == OnConflict::kRename ? file.commit_renamed() : file.commit(on_conflict == OnConflict::kOverwrite);
  if (named) return true;
  if (on_conflict == OnConflict::kSkip && named.error().error_class == ErrorClass::kConflict) return false;
  return tl::unexpected<Error>(named.error());
}

}  // namespace dicube
