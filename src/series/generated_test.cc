// Series of every shape that the generator knows come back byte for byte (R1), and their frames hold the values put in.
#include <gtest/gtest.h>

#include <random>

#include "base/hash.h"
#include "dicom/converted_form.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::Encoding;
using dicom::testing::FileBuilder;
using Random = std::mt19937_64;

const unsigned kSeries = testing::rounds(500, 5000);

// What the files of one series have in common.
struct Shape {
  Encoding encoding = Encoding::kExplicitLittle;
  unsigned rows = 1, columns = 1, samples = 1, bits = 16, stored = 16, frames = 1;
  bool is_signed = false, planar = false, is_float = false, sequences = false, odd_private = false;
  bool subsampled = false;  // YBR_FULL_422 (PS3.3 C.7.6.3.1.2)
  unsigned content = 0;
  std::size_t value_bytes() const { return bits / 8; }
  std::size_t frame_bytes() const { return std::size_t{rows} * columns * samples * value_bytes(); }
};

template <class T>
T one_of(Random& random, std::initializer_list<T> choices) {
  return choices.begin()[random() % choices.size()];
}

Shape any_shape(Random& random) {
  Shape shape;
  shape.encoding = one_of(random, {Encoding::kExplicitLittle, Encoding::kExplicitLittle, Encoding::kImplicitLittle,
                                   Encoding::kExplicitBig});
  shape.rows = one_of<unsigned>(random, {1, 2, 7, 16, 33, 64, 100});
  shape.columns = one_of<unsigned>(random, {1, 2, 5, 16, 31, 64, 129});
  shape.samples = one_of<unsigned>(random, {1, 1, 1, 3});
  shape.bits = one_of<unsigned>(random, {8, 16, 16, 16, 32, 64});
  shape.is_float = shape.bits >= 32 && random() % 2 == 0;
  shape.stored = shape.is_float ? shape.bits : shape.bits - static_cast<unsigned>(random() % 6);
  shape.is_signed = random() % 2 == 0;
  shape.planar = shape.samples == 3 && random() % 2 == 0;
  shape.frames = one_of<unsigned>(random, {1, 1, 1, 2, 5});
  shape.sequences = random() % 2 == 0;
  shape.odd_private = random() % 4 == 0;
  shape.content = static_cast<unsigned>(random() % 6);
  shape.subsampled = shape.samples == 3 && shape.bits == 8 && !shape.planar && random() % 2 == 0;
  if (shape.subsampled) shape.columns += shape.columns % 2;
  return shape;
}

// Values as the frames hand them out: little endian, samples interleaved.
Bytes any_values(const Shape& shape, Random& random) {
  Bytes bytes(shape.frame_bytes());
  const std::size_t size = shape.value_bytes();
  for (std::size_t i = 0; i * size < bytes.size(); ++i) {
    const std::size_t x = i % shape.columns, y = i / shape.columns;
    std::uint64_t value = 0;
    switch (shape.content) {
      case 0: value = random(); break;                                          // noise in every bit
      case 1: value = 1000; break;                                              // one value
      case 2: value = 3 * x + 5 * y; break;                                     // a ramp
      case 3: value = (x * y) % 97 + random() % 3; break;                       // an image with little noise
      case 4: value = (x / 4 + y / 4) % 2 ? ~std::uint64_t{0} : 0; break;       // a checkerboard of extremes
      default: value = random() % 50 == 0 ? random() : ~std::uint64_t{0} - 20;  // outliers
    }
    std::byte raw[8];
    store_le(raw, value);
    std::memcpy(bytes.data() + i * size, raw, size);
  }
  if (shape.subsampled)
    for (std::size_t at = 0; at < bytes.size(); at += 6) std::memcpy(&bytes[at + 4], &bytes[at + 1], 2);  // Cb, Cr
  return bytes;
}

// Y1 Cb Cr Y2 Cb Cr -> Y1 Y2 Cb Cr
Bytes subsampled(ByteSpan values) {
  Bytes out;
  for (std::size_t at = 0; at < values.size(); at += 6)
    for (const std::size_t i : {0U, 3U, 1U, 2U}) out.push_back(values[at + i]);
  return out;
}

// The same values as they stand in the file, but in little endian.
Bytes as_in_file(const Shape& shape, ByteSpan values) {
  Bytes out = shape.subsampled ? subsampled(values) : Bytes(values.begin(), values.end());
  const std::size_t size = shape.value_bytes(), pixels = std::size_t{shape.rows} * shape.columns;
  if (shape.planar)
    for (std::size_t pixel = 0; pixel < pixels; ++pixel)
      for (std::size_t sample = 0; sample < shape.samples; ++sample)
        std::memcpy(out.data() + (sample * pixels + pixel) * size,
                    values.data() + (pixel * shape.samples + sample) * size, size);
  return out;
}

