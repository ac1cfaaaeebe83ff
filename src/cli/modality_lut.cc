#include "cli/modality_lut.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/result.h"
#include "dicom/value.h"

namespace dicube::cli {
namespace {

constexpr std::uint32_t kSequence = 0x00283000, kDescriptor = 0x00283002, kData = 0x00283006;
constexpr std::size_t kWords = 65536;

const Element* find(const std::vector<Element>& elements, std::uint32_t tag) {
  const auto found = std::ranges::find(elements, tag, &Element::tag);
  return found == elements.end() ? nullptr : &*found;
}

// Of 8 bits, an entry has a byte or a word.
std::vector<double> entries(const Element& data, std::size_t count, double bits, dicom::Encoding encoding) {
  const std::size_t words = std::min(count, data.value.size() / 2);
  if (words == count || bits > 8)
    return dicom::numbers(data.value.first(2 * words), data.vr == "SS" ? "SS" : "US", encoding);
  std::vector<double> bytes;
  for (const std::byte byte : data.value) bytes.push_back(std::to_integer<int>(byte));
  return bytes;
}

}  // namespace

Result<std::optional<ModalityLut>> ModalityLut::of_frame(const Archive& archive, std::size_t frame) {
  const PixelFormat& format = archive.pixel_format(frame);
  if (format.is_float || format.samples > 1 || !archive.column("ModalityLUTSequence")) return std::nullopt;
  DICUBE_ASSIGN(const auto data_set, archive.data_set(archive.instance_of(frame)));
  const Element* sequence = find(data_set.elements, kSequence);
  if (sequence == nullptr || sequence->items.empty()) return std::nullopt;
  const Element* descriptor = find(sequence->items[0], kDescriptor);
  const Element* data = find(sequence->items[0], kData);
  const auto says_nothing = [](const Element* element) { return element == nullptr || element->value.empty(); };
  if (says_nothing(descriptor) && says_nothing(data)) return std::nullopt;
  if (descriptor == nullptr || descriptor->value.size() != 6 || data == nullptr)
    return fail(ErrorClass::kUnsupported, "frame {}: a Modality LUT without descriptor or data", frame);
  const auto encoding = static_cast<dicom::Encoding>(data_set.encoding);
  const auto words = dicom::numbers(descriptor->value, "US", encoding);
  const std::size_t count = words[0] > 0 ? static_cast<std::size_t>(words[0]) : kWords;
  ModalityLut lut;
  lut.first_ = format.is_signed && words[1] >= kWords / 2 ? words[1] - kWords : words[1];
  lut.table_ = entries(*data, count, words[2], encoding);
  if (lut.table_.size() < count)
    return fail(ErrorClass::kUnsupported, "frame {}: a Modality LUT of {} entries, where {} are promised", frame,
                lut.table_.size(), count);
  lut.table_.resize(count);
  return lut;
}

double ModalityLut::of(double stored) const {
  const double place = std::clamp(stored - first_, 0.0, static_cast<double>(table_.size() - 1));
  return table_[static_cast<std::size_t>(place)];
}

}  // namespace dicube::cli
