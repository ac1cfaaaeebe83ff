// Whether to code red, green and blue through a reversible colour transform.
#pragma once

#include "codec/codec.h"

namespace dicube::codec {

// Whether the transform of HTJ2K, JPEG 2000 and lane promises to make the frame smaller: what Shape::colour is to say
// when it is coded. Never without shape.colour. An estimate from some of the rows, much cheaper than coding.
bool colour_transform_pays(const Shape& shape, ByteSpan pixels);

}  // namespace dicube::codec
