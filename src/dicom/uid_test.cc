#include "dicom/uid.h"

#include <gtest/gtest.h>

namespace dicube::dicom {
namespace {

TEST(DerivedUid, IsAValidUidAndTheSameForTheSameText) {
  const std::string uid = derived_uid("1.2.3/4");
  EXPECT_EQ(uid, derived_uid("1.2.3/4"));
  EXPECT_NE(uid, derived_uid("1.2.3/5"));
  EXPECT_TRUE(uid.starts_with("2.25."));
  EXPECT_LE(uid.size(), 64U);
  EXPECT_EQ(uid.find_first_not_of("0123456789."), std::string::npos);
}

TEST(Video, IsMpegHevcAndSt2110WholeOrInFragments) {
  for (const std::string_view last : {"100", "100.1", "101", "102.1", "106", "107", "108"})
    EXPECT_TRUE(is_video("1.2.840.10008.1.2.4." + std::string(last))) << last;
  EXPECT_TRUE(is_video("1.2.840.10008.1.2.7.1"));
  for (const std::string_view last : {"4.10", "4.50", "4.110", "4.1000", "4.201", "1", "5", ""})
    EXPECT_FALSE(is_video("1.2.840.10008.1.2." + std::string(last))) << last;
  EXPECT_FALSE(is_video(""));
}

}  // namespace
}  // namespace dicube::dicom
