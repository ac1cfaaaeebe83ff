// Hostile recipes and hostile codestreams never harm. The first byte chooses the recipe and what is done with the
// others: they are a recipe, or a codestream of which one is made. The second chooses the shape.
#include <array>
#include <cstdlib>

#include "codec/jpeg_in_jxl.h"
#include "codec/recipe.h"
#include "codec/testing.h"

namespace {

using namespace dicube;
using namespace dicube::codec;

struct Kind {
  Recipe recipe;
  CodecId codec;
};
constexpr std::array<Kind, 3> kKinds = {
    {{Recipe::kJpegLossless, CodecId::kJpeg}, {Recipe::kJpegLs, CodecId::kJpegLs}, {Recipe::kRle, CodecId::kRle}}};

Shape shape_of(unsigned choice) {
  constexpr std::array<std::array<std::uint32_t, 2>, 8> kSides = {
      {{16, 16}, {1, 1}, {17, 5}, {3, 60}, {5, 2}, {33, 33}, {64, 64}, {8, 8}}};
  Shape shape = testing::chosen_shape(choice, kSides);
  shape.planar = false;
  return shape;
}

void follow(Recipe recipe, const Shape& shape, ByteSpan data) {
  Bytes out;
  const std::uint64_t size = data.size() < 2 ? 0 : load_le<std::uint16_t>(data.data());
  const Bytes pixels = testing::make_frame(shape, testing::Kind::kSmooth, 1);
  if (follow_recipe(recipe, shape, pixels, data.subspan(std::min<std::size_t>(2, data.size())), size, out) &&
      out.size() != size)
    std::abort();
}

void make(Workspace& work, const Kind& kind, const Shape& shape, ByteSpan stream) {
  Bytes pixels(frame_bytes(shape).value()), again;
  if (!work.decode(kind.codec, shape, stream, pixels)) pixels = testing::make_frame(shape, testing::Kind::kSmooth, 1);
  const auto recipe = make_recipe(kind.recipe, shape, pixels, stream);
  if (!recipe) return;
  if (!follow_recipe(kind.recipe, shape, pixels, *recipe, stream.size(), again) || !same_bytes(again, stream))
    std::abort();
}

void carry(const Shape& shape, ByteSpan data) {
  Bytes out;
  if (jpeg_from_jxl(shape, data, 10000, out) && out.size() > 10000) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static Workspace work;
  if (size < 2) return 0;
  const ByteSpan data = std::as_bytes(std::span(bytes, size)).subspan(2);
  const Shape shape = shape_of(bytes[1]);
  const Kind& kind = kKinds[bytes[0] % kKinds.size()];
  switch (bytes[0] / kKinds.size() % 3) {
    case 0: follow(kind.recipe, shape, data); break;
    case 1: make(work, kind, shape, data); break;
    default: carry(shape, data); break;
  }
  return 0;
}
