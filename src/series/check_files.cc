// Headers of DICOM files as what check() needs of them: no file is read beyond its pixels' header.
#include <algorithm>
#include <map>

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
  const std::string vr(token.vr[0] == 0 ? dicom::implicit_vr(token.tag) : std::string_view(token.vr.data(), 2));
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
  header.has_pixels = header.slice.rows && header.slice.columns;
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
  for (auto& [uid, series] : by_uid) out.push_back(std::move(series));
  return out;
}

}  // namespace dicube
