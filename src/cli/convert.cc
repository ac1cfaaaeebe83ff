// convert

#include "base/formatted.h"
#include "cli/archives.h"
#include "cli/command.h"
#include "cli/findings.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::string old, out, codec = "auto", on_conflict = "error", to;
  std::uint32_t max_error = 0;
  double ratio = 0;
  bool lossy = false, references = false;
};

// What is wrong with the arguments; empty: nothing.
std::string why_not(const Arguments& arguments) {
  if (arguments.out.empty()) return "no archive to write: give NEW, or -o NEW";
  if (arguments.lossy == (arguments.max_error > 0 || arguments.ratio > 0)) return "";
  return arguments.lossy ? "--lossy needs --max-error or --ratio" : "--max-error and --ratio go with --lossy";
}

ConvertOptions options_of(const Arguments& arguments) {
  ConvertOptions options;
  arguments.common.prepare(options);
  options.on_conflict = kConflicts.at(arguments.on_conflict);
  options.codec = kCodecs.at(arguments.codec);
  options.max_error = arguments.max_error;
  options.ratio = arguments.ratio;
  options.references = arguments.references;
  options.to_version1 = !arguments.to.empty();
  return options;
}

void say_converted(const Arguments& arguments, const SeriesReport& report) {
  const Common& common = arguments.common;
  Json findings = Json::array();
  for (const Finding& finding : report.findings)
    findings.push_back(
        {{"code", finding.code}, {"message", json_text(finding.message)}, {"files", finding.files.size()}});
  common.done({{"archive", json_text(report.archive)},
               {"skipped", report.skipped},
               {"instances", report.instances},
               {"frames", report.frames},
               {"source_bytes", report.source_bytes},
               {"archive_bytes", report.archive_bytes},
               {"codec", report.codec},
               {"lossy", arguments.lossy},
               {"seconds", report.seconds},
               {"findings", findings}},
              report.skipped ? formatted("{}: exists, skipped", printable(report.archive))
                             : formatted("{}: {}, {} -> {}, {}, {:.2f} s{}", printable(report.archive),
                                         counted(report.instances, "instance"), human_bytes(report.source_bytes),
                                         human_bytes(report.archive_bytes), report.codec, report.seconds,
                                         arguments.lossy ? "\nLOSSY: the originals can't be restored from it" : ""));
  WorthKnowing(common).add(report.archive, findings_text(report.findings));
}

int run_convert(const Arguments& arguments) {
  go_on_unheard();
  const Common& common = arguments.common;
  if (const std::string why = why_not(arguments); !why.empty()) return common.error({ErrorClass::kUsage, why, ""});
  if (const Status one = check_no_folder(arguments.old); !one) return common.error(one.error());
  const ConvertOptions options = options_of(arguments);
  const auto report = convert(arguments.old, arguments.out, options);
  if (report) {
    say_converted(arguments, *report);
    return kWell;
  }
  const Error& error = report.error();
  const int code = common.error(error.file == arguments.old ? not_opened(error, error.file) : with_advice(error));
  // An archive may be well though format version 1 does not hold it.
  const bool no_room = options.to_version1 && report.error().error_class == ErrorClass::kUnsupported;
  return no_room && Archive::open(arguments.old) ? static_cast<int>(kSomeFailed) : code;
}

}  // namespace

void add_convert(CLI::App& program, Run& run) {
  auto [command, arguments] = add_command(
      program, run, "convert",
      "Make another archive of one: another codec, the current format, format version 1, or lossy", run_convert);
  command.add_option("OLD", arguments.old, "The archive to convert; it stays as it is")->required();
  auto* positional = command.add_option("NEW", arguments.out, "The archive to write")->check(kOnDisk);
  command.add_option("-o,--output", arguments.out, "The archive to write")->check(kOnDisk)->excludes(positional);
  add_codec(command, arguments.codec);
  command.add_option("--to", arguments.to, "v1: format version 1, which the original DiCube reads")
      ->check(CLI::IsMember({"v1"}));
  command.add_flag("--archive", arguments.references,
                   "Code frames after others: smaller, single frames take longer; into an archive named .dcba");
  command.add_flag("--lossy", arguments.lossy, "Code images with losses, into an archive named .dcbl");
  add_loss(command, arguments.max_error, arguments.ratio, "With --lossy");
  add_on_conflict(command, arguments.on_conflict, "NEW");
  arguments.common.add_to(command);
  arguments.common.add_threads_to(command);
  command.footer(
      "Examples:\n  dicube convert old.dcbs new.dcbs\n  dicube convert scan.dcbs scan.dcbl --lossy --max-error 2\n  "
      "dicube convert scan.dcbs scan.dcba --archive\n  dicube convert scan.dcbs old.dcbs --to v1");
}

}  // namespace dicube::cli
