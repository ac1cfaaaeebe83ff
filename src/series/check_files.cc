// Headers of DICOM files as what check() needs of them. No file is read beyond its pixels' header, unless that and the
// file's size leave open whether there are pixels, and whether they end the file.
#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <new>
#include <numeric>

#include "archive/pixels.h"
#include "base/parallel.h"
#include "dicom/header.h"
#include "dicom/tags.h"
#include "dicom/top_level.h"
#include "dicom/uid.h"
#include "dicom/value.h"
#include "io/file.h"
#include "series/call.h"
#include "series/check_fields.h"
#include "series/planes.h"
#include "series/scan.h"
#include "series/slice_order.h"

namespace dicube {
namespace {

using dicom::Token;

constexpr std::uint64_t kFirstRead = 64 * 1024;

struct Header {
  Slice slice;
  bool is_instance = false, has_pixels = false;
  bool is_lost = false;  // DICOM, but of what series can't be read
};

// The pixel element's header: where its value begins in the file, and how long it says to be.
struct PixelHeader {
  std::uint64_t value;
  std::uint32_t length;
};
constexpr std::uint32_t kUndefined = 0xFFFFFFFF;
constexpr std::uint64_t kPixelHeader = 12;  // bytes at most

// Nothing where the tokens do not end in front of one, or in an unusual one.
std::optional<PixelHeader> pixel_header(const dicom::Tokens& tokens, ByteSpan bytes) {
  constexpr std::uint64_t kShort = 8;
  if (tokens.deflated || tokens.stop || tokens.encoding == dicom::Encoding::kExplicitBig) return std::nullopt;
  if (tokens.end + kPixelHeader > bytes.size()) return std::nullopt;
  const std::byte* at = bytes.data() + tokens.end;
  if (load_le<std::uint16_t>(at) != 0x7FE0) return std::nullopt;
  if (tokens.encoding == dicom::Encoding::kImplicitLittle)
    return PixelHeader{tokens.end + kShort, load_le<std::uint32_t>(at + 4)};
  const std::string_view vr = as_text(bytes.subspan(tokens.end + 4, 2));
  if (vr != "OW" && vr != "OB" && vr != "OF" && vr != "OD") return std::nullopt;
  return PixelHeader{tokens.end + kPixelHeader, load_le<std::uint32_t>(at + 8)};
}

struct Ending {
  bool is_sure = false;     // the file ends where its pixels do; false when that takes a closer look
  std::uint64_t items = 0;  // of encapsulated pixels: the offset table and the fragments
};

Ending ending_of(const io::InputFile& input, const PixelHeader& pixels) {
  if (pixels.length != kUndefined) return {pixels.value + pixels.length == input.size()};
  constexpr std::uint64_t kMostItems = 1024, kItemHeader = 8;
  std::uint64_t at = pixels.value;
  for (std::uint64_t items = 0; items < kMostItems && at <= input.size() - kItemHeader; ++items) {
    std::array<std::byte, kItemHeader> header;
    if (!input.read_at(at, header)) return {};
    const auto length = load_le<std::uint32_t>(header.data() + 4);
    const dicom::Tag tag = dicom::load_tag(header, 0, dicom::Encoding::kExplicitLittle);
    at += kItemHeader;
    if (tag == dicom::kSequenceDelimitation) return {length == 0 && at == input.size(), items};
    if (tag != dicom::kItem) return {};
    at += length;
  }
  return {};
}

// Whether the size of the file shows that its frames are there; false when that takes a closer look.
bool surely_has_frames(const io::InputFile& input, const Slice& slice, const PixelHeader& pixels,
                       const Ending& ending) {
  const double frames = slice.frames.value_or(1);
  if (pixels.length == kUndefined) return frames == 1 && ending.is_sure && ending.items > 1;
  if (!slice.samples || !slice.bits_allocated) return false;
  const double bits = frames * *slice.rows * *slice.columns * *slice.samples * *slice.bits_allocated;
  return bits > 0 && bits <= 8.0 * pixels.length && pixels.value + pixels.length <= input.size();
}

// The closer look: as packing finds it. Nothing is told when the file can't be read.
void look_at_whole(const std::string& path, Slice& slice) try {
  Bytes bytes;
  if (!io::read_file(path, bytes)) return;
  const auto tokens = dicom::tokenize(bytes);
  if (!tokens) return;
  slice.is_whole = !dicom::first_defect(*tokens);
  if (dicom::is_video(tokens->transfer_syntax)) return;
  const auto plan = archive::plan_pixels(*tokens, tokens->data_bytes(bytes));
  slice.has_frames = plan && *plan && !(*plan)->frames.empty();
} catch (const std::bad_alloc&) {
  return;
}

void take_element(Slice& slice, const Token& token, ByteSpan value, const dicom::CharacterSet& charset) {
  const std::string_view vr = dicom::vr_of(token);
  for (const auto& field : kSliceNumbers)
    if (field.tag == token.tag) slice.*field.member = dicom::first_number(value, vr, token.encoding);
  for (const auto& field : kSliceTexts)
    if (field.tag == token.tag) slice.*field.member = charset.to_utf8(as_bytes(dicom::trimmed(value)), vr);
  const auto numbers = [&] { return dicom::numbers(value, vr, token.encoding); };
  if (token.tag == dicom::kImagePosition) slice.position = series::exactly<3>(numbers());
  if (token.tag == dicom::kImageOrientation) slice.orientation = series::exactly<6>(numbers());
  if (token.tag == dicom::kPixelSpacing) slice.pixel_spacing = series::exactly<2>(numbers());
}

Header header_of(const dicom::Tokens& tokens, ByteSpan file) {
  Header header;
  header.slice = slice_of(tokens, file);
  const bool is_dicom = dicom::begins_as_file(tokens);
  header.is_instance = !header.slice.series_instance_uid.empty() || (is_dicom && header.slice.rows);
  header.has_pixels = is_image(header.slice);
  header.is_lost = !header.is_instance && is_dicom && !series::is_dicomdir(tokens, file);
  return header;
}

// Whether functional groups may follow behind what was read: all else of use stands in front of them.
bool may_have_groups_behind(const dicom::Tokens& tokens, ByteSpan bytes) {
  if (tokens.deflated || tokens.stop || tokens.end + 2 > bytes.size()) return false;
  const std::byte* at = bytes.data() + tokens.end;
  const bool is_big = tokens.encoding == dicom::Encoding::kExplicitBig;
  return (is_big ? load_be<std::uint16_t>(at) : load_le<std::uint16_t>(at)) <= dicom::kSharedGroups >> 16;
}

// Reads more of the file until the pixels, which everything of use here stands in front of.
Result<Header> read_header(const series::File& file) {
  Header header;  // as it is when the file is no DICOM
  bool is_clear = true;
  DICUBE_ASSIGN(const auto input, io::InputFile::open(file.path()));
  DICUBE_TRY(series::read_start(*input, kFirstRead, [&](const series::Start& start) {
    const auto& [tokens, bytes, is_all, skipped] = start;
    auto pixels = pixel_header(tokens, bytes);
    if (pixels) pixels->value += skipped;
    const bool past = dicom::last_top_level(tokens.data) >> 16 > 0x0028;
    if (!pixels && !is_all && (!past || tokens.end + kPixelHeader > bytes.size())) return false;
    header = header_of(tokens, bytes);
    if (!is_all && header.has_pixels && may_have_groups_behind(tokens, bytes)) return false;
    const bool is_at_hand = bytes.size() + skipped == input->size(), is_sound = !dicom::first_defect(tokens);
    if (is_at_hand && (!is_sound || tokens.deflated || tokens.end == bytes.size())) header.slice.is_whole = is_sound;
    if (!header.has_pixels) return true;
    const Ending ending = pixels ? ending_of(*input, *pixels) : Ending();
    const bool is_video = dicom::is_video(tokens.transfer_syntax);
    const bool has_frames = pixels && !is_video && surely_has_frames(*input, header.slice, *pixels, ending);
    if (ending.is_sure) header.slice.is_whole = is_sound;
    if (has_frames) header.slice.has_frames = true;
    is_clear = ending.is_sure && (has_frames || is_video);
    return true;
  }));
  if (!is_clear) look_at_whole(file.path(), header.slice);
  return header;
}

// As in an archive of them.
SeriesSlices in_order(SeriesSlices all) {
  std::vector<std::size_t> order(all.slices.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    const Slice& slice = all.slices[i];
    return series::order_of(slice.instance_number, series::place_of(slice.position, slice.orientation), all.names[i]);
  };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  SeriesSlices out;
  out.series_instance_uid = all.series_instance_uid;
  for (std::size_t i : order) {
    out.slices.push_back(std::move(all.slices[i]));
    out.names.push_back(std::move(all.names[i]));
  }
  return out;
}

// Series by series; what could not be read, or belongs to none, goes to `on_error`.
std::vector<SeriesSlices> grouped(const std::vector<series::File>& files, std::vector<Result<Header>>& headers,
                                  const std::function<void(const Error&)>& on_error) {
  std::map<std::string, SeriesSlices> by_uid;
  std::map<std::string, bool> with_pixels;
  for (std::size_t i = 0; i < files.size(); ++i)
    if (headers[i] && headers[i]->is_instance)
      with_pixels[headers[i]->slice.series_instance_uid] |= headers[i]->has_pixels;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!headers[i]) {
      on_error(in_file(headers[i].error(), files[i].path()));
      continue;
    }
    if (headers[i]->is_lost)
      on_error({ErrorClass::kNotDicom, "a DICOM file without a readable Series Instance UID", files[i].path()});
    if (!headers[i]->is_instance) continue;
    const std::string uid = headers[i]->slice.series_instance_uid;
    if (with_pixels[uid] && !headers[i]->has_pixels) continue;
    SeriesSlices& series = by_uid[uid];
    series.series_instance_uid = uid;
    series.slices.push_back(std::move(headers[i]->slice));
    series.names.push_back(files[i].name);
  }
  std::vector<SeriesSlices> out;
  for (auto& [uid, series] : by_uid) out.push_back(in_order(std::move(series)));
  return out;
}

}  // namespace

