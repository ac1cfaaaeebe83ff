// Packing one series:
//  1. read a batch of files, each whole and once; tokenise; find the frames       (in parallel, by file)
//  2. code the batch's frames (series/frame_coder)   (in parallel, by frame; a file's only one at the end of step 1)
//     and let go of the pixels of files that have one
//  3. add the instances in order                      (one at a time; those of one frame while others are in step 1, 2)
//  4. after the last batch write the archive, still nameless; open it with the ordinary reader, rebuild every file
//     from it and compare its XXH3-128, and the SHA-256 in the archive, with the source's (in parallel, by file)
//  5. give it its name.
#include "series/pack_group.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <span>
#include <unordered_map>

#include "archive/state.h"
#include "archive/writer.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "series/call.h"
#include "series/check.h"
#include "series/frame_coder.h"
#include "series/packed_before.h"
#include "series/prepared.h"
#include "series/slice_list.h"

namespace dicube::series {
namespace {

constexpr std::uint64_t kBatchBytes = std::uint64_t{32} << 20;
constexpr std::uint64_t kFileBytes = 16384;  // what a small file takes besides: its tokens, mostly
constexpr std::uint64_t kNoteBytes = 4096;   // less of a batch for each file of the series: name, values and entry
constexpr std::size_t kBatchesKept = 4;      // without giving free memory back

std::string codec_summary(const ArchiveInfo& info) {
  std::string text;
  for (const auto& [name, frames] : info.codecs) (text += text.empty() ? "" : "+") += name;
  return text.empty() ? "none" : text;
}

class SeriesPacker {
 public:
  SeriesPacker(const Group& group, const io::Folder& folder, std::string name, unsigned threads,
               const PackOptions& options, PackProgress& progress)
      : group_(group),
        folder_(folder),
        name_(std::move(name)),
        threads_(threads),
        options_(options),
        progress_(progress) {}

  SeriesReport run() {
    const auto start = std::chrono::steady_clock::now();
    report_.archive = io::path_in(folder_.path(), name_);
    report_.series_instance_uid = group_.uid;
    if (auto done = pack(); !done) report_.error = in_file(done.error(), report_.archive);
    report_.seconds = seconds_since(start);
    return std::move(report_);
  }
  std::vector<Error> take_errors() { return std::move(errors_); }
  // For files that stand nowhere on disk; one that can't be made fails the archive.
  void make_files(Read read, bool lossy) {
    read_ = std::move(read);
    all_or_nothing_ = true;
    lossy_ = lossy;
  }

 private:
  Status pack() {
    DICUBE_ASSIGN(report_.skipped, is_packed(group_, folder_, name_, options_.on_conflict));
    if (report_.skipped) return {};
    Status done = pack_once();
    while (!done && !unproven_.empty()) {
      DICUBE_TRY(take_care(done.error()));
      done = pack_once();
    }
    return done;
  }

  // A file that can't be read this time may be in the archive that would be replaced; one that is not there any more
  // may be nowhere else.
  Status check_replaced() {
    if (options_.on_conflict != OnConflict::kOverwrite || !folder_.has(name_)) return {};
    const auto there = Archive::open(report_.archive);
    const bool lacks = group_.may_lack || !errors_.empty();
    if (!there) {
      const ErrorClass why = there.error().error_class;
      if (!lacks || why == ErrorClass::kDamaged || why == ErrorClass::kNotFound) return {};
      return fail(ErrorClass::kConflict, "not overwritten: not all files could be read this time, and it neither: {}",
                  there.error().message);
    }
    DICUBE_ASSIGN(auto lost, lost_with(*there, group_, added_, lacks));
    if (lost) report_.findings.push_back(*std::move(lost));
    return {};
  }

  // Raises the care for the files that the archive did not give back. No file stays unproven at the highest.
  Status take_care(const Error& error) {
    Finding retried{"", error.message, {}};
    for (const std::string& name : unproven_) {
      Care& care = care_[name];
      if (care == Care::kWhole) return tl::unexpected<Error>(error);
      care = care == Care::kNone && options_.codec != Codec::kZstd ? Care::kZstd : Care::kWhole;
      retried.code = care == Care::kZstd ? "codec_not_exact" : "kept_whole";
      retried.files.push_back(name);
    }
    retried.message = (retried.code == "kept_whole" ? "kept as they are, without columns and frames: "
                                                    : "packed with zstd instead: ") +
                      retried.message;
    retries_.push_back(std::move(retried));
    return {};
  }

