// info

#include <algorithm>
#include <array>
#include <cmath>

#include "base/formatted.h"
#include "cli/archives.h"
#include "cli/command.h"
#include "series/check.h"
#include "series/slice_order.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::vector<std::string> archives;
};

// Of every frame, or, where there are none, of every instance.
Result<Column> values_of(const Archive& archive, std::string_view path) {
  return archive.frame_count() > 0 ? archive.frame_column(path) : archive.column(path);
}

// What the first that has the element says, and whether others that have it say something else.
struct Said {
  std::string first;
  bool varies = false;
};

Said said_of(const Archive& archive, std::string_view path) {
  Said said;
  const auto column = values_of(archive, path);
  if (!column) return said;
  for (std::size_t i = 0; i < column->size() && !said.varies; ++i) {
    const std::string text = column->text(i).value_or("");
    if (said.first.empty()) said.first = text;
    said.varies = !text.empty() && text != said.first;
    if (column->is_constant()) break;
  }
  return said;
}

// What info says, in both of its forms.
struct Description {
  Json json;
  std::string text;
};

Description describe_file(const Archive& archive, const std::string& path) {
  const ArchiveInfo& info = archive.info();
  const auto folders = std::count_if(archive.instances().begin(), archive.instances().end(),
                                     [](const Instance& i) { return i.is_folder; });
  const std::string_view type = info.is_lossy ? "l" : info.has_references ? "a" : "s";
  const std::string files = file_count(archive.instances().size(), static_cast<std::uint64_t>(folders));
  Description out;
  out.json = {{"archive", json_text(path)},
              {"series_instance_uid", json_text(info.series_instance_uid)},
              {"format", formatted("{}.{}", info.format_major, info.format_minor)},
              {"instances", archive.instances().size()},
              {"folders", folders},
              {"frames", archive.frame_count()},
              {"source_bytes", info.source_bytes},
              {"archive_bytes", info.file_bytes},
              {"pixel_bytes", info.pixel_bytes},
              {"metadata_bytes", info.metadata_bytes},
              {"repeated_frames", info.repeated_frames},
              {"lossy", info.is_lossy},
              {"type", type}};
  if (info.is_lossy)
    out.text =
        "LOSSY     derived images: their pixels are not the originals', which can't be restored from this archive\n";
  out.text += formatted("series    {}\nfiles     {}, {}\narchive   {} ({} metadata, {} pixels), format {}.{}, type {}",
                        printable(info.series_instance_uid), files, human_bytes(info.source_bytes),
                        human_bytes(info.file_bytes), human_bytes(info.metadata_bytes), human_bytes(info.pixel_bytes),
                        info.format_major, info.format_minor, type);
  return out;
}

void add_codecs(const ArchiveInfo& info, Description& to) {
  Json codecs = Json::object();
  for (const auto& [codec, frames] : info.codecs) {
    codecs[codec] = frames;
    to.text += formatted("\ncodec     {}: {}", codec, counted(frames, "frame"));
  }
  to.json["codecs"] = codecs;
  if (info.repeated_frames > 0)
    to.text += formatted("\nrepeats   {}: the same as others", counted(info.repeated_frames, "frame"));
}

void add_quality(const ArchiveInfo& info, Description& to) {
  if (!info.status.empty()) {
    to.json["status"] = info.status;
    to.text += formatted("\nstatus    {}", info.status);
  }
  if (!info.findings) return;
  to.json["findings"] = info.findings->size();
  to.text += formatted("\nfindings  {}", info.findings->size());
  for (const Finding& finding : *info.findings)
    to.text += formatted("\n          {}: {}: {}", name(finding.severity), finding.code, printable(finding.message));
}

void add_pixels(const Archive& archive, Description& to) {
  if (archive.frame_count() == 0) return;
  const PixelFormat& format = archive.pixel_format(0);
  to.json["rows"] = format.rows;
  to.json["columns"] = format.columns;
  to.json["samples"] = format.samples;
  to.json["bits_allocated"] = format.bits_allocated;
  to.json["bits_stored"] = format.bits_stored;
  to.json["signed"] = format.is_signed;
  to.json["photometric"] = json_text(format.photometric);
  const bool mixed = !archive.is_uniform();
  to.json["mixed_pixels"] = mixed;
  to.text += formatted("\npixels    {}{} {} x {} x {}, {} of {} bits, {}, {}", counted(archive.frame_count(), "frame"),
                       mixed ? " that differ, the first" : " of", format.rows, format.columns, format.samples,
                       format.bits_stored, format.bits_allocated, format.is_signed ? "signed" : "unsigned",
                       printable(format.photometric));
}

