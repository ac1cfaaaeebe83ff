#include <chrono>
#include <map>
#include <mutex>
#include <set>

#include "archive/state.h"
#include "archive/version1.h"
#include "base/parallel.h"
#include "base/result.h"
#include "dicube/series.h"
#include "series/archive_ending.h"
#include "series/call.h"
#include "series/pack_group.h"
#include "series/transcode.h"

namespace dicube {
namespace {

bool is_lossy(const ConvertOptions& options) { return options.max_error > 0 || options.ratio > 0; }

Status check_options(const ConvertOptions& options) {
  DICUBE_TRY(check_ratio(options.ratio));
  if (options.max_error > 0 && options.ratio > 0)
    return fail(ErrorClass::kUsage, "a largest error and a ratio: give one");
  if (is_lossy(options) && options.to_version1) return fail(ErrorClass::kUsage, "format version 1 is lossless");
  if (options.to_version1 && options.codec != Codec::kAuto && options.codec != Codec::kHtj2k)
    return fail(ErrorClass::kUsage, "format version 1 holds frames in HTJ2K only");
  if (options.references && (is_lossy(options) || options.to_version1))
    return fail(ErrorClass::kUsage, "archives with references are lossless and of the current format");
  return check_codec(options.codec, options.references);
}

// Every instance of the new archive, which has a frame each, can be rebuilt, and every frame be decoded.
Status prove(const Archive& archive, const archive::Version1Work& work) {
  return try_parallel(archive.instances().size(), work.threads, [&](std::size_t i) -> Status {
    DICUBE_TRY(work.check_cancel());
    DICUBE_TRY(archive.read_instance(i));
    DICUBE_TRY(ArchiveAccess::read_values(archive, i));
    work.done(i);
    return {};
  });
}

// Names and sizes.
using FrameFiles = std::vector<std::pair<std::string, std::uint64_t>>;

// How far a conversion from or to format version 1 is, which has one frame of each file.
class FrameProgress {
 public:
  FrameProgress(FrameFiles files, const CallOptions& options, std::mutex& mutex)
      : files_(std::move(files)), options_(options), progress_(files_.size(), bytes_of(files_), options, mutex) {}
  // What goes on in that phase. The progress must outlive it.
  archive::Version1Work work(Progress::Phase phase) {
    return {options_.threads, options_.cancel,
            [this, phase](std::size_t frame) { progress_.advance(phase, files_[frame].first, files_[frame].second); }};
  }

 private:
  static std::uint64_t bytes_of(const FrameFiles& files) {
    std::uint64_t bytes = 0;
    for (const auto& [name, size] : files) bytes += size;
    return bytes;
  }
  const FrameFiles files_;
  const CallOptions& options_;
  series::PackProgress progress_;
};

class Converter {
 public:
  Converter(const std::string& old, const std::string& out, const ConvertOptions& options)
      : old_(old), options_(options), target_(io::split_path(out)) {
    report_.archive = out;
  }

  Result<SeriesReport> run() {
    DICUBE_TRY(check_options(options_));
    if (report_.archive.empty()) return fail(ErrorClass::kUsage, "an empty name of an archive to write");
    DICUBE_TRY(check_file_path(report_.archive));
    const auto start = std::chrono::steady_clock::now();
    DICUBE_ASSIGN(const auto source, io::InputFile::open(old_));
    Bytes first(std::min<std::uint64_t>(12, source->size()));
    DICUBE_TRY(source->read_at(0, first));
    if (archive::is_version1(first) && !is_lossy(options_)) {
      if (options_.to_version1) return fail(ErrorClass::kUsage, "has format version 1 already");
      if (options_.references)
        return fail(ErrorClass::kUsage, "of format version 1: convert it without references first");
      DICUBE_TRY(series::check_ending(report_.archive, false, false));
      DICUBE_TRY(prepare_target());
      if (!report_.skipped) DICUBE_TRY(from_version1(*source));
    } else {
      DICUBE_ASSIGN(const auto archive, Archive::open(old_));
      if (options_.to_version1 && archive.info().is_lossy)
        return fail(ErrorClass::kUnsupported, "is lossy, which format version 1 can't say of a file");
      DICUBE_TRY(
          series::check_ending(report_.archive, is_lossy(options_) || archive.info().is_lossy, options_.references));
      DICUBE_TRY(prepare_target());
      if (!report_.skipped) DICUBE_TRY(options_.to_version1 ? to_version1(archive) : pack_again(archive));
    }
    report_.seconds = seconds_since(start);
    return std::move(report_);
  }

 private:
  Status prepare_target() {
    DICUBE_ASSIGN(folder_, io::Folder::plan(target_.folder));
    DICUBE_ASSIGN(report_.skipped, leaves(*folder_, target_.name, options_.on_conflict));
    return {};
  }

  Status from_version1(const io::Source& source) {
    report_.source_bytes = source.size();
    DICUBE_ASSIGN(const auto old, archive::Version1::read(source));
    FrameFiles files;
    for (std::size_t i = 0; i < old.frames(); ++i) files.emplace_back(archive::version1_name(i), old.frame_bytes(i));
    FrameProgress progress(std::move(files), options_, mutex_);
    DICUBE_ASSIGN(auto file, archive::convert_version1(old, source.size(), *folder_, target_.name,
                                                       progress.work(Progress::Phase::kPack)));
    DICUBE_ASSIGN(const auto archive, ArchiveAccess::open(std::make_unique<io::WrittenSource>(file)));
    DICUBE_TRY(prove(archive, progress.work(Progress::Phase::kProve)));
    DICUBE_TRY(check_cancel(options_));
    describe(archive);
    report_.codec = "source";
    return name_it(file);
  }

