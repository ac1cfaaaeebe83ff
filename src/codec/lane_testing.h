// A lane stream decoded the plain way, for tests: spec/lane.md step by step.
#pragma once

#include "codec/lane_reference.h"

namespace dicube::codec::lane::testing {

// All planes of the stream, one after the other, values modulo 2^16; before the colour transform is undone.
using Decoder = Status (*)(const Plane&, Size, const Coded&, std::uint16_t*, const std::uint16_t*);
// A plane's values, row by row.
using Values = std::vector<std::uint16_t>;

inline Result<Values> decode_planes(ByteSpan stream, Size size, unsigned samples, Decoder decoder,
                                    std::span<const Values> references = {}) {
  ByteReader in(stream, "lane stream");
  Values values(size.pixels() * samples);
  if (stream.size() < 2 || stream[0] != std::byte{kVersion}) return fail(ErrorClass::kCodec, "not a lane stream");
  static_cast<void>(in.get_bytes(2));
  for (unsigned sample = 0; sample < samples; ++sample) {
    std::uint16_t* out = values.data() + sample * size.pixels();
    DICUBE_ASSIGN(const auto plane, read_plane(in, !references.empty()));
    if (plane.range == 0) {
      std::fill(out, out + size.pixels(), static_cast<std::uint16_t>(plane.low));
      continue;
    }
    DICUBE_ASSIGN(const auto coded, read_coded(plane, size, in));
    DICUBE_TRY(decoder(plane, size, coded, out, references.empty() ? nullptr : references[sample].data()));
  }
  if (in.left() > 0) return fail(ErrorClass::kCodec, "{} bytes behind the end", in.left());
  return values;
}

}  // namespace dicube::codec::lane::testing
