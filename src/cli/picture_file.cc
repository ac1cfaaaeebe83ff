#include "cli/picture_file.h"

#include <png.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

extern "C" {
#include <jpeglib.h>
}

#include <algorithm>
#include <stdexcept>

namespace dicube::cli {
namespace {

constexpr std::uint64_t kMostBytes = 10'000, kOfPixels = 256 * 256;
constexpr int kQualities[] = {90, 80, 70, 60, 50, 40, 30, 20, 10, 5, 1};

// One channel's values; empty when the picture has colours.
std::vector<std::uint8_t> greys_of(const Canvas& canvas) {
  std::vector<std::uint8_t> greys;
  greys.reserve(canvas.rgb.size() / 3);
  for (std::size_t i = 0; i < canvas.rgb.size(); i += 3) {
    if (canvas.rgb[i] != canvas.rgb[i + 1] || canvas.rgb[i] != canvas.rgb[i + 2]) return {};
    greys.push_back(canvas.rgb[i]);
  }
  return greys;
}

// Rows of `samples` values per pixel.
struct Raster {
  std::uint32_t rows, columns;
  int samples;
  const std::vector<std::uint8_t>& values;
};

// libjpeg-turbo's errors become exceptions (it is compiled with unwind tables), which end in this file.
[[noreturn]] void throw_message(j_common_ptr state) {
  char text[JMSG_LENGTH_MAX];
  state->err->format_message(state, text);
  throw std::runtime_error(text);
}

class Compressor {
 public:
  Compressor() {
    state_.err = jpeg_std_error(&errors_);
    errors_.error_exit = throw_message;
    jpeg_create_compress(&state_);
    jpeg_mem_dest(&state_, &memory_, &size_);
  }
  ~Compressor() {
    jpeg_destroy_compress(&state_);
    std::free(memory_);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  ByteSpan compress(const Raster& raster, int quality) {
    state_.image_width = raster.columns;
    state_.image_height = raster.rows;
    state_.input_components = raster.samples;
    state_.in_color_space = raster.samples == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&state_);
    jpeg_set_quality(&state_, quality, TRUE);
    state_.optimize_coding = TRUE;
    jpeg_start_compress(&state_, TRUE);
    const std::size_t row = std::size_t{raster.columns} * static_cast<std::size_t>(raster.samples);
    while (state_.next_scanline < state_.image_height) {
      auto* from = const_cast<JSAMPLE*>(raster.values.data() + state_.next_scanline * row);
      jpeg_write_scanlines(&state_, &from, 1);
    }
    jpeg_finish_compress(&state_);
    return {reinterpret_cast<const std::byte*>(memory_), size_};
  }

 private:
  jpeg_compress_struct state_{};
  jpeg_error_mgr errors_{};
  unsigned char* memory_ = nullptr;
  unsigned long size_ = 0;
};

Bytes best_that_fits(const Raster& raster) {
  const std::uint64_t pixels = std::max<std::uint64_t>(kOfPixels, std::uint64_t{raster.rows} * raster.columns);
  Bytes bytes;
  for (const int quality : kQualities) {
    Compressor compressor;
    const ByteSpan made = compressor.compress(raster, quality);
    bytes.assign(made.begin(), made.end());
    if (bytes.size() <= pixels * kMostBytes / kOfPixels) break;
  }
  return bytes;
}

}  // namespace

Result<Bytes> png_bytes(const Canvas& canvas) {
  const std::vector<std::uint8_t> greys = greys_of(canvas);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = canvas.columns;
  image.height = canvas.rows;
  image.format = greys.empty() ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  const auto& values = greys.empty() ? canvas.rgb : greys;
  Bytes bytes(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, values.data(), 0, nullptr) == 0)
    return fail(ErrorClass::kIo, "can't be made: {}", image.message);
  bytes.resize(size);
  return bytes;
}

Result<Bytes> jpeg_bytes(const Canvas& canvas) try {
  const std::vector<std::uint8_t> greys = greys_of(canvas);
  return best_that_fits({canvas.rows, canvas.columns, greys.empty() ? 3 : 1, greys.empty() ? canvas.rgb : greys});
} catch (const std::runtime_error& error) {
  return fail(ErrorClass::kIo, "can't be made: {}", error.what());
}

}  // namespace dicube::cli
