// Elements of groups that repeat: overlays (60xx) and curves (50xx).
#include <gtest/gtest.h>

#include "dicom/tags.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::testing::FileBuilder;
using testing::ScratchFolder;

TEST(RepeatingGroups, HaveAPathEach) {
  ScratchFolder scratch;
  testing::write_file(scratch / "a.dcm", FileBuilder()
                                             .meta(dicom::testing::kExplicitLittleUid)
                                             .text(dicom::kSopInstanceUid, "UI", "1.2.3.1")
                                             .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
                                             .u16(0x60000010, "US", {5})
                                             .u16(0x60020010, "US", {7})
                                             .take());
  ASSERT_TRUE(pack({scratch / "a.dcm"}, scratch / "a.dcbs", {}));
  const auto archive = Archive::open(scratch / "a.dcbs");
  ASSERT_TRUE(archive);
  double sum = 0;
  for (const std::string& path : archive->paths())
    if (const auto column = archive->column(path); column && (column->tag() & 0xFF00FFFF) == 0x60000010)
      sum += column->number(0).value_or(0);
  EXPECT_EQ(sum, 12);
}

}  // namespace
}  // namespace dicube
