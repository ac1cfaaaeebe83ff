// ISO/IEC 15444-1 annex A (marker segments) and B (tiles, resolutions, precincts, code-blocks, packets).
#include "codec/jpeg2000_cost.h"

#include <algorithm>
#include <array>

namespace dicube::codec {
namespace {

constexpr unsigned kCod = 0xFF52, kCoc = 0xFF53, kSot = 0xFF90, kSod = 0xFF93, kEoc = 0xFFD9;
constexpr unsigned kMostLevels = 32;
// As for HTJ2K (codec/htj2k_header.cc); and tiles of 32 x 32 are always few enough.
constexpr std::uint64_t kFreeBlocks = 1024, kValuesPerBlock = 128, kSidePerBlock = 16;
constexpr std::uint64_t kFreeTiles = 1024, kPixelsPerTile = 1024;
constexpr std::uint64_t kFreePackets = 1 << 20, kPacketsPerByte = 16;  // a packet has a byte at least (B.10.1)

std::uint64_t divided_up(std::uint64_t a, std::uint64_t b) { return a / b + (a % b != 0); }
std::uint64_t halved(std::uint64_t side, unsigned times) { return divided_up(side, std::uint64_t{1} << times); }

template <class... Args>
Status over(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorClass::kLimit, "JPEG 2000 codestream: {}", formatted(format, std::forward<Args>(args)...));
}

class Costs {
 public:
  explicit Costs(ByteSpan stream) : bytes_(stream.size()) {
    const auto u32 = [&](std::size_t at) -> std::uint64_t { return load_be<std::uint32_t>(stream.data() + at); };
    const std::uint64_t x1 = u32(8), y1 = u32(12), x0 = u32(16), y0 = u32(20), across = u32(24), down = u32(28),
                        tx0 = u32(32), ty0 = u32(36);
    components_ = load_be<std::uint16_t>(stream.data() + 40);
    if (across == 0 || down == 0 || tx0 > x0 || ty0 > y0 || x1 <= x0 || y1 <= y0) return;  // for OpenJPEG to refuse
    pixels_ = (x1 - x0) * (y1 - y0);
    tiles_ = divided_up(x1 - tx0, across) * divided_up(y1 - ty0, down);
    width_ = std::min(across, x1 - x0);
    height_ = std::min(down, y1 - y0);
  }

  Status check_tiles() const {
    const std::uint64_t most = kFreeTiles + pixels_ / kPixelsPerTile;
    if (tiles_ <= most) return {};
    return over("{} tiles of {} pixels, at most {} allowed", tiles_, pixels_, most);
  }

  // A.6.1, A.6.2: COD or COC. Taken for all components and tiles.
  Status check_coding(unsigned marker, ByteSpan body) {
    const std::size_t first = marker == kCod ? 5 : components_ < 257 ? 2 : 3;
    if (body.size() < first + 5) return {};
    if (marker == kCod) layers_ = load_be<std::uint16_t>(body.data() + 1 + 1);
    const auto u8 = [&](std::size_t at) { return at < body.size() ? std::to_integer<unsigned>(body[at]) : 0xFF; };
    const unsigned levels = u8(first), across = u8(first + 1) + 2, down = u8(first + 2) + 2;
    if (levels > kMostLevels || across > 10 || down > 10) return {};  // for OpenJPEG to refuse
    const bool has_precincts = (u8(marker == kCod ? 0 : first - 1) & 1) != 0;
    std::uint64_t blocks = 0, precincts = 0;
    for (unsigned r = 0; r <= levels; ++r) {
      const std::uint64_t width = halved(width_, levels - r), height = halved(height_, levels - r);
      const unsigned size = has_precincts ? u8(first + 5 + r) : 0xFF, ppx = size & 15, ppy = size >> 4;
      precincts += halved(width, ppx) * halved(height, ppy);
      const unsigned band = r == 0 ? 0 : 1;  // its precincts are half as large as the resolution's (B.7)
      blocks += (r == 0 ? 1 : 3) * halved(halved(width, band), std::min(across, ppx - std::min(ppx, band))) *
                halved(halved(height, band), std::min(down, ppy - std::min(ppy, band)));
    }
    return check_counts(blocks * components_ * tiles_, precincts * components_ * tiles_);
  }

 private:
  Status check_counts(std::uint64_t blocks, std::uint64_t precincts) const {
    const std::uint64_t in_thin_tile = (width_ + height_) / kSidePerBlock + 3 * (kMostLevels + 1),
                        most_blocks = kFreeBlocks + components_ * (tiles_ * in_thin_tile + pixels_ / kValuesPerBlock),
                        most_packets = kFreePackets + kPacketsPerByte * bytes_;
    if (blocks > most_blocks) return over("{} code-blocks, at most {} allowed", blocks, most_blocks);
    if (precincts > most_packets / std::max<std::uint64_t>(1, layers_))
      return over("{} packets in each of {} layers, {} bytes", precincts, layers_, bytes_);
    return {};
  }

  std::uint64_t bytes_, pixels_ = 0, tiles_ = 0, width_ = 0, height_ = 0, components_ = 0, layers_ = 1;
};

// Reads marker segments from `at` on until one of `ends`; false where none can be read.
Result<bool> check_segments(ByteSpan stream, std::uint64_t& at, std::array<unsigned, 2> ends, Costs& costs) {
  for (;;) {
    if (stream.size() - at < 4) return false;
    const unsigned marker = load_be<std::uint16_t>(stream.data() + at);
    if (marker == ends[0] || marker == ends[1]) return true;
    const std::uint64_t length = load_be<std::uint16_t>(stream.data() + at + 2);
    if (marker < 0xFF00 || length < 2 || length > stream.size() - at - 2) return false;
    if (marker == kCod || marker == kCoc) DICUBE_TRY(costs.check_coding(marker, stream.subspan(at + 4, length - 2)));
    at += 2 + length;
  }
}

}  // namespace

Status check_jpeg2000_cost(ByteSpan stream) {
  constexpr std::uint64_t kSotBytes = 12;
  Costs costs(stream);
  DICUBE_TRY(costs.check_tiles());
  std::uint64_t at = 2;
  DICUBE_ASSIGN(const bool has_header, check_segments(stream, at, {kSot, kEoc}, costs));
  if (!has_header) return fail(ErrorClass::kCodec, "JPEG 2000 codestream: its main header breaks off at byte {}", at);
  // Tile-parts may code otherwise. What can't be followed here OpenJPEG can't either, or refuses.
  while (stream.size() - at > kSotBytes && load_be<std::uint16_t>(stream.data() + at) == kSot) {
    const std::uint64_t size = load_be<std::uint32_t>(stream.data() + at + 6);
    std::uint64_t inside = at + kSotBytes;
    DICUBE_ASSIGN(const bool has_data, check_segments(stream, inside, {kSod, kSod}, costs));
    if (!has_data || size < kSotBytes || size > stream.size() - at) break;
    at += size;
  }
  return {};
}

}  // namespace dicube::codec
