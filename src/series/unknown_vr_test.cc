// Elements that a file has with VR UN, in the data sets and the columns of an archive.
#include <gtest/gtest.h>

#include <algorithm>

#include "dicom/tags.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::Encoding;
using dicom::testing::FileBuilder;
using testing::ScratchFolder;

TEST(UnknownVr, OfAnElementOfTheStandardIsTheStandardsInDataSetsAsInColumns) {
  ScratchFolder scratch;
  testing::write_file(scratch / "a.dcm", FileBuilder()
                                             .meta(dicom::testing::kExplicitLittleUid)
                                             .text(dicom::kSopInstanceUid, "UI", "1.2.3.1")
                                             .sequence(0x00091002, false, "UN")
                                             .in(Encoding::kImplicitLittle)
                                             .item()
                                             .text(0x00091003, "LO", "AB")
                                             .end()
                                             .end()
                                             .in(Encoding::kExplicitLittle)
                                             .element(0x00091005, "UN", Bytes(2))
                                             .element(0x00100020, "UN", Bytes(2, std::byte{'7'}))
                                             .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
                                             .take());
  ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  const auto data = archive->data_set(0);
  ASSERT_TRUE(data);
  const auto vr_of = [&](std::uint32_t tag) {
    const auto found = std::ranges::find(data->elements, tag, &Element::tag);
    return found == data->elements.end() ? "absent" : found->vr;
  };
  EXPECT_EQ(vr_of(0x00100020), "LO");
  EXPECT_EQ(vr_of(0x00091002), "SQ") << "it has items";
  EXPECT_EQ(vr_of(0x00091005), "UN") << "private";
  EXPECT_EQ(archive->column("PatientID")->vr(), "LO");
  EXPECT_EQ(archive->column("0009,1002")->vr(), "SQ");
}

TEST(UnknownVr, OfWhatHasItemsInImplicitVrIsThatOfASequence) {
  ScratchFolder scratch;
  testing::write_file(scratch / "a.dcm", FileBuilder()
                                             .meta(dicom::testing::kImplicitLittleUid)
                                             .in(Encoding::kImplicitLittle)
                                             .text(dicom::kSopInstanceUid, "UI", "1.2.3.1")
                                             .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
                                             .sequence(0x20051080)
                                             .item()
                                             .text(0x20051081, "LO", "AB")
                                             .end()
                                             .end()
                                             .take());
  ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  EXPECT_EQ(archive->data_set(0)->elements.back().vr, "SQ");
  EXPECT_EQ(archive->column("2005,1080")->vr(), "SQ");
  EXPECT_EQ(archive->frame_column("2005,1080")->vr(), "SQ");
}

TEST(UnknownVr, HasTheSignOfItsOwnImageWhereTheStandardLeavesItToPixelRepresentation) {
  ScratchFolder scratch;
  const Bytes lowest = {std::byte{0}, std::byte{0x80}};
  const auto write = [&](const char* name, const char* uid, std::uint16_t representation, const char* padding_vr) {
    testing::write_file(scratch / name, FileBuilder()
                                            .meta(dicom::testing::kExplicitLittleUid)
                                            .text(dicom::kSopInstanceUid, "UI", uid)
                                            .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
                                            .u16(dicom::kPixelRepresentation, "US", {representation})
                                            .element(0x00280120, padding_vr, lowest)
                                            .take());
  };
  write("a.dcm", "1.2.3.1", 0, "UN");
  write("b.dcm", "1.2.3.2", 1, "UN");
  write("c.dcm", "1.2.3.3", 1, "US");
  write("d.dcm", "1.2.3.4", 0, "SS");
  ASSERT_TRUE(
      pack({scratch / "a.dcm", scratch / "b.dcm", scratch / "c.dcm", scratch / "d.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  const auto padding = archive->column("PixelPaddingValue");
  const auto of_frames = archive->frame_column("PixelPaddingValue");
  ASSERT_TRUE(padding && of_frames);
  const std::vector<std::pair<std::string, double>> expected = {
      {"US", 32768}, {"SS", -32768}, {"US", 32768}, {"SS", -32768}};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(padding->vr(i), expected[i].first) << i;
    EXPECT_EQ(padding->number(i), expected[i].second) << i;
  }
  EXPECT_FALSE(padding->is_constant()) << "the same bytes are different numbers";
}

TEST(UnknownVr, InAnIconFollowsThePixelRepresentationOfTheIcon) {
  ScratchFolder scratch;
  const Bytes lowest = {std::byte{0}, std::byte{0x80}};
  const auto write = [&](const char* name, const char* uid, bool says) {
    FileBuilder file(Encoding::kImplicitLittle);
    file.meta(dicom::testing::kImplicitLittleUid).text(dicom::kSopInstanceUid, "UI", uid);
    file.text(dicom::kSeriesInstanceUid, "UI", "1.2.3").u16(dicom::kPixelRepresentation, "US", {1});
    file.element(0x00280120, "US", lowest).sequence(0x00880200).item();
    if (says) file.u16(dicom::kPixelRepresentation, "US", {0});
    file.element(0x00280120, "US", lowest).end().end();
    testing::write_file(scratch / name, file.take());
  };
  write("a.dcm", "1.2.3.1", true);
  write("b.dcm", "1.2.3.2", false);
  ASSERT_TRUE(pack({scratch / "a.dcm", scratch / "b.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  EXPECT_EQ(archive->column("PixelPaddingValue")->number(0), -32768);
  const auto of_icons = archive->column("IconImageSequence.PixelPaddingValue");
  EXPECT_EQ(of_icons->number(0), 32768);
  EXPECT_EQ(of_icons->number(1), -32768) << "it has none of its own";
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(archive->data_set(i)->elements.back().items[0].back().vr, of_icons->vr(i)) << i;
}

}  // namespace
}  // namespace dicube
