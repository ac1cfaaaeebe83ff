#include "series/scan.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <set>

#include "base/hash.h"
#include "dicom/header.h"
#include "dicom/tags.h"
#include "dicom/tokenizer.h"
#include "dicom/uid.h"
#include "dicom/value.h"
#include "io/file.h"
#include "series/archive_ending.h"
#include "series/slice_order.h"

namespace dicube::series {
namespace {

namespace fs = std::filesystem;
using dicom::Token;

constexpr std::uint64_t kFirstRead = 16 * 1024;  // holds the wanted elements of nearly every file

Error error_of(int error, const fs::path& path) {
  return {ErrorClass::kIo, formatted("can't read: {}", std::strerror(error)), path.string(), error};
}

fs::path absolute(const std::string& path) {
  std::error_code code;
  fs::path full = fs::absolute(path, code);
  if (code) return path;  // relative to a working directory that is gone
  const bool climbs = std::find(full.begin(), full.end(), "..") != full.end();  // behind a link, ".." is somewhere else
  const bool ends_above = full.filename() == "..";
  const fs::path known = climbs ? fs::weakly_canonical(ends_above ? full : full.parent_path(), code) : fs::path();
  if (climbs && !code) full = ends_above ? known : known / full.filename();
  full = full.lexically_normal();
  return full.has_filename() ? full : full.parent_path();  // no '/' at the end
}

bool is_below(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

class Finder {
 public:
  Finder(fs::path base, const OwnFiles& own, const std::function<void(const Error&)>& on_error,
         const std::function<bool(std::uint64_t)>& on_found)
      : base_(std::move(base)),
        shared_base_(std::make_shared<const std::string>(base_.string())),
        output_(own.output.empty() ? fs::path() : absolute(own.output)),
        below_output_(own.below),
        on_error_(on_error),
        on_found_(on_found) {
    for (const std::string& file : own.files) own_.insert(absolute(file).string());
  }

  void add(const fs::path& path) {
    std::error_code code;
    const auto status = fs::status(path, code);
    if (status.type() == fs::file_type::not_found)
      on_error_({ErrorClass::kNotFound, "no such file or folder", path.string()});
    else if (!fs::exists(status))
      on_error_(error_of(code.value(), path));
    else if (fs::is_directory(status))
      enter(path);
    else if (fs::is_regular_file(status))
      add(path, fs::file_size(path, code), false);
    else
      on_error_({ErrorClass::kIo, "neither a file nor a folder: left out", path.string()});
  }

  std::vector<File> take() {
    std::sort(files_.begin(), files_.end(), [](const File& a, const File& b) { return a.name < b.name; });
    // Not of std::ranges, whose own result Clang 14 does not compile.
    const auto same = [](const File& a, const File& b) { return a.name == b.name; };
    files_.erase(std::unique(files_.begin(), files_.end(), same), files_.end());
    return std::move(files_);
  }

 private:
  void add(const fs::path& path, std::uint64_t size, bool is_folder) {
    files_.push_back({shared_base_, path.lexically_relative(base_).string(), size, is_folder});
  }

  // Folders still to be read stand in a list: their depth is not the stack's.
  void enter(const fs::path& root) {
    std::vector<fs::path> open = {root};
    while (!open.empty() && !ended_) {
      const fs::path folder = std::move(open.back());
      open.pop_back();
      if (!entered_.insert(folder.string()).second) continue;
      const auto entries = io::list_folder(folder.string());
      if (!entries) {
        Error error = entries.error();
        error.error_class = ErrorClass::kIo;
        on_error_(error);
        continue;
      }
      for (const io::Entry& entry : *entries) add_entry(folder / entry.name, entry, open);
      if (entries->empty() && folder != base_) add(folder, 0, true);
      ended_ = on_found_ && !on_found_(files_.size());
    }
  }

  // What this or an earlier call wrote: archives and unfinished files in the output folder, or the one output file.
  bool is_own(const fs::path& path) const {
    if (path == output_ || own_.contains(path.string())) return true;
    if (!(below_output_ ? is_below(path, output_) : path.parent_path() == output_)) return false;
    return is_archive_name(path.string()) ||
           (path.extension() == ".tmp" && path.filename().string().starts_with(".dicube-"));
  }

  void add_entry(const fs::path& path, const io::Entry& entry, std::vector<fs::path>& open) {
    using Kind = io::Entry::Kind;
    if (entry.kind == Kind::kFolder) return open.push_back(path);
    if (is_own(path)) return;
    switch (entry.kind) {
      case Kind::kFile: return add(path, entry.size, false);
      case Kind::kLinkToFolder: return on_error_({ErrorClass::kIo, "a link to a folder: not followed", path.string()});
      case Kind::kOther: return on_error_({ErrorClass::kIo, "neither a file nor a folder: left out", path.string()});
      default: break;
    }
    if (entry.error == ENOENT || entry.error == ELOOP)
      on_error_({ErrorClass::kNotFound, "a link to nothing: left out", path.string()});
    else
      on_error_(error_of(entry.error, path));
  }

  fs::path base_;
  std::shared_ptr<const std::string> shared_base_;
  fs::path output_;
  bool below_output_;
  std::set<std::string> own_;
  const std::function<void(const Error&)>& on_error_;
  const std::function<bool(std::uint64_t)>& on_found_;
  std::vector<File> files_;
  std::set<std::string> entered_;
  bool ended_ = false;
};

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

Head head_of(const dicom::Tokens& tokens, ByteSpan file) {
  Head head;
  const ByteSpan bytes = tokens.data_bytes(file);
  std::vector<double> position, orientation;
  std::optional<double> first_frame;
  dicom::for_each_top_level(tokens.data, [&](const Token& token) {
    if (token.kind != dicom::TokenKind::kElement) return;
    const ByteSpan value = bytes.subspan(token.value, token.length);
    switch (token.tag) {
      case dicom::kSopInstanceUid: head.sop_instance = identity_of(value); break;
      case dicom::kSeriesInstanceUid: head.series_instance_uid = dicom::trimmed(value); break;
      case dicom::kInstanceNumber: head.instance_number = dicom::first_number(value, "IS", token.encoding); break;
      case dicom::kImagePosition: position = dicom::numbers(value, "DS", token.encoding); break;
      case dicom::kImageOrientation: orientation = dicom::numbers(value, "DS", token.encoding); break;
      case dicom::kConcatenationFrameOffset: first_frame = dicom::first_number(value, "UL", token.encoding); break;
      default: break;
    }
  });
  head.looks_like_dicom = dicom::begins_as_file(tokens) || !head.series_instance_uid.empty();
  head.place = place_of(exactly<3>(position), exactly<6>(orientation));
  if (!head.place) head.place = first_frame;
  return head;
}

}  // namespace

std::string File::path() const { return base ? (fs::path(*base) / name).string() : std::string(); }

std::uint64_t identity_of(ByteSpan value) {
  const std::string_view text = dicom::trimmed(value);
  return text.empty() ? 0 : xxh3(as_bytes(text));
}

bool is_dicomdir(const dicom::Tokens& tokens, ByteSpan file) {
  for (const Token& token : tokens.meta)
    if (token.tag == dicom::kMetaSopClassUid)
      return dicom::trimmed(file.subspan(token.value, token.length)) == dicom::kDirectoryUid;
  return false;
}

std::vector<File> find_files(const std::vector<std::string>& sources, const OwnFiles& own,
                             const std::function<void(const Error&)>& on_error,
                             const std::function<bool(std::uint64_t)>& on_found) {
  std::vector<fs::path> paths;
  for (const std::string& source : sources) paths.push_back(absolute(source));
  Finder finder(base_of(paths), own, on_error, on_found);
  for (const fs::path& path : paths) finder.add(path);
  return finder.take();
}

GivenNames::GivenNames(const std::vector<std::string>& sources) {
  for (const std::string& source : sources) sources_.emplace_back(absolute(source).string(), source);
}

std::string GivenNames::of(const std::string& path) const {
  for (const auto& [full, given] : sources_) {
    if (path == full) return given;
    const std::string folder = io::path_in(full, "");
    if (path.starts_with(folder)) return io::path_in(given, path.substr(folder.size()));
  }
  return path;
}

Status read_start(const File& file, std::uint64_t first, const std::function<bool(const Start&)>& take) {
  DICUBE_ASSIGN(const auto input, io::InputFile::open(file.path()));
  return read_start(*input, first, take);
}

namespace {

// Of the element that the tokens end at, which is not whole at hand, or holds pixels.
std::optional<dicom::Header> next_header(const dicom::Tokens& tokens, ByteSpan bytes, std::uint64_t size) {
  if (tokens.deflated || tokens.stop) return std::nullopt;
  dicom::Header header;
  const auto status = dicom::read_header({bytes, size}, tokens.end, size, tokens.encoding, header);
  return status == dicom::HeaderStatus::kRead ? std::optional(header) : std::nullopt;
}

// Of such an element, its header and value, where they are to be stepped over: longer than what is at hand, so that all
// that is tokenised again for it is no more than the file.
std::uint64_t bytes_to_skip(const dicom::Header& header, std::uint64_t at_hand, std::uint64_t left) {
  constexpr std::uint64_t kLarge = 1 << 20;
  if (header.undefined() || dicom::is_item_or_delimitation(header.tag)) return 0;
  if (header.length < std::max(kLarge, at_hand)) return 0;
  return header.length <= left - header.size ? header.size + header.length : 0;
}

Status read_growing(const io::InputFile& input, std::uint64_t first, const std::function<bool(const Start&)>& take) {
  constexpr std::uint64_t kGrowth = 8;
  Bytes bytes;
  std::uint64_t size = input.size(), want = std::min(size, first);  // of the file without what was skipped
  for (;;) {
    const std::uint64_t have = bytes.size();
    bytes.resize(want);
    DICUBE_TRY(input.read_at(input.size() - size + have, MutableByteSpan(bytes).subspan(have)));
    dicom::TokenizeOptions options;
    options.stop_before_pixels = true;
    options.file_size = size;
    const auto tokens = dicom::tokenize(bytes, options);
    if (!tokens) return {};
    const auto next = next_header(*tokens, bytes, size);
    const bool is_all = want == size || (next && dicom::is_pixel_data(next->tag));
    if (take({*tokens, bytes, is_all, input.size() - size}) || is_all) return {};
    const std::uint64_t skipped = next ? bytes_to_skip(*next, bytes.size(), size - tokens->end) : 0;
    if (skipped > 0) bytes.resize(tokens->end);
    size -= skipped;
    want = std::min(size, skipped > 0 ? tokens->end + first : want * kGrowth);
  }
}

}  // namespace

Status read_start(const io::InputFile& input, std::uint64_t first, const std::function<bool(const Start&)>& take) {
  try {
    return read_growing(input, first, take);
  } catch (const std::bad_alloc&) {  // one file costs itself alone
    return fail(ErrorClass::kLimit, "{} bytes: more than there is memory for", input.size());
  }
}

Result<Head> read_head(File& file) {
  Head head;
  DICUBE_ASSIGN(const auto input, io::InputFile::open(file.path()));
  DICUBE_TRY(read_start(*input, kFirstRead, [&](const Start& start) {
    head = head_of(start.tokens, start.bytes);
    head.is_dicomdir = is_dicomdir(start.tokens, start.bytes);
    const bool done = !head.series_instance_uid.empty() && head.instance_number && head.place;
    return done || dicom::last_top_level(start.tokens.data) > dicom::kConcatenationFrameOffset;
  }));
  file.seen = input->state();
  return head;
}

}  // namespace dicube::series