void add_header(const Archive& archive, Description& to) {
  for (const char* keyword : {"Modality", "PatientID", "StudyDate", "SeriesDescription", "PixelSpacing",
                              "SliceThickness", "ImageOrientationPatient"}) {
    const Said said = said_of(archive, keyword);
    if (said.first.empty()) continue;
    to.json[keyword] = json_text(said.first);
    to.text += formatted("\n{:<9} {}{}", keyword, printable(said.first), said.varies ? " and others" : "");
  }
}

// Where frames lie along the normal of their planes, mm, in order and each place once; nothing when they are not
// parallel.
std::vector<double> places_of(const Archive& archive) {
  constexpr double kParallel = 0.01, kSame = 0.001;  // a direction cosine, mm
  const auto positions = values_of(archive, "ImagePositionPatient");
  const auto orientations = values_of(archive, "ImageOrientationPatient");
  if (!positions || !orientations) return {};
  std::optional<std::array<double, 6>> first;
  std::vector<double> places;
  for (std::size_t i = 0; i < positions->size(); ++i) {
    const auto orientation = series::exactly<6>(orientations->numbers(i));
    const auto place = series::place_of(series::exactly<3>(positions->numbers(i)), orientation);
    if (!place) continue;
    if (!first) first = orientation;
    for (std::size_t k = 0; k < first->size(); ++k)
      if (!(std::abs((*orientation)[k] - (*first)[k]) <= kParallel)) return {};
    places.push_back(*place);
  }
  std::ranges::sort(places);
  const auto is_same = [](double a, double b) { return b - a <= kSame; };
  places.erase(std::unique(places.begin(), places.end(), is_same), places.end());  // Clang 14 takes no subrange here
  return places;
}

// The step between neighbours that is usual: the median.
void add_places(const Archive& archive, Description& to) {
  const std::vector<double> places = places_of(archive);
  if (places.size() < 2) return;
  std::vector<double> steps;
  for (std::size_t i = 1; i < places.size(); ++i) steps.push_back(places[i] - places[i - 1]);
  std::ranges::nth_element(steps, steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2));
  const double step = std::round(steps[steps.size() / 2] * 1e6) / 1e6;
  to.json["places"] = places.size();
  to.json["slice_spacing"] = step;
  to.text += formatted("\nplaces    {} along the normal, {:.6g} mm apart", places.size(), step);
}

int describe_archive(const Common& common, const std::string& path) {
  const auto archive = open_archive(path);
  if (!archive) return common.error(archive.error());
  Description description = describe_file(*archive, path);
  add_codecs(archive->info(), description);
  add_quality(archive->info(), description);
  add_pixels(*archive, description);
  add_header(*archive, description);
  add_places(*archive, description);
  common.result(description.json, description.text);
  return kWell;
}

int run_info(const Arguments& arguments) {
  const Common& common = arguments.common;
  int code = kWell;
  const auto archives = archives_of(arguments.archives, common, code);
  for (std::size_t i = 0; i < archives.size(); ++i) {
    if (archives.size() > 1 && !common.json)
      common.result({}, formatted("{}{}:", i > 0 ? "\n" : "", printable(archives[i])));
    code = std::max(code, describe_archive(common, archives[i]));
  }
  return code;
}

}  // namespace

void add_info(CLI::App& program, Run& run) {
  auto [command, arguments] = add_command(program, run, "info", "Series, geometry, sizes, codec", run_info);
  command.add_option("ARCHIVE", arguments.archives, "Archives, or folders of archives")->required();
  arguments.common.add_to(command);
  arguments.common.add_recursive_to(command);
  command.footer("Example:\n  dicube info scan.dcbs");
}

}  // namespace dicube::cli
