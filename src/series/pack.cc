// Packing: the files are found, put in groups, one for each archive, and each group is packed.
#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "base/formatted.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "dicube/series.h"
#include "series/archive_ending.h"
#include "series/archive_names.h"
#include "series/call.h"
#include "series/pack_group.h"
#include "series/packed_before.h"
#include "series/scan.h"
#include "series/slice_order.h"

namespace dicube {
namespace {

namespace fs = std::filesystem;
using series::Group;
using series::Member;

constexpr std::uint64_t kSmallSeries = std::uint64_t{16} << 20;  // packed side by side rather than one by one
constexpr std::size_t kMostNamed = 1000;
constexpr std::string_view ending_of(bool references) {
  return references ? series::kReferencesEnding : series::kPlainEnding;
}

// The deepest folder that holds all files of the group.
std::string source_of(const Group& group) {
  const std::string& first = group.members[0].file.name;
  std::string_view common = std::string_view(first).substr(0, first.rfind('/') + 1);  // ends with '/', or is empty
  for (const Member& member : group.members)
    while (!member.file.name.starts_with(common)) common = common.substr(0, common.rfind('/', common.size() - 2) + 1);
  const std::string& base = *group.members[0].file.base;
  return common.empty() ? base : io::path_in(base, std::string(common.substr(0, common.size() - 1)));
}

// The whole call.
class Packer {
 public:
  Packer(std::string out, const PackOptions& options) : out_(std::move(out)), options_(options) {}

  Result<PackSummary> run(const std::vector<std::string>& sources) {
    DICUBE_TRY(check_arguments(sources));
    given_ = series::GivenNames(sources);
    const bool one_file = is_one_file();
    DICUBE_ASSIGN(const auto names, name_template(one_file));
    DICUBE_TRY(find(sources));
    DICUBE_TRY(check_found(sources, one_file));
    const auto [folder, name] = one_file ? io::split_path(out_) : io::FolderAndName{out_, ""};
    folder_path_ = folder;
    const auto series_there = [&](const std::string& of) { return series_at(io::path_in(folder_path_, of)); };
    summary_.same_names = series::give_names(groups_, names ? &*names : nullptr, ending_of(options_.references),
                                             series_there, options_.threads);
    keep_own_shard();
    if (one_file && !groups_.empty()) groups_[0].name = name;
    if (!groups_.empty()) DICUBE_TRY(options_.dry_run ? report_dry() : pack_groups());
    return std::move(summary_);
  }

 private:
  Status check_arguments(const std::vector<std::string>& sources) const {
    if (sources.empty()) return fail(ErrorClass::kUsage, "nothing to pack");
    if (out_.empty() || std::ranges::find(sources, "") != sources.end())
      return fail(ErrorClass::kUsage, "an empty name, of a source or of what to write");
    if (options_.shard >= std::max(1U, options_.shards))
      return fail(ErrorClass::kUsage, "no shard {} of {}", options_.shard, options_.shards);
    if (series::has_ending(out_, series::kLossyEnding))
      return tl::unexpected<Error>(
          Error{ErrorClass::kUsage, "only a lossy archive is named .dcbl, and packing loses nothing", out_});
    if (series::is_archive_name(out_)) DICUBE_TRY(series::check_ending(out_, false, options_.references));
    if (is_one_file()) DICUBE_TRY(check_file_path(out_));
    return check_codec(options_.codec, options_.references);
  }

  bool is_one_file() const { return series::has_ending(out_, ending_of(options_.references)); }

  static std::optional<std::string> series_at(const std::string& path) {
    const auto archive = Archive::open(path);
    return archive ? std::optional(archive->info().series_instance_uid) : std::nullopt;
  }

  Result<std::optional<series::NameTemplate>> name_template(bool one_file) const {
    std::string_view text = options_.name_template;
    if (text.empty()) return std::nullopt;
    if (one_file) return fail(ErrorClass::kUsage, "{} names one archive: a template of names needs a folder", out_);
    if (series::has_ending(text, ending_of(options_.references)))
      text.remove_suffix(ending_of(options_.references).size());
    DICUBE_ASSIGN(auto names, series::NameTemplate::parse(text));
    return names;
  }

  Status check_found(const std::vector<std::string>& sources, bool one_file) const {
    if (groups_.empty() && summary_.errors.empty())
      return tl::unexpected<Error>(in_file(nothing_to_pack(), sources[0] + (sources.size() > 1 ? ", ..." : "")));
    if (!one_file || groups_.size() < 2) return {};
    const auto series = std::ranges::count_if(groups_, [](const Group& group) { return !group.uid.empty(); });
    return fail(ErrorClass::kUsage, "{} names one archive but there are {} to write ({} series): give a folder", out_,
                groups_.size(), series);
  }

