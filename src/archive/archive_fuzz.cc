// Whatever an archive's bytes are, reading them is an error or gives values; nothing is read or allocated beyond them.
// Changed bytes get right checksums first, so that what lies behind the checksums is reached.
#include <cstdlib>

#include "archive/testing.h"
#include "dicube/archive.h"

namespace {

using namespace dicube;

constexpr std::uint64_t kMostPixels = 1 << 22;

void read_columns(const Archive& archive) {
  for (const std::string& path : archive.paths()) {
    const std::string last = path.substr(path.rfind('.') + 1);  // as for fields of functional groups
    if (const auto frames = archive.frame_column(last); frames && frames->size() != archive.frame_count()) std::abort();
    const auto column = archive.column(path);
    if (!column) continue;
    for (std::size_t i = 0; i < column->size(); ++i) {
      static_cast<void>(column->text(i));
      static_cast<void>(column->numbers(i));
      if (!column->is_present(i) && !column->bytes(i).empty()) std::abort();
    }
  }
}

void read_everything(const Archive& archive) {
  read_columns(archive);
  if (archive.info().findings)
    for (const Finding& finding : *archive.info().findings)
      for (std::size_t slice : finding.slices)
        if (slice >= archive.instances().size()) std::abort();
  for (std::size_t i = 0; i < archive.instances().size(); ++i) {
    static_cast<void>(archive.data_set(i));
    if (const auto file = archive.read_instance(i); file && file->size() != archive.instances()[i].size) std::abort();
    static_cast<void>(archive.find_instance(archive.instances()[i].name));
  }
  for (std::size_t frame = 0; frame < archive.frame_count(); ++frame) {
    if (archive.instance_of(frame) >= archive.instances().size()) std::abort();
    const PixelFormat& format = archive.pixel_format(frame);
    const std::uint64_t size = format.frame_bytes();
    if (size > kMostPixels || std::uint64_t{format.rows} * format.columns > kMostPixels) continue;
    std::vector<std::byte> pixels(size);
    static_cast<void>(archive.read_frame(frame, pixels));
    pixels.resize(Archive::reduced(format, 1).frame_bytes());
    static_cast<void>(archive.read_frame_reduced(frame, 1, pixels));
  }
}

void read(ByteSpan bytes) {
  if (const auto archive = Archive::from_bytes(bytes, "fuzz")) read_everything(*archive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes = std::as_bytes(std::span(data, size));
  read(bytes);
  auto parts = archive::testing::take_apart_by_force(bytes);
  if (parts.empty()) return 0;
  const std::uint64_t features = load_le<std::uint64_t>(&bytes[16]) & format::kKnownFeatures;
  archive::testing::seal_blocks(parts, features);
  read(archive::testing::put_together(parts, features));
  return 0;
}
