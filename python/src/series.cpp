// Long calls: the work runs on a thread of its own while the calling thread hands on progress and looks for Ctrl-C.
#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "binding.h"
#include "io/file.h"
#include "series/call.h"
#include "series/pack_group.h"

namespace dicube::python {
namespace {

using namespace std::chrono_literals;

const char* phase_name(Progress::Phase phase) {
  switch (phase) {
    case Progress::Phase::kScan: return "scan";
    case Progress::Phase::kPack: return "pack";
    case Progress::Phase::kVerify: return "verify";
    case Progress::Phase::kUnpack: return "unpack";
    case Progress::Phase::kProve: return "prove";
  }
  return "";
}

// What the two threads of one call share.
struct Call {
  std::atomic<bool> cancel = false;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Progress> progress;  // the newest one of each phase, not yet handed on
  bool done = false;
};

void hand_on(Call& call, const nb::object& callback) {
  std::vector<Progress> all;
  {
    std::lock_guard lock(call.mutex);
    all.swap(call.progress);
  }
  if (callback.is_none()) return;
  for (const Progress& p : all) callback(phase_name(p.phase), p.files_done, p.files_total, p.bytes_done, p.bytes_total);
}

void note(Call& call, const Progress& progress) {
  std::lock_guard lock(call.mutex);
  const auto same = std::ranges::find(call.progress, progress.phase, &Progress::phase);
  if (same != call.progress.end())
    *same = progress;
  else
    call.progress.push_back(progress);
  call.changed.notify_one();
}

// Hands on progress and looks for Ctrl-C until the work is done. Returns what stopped it, if anything did.
std::exception_ptr attend(Call& call, const nb::object& callback) {
  std::exception_ptr stopped;
  for (bool done = false; !done;) {
    {
      const Released released;
      std::unique_lock lock(call.mutex);
      call.changed.wait_for(lock, 50ms, [&] { return call.done || (!call.progress.empty() && !stopped); });
      done = call.done;
    }
    if (stopped) continue;
    try {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      hand_on(call, callback);
    } catch (...) {
      stopped = std::current_exception();
      call.cancel = true;
    }
  }
  return stopped;
}

// Runs `work(options)`. An exception of the callback, KeyboardInterrupt too, cancels the work and is raised when it has
// ended.
template <class Options, class Work>
auto run(Options options, const nb::object& callback, Work work) {
  Call call;
  options.cancel = &call.cancel;
  options.on_progress = [&call](const Progress& progress) { note(call, progress); };
  std::optional<decltype(work(options))> result;
  std::exception_ptr thrown;
  const auto finish = [&] {
    try {
      result.emplace(work(options));
    } catch (...) {
      thrown = std::current_exception();
    }
    std::lock_guard lock(call.mutex);
    call.done = true;
    call.changed.notify_one();
  };
  std::thread worker;
  try {
    worker = std::thread(finish);
  } catch (const std::system_error&) {  // the system allows no more threads: this one does the work first
    const Released released;
    finish();
  }
  const std::exception_ptr stopped = attend(call, callback);
  if (worker.joinable()) {
    const Released released;
    worker.join();
  }
  if (stopped) std::rethrow_exception(stopped);
  if (thrown) std::rethrow_exception(thrown);
  return value_or_raise(std::move(*result));
}

nb::list findings_list(const std::vector<Finding>& findings) {
  return list_of(findings, [](const Finding& f) {
    return nb::make_tuple(to_text(f.code), to_path(f.message), list_of(f.files, to_path));
  });
}

nb::list error_list(const std::vector<Error>& errors) { return list_of(errors, exception_of); }

nb::dict series_dict(const SeriesReport& r) {
  nb::dict out;
  out["archive"] = to_path(r.archive);
  out["series_instance_uid"] = to_text(r.series_instance_uid);
  out["instances"] = r.instances;
  out["frames"] = r.frames;
  out["source_bytes"] = r.source_bytes;
  out["archive_bytes"] = r.archive_bytes;
  out["pixel_bytes"] = r.pixel_bytes;
  out["metadata_bytes"] = r.metadata_bytes;
  out["codec"] = to_text(r.codec);
  out["seconds"] = r.seconds;
  out["skipped"] = r.skipped;
  out["findings"] = findings_list(r.findings);
  out["quality"] = findings_list(r.quality);
  out["error"] = r.error ? exception_of(*r.error) : nb::none();
  return out;
}

OnConflict conflict_named(const std::string& text) {
  if (text == "error") return OnConflict::kError;
  if (text == "skip") return OnConflict::kSkip;
  if (text == "overwrite") return OnConflict::kOverwrite;
  if (text == "rename") return OnConflict::kRename;
  throw nb::value_error("on_conflict must be 'error', 'skip', 'overwrite' or 'rename'");
}

Codec codec_named(const std::string& text) {
  if (text == "auto") return Codec::kAuto;
  if (text == "htj2k") return Codec::kHtj2k;
  if (text == "lane") return Codec::kLane;
  if (text == "zstd") return Codec::kZstd;
  throw nb::value_error("codec must be 'auto', 'htj2k', 'lane' or 'zstd'");
}

nb::dict pack_files(const std::vector<Path>& sources, const Path& out, const std::string& codec,
                    const std::string& on_conflict, bool all, unsigned threads, const nb::object& progress,
                    const std::vector<Path>& order, bool references, std::string name_template) {
  PackOptions options;
  options.name_template = std::move(name_template);
  options.order = names_of(order);
  options.codec = codec_named(codec);
  options.on_conflict = conflict_named(on_conflict);
  options.all = all;
  options.references = references;
  options.threads = threads;
  const std::vector<std::string> paths = names_of(sources);
  const PackSummary summary = run(options, progress, [&](const PackOptions& o) { return pack(paths, out.name, o); });
  nb::dict result;
  result["files"] = summary.files;
  result["not_tried"] = list_of(summary.not_tried, [](const SeriesReport& report) { return to_path(report.archive); });
  result["not_dicom"] = summary.not_dicom;
  result["left_out"] = list_of(summary.left_out, to_path);
  result["series"] = list_of(summary.series, series_dict);
  result["errors"] = error_list(summary.errors);
  return result;
}

// Files of one series, in this order, by other names than those they have on disk.
Result<SeriesReport> pack_renamed(const std::vector<std::string>& paths, const std::vector<std::string>& names,
                                  const std::string& out, const PackOptions& options) {
  series::Making making;
  std::map<std::string, series::File> on_disk;  // by name in the archive
  for (std::size_t i = 0; i < paths.size(); ++i) {
    DICUBE_TRY(check_cancel(options));
    const auto [folder, name] = io::split_path(paths[i]);
    series::File& file = on_disk[names[i]] = {std::make_shared<const std::string>(folder), name};
    DICUBE_ASSIGN(const auto head, series::read_head(file));
    making.series_instance_uid = head.series_instance_uid;
    making.files.push_back({{nullptr, names[i], file.seen->size}, head.looks_like_dicom, head.sop_instance});
  }
  const auto read = [&](const series::File& file, auto&& to) {
    const series::File& source = on_disk.at(file.name);
    return io::read_file(source.path(), to, &*source.seen);
  };
  making.read = {read, read};
  const auto [folder_path, name] = io::split_path(out);
  DICUBE_ASSIGN(const auto folder, io::Folder::open(folder_path));
  SeriesReport report = series::pack_made(std::move(making), folder, name, options);
  if (report.error) return tl::unexpected<Error>(*std::move(report.error));
  return report;
}

void pack_renamed_files(const std::vector<Path>& paths, const std::vector<Path>& names, const Path& out,
                        bool references, unsigned threads) {
  if (paths.size() != names.size()) throw nb::value_error("one name per path");
  PackOptions options;
  options.references = references;
  options.threads = threads;
  options.on_conflict = OnConflict::kOverwrite;
  run(options, nb::none(), [&, paths = names_of(paths), names = names_of(names)](const PackOptions& o) {
    return pack_renamed(paths, names, out.name, o);
  });
}

nb::dict unpack_archive(const Path& archive, const Path& folder, const std::string& on_conflict, unsigned threads,
                        const nb::object& progress, std::string transfer_syntax, std::uint32_t max_error, double ratio,
                        bool verify) {
  UnpackOptions options;
  options.transfer_syntax = std::move(transfer_syntax);
  options.max_error = max_error;
  options.ratio = ratio;
  options.verify = verify;
  options.on_conflict = conflict_named(on_conflict);
  options.threads = threads;
  const UnpackReport report =
      run(options, progress, [&](const UnpackOptions& o) { return unpack(archive.name, folder.name, o); });
  nb::dict out;
  out["archive"] = to_path(report.archive);
  out["files"] = report.files;
  out["bytes"] = report.bytes;
  out["skipped"] = report.skipped;
  out["unchanged"] = report.unchanged;
  out["largest_error"] = report.largest_error;
  out["renamed"] = report.renamed;
  out["not_tried"] = report.not_tried;
  out["seconds"] = report.seconds;
  out["errors"] = error_list(report.errors);
  return out;
}

nb::dict convert_archive(const Path& archive, const Path& out, const std::string& codec, std::uint32_t max_error,
                         double ratio, bool to_version1, const std::string& on_conflict, unsigned threads,
                         const nb::object& progress) {
  ConvertOptions options;
  options.codec = codec_named(codec);
  options.max_error = max_error;
  options.ratio = ratio;
  options.to_version1 = to_version1;
  options.references = out.name.ends_with(".dcba");
  options.on_conflict = conflict_named(on_conflict);
  options.threads = threads;
  return series_dict(
      run(options, progress, [&](const ConvertOptions& o) { return convert(archive.name, out.name, o); }));
}

nb::dict verify_archive(const Path& archive, unsigned threads, const nb::object& progress) {
  CallOptions options;
  options.threads = threads;
  const VerifyReport report = run(options, progress, [&](const CallOptions& o) { return verify(archive.name, o); });
  nb::dict out;
  out["archive"] = to_path(report.archive);
  out["instances"] = report.instances;
  out["frames"] = report.frames;
  out["bytes"] = report.bytes;
  out["seconds"] = report.seconds;
  out["errors"] = error_list(report.errors);
  return out;
}

}  // namespace

void bind_series(nb::module_& m) {
  m.def("pack", &pack_files, nb::arg("sources"), nb::arg("out"), nb::arg("codec"), nb::arg("on_conflict"),
        nb::arg("all"), nb::arg("threads"), nb::arg("progress").none(), nb::arg("order") = nb::list(),
        nb::arg("archive") = false, nb::arg("name_template") = "");
  m.def("pack_renamed", &pack_renamed_files, nb::arg("paths"), nb::arg("names"), nb::arg("out"), nb::arg("archive"),
        nb::arg("threads"), "Packs the files of one series, in this order, under these names.");
  m.def("unpack", &unpack_archive, nb::arg("archive"), nb::arg("folder"), nb::arg("on_conflict"), nb::arg("threads"),
        nb::arg("progress").none(), nb::arg("transfer_syntax") = "", nb::arg("max_error") = 0, nb::arg("ratio") = 0.0,
        nb::arg("verify") = false);
  m.def("convert", &convert_archive, nb::arg("archive"), nb::arg("out"), nb::arg("codec"), nb::arg("max_error"),
        nb::arg("ratio"), nb::arg("to_version1"), nb::arg("on_conflict"), nb::arg("threads"),
        nb::arg("progress").none());
  m.def("verify", &verify_archive, nb::arg("archive"), nb::arg("threads"), nb::arg("progress").none());
}

}  // namespace dicube::python
