// A codestream is, scan by scan, marker segments through SOS and the entropy-coded segment; then a tail (EOI, padding).
//  1. Segments tells what the marker segments so far say: size, components, Huffman tables, restart interval, the scan.
//  2. ScanCoder predicts every value from its neighbours (H.1.2.1) and codes the difference (H.1.2.2) with these
//  tables.
// Making a recipe finds the segments of a stream; following it writes them again and codes the scans between them.
#include "codec/jpeg_lossless.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

namespace dicube::codec {
namespace {

constexpr std::size_t kMostComponents = 4;
constexpr unsigned kCategories = 17;  // of differences modulo 2^16: 0 to 16
constexpr unsigned kSoi = 0xD8, kEoi = 0xD9, kSos = 0xDA, kDht = 0xC4, kDri = 0xDD, kSof3 = 0xC3, kDnl = 0xDC,
                   kRst0 = 0xD0;

template <class... Args>
Status unfit(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorClass::kCodec, "lossless JPEG: {}", formatted(format, std::forward<Args>(args)...));
}

struct HuffmanTable {
  std::array<std::uint16_t, kCategories> code{};
  std::array<std::uint8_t, kCategories> length{};  // 0: the table has no code for it
};

struct Component {
  unsigned id = 0;
  unsigned sampling = 0x11;
};

struct Scan {
  struct Part {
    std::size_t component = 0, table = 0;
  };
  std::vector<Part> parts;
  unsigned predictor = 0, point_transform = 0;
};

// The marker segments up to a scan, read in order.
class Segments {
 public:
  explicit Segments(const Shape& shape) : shape_(shape) {}

  // Reads marker segments from `at` on, through the next SOS, behind which `at` then is.
  Status read_to_scan(ByteSpan bytes, std::size_t& at) {
    while (true) {
      DICUBE_ASSIGN(const unsigned marker, read_marker(bytes, at));
      if (marker == kSoi || marker == 0x01) continue;
      if (marker == kEoi || (marker >= kRst0 && marker < kSoi)) return unfit("marker {:#04x} before a scan", marker);
      if (bytes.size() - at < 2) return unfit("a segment's length is missing at byte {} of {}", at, bytes.size());
      const std::size_t length = load_be<std::uint16_t>(bytes.data() + at);
      if (length < 2 || length > bytes.size() - at)
        return unfit("segment {:#04x} of {} bytes at byte {} of {}", marker, length, at, bytes.size());
      const ByteSpan body = bytes.subspan(at + 2, length - 2);
      at += length;
      switch (marker) {
        case kDht: DICUBE_TRY(read_tables(body)); break;
        case kDri:
          if (body.size() != 2) return unfit("a restart interval of {} bytes", body.size());
          interval_ = load_be<std::uint16_t>(body.data());
          break;
        case kSof3: DICUBE_TRY(read_frame(body)); break;
        case kSos: return read_scan(body);
        case kDnl: return unfit("a number of lines behind the scan");
        default:
          if (marker >= 0xC0 && marker <= 0xCF) return unfit("a segment {:#04x}", marker);
      }
    }
  }

  const Shape& shape() const { return shape_; }
  const Scan& scan() const { return scan_; }
  unsigned precision() const { return precision_; }
  std::uint32_t restart_rows() const { return interval_ / shape_.columns; }  // 0: no restarts
  const HuffmanTable& table(std::size_t number) const { return tables_[number]; }
  bool complete() const { return seen_ == components_.size(); }

 private:
  static unsigned u8(ByteSpan bytes, std::size_t at) { return std::to_integer<unsigned>(bytes[at]); }

  static Result<unsigned> read_marker(ByteSpan bytes, std::size_t& at) {
    const std::size_t start = at;
    while (at < bytes.size() && u8(bytes, at) == 0xFF) ++at;  // fill bytes, too
    if (at == start || at == bytes.size() || u8(bytes, at) == 0)
      return fail(ErrorClass::kCodec, "lossless JPEG: no marker at byte {} of {}", start, bytes.size());
    return u8(bytes, at++);
  }

