// Writing one archive. Frames and bulk values go to a nameless file as they come; the front, whose size is known last, and
// then they, make the archive, still without a name.
#pragma once

#include <string>

#include "archive/frames.h"
#include "archive/instances.h"
#include "archive/metadata.h"
#include "archive/shred.h"
#include "io/file.h"

namespace dicube::archive {

class ArchiveWriter {
 public:
  // `name`: what the archive will be called in `folder`, which must outlive the writer.
  static Result<std::unique_ptr<ArchiveWriter>> create(const io::Folder& folder, std::string name);

  // Adds the next instance. `frames`: one per frame of its pixel plan, in order.
  Status add(Instance instance, const Shreddable& parts, const std::vector<CodedFrame>& frames);

  // The whole archive, to be proven and committed. The writer is of no more use.
  Result<io::NewFile> finish(std::string series_instance_uid);

 private:
  struct Extent {
    std::uint64_t offset, size;  // in the spool
  };
  std::uint32_t format_number(const format::FrameFormat& format, const CodedFrame& frame);
  Status strip_heads();
  ArchiveWriter(const io::Folder& folder, std::string name, io::NewFile spool);
  Result<std::uint64_t> store_block(ByteSpan encoded);
  Status append_blocks(io::NewFile& file) const;

  const io::Folder& folder_;
  std::string name_;
  io::NewFile spool_;
  MetadataBuilder metadata_;
  InstanceTable table_;
  format::FrameIndex index_;
  std::vector<std::uint64_t> frames_of_format_;
  std::vector<Extent> frames_;
  std::vector<Extent> blocks_;
};

}  // namespace dicube::archive
