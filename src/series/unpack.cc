#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>

#include "archive/state.h"
#include "base/parallel.h"
#include "dicube/series.h"
#include "io/file.h"
#include "series/call.h"
#include "series/transcode.h"

namespace dicube {
namespace {

constexpr std::size_t kLongestComponent = 255;

// The name's folders and file, or why it can't be written below a folder: archives come from anywhere.
Result<std::vector<std::string>> components(const std::string& name) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= name.size();) {
    const auto slash = std::min(name.find('/', at), name.size());
    std::string part = name.substr(at, slash - at);
    if (part.empty() || part == "." || part == ".." || part.size() > kLongestComponent ||
        part.find('\0') != std::string::npos)
      return fail(ErrorClass::kDamaged, "instance name '{}' is refused: not a plain relative path", name);
    parts.push_back(std::move(part));
    at = slash + 1;
  }
  return parts;
}

enum class Outcome { kWritten, kUnchanged, kSkipped };

struct Restored {
  Outcome outcome = Outcome::kWritten;
  std::uint64_t bytes = 0, error = 0;
  bool renamed = false;
};

// What an instance's file shall be: the original, or one in another transfer syntax.
struct Wanted {
  OnConflict on_conflict = OnConflict::kError;
  std::optional<series::Transcoding> transcoding;
  bool verify = false;
};

Status read_back(const io::NewFile& file, Bytes& bytes) {
  bytes.resize(file.size());
  return file.read_at(0, bytes);
}

Result<Restored> write_instance(const Archive& archive, std::size_t index, const io::Folder& folder,
                                const std::string& name, const Wanted& wanted, Bytes& bytes) {
  Restored restored;
  DICUBE_ASSIGN(auto file, io::NewFile::create(folder, name));
  if (wanted.transcoding) {
    DICUBE_ASSIGN(auto made, series::transcode(archive, index, *wanted.transcoding));
    DICUBE_TRY(file.append(made.file));
    if (wanted.verify) {
      DICUBE_TRY(read_back(file, bytes));
      DICUBE_ASSIGN(restored.error, series::check_transcoded(archive, index, *wanted.transcoding, made, bytes));
    }
    if (made.unchanged) restored.outcome = Outcome::kUnchanged;
  } else {
    DICUBE_TRY(ArchiveAccess::read_instance(archive, index, bytes));
    DICUBE_TRY(file.append(bytes));
    if (wanted.verify) {
      Bytes written;
      DICUBE_TRY(read_back(file, written));
      if (!same_bytes(bytes, written))
        return fail(ErrorClass::kIo, "{}: what was written does not read back", archive.instances()[index].name);
    }
  }
  restored.bytes = file.size();
  if (auto done = commit(file, wanted.on_conflict); !done) {
    const bool is_there = done.error().error_class == ErrorClass::kConflict;  // made by another one meanwhile
    if (is_there && wanted.on_conflict == OnConflict::kSkip) return Restored{Outcome::kSkipped};
    return tl::unexpected<Error>(done.error());
  }
  restored.renamed = file.name() != name;
  return restored;
}

Result<Restored> restore(const Archive& archive, std::size_t index, const io::Folder& root, const Wanted& wanted,
                         Bytes& bytes) {
  const Instance& instance = archive.instances()[index];
  DICUBE_ASSIGN(auto parts, components(instance.name));
  const std::size_t depth = parts.size() - (instance.is_folder ? 0 : 1);
  DICUBE_ASSIGN(const auto inner, io::enter_all(root, std::span(parts).first(depth)));
  if (instance.is_folder) return Restored{};
  const io::Folder& folder = inner ? *inner : root;
  if (wanted.on_conflict == OnConflict::kSkip && folder.has(parts.back())) return Restored{Outcome::kSkipped};
  return write_instance(archive, index, folder, parts.back(), wanted, bytes);
}

Result<std::optional<series::Transcoding>> transcoding_of(const UnpackOptions& options, std::size_t instances) {
  if (options.transfer_syntax.empty()) {
    if (options.max_error > 0 || options.ratio > 0)
      return fail(ErrorClass::kUsage, "a loss goes with a lossy transfer syntax only");
    return std::nullopt;
  }
  series::Transcoding how;
  DICUBE_ASSIGN(how.target, series::find_transfer_syntax(options.transfer_syntax));
  const bool error = options.max_error > 0, ratio = options.ratio > 0;
  if (!how.target->is_lossy() && (error || ratio))
    return fail(ErrorClass::kUsage, "transfer syntax {} has no losses", how.target->name);
  if (how.target->is_lossy() && error == ratio)
    return fail(ErrorClass::kUsage, "transfer syntax {} needs {} of a largest error and a ratio", how.target->name,
                error ? "only one" : "one");
  how.loss = {options.max_error, options.ratio};
  const unsigned threads = thread_count(options.threads);
  how.threads = instances >= threads ? 1 : threads;
  return how;
}

