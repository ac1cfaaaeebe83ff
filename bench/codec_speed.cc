// Speed of the HTJ2K codec on one thread, beside OpenJPH alone on the same frames.
//
//   codec_speed                                        a generated CT-like phantom, 40 frames of 512 x 512, 12 of 16
//   bits codec_speed FILE ROWS COLUMNS BITS [signed] [rgb]  raw frames, one after the other, little endian
//
// "Alone" drives OpenJPH as directly as one can: one object restarted from frame to frame, memory streams, rows filled
// from the frame and copied out to it by a plain loop; no check, no choice of parameters.
#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "codec/codec.h"
#include "codec/htj2k_header.h"

namespace {

using dicube::Bytes;
using dicube::codec::CodecId;
using dicube::codec::Shape;
using dicube::codec::Workspace;

constexpr int kRounds = 15;  // the best of these counts, of at least kLeastSeconds each
constexpr double kLeastSeconds = 0.05;

struct Frames {
  Shape shape;
  std::vector<Bytes> frames;
};

// A body of smooth tissue with noise, bone and air around it, as a CT scanner stores it.
Frames phantom() {
  Frames out;
  out.shape.rows = out.shape.columns = 512;
  std::mt19937 random(7);
  std::normal_distribution<double> noise(0, 12);
  for (int z = 0; z < 40; ++z) {
    Bytes frame(512 * 512 * 2);
    for (int y = 0; y < 512; ++y)
      for (int x = 0; x < 512; ++x) {
        const double dx = (x - 256) / 200.0, dy = (y - 256) / 150.0, r = dx * dx + dy * dy;
        double value = 24;
        if (r < 1) value = 1040 + 30 * std::sin(x * 0.05 + z * 0.2) * std::cos(y * 0.04);
        if (r < 0.06 || (r > 0.9 && r < 0.95)) value = 1700 + 200 * std::sin(x * 0.3);
        const auto stored =
            static_cast<std::uint16_t>(std::clamp(value + (r < 1.3 ? noise(random) : 0.0), 0.0, 4095.0));
        dicube::store_le(frame.data() + 2 * (y * 512 + x), stored);
      }
    out.frames.push_back(std::move(frame));
  }
  return out;
}

Frames read(int argc, char** argv) {
  Frames out;
  out.shape.rows = static_cast<std::uint32_t>(std::atoi(argv[2]));
  out.shape.columns = static_cast<std::uint32_t>(std::atoi(argv[3]));
  out.shape.bits = static_cast<std::uint8_t>(std::atoi(argv[4]));
  for (int i = 5; i < argc; ++i) {
    if (std::string(argv[i]) == "signed") out.shape.is_signed = true;
    if (std::string(argv[i]) == "rgb") out.shape.colour = true, out.shape.samples = 3;
  }
  std::ifstream file(argv[1], std::ios::binary);
  Bytes frame(dicube::codec::frame_bytes(out.shape).value_or(0));
  while (!frame.empty() && file.read(reinterpret_cast<char*>(frame.data()), static_cast<std::streamsize>(frame.size())))
    out.frames.push_back(frame);
  return out;
}

template <class T>
void copy_in(const std::byte* from, std::size_t count, std::size_t step, ojph::si32* to) {
  for (std::size_t x = 0; x < count; ++x) to[x] = reinterpret_cast<const T*>(from)[x * step];
}
template <class T>
void copy_out(const ojph::si32* from, std::size_t count, std::size_t step, std::byte* to) {
  for (std::size_t x = 0; x < count; ++x) reinterpret_cast<T*>(to)[x * step] = static_cast<T>(from[x]);
}

// What the adapter would be if it were nothing but OpenJPH.
struct Alone {
  ojph::codestream decoder, encoder;
  bool decoded = false, encoded = false;

  void decode(const Shape& shape, const Bytes& stream, Bytes& pixels) {
    if (decoded) decoder.restart();
    decoded = true;
    ojph::mem_infile file;
    file.open(reinterpret_cast<const ojph::ui8*>(stream.data()), stream.size());
    decoder.read_headers(&file);
    decoder.set_planar(false);
    decoder.create();
    for (std::size_t r = 0; r < shape.rows; ++r)
      for (std::size_t c = 0; c < shape.samples; ++c) {
        ojph::ui32 component = 0;
        const ojph::line_buf* line = decoder.pull(component);
        std::byte* to = pixels.data() + (r * shape.columns * shape.samples + c) * (shape.bits / 8U);
        if (shape.bits == 8) copy_out<std::uint8_t>(line->i32, shape.columns, shape.samples, to);
        if (shape.bits == 16) copy_out<std::uint16_t>(line->i32, shape.columns, shape.samples, to);
      }
    decoder.close();
  }

