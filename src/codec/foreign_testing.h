// Codestreams as other encoders write them, for the tests: what the adapter itself never chooses.
#pragma once

#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>

#include <string>

#include "codec/htj2k_rows.h"

namespace dicube::codec::testing {

struct Foreign {
  std::string order = "LRCP";
  std::uint32_t tile = 0, block_width = 64, block_height = 64, levels = 5, offset = 0, tile_offset = 0;
  std::uint32_t precinct = 0;  // side, 0: the largest
  bool reversible = true, parts_at_resolutions = false, parts_at_components = false, tlm = false;
  unsigned precision = 16;
  bool is_signed = false;
};

inline Bytes foreign_stream(const Shape& shape, ByteSpan pixels, const Foreign& how) {
  ojph::codestream stream;
  ojph::mem_outfile file;
  file.open();
  ojph::param_siz siz = stream.access_siz();
  siz.set_image_extent(ojph::point(shape.columns + how.offset, shape.rows + how.offset));
  siz.set_image_offset(ojph::point(how.offset, how.offset));
  if (how.tile > 0) siz.set_tile_size(ojph::size(how.tile, how.tile));
  siz.set_tile_offset(ojph::point(how.tile_offset, how.tile_offset));
  siz.set_num_components(shape.samples);
  for (ojph::ui32 c = 0; c < shape.samples; ++c) siz.set_component(c, ojph::point(1, 1), how.precision, how.is_signed);
  ojph::param_cod cod = stream.access_cod();
  cod.set_num_decomposition(how.levels);
  cod.set_block_dims(how.block_width, how.block_height);
  ojph::size precinct(how.precinct, how.precinct);
  if (how.precinct > 0) cod.set_precinct_size(1, &precinct);
  cod.set_progression_order(how.order.c_str());
  cod.set_color_transform(shape.colour && shape.samples == 3);
  cod.set_reversible(how.reversible);
  if (!how.reversible) stream.access_qcd().set_irrev_quant(0.001F);
  stream.set_planar(false);
  stream.set_tilepart_divisions(how.parts_at_resolutions, how.parts_at_components);
  stream.request_tlm_marker(how.tlm);
  stream.write_headers(&file);
  ojph::ui32 component = 0;
  ojph::line_buf* line = stream.exchange(nullptr, component);
  for (std::uint32_t r = 0; r < shape.rows; ++r)
    for (std::uint32_t c = 0; c < shape.samples; ++c) {
      load_row(shape, pixels, r, c, line->i32);
      line = stream.exchange(line, component);
    }
  stream.flush();
  const ByteSpan written(reinterpret_cast<const std::byte*>(file.get_data()), file.get_used_size());
  Bytes out(written.begin(), written.end());
  stream.close();
  return out;
}

}  // namespace dicube::codec::testing
