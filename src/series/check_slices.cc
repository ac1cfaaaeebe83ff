// An archive's instances as what check() needs of them.
#include <algorithm>

#include "base/result.h"
#include "dicom/uid.h"
#include "series/slice_list.h"
#include "series/slice_order.h"

namespace dicube {
namespace {

// Hands every instance's column to `take`; nothing happens when no instance has it.
template <class Take>
Status each(const Archive& archive, std::string_view path, std::vector<Slice>& slices, Take take) {
  const auto column = archive.column(path);
  if (!column) {
    if (column.error().error_class == ErrorClass::kNotFound) return {};
    return tl::unexpected<Error>(column.error());
  }
  for (std::size_t i = 0; i < slices.size(); ++i) take(*column, i, slices[i]);
  return {};
}

template <std::size_t N>
void set(std::optional<std::array<double, N>>& field, const std::vector<double>& numbers) {
  field = series::exactly<N>(numbers);
}

template <std::size_t N>
Status read_array(const Archive& archive, std::string_view path, std::vector<Slice>& slices,
                  std::optional<std::array<double, N>> Slice::*member) {
  return each(archive, path, slices,
              [&](const Column& column, std::size_t i, Slice& slice) { set(slice.*member, column.numbers(i)); });
}

// Of instances with functional groups where each frame lies.
Status read_planes(const Archive& archive, std::vector<Slice>& slices) {
  std::vector<bool> has_groups(slices.size());
  const auto note = [&](const Column& column, std::size_t i, Slice&) {
    if (column.is_present(i)) has_groups[i] = true;
  };
  DICUBE_TRY(each(archive, "SharedFunctionalGroupsSequence", slices, note));
  DICUBE_TRY(each(archive, "PerFrameFunctionalGroupsSequence", slices, note));
  if (std::ranges::find(has_groups, true) == has_groups.end()) return {};
  const auto read = [&](std::string_view path, auto member) -> Status {
    const auto column = archive.frame_column(path);
    if (!column) return column.error().error_class == ErrorClass::kNotFound ? Status() : tl::unexpected(column.error());
    for (std::size_t i = 0; i < slices.size(); ++i) {
      const auto& instance = archive.instances()[i];
      if (!has_groups[i]) continue;
      slices[i].planes.resize(instance.frames);
      for (std::size_t frame = 0; frame < instance.frames; ++frame)
        set(slices[i].planes[frame].*member, column->numbers(instance.first_frame + frame));
    }
    return {};
  };
  DICUBE_TRY(read("ImagePositionPatient", &Plane::position));
  DICUBE_TRY(read("ImageOrientationPatient", &Plane::orientation));
  return read("PixelSpacing", &Plane::pixel_spacing);
}

// Those that the finding is on: all where it names none (spec/format.md, FIND).
void tell(const Finding& finding, std::vector<Slice>& slices) {
  const auto concerned = [&](Slice& slice) {
    if (finding.code == kUnexplainedBytes) slice.is_whole = false;
    if (finding.code == kBrokenFrames) slice.is_broken = true;
  };
  for (const std::size_t i : finding.slices) concerned(slices[i]);
  if (finding.slices.empty()) std::ranges::for_each(slices, concerned);
}

}  // namespace

Result<SeriesSlices> slices_of(const Archive& archive) {
  std::vector<Slice> slices(archive.instances().size());
  for (const auto& field : kSliceNumbers)
    DICUBE_TRY(each(archive, field.keyword, slices,
                    [&](const Column& c, std::size_t i, Slice& s) { s.*field.member = c.number(i); }));
  for (const auto& field : kSliceTexts)
    DICUBE_TRY(each(archive, field.keyword, slices,
                    [&](const Column& c, std::size_t i, Slice& s) { s.*field.member = c.text(i).value_or(""); }));
  DICUBE_TRY(read_array(archive, "ImagePositionPatient", slices, &Slice::position));
  DICUBE_TRY(read_array(archive, "ImageOrientationPatient", slices, &Slice::orientation));
  DICUBE_TRY(read_array(archive, "PixelSpacing", slices, &Slice::pixel_spacing));
  DICUBE_TRY(read_planes(archive, slices));
  const auto instances = archive.instances();
  for (std::size_t i = 0; i < slices.size(); ++i) slices[i].has_frames = instances[i].frames > 0;
  DICUBE_TRY(each(archive, "TransferSyntaxUID", slices, [](const Column& c, std::size_t i, Slice& s) {
    if (dicom::is_video(c.text(i).value_or(""))) s.has_frames.reset();
  }));
  for (const Finding& finding : archive.info().findings.value_or(std::vector<Finding>())) tell(finding, slices);
  const bool any = std::ranges::any_of(slices, is_image);
  SeriesSlices out;
  out.series_instance_uid = archive.info().series_instance_uid;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (any && !is_image(slices[i])) continue;
    out.slices.push_back(std::move(slices[i]));
    out.names.push_back(instances[i].name);
    out.digests.push_back(instances[i].sha256);
  }
  return out;
}

bool is_image(const Slice& slice) { return slice.rows && slice.columns && (slice.samples || slice.bits_allocated); }

std::vector<Finding> check_instances(const SliceList& instances) {
  std::vector<std::size_t> numbers;  // of images
  for (std::size_t i = 0; i < instances.size(); ++i)
    if (is_image(instances.slice(i))) numbers.push_back(i);
  if (numbers.empty() || numbers.size() == instances.size()) return check(instances);
  SliceList images;
  for (const std::size_t i : numbers) images.push(instances.slice(i));
  auto findings = check(images);
  for (Finding& finding : findings)
    for (std::size_t& slice : finding.slices) slice = numbers[slice];
  return findings;
}

}  // namespace dicube