  Care care_of(const Member& member) const {
    const auto found = care_.find(member.file.name);
    return found == care_.end() ? Care::kNone : found->second;
  }

  Status pack_once() {
    errors_.clear();
    slices_ = {};
    added_.clear();
    sources_.clear();
    unproven_.clear();
    report_.instances = report_.folders = report_.frames = report_.source_bytes = 0;
    report_.findings = retries_;
    DICUBE_ASSIGN(auto file, write());
    DICUBE_TRY(check_replaced());
    let_memory_go();
    DICUBE_TRY(prove(file));
    DICUBE_TRY(check_cancel(options_));
    DICUBE_ASSIGN(const bool named, commit(file, options_.on_conflict));
    report_.archive = io::path_in(folder_.path(), file.name());
    report_.skipped = !named;
    return {};
  }

  // Clearing and taking it again takes longer than packing a small series.
  void let_memory_go() const {
    if (group_.bytes() >= kBatchBytes) return_free_memory();
  }

  // The archive, still nameless.
  Result<io::NewFile> write() {
    archive::ArchiveWriter writer(folder_, name_);
    writer.reserve(group_.members.size());
    added_.reserve(group_.members.size());
    sources_.reserve(group_.members.size());
    if (lossy_) writer.mark_lossy();
    DICUBE_TRY(pack_batches(writer));
    let_memory_go();  // what follows grows with the number of files, the batches did not
    if (report_.instances == 0)
      return fail(ErrorClass::kIo, "none of its {} could be read", counted(group_.members.size(), "file"));
    find_duplicates(writer);
    if (!group_.uid.empty()) {
      auto found = check_instances(slices_);
      tell_copies(found, [&](std::size_t i) { return ByteSpan(writer.instance(i).sha256); });
      report_.quality = named(found);
      writer.set_findings(std::move(found));
    }
    slices_ = {};
    return writer.finish(group_.uid, threads_);
  }

  void find_duplicates(const archive::ArchiveWriter& writer) {
    std::unordered_map<std::string_view, std::size_t> seen;  // by SOP Instance UID
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      const std::string_view uid = slices_[i][&Slice::sop_instance_uid];
      if (uid.empty()) continue;
      const auto [first, is_new] = seen.try_emplace(uid, i);
      if (is_new) continue;
      const bool is_copy = writer.instance(first->second).sha256 == writer.instance(i).sha256;
      report_.findings.push_back({"duplicate_sop_instance_uid",
                                  formatted("two files with SOP Instance UID {}, {}", uid,
                                            is_copy ? "the same byte for byte" : "which differ"),
                                  {added_[first->second]->file.name, added_[i]->file.name}});
    }
  }

  // Those that are more than information, and that packing does not tell by itself.
  std::vector<Finding> named(std::vector<Finding> findings) const {
    std::erase_if(findings, [](const Finding& finding) {
      return finding.severity == Severity::kInfo || finding.code == "duplicate_sop_instance_uid" ||
             finding.code == kUnexplainedBytes || finding.code == kBrokenFrames;
    });
    for (Finding& finding : findings)
      for (const std::size_t slice : finding.slices) finding.files.push_back(added_[slice]->file.name);
    return findings;
  }

  // What batches are made in, one after the other.
  struct Bench {
    FrameCoder coder;
    std::vector<Prepared> files;
    std::vector<Bytes> spare;  // by thread: memory for a file
  };

  Status pack_batches(archive::ArchiveWriter& writer) {
    Bench bench{FrameCoder(group_.members.size(), options_, threads_), {}, std::vector<Bytes>(threads_)};
    for (std::size_t begin = 0, batches = 0; begin < group_.members.size();) {
      DICUBE_TRY(check_cancel(options_));
      std::size_t end = begin;
      std::uint64_t bytes = std::min(kBatchBytes / 2, group_.members.size() * kNoteBytes);
      do bytes += group_.members[end++].file.size;
      while (end < group_.members.size() &&
             bytes + group_.members[end].file.size + (end - begin) * kFileBytes <= kBatchBytes);
      DICUBE_TRY(pack_batch(begin, end, bench, writer));
      // Only the first batch is held whole; with each of the others the allocator keeps a little more than it needs.
      if (batches++ % kBatchesKept == 0 && end < group_.members.size()) return_free_memory();
      begin = end;
    }
    return {};
  }

