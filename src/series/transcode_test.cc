// Series written in other transfer syntaxes.
#include "series/transcode.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <set>

#include "archive/state.h"
#include "codec/colour_testing.h"
#include "codec/htj2k_header.h"
#include "dicom/rewrite.h"
#include "dicom/value.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using codec::testing::Colours;
using dicom::Encoding;
using dicom::testing::ct_image;
using dicom::testing::FileBuilder;
using testing::ScratchFolder;
using testing::write_file;

constexpr std::array kLossless = {"explicit", "implicit", "rle",        "jpeg-ls",
                                  "jpeg2000", "htj2k",    "htj2k-rpcl", "jpeg-xl"};

// Frames of size x size: noise when they are small, a slope otherwise.
Bytes image(unsigned frames, std::uint16_t bits, std::string_view photometric, std::uint16_t samples, bool is_signed,
            Encoding encoding, std::string_view uid, std::uint16_t size = 8) {
  FileBuilder file(encoding);
  file.meta(encoding == Encoding::kExplicitBig ? dicom::testing::kExplicitBigUid : dicom::testing::kExplicitLittleUid);
  file.text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.7").text(dicom::kSopInstanceUid, "UI", uid);
  file.text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
      .u16(dicom::kSamplesPerPixel, "US", {samples})
      .text(dicom::kPhotometricInterpretation, "CS", photometric);
  if (samples > 1) file.u16(dicom::kPlanarConfiguration, "US", {1});
  file.text(dicom::kNumberOfFrames, "IS", std::to_string(frames))
      .u16(dicom::kRows, "US", {size})
      .u16(dicom::kColumns, "US", {size});
  file.u16(dicom::kBitsAllocated, "US", {bits})
      .u16(dicom::kBitsStored, "US", {bits})
      .u16(dicom::kHighBit, "US", {static_cast<std::uint16_t>(bits - 1)});
  file.u16(dicom::kPixelRepresentation, "US", {static_cast<std::uint16_t>(is_signed)});
  Bytes pixels(std::size_t{frames} * size * size * samples * bits / 8);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::byte>(size == 8 ? i * i / 5 + i : i % size * 2 + i / size % size * 2);
  return file.element(dicom::kPixelData, bits > 8 ? "OW" : "OB", pixels).take();
}

// Planar RGB frames of 64 x 64 with these colours.
Bytes colour_image(const std::vector<Colours>& colours, std::string_view uid) {
  codec::Shape shape = codec::testing::make_shape(64, 64, 8, 3);
  shape.planar = true;
  Bytes pixels;
  for (const Colours of : colours) append(pixels, codec::testing::make_colours(shape, of, pixels.size()));
  Bytes file = image(static_cast<unsigned>(colours.size()), 8, "RGB", 3, false, Encoding::kExplicitLittle, uid, 64);
  std::copy(pixels.begin(), pixels.end(), file.end() - static_cast<std::ptrdiff_t>(pixels.size()));
  return file;
}

class Transcode : public ::testing::Test {
 protected:
  void write(const std::string& name, ByteSpan bytes) { write_file(scratch_ / ("source/" + name), bytes); }

  Archive pack_source(Codec codec = Codec::kAuto) {
    PackOptions options;
    options.codec = codec;
    options.on_conflict = OnConflict::kOverwrite;
    const auto summary = pack({scratch_ / "source"}, scratch_ / "series.dcbs", options);
    EXPECT_TRUE(summary) << describe(summary.error());
    return Archive::open(scratch_ / "series.dcbs").value();
  }

  UnpackReport unpack_as(const std::string& syntax, std::uint32_t max_error = 0) {
    UnpackOptions options;
    options.transfer_syntax = syntax;
    options.max_error = max_error;
    options.verify = true;
    options.on_conflict = OnConflict::kOverwrite;
    const auto report = unpack(scratch_ / "series.dcbs", scratch_ / syntax, options);
    EXPECT_TRUE(report) << describe(report.error());
    return report.value_or(UnpackReport{});
  }

  // What was written, as an archive of its own.
  Archive written(const std::string& syntax) {
    EXPECT_TRUE(pack({scratch_ / syntax}, scratch_ / (syntax + ".dcbs")));
    return Archive::open(scratch_ / (syntax + ".dcbs")).value();
  }

