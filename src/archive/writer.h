// Writing one archive. Frames and bulk values are put by as they come; the front, whose size is known last, and then
// they, make the archive, still without a name.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "archive/code_frame.h"
#include "archive/findings.h"
#include "archive/instances.h"
#include "archive/metadata.h"
#include "archive/shred.h"
#include "archive/spool.h"

namespace dicube::archive {

class ArchiveWriter {
 public:
  // `name`: what the archive will be called in `folder`, which must outlive the writer.
  ArchiveWriter(const io::Folder& folder, std::string name);
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;

  // Makes room for so many instances with a frame each; others come in all the same.
  void reserve(std::size_t instances);

  // Codes a file that is to be kept as it is and that memory does not hold, for the add() of its instance.
  Result<Chunk> code(std::uint64_t size, const Pieces& file) { return metadata_.code(size, file); }

  // Takes frames of the instance that is added next: so that they need not be held. Leaves their bytes empty.
  Status add_frames(const format::FrameFormat& format, std::span<CodedFrame> frames);

  // Adds the next instance. `frames`: one per frame of its pixel plan, in order, but for those that came before.
  Status add(Instance instance, const Shreddable& parts, std::vector<CodedFrame> frames);

  // The `number`th that was added.
  const Instance& instance(std::size_t number) const { return table_.instances[number]; }

  // The instances are lossy derivations of others; the archive says so.
  void mark_lossy() { lossy_ = true; }

  // The series was checked, and this is what is irregular; the archive says so. REQUIRES: at most kMostFindings.
  void set_findings(std::vector<Finding> findings) { findings_ = std::move(findings); }

  // The whole archive, to be proven and committed. The writer is of no more use.
  Result<io::NewFile> finish(std::string series_instance_uid, unsigned threads);

 private:
  std::uint32_t format_number(const format::FrameFormat& format, const CodedFrame& frame);
  void repeat(std::uint32_t distance);
  Result<std::size_t> find_same(const format::Frame& entry, const CodedFrame& frame);
  std::uint64_t reference_of(const format::Frame& frame, std::size_t number) const;
  Result<bool> is_same(const format::Frame& entry, const CodedFrame& frame, std::size_t block) const;
  const format::FrameFormat& format_of(std::size_t block) const;
  Status find_prefixes(const Spool& spool, Bytes* (*prefix)(format::FrameFormat&));
  Status strip_heads();
  std::uint64_t stored_bytes(std::size_t block) const;
  Result<ByteSpan> frame_block(std::size_t block, Bytes& scratch) const;
  Status append_blocks(io::NewFile& file);
  std::uint64_t optional_features() const;

  const io::Folder& folder_;
  std::string name_;
  bool lossy_ = false;
  std::optional<std::vector<Finding>> findings_;
  Spool frames_, recipes_, blocks_;  // recipes: one per block of a frame, mostly empty; blocks: of bulk values
  MetadataBuilder metadata_;
  InstanceTable table_;
  format::FrameIndex index_;
  std::vector<std::uint64_t> blocks_of_format_;
  std::vector<std::size_t> frame_of_block_;                        // the first that shows it
  std::unordered_map<std::uint64_t, std::size_t> blocks_by_hash_;  // the first of each
  std::unordered_multimap<std::uint64_t, std::uint32_t> formats_by_hash_;
};

}  // namespace dicube::archive
