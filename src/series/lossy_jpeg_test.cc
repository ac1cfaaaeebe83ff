// Sources in lossy JPEG, which archives carry in JPEG XL.
#include <gtest/gtest.h>

#include "archive/pixels.h"
#include "codec/foreign.h"
#include "codec/jpeg_testing.h"
#include "codec/testing.h"
#include "dicom/element_writer.h"
#include "dicom/tags.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using codec::testing::Kind;
using testing::ScratchFolder;

constexpr std::uint16_t kRows = 64, kColumns = 96;

codec::Shape shape_of(std::uint16_t samples, std::uint8_t bits) {
  codec::Shape shape;
  shape.rows = kRows;
  shape.columns = kColumns;
  shape.samples = samples;
  shape.bits = bits;
  return shape;
}

void put_text(Bytes& out, dicom::Tag tag, std::string_view vr, std::string_view text) {
  dicom::put_element(out, tag, vr, as_bytes(text));
}

// An instance with a frame per codestream.
Bytes instance_of(const std::vector<Bytes>& streams, std::string_view syntax, std::uint16_t samples, std::uint16_t bits,
                  std::uint16_t stored) {
  Bytes out = dicom::file_head("1.2.840.10008.5.1.4.1.1.7", "1.2.3.4", syntax);
  put_text(out, dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.7");
  put_text(out, dicom::kSopInstanceUid, "UI", "1.2.3.4");
  put_text(out, dicom::kSeriesInstanceUid, "UI", "1.2.3");
  dicom::put_element(out, dicom::kSamplesPerPixel, "US", samples);
  put_text(out, dicom::kPhotometricInterpretation, "CS", samples == 3 ? "YBR_FULL_422" : "MONOCHROME2");
  if (samples == 3) dicom::put_element(out, dicom::kPlanarConfiguration, "US", 0);
  put_text(out, dicom::kNumberOfFrames, "IS", std::to_string(streams.size()));
  dicom::put_element(out, dicom::kRows, "US", kRows);
  dicom::put_element(out, dicom::kColumns, "US", kColumns);
  dicom::put_element(out, dicom::kBitsAllocated, "US", bits);
  dicom::put_element(out, dicom::kBitsStored, "US", stored);
  dicom::put_element(out, dicom::kHighBit, "US", static_cast<std::uint16_t>(stored - 1));
  dicom::put_element(out, dicom::kPixelRepresentation, "US", 0);
  std::vector<ByteSpan> frames(streams.begin(), streams.end());
  dicom::put_fragments(out, frames);
  return out;
}

std::vector<Bytes> make_streams(const codec::Shape& shape, const codec::testing::JpegOptions& options) {
  std::vector<Bytes> streams;
  for (std::uint64_t seed = 1; seed <= 3; ++seed)
    streams.push_back(
        codec::testing::jpeg_stream(shape, options, codec::testing::make_frame(shape, Kind::kSmooth, seed)));
  return streams;
}

Archive pack_one(const ScratchFolder& scratch, const Bytes& file) {
  testing::write_file(scratch / "source/image.dcm", file);
  testing::pack_bytes({scratch / "source"}, scratch / "series.dcbs");
  return Archive::open(scratch / "series.dcbs").value();
}

void expect_frames(const Archive& archive, const codec::Shape& shape, const std::vector<Bytes>& streams) {
  ASSERT_EQ(archive.frame_count(), streams.size());
  for (std::size_t i = 0; i < streams.size(); ++i) {
    Bytes expected(codec::frame_bytes(shape).value()), pixels(expected.size());
    ASSERT_TRUE(codec::decode_jpeg(shape, streams[i], expected));
    const Status done = archive.read_frame(i, pixels);
    ASSERT_TRUE(done) << describe(done.error());
    EXPECT_EQ(pixels, expected);
  }
}

TEST(LossyJpeg, IsCarriedInJpegXlAndComesBackWithTheSamePixels) {
  for (const std::uint16_t samples : {std::uint16_t{1}, std::uint16_t{3}}) {
    const ScratchFolder scratch;
    const codec::Shape shape = shape_of(samples, 8);
    const std::vector<Bytes> streams = make_streams(shape, {.lossless = false});
    const Bytes file = instance_of(streams, dicom::kJpegBaselineUid, samples, 8, 8);
    const Archive archive = pack_one(scratch, file);
    expect_frames(archive, shape, streams);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(archive.codec(i), "jpeg-in-jxl");
    std::size_t coded = 0;
    for (const Bytes& stream : streams) coded += stream.size();
    EXPECT_LT(archive.info().pixel_bytes, coded);
    EXPECT_EQ(archive.read_instance(0).value(), file);
    Bytes small(Archive::reduced(archive.pixel_format(0), 1).frame_bytes());
    EXPECT_TRUE(archive.read_frame_reduced(0, 1, small));
    EXPECT_TRUE(verify(scratch / "series.dcbs").value().errors.empty());
    ASSERT_TRUE(unpack(scratch / "series.dcbs", scratch / "again"));
    EXPECT_EQ(testing::read_bytes(scratch / "again/image.dcm"), file);
  }
}

TEST(LossyJpeg, CarriedInJpegXlIsWrittenInOtherSyntaxesAndConverted) {
  const ScratchFolder scratch;
  const codec::Shape shape = shape_of(3, 8);
  const std::vector<Bytes> streams = make_streams(shape, {.lossless = false});
  const Bytes file = instance_of(streams, dicom::kJpegBaselineUid, 3, 8, 8);
  pack_one(scratch, file);
  for (const char* syntax : {"explicit", "rle", "htj2k"}) {
    UnpackOptions options;
    options.transfer_syntax = syntax;
    options.verify = true;
    const auto report = unpack(scratch / "series.dcbs", scratch / syntax, options);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->errors.empty());
    EXPECT_EQ(report->files, 1U);
    testing::pack_bytes({scratch / syntax}, scratch / (std::string(syntax) + ".dcbs"));
    expect_frames(Archive::open(scratch / (std::string(syntax) + ".dcbs")).value(), shape, streams);
  }
  ASSERT_TRUE(convert(scratch / "series.dcbs", scratch / "other.dcbs", {}));
  const Archive other = Archive::open(scratch / "other.dcbs").value();
  EXPECT_EQ(other.codec(0), "jpeg-in-jxl");
  EXPECT_EQ(other.read_instance(0).value(), file);
}

