// Bytes that may be too many to be held at once: they come and go in pieces.
#pragma once

#include <algorithm>
#include <functional>

#include "base/bytes.h"

namespace dicube {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// Takes the next bytes.
using Sink = std::function<Status(ByteSpan)>;
// Gives all bytes to the sink, in order, up to an error: the sink's or its own.
using Pieces = std::function<Status(const Sink&)>;

// Gives the sink `size` bytes, piece by piece, that `read(offset, out)` reads.
template <class Read>
Status in_pieces(std::uint64_t size, Read read, const Sink& sink) {
  Bytes piece(std::min<std::uint64_t>(size, kPieceBytes));
  for (std::uint64_t at = 0; at < size; at += piece.size()) {
    piece.resize(std::min<std::uint64_t>(size - at, kPieceBytes));
    DICUBE_TRY(read(at, MutableByteSpan(piece)));
    DICUBE_TRY(sink(piece));
  }
  return {};
}

}  // namespace dicube