  // B.2.4.2
  Status read_tables(ByteSpan body) {
    constexpr std::size_t kLengths = 16;
    while (!body.empty()) {
      if (body.size() < 1 + kLengths) return unfit("a Huffman table of {} bytes", body.size());
      const unsigned what = u8(body, 0);
      const ByteSpan counts = body.subspan(1, kLengths);
      std::size_t total = 0;
      for (std::size_t i = 0; i < kLengths; ++i) total += u8(counts, i);
      if (what > 0x1F || (what & 15) > 3 || total > 256 || total > body.size() - 1 - kLengths)
        return unfit("Huffman table {:#04x} of {} codes in {} bytes", what, total, body.size());
      if (what < 4) DICUBE_TRY(build(counts, body.subspan(1 + kLengths, total), tables_[what]));
      body = body.subspan(1 + kLengths + total);
    }
    return {};
  }

  // Annex C
  static Status build(ByteSpan counts, ByteSpan values, HuffmanTable& table) {
    table = {};
    std::uint32_t code = 0;
    std::size_t next = 0;
    for (unsigned length = 1; length <= counts.size(); ++length, code <<= 1)
      for (unsigned i = 0; i < u8(counts, length - 1); ++i, ++code, ++next) {
        if (code >> length != 0) return unfit("a Huffman table of more codes of {} bits than there are", length);
        const unsigned value = u8(values, next);
        if (value >= kCategories || table.length[value] != 0) continue;
        table.code[value] = static_cast<std::uint16_t>(code);
        table.length[value] = static_cast<std::uint8_t>(length);
      }
    return {};
  }

  // B.2.2
  Status read_frame(ByteSpan body) {
    constexpr std::size_t kFixed = 6, kEach = 3;
    if (!components_.empty()) return unfit("two frames");
    if (body.size() < kFixed || body.size() != kFixed + kEach * u8(body, 5))
      return unfit("a frame header of {} bytes", body.size());
    precision_ = u8(body, 0);
    const unsigned rows = load_be<std::uint16_t>(body.data() + 1), columns = load_be<std::uint16_t>(body.data() + 3),
                   count = u8(body, 5);
    if (precision_ < 2 || precision_ > std::min<unsigned>(shape_.bits, 16) || rows != shape_.rows ||
        columns != shape_.columns || columns == 0 || rows == 0 || count != shape_.samples || count > kMostComponents)
      return unfit("{} x {} pixels of {} components of {} bits, the frame has {} x {} of {} of {}", columns, rows,
                   count, precision_, shape_.columns, shape_.rows, shape_.samples, shape_.bits);
    for (std::size_t i = 0; i < count; ++i) {
      const Component component{u8(body, kFixed + kEach * i), u8(body, kFixed + kEach * i + 1)};
      if (count > 1 && component.sampling != 0x11)
        return unfit("component {} with sampling factors {:#04x}", i, component.sampling);
      components_.push_back(component);
    }
    return {};
  }

  // B.2.3
  Status read_scan(ByteSpan body) {
    if (components_.empty()) return unfit("a scan before the frame header");
    const std::size_t count = body.empty() ? 0 : u8(body, 0);
    if (count == 0 || count > kMostComponents || body.size() != 4 + 2 * count)
      return unfit("a scan header of {} bytes", body.size());
    scan_ = {};
    for (std::size_t i = 0; i < count; ++i) {
      const unsigned id = u8(body, 1 + 2 * i);
      const auto found =
          std::find_if(components_.begin(), components_.end(), [&](const Component& c) { return c.id == id; });
      const auto component = static_cast<std::size_t>(found - components_.begin());
      const unsigned table = u8(body, 2 + 2 * i) >> 4;
      if (found == components_.end() || table > 3) return unfit("a scan of component {} with table {}", id, table);
      scan_.parts.push_back({component, table});
    }
    seen_ += count;
    if (seen_ > components_.size()) return unfit("scans of {} components, the frame has {}", seen_, components_.size());
    scan_.predictor = u8(body, 1 + 2 * count);
    scan_.point_transform = u8(body, 3 + 2 * count) & 15;
    if (scan_.predictor < 1 || scan_.predictor > 7 || scan_.point_transform >= precision_)
      return unfit("predictor {} with point transform {} of {} bits", scan_.predictor, scan_.point_transform,
                   precision_);
    if (interval_ % shape_.columns != 0)
      return unfit("a restart interval of {} in rows of {}", interval_, shape_.columns);
    return {};
  }

