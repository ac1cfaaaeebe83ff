#include "base/bytes.h"

#include <gtest/gtest.h>

namespace dicube {
namespace {

TEST(ByteReader, ReadsBackWhatByteWriterWrote) {
  ByteWriter writer;
  writer.put<std::uint16_t>(0x1234);
  writer.put_varint(300);
  writer.put_varint(~std::uint64_t{0});
  writer.put_string(as_bytes("dicom"));
  ByteReader reader(writer.bytes(), "test");
  EXPECT_EQ(reader.get<std::uint16_t>().value(), 0x1234);
  EXPECT_EQ(reader.get_varint().value(), 300U);
  EXPECT_EQ(reader.get_varint().value(), ~std::uint64_t{0});
  EXPECT_EQ(as_text(reader.get_string().value()), "dicom");
  EXPECT_TRUE(reader.expect_end().has_value());
}

TEST(ByteReader, RefusesAStringThatIsLongerThanWhatIsLeftAndNamesBothNumbers) {
  ByteWriter writer;
  writer.put_varint(1000);
  ByteReader reader(writer.bytes(), "section 'schema'");
  auto result = reader.get_string();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().error_class, ErrorClass::kDamaged);
  EXPECT_EQ(result.error().message, "section 'schema': needs 1000 bytes at byte 2 but has 0 left");
}

TEST(ByteReader, RefusesAVarintOfMoreThan64Bits) {
  Bytes bytes(11, std::byte{0xff});
  EXPECT_FALSE(ByteReader(bytes, "test").get_varint().has_value());
}

TEST(ByteReader, ReportsBytesThatNobodyRead) {
  Bytes bytes(3);
  EXPECT_FALSE(ByteReader(bytes, "test").expect_end().has_value());
}

}  // namespace
}  // namespace dicube
