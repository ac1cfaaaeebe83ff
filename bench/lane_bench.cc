// The lane codec beside HTJ2K (OpenJPH), zstd and memcpy: size, encoding and decoding speed on one core, per series.
//
//   lane_bench [--rounds N] [--most MB] ARCHIVE...     archives that `dicube pack` has written
//
// Frames of 8 and 16 bits with 1 or 3 samples count, of each archive those of the first one's shape, at most 32 MB of
// them. Codecs take turns in every round, so that what disturbs one disturbs all; the least time of all rounds counts.
// MB are 10^6 bytes of pixels. Below the series stand the medians of the series' own ratios.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "codec/codec.h"
#include "dicube/dicube.h"

namespace {

using dicube::Bytes;
using dicube::codec::CodecId;
using dicube::codec::Shape;

constexpr std::array kCodecs = {CodecId::kHtj2k, CodecId::kLane, CodecId::kZstd};
enum { kHtj2k, kLane, kZstd, kCopy, kColumns };

struct Options {
  int rounds = 5;
  std::size_t most = 32'000'000;
  std::vector<std::string> archives;
};

struct Series {
  Shape shape;
  std::vector<Bytes> frames;
  std::size_t bytes() const { return frames.size() * frames.front().size(); }
};

struct Figures {
  std::size_t coded = 0;
  double encode = 1e9, decode = 1e9;  // seconds
};

[[noreturn]] void stop(const std::string& why) {
  fmt::print(stderr, "lane_bench: {}\n", why);
  std::exit(1);
}

Shape shape_of(const dicube::PixelFormat& format) {
  Shape shape;
  shape.rows = format.rows;
  shape.columns = format.columns;
  shape.samples = format.samples;
  shape.bits = static_cast<std::uint8_t>(format.bits_allocated);
  shape.is_signed = format.is_signed;
  shape.colour = format.photometric == "RGB";
  return shape;
}

std::optional<Series> read(const std::string& path, std::size_t most) {
  const auto archive = dicube::Archive::open(path);
  if (!archive) stop(dicube::describe(archive.error()));
  Series series;
  std::optional<dicube::PixelFormat> format;
  for (std::size_t i = 0, bytes = 0; i < archive->frame_count() && bytes < most; ++i) {
    const dicube::PixelFormat& own = archive->pixel_format(i);
    const bool fits = (own.bits_allocated == 8 || own.bits_allocated == 16) && (own.samples == 1 || own.samples == 3) &&
                      own.frame_bytes() > 0;
    if (!fits || (format && own != *format)) continue;
    format = own;
    Bytes frame(own.frame_bytes());
    if (!archive->read_frame(i, frame)) continue;
    bytes += frame.size();
    series.frames.push_back(std::move(frame));
  }
  if (!format || series.frames.empty()) return std::nullopt;
  series.shape = shape_of(*format);
  return series;
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::array<Figures, kColumns> measure(const Series& series, int rounds) {
  std::array<Figures, kColumns> figures;
  std::array<std::vector<Bytes>, kCodecs.size()> streams;
  Bytes pixels(series.frames.front().size());
  dicube::codec::Workspace work;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t c = 0; c < kCodecs.size(); ++c) {
      if (c == kZstd && round > 0) continue;  // slow, and only for its size
      streams[c].resize(series.frames.size());
      figures[c].encode = std::min(figures[c].encode, seconds([&] {
                                     for (std::size_t i = 0; i < series.frames.size(); ++i) {
                                       streams[c][i].clear();
                                       if (!work.encode(kCodecs[c], series.shape, series.frames[i], streams[c][i]))
                                         stop("encoding fails");
                                     }
                                   }));
    }
    for (std::size_t c = 0; c < kCodecs.size(); ++c) {
      figures[c].decode = std::min(figures[c].decode, seconds([&] {
                                     for (const Bytes& stream : streams[c])
                                       if (!work.decode(kCodecs[c], series.shape, stream, pixels))
                                         stop("decoding fails");
                                   }));
      if (pixels != series.frames.back()) stop("other pixels come back");
    }
    figures[kCopy].decode = std::min(figures[kCopy].decode, seconds([&] {
                                       for (const Bytes& frame : series.frames)
                                         std::memcpy(pixels.data(), frame.data(), frame.size());
                                     }));
  }
  for (std::size_t c = 0; c < kCodecs.size(); ++c)
    for (const Bytes& stream : streams[c]) figures[c].coded += stream.size();
  return figures;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--rounds" && i + 1 < argc)
      options.rounds = std::max(1, std::atoi(argv[++i]));
    else if (argument == "--most" && i + 1 < argc)
      options.most = static_cast<std::size_t>(std::atoi(argv[++i])) * 1'000'000;
    else
      options.archives.push_back(argument);
  }
  if (options.archives.empty()) stop("usage: lane_bench [--rounds N] [--most MB] ARCHIVE...");
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::vector<double> smaller, decode, encode;
  fmt::print("{:<40} {:>4} {:>11} {:>6} | {:>6} {:>6} {:>6} {:>7} | {:>6} {:>6} {:>6} | {:>6} {:>6} {:>6} | {:>6}\n",
             "series", "n", "pixels", "MB", "htj2k", "lane", "zstd", "smaller", "dec j", "dec l", "ratio", "enc j",
             "enc l", "ratio", "memcpy");
  for (const std::string& path : options.archives) {
    const auto series = read(path, options.most);
    if (!series) continue;
    const auto figures = measure(*series, options.rounds);
    const auto size = static_cast<double>(series->bytes());
    const auto ratio = [&](int c) { return size / static_cast<double>(figures[static_cast<std::size_t>(c)].coded); };
    const auto speed = [&](double time) { return size / 1e6 / time; };
    smaller.push_back(100 * (1 - ratio(kHtj2k) / ratio(kLane)));
    decode.push_back(figures[kHtj2k].decode / figures[kLane].decode);
    encode.push_back(figures[kHtj2k].encode / figures[kLane].encode);
    fmt::print(
        "{:<40.40} {:>4} {:>11} {:>6.1f} | {:>6.3f} {:>6.3f} {:>6.3f} {:>6.1f}% | {:>6.0f} {:>6.0f} {:>6.2f} | "
        "{:>6.0f} {:>6.0f} {:>6.2f} | {:>6.0f}\n",
        std::filesystem::path(path).stem().string(), series->frames.size(),
        fmt::format("{}x{}x{}/{}", series->shape.columns, series->shape.rows, series->shape.samples,
                    series->shape.bits),
        size / 1e6, ratio(kHtj2k), ratio(kLane), ratio(kZstd), smaller.back(), speed(figures[kHtj2k].decode),
        speed(figures[kLane].decode), decode.back(), speed(figures[kHtj2k].encode), speed(figures[kLane].encode),
        encode.back(), speed(figures[kCopy].decode));
    std::fflush(stdout);
  }
  if (smaller.empty()) stop("no frame of 8 or 16 bits with 1 or 3 samples");
  fmt::print("median of {} series: lane {:.1f} % smaller than htj2k, decodes {:.2f} and encodes {:.2f} times as fast\n",
             smaller.size(), median(smaller), median(decode), median(encode));
  return 0;
}
