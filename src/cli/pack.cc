// pack
#include <fmt/ranges.h>

#include <charconv>
#include <optional>

#include "base/formatted.h"
#include "cli/command.h"
#include "cli/complaints.h"
#include "cli/findings.h"
#include "cli/manifest.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::vector<std::string> sources;
  std::string out, codec = "auto", on_conflict = "error", name_template, shard, manifest;
  bool all = false, dry_run = false, references = false, resume = false;
};

struct Shard {
  std::uint32_t number = 1, of = 1;  // from 1
};

// "2/8"; nothing for what is none.
std::optional<Shard> shard_of(const std::string& text) {
  Shard shard;
  const char* end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, shard.number);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != '/') return std::nullopt;
  const auto of = std::from_chars(number.ptr + 1, end, shard.of);
  if (of.ec != std::errc() || of.ptr != end || shard.number < 1 || shard.number > shard.of) return std::nullopt;
  return shard;
}

const CLI::Validator kShard(
    [](std::string& text) {
      return shard_of(text) ? std::string() : "from 1/N to N/N, as 2/8, is wanted, not " + text;
    },
    "");

Json findings_json(const std::vector<Finding>& all) {
  Json findings = Json::array();
  for (const Finding& finding : all) {
    Json files = Json::array();
    for (const std::string& file : finding.files) files.push_back(json_text(file));
    findings.push_back({{"code", finding.code}, {"message", json_text(finding.message)}, {"files", files}});
  }
  return findings;
}

Json report_json(const SeriesReport& report, bool dry_run) {
  if (report.error)
    return {{"archive", json_text(report.archive)},
            {"source", json_text(report.source)},
            {"series_instance_uid", json_text(report.series_instance_uid)},
            {"error", to_json(*report.error)}};
  return {{"archive", json_text(report.archive)},
          {"source", json_text(report.source)},
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
          {"dry_run", dry_run},
          {"findings", findings_json(report.findings)},
          {"quality", findings_json(report.quality)}};
}

// REQUIRES: some were.
Json left_out_json(const PackSummary& summary) {
  Json left_out = {{"files", summary.not_dicom}, {"found", summary.files}};
  put_name(left_out, "example", summary.left_out[0]);
  return {{"left_out", std::move(left_out)}};
}

// "57.6 kB -> 13.5 kB (23.4 %)"
std::string size_change(std::uint64_t source, std::uint64_t archive) {
  std::string text = formatted("{} -> {}", human_bytes(source), human_bytes(archive));
  if (source > 0) text += formatted(" ({:.1f} %)", 100.0 * static_cast<double>(archive) / static_cast<double>(source));
  return text;
}

std::string to_text(const SeriesReport& report, bool dry_run) {
  if (report.error) return "";
  if (report.skipped) return formatted("{}: exists, skipped (contents are not compared)", printable(report.archive));
  const std::string what = formatted("{}: {}", printable(report.archive), file_count(report.instances, report.folders));
  if (dry_run) return formatted("{}, {}, would be packed", what, human_bytes(report.source_bytes));
  const std::string frames =
      report.frames == 0 ? "no frames" : formatted("{}, {}", counted(report.frames, "frame"), report.codec);
  return formatted("{}, {}, {}, {:.2f} s", what, size_change(report.source_bytes, report.archive_bytes), frames,
                   report.seconds);
}

// Of many archives the end is what somebody reads who comes back: "27 archives, 72 files, 612.3 kB -> 320.1 kB (52.3
// %); 2 archives skipped, which existed; FAILED: 3 archives and 15 files".
std::string summary_text(const PackSummary& summary, bool dry_run) {
  std::uint64_t written = 0, files = 0, source = 0, archive = 0, skipped = 0, failed = 0;
  for (const SeriesReport& report : summary.series) {
    failed += report.error.has_value();
    skipped += report.skipped;
    if (report.error || report.skipped) continue;
    ++written;
    files += report.instances - report.folders;
    source += report.source_bytes;
    archive += report.archive_bytes;
  }
  std::vector<std::string> said;
  if (written > 0)
    said.push_back(formatted("{}, {}, {}", counted(written, "archive"), counted(files, "file"),
                             dry_run ? human_bytes(source) + ", would be packed" : size_change(source, archive)));
  if (skipped > 0) said.push_back(formatted("{} skipped, which existed", counted(skipped, "archive")));
  if (auto text = failed_text(failed, summary.errors.size()); !text.empty()) said.push_back(std::move(text));
  if (!summary.not_tried.empty())
    said.push_back(formatted("{} not tried", counted(summary.not_tried.size(), "archive")));
  return formatted("{}", fmt::join(said, "; "));
}

PackOptions options_of(const Arguments& arguments) {
  PackOptions options;
  arguments.common.prepare(options);
  options.on_conflict = arguments.resume ? OnConflict::kSkip : kConflicts.at(arguments.on_conflict);
  options.codec = kCodecs.at(arguments.codec);
  options.references = arguments.references;
  options.all = arguments.all;
  options.dry_run = arguments.dry_run;
  options.name_template = arguments.name_template;
  if (!arguments.manifest.empty()) options.own_files = {arguments.manifest};
  const Shard shard = arguments.shard.empty() ? Shard() : *shard_of(arguments.shard);
  options.shard = shard.number - 1;
  options.shards = shard.of;
  return options;
}