// Errors of instances by cause: damage that several of them meet, as that of their metadata, is one error of the
// archive.
std::vector<Error> by_cause(const Archive& archive, const std::string& path, std::vector<std::optional<Error>> failed) {
  struct Cause {
    std::size_t place, count, first;
  };
  std::vector<Error> errors;
  std::map<std::string, Cause> causes;
  for (std::size_t i = 0; i < failed.size(); ++i) {
    if (!failed[i]) continue;
    const bool of_archive = failed[i]->file == path;
    const auto [cause, is_new] =
        causes.try_emplace(of_archive ? failed[i]->message : formatted("{}", i), Cause{errors.size(), 0, i});
    ++cause->second.count;
    if (is_new) errors.push_back(*std::move(failed[i]));
  }
  for (const auto& [message, cause] : causes) {
    Error& error = errors[cause.place];
    const std::string& name = archive.instances()[cause.first].name;
    if (cause.count > 1)
      error.message += formatted(" ({} files need it, {} is the first)", cause.count, name);
    else if (error.file == path && error.message.find(name) == std::string::npos)
      error.message = formatted("{}: {}", name, error.message);
  }
  return errors;
}

// Runs work(i, buffer) for every instance, the buffer being the thread's own; work returns the error of that instance,
// if any. Ends early when the target takes nothing more, with one error for that. Fills in `report`'s errors and counts
// of failures.
template <class Report, class Work>
void for_each_instance(const Archive& archive, Progress::Phase phase, const CallOptions& options, Report& report,
                       Work work) {
  std::atomic<bool> stopped = false;
  std::atomic<std::size_t> not_tried = 0;
  std::mutex mutex;
  std::vector<std::optional<Error>> failed(archive.instances().size());
  Progress progress{phase, 0, archive.instances().size(), 0, archive.info().source_bytes};
  std::vector<Bytes> buffers(thread_count(options.threads));
  const std::vector<std::size_t> order = ArchiveAccess::reading_order(archive);
  parallel_for(order.size(), options.threads, [&](std::size_t turn, unsigned worker) {
    const std::size_t i = order[turn];
    if (!check_cancel(options)) return;
    if (stopped) ++not_tried;
    if (stopped) return;
    failed[i] = work(i, buffers[worker]);
    const bool well = !failed[i];
    std::lock_guard lock(mutex);
    if (failed[i] && writes_no_more(*failed[i]) && stopped.exchange(true)) {  // another thread's said it
      failed[i].reset();
      ++not_tried;
    }
    ++progress.files_done;
    progress.bytes_done += archive.instances()[i].size;
    if (options.on_progress) options.on_progress(progress);
    if (options.on_file && well) options.on_file(phase, archive.instances()[i].name);
  });
  const auto is_folder = [](const Instance& instance) { return instance.is_folder; };
  report.folders =
      static_cast<std::uint64_t>(std::count_if(archive.instances().begin(), archive.instances().end(), is_folder));
  report.failed = static_cast<std::uint64_t>(
      std::count_if(failed.begin(), failed.end(), [](const auto& error) { return error.has_value(); }));
  if constexpr (requires { report.not_tried; }) report.not_tried = not_tried;
  report.errors = by_cause(archive, report.archive, std::move(failed));
}

}  // namespace

Result<UnpackReport> unpack(const std::string& path, const std::string& folder, const UnpackOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  DICUBE_ASSIGN(auto archive, Archive::open(path));
  Wanted wanted{options.on_conflict, {}, options.verify};
  DICUBE_ASSIGN(wanted.transcoding, transcoding_of(options, archive.instances().size()));
  if (folder.empty()) return fail(ErrorClass::kUsage, "an empty name of a folder to restore into");
  DICUBE_ASSIGN(auto root, io::Folder::make(folder));
  UnpackReport report;
  report.archive = path;
  report.is_lossy = archive.info().is_lossy;
  std::mutex mutex;
  for_each_instance(archive, Progress::Phase::kUnpack, options, report,
                    [&](std::size_t i, Bytes& buffer) -> std::optional<Error> {
                      auto restored = restore(archive, i, root, wanted, buffer);
                      if (!restored) return in_file(std::move(restored).error(), path);
                      std::lock_guard lock(mutex);
                      if (restored->outcome == Outcome::kSkipped)
                        ++report.skipped;
                      else if (!archive.instances()[i].is_folder) {
                        ++report.files;
                        report.renamed += restored->renamed;
                        report.unchanged += restored->outcome == Outcome::kUnchanged;
                        report.bytes += restored->bytes;
                        report.largest_error = std::max(report.largest_error, restored->error);
                      }
                      return std::nullopt;
                    });
  DICUBE_TRY(check_cancel(options));
  report.seconds = seconds_since(start);
  return report;
}

Result<VerifyReport> verify(const std::string& path, const CallOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  DICUBE_ASSIGN(auto archive, Archive::open(path));
  const Archive::State& state = ArchiveAccess::state(archive);
  VerifyReport report{path, archive.instances().size(), archive.frame_count(), archive.info().file_bytes, 0, 0, 0,
                      {},   archive.info().is_lossy};
  for_each_instance(archive, Progress::Phase::kVerify, options, report,
                    [&](std::size_t i, Bytes& buffer) -> std::optional<Error> {
                      auto rebuilt = ArchiveAccess::read_instance(archive, i, buffer);
                      if (!rebuilt) return in_file(rebuilt.error(), path);
                      return std::nullopt;
                    });
  // Blocks that no file is put together from are rare (frames of a data set kept whole); they count too.
  Bytes block;
  for (std::uint64_t number = 0; number < state.index.blocks.size() && check_cancel(options); ++number)
    if (auto read = state.read_block(number, block); !read && report.errors.empty())
      report.errors.push_back(in_file(read.error(), path));
  DICUBE_TRY(check_cancel(options));
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace dicube