Slice slice_of(const dicom::Tokens& tokens, ByteSpan file) {
  Slice slice;
  const ByteSpan bytes = tokens.data_bytes(file);
  dicom::CharacterSet charset;
  dicom::for_each_top_level(tokens.data, [&](const Token& token) {
    if (token.kind != dicom::TokenKind::kElement) return;
    const ByteSpan value = bytes.subspan(token.value, token.length);
    if (token.tag == dicom::kSpecificCharacterSet) charset = dicom::CharacterSet(as_text(value));
    take_element(slice, token, value, charset);
  });
  slice.planes = series::planes_of(tokens, file);
  return slice;
}

Result<std::vector<SeriesSlices>> slices_in(const std::vector<std::string>& sources, const CallOptions& options,
                                            const std::function<void(const Error&)>& on_error) {
  const series::GivenNames given(sources);
  const auto complain = [&](Error error) {
    error.file = given.of(error.file);
    on_error(error);
  };
  const auto report = [&](std::uint64_t done, std::uint64_t total) {
    if (options.on_progress) options.on_progress({Progress::Phase::kScan, done, total, 0, 0});
  };
  const auto files = series::find_files(sources, {}, complain, [&](std::uint64_t found) {
    report(found, 0);
    return check_cancel(options).has_value();
  });
  std::vector<Result<Header>> headers(files.size(), Header{});
  std::mutex mutex;
  std::uint64_t done = 0;
  parallel_for(files.size(), options.threads, [&](std::size_t i, unsigned) {
    if (!check_cancel(options)) return;
    if (!files[i].is_folder) headers[i] = read_header(files[i]);
    std::lock_guard lock(mutex);
    report(++done, files.size());
  });
  DICUBE_TRY(check_cancel(options));
  return grouped(files, headers, complain);
}

}  // namespace dicube
