// unpack and verify

#include <algorithm>

#include "base/formatted.h"
#include "cli/archives.h"
#include "cli/command.h"
#include "cli/complaints.h"

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

// "NAME: REASON" -> "REASON"; errors of an archive's files begin with the file's name.
std::string_view behind_name(std::string_view message) {
  const auto colon = message.find(": ");
  return colon == std::string_view::npos ? message : message.substr(colon + 2);
}

// Errors of single files: damage says 3, refused writes 4, the rest 1.
// `transcoding`: what the syntax asked for does not hold is a failed input, not damage.
int say_errors(Complaints& complaints, const std::string& archive, const std::vector<Error>& errors,
               bool transcoding = false) {
  int code = kWell;
  for (const Error& error : errors) {
    int own = complaints.add(with_advice(error), error.file == archive ? behind_name(error.message) : "");
    if (transcoding && error.error_class != ErrorClass::kDamaged && error.error_class != ErrorClass::kIo)
      own = kSomeFailed;
    code = code == kWell || code == own ? own : std::max(code, own);
  }
  return code;
}

void say_untried(const Common& common, std::size_t archives) {
  if (archives > 0) common.error_text(formatted("stopped: {} not tried", counted(archives, "further archive")));
}

// Whether a signal asks for the end before all archives had their turn; the code then says that not all is well, also
// when it came between two archives, each of which is.
bool ends_early(const Common& common, std::size_t archives_left, int& code) {
  if (interrupting_signal() == 0) return false;
  code = std::max<int>(code, kSomeFailed);
  say_untried(common, archives_left);
  return true;
}

UnpackOptions options_of(const Arguments& arguments) {
  UnpackOptions options;
  arguments.common.prepare(options);
  options.on_conflict = kConflicts.at(arguments.on_conflict);
  options.transfer_syntax = arguments.transfer_syntax;
  options.max_error = arguments.max_error;
  options.ratio = arguments.ratio;
  options.verify = arguments.verify;
  return options;
}

void say_unpacked(const Arguments& arguments, const std::string& archive, const UnpackReport& report) {
  const Common& common = arguments.common;
  if (report.is_lossy)
    common.note(formatted("{} is LOSSY: these files are derived images, not the originals", printable(archive)));
  Json json = {{"archive", json_text(archive)}, {"files", report.files},     {"folders", report.folders},
               {"bytes", report.bytes},         {"skipped", report.skipped}, {"renamed", report.renamed},
               {"failed", report.failed},       {"seconds", report.seconds}};
  std::string text =
      formatted("{}: {}, {}{}{}, {:.2f} s", printable(archive),
                file_count(report.files + report.folders, report.folders), human_bytes(report.bytes),
                report.skipped > 0 ? formatted(", {} existed and were left as they are", report.skipped) : "",
                report.renamed > 0 ? formatted(", {} existed and got a number", report.renamed) : "", report.seconds);
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
  const Common& common = arguments.common;
  const UnpackOptions options = options_of(arguments);
  int code = kWell;
  const auto archives = archives_of(arguments.archives, common, code);
  Complaints complaints(common);
  for (std::size_t i = 0; i < archives.size(); ++i) {
    if (ends_early(common, archives.size() - i, code)) break;
    const std::string& archive = archives[i];
    const auto report = unpack(archive, arguments.out, options);
    if (report) {
      code = std::max(code, say_errors(complaints, archive, report->errors, !arguments.transfer_syntax.empty()));
      say_unpacked(arguments, archive, *report);
    } else {
      code = std::max(code, complaints.add(not_opened(report.error(), archive)));
    }
    if (report ? std::ranges::none_of(report->errors, writes_no_more) : !writes_no_more(report.error())) continue;
    say_untried(common, archives.size() - i - 1);
    break;
  }
  complaints.say_rest();
  return code;
}

void say_verified(const Common& common, const std::string& archive, const VerifyReport& report) {
  const bool well = report.errors.empty();
  if (report.is_lossy)
    common.note(formatted("{} is LOSSY: its files are derived images, not the originals", printable(archive)));
  common.done({{"archive", json_text(archive)},
               {"ok", well},
               {"lossy", report.is_lossy},
               {"instances", report.instances},
               {"folders", report.folders},
               {"frames", report.frames},
               {"failed", report.failed},
               {"seconds", report.seconds}},
              formatted("{}: {}, {}, {}, {:.2f} s", printable(archive),
                        well ? "all well" : formatted("DAMAGED: {} can't be restored", report.failed),
                        file_count(report.instances, report.folders), counted(report.frames, "frame"), report.seconds));
}

int run_verify(const Arguments& arguments) {
  const Common& common = arguments.common;
  CallOptions options;
  common.prepare(options);
  int code = kWell;
  const auto archives = archives_of(arguments.archives, common, code);
  Complaints complaints(common);
  for (std::size_t i = 0; i < archives.size(); ++i) {
    if (ends_early(common, archives.size() - i, code)) break;
    const std::string& archive = archives[i];
    auto report = verify(archive, options);
    if (!report) {
      code = std::max(code, complaints.add(not_opened(report.error(), archive)));
      continue;
    }
    code = std::max(code, say_errors(complaints, archive, report->errors));
    say_verified(common, archive, *report);
  }
  complaints.say_rest();
  return code;
}

}  // namespace

void add_unpack(CLI::App& program, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("unpack", "Restore the original files, byte for byte");
  command->add_option("ARCHIVE", arguments->archives, "Archives, or folders of archives")->required();
  command->add_option("-o,--output", arguments->out, "The folder to restore into")->check(kOnDisk)->required();
  add_on_conflict(*command, arguments->on_conflict, "a file");
  arguments->common.add_to(*command);
  command
      ->add_option(
          "--transfer-syntax", arguments->transfer_syntax,
          "Write standard DICOM in this syntax instead: one of these, or a UID; those from jpeg-ls-near on are lossy")
      ->type_name(
          "NAME:{explicit,implicit,rle,jpeg-ls,jpeg2000,htj2k,htj2k-rpcl,jpeg-xl,jpeg-ls-near,htj2k-lossy,"
          "jpeg-xl-lossy}");
  auto* error =
      command
          ->add_option("--max-error,--near", arguments->max_error, "Of a lossy syntax: the largest error of any value")
          ->check(CLI::Range(1, 65535));
  command
      ->add_option("--ratio", arguments->ratio,
                   "Of a lossy syntax: how many times smaller than its values each frame gets")
      ->check(CLI::Range(1.0, 10000.0))
      ->excludes(error);
  command->add_flag("--verify", arguments->verify,
                    "Read each file back and compare its pixels before it gets its name");
  arguments->common.add_threads_to(*command);
  arguments->common.add_recursive_to(*command);
  add_keep_going(*command);
  command->footer(
      "Examples:\n  dicube unpack archives/ -o restored/\n  dicube unpack scan.dcbs -o for-pacs/ --transfer-syntax "
      "jpeg2000 --verify");
  command->callback([arguments, &run] { run = [arguments] { return run_unpack(*arguments); }; });
}

void add_verify(CLI::App& program, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("verify", "Check every checksum, and every original by rebuilding it");
  command->add_option("ARCHIVE", arguments->archives, "Archives, or folders of archives")->required();
  arguments->common.add_to(*command);
  arguments->common.add_threads_to(*command);
  arguments->common.add_recursive_to(*command);
  add_keep_going(*command);
  command->footer("Example:\n  dicube verify archives/*.dcbs");
  command->callback([arguments, &run] { run = [arguments] { return run_verify(*arguments); }; });
}

}  // namespace dicube::cli
