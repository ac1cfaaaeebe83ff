#include "cli/picture.h"

#include <gtest/gtest.h>

#include "dicom/testing.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube::cli {
namespace {

using dicom::testing::FileBuilder;

TEST(AThumbnail, OfLuminanceAndChrominanceHasItsColours) {
  constexpr std::uint16_t kSize = 8;
  FileBuilder file(dicom::Encoding::kExplicitLittle);
  file.meta(dicom::testing::kExplicitLittleUid);
  file.text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.7").text(dicom::kSopInstanceUid, "UI", "1.2.3.1");
  file.text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
      .u16(dicom::kSamplesPerPixel, "US", {3})
      .text(dicom::kPhotometricInterpretation, "CS", "YBR_FULL")
      .u16(dicom::kPlanarConfiguration, "US", {0})
      .u16(dicom::kRows, "US", {kSize})
      .u16(dicom::kColumns, "US", {kSize});
  file.u16(dicom::kBitsAllocated, "US", {8}).u16(dicom::kBitsStored, "US", {8}).u16(dicom::kHighBit, "US", {7});
  file.u16(dicom::kPixelRepresentation, "US", {0});
  Bytes pixels;
  for (std::size_t i = 0; i < std::size_t{kSize} * kSize; ++i)
    for (const int value : {76, 85, 255}) pixels.push_back(static_cast<std::byte>(value));  // red
  const testing::ScratchFolder scratch;
  testing::write_file(scratch / "red", file.element(dicom::kPixelData, "OB", pixels).take());
  ASSERT_TRUE(pack({scratch / "red"}, scratch / "red.dcbs", {}));
  const Archive archive = Archive::open(scratch / "red.dcbs").value();
  const auto shades = shades_of(archive, 0, read_picture(archive, 0, kSize).value(), {});
  ASSERT_EQ(shades.size(), pixels.size());
  EXPECT_GE(shades[0], 253);
  EXPECT_LE(shades[1], 2);
  EXPECT_LE(shades[2], 2);
}

}  // namespace
}  // namespace dicube::cli
