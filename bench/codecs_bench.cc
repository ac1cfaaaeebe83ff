// Lossless codecs side by side on one core: one JSON object per series and codec, {"series", "frames", "shape",
// "bytes", "codec", "coded", "encode", "decode"}; the last two in seconds, "coded" as archives hold it: what the
// streams of HTJ2K and lane begin with alike counts once. bench/codecs.py makes a table and a plot of it.
//
//   codecs_bench [--rounds N] [--most MB] [--fast] [--unit NAME] [--raw FOLDER] ARCHIVE...
//
// The archives are such as `dicube pack` writes. Frames of 8 and 16 bits with 1 or 3 samples count, of each archive
// those of the first one's shape, at most 8 MB of them. Codecs take turns in every round, so that what disturbs one
// disturbs all; the least time of all rounds counts. The slowest one runs in one round only; with --fast only HTJ2K,
// lane and memcpy run. Codecs for unsigned values get signed ones from the series' least upwards. --unit: the vector
// unit that lane runs on: AVX3_DL, AVX3, AVX2, SSE4, SSE2, NEON. --raw: the frames as files of raw values, too.
#include <fmt/format.h>
#include <hwy/targets.h>
#include <jxl/decode.h>
#include <jxl/encode.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/code_frame.h"
#include "codec/codec.h"
#include "codec/colour.h"
#include "dicube/dicube.h"
#include "series/chains.h"

