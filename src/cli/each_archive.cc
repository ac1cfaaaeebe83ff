#include "cli/each_archive.h"

#include <algorithm>

#include "base/formatted.h"
#include "cli/archives.h"

namespace dicube::cli {
namespace {

// "NAME: REASON" -> "REASON"; errors of an archive's files begin with the file's name.
std::string_view behind_name(std::string_view message) {
  const auto colon = message.find(": ");
  return colon == std::string_view::npos ? message : message.substr(colon + 2);
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

}  // namespace

int for_each_archive(const std::vector<std::string>& paths, const Common& common,
                     const std::function<Outcome(const std::string& archive, Complaints& complaints)>& work) {
  int code = kWell;
  const auto archives = archives_of(paths, common, code);
  Complaints complaints(common);
  for (std::size_t i = 0; i < archives.size(); ++i) {
    if (ends_early(common, archives.size() - i, code)) break;
    const Outcome outcome = work(archives[i], complaints);
    code = std::max(code, outcome.code);
    if (!outcome.is_last) continue;
    say_untried(common, archives.size() - i - 1);
    break;
  }
  complaints.say_rest();
  return code;
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