Bytes make_file(const Shape& shape, const std::string& uid, unsigned instance, ByteSpan pixels, Random& random) {
  FileBuilder file(shape.encoding);
  file.meta(shape.encoding == Encoding::kImplicitLittle ? dicom::testing::kImplicitLittleUid
            : shape.encoding == Encoding::kExplicitBig  ? dicom::testing::kExplicitBigUid
                                                        : dicom::testing::kExplicitLittleUid)
      .text(dicom::kSopInstanceUid, "UI", uid + "." + std::to_string(instance))
      .text(dicom::kModality, "CS", "OT");
  if (shape.sequences) {
    file.sequence(0x00081140, random() % 2 == 0);
    for (unsigned i = 0; i < random() % 4; ++i)
      file.item(random() % 2 == 0).text(0x00081155, "UI", uid + "." + std::to_string(random() % 100)).end();
    file.end();
  }
  file.text(0x00100010, "PN", random() % 9 == 0 ? "Other^Name" : "Generated^Series")
      .text(dicom::kSeriesInstanceUid, "UI", uid);
  if (random() % 20 != 0) file.text(dicom::kInstanceNumber, "IS", std::to_string(instance));
  if (shape.odd_private)
    file.text(0x00290010, "LO", "MAKER")
        .element(0x00291001, "UN", Bytes(random() % 40, static_cast<std::byte>(random())));
  file.u16(dicom::kSamplesPerPixel, "US", {static_cast<std::uint16_t>(shape.samples)})
      .text(dicom::kPhotometricInterpretation, "CS",
            shape.subsampled     ? "YBR_FULL_422"
            : shape.samples == 3 ? "RGB"
                                 : "MONOCHROME2");
  if (shape.samples == 3) file.u16(dicom::kPlanarConfiguration, "US", {static_cast<std::uint16_t>(shape.planar)});
  if (shape.frames > 1) file.text(dicom::kNumberOfFrames, "IS", std::to_string(shape.frames));
  file.u16(dicom::kRows, "US", {static_cast<std::uint16_t>(shape.rows)})
      .u16(dicom::kColumns, "US", {static_cast<std::uint16_t>(shape.columns)})
      .u16(dicom::kBitsAllocated, "US", {static_cast<std::uint16_t>(shape.bits)})
      .u16(dicom::kBitsStored, "US", {static_cast<std::uint16_t>(shape.stored)})
      .u16(dicom::kHighBit, "US", {static_cast<std::uint16_t>(shape.stored - 1)})
      .u16(dicom::kPixelRepresentation, "US", {static_cast<std::uint16_t>(shape.is_signed)});
  Bytes value(pixels.begin(), pixels.end());
  if (value.size() % 2 != 0) value.push_back({});
  const std::size_t word = shape.is_float ? shape.value_bytes() : std::max<std::size_t>(2, shape.value_bytes());  // OW
  if (shape.encoding == Encoding::kExplicitBig) dicom::swap_groups(value, word);
  if (shape.is_float)
    file.element(shape.bits == 32 ? dicom::kFloatPixelData : dicom::kDoubleFloatPixelData,
                 shape.bits == 32 ? "OF" : "OD", value);
  else
    file.element(dicom::kPixelData, "OW", value);
  return file.take();
}

using Values = std::map<std::string, std::vector<Bytes>>;  // of each frame, by the file's name

// Packs "in", with references or without, and unpacks it to "out".
void expect_all_back(const testing::ScratchFolder& folder, bool references, Values& values) {
  PackOptions options;
  options.references = references;
  const auto summary = pack({folder / "in"}, folder / "packed", options);
  ASSERT_TRUE(summary.has_value()) << describe(summary.error());
  ASSERT_EQ(summary->series.size(), kSeries);
  for (const SeriesReport& report : summary->series) {
    ASSERT_FALSE(report.error) << describe(*report.error);
    EXPECT_TRUE(report.findings.empty()) << report.findings.front().code << ": " << report.findings.front().message;
    ASSERT_TRUE(unpack(report.archive, folder / "out").has_value());
    const auto archive = Archive::open(report.archive);
    ASSERT_TRUE(archive.has_value());
    for (const Instance& instance : archive->instances()) {
      const auto& expected = values[instance.name];
      ASSERT_EQ(instance.frames, expected.size()) << instance.name;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        Bytes pixels(expected[i].size());
        const auto read = archive->read_frame(instance.first_frame + i, pixels);
        ASSERT_TRUE(read.has_value()) << describe(read.error());
        ASSERT_TRUE(pixels == expected[i]) << instance.name << ", frame " << i;
      }
    }
  }
}

TEST(GeneratedSeries, OfEveryShapeComeBackByteForByteAndTheirFramesHoldTheValuesPutIn) {
  testing::WithoutSync system;
  const io::ReplacedSystem replaced(system);
  const testing::ScratchFolder folder;
  Random random(7);
  Values values;
  for (unsigned series = 0; series < kSeries; ++series) {
    const Shape shape = any_shape(random);
    const unsigned instances = 1 + static_cast<unsigned>(random() % 5);
    for (unsigned instance = 1; instance <= instances; ++instance) {
      const std::string name = std::to_string(series) + "/" + std::to_string(random() % 1000000);
      Bytes pixels;
      for (unsigned frame = 0; frame < shape.frames; ++frame) {
        values[name].push_back(any_values(shape, random));
        append(pixels, as_in_file(shape, values[name].back()));
      }
      testing::write_file(folder / ("in/" + name),
                          make_file(shape, "1.2.3." + std::to_string(series), instance, pixels, random));
    }
  }
  for (const bool references : {false, true}) {
    expect_all_back(folder, references, values);
    EXPECT_TRUE(testing::tree(folder / "in") == testing::tree(folder / "out")) << references;
    std::filesystem::remove_all(folder / "out");
  }
}

}  // namespace
}  // namespace dicube