  Shape shape_;
  unsigned precision_ = 0;
  std::vector<Component> components_;
  std::size_t seen_ = 0;  // components in scans so far
  std::array<HuffmanTable, 4> tables_;
  std::uint32_t interval_ = 0;
  Scan scan_;
};

// Bits, highest first, with a zero byte behind each FF (F.1.2.3).
class BitWriter {
 public:
  explicit BitWriter(Bytes& out) : out_(out) {}

  // REQUIRES: length <= 32, and bits has no others.
  void put(std::uint32_t bits, unsigned length) {
    waiting_ = waiting_ << length | bits;
    count_ += length;
    while (count_ >= 8) {
      count_ -= 8;
      const auto byte = static_cast<std::byte>(waiting_ >> count_);
      out_.push_back(byte);
      if (byte == std::byte{0xFF}) out_.push_back(std::byte{0});
    }
  }

  void fill(bool ones) {
    const unsigned missing = (8 - count_ % 8) % 8;
    put(ones ? (1U << missing) - 1 : 0, missing);
  }

 private:
  Bytes& out_;
  std::uint64_t waiting_ = 0;
  unsigned count_ = 0;
};

int predict(unsigned predictor, int a, int b, int c) {
  switch (predictor) {  // table H.1
    case 1: return a;
    case 2: return b;
    case 3: return c;
    case 4: return a + b - c;
    case 5: return a + ((b - c) >> 1);
    case 6: return b + ((a - c) >> 1);
    default: return (a + b) >> 1;
  }
}

class ScanCoder {
 public:
  ScanCoder(const Segments& segments, ByteSpan pixels) : in_(segments), pixels_(pixels) {
    const std::size_t columns = in_.shape().columns, parts = in_.scan().parts.size();
    for (auto* rows : {&above_, &row_, &differences_}) rows->assign(parts, std::vector<int>(columns));
  }

  // Appends the entropy-coded segment, until `out` exceeds `most` bytes.
  Status run(bool ones, std::size_t most, Bytes& out) {
    BitWriter bits(out);
    const std::uint32_t restart = in_.restart_rows();
    for (std::uint32_t y = 0; y < in_.shape().rows; ++y) {
      const bool first = restart == 0 ? y == 0 : y % restart == 0;
      if (first && y > 0) {
        bits.fill(ones);
        out.push_back(std::byte{0xFF});
        out.push_back(static_cast<std::byte>(kRst0 + (y / restart - 1) % 8));
      }
      for (std::size_t part = 0; part < row_.size(); ++part) predict_row(part, y, first);
      DICUBE_TRY(code_row(bits));
      if (out.size() > most) return unfit("a scan of over {} bytes", most);
    }
    bits.fill(ones);
    return {};
  }

 private:
  // H.1.2.1: the first line (of a restart interval) is predicted from the left, every other's first value from above.
  void predict_row(std::size_t part, std::uint32_t y, bool first) {
    std::vector<int>& above = above_[part];
    std::vector<int>& row = row_[part];
    std::vector<int>& difference = differences_[part];
    std::swap(above, row);
    load(in_.scan().parts[part].component, y, row);
    const unsigned predictor = first ? 1 : in_.scan().predictor;
    difference[0] = row[0] - (first ? 1 << (in_.precision() - in_.scan().point_transform - 1) : above[0]);
    for (std::size_t x = 1; x < row.size(); ++x)
      difference[x] = row[x] - predict(predictor, row[x - 1], above[x], above[x - 1]);
  }

  void load(std::size_t component, std::uint32_t y, std::vector<int>& row) const {
    const std::size_t samples = in_.shape().samples, width = in_.shape().bits / 8U, stride = samples * width;
    const std::byte* from = pixels_.data() + (std::size_t{y} * in_.shape().columns * samples + component) * width;
    const unsigned mask = (1U << in_.precision()) - 1, shift = in_.scan().point_transform;
    for (std::size_t x = 0; x < row.size(); ++x, from += stride) {
      const unsigned value = width == 1 ? std::to_integer<unsigned>(*from) : load_le<std::uint16_t>(from);
      row[x] = static_cast<int>((value & mask) >> shift);
    }
  }