  Status pack_batch(std::size_t begin, std::size_t end, Bench& bench, archive::ArchiveWriter& writer) {
    FrameCoder& coder = bench.coder;
    std::vector<Prepared>& batch = bench.files;
    std::vector<Bytes>& spare = bench.spare;
    if (batch.size() < end - begin) batch.resize(end - begin);
    const std::span<Prepared> files = std::span(batch).first(end - begin);
    InOrder adding(files.size(), [&](std::size_t i) { return add(group_.members[begin + i], files[i], writer); });
    const auto code_alone = [&](std::size_t i, unsigned worker) {
      coder.code_only_frame(files[i]);
      spare[worker] = take_pixels(files[i]);
      adding.ready(i);
    };
    parallel_for(files.size(), threads_, [&](std::size_t i, unsigned worker) {
      if (adding.has_failed() || !check_cancel(options_)) return;
      if (spare[worker].capacity() > files[i].bytes.capacity()) spare[worker].swap(files[i].bytes);
      prepare(group_.members[begin + i], care_of(group_.members[begin + i]), read_, files[i]);
      if (coder.codes_at_once(files[i])) code_alone(i, worker);
    });
    DICUBE_TRY(check_cancel(options_));
    if (adding.has_failed()) return adding.finish();
    DICUBE_TRY(coder.code_batch(files, code_alone, [&](std::size_t done) { return add_part(files[0], done, writer); }));
    return adding.finish();
  }

  // Hands the frames before `end` on that are not handed on yet.
  static Status add_part(Prepared& file, std::size_t end, archive::ArchiveWriter& writer) {
    const auto part = std::span(file.frames).subspan(file.frames_added, end - file.frames_added);
    file.frames_added = end;
    return writer.add_frames(file.pixels->format, part);
  }

  void tell_defects(Prepared& file) const {
    const auto is_broken = [](const archive::CodedFrame& frame) { return !frame.defect.empty(); };
    const auto first = std::ranges::find_if(file.frames, is_broken);
    if (first == file.frames.end()) return;
    const auto number = report_.frames + static_cast<std::uint64_t>(first - file.frames.begin());
    std::string said = formatted("frame {}: {}", number, first->defect);
    if (const auto more = std::count_if(first + 1, file.frames.end(), is_broken); more > 0)
      said += formatted(", and {} more", more);
    file.findings.push_back({std::string(kBrokenFrames), std::move(said), {file.instance.name}});
    file.slice.is_broken = true;
  }

  Status add(const Member& member, Prepared& file, archive::ArchiveWriter& writer) {
    if (file.is_unread) DICUBE_TRY(code_unread(member, read_, options_, writer, file));
    if (retries_.empty()) progress_.advance(Progress::Phase::kPack, member.file.name, member.file.size);
    if (file.error && all_or_nothing_) return tl::unexpected<Error>(*std::move(file.error));
    if (file.error) {
      errors_.push_back(*std::move(file.error));
      return {};
    }
    tell_defects(file);
    for (Finding& finding : file.findings) report_.findings.push_back(std::move(finding));
    slices_.push(file.slice);
    added_.push_back(&member);
    sources_.push_back({file.instance.sha256, file.hash});
    ++report_.instances;
    report_.folders += file.instance.is_folder;
    report_.frames += file.frames.size();
    report_.source_bytes += file.instance.size;
    const archive::Shreddable parts{file.instance.name, file.bytes, file.tokens ? &*file.tokens : nullptr,
                                    file.pixels ? &*file.pixels : nullptr, file.coded ? &*file.coded : nullptr};
    file.frames.erase(file.frames.begin(), file.frames.begin() + static_cast<std::ptrdiff_t>(file.frames_added));
    Status added = writer.add(file.instance, parts, std::move(file.frames));
    if (!added && added.error().error_class != ErrorClass::kIo) unproven_.push_back(file.instance.name);
    return added;
  }

  // That an instance comes back as its source was. A SHA-256 of it would take a tenth of packing, and finds no more:
  // nobody makes up what comes back.
  Status prove(const Archive& archive, std::size_t number, Bytes& buffer) const {
    Xxh3Stream hash;
    DICUBE_TRY(ArchiveAccess::put_together(archive, number, buffer, [&](ByteSpan piece) {
      hash.update(piece);
      return check_cancel(options_);
    }));
    const Instance& instance = archive.instances()[number];
    if (hash.finish_128() == sources_[number].hash && instance.sha256 == sources_[number].sha256) return {};
    return fail(ErrorClass::kDamaged, "{}: the file put together is not its source", instance.name);
  }

