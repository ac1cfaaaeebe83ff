#include "codec/htj2k.h"

#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_message.h>
#include <openjph/ojph_params.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <stdexcept>
#include <utility>

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

// Frames of at most so many values are coded with fewer decompositions again while that makes them smaller: their
// tile-part headers weigh as much as the wavelet's gain. This and the other constants: docs/codec-notes.md.
constexpr std::uint64_t kSmallFrame = 32768;

// The fewest decompositions that DICOM allows: the smallest resolution is at most 64 wide or high. Never none: OpenJPH
// 0.32 then has no room for the least value of a precision.
unsigned fewest_levels(const Shape& shape) {
  unsigned levels = 1;
  while ((std::uint64_t{std::min(shape.rows, shape.columns)} + (1U << levels) - 1) >> levels > 64) ++levels;
  return levels;
}

// Of frames over so many bytes no memory is kept for the next one.
constexpr std::size_t kKept = std::size_t{32} << 20;

bool is_small(const Shape& shape) { return std::uint64_t{shape.rows} * shape.columns * shape.samples <= kSmallFrame; }

// Where to begin: five decompositions, fewer when the smallest resolution would fall below a useful size.
unsigned first_levels(const Shape& shape) {
  const std::uint32_t side = std::min(shape.rows, shape.columns), least = is_small(shape) ? 11 : 16;
  unsigned levels = fewest_levels(shape);
  while (levels < 5 && side >> levels > least) ++levels;
  return levels;
}

bool uses_colour_transform(const Shape& shape) { return shape.colour && shape.samples == 3; }

// Whether OpenJPH exchanges whole components after each other instead of rows of all.
bool in_planes(const Shape& shape, bool colour_transform) { return shape.planar && !colour_transform; }

void configure(ojph::codestream& stream, const Shape& shape, unsigned precision, unsigned levels, float step) {
  ojph::param_siz siz = stream.access_siz();
  siz.set_image_extent(ojph::point(shape.columns, shape.rows));
  siz.set_image_offset(ojph::point(0, 0));
  siz.set_tile_size(ojph::size(shape.columns, shape.rows));
  siz.set_tile_offset(ojph::point(0, 0));
  siz.set_num_components(shape.samples);
  for (std::uint32_t c = 0; c < shape.samples; ++c) siz.set_component(c, ojph::point(1, 1), precision, shape.is_signed);
  ojph::param_cod cod = stream.access_cod();
  cod.set_num_decomposition(levels);
  cod.set_block_dims(64, 64);
  cod.set_progression_order("RPCL");
  cod.set_color_transform(uses_colour_transform(shape));
  cod.set_reversible(step == 0);
  if (step != 0) stream.access_qcd().set_irrev_quant(step);
  stream.set_planar(in_planes(shape, uses_colour_transform(shape)));
  stream.set_tilepart_divisions(true, false);
}

void append_be(Bytes& out, std::uint32_t value, unsigned bytes) {
  while (bytes-- > 0) out.push_back(static_cast<std::byte>(value >> 8 * bytes));
}

// A tile-part's entry in TLM: 8 bits of tile index, and 16 of length where they suffice.
constexpr std::size_t kTlmEntry = 3, kWideTlmEntry = 5;

// A.7.1
void append_tlm(std::span<const std::uint32_t> part_bytes, Bytes& out) {
  const bool wide = *std::max_element(part_bytes.begin(), part_bytes.end()) > 0xFFFF;
  append_be(out, kTlm, 2);
  append_be(out, static_cast<std::uint32_t>(4 + part_bytes.size() * (wide ? kWideTlmEntry : kTlmEntry)), 2);
  append_be(out, wide ? 0x0050 : 0x0010, 2);
  for (const std::uint32_t size : part_bytes) {
    append_be(out, 0, 1);
    append_be(out, size, wide ? 4 : 2);
  }
}

