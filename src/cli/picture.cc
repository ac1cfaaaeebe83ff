#include "cli/picture.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <span>

#include "archive/state.h"
#include "base/result.h"
#include "cli/lookup_table.h"
#include "series/frame_values.h"

namespace dicube::cli {
namespace {

double value_at(const std::byte* at, const PixelFormat& format) {
  const auto as = [&](auto type) {
    std::memcpy(&type, at, sizeof type);
    return static_cast<double>(type);
  };
  const bool s = format.is_signed;
  switch (format.bytes_per_value()) {
    case 1: return s ? as(std::int8_t{}) : as(std::uint8_t{});
    case 2: return s ? as(std::int16_t{}) : as(std::uint16_t{});
    case 4: return format.is_float ? as(float{}) : s ? as(std::int32_t{}) : as(std::uint32_t{});
    default: return format.is_float ? as(double{}) : s ? as(std::int64_t{}) : as(std::uint64_t{});
  }
}

// The stored value alone: bits beside it cleared, or its sign carried into them (PS3.5 8.1.1).
double stored_value(double container, const PixelFormat& format) {
  if (format.is_float || format.bits_stored == 0 || format.bits_stored >= format.bits_allocated ||
      format.bits_allocated > 32)
    return container;
  const unsigned low = format.high_bit < format.bits_allocated && format.high_bit + 1u >= format.bits_stored
                           ? format.high_bit + 1u - format.bits_stored
                           : 0;
  const auto bits = static_cast<std::int64_t>(container) >> low;
  const std::int64_t span = std::int64_t{1} << format.bits_stored, value = bits & (span - 1);
  return static_cast<double>(format.is_signed && value >= span / 2 ? value - span : value);
}

// A frame's values, at its own resolution or a smaller one.
struct Values {
  FrameBuffer frame;
  PixelFormat format;
};

// At 1/2^level. A header may promise any size: the stream is asked first, and what no memory holds is an error of the
// frame.
Result<Values> read_values(const Archive& archive, std::size_t frame, unsigned level) {
  DICUBE_ASSIGN(auto bytes, ArchiveAccess::frame_buffer(archive, frame, level));
  DICUBE_TRY(archive.read_frame_reduced(frame, level, bytes.span()));
  return Values{std::move(bytes), Archive::reduced(archive.pixel_format(frame), level)};
}

// The same, or at the frame's own resolution: not every form of pixels has levels.
Result<Values> read_values_at_best(const Archive& archive, std::size_t frame, unsigned level) {
  auto values = read_values(archive, frame, level);
  if (values || level == 0 || values.error().error_class == ErrorClass::kLimit) return values;
  return read_values(archive, frame, 0);
}

// The mean of a picture's pixel, as of rows [top, bottom) and columns [left, right) of a frame. What is no number
// counts only where nothing else is.
struct Box {
  std::uint64_t top, bottom, left, right;
};
double mean_of(const Box& box, const Values& values, std::uint32_t sample, const LookupTable* table) {
  const std::byte* pixels = values.frame.bytes.get();
  const PixelFormat& format = values.format;
  double sum = 0;
  std::size_t count = 0;
  for (std::uint64_t row = box.top; row < box.bottom; ++row)
    for (std::uint64_t column = box.left; column < box.right; ++column) {
      const std::uint64_t place = (row * format.columns + column) * format.samples + sample;
      const double value = stored_value(value_at(pixels + place * format.bytes_per_value(), format), format);
      if (!std::isfinite(value)) continue;
      sum += table != nullptr ? table->of(value) : value;
      ++count;
    }
  return count > 0 ? sum / static_cast<double>(count) : std::nan("");
}

// For each of a picture's values the mean of what it stands for. `tables`: none, one for all samples, or a palette's,
// whose index is the only sample.
std::vector<double> means_of(const Values& values, const Picture& picture, std::span<const LookupTable> tables) {
  const bool is_palette = tables.size() > 1;
  const auto row = [&](std::uint64_t y) { return y * values.format.rows / picture.rows; };
  const auto column = [&](std::uint64_t x) { return x * values.format.columns / picture.columns; };
  std::vector<double> means;
  for (std::uint32_t y = 0; y < picture.rows; ++y)
    for (std::uint32_t x = 0; x < picture.columns; ++x)
      for (std::uint32_t s = 0; s < picture.samples; ++s) {
        const LookupTable* table = tables.empty() ? nullptr : &tables[is_palette ? s : 0];
        means.push_back(mean_of({row(y), row(y + 1), column(x), column(x + 1)}, values, is_palette ? 0 : s, table));
      }
  return means;
}

// Of the smallest resolution that is large enough, where the codec has some: what others give is every 2^nth pixel.
unsigned level_for(const Archive& archive, std::size_t frame, std::uint32_t size) {
  const PixelFormat& full = archive.pixel_format(frame);
  const std::uint64_t longest = std::max(full.rows, full.columns);
  const bool has_levels = archive.codec(frame) == "htj2k";
  unsigned level = 0;
  while (has_levels && full.bits_allocated > 1 && (longest >> (level + 1)) >= size) ++level;
  return level;
}

double number_of(const Archive& archive, std::string_view keyword, std::size_t frame, double otherwise) {
  const auto column = archive.frame_column(keyword);
  return column ? column->number(frame).value_or(otherwise) : otherwise;
}

// What is no number is black.
std::uint8_t shade_of(double shade) { return shade > 0 ? static_cast<std::uint8_t>(std::min(shade, 255.0)) : 0; }

bool is_ybr(const Archive& archive, std::size_t frame) {
  const format::FrameIndex& index = ArchiveAccess::state(archive).index;
  return series::decoded_photometric(index.formats[index.frames[frame].format]) == "YBR_FULL";
}

// From luminance and two chrominances, 0 to 255 each (PS3.3 C.7.6.3.1.2).
void make_rgb(std::vector<double>& colours) {
  for (std::size_t i = 0; i + 2 < colours.size(); i += 3) {
    const double y = colours[i], b = colours[i + 1] - 128, r = colours[i + 2] - 128;
    colours[i] = y + 1.402 * r;
    colours[i + 1] = y - 0.344136 * b - 0.714136 * r;
    colours[i + 2] = y + 1.772 * b;
  }
}

// From stored values to real-world ones.
struct Scale {
  double slope = 1, intercept = 0;
  double operator()(double value) const { return value * slope + intercept; }
};

// What is black and what is white, in real-world values: of the window given, else of the data set's, else from the 1st
// to the 99th percentile.
std::pair<double, double> ends_of(const Archive& archive, std::size_t frame, const Scale& scale,
                                  const std::vector<double>& values, const std::vector<double>& window) {
  const double width = window.size() == 2 ? window[1] : number_of(archive, "WindowWidth", frame, 0);
  if (width > 0) {
    const double center = window.size() == 2 ? window[0] : number_of(archive, "WindowCenter", frame, 0);
    return {center - width / 2, center + width / 2};
  }
  std::vector<double> sorted;  // floats may be no numbers, which have no order
  std::copy_if(values.begin(), values.end(), std::back_inserter(sorted),
               [](double value) { return std::isfinite(value); });
  if (sorted.empty()) sorted.push_back(0);
  std::sort(sorted.begin(), sorted.end());
  return {scale(sorted[sorted.size() / 100]), scale(sorted[sorted.size() - 1 - sorted.size() / 100])};
}

}  // namespace

Result<Picture> read_picture(const Archive& archive, std::size_t frame, std::uint32_t size) {
  const PixelFormat& full = archive.pixel_format(frame);
  if (full.rows == 0 || full.columns == 0)
    return fail(ErrorClass::kUnsupported, "frame {} of {} x {} pixels has nothing to show", frame, full.rows,
                full.columns);
  DICUBE_ASSIGN(const auto lut, modality_lut_of(archive, frame));
  DICUBE_ASSIGN(const auto palette, palette_of(archive, frame));
  const unsigned level = palette ? 0 : level_for(archive, frame, size);  // a mean of indices is no index
  DICUBE_ASSIGN(const auto values, read_values_at_best(archive, frame, level));
  const PixelFormat& format = values.format;
  Picture picture;
  picture.is_looked_up = lut.has_value();
  const double scale = std::min(1.0, static_cast<double>(size) / std::max(format.rows, format.columns));
  picture.rows = std::max(1U, static_cast<std::uint32_t>(format.rows * scale));
  picture.columns = std::max(1U, static_cast<std::uint32_t>(format.columns * scale));
  picture.samples = format.samples >= 3 || palette ? 3 : 1;
  picture.most = palette ? (*palette)[0].most() : std::exp2(format.bits_stored) - 1;
  std::span<const LookupTable> tables;
  if (palette)
    tables = *palette;
  else if (lut)
    tables = std::span(&*lut, 1);
  picture.values = means_of(values, picture, tables);
  return picture;
}

std::vector<std::uint8_t> shades_of(const Archive& archive, std::size_t frame, const Picture& picture,
                                    const std::vector<double>& window) {
  const PixelFormat& format = archive.pixel_format(frame);
  std::vector<std::uint8_t> out;
  if (picture.samples == 3) {
    std::vector<double> colours = picture.values;
    for (double& value : colours) value *= 255 / picture.most;
    if (is_ybr(archive, frame)) make_rgb(colours);
    for (double value : colours) out.push_back(shade_of(value));
    return out;
  }
  const Scale scale = picture.is_looked_up ? Scale{}
                                           : Scale{number_of(archive, "RescaleSlope", frame, 1),
                                                   number_of(archive, "RescaleIntercept", frame, 0)};
  const auto [low, high] = ends_of(archive, frame, scale, picture.values, window);
  const bool inverted = format.photometric == "MONOCHROME1";
  for (double value : picture.values) {
    const double shade = 255 * (scale(value) - low) / std::max(1e-9, high - low);
    out.push_back(shade_of(inverted ? 255 - shade : shade));
  }
  return out;
}

}  // namespace dicube::cli
