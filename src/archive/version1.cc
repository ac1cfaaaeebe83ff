#include "archive/version1.h"

#include <zstd.h>

#include <algorithm>

#include "archive/version1_elements.h"
#include "archive/writer.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "codec/htj2k_header.h"
#include "columns/packed.h"
#include "dicom/element_writer.h"
#include "dicom/tags.h"
#include "dicom/top_level.h"
#include "dicom/uid.h"
#include "format/header.h"

namespace dicube::archive {
namespace {

using dicom::Tag;
using version1::decimal;
using version1::Elements;
using version1::Json;
using version1::kMostDepth;
using version1::set;
using version1::text_of;

constexpr std::uint64_t kMostText = std::uint64_t{1} << 27;
constexpr std::size_t kMostValues = std::size_t{1} << 22;  // each takes up to some 80 bytes once parsed, and 2 of text
// The headers of all instances may have this many bytes, and this many for every byte of the file: shared values stand
// in each of them.
constexpr std::uint64_t kFreeHeaders = std::uint64_t{256} << 20, kMostRatio = 256;
constexpr Tag kRescaleIntercept = 0x00281052, kRescaleSlope = 0x00281053;
constexpr std::string_view kSecondaryCapture = "1.2.840.10008.5.1.4.1.1.7";

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

bool is_ascii(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
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

// A UID that is the same whenever the same file is read (PS3.5 B.2).
std::string made_uid(std::uint64_t identity, std::uint64_t which) {
  return formatted("2.25.{}{:019}", identity | 1, xxh3(as_bytes("dicube"), identity + which) >> 1);
}

// What a slice needs to be an instance of a series, where the metadata has it not.
void complete_identity(std::uint64_t identity, std::size_t frame, Elements& elements) {
  const auto complete = [&](Tag tag, const std::string& uid) {
    if (text_of(elements, tag).empty()) set(elements, tag, "UI", uid);
  };
  complete(dicom::kSopClassUid, std::string(kSecondaryCapture));
  complete(dicom::kStudyInstanceUid, made_uid(identity, 1));
  complete(dicom::kSeriesInstanceUid, made_uid(identity, 2));
  complete(dicom::kSopInstanceUid, made_uid(identity, 3 + frame));
  if (!elements.contains(dicom::kInstanceNumber))
    set(elements, dicom::kInstanceNumber, "IS", formatted("{}", frame + 1));
}

}  // namespace

struct Version1::State {
  const io::Source* source = nullptr;
  Json merged, space, pixel_header;
  bool is_ascii = true;  // all of `merged`: asked once, and not for every frame
  std::vector<std::uint64_t> offsets, lengths;
  std::uint64_t identity = 0;  // of the file, for UIDs that it lacks
};

Version1::Version1(std::unique_ptr<State> state) : state_(std::move(state)) {}
Version1::Version1(Version1&&) noexcept = default;
Version1& Version1::operator=(Version1&&) noexcept = default;
Version1::~Version1() = default;
std::size_t Version1::frames() const { return state_->offsets.size(); }
std::uint64_t Version1::frame_bytes(std::size_t frame) const { return state_->lengths[frame]; }

bool is_version1(ByteSpan first) {
  return first.size() >= 12 && std::ranges::equal(first.first(8), std::as_bytes(std::span(format::kVersion1Magic))) &&
         load_le<std::uint32_t>(first.data() + 8) == 1;
}

std::string version1_name(std::size_t frame) { return formatted("slice_{:04}.dcm", frame); }

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
    state->is_ascii = is_ascii(state->merged);
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

Result<Bytes> Version1::codestream(std::size_t frame) const {
  const State& state = *state_;
  if (frame >= frames())
    return fail(ErrorClass::kNotFound, "no frame {}: it has {}", frame, counted(frames(), "frame"));
  return read_part(*state.source, state.offsets[frame], state.lengths[frame], formatted("frame {}", frame));
}

Result<Version1Instance> Version1::instance(std::size_t frame) const {
  const State& state = *state_;
  DICUBE_ASSIGN(const auto stream, codestream(frame));
  DICUBE_ASSIGN(const auto header, codec::read_htj2k_header(stream));
  if (header.rows > 65535 || header.columns > 65535)
    return fail(ErrorClass::kUnsupported, "frame {} of {} x {} pixels", frame, header.columns, header.rows);
  Elements elements;
  if (state.merged.is_object()) {
    DICUBE_ASSIGN(elements, version1::elements_of(state.merged, frame));
    if (!state.is_ascii) set(elements, dicom::kSpecificCharacterSet, "CS", "ISO_IR 192");
  }
  std::erase_if(elements, [](const auto& element) {
    return dicom::is_pixel_data(element.first) || element.first == dicom::kNumberOfFrames;
  });
  set_pixel_description(header, elements);
  for (const auto& [name, tag] : {std::pair{"RescaleSlope", kRescaleSlope}, {"RescaleIntercept", kRescaleIntercept}})
    if (const auto found = state.pixel_header.find(name); found != state.pixel_header.end() && found->is_number())
      set(elements, tag, "DS", decimal(*found));
  if (state.space.is_object()) version1::add_space(state.space, frame, elements);
  complete_identity(state.identity, frame, elements);
  Version1Instance out{version1_name(frame), {}};
  out.file = dicom::file_head(text_of(elements, dicom::kSopClassUid), text_of(elements, dicom::kSopInstanceUid),
                              dicom::kHtj2kLosslessUid);
  for (const auto& [tag, element] : elements) append(out.file, element);
  const ByteSpan frames[] = {stream};
  dicom::put_fragments(out.file, {frames, frames + 1});
  return out;
}

namespace {

// What the writer takes of an instance.
struct MadeInstance {
  Version1Instance made;
  dicom::Tokens tokens;  // of the file
  PixelPlan pixels;
  Instance instance;
  std::vector<CodedFrame> frames;
};

Status make_instance(const Version1& old, std::size_t frame, Scratch& scratch, MadeInstance& out) {
  DICUBE_ASSIGN(out.made, old.instance(frame));
  const Bytes& file = out.made.file;
  DICUBE_ASSIGN(out.tokens, dicom::tokenize(file));
  DICUBE_ASSIGN(auto plan, plan_pixels(out.tokens, file));
  if (!plan || out.tokens.stop) return fail(ErrorClass::kDamaged, "frame {} makes no DICOM instance", frame);
  out.pixels = *std::move(plan);
  out.instance = {};
  out.instance.name = out.made.name;
  out.instance.size = file.size();
  out.instance.sha256 = sha256(file);
  out.frames.clear();
  out.frames.push_back(code_frame(scratch, out.pixels, file, 0, 0, CodecChoice::kAuto));
  return {};
}

}  // namespace

Status Version1Work::check_cancel() const {
  if (cancel == nullptr || !*cancel) return {};
  return fail(ErrorClass::kStopped, "cancelled");
}

Result<io::NewFile> convert_version1(const Version1& old, std::uint64_t file_bytes, const io::Folder& folder,
                                     std::string name, const Version1Work& work) {
  ArchiveWriter writer(folder, std::move(name));
  ScratchPool pool;
  std::string series;
  const std::uint64_t most = kFreeHeaders + kMostRatio * file_bytes;
  std::uint64_t size = 0;
  std::vector<MadeInstance> batch(std::min<std::size_t>(thread_count(work.threads), old.frames()));
  for (std::size_t first = 0; first < old.frames(); first += batch.size()) {
    const std::size_t count = std::min(batch.size(), old.frames() - first);
    const auto make = [&](std::size_t i) -> Status {
      DICUBE_TRY(work.check_cancel());
      return make_instance(old, first + i, *pool.lend(), batch[i]);
    };
    DICUBE_TRY(try_parallel(count, work.threads, make));
    for (std::size_t i = 0; i < count; ++i) {
      auto& [made, tokens, pixels, instance, frames] = batch[i];
      if ((size += made.file.size()) > most)
        return fail(ErrorClass::kLimit, "{} of {} frames make instances of {} bytes, over {}", first + i + 1,
                    old.frames(), size, most);
      if (series.empty()) series = dicom::TopLevel(tokens.data, made.file).text(dicom::kSeriesInstanceUid);
      DICUBE_TRY(writer.add(std::move(instance), {made.name, made.file, &tokens, &pixels}, std::move(frames)));
      work.done(first + i);
    }
  }
  return writer.finish(series, work.threads);
}

Result<io::NewFile> convert_version1(const io::Source& source, const io::Folder& folder, std::string name) {
  DICUBE_ASSIGN(const auto old, Version1::read(source));
  return convert_version1(old, source.size(), folder, std::move(name));
}

}  // namespace dicube::archive
