#include "series/prepared.h"

#include <gtest/gtest.h>

#include "archive/shred.h"
#include "dicom/testing.h"

namespace dicube::series {
namespace {

using namespace dicom::testing;

// What the columns hold of it.
std::pair<Bytes, Bytes> shredded(const Prepared& file) {
  const auto folder = io::Folder::open(::testing::TempDir()).value();
  archive::Spool blocks(folder, "blocks");
  archive::MetadataBuilder builder(blocks);
  EXPECT_TRUE(archive::shred({file.instance.name, file.bytes, &*file.tokens, &*file.pixels}, builder).has_value());
  auto sections = builder.finish(0, 1).value();
  return {std::move(sections.schema[0]), std::move(sections.columns)};
}

Bytes with_padding_and_tail(Bytes file, dicom::Encoding encoding = dicom::Encoding::kExplicitLittle) {
  append(file, FileBuilder(encoding)
                   .sequence(0xFFFAFFFA)
                   .item()
                   .text(0x00100010, "PN", "Signer")
                   .end()
                   .end()
                   .element(0xFFFCFFFC, "OB", Bytes(100))
                   .raw("no element")
                   .take());
  return file;
}

TEST(APreparedFile, WithoutItsPixelsHasTheSameColumns) {
  using dicom::Encoding;
  const Bytes fragments = FileBuilder()
                              .meta(kJpegLosslessUid)
                              .u16(dicom::kRows, "US", {2})
                              .u16(dicom::kColumns, "US", {3})
                              .u16(dicom::kBitsAllocated, "US", {8})
                              .fragments({{}, Bytes(6, std::byte{0xAA}), Bytes(4, std::byte{0xBB})})
                              .take();
  for (const Bytes& bytes :
       {ct_image(1), ct_image(2, 4, 4, 1, Encoding::kImplicitLittle), with_padding_and_tail(ct_image(3)),
        with_padding_and_tail(ct_image(4, 4, 4, 1, Encoding::kExplicitBig), Encoding::kExplicitBig),
        with_padding_and_tail(fragments)}) {
    Member member;
    member.file.name = "a";
    member.looks_like_dicom = true;
    Prepared file;
    prepare(member, Care::kNone,
            {[&](const File&, Bytes& out) {
               out = bytes;
               return Status();
             },
             {}},
            file);
    ASSERT_EQ(file.frames.size(), 1U);
    const auto whole = shredded(file);
    EXPECT_EQ(take_pixels(file), bytes);
    EXPECT_LT(file.bytes.size(), bytes.size());
    EXPECT_EQ(shredded(file), whole);
  }
}

}  // namespace
}  // namespace dicube::series
