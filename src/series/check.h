// Whether a series is regular: every finding, with the slices concerned.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dicom/tokenizer.h"
#include "dicube/archive.h"
#include "dicube/finding.h"
#include "dicube/series.h"

namespace dicube {

std::string_view name(Severity severity);  // "info", "warning", "error"

// Where one frame lies, by the functional groups of its object.
struct Plane {
  std::optional<std::array<double, 3>> position;
  std::optional<std::array<double, 6>> orientation;
  std::optional<std::array<double, 2>> pixel_spacing;
};

// What checking needs of one slice. What is absent, empty or malformed is nullopt or "".
struct Slice {
  std::optional<double> instance_number;
  std::optional<std::array<double, 3>> position;
  std::optional<std::array<double, 6>> orientation;
  std::optional<std::array<double, 2>> pixel_spacing;
  std::optional<double> thickness, slope, intercept;
  std::optional<double> rows, columns, samples, bits_allocated, bits_stored, high_bit, is_signed;
  std::optional<double> frames;
  std::string sop_instance_uid, series_instance_uid, study_instance_uid, frame_of_reference_uid;
  std::string patient_id, patient_name, modality;
  std::vector<Plane> planes;       // of every frame where functional groups have them, else none
  std::optional<bool> has_frames;  // nullopt: not known, or video, whose frames nobody tells apart
  std::optional<bool> is_whole;    // its file is elements to the last byte; nullopt: not known
  std::optional<bool> is_broken;   // some of its frames can't be decoded; nullopt: not known
};

class SliceList;  // series/slice_list.h

// All findings; none for a regular series. The order of the slices does not matter but for their numbers.
std::vector<Finding> check(const std::vector<Slice>& slices);
std::vector<Finding> check(const SliceList& slices);

// Slices with the names of their files.
struct SeriesSlices {
  std::string series_instance_uid;
  std::vector<Slice> slices;
  std::vector<std::string> names;
  std::vector<std::array<std::byte, 32>> digests;  // SHA-256 of the files; none where they are not known
};
// check() of its slices, and tell_copies() where it can.
std::vector<Finding> check(const SeriesSlices& series);

// Of slices that share a SOP Instance UID: says whether they are copies, by their files' digests.
void tell_copies(std::vector<Finding>& findings, const std::function<ByteSpan(std::size_t slice)>& digest_of);

// Whether it says how large an image it is, and of what pixels (raw data of scanners may have the size of their image,
// too): all others of a series with images are no slices.
bool is_image(const Slice& slice);

// What packing and check() say of a file that is not whole, or broken. Of an archive's, slices_of() knows it from the
// findings that packing left in it.
inline constexpr std::string_view kUnexplainedBytes = "unexplained_bytes", kBrokenFrames = "broken_frames";

// The slices of an archive that are images, or all instances when none is.
Result<SeriesSlices> slices_of(const Archive& archive);

// Of a file, `bytes`, that was taken apart into tokens.
Slice slice_of(const dicom::Tokens& tokens, ByteSpan bytes);

// All findings on instances, of which images are slices, or all when none is. By numbers of instances.
std::vector<Finding> check_instances(const SliceList& instances);

// Of the DICOM files in and below `sources`, series by series, in the order that they have in an archive. Files that
// can't be read go to `on_error`, one at a time. Fails only for a cancel.
Result<std::vector<SeriesSlices>> slices_in(const std::vector<std::string>& sources, const CallOptions& options,
                                            const std::function<void(const Error&)>& on_error);

}  // namespace dicube