TEST(LossyJpeg, ThatJpegXlDoesNotHoldIsKept) {
  const ScratchFolder scratch;
  const codec::Shape shape = shape_of(1, 16);
  const std::vector<Bytes> streams = make_streams(shape, {.precision = 12, .lossless = false});
  const Bytes file = instance_of(streams, dicom::kJpegExtendedUid, 1, 16, 12);
  const Archive archive = pack_one(scratch, file);
  expect_frames(archive, shape, streams);
  EXPECT_NE(archive.codec(0), "jpeg-in-jxl");
  EXPECT_EQ(archive.read_instance(0).value(), file);
}

TEST(LossyJpeg, OfWhichOnlySomeFramesFitJpegXlComesBack) {
  const ScratchFolder scratch;
  const codec::Shape shape = shape_of(3, 8);
  std::vector<Bytes> streams = make_streams(shape, {.lossless = false});
  streams[1] =
      make_streams(shape, {.lossless = false, .restart_rows = 1, .progressive = true})[1];  // several restart intervals
  append(streams[2], as_bytes(std::string_view("\0\1\0", 3)));                              // behind the end marker
  const Bytes file = instance_of(streams, dicom::kJpegExtendedUid, 3, 8, 8);
  const Archive archive = pack_one(scratch, file);
  expect_frames(archive, shape, streams);
  EXPECT_EQ(archive.codec(0), "jpeg-in-jxl");
  EXPECT_NE(archive.codec(1), "jpeg-in-jxl");
  EXPECT_EQ(archive.codec(2), "jpeg-in-jxl");
  EXPECT_EQ(archive.read_instance(0).value(), file);
}

TEST(LossyJpeg, IsCalledLossyInOtherSyntaxesWhicheverProcessCodedIt) {
  const ScratchFolder scratch;
  const std::vector<Bytes> streams = make_streams(shape_of(1, 8), {.lossless = false, .progressive = true});
  const Archive before = pack_one(scratch, instance_of(streams, dicom::kJpegProgressiveUid, 1, 8, 8));
  std::size_t coded = 0;
  for (const Bytes& stream : streams) coded += stream.size();
  const auto values = static_cast<double>(before.pixel_format(0).frame_bytes() * streams.size());
  UnpackOptions options;
  const auto written = [&](const std::string& syntax) {
    options.transfer_syntax = syntax;
    EXPECT_TRUE(unpack(scratch / "series.dcbs", scratch / syntax, options));
    testing::pack_bytes({scratch / syntax}, scratch / (syntax + ".dcbs"));
    return Archive::open(scratch / (syntax + ".dcbs")).value();
  };
  const Archive plain = written("explicit");
  EXPECT_EQ(plain.column("LossyImageCompression")->text(0), "01");
  EXPECT_EQ(plain.column("LossyImageCompressionMethod")->text(0), "ISO_10918_1");
  EXPECT_NEAR(plain.column("LossyImageCompressionRatio")->number(0).value_or(0), values / static_cast<double>(coded),
              0.01);
  options.max_error = 3;
  EXPECT_EQ(written("jpeg-ls-near").column("LossyImageCompressionMethod")->text(0), "ISO_10918_1\\ISO_14495_1")
      << "one for each step";
}

}  // namespace
}  // namespace dicube
