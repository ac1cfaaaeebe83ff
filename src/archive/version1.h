// Files of format version 1, which the original DiCube wrote: one array of pixels and merged metadata, no original
// files.
//
// 116 bytes of header, little endian: "DCMCUBES", version 1 (32 bits), then 13 numbers of 64 bits: offset and length of
// the status, the metadata (JSON in zstd), the space (JSON), the pixel header (JSON), the frames' offsets and their
// lengths (64 bits each), and the number of frames. Each frame is an HTJ2K codestream.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "dicube/archive.h"
#include "io/file.h"

namespace dicube::archive {

constexpr std::size_t kVersion1Header = 116;  // bytes

bool is_version1(ByteSpan first_bytes);
std::string version1_name(std::size_t frame);  // of the instance that is made for it: "slice_0000.dcm"

struct Version1Instance {
  std::string name;
  Bytes file;
};

// An open file of format version 1: a DICOM instance per frame, regenerated from the metadata, HTJ2K codestreams as
// they are. The rescale is the pixel header's, which says what the stored values mean; position and spacing are the
// space's where the metadata has none. kDamaged: the file contradicts itself.
class Version1 {
 public:
  // `source` must outlive it.
  static Result<Version1> read(const io::Source& source);
  Version1(Version1&&) noexcept;
  Version1& operator=(Version1&&) noexcept;
  ~Version1();
  std::size_t frames() const;
  std::uint64_t frame_bytes(std::size_t frame) const;  // of its codestream
  Result<Bytes> codestream(std::size_t frame) const;
  Result<Version1Instance> instance(std::size_t frame) const;

 private:
  struct State;
  explicit Version1(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What the file says of its series: a name such as "consistent"; empty when it says none.
Result<std::string> version1_status(const io::Source& source);

// How a file is converted: on how many threads; until when; and who is told of each frame, by several of them at once.
struct Version1Work {
  unsigned threads = 1;
  const std::atomic<bool>* cancel = nullptr;
  std::function<void(std::size_t frame)> on_frame = {};

  // kStopped: `*cancel` became true.
  Status check_cancel() const;
  void done(std::size_t frame) const {
    if (on_frame) on_frame(frame);
  }
};

// The archive that the file becomes, in a file that has no name yet in `folder`, which must outlive it.
Result<io::NewFile> convert_version1(const Version1& old, std::uint64_t file_bytes, const io::Folder& folder,
                                     std::string name, const Version1Work& work = {});
Result<io::NewFile> convert_version1(const io::Source& source, const io::Folder& folder, std::string name);

// The archive's instances that have frames in format version 1, in a file that has no name yet: stored values, without
// the bits above them, and one rescale for all, the data sets as DICOM JSON, a space where the slices are evenly
// spaced. kUnsupported: a series that the format does not hold.
Result<io::NewFile> write_version1(const Archive& archive, const io::Folder& folder, std::string name,
                                   const Version1Work& work);
// What was written holds the frames of the archive's originals, which are rebuilt for it.
Status prove_version1(const Archive& archive, const Version1& written, const Version1Work& work);

}  // namespace dicube::archive
