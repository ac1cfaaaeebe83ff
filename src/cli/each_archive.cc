#include "cli/each_archive.h"

#include <algorithm>
#include <optional>
#include <span>

#include "base/formatted.h"
#include "cli/archives.h"
#include "cli/progress_line.h"

namespace dicube::cli {
namespace {

// "NAME: REASON" -> "REASON"; errors of an archive's files begin with the file's name.
std::string_view behind_name(std::string_view message) {
  const auto colon = message.find(": ");
  return colon == std::string_view::npos ? message : message.substr(colon + 2);
}

void leave_untried(const Common& common, std::span<const std::string> archives, std::string_view why, Total& total) {
  if (archives.empty()) return;
  total.not_tried = archives.size();
  common.error_text(formatted("stopped: {} not tried", counted(archives.size(), "further archive")));
  for (const std::string& archive : archives)
    common.error_unsaid({ErrorClass::kStopped, formatted("not tried: {}", why), archive});
}

// Whether a signal asks for the end before all archives had their turn; the code then says that not all is well, also
// when it came between two archives, each of which is.
bool ends_early(const Common& common, std::span<const std::string> archives_left, Total& total) {
  if (interrupting_signal() == 0) return false;
  total.code = std::max<int>(total.code, kSomeFailed);
  leave_untried(common, archives_left, "cancelled", total);
  return true;
}

}  // namespace

void Total::say(const Common& common, std::string_view how_archives, const std::string& how_files) const {
  std::string text = formatted("{}{}, {}{}{}", counted(archives, "archive"), how_archives, counted(files, "file"),
                               with_failed_files > 0 ? " in all" : "", how_files);
  std::string failures = failed > 0 ? counted(failed, "archive") : "";
  if (failed_files > 0)
    failures += formatted("{}{} of {}", failed > 0 ? ", and " : "", counted(failed_files, "file"),
                          counted(with_failed_files, failed > 0 ? "other archive" : "archive"));
  if (!failures.empty()) text += "; FAILED: " + failures;
  if (not_tried > 0) text += formatted("; {} not tried", counted(not_tried, "archive"));
  if (archives + failed + with_failed_files + not_tried > 1) common.note(text);
}

Total for_each_archive(const std::vector<std::string>& paths, const Common& common, CallOptions& options,
                       const std::function<Outcome(const std::string& archive, Complaints& complaints)>& work) {
  Total total;
  const auto archives = archives_of(paths, common, total.code);
  const bool are_several = archives.size() > 1;
  common.prepare(options, are_several ? "archives" : "files");
  std::optional<ArchivesProgress> progress;
  if (are_several) progress.emplace(archives, options);
  Complaints complaints(common);
  for (std::size_t i = 0; i < archives.size(); ++i) {
    if (ends_early(common, std::span(archives).subspan(i), total)) break;
    const Outcome outcome = work(archives[i], complaints);
    total.code = std::max(total.code, outcome.code);
    if (outcome.code == kWell)
      ++total.archives;
    else if (outcome.failed > 0)
      ++total.with_failed_files;
    else if (interrupting_signal() == 0)  // else it was not brought to its end
      ++total.failed;
    total.files += outcome.files;
    total.failed_files += outcome.failed;
    total.bytes += outcome.bytes;
    if (progress) progress->end_archive();
    if (!outcome.is_last) continue;
    leave_untried(common, std::span(archives).subspan(i + 1), "the target takes nothing more", total);
    break;
  }
  complaints.say_rest();
  return total;
}

int say_errors(Complaints& complaints, const std::string& archive, const std::vector<Error>& errors, bool transcoding) {
  int code = kWell;
  for (const Error& error : errors) {
    int own = complaints.add(with_advice(error), error.file == archive ? behind_name(error.message) : "");
    if (transcoding && error.error_class != ErrorClass::kDamaged && error.error_class != ErrorClass::kIo)
      own = kSomeFailed;
    code = code == kWell || code == own ? own : std::max(code, own);
  }
  return code;
}

}  // namespace dicube::cli
