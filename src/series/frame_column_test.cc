// Values per frame, from functional groups.
#include <gtest/gtest.h>

#include <optional>

#include "dicom/tags.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::Encoding;
using dicom::testing::FileBuilder;
using testing::ScratchFolder;

constexpr dicom::Tag kPlanePosition = 0x00209113, kPixelMeasures = 0x00289110, kPixelSpacing = 0x00280030,
                     kFrameContent = 0x00209111, kFrameLabel = 0x00209453;
constexpr dicom::Tag kPrivateCreator = 0x20050010, kPrivateSequence = 0x2005140F, kPrivateLabel = 0x20051401;
constexpr dicom::Tag kDerivation = 0x00089124, kSourceImage = 0x00082112, kReferencedUid = 0x00081155;

struct Enhanced {
  std::string uid, label = {};
  unsigned frames = 3, items = 3;  // items of the per-frame groups
  bool has_shared = true, has_own_spacing = false, has_private = false;
  Encoding encoding = Encoding::kExplicitLittle;
  std::optional<std::uint32_t> first_frame = {};  // of a part of a concatenation
};

Bytes make(const Enhanced& what) {
  FileBuilder file(what.encoding);
  file.meta(what.encoding == Encoding::kImplicitLittle ? dicom::testing::kImplicitLittleUid
                                                       : dicom::testing::kExplicitLittleUid);
  file.text(dicom::kSpecificCharacterSet, "CS", what.uid == "1.2.3.1" ? "ISO_IR 192" : "ISO_IR 100");
  file.text(dicom::kSopClassUid, "UI", "1.2.840.10008.5.1.4.1.1.2.1")
      .text(dicom::kSopInstanceUid, "UI", what.uid)
      .text(dicom::kModality, "CS", "CT");
  file.text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
      .text(dicom::kInstanceNumber, "IS", what.first_frame ? "7" : what.uid.substr(what.uid.size() - 1));
  if (what.first_frame) file.u32(dicom::kConcatenationFrameOffset, "UL", {*what.first_frame});
  file.u16(dicom::kSamplesPerPixel, "US", {1})
      .text(dicom::kPhotometricInterpretation, "CS", "MONOCHROME2")
      .text(dicom::kNumberOfFrames, "IS", std::to_string(what.frames));
  file.u16(dicom::kRows, "US", {2}).u16(dicom::kColumns, "US", {2});
  if (what.has_own_spacing) file.text(kPixelSpacing, "DS", "9\\9");
  file.u16(dicom::kBitsAllocated, "US", {16})
      .u16(dicom::kBitsStored, "US", {16})
      .u16(dicom::kHighBit, "US", {15})
      .u16(dicom::kPixelRepresentation, "US", {0});
  if (what.has_shared)
    file.sequence(dicom::kSharedGroups)
        .item()
        .sequence(kPixelMeasures)
        .item()
        .text(kPixelSpacing, "DS", "0.5\\0.25")
        .end()
        .end()
        .end()
        .end();
  file.sequence(dicom::kPerFrameGroups);
  for (unsigned i = 0; i < what.items; ++i) {
    file.item();
    file.sequence(kDerivation).item().sequence(kSourceImage);
    for (unsigned source = 0; source < i; ++source)
      file.item().text(kReferencedUid, "UI", "1." + std::to_string(i) + "." + std::to_string(source)).end();
    file.end().end().end();
    if (i == 1)
      file.sequence(kPlanePosition).end();  // without an item
    else
      file.sequence(kPlanePosition)
          .item()
          .text(dicom::kImagePosition, "DS", "0\\0\\" + std::to_string(i * 10))
          .end()
          .end();
    file.sequence(kFrameContent).item().text(kFrameLabel, "LO", what.label + std::to_string(i)).end().end();
    if (what.has_private)
      file.text(kPrivateCreator, "LO", "A SCANNER")
          .sequence(kPrivateSequence)
          .item()
          .text(kPixelSpacing, "DS", "7\\7")
          .text(kPrivateCreator, "LO", "A SCANNER")
          .text(kPrivateLabel, "LO", "p" + std::to_string(i))
          .end()
          .end();
    if (i == 2) file.sequence(kPixelMeasures).item().text(kPixelSpacing, "DS", "2\\2").end().end();
    file.end();
  }
  file.end();
  return file.element(dicom::kPixelData, "OW", Bytes(what.frames * 8)).take();
}

