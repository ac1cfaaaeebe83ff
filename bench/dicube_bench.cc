// Our side of `./dev bench FOLDER`: one JSON object per measurement, {"what", "threads", "seconds", "bytes"}.
//
//   dicube_bench FOLDER WORK [htj2k]      FOLDER: one series of DICOM files; WORK: a folder for the archive; htj2k: its
//   codec
//                                         instead of the one that packing chooses
//
// Seconds are the least of several runs. OpenJPH alone decodes the archive's own codestreams from memory into the same
// kind of buffer, so that the ratio says what is lost around the codec.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

#include "archive/state.h"
#include "codec/codec.h"
#include "dicube/dicube.h"
#include "io/file.h"

#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>

namespace {

using dicube::Archive;

template <class T>
T need(dicube::Result<T> result) {
  if (!result) {
    fmt::print(stderr, "dicube_bench: {}\n", dicube::describe(result.error()));
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

double least_seconds(int runs, const std::function<void()>& work) {
  double least = 1e9;
  for (int run = 0; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    work();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return least;
}

void report(std::string_view what, unsigned threads, double seconds, std::uint64_t bytes) {
  fmt::print("{{\"what\": \"{}\", \"threads\": {}, \"seconds\": {:.9f}, \"bytes\": {}}}\n", what, threads, seconds,
             bytes);
  std::fflush(stdout);
}

// Peak memory of `work` in a process of its own, in bytes.
std::uint64_t peak_memory(const std::function<void()>& work) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

struct Buffer {
  explicit Buffer(std::uint64_t bytes) : size(bytes), data(std::make_unique_for_overwrite<std::byte[]>(bytes)) {}
  std::span<std::byte> span() const { return {data.get(), size}; }
  std::uint64_t size;
  std::unique_ptr<std::byte[]> data;
};

// Bare OpenJPH: one object, restarted per frame, lines copied to 16-bit values.
void openjph_decode(const std::vector<dicube::Bytes>& streams, const dicube::PixelFormat& format,
                    std::span<std::byte> out) {
  ojph::codestream stream;
  bool used = false;
  auto* to = reinterpret_cast<std::uint16_t*>(out.data());
  for (const dicube::Bytes& bytes : streams) {
    if (used) stream.restart();
    used = true;
    ojph::mem_infile file;
    file.open(reinterpret_cast<const ojph::ui8*>(bytes.data()), bytes.size());
    stream.read_headers(&file);
    stream.set_planar(false);
    stream.create();
    for (std::uint32_t row = 0; row < format.rows; ++row) {
      ojph::ui32 component = 0;
      const ojph::line_buf* line = stream.pull(component);
      for (std::uint32_t x = 0; x < format.columns; ++x) *to++ = static_cast<std::uint16_t>(line->i32[x]);
    }
    stream.close();
  }
}

std::vector<dicube::Bytes> htj2k_streams(const Archive& archive) {
  const auto& state = dicube::ArchiveAccess::state(archive);
  std::vector<dicube::Bytes> streams;
  for (std::size_t i = 0; i < archive.frame_count(); ++i) {
    const dicube::PixelFormat& format = archive.pixel_format(i);
    if (archive.codec(i) != "htj2k" || format.samples != 1 || format.bits_allocated != 16) return {};
    streams.emplace_back();
    need(state.read_frame(i, streams.back()));
  }
  return streams;
}

void measure_load(const std::string& path) {
  const Archive archive = need(Archive::open(path));
  const std::uint64_t bytes = archive.frame_count() * archive.pixel_format(0).frame_bytes();
  for (unsigned threads : {1U, 2U}) {
    const auto load = [&] {
      const Archive opened = need(Archive::open(path));
      need(opened.read_frames(0, opened.frame_count(), threads));
    };
    report("full_load", threads, least_seconds(7, load), bytes);
  }
  Buffer frame(archive.pixel_format(0).frame_bytes()), all(bytes);
  report("one_slice", 1, least_seconds(20, [&] { need(archive.read_frame(archive.frame_count() / 2, frame.span())); }),
         frame.size);
  const double warm = least_seconds(5, [&] { need(archive.read_frames(0, archive.frame_count(), all.span(), 1)); });
  report("decode_in_load", 1, warm, bytes);
  if (const auto streams = htj2k_streams(archive); !streams.empty())
    report("openjph_decode", 1, least_seconds(5, [&] { openjph_decode(streams, archive.pixel_format(0), all.span()); }),
           bytes);
}

void measure_metadata(const std::string& path) {
  const auto one_field = [&](const char* keyword) {
    const Archive archive = need(Archive::open(path));
    const auto column = archive.column(keyword);
    double sum = 0;
    for (std::size_t i = 0; column && i < column->size(); ++i) sum += static_cast<double>(column->numbers(i).size());
    if (sum < 0) std::abort();
  };
  report("open_one_field", 1, least_seconds(200, [&] { one_field("InstanceNumber"); }), 0);
  report("open_positions", 1, least_seconds(200, [&] { one_field("ImagePositionPatient"); }), 0);
  const auto all = [&] {
    const Archive archive = need(Archive::open(path));
    for (const std::string& name : archive.paths())
      if (!archive.column(name)) std::abort();
  };
  report("all_metadata", 1, least_seconds(20, all), 0);
}

}  // namespace

int main(int argc, char** argv) {
  const bool htj2k = argc == 4 && std::string_view(argv[3]) == "htj2k";
  if (argc != 3 && !htj2k) return fmt::print(stderr, "usage: dicube_bench FOLDER WORK [htj2k]\n"), 2;
  const std::string folder = argv[1], path = std::string(argv[2]) + "/bench.dcbs";
  dicube::PackOptions options;
  options.on_conflict = dicube::OnConflict::kOverwrite;
  if (htj2k) options.codec = dicube::Codec::kHtj2k;
  for (unsigned threads : {1U, 2U}) {
    options.threads = threads;
    const auto pack = [&] {
      const auto summary = need(dicube::pack({folder}, path, options));
      if (summary.series[0].error) need<void>(tl::unexpected<dicube::Error>(*summary.series[0].error));
    };
    report("pack", threads, least_seconds(3, pack), 0);
    if (threads == 2) report("peak_memory_pack", threads, 0, peak_memory(pack));
  }
  {
    const Archive archive = need(Archive::open(path));
    report("size", 0, 0, archive.info().file_bytes);
    report("metadata_size", 0, 0, archive.info().metadata_bytes);
    if (archive.frame_count() == 0) return 0;
  }
  const auto load = [&] {
    const Archive opened = need(Archive::open(path));
    Buffer pixels(opened.frame_count() * opened.pixel_format(0).frame_bytes());
    need(opened.read_frames(0, opened.frame_count(), pixels.span(), 2));
  };
  report("peak_memory_load", 2, 0, peak_memory(load));
  measure_load(path);
  measure_metadata(path);
}
