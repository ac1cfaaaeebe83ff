#include "cli/progress_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "base/formatted.h"
#include "cli/command.h"

namespace dicube::cli {
namespace {

constexpr double kSteady = 0.5;  // seconds before a rate means something

// A longer line would go on in the next one, which the rewriting leaves.
std::string fit_for_terminal(std::string text) {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && text.size() >= size.ws_col)
    text.resize(size.ws_col - 1U);
  return text;
}

std::string time_left(double done, double total, double rate) {
  if (total < done || rate <= 0) return "";
  const auto left = static_cast<std::uint64_t>((total - done) / rate);
  return formatted(", {}:{:02} left", left / 60, left % 60);
}

}  // namespace

std::string_view phase_name(Progress::Phase phase) {
  switch (phase) {
    case Progress::Phase::kScan: return "scanning";
    case Progress::Phase::kPack: return "packing";
    case Progress::Phase::kProve: return "proving";
    case Progress::Phase::kVerify: return "verifying";
    case Progress::Phase::kUnpack: return "unpacking";
  }
  return "";
}

std::string progress_text(const Progress& progress, double seconds) {
  std::string text(phase_name(progress.phase));
  if (progress.files_total > 0)
    text += formatted(" {} of {} files", progress.files_done, progress.files_total);
  else
    text += formatted(" {} files", progress.files_done);
  if (seconds < kSteady) return text;
  const bool by_bytes = progress.bytes_done > 0;
  const auto done = static_cast<double>(by_bytes ? progress.bytes_done : progress.files_done);
  const auto total = static_cast<double>(by_bytes ? progress.bytes_total : progress.files_total);
  const double rate = done / seconds;
  text += by_bytes ? formatted(", {}/s", human_bytes(static_cast<std::uint64_t>(rate))) : formatted(", {:.0f}/s", rate);
  return text + time_left(done, total, rate);
}

void ProgressLine::operator()(const Progress& progress) {
  const auto now = Clock::now();
  auto& spent = spent_.at(static_cast<std::size_t>(progress.phase));
  spent += now - last_;
  last_ = now;
  if (now - shown_ < std::chrono::milliseconds(100) && progress.files_done != progress.files_total) return;
  shown_ = now;
  say("\r\033[K" + fit_for_terminal(progress_text(progress, std::chrono::duration<double>(spent).count())));
  std::fflush(stderr);
}

}  // namespace dicube::cli