// Gives OpenJPH's codestream TLM, and takes out the comment that names OpenJPH's version. OpenJPH 0.32 could write TLM
// itself, but not twice with one object: restart() leaves its index behind the entries of the frame before.
// REQUIRES: `stream` is a codestream of configure(), main_header the bytes before its first tile-part.
void finish(Bytes& stream, std::uint64_t main_header) {
  std::array<std::uint32_t, kMostLevels + 1> part_bytes;
  unsigned parts = 0;
  for (std::uint64_t at = main_header; load_be<std::uint16_t>(stream.data() + at) == kSot; at += part_bytes[parts++])
    part_bytes[parts] = load_be<std::uint32_t>(stream.data() + at + 6);
  const ByteSpan before = ByteSpan(stream).first(main_header);
  Bytes header;
  append(header, before.first(2));
  for (std::uint64_t at = 2, size = 0; at < main_header; at += size) {
    size = 2 + load_be<std::uint16_t>(before.data() + at + 2);
    if (load_be<std::uint16_t>(before.data() + at) != kCom) append(header, before.subspan(at, size));
  }
  append_tlm(std::span(part_bytes).first(parts), header);
  stream.erase(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(main_header));
  stream.insert(stream.begin(), header.begin(), header.end());
}

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

namespace {

Result<unsigned> precision_for(const Shape& shape, ByteSpan pixels) {
  const unsigned most = shape.is_signed ? 32 : 31;  // OpenJPH takes signed 32-bit rows
  const unsigned needed = std::max<unsigned>(needed_precision(shape, pixels), 2);
  if (needed > most)
    return fail(ErrorClass::kUnsupported, "HTJ2K holds unsigned values of {} bits, these have {}", most, needed);
  return std::max(needed, std::min<unsigned>(shape.precision, most));
}

}  // namespace

Status Htj2k::encode(const Shape& shape, ByteSpan pixels, Bytes& out) {
  DICUBE_TRY(check_held(shape));
  DICUBE_ASSIGN(const unsigned precision, precision_for(shape, pixels));
  unsigned levels = first_levels(shape);
  DICUBE_TRY(run_encoder(shape, pixels, precision, levels, 0, coded_));
  while (is_small(shape) && levels > fewest_levels(shape)) {
    DICUBE_TRY(run_encoder(shape, pixels, precision, levels - 1, 0, trial_));
    if (trial_.size() >= coded_.size() + kTlmEntry) break;
    --levels;
    coded_.swap(trial_);
  }
  return hand_out(pixels.size(), out);
}

Status Htj2k::encode_lossy(const Shape& shape, ByteSpan pixels, float step, Bytes& out) {
  DICUBE_TRY(check_held(shape));
  DICUBE_ASSIGN(const unsigned precision, precision_for(shape, pixels));
  DICUBE_TRY(run_encoder(shape, pixels, precision, first_levels(shape), step, coded_));
  return hand_out(pixels.size(), out);
}

// What was coded, finished.
Status Htj2k::hand_out(std::size_t frame_bytes, Bytes& out) {
  DICUBE_ASSIGN(const auto header, read_htj2k_header(coded_));
  finish(coded_, header.bytes);
  if (frame_bytes <= kKept || !out.empty()) {
    append(out, coded_);
    return {};
  }
  out = std::exchange(coded_, {});
  encoder_.reset();
  return {};
}

Status Htj2k::run_encoder(const Shape& shape, ByteSpan pixels, unsigned precision, unsigned levels, float step,
                          Bytes& coded) {
  try {
    if (!encoder_) encoder_ = std::make_unique<Coder>();
    ojph::codestream& stream = encoder_->fresh();
    configure(stream, shape, precision, levels, step);
    coded.reserve(pixels.size() + pixels.size() / 8);  // what is not used of it is no memory
    Output file(coded);
    stream.write_headers(&file);
    ojph::ui32 component = 0;
    ojph::line_buf* line = stream.exchange(nullptr, component);
    for_each_row(shape, in_planes(shape, uses_colour_transform(shape)), [&](std::uint32_t r, std::uint32_t c) {
      load_row(shape, pixels, r, c, line->i32);
      line = stream.exchange(line, component);
    });
    stream.flush();
    stream.close();
    return {};
  } catch (const std::exception& error) {
    encoder_.reset();
    return fail(ErrorClass::kCodec, "HTJ2K encoder: {}", error.what());
  }
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
      if (line == nullptr || component != c || line->size < target.columns)
        throw std::runtime_error("a row is missing");
      store_row(target, header.component[c], line->i32, r, c, pixels);
    });
    stream.close();
    if (pixels.size() > kKept) decoder_.reset();
    return {};
  } catch (const std::exception& error) {
    decoder_.reset();
    return fail(ErrorClass::kCodec, "HTJ2K decoder: {}", error.what());
  }
}

}  // namespace dicube::codec