  static std::vector<Bytes> frames(const Archive& archive) {
    std::vector<Bytes> out;
    for (std::size_t i = 0; i < archive.frame_count(); ++i) {
      out.emplace_back(archive.pixel_format(i).frame_bytes());
      EXPECT_TRUE(archive.read_frame(i, out.back()));
    }
    return out;
  }

  // Without those of the file meta group that files get when they are written anew.
  static std::set<std::string> paths_of_data_sets(const Archive& archive) {
    const std::vector<std::string> paths = archive.paths();
    std::set<std::string> out(paths.begin(), paths.end());
    for (const char* meta : {"MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "ImplementationClassUID",
                             "ImplementationVersionName"})
      out.erase(meta);
    return out;
  }

  ScratchFolder scratch_;
};

TEST_F(Transcode, EveryLosslessSyntaxKeepsEveryPixelAndEveryElement) {
  for (const Encoding encoding : {Encoding::kExplicitLittle, Encoding::kImplicitLittle, Encoding::kExplicitBig})
    write(std::to_string(static_cast<int>(encoding)),
          ct_image(1 + static_cast<unsigned>(encoding), 16, 12, 1, encoding));
  const Archive before = pack_source();
  for (const char* syntax : kLossless) {
    const UnpackReport report = unpack_as(syntax);
    EXPECT_EQ(report.files, 3U) << syntax;
    for (const Error& error : report.errors) ADD_FAILURE() << syntax << ": " << describe(error);
    const Archive after = written(syntax);
    EXPECT_EQ(frames(before), frames(after)) << syntax;
    EXPECT_EQ(paths_of_data_sets(before), paths_of_data_sets(after)) << syntax;
    for (const char* path : {"SOPInstanceUID", "ImagePositionPatient", "BitsStored",
                             "ReferencedImageSequence[0].ReferencedSOPInstanceUID"})
      for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(before.column(path)->text(i), after.column(path)->text(i)) << syntax << " " << path;
  }
}

TEST_F(Transcode, ColoursSignsAndFramesOfAllKindsComeBack) {
  write("rgb", colour_image({Colours::kLight, Colours::kLight}, "1.2.3.1"));
  write("pseudo", colour_image({Colours::kPalette}, "1.2.3.5"));
  write("ybr", image(2, 8, "YBR_FULL", 3, false, Encoding::kExplicitLittle, "1.2.3.2"));
  write("signed", image(5, 16, "MONOCHROME2", 1, true, Encoding::kExplicitBig, "1.2.3.3"));
  write("palette", image(1, 8, "PALETTE COLOR", 1, false, Encoding::kExplicitLittle, "1.2.3.4"));
  const Archive before = pack_source();
  for (const char* syntax : kLossless) {
    if (std::string_view(syntax) == "jpeg-xl") continue;  // no signed values
    const UnpackReport report = unpack_as(syntax);
    for (const Error& error : report.errors) ADD_FAILURE() << syntax << ": " << describe(error);
    const Archive after = written(syntax);
    ASSERT_EQ(frames(before), frames(after)) << syntax;
    const bool wavelet =
        std::string_view(syntax).find("2k") != std::string_view::npos || std::string_view(syntax) == "jpeg2000";
    const auto photometric = after.column("PhotometricInterpretation").value();
    EXPECT_EQ(photometric.text(*after.find_instance("rgb")), wavelet ? "YBR_RCT" : "RGB") << syntax;
    EXPECT_EQ(photometric.text(*after.find_instance("pseudo")), wavelet ? "YBR_RCT" : "RGB") << syntax;
    EXPECT_EQ(photometric.text(*after.find_instance("ybr")), "YBR_FULL") << syntax;
  }
}

TEST_F(Transcode, RedGreenAndBlueAreTransformedInHtj2kAlsoWhereThatIsLargerSoThatViewersShowThem) {
  constexpr auto kLight = Colours::kLight, kPalette = Colours::kPalette;
  write("mixed", colour_image({kLight, kPalette, kLight}, "1.2.3.1"));
  for (const Codec codec : {Codec::kHtj2k, Codec::kLane, Codec::kZstd}) {
    const Archive before = pack_source(codec);
    unpack_as("htj2k-rpcl");
    const Archive after = written("htj2k-rpcl");
    EXPECT_EQ(frames(before), frames(after));
    EXPECT_EQ(after.column("PhotometricInterpretation")->text(0), "YBR_RCT");
    Bytes stream;
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_TRUE(ArchiveAccess::state(after).read_frame(i, stream));
      EXPECT_TRUE(codec::read_htj2k_header(stream)->colour_transform) << i;
    }
  }
}

