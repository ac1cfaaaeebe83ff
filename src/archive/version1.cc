#include "archive/version1.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "archive/writer.h"
#include "base/hash.h"
#include "codec/htj2k_header.h"
#include "columns/packed.h"
#include "dicom/dictionary.h"
#include "dicom/element_writer.h"
#include "dicom/value.h"

namespace dicube::archive {
namespace {

using dicom::Tag;
using Json = nlohmann::json;

constexpr std::string_view kMagic = "DCMCUBES";
constexpr std::size_t kMostDepth = 64;
constexpr std::uint64_t kMostText = std::uint64_t{1} << 27;
constexpr std::size_t kMostValues = std::size_t{1} << 22;  // each takes up to some 80 bytes once parsed, and 2 of text
// The headers of all instances may have this many bytes, and this many for every byte of the file: shared values stand
// in each of them.
constexpr std::uint64_t kFreeHeaders = std::uint64_t{256} << 20, kMostRatio = 256;
constexpr Tag kRescaleIntercept = 0x00281052, kRescaleSlope = 0x00281053, kPixelSpacing = 0x00280030,
              kSliceThickness = 0x00180050;
constexpr std::string_view kHtj2kLossless = "1.2.840.10008.1.2.4.201", kSecondaryCapture = "1.2.840.10008.5.1.4.1.1.7";

// A data set on its way: values by tag, so that they come out in the order of their tags.
using Elements = std::map<Tag, Bytes>;  // whole elements

Result<Bytes> read_part(const io::Source& source, std::uint64_t offset, std::uint64_t length, std::string_view what) {
  if (offset > source.size() || length > source.size() - offset)
    return fail(ErrorClass::kDamaged, "{} ends at {} + {} but the file has {} bytes", what, offset, length,
                source.size());
  Bytes bytes(length);
  DICUBE_TRY(source.read_at(offset, bytes));
  return bytes;
}

struct Extent {
  std::size_t depth = 0, values = 0;
};

// What the parser would go along with, but what walks its values or the memory would not.
Extent extent_of(std::string_view text) {
  Extent most;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      in_string = !in_string;
    else if (in_string)
      continue;
    else if (text[i] == '{' || text[i] == '[')
      most.depth = std::max(most.depth, ++depth), ++most.values;
    else if ((text[i] == '}' || text[i] == ']') && depth > 0)
      --depth;
    else if (text[i] == ',')
      ++most.values;
  }
  return most;
}

Result<Json> parse(ByteSpan text, std::string_view what) {
  const Extent extent = extent_of(as_text(text));
  if (extent.depth > 2 * kMostDepth)
    return fail(ErrorClass::kLimit, "{}: {} bytes of JSON nested deeper than {}", what, text.size(), 2 * kMostDepth);
  if (extent.values > kMostValues)
    return fail(ErrorClass::kLimit, "{}: {} values in JSON, at most {}", what, extent.values, kMostValues);
  Json json = Json::parse(as_text(text), nullptr, false);
  if (!json.is_object()) return fail(ErrorClass::kDamaged, "{}: {} bytes that are no JSON object", what, text.size());
  return json;
}

Result<Json> parse_packed(ByteSpan packed, std::string_view what) {
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > kMostText)
    return fail(ErrorClass::kDamaged, "{}: a zstd frame of unknown size, or over {} bytes", what, kMostText);
  DICUBE_ASSIGN(auto text, columns::zstd_decompress(packed, size, what));
  return parse(text, what);
}

Bytes from_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Bytes out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) continue;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    if ((count += 6) >= 8) out.push_back(static_cast<std::byte>(bits >> (count -= 8)));
  }
  return out;
}

// A number as a decimal string of at most 16 characters (PS3.5 6.2, DS).
std::string decimal(const Json& value) {
  if (value.is_number_integer()) return value.dump();
  const double number = value.get<double>();
  std::string text = formatted("{}", number);
  for (int digits = 16; text.size() > 16 && digits > 0; --digits) text = formatted("{:.{}g}", number, digits);
  return text;
}

