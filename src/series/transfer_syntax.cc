#include "series/transfer_syntax.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/formatted.h"
#include "base/spelling.h"
#include "dicom/uid.h"

namespace dicube::series {
namespace {

using codec::CodecId;
using dicom::Encoding;

constexpr Encoding kExplicit = Encoding::kExplicitLittle;
constexpr std::array<TransferSyntax, 11> kSyntaxes = {{
    {dicom::kExplicitLittleUid, "explicit"},
    {dicom::kImplicitLittleUid, "implicit", Encoding::kImplicitLittle},
    {dicom::kRleUid, "rle", kExplicit, CodecId::kRle},
    {dicom::kJpegLsUid, "jpeg-ls", kExplicit, CodecId::kJpegLs},
    {dicom::kJpegLsNearUid, "jpeg-ls-near", kExplicit, CodecId::kJpegLs, true},
    {dicom::kJpeg2000LosslessUid, "jpeg2000", kExplicit, CodecId::kJpeg2000},
    {dicom::kHtj2kLosslessUid, "htj2k", kExplicit, CodecId::kHtj2k},
    {dicom::kHtj2kLosslessRpclUid, "htj2k-rpcl", kExplicit, CodecId::kHtj2k},
    {dicom::kHtj2kUid, "htj2k-lossy", kExplicit, CodecId::kHtj2k, true},
    {dicom::kJpegXlLosslessUid, "jpeg-xl", kExplicit, CodecId::kJpegXl},
    {dicom::kJpegXlUid, "jpeg-xl-lossy", kExplicit, CodecId::kJpegXl, true},
}};

}  // namespace

Result<const TransferSyntax*> find_transfer_syntax(std::string_view wanted) {
  const auto* found =
      std::ranges::find_if(kSyntaxes, [&](const TransferSyntax& s) { return s.uid == wanted || s.name == wanted; });
  if (found != kSyntaxes.end()) return found;
  std::string names;
  std::vector<std::string_view> known;
  for (const TransferSyntax& syntax : kSyntaxes) {
    names += formatted("{}{} ({})", names.empty() ? "" : ", ", syntax.name, syntax.uid);
    known.push_back(syntax.name);
  }
  const auto meant = nearest_word(wanted, known);
  return fail(ErrorClass::kUsage, "transfer syntax {} can't be written{}; these can: {}", wanted,
              meant ? formatted(", did you mean {}?", *meant) : "", names);
}

Result<const TransferSyntax*> wanted_syntax(const UnpackOptions& options) {
  constexpr std::string_view kLosses = "a largest error or a ratio";
  const bool has_error = options.max_error > 0, has_ratio = options.ratio > 0;
  if (options.transfer_syntax.empty()) {
    if (!has_error && !has_ratio) return nullptr;
    return fail(ErrorClass::kUsage, "a lossy transfer syntax is needed where there is {}", kLosses);
  }
  DICUBE_ASSIGN(const auto* syntax, find_transfer_syntax(options.transfer_syntax));
  if (!syntax->is_lossy && (has_error || has_ratio))
    return fail(ErrorClass::kUsage, "transfer syntax {} has no losses: it goes without {}", syntax->name, kLosses);
  if (syntax->is_lossy && has_error == has_ratio)
    return fail(ErrorClass::kUsage, "transfer syntax {} needs {}{}", syntax->name, kLosses,
                has_error ? ", and not both" : "");
  return syntax;
}

}  // namespace dicube::series
