// For tests: a folder that goes away with its owner, and small series in it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "dicom/testing.h"
#include "dicube/series.h"
#include "io/system.h"

namespace dicube::testing {

// Whether memory and time say anything: the sanitizers take some of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasure = false;
#else
constexpr bool kMeasure = true;
#endif

// The sanitizers take ten times as long: what is only repeated is repeated less under them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr unsigned kFewer = 10;
#else
constexpr unsigned kFewer = 1;
#endif

// How often something random is repeated: `gate` times, or `soak` times where DICUBE_SOAK is set (`./dev soak`).
inline unsigned rounds(unsigned gate, unsigned soak) { return std::getenv("DICUBE_SOAK") != nullptr ? soak : gate; }

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string path = ::testing::TempDir() + "dicube-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) ADD_FAILURE() << "no temporary folder " << path;
    path_ = path;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ / name; }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Nothing is at stake in a scratch folder that a disk would have to keep.
class WithoutSync : public io::System {
 public:
  int fsync(int) override { return 0; }
  int syncfs(int) override { return 0; }
  int sync_file_range(int, off_t, off_t, unsigned) override { return 0; }
};

inline void write_file(const std::string& path, ByteSpan bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) ADD_FAILURE() << "can't write " << path;
}

// Nothing where there is no such file. At once: byte by byte, large files take the sanitizers minutes.
inline Bytes read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  Bytes bytes(in ? static_cast<std::size_t>(in.tellg()) : 0);
  in.seekg(0).read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// What is below a folder, by relative path: the bytes of files; the targets of links, which are not followed; nothing
// for folders.
inline std::map<std::string, Bytes> tree(const std::string& folder) {
  namespace fs = std::filesystem;
  std::map<std::string, Bytes> found;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    Bytes& bytes = found[entry.path().lexically_relative(folder).string()];
    if (entry.is_symlink()) {
      const std::string target = fs::read_symlink(entry.path()).string();
      bytes.assign(as_bytes(target).begin(), as_bytes(target).end());
    } else if (entry.is_regular_file()) {
      bytes = read_bytes(entry.path().string());
    }
  }
  return found;
}

// Instances `first` to `first + count - 1` of a CT series, as files "1.dcm" and so on. Returns them.
inline std::vector<Bytes> write_series(const std::string& folder, unsigned count, unsigned size = 8,
                                       unsigned first = 1) {
  std::vector<Bytes> files;
  for (unsigned instance = first; instance < first + count; ++instance) {
    files.push_back(dicom::testing::ct_image(instance, size, size));
    write_file(folder + "/" + std::to_string(instance) + ".dcm", files.back());
  }
  return files;
}

// Packs one series, expecting no error, and returns the archive's bytes.
inline Bytes pack_bytes(const std::vector<std::string>& sources, const std::string& archive, unsigned threads = 1) {
  PackOptions options;
  options.threads = threads;
  const auto summary = pack(sources, archive, options);
  if (!summary) {
    ADD_FAILURE() << describe(summary.error());
    return {};
  }
  for (const Error& error : summary->errors) ADD_FAILURE() << describe(error);
  for (const SeriesReport& report : summary->series)
    if (report.error) ADD_FAILURE() << describe(*report.error);
  return read_bytes(archive);
}

}  // namespace dicube::testing