namespace {

using dicube::Bytes;
using dicube::ByteSpan;
using dicube::MutableByteSpan;
using dicube::codec::CodecId;
using dicube::codec::Shape;

struct Options {
  int rounds = 5;
  std::size_t most = 8'000'000;
  bool fast = false;
  std::string raw;
  std::vector<std::string> archives;
};

struct Series {
  Shape shape;
  std::vector<Bytes> frames;
  std::size_t bytes() const { return frames.size() * frames.front().size(); }
};

struct Contender {
  std::string name;
  bool is_fast;      // runs with --fast, too
  bool is_unsigned;  // takes unsigned values only
  std::function<bool(const Shape&, ByteSpan pixels, Bytes& out)> encode;
  std::function<bool(const Shape&, ByteSpan stream, MutableByteSpan pixels)> decode;
  int rounds = 1000;                                // at most
  std::function<void(const Series&)> prepare = {};  // before a series is encoded, and a part of it
  // What its streams begin with alike, which archives keep once.
  std::function<std::vector<Bytes>(const std::vector<Bytes>& streams)> heads = {};
};

struct Figures {
  std::vector<Bytes> streams;
  double encode = 1e9, decode = 1e9;  // seconds
  bool held = true;                   // the shape
};

[[noreturn]] void stop(const std::string& why) {
  fmt::print(stderr, "codecs_bench: {}\n", why);
  std::exit(1);
}

// Of HTJ2K's streams, what those begin with alike that have their first bytes in common.
std::vector<Bytes> common_heads(const std::vector<Bytes>& streams) {
  constexpr std::ptrdiff_t kSignature = 48, kMost = 1024;  // as archive/writer.cc
  std::map<Bytes, Bytes> heads;
  for (const Bytes& stream : streams) {
    if (std::ssize(stream) < kSignature) continue;
    const Bytes start(stream.begin(), stream.begin() + std::min(std::ssize(stream), kMost));
    Bytes& head = heads.try_emplace(Bytes(stream.begin(), stream.begin() + kSignature), start).first->second;
    head.erase(std::mismatch(head.begin(), head.end(), start.begin(), start.end()).first, head.end());
  }
  std::vector<Bytes> all;
  for (auto& [signature, head] : heads) all.push_back(std::move(head));
  return all;
}

Contender ours(std::string name, CodecId codec, bool is_fast, bool is_unsigned) {
  const auto work = std::make_shared<dicube::codec::Workspace>();
  return {std::move(name), is_fast, is_unsigned,
          [=](Shape shape, ByteSpan pixels, Bytes& out) {
            shape.colour = dicube::codec::colour_transform_pays(shape, pixels);
            return work->encode(codec, shape, pixels, out).has_value();
          },
          [=](const Shape& shape, ByteSpan stream, MutableByteSpan pixels) {
            return work->decode(codec, shape, stream, pixels).has_value();
          }};
}

Contender htj2k() {
  Contender contender = ours("htj2k", CodecId::kHtj2k, true, false);
  contender.heads = common_heads;
  return contender;
}

// As `pack` codes: with what the streams of small frames share.
Contender lane() {
  Contender contender = ours("lane", CodecId::kLane, true, false);
  const auto work = std::make_shared<dicube::codec::Workspace>();
  const auto head = std::make_shared<Bytes>();
  contender.prepare = [=](const Series& series) {
    const std::vector<ByteSpan> frames(series.frames.begin(), series.frames.end());
    *head = work->shared_head(series.shape, frames);
  };
  contender.heads = [=](const std::vector<Bytes>&) { return std::vector<Bytes>{*head}; };
  contender.encode = [=, alone = contender.encode](const Shape& shape, ByteSpan pixels, Bytes& out) {
    return (!head->empty() && work->encode_headed(shape, *head, pixels, out)) || alone(shape, pixels, out);
  };
  return contender;
}

// JPEG XL of values as they are in their container: the codec of src/codec, but at any effort.
bool encode_jxl(int effort, const Shape& shape, ByteSpan pixels, Bytes& out) {
  const std::unique_ptr<JxlEncoder, decltype(&JxlEncoderDestroy)> encoder(JxlEncoderCreate(nullptr), JxlEncoderDestroy);
  JxlBasicInfo info;
  JxlEncoderInitBasicInfo(&info);
  info.xsize = shape.columns;
  info.ysize = shape.rows;
  info.bits_per_sample = shape.bits;
  info.num_color_channels = shape.samples;
  info.uses_original_profile = JXL_TRUE;
  JxlColorEncoding colour{};
  JxlColorEncodingSetToSRGB(&colour, shape.samples == 1);
  if (JxlEncoderSetCodestreamLevel(encoder.get(), 10) != JXL_ENC_SUCCESS ||
      JxlEncoderSetBasicInfo(encoder.get(), &info) != JXL_ENC_SUCCESS ||
      JxlEncoderSetColorEncoding(encoder.get(), &colour) != JXL_ENC_SUCCESS)
    return false;
  JxlEncoderFrameSettings* settings = JxlEncoderFrameSettingsCreate(encoder.get(), nullptr);
  const JxlPixelFormat format{shape.samples, shape.bits == 8 ? JXL_TYPE_UINT8 : JXL_TYPE_UINT16, JXL_LITTLE_ENDIAN, 0};
  if (JxlEncoderSetFrameLossless(settings, JXL_TRUE) != JXL_ENC_SUCCESS ||
      JxlEncoderFrameSettingsSetOption(settings, JXL_ENC_FRAME_SETTING_EFFORT, effort) != JXL_ENC_SUCCESS ||
      JxlEncoderAddImageFrame(settings, &format, pixels.data(), pixels.size()) != JXL_ENC_SUCCESS)
    return false;
  JxlEncoderCloseInput(encoder.get());
  out.resize(2 * pixels.size() + 4096);
  auto* next = reinterpret_cast<std::uint8_t*>(out.data());
  std::size_t left = out.size();
  if (JxlEncoderProcessOutput(encoder.get(), &next, &left) != JXL_ENC_SUCCESS) return false;
  out.resize(out.size() - left);
  return true;
}

Contender jxl(int effort) {
  Contender contender = ours(fmt::format("jxl e{}", effort), CodecId::kJpegXl, false, true);
  contender.encode = [=](const Shape& shape, ByteSpan pixels, Bytes& out) {
    return encode_jxl(effort, shape, pixels, out);
  };
  if (effort > 3) contender.rounds = 1;
  return contender;
}

Contender copy() {
  const auto copy = [](ByteSpan from, MutableByteSpan to) { std::memcpy(to.data(), from.data(), from.size()); };
  return {"memcpy", true, false,
          [=](const Shape&, ByteSpan pixels, Bytes& out) { return out.resize(pixels.size()), copy(pixels, out), true; },
          [=](const Shape&, ByteSpan stream, MutableByteSpan pixels) { return copy(stream, pixels), true; }};
}

std::vector<Contender> contenders() {
  return {htj2k(),
          lane(),
          ours("zstd", CodecId::kZstd, false, false),
          ours("CharLS", CodecId::kJpegLs, false, true),
          jxl(3),
          jxl(7),
          copy()};
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
  if (series.frames.empty()) return std::nullopt;
  series.shape = shape_of(*format);
  return series;
}

// The series with its least value at 0 and no sign.
Series without_sign(const Series& series) {
  if (!series.shape.is_signed) return series;
  Series shifted = series;
  shifted.shape.is_signed = false;
  const auto shift = [&]<class Signed>(Signed) {
    Signed least = 0;
    const auto each = [&](auto&& work) {
      for (Bytes& frame : shifted.frames)
        for (std::size_t at = 0; at < frame.size(); at += sizeof(Signed)) {
          Signed value;
          std::memcpy(&value, frame.data() + at, sizeof value);
          work(value);
          std::memcpy(frame.data() + at, &value, sizeof value);
        }
    };
    each([&](Signed& value) { least = std::min(least, value); });
    each([&](Signed& value) { value = static_cast<Signed>(value - least); });
  };
  if (series.shape.bits == 8)
    shift(std::int8_t{});
  else
    shift(std::int16_t{});
  return shifted;
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void run(const Contender& contender, const Series& series, Figures& figures) {
  figures.streams.resize(series.frames.size());
  const double encode = seconds([&] {
    if (contender.prepare) contender.prepare(series);
    for (std::size_t i = 0; i < series.frames.size() && figures.held; ++i) {
      figures.streams[i].clear();
      figures.held = contender.encode(series.shape, series.frames[i], figures.streams[i]);
    }
  });
  if (!figures.held) return;
  Bytes pixels(series.frames.front().size());
  const double decode = seconds([&] {
    for (const Bytes& stream : figures.streams)
      if (!contender.decode(series.shape, stream, pixels)) stop(contender.name + ": decoding fails");
  });
  for (std::size_t i = 0; i < series.frames.size(); ++i)
    if (!contender.decode(series.shape, figures.streams[i], pixels) || pixels != series.frames[i])
      stop(contender.name + ": other pixels come back");
  figures.encode = std::min(figures.encode, encode);
  figures.decode = std::min(figures.decode, decode);
}

// Lane frames after references, as `pack --archive` codes them: the choice of the distance counts as encoding, and so
// does each frame's alone.
class Inter {
 public:
  explicit Inter(const Series& series) : series_(series) {
    format_.rows = series.shape.rows;
    format_.columns = series.shape.columns;
    format_.samples = series.shape.samples;
    format_.bits_allocated = series.shape.bits;
    format_.is_signed = series.shape.is_signed;
    format_.colour = series.shape.colour;
  }

  std::vector<Bytes> heads() const { return {heads_.alone, heads_.after}; }

  void run(Figures& figures) {
    figures.encode = std::min(figures.encode, seconds([&] { encode(); }));
    decoded_.assign(series_.frames.size(), Bytes(series_.frames.front().size()));
    figures.decode = std::min(figures.decode, seconds([&] { decode(); }));
    if (decoded_ != series_.frames) stop("lane-inter: other pixels come back");
    figures.streams.clear();
    for (const auto& frame : coded_) figures.streams.push_back(frame.stored);
  }

 private:
  void encode() {
    coded_.assign(series_.frames.size(), {});
    std::vector<dicube::series::ChainFrame> chain;
    for (const Bytes& frame : series_.frames) chain.push_back({&format_, frame});
    const std::size_t distance = dicube::series::best_distance(chain, pool_, 1).value_or(0);
    heads_ = dicube::series::shared_heads(chain, distance, pool_);
    auto lease = pool_.lend();
    for (std::size_t i = 0; i < coded_.size(); ++i) {
      const auto* const before = dicube::series::reference_of(chain, i, distance);
      const ByteSpan reference = before != nullptr ? before->pixels : ByteSpan();
      coded_[i] = dicube::archive::code_native(*lease, format_, 0, dicube::archive::CodecChoice::kLane,
                                               series_.frames[i], {reference, heads_.of(format_, !reference.empty())});
      if (coded_[i].codec == CodecId::kLaneInter) coded_[i].back = static_cast<std::uint32_t>(distance);
    }
  }

  void decode() {
    auto lease = pool_.lend();
    for (std::size_t i = 0; i < coded_.size(); ++i) {
      const auto& frame = coded_[i];
      const auto done =
          frame.back > 0 ? lease->codec.decode_after(series_.shape, decoded_[i - frame.back], frame.stored, decoded_[i])
                         : lease->codec.decode(frame.codec, series_.shape, frame.stored, decoded_[i]);
      if (!done) stop("lane-inter: decoding fails");
    }
  }

  const Series& series_;
  dicube::format::FrameFormat format_;
  dicube::archive::ScratchPool pool_;
  dicube::series::SharedHeads heads_;
  std::vector<dicube::archive::CodedFrame> coded_;
  std::vector<Bytes> decoded_;
};

// What archives hold of the streams: each head counts once.
std::size_t stored_bytes(const std::vector<Bytes>& streams, const std::vector<Bytes>& heads) {
  std::size_t stored = 0;
  for (const Bytes& stream : streams) stored += stream.size();
  for (const Bytes& head : heads) {
    const auto begins = [&](const Bytes& stream) {
      return !head.empty() && std::ranges::equal(head, ByteSpan(stream).first(std::min(head.size(), stream.size())));
    };
    const auto count = static_cast<std::size_t>(std::ranges::count_if(streams, begins));
    stored -= (std::max<std::size_t>(count, 1) - 1) * head.size();
  }
  return stored;
}

void measure(const std::string& name, const Series& series, int rounds, bool fast) {
  const Series shifted = without_sign(series);
  auto all = contenders();
  std::vector<Figures> figures(all.size() + 1);
  Inter inter(series);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t c = 0; c < all.size(); ++c)
      if (figures[c].held && round < all[c].rounds && (all[c].is_fast || !fast))
        run(all[c], all[c].is_unsigned ? shifted : series, figures[c]);
    inter.run(figures.back());
  }
  all.push_back({"lane-inter", true, false, {}, {}});
  all.back().heads = [&](const std::vector<Bytes>&) { return inter.heads(); };
  for (std::size_t c = 0; c < all.size(); ++c) {
    if (!figures[c].held || figures[c].streams.empty()) continue;
    const auto& streams = figures[c].streams;
    const std::size_t coded = stored_bytes(streams, all[c].heads ? all[c].heads(streams) : std::vector<Bytes>());
    fmt::print(
        R"({{"series": "{}", "frames": {}, "shape": [{}, {}, {}, {}], "bytes": {}, "codec": "{}", "coded": {}, "encode": {:.9f}, "decode": {:.9f}}})"
        "\n",
        name, series.frames.size(), series.shape.rows, series.shape.columns, series.shape.samples, series.shape.bits,
        series.bytes(), all[c].name, coded, figures[c].encode, figures[c].decode);
  }
  std::fflush(stdout);
}

