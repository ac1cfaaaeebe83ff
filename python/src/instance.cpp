// Single DICOM files: edited, and made from one frame of an archive.
#include "archive/state.h"
#include "binding.h"
#include "codec/htj2k_header.h"
#include "dicom/dictionary.h"
#include "dicom/rewrite.h"
#include "dicom/uid.h"

namespace dicube::python {
namespace {

using dicom::Edit;
using dicom::Edits;
using dicom::number_edit;
using dicom::RewriteOptions;
using dicom::text_edit;

constexpr std::string_view kHtj2kLosslessRpcl = "1.2.840.10008.1.2.4.202";
constexpr std::string_view kExplicitLittle = "1.2.840.10008.1.2.1";

Bytes copy(ByteSpan bytes) { return Bytes(bytes.begin(), bytes.end()); }
ByteSpan span_of(nb::bytes bytes) { return {static_cast<const std::byte*>(bytes.data()), bytes.size()}; }

// One frame as a DICOM file of its own.
class FrameFile {
 public:
  FrameFile(const Archive& archive, std::size_t frame, std::string uid, bool uncompressed)
      : archive_(archive),
        uncompressed_(uncompressed),
        state_(ArchiveAccess::state(archive)),
        frame_(frame),
        uid_(std::move(uid)),
        number_(archive.instance_of(frame)),
        instance_(archive.instances()[number_]),
        format_(state_.index.formats[state_.index.frames[frame].format]) {}

  // The original file where it is a single frame that is not kept as HTJ2K.
  Result<Bytes> make() {
    DICUBE_ASSIGN(const bool htj2k, can_pass());
    DICUBE_ASSIGN(auto roots, state_.metadata->roots(number_));
    if (roots.kept || (instance_.frames == 1 && !htj2k)) return archive_.read_instance(number_);
    if (!format_.transfer_syntax.empty())
      DICUBE_TRY(add_encapsulated(format_.transfer_syntax));
    else if (htj2k)
      DICUBE_TRY(add_htj2k());
    else
      DICUBE_TRY(add_native());
    if (instance_.frames > 1) single_out();
    Bytes base;
    DICUBE_TRY(ArchiveAccess::read_header(archive_, number_, base));
    return dicom::rewrite(base, std::move(edits_), options_);
  }

 private:
  Status add_encapsulated(std::string_view transfer_syntax) {
    if (stream_.empty()) DICUBE_TRY(ArchiveAccess::read_codestream(archive_, frame_, stream_));
    options_.encoding = dicom::Encoding::kExplicitLittle;
    options_.transfer_syntax = transfer_syntax;
    Edit& pixels = edits_[dicom::kPixelData];
    pixels.vr = {'O', 'B'};
    pixels.frames.push_back(std::move(stream_));
    return {};
  }

  // Whether the frame is kept as an HTJ2K codestream whose values are the stored ones: bits above Bits Stored, which do
  // not count in a native frame, would count in that.
  Result<bool> can_pass() {
    if (uncompressed_ || !format_.transfer_syntax.empty() || archive_.codec(frame_) != "htj2k") return false;
    if (format_.high_bit + 1 != format_.bits_stored) return false;
    DICUBE_TRY(state_.read_block(frame_, stream_));
    DICUBE_ASSIGN(auto header, codec::read_htj2k_header(stream_));
    return header.component[0].precision <= format_.bits_stored;
  }

  // PS3.5 8.2.15: what the attributes say must be what the codestream says.
  Status add_htj2k() {
    DICUBE_TRY(add_encapsulated(kHtj2kLosslessRpcl));
    DICUBE_ASSIGN(auto header, codec::read_htj2k_header(edits_[dicom::kPixelData].frames[0]));
    const std::uint16_t precision = header.component[0].precision;
    if (precision != format_.bits_stored) {
      edits_[dicom::kBitsStored] = number_edit(precision);
      edits_[dicom::kHighBit] = number_edit(static_cast<std::uint16_t>(precision - 1));
    }
    if (format_.samples > 1) edits_[dicom::kPlanarConfiguration] = number_edit(0);
    if (header.colour_transform) edits_[dicom::kPhotometricInterpretation] = text_edit({'C', 'S'}, "YBR_RCT");
    return {};
  }

