// A codec that is wrong by one in one pixel is caught when an archive is packed, always.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <random>

#include "archive/code_frame.h"
#include "dicube/archive.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using archive::CodedFrame;
using archive::FaultyCodec;
using codec::CodecId;

constexpr unsigned kInstances = 3, kSide = 24;

// The stream of a frame that differs from the coded one by one in one value.
void change_one_value(const codec::Shape& shape, CodedFrame& frame, std::size_t value) {
  codec::Workspace workspace;
  Bytes pixels(codec::frame_bytes(shape).value());
  ASSERT_TRUE(workspace.decode(frame.codec, shape, frame.stored, pixels).has_value());
  pixels[2 * value] ^= std::byte{1};
  codec::Shape wider = shape;
  wider.precision = 0;
  Bytes stored;
  ASSERT_TRUE(workspace.encode(frame.codec, wider, pixels, stored).has_value());
  frame.stored = std::move(stored);
}

void write_series(const testing::ScratchFolder& folder) {
  for (unsigned i = 1; i <= kInstances; ++i)
    testing::write_file(folder / ("dicom/" + std::to_string(i)), dicom::testing::ct_image(i, kSide, kSide));
}

TEST(AFaultyCodec, ThatIsWrongByOneInOnePixelIsCaughtAndReplacedByAnother) {
  testing::ScratchFolder folder;
  write_series(folder);
  std::mt19937 random(1);
  for (unsigned round = 0; round < testing::rounds(100, 1000); ++round) {
    const std::size_t bad_frame = random() % kInstances, value = random() % (kSide * kSide);
    std::atomic<std::size_t> frames = 0;
    FaultyCodec faulty([&](const codec::Shape& shape, CodedFrame& frame) {
      if (frame.codec == CodecId::kHtj2k && frames++ == bad_frame) change_one_value(shape, frame, value);
    });
    PackOptions options;
    options.on_conflict = OnConflict::kOverwrite;
    options.codec = Codec::kHtj2k;
    auto summary = pack({folder / "dicom"}, folder / "one.dcbs", options);
    ASSERT_TRUE(summary.has_value()) << describe(summary.error());
    ASSERT_FALSE(summary->series[0].error) << describe(*summary->series[0].error);
    ASSERT_FALSE(summary->series[0].findings.empty());
    EXPECT_EQ(summary->series[0].findings[0].code, "codec_not_exact");
    auto archive = Archive::open(folder / "one.dcbs");
    ASSERT_TRUE(archive.has_value());
    for (unsigned i = 0; i < kInstances; ++i)
      EXPECT_TRUE(same_bytes(archive->read_instance(i).value(), dicom::testing::ct_image(i + 1, kSide, kSide)));
  }
}

TEST(AFaultyCodec, ThatHasNoReplacementIsDoneWithout) {
  testing::ScratchFolder folder;
  write_series(folder);
  FaultyCodec faulty([&](const codec::Shape& shape, CodedFrame& frame) { change_one_value(shape, frame, 7); });
  auto summary = pack({folder / "dicom"}, folder / "one.dcbs");
  ASSERT_TRUE(summary.has_value());
  const SeriesReport& report = summary->series[0];
  ASSERT_FALSE(report.error) << describe(*report.error);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings.back().code, "kept_whole");
  EXPECT_EQ(report.findings.back().files.size(), kInstances);
  EXPECT_EQ(report.frames, 0U);
  auto archive = Archive::open(folder / "one.dcbs");
  ASSERT_TRUE(archive.has_value());
  for (unsigned i = 0; i < kInstances; ++i)
    EXPECT_TRUE(same_bytes(archive->read_instance(i).value(), dicom::testing::ct_image(i + 1, kSide, kSide)));
}

TEST(ACancelledPack, CodesNoFurtherFrame) {
  testing::ScratchFolder folder;
  for (unsigned i = 1; i <= 20; ++i)
    testing::write_file(folder / ("dicom/" + std::to_string(i)), dicom::testing::ct_image(i, kSide, kSide));
  struct Case {
    Codec codec;
    unsigned last;  // frame before it is cancelled
  };
  // While codecs are compared, of frames by themselves, and of frames right behind their files.
  for (const auto [codec, last] : {Case{Codec::kAuto, 2}, Case{Codec::kAuto, 10}, Case{Codec::kLane, 10}}) {
    std::atomic<bool> cancel = false;
    std::atomic<unsigned> frames = 0;
    FaultyCodec counting([&, most = last](const codec::Shape&, CodedFrame&) {
      if (++frames == most) cancel = true;
    });
    PackOptions options;
    options.threads = 1;
    options.codec = codec;
    options.cancel = &cancel;
    const auto summary = pack({folder / "dicom"}, folder / "one.dcbs", options);
    ASSERT_FALSE(summary);
    EXPECT_EQ(summary.error().error_class, ErrorClass::kStopped);
    EXPECT_EQ(summary.error().message, "cancelled");
    EXPECT_EQ(frames, last);
    EXPECT_FALSE(std::filesystem::exists(folder / "one.dcbs"));
  }
}

}  // namespace
}  // namespace dicube
