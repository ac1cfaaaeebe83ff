// Looking at files that are too large to be read for it.
#include "series/scan.h"

#include <gtest/gtest.h>

#include <new>

#include "dicube/dicube.h"
#include "series/check.h"
#include "series/faulty_system.h"
#include "series/scratch_folder.h"

namespace dicube {
namespace {

using dicom::testing::FileBuilder;
using testing::CountingSystem;
using testing::ScratchFolder;
using testing::write_file;

// `before`, an element of `size` zeros, `after`: a file that takes hardly any space.
void write_with_gap(const std::string& path, FileBuilder before, std::uint32_t size, ByteSpan after) {
  write_file(path, before.header(0x00091010, "OB", size).take());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + size);
  std::ofstream(path, std::ios::binary | std::ios::app)
      .write(reinterpret_cast<const char*>(after.data()), static_cast<std::streamsize>(after.size()));
}

FileBuilder start_of_file() {
  FileBuilder file;
  file.meta(dicom::testing::kExplicitLittleUid).text(0x00090010, "LO", "PRIVATE");
  return file;
}

Bytes image_behind() {
  return FileBuilder()
      .text(dicom::kSeriesInstanceUid, "UI", "1.2.3")
      .text(dicom::kInstanceNumber, "IS", "7")
      .u16(dicom::kSamplesPerPixel, "US", {1})
      .u16(dicom::kRows, "US", {8})
      .u16(dicom::kColumns, "US", {8})
      .u16(dicom::kBitsAllocated, "US", {8})
      .element(dicom::kPixelData, "OB", Bytes(64))
      .take();
}

TEST(Scan, StepsOverLargeValues) {
  const ScratchFolder folder;
  const std::string path = folder / "large.dcm";
  write_with_gap(path, start_of_file(), 0xC0000000, image_behind());
  CountingSystem system;
  const io::ReplacedSystem replaced(system);
  series::File file{std::make_shared<const std::string>(folder.path()), "large.dcm", 0};
  const auto head = series::read_head(file);
  ASSERT_TRUE(head) << describe(head.error());
  EXPECT_EQ(head->series_instance_uid, "1.2.3");
  EXPECT_EQ(head->instance_number, 7);
  EXPECT_LT(system.bytes, std::uint64_t{1} << 20);
  const auto slices = slices_in({path}, {}, [](const Error& error) { ADD_FAILURE() << describe(error); });
  ASSERT_TRUE(slices && slices->size() == 1);
  EXPECT_EQ((*slices)[0].slices[0].has_frames, true);
  EXPECT_LT(system.bytes, std::uint64_t{1} << 20) << "where the pixels stand is known all the same";
}

TEST(Scan, GoesOnBehindAStrayItem) {
  const ScratchFolder folder;
  const Bytes stray = FileBuilder().header(0xFFFEE00D, "", 0).take();
  for (const std::size_t size : {20'000, 100'000}) {
    const std::string path = folder / "stray.dcm";
    write_file(path, start_of_file().raw(stray).element(0x00091010, "OB", Bytes(size)).raw(image_behind()).take());
    const auto summary = pack({path}, folder / std::to_string(size));
    ASSERT_TRUE(summary) << describe(summary.error());
    EXPECT_EQ(summary->series[0].series_instance_uid, "1.2.3") << size;
    const auto checked = slices_in({path}, {}, [](const Error& error) { ADD_FAILURE() << describe(error); });
    ASSERT_TRUE(checked && checked->size() == 1);
    EXPECT_EQ(checked->front().series_instance_uid, "1.2.3") << size;
  }
}

TEST(Scan, OfAnImageWithoutUidsFindsItForACheckWithAPreambleOrWithout) {
  const ScratchFolder folder;
  const auto image = [](FileBuilder file) {
    return file.u16(dicom::kRows, "US", {2}).u16(dicom::kColumns, "US", {2}).take();
  };
  write_file(folder / "in/1.dcm", image(FileBuilder().meta(dicom::testing::kExplicitLittleUid)));
  write_file(folder / "in/2.dcm", image(FileBuilder().meta_group(dicom::testing::kExplicitLittleUid)));
  const auto slices = slices_in({folder / "in"}, {}, [](const Error& error) { ADD_FAILURE() << describe(error); });
  ASSERT_TRUE(slices && slices->size() == 1);
  EXPECT_EQ(slices->front().names, (std::vector<std::string>{"1.dcm", "2.dcm"}));
}

TEST(Scan, StepsOverManyLargeValues) {
  const ScratchFolder folder;
  FileBuilder file = start_of_file();
  for (std::uint32_t i = 0; i < 9; ++i) file.element(0x00091020 + i, "OB", Bytes((std::size_t{1} << 20) + 2 * i));
  write_file(folder / "large.dcm", file.raw(image_behind()).take());
  CountingSystem system;
  const io::ReplacedSystem replaced(system);
  series::File found{std::make_shared<const std::string>(folder.path()), "large.dcm", 0};
  EXPECT_EQ(series::read_head(found)->series_instance_uid, "1.2.3");
  EXPECT_LT(system.bytes, std::uint64_t{9} << 20);
}

TEST(Scan, FindsNoSeriesBehindAValueThatIsLongerThanTheFile) {
  const ScratchFolder folder;
  write_with_gap(folder / "cut.dcm", start_of_file(), 0x00200000, {});
  std::filesystem::resize_file(folder / "cut.dcm", 0x00100000);
  series::File file{std::make_shared<const std::string>(folder.path()), "cut.dcm", 0};
  const auto head = series::read_head(file);
  ASSERT_TRUE(head);
  EXPECT_TRUE(head->looks_like_dicom);
  EXPECT_EQ(head->series_instance_uid, "");
}

// Memory ends with the first file that is read.
class SmallMemory : public io::System {
 public:
  ssize_t pread(int file, void* to, std::size_t size, off_t offset) override {
    if (!std::exchange(ended_, true)) throw std::bad_alloc();
    return System::pread(file, to, size, offset);
  }

 private:
  bool ended_ = false;
};

TEST(Scan, AFileThatMemoryDoesNotHoldCostsItselfAlone) {
  const ScratchFolder folder;
  testing::write_series(folder / "in", 3);
  SmallMemory system;
  const io::ReplacedSystem replaced(system);
  PackOptions options;
  options.threads = 1;
  const auto summary = pack({folder / "in"}, folder / "out", options);
  ASSERT_TRUE(summary) << describe(summary.error());
  ASSERT_EQ(summary->errors.size(), 1U);
  EXPECT_EQ(summary->errors[0].error_class, ErrorClass::kLimit);
  ASSERT_EQ(summary->series.size(), 1U);
  EXPECT_EQ(summary->series[0].instances, 2U);
}

}  // namespace
}  // namespace dicube
