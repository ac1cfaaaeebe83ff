#include "archive/instances.h"

#include <gtest/gtest.h>

#include "archive/metadata.h"
#include "columns/integers.h"

namespace dicube::archive {
namespace {

Bytes one_instance(std::int64_t size, std::int64_t frames, std::int64_t folder) {
  ByteWriter out;
  out.put_string({});
  out.put_varint(1);
  for (std::int64_t number : {size, frames, folder}) columns::put_integers(std::vector<std::int64_t>{number}, out);
  Bytes bytes = out.take();
  bytes.resize(bytes.size() + sizeof(Instance::sha256));
  return bytes;
}

TEST(AnInstance, IsAFileOrAnEmptyFolder) {
  EXPECT_TRUE(read_instances(one_instance(9, 1, 0), 1));
  EXPECT_TRUE(read_instances(one_instance(0, 0, 1), 0));
  EXPECT_FALSE(read_instances(one_instance(9, 0, 1), 0));
  EXPECT_FALSE(read_instances(one_instance(0, 1, 1), 1));
  EXPECT_FALSE(read_instances(one_instance(0, 0, 2), 0));
  EXPECT_FALSE(read_instances(one_instance(-1, 0, 0), 0));
}

TEST(AnInstance, HasRootsAndNothingBehindThem) {
  const auto roots = [](std::initializer_list<unsigned char> values) {
    Bytes bytes;
    for (unsigned char value : values) bytes.push_back(std::byte{value});
    return read_roots(bytes);
  };
  EXPECT_TRUE(roots({0, 1, 2, 0}));
  EXPECT_FALSE(roots({0, 1, 2}));
  EXPECT_FALSE(roots({0, 1, 2, 0, 0}));
  EXPECT_FALSE(roots({0, 1, 3, 0}));
  EXPECT_FALSE(roots({0, 1, 2, 2}));
}

}  // namespace
}  // namespace dicube::archive