  Error nothing_to_pack() const {
    if (summary_.left_out.empty()) return {ErrorClass::kNotDicom, "nothing in it to pack", ""};
    std::string said = summary_.files == 1
                           ? "no DICOM instance (the option all keeps it)"
                           : formatted("no DICOM instance among {} files (the option all keeps them), such as {}",
                                       summary_.files, summary_.left_out[0]);
    if (summary_.compressed > 0) said += "; what is compressed is not looked into, unpack it first";
    return {ErrorClass::kNotDicom, std::move(said), ""};
  }

  static bool has_compressed_name(std::string_view path) {
    return std::ranges::any_of(std::array{".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".rar", ".tar"},
                               [&](std::string_view ending) { return series::has_ending(path, ending); });
  }

  // What belongs to no series counts as the series "".
  bool is_own_shard(const std::string& uid) const {
    return options_.shards <= 1 ||
           load_be<std::uint64_t>(sha256(as_bytes(uid)).data()) % options_.shards == options_.shard;
  }

  void keep_own_shard() {
    summary_.other_shards = std::erase_if(groups_, [&](const Group& group) { return !is_own_shard(group.uid); });
  }

  void add_error(Error error) {
    std::lock_guard lock(mutex_);
    error.file = given_.of(error.file);
    if (options_.on_file_error) options_.on_file_error(error);
    summary_.errors.push_back(std::move(error));
  }

  std::vector<Result<series::Head>> read_heads(std::vector<series::File>& files) {
    std::vector<Result<series::Head>> heads(files.size());
    Progress progress{Progress::Phase::kScan, 0, files.size(), 0, 0};
    parallel_for(files.size(), options_.threads, [&](std::size_t i, unsigned) {
      if (!check_cancel(options_)) return;
      if (!files[i].is_folder) heads[i] = series::read_head(files[i]);
      std::lock_guard lock(mutex_);
      count(progress, 0, options_);
    });
    return heads;
  }

  // The groups of the files below the sources, as they stand in archives.
  Status find(const std::vector<std::string>& sources) {
    auto files = series::find_files(
        sources, {out_, !options_.name_template.empty(), options_.own_files},
        [&](const Error& error) { add_error(error); },
        [&](std::uint64_t found) {
          if (options_.on_progress) options_.on_progress({Progress::Phase::kScan, found, 0, 0, 0});
          return check_cancel(options_).has_value();
        });
    auto heads = read_heads(files);
    DICUBE_TRY(check_cancel(options_));
    std::map<std::string, std::vector<std::size_t>> series;  // files, by UID, which the group has for all
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (!files[i].is_folder) ++summary_.files;
      if (!heads[i])
        add_error(in_file(heads[i].error(), files[i].path()));
      else if (!heads[i]->series_instance_uid.empty() || options_.all)
        series[std::exchange(heads[i]->series_instance_uid, {})].push_back(i);
      else
        leave_out(files[i], *heads[i]);
    }
    sort(series, files, heads);
    for (const auto& [uid, members] : series) {
      Group& group = groups_.emplace_back(Group{uid, {}});
      group.members.reserve(members.size());
      group.may_lack = !summary_.errors.empty();
      for (const std::size_t i : members)
        group.members.push_back({std::move(files[i]), heads[i]->looks_like_dicom, heads[i]->sop_instance});
    }
    return {};
  }

