// convert
#include <fmt/format.h>

#include <map>

#include "cli/command.h"

namespace dicube::cli {
namespace {

const std::map<std::string, OnConflict> kConflicts = {
    {"error", OnConflict::kError}, {"skip", OnConflict::kSkip}, {"overwrite", OnConflict::kOverwrite}};

struct Arguments {
  Common common;
  std::string old, out, on_conflict = "error";
};

int run_convert(const Arguments& arguments) {
  const Common& common = arguments.common;
  CallOptions options;
  options.on_conflict = kConflicts.at(arguments.on_conflict);
  const auto report = convert(arguments.old, arguments.out, options);
  if (!report) return common.error(report.error());
  common.result({{"archive", printable(report->archive)}, {"skipped", report->skipped}, {"instances", report->instances}, {"frames", report->frames}, {"source_bytes", report->source_bytes}, {"archive_bytes", report->archive_bytes}, {"seconds", report->seconds}},
                report->skipped ? fmt::format("{}: exists, skipped", printable(report->archive))
                                : fmt::format("{}: {} instances, {} -> {}, {:.2f} s", printable(report->archive), report->instances, human_bytes(report->source_bytes), human_bytes(report->archive_bytes), report->seconds));
  return kWell;
}

}  // namespace

void add_convert(CLI::App& program, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("convert", "Bring an archive of format version 1 to the current format");
  command->add_option("OLD", arguments->old, "The archive to convert; it stays as it is")->required();
  command->add_option("NEW", arguments->out, "The archive to write")->required();
  command->add_option("--on-conflict", arguments->on_conflict, "When NEW exists: error, skip or overwrite")->check(CLI::IsMember({"error", "skip", "overwrite"}))->capture_default_str();
  arguments->common.add_to(*command);
  command->footer("Example:\n  dicube convert old.dcbs new.dcbs");
  command->callback([arguments, &run] { run = [arguments] { return run_convert(*arguments); }; });
}

}  // namespace dicube::cli
