// Writing format version 1: the data sets merged element by element into one JSON object, the frames as HTJ2K
// codestreams.
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "archive/dicom_json.h"
#include "archive/state.h"
#include "archive/stored_values.h"
#include "archive/version1.h"
#include "base/parallel.h"
#include "codec/codec.h"
#include "codec/htj2k_header.h"
#include "columns/packed.h"
#include "format/header.h"

namespace dicube::archive {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMetadataLevel = 3;

// What the readers of that format take from an element of one data set, and its name; null when there is nothing.
std::pair<std::string, Json> value_of(const Json* element) {
  if (element != nullptr)
    for (const char* name : {"Value", "InlineBinary"})
      if (const auto found = element->find(name); found != element->end()) return {name, *found};
  return {"", nullptr};
}

Json merge_data_sets(const std::vector<const Json*>& data_sets);

Json merge_sequences(const std::vector<const Json*>& elements) {
  std::vector<const Json*> lists;
  std::size_t most = 0;
  for (const Json* element : elements) {
    const auto found = element == nullptr ? Json::const_iterator() : element->find("Value");
    lists.push_back(element == nullptr || found == element->end() ? nullptr : &*found);
    if (lists.back() != nullptr) most = std::max(most, lists.back()->size());
  }
  Json items = Json::array();
  for (std::size_t item = 0; item < most; ++item) {
    std::vector<const Json*> same(lists.size());
    for (std::size_t i = 0; i < lists.size(); ++i)
      same[i] = lists[i] != nullptr && item < lists[i]->size() ? &(*lists[i])[item] : nullptr;
    items.push_back(merge_data_sets(same));
  }
  return {{"vr", "SQ"}, {"shared", nullptr}, {"Value", std::move(items)}};
}

// One value for all, or one per data set: single values flat, null where the element has none.
Json merge_values(const std::string& vr, const std::vector<const Json*>& elements) {
  std::string name;
  std::vector<Json> values;
  for (const Json* element : elements) {
    auto [own, value] = value_of(element);
    if (!own.empty()) name = own;
    if (value.is_array() && vr != "IS" && vr != "DS" && vr != "PN")
      for (Json& part : value)
        if (part.is_null()) part = "";  // an empty one of several texts
    values.push_back(std::move(value));
  }
  Json merged = {{"vr", vr}, {"shared", true}};
  if (std::ranges::all_of(values, [&](const Json& value) { return value == values[0]; })) {
    if (!values[0].is_null()) merged[name] = std::move(values[0]);
    return merged;
  }
  merged["shared"] = false;
  const bool single = std::ranges::all_of(
      values, [](const Json& value) { return value.is_null() || (value.is_array() && value.size() == 1); });
  for (Json& value : values) merged[name].push_back(single && value.is_array() ? Json(value[0]) : std::move(value));
  return merged;
}

Json merge_data_sets(const std::vector<const Json*>& data_sets) {
  std::map<std::string, std::vector<const Json*>> by_tag;  // nullptr: of a data set that has it not
  for (std::size_t i = 0; i < data_sets.size(); ++i) {
    if (data_sets[i] == nullptr) continue;
    for (const auto& [tag, element] : data_sets[i]->items()) {
      auto& elements = by_tag[tag];
      elements.resize(data_sets.size());
      elements[i] = &element;
    }
  }
  Json merged = Json::object();
  for (const auto& [tag, elements] : by_tag) {
    const Json* first = *std::ranges::find_if(elements, [](const Json* element) { return element != nullptr; });
    const auto vr = first->at("vr").get<std::string>();
    merged.get_ref<Json::object_t&>().emplace_back(tag,
                                                   vr == "SQ" ? merge_sequences(elements) : merge_values(vr, elements));
  }
  return merged;
}

// A series as that format sees it.
struct Series {
  std::vector<std::size_t> instances, frames;  // those with a frame, and it, in the archive's order
  PixelFormat format;
  double slope = 1, intercept = 0;
};

// The number that all frames have, wherever it stands; nullopt when none has one.
Result<std::optional<double>> shared_number(const Archive& archive, const Series& series, std::string_view keyword) {
  const auto column = archive.frame_column(keyword);
  std::optional<double> first;
  for (std::size_t i = 0; column && i < series.frames.size(); ++i) {
    const auto number = column->number(series.frames[i]);
    if (i == 0) first = number;
    if (number != first)
      return fail(ErrorClass::kUnsupported, "{} differs from slice to slice: format version 1 holds one", keyword);
  }
  return first;
}

// What has a meaning above Bits Stored, or below the values, would get lost with the bits that have none.
Status check_unused_bits(const Archive& archive, const Series& series) {
  for (std::size_t i = 0; i < series.frames.size(); ++i) {
    const PixelFormat& format = archive.pixel_format(series.frames[i]);
    if (format.bits_stored != 0 && format.high_bit + 1 != format.bits_stored)
      return fail(ErrorClass::kUnsupported,
                  "High Bit is {} with {} stored: format version 1 holds values in the lowest bits only",
                  format.high_bit, counted(format.bits_stored, "bit"));
  }
  for (unsigned group = 0x6000; group <= 0x601E; group += 2) {
    const auto position = archive.column(formatted("{:04X}0102", group)),
               data = archive.column(formatted("{:04X}3000", group));
    for (const std::size_t i : series.instances)
      if (position && position->is_present(i) && !(data && data->is_present(i)))
        return fail(ErrorClass::kUnsupported, "{} has an overlay in unused bits of the pixels",
                    archive.instances()[i].name);
  }
  return {};
}

Result<Series> fitting_series(const Archive& archive) {
  Series series;
  for (std::size_t i = 0; i < archive.instances().size(); ++i) {
    const Instance& instance = archive.instances()[i];
    if (instance.frames == 0) continue;
    const PixelFormat& format = archive.pixel_format(instance.first_frame);
    if (series.instances.empty()) series.format = format;
    if (instance.frames != 1)
      return fail(ErrorClass::kUnsupported, "{} has {} frames: format version 1 holds one per instance", instance.name,
                  instance.frames);
    if (format.rows != series.format.rows || format.columns != series.format.columns ||
        format.bits_allocated != series.format.bits_allocated || format.is_signed != series.format.is_signed)
      return fail(ErrorClass::kUnsupported, "{} has frames of another size or type than the others", instance.name);
    series.instances.push_back(i);
    series.frames.push_back(instance.first_frame);
  }
  if (series.instances.empty()) return fail(ErrorClass::kUnsupported, "an archive without frames");
  if (series.format.samples != 1 || series.format.is_float ||
      (series.format.bits_allocated != 8 && series.format.bits_allocated != 16))
    return fail(ErrorClass::kUnsupported,
                "frames of {} of {}: format version 1 holds integers of 8 or 16 bits, one per pixel",
                counted(series.format.samples, "sample"), counted(series.format.bits_allocated, "bit"));
  DICUBE_TRY(check_unused_bits(archive, series));
  DICUBE_ASSIGN(const auto slope, shared_number(archive, series, "RescaleSlope"));
  DICUBE_ASSIGN(const auto intercept, shared_number(archive, series, "RescaleIntercept"));
  series.slope = slope.value_or(1);
  series.intercept = intercept.value_or(0);
  return series;
}

Result<Json> merged_metadata(const Archive& archive, const Series& series) {
  std::vector<Json> data_sets;
  for (const std::size_t number : series.instances) {
    DICUBE_ASSIGN(const auto data, archive.data_set(number));
    data_sets.push_back(dicom_json(data));
    for (const char* pixels : {"7FE00010", "7FE00001", "7FE00002"}) data_sets.back().erase(pixels);
  }
  std::vector<const Json*> all;
  for (const Json& data_set : data_sets) all.push_back(&data_set);
  return Json{{"_merged_data", merge_data_sets(all)}, {"slice_count", all.size()}};
}

Json pixel_header(const Archive& archive, const Series& series) {
  const std::string type = formatted("{}int{}", series.format.is_signed ? "" : "u", series.format.bits_allocated);
  const auto window = [&](std::string_view keyword) -> Json {
    const auto column = archive.frame_column(keyword);
    const auto number = column ? column->number(series.frames[0]) : std::nullopt;
    return number ? Json(*number) : Json();
  };
  return {{"RescaleSlope", series.slope},
          {"RescaleIntercept", series.intercept},
          {"OriginalPixelDtype", type},
          {"PixelDtype", type},
          {"WindowCenter", window("WindowCenter")},
          {"WindowWidth", window("WindowWidth")},
          {"MaxVal", nullptr},
          {"MinVal", nullptr}};
}

using Vector = std::array<double, 3>;

// From one slice to the next, mm: its direction, of length 1, and how far.
struct Step {
  Vector direction;
  double length;
};

// Nothing unless all positions, of which there are two or more, lie on a line and evenly spaced.
std::optional<Step> even_step(const std::vector<Vector>& positions) {
  constexpr double kTolerance = 1e-2;  // of the distance between slices
  Vector z{};
  for (std::size_t k = 0; k < 3; ++k) z[k] = positions.back()[k] - positions[0][k];
  const double extent = std::hypot(z[0], z[1], z[2]);
  const double step = extent / static_cast<double>(positions.size() - 1);
  if (step == 0) return std::nullopt;
  for (double& part : z) part /= extent;
  for (std::size_t i = 0; i < positions.size(); ++i)
    for (std::size_t k = 0; k < 3; ++k)
      if (std::abs(positions[i][k] - positions[0][k] - static_cast<double>(i) * step * z[k]) > kTolerance * step)
        return std::nullopt;
  return Step{z, step};
}

Vector cross(const Vector& a, const Vector& b) {
  Vector out{};
  for (std::size_t k = 0; k < 3; ++k) out[k] = a[(k + 1) % 3] * b[(k + 2) % 3] - a[(k + 2) % 3] * b[(k + 1) % 3];
  return out;
}

// The space of a stack of slices, with the axes x, y, z; null unless all slices are parallel and evenly spaced.
Json space_of(const Archive& archive, const Series& series) {
  const auto positions_column = archive.frame_column("ImagePositionPatient"),
             orientations = archive.frame_column("ImageOrientationPatient"),
             spacings = archive.frame_column("PixelSpacing"), thicknesses = archive.frame_column("SliceThickness");
  const auto numbers = [&](const Result<Column>& column, std::size_t i) {
    return column ? column->numbers(series.frames[i]) : std::vector<double>();
  };
  const std::vector<double> orientation = numbers(orientations, 0), spacing = numbers(spacings, 0);
  if (orientation.size() != 6 || spacing.size() != 2) return nullptr;
  std::vector<Vector> positions;
  for (std::size_t i = 0; i < series.instances.size(); ++i) {
    const std::vector<double> position = numbers(positions_column, i);
    if (position.size() != 3 || numbers(orientations, i) != orientation || numbers(spacings, i) != spacing)
      return nullptr;
    positions.push_back({position[0], position[1], position[2]});
  }
  const Vector x{orientation[0], orientation[1], orientation[2]}, y{orientation[3], orientation[4], orientation[5]};
  const std::vector<double> thickness = numbers(thicknesses, 0);
  const auto step =
      positions.size() > 1 ? even_step(positions) : Step{cross(x, y), thickness.empty() ? 1 : thickness[0]};
  if (!step) return nullptr;
  return {{"shape", {series.format.columns, series.format.rows, positions.size()}},
          {"origin", positions[0]},
          {"spacing", {spacing[1], spacing[0], step->length}},
          {"x_orientation", x},
          {"y_orientation", y},
          {"z_orientation", step->direction}};
}

// Whether readers of that format, which go by a codestream's precision, take the frame's type from it.
bool says_type(const codec::Htj2kHeader& header, const codec::Shape& shape) {
  return (header.component[0].precision > 8) == (shape.bits > 8) && header.component[0].is_signed == shape.is_signed;
}

// The archive's own codestream where readers take the frame's type and its values from it, without the bits that are
// no part of them; else coded anew.
Result<Bytes> codestream(const Archive& archive, std::size_t frame) {
  const Archive::State& state = ArchiveAccess::state(archive);
  const format::FrameFormat& format = state.index.formats[state.index.frames[frame].format];
  codec::Shape shape = value_shape(format);
  Bytes stream;
  if (format.transfer_syntax.empty() && archive.codec(frame) == codec::name(codec::CodecId::kHtj2k)) {
    DICUBE_TRY(state.read_frame(frame, stream));
    DICUBE_ASSIGN(const auto header, codec::read_htj2k_header(stream));
    if (says_type(header, shape) && header.component[0].precision <= shape.precision) return stream;
    stream.clear();
  }
  DICUBE_ASSIGN(const auto values, ArchiveAccess::read_values(archive, frame));
  saturate_lossy(format, values.span());
  clean_upper_bits(shape, values.span());
  shape.colour = false;
  shape.precision = shape.bits;  // readers choose the type by it
  auto scratch = state.scratch.lend();
  DICUBE_TRY(scratch->codec.encode(codec::CodecId::kHtj2k, shape, values.span(), stream));
  return stream;
}

// The values in a codestream that was written, as readers take them, are the frame's.
Status check_codestream(const Archive& archive, std::size_t frame, ByteSpan stream) {
  const Archive::State& state = ArchiveAccess::state(archive);
  const format::FrameFormat& format = state.index.formats[state.index.frames[frame].format];
  codec::Shape shape = value_shape(format);
  shape.colour = false;
  DICUBE_ASSIGN(const auto header, codec::read_htj2k_header(stream));
  if (!says_type(header, shape)) return fail(ErrorClass::kCodec, "frame {} written has another type", frame);
  DICUBE_ASSIGN(const auto values, ArchiveAccess::read_values(archive, frame));
  saturate_lossy(format, values.span());
  clean_upper_bits(shape, values.span());
  auto scratch = state.scratch.lend();
  scratch->decoded.resize(values.size);
  DICUBE_TRY(scratch->codec.decode(codec::CodecId::kHtj2k, shape, stream, scratch->decoded));
  if (same_bytes(scratch->decoded, values.span())) return {};
  return fail(ErrorClass::kCodec, "frame {} written has other values", frame);
}

Result<std::vector<Bytes>> codestreams(const Archive& archive, const Series& series, const Version1Work& work) {
  std::vector<Bytes> streams(series.frames.size());
  const auto code = [&](std::size_t i) -> Status {
    DICUBE_TRY(work.check_cancel());
    DICUBE_ASSIGN(streams[i], codestream(archive, series.frames[i]));
    work.done(i);
    return {};
  };
  DICUBE_TRY(try_parallel(streams.size(), work.threads, code));
  return streams;
}

Bytes text_bytes(std::string_view text) { return Bytes(as_bytes(text).begin(), as_bytes(text).end()); }
Bytes json_bytes(const Json& json) { return text_bytes(json.dump(-1, ' ', false, Json::error_handler_t::replace)); }

// What stands between the header and the frames, in the order that the header tells of it: archive/version1.h.
using Parts = std::array<Bytes, 6>;

void add_places(const std::vector<Bytes>& frames, Parts& parts) {
  std::uint64_t at = kVersion1Header + 2 * sizeof(std::uint64_t) * frames.size();
  for (const Bytes& part : parts) at += part.size();
  ByteWriter offsets, lengths;
  for (const Bytes& frame : frames) {
    offsets.put(at);
    lengths.put(std::uint64_t{frame.size()});
    at += frame.size();
  }
  parts[4] = offsets.take();
  parts[5] = lengths.take();
}

Bytes header_of(const Parts& parts, std::size_t frames) {
  ByteWriter header;
  header.put_bytes(std::as_bytes(std::span(format::kVersion1Magic)));
  header.put(std::uint32_t{1});
  std::uint64_t at = kVersion1Header;
  for (const Bytes& part : parts) {
    header.put(at);
    header.put(std::uint64_t{part.size()});
    at += part.size();
  }
  header.put(std::uint64_t{frames});
  return header.take();
}

}  // namespace

