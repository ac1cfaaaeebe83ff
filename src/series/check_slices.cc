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
Status read_array(const Archive& archive, std::string_view path, std::vector<Slice>& slices,
                  std::optional<std::array<double, N>> Slice::*member) {
  return each(archive, path, slices, [&](const Column& column, std::size_t i, Slice& slice) {
    slice.*member = series::exactly<N>(column.numbers(i));
  });
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
  const auto instances = archive.instances();
  for (std::size_t i = 0; i < slices.size(); ++i) slices[i].has_frames = instances[i].frames > 0;
  DICUBE_TRY(each(archive, "TransferSyntaxUID", slices, [](const Column& c, std::size_t i, Slice& s) {
    if (dicom::is_video(c.text(i).value_or(""))) s.has_frames.reset();
  }));
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