void write_raw(const std::string& folder, const Series& series) {
  for (std::size_t i = 0; i < series.frames.size(); ++i) {
    std::ofstream file(fmt::format("{}/{:06}.raw", folder, i), std::ios::binary);
    file.write(reinterpret_cast<const char*>(series.frames[i].data()),
               static_cast<std::streamsize>(series.frames[i].size()));
    if (!file.flush()) stop("can't write into " + folder);
  }
}

void run_on(const std::string& unit) {
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1)
    if (hwy::TargetName(left & -left) == unit) return hwy::SetSupportedTargetsForTest(left & -left);
  stop("no vector unit " + unit + " here");
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--rounds" && i + 1 < argc)
      options.rounds = std::max(1, std::atoi(argv[++i]));
    else if (argument == "--most" && i + 1 < argc)
      options.most = static_cast<std::size_t>(std::max(1, std::atoi(argv[++i]))) * 1'000'000;
    else if (argument == "--fast")
      options.fast = true;
    else if (argument == "--unit" && i + 1 < argc)
      run_on(argv[++i]);
    else if (argument == "--raw" && i + 1 < argc)
      options.raw = argv[++i];
    else
      options.archives.push_back(argument);
  }
  if (options.archives.empty())
    stop("usage: codecs_bench [--rounds N] [--most MB] [--fast] [--unit NAME] [--raw FOLDER] ARCHIVE...");
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  for (const std::string& path : options.archives) {
    const auto series = read(path, options.most);
    if (!series) continue;
    std::string name = std::filesystem::path(path).stem().string();
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' '; },
        '_');
    measure(name, *series, options.rounds, options.fast);
    if (!options.raw.empty()) write_raw(options.raw, *series);
  }
  return 0;
}
