#include "codec/htj2k.h"

#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_message.h>
#include <openjph/ojph_params.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <stdexcept>

#include "codec/htj2k_markers.h"
#include "codec/htj2k_rows.h"

namespace dicube::codec {
namespace {

// OpenJPH prints its messages, a library must not: errors become exceptions, which end in this file. Its handlers are
// global; these have no state, so threads may share them.
class SilentInfo : public ojph::message_info {
  void operator()(int, const char*, int, const char*, ...) override {}
};
class SilentWarning : public ojph::message_warning {
  void operator()(int, const char*, int, const char*, ...) override {}
};
class ThrownError : public ojph::message_error {
  void operator()(int, const char*, int, const char* format, ...) override {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    throw std::runtime_error(text);
  }
};

void route_messages() {
  static SilentInfo info;
  static SilentWarning warning;
  static ThrownError error;
  static const bool once = [] {
    ojph::configure_info(&info);
    ojph::configure_warning(&warning);
    ojph::configure_error(&error);
    return true;
  }();
  static_cast<void>(once);
}

// OpenJPH writes a codestream from its first byte to its last.
class Output : public ojph::outfile_base {
 public:
  explicit Output(Bytes& to) : to_(to) { to_.clear(); }
  std::size_t write(const void* from, std::size_t size) override {
    append(to_, {static_cast<const std::byte*>(from), size});
    return size;
  }
  ojph::si64 tell() override { return static_cast<ojph::si64>(to_.size()); }

