// The same files give the same bytes (R16).
#include <gtest/gtest.h>

#include <filesystem>
#include <locale>
#include <random>

#include "series/golden_testing.h"

namespace dicube {
namespace {

namespace fs = std::filesystem;
using testing::ScratchFolder;

TEST(Reproducible, TheSameFilesGiveTheSameBytesWithAnyNumberOfThreadsInAnyOrder) {
  const ScratchFolder scratch;
  std::vector<Bytes> images;
  std::vector<std::string> names;
  for (unsigned i = 1; i <= 24; ++i) {
    images.push_back(dicom::testing::ct_image(1 + i % 20, 16, 16));  // some instances are there twice, and tie
    names.push_back((i % 3 == 0 ? "b/" : "a/") + std::to_string(i) + ".dcm");
  }
  std::vector<std::size_t> order(images.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937_64 random(3);
  std::optional<Bytes> first;
  for (int round = 0; round < 4; ++round) {
    const std::string source = scratch / ("source" + std::to_string(round));
    std::ranges::shuffle(order, random);  // files are made in another order, too
    for (const std::size_t i : order) testing::write_file(source + "/" + names[i], images[i]);
    std::ranges::shuffle(order, random);
    std::vector<std::string> sources;
    for (const std::size_t i : order) sources.push_back(source + "/" + names[i]);
    for (unsigned threads = 1; threads <= 16; ++threads) {
      const std::string archive = scratch / formatted("{}-{}.dcbs", round, threads);
      for (const auto& from : {std::vector<std::string>{source}, sources}) {
        fs::remove(archive);
        const Bytes bytes = testing::pack_bytes(from, archive, threads);
        ASSERT_FALSE(bytes.empty());
        if (!first) first = bytes;
        EXPECT_TRUE(bytes == *first) << "round " << round << ", " << threads << " threads, " << from.size()
                                     << " sources";
      }
    }
  }
  const auto content = testing::read_content(*first);
  ASSERT_TRUE(content) << describe(content.error());
  EXPECT_EQ(content->files.size(), images.size());
}

// Thousands in groups of two, and a decimal comma.
class OddNumbers : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\2"; }
};

TEST(Reproducible, TheTimeZoneAndTheLocaleChangeNothing) {
  const ScratchFolder scratch;
  testing::write_series(scratch / "a", 5, 16);
  const Bytes expected = testing::pack_bytes({scratch / "a"}, scratch / "first.dcbs");
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new OddNumbers));
  for (const char* zone : {"UTC", "Asia/Kathmandu", "America/St_Johns"}) {
    ::setenv("TZ", zone, 1);
    ::tzset();
    EXPECT_TRUE(testing::pack_bytes({scratch / "a"}, scratch / (std::string(zone, 3) + ".dcbs")) == expected) << zone;
  }
  std::locale::global(before);
  ::unsetenv("TZ");
}

TEST(Reproducible, OtherPixelsGiveOtherBytes) {
  const ScratchFolder scratch;
  testing::write_series(scratch / "a", 3);
  testing::write_series(scratch / "b", 3);
  Bytes changed = testing::read_bytes(scratch / "b/2.dcm");
  changed.back() ^= std::byte{1};
  testing::write_file(scratch / "b/2.dcm", changed);
  EXPECT_FALSE(testing::pack_bytes({scratch / "a"}, scratch / "a.dcbs") ==
               testing::pack_bytes({scratch / "b"}, scratch / "b.dcbs"));
}

}  // namespace
}  // namespace dicube
