#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>

#include "archive/state.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "dicube/series.h"
#include "io/file.h"
#include "series/call.h"
#include "series/each_instance.h"
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

// An instance that was restored; its file has no name yet.
struct Restored {
  std::size_t number = 0;
  Outcome outcome = Outcome::kWritten;
  std::uint64_t error = 0;
  std::unique_ptr<io::Folder> folder;  // where the file will be, if not in the root; or itself
  std::unique_ptr<io::NewFile> file;   // none when there is nothing to write
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

Status write_instance(const Archive& archive, const Wanted& wanted, Restored& restored, Bytes& bytes) {
  io::NewFile& file = *restored.file;
  const std::size_t number = restored.number;
  if (wanted.transcoding) {
    DICUBE_ASSIGN(auto made, series::transcode(archive, number, *wanted.transcoding));
    DICUBE_TRY(file.append(made.file));
    if (wanted.verify) {
      DICUBE_TRY(read_back(file, bytes));
      DICUBE_ASSIGN(restored.error, series::check_transcoded(archive, number, *wanted.transcoding, made, bytes));
    }
    if (made.unchanged) restored.outcome = Outcome::kUnchanged;
    return {};
  }
  DICUBE_TRY(ArchiveAccess::read_instance(archive, number, bytes, [&](ByteSpan piece) { return file.append(piece); }));
  if (!wanted.verify) return {};
  Sha256Stream written;
  const auto read = [&](std::uint64_t at, MutableByteSpan out) { return file.read_at(at, out); };
  DICUBE_TRY(in_pieces(file.size(), read, [&](ByteSpan piece) {
    written.update(piece);
    return Status();
  }));
  if (written.finish() == archive.instances()[number].sha256) return {};
  return fail(ErrorClass::kIo, "{}: what was written does not read back", archive.instances()[number].name);
}

// The folder that is restored into: a plan, where it is missing, until the first file for it is there.
class Target {
 public:
  explicit Target(io::Folder folder) : planned_(std::move(folder)) {}
  const io::Folder& folder() const { return *folder_; }
  Status make() {
    if (!folder().is_plan()) return {};
    std::lock_guard lock(mutex_);
    if (!folder().is_plan()) return {};
    DICUBE_ASSIGN(auto folder, planned_.made());
    folder_ = &made_.emplace(std::move(folder));
    return {};
  }

 private:
  const io::Folder planned_;
  std::optional<io::Folder> made_;
  std::atomic<const io::Folder*> folder_ = &planned_;
  std::mutex mutex_;
};

Result<Restored> restore(const Archive& archive, std::size_t number, Target& target, const Wanted& wanted,
                         Bytes& bytes) {
  const Instance& instance = archive.instances()[number];
  if (instance.is_folder) DICUBE_TRY(target.make());
  const io::Folder& root = target.folder();
  Restored restored;
  restored.number = number;
  DICUBE_ASSIGN(auto parts, components(instance.name));
  const std::size_t depth = parts.size() - (instance.is_folder ? 0 : 1);
  DICUBE_ASSIGN(auto inner, io::enter_all(root, std::span(parts).first(depth)));
  if (instance.is_folder) {
    DICUBE_ASSIGN(inner, inner->made());
  }
  if (inner) restored.folder = std::make_unique<io::Folder>(*std::move(inner));
  if (instance.is_folder) return restored;
  const io::Folder& folder = restored.folder ? *restored.folder : root;
  DICUBE_ASSIGN(const bool is_left, leaves(folder, parts.back(), wanted.on_conflict));  // not after all the work for it
  if (is_left) {
    restored.outcome = Outcome::kSkipped;
    return restored;
  }
  DICUBE_ASSIGN(auto file, io::NewFile::create(folder, parts.back()));
  restored.file = std::make_unique<io::NewFile>(std::move(file));
  DICUBE_TRY(write_instance(archive, wanted, restored, bytes));
  DICUBE_TRY(target.make());
  DICUBE_TRY(restored.file->make_folder());
  restored.file->start_writeback();
  return restored;
}

template <class Counts>
std::uint64_t bytes_of_files(const Archive& archive, const Counts& counts) {
  std::uint64_t bytes = 0;
  for (const Instance& instance : archive.instances())
    if (counts(instance)) bytes += std::min(instance.size, UINT64_MAX - bytes);
  return bytes;
}

// Where nothing new can stand in the folder, what is there of the archive's files and folders may be left or take them.
Status check_writable(const Archive& archive, const io::Folder& root) {
  const Status writable = root.check_writable();
  const auto is_there = [&](const Instance& instance) {
    return root.has(instance.name.substr(0, instance.name.find('/')));
  };
  return writable || std::ranges::any_of(archive.instances(), is_there) ? Status() : writable;
}

// A small archive may hold more than any disk, and a disk that is full after an hour is of no use to anybody. Other
// archives may fit: it is no error of a disk that takes no more.
Status check_space(const Archive& archive, const std::string& path, const io::Folder& root, const Wanted& wanted) {
  if (wanted.transcoding) return {};  // of sizes that nobody knows yet
  const auto available = root.free_bytes();
  if (!available || bytes_of_files(archive, [](const Instance&) { return true; }) <= *available) return {};
  // Of a file that is there, a conflict takes nothing, and replacing it little.
  const std::uint64_t needed = bytes_of_files(archive, [&](const Instance& instance) {
    const bool is_new = wanted.on_conflict == OnConflict::kRename || !root.has(instance.name);
    return is_new && root.is_on_same_disk(instance.name);
  });
  if (needed <= *available) return {};
  return tl::unexpected<Error>(Error{ErrorClass::kIo,
                                     formatted("no space for its files in {}: they take {}, and {} are free",
                                               root.path(), counted(needed, "byte"), *available),
                                     path, 0});
}

Result<std::optional<series::Transcoding>> transcoding_of(const UnpackOptions& options, std::size_t instances) {
  DICUBE_ASSIGN(const auto* target, series::wanted_syntax(options));
  if (target == nullptr) return std::nullopt;
  const unsigned threads = thread_count(options.threads);
  return series::Transcoding{target, {options.max_error, options.ratio}, instances >= threads ? 1 : threads};
}

// Gives restored files their names, many at a time: no name stands for bytes that are not on disk, and waiting for the
// disk for each file would take longer than all else.
class Naming {
 public:
  Naming(OnConflict on_conflict, UnpackReport& report, series::EachInstance& each)
      : on_conflict_(on_conflict), report_(report), each_(each) {}

