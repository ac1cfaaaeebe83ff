// A folder of DICOM files as an archive without a name: the headers in columns, the frames stored as they are. What
// load_from_dicom_folder() reads, several times as fast as packing.

#include "archive/arrangement.h"
#include "archive/pixels.h"
#include "archive/state.h"
#include "archive/writer.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "binding.h"
#include "series/check.h"
#include "series/scan.h"
#include "series/slice_order.h"

namespace dicube::python {
namespace {

constexpr std::size_t kBatch = 64;   // files held in memory at once
constexpr std::size_t kHeads = 512;  // files looked at between two looks for Ctrl-C

// Raises KeyboardInterrupt after Ctrl-C. REQUIRES: the GIL is not held.
void check_signals() {
  const Acquired acquired;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

struct Gathered {
  Instance instance;
  Bytes bytes;
  std::optional<dicom::Tokens> tokens;
  std::optional<archive::PixelPlan> pixels;
  std::vector<archive::CodedFrame> frames;
  std::optional<Error> error;
};

void keep_frames(Gathered& file) {
  const ByteSpan bytes = file.tokens->data_bytes(file.bytes);
  const format::FrameFormat& format = file.pixels->format;
  Bytes source, in_order;
  for (std::size_t i = 0; i < file.pixels->frames.size(); ++i)
    append(file.frames.emplace_back().stored,
           archive::arranged(format, archive::frame_source(*file.pixels, bytes, i, source), in_order));
}

Status read_one(const std::string& path, Gathered& file) {
  DICUBE_TRY(io::read_file(path, file.bytes));
  file.instance.size = file.bytes.size();
  file.instance.sha256 = sha256(file.bytes);
  DICUBE_ASSIGN(file.tokens, dicom::tokenize(file.bytes));
  auto plan = archive::plan_pixels(*file.tokens, file.tokens->data_bytes(file.bytes));
  if (!plan || !*plan) return {};  // a file without frames; its header is there all the same
  file.pixels = std::move(**plan);
  keep_frames(file);
  return {};
}

// REQUIRES: the GIL is not held.
Result<Archive> gather(const std::vector<std::string>& paths, const std::vector<std::string>& names,
                       const std::string& name, const std::string& scratch_folder, unsigned threads) {
  DICUBE_ASSIGN(auto opened, io::Folder::open(scratch_folder));
  auto folder = std::make_unique<io::Folder>(std::move(opened));
  archive::ArchiveWriter writer(*folder, ".dicube-gathered");
  Finding odd{std::string(kUnexplainedBytes), "", {}, Severity::kWarning, {}};
  for (std::size_t begin = 0; begin < paths.size(); begin += kBatch) {
    check_signals();
    std::vector<Gathered> files(std::min(kBatch, paths.size() - begin));
    parallel_for(files.size(), threads, [&](std::size_t i, unsigned) {
      files[i].instance.name = names[begin + i];
      auto done = read_one(paths[begin + i], files[i]);
      if (!done) files[i].error = in_file(std::move(done).error(), paths[begin + i]);
    });
    for (std::size_t i = 0; i < files.size(); ++i) {
      Gathered& file = files[i];
      if (file.error) return tl::unexpected<Error>(*std::move(file.error));
      if (dicom::first_defect(*file.tokens)) odd.slices.push_back(begin + i);
      const archive::Shreddable parts{file.instance.name, file.bytes, &*file.tokens,
                                      file.pixels ? &*file.pixels : nullptr};
      DICUBE_TRY(writer.add(file.instance, parts, std::move(file.frames)));
    }
  }
  if (!odd.slices.empty()) writer.set_findings({std::move(odd)});
  DICUBE_ASSIGN(auto file, writer.finish("", threads));
  return ArchiveAccess::open(std::make_unique<io::NamelessSource>(std::move(folder), std::move(file), name));
}

std::unique_ptr<OpenArchive> gather_files(const std::vector<Path>& paths, const std::vector<Path>& names,
                                          const Path& name, const Path& scratch_folder, unsigned threads) {
  if (paths.size() != names.size()) throw nb::value_error("one name per path");
  auto archive =
      without_gil([&] { return gather(names_of(paths), names_of(names), name.name, scratch_folder.name, threads); });
  return std::make_unique<OpenArchive>(nb::none(), value_or_raise(std::move(archive)));
}

// The bytes of any open archive, for pickling one that has no path.
nb::bytes archive_bytes(const OpenArchive& open) {
  const io::Source& source = *ArchiveAccess::state(open.archive).source;
  Bytes bytes(source.size());
  check(reading(open, [&] { return source.read_at(0, bytes); }));
  return to_bytes(bytes);
}

// ((path, name, size, Series Instance UID) ..., left out): what of the files in and below `sources` is a DICOM
// instance, in the order of archives, and the links and pipes among them, which were not looked at. Raises what the
// system refuses to read.
nb::tuple scan(const std::vector<Path>& sources, unsigned threads) {
  std::vector<Error> left_out, refused;
  std::vector<series::File> files;
  std::vector<std::optional<Result<series::Head>>> heads;
  {
    const Released released;
    files = series::find_files(names_of(sources), {},
                               [&](const Error& e) { (e.system == 0 ? left_out : refused).push_back(e); });
    heads.resize(files.size());
    for (std::size_t begin = 0; begin < files.size(); begin += kHeads) {
      check_signals();
      parallel_for(std::min(kHeads, files.size() - begin), threads, [&](std::size_t i, unsigned) {
        if (!files[begin + i].is_folder) heads[begin + i] = series::read_head(files[begin + i]);
      });
    }
  }
  if (!refused.empty()) raise_error(refused.front());
  std::vector<std::size_t> instances;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!heads[i]) continue;
    if (!*heads[i]) raise_error(in_file(heads[i]->error(), files[i].path()));
    const series::Head& head = **heads[i];
    if (!head.is_dicomdir && (!head.series_instance_uid.empty() || head.looks_like_dicom)) instances.push_back(i);
  }
  const auto key = [&](std::size_t i) {
    return series::order_of((*heads[i])->instance_number, (*heads[i])->place, files[i].name);
  };
  std::ranges::sort(instances, [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  const nb::list found = list_of(instances, [&](std::size_t i) {
    return nb::make_tuple(to_path(files[i].path()), to_path(files[i].name), files[i].size,
                          to_path((*heads[i])->series_instance_uid));
  });
  return nb::make_tuple(found, list_of(left_out, [](const Error& error) { return to_path(describe(error)); }));
}

}  // namespace

void bind_gather(nb::module_& m) {
  m.def("scan", &scan, nb::arg("sources"), nb::arg("threads"));
  m.def("gather", &gather_files, nb::arg("paths"), nb::arg("names"), nb::arg("name"), nb::arg("scratch_folder"),
        nb::arg("threads"));
  m.def("archive_bytes", &archive_bytes, nb::arg("archive"));
}

}  // namespace dicube::python
