// Pixels in files that do not say in which transfer syntax they are, in one of no standard, and of broken codestreams.
#include <gtest/gtest.h>

#include <algorithm>

#include "codec/foreign.h"
#include "codec/testing.h"
#include "dicom/tags.h"
#include "dicube/dicube.h"
#include "series/check.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::testing::FileBuilder;
using testing::ScratchFolder;

// Without preamble and file meta group; 24 x 16 values of 16 bits, or of other sizes.
Bytes file_with(const std::vector<Bytes>& fragments, const std::string& uid = "1.2.3.1", std::uint16_t rows = 16,
                std::uint16_t columns = 24, const std::string& frames = "1") {
  return FileBuilder()
      .text(dicom::kSopInstanceUid, "UI", uid)
      .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
      .u16(dicom::kSamplesPerPixel, "US", {1})
      .text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2")
      .text(dicom::kNumberOfFrames, "IS", frames)
      .u16(dicom::kRows, "US", {rows})
      .u16(dicom::kColumns, "US", {columns})
      .u16(dicom::kBitsAllocated, "US", {16})
      .u16(dicom::kBitsStored, "US", {16})
      .u16(dicom::kHighBit, "US", {15})
      .u16(dicom::kPixelRepresentation, "US", {0})
      .fragments(fragments)
      .take();
}

TEST(UnknownSyntax, IsTakenFromTheCodestreamsFirstBytes) {
  const auto shape = codec::testing::make_shape(24, 16, 16);
  const Bytes frame = codec::testing::make_frame(shape, codec::testing::Kind::kSmooth, 1);
  Bytes stream;
  ASSERT_TRUE(codec::encode_jpegls(shape, frame, stream));
  if (stream.size() % 2 != 0) stream.push_back(std::byte{0});
  const auto middle = stream.begin() + static_cast<std::ptrdiff_t>(stream.size() / 4 * 2);
  const Bytes file = file_with({{}, Bytes(stream.begin(), middle), Bytes(middle, stream.end())});
  ScratchFolder scratch;
  testing::write_file(scratch / "a.dcm", file);
  ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  ASSERT_EQ(archive->frame_count(), 1U);
  Bytes back(frame.size());
  const auto read = archive->read_frame(0, back);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(back, frame);
  EXPECT_EQ(archive->read_instance(0).value(), file);
}

TEST(BrokenFrames, AreNamedWhenTheyArePackedAndKeptAsTheyAre) {
  const auto shape = codec::testing::make_shape(24, 16, 16);
  const Bytes frame = codec::testing::make_frame(shape, codec::testing::Kind::kSmooth, 1);
  codec::Workspace work;
  for (const auto& [codec, syntax] : {std::pair(codec::CodecId::kJpegLs, dicom::kJpegLsUid),
                                      std::pair(codec::CodecId::kJpeg2000, dicom::kJpeg2000LosslessUid),
                                      std::pair(codec::CodecId::kRle, dicom::kRleUid)}) {
    Bytes stream;
    ASSERT_TRUE(work.encode(codec, shape, frame, stream));
    const auto findings_of = [&](std::size_t size) {
      const Bytes some(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
      const Bytes file = FileBuilder().meta(syntax).raw(file_with({{}, some})).take();
      ScratchFolder scratch;
      testing::write_file(scratch / "a.dcm", file);
      const auto packed = pack({scratch / "a.dcm"}, scratch / "a.dcbs", {});
      const Archive archive = Archive::open(scratch / "a.dcbs").value();
      EXPECT_EQ(archive.read_instance(0).value(), file);
      const auto told = std::ranges::count(*archive.info().findings, kBrokenFrames, &Finding::code);
      EXPECT_EQ(told, size < stream.size());
      EXPECT_EQ(std::ranges::count(check(slices_of(archive).value()), kBrokenFrames, &Finding::code), told);
      Bytes back(frame.size());
      const Status read = archive.read_frame(0, back);
      EXPECT_EQ(read.has_value(), told == 0);
      if (told != 0) {
        EXPECT_TRUE(read.error().message.starts_with("frame 0 (a.dcm): ")) << read.error().message;
      }
      return packed->series[0].findings;
    };
    EXPECT_TRUE(findings_of(stream.size()).empty());
    const auto findings = findings_of(stream.size() / 2);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].code, "broken_frames");
    EXPECT_TRUE(findings[0].message.starts_with("frame 0: ")) << findings[0].message;
    EXPECT_EQ(findings[0].files, std::vector<std::string>{"a.dcm"});
  }
}

