// Memory for the pixels of large arrays.
#include <nanobind/ndarray.h>

#include "binding.h"

namespace dicube::python {
namespace {

using Array = nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>;

Array allocate(std::size_t size) {
  auto buffer = std::make_unique<PixelBuffer>(size);
  std::byte* const data = buffer->data();
  const nb::capsule owner(buffer.get(), [](void* of) noexcept { delete static_cast<PixelBuffer*>(of); });
  static_cast<void>(buffer.release());
  return Array(data, {size}, owner);
}

}  // namespace

void bind_memory(nb::module_& m) {
  m.def(
      "allocate", &allocate, nb::arg("size"),
      "An array of so many bytes, whatever they are; for large ones. The memory of the last one that was freed is used "
      "again.");
}

}  // namespace dicube::python
