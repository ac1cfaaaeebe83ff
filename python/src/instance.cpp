// Single DICOM files: edited, and made from one frame of an archive.
#include <algorithm>

#include "archive/arrangement.h"
#include "archive/state.h"
#include "binding.h"
#include "codec/colour.h"
#include "codec/htj2k_header.h"
#include "dicom/rewrite.h"
#include "dicom/tags.h"
#include "dicom/uid.h"
#include "series/frame_values.h"

namespace dicube::python {
namespace {

using dicom::Edit;
using dicom::Edits;
using dicom::number_edit;
using dicom::RewriteOptions;
using dicom::text_edit;

Bytes copy(ByteSpan bytes) { return Bytes(bytes.begin(), bytes.end()); }

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

  // The original file where it is a single frame in the wanted form already, or in one that HTJ2K does not hold.
  Result<Bytes> make() {
    DICUBE_ASSIGN(auto roots, state_.metadata->roots(number_));
    if (roots.kept) return archive_.read_instance(number_);
    const bool native = format_.transfer_syntax.empty();
    DICUBE_ASSIGN(const bool htj2k, code_htj2k());
    if (instance_.frames == 1 && !htj2k && (native || !uncompressed_)) return archive_.read_instance(number_);
    if (htj2k)
      DICUBE_TRY(add_htj2k());
    else if (native || uncompressed_)
      DICUBE_TRY(add_native());
    else
      DICUBE_TRY(add_encapsulated(format_.transfer_syntax));
    if (instance_.frames > 1) single_out();
    Bytes base;
    DICUBE_TRY(ArchiveAccess::read_header(archive_, number_, base));
    return dicom::rewrite(base, std::move(edits_), options_);
  }

  // In which transfer syntax it was made; empty for the original file.
  const std::string& transfer_syntax() const { return options_.transfer_syntax; }

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

  // Whether the frame's values, all of them, are now an HTJ2K codestream in stream_: the archive's own, or one coded
  // here.
  Result<bool> code_htj2k() {
    if (uncompressed_ || !format_.transfer_syntax.empty() || format_.is_float) return false;
    if (format_.bits_allocated != 8 && format_.bits_allocated != 16) return false;
    if (format_.bits_stored != 0 && format_.high_bit + 1 != format_.bits_stored) return false;
    DICUBE_ASSIGN(const bool passes, pass());
    if (passes) return true;
    DICUBE_ASSIGN(const auto read, ArchiveAccess::read_values(archive_, frame_));
    Bytes values(read.span().begin(), read.span().end());
    codec::Shape shape = series::public_shape(format_);
    const Bytes whole = values;
    series::clean_upper_bits(shape, values);
    if (values != whole) {
      DICUBE_ASSIGN(const bool overlay, has_overlay_in_pixels());
      if (overlay) return false;
    }
    shape.colour = codec::colour_transform_pays(shape, values);
    const Status coded = state_.scratch.lend()->codec.encode(codec::CodecId::kHtj2k, shape, values, stream_);
    if (!coded && coded.error().error_class == ErrorClass::kUnsupported) return false;
    DICUBE_TRY(coded);
    return true;
  }

  // The archive's own codestream, if its values are the stored ones: bits above Bits Stored, which do not count in a
  // native frame, would count in that.
  Result<bool> pass() {
    if (archive_.codec(frame_) != "htj2k") return false;
    DICUBE_TRY(state_.read_block(frame_, stream_));
    DICUBE_ASSIGN(auto header, codec::read_htj2k_header(stream_));
    if (header.components == format_.samples &&
        (format_.bits_stored == 0 || header.component[0].precision <= format_.bits_stored))
      return true;
    stream_.clear();
    return false;
  }

  // Overlays in bits of the pixels (retired): Overlay Bit Position without Overlay Data.
  Result<bool> has_overlay_in_pixels() const {
    DICUBE_ASSIGN(const auto data, archive_.data_set(number_));
    const auto has = [&](std::uint32_t tag) {
      return std::ranges::any_of(data.elements, [&](const Element& element) { return element.tag == tag; });
    };
    return std::ranges::any_of(data.elements, [&](const Element& element) {
      return (element.tag & 0xFF00FFFF) == 0x60000102 && !has((element.tag & 0xFFFF0000) | 0x3000);
    });
  }

  // PS3.5 8.2.15: what the attributes say must be what the codestream says.
  Status add_htj2k() {
    DICUBE_TRY(add_encapsulated(dicom::kHtj2kLosslessRpclUid));
    DICUBE_ASSIGN(auto header, codec::read_htj2k_header(edits_[dicom::kPixelData].frames[0]));
    const std::uint16_t precision = header.component[0].precision;
    if (precision != format_.bits_stored) {
      edits_[dicom::kBitsStored] = number_edit(precision);
      edits_[dicom::kHighBit] = number_edit(static_cast<std::uint16_t>(precision - 1));
    }
    describe(header.colour_transform ? "YBR_RCT" : series::decoded_photometric(format_));
    return {};
  }

  Status add_native() {
    const PixelFormat& format = archive_.pixel_format(frame_);
    DICUBE_ASSIGN(const auto read, ArchiveAccess::read_values(archive_, frame_));
    Bytes pixels(read.span().begin(), read.span().end());
    options_.encoding = dicom::Encoding::kExplicitLittle;
    options_.transfer_syntax = dicom::kExplicitLittleUid;
    if (format.bits_allocated == 1) pixels = archive::packed_bits(pixels);
    if (pixels.size() % 2 == 1) pixels.push_back(std::byte{0});
    describe(series::decoded_photometric(format_));
    if (!format.is_float)
      edits_[dicom::kPixelData] = {{'O', format.bits_allocated <= 8 ? 'B' : 'W'}, std::move(pixels)};
    else if (format.bits_allocated == 32)
      edits_[dicom::kFloatPixelData] = {{'O', 'F'}, std::move(pixels)};
    else
      edits_[dicom::kDoubleFloatPixelData] = {{'O', 'D'}, std::move(pixels)};
    return {};
  }

  void describe(const std::string& photometric) {
    if (format_.samples > 1) edits_[dicom::kPlanarConfiguration] = number_edit(0);
    if (photometric != format_.photometric)
      edits_[dicom::kPhotometricInterpretation] = text_edit({'C', 'S'}, photometric);
    for (const dicom::Tag offsets : {dicom::kExtendedOffsetTable, dicom::kExtendedOffsetTableLengths})
      edits_[offsets] = {};  // of the source's encapsulated frames
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

// (file, transfer syntax in which it was made; "" for the original)
nb::tuple frame_file(const OpenArchive& open, std::size_t frame, std::string uid, bool uncompressed) {
  check_frame(open, frame);
  FrameFile file(open.archive, frame, std::move(uid), uncompressed);
  const nb::bytes made = to_bytes(value_or_raise(without_gil([&] { return file.make(); })));
  return nb::make_tuple(made, file.transfer_syntax());
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
