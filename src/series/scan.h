// Finding the files below folders, and what series each belongs to.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dicom/tokenizer.h"
#include "dicube/series.h"
#include "io/file.h"

namespace dicube::series {

struct File {
  std::shared_ptr<const std::string> base;  // the folder that all files found together are in; nullptr: no file on disk
  std::string name;                         // relative, '/' between folders
  std::uint64_t size = 0;
  bool is_folder = false;                  // an empty one
  std::optional<io::FileState> seen = {};  // when its head was read

  std::string path() const;
};

// What finding leaves out.
struct OwnFiles {
  std::string output;              // where archives are written: those there, and files not finished
  bool below = false;              // also in folders below it
  std::vector<std::string> files;  // and these
};

// Regular files and empty folders in and below `sources`, sorted by name. Links to folders are not followed. What can't
// be read goes to `on_error`, and the rest goes on. `on_found` hears of files found so far, and ends the search with
// false. `own`: what is left out.
std::vector<File> find_files(const std::vector<std::string>& sources, const OwnFiles& own,
                             const std::function<void(const Error&)>& on_error,
                             const std::function<bool(std::uint64_t found)>& on_found = {});

// The paths of files as whoever named the sources would write them: files have them from the root on.
class GivenNames {
 public:
  GivenNames() = default;
  explicit GivenNames(const std::vector<std::string>& sources);
  std::string of(const std::string& path) const;

 private:
  std::vector<std::pair<std::string, std::string>> sources_;  // from the root on, as given
};

// What grouping and ordering need of one file.
struct Head {
  std::string series_instance_uid;  // empty: no instance of a series
  std::optional<double> instance_number;
  // Along the normal of the image plane, mm. Of a part of a concatenation, which has none: the number of its first
  // frame (PS3.3 C.7.6.16.2.2.4).
  std::optional<double> place;
  std::uint64_t sop_instance = 0;  // identity_of() its SOP Instance UID
  bool looks_like_dicom = false;
  bool is_dicomdir = false;
};
// A file on its way into an archive, and what its head says of it.
struct Member {
  File file;
  bool looks_like_dicom = false;
  std::uint64_t sop_instance = 0;  // as Head has it
};

// A hash; 0 of an empty value, padded or not.
std::uint64_t identity_of(ByteSpan value);
// Notes in `file` how it was seen.
Result<Head> read_head(File& file);

// The directory of a medium (PS3.10 8.6), an instance of no series.
bool is_dicomdir(const dicom::Tokens& tokens, ByteSpan file);

// A file as far as it was read, tokenised up to the pixels. Large elements of known length are not in it.
struct Start {
  const dicom::Tokens& tokens;
  ByteSpan bytes;
  bool is_all;            // there is no more in front of the pixels
  std::uint64_t skipped;  // bytes of the file that are in front of the end of the tokens, but not in `bytes`
};

// Reads the file's first `first` bytes, and more and more of it, until `take` returns true or has seen all. Not called
// for what is no DICOM. kLimit: there is not memory enough.
Status read_start(const File& file, std::uint64_t first, const std::function<bool(const Start&)>& take);

// The same of a file that is open.
Status read_start(const io::InputFile& input, std::uint64_t first, const std::function<bool(const Start&)>& take);

}  // namespace dicube::series
