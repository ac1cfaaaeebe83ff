// unpack

#include <algorithm>

#include "base/formatted.h"
#include "base/result.h"
#include "cli/archives.h"
#include "cli/each_archive.h"
#include "io/file.h"
#include "series/transfer_syntax.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::vector<std::string> archives;
  std::string out, on_conflict = "error", transfer_syntax;
  std::uint32_t max_error = 0;
  double ratio = 0;
  bool verify = false;
};

UnpackOptions options_of(const Arguments& arguments) {
  UnpackOptions options;
  options.on_conflict = kConflicts.at(arguments.on_conflict);
  options.transfer_syntax = arguments.transfer_syntax;
  options.max_error = arguments.max_error;
  options.ratio = arguments.ratio;
  options.verify = arguments.verify;
  return options;
}

// Of files that existed.
std::string existed_text(std::uint64_t skipped, std::uint64_t renamed) {
  std::string text;
  if (skipped > 0) text += formatted(", {} existed and were left as they are", skipped);
  if (renamed > 0) text += formatted(", {} existed and got a number", renamed);
  return text;
}

void say_unpacked(const Arguments& arguments, const std::string& archive, const UnpackReport& report) {
  const Common& common = arguments.common;
  if (report.is_lossy)
    common.note(formatted("{} is LOSSY: these files are derived images, not the originals", printable(archive)));
  Json json = {{"archive", json_text(archive)}, {"files", report.files},         {"folders", report.folders},
               {"bytes", report.bytes},         {"skipped", report.skipped},     {"renamed", report.renamed},
               {"failed", report.failed},       {"not_tried", report.not_tried}, {"seconds", report.seconds}};
  std::string text =
      formatted("{}: {}, {}{}, {:.2f} s", printable(archive), file_count(report.files + report.folders, report.folders),
                human_bytes(report.bytes), existed_text(report.skipped, report.renamed), report.seconds);
  if (!arguments.transfer_syntax.empty()) {
    json["unchanged"] = report.unchanged;
    if (report.unchanged > 0) text += formatted(", {} unchanged", report.unchanged);
    if (arguments.verify) json["largest_error"] = report.largest_error;
    if (arguments.verify) text += formatted(", verified, largest error {}", report.largest_error);
  }
  if (report.failed > 0) text += formatted("; FAILED: {}", counted(report.failed, "file"));
  common.done(json, text);
  if (report.not_tried > 0)
    common.error_text(formatted("{}: stopped: {} of its files {} not tried", printable(archive), report.not_tried,
                                report.not_tried == 1 ? "was" : "were"));
}

int run_unpack(const Arguments& arguments) {
  go_on_unheard();
  UnpackOptions options = options_of(arguments);
  // What is wrong with the command line, or with the target, is no fault of any archive.
  if (const auto syntax = series::wanted_syntax(options); !syntax) return arguments.common.error(syntax.error());
  if (const auto target = io::Folder::plan(arguments.out); !target) return arguments.common.error(target.error());
  std::uint64_t skipped = 0, renamed = 0;
  const auto work = [&](const std::string& archive, Complaints& complaints) -> Outcome {
    const auto report = unpack(archive, arguments.out, options);
    if (!report) {
      const bool is_last = writes_no_more(report.error()) || report.error().file == arguments.out;
      return {complaints.add(not_opened(report.error(), archive)), is_last};
    }
    const int code = say_errors(complaints, archive, report->errors, !arguments.transfer_syntax.empty());
    say_unpacked(arguments, archive, *report);
    skipped += report->skipped;
    renamed += report->renamed;
    const bool is_last = std::ranges::any_of(report->errors, writes_no_more);
    return {code, is_last, report->files, report->failed, report->bytes};
  };
  const Total total = for_each_archive(arguments.archives, arguments.common, options, work);
  total.say(arguments.common, "", ", " + human_bytes(total.bytes) + existed_text(skipped, renamed));
  return total.code;
}

}  // namespace

void add_unpack(CLI::App& program, Run& run) {
  auto [command, arguments] =
      add_command(program, run, "unpack", "Restore the original files, byte for byte", run_unpack);
  command.add_option("ARCHIVE", arguments.archives, "Archives, or folders of archives")->required();
  command.add_option("-o,--output", arguments.out, "The folder to restore into")->check(kOnDisk)->required();
  add_on_conflict(command, arguments.on_conflict, "a file");
  arguments.common.add_to(command);
  command
      .add_option(
          "--transfer-syntax", arguments.transfer_syntax,
          "Write standard DICOM in this syntax instead: one of these, or a UID; those from jpeg-ls-near on are lossy")
      ->type_name(
          "NAME:{explicit,implicit,rle,jpeg-ls,jpeg2000,htj2k,htj2k-rpcl,jpeg-xl,jpeg-ls-near,htj2k-lossy,"
          "jpeg-xl-lossy}");
  add_loss(command, arguments.max_error, arguments.ratio, "Of a lossy syntax");
  command.add_flag("--verify", arguments.verify, "Read each file back and compare its pixels before it gets its name");
  arguments.common.add_threads_to(command);
  arguments.common.add_recursive_to(command);
  command.footer(
      "Examples:\n  dicube unpack archives/ -o restored/\n  dicube unpack scan.dcbs -o for-pacs/ --transfer-syntax "
      "jpeg2000 --verify");
}

}  // namespace dicube::cli
