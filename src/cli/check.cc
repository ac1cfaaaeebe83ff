// check

#include <algorithm>
#include <filesystem>

#include "base/formatted.h"
#include "cli/archives.h"
#include "cli/command.h"
#include "cli/complaints.h"
#include "series/check.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::vector<std::string> sources;
};

// One line per finding; a series without findings gets a line that says so. Returns the worst there is; kInfo for none.
Severity report(const Common& common, const std::string& source, const SeriesSlices& series) {
  Severity worst = Severity::kInfo;
  const auto findings = check(series);
  const std::string where =
      formatted("{}: {}", printable(source),
                series.series_instance_uid.empty() ? "no Series Instance UID" : printable(series.series_instance_uid));
  if (findings.empty())
    common.result({{"source", json_text(source)},
                   {"series_instance_uid", json_text(series.series_instance_uid)},
                   {"slices", series.slices.size()},
                   {"code", nullptr}},
                  formatted("{}: {}, no findings", where, counted(series.slices.size(), "slice")));
  for (const Finding& finding : findings) {
    worst = std::max(worst, finding.severity);
    Json files = Json::array();
    for (std::size_t slice : finding.slices) files.push_back(json_text(series.names[slice]));
    std::string text =
        formatted("{}: {}: {}: {}", where, name(finding.severity), finding.code, printable(finding.message));
    if (!finding.slices.empty())
      text +=
          formatted(" ({}{})", printable(series.names[finding.slices[0]]), finding.slices.size() > 1 ? ", ..." : "");
    common.result({{"source", json_text(source)},
                   {"series_instance_uid", json_text(series.series_instance_uid)},
                   {"slices", series.slices.size()},
                   {"severity", std::string(name(finding.severity))},
                   {"code", finding.code},
                   {"message", json_text(finding.message)},
                   {"files", files}},
                  text);
  }
  return worst;
}

// The whole command.
class Check {
 public:
  explicit Check(const Common& common) : common_(common), complaints_(common) { common.prepare(options_); }

  int run(const std::vector<std::string>& sources) {
    std::vector<std::string> files;  // of DICOM, each named by itself
    for (const std::string& source : sources) {
      if (is_interrupted()) break;
      std::error_code ignored;
      if (std::filesystem::is_directory(source, ignored))
        check_folder(source);
      else if (is_archive(source) || !std::filesystem::exists(source, ignored))
        check_archive(source);
      else
        files.push_back(source);
    }
    if (!files.empty() && !is_interrupted()) check_files(files);
    complaints_.say_rest();
    say_sum();
    return code_;
  }

 private:
  void say_sum() const {
    std::string text = formatted("{} series: {} with errors, {} with warnings, {} without either", series_,
                                 with_errors_, with_warnings_, series_ - with_errors_ - with_warnings_);
    if (const auto failed = failed_text(failed_archives_, failed_files_); !failed.empty()) text += "; " + failed;
    if (series_ + failed_archives_ + failed_files_ > 1) common_.note(text);
  }

  void add(int code) { code_ = std::max(code_, code); }

  void check_series(const std::string& source, const SeriesSlices& series) {
    const Severity worst = report(common_, source, series);
    ++series_;
    with_errors_ += worst == Severity::kError;
    with_warnings_ += worst == Severity::kWarning;
    if (worst == Severity::kError) add(kSomeFailed);
  }

  void check_archive(const std::string& path) {
    const auto archive = open_archive(path);
    const auto series = archive ? slices_of(*archive) : tl::unexpected<Error>(archive.error());
    if (series) return check_series(path, *series);
    add(common_.error(in_file(series.error(), path)));
    ++failed_archives_;
  }

  // What there was no time for is not well.
  bool is_interrupted() {
    if (interrupting_signal() != 0) add(kSomeFailed);
    return interrupting_signal() != 0;
  }

  // The series of DICOM files in and below the sources, reported as those of `name`; whether there are any, for all
  // that is known.
  bool check_sources(const std::vector<std::string>& sources, const std::string& name) {
    const auto all = slices_in(sources, options_, [&](const Error& error) {
      complaints_.add(error);
      add(kSomeFailed);
      ++failed_files_;
    });
    if (!all) {
      add(common_.error(in_file(all.error(), name)));
      return true;
    }
    for (const SeriesSlices& series : *all) check_series(name, series);
    return !all->empty();
  }

  void check_folder(const std::string& folder) {
    const bool any = check_sources({folder}, folder);
    const auto archives = archives_inside(folder, common_.recursive, [](const Error&) {});  // check_sources() says it
    if (!any && archives.empty())
      add(common_.error({ErrorClass::kNotDicom, "no DICOM instance and no archive", folder}));
    for (const std::string& archive : archives)
      if (!is_interrupted()) check_archive(archive);
  }

  void check_files(const std::vector<std::string>& files) {
    const std::string name = files.size() == 1 ? files[0] : files[0] + ", ...";
    if (!check_sources(files, name)) add(common_.error({ErrorClass::kNotDicom, "no DICOM instance", name}));
  }

  const Common& common_;
  Complaints complaints_;
  CallOptions options_;
  int code_ = kWell;
  std::size_t series_ = 0, with_errors_ = 0, with_warnings_ = 0;
  std::size_t failed_archives_ = 0, failed_files_ = 0;
};

int run_check(const Arguments& arguments) { return Check(arguments.common).run(arguments.sources); }

}  // namespace

void add_check(CLI::App& program, Run& run) {
  auto [command, arguments] = add_command(
      program, run, "check",
      "Whether series are regular: gaps, duplicates, mixed sizes, tilt, ...; exit code 1 when one has an error",
      run_check);
  command
      .add_option("SRC", arguments.sources,
                  "Folders, searched for DICOM files with all that is below them, and for archives directly in them; "
                  "DICOM files; "
                  "archives")
      ->required();
  arguments.common.add_to(command);
  arguments.common.add_threads_to(command);
  arguments.common.add_recursive_to(command);
  command.footer("Example:\n  dicube check scans/ archives/1.2.3.dcbs");
}

}  // namespace dicube::cli
