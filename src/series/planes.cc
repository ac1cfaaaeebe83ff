#include "series/planes.h"

#include <algorithm>

#include "dicom/top_level.h"
#include "dicom/value.h"
#include "series/slice_order.h"

namespace dicube::series {
namespace {

using dicom::Tag;
using dicom::Token;
using dicom::TokenKind;

constexpr Tag kPlanePosition = 0x00209113, kPlaneOrientation = 0x00209116, kPixelMeasures = 0x00289110;

bool stands_in(Tag tag, Tag macro) {
  return (macro == kPlanePosition && tag == dicom::kImagePosition) ||
         (macro == kPlaneOrientation && tag == dicom::kImageOrientation) ||
         (macro == kPixelMeasures && tag == dicom::kPixelSpacing);
}

void take(Plane& plane, const Token& token, ByteSpan value) {
  const auto numbers = dicom::numbers(value, dicom::vr_of(token), token.encoding);
  if (token.tag == dicom::kImagePosition) plane.position = exactly<3>(numbers);
  if (token.tag == dicom::kImageOrientation) plane.orientation = exactly<6>(numbers);
  if (token.tag == dicom::kPixelSpacing) plane.pixel_spacing = exactly<2>(numbers);
}

// What `plane` does not say itself.
void complete(Plane& plane, const Plane& other) {
  if (!plane.position) plane.position = other.position;
  if (!plane.orientation) plane.orientation = other.orientation;
  if (!plane.pixel_spacing) plane.pixel_spacing = other.pixel_spacing;
}

// The items of a sequence of functional groups, token by token.
class Items {
 public:
  void token(const Token& token, ByteSpan bytes) {
    switch (token.kind) {
      case TokenKind::kSequence: open_.push_back(token.tag); break;
      case TokenKind::kSequenceEnd: open_.pop_back(); break;
      case TokenKind::kItem:
        if (open_.size() == 1) planes_.emplace_back();
        break;
      case TokenKind::kElement:
        if (open_.size() == 2 && stands_in(token.tag, open_.back()))
          take(planes_.back(), token, bytes.subspan(token.value, token.length));
        break;
      default: break;
    }
  }
  bool is_open() const { return !open_.empty(); }
  std::vector<Plane>& planes() { return planes_; }

 private:
  std::vector<Tag> open_;
  std::vector<Plane> planes_;
};

// A segmentation has frames where something is, several at a place that more than one segment has a part of.
std::vector<Plane> planes_of_volume(SliceList::Row slice) {
  return slice[&Slice::modality] == "SEG" ? std::vector<Plane>() : slice[&Slice::planes];
}

}  // namespace

std::vector<Plane> planes_of(const dicom::Tokens& tokens, ByteSpan file) {
  const ByteSpan bytes = tokens.data_bytes(file);
  Items shared, per_frame;
  Items* inside = nullptr;
  Plane own;
  bool has_groups = false;
  double frames = 1;
  int depth = 0;
  for (const Token& token : tokens.data) {
    if (depth == 0 && token.kind == TokenKind::kElement) {
      const ByteSpan value = bytes.subspan(token.value, token.length);
      take(own, token, value);
      if (token.tag == dicom::kNumberOfFrames)
        frames = dicom::first_number(value, dicom::vr_of(token), token.encoding).value_or(1);
    }
    if (depth == 0)
      inside = token.tag == dicom::kSharedGroups ? &shared : token.tag == dicom::kPerFrameGroups ? &per_frame : nullptr;
    has_groups |= inside != nullptr;
    if (inside != nullptr) inside->token(token, bytes);
    if (token.kind == TokenKind::kSequence) ++depth;
    if (token.kind == TokenKind::kSequenceEnd) --depth;
  }
  if (!has_groups) return {};
  auto& planes = per_frame.planes();
  if (planes.empty() || (frames >= 1 && frames < static_cast<double>(planes.size())))
    planes.resize(planes.empty() ? 1 : static_cast<std::size_t>(frames));
  for (Plane& plane : planes) {
    if (!shared.planes().empty()) complete(plane, shared.planes().front());
    complete(plane, own);
  }
  return std::move(planes);
}

std::optional<Frames> frame_by_frame(const SliceList& slices) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < slices.size(); ++i) most = std::max(most, planes_of_volume(slices[i]).size());
  if (most == 0) return std::nullopt;
  Frames out;
  const auto push = [&](Slice slice, std::size_t number) {
    if (most > 1) slice.instance_number = static_cast<double>(out.slices.size());  // in their objects frames have none
    out.list.push(slice);
    out.slices.push_back(number);
  };
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const auto planes = planes_of_volume(slices[i]);
    if (planes.empty()) push(slices.slice(i), i);
    Slice slice;
    slice.modality = slices[i][&Slice::modality];
    slice.instance_number = slices[i][&Slice::instance_number];
    slice.frames = slices[i][&Slice::frames];
    for (const Plane& plane : planes) {
      slice.position = plane.position;
      slice.orientation = plane.orientation;
      slice.pixel_spacing = plane.pixel_spacing;
      push(slice, i);
    }
  }
  return out;
}

}  // namespace dicube::series