void say_what_else(const Common& common, const Arguments& arguments, const PackSummary& summary) {
  for (const SeriesReport& report : summary.not_tried) common.result(report_json(report, arguments.dry_run), "");
  if (!summary.not_tried.empty())
    common.error_text(formatted("stopped: {} not tried; --resume goes on from there",
                                counted(summary.not_tried.size(), "further archive")));
  if (summary.not_dicom > 0) {
    common.result(left_out_json(summary), "");
    common.note(
        summary.not_dicom == 1
            ? formatted("1 of {} is no DICOM instance and was left out (--all keeps it): {}",
                        counted(summary.files, "file"), printable(summary.left_out[0]))
            : formatted("{} of {} files are no DICOM instances and were left out (--all keeps them), such as {}",
                        summary.not_dicom, summary.files, printable(summary.left_out[0])));
    if (summary.compressed > 0)
      common.note(formatted("{} of them by {} compressed, and not looked into: unpack what holds DICOM files first",
                            summary.compressed, summary.compressed == 1 ? "its name" : "their names"));
  }
  if (common.verbose)
    for (const std::string& file : summary.left_out) common.note(formatted("left out {}", printable(file)));
  if (summary.same_names > 0)
    common.note(formatted("{} would have had the name of another: their Series Instance UID stands behind it",
                          counted(summary.same_names, "archive")));
  if (summary.series.size() + summary.not_tried.size() > 1) common.note(summary_text(summary, arguments.dry_run));
  if (!arguments.shard.empty())
    common.note(formatted("shard {}: {} of {}", arguments.shard, summary.series.size(),
                          counted(summary.series.size() + summary.not_tried.size() + summary.other_shards, "archive")));
}

int pack_all(const Arguments& arguments, const Common& common) {
  PackOptions options = options_of(arguments);
  int code = kWell;
  Common text_only = common;  // of series: their JSON is their report
  text_only.json = false;
  text_only.manifest = nullptr;
  Complaints files(common), series(text_only);
  WorthKnowing worth_knowing(common);
  std::size_t complete = 0;
  options.on_series = [&](const SeriesReport& report) {
    if (report.error) {
      series.add(with_advice(*report.error));
      code = std::max<int>(code, report.error->error_class == ErrorClass::kIo ? kInputOutput : kSomeFailed);
    }
    common.done(report_json(report, arguments.dry_run), to_text(report, arguments.dry_run));
    if (report.error) return;
    ++complete;
    std::vector<std::string> lines = findings_text(report.findings);
    for (const Finding& finding : report.quality)
      lines.push_back(formatted("{}: {}", finding.code, printable(finding.message)));
    worth_knowing.add(report.archive, lines);
  };
  options.on_file_error = [&](const Error& error) {
    files.add(with_advice(error));
    code = std::max<int>(code, kSomeFailed);
  };
  auto summary = pack(arguments.sources, arguments.out, options);
  worth_knowing.say_rest();
  files.say_rest();
  series.say_rest();
  if (!summary) {
    const int failed = common.error(with_advice(summary.error()));
    if (complete > 0) common.note(formatted("complete: {}; --resume goes on from there", counted(complete, "archive")));
    return failed;
  }
  say_what_else(common, arguments, *summary);
  return code;
}

int run_pack(const Arguments& arguments) {
  go_on_unheard();
  Common common = arguments.common;
  if (arguments.manifest.empty()) return pack_all(arguments, common);
  auto manifest = Manifest::open(arguments.manifest);
  if (!manifest) return common.error(manifest.error());
  common.manifest = *std::move(manifest);
  const int code = pack_all(arguments, common);
  if (const Status& state = common.manifest->state(); !state) {
    common.error_text(printable(describe(state.error())));
    return std::max<int>(code, kInputOutput);
  }
  return code;
}

}  // namespace

void add_pack(CLI::App& program, Run& run) {
  auto [command, arguments] = add_command(program, run, "pack", "Pack DICOM files, one archive per series", run_pack);
  command.add_option("SRC", arguments.sources, "Files or folders, searched recursively")->required();
  command
      .add_option("-o,--output", arguments.out,
                  "A folder, or a path ending in .dcbs (with --archive .dcba) for one series")
      ->check(kOnDisk)
      ->required();
  command.add_flag("--all", arguments.all, "Also keep what is no DICOM instance, in other.dcbs");
  command.add_flag("--archive", arguments.references,
                   "Code frames after others: smaller, single frames take longer; archives are named .dcba");
  add_codec(command, arguments.codec);
  auto* on_conflict = add_on_conflict(command, arguments.on_conflict, "an archive");
  command
      .add_flag("--resume", arguments.resume,
                "Keep the archives that are there with all files that are found: as --on-conflict skip")
      ->excludes(on_conflict);
  command
      .add_option("--name-template", arguments.name_template,
                  "Names of archives, of keywords and text, as {PatientID}/{SeriesNumber}; by default the series' UID")
      ->type_name("TEMPLATE");
  command
      .add_option("--shard", arguments.shard,
                  "Only a part of the archives, for a job of a cluster array: the Ith of N, from 1")
      ->type_name("I/N")
      ->check(kShard);
  command
      .add_option("--manifest", arguments.manifest,
                  "Also write the lines of --json into this file, behind those that it has")
      ->type_name("FILE")
      ->check(kOnDisk);
  command.add_flag("--dry-run", arguments.dry_run, "Say what would be packed");
  arguments.common.add_to(command);
  arguments.common.add_threads_to(command);
  command.add_flag("-r,--recursive")
      ->description("What happens anyway: folders are searched with all that is below them");
  add_keep_going(command);
  command.footer(
      "Examples:\n  dicube pack scan/ -o scan.dcbs\n  dicube pack --all cd/ -o archives/ --json\n"
      "  dicube pack --archive scans/ -o archives/\n"
      "  dicube pack scans/ -o archives/ --name-template '{PatientID}/{StudyDate}-{SeriesNumber}'\n"
      "  dicube pack scans/ -o archives/ --resume --manifest archives.jsonl --shard $SLURM_ARRAY_TASK_ID/16");
}

}  // namespace dicube::cli
