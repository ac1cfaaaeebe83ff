#include "base/spelling.h"

#include <gtest/gtest.h>

namespace dicube {
namespace {

constexpr std::string_view kKnown[] = {"PatientID", "PatientName", "PatientSex", "SeriesNumber"};

TEST(AMistypedWord, IsTheNearestOneThatIsKnown) {
  EXPECT_EQ(nearest_word("PatientNmae", kKnown), "PatientName");
  EXPECT_EQ(nearest_word("SeriesNumbr", kKnown), "SeriesNumber");
  EXPECT_EQ(nearest_word("PatientSexx", kKnown), "PatientSex");
}

TEST(AMistypedWord, MayHaveLettersOfAnotherCase) { EXPECT_EQ(nearest_word("PATIENTID", kKnown), "PatientID"); }

TEST(AMistypedWord, IsNoneOfThoseThatAreFarFromIt) {
  EXPECT_EQ(nearest_word("Modality", kKnown), std::nullopt);
  EXPECT_EQ(nearest_word("", kKnown), std::nullopt);
  EXPECT_EQ(nearest_word("Patient", {}), std::nullopt);
}

}  // namespace
}  // namespace dicube