 private:
  Bytes& to_;
};

// See docs/codec-notes.md for the figures behind this choice.
unsigned decompositions(const Shape& shape) {
  const std::uint32_t side = std::min(shape.rows, shape.columns);
  // Without any, OpenJPH 0.32 has no room for the least value of the precision.
  unsigned levels = 1;
  while (levels < 5 && (side >> levels) > 16) ++levels;
  while ((side + (1U << levels) - 1) >> levels > 64) ++levels;
  return levels;
}

void configure(ojph::codestream& stream, const Shape& shape, unsigned precision) {
  ojph::param_siz siz = stream.access_siz();
  siz.set_image_extent(ojph::point(shape.columns, shape.rows));
  siz.set_image_offset(ojph::point(0, 0));
  siz.set_tile_size(ojph::size(shape.columns, shape.rows));
  siz.set_tile_offset(ojph::point(0, 0));
  siz.set_num_components(shape.samples);
  for (std::uint32_t c = 0; c < shape.samples; ++c)
    siz.set_component(c, ojph::point(1, 1), precision, shape.is_signed);
  ojph::param_cod cod = stream.access_cod();
  cod.set_num_decomposition(decompositions(shape));
  cod.set_block_dims(64, 64);
  cod.set_progression_order("RPCL");
  cod.set_color_transform(shape.colour && shape.samples == 3);
  cod.set_reversible(true);
  stream.set_planar(shape.planar && !(shape.colour && shape.samples == 3));
  stream.set_tilepart_divisions(true, false);
  stream.request_tlm_marker(true);
}

void append_be(Bytes& out, std::uint32_t value, unsigned bytes) {
  while (bytes-- > 0) out.push_back(static_cast<std::byte>(value >> 8 * bytes));
}

// TLM with 8 bits per tile index and, when they suffice, 16 per length: A.7.1. OpenJPH writes 16 and 32.
void append_tlm(const Htj2kHeader& header, Bytes& out) {
  const auto* end = header.part_bytes.begin() + header.parts;
  const unsigned width = *std::max_element(header.part_bytes.begin(), end) > 0xFFFF ? 4 : 2;
  append_be(out, kTlm, 2);
  append_be(out, 4 + header.parts * (1 + width), 2);
  append_be(out, width == 4 ? 0x0050 : 0x0010, 2);
  for (const auto* size = header.part_bytes.begin(); size != end; ++size) {
    append_be(out, 0, 1);
    append_be(out, *size, width);
  }
}

// Appends OpenJPH's codestream without the comment that names its version, and with the shorter TLM.
// REQUIRES: `stream` is a codestream of configure().
void append_compact(ByteSpan stream, const Htj2kHeader& header, Bytes& out) {
  out.reserve(out.size() + stream.size());
  append(out, stream.first(2));
  for (std::uint64_t at = 2; at < header.bytes;) {
    const std::uint32_t marker = load_be<std::uint16_t>(stream.data() + at);
    const std::uint64_t size = 2 + load_be<std::uint16_t>(stream.data() + at + 2);
    if (marker == kTlm)
      append_tlm(header, out);
    else if (marker != kCom)
      append(out, stream.subspan(at, size));
    at += size;
  }
  append(out, stream.subspan(header.bytes));
}

bool in_planes(const Shape& shape, bool colour_transform) { return shape.planar && !colour_transform; }

// 8, 16 or 32 bits, 1 to 4 samples, no empty side, sides within OpenJPH's 32-bit arithmetic.
Status check_held(const Shape& shape) {
  constexpr std::uint32_t kMostSide = 0x7FFFFFFF;
  if (shape.bits != 8 && shape.bits != 16 && shape.bits != 32)
    return fail(ErrorClass::kUnsupported, "HTJ2K does not hold values of {} bits", shape.bits);
  if (shape.samples < 1 || shape.samples > kMostComponents)
    return fail(ErrorClass::kUnsupported, "HTJ2K does not hold {} samples, at most {}", shape.samples, kMostComponents);
  if (shape.rows < 1 || shape.columns < 1 || shape.rows > kMostSide || shape.columns > kMostSide)
    return fail(ErrorClass::kUnsupported, "HTJ2K does not hold {} x {} pixels", shape.columns, shape.rows);
  return {};
}

// Calls row(r, c) for every row of every component in the order OpenJPH exchanges them.
template <class Row>
void for_each_row(const Shape& shape, bool planes, Row row) {
  if (planes) {
    for (std::uint32_t c = 0; c < shape.samples; ++c)
      for (std::uint32_t r = 0; r < shape.rows; ++r) row(r, c);
  } else {
    for (std::uint32_t r = 0; r < shape.rows; ++r)
      for (std::uint32_t c = 0; c < shape.samples; ++c) row(r, c);
  }
}

}  // namespace

struct Htj2k::Coder {
  ojph::codestream stream;
  bool used = false;
  ojph::codestream& fresh() {
    if (used) stream.restart();
    used = true;
    return stream;
  }
};

Htj2k::Htj2k() { route_messages(); }
Htj2k::~Htj2k() = default;
Htj2k::Htj2k(Htj2k&&) noexcept = default;
Htj2k& Htj2k::operator=(Htj2k&&) noexcept = default;

Status Htj2k::encode(const Shape& shape, ByteSpan pixels, Bytes& out) {
  DICUBE_TRY(check_held(shape));
  const unsigned precision = std::max({shape.precision, needed_precision(shape, pixels), std::uint8_t{2}});
  // OpenJPH takes signed 32-bit rows.
  if (precision > 31 && !shape.is_signed)
    return fail(ErrorClass::kUnsupported, "HTJ2K holds unsigned values of 31 bits, these have {}", precision);
  try {
    if (!encoder_) encoder_ = std::make_unique<Coder>();
    ojph::codestream& stream = encoder_->fresh();
    configure(stream, shape, precision);
    coded_.reserve(pixels.size() / 2);
    Output file(coded_);
    stream.write_headers(&file);
    ojph::ui32 component = 0;
    ojph::line_buf* line = stream.exchange(nullptr, component);
    for_each_row(shape, in_planes(shape, shape.colour && shape.samples == 3), [&](std::uint32_t r, std::uint32_t c) {
      load_row(shape, pixels, r, c, line->i32);
      line = stream.exchange(line, component);
    });
    stream.flush();
    stream.close();
  } catch (const std::exception& error) {
    encoder_.reset();
    return fail(ErrorClass::kCodec, "HTJ2K encoder: {}", error.what());
  }
  DICUBE_ASSIGN(const auto header, read_htj2k_header(coded_));
  append_compact(coded_, header, out);
  return {};
}

Status Htj2k::decode(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_TRY(check_held(shape));
  DICUBE_ASSIGN(const auto header, read_htj2k_header(stream));
  DICUBE_TRY(check_htj2k_shape(header, shape));
  DICUBE_TRY(check_htj2k_complete(header, stream, tile_parts_));
  return run_decoder(header, shape, stream, 0, pixels);
}

Status Htj2k::decode_reduced(const Htj2kHeader& header, const Shape& shape, ByteSpan stream, unsigned level,
                             MutableByteSpan pixels) {
  DICUBE_TRY(check_held(shape));
  DICUBE_TRY(check_htj2k_shape(header, shape));
  const std::uint64_t prefix = htj2k_prefix(header, level);
  if (prefix == 0) {
    DICUBE_TRY(check_htj2k_complete(header, stream, tile_parts_));
    return run_decoder(header, reduced(shape, level), stream, level, pixels);
  }
  if (stream.size() < prefix)
    return fail(ErrorClass::kCodec, "HTJ2K codestream: reduction {} needs its first {} bytes, there are {}", level,
                prefix, stream.size());
  DICUBE_TRY(check_htj2k_prefix(header, stream.first(prefix)));
  return run_decoder(header, reduced(shape, level), stream.first(prefix), level, pixels);
}

Status Htj2k::run_decoder(const Htj2kHeader& header, const Shape& target, ByteSpan bytes, unsigned level,
                          MutableByteSpan pixels) {
  try {
    if (!decoder_) decoder_ = std::make_unique<Coder>();
    ojph::codestream& stream = decoder_->fresh();
    ojph::mem_infile file;
    file.open(reinterpret_cast<const ojph::ui8*>(bytes.data()), bytes.size());
    stream.read_headers(&file);
    stream.restrict_input_resolution(level, level);
    const bool planes = in_planes(target, header.colour_transform);
    stream.set_planar(planes);
    const ojph::param_siz siz = stream.access_siz();
    for (std::uint32_t c = 0; c < target.samples; ++c)  // an image off the grid's origin is rounded elsewhere
      if (siz.get_recon_width(c) != target.columns || siz.get_recon_height(c) != target.rows)
        return fail(ErrorClass::kUnsupported, "HTJ2K codestream: {} x {} pixels at reduction {}, {} x {} expected",
                    siz.get_recon_width(c), siz.get_recon_height(c), level, target.columns, target.rows);
    stream.create();
    for_each_row(target, planes, [&](std::uint32_t r, std::uint32_t c) {
      ojph::ui32 component = 0;
      const ojph::line_buf* line = stream.pull(component);
      if (line == nullptr || component != c || line->size < target.columns) throw std::runtime_error("a row is missing");
      store_row(target, header.component[c], line->i32, r, c, pixels);
    });
    stream.close();
    return {};
  } catch (const std::exception& error) {
    decoder_.reset();
    return fail(ErrorClass::kCodec, "HTJ2K decoder: {}", error.what());
  }
}

}  // namespace dicube::codec
