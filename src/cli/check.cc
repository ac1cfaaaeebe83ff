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

int run_check(const Arguments& arguments) {
  const Common& common = arguments.common;
  int worst = kWell;
  Complaints complaints(common);
  const auto slices = [&](const std::vector<std::string>& sources) {
    return slices_in(sources, common.threads, [&](const Error& error) {
      complaints.add(error);
      worst = std::max<int>(worst, kSomeFailed);
    });
  };
  std::vector<std::string> files;  // of DICOM, each named by itself
  for (const std::string& source : arguments.sources) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(source, ignored)) {
      if (is_archive(source) || !std::filesystem::exists(source, ignored))
        worst = std::max(worst, check_archive(common, source));
      else
        files.push_back(source);
      continue;
    }
    const auto all = slices({source});
    const auto archives = archives_inside(source, common.recursive, [](const Error&) {});  // slices_in says it
    if (all.empty() && archives.empty())
      worst = std::max(worst, common.error({ErrorClass::kNotDicom, "no DICOM instance and no archive", source}));
    for (const SeriesSlices& series : all)
      if (report(common, source, series)) worst = std::max<int>(worst, kSomeFailed);
    for (const std::string& archive : archives) worst = std::max(worst, check_archive(common, archive));
  }
  if (!files.empty()) {
    const auto all = slices(files);
    const std::string named = files.size() == 1 ? files[0] : files[0] + ", ...";
    if (all.empty()) worst = std::max(worst, common.error({ErrorClass::kNotDicom, "no DICOM instance", named}));
    for (const SeriesSlices& series : all)
      if (report(common, named, series)) worst = std::max<int>(worst, kSomeFailed);
  }
  complaints.say_rest();
  return worst;
}

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
  command->callback([arguments, &run] { run = [arguments] { return run_check(*arguments); }; });
}

}  // namespace dicube::cli
