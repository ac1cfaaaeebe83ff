// What of a frame's words are its values.
#pragma once

#include "archive/shapes.h"

namespace dicube::archive {

// Interleaved, little endian, as many bits as the container has; precision says how many of them are stored.
codec::Shape value_shape(const format::FrameFormat& format);

// Takes away what stands above Bits Stored: it does not belong to the values (PS3.5 8.1.1), and codestreams have no
// place for it.
void clean_upper_bits(const codec::Shape& shape, MutableByteSpan pixels);

}  // namespace dicube::archive