TEST_F(Transcode, LuminanceAndChrominanceInJpegXlAreNoColoursWhenTheyArePackedAgain) {
  write("ybr", image(2, 8, "YBR_FULL", 3, false, Encoding::kExplicitLittle, "1.2.3.2"));
  const Archive before = pack_source();
  unpack_as("jpeg-xl");
  const Archive jpeg_xl = written("jpeg-xl");
  UnpackOptions options;
  options.transfer_syntax = "explicit";
  ASSERT_TRUE(unpack(scratch_ / "jpeg-xl.dcbs", scratch_ / "again", options));
  const Archive after = written("again");
  EXPECT_EQ(frames(before), frames(after));
  for (const Archive* archive : {&jpeg_xl, &after})
    EXPECT_EQ(archive->column("PhotometricInterpretation")->text(0), "YBR_FULL");
}

TEST_F(Transcode, AnArchivesOwnHtj2kCodestreamsPassAsTheyAre) {
  write("a", image(2, 8, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.1", 64));
  const Archive before = pack_source(Codec::kHtj2k);
  ASSERT_EQ(before.codec(0), "htj2k");
  unpack_as("htj2k-rpcl");
  const Archive after = written("htj2k-rpcl");
  Bytes ours, theirs;
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(ArchiveAccess::state(before).read_frame(i, ours));
    ASSERT_TRUE(ArchiveAccess::state(after).read_frame(i, theirs));
    theirs.resize(ours.size());  // padding to even length
    EXPECT_EQ(ours, theirs);
  }
}

TEST_F(Transcode, RpclCodestreamsServeAsAnyHtj2k) {
  write("a", image(2, 8, "RGB", 3, false, Encoding::kExplicitLittle, "1.2.3.1", 64));
  pack_source();
  unpack_as("htj2k-rpcl");
  ASSERT_TRUE(pack({scratch_ / "htj2k-rpcl"}, scratch_ / "rpcl.dcbs"));
  UnpackOptions options;
  options.transfer_syntax = "htj2k";
  options.verify = true;
  const auto report = unpack(scratch_ / "rpcl.dcbs", scratch_ / "any", options);
  ASSERT_TRUE(report && report->errors.empty());
  const Bytes rpcl = testing::read_bytes(scratch_ / "htj2k-rpcl/a"), any = testing::read_bytes(scratch_ / "any/a");
  ASSERT_EQ(rpcl.size(), any.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < any.size(); ++i) different += any[i] != rpcl[i];
  EXPECT_EQ(different, 1U);  // the last digit of the transfer syntax
}

// Of every file written into `folder`.
void expect_sound(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto tokens = dicom::tokenize(testing::read_bytes(entry.path())).value();
    EXPECT_FALSE(dicom::first_defect(tokens)) << entry.path();
  }
}