class FrameColumn : public ::testing::Test {
 protected:
  Archive packed(const std::vector<Enhanced>& files) {
    for (const Enhanced& file : files) testing::write_file(scratch_ / ("source/" + file.uid), make(file));
    testing::pack_bytes({scratch_ / "source"}, scratch_ / "series.dcbs");
    return Archive::open(scratch_ / "series.dcbs").value();
  }
  static std::vector<std::string> texts(const Column& column) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < column.size(); ++i) out.push_back(column.text(i).value_or("-"));
    return out;
  }
  static std::vector<std::string> texts(const Archive& archive, std::string_view path) {
    return texts(archive.frame_column(path).value());
  }
  ScratchFolder scratch_;
};

using Texts = std::vector<std::string>;

TEST(Column, TextsInItemsAreInTheirOwnCharacterSetOrTheInheritedOne) {
  constexpr dicom::Tag kCodes = 0x00082218, kMeaning = 0x00080104;
  FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid)
      .text(dicom::kSpecificCharacterSet, "CS", "ISO_IR 100")
      .text(dicom::kSopInstanceUid, "UI", "1.2.3.4")
      .sequence(kCodes)
      .item()
      .text(kMeaning, "LO", "\xE4")
      .end()
      .item()
      .text(dicom::kSpecificCharacterSet, "CS", "ISO_IR 144")
      .text(kMeaning, "LO", "\xE4")
      .end()
      .end()
      .text(dicom::kSeriesInstanceUid, "UI", "1.2.3");
  const ScratchFolder folder;
  testing::write_file(folder / "in/a", file.take());
  ASSERT_TRUE(pack({folder / "in"}, folder / "out.dcbs").has_value());
  const Archive archive = Archive::open(folder / "out.dcbs").value();
  EXPECT_EQ(archive.column("AnatomicRegionSequence[0].CodeMeaning")->text(0).value().substr(0, 2), "\u00E4");
  EXPECT_EQ(archive.column("AnatomicRegionSequence[1].CodeMeaning")->text(0).value().substr(0, 2), "\u0444");
}

TEST(ColumnByItems, FindsASequenceInAnItemToo) {
  ScratchFolder scratch;
  testing::write_file(scratch / "a.dcm", make({"1.2.3.1"}));
  ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  const auto present = [&](const char* path) {
    const auto column = archive->column(path);
    return column && column->is_present(0);
  };
  EXPECT_TRUE(present("PerFrameFunctionalGroupsSequence[2].PlanePositionSequence"));
  EXPECT_FALSE(present("PerFrameFunctionalGroupsSequence[3].PlanePositionSequence"));
  EXPECT_TRUE(present("PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0].ImagePositionPatient"));
}

TEST_F(FrameColumn, TakesTheFramesOwnGroupThenTheSharedOneThenTheDataSet) {
  const Archive archive =
      packed({{.uid = "1.2.3.1", .label = "\u00e9"},
              {.uid = "1.2.3.2", .label = "\xE9", .frames = 4, .has_shared = false, .has_own_spacing = true}});
  ASSERT_EQ(archive.frame_count(), 7U);
  EXPECT_EQ(texts(archive, "PixelSpacing"), (Texts{"0.5\\0.25", "0.5\\0.25", "2\\2", "9\\9", "9\\9", "2\\2", "9\\9"}));
  EXPECT_EQ(texts(archive, "PixelMeasuresSequence.PixelSpacing"),
            (Texts{"0.5\\0.25", "0.5\\0.25", "2\\2", "-", "-", "2\\2", "-"}));
  EXPECT_EQ(texts(archive, "ImagePositionPatient"),
            (Texts{"0\\0\\0", "-", "0\\0\\20", "0\\0\\0", "-", "0\\0\\20", "-"}));
  EXPECT_EQ(texts(archive, "InstanceNumber"), (Texts{"1", "1", "1", "2", "2", "2", "2"}));
  EXPECT_EQ(texts(archive, "FrameLabel"),
            (Texts{"\u00e90", "\u00e91", "\u00e92", "\u00e90", "\u00e91", "\u00e92", "-"}));
  const Column spacing = archive.frame_column("0028,0030").value();
  EXPECT_EQ(spacing.vr(), "DS");
  EXPECT_FALSE(spacing.is_constant());
  EXPECT_EQ(spacing.numbers(2), (std::vector<double>{2, 2}));
  EXPECT_TRUE(archive.frame_column("Modality").value().is_constant());
}

