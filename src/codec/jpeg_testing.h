// JPEG codestreams as libjpeg-turbo writes them, for the tests.
#pragma once

#include <cstdio>
#include <cstdlib>

extern "C" {
#include <jpeglib.h>
}

#include "codec/codec.h"

namespace dicube::codec::testing {

struct JpegOptions {
  int precision = 8;
  bool lossless = true;
  int predictor = 1, point_transform = 0;
  int restart_rows = 0;
  bool one_scan = true;      // else one per component
  bool progressive = false;  // lossy only
  int quality = 90;
  bool colour_transform = true;  // of three samples, lossy only: YCbCr
};

// The low `precision` bits of the values.
inline Bytes jpeg_stream(const Shape& shape, const JpegOptions& options, const Bytes& pixels) {
  jpeg_compress_struct state{};
  jpeg_error_mgr errors{};
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&state, &memory, &size);
  state.image_width = shape.columns;
  state.image_height = shape.rows;
  state.input_components = shape.samples;
  state.in_color_space = shape.samples == 3 ? JCS_RGB : JCS_GRAYSCALE;
  state.data_precision = options.precision;
  jpeg_set_defaults(&state);
  if (options.lossless || !options.colour_transform) jpeg_set_colorspace(&state, state.in_color_space);
  jpeg_set_quality(&state, options.quality, TRUE);
  if (options.lossless) jpeg_enable_lossless(&state, options.predictor, options.point_transform);
  if (options.progressive) jpeg_simple_progression(&state);
  state.restart_in_rows = options.restart_rows;
  jpeg_scan_info scans[3] = {};
  for (int i = 0; i < 3; ++i) {
    scans[i].comps_in_scan = 1;
    scans[i].component_index[0] = i;
    scans[i].Ss = options.predictor;
    scans[i].Al = options.point_transform;
  }
  if (!options.one_scan) {
    state.scan_info = scans;
    state.num_scans = shape.samples;
  }
  jpeg_start_compress(&state, TRUE);
  const std::size_t values = std::size_t{shape.columns} * shape.samples;
  const unsigned mask = (1U << options.precision) - 1;
  Bytes row(values * (options.precision <= 8 ? 1 : 2));
  for (std::uint32_t y = 0; y < shape.rows; ++y) {
    for (std::size_t i = 0; i < values; ++i) {
      const std::byte* from = pixels.data() + (y * values + i) * (shape.bits / 8U);
      const unsigned value = (shape.bits == 8 ? std::to_integer<unsigned>(*from) : load_le<std::uint16_t>(from)) & mask;
      if (options.precision <= 8)
        row[i] = static_cast<std::byte>(value);
      else
        store_le(row.data() + 2 * i, static_cast<std::uint16_t>(value));
    }
    auto* r8 = reinterpret_cast<JSAMPROW>(row.data());
    auto* r12 = reinterpret_cast<J12SAMPROW>(row.data());
    auto* r16 = reinterpret_cast<J16SAMPROW>(row.data());
    if (options.precision <= 8)
      jpeg_write_scanlines(&state, &r8, 1);
    else if (options.precision <= 12)
      jpeg12_write_scanlines(&state, &r12, 1);
    else
      jpeg16_write_scanlines(&state, &r16, 1);
  }
  jpeg_finish_compress(&state);
  const ByteSpan written = std::as_bytes(std::span(memory, size));
  Bytes out(written.begin(), written.end());
  jpeg_destroy_compress(&state);
  std::free(memory);
  return out;
}

}  // namespace dicube::codec::testing
