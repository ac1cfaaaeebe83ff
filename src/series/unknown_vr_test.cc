// Elements that a file has with VR UN, in the data sets and the columns of an archive.
#include <gtest/gtest.h>

#include <algorithm>

#include "dicom/dictionary.h"
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
}

}  // namespace
}  // namespace dicube
