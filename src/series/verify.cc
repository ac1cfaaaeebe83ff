#include <chrono>

#include "dicube/series.h"
#include "series/each_instance.h"

namespace dicube {

Result<VerifyReport> verify(const std::string& path, const CallOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  DICUBE_ASSIGN(auto archive, Archive::open(path));
  const Archive::State& state = ArchiveAccess::state(archive);
  VerifyReport report{path, archive.instances().size(), archive.frame_count(), archive.info().file_bytes, 0, 0, 0,
                      {},   archive.info().is_lossy};
  const Sink nowhere = [&](ByteSpan) { return check_cancel(options); };
  series::EachInstance each(archive, Progress::Phase::kVerify, options);
  each.run([&](std::size_t i, Bytes& buffer) {
    auto rebuilt = ArchiveAccess::read_instance(archive, i, buffer, nowhere);
    each.done(i, rebuilt ? std::optional<Error>() : in_file(std::move(rebuilt).error(), path));
  });
  each.finish(report);
  // Blocks that no file is put together from are rare (frames of a data set kept whole); they count too.
  for (std::uint64_t number = 0; number < state.index.blocks.size() && check_cancel(options); ++number)
    if (auto read = state.read_block(number, nowhere); !read && report.errors.empty())
      report.errors.push_back(in_file(read.error(), path));
  DICUBE_TRY(check_cancel(options));
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace dicube
