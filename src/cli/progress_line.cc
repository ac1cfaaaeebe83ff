#include "cli/progress_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <utility>

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

// What is counted: bytes where they are known.
struct Amount {
  double done, total;
};

Amount amount_of(const Progress& progress) {
  const bool by_bytes = progress.bytes_done > 0;
  return {static_cast<double>(by_bytes ? progress.bytes_done : progress.files_done),
          static_cast<double>(by_bytes ? progress.bytes_total : progress.files_total)};
}

// Nothing when the rest has no known size.
std::optional<double> seconds_left(const Progress& progress, double seconds) {
  const Amount amount = amount_of(progress);
  if (amount.total < amount.done || amount.done <= 0) return std::nullopt;
  return (amount.total - amount.done) / amount.done * seconds;
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

std::string progress_text(const Progress& progress, double seconds, double others_left, std::string_view what) {
  std::string text(phase_name(progress.phase));
  if (progress.files_total > 0)
    text += formatted(" {} of {} {}", progress.files_done, progress.files_total, what);
  else
    text += formatted(" {} {}", progress.files_done, what);
  if (seconds < kSteady) return text;
  const double rate = amount_of(progress).done / seconds;
  text += progress.bytes_done > 0 ? formatted(", {}/s", human_bytes(static_cast<std::uint64_t>(rate)))
                                  : formatted(", {:.0f}/s", rate);
  const auto left = seconds_left(progress, seconds);
  if (!left) return text;
  const auto all = static_cast<std::uint64_t>(*left + others_left);
  return text + formatted(", {}:{:02} left", all / 60, all % 60);
}

void ProgressLine::operator()(const Progress& progress) {
  const auto now = Clock::now();
  Turns& own = phases_.at(static_cast<std::size_t>(progress.phase));
  own.latest = progress;
  own.spent += now - last_;
  last_ = now;
  if (now - shown_ < std::chrono::milliseconds(100) && progress.files_done != progress.files_total) return;
  shown_ = now;
  const auto seconds = [](const Turns& turns) { return std::chrono::duration<double>(turns.spent).count(); };
  double others_left = 0;
  for (const Turns& other : phases_)
    if (other.latest && &other != &own) others_left += seconds_left(*other.latest, seconds(other)).value_or(0);
  say("\r\033[K" + fit_for_terminal(progress_text(progress, seconds(own), others_left, what_)));
  std::fflush(stderr);
}

ArchivesProgress::ArchivesProgress(const std::vector<std::string>& archives, CallOptions& options) {
  for (const std::string& archive : archives) {
    std::error_code failed;
    const std::uintmax_t size = std::filesystem::file_size(archive, failed);
    sizes_.push_back(failed ? 0 : size);
    bytes_ += sizes_.back();
  }
  if (!options.on_progress) return;
  options.on_progress = [this, report = std::move(options.on_progress)](const Progress& one) { report(of_all(one)); };
}

void ArchivesProgress::end_archive() { bytes_done_ += sizes_[done_++]; }

Progress ArchivesProgress::of_all(const Progress& of_one) const {
  const Amount amount = amount_of(of_one);
  const double part = amount.total > 0 ? amount.done / amount.total : 0;
  const auto own = static_cast<std::uint64_t>(part * static_cast<double>(sizes_[done_]));
  return {of_one.phase, done_, sizes_.size(), bytes_done_ + own, bytes_};
}

}  // namespace dicube::cli