  Status name_it(io::NewFile& file) {
    DICUBE_ASSIGN(const bool named, commit(file, options_.on_conflict));
    report_.skipped = !named;
    if (file.name() != target_.name) report_.archive = io::path_in(folder_->path(), file.name());
    return {};
  }

  void describe(const Archive& archive) {
    const ArchiveInfo& info = archive.info();
    report_.series_instance_uid = info.series_instance_uid;
    report_.instances = archive.instances().size();
    report_.frames = archive.frame_count();
    report_.archive_bytes = info.file_bytes;
    report_.pixel_bytes = info.pixel_bytes;
    report_.metadata_bytes = info.metadata_bytes;
  }

  Status to_version1(const Archive& archive) {
    FrameFiles files;
    for (const Instance& instance : archive.instances())
      if (instance.frames > 0) files.emplace_back(instance.name, instance.size);
    FrameProgress progress(std::move(files), options_, mutex_);
    DICUBE_ASSIGN(auto file,
                  archive::write_version1(archive, *folder_, target_.name, progress.work(Progress::Phase::kPack)));
    const io::WrittenSource source(file);
    DICUBE_ASSIGN(const auto written, archive::Version1::read(source));
    DICUBE_TRY(archive::prove_version1(archive, written, progress.work(Progress::Phase::kProve)));
    DICUBE_TRY(check_cancel(options_));
    describe(archive);
    report_.source_bytes = archive.info().file_bytes;
    report_.frames = written.frames();
    report_.archive_bytes = file.size();
    report_.codec = "htj2k";
    tell_left_out(archive);
    return name_it(file);
  }

  // Format version 1 is of frames; what has none is not in it.
  void tell_left_out(const Archive& archive) {
    Finding left_out{"left_out", "no pixels that can be read: format version 1 holds images alone", {}};
    for (const Instance& instance : archive.instances())
      if (instance.frames == 0) left_out.files.push_back(instance.name);
    if (left_out.files.empty()) return;
    report_.instances -= left_out.files.size();
    report_.findings.push_back(std::move(left_out));
  }

  // The instances' files, as they are or with losses, go through the packer.
  Status pack_again(const Archive& archive) {
    series::Making making;
    making.series_instance_uid = archive.info().series_instance_uid;
    making.lossy = is_lossy(options_) || archive.info().is_lossy;
    std::map<std::string, std::size_t> numbers;
    const archive::Metadata& metadata = *ArchiveAccess::state(archive).metadata;
    for (std::size_t i = 0; i < archive.instances().size(); ++i) {
      const Instance& instance = archive.instances()[i];
      series::Member& made = making.files.emplace_back();
      made.file = {{}, instance.name, instance.size, instance.is_folder};
      DICUBE_ASSIGN(const auto roots, metadata.roots(i));
      made.looks_like_dicom = !metadata.schema().layouts()[roots.data].empty() || !making.series_instance_uid.empty();
      numbers[instance.name] = i;
    }
    making.read.whole = [&](const series::File& file, Bytes& bytes) {
      return make(archive, numbers.at(file.name), bytes);
    };
    if (!is_lossy(options_))
      making.read.in_pieces = [&](const series::File& file, const Sink& sink) {
        Bytes buffer;
        return ArchiveAccess::read_instance(archive, numbers.at(file.name), buffer, sink);
      };
    PackOptions options;
    static_cast<CallOptions&>(options) = options_;
    options.codec = options_.codec;
    options.references = options_.references;
    SeriesReport packed = series::pack_made(std::move(making), *folder_, target_.name, options);
    if (packed.error) return tl::unexpected<Error>(*packed.error);
    if (options_.on_conflict != OnConflict::kRename) packed.archive = report_.archive;  // as it was asked for
    packed.source_bytes = archive.info().source_bytes;
    report_ = std::move(packed);
    for (const auto& [reason, files] : kept_)
      report_.findings.push_back(
          {"kept_lossless", "kept without loss: " + reason, std::vector<std::string>(files.begin(), files.end())});
    return {};
  }

  Status make(const Archive& archive, std::size_t number, Bytes& bytes) {
    DICUBE_TRY(check_cancel(options_));
    if (!is_lossy(options_)) return ArchiveAccess::read_instance(archive, number, bytes);
    const auto target = series::find_transfer_syntax(options_.ratio > 0 ? "htj2k-lossy" : "jpeg-ls-near");
    auto made = series::transcode(archive, number, {*target, {options_.max_error, options_.ratio}, 1});
    if (made) {
      bytes = std::move(made->file);
      return {};
    }
    if (made.error().error_class != ErrorClass::kUnsupported && made.error().error_class != ErrorClass::kNotDicom)
      return tl::unexpected<Error>(made.error());
    DICUBE_TRY(ArchiveAccess::read_instance(archive, number, bytes));
    std::lock_guard lock(mutex_);
    const std::string& name = archive.instances()[number].name;
    std::string reason = made.error().message;
    if (reason.starts_with(name + ": ")) reason.erase(0, name.size() + 2);
    kept_[reason].insert(name);  // once, however often it is read
    return {};
  }

  std::string old_;
  const ConvertOptions& options_;
  const io::FolderAndName target_;
  std::optional<io::Folder> folder_;
  SeriesReport report_;
  std::mutex mutex_;
  std::map<std::string, std::set<std::string>> kept_;  // by reason
};

}  // namespace

Result<SeriesReport> convert(const std::string& old, const std::string& out, const ConvertOptions& options) {
  auto report = Converter(old, out, options).run();
  if (report) return report;
  const bool target =
      report.error().error_class == ErrorClass::kConflict || report.error().error_class == ErrorClass::kIo;
  return tl::unexpected<Error>(in_file(report.error(), target ? out : old));
}

}  // namespace dicube
