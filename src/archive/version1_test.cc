#include "archive/version1.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <limits>

#include "codec/codec.h"
#include "codec/testing.h"
#include "dicube/archive.h"

namespace dicube::archive {
namespace {

constexpr std::string_view kMetadata = R"({"_merged_data": {
  "00080018": {"vr": "UI", "shared": false, "Value": ["1.2.1", "1.2.2", "1.2.3"]},
  "0020000E": {"vr": "UI", "shared": true, "Value": ["1.2.9"]},
  "00100010": {"vr": "PN", "shared": true, "Value": [{"Alphabetic": "M\u00fcller^Eva"}]},
  "00200032": {"vr": "DS", "shared": false, "Value": [[0.5, 1, -2.25], [0.5, 1, -3.25], [0.5, 1, -4.25]]},
  "00080060": {"vr": "CS", "shared": true, "Value": ["CT"]},
  "00189327": {"vr": "FD", "shared": false, "Value": [721.75, null, 2]},
  "00E11046": {"vr": "OB", "shared": true, "InlineBinary": "AAEC/w=="},
  "00081084": {"vr": "SQ", "shared": null, "Value": [{"00080100": {"vr": "SH", "shared": false, "Value": ["A", "B", "C"]}}]},
  "00280103": {"vr": "US", "shared": true, "Value": [0]},
  "00281052": {"vr": "DS", "shared": true, "Value": [-1024.0]}}, "slice_count": 3})";
constexpr std::string_view kSpace = R"({"shape": [16, 12, 3], "origin": [1, 2, 3], "spacing": [0.5, 0.75, 2],
  "x_orientation": [1, 0, 0], "y_orientation": [0, 1, 0], "z_orientation": [0, 0, 1]})";
constexpr std::string_view kPixels = R"({"RescaleSlope": 1.0, "RescaleIntercept": 0.0, "PixelDtype": "int16"})";

codec::Shape shape() {
  codec::Shape out;
  out.rows = 12;
  out.columns = 16;
  out.is_signed = true;
  out.precision = 16;
  return out;
}

Bytes frame(std::uint64_t number) { return codec::testing::make_frame(shape(), codec::testing::Kind::kSmooth, number); }

// As the format's first version lays it out. Frames behind the third are the third's again.
Bytes old_file(std::string_view metadata, std::string_view space = kSpace, std::size_t frames = 3) {
  codec::Workspace work;
  std::vector<Bytes> streams(std::min<std::size_t>(3, frames));
  for (std::size_t i = 0; i < streams.size(); ++i)
    EXPECT_TRUE(work.encode(codec::CodecId::kHtj2k, shape(), frame(i), streams[i]));
  std::vector<Bytes> parts = {Bytes(as_bytes("gap_location").begin(), as_bytes("gap_location").end()),
                              {},
                              Bytes(as_bytes(space).begin(), as_bytes(space).end()),
                              Bytes(as_bytes(kPixels).begin(), as_bytes(kPixels).end()),
                              Bytes(8 * frames),
                              Bytes(8 * frames)};
  if (!metadata.empty()) {
    parts[1].resize(ZSTD_compressBound(metadata.size()));
    parts[1].resize(ZSTD_compress(parts[1].data(), parts[1].size(), metadata.data(), metadata.size(), 3));
  }
  Bytes out(116);
  std::memcpy(out.data(), "DCMCUBES", 8);
  store_le(out.data() + 8, std::uint32_t{1});
  for (std::size_t i = 0; i < parts.size(); ++i) {
    store_le(out.data() + 12 + 16 * i, std::uint64_t{out.size()});
    store_le(out.data() + 20 + 16 * i, std::uint64_t{parts[i].size()});
    append(out, parts[i]);
  }
  store_le(out.data() + 108, std::uint64_t{frames});
  const std::size_t lengths = out.size() - 8 * frames, offsets = lengths - 8 * frames;
  for (std::size_t i = 0; i < frames; ++i) {
    const Bytes& stream = streams[std::min(i, streams.size() - 1)];
    store_le(out.data() + offsets + 8 * i, std::uint64_t{out.size()});
    store_le(out.data() + lengths + 8 * i, std::uint64_t{stream.size()});
    append(out, stream);
  }
  return out;
}

TEST(Version1, OpensAsAnArchiveWithItsMetadataAndPixels) {
  const Bytes file = old_file(kMetadata);
  const auto archive = Archive::from_bytes(file, "old.dcbs");
  ASSERT_TRUE(archive) << describe(archive.error());
  EXPECT_EQ(archive->info().format_major, 1);
  EXPECT_EQ(archive->info().series_instance_uid, "1.2.9");
  EXPECT_EQ(archive->info().status, "gap_location");
  ASSERT_EQ(archive->frame_count(), 3U);
  EXPECT_TRUE(archive->pixel_format(0).is_signed);
  for (std::size_t i = 0; i < 3; ++i) {
    Bytes pixels(archive->pixel_format(i).frame_bytes());
    ASSERT_TRUE(archive->read_frame(i, pixels));
    EXPECT_EQ(pixels, frame(i));
    EXPECT_TRUE(archive->read_instance(i));
  }
  const auto text = [&](const char* path, std::size_t i) {
    return archive->column(path).value().text(i).value_or("absent");
  };
  EXPECT_EQ(text("SOPInstanceUID", 2), "1.2.3");
  EXPECT_EQ(text("PatientName", 0), "M\u00fcller^Eva");
  EXPECT_EQ(text("SpecificCharacterSet", 0), "ISO_IR 192");
  EXPECT_EQ(text("ImagePositionPatient", 1), "0.5\\1\\-3.25");
  EXPECT_EQ(text("AdmittingDiagnosesCodeSequence.CodeValue", 1), "B");
  EXPECT_EQ(text("RescaleIntercept", 0), "0");
  EXPECT_EQ(archive->column("00189327").value().number(0), 721.75);
  EXPECT_EQ(archive->column("00189327").value().number(1), std::nullopt);
  EXPECT_EQ(archive->column("00E11046").value().bytes(0).size(), 4U);
}

