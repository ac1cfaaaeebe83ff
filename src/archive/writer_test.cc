#include "archive/writer.h"

#include <gtest/gtest.h>

namespace dicube::archive {
namespace {

// Looking for each among those before it would take minutes.
TEST(ArchiveWriter, TakesFramesOfVeryManyFormatsAtOnce) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  ArchiveWriter writer(folder, "archive");
  format::FrameFormat format;
  format.bits_allocated = 8;
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    format.rows = 1 + i % 400;
    format.columns = 1 + i / 400;
    CodedFrame frames[1];
    frames[0].stored = Bytes(1);
    ASSERT_TRUE(writer.add_frames(format, frames));
  }
}

}  // namespace
}  // namespace dicube::archive
