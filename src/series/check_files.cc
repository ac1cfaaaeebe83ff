// Headers of DICOM files as what check() needs of them: no file is read beyond its pixels' header.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/parallel.h"
#include "dicom/dictionary.h"
#include "dicom/value.h"
#include "io/file.h"
#include "series/check_fields.h"
#include "series/scan.h"

namespace dicube {
namespace {

using dicom::Tag;
using dicom::Token;

constexpr std::uint64_t kFirstRead = 64 * 1024;

struct Header {
  Slice slice;
  bool is_instance = false, has_pixels = false;
};

template <std::size_t N>
void take(std::optional<std::array<double, N>>& to, const std::vector<double>& numbers) {
  if (numbers.size() != N) return;
  to.emplace();
  std::copy(numbers.begin(), numbers.end(), to->begin());
}

void take_element(Slice& slice, const Token& token, ByteSpan value, const dicom::CharacterSet& charset) {
  const std::string_view stated(token.vr.data(), 2);
  const std::string vr(token.vr[0] == 0 || stated == "UN" ? dicom::implicit_vr(token.tag) : stated);
  for (const auto& field : kSliceNumbers)
    if (field.tag == token.tag) slice.*field.member = dicom::first_number(value, vr, token.encoding);
  for (const auto& field : kSliceTexts)
    if (field.tag == token.tag) slice.*field.member = charset.to_utf8(as_bytes(dicom::trimmed(value)), vr);
  if (token.tag == dicom::kImagePosition) take(slice.position, dicom::numbers(value, vr, token.encoding));
  if (token.tag == dicom::kImageOrientation) take(slice.orientation, dicom::numbers(value, vr, token.encoding));
  if (token.tag == 0x00280030) take(slice.pixel_spacing, dicom::numbers(value, vr, token.encoding));
}

Header header_of(const dicom::Tokens& tokens, ByteSpan file) {
  Header header;
  header.slice = slice_of(tokens, file);
  header.is_instance = !header.slice.series_instance_uid.empty() || (tokens.preamble > 0 && header.slice.rows);
  header.has_pixels = is_image(header.slice);
  return header;
}

// Reads more of the file until the pixels, which everything of use here stands in front of.
Result<Header> read_header(const series::File& file) {
  Header header;  // as it is when the file is no DICOM
  DICUBE_TRY(series::read_start(file, kFirstRead, [&](const dicom::Tokens& tokens, ByteSpan bytes, bool is_all) {
    const bool past = !tokens.data.empty() && tokens.data.back().tag >> 16 > 0x0028;
    if (past || is_all) header = header_of(tokens, bytes);
    return past;
  }));
  return header;
}

// Along the normal of the image plane.
std::optional<double> height(const Slice& slice) {
  if (!slice.position || !slice.orientation) return std::nullopt;
  const auto& [x, y, z] = *slice.position;
  const auto& o = *slice.orientation;
  const double height =
      x * (o[1] * o[5] - o[2] * o[4]) + y * (o[2] * o[3] - o[0] * o[5]) + z * (o[0] * o[4] - o[1] * o[3]);
  return std::isfinite(height) ? std::optional(height) : std::nullopt;
}

// As in an archive of them: instance number, position, name.
SeriesSlices in_order(SeriesSlices series) {
  static constexpr double kLast = 1e300;
  std::vector<std::size_t> order(series.slices.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    const Slice& slice = series.slices[i];
    return std::tuple(slice.instance_number.value_or(kLast), height(slice).value_or(kLast),
                      std::string_view(series.names[i]));
  };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  SeriesSlices out;
  out.series_instance_uid = series.series_instance_uid;
  for (std::size_t i : order) {
    out.slices.push_back(std::move(series.slices[i]));
    out.names.push_back(std::move(series.names[i]));
  }
  return out;
}

}  // namespace

Slice slice_of(const dicom::Tokens& tokens, ByteSpan file) {
  Slice slice;
  const ByteSpan bytes = tokens.data_bytes(file);
  dicom::CharacterSet charset;
  int depth = 0;
  for (const Token& token : tokens.data) {
    if (token.kind == dicom::TokenKind::kSequence) ++depth;
    if (token.kind == dicom::TokenKind::kSequenceEnd) --depth;
    if (token.kind != dicom::TokenKind::kElement || depth != 0) continue;
    const ByteSpan value = bytes.subspan(token.value, token.length);
    if (token.tag == dicom::kSpecificCharacterSet) charset = dicom::CharacterSet(as_text(value));
    take_element(slice, token, value, charset);
  }
  return slice;
}

std::vector<SeriesSlices> slices_in(const std::vector<std::string>& sources, unsigned threads,
                                    const std::function<void(const Error&)>& on_error) {
  const auto files = series::find_files(sources, "/dev/null", on_error);
  std::vector<Result<Header>> headers(files.size(), Header{});
  parallel_for(files.size(), threads, [&](std::size_t i, unsigned) {
    if (!files[i].is_folder) headers[i] = read_header(files[i]);
  });
  std::map<std::string, SeriesSlices> by_uid;
  std::map<std::string, bool> with_pixels;
  for (std::size_t i = 0; i < files.size(); ++i)
    if (headers[i] && headers[i]->is_instance)
      with_pixels[headers[i]->slice.series_instance_uid] |= headers[i]->has_pixels;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!headers[i]) {
      on_error(in_file(headers[i].error(), files[i].path));
      continue;
    }
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

}  // namespace dicube