  Status prove(const io::NewFile& file) {
    auto opened = ArchiveAccess::open(std::make_unique<io::WrittenSource>(file));
    if (!opened) {  // the limits of readers are meant for others than us, but hold
      if (opened.error().error_class != ErrorClass::kIo)
        for (const Member& member : group_.members) unproven_.push_back(member.file.name);
      return tl::unexpected<Error>(opened.error());
    }
    const Archive archive = *std::move(opened);
    std::map<std::size_t, Error> errors;  // by instance
    std::mutex mutex;
    std::vector<Bytes> buffers(threads_);
    const std::vector<std::size_t> order = ArchiveAccess::reading_order(archive);
    parallel_for(order.size(), threads_, [&](std::size_t turn, unsigned worker) {
      const std::size_t i = order[turn];
      if (auto equal = prove(archive, i, buffers[worker]); !equal) {
        std::lock_guard lock(mutex);
        errors.emplace(i, std::move(equal).error());
      }
      const Instance& instance = archive.instances()[i];
      if (retries_.empty()) progress_.advance(Progress::Phase::kProve, instance.name, instance.size);
    });
    DICUBE_TRY(check_cancel(options_));  // what it left unproven is nothing to take care of
    std::optional<Error> first;
    for (auto& [instance, error] : errors) {
      if (error.error_class == ErrorClass::kIo) return tl::unexpected<Error>(error);  // a disk that can't be read
      unproven_.push_back(archive.instances()[instance].name);
      if (!first) first = std::move(error);
    }
    if (first) return fail(ErrorClass::kCodec, "the archive does not give back its source: {}", first->message);
    const ArchiveInfo& info = archive.info();
    report_.archive_bytes = info.file_bytes;
    report_.pixel_bytes = info.pixel_bytes;
    report_.metadata_bytes = info.metadata_bytes;
    report_.codec = codec_summary(info);
    return {};
  }

  const Group& group_;
  const io::Folder& folder_;
  std::string name_;
  unsigned threads_;
  const PackOptions& options_;
  PackProgress& progress_;
  Read read_ = read_from_disk();
  bool all_or_nothing_ = false, lossy_ = false;
  SeriesReport report_;
  std::vector<Error> errors_;
  std::map<std::string, Care> care_;   // by name
  std::vector<std::string> unproven_;  // names, after a proof that failed
  std::vector<Finding> retries_;
  struct Source {
    Sha256 sha256;
    Hash128 hash;
  };
  std::vector<const Member*> added_;  // the instances, in order
  std::vector<Source> sources_;       // the same's files
  SliceList slices_;                  // the same's
};

}  // namespace

void PackProgress::advance(Progress::Phase phase, const std::string& file, std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  count(phase == Progress::Phase::kProve ? proven_ : packed_, bytes, options_);
  if (options_.on_file && phase == Progress::Phase::kPack) options_.on_file(phase, file);
}

void PackProgress::leave_out(const Group& group) {
  std::lock_guard lock(mutex_);
  for (Progress* progress : {&packed_, &proven_}) {
    progress->files_total -= group.members.size();
    progress->bytes_total -= group.bytes();
    if (progress->files_done > 0 && options_.on_progress) options_.on_progress(*progress);  // more was told of before
  }
}

PackedGroup pack_group(const Group& group, const io::Folder& folder, std::string name, unsigned threads,
                       const PackOptions& options, PackProgress& progress) {
  SeriesPacker packer(group, folder, std::move(name), threads, options, progress);
  SeriesReport report = packer.run();
  return {std::move(report), packer.take_errors()};
}

SeriesReport pack_made(Making making, const io::Folder& folder, const std::string& name, const PackOptions& options) {
  const Group group{std::move(making.series_instance_uid), std::move(making.files)};
  std::mutex mutex;
  PackProgress progress(group.members.size(), group.bytes(), options, mutex);
  SeriesPacker packer(group, folder, name, thread_count(options.threads), options, progress);
  packer.make_files(std::move(making.read), making.lossy);
  return packer.run();
}

}  // namespace dicube::series