  // H.1.2.2: one value of each component in turn.
  Status code_row(BitWriter& bits) {
    for (std::size_t x = 0; x < in_.shape().columns; ++x)
      for (std::size_t part = 0; part < differences_.size(); ++part) {
        const auto difference = static_cast<std::int16_t>(differences_[part][x]);  // modulo 2^16
        const unsigned magnitude = static_cast<unsigned>(difference < 0 ? -difference : difference);
        const auto category = static_cast<unsigned>(std::bit_width(magnitude));
        const HuffmanTable& table = in_.table(in_.scan().parts[part].table);
        const unsigned length = table.length[category];
        if (length == 0) return unfit("no code for differences of category {}", category);
        if (category == 0 || category == 16) {  // 32768 alone needs no further bits
          bits.put(table.code[category], length);
          continue;
        }
        const unsigned further =
            static_cast<unsigned>(difference < 0 ? difference - 1 : difference) & ((1U << category) - 1);
        bits.put(std::uint32_t{table.code[category]} << category | further, length + category);
      }
    return {};
  }

  const Segments& in_;
  ByteSpan pixels_;
  std::vector<std::vector<int>> above_, row_, differences_;  // by component of the scan
};

Status check_shape(const Shape& shape) {
  if ((shape.bits == 8 || shape.bits == 16) && shape.columns > 0 && shape.rows > 0) return {};
  return fail(ErrorClass::kUnsupported, "lossless JPEG of {} x {} values of {} bits", shape.columns, shape.rows,
              shape.bits);
}

// ON DISK: DO NOT CHANGE. How the last byte of a piece is filled up.
enum Fill : std::uint8_t { kZeros = 0, kOnes = 1 };

}  // namespace

Result<Bytes> make_jpeg_lossless_recipe(const Shape& shape, ByteSpan pixels, ByteSpan stream) {
  DICUBE_TRY(check_shape(shape));
  ByteWriter scans;
  std::uint8_t count = 0;
  std::size_t done = 0;  // of the stream is explained
  Segments segments(shape);
  Bytes coded;
  do {
    std::size_t at = done;
    if (const Status read = segments.read_to_scan(stream, at); !read) {
      if (count == 0) return tl::unexpected<Error>(read.error());
      break;  // the tail
    }
    const ByteSpan rest = stream.subspan(at);
    std::optional<Fill> fill;
    for (const Fill tried : {kOnes, kZeros}) {
      coded.clear();
      DICUBE_TRY(ScanCoder(segments, pixels).run(tried == kOnes, rest.size(), coded));
      if (coded.size() > rest.size() || !std::equal(coded.begin(), coded.end(), rest.begin())) continue;
      fill = tried;
      break;
    }
    if (!fill) return fail(ErrorClass::kUnsupported, "lossless JPEG: the scan at byte {} is coded in another way", at);
    scans.put_string(stream.subspan(done, at - done));
    scans.put(static_cast<std::uint8_t>(*fill));
    ++count;
    done = at + coded.size();
  } while (!segments.complete());
  ByteWriter recipe;
  recipe.put(count);
  Bytes bytes = recipe.take();
  append(bytes, scans.take());
  append(bytes, stream.subspan(done));
  return bytes;
}

Status follow_jpeg_lossless_recipe(const Shape& shape, ByteSpan pixels, ByteSpan recipe, std::uint64_t size,
                                   Bytes& out) {
  DICUBE_TRY(check_shape(shape));
  ByteReader in(recipe, "a recipe of lossless JPEG");
  DICUBE_ASSIGN(const unsigned count, in.get<std::uint8_t>());
  if (count == 0 || count > kMostComponents) return unfit("a recipe of {} scans", count);
  const std::size_t start = out.size();
  Segments segments(shape);
  for (unsigned i = 0; i < count; ++i) {
    DICUBE_ASSIGN(auto header, in.get_string());
    DICUBE_ASSIGN(const unsigned fill, in.get<std::uint8_t>());
    std::size_t end = 0;
    DICUBE_TRY(segments.read_to_scan(header, end));
    if (end != header.size() || fill > kOnes)
      return unfit("a recipe with {} of {} bytes before a scan, filled with {}", end, header.size(), fill);
    append(out, header);
    DICUBE_TRY(ScanCoder(segments, pixels).run(fill == kOnes, start + size, out));
  }
  append(out, recipe.last(in.left()));
  return {};
}

}  // namespace dicube::codec
