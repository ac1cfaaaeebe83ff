// Whatever a version-1 file's bytes are, opening it is an error or gives an archive that is whole. An input is a file;
// or, when its first byte is 1, what one is made of: number of frames, size of the metadata (16 bits), metadata, then
// the space up to a zero byte, then the codestream of every frame; so that compression and offsets are no hurdle.
#include <zstd.h>

#include <cstdlib>

#include "archive/version1.h"
#include "codec/codec.h"
#include "codec/testing.h"

namespace {

using namespace dicube;

constexpr std::uint64_t kMostPixels = 1 << 20;

Bytes packed(ByteSpan text) {
  Bytes out(ZSTD_compressBound(text.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

Bytes valid_stream() {
  codec::Shape shape;
  shape.rows = 6;
  shape.columns = 7;
  codec::Workspace work;
  Bytes out;
  if (!work.encode(codec::CodecId::kHtj2k, shape, codec::testing::make_frame(shape, codec::testing::Kind::kSmooth, 1),
                   out))
    std::abort();
  return out;
}

Bytes built(ByteSpan data) {
  const std::size_t frames = data.empty() ? 0 : std::to_integer<std::size_t>(data[0]) % 5;
  data = data.subspan(std::min<std::size_t>(1, data.size()));
  const std::size_t size = data.size() < 2 ? 0 : load_le<std::uint16_t>(data.data());
  data = data.subspan(std::min<std::size_t>(2, data.size()));
  const ByteSpan metadata = data.first(std::min(size, data.size()));
  data = data.subspan(metadata.size());
  const std::size_t space = std::min(as_text(data).find('\0'), data.size());
  static const Bytes kStream = valid_stream();
  const ByteSpan given = data.subspan(std::min(space + 1, data.size()));
  const ByteSpan stream = given.empty() ? ByteSpan(kStream) : given;
  const std::vector<Bytes> parts = {{},
                                    metadata.empty() ? Bytes() : packed(metadata),
                                    Bytes(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(space)),
                                    {std::byte{'{'}, std::byte{'}'}},
                                    Bytes(8 * frames),
                                    Bytes(8 * frames)};
  Bytes out(archive::kVersion1Header);
  std::memcpy(out.data(), "DCMCUBES", 8);
  store_le(out.data() + 8, std::uint32_t{1});
  for (std::size_t i = 0; i < parts.size(); ++i) {
    store_le(out.data() + 12 + 16 * i, std::uint64_t{out.size()});
    store_le(out.data() + 20 + 16 * i, std::uint64_t{parts[i].size()});
    append(out, parts[i]);
  }
  store_le(out.data() + 108, std::uint64_t{frames});
  const std::size_t lengths = out.size() - 8 * frames, offsets = lengths - 8 * frames;
  for (std::size_t i = 0; i < frames; ++i) {
    store_le(out.data() + offsets + 8 * i, std::uint64_t{out.size()});
    store_le(out.data() + lengths + 8 * i, std::uint64_t{stream.size()});
    append(out, stream);
  }
  return out;
}

// What was made of the file was made here: it must be right.
void read_everything(const Archive& archive) {
  for (const std::string& path : archive.paths())
    if (const auto column = archive.column(path))
      for (std::size_t i = 0; i < column->size(); ++i) static_cast<void>(column->text(i));
  for (std::size_t i = 0; i < archive.instances().size(); ++i)
    if (!archive.read_instance(i) || !archive.data_set(i)) std::abort();
  for (std::size_t frame = 0; frame < archive.frame_count(); ++frame) {
    const PixelFormat& format = archive.pixel_format(frame);
    if (std::uint64_t{format.rows} * format.columns > kMostPixels) continue;
    std::vector<std::byte> pixels(format.frame_bytes());
    static_cast<void>(archive.read_frame(frame, pixels));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const ByteSpan data = std::as_bytes(std::span(bytes, size));
  const bool is_recipe_of_one = size > 0 && bytes[0] == 1;
  const Bytes file = is_recipe_of_one ? built(data.subspan(1)) : Bytes(data.begin(), data.end());
  if (!archive::is_version1(file)) return 0;
  if (const auto archive = Archive::from_bytes(file, "fuzz")) read_everything(*archive);
  return 0;
}
