#include "series/scan.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "dicom/dictionary.h"
#include "dicom/tokenizer.h"
#include "dicom/value.h"
#include "io/file.h"

namespace dicube::series {
namespace {

namespace fs = std::filesystem;
using dicom::Token;

constexpr std::uint64_t kFirstRead = 16 * 1024;  // holds the wanted elements of nearly every file

Error error_of(const std::error_code& code, const fs::path& path) {
  return {ErrorClass::kIo, "can't read: " + code.message(), path.string()};
}

class Finder {
 public:
  Finder(fs::path base, fs::path output, const std::function<void(const Error&)>& on_error)
      : base_(std::move(base)), output_(std::move(output)), on_error_(on_error) {}

  void add(const fs::path& path) {
    std::error_code code;
    const auto status = fs::status(path, code);
    if (!fs::exists(status)) {
      on_error_({ErrorClass::kNotFound, "no such file or folder", path.string()});
    } else if (fs::is_directory(status)) {
      enter(path);
    } else if (fs::is_regular_file(status)) {
      add_file(path);
    } else {
      on_error_({ErrorClass::kIo, "neither a file nor a folder: left out", path.string()});
    }
  }

  std::vector<File> take() {
    std::sort(files_.begin(), files_.end(), [](const File& a, const File& b) { return a.name < b.name; });
    return std::move(files_);
  }

 private:
  void add_file(const fs::path& path) {
    if (!seen_.insert(path.string()).second) return;
    std::error_code code;
    const auto size = fs::file_size(path, code);
    if (code) return on_error_(error_of(code, path));
    files_.push_back({path.string(), path.lexically_relative(base_).string(), size, false});
  }

  // Folders still to be read stand in a list: their depth is not the stack's.
  void enter(const fs::path& root) {
    std::vector<fs::path> open = {root};
    while (!open.empty()) {
      const fs::path folder = std::move(open.back());
      open.pop_back();
      if (!seen_.insert(folder.string()).second) continue;
      std::error_code code;
      fs::directory_iterator entries(folder, code);
      if (code) {
        on_error_(error_of(code, folder));
        continue;
      }
      bool is_empty = true;
      for (const fs::directory_iterator end; entries != end; entries.increment(code)) {
        is_empty = false;
        std::error_code unknown;  // what an entry is; a link to nowhere must not end the folder
        if (entries->symlink_status(unknown).type() == fs::file_type::directory) open.push_back(entries->path());
        else if (!is_own(entries->path())) add_entry(*entries);
      }
      if (code) on_error_(error_of(code, folder));
      else if (is_empty && folder != base_)
        files_.push_back({folder.string(), folder.lexically_relative(base_).string(), 0, true});
    }
  }

  // What this or an earlier call wrote: archives and unfinished files in the output folder, or the one output file.
  bool is_own(const fs::path& path) const {
    if (path == output_) return true;
    if (path.parent_path() != output_) return false;
    return path.extension() == ".dcbs" || (path.extension() == ".tmp" && path.filename().string().starts_with(".dicube-"));
  }

  void add_entry(const fs::directory_entry& entry) {
    std::error_code code;
    if (entry.is_directory(code)) {
      on_error_({ErrorClass::kIo, "a link to a folder: not followed", entry.path().string()});
    } else {
      add(entry.path());
    }
  }

