#include "archive/arrangement.h"

#include "archive/shapes.h"
#include "dicom/converted_form.h"

namespace dicube::archive {
namespace {

// Y1 Y2 Cb Cr of every two pixels of a row (PS3.3 C.7.6.3.1.2) <-> the row's Y, its Cb, its Cr: neighbours are alike.
enum class Order422 : std::uint8_t { kPairs, kPlanes };

void reorder_422(Order422 to, std::size_t row_bytes, MutableByteSpan frame) {
  Bytes row(row_bytes);
  const std::size_t cb = row_bytes / 2, cr = row_bytes / 4 * 3;
  for (std::size_t start = 0; start < frame.size(); start += row_bytes) {
    std::byte* const values = frame.data() + start;
    const auto place = [&](std::size_t in_pairs, std::size_t in_planes) {
      if (to == Order422::kPlanes)
        row[in_planes] = values[in_pairs];
      else
        row[in_pairs] = values[in_planes];
    };
    for (std::size_t pair = 0; pair < row_bytes / 4; ++pair) {
      place(4 * pair, 2 * pair);
      place(4 * pair + 1, 2 * pair + 1);
      place(4 * pair + 2, cb + pair);
      place(4 * pair + 3, cr + pair);
    }
    std::memcpy(values, row.data(), row_bytes);
  }
}

std::size_t row_bytes_422(const format::FrameFormat& format) { return std::size_t{2} * format.columns; }

}  // namespace

ByteSpan arranged(const format::FrameFormat& format, ByteSpan source, Bytes& scratch) {
  if (is_as_coded(format)) return source;
  scratch.assign(source.begin(), source.end());
  if (!share_groups(format)) dicom::swap_groups(scratch, format.swap);
  if (format.subsampled) reorder_422(Order422::kPlanes, row_bytes_422(format), scratch);
  return scratch;
}

void arrange_back(const format::FrameFormat& format, MutableByteSpan frame) {
  if (format.subsampled) reorder_422(Order422::kPairs, row_bytes_422(format), frame);
  if (!share_groups(format)) dicom::swap_groups(frame, format.swap);
}

void interleave(ByteSpan planes, std::size_t samples, std::size_t value, MutableByteSpan out) {
  const std::size_t pixels = planes.size() / samples / value;
  for (std::size_t s = 0; s < samples; ++s)
    for (std::size_t i = 0; i < pixels; ++i)
      std::memcpy(out.data() + (i * samples + s) * value, planes.data() + (s * pixels + i) * value, value);
}

void expand_422(const format::FrameFormat& format, ByteSpan rows, MutableByteSpan out) {
  const std::size_t row_bytes = row_bytes_422(format);
  std::size_t to = 0;
  for (std::size_t start = 0; start < rows.size(); start += row_bytes) {
    const ByteSpan row = rows.subspan(start, row_bytes);
    for (std::size_t pixel = 0; pixel < row_bytes / 2; ++pixel, to += 3) {
      out[to] = row[pixel];
      out[to + 1] = row[row_bytes / 2 + pixel / 2];
      out[to + 2] = row[row_bytes / 4 * 3 + pixel / 2];
    }
  }
}

void expand_bits(ByteSpan packed, unsigned offset, MutableByteSpan out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t bit = offset + i;
    out[i] = packed[bit / 8] >> (bit % 8) & std::byte{1};
  }
}

Bytes packed_bits(ByteSpan values) {
  Bytes bits((values.size() + 7) / 8);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != std::byte{0}) bits[i / 8] |= std::byte{1} << (i % 8);
  return bits;
}

}  // namespace dicube::archive
