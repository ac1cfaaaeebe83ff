// The file of --manifest, whatever happened to it before.
#include "cli/manifest.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "series/scratch_folder.h"

namespace dicube::cli {
namespace {

const std::string kLine = "{\"archive\":\"a.dcbs\"}";

std::string text_of(const std::string& path) { return std::string(as_text(testing::read_bytes(path))); }

TEST(AManifest, GetsItsLinesBehindThoseThatItHas) {
  const testing::ScratchFolder scratch;
  const std::string path = scratch / "folder/that/is/missing/m.jsonl";
  for (int i = 0; i < 2; ++i) {
    const auto manifest = Manifest::open(path);
    ASSERT_TRUE(manifest) << describe(manifest.error());
    (*manifest)->add(kLine);
    EXPECT_TRUE((*manifest)->state());
  }
  EXPECT_EQ(text_of(path), kLine + "\n" + kLine + "\n");
}

TEST(AManifest, LosesTheHalfLineThatAKilledCallLeft) {
  const testing::ScratchFolder scratch;
  const std::string path = scratch / "m.jsonl", half = kLine.substr(0, 15);
  testing::write_file(path, as_bytes(kLine + "\n" + half + std::string(100'000, 'x')));
  ASSERT_TRUE(Manifest::open(path));
  EXPECT_EQ(text_of(path), kLine + "\n");
  for (const std::string& only : {half, half.substr(0, 5)}) {
    testing::write_file(path, as_bytes(only));
    ASSERT_TRUE(Manifest::open(path)) << only;
    EXPECT_EQ(text_of(path), "");
  }
}

TEST(AManifest, IsNoOtherFile) {
  const testing::ScratchFolder scratch;
  for (const char* text : {"text", "{}", "{\"a\":1}\n", "\n"}) {
    const std::string path = scratch / "file";
    testing::write_file(path, as_bytes(std::string(text)));
    const auto manifest = Manifest::open(path);
    ASSERT_FALSE(manifest) << text;
    EXPECT_EQ(manifest.error().error_class, ErrorClass::kUsage);
    EXPECT_EQ(text_of(path), text);
  }
  EXPECT_FALSE(Manifest::open(scratch.path())) << "a folder";
}

TEST(AManifest, ThatIsAPipeWhoseReaderIsGoneSaysSo) {
  const testing::ScratchFolder scratch;
  const std::string path = scratch / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  io::Handle reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  const auto manifest = Manifest::open(path);
  ASSERT_TRUE(manifest) << describe(manifest.error());
  (*manifest)->add(kLine);
  EXPECT_TRUE((*manifest)->state());
  reader = {};
  (*manifest)->add(kLine);
  EXPECT_FALSE((*manifest)->state());
  std::signal(SIGPIPE, before);
}

TEST(AManifest, ThatTakesNoMoreKeepsWholeLinesAndSaysSo) {
  const testing::ScratchFolder scratch;
  const std::string path = scratch / "m.jsonl";
  const auto manifest = Manifest::open(path);
  ASSERT_TRUE(manifest) << describe(manifest.error());
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{kLine.size() + 5, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  (*manifest)->add(kLine);
  (*manifest)->add(kLine);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE((*manifest)->state());
  EXPECT_EQ(text_of(path), kLine + "\n");
}

}  // namespace
}  // namespace dicube::cli
