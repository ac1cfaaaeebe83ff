// check

#include <filesystem>
#include <memory>

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

// One line per finding; a series without findings gets a line that says so.
bool report(const Common& common, const std::string& source, const SeriesSlices& series) {
  bool has_error = false;
  const auto findings = check(series.slices);
  const std::string where =
      formatted("{}: {}", printable(source),
                series.series_instance_uid.empty() ? "no Series Instance UID" : printable(series.series_instance_uid));
  if (findings.empty())
    common.result({{"source", json_text(source)},
                   {"series_instance_uid", json_text(series.series_instance_uid)},
                   {"slices", series.slices.size()},
                   {"code", nullptr}},
                  formatted("{}: {}, no findings", where, counted(series.slices.size(), "slice")));
  for (const QualityFinding& finding : findings) {
    has_error = has_error || finding.severity == Severity::kError;
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
  return has_error;
}

int check_archive(const Common& common, const std::string& path) {
  const auto archive = open_archive(path);
  if (!archive) return common.error(archive.error());
  const auto series = slices_of(*archive);
  if (!series) return common.error(in_file(series.error(), path));
  return report(common, path, *series) ? kSomeFailed : kWell;
}

// The whole command.
class Check {
 public:
  explicit Check(const Common& common) : common_(common), complaints_(common) {}

  int run(const std::vector<std::string>& sources) {
    std::vector<std::string> files;  // of DICOM, each named by itself
    for (const std::string& source : sources) {
      std::error_code ignored;
      if (std::filesystem::is_directory(source, ignored))
        check_folder(source);
      else if (is_archive(source) || !std::filesystem::exists(source, ignored))
        add(check_archive(common_, source));
      else
        files.push_back(source);
    }
    if (!files.empty()) check_files(files);
    complaints_.say_rest();
    return code_;
  }

 private:
  void add(int code) { code_ = std::max(code_, code); }

  // The series of DICOM files in and below the sources, reported as those of `name`; whether there are any.
  bool check_series(const std::vector<std::string>& sources, const std::string& name) {
    const auto all = slices_in(sources, common_.threads, [&](const Error& error) {
      complaints_.add(error);
      add(kSomeFailed);
    });
    for (const SeriesSlices& series : all)
      if (report(common_, name, series)) add(kSomeFailed);
    return !all.empty();
  }

  void check_folder(const std::string& folder) {
    const bool any = check_series({folder}, folder);
    const auto archives = archives_inside(folder, common_.recursive, [](const Error&) {});  // check_series() says it
    if (!any && archives.empty())
      add(common_.error({ErrorClass::kNotDicom, "no DICOM instance and no archive", folder}));
    for (const std::string& archive : archives) add(check_archive(common_, archive));
  }

  void check_files(const std::vector<std::string>& files) {
    const std::string name = files.size() == 1 ? files[0] : files[0] + ", ...";
    if (!check_series(files, name)) add(common_.error({ErrorClass::kNotDicom, "no DICOM instance", name}));
  }

  const Common& common_;
  Complaints complaints_;
  int code_ = kWell;
};

}  // namespace

void add_check(CLI::App& program, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "check",
      "Whether series are regular: gaps, duplicates, mixed sizes, tilt, ...; exit code 1 when one has an error");
  command->add_option("SRC", arguments->sources, "Folders of DICOM files or archives; DICOM files; archives")
      ->required();
  arguments->common.add_to(*command);
  arguments->common.add_threads_to(*command);
  arguments->common.add_recursive_to(*command);
  add_keep_going(*command);
  command->footer("Example:\n  dicube check scans/ archives/1.2.3.dcbs");
  command->callback(
      [arguments, &run] { run = [arguments] { return Check(arguments->common).run(arguments->sources); }; });
}

}  // namespace dicube::cli
