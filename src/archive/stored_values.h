// What of a frame's words are its values.
#pragma once

#include "archive/shapes.h"

namespace dicube::archive {

// Interleaved, little endian, as many bits as the container has; precision says how many of them are stored.
codec::Shape value_shape(const format::FrameFormat& format);

// Takes away what stands above Bits Stored: it does not belong to the values (PS3.5 8.1.1), and codestreams have no
// place for it.
void clean_upper_bits(const codec::Shape& shape, MutableByteSpan pixels);

// Values that the loss of a source's codestream made larger or smaller than Bits Stored hold become the nearest that
// they do: without their upper bits the brightest would be the darkest.
void saturate_lossy(const format::FrameFormat& format, MutableByteSpan pixels);

}  // namespace dicube::archive