std::string person_name(const Json& value) {
  std::string text;
  for (const char* part : {"Alphabetic", "Ideographic", "Phonetic"}) {
    if (part[0] != 'A') text += '=';
    if (const auto found = value.find(part); found != value.end() && found->is_string())
      text += found->get<std::string>();
  }
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

// Conversions of numbers that T does not hold are undefined.
template <class T>
T nearest(double number) {
  const auto least = static_cast<double>(std::numeric_limits<T>::lowest()),
             most = static_cast<double>(std::numeric_limits<T>::max());
  if (!(number > least)) return std::isnan(number) ? T() : std::numeric_limits<T>::lowest();
  return number < most ? static_cast<T>(number) : std::numeric_limits<T>::max();
}

template <class T>
void put_number(Bytes& out, const Json& value) {
  std::byte raw[sizeof(T)];
  T number = T();
  if (value.is_number_integer() && std::is_integral_v<T>)
    number = static_cast<T>(value.get<std::int64_t>());
  else if (value.is_number())
    number = nearest<T>(value.get<double>());
  std::memcpy(raw, &number, sizeof number);
  append(out, raw);
}

// One value of a binary VR; false for a VR of text.
bool put_binary(Bytes& out, std::string_view vr, const Json& value) {
  if (vr == "US")
    put_number<std::uint16_t>(out, value);
  else if (vr == "SS")
    put_number<std::int16_t>(out, value);
  else if (vr == "UL")
    put_number<std::uint32_t>(out, value);
  else if (vr == "SL")
    put_number<std::int32_t>(out, value);
  else if (vr == "UV")
    put_number<std::uint64_t>(out, value);
  else if (vr == "SV")
    put_number<std::int64_t>(out, value);
  else if (vr == "FL")
    put_number<float>(out, value);
  else if (vr == "FD")
    put_number<double>(out, value);
  else if (vr == "AT") {
    const Tag tag = value.is_string() ? dicom::parse_tag(value.get<std::string>()).value_or(0) : 0;
    put_number<std::uint16_t>(out, tag >> 16);
    put_number<std::uint16_t>(out, tag & 0xFFFF);
  } else
    return false;
  return true;
}

Bytes encode_values(std::string_view vr, const Json& values) {
  Bytes out;
  if (values.is_null()) return out;
  const Json list = values.is_array() ? values : Json::array({values});
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (put_binary(out, vr, list[i])) continue;
    if (i > 0) text += '\\';
    if (list[i].is_string())
      text += list[i].get<std::string>();
    else if (list[i].is_object())
      text += person_name(list[i]);
    else if (list[i].is_number())
      text += decimal(list[i]);
  }
  append(out, as_bytes(text));
  return out;
}