  void add(Restored restored) {
    std::unique_lock lock(waiting_mutex_);
    if (restored.file) bytes_ += restored.file->size();
    waiting_.push_back(std::move(restored));
    if (!has_many(1)) return;
    const bool has_too_many = has_many(2);
    lock.unlock();
    std::unique_lock naming(naming_mutex_, std::defer_lock);
    if (has_too_many)
      naming.lock();
    else if (!naming.try_lock())
      return;  // a thread is at it: this one goes on
    lock.lock();
    if (has_many(1)) name_waiting(lock);
  }

  void name_all() {
    const std::lock_guard naming(naming_mutex_);
    std::unique_lock lock(waiting_mutex_);
    name_waiting(lock);
  }

  // Once all are added. An error is of names that files have, but which a crash of the machine may undo.
  Status finish() {
    name_all();
    return sync_.sync_names();
  }

 private:
  static constexpr std::size_t kManyFiles = 64;  // open, each with its folder: named at a time; twice as many may wait
  static constexpr std::uint64_t kManyBytes = std::uint64_t{64} << 20;

  // REQUIRES: the mutex of those that wait is locked.
  bool has_many(unsigned times) const { return waiting_.size() >= times * kManyFiles || bytes_ >= times * kManyBytes; }

  // Unlocks `lock`, which is that of those that wait. REQUIRES: the other mutex is locked.
  void name_waiting(std::unique_lock<std::mutex>& lock) {
    std::vector<Restored> all = std::exchange(waiting_, {});
    bytes_ = 0;
    lock.unlock();
    std::vector<io::NewFile*> files;
    for (Restored& restored : all)
      if (restored.file) files.push_back(restored.file.get());
    sync_.sync(files);
    for (Restored& restored : all) each_.done(restored.number, name(restored));
  }

  std::optional<Error> name(Restored& restored) {
    if (restored.file) {
      const std::string wanted = restored.file->name();
      auto named = commit(*restored.file, on_conflict_);
      if (!named) return std::move(named).error();
      if (!*named) {
        restored.outcome = Outcome::kSkipped;
      } else {
        ++report_.files;
        report_.renamed += restored.file->name() != wanted;
        report_.unchanged += restored.outcome == Outcome::kUnchanged;
        report_.bytes += restored.file->size();
        report_.largest_error = std::max(report_.largest_error, restored.error);
      }
      restored.file.reset();
    } else if (restored.outcome == Outcome::kWritten) {
      sync_.add(*restored.folder);  // an empty one
    }
    report_.skipped += restored.outcome == Outcome::kSkipped;
    return std::nullopt;
  }

  const OnConflict on_conflict_;
  UnpackReport& report_;
  series::EachInstance& each_;
  std::mutex naming_mutex_, waiting_mutex_;  // locked in this order
  std::vector<Restored> waiting_;
  std::uint64_t bytes_ = 0;
  io::CommonSync sync_;
};

}  // namespace

Result<UnpackReport> unpack(const std::string& path, const std::string& folder, const UnpackOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  DICUBE_TRY(check_ratio(options.ratio));
  DICUBE_ASSIGN(auto archive, Archive::open(path));
  Wanted wanted{options.on_conflict, {}, options.verify};
  DICUBE_ASSIGN(wanted.transcoding, transcoding_of(options, archive.instances().size()));
  if (folder.empty()) return fail(ErrorClass::kUsage, "an empty name of a folder to restore into");
  DICUBE_ASSIGN(auto planned, io::Folder::plan(folder));
  DICUBE_TRY(check_writable(archive, planned));
  DICUBE_TRY(check_space(archive, path, planned, wanted));
  Target target(std::move(planned));
  UnpackReport report;
  report.archive = path;
  report.is_lossy = archive.info().is_lossy;
  series::EachInstance each(archive, Progress::Phase::kUnpack, options);
  Naming naming(options.on_conflict, report, each);
  each.run([&](std::size_t i, Bytes& buffer) {
    auto restored = restore(archive, i, target, wanted, buffer);
    if (!restored && (restored.error().system == EMFILE || restored.error().system == ENFILE)) {
      naming.name_all();  // and close
      restored = restore(archive, i, target, wanted, buffer);
    }
    if (restored)
      naming.add(*std::move(restored));
    else
      each.done(i, in_file(std::move(restored).error(), path));
  });
  DICUBE_TRY(check_cancel(options));
  const Status names_synced = naming.finish();
  each.finish(report);
  if (!names_synced) report.errors.push_back(names_synced.error());
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace dicube
