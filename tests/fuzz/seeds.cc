// Writes the seeds of the codecs' fuzz targets: `fuzz_seeds tests/fuzz`, again when a target's inputs change. Streams
// as the codecs write them, in front of each what its target reads first.
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "codec/fuzz_inputs.h"
#include "codec/jpeg_testing.h"
#include "codec/lane.h"

namespace {

using namespace dicube;
using namespace dicube::codec;
using testing::ForeignInput;
using testing::Kind;
using testing::LaneInput;

// Of a choice of shape.
constexpr unsigned kTall = 2, kFlat = 3, kOdd = 5, kThree = 8, k16Bits = 16, kSigned = 32;

class Seeds {
 public:
  explicit Seeds(const std::filesystem::path& folder) : folder_(folder) {
    std::filesystem::create_directories(folder_);
  }
  void add(const std::string& name, unsigned first, unsigned second, ByteSpan data) const {
    std::ofstream out(folder_ / name, std::ios::binary | std::ios::trunc);
    out.put(static_cast<char>(first)).put(static_cast<char>(second));
    out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
    if (!out.flush()) std::abort();
  }

 private:
  std::filesystem::path folder_;
};

// Each three bytes change one.
const Bytes kChanges = {std::byte{20}, std::byte{0}, std::byte{1}, std::byte{90}, std::byte{0}, std::byte{64}};

void require(bool well) {
  if (!well) std::abort();
}

class LaneSeeds {
 public:
  explicit LaneSeeds(const std::filesystem::path& folder) : seeds_(folder / "lane_fuzz") {}

  void write() {
    constexpr unsigned kPlanar = 64, kColour = 128;
    for (const unsigned choice : {0U, kTall, kOdd + k16Bits, k16Bits + kSigned, kOdd + kThree, kFlat + kThree + k16Bits,
                                  kOdd + kThree + kColour, kOdd + kThree + kPlanar + k16Bits}) {
      for (const Kind kind : {Kind::kSmooth, Kind::kSparse}) write_alone(choice, kind);
      for (const LaneInput input :
           {LaneInput::kChanges, LaneInput::kChangesAfter, LaneInput::kFrame, LaneInput::kFrameAfter})
        add(formatted("input-{}-{}", static_cast<unsigned>(input), choice), choice, input, kChanges);
    }
    for (const Kind kind : {Kind::kConstant, Kind::kNoise, Kind::kExtremes, Kind::kRamp})
      write_alone(kOdd + k16Bits, kind);
    for (const unsigned choice : {0U, k16Bits, kOdd, k16Bits + kSigned}) {  // where a reference pays
      write_after(choice);
      write_headed(choice);
    }
  }

 private:
  // For one vector unit after the other: some machines have fewer.
  void add(const std::string& name, unsigned choice, LaneInput input, ByteSpan data) {
    constexpr unsigned kUnits = 5;
    seeds_.add(name, choice, static_cast<unsigned>(input) + testing::kLaneInputs * (count_++ % kUnits), data);
  }

  void write_alone(unsigned choice, Kind kind) {
    const Shape shape = testing::lane_shape(choice);
    Bytes stream;
    require(lane_.encode(shape, testing::make_frame(shape, kind, choice), stream).has_value());
    add(formatted("alone-{}-{}", choice, static_cast<unsigned>(kind)), choice, LaneInput::kStream, stream);
  }

  void write_after(unsigned choice) {
    const Shape shape = testing::lane_shape_after(choice);
    const Bytes reference = testing::lane_reference(shape, choice),
                frame = testing::make_frame(shape, Kind::kSmooth, choice);
    Bytes stream;
    const auto done = lane_.encode_after(shape, reference, frame, stream);
    require(done && *done == CodecId::kLaneInter);
    add(formatted("after-{}", choice), choice, LaneInput::kStreamAfter, stream);
  }

  // Streams that begin alike, as those of a series of small frames.
  void write_headed(unsigned choice) {
    const Shape shape = testing::lane_shape_after(choice);
    std::vector<Bytes> frames;
    for (unsigned seed = 0; seed < 16; ++seed) frames.push_back(testing::make_frame(shape, Kind::kSmooth, seed));
    const std::vector<ByteSpan> spans(frames.begin(), frames.end());
    const Bytes head = lane_.shared_head(shape, spans);
    Bytes stream;
    if (!head.empty() && lane_.encode_headed(shape, head, frames[0], stream))
      add(formatted("headed-{}", choice), choice, LaneInput::kStream, stream);
  }