TEST(BrokenFrames, AreNumberedInTheirArchiveAndToldOnce) {
  ScratchFolder scratch;
  codec::Workspace work;
  const auto shape = codec::testing::make_shape(24, 16, 16);
  Bytes stream;
  ASSERT_TRUE(work.encode(codec::CodecId::kRle, shape,
                          codec::testing::make_frame(shape, codec::testing::Kind::kSmooth, 1), stream));
  const Bytes cut(stream.begin(), stream.begin() + 100);
  for (const auto& [name, frame] : {std::pair("1.dcm", stream), std::pair("2.dcm", stream), std::pair("3.dcm", cut)})
    testing::write_file(
        scratch / ("in/" + std::string(name)),
        FileBuilder().meta(dicom::kRleUid).raw(file_with({{}, frame}, "1.2.3." + std::string(name, 1))).take());
  const auto packed = pack({scratch / "in"}, scratch / "a.dcbs", {});
  ASSERT_TRUE(packed);
  const SeriesReport& report = packed->series[0];
  ASSERT_EQ(std::ranges::count(report.findings, kBrokenFrames, &Finding::code), 1);
  EXPECT_EQ(std::ranges::count(report.quality, kBrokenFrames, &Finding::code), 0);
  const auto found = std::ranges::find(report.findings, kBrokenFrames, &Finding::code);
  EXPECT_TRUE(found->message.starts_with("frame 2: ")) << found->message;
}

// Decoding takes as long as the pixels are many, and a file may have thousands of such frames.
TEST(BrokenFrames, ThatLookSoAreTriedUnlessTheyHaveManyPixelsInFewBytes) {
  codec::Workspace work;
  for (const auto& [side, kind, is_told] : {std::tuple(32U, codec::testing::Kind::kNoise, false),
                                            std::tuple(1024U, codec::testing::Kind::kConstant, true)}) {
    const auto shape = codec::testing::make_shape(side, side, 16);
    Bytes stream;
    ASSERT_TRUE(work.encode(codec::CodecId::kJpeg2000, shape, codec::testing::make_frame(shape, kind, 1), stream));
    std::ranges::fill(std::ranges::search(stream, as_bytes("\xFF\xD9")), std::byte{0});
    ASSERT_EQ(2 * side * side > 64 * stream.size(), is_told);
    const Bytes file = FileBuilder()
                           .meta(dicom::kJpeg2000LosslessUid)
                           .raw(file_with({{}, stream}, "1.2", std::uint16_t(side), std::uint16_t(side)))
                           .take();
    ScratchFolder scratch;
    testing::write_file(scratch / "a.dcm", file);
    const auto packed = pack({scratch / "a.dcm"}, scratch / "a.dcbs", {});
    ASSERT_TRUE(packed);
    EXPECT_EQ(std::ranges::count(packed->series[0].findings, kBrokenFrames, &Finding::code), is_told) << side;
  }
}

