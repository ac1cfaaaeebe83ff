// thumb
#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>

#include "archive/state.h"
#include "base/formatted.h"
#include "base/result.h"
#include "cli/archives.h"
#include "cli/command.h"
#include "cli/modality_lut.h"
#include "cli/picture_file.h"
#include "io/file.h"
#include "series/call.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::string archive, out, on_conflict = "overwrite";
  std::int64_t frame = -1;
  bool montage = false;
  std::vector<double> window;
  std::uint32_t size = 256;
};

constexpr std::size_t kMontageSide = 4;  // 4 x 4 frames

struct Picture {
  std::uint32_t rows = 0, columns = 0, samples = 1;
  std::vector<double> values;
  bool is_looked_up = false;  // by a Modality LUT: no rescale goes with them
};

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

// Values of a frame at 1/2^level. A header may promise any size: the stream is asked first, and what no memory holds is
// an error of the frame.
Result<FrameBuffer> read_values(const Archive& archive, std::size_t frame, unsigned level) {
  DICUBE_ASSIGN(auto pixels, ArchiveAccess::frame_buffer(archive, frame, level));
  DICUBE_TRY(archive.read_frame_reduced(frame, level, pixels.span()));
  return pixels;
}

// The mean of a picture's pixel, as of rows [top, bottom) and columns [left, right) of a frame. What is no number
// counts only where nothing else is.
struct Box {
  std::uint64_t top, bottom, left, right;
};
double mean_of(const Box& box, const std::byte* pixels, const PixelFormat& format, std::uint32_t sample,
               const std::optional<ModalityLut>& lut) {
  double sum = 0;
  std::size_t count = 0;
  for (std::uint64_t row = box.top; row < box.bottom; ++row)
    for (std::uint64_t column = box.left; column < box.right; ++column) {
      const std::uint64_t place = (row * format.columns + column) * format.samples + sample;
      const double value = stored_value(value_at(pixels + place * format.bytes_per_value(), format), format);
      if (!std::isfinite(value)) continue;
      sum += lut ? lut->of(value) : value;
      ++count;
    }
  return count > 0 ? sum / static_cast<double>(count) : std::nan("");
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

Result<Picture> read_picture(const Archive& archive, std::size_t frame, std::uint32_t size) {
  const PixelFormat& full = archive.pixel_format(frame);
  if (full.rows == 0 || full.columns == 0)
    return fail(ErrorClass::kUnsupported, "frame {} of {} x {} pixels has nothing to show", frame, full.rows,
                full.columns);
  DICUBE_ASSIGN(const auto lut, ModalityLut::of_frame(archive, frame));
  unsigned level = level_for(archive, frame, size);
  auto read = read_values(archive, frame, level);
  if (!read && level > 0 && read.error().error_class != ErrorClass::kLimit) {  // not every form of pixels has levels
    level = 0;
    read = read_values(archive, frame, level);
  }
  if (!read) return tl::unexpected<Error>(read.error());
  const std::byte* pixels = read->bytes.get();
  const PixelFormat format = Archive::reduced(full, level);
  Picture picture;
  picture.is_looked_up = lut.has_value();
  const double scale = std::min(1.0, static_cast<double>(size) / std::max(format.rows, format.columns));
  picture.rows = std::max(1U, static_cast<std::uint32_t>(format.rows * scale));
  picture.columns = std::max(1U, static_cast<std::uint32_t>(format.columns * scale));
  picture.samples = format.samples >= 3 ? 3 : 1;
  for (std::uint32_t y = 0; y < picture.rows; ++y)
    for (std::uint32_t x = 0; x < picture.columns; ++x)
      for (std::uint32_t s = 0; s < picture.samples; ++s) {
        const auto rows = [&](std::uint64_t row) { return row * format.rows / picture.rows; };
        const auto columns = [&](std::uint64_t column) { return column * format.columns / picture.columns; };
        picture.values.push_back(mean_of({rows(y), rows(y + 1), columns(x), columns(x + 1)}, pixels, format, s, lut));
      }
  return picture;
}

double number_of(const Archive& archive, std::string_view keyword, std::size_t frame, double otherwise) {
  const auto column = archive.frame_column(keyword);
  return column ? column->number(frame).value_or(otherwise) : otherwise;
}

// What is no number is black.
std::uint8_t shade_of(double shade) { return shade > 0 ? static_cast<std::uint8_t>(std::min(shade, 255.0)) : 0; }

// To 0..255: by the window given (in real-world values), by the data set's, or from the 1st to the 99th percentile.
std::vector<std::uint8_t> windowed(const Archive& archive, std::size_t frame, const Picture& picture,
                                   const std::vector<double>& window) {
  std::vector<std::uint8_t> out;
  if (picture.samples == 3) {
    const double top = std::exp2(archive.pixel_format(frame).bits_stored) - 1;
    for (double value : picture.values) out.push_back(shade_of(255 * value / top));
    return out;
  }
  const double slope = picture.is_looked_up ? 1 : number_of(archive, "RescaleSlope", frame, 1),
               intercept = picture.is_looked_up ? 0 : number_of(archive, "RescaleIntercept", frame, 0);
  const double width = window.size() == 2 ? window[1] : number_of(archive, "WindowWidth", frame, 0);
  double low, high;
  if (width > 0) {
    const double center = window.size() == 2 ? window[0] : number_of(archive, "WindowCenter", frame, 0);
    low = center - width / 2;
    high = center + width / 2;
  } else {
    std::vector<double> sorted;  // floats may be no numbers, which have no order
    std::copy_if(picture.values.begin(), picture.values.end(), std::back_inserter(sorted),
                 [](double value) { return std::isfinite(value); });
    if (sorted.empty()) sorted.push_back(0);
    std::sort(sorted.begin(), sorted.end());
    low = sorted[sorted.size() / 100] * slope + intercept;
    high = sorted[sorted.size() - 1 - sorted.size() / 100] * slope + intercept;
  }
  const bool inverted = archive.pixel_format(frame).photometric == "MONOCHROME1";
  for (double value : picture.values) {
    const double shade = 255 * (value * slope + intercept - low) / std::max(1e-9, high - low);
    out.push_back(shade_of(inverted ? 255 - shade : shade));
  }
  return out;
}

void paint(Canvas& canvas, std::uint32_t top, std::uint32_t left, const Picture& picture,
           const std::vector<std::uint8_t>& shades) {
  for (std::uint32_t y = 0; y < picture.rows; ++y)
    for (std::uint32_t x = 0; x < picture.columns; ++x)
      for (std::uint32_t s = 0; s < 3; ++s)
        canvas.rgb[((top + y) * std::size_t{canvas.columns} + left + x) * 3 + s] =
            shades[(y * std::size_t{picture.columns} + x) * picture.samples + (picture.samples == 3 ? s : 0)];
}

bool ends_with(const std::string& path, std::string_view end) {
  const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == b; };
  return path.size() >= end.size() &&
         std::equal(path.end() - static_cast<std::ptrdiff_t>(end.size()), path.end(), end.begin(), end.end(), same);
}

