// verify

#include <algorithm>

#include "base/formatted.h"
#include "cli/archives.h"
#include "cli/each_archive.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::vector<std::string> archives;
};

std::string verdict_of(const VerifyReport& report) {
  if (report.errors.empty()) return "all well";
  const bool is_foreign = std::ranges::all_of(
      report.errors, [](const Error& error) { return error.error_class == ErrorClass::kUnsupported; });
  return is_foreign ? formatted("NOT FOR THIS PROGRAM: {} need another version", report.failed)
                    : formatted("DAMAGED: {} can't be restored", report.failed);
}

void say_verified(const Common& common, const std::string& archive, const VerifyReport& report) {
  if (report.is_lossy)
    common.note(formatted("{} is LOSSY: its files are derived images, not the originals", printable(archive)));
  common.done({{"archive", json_text(archive)},
               {"ok", report.errors.empty()},
               {"lossy", report.is_lossy},
               {"instances", report.instances},
               {"folders", report.folders},
               {"frames", report.frames},
               {"failed", report.failed},
               {"seconds", report.seconds}},
              formatted("{}: {}, {}, {}, {:.2f} s", printable(archive), verdict_of(report),
                        file_count(report.instances, report.folders), counted(report.frames, "frame"), report.seconds));
}

int run_verify(const Arguments& arguments) {
  const Common& common = arguments.common;
  CallOptions options;
  const Total total = for_each_archive(
      arguments.archives, common, options, [&](const std::string& archive, Complaints& complaints) -> Outcome {
        const auto report = verify(archive, options);
        if (!report) return {complaints.add(not_opened(report.error(), archive))};
        const int code = say_errors(complaints, archive, report->errors);
        say_verified(common, archive, *report);
        const std::uint64_t files = report->instances - report->folders - report->failed;
        return {code, false, files, report->failed};
      });
  total.say(common, " all well", "");
  return total.code;
}

}  // namespace

void add_verify(CLI::App& program, Run& run) {
  auto [command, arguments] =
      add_command(program, run, "verify", "Check every checksum, and every original by rebuilding it", run_verify);
  command.add_option("ARCHIVE", arguments.archives, "Archives, or folders of archives")->required();
  arguments.common.add_to(command);
  arguments.common.add_threads_to(command);
  arguments.common.add_recursive_to(command);
  command.footer("Example:\n  dicube verify archives/*.dcbs");
}

}  // namespace dicube::cli
