#include "archive/spool.h"

namespace dicube::archive {

Status Spool::add(Bytes bytes) {
  const std::uint64_t size = bytes.size();
  if (!file_ && size <= kInMemory - in_memory_) {
    in_memory_ += size;
    entries_.push_back({memory_.size(), size});
    if (size > 0) memory_.push_back(std::move(bytes));
    return {};
  }
  DICUBE_TRY(open_file());
  return append(bytes, entries_.emplace_back(Entry{0, size}).place);
}

Status Spool::add(const Pieces& bytes) {
  DICUBE_TRY(open_file());
  file_->leave_gap(kHeadRoom);
  const std::uint64_t begin = file_->size();
  DICUBE_TRY(bytes([&](ByteSpan piece) { return file_->append(piece); }));
  entries_.push_back({kInMemory + begin, file_->size() - begin, kHeadRoom});
  return {};
}

Status Spool::put_before_last(ByteSpan head) {
  Entry& last = entries_.back();
  last.place -= head.size();
  last.size += head.size();
  last.room -= head.size();
  return file_->write_at(last.place - kInMemory, head);
}

Status Spool::open_file() {
  if (file_) return {};
  DICUBE_ASSIGN(auto file, io::NewFile::create(folder_, name_));
  file_.emplace(std::move(file));
  return {};
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

Status Spool::read(std::size_t entry, const Sink& sink) const {
  Bytes scratch;
  for (std::uint64_t at = 0; at < size(entry); at += kPieceBytes) {
    const auto more = std::min<std::uint64_t>(size(entry) - at, kPieceBytes);
    DICUBE_ASSIGN(const auto piece, read(entry, at, more, scratch));
    DICUBE_TRY(sink(piece));
  }
  return {};
}

Result<bool> Spool::holds(std::size_t entry, ByteSpan bytes) const {
  Bytes scratch;
  bool same = size(entry) == bytes.size();
  for (std::uint64_t at = 0; same && at < bytes.size(); at += kPieceBytes) {
    const ByteSpan expected = bytes.subspan(at, std::min<std::uint64_t>(bytes.size() - at, kPieceBytes));
    DICUBE_ASSIGN(const auto piece, read(entry, at, expected.size(), scratch));
    same = same_bytes(piece, expected);
  }
  return same;
}

void Spool::forget(std::size_t entry) {
  const auto [place, size, room] = entries_[entry];
  if (size == 0) return;
  if (place < kInMemory) {
    in_memory_ -= size;
    memory_[place] = {};
    return;
  }
  const std::uint64_t begin = place - kInMemory;
  if (begin - room != forgotten_end_) {  // other entries stand between, which may be read yet
    give_back_forgotten();
    forgotten_ = begin;
  }
  forgotten_end_ = begin + size;
  if (forgotten_end_ - forgotten_ >= kGivenBack) give_back_forgotten();
}

void Spool::give_back_forgotten() {
  if (forgotten_end_ > forgotten_) file_->give_back(forgotten_, forgotten_end_ - forgotten_);
  forgotten_ = forgotten_end_;
}

}  // namespace dicube::archive
