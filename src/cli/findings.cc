#include "cli/findings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/formatted.h"

namespace dicube::cli {
namespace {

constexpr std::size_t kNamed = 3;          // files
constexpr std::size_t kArchivesSaid = 20;  // a screen of them

// Codes of findings, and what they mean for one file or for several.
struct Words {
  std::string_view code, meaning;
};
constexpr std::array kWords = {
    Words{"unexplained_bytes", "cut short, or with bytes that make no sense; kept as they are"},
    Words{"pixels_not_framed", "with pixel data that can't be told apart into frames; kept as they are"},
    Words{"broken_frames", "with frames that can't be decoded here; kept as they are"},
    Words{"not_parsed", "that can't be read as DICOM; kept as they are"},
    Words{"kept_whole", "kept as they are, as one piece: their fields can't be queried"},
    Words{"codec_not_exact", "whose pixels the codec did not give back; packed with zstd instead"},
    Words{"duplicate_sop_instance_uid", "with a SOP Instance UID that another file has; all are kept"},
};

struct Group {
  std::string_view code;
  std::size_t files = 0;
  std::vector<std::string> shown;
};

std::string reason(const Finding& finding) {
  return finding.message.empty() ? "" : " (" + printable(finding.message) + ")";
}

void add(Group& group, const Finding& finding) {
  // Of two files with the same UID, the first one is no further file.
  const bool pair = finding.code == "duplicate_sop_instance_uid" && finding.files.size() == 2;
  group.files += pair ? 1 : finding.files.size();
  if (group.shown.size() >= kNamed) return;
  if (pair)
    return group.shown.push_back(printable(finding.files[1]) + " and " + printable(finding.files[0]) + reason(finding));
  for (const std::string& file : finding.files) {
    if (group.shown.size() == kNamed) return;
    group.shown.push_back(printable(file) + reason(finding));
  }
}

std::string text_of(const Group& group, std::string_view meaning) {
  std::string text = formatted("{}: {} {}: ", group.code, counted(group.files, "file"), meaning);
  for (std::size_t i = 0; i < group.shown.size(); ++i) (text += i > 0 ? ", " : "") += group.shown[i];
  if (group.files > group.shown.size()) text += formatted(", and {} more", group.files - group.shown.size());
  return text;
}

}  // namespace

std::vector<std::string> findings_text(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  std::vector<Group> groups;
  for (const Finding& finding : findings) {
    const auto* words =
        std::find_if(kWords.begin(), kWords.end(), [&](const Words& w) { return w.code == finding.code; });
    if (words == kWords.end() || finding.files.empty()) {
      lines.push_back(formatted("{}: {}", finding.code, printable(finding.message)));
      continue;
    }
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.code == finding.code; });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{words->code, 0, {}});
    add(*group, finding);
  }
  for (const Group& group : groups)
    lines.push_back(text_of(group, std::find_if(kWords.begin(), kWords.end(), [&](const Words& w) {
                                     return w.code == group.code;
                                   })->meaning));
  return lines;
}

void WorthKnowing::add(const std::string& archive, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  if (said_ < kArchivesSaid || common_.verbose) {
    ++said_;
    common_.note(formatted("{}: worth knowing:", printable(archive)));
    for (const std::string& line : lines) common_.note("  " + line);
    return;
  }
  ++unsaid_;
  std::set<std::string> codes;
  for (const std::string& line : lines) codes.insert(line.substr(0, line.find(':')));
  for (const std::string& code : codes) ++kinds_[code];
}

void WorthKnowing::say_rest() const {
  if (unsaid_ == 0) return;
  std::vector<std::string> kinds;
  for (const auto& [code, archives] : kinds_) kinds.push_back(formatted("{} ({})", code, archives));
  common_.note(formatted("worth knowing of {} more (each: -v, or dicube check): {}", counted(unsaid_, "archive"),
                         fmt::join(kinds, ", ")));
}

}  // namespace dicube::cli
