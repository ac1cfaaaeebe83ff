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

namespace dicube::codec {
namespace {

// OpenJPH prints its messages; a library must not. Errors become exceptions, caught in this file.
class Silence : public ojph::message_info {
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
  static Silence info;
  static SilentWarning warning;
  static ThrownError error;
  static const bool once = [] {
    ojph::configure_info(&info);
    ojph::configure_warning(&warning);
    ojph::configure_error(&error);
    return true;
  }();
  (void)once;
}

// Appends what OpenJPH writes to a buffer of ours.
class Output : public ojph::outfile_base {
 public:
  explicit Output(Bytes& to) : to_(to), begin_(to.size()), at_(to.size()) {}
  std::size_t write(const void* from, std::size_t size) override {
    if (at_ + size > to_.size()) to_.resize(std::max(at_ + size, at_ + at_ / 2));
    std::memcpy(to_.data() + at_, from, size);
    at_ += size;
    end_ = std::max(end_, at_);
    return size;
  }
  ojph::si64 tell() override { return static_cast<ojph::si64>(at_ - begin_); }
  int seek(ojph::si64 offset, enum ojph::outfile_base::seek origin) override {
    const auto base = origin == OJPH_SEEK_SET   ? static_cast<ojph::si64>(begin_)
                      : origin == OJPH_SEEK_CUR ? static_cast<ojph::si64>(at_)
                                                : static_cast<ojph::si64>(end_);
    if (base + offset < static_cast<ojph::si64>(begin_)) return -1;
    at_ = static_cast<std::size_t>(base + offset);
    return 0;
  }
  void close() override {}
  void trim() { to_.resize(std::max(end_, begin_)); }