  // The file of the first frame is used again: its memory stays.
  void encode(const Shape& shape, const Bytes& pixels, unsigned precision, unsigned levels, ojph::mem_outfile& file) {
    if (encoded) encoder.restart();
    encoded = true;
    file.seek(0, ojph::outfile_base::OJPH_SEEK_SET);
    ojph::param_siz siz = encoder.access_siz();
    siz.set_image_extent(ojph::point(shape.columns, shape.rows));
    siz.set_num_components(shape.samples);
    for (ojph::ui32 c = 0; c < shape.samples; ++c) siz.set_component(c, ojph::point(1, 1), precision, shape.is_signed);
    ojph::param_cod cod = encoder.access_cod();
    cod.set_num_decomposition(levels);
    cod.set_block_dims(64, 64);
    cod.set_progression_order("RPCL");
    cod.set_color_transform(shape.colour && shape.samples == 3);
    cod.set_reversible(true);
    encoder.set_planar(false);
    encoder.write_headers(&file);
    ojph::ui32 component = 0;
    ojph::line_buf* line = encoder.exchange(nullptr, component);
    for (std::size_t r = 0; r < shape.rows; ++r)
      for (std::size_t c = 0; c < shape.samples; ++c) {
        const std::byte* from = pixels.data() + (r * shape.columns * shape.samples + c) * (shape.bits / 8U);
        if (shape.bits == 8 && !shape.is_signed) copy_in<std::uint8_t>(from, shape.columns, shape.samples, line->i32);
        if (shape.bits == 8 && shape.is_signed) copy_in<std::int8_t>(from, shape.columns, shape.samples, line->i32);
        if (shape.bits == 16 && !shape.is_signed) copy_in<std::uint16_t>(from, shape.columns, shape.samples, line->i32);
        if (shape.bits == 16 && shape.is_signed) copy_in<std::int16_t>(from, shape.columns, shape.samples, line->i32);
        line = encoder.exchange(line, component);
      }
    encoder.flush();
  }
};

// Of one run; short work is run several times.
template <class Work>
double seconds(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  double passed = 0;
  int runs = 0;
  for (; passed < kLeastSeconds; ++runs) {
    work();
    passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  return passed / runs;
}

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "codec_speed: %s\n", why.c_str());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const Frames input = argc >= 5 ? read(argc, argv) : phantom();
  const Shape& shape = input.shape;
  if (input.frames.empty()) stop("no frame; usage: codec_speed FILE ROWS COLUMNS BITS [signed] [rgb]");
  if (shape.bits != 8 && shape.bits != 16) stop("8 or 16 bits only");
  Workspace work;
  std::vector<Bytes> streams(input.frames.size());
  unsigned precision = 1;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (auto status = work.encode(CodecId::kHtj2k, shape, input.frames[i], streams[i]); !status)
      stop(dicube::describe(status.error()));
    precision = std::max<unsigned>(precision, dicube::codec::needed_precision(shape, input.frames[i]));
  }
  Alone alone;
  ojph::mem_outfile file;
  file.open(input.frames[0].size());
  Bytes pixels(input.frames[0].size()), other(pixels.size()), stream;
  const unsigned levels = dicube::codec::read_htj2k_header(streams[0]).value().levels;
  double ours_decode = 1e9, alone_decode = 1e9, ours_encode = 1e9, alone_encode = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    ours_decode = std::min(ours_decode, seconds([&] {
                             for (const Bytes& coded : streams)
                               if (!work.decode(CodecId::kHtj2k, shape, coded, pixels)) stop("decoding fails");
                           }));
    alone_decode = std::min(alone_decode, seconds([&] {
                              for (const Bytes& coded : streams) alone.decode(shape, coded, other);
                            }));
    ours_encode = std::min(ours_encode, seconds([&] {
                             for (const Bytes& frame : input.frames) {
                               stream.clear();
                               if (!work.encode(CodecId::kHtj2k, shape, frame, stream)) stop("encoding fails");
                             }
                           }));
    alone_encode = std::min(alone_encode, seconds([&] {
                              for (const Bytes& frame : input.frames)
                                alone.encode(shape, frame, precision, levels, file);
                            }));
  }
  if (pixels != other || pixels != input.frames.back()) stop("the decoders disagree");
  std::size_t coded = 0;
  for (const Bytes& each : streams) coded += each.size();
  const double megabytes = static_cast<double>(input.frames.size() * pixels.size()) / 1e6;
  std::printf("%zu frames of %u x %u x %u, %u bits: %.1f MB, coded %.1f MB\n", input.frames.size(), shape.columns,
              shape.rows, shape.samples, shape.bits, megabytes, static_cast<double>(coded) / 1e6);
  std::printf("decode  %7.1f MB/s   OpenJPH alone %7.1f MB/s   ratio %.3f\n", megabytes / ours_decode,
              megabytes / alone_decode, alone_decode / ours_decode);
  std::printf("encode  %7.1f MB/s   OpenJPH alone %7.1f MB/s   ratio %.3f\n", megabytes / ours_encode,
              megabytes / alone_encode, alone_encode / ours_encode);
  return 0;
}
