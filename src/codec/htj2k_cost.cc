// OpenJPH allocates per tile, component, resolution and subband: rows of coefficients, one row of code-blocks with
// their samples, a header per code-block, a record per precinct; and once a tag tree for the largest precinct.
// Sizes below are its own of 0.32, rounded up.
#include "codec/htj2k_cost.h"

#include <bit>

namespace dicube::codec {
namespace {

constexpr std::uint64_t kTile = 512, kTileComponent = 512, kResolution = 1024, kPrecinct = 192, kSubband = 256;
constexpr std::uint64_t kBlock = 192, kBlockHeader = 48, kAlignment = 192;

std::uint64_t row_bytes(std::uint64_t width, std::uint64_t value) { return (width + 2) * value + kAlignment; }

std::uint64_t halved(std::uint64_t size, unsigned times) { return (size + (std::uint64_t{1} << times) - 1) >> times; }

}  // namespace

Cost::Axis::Axis(std::uint32_t begin, std::uint32_t end, std::uint32_t tile_begin, std::uint32_t tile_size)
    : size(std::min(tile_size, end - begin)),
      crossing(begin == 0 && tile_begin == 0 && (tile_size >= end || std::has_single_bit(tile_size)) ? 0 : 1) {}

// At an unknown origin, halving may give one sample more and a span may touch one piece more.
std::uint64_t Cost::Axis::at(unsigned down) const { return halved(size, down) + crossing; }
std::uint64_t Cost::Axis::pieces(std::uint64_t span, unsigned log) const { return halved(span, log) + crossing; }

Cost::Cost(const Extent& extent)
    : tiles_(extent.tiles()),
      x_(extent.x0, extent.x1, extent.tile_x0, extent.tile_width),
      y_(extent.y0, extent.y1, extent.tile_y0, extent.tile_height),
      tile_bytes_(kTile + 3 * row_bytes(x_.size, 4)) {}

void Cost::add_component(const Coding& coding, bool in_32_bits) {
  const std::uint64_t value = in_32_bits ? 4 : 8;
  tile_bytes_ += kTileComponent;
  for (unsigned r = 0; r <= coding.levels; ++r) {
    const std::uint64_t width = x_.at(coding.levels - r), height = y_.at(coding.levels - r);
    const Coding::Precinct precinct = coding.precincts[r];
    tile_bytes_ += kResolution + 4 * row_bytes(width, value) +
                   kPrecinct * x_.pieces(width, precinct.log_width) * y_.pieces(height, precinct.log_height);
    const unsigned half = r > 0 ? 1 : 0;  // a subband has half the resolution's width, and so have its precincts
    const unsigned log_width = std::min(coding.log_width, precinct.log_width - half);
    const unsigned log_height = std::min(coding.log_height, precinct.log_height - half);
    const std::uint64_t across = x_.pieces(halved(width, half), log_width);
    const std::uint64_t down = y_.pieces(halved(height, half), log_height);
    const std::uint64_t samples = std::max<std::uint64_t>(16, std::uint64_t{1} << log_width) << log_height;
    const std::uint64_t bands = r > 0 ? 3 : 1;
    tile_bytes_ += bands * (kSubband + row_bytes(width, value) + across * (kBlock + kAlignment + samples * value) +
                            across * down * kBlockHeader);
    tile_blocks_ += bands * across * down;
    log_tag_tree_ = std::max({log_tag_tree_, precinct.log_width - std::min(coding.log_width, precinct.log_width),
                              precinct.log_height - std::min(coding.log_height, precinct.log_height)});
  }
}

std::uint64_t Cost::working_bytes() const {
  const std::uint64_t tag_tree = (std::uint64_t{16} << 2 * log_tag_tree_) / 3;
  // The tag tree's memory is touched as far as the image needs it, so it counts less than its size.
  return tiles_ * tile_bytes_ + tag_tree / 4;
}

std::uint64_t Cost::code_blocks() const { return tiles_ * tile_blocks_; }

}  // namespace dicube::codec