TEST_F(Transcode, PixelsWithoutTheirDelimitationGetOneInEverySyntax) {
  write("a", image(2, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.1", 64));
  const auto wanted = frames(pack_source());
  unpack_as("htj2k-rpcl");
  Bytes file = testing::read_bytes(scratch_ / "htj2k-rpcl/a");
  file.resize(file.size() - 8);
  write("a", file);
  pack_source();
  for (const std::string syntax : kLossless) {
    EXPECT_TRUE(unpack_as(syntax).errors.empty()) << syntax;
    expect_sound(scratch_ / syntax);
    std::filesystem::remove(scratch_ / (syntax + ".dcbs"));
    EXPECT_EQ(frames(written(syntax)), wanted) << syntax;
  }
}

TEST_F(Transcode, StrayItemsAndMetaElementsAreLeftOutOfWhatIsWritten) {
  const Bytes whole = image(1, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.1");
  const auto begin = dicom::tokenize(whole).value().data_begin;
  const Bytes strays = FileBuilder().header(0xFFFEE0DD, "", 0).text(0x00020016, "AE", "STRAY").take();
  Bytes file(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(begin));
  append(file, strays);
  append(file, ByteSpan(whole).subspan(begin));
  write("a", file);
  pack_source();
  for (const std::string syntax : {"explicit", "implicit", "jpeg-ls"}) {
    EXPECT_EQ(unpack_as(syntax).unchanged, 0U);
    const auto tokens = dicom::tokenize(testing::read_bytes(scratch_ / (syntax + "/a"))).value();
    EXPECT_FALSE(dicom::first_defect(tokens)) << syntax;
    EXPECT_EQ(tokens.data.front().tag, dicom::kSopClassUid) << syntax;
    EXPECT_EQ(std::ranges::count(tokens.meta, 0x00020016U, &dicom::Token::tag), 0) << syntax;
  }
}

TEST_F(Transcode, ADamagedPrefixIsWrittenAsItShouldBe) {
  Bytes file = image(1, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.1");
  file[131] = std::byte{'N'};
  write("a", file);
  pack_source();
  for (const std::string syntax : {"explicit", "implicit", "jpeg-ls"}) {
    EXPECT_EQ(unpack_as(syntax).unchanged, 0U);
    const Bytes written = testing::read_bytes(scratch_ / (syntax + "/a"));
    EXPECT_TRUE(dicom::has_prefix(written)) << syntax;
    EXPECT_FALSE(dicom::first_defect(dicom::tokenize(written).value())) << syntax;
  }
}

TEST_F(Transcode, ADirectoryWithAStrayItemStaysAsItIsForItsOffsetsCountBytes) {
  const Bytes directory = FileBuilder()
                              .meta(dicom::testing::kExplicitLittleUid)
                              .header(0xFFFEE0DD, "", 0)
                              .text(dicom::kSopClassUid, "UI", "1.2.840.10008.1.3.10")
                              .take();
  write("DICOMDIR", directory);
  PackOptions options;
  options.all = true;
  ASSERT_TRUE(pack({scratch_ / "source"}, scratch_ / "series.dcbs", options));
  EXPECT_EQ(unpack_as("implicit").unchanged, 1U);
  EXPECT_EQ(testing::read_bytes(scratch_ / "implicit/DICOMDIR"), directory);
}

TEST_F(Transcode, LossMakesADerivedImageWithinTheBound) {
  write("a", ct_image(1, 32, 32));
  const Archive before = pack_source();
  for (const auto& [syntax, method] :
       {std::pair("jpeg-ls-near", "ISO_14495_1"), std::pair("htj2k-lossy", "ISO_15444_15"),
        std::pair("jpeg-xl-lossy", "ISO_18181_1")}) {
    const UnpackReport report = unpack_as(syntax, 3);
    for (const Error& error : report.errors) ADD_FAILURE() << describe(error);
    EXPECT_LE(report.largest_error, 3U);
    EXPECT_GT(report.largest_error, 0U) << syntax;
    const Archive after = written(syntax);
    const auto text = [&](const char* path) { return after.column(path).value().text(0).value_or(""); };
    EXPECT_NE(text("SOPInstanceUID"), before.column("SOPInstanceUID")->text(0));
    EXPECT_EQ(text("SOPInstanceUID"), text("MediaStorageSOPInstanceUID"));
    EXPECT_EQ(text("ImageType"), "DERIVED\\SECONDARY");
    EXPECT_EQ(text("LossyImageCompression"), "01");
    EXPECT_EQ(text("LossyImageCompressionMethod"), method);
    EXPECT_GT(after.column("LossyImageCompressionRatio")->number(0).value_or(0), 1);
    EXPECT_EQ(text("SourceImageSequence[0].ReferencedSOPInstanceUID"), before.column("SOPInstanceUID")->text(0));
  }
}

TEST_F(Transcode, LossyImagesWithoutUidsGetDifferentOnesAndNoEmptyReference) {
  write("a", image(1, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, ""));
  write("b", image(2, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, ""));
  pack_source();
  unpack_as("jpeg-ls-near", 2);
  const Archive after = written("jpeg-ls-near");
  const auto uids = after.column("SOPInstanceUID").value();
  EXPECT_TRUE(uids.text(0)->starts_with("2.25."));
  EXPECT_NE(uids.text(0), uids.text(1));
  EXPECT_FALSE(after.column("SourceImageSequence[0].ReferencedSOPInstanceUID"));
}

TEST_F(Transcode, BitsThatStartAnywhereInAByteAndDoNotPackComeBack) {
  FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
  file.u16(dicom::kSamplesPerPixel, "US", {1}).text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2");
  file.text(dicom::kNumberOfFrames, "IS", "8").u16(dicom::kRows, "US", {5}).u16(dicom::kColumns, "US", {7});
  file.u16(dicom::kBitsAllocated, "US", {1}).u16(dicom::kBitsStored, "US", {1}).u16(dicom::kHighBit, "US", {0});
  Bytes bits(36);  // 8 frames of 35 bits, in 35 bytes
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::byte>(37 * i * i + 11 * i);
  write("a", file.u16(dicom::kPixelRepresentation, "US", {0}).element(dicom::kPixelData, "OB", bits).take());
  const Archive archive = pack_source();
  for (std::size_t i = 0; i < 8; ++i) {
    Bytes frame(35);
    const Status read = archive.read_frame(i, frame);
    ASSERT_TRUE(read) << describe(read.error());
    for (std::size_t k = 0; k < 35; ++k)
      EXPECT_EQ(frame[k], bits[(35 * i + k) / 8] >> (35 * i + k) % 8 & std::byte{1}) << i << " " << k;
  }
  EXPECT_TRUE(unpack_as("implicit").errors.empty());
}

TEST_F(Transcode, TheFramesOfALossyImageAreDerivedToo) {
  FileBuilder groups;
  groups.sequence(0x52009229).item().sequence(0x00189226).item();
  groups.text(0x00089007, "CS", "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE").end().end().end().end();
  const Bytes plain = image(2, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.1");
  constexpr std::size_t kPixels = 12 + 2 * 8 * 8 * 2;
  Bytes file(plain.begin(), plain.end() - kPixels);
  append(file, groups.take());
  append(file, ByteSpan(plain).last(kPixels));
  write("a", file);
  pack_source();
  unpack_as("jpeg-ls-near", 2);
  EXPECT_EQ(written("jpeg-ls-near").frame_column("FrameType")->text(1), "DERIVED\\PRIMARY\\DIFFUSION\\NONE");
}

TEST_F(Transcode, EveryLossyStepHasItsRatioAndItsMethod) {
  const Bytes plain = image(1, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.1");
  write("a", dicom::rewrite(plain, {{0x00282110, dicom::text_edit({'C', 'S'}, "01")},
                                    {0x00282112, dicom::text_edit({'D', 'S'}, "7\\8.5")}})
                 .value());
  pack_source();
  unpack_as("jpeg-ls-near", 2);
  const Archive after = written("jpeg-ls-near");
  EXPECT_EQ(after.column("LossyImageCompressionMethod")->text(0), "\\\\ISO_14495_1");
  EXPECT_TRUE(after.column("LossyImageCompressionRatio")->text(0)->starts_with("7\\8.5\\"));
}

TEST_F(Transcode, WhatASyntaxDoesNotHoldIsAnErrorOfThatFile) {
  write("bits", FileBuilder(Encoding::kExplicitLittle)
                    .meta(dicom::testing::kExplicitLittleUid)
                    .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
                    .u16(dicom::kSamplesPerPixel, "US", {1})
                    .text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2")
                    .u16(dicom::kRows, "US", {4})
                    .u16(dicom::kColumns, "US", {4})
                    .u16(dicom::kBitsAllocated, "US", {1})
                    .u16(dicom::kBitsStored, "US", {1})
                    .u16(dicom::kHighBit, "US", {0})
                    .u16(dicom::kPixelRepresentation, "US", {0})
                    .element(dicom::kPixelData, "OB", Bytes(2))
                    .take());
  write("palette", image(1, 8, "PALETTE COLOR", 1, false, Encoding::kExplicitLittle, "1.2.3.4"));
  write("well", image(1, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.5"));
  pack_source();
  const UnpackReport report = unpack_as("jpeg-ls-near", 2);
  EXPECT_EQ(report.files, 1U);
  ASSERT_EQ(report.errors.size(), 2U);
  for (const Error& error : report.errors) EXPECT_EQ(error.error_class, ErrorClass::kUnsupported);
  EXPECT_NE(report.errors[0].message.find("bits: "), std::string::npos) << report.errors[0].message;
}

TEST_F(Transcode, WhatIsNoImageStaysAsItIs) {
  const Bytes report_file = FileBuilder()
                                .meta(dicom::testing::kExplicitLittleUid)
                                .text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.88.11")
                                .text(dicom::kSopInstanceUid, "UI", "1.2.3.9")
                                .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
                                .take();
  write("sr", report_file);
  pack_source();
  EXPECT_EQ(unpack_as("jpeg2000").unchanged, 1U);
  EXPECT_EQ(testing::read_bytes(scratch_ / "jpeg2000/sr"), report_file);
  EXPECT_EQ(unpack_as("implicit").unchanged, 0U);
}

TEST_F(Transcode, PixelsOfAnOddLengthArePaddedInFilesThatAreWrittenAnew) {
  for (const Encoding encoding : {Encoding::kExplicitLittle, Encoding::kExplicitBig}) {
    const Bytes file = image(1, 8, "MONOCHROME2", 1, false, encoding, "1.2.3.4", 3);
    write("odd", file);
    const Archive before = pack_source();
    for (const char* syntax : {"implicit", "explicit"}) {
      SCOPED_TRACE(formatted("encoding {} as {}", static_cast<int>(encoding), syntax));
      const bool is_new = unpack_as(syntax).unchanged == 0;
      EXPECT_TRUE(is_new || encoding == Encoding::kExplicitLittle);
      const Bytes bytes = testing::read_bytes(scratch_ / (std::string(syntax) + "/odd"));
      const auto tokens = dicom::tokenize(bytes);
      ASSERT_TRUE(tokens && !tokens->stop);
      const dicom::Token& pixels = tokens->data.back();
      ASSERT_EQ(pixels.tag, dicom::kPixelData);
      EXPECT_EQ(pixels.length, is_new ? 10U : 9U);
      EXPECT_TRUE(same_bytes(ByteSpan(bytes).subspan(pixels.value, 9), ByteSpan(file).last(9)));
      EXPECT_TRUE(!is_new || bytes.back() == std::byte{0});
      EXPECT_EQ(frames(before), frames(written(syntax)));
      std::filesystem::remove(scratch_ / (std::string(syntax) + ".dcbs"));
    }
  }
}

TEST_F(Transcode, PixelsThatCantBeToldApartAreSwappedAsTheirVrSaysWhateverTheirLength) {
  for (const std::size_t length : {9U, 10U}) {
    Bytes pixels;
    for (std::size_t i = 0; i < length; ++i) pixels.push_back(std::byte(i + 1));
    FileBuilder file(Encoding::kExplicitBig);
    file.meta(dicom::testing::kExplicitBigUid).text(dicom::kSopInstanceUid, "UI", "1.2.3.1");
    write("words", file.text(dicom::kSeriesInstanceUid, "UI", "1.2.3").element(dicom::kPixelData, "OW", pixels).take());
    pack_source();
    for (const Error& error : unpack_as("explicit").errors) ADD_FAILURE() << describe(error);
    const Bytes bytes = testing::read_bytes(scratch_ / "explicit/words");
    for (std::size_t i = 0; i < length; ++i) {
      const std::size_t partner = (i ^ 1) < length ? i ^ 1 : i;
      EXPECT_EQ(ByteSpan(bytes).last(10)[i], std::byte(partner + 1)) << length << " " << i;
    }
  }
}

TEST_F(Transcode, WrongWishesAreRefusedBeforeAnythingIsWritten) {
  write("a", ct_image(1));
  pack_source();
  for (const auto& [syntax, error, ratio] :
       {std::tuple("1.2.3", 0U, 0.0), std::tuple("jpeg2000", 2U, 0.0), std::tuple("htj2k-lossy", 0U, 0.0),
        std::tuple("htj2k-lossy", 2U, 2.0), std::tuple("", 2U, 0.0)}) {
    UnpackOptions options;
    options.transfer_syntax = syntax;
    options.max_error = error;
    options.ratio = ratio;
    const auto report = unpack(scratch_ / "series.dcbs", scratch_ / "out", options);
    ASSERT_FALSE(report) << syntax;
    EXPECT_EQ(report.error().error_class, ErrorClass::kUsage);
  }
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out"));
}

TEST_F(Transcode, TheCheckFindsAChangedPixel) {
  write("a", ct_image(1));
  const Archive archive = pack_source();
  const series::Transcoding how{series::find_transfer_syntax("rle").value(), {}, 1};
  auto made = series::transcode(archive, 0, how);
  ASSERT_TRUE(made);
  EXPECT_EQ(series::check_transcoded(archive, 0, how, *made, made->file), 0U);
  made->file[made->file.size() - 12] ^= std::byte{1};
  const Bytes changed = made->file;
  const auto checked = series::check_transcoded(archive, 0, how, *made, changed);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().error_class, ErrorClass::kCodec);
  EXPECT_FALSE(series::check_transcoded(archive, 0, how, *made, ByteSpan(changed).first(changed.size() - 1)));
}

// A JPEG 2000 codestream of 40,000 x 40,000 values that says so and holds none.
Bytes blank_codestream() {
  Bytes out;
  const auto put = [&](std::initializer_list<unsigned> bytes) {
    for (unsigned byte : bytes) out.push_back(static_cast<std::byte>(byte));
  };
  put({0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0, 0, 0, 0x9C, 0x40, 0, 0, 0x9C, 0x40, 0, 0, 0, 0, 0, 0, 0, 0});
  put({0, 0, 0x9C, 0x40, 0, 0, 0x9C, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 15, 1, 1});
  put({0xFF, 0x52, 0, 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 1, 0xFF, 0x5C, 0, 19, 0x40});
  out.insert(out.end(), 16, std::byte{0x40});
  put({0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0x93});
  out.insert(out.end(), 300, std::byte{0x80});
  put({0xFF, 0xD9});
  return out;
}

// One of JPEG-LS (ISO/IEC 14495-1) whose lines take a bit each, once runs are 32,768 values long: 12 kB that hold what
// they say.
Bytes blank_lines() {
  Bytes out;
  const auto put = [&](std::initializer_list<unsigned> bytes) {
    for (unsigned byte : bytes) out.push_back(static_cast<std::byte>(byte));
  };
  put({0xFF, 0xD8, 0xFF, 0xF7, 0, 11, 16, 0x9C, 0x40, 0x9C, 0x40, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0});
  for (int i = 0; i < 6000; ++i) put({0xFF, 0x7F});  // ones, with a zero behind every eight of them
  put({0xFF, 0xD9});
  return out;
}

// A progressive JPEG codestream (ISO/IEC 10918-1 G.1.2.2) of runs of 16,384 blank blocks, 15 bits each: 3 kB that hold
// what they say.
Bytes blank_blocks() {
  Bytes out;
  const auto put = [&](std::initializer_list<unsigned> bytes) {
    for (unsigned byte : bytes) out.push_back(static_cast<std::byte>(byte));
  };
  put({0xFF, 0xD8, 0xFF, 0xDB, 0, 67, 0});
  out.insert(out.end(), 64, std::byte{1});
  put({0xFF, 0xC2, 0, 11, 12, 0x9C, 0x40, 0x9C, 0x40, 1, 1, 0x11, 0, 0xFF, 0xC4, 0, 20, 0x10, 1});
  out.insert(out.end(), 15, std::byte{0});
  put({0xE0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 1, 63, 0});
  out.insert(out.end(), 2900, std::byte{0});
  put({0xFF, 0xD9});
  return out;
}

// Memory follows what a stream holds, not what is said of it, and not even that without bounds.
TEST_F(Transcode, AFewBytesThatPromiseGigabytesOfPixelsTakeNoMemory) {
  using Stream = std::pair<std::string_view, Bytes>;
  for (const auto& [source, stream] :
       {Stream{dicom::kJpegProgressiveUid, blank_blocks()}, Stream{dicom::kJpegLosslessUid, Bytes(80, std::byte{0xD8})},
        Stream{dicom::kJpegLsUid, blank_lines()}, Stream{dicom::kJpeg2000LosslessUid, blank_codestream()}}) {
    FileBuilder file;
    file.meta(source)
        .text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.7")
        .text(dicom::kSopInstanceUid, "UI", "1.2.3.4")
        .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
        .u16(dicom::kSamplesPerPixel, "US", {1})
        .text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2")
        .u16(dicom::kRows, "US", {40000})
        .u16(dicom::kColumns, "US", {40000})
        .u16(dicom::kBitsAllocated, "US", {16})
        .u16(dicom::kBitsStored, "US", {16})
        .u16(dicom::kHighBit, "US", {15})
        .u16(dicom::kPixelRepresentation, "US", {0})
        .fragments({{}, stream});
    write("bomb", file.take());
    const Archive archive = pack_source();
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    for (const auto& [syntax, error] : {std::pair("explicit", 0U), std::pair("rle", 0U), std::pair("htj2k-lossy", 1U)})
      EXPECT_EQ(unpack_as(syntax, error).failed, 1U) << source << " as " << syntax;
    ConvertOptions options;
    options.to_version1 = true;
    EXPECT_FALSE(convert(scratch_ / "series.dcbs", scratch_ / "v1.dcbs", options)) << source;
    options.to_version1 = false;
    options.max_error = 1;
    EXPECT_FALSE(convert(scratch_ / "series.dcbs", scratch_ / "lossy.dcbl", options)) << source;
    Bytes small(Archive::reduced(archive.pixel_format(0), 7).frame_bytes());
    EXPECT_FALSE(archive.read_frame_reduced(0, 7, small)) << source;
    ::getrusage(RUSAGE_SELF, &after);
    if (testing::kMeasure) {
      EXPECT_LE(after.ru_maxrss - before.ru_maxrss, 100 * 1024) << source << ": KiB";
    }
  }
}

TEST_F(Transcode, BytesThatCantBeExplainedAreNamedByTheirPlaceInTheSourceFile) {
  Bytes file = image(1, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.1", 64);
  const std::size_t end = file.size();
  append(file, Bytes(8, std::byte{0xAA}));
  write("a", file);
  pack_source();
  const UnpackReport report = unpack_as("jpeg-ls");
  ASSERT_EQ(report.errors.size(), 1U);
  EXPECT_NE(report.errors[0].message.find(formatted("byte {}", end)), std::string::npos) << report.errors[0].message;
}

TEST_F(Transcode, LessThanAnElementBehindPixelDataIsNoReasonToRefuseThem) {
  const auto make = [](std::string_view uid) {
    return image(1, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, uid, 64);
  };
  for (std::size_t size : {1, 7}) {
    Bytes file = make(formatted("1.2.3.{}", size));
    append(file, Bytes(size, std::byte{0x0A}));
    write(formatted("behind {}", size), file);
  }
  Bytes without_pixels = make("1.2.3.9");
  without_pixels.resize(without_pixels.size() - 64 * 64 * 2 - 5);
  write("cut in the header of its pixel data", without_pixels);
  const Archive archive = pack_source();
  for (const char* syntax : {"implicit", "jpeg-ls"}) {
    const UnpackReport report = unpack_as(syntax);
    ASSERT_EQ(report.errors.size(), 1U) << syntax;
    EXPECT_NE(report.errors[0].message.find("can't be explained"), std::string::npos) << report.errors[0].message;
    EXPECT_EQ(frames(written(syntax)), frames(archive)) << syntax;
  }
}

TEST_F(Transcode, AFileWithoutADataSetIsRefused) {
  Bytes file = image(1, 16, "MONOCHROME2", 1, false, Encoding::kExplicitLittle, "1.2.3.1");
  file.resize(132);
  write("cut", file);
  write("stray", FileBuilder().meta(dicom::testing::kExplicitLittleUid).header(0xFFFEE0DD, "", 0).take());
  PackOptions options;
  options.all = true;
  ASSERT_TRUE(pack({scratch_ / "source"}, scratch_ / "series.dcbs", options));
  const UnpackReport report = unpack_as("explicit");
  ASSERT_EQ(report.errors.size(), 2U);
  for (const Error& error : report.errors) EXPECT_EQ(error.error_class, ErrorClass::kNotDicom) << error.message;
}

}  // namespace
}  // namespace dicube