bool is_jpeg(const std::string& path) { return ends_with(path, ".jpg") || ends_with(path, ".jpeg"); }

// Whole or not at all, as archives are written. Its path; nothing: it existed and was left as it is.
Result<std::optional<std::string>> write_picture(const std::string& path, const Canvas& canvas,
                                                 OnConflict on_conflict) {
  const auto [folder_path, name] = io::split_path(path);
  DICUBE_ASSIGN(const auto folder, io::Folder::make(folder_path));
  if (on_conflict == OnConflict::kSkip && folder.has(name)) return std::nullopt;
  DICUBE_ASSIGN(const auto bytes, is_jpeg(path) ? jpeg_bytes(canvas) : png_bytes(canvas));
  DICUBE_ASSIGN(auto file, io::NewFile::create(folder, name));
  DICUBE_TRY(file.append(bytes));
  DICUBE_ASSIGN(const bool named, commit(file, on_conflict));
  if (!named) return std::nullopt;
  return file.name() == name ? path : file.path();
}

// Which frames are shown, in squares of `cell` pixels, `side` of them side by side.
struct Tiles {
  std::vector<std::size_t> frames;
  std::size_t side = 1;
  std::uint32_t cell = 1;
  std::uint32_t left(std::size_t tile) const { return static_cast<std::uint32_t>(tile % side) * cell; }
  std::uint32_t top(std::size_t tile) const { return static_cast<std::uint32_t>(tile / side) * cell; }
};

// REQUIRES: frames > 0.
Tiles tiles_of(const Arguments& arguments, std::size_t frames) {
  Tiles tiles;
  if (!arguments.montage) {
    tiles.frames = {arguments.frame < 0 ? frames / 2 : static_cast<std::size_t>(arguments.frame)};
  } else {
    tiles.side = std::min<std::size_t>(kMontageSide,
                                       static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(frames)))));
    const std::size_t count = std::min(frames, tiles.side * tiles.side);
    for (std::size_t tile = 0; tile < count; ++tile) tiles.frames.push_back(tile * frames / count);
  }
  tiles.cell = static_cast<std::uint32_t>(std::max<std::size_t>(1, arguments.size / tiles.side));
  return tiles;
}