TEST(Version1, WithoutMetadataTheSpaceGivesPositionsAndUidsAreMade) {
  const Bytes file = old_file("");
  const auto archive = Archive::from_bytes(file, "old.dcbs");
  ASSERT_TRUE(archive) << describe(archive.error());
  EXPECT_EQ(archive->column("ImagePositionPatient").value().text(2), "1\\2\\7");
  EXPECT_EQ(archive->column("PixelSpacing").value().text(0), "0.75\\0.5");
  EXPECT_TRUE(archive->info().series_instance_uid.starts_with("2.25."));
  EXPECT_NE(archive->column("SOPInstanceUID").value().text(0), archive->column("SOPInstanceUID").value().text(1));
}

TEST(Version1, CutOffOrContradictoryFilesGiveTypedErrors) {
  const Bytes file = old_file(kMetadata);
  for (std::size_t size = 12; size < file.size(); size += 13) {
    const auto archive = Archive::from_bytes(ByteSpan(file).first(size), "old.dcbs");
    ASSERT_FALSE(archive) << size;
    EXPECT_TRUE(archive.error().error_class == ErrorClass::kDamaged ||
                archive.error().error_class == ErrorClass::kCodec)
        << describe(archive.error());
  }
  for (std::size_t at = 12; at < 116; ++at) {
    Bytes changed = file;
    changed[at] ^= std::byte{0xFF};
    static_cast<void>(Archive::from_bytes(changed, "old.dcbs"));
  }
  EXPECT_FALSE(Archive::from_bytes(old_file("{\"_merged_data\": [1, 2"), "old.dcbs"));
  EXPECT_FALSE(Archive::from_bytes(
      old_file(R"({"_merged_data": {"00080018": {"vr": "UI", "shared": false, "Value": ["1.2"]}}})"), "old.dcbs"));
}

TEST(Version1, FramesThatOverlapAndMetadataNestedDeepAreRefused) {
  Bytes file = old_file(kMetadata);
  const std::size_t lengths = load_le<std::uint64_t>(file.data() + 12 + 16 * 5);
  for (std::size_t i = 0; i < 3; ++i) store_le(file.data() + lengths + 8 * i, std::uint64_t{file.size() / 2});
  const auto overlapping = Archive::from_bytes(file, "old.dcbs");
  ASSERT_FALSE(overlapping);
  EXPECT_NE(overlapping.error().message.find("overlap"), std::string::npos) << overlapping.error().message;
  const auto deep = Archive::from_bytes(
      old_file("{\"_merged_data\": " + std::string(1000000, '[') + std::string(1000000, ']') + "}"), "old.dcbs");
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().error_class, ErrorClass::kLimit);
  EXPECT_TRUE(Archive::from_bytes(
      old_file(R"({"_merged_data": {"00081030": {"vr": "LO", "shared": true, "Value": ["[[\\\"{{"]}}})"), "old.dcbs"));
}

TEST(Version1, MetadataOfMoreValuesThanMemoryShouldHoldIsRefusedBeforeItIsParsed) {
  std::string many = R"({"_merged_data": {"00081030": {"vr": "LO", "shared": true, "Value": [)";
  for (int i = 0; i < 5'000'000; ++i) many += "{},";
  const auto archive = Archive::from_bytes(old_file(many + "{}]}}}"), "old.dcbs");
  ASSERT_FALSE(archive);
  EXPECT_EQ(archive.error().error_class, ErrorClass::kLimit) << describe(archive.error());
  EXPECT_NE(archive.error().message.find("10000"), std::string::npos) << archive.error().message;
}

// To look through all of it for every frame would take minutes.
TEST(Version1, LongMetadataIsLookedThroughOnceAndNotForEveryFrame) {
  const std::string long_note = R"({"_merged_data": {"note": ")" + std::string(std::size_t{16} << 20, 'a') + "\"}}";
  const Bytes file = old_file(long_note, kSpace, 5000);
  const auto archive = Archive::from_bytes(file, "old.dcbs");
  ASSERT_TRUE(archive) << describe(archive.error());
  EXPECT_EQ(archive->frame_count(), 5000U);
}

TEST(Version1, NumbersBeyondTheirTypeBecomeTheNearestOnes) {
  const auto archive = Archive::from_bytes(
      old_file(
          R"({"_merged_data": {"00280106": {"vr": "US", "shared": true, "Value": [1e300, -3.5]}, "00089459": {"vr": "FL", "shared": true, "Value": [1e300]}}})"),
      "old.dcbs");
  ASSERT_TRUE(archive) << describe(archive.error());
  EXPECT_EQ(archive->column("00280106").value().numbers(0), (std::vector<double>{65535, 0}));
  EXPECT_EQ(archive->column("00089459").value().numbers(0), (std::vector<double>{std::numeric_limits<float>::max()}));
}

}  // namespace
}  // namespace dicube::archive
