// Whether to code red, green and blue through a reversible colour transform.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// Whether the transform of HTJ2K, JPEG 2000 and lane promises to make the frame smaller: what Shape::colour is to say
// when it is coded. Never without shape.colour. An estimate from some of the rows, much cheaper than coding.
bool colour_transform_pays(const Shape& shape, ByteSpan pixels);

// The same for bytes and a codec that leaves out values which no pixel has: those between few colours, which the
// transform fills.
bool colour_transform_pays_beside_gaps(const Shape& shape, ByteSpan pixels);

}  // namespace dicube::codec
