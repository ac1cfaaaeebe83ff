// Byte strings put by until their places in the archive are known: the first ones in memory, and from the one on that
// exceeds a limit, all in a nameless file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/pieces.h"
#include "io/file.h"

namespace dicube::archive {

class Spool {
 public:
  static constexpr std::uint64_t kInMemory = std::uint64_t{8} << 20;

  // `folder`, which must outlive the spool, is where the file would go; `name` stands in errors.
  Spool(const io::Folder& folder, std::string name) : folder_(folder), name_(std::move(name)) {}

  // Keeps the bytes as the next entry.
  Status add(Bytes bytes);
  // The same of bytes that come in pieces, which memory never holds; without an entry where they fail.
  Status add(const Pieces& bytes);
  // Puts `head` before the last entry, or takes that out. REQUIRES: it came in pieces; a head is short, and the only
  // one.
  Status put_before_last(ByteSpan head);
  void drop_last() { entries_.pop_back(); }
  // Makes memory free where there is a file: what is held goes there, too.
  Status let_go();
  std::size_t count() const { return entries_.size(); }
  std::uint64_t size(std::size_t entry) const { return entries_[entry].size; }
  // `size` bytes of an entry from `from` on; they belong to the spool or to `scratch`. REQUIRES: inside the entry.
  Result<ByteSpan> read(std::size_t entry, std::uint64_t from, std::uint64_t size, Bytes& scratch) const;
  // Whether an entry is these bytes.
  Result<bool> holds(std::size_t entry, ByteSpan bytes) const;
  // A whole entry, in pieces.
  Status read(std::size_t entry, const Sink& sink) const;
  // Makes the memory or the space of an entry free that is not read any more. REQUIRES: let_go() moves nothing later.
  void forget(std::size_t entry);

 private:
  static constexpr std::uint64_t kHeadRoom = 64;
  static constexpr std::uint64_t kGivenBack = std::uint64_t{1} << 20;  // at once, at least
  Status open_file();
  Status append(ByteSpan bytes, std::uint64_t& place);
  void give_back_forgotten();

  struct Entry {
    std::uint64_t place;  // in the file, behind kInMemory; below that: in memory_
    std::uint64_t size;
    std::uint64_t room = 0;  // in front of it, for a head: nothing stands there
  };
  const io::Folder& folder_;
  std::string name_;
  std::vector<Entry> entries_;
  std::vector<Bytes> memory_;  // by number, of entries that are not empty
  std::uint64_t in_memory_ = 0;
  std::optional<io::NewFile> file_;
  std::uint64_t forgotten_ = 0, forgotten_end_ = 0;  // of the file, not given back yet
};

}  // namespace dicube::archive
