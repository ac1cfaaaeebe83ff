// Small archives of every codec with all that they give back, for tests that damage them.
#pragma once

#include <gtest/gtest.h>

#include "base/result.h"
#include "dicube/dicube.h"
#include "series/scratch_folder.h"

namespace dicube::testing {

// Everything an archive gives back.
struct Content {
  std::vector<std::string> names, paths, values;
  std::vector<Bytes> files, frames;
  std::vector<PixelFormat> formats;
  friend bool operator==(const Content&, const Content&) = default;
};

inline Result<Content> read_content(const Archive& archive) {
  Content content;
  for (std::size_t i = 0; i < archive.instances().size(); ++i) {
    content.names.push_back(archive.instances()[i].name);
    DICUBE_ASSIGN(auto bytes, archive.read_instance(i));
    content.files.push_back(std::move(bytes));
  }
  for (std::size_t i = 0; i < archive.frame_count(); ++i) {
    content.formats.push_back(archive.pixel_format(i));
    Bytes frame(archive.pixel_format(i).frame_bytes());
    DICUBE_TRY(archive.read_frame(i, frame));
    content.frames.push_back(std::move(frame));
  }
  content.paths = archive.paths();
  for (const std::string& path : content.paths) {
    DICUBE_ASSIGN(auto column, archive.column(path));
    for (std::size_t i = 0; i < column.size(); ++i) content.values.push_back(column.text(i).value_or("(none)"));
  }
  return content;
}

inline Result<Content> read_content(ByteSpan bytes) {
  DICUBE_ASSIGN(auto archive, Archive::from_bytes(bytes, "test.dcbs"));
  return read_content(archive);
}

// The classes of error that an archive's bytes can be the cause of.
inline void expect_archive_error(const Error& error) {
  const ErrorClass found = error.error_class;
  EXPECT_TRUE(found == ErrorClass::kDamaged || found == ErrorClass::kUnsupported || found == ErrorClass::kLimit)
      << describe(error);
  EXPECT_EQ(error.file, "test.dcbs");
  EXPECT_FALSE(error.message.empty());
}

struct Golden {
  std::string name;
  Bytes archive;
  Content content;
};

// A small archive of every codec.
class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    add("stored", Codec::kAuto, 3);
    add("zstd", Codec::kZstd, 8);
    add("htj2k", Codec::kHtj2k, 24);
  }

  void add(const std::string& name, Codec codec, unsigned size, unsigned count = 3, unsigned first = 1) {
    const ScratchFolder scratch;
    const std::vector<Bytes> files = write_series(scratch / "source", count, size, first);
    PackOptions options;
    options.codec = codec;
    options.threads = 1;
    const auto summary = pack({scratch / "source"}, scratch / "series.dcbs", options);
    ASSERT_TRUE(summary) << describe(summary.error());
    ASSERT_EQ(summary->series.size(), 1U);
    ASSERT_FALSE(summary->series[0].error) << describe(*summary->series[0].error);
    ASSERT_EQ(summary->series[0].codec, name);
    Golden golden{name, read_bytes(scratch / "series.dcbs"), {}};
    auto content = read_content(golden.archive);
    ASSERT_TRUE(content) << describe(content.error());
    ASSERT_EQ(content->files, files);
    ASSERT_EQ(content->frames.size(), count);
    ASSERT_GT(content->paths.size(), 10U);
    golden.content = *std::move(content);
    goldens_.push_back(std::move(golden));
  }

  std::vector<Golden> goldens_;
};

}  // namespace dicube::testing
