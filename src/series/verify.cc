#include <chrono>

#include "dicube/series.h"
#include "series/each_instance.h"

namespace dicube {
namespace {

// Of blocks that no instance was put together from, which are rare (frames of a data set kept whole): they count too.
Status check_other_blocks(const Archive::State& state, const CallOptions& options) {
  std::vector<std::uint64_t> others;
  for (std::uint64_t number = 0; number < state.index.blocks.size(); ++number)
    if (!state.whole_blocks[number]) others.push_back(number);
  return try_parallel(others.size(), options.threads, [&](std::size_t i) {
    return state.read_block(others[i], [&](ByteSpan) { return check_cancel(options); });
  });
}

}  // namespace

Result<VerifyReport> verify(const std::string& path, const CallOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  DICUBE_ASSIGN(auto archive, Archive::open(path));
  const Archive::State& state = ArchiveAccess::state(archive);
  VerifyReport report{path, archive.instances().size(), archive.frame_count(), archive.info().file_bytes, 0, 0, 0,
                      {},   archive.info().is_lossy};
  const Sink nowhere = [&](ByteSpan) { return check_cancel(options); };
  state.note_whole_blocks();
  series::EachInstance each(archive, Progress::Phase::kVerify, options);
  each.run([&](std::size_t i, Bytes& buffer) {
    auto rebuilt = ArchiveAccess::read_instance(archive, i, buffer, nowhere);
    each.done(i, rebuilt ? std::optional<Error>() : in_file(std::move(rebuilt).error(), path));
  });
  each.finish(report);
  auto others = check_other_blocks(state, options);
  DICUBE_TRY(check_cancel(options));
  if (!others && report.errors.empty()) report.errors.push_back(in_file(std::move(others).error(), path));
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace dicube
