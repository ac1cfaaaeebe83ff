

#include "base/formatted.h"
#include "cli/command.h"
#include "cli/complaints.h"
#include "cli/findings.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::vector<std::string> sources;
  std::string out, codec = "auto", on_conflict = "error";
  bool all = false, dry_run = false, inter = false;
};

Json findings_json(const std::vector<Finding>& all) {
  Json findings = Json::array();
  for (const Finding& finding : all) {
    Json files = Json::array();
    for (const std::string& file : finding.files) files.push_back(json_text(file));
    findings.push_back({{"code", finding.code}, {"message", json_text(finding.message)}, {"files", files}});
  }
  return findings;
}

Json report_json(const SeriesReport& report) {
  if (report.error)
    return {{"archive", json_text(report.archive)},
            {"series_instance_uid", json_text(report.series_instance_uid)},
            {"error", to_json(*report.error)}};
  return {{"archive", json_text(report.archive)},
          {"series_instance_uid", json_text(report.series_instance_uid)},
          {"instances", report.instances},
          {"folders", report.folders},
          {"frames", report.frames},
          {"source_bytes", report.source_bytes},
          {"archive_bytes", report.archive_bytes},
          {"pixel_bytes", report.pixel_bytes},
          {"metadata_bytes", report.metadata_bytes},
          {"codec", report.codec},
          {"seconds", report.seconds},
          {"skipped", report.skipped},
          {"findings", findings_json(report.findings)},
          {"quality", findings_json(report.quality)}};
}

std::string to_text(const SeriesReport& report, bool dry_run) {
  if (report.error) return "";
  if (report.skipped) return formatted("{}: exists, skipped", printable(report.archive));
  if (dry_run)
    return formatted("{}: {}, {}", printable(report.archive), file_count(report.instances, report.folders),
                     human_bytes(report.source_bytes));
  return formatted("{}: {}, {} -> {} ({:.1f} %), {}, {}, {:.2f} s", printable(report.archive),
                   file_count(report.instances, report.folders), human_bytes(report.source_bytes),
                   human_bytes(report.archive_bytes),
                   100.0 * static_cast<double>(report.archive_bytes) /
                       static_cast<double>(std::max<std::uint64_t>(1, report.source_bytes)),
                   counted(report.frames, "frame"), report.codec, report.seconds);
}

int run_pack(const Arguments& arguments) {
  const Common& common = arguments.common;
  PackOptions options;
  common.prepare(options);
  options.on_conflict = kConflicts.at(arguments.on_conflict);
  options.codec = kCodecs.at(arguments.codec);
  options.inter = arguments.inter;
  options.all = arguments.all;
  options.dry_run = arguments.dry_run;
  int code = kWell;
  Common text_only = common;  // of series: their JSON is their report
  text_only.json = false;
  Complaints files(common), series(text_only);
  options.on_series = [&](const SeriesReport& report) {
    if (report.error) {
      series.add(with_advice(*report.error));
      code = std::max<int>(code, report.error->error_class == ErrorClass::kIo ? kInputOutput : kSomeFailed);
    }
    common.done(report_json(report), to_text(report, arguments.dry_run));
    if (!report.findings.empty() || !report.quality.empty())
      common.note(formatted("{}: worth knowing:", printable(report.archive)));
    for (const std::string& line : findings_text(report.findings)) common.note("  " + line);
    for (const Finding& finding : report.quality)
      common.note(formatted("  {}: {}", finding.code, printable(finding.message)));
  };
  options.on_file_error = [&](const Error& error) {
    files.add(error);
    code = std::max<int>(code, kSomeFailed);
  };
  auto summary = pack(arguments.sources, arguments.out, options);
  files.say_rest();
  series.say_rest();
  if (!summary) return common.error(summary.error());
  if (summary->not_tried > 0)
    common.error_text(formatted("stopped: {} not tried", counted(summary->not_tried, "further archive")));
  if (summary->not_dicom > 0)
    common.note(formatted("{} of {} files are no DICOM instances and were left out (--all keeps them), such as {}",
                          summary->not_dicom, summary->files, printable(summary->left_out[0])));
  return code;
}

}  // namespace

void add_pack(CLI::App& program, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("pack", "Pack DICOM files, one archive per series");
  command->add_option("SRC", arguments->sources, "Files or folders, searched recursively")->required();
  command
      ->add_option("-o,--output", arguments->out,
                   "A folder, or a path ending in .dcbs (with --archive .dcba) for one series")
      ->required();
  command->add_flag("--all", arguments->all, "Also keep what is no DICOM instance, in other.dcbs");
  command->add_flag("--archive", arguments->inter,
                    "Code frames after others: smaller, single frames take longer; archives are named .dcba");
  command->add_option("--codec", arguments->codec, "How pixels are coded; auto takes what is smaller")
      ->check(CLI::IsMember({"auto", "htj2k", "lane", "zstd"}))
      ->capture_default_str();
  command->add_option("--on-conflict", arguments->on_conflict, "When an archive exists: error, skip or overwrite")
      ->check(CLI::IsMember({"error", "skip", "overwrite"}))
      ->capture_default_str();
  command->add_flag("--dry-run", arguments->dry_run, "Say what would be packed");
  arguments->common.add_to(*command);
  arguments->common.add_threads_to(*command);
  command->footer(
      "Examples:\n  dicube pack scan/ -o scan.dcbs\n  dicube pack --all cd/ -o archives/ --json\n  dicube pack "
      "--archive scans/ -o archives/");
  command->callback([arguments, &run] { run = [arguments] { return run_pack(*arguments); }; });
}

}  // namespace dicube::cli
