// JPEG (ISO/IEC 10918-1) through libjpeg-turbo: baseline, extended, progressive and lossless, 2 to 16 bits.
#include <cstddef>
#include <cstdio>

extern "C" {
#include <jpeglib.h>
//
#include <jerror.h>
}

#include <stdexcept>

#include "codec/foreign.h"

namespace dicube::codec {
namespace {

constexpr int kMostScans = 500;  // each costs time in proportion to the frame, however small it is

// libjpeg-turbo's errors become exceptions (it is compiled with unwind tables), which end in this file.
[[noreturn]] void throw_message(j_common_ptr state) {
  char text[JMSG_LENGTH_MAX];
  state->err->format_message(state, text);
  throw std::runtime_error(text);
}

// Some warnings are damage: a codestream that is cut off or corrupt decodes to something else than was stored.
void refuse_damage(j_common_ptr state, int level) {
  if (level >= 0) return;
  switch (state->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC: throw_message(state);
    default: return;  // oddities that have no influence on the values
  }
}

void limit_scans(j_common_ptr state) {
  const int scans = reinterpret_cast<j_decompress_ptr>(state)->input_scan_number;
  if (scans > kMostScans) throw std::runtime_error(formatted("over {} scans", kMostScans));
}

class Decompressor {
 public:
  explicit Decompressor(ByteSpan stream) {
    state_.err = jpeg_std_error(&errors_);
    errors_.error_exit = throw_message;
    errors_.emit_message = refuse_damage;
    errors_.output_message = [](j_common_ptr) {};
    jpeg_create_decompress(&state_);
    progress_.progress_monitor = limit_scans;
    state_.progress = &progress_;
    jpeg_mem_src(&state_, reinterpret_cast<const unsigned char*>(stream.data()),
                 static_cast<unsigned long>(stream.size()));
  }
  ~Decompressor() { jpeg_destroy_decompress(&state_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  j_decompress_ptr operator->() { return &state_; }
  j_decompress_ptr get() { return &state_; }

 private:
  jpeg_decompress_struct state_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
};

void read_row(j_decompress_ptr state, std::byte* row) {
  JDIMENSION read = 0;
  if (state->data_precision <= 8) {
    auto* to = reinterpret_cast<JSAMPROW>(row);
    read = jpeg_read_scanlines(state, &to, 1);
  } else if (state->data_precision <= 12) {
    auto* to = reinterpret_cast<J12SAMPROW>(row);
    read = jpeg12_read_scanlines(state, &to, 1);
  } else {
    auto* to = reinterpret_cast<J16SAMPROW>(row);
    read = jpeg16_read_scanlines(state, &to, 1);
  }
  if (read != 1) throw std::runtime_error("rows are missing");
}

void run(const Shape& shape, bool lossless, ByteSpan stream, MutableByteSpan pixels) {
  Decompressor state(stream);
  jpeg_read_header(state.get(), TRUE);
  state->out_color_space = state->jpeg_color_space;  // the values as they were coded...
  // ...but a data set that says RGB means what comes out of a codestream that says YCbCr.
  const bool says_ybr = state->jpeg_color_space == JCS_YCbCr && (state->saw_JFIF_marker || state->saw_Adobe_marker);
  if (!lossless && shape.colour && says_ybr) state->out_color_space = JCS_RGB;
  jpeg_start_decompress(state.get());
  if (state->output_width != shape.columns || state->output_height != shape.rows ||
      state->output_components != shape.samples)
    throw std::runtime_error(formatted("it decodes to {} x {} x {} values", state->output_width, state->output_height,
                                       state->output_components));
  const unsigned width = state->data_precision <= 8 ? 1 : 2;
  const unsigned precision = sign_precision(static_cast<unsigned>(state->data_precision), shape);
  const std::size_t values = std::size_t{shape.columns} * shape.samples, row_bytes = values * (shape.bits / 8U);
  Bytes row(stands_as_it_is(width, precision, shape) ? 0 : values * width);
  for (std::uint32_t y = 0; y < shape.rows; ++y) {
    std::byte* to = pixels.data() + y * row_bytes;
    // Rows of 16-bit values may not be aligned in the caller's memory.
    const bool direct = row.empty() && (width == 1 || reinterpret_cast<std::uintptr_t>(to) % 2 == 0);
    if (!direct && row.empty()) row.resize(values * width);
    read_row(state.get(), direct ? to : row.data());
    if (!direct) place_values(row.data(), width, values, precision, shape, to);
  }
  // Without jpeg_finish_decompress(): some sources leave the end marker out.
}

}  // namespace

Status decode_jpeg(const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
  DICUBE_ASSIGN(const JpegHeader header, read_jpeg_header(stream));
  DICUBE_TRY(check_declared("JPEG", header.declared, shape));
  switch (header.process) {
    case 0xC0:
    case 0xC1:
    case 0xC2:
    case 0xC3:
    case 0xC9:
    case 0xCA: break;
    default: return fail(ErrorClass::kUnsupported, "JPEG codestream: process {:#04x} is not supported", header.process);
  }
  try {
    run(shape, header.process == 0xC3, stream, pixels);
    return {};
  } catch (const std::exception& error) {
    return fail(ErrorClass::kCodec, "JPEG codestream: {}", error.what());
  }
}

}  // namespace dicube::codec
