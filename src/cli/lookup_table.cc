#include "cli/lookup_table.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/formatted.h"
#include "base/result.h"
#include "cli/palette_segments.h"
#include "dicom/value.h"

namespace dicube::cli {
namespace {

constexpr std::uint32_t kModalityLutSequence = 0x00283000, kDescriptor = 0x00283002, kData = 0x00283006;
constexpr std::uint32_t kRedDescriptor = 0x00281101, kRedData = 0x00281201,
                        kRedSegments = 0x00281221;  // those of green and blue follow
constexpr std::size_t kWords = 65536;

const Element* find(const std::vector<Element>& elements, std::uint32_t tag) {
  const auto found = std::ranges::find(elements, tag, &Element::tag);
  return found == elements.end() ? nullptr : &*found;
}

bool says_nothing(const Element* element) { return element == nullptr || element->value.empty(); }

std::vector<double> bytes_of(ByteSpan value) {
  std::vector<double> bytes;
  for (const std::byte byte : value) bytes.push_back(std::to_integer<int>(byte));
  return bytes;
}

bool is_segmented(const Element& data) { return data.tag >= kRedSegments && data.tag <= kRedSegments + 2; }

Result<std::vector<double>> entries_in_segments(const Element& data, std::size_t count, double bits,
                                                dicom::Encoding encoding) {
  const std::size_t bytes_each = bits > 8 ? 2 : 1;
  const ByteSpan needed = data.value.first(std::min(data.value.size(), bytes_each * most_segment_units(count)));
  const auto units = bytes_each == 2 ? dicom::numbers(needed, "US", encoding) : bytes_of(needed);
  return entries_of_segments(units, bytes_each, count);
}

// Of 8 bits, an entry has a byte or a word.
Result<std::vector<double>> entries(const Element& data, std::size_t count, double bits, dicom::Encoding encoding) {
  if (is_segmented(data)) return entries_in_segments(data, count, bits, encoding);
  const std::size_t words = std::min(count, data.value.size() / 2);
  if (words == count || bits > 8)
    return dicom::numbers(data.value.first(2 * words), data.vr == "SS" ? "SS" : "US", encoding);
  return bytes_of(data.value);
}

}  // namespace

Result<LookupTable> LookupTable::read(const Element* descriptor, const Element* data, const DataSet& data_set,
                                      bool is_signed, const std::string& name) {
  if (descriptor == nullptr || descriptor->value.size() != 6 || data == nullptr)
    return fail(ErrorClass::kUnsupported, "{} without descriptor or data", name);
  const auto encoding = static_cast<dicom::Encoding>(data_set.encoding);
  const auto words = dicom::numbers(descriptor->value, "US", encoding);
  const std::size_t count = words[0] > 0 ? static_cast<std::size_t>(words[0]) : kWords;
  LookupTable out;
  out.first_ = is_signed && 2 * words[1] >= kWords ? words[1] - kWords : words[1];
  out.most_ = words[2] > 8 ? kWords - 1 : 255;
  auto found = entries(*data, count, words[2], encoding);
  if (!found) return fail(ErrorClass::kUnsupported, "{}: {}", name, found.error().message);
  out.table_ = *std::move(found);
  if (out.table_.size() < count)
    return fail(ErrorClass::kUnsupported, "{} of {} entries, where {} are promised", name, out.table_.size(), count);
  out.table_.resize(count);
  return out;
}

double LookupTable::of(double stored) const {
  const double place = std::clamp(stored - first_, 0.0, static_cast<double>(table_.size() - 1));
  return table_[static_cast<std::size_t>(place)];
}

Result<std::optional<LookupTable>> modality_lut_of(const Archive& archive, std::size_t frame) {
  const PixelFormat& format = archive.pixel_format(frame);
  if (format.is_float || format.samples > 1 || !archive.column("ModalityLUTSequence")) return std::nullopt;
  DICUBE_ASSIGN(const auto data_set, archive.data_set(archive.instance_of(frame)));
  const Element* sequence = find(data_set.elements, kModalityLutSequence);
  if (sequence == nullptr || sequence->items.empty()) return std::nullopt;
  const Element* descriptor = find(sequence->items[0], kDescriptor);
  const Element* data = find(sequence->items[0], kData);
  if (says_nothing(descriptor) && says_nothing(data)) return std::nullopt;  // as LEADTOOLS writes
  return LookupTable::read(descriptor, data, data_set, format.is_signed, formatted("frame {}: a Modality LUT", frame));
}

Result<std::optional<std::array<LookupTable, 3>>> palette_of(const Archive& archive, std::size_t frame) {
  const PixelFormat& format = archive.pixel_format(frame);
  if (format.is_float || format.samples > 1 || format.photometric != "PALETTE COLOR") return std::nullopt;
  DICUBE_ASSIGN(const auto data_set, archive.data_set(archive.instance_of(frame)));
  std::array<LookupTable, 3> palette;
  for (std::uint32_t i = 0; i < palette.size(); ++i) {
    const Element* data = find(data_set.elements, kRedData + i);
    if (says_nothing(data)) data = find(data_set.elements, kRedSegments + i);
    if (says_nothing(data)) return std::nullopt;
    DICUBE_ASSIGN(palette[i], LookupTable::read(find(data_set.elements, kRedDescriptor + i), data, data_set,
                                                format.is_signed, formatted("frame {}: a palette", frame)));
  }
  return palette;
}

}  // namespace dicube::cli
