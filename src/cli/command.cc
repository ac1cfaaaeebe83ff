#include "cli/command.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "base/formatted.h"
#include "cli/manifest.h"
#include "cli/progress_line.h"

namespace dicube::cli {
namespace {

std::atomic<bool> interrupted = false;
std::atomic<int> interrupted_by = 0;

// The first Ctrl-C ends the call in order; the second one kills, as always. So do a request to end and a terminal that
// closes.
void on_interrupt(int signal) {
  interrupted_by = signal;
  interrupted = true;
  ::signal(signal, SIG_DFL);
}

}  // namespace

int exit_code(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kUsage: return kUsage;
    case ErrorClass::kIo: return kInputOutput;
    case ErrorClass::kDamaged:
    case ErrorClass::kUnsupported:
    case ErrorClass::kLimit:
    case ErrorClass::kCodec: return kDamaged;
    default: return kSomeFailed;
  }
}

void Common::add_to(CLI::App& command) {
  command.add_flag("--json", json, "Results as JSON, one object per line, on standard output");
  command.add_flag("-q,--quiet", quiet, "No notes and no progress");
  command.add_flag("-v,--verbose", verbose, "A line per file that is packed, restored or verified, on standard error");
}

void Common::add_recursive_to(CLI::App& command) {
  command.add_flag("-r,--recursive", recursive, "Of a folder, also the archives in folders below it");
  add_keep_going(command);
}

CLI::Option* add_on_conflict(CLI::App& command, std::string& value, std::string_view what) {
  return command
      .add_option("--on-conflict", value,
                  formatted("When {} exists: error, skip, overwrite, or rename: write NAME-2 beside it", what))
      ->check(CLI::IsMember({"error", "skip", "overwrite", "rename"}))
      ->capture_default_str();
}

void add_loss(CLI::App& command, std::uint32_t& max_error, double& ratio, std::string_view of) {
  auto* error =
      command.add_option("--max-error,--near", max_error, formatted("{}: the largest error of any value", of))
          ->check(CLI::Range(1, 65535));
  command.add_option("--ratio", ratio, formatted("{}: how many times smaller than its values each frame gets", of))
      ->check(CLI::Range(1.0, 10000.0))
      ->excludes(error);
}

void add_codec(CLI::App& command, std::string& value) {
  command.add_option("--codec", value, "How pixels are coded; auto takes what is smaller")
      ->check(CLI::IsMember({"auto", "htj2k", "lane", "zstd"}))
      ->capture_default_str();
}

void add_keep_going(CLI::App& command) {
  command.add_flag("--keep-going")->description("What happens anyway: one that fails does not stop the others");
}

void Common::add_threads_to(CLI::App& command) {
  command.add_option("-j,--jobs", threads, "Threads; 0, the default, takes all processors")->check(CLI::Range(0, 1024));
}

void put_out(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }
void say(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

int interrupting_signal() { return interrupted_by; }

void go_on_unheard() { ::signal(SIGPIPE, SIG_IGN); }

bool output_is_complete() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

void Common::result(const Json& json_line, const std::string& text) const {
  end_progress();
  const auto line = [&] { return json_line.dump(-1, ' ', false, Json::error_handler_t::replace); };
  if (json)
    put_out(line() + "\n");
  else if (!text.empty())
    put_out(text + "\n");
  if (manifest) manifest->add(line());
  std::fflush(stdout);
}

void Common::note(const std::string& text) const {
  if (quiet) return;
  end_progress();
  say(text + "\n");
}

void Common::done(const Json& json_line, const std::string& text) const { result(json_line, quiet ? "" : text); }

int Common::error(const Error& error) const {
  error_text(printable(describe(error)));
  return error_unsaid(error);
}

void Common::error_text(const std::string& text) const {
  end_progress();
  say(formatted("dicube: {}\n", text));
}

int Common::error_unsaid(const Error& error) const {
  result({{"error", to_json(error)}}, "");
  return exit_code(error.error_class);
}

void Common::prepare(CallOptions& options, std::string_view what) const {
  options.threads = threads;
  options.cancel = &interrupted;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    if (::signal(signal, on_interrupt) == SIG_IGN) ::signal(signal, SIG_IGN);  // as nohup wants it
  if (shows_progress()) options.on_progress = ProgressLine(what);
  if (verbose)
    options.on_file = [this](Progress::Phase phase, const std::string& file) {
      note(formatted("{} {}", phase_name(phase), printable(file)));
    };
}

// Not on a terminal that knows no codes to rewrite a line, as that of an editor.
bool Common::shows_progress() const {
  if (quiet || ::isatty(STDERR_FILENO) == 0) return false;
  const char* terminal = std::getenv("TERM");
  return terminal == nullptr || std::string_view(terminal) != "dumb";
}

void Common::end_progress() const {
  if (shows_progress()) say("\r\033[K");
}

const CLI::Validator kOnDisk(
    [](std::string& text) {
      return text == "-" ? "standard output can't take this: name a file or folder (./- is one of that name)" : "";
    },
    "");

Error with_advice(Error error) {
  constexpr std::string_view kOption = "(the option ";  // as the library has them, for readers in other languages, too
  if (const auto at = error.message.find(kOption); at != std::string::npos)
    error.message.replace(at, kOption.size(), "(--");
  if (error.error_class == ErrorClass::kConflict && error.message.starts_with("exists already"))
    error.message = "exists already (--on-conflict skip leaves it, overwrite replaces it, rename writes beside it)";
  else if (error.error_class == ErrorClass::kConflict && error.message.starts_with("is there already"))
    error.message += " (--on-conflict overwrite replaces it, rename writes beside it)";
  return error;
}

std::string file_count(std::uint64_t instances, std::uint64_t folders) {
  std::string text = counted(instances - folders, "file");
  if (folders > 0) text += ", " + counted(folders, "empty folder");
  return text;
}

std::string failed_text(std::uint64_t archives, std::uint64_t files) {
  std::string text;
  if (archives > 0) text = counted(archives, "archive");
  if (files > 0) text += (text.empty() ? "" : " and ") + counted(files, "file");
  return text.empty() ? text : "FAILED: " + text;
}

std::string human_bytes(std::uint64_t bytes) {
  const char* unit = "B";
  double size = static_cast<double>(bytes);
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (size < 1000) break;
    size /= 1000;
    unit = next;
  }
  return unit[0] == 'B' ? formatted("{} B", bytes) : formatted("{:.1f} {}", size, unit);
}

}  // namespace dicube::cli
