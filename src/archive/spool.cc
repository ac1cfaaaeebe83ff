#include "archive/spool.h"

namespace dicube::archive {

Status Spool::add(Bytes bytes) {
  const std::uint64_t size = bytes.size();
  if (size <= kInMemory - in_memory_) {
    in_memory_ += size;
    entries_.push_back({memory_.size(), size});
    if (size > 0) memory_.push_back(std::move(bytes));
    return {};
  }
  if (!file_) {
    DICUBE_ASSIGN(auto file, io::NewFile::create(folder_, name_));
    file_.emplace(std::move(file));
  }
  return append(bytes, entries_.emplace_back(Entry{0, size}).place);
}

Status Spool::append(ByteSpan bytes, std::uint64_t& place) {
  place = kInMemory + file_->size();
  return file_->append(bytes);
}

Status Spool::let_go() {
  if (!file_) return {};
  for (Entry& entry : entries_) {
    if (entry.size == 0 || entry.place >= kInMemory) continue;
    Bytes bytes = std::move(memory_[entry.place]);
    DICUBE_TRY(append(bytes, entry.place));
  }
  memory_ = {};
  in_memory_ = 0;
  return {};
}

Result<ByteSpan> Spool::read(std::size_t entry, std::uint64_t from, std::uint64_t size, Bytes& scratch) const {
  const Entry& kept = entries_[entry];
  if (kept.size == 0) return ByteSpan();
  if (kept.place < kInMemory) return ByteSpan(memory_[kept.place]).subspan(from, size);
  scratch.resize(size);
  DICUBE_TRY(file_->read_at(kept.place - kInMemory + from, scratch));
  return ByteSpan(scratch);
}

}  // namespace dicube::archive
