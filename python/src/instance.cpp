// Single DICOM files: edited, and made from one frame of an archive.
#include "binding.h"
#include "dicom/rewrite.h"
#include "dicom/uid.h"
#include "series/frame_file.h"

namespace dicube::python {
namespace {

using dicom::Edit;
using dicom::Edits;
using dicom::RewriteOptions;

// (file, transfer syntax in which it was made; "" for the original)
nb::tuple frame_file(const OpenArchive& open, std::size_t frame, std::string uid, bool uncompressed) {
  check_frame(open, frame);
  const auto made = value_or_raise(
      reading(open, [&] { return series::frame_file(open.archive, frame, std::move(uid), uncompressed); }));
  return nb::make_tuple(to_bytes(made.file), made.transfer_syntax);
}

nb::bytes rewrite_file(nb::bytes file, const std::vector<std::tuple<std::uint32_t, std::string, nb::object>>& edits,
                       const std::string& transfer_syntax) {
  Edits all;
  for (const auto& [tag, vr, value] : edits) {
    if (vr.size() != 2) throw nb::value_error("a VR has two letters");
    Edit& edit = all[tag];
    edit.vr = {vr[0], vr[1]};
    if (value.is_none()) continue;
    const auto bytes = nb::cast<nb::bytes>(value);
    edit.value.emplace(span_of(bytes).begin(), span_of(bytes).end());
  }
  RewriteOptions options;
  options.transfer_syntax = transfer_syntax;
  const ByteSpan bytes = span_of(file);
  return to_bytes(value_or_raise(without_gil([&] { return dicom::rewrite(bytes, std::move(all), options); })));
}

}  // namespace

void bind_instance(nb::module_& m) {
  m.def("frame_file", &frame_file, nb::arg("archive"), nb::arg("frame"), nb::arg("uid"),
        nb::arg("uncompressed") = false);
  m.def("derived_uid", &dicom::derived_uid, nb::arg("text"));
  m.def("rewrite", &rewrite_file, nb::arg("file"), nb::arg("edits"), nb::arg("transfer_syntax") = "");
}

}  // namespace dicube::python