  // As they stand in the archive.
  void sort(std::map<std::string, std::vector<std::size_t>>& series_files, const std::vector<series::File>& files,
            const std::vector<Result<series::Head>>& heads) const {
    std::map<std::string_view, std::size_t> places;
    for (const std::string& name : options_.order) places.try_emplace(name, places.size());
    const auto stated_place = [&](std::size_t i) {
      const auto found = places.find(files[i].name);
      return found == places.end() ? places.size() : found->second;
    };
    const auto key = [&](std::size_t i) {
      return std::pair(stated_place(i), series::order_of(heads[i]->instance_number, heads[i]->place, files[i].name));
    };
    for (auto& [uid, members] : series_files)
      std::ranges::sort(members, [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  }

  void leave_out(const series::File& file, const series::Head& head) {
    if (file.is_folder || !is_own_shard("")) return;
    if (head.looks_like_dicom && !head.is_dicomdir) {
      add_error({ErrorClass::kNotDicom,
                 "a DICOM file without a readable Series Instance UID: left out (the option all keeps it)",
                 file.path()});
      return;
    }
    ++summary_.not_dicom;
    if (has_compressed_name(file.path())) ++summary_.compressed;
    if (summary_.left_out.size() < kMostNamed) summary_.left_out.push_back(given_.of(file.path()));
  }

  // Of what is not packed: dry, or for want of a folder.
  SeriesReport report_of(const Group& group) const {
    SeriesReport report;
    report.archive = io::path_in(folder_path_, group.name);
    report.source = source_of(group);
    report.series_instance_uid = group.uid;
    return report;
  }

  static void say_replaced(const Group& group, SeriesReport& report) {
    const auto there = Archive::open(report.archive);
    if (!there) return;
    std::vector<const Member*> members;
    for (const Member& member : group.members) members.push_back(&member);
    auto lost = series::lost_with(*there, group, members, group.may_lack);
    if (!lost) report.error = in_file(std::move(lost).error(), report.archive);
    if (lost && *lost) report.findings.push_back(**std::move(lost));
  }

  Status report_dry() {
    DICUBE_TRY(io::Folder::plan(folder_path_));
    for (const Group& group : groups_) {
      SeriesReport report = report_of(group);
      report.instances = group.members.size();
      for (const Member& member : group.members) report.folders += member.file.is_folder;
      report.source_bytes = group.bytes();
      const auto [folder, name] = io::split_path(report.archive);
      const auto opened = io::Folder::open(folder);
      const auto packed = opened ? series::is_packed(group, *opened, name, options_.on_conflict) : Result<bool>(false);
      report.skipped = packed && *packed;
      if (!packed) report.error = in_file(packed.error(), report.archive);
      if (opened && options_.on_conflict == OnConflict::kOverwrite && opened->has(name)) say_replaced(group, report);
      if (options_.on_series) options_.on_series(report);
      summary_.series.push_back(std::move(report));
    }
    return {};
  }

  // Small ones side by side, each on one thread; the others one by one, on all.
  Status pack_groups() {
    DICUBE_ASSIGN(const auto folder, io::Folder::plan(folder_path_));
    return_free_memory();  // finding took some for every file
    std::uint64_t files = 0, bytes = 0;
    std::vector<const Group*> small, large;
    for (const Group& group : groups_) {
      files += group.members.size();
      bytes += group.bytes();
      (group.bytes() < kSmallSeries ? small : large).push_back(&group);
    }
    if (small.size() < 2) std::swap(small, large), large.insert(large.end(), small.begin(), small.end()), small.clear();
    series::PackProgress progress(files, bytes, options_, mutex_);
    const unsigned threads = thread_count(options_.threads);
    for (const Group* group : large) pack_group(*group, folder, threads, progress);
    parallel_for(small.size(), threads, [&](std::size_t i, unsigned) { pack_group(*small[i], folder, 1, progress); });
    DICUBE_TRY(check_cancel(options_));
    for (auto* reports : {&summary_.series, &summary_.not_tried})
      std::ranges::sort(*reports, {}, &SeriesReport::archive);
    return {};
  }

  // The archive's name may have folders in it, which are made.
  series::PackedGroup pack_into_folder(const Group& group, const io::Folder& folder, unsigned threads,
                                       series::PackProgress& progress) const {
    std::vector<std::string> parts;
    for (const fs::path& part : fs::path(group.name)) parts.push_back(part.string());
    const auto inner = io::enter_all(folder, std::span(parts).first(parts.size() - 1));
    if (inner) return series::pack_group(group, *inner ? **inner : folder, parts.back(), threads, options_, progress);
    SeriesReport report = report_of(group);
    report.error = inner.error();
    return {std::move(report), {}};
  }

  void leave_untried(const Group& group) {
    SeriesReport report = report_of(group);
    report.error = Error{ErrorClass::kStopped, "not tried: the target takes nothing more", report.archive};
    std::lock_guard lock(mutex_);
    summary_.not_tried.push_back(std::move(report));
  }

  void pack_group(const Group& group, const io::Folder& folder, unsigned threads, series::PackProgress& progress) {
    if (!check_cancel(options_)) return;
    if (stopped_) return leave_untried(group);
    auto [report, errors] = pack_into_folder(group, folder, threads, progress);
    report.source = source_of(group);
    for (Error& error : errors) add_error(std::move(error));
    const bool is_there = report.error && report.error->error_class == ErrorClass::kConflict;
    const bool was_packed = report.instances > 0;  // and another one made it meanwhile
    if ((report.skipped || is_there) && !was_packed) progress.leave_out(group);
    if (report.error && writes_no_more(*report.error) && stopped_.exchange(true))  // another thread's said it
      return leave_untried(group);
    std::lock_guard lock(mutex_);
    if (options_.on_series) options_.on_series(report);
    summary_.series.push_back(std::move(report));
  }

  std::string out_;
  const PackOptions& options_;
  series::GivenNames given_;
  std::string folder_path_;  // where archives go
  std::mutex mutex_;
  PackSummary summary_;
  std::vector<Group> groups_;
  std::atomic<bool> stopped_ = false;  // the target takes nothing more
};

}  // namespace

Result<PackSummary> pack(const std::vector<std::string>& sources, const std::string& out, const PackOptions& options) {
  return Packer(out, options).run(sources);
}

}  // namespace dicube