Result<io::NewFile> write_version1(const Archive& archive, const io::Folder& folder, std::string name,
                                   const Version1Work& work) {
  DICUBE_ASSIGN(const Series series, fitting_series(archive));
  DICUBE_ASSIGN(const Json metadata, merged_metadata(archive, series));
  const Json space = space_of(archive, series);
  DICUBE_ASSIGN(const auto frames, codestreams(archive, series, work));
  Parts parts;
  parts[0] = text_bytes(space.is_null() ? "inconsistent" : "consistent");
  parts[1] = columns::zstd_compress(json_bytes(metadata), kMetadataLevel);
  if (!space.is_null()) parts[2] = json_bytes(space);
  parts[3] = json_bytes(pixel_header(archive, series));
  add_places(frames, parts);
  DICUBE_ASSIGN(auto file, io::NewFile::create(folder, std::move(name)));
  DICUBE_TRY(file.append(header_of(parts, frames.size())));
  for (const Bytes& part : parts) DICUBE_TRY(file.append(part));
  for (const Bytes& frame : frames) DICUBE_TRY(file.append(frame));
  return file;
}

Status prove_version1(const Archive& archive, const Version1& written, const Version1Work& work) {
  std::vector<std::size_t> instances;
  for (std::size_t i = 0; i < archive.instances().size(); ++i)
    if (archive.instances()[i].frames > 0) instances.push_back(i);
  if (written.frames() != instances.size())
    return fail(ErrorClass::kCodec, "{} written, {} expected", counted(written.frames(), "frame"), instances.size());
  return try_parallel(instances.size(), work.threads, [&](std::size_t i) -> Status {
    DICUBE_TRY(work.check_cancel());
    Bytes original;  // whose SHA-256 vouches for what the archive's frames decode to
    DICUBE_TRY(ArchiveAccess::read_instance(archive, instances[i], original, [](ByteSpan) { return Status(); }));
    DICUBE_ASSIGN(const auto stream, written.codestream(i));
    DICUBE_TRY(check_codestream(archive, archive.instances()[instances[i]].first_frame, stream));
    work.done(i);
    return {};
  });
}

}  // namespace dicube::archive
