#include <gtest/gtest.h>

#include "dicube/dicube.h"
#include "series/faulty_system.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using testing::ScratchFolder;

Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    store_le(bytes.data() + at, seed);
  }
  return bytes;
}

TEST(Verify, ReadsTheArchiveOnce) {
  const ScratchFolder folder;
  for (unsigned i = 1; i <= 4; ++i) {
    dicom::testing::FileBuilder file;
    file.raw(dicom::testing::ct_image(i, 64, 64)).element(0x7FE10010, "OB", noise(1 << 20, i));
    testing::write_file(folder / ("in/" + std::to_string(i)), file.take());
  }
  const std::uint64_t size = testing::pack_bytes({folder / "in"}, folder / "a.dcbs").size();
  ASSERT_GT(size, std::uint64_t{4} << 20);
  testing::CountingSystem system;
  const io::ReplacedSystem replaced(system);
  CallOptions options;
  options.threads = 1;  // several may each read a run of values that they share
  const auto report = verify(folder / "a.dcbs", options);
  ASSERT_TRUE(report && report->errors.empty());
  EXPECT_GE(system.bytes, size);
  EXPECT_LT(system.bytes, size + size / 8);
}

}  // namespace
}  // namespace dicube