int run_thumb(const Arguments& arguments) {
  const Common& common = arguments.common;
  const auto archive = open_archive(arguments.archive);
  if (!archive) return common.error(archive.error());
  const std::size_t frames = archive->frame_count();
  if (frames == 0) return common.error({ErrorClass::kNotFound, "no frames in it", arguments.archive});
  const Tiles tiles = tiles_of(arguments, frames);
  const std::size_t count = tiles.frames.size();
  if (tiles.frames[0] >= frames)
    return common.error(
        {ErrorClass::kNotFound, formatted("no frame {}: there are {}", tiles.frames[0], frames), arguments.archive});
  Canvas canvas = arguments.montage
                      ? Canvas(tiles.top(count - 1) + tiles.cell, tiles.cell * static_cast<std::uint32_t>(tiles.side))
                      : Canvas(0, 0);  // the size of its picture
  int code = kWell;
  std::size_t missing = 0;
  for (std::size_t tile = 0; tile < count; ++tile) {
    const std::size_t frame = tiles.frames[tile];
    const auto picture = read_picture(*archive, frame, tiles.cell);
    if (!picture) {  // of a montage, its tile stays black
      code = std::max(code, common.error(in_file(picture.error(), arguments.archive)));
      if (++missing == count) return code;
      continue;
    }
    if (!arguments.montage) canvas = Canvas(picture->rows, picture->columns);
    paint(canvas, tiles.top(tile), tiles.left(tile), *picture, windowed(*archive, frame, *picture, arguments.window));
  }
  if (arguments.out == "-") {
    const auto bytes = png_bytes(canvas);
    if (!bytes) return common.error(bytes.error());
    put_out(as_text(*bytes));
    return code;
  }
  const auto written = write_picture(arguments.out, canvas, kConflicts.at(arguments.on_conflict));
  if (!written) return common.error(with_advice(in_file(written.error(), arguments.out)));
  common.done({{"archive", json_text(arguments.archive)},
               {"output", json_text(written->value_or(arguments.out))},
               {"width", canvas.columns},
               {"height", canvas.rows},
               {"missing", missing},
               {"skipped", !*written}},
              *written ? formatted("{}: {} x {}", printable(**written), canvas.columns, canvas.rows)
                       : formatted("{}: exists, skipped", printable(arguments.out)));
  return code;
}

// A window of no width shows nothing; so does a place that is no number.
std::string why_no_window(const std::vector<double>& window) {
  if (window.size() != 2) return "";
  if (!std::isfinite(window[0]) || !std::isfinite(window[1])) return "centre and width must be numbers";
  if (window[1] <= 0) return formatted("the width must be more than 0, not {}", window[1]);
  return "";
}

std::string why_no_picture(const std::string& path) {
  if (path == "-" || ends_with(path, ".png") || is_jpeg(path)) return "";
  return "the picture is a PNG or JPEG, and its name must end in .png or .jpg: " + path;
}

int run_checked(const Arguments& arguments) {
  if (const auto why = why_no_window(arguments.window); !why.empty())
    return arguments.common.error({ErrorClass::kUsage, "--window: " + why, ""});
  if (const auto why = why_no_picture(arguments.out); !why.empty())
    return arguments.common.error({ErrorClass::kUsage, "-o: " + why, ""});
  return run_thumb(arguments);
}

}  // namespace

void add_thumb(CLI::App& program, Run& run) {
  auto [command, arguments] =
      add_command(program, run, "thumb", "A picture of one frame or a montage, as PNG or JPEG", run_checked);
  command.add_option("ARCHIVE", arguments.archive, "The archive")->required();
  command
      .add_option(
          "-o,--output", arguments.out,
          "The PNG or JPEG to write, as its name ends; a .jpg of up to 256 pixels takes 10 kB at most; - is standard "
          "output, a PNG")
      ->required();
  auto* frame =
      command.add_option("--frame", arguments.frame, "This frame, from 0; the middle one by default")->check(kIndex);
  command.add_flag("--montage", arguments.montage, "Up to 16 frames from all over the series")->excludes(frame);
  command.add_option("--window", arguments.window, "Centre and width, in real-world values")
      ->delimiter(',')
      ->expected(2);
  command.add_option("--size", arguments.size, "Longest side in pixels; nothing is enlarged")
      ->check(CLI::Range(1, 8192))
      ->capture_default_str();
  add_on_conflict(command, arguments.on_conflict, "the picture");
  arguments.common.add_to(command);
  command.footer("Example:\n  dicube thumb scan.dcbs -o scan.png --montage --window 40,400");
}

}  // namespace dicube::cli