  Status add_native() {
    const PixelFormat& format = archive_.pixel_format(frame_);
    Bytes pixels(format.frame_bytes());
    DICUBE_TRY(archive_.read_frame(frame_, pixels));
    options_.encoding = dicom::Encoding::kExplicitLittle;
    options_.transfer_syntax = kExplicitLittle;
    if (format.bits_allocated == 1) pixels = archive::packed_bits(pixels);
    if (pixels.size() % 2 == 1) pixels.push_back(std::byte{0});
    if (format.samples > 1) edits_[dicom::kPlanarConfiguration] = number_edit(0);
    if (format_.subsampled) edits_[dicom::kPhotometricInterpretation] = text_edit({'C', 'S'}, "YBR_FULL");
    if (!format.is_float)
      edits_[dicom::kPixelData] = {{'O', format.bits_allocated <= 8 ? 'B' : 'W'}, std::move(pixels)};
    else if (format.bits_allocated == 32)
      edits_[dicom::kFloatPixelData] = {{'O', 'F'}, std::move(pixels)};
    else
      edits_[dicom::kDoubleFloatPixelData] = {{'O', 'D'}, std::move(pixels)};
    return {};
  }

  void single_out() {
    edits_[dicom::kNumberOfFrames] = text_edit({'I', 'S'}, "1");
    edits_[dicom::kSopInstanceUid] = text_edit({'U', 'I'}, uid_);
    options_.only_frame = frame_ - instance_.first_frame;
    options_.encoding = dicom::Encoding::kExplicitLittle;
  }

  const Archive& archive_;
  bool uncompressed_;
  const Archive::State& state_;
  std::size_t frame_;
  std::string uid_;
  std::size_t number_;
  const Instance& instance_;
  const format::FrameFormat& format_;
  Bytes stream_;
  Edits edits_;
  RewriteOptions options_;
};

nb::bytes frame_file(const OpenArchive& open, std::size_t frame, std::string uid, bool uncompressed) {
  if (frame >= open.archive.frame_count()) throw nb::index_error("no such frame");
  auto bytes = [&] {
    nb::gil_scoped_release release;
    return FrameFile(open.archive, frame, std::move(uid), uncompressed).make();
  }();
  return to_bytes(value_or_raise(std::move(bytes)));
}

nb::bytes rewrite_file(nb::bytes file, const std::vector<std::tuple<std::uint32_t, std::string, nb::object>>& edits,
                       const std::string& transfer_syntax) {
  Edits all;
  for (const auto& [tag, vr, value] : edits) {
    if (vr.size() != 2) throw nb::value_error("a VR has two letters");
    Edit& edit = all[tag];
    edit.vr = {vr[0], vr[1]};
    if (!value.is_none()) edit.value = copy(span_of(nb::cast<nb::bytes>(value)));
  }
  RewriteOptions options;
  options.transfer_syntax = transfer_syntax;
  auto bytes = [&] {
    nb::gil_scoped_release release;
    return dicom::rewrite(span_of(file), std::move(all), options);
  }();
  return to_bytes(value_or_raise(std::move(bytes)));
}

}  // namespace

void bind_instance(nb::module_& m) {
  m.def("frame_file", &frame_file, nb::arg("archive"), nb::arg("frame"), nb::arg("uid"),
        nb::arg("uncompressed") = false);
  m.def("derived_uid", &dicom::derived_uid, nb::arg("text"));
  m.def("rewrite", &rewrite_file, nb::arg("file"), nb::arg("edits"), nb::arg("transfer_syntax") = "");
}

}  // namespace dicube::python