 private:
  Bytes& to_;
  std::size_t begin_, at_, end_ = 0;
};

// Decompositions: enough for the standard's 64 pixels, and not fewer than pays; none that only add headers to small frames.
// At least one: without, OpenJPH 0.32 loses the most negative value of the range.
unsigned decompositions(const Shape& shape) {
  const std::uint32_t side = std::min(shape.rows, shape.columns);
  unsigned levels = 1;
  while (levels < 5 && (side >> levels) > 16) ++levels;
  while (((side + (1U << levels) - 1) >> levels) > 64) ++levels;
  return levels;
}

std::uint8_t precision_of(const Shape& shape, ByteSpan pixels) {
  return shape.precision != 0 ? shape.precision : needed_precision(shape, pixels);
}

// Where component c of row y starts, in values, and the distance between its values.
struct Place {
  std::size_t begin, step;
};
Place place_of(const Shape& shape, std::uint32_t row, std::uint32_t component) {
  const std::size_t line = std::size_t{row} * shape.columns;
  if (shape.planar) return {std::size_t{component} * shape.rows * shape.columns + line, 1};
  return {line * shape.samples + component, shape.samples};
}

template <class T>
void load_row(const std::byte* pixels, Place place, std::uint32_t columns, ojph::si32* row) {
  const std::byte* from = pixels + place.begin * sizeof(T);
  if (place.step == 1) {
    for (std::uint32_t x = 0; x < columns; ++x) {
      T value;
      std::memcpy(&value, from + x * sizeof(T), sizeof(T));
      row[x] = value;
    }
    return;
  }
  for (std::uint32_t x = 0; x < columns; ++x) {
    T value;
    std::memcpy(&value, from + x * place.step * sizeof(T), sizeof(T));
    row[x] = value;
  }
}

template <class T>
void store_row(const ojph::si32* row, Place place, std::uint32_t columns, std::byte* pixels) {
  std::byte* to = pixels + place.begin * sizeof(T);
  if (place.step == 1) {
    for (std::uint32_t x = 0; x < columns; ++x) {
      const T value = static_cast<T>(row[x]);
      std::memcpy(to + x * sizeof(T), &value, sizeof(T));
    }
    return;
  }
  for (std::uint32_t x = 0; x < columns; ++x) {
    const T value = static_cast<T>(row[x]);
    std::memcpy(to + x * place.step * sizeof(T), &value, sizeof(T));
  }
}

void load_row(const Shape& shape, ByteSpan pixels, std::uint32_t row, std::uint32_t component, ojph::si32* to) {
  const Place place = place_of(shape, row, component);
  if (shape.bits == 8)
    return shape.is_signed ? load_row<std::int8_t>(pixels.data(), place, shape.columns, to)
                           : load_row<std::uint8_t>(pixels.data(), place, shape.columns, to);
  return shape.is_signed ? load_row<std::int16_t>(pixels.data(), place, shape.columns, to)
                         : load_row<std::uint16_t>(pixels.data(), place, shape.columns, to);
}

void store_row(const Shape& shape, const ojph::si32* from, std::uint32_t row, std::uint32_t component, MutableByteSpan pixels) {
  const Place place = place_of(shape, row, component);
  if (shape.bits == 8) return store_row<std::uint8_t>(from, place, shape.columns, pixels.data());
  return store_row<std::uint16_t>(from, place, shape.columns, pixels.data());
}

bool holds(const Shape& shape) {
  return (shape.bits == 8 || shape.bits == 16) && shape.rows > 0 && shape.columns > 0 && shape.samples > 0 &&
         shape.samples <= 4;
}

// The size that the data set says and the one that the codestream says must agree before anything is allocated.
Status check_shape(const Htj2kHeader& header, const Shape& shape) {
  if (header.rows != shape.rows || header.columns != shape.columns || header.components != shape.samples)
    return fail(ErrorClass::kCodec, "HTJ2K codestream of {} x {} x {}, {} x {} x {} expected", header.rows, header.columns,
                header.components, shape.rows, shape.columns, shape.samples);
  if (header.precision > shape.bits)
    return fail(ErrorClass::kCodec, "HTJ2K codestream of {} bits, at most {} expected", header.precision, shape.bits);
  if (header.subsampled) return fail(ErrorClass::kUnsupported, "HTJ2K codestream with subsampled components");
  if (header.tiles > std::max<std::uint64_t>(1, std::uint64_t{shape.rows} * shape.columns / 1024))
    return fail(ErrorClass::kCodec, "HTJ2K codestream of {} tiles for {} x {} pixels", header.tiles, shape.rows, shape.columns);
  return {};
}

}  // namespace

struct Htj2k::Coder {
  ojph::codestream stream;
  bool used = false;
};

Htj2k::Htj2k() { route_messages(); }
Htj2k::~Htj2k() = default;

Status Htj2k::encode(const Shape& shape, ByteSpan pixels, Bytes& out) {
  if (!holds(shape))
    return fail(ErrorClass::kUnsupported, "HTJ2K does not hold {} x {} x {} values of {} bits", shape.rows, shape.columns,
                shape.samples, shape.bits);
  const std::size_t before = out.size();
  const bool colour = shape.colour && shape.samples == 3;
  try {
    if (!encoder_) encoder_ = std::make_unique<Coder>();
    ojph::codestream& stream = encoder_->stream;
    if (encoder_->used) stream.restart();
    encoder_->used = true;
    ojph::param_siz siz = stream.access_siz();
    siz.set_image_extent(ojph::point(shape.columns, shape.rows));
    siz.set_num_components(shape.samples);
    for (std::uint32_t c = 0; c < shape.samples; ++c)
      siz.set_component(c, ojph::point(1, 1), precision_of(shape, pixels), shape.is_signed);
    siz.set_image_offset(ojph::point(0, 0));
    siz.set_tile_size(ojph::size(shape.columns, shape.rows));
    siz.set_tile_offset(ojph::point(0, 0));
    ojph::param_cod cod = stream.access_cod();
    cod.set_num_decomposition(decompositions(shape));
    cod.set_block_dims(64, 64);
    cod.set_progression_order("RPCL");
    cod.set_color_transform(colour);
    cod.set_reversible(true);
    stream.set_planar(false);
    stream.set_tilepart_divisions(true, false);
    stream.request_tlm_marker(true);
    out.resize(before + pixels.size() / 2 + 1024);
    out.resize(before);
    Output file(out);
    stream.write_headers(&file);
    ojph::ui32 component = 0;
    ojph::line_buf* line = stream.exchange(nullptr, component);
    for (std::uint32_t row = 0; row < shape.rows; ++row)
      for (std::uint32_t c = 0; c < shape.samples; ++c) {
        load_row(shape, pixels, row, component, line->i32);
        line = stream.exchange(line, component);
      }
    stream.flush();
    stream.close();
    file.trim();
    return {};
  } catch (const std::exception& error) {
    encoder_.reset();
    out.resize(before);
    return fail(ErrorClass::kCodec, "OpenJPH can't encode {} x {} x {}: {}", shape.rows, shape.columns, shape.samples, error.what());
  }
}

Status Htj2k::decode(const Shape& shape, ByteSpan stream_bytes, unsigned level, bool whole, MutableByteSpan pixels) {
  if (!holds(shape)) return fail(ErrorClass::kUnsupported, "HTJ2K does not hold values of {} bits", shape.bits);
  DICUBE_ASSIGN(auto header, read_htj2k_header(stream_bytes));
  DICUBE_TRY(check_shape(header, shape));
  if (whole) DICUBE_TRY(check_htj2k_complete(header, stream_bytes));
  if (level > header.levels)
    return fail(ErrorClass::kCodec, "HTJ2K codestream with {} reductions, {} asked for", header.levels, level);
  const Shape target = reduced(shape, level);
  try {
    if (!decoder_) decoder_ = std::make_unique<Coder>();
    ojph::codestream& stream = decoder_->stream;
    if (decoder_->used) stream.restart();
    decoder_->used = true;
    if (!whole) stream.enable_resilience();
    ojph::mem_infile file;
    file.open(reinterpret_cast<const ojph::ui8*>(stream_bytes.data()), stream_bytes.size());
    stream.read_headers(&file);
    stream.restrict_input_resolution(level, level);
    stream.set_planar(false);
    stream.create();
    for (std::uint32_t row = 0; row < target.rows; ++row)
      for (std::uint32_t c = 0; c < target.samples; ++c) {
        ojph::ui32 component = 0;
        const ojph::line_buf* line = stream.pull(component);
        if (line == nullptr || line->size < target.columns) throw std::runtime_error("a line is missing");
        store_row(target, line->i32, row, component, pixels);
      }
    stream.close();
    if (!whole) decoder_.reset();  // resilience can't be switched off again
    return {};
  } catch (const std::exception& error) {
    decoder_.reset();
    return fail(ErrorClass::kCodec, "OpenJPH can't decode: {}", error.what());
  }
}

}  // namespace dicube::codec