bool is_ascii(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void set(Elements& elements, Tag tag, std::string_view vr, std::string_view text) {
  Bytes element;
  dicom::put_element(element, tag, vr, as_bytes(text));
  elements[tag] = std::move(element);
}

void set(Elements& elements, Tag tag, std::uint16_t value) {
  Bytes element;
  dicom::put_element(element, tag, "US", value);
  elements[tag] = std::move(element);
}

// What slice `slice` has of the merged elements.
Result<Elements> elements_of(const Json& merged, std::size_t slice, std::size_t depth) {
  if (depth > kMostDepth) return fail(ErrorClass::kLimit, "metadata nested deeper than {}", kMostDepth);
  Elements elements;
  for (const auto& [key, entry] : merged.items()) {
    const auto tag = dicom::parse_tag(key);
    if (!tag || !entry.is_object() || (*tag & 0xFFFF) == 0 || *tag >> 16 <= 2)
      continue;  // group lengths and the meta group are made anew
    const auto named = entry.find("vr");
    const std::string vr =
        named != entry.end() && named->is_string() ? named->get<std::string>() : std::string(dicom::implicit_vr(*tag));
    if (vr.size() != 2) continue;
    const Json nothing;
    const Json* values = &nothing;
    bool binary = false;
    for (const char* name : {"Value", "InlineBinary", "null"})
      if (const auto found = entry.find(name); found != entry.end()) {
        values = &*found;
        binary = name[0] == 'I' || vr[0] == 'O' || vr == "UN";
        break;
      }
    Bytes element;
    if (vr == "SQ") {
      std::vector<Bytes> items;
      if (!values->is_array()) values = &nothing;
      for (const Json& item : *values) {
        if (!item.is_object()) continue;
        DICUBE_ASSIGN(auto inside, elements_of(item, slice, depth + 1));
        Bytes& bytes = items.emplace_back();
        for (const auto& [inner, whole] : inside) append(bytes, whole);
      }
      dicom::put_sequence(element, *tag, items);
    } else {
      const auto shared = entry.find("shared");
      if (shared != entry.end() && shared->is_boolean() && !shared->get<bool>()) {
        if (!values->is_array() || slice >= values->size())
          return fail(ErrorClass::kDamaged, "metadata: {} has {} values, slice {} needs one", key, values->size(),
                      slice);
        values = &(*values)[slice];
      }
      const bool inline_text = binary && values->is_string();
      dicom::put_element(element, *tag, vr,
                         inline_text ? from_base64(values->get<std::string>()) : encode_values(vr, *values));
    }
    elements[*tag] = std::move(element);
  }
  return elements;
}

std::string numbers(std::initializer_list<double> values) {
  std::string text;
  for (const double value : values) text += (text.empty() ? "" : "\\") + decimal(Json(value));
  return text;
}

// Position, orientation and spacing from the space (its axes are x, y, z), unless the metadata has them.
void add_space(const Json& space, std::size_t slice, Elements& elements) {
  const auto triple = [&](const char* name) -> std::optional<std::array<double, 3>> {
    const auto found = space.find(name);
    if (found == space.end() || !found->is_array() || found->size() != 3) return std::nullopt;
    std::array<double, 3> out{};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!(*found)[i].is_number()) return std::nullopt;
      out[i] = (*found)[i].get<double>();
    }
    return out;
  };
  const auto origin = triple("origin"), spacing = triple("spacing"), x = triple("x_orientation"),
             y = triple("y_orientation"), z = triple("z_orientation");
  if (!origin || !spacing || !x || !y || !z) return;
  const double along = static_cast<double>(slice) * (*spacing)[2];
  if (!elements.contains(dicom::kImagePosition))
    set(elements, dicom::kImagePosition, "DS",
        numbers({(*origin)[0] + along * (*z)[0], (*origin)[1] + along * (*z)[1], (*origin)[2] + along * (*z)[2]}));
  if (!elements.contains(dicom::kImageOrientation))
    set(elements, dicom::kImageOrientation, "DS", numbers({(*x)[0], (*x)[1], (*x)[2], (*y)[0], (*y)[1], (*y)[2]}));
  if (!elements.contains(kPixelSpacing)) set(elements, kPixelSpacing, "DS", numbers({(*spacing)[1], (*spacing)[0]}));
  if (!elements.contains(kSliceThickness)) set(elements, kSliceThickness, "DS", numbers({(*spacing)[2]}));
}

// What the codestream says of its values.
void set_pixel_description(const codec::Htj2kHeader& header, Elements& elements) {
  const auto& component = header.component[0];
  const unsigned bits = component.precision <= 8 ? 8 : component.precision <= 16 ? 16 : 32;
  set(elements, dicom::kSamplesPerPixel, header.components);
  set(elements, dicom::kRows, static_cast<std::uint16_t>(header.rows));
  set(elements, dicom::kColumns, static_cast<std::uint16_t>(header.columns));
  set(elements, dicom::kBitsAllocated, static_cast<std::uint16_t>(bits));
  set(elements, dicom::kBitsStored, component.precision);
  set(elements, dicom::kHighBit, static_cast<std::uint16_t>(component.precision - 1));
  set(elements, dicom::kPixelRepresentation, component.is_signed ? 1 : 0);
  if (header.components == 3) {
    set(elements, dicom::kPlanarConfiguration, 0);
    set(elements, dicom::kPhotometricInterpretation, "CS", header.colour_transform ? "YBR_RCT" : "RGB");
  } else if (!elements.contains(dicom::kPhotometricInterpretation)) {
    set(elements, dicom::kPhotometricInterpretation, "CS", "MONOCHROME2");
  }
}

std::string text_of(const Elements& elements, Tag tag) {
  const auto found = elements.find(tag);
  if (found == elements.end() || found->second.size() < 8) return {};
  std::string text(as_text(ByteSpan(found->second).subspan(8)));
  text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
  return text;
}

