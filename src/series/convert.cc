#include <chrono>
#include <filesystem>

#include "archive/state.h"
#include "archive/version1.h"
#include "base/result.h"
#include "dicube/series.h"

namespace dicube {
namespace {

// Every instance of the new archive can be rebuilt, and every frame be decoded.
Status prove(const Archive& archive) {
  std::vector<std::byte> pixels;
  for (std::size_t i = 0; i < archive.instances().size(); ++i) {
    DICUBE_TRY(archive.read_instance(i));
    pixels.resize(archive.pixel_format(i).frame_bytes());
    DICUBE_TRY(archive.read_frame(i, pixels));
  }
  return {};
}

Status convert_into(const io::Source& source, const std::filesystem::path& out, const CallOptions& options, SeriesReport& report) {
  DICUBE_ASSIGN(const auto folder, io::Folder::make(out.has_parent_path() ? out.parent_path().string() : "."));
  const std::string name = out.filename().string();
  if (options.on_conflict != OnConflict::kOverwrite && folder.has(name)) {
    report.skipped = options.on_conflict == OnConflict::kSkip;
    if (report.skipped) return {};
    return fail(ErrorClass::kConflict, "exists already");
  }
  DICUBE_ASSIGN(auto file, archive::convert_version1(source, folder, name));
  DICUBE_ASSIGN(const auto archive, ArchiveAccess::open(std::make_unique<io::WrittenSource>(file)));
  DICUBE_TRY(prove(archive));
  const ArchiveInfo& info = archive.info();
  report.series_instance_uid = info.series_instance_uid;
  report.instances = archive.instances().size();
  report.frames = archive.frame_count();
  report.archive_bytes = info.file_bytes;
  report.pixel_bytes = info.pixel_bytes;
  report.metadata_bytes = info.metadata_bytes;
  report.codec = "source";
  return file.commit(options.on_conflict == OnConflict::kOverwrite);
}

}  // namespace

Result<SeriesReport> convert(const std::string& old, const std::string& out, const CallOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  SeriesReport report;
  report.archive = out;
  DICUBE_ASSIGN(const auto source, io::InputFile::open(old));
  report.source_bytes = source->size();
  Bytes first(std::min<std::uint64_t>(12, source->size()));
  DICUBE_TRY(source->read_at(0, first));
  if (!archive::is_version1(first)) {
    DICUBE_ASSIGN(const auto archive, Archive::open(old));
    return tl::unexpected<Error>(
        in_file({ErrorClass::kUsage, fmt::format("has format version {} already", archive.info().format_major)}, old));
  }
  if (auto done = convert_into(*source, out, options, report); !done) {
    const bool target = done.error().error_class == ErrorClass::kConflict || done.error().error_class == ErrorClass::kIo;
    return tl::unexpected<Error>(in_file(done.error(), target ? out : old));
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace dicube
