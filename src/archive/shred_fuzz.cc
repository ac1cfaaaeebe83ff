// What a file is taken apart into gives it back, whatever the file: tokens, columns and frames, through a finished
// archive. Two instances, the file and its first half, so that columns differ between them.
#include <cstdlib>

#include "archive/state.h"
#include "archive/writer.h"
#include "base/hash.h"

namespace {

using namespace dicube;

void require(bool ok) {
  if (!ok) std::abort();
}

void add(archive::ArchiveWriter& writer, archive::Scratch& scratch, const std::string& name, ByteSpan file) {
  Instance instance;
  instance.name = name;
  instance.size = file.size();
  instance.sha256 = sha256(file);
  const auto tokens = dicom::tokenize(file, {.max_inflated = 1 << 20});
  std::optional<archive::PixelPlan> plan;
  std::vector<archive::CodedFrame> frames;
  if (tokens) {
    if (auto planned = archive::plan_pixels(*tokens, tokens->data_bytes(file)); planned && *planned)
      plan = std::move(**planned);
    for (std::size_t i = 0; plan && i < plan->frames.size(); ++i)
      frames.push_back(
          archive::code_frame(scratch, *plan, tokens->data_bytes(file), i, 0, archive::CodecChoice::kAuto));
  }
  require(writer
              .add(std::move(instance), {name, file, tokens ? &*tokens : nullptr, plan ? &*plan : nullptr},
                   std::move(frames))
              .has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const io::Folder folder = io::Folder::open("/tmp").value();
  const ByteSpan bytes = std::as_bytes(std::span(data, size));
  archive::Scratch scratch;
  archive::ArchiveWriter writer(folder, "fuzz");
  add(writer, scratch, "whole", bytes);
  add(writer, scratch, "half", bytes.first(size / 2));
  add(writer, scratch, "again", bytes);
  const auto file = writer.finish("1.2.3", 1);
  require(file.has_value());
  const auto archive = ArchiveAccess::open(std::make_unique<io::WrittenSource>(*file));
  require(archive.has_value());
  const ByteSpan expected[] = {bytes, bytes.first(size / 2), bytes};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto rebuilt = archive->read_instance(i);
    require(rebuilt && same_bytes(*rebuilt, expected[i]));
    require(archive->data_set(i).has_value());
  }
  return 0;
}
