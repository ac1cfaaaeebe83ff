#include "cli/command.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace dicube::cli {
namespace {

std::atomic<bool> interrupted = false;

// The first Ctrl-C ends the call in order; the second one kills, as always.
void on_interrupt(int) {
  interrupted = true;
  ::signal(SIGINT, SIG_DFL);
}

std::string_view phase_name(Progress::Phase phase) {
  switch (phase) {
    case Progress::Phase::kScan: return "scanning";
    case Progress::Phase::kPack: return "packing";
    case Progress::Phase::kVerify: return "verifying";
    case Progress::Phase::kUnpack: return "unpacking";
  }
  return "";
}

// One line, rewritten at most ten times a second, with rate and remaining time.
class ProgressLine {
 public:
  void operator()(const Progress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (progress.phase != phase_ || !started_) {
      start_ = now;
      phase_ = progress.phase;
      started_ = true;
    }
    if (now - shown_ < std::chrono::milliseconds(100) && progress.files_done != progress.files_total) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    std::string rate;
    if (seconds > 0.5 && progress.bytes_done > 0) {
      const double speed = static_cast<double>(progress.bytes_done) / seconds;
      const auto left = static_cast<std::uint64_t>(static_cast<double>(progress.bytes_total - progress.bytes_done) / speed);
      rate = fmt::format(", {}/s, {}:{:02} left", human_bytes(static_cast<std::uint64_t>(speed)), left / 60, left % 60);
    }
    fmt::print(stderr, "\r\033[K{} {} of {} files{}", phase_name(progress.phase), progress.files_done, progress.files_total, rate);
    std::fflush(stderr);
  }

 private:
  std::chrono::steady_clock::time_point start_, shown_;
  Progress::Phase phase_ = Progress::Phase::kScan;
  bool started_ = false;
};

// Bytes of the UTF-8 sequence that starts `text`; 0 when it is none.
std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  const auto second = length > 1 ? static_cast<unsigned char>(text[1]) : 0;
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return 0;
  return length;
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
}

void Common::add_threads_to(CLI::App& command) {
  command.add_option("-j,--jobs", threads, "Threads; 0, the default, takes all processors")->check(CLI::Range(0, 1024));
}

bool output_is_complete() { return std::fflush(stdout) == 0 && std::ferror(stdout) == 0; }

void Common::result(const Json& json_line, const std::string& text) const {
  end_progress();
  if (json) fmt::print("{}\n", json_line.dump(-1, ' ', false, Json::error_handler_t::replace));
  else if (!text.empty()) fmt::print("{}\n", text);
  std::fflush(stdout);
}

void Common::note(const std::string& text) const {
  if (quiet) return;
  end_progress();
  fmt::print(stderr, "{}\n", text);
}

int Common::error(const Error& error) const {
  end_progress();
  fmt::print(stderr, "dicube: {}\n", printable(describe(error)));
  if (json)
    result({{"error", {{"class", name(error.error_class)}, {"file", printable(error.file)}, {"message", printable(error.message)}}}}, "");
  return exit_code(error.error_class);
}

void Common::prepare(CallOptions& options) const {
  options.threads = threads;
  options.cancel = &interrupted;
  ::signal(SIGINT, on_interrupt);
  if (!quiet && ::isatty(STDERR_FILENO)) options.on_progress = ProgressLine();
}

void Common::end_progress() const {
  if (!quiet && ::isatty(STDERR_FILENO)) fmt::print(stderr, "\r\033[K");
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto lead = static_cast<unsigned char>(text[0]);
    if (length == 0 || lead < 0x20 || lead == 0x7F) out += length == 0 ? "\xEF\xBF\xBD" : " ";
    else out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out;
}

std::string human_bytes(std::uint64_t bytes) {
  const char* unit = "B";
  double size = static_cast<double>(bytes);
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (size < 1000) break;
    size /= 1000;
    unit = next;
  }
  return unit[0] == 'B' ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, unit);
}

}  // namespace dicube::cli
