// Where the frames of enhanced multi-frame objects lie, by their functional groups (PS3.3 C.7.6.16.2).
#pragma once

#include "series/slice_list.h"

namespace dicube::series {

// Of a file, `bytes`, that was taken apart into tokens: of every frame; none where it has no functional groups.
std::vector<Plane> planes_of(const dicom::Tokens& tokens, ByteSpan bytes);

// Slices with one frame each, or with frames that do not say where they lie.
struct Frames {
  SliceList list;
  Numbers slices;  // that each of the list is of
};
// Nothing where no slice has planes.
std::optional<Frames> frame_by_frame(const SliceList& slices);

}  // namespace dicube::series
