// Every file of the test corpus, which lies beside the project or where DICUBE_CORPUS says, reassembles.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "dicom/testing.h"

namespace dicube::dicom {
namespace {

namespace fs = std::filesystem;

// Empty when there is none.
fs::path corpus() {
  if (const char* named = std::getenv("DICUBE_CORPUS")) return named;
  const fs::path beside = fs::path(DICUBE_SOURCE_DIR) / "../shared/data";
  return fs::is_directory(beside) ? beside : fs::path();
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Corpus, EveryFileReassemblesToItsBytes) {
  const fs::path folder = corpus();
  if (folder.empty()) GTEST_SKIP() << "no corpus: set DICUBE_CORPUS to a folder of DICOM files";
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  ASSERT_FALSE(files.empty());

  std::size_t tokens_in_all = 0, stops = 0, refused = 0;
  for (const fs::path& path : files) {
    const std::string text = read_file(path);
    const ByteSpan file = as_bytes(text);
    auto tokens = tokenize(file);
    const std::string shown = path.lexically_relative(folder);
    if (!tokens) {
      EXPECT_EQ(tokens.error().error_class, ErrorClass::kNotDicom) << shown;
      std::cout << shown << ": " << tokens.error().message << "\n";
      ++refused;
      continue;
    }
    EXPECT_EQ(testing::reassemble(*tokens, file), testing::inflated(*tokens, file)) << shown;
    tokens_in_all += tokens->meta.size() + tokens->data.size();
    if (!tokens->stop) continue;
    std::cout << shown << ": stop: " << tokens->stop->reason << "\n";
    ++stops;
  }
  std::cout << files.size() << " files, " << tokens_in_all << " tokens; " << stops << " files end with a stop, "
            << refused << " are no DICOM\n";
  EXPECT_LT(refused, files.size());
}

// Scanning a folder reads the first bytes of a file only.
TEST(Corpus, TheFirst16KibibytesOfEveryFileGiveTheSameElements) {
  const fs::path folder = corpus();
  if (folder.empty()) GTEST_SKIP() << "no corpus: set DICUBE_CORPUS to a folder of DICOM files";
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string text = read_file(entry.path());
    const ByteSpan file = as_bytes(text);
    const ByteSpan head = file.first(std::min<std::size_t>(file.size(), 16384));
    auto whole = tokenize(file);
    auto part = tokenize(head, {.stop_before_pixels = true, .file_size = file.size()});
    ASSERT_EQ(whole.has_value(), part.has_value()) << entry.path();
    if (!whole) continue;
    ASSERT_EQ(part->encoding, whole->encoding) << entry.path();
    ASSERT_LE(part->data.size(), whole->data.size()) << entry.path();
    for (std::size_t i = 0; i < part->data.size(); ++i) {
      ASSERT_EQ(part->data[i].tag, whole->data[i].tag) << entry.path();
      ASSERT_EQ(part->data[i].value, whole->data[i].value) << entry.path();
      ASSERT_EQ(part->data[i].length, whole->data[i].length) << entry.path();
    }
    if (head.size() == file.size()) continue;
    EXPECT_TRUE(!part->stop || whole->stop) << entry.path() << part->stop->reason;
  }
}

}  // namespace
}  // namespace dicube::dicom