// A UID that is the same whenever the same file is read (PS3.5 B.2).
std::string made_uid(std::uint64_t identity, std::uint64_t which) {
  return formatted("2.25.{}{:019}", identity | 1, xxh3(as_bytes("dicube"), identity + which) >> 1);
}

}  // namespace

struct Version1::State {
  const io::Source* source = nullptr;
  Json merged, space, pixel_header;
  std::vector<std::uint64_t> offsets, lengths;
  std::uint64_t identity = 0;  // of the file, for UIDs that it lacks
};

Version1::Version1(std::unique_ptr<State> state) : state_(std::move(state)) {}
Version1::Version1(Version1&&) noexcept = default;
Version1& Version1::operator=(Version1&&) noexcept = default;
Version1::~Version1() = default;
std::size_t Version1::frames() const { return state_->offsets.size(); }

bool is_version1(ByteSpan first) {
  return first.size() >= 12 && as_text(first.first(8)) == kMagic && load_le<std::uint32_t>(first.data() + 8) == 1;
}

Result<std::string> version1_status(const io::Source& source) {
  constexpr std::uint64_t kMostName = 64;
  DICUBE_ASSIGN(const auto header, read_part(source, 0, kVersion1Header, "the header of version 1"));
  const auto offset = load_le<std::uint64_t>(header.data() + 12), length = load_le<std::uint64_t>(header.data() + 20);
  if (length > kMostName) return std::string();
  DICUBE_ASSIGN(const auto status, read_part(source, offset, length, "the status"));
  const std::string_view name = as_text(status);
  const bool is_name = std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return std::string(is_name ? name : "");
}

Result<Version1> Version1::read(const io::Source& source) {
  auto state = std::make_unique<State>();
  state->source = &source;
  DICUBE_ASSIGN(auto header, read_part(source, 0, kVersion1Header, "the header of version 1"));
  if (!is_version1(header)) return fail(ErrorClass::kDamaged, "no file of format version 1");
  std::array<std::uint64_t, 13> field{};
  for (std::size_t i = 0; i < field.size(); ++i) field[i] = load_le<std::uint64_t>(header.data() + 12 + 8 * i);
  DICUBE_ASSIGN(auto meta, read_part(source, field[2], field[3], "metadata"));
  DICUBE_ASSIGN(auto space, read_part(source, field[4], field[5], "space"));
  DICUBE_ASSIGN(auto pixels, read_part(source, field[6], field[7], "pixel header"));
  DICUBE_ASSIGN(auto offsets, read_part(source, field[8], field[9], "frame offsets"));
  DICUBE_ASSIGN(auto lengths, read_part(source, field[10], field[11], "frame lengths"));
  if (offsets.size() / 8 != field[12] || offsets.size() % 8 != 0 || lengths.size() != offsets.size())
    return fail(ErrorClass::kDamaged, "{} frames with {} bytes of offsets and {} of lengths", field[12], offsets.size(),
                lengths.size());
  if (!meta.empty()) {
    DICUBE_ASSIGN(auto json, parse_packed(meta, "metadata"));
    state->merged = json.contains("_merged_data") ? Json(std::move(json["_merged_data"])) : std::move(json);
  }
  if (!space.empty()) {
    DICUBE_ASSIGN(state->space, parse(space, "space"));
  }
  DICUBE_ASSIGN(state->pixel_header, parse(pixels, "pixel header"));
  state->identity = xxh3(meta, xxh3(lengths));
  std::uint64_t left = source.size();  // frames don't overlap: else a small file would make a large archive
  for (std::size_t at = 0; at < offsets.size(); at += 8) {
    state->offsets.push_back(load_le<std::uint64_t>(offsets.data() + at));
    state->lengths.push_back(load_le<std::uint64_t>(lengths.data() + at));
    if (state->lengths.back() > left)
      return fail(ErrorClass::kDamaged, "frames overlap: frame {} has {} bytes, {} of the file are left", at / 8,
                  state->lengths.back(), left);
    left -= state->lengths.back();
  }
  return Version1(std::move(state));
}