TEST_F(FrameColumn, LooksIntoPrivateSequencesOnlyWhereTheyAreMeant) {
  const Archive archive = packed({{.uid = "1.2.3.1", .has_private = true}});
  EXPECT_EQ(texts(archive, "PixelSpacing"), (Texts{"0.5\\0.25", "0.5\\0.25", "2\\2"}));
  EXPECT_EQ(texts(archive, "2005,140F.PixelSpacing"), (Texts{"7\\7", "7\\7", "7\\7"}));
  EXPECT_EQ(texts(archive, "2005,1401"), (Texts{"p0", "p1", "p2"}));
}

TEST_F(FrameColumn, KnowsWhichFramesHaveASequence) {
  const Archive archive = packed({{.uid = "1.2.3.1", .frames = 2}});
  const Column derivation = archive.frame_column("SourceImageSequence").value();
  EXPECT_EQ(derivation.vr(), "SQ");
  EXPECT_TRUE(derivation.is_present(0) && derivation.is_present(1));
  EXPECT_EQ(archive.frame_column("PixelMeasuresSequence").value().size(), 2U);
}

TEST_F(FrameColumn, FollowsItemNumbersInGroups) {
  const Archive archive = packed({{.uid = "1.2.3.1"}});
  EXPECT_EQ(texts(archive, "ReferencedSOPInstanceUID"), (Texts{"-", "1.1.0", "1.2.0"}));
  EXPECT_EQ(texts(archive, "SourceImageSequence[1].ReferencedSOPInstanceUID"), (Texts{"-", "-", "1.2.1"}));
  EXPECT_EQ(texts(archive, "DerivationImageSequence[0].SourceImageSequence[1].ReferencedSOPInstanceUID"),
            (Texts{"-", "-", "1.2.1"}));
  EXPECT_EQ(texts(archive, "DerivationImageSequence[1].SourceImageSequence[1].ReferencedSOPInstanceUID"),
            (Texts{"-", "-", "-"}));
  EXPECT_EQ(archive.frame_column("PatientName").error().error_class, ErrorClass::kNotFound);
  EXPECT_EQ(archive.frame_column("no path").error().error_class, ErrorClass::kUsage);
}

TEST_F(FrameColumn, OfImplicitVrAndOfMoreItemsThanFrames) {
  const Archive archive = packed({{.uid = "1.2.3.1", .frames = 2, .items = 5, .encoding = Encoding::kImplicitLittle}});
  EXPECT_EQ(texts(archive, "ImagePositionPatient"), (Texts{"0\\0\\0", "-"}));
  EXPECT_EQ(archive.frame_column("PixelSpacing").value().vr(), "DS");
  EXPECT_TRUE(archive.frame_column("PixelSpacing").value().is_constant());
}

TEST_F(FrameColumn, OfAConcatenationGoesFromPartToPart) {
  const Archive archive = packed({{.uid = "1.2.3.1", .label = "c", .first_frame = 6},
                                  {.uid = "1.2.3.2", .label = "a", .first_frame = 0},
                                  {.uid = "1.2.3.3", .label = "b", .first_frame = 3}});
  EXPECT_EQ(texts(archive, "FrameLabel"), (Texts{"a0", "a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2"}));
}

TEST_F(FrameColumn, OfSingleFramesIsThatOfInstances) {
  testing::write_series(scratch_ / "source", 4);
  testing::pack_bytes({scratch_ / "source"}, scratch_ / "series.dcbs");
  const Archive archive = Archive::open(scratch_ / "series.dcbs").value();
  for (const char* path : {"InstanceNumber", "Rows", "SOPInstanceUID"})
    EXPECT_EQ(texts(archive, path), texts(archive.column(path).value())) << path;
}

}  // namespace
}  // namespace dicube