  fs::path base_, output_;
  const std::function<void(const Error&)>& on_error_;
  std::vector<File> files_;
  std::set<std::string> seen_;
};

fs::path absolute(const std::string& path) {
  fs::path full = fs::absolute(path);
  std::error_code code;
  const bool climbs = std::find(full.begin(), full.end(), "..") != full.end();  // behind a link, ".." is somewhere else
  const fs::path parent = climbs ? fs::weakly_canonical(full.parent_path(), code) : fs::path();
  full = (climbs && !code && full.filename() != ".." ? parent / full.filename() : full).lexically_normal();
  return full.has_filename() ? full : full.parent_path();  // no '/' at the end
}

// The one source folder, or the deepest folder that holds all sources.
fs::path base_of(const std::vector<fs::path>& sources) {
  std::error_code code;
  if (sources.size() == 1 && fs::is_directory(sources[0], code)) return sources[0];
  fs::path base = sources[0].parent_path();
  for (const fs::path& source : sources)
    while (true) {
      const auto [left, rest] = std::mismatch(base.begin(), base.end(), source.begin(), source.end());
      if ((left == base.end() && rest != source.end()) || base == base.root_path()) break;
      base = base.parent_path();
    }
  return base;
}

std::optional<double> position_of(const std::vector<double>& position, const std::vector<double>& orientation) {
  if (position.size() != 3 || orientation.size() != 6) return std::nullopt;
  const auto& o = orientation;
  return position[0] * (o[1] * o[5] - o[2] * o[4]) + position[1] * (o[2] * o[3] - o[0] * o[5]) +
         position[2] * (o[0] * o[4] - o[1] * o[3]);
}

Head head_of(const dicom::Tokens& tokens, ByteSpan file) {
  Head head;
  head.looks_like_dicom = tokens.preamble > 0 || !tokens.meta.empty();
  const ByteSpan bytes = tokens.data_bytes(file);
  std::vector<double> position, orientation;
  int depth = 0;
  for (const Token& token : tokens.data) {
    if (token.kind == dicom::TokenKind::kSequence) ++depth;
    if (token.kind == dicom::TokenKind::kSequenceEnd) --depth;
    if (token.kind != dicom::TokenKind::kElement || depth != 0) continue;
    const ByteSpan value = bytes.subspan(token.value, token.length);
    switch (token.tag) {
      case dicom::kSeriesInstanceUid: head.series_instance_uid = dicom::trimmed(value); break;
      case dicom::kSopInstanceUid: head.sop_instance_uid = dicom::trimmed(value); break;
      case dicom::kInstanceNumber: head.instance_number = dicom::first_number(value, "IS", token.encoding); break;
      case dicom::kImagePosition: position = dicom::numbers(value, "DS", token.encoding); break;
      case dicom::kImageOrientation: orientation = dicom::numbers(value, "DS", token.encoding); break;
      default: break;
    }
  }
  head.position = position_of(position, orientation);
  return head;
}

bool is_dicomdir(const dicom::Tokens& tokens, ByteSpan file) {
  for (const Token& token : tokens.meta)
    if (token.tag == 0x00020002)
      return dicom::trimmed(file.subspan(token.value, token.length)) == "1.2.840.10008.1.3.10";
  return false;
}

}  // namespace

std::vector<File> find_files(const std::vector<std::string>& sources, const std::string& output,
                             const std::function<void(const Error&)>& on_error) {
  std::vector<fs::path> paths;
  for (const std::string& source : sources) paths.push_back(absolute(source));
  Finder finder(base_of(paths), absolute(output), on_error);
  for (const fs::path& path : paths) finder.add(path);
  return finder.take();
}

Result<Head> read_head(const File& file) {
  DICUBE_ASSIGN(auto input, io::InputFile::open(file.path));
  Head head;
  for (std::uint64_t want = std::min(input->size(), kFirstRead);; want = std::min(input->size(), want * 32)) {
    Bytes bytes(want);
    DICUBE_TRY(input->read_at(0, bytes));
    dicom::TokenizeOptions options;
    options.stop_before_pixels = true;
    options.file_size = input->size();
    const auto tokens = dicom::tokenize(bytes, options);
    if (tokens) {
      head = head_of(*tokens, bytes);
      head.is_dicomdir = is_dicomdir(*tokens, bytes);
      const bool done = !head.series_instance_uid.empty() && head.instance_number && head.position;
      const bool past = !tokens->data.empty() && tokens->data.back().tag > dicom::kImageOrientation;
      if (done || past) return head;
    }
    if (want == input->size()) return head;
    if (!tokens && want >= kFirstRead) return head;
  }
}

}  // namespace dicube::series