Result<Version1Instance> Version1::instance(std::size_t frame) const {
  const State& state = *state_;
  if (frame >= frames()) return fail(ErrorClass::kNotFound, "no frame {}: there are {}", frame, frames());
  DICUBE_ASSIGN(auto stream,
                read_part(*state.source, state.offsets[frame], state.lengths[frame], formatted("frame {}", frame)));
  DICUBE_ASSIGN(const auto header, codec::read_htj2k_header(stream));
  if (header.rows > 65535 || header.columns > 65535)
    return fail(ErrorClass::kUnsupported, "frame {} of {} x {} pixels", frame, header.columns, header.rows);
  Elements elements;
  if (state.merged.is_object()) {
    DICUBE_ASSIGN(elements, elements_of(state.merged, frame, 0));
    if (!is_ascii(state.merged)) set(elements, dicom::kSpecificCharacterSet, "CS", "ISO_IR 192");
  }
  for (const Tag tag :
       {dicom::kPixelData, dicom::kFloatPixelData, dicom::kDoubleFloatPixelData, dicom::kNumberOfFrames})
    elements.erase(tag);
  set_pixel_description(header, elements);
  for (const auto& [name, tag] : {std::pair{"RescaleSlope", kRescaleSlope}, {"RescaleIntercept", kRescaleIntercept}})
    if (const auto found = state.pixel_header.find(name); found != state.pixel_header.end() && found->is_number())
      set(elements, tag, "DS", decimal(*found));
  if (state.space.is_object()) add_space(state.space, frame, elements);
  if (text_of(elements, dicom::kSopClassUid).empty()) set(elements, dicom::kSopClassUid, "UI", kSecondaryCapture);
  std::uint64_t which = 0;
  for (const Tag tag : {dicom::kStudyInstanceUid, dicom::kSeriesInstanceUid}) {
    ++which;
    if (text_of(elements, tag).empty()) set(elements, tag, "UI", made_uid(state.identity, which));
  }
  if (text_of(elements, dicom::kSopInstanceUid).empty())
    set(elements, dicom::kSopInstanceUid, "UI", made_uid(state.identity, 3 + frame));
  if (!elements.contains(dicom::kInstanceNumber))
    set(elements, dicom::kInstanceNumber, "IS", formatted("{}", frame + 1));
  Version1Instance out{formatted("slice_{:04}.dcm", frame), {}};
  out.file = dicom::file_head(text_of(elements, dicom::kSopClassUid), text_of(elements, dicom::kSopInstanceUid),
                              kHtj2kLossless);
  for (const auto& [tag, element] : elements) append(out.file, element);
  const ByteSpan frames[] = {stream};
  dicom::put_fragments(out.file, {frames, frames + 1});
  return out;
}

Result<io::NewFile> convert_version1(const io::Source& source, const io::Folder& folder, std::string name) {
  DICUBE_ASSIGN(const auto old, Version1::read(source));
  ArchiveWriter writer(folder, std::move(name));
  Scratch scratch;
  std::string series;
  const std::uint64_t most = kFreeHeaders + kMostRatio * source.size();
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < old.frames(); ++i) {
    DICUBE_ASSIGN(const auto made, old.instance(i));
    if ((size += made.file.size()) > most)
      return fail(ErrorClass::kLimit, "{} of {} frames make instances of {} bytes, over {}", i + 1, old.frames(), size,
                  most);
    DICUBE_ASSIGN(const auto tokens, dicom::tokenize(made.file));
    DICUBE_ASSIGN(const auto plan, plan_pixels(tokens, made.file));
    if (!plan || tokens.stop) return fail(ErrorClass::kDamaged, "frame {} makes no DICOM instance", i);
    if (series.empty())
      for (const dicom::Token& token : tokens.data)
        if (token.tag == dicom::kSeriesInstanceUid && token.kind == dicom::TokenKind::kElement && series.empty())
          series = std::string(dicom::trimmed(ByteSpan(made.file).subspan(token.value, token.length)));
    Instance instance;
    instance.name = made.name;
    instance.size = made.file.size();
    instance.sha256 = sha256(made.file);
    std::vector<CodedFrame> frames;
    frames.push_back(code_frame(scratch, *plan, made.file, 0, 0, CodecChoice::kAuto));
    DICUBE_TRY(writer.add(std::move(instance), {made.name, made.file, &tokens, &*plan}, std::move(frames)));
  }
  return writer.finish(series, 1);
}

}  // namespace dicube::archive
