#include "cli/picture.h"

#include <gtest/gtest.h>

#include "dicom/testing.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube::cli {
namespace {

using dicom::testing::FileBuilder;

FileBuilder image(std::uint16_t samples, const char* photometric, std::uint16_t size) {
  FileBuilder file(dicom::Encoding::kExplicitLittle);
  file.meta(dicom::testing::kExplicitLittleUid);
  file.text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.7").text(dicom::kSopInstanceUid, "UI", "1.2.3.1");
  file.text(dicom::kSeriesInstanceUid, "UI", "1.2.3").u16(dicom::kSamplesPerPixel, "US", {samples});
  file.text(dicom::kPhotometricInterpretation, "CS", photometric);
  if (samples > 1) file.u16(dicom::kPlanarConfiguration, "US", {0});
  file.u16(dicom::kRows, "US", {size}).u16(dicom::kColumns, "US", {size});
  file.u16(dicom::kBitsAllocated, "US", {8}).u16(dicom::kBitsStored, "US", {8}).u16(dicom::kHighBit, "US", {7});
  file.u16(dicom::kPixelRepresentation, "US", {0});
  return file;
}

// An archive of one file. It stays open; its file is gone with `scratch`.
Archive packed(const testing::ScratchFolder& scratch, const Bytes& file, Codec codec = Codec::kAuto) {
  testing::write_file(scratch / "image", file);
  PackOptions options;
  options.codec = codec;
  EXPECT_TRUE(pack({scratch / "image"}, scratch / "image.dcbs", options));
  return Archive::open(scratch / "image.dcbs").value();
}

// The red, green and blue of each pixel of a picture of this size.
std::vector<std::uint8_t> thumbnail(const Bytes& file, std::uint32_t size, Codec codec = Codec::kAuto) {
  const testing::ScratchFolder scratch;
  const Archive archive = packed(scratch, file, codec);
  return shades_of(archive, 0, read_picture(archive, 0, size).value(), {});
}

TEST(AThumbnail, OfLuminanceAndChrominanceHasItsColours) {
  constexpr std::uint16_t kSize = 8;
  Bytes pixels;
  for (std::size_t i = 0; i < std::size_t{kSize} * kSize; ++i)
    for (const int value : {76, 85, 255}) pixels.push_back(static_cast<std::byte>(value));  // red
  const auto shades = thumbnail(image(3, "YBR_FULL", kSize).element(dicom::kPixelData, "OB", pixels).take(), kSize);
  ASSERT_EQ(shades.size(), pixels.size());
  EXPECT_GE(shades[0], 253);
  EXPECT_LE(shades[1], 2);
  EXPECT_LE(shades[2], 2);
}

// Red, green, blue and black for the indices 10 to 13, each with entries of these bits.
FileBuilder& add_palette(FileBuilder& file, std::uint16_t bits) {
  const auto most = static_cast<std::uint16_t>(bits == 8 ? 255 : 65535);
  for (std::uint32_t colour = 0; colour < 3; ++colour) file.u16(0x00281101 + colour, "US", {4, 10, bits});
  return file.u16(0x00281201, "OW", {most, 0, 0, 0})
      .u16(0x00281202, "OW", {0, most, 0, 0})
      .u16(0x00281203, "OW", {0, 0, most, 0});
}

TEST(AThumbnail, OfAPaletteHasItsColoursAndMixesTheseNotTheirNumbers) {
  constexpr std::uint16_t kSize = 64;
  Bytes pixels;  // columns of red and blue, whose mean number would be green's
  for (std::size_t i = 0; i < std::size_t{kSize} * kSize; ++i)
    pixels.push_back(i % 2 == 0 ? std::byte{10} : std::byte{12});
  for (const std::uint16_t bits : {std::uint16_t{8}, std::uint16_t{16}})
    for (const Codec codec : {Codec::kAuto, Codec::kHtj2k}) {
      FileBuilder file = image(1, "PALETTE COLOR", kSize);
      const Bytes bytes = add_palette(file, bits).element(dicom::kPixelData, "OB", pixels).take();
      const auto whole = thumbnail(bytes, kSize, codec), half = thumbnail(bytes, kSize / 2, codec);
      ASSERT_EQ(whole.size(), std::size_t{3} * kSize * kSize);
      EXPECT_EQ(std::vector(whole.begin(), whole.begin() + 6), (std::vector<std::uint8_t>{255, 0, 0, 0, 0, 255}));
      ASSERT_EQ(half.size(), whole.size() / 4);
      EXPECT_EQ(std::vector(half.begin(), half.begin() + 3), (std::vector<std::uint8_t>{127, 0, 127}));
    }
}

TEST(AThumbnail, OfAPaletteInSegmentsHasItsColours) {
  Bytes pixels;
  for (std::size_t i = 0; i < 64; ++i) pixels.push_back(static_cast<std::byte>(10 + i % 3));
  FileBuilder file = image(1, "PALETTE COLOR", 8);
  for (std::uint32_t colour = 0; colour < 3; ++colour) file.u16(0x00281101 + colour, "US", {3, 10, 16});
  file.u16(0x00281221, "OW", {0, 1, 65535, 1, 2, 0}).u16(0x00281222, "OW", {0, 1, 0, 1, 2, 65535});
  file.u16(0x00281223, "OW", {0, 1, 0, 2, 1, 0, 0, 0, 1, 257});
  const auto shades = thumbnail(file.element(dicom::kPixelData, "OB", pixels).take(), 8);
  ASSERT_EQ(shades.size(), 3U * 64);
  EXPECT_EQ(std::vector(shades.begin(), shades.begin() + 9),
            (std::vector<std::uint8_t>{255, 0, 0, 127, 127, 0, 0, 255, 1}));
}

TEST(AThumbnail, OfAPaletteThatIsNotThereShowsItsNumbersAndOneThatIsCutOffIsAnError) {
  const Bytes pixels(64, std::byte{10});
  EXPECT_EQ(thumbnail(image(1, "PALETTE COLOR", 8).element(dicom::kPixelData, "OB", pixels).take(), 8).size(), 64U);
  FileBuilder file = image(1, "PALETTE COLOR", 8);
  for (std::uint32_t colour = 0; colour < 3; ++colour) file.u16(0x00281101 + colour, "US", {4, 10, 16});
  for (std::uint32_t colour = 0; colour < 3; ++colour) file.u16(0x00281201 + colour, "OW", {1, 2, 3});
  const testing::ScratchFolder scratch;
  const Archive archive = packed(scratch, file.element(dicom::kPixelData, "OB", pixels).take());
  const auto picture = read_picture(archive, 0, 8);
  ASSERT_FALSE(picture);
  EXPECT_EQ(picture.error().error_class, ErrorClass::kUnsupported);
  EXPECT_NE(picture.error().message.find("3 entries, where 4 are promised"), std::string::npos)
      << picture.error().message;
}

}  // namespace
}  // namespace dicube::cli