  Seeds seeds_;
  Lane lane_;
  unsigned count_ = 0;
};

Bytes deflated(ByteSpan pixels) {
  z_stream state{};
  require(deflateInit2(&state, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes in(pixels.begin(), pixels.end()), out(pixels.size() + 64);
  state.next_in = reinterpret_cast<Bytef*>(in.data());
  state.avail_in = static_cast<uInt>(in.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  require(deflate(&state, Z_FINISH) == Z_STREAM_END);
  out.resize(state.total_out);
  deflateEnd(&state);
  return out;
}

class ForeignSeeds {
 public:
  explicit ForeignSeeds(const std::filesystem::path& folder) : seeds_(folder / "foreign_fuzz") {}

  void write() {
    constexpr unsigned kColour = 64;
    for (const unsigned choice : {kOdd, kTall + kThree, kOdd + k16Bits, kOdd + k16Bits + kSigned,
                                  kOdd + kThree + kColour, kTall + kThree + k16Bits}) {
      write_encoded(choice);
      write_jpeg(choice);
      const Shape shape = testing::foreign_shape(choice);
      add("deflated", CodecId::kDeflated, choice, deflated(testing::make_frame(shape, Kind::kSmooth, choice)));
    }
    for (const CodecId codec : kEncoded)
      for (const ForeignInput input : {ForeignInput::kChanges, ForeignInput::kFrame})
        add(formatted("input-{}-{}", name(codec), static_cast<unsigned>(input)), codec, kOdd + k16Bits, kChanges,
            input);
  }

 private:
  static constexpr std::array kEncoded = {CodecId::kRle, CodecId::kJpegLs, CodecId::kJpeg2000, CodecId::kJpegXl};

  void add(const std::string& name, CodecId codec, unsigned choice, ByteSpan data,
           ForeignInput input = ForeignInput::kStream) const {
    const auto place = std::ranges::find(testing::kForeignCodecs, codec) - testing::kForeignCodecs.begin();
    const auto first = static_cast<unsigned>(place) +
                       static_cast<unsigned>(input) * static_cast<unsigned>(testing::kForeignCodecs.size());
    seeds_.add(input == ForeignInput::kStream ? formatted("{}-{}", name, choice) : name, first, choice, data);
  }

  // By our own encoders, without and with losses.
  void write_encoded(unsigned choice) {
    const Shape shape = testing::foreign_shape(choice);
    const Bytes frame = testing::make_frame(shape, Kind::kSmooth, choice);
    for (const CodecId codec : kEncoded) {
      Bytes stream;
      if (work_.encode(codec, shape, frame, stream)) add(std::string(name(codec)), codec, choice, stream);
    }
    for (const CodecId codec : {CodecId::kJpegLs, CodecId::kJpegXl}) {
      Bytes stream;
      if (work_.encode_lossy(codec, shape, frame, {2, 0}, stream))
        add(formatted("{}-lossy", name(codec)), codec, choice, stream);
    }
    Bytes stream;  // JPEG 2000 is the older part of the same standard
    if (work_.encode(CodecId::kHtj2k, shape, frame, stream)) add("htj2k", CodecId::kJpeg2000, choice, stream);
  }

  void write_jpeg(unsigned choice) {
    const Shape shape = testing::foreign_shape(choice);
    const Bytes frame = testing::make_frame(shape, Kind::kSmooth, choice);
    const auto write = [&](const std::string& name, const testing::JpegOptions& options) {
      add(name, CodecId::kJpeg, choice, testing::jpeg_stream(shape, options, frame));
    };
    const int most = shape.bits;
    write("jpeg-lossless", {.precision = most, .predictor = 1});
    write("jpeg-lossless-scans", {.precision = most, .predictor = 6, .restart_rows = 3, .one_scan = false});
    write("jpeg-lossy", {.precision = std::min(most, 12), .lossless = false});
    write("jpeg-progressive", {.precision = std::min(most, 12), .lossless = false, .progressive = true});
  }

  Seeds seeds_;
  Workspace work_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  LaneSeeds(argv[1]).write();
  ForeignSeeds(argv[1]).write();
}
