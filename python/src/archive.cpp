#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstring>

#include "archive/element_value.h"
#include "archive/state.h"
#include "base/checked.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "binding.h"
#include "dicom/dictionary.h"
#include "series/frame_values.h"

namespace dicube::python {
namespace {

constexpr std::uint64_t kBetweenSignals = std::uint64_t{256} << 20;  // bytes decoded before Ctrl-C is looked for

using Pixels = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::unique_ptr<OpenArchive> open_file(const Path& path) {
  auto opened = without_gil([&] { return Archive::open(path.name); });
  return std::make_unique<OpenArchive>(nb::none(), value_or_raise(std::move(opened)));
}

std::unique_ptr<OpenArchive> open_bytes(nb::bytes bytes, const Path& name) {
  auto opened = Archive::from_bytes(span_of(bytes), name.name);
  return std::make_unique<OpenArchive>(bytes, value_or_raise(std::move(opened)));
}

// Null for what is no string, and for one that UTF-8 can't hold. Never fails.
const char* utf8_of(nb::handle text) {
  const char* const utf8 = text.is_valid() ? PyUnicode_AsUTF8AndSize(text.ptr(), nullptr) : nullptr;
  PyErr_Clear();
  return utf8;
}

// "ValueError: I/O operation on closed file". Never fails.
std::string words_of(nb::handle exception) {
  const nb::object name = nb::inst_name(exception);
  const nb::object text = nb::steal(PyObject_Str(exception.ptr()));
  const char* utf8 = utf8_of(name);
  std::string words = utf8 != nullptr ? utf8 : "exception";
  utf8 = utf8_of(text);
  if (utf8 != nullptr) words.append(": ").append(utf8);
  return words;
}

// `read(offset, size)` gives bytes. Its object outlives the archive, in OpenArchive::buffer, as `raised` does.
Status read_by(nb::handle read, Raised& raised, std::uint64_t offset, MutableByteSpan out) {
  const Acquired acquired;
  try {
    const nb::object got = read(offset, out.size());
    char* data = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(got.ptr(), &data, &size) != 0) throw nb::python_error();
    if (static_cast<std::size_t>(size) != out.size())
      return fail(ErrorClass::kDamaged, "{} bytes read from byte {} on, {} expected", size, offset, out.size());
    std::memcpy(out.data(), data, out.size());
    return {};
  } catch (nb::python_error& error) {
    raised.keep(nb::borrow(error.value()));
    return fail(ErrorClass::kIo, "reading {} bytes from byte {} on: {}", out.size(), offset, words_of(error.value()));
  }
}

std::unique_ptr<OpenArchive> open_reader(std::uint64_t size, nb::callable read, const Path& name) {
  auto raised = std::make_unique<Raised>();
  auto opened = reading(raised.get(), [&] {
    return Archive::from_reader(
        size,
        [reader = nb::handle(read), keeper = raised.get()](std::uint64_t offset, MutableByteSpan out) {
          return read_by(reader, *keeper, offset, out);
        },
        name.name);
  });
  return std::make_unique<OpenArchive>(read, value_or_raise(std::move(opened)), std::move(raised));
}

nb::tuple format_tuple(const PixelFormat& f) {
  return nb::make_tuple(f.rows, f.columns, f.samples, f.bits_allocated, f.bits_stored, f.high_bit, f.is_signed,
                        f.is_float, to_text(f.photometric));
}

// Frames `frames`, one after the other, into `out`.
void read_frames(const OpenArchive& open, const std::vector<std::size_t>& frames, Pixels out, unsigned threads) {
  const Archive& archive = open.archive;
  if (frames.empty()) return;
  for (std::size_t frame : frames) check_frame(open, frame);
  const PixelFormat& format = archive.pixel_format(frames[0]);
  const std::uint64_t size = format.frame_bytes();
  if (checked_mul(size, frames.size()) != out.size())
    throw nb::value_error("the array does not have the size of the frames");
  for (std::size_t frame : frames)
    if (archive.pixel_format(frame) != format)
      raise_error({ErrorClass::kUsage,
                   formatted("frames {} and {} differ in size or type: read them one by one", frames[0], frame)});
  const MutableByteSpan target(reinterpret_cast<std::byte*>(out.data()), out.size());
  const std::size_t at_once = std::max<std::size_t>(64, kBetweenSignals / std::max<std::uint64_t>(size, 1));
  for (std::size_t begin = 0; begin < frames.size(); begin += at_once) {
    const std::size_t count = std::min(at_once, frames.size() - begin);
    const auto* const first = &frames[begin];
    const bool is_run = std::adjacent_find(first, first + count,
                                           [](std::size_t a, std::size_t b) { return b != a + 1; }) == first + count;
    check(reading(open, [&] {
      if (is_run)  // frames that need one another are decoded once
        return archive.read_frames(*first, count, target.subspan(begin * size, count * size), threads);
      return try_parallel(count, threads, [&](std::size_t i) {
        return archive.read_frame(first[i], target.subspan((begin + i) * size, size));
      });
    }));
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  }
}

void read_reduced(const OpenArchive& open, std::size_t frame, unsigned level, Pixels out) {
  check_frame(open, frame);
  const MutableByteSpan target(reinterpret_cast<std::byte*>(out.data()), out.size());
  check(reading(open, [&] { return open.archive.read_frame_reduced(frame, level, target); }));
}

nb::dict info(const OpenArchive& open) {
  const ArchiveInfo& i = open.archive.info();
  nb::dict out, codecs;
  for (const auto& [codec, frames] : i.codecs) codecs[to_text(codec)] = frames;
  out["format"] = nb::make_tuple(i.format_major, i.format_minor);
  out["series_instance_uid"] = to_text(i.series_instance_uid);
  out["instances"] = open.archive.instances().size();
  out["frames"] = open.archive.frame_count();
  out["file_bytes"] = i.file_bytes;
  out["metadata_bytes"] = i.metadata_bytes;
  out["pixel_bytes"] = i.pixel_bytes;
  out["source_bytes"] = i.source_bytes;
  out["codecs"] = codecs;
  out["repeated_frames"] = i.repeated_frames;
  out["references"] = i.has_references;
  out["lossy"] = i.is_lossy;
  out["status"] = to_text(i.status);
  out["findings"] = i.findings ? nb::object(findings_to_python(*i.findings)) : nb::none();
  return out;
}

const Instance& instance_at(const OpenArchive& open, std::size_t i) {
  check_instance(open, i);
  return open.archive.instances()[i];
}

nb::object column_or_none(Result<Column> column) {
  if (column) return nb::cast(*std::move(column));
  if (column.error().error_class == ErrorClass::kNotFound) return nb::none();
  raise_error(column.error());
}

nb::object column(const OpenArchive& open, std::string_view path) {
  return column_or_none(reading(open, [&] { return open.archive.column(path); }));
}

nb::object frame_column(const OpenArchive& open, std::string_view path) {
  return column_or_none(reading(open, [&] { return open.archive.frame_column(path); }));
}

std::string key_of(std::uint32_t tag) {
  const auto* entry = dicom::find(tag);
  return entry != nullptr ? std::string(entry->keyword) : formatted("{:08X}", tag);
}

nb::object value_to_python(const Element& element, dicom::Encoding encoding, const dicom::CharacterSet& charset) {
  if (element.is_pixels) return nb::none();
  if (!element.is_sequence) return to_python(dicom::decode(element.value, element.vr, encoding, charset), element.vr);
  return list_of(element.items, [&](const std::vector<Element>& elements) {
    nb::dict item;
    const dicom::CharacterSet own = archive::charset_of(elements, charset);
    for (const Element& inner : elements) item[key_of(inner.tag).c_str()] = value_to_python(inner, encoding, own);
    return item;
  });
}

// {tag: (vr, value)} of one instance, the file meta group first.
nb::dict data_set(const OpenArchive& open, std::size_t instance) {
  check_instance(open, instance);
  auto data = value_or_raise(reading(open, [&] { return open.archive.data_set(instance); }));
  const dicom::CharacterSet charset(data.charset);
  nb::dict out;
  for (const Element& e : data.meta)
    out[nb::int_(e.tag)] = nb::make_tuple(to_text(e.vr), value_to_python(e, dicom::Encoding::kExplicitLittle, charset));
  for (const Element& e : data.elements)
    out[nb::int_(e.tag)] = nb::make_tuple(to_text(e.is_sequence ? "SQ" : e.vr),
                                          value_to_python(e, static_cast<dicom::Encoding>(data.encoding), charset));
  return out;
}

bool has_private(const Element& sequence) {
  return std::ranges::any_of(sequence.items, [](const std::vector<Element>& item) {
    return std::ranges::any_of(item, [](const Element& e) { return (e.tag >> 16) % 2 == 1 || has_private(e); });
  });
}

nb::list vrs_of_items(const Element& sequence) {
  return list_of(sequence.items, [](const std::vector<Element>& elements) {
    nb::dict item;
    for (const Element& element : elements) {
      const nb::int_ tag(element.tag);
      if (element.is_sequence)
        item[tag] = vrs_of_items(element);
      else
        item[tag] = to_text(element.vr);
    }
    return item;
  });
}

// (items, VRs) of a sequence of one instance; without VRs where it holds no private elements. (None, None) where it is
// absent.
nb::tuple sequence(const OpenArchive& open, std::size_t instance, std::uint32_t tag) {
  check_instance(open, instance);
  const auto data = value_or_raise(reading(open, [&] { return open.archive.data_set(instance); }));
  const auto found = std::ranges::find(data.elements, tag, &Element::tag);
  if (found == data.elements.end()) return nb::make_tuple(nb::none(), nb::none());
  return nb::make_tuple(
      value_to_python(*found, static_cast<dicom::Encoding>(data.encoding), dicom::CharacterSet(data.charset)),
      has_private(*found) ? nb::object(vrs_of_items(*found)) : nb::none());
}

nb::bytes read_instance(const OpenArchive& open, std::size_t i) {
  check_instance(open, i);
  return to_bytes(value_or_raise(reading(open, [&] { return open.archive.read_instance(i); })));
}

}  // namespace