TEST(PixelDataWithoutFrames, HaveTheirWholeValueWithADelimitationOrWithout) {
  const Bytes fragment(16, std::byte{7});
  const Bytes file =
      FileBuilder().meta(dicom::kRleUid).raw(file_with({{}, fragment, fragment}, "1.2", 16, 24, "3")).take();
  for (const std::size_t missing : {0U, 8U}) {
    ScratchFolder scratch;
    testing::write_file(scratch / "a.dcm", ByteSpan(file).first(file.size() - missing));
    PackOptions options;
    options.all = true;
    ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", options));
    const Archive archive = Archive::open(scratch / "a.dcbs").value();
    ASSERT_EQ(archive.frame_count(), 0U) << "three frames in two fragments";
    const DataSet data = archive.data_set(0).value();
    const auto pixels = std::ranges::find(data.elements, dicom::kPixelData, &Element::tag);
    ASSERT_NE(pixels, data.elements.end());
    ASSERT_EQ(pixels->value.size(), 3 * 8 + 2 * fragment.size());
    EXPECT_TRUE(same_bytes(ByteSpan(pixels->value).last(16), fragment));
  }
}

TEST(PixelsInASyntaxOfNoStandard, AreRefusedWithTheNameOfTheirFile) {
  ScratchFolder scratch;
  testing::write_file(scratch / "a.dcm", FileBuilder().meta("1.2.3.4").raw(file_with({{}, Bytes(100)})).take());
  ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", {}));
  const Archive archive = Archive::open(scratch / "a.dcbs").value();
  ASSERT_EQ(archive.frame_count(), 1U);
  Bytes back(2 * 24 * 16);
  const Status read = archive.read_frame(0, back);
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().message.starts_with("frame 0 (a.dcm): ")) << read.error().message;
}

TEST(UnknownSyntax, OfBytesThatAreNoCodestreamLeavesThemWithoutFrames) {
  const Bytes file = file_with({{}, Bytes(100, std::byte{7}), Bytes(60, std::byte{9})});
  ScratchFolder scratch;
  testing::write_file(scratch / "a.dcm", file);
  ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  EXPECT_EQ(archive->frame_count(), 0U);
  EXPECT_EQ(archive->read_instance(0).value(), file);
  EXPECT_TRUE(archive->column("Rows")) << "what describes them is there all the same";
}

TEST(GesPrivateSyntax, HasBigEndianPixelsInALittleEndianDataSet) {
  FileBuilder builder;
  builder.meta(dicom::kGeBigEndianPixelsUid)
      .in(dicom::Encoding::kImplicitLittle)
      .text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.2")
      .text(dicom::kSopInstanceUid, "UI", "1.2.3.1")
      .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
      .u16(dicom::kSamplesPerPixel, "US", {1})
      .text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2")
      .u16(dicom::kRows, "US", {1})
      .u16(dicom::kColumns, "US", {2})
      .u16(dicom::kBitsAllocated, "US", {16})
      .u16(dicom::kBitsStored, "US", {16})
      .u16(dicom::kHighBit, "US", {15})
      .u16(dicom::kPixelRepresentation, "US", {0})
      .element(dicom::kPixelData, "OW", {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
  const Bytes file = builder.take();
  const Bytes values = {std::byte{2}, std::byte{1}, std::byte{4}, std::byte{3}};
  ScratchFolder scratch;
  testing::write_file(scratch / "a.dcm", file);
  ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  Bytes back(4);
  ASSERT_TRUE(archive->read_frame(0, back));
  EXPECT_EQ(back, values);
  EXPECT_EQ(archive->read_instance(0).value(), file);

  UnpackOptions options;
  options.verify = true;
  for (const char* syntax : {"implicit", "explicit", "rle"}) {
    options.transfer_syntax = syntax;
    const auto report = unpack(scratch / "a.dcbs", scratch / syntax, options);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->errors.empty()) << syntax;
    ASSERT_TRUE(pack({scratch / (std::string(syntax) + "/a.dcm")}, scratch / (std::string(syntax) + ".dcbs"), {}));
    const auto again = Archive::open(scratch / (std::string(syntax) + ".dcbs"));
    ASSERT_TRUE(again);
    ASSERT_TRUE(again->read_frame(0, back));
    EXPECT_EQ(back, values) << syntax;
  }
}

}  // namespace
}  // namespace dicube
