// thumb
#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>

#include "base/formatted.h"
#include "base/result.h"
#include "cli/archives.h"
#include "cli/command.h"
#include "cli/picture.h"
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
  DICUBE_TRY(check_file_path(path));
  const auto [folder_path, name] = io::split_path(path);
  DICUBE_ASSIGN(const auto folder, io::Folder::plan(folder_path));
  DICUBE_ASSIGN(const bool is_left, leaves(folder, name, on_conflict));
  if (is_left) return std::nullopt;
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

// The longest side of the frames that there are among these.
std::size_t longest_side(const Archive& archive, const std::vector<std::size_t>& frames) {
  std::uint32_t longest = 1;
  for (const std::size_t frame : frames)
    if (frame < archive.frame_count())
      longest = std::max({longest, archive.pixel_format(frame).rows, archive.pixel_format(frame).columns});
  return longest;
}

// REQUIRES: the archive has frames.
Tiles tiles_of(const Arguments& arguments, const Archive& archive) {
  const std::size_t frames = archive.frame_count();
  Tiles tiles;
  if (!arguments.montage) {
    tiles.frames = {arguments.frame < 0 ? frames / 2 : static_cast<std::size_t>(arguments.frame)};
  } else {
    tiles.side = std::min<std::size_t>(kMontageSide,
                                       static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(frames)))));
    const std::size_t count = std::min(frames, tiles.side * tiles.side);
    for (std::size_t tile = 0; tile < count; ++tile) tiles.frames.push_back(tile * frames / count);
  }
  const std::size_t most = std::max<std::size_t>(1, arguments.size / tiles.side);
  tiles.cell = static_cast<std::uint32_t>(std::min(most, longest_side(archive, tiles.frames)));
  return tiles;
}

// Of a montage, the tile of a frame that can't be read stays black.
struct Drawing {
  Canvas canvas{0, 0};
  std::size_t missing = 0;  // frames
  int code = kWell;
};

Drawing draw(const Arguments& arguments, const Archive& archive, const Tiles& tiles) {
  Drawing out;
  const std::size_t count = tiles.frames.size();
  if (arguments.montage)
    out.canvas = {tiles.top(count - 1) + tiles.cell, tiles.cell * static_cast<std::uint32_t>(tiles.side)};
  for (std::size_t tile = 0; tile < count; ++tile) {
    const std::size_t frame = tiles.frames[tile];
    const auto picture = read_picture(archive, frame, tiles.cell);
    if (!picture) {
      out.code = std::max(out.code, arguments.common.error(in_file(picture.error(), arguments.archive)));
      ++out.missing;
      continue;
    }
    if (!arguments.montage) out.canvas = {picture->rows, picture->columns};
    paint(out.canvas, tiles.top(tile), tiles.left(tile), *picture,
          shades_of(archive, frame, *picture, arguments.window));
  }
  return out;
}

// An error's exit code, or kWell.
int put_picture(const Arguments& arguments, const Drawing& drawing) {
  const Common& common = arguments.common;
  const Canvas& canvas = drawing.canvas;
  if (arguments.out == "-") {
    const auto bytes = png_bytes(canvas);
    if (!bytes) return common.error(bytes.error());
    put_out(as_text(*bytes));
    return kWell;
  }
  const auto written = write_picture(arguments.out, canvas, kConflicts.at(arguments.on_conflict));
  if (!written) return common.error(with_advice(in_file(written.error(), arguments.out)));
  common.done({{"archive", json_text(arguments.archive)},
               {"output", json_text(written->value_or(arguments.out))},
               {"width", canvas.columns},
               {"height", canvas.rows},
               {"missing", drawing.missing},
               {"skipped", !*written}},
              *written ? formatted("{}: {} x {}", printable(**written), canvas.columns, canvas.rows)
                       : formatted("{}: exists, skipped", printable(arguments.out)));
  return kWell;
}

int run_thumb(const Arguments& arguments) {
  const Common& common = arguments.common;
  const auto archive = open_archive(arguments.archive);
  if (!archive) return common.error(archive.error());
  const std::size_t frames = archive->frame_count();
  if (frames == 0) return common.error({ErrorClass::kNotFound, "no frames in it", arguments.archive});
  const Tiles tiles = tiles_of(arguments, *archive);
  if (tiles.frames[0] >= frames)
    return common.error({ErrorClass::kNotFound,
                         formatted("no frame {}: it has {}", tiles.frames[0], counted(frames, "frame")),
                         arguments.archive});
  const Drawing drawing = draw(arguments, *archive, tiles);
  if (drawing.missing == tiles.frames.size()) return drawing.code;
  const int code = put_picture(arguments, drawing);
  return code == kWell ? drawing.code : code;
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
  auto* frame = command.add_option("--frame", arguments.frame, "This frame, from 0; the middle one by default");
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