void bind_archive(nb::module_& m) {
  nb::class_<OpenArchive>(m, "Archive", "An open archive. All methods may be called from several threads at once.")
      .def_static("open", &open_file, nb::arg("path"))
      .def_static("from_bytes", &open_bytes, nb::arg("bytes"), nb::arg("name"))
      .def_static("from_reader", &open_reader, nb::arg("size"), nb::arg("read"), nb::arg("name"),
                  "read(offset, size) gives bytes; it is called by several threads at once.")
      .def_prop_ro("instance_count", [](const OpenArchive& a) { return a.archive.instances().size(); })
      .def_prop_ro("frame_count", [](const OpenArchive& a) { return a.archive.frame_count(); })
      .def_prop_ro(
          "checksum", [](const OpenArchive& a) { return a.archive.info().checksum; },
          "Another archive has another one, in all likelihood.")
      .def("info", &info)
      .def("instance_names",
           [](const OpenArchive& a) {
             return list_of(a.archive.instances(), [](const Instance& i) { return to_path(i.name); });
           })
      .def(
          "instance",
          [](const OpenArchive& a, std::size_t i) {
            const Instance& instance = instance_at(a, i);
            return nb::make_tuple(to_path(instance.name), instance.size, hex(instance.sha256), instance.first_frame,
                                  instance.frames, instance.is_folder);
          },
          nb::arg("instance"))
      .def(
          "frame_ranges",
          [](const OpenArchive& a) {
            return list_of(a.archive.instances(),
                           [](const Instance& i) { return nb::make_tuple(i.first_frame, i.frames); });
          },
          "(first frame, frames) of every instance.")
      .def(
          "instance_of",
          [](const OpenArchive& a, std::size_t frame) {
            check_frame(a, frame);
            return a.archive.instance_of(frame);
          },
          nb::arg("frame"))
      .def("column", &column, nb::arg("path"), nb::sig("def column(self, path: str) -> Column | None"),
           "None when no instance has the element.")
      .def("frame_column", &frame_column, nb::arg("path"),
           nb::sig("def frame_column(self, path: str) -> Column | None"),
           "One value per frame: functional groups, then the data set. None when no instance has the element.")
      .def("data_set", &data_set, nb::arg("instance"))
      .def("sequence", &sequence, nb::arg("instance"), nb::arg("tag"),
           "(items, {tag: VR} of each item; of a sequence in it, a list of the same). None for the VRs where no "
           "element is "
           "private, for both where it is absent.")
      .def("paths", [](const OpenArchive& a) { return a.archive.paths(); })
      .def(
          "pixel_format",
          [](const OpenArchive& a, std::size_t frame, unsigned level) {
            check_frame(a, frame);
            if (level > 31) throw nb::value_error("level must be 0 to 31");
            return format_tuple(Archive::reduced(a.archive.pixel_format(frame), level));
          },
          nb::arg("frame"), nb::arg("level") = 0)
      .def(
          "photometric",
          [](const OpenArchive& a, std::size_t frame) {
            check_frame(a, frame);
            const Archive::State& state = ArchiveAccess::state(a.archive);
            return to_text(series::decoded_photometric(state.index.formats[state.index.frames[frame].format]));
          },
          nb::arg("frame"), "What the decoded values mean: \"RGB\", \"YBR_FULL\", \"MONOCHROME2\", ...")
      .def("is_uniform", [](const OpenArchive& a) { return a.archive.is_uniform(); })
      .def(
          "codec",
          [](const OpenArchive& a, std::size_t frame) {
            check_frame(a, frame);
            return to_text(a.archive.codec(frame));
          },
          nb::arg("frame"))
      .def("read_frames", &read_frames, nb::arg("frames"), nb::arg("out").noconvert(), nb::arg("threads"))
      .def("read_reduced", &read_reduced, nb::arg("frame"), nb::arg("level"), nb::arg("out").noconvert())
      .def("read_instance", &read_instance, nb::arg("instance"));
}

}  // namespace dicube::python
