#include "series/derived_image.h"

#include <algorithm>
#include <cstring>

#include "base/formatted.h"
#include "base/hash.h"
#include "dicom/element_writer.h"
#include "dicom/tags.h"
#include "dicom/uid.h"
#include "dicom/value.h"

namespace dicube::series {
namespace {

using dicom::Edits;
using dicom::Tag;
using dicom::text_edit;
using dicom::Token;

constexpr Tag kImageType = 0x00080008, kFrameType = 0x00089007, kSourceImage = 0x00082112;
constexpr Tag kReferencedClass = 0x00081150, kReferencedInstance = 0x00081155;
constexpr Tag kCodeValue = 0x00080100, kCodingScheme = 0x00080102, kCodeMeaning = 0x00080104, kPurpose = 0x0040A170;
constexpr Tag kLossyRatio = 0x00282112, kLossyMethod = 0x00282114;

std::string text_of(const dicom::TopLevel& top, const Edits& edits, Tag tag) {
  const auto edit = edits.find(tag);
  return edit == edits.end() || !edit->second.value ? top.text(tag) : std::string(dicom::trimmed(*edit->second.value));
}

std::string derived_type(const std::string& type) {
  if (type.empty()) return "DERIVED\\SECONDARY";
  return "DERIVED" + type.substr(std::min(type.find('\\'), type.size()));
}

// CID 7202: the image that this one was compressed from.
dicom::Edit source_image(const std::string& sop_class, const std::string& sop_instance) {
  Bytes purpose, item, sequence;
  dicom::put_element(purpose, kCodeValue, "SH", as_bytes("121320"));
  dicom::put_element(purpose, kCodingScheme, "SH", as_bytes("DCM"));
  dicom::put_element(purpose, kCodeMeaning, "LO", as_bytes("Uncompressed predecessor"));
  dicom::put_element(item, kReferencedClass, "UI", as_bytes(sop_class));
  dicom::put_element(item, kReferencedInstance, "UI", as_bytes(sop_instance));
  dicom::put_sequence(item, kPurpose, {purpose});
  dicom::put_sequence(sequence, kSourceImage, {item});
  constexpr std::ptrdiff_t kHeader = 12;
  return {{'S', 'Q'}, Bytes(sequence.begin() + kHeader, sequence.end())};
}

}  // namespace

std::string_view lossy_method(codec::CodecId codec) {
  switch (codec) {
    case codec::CodecId::kJpeg: return "ISO_10918_1";
    case codec::CodecId::kJpegLs: return "ISO_14495_1";
    case codec::CodecId::kJpeg2000: return "ISO_15444_1";
    case codec::CodecId::kHtj2k: return "ISO_15444_15";
    case codec::CodecId::kJpegXl: return "ISO_18181_1";
    default: return {};
  }
}

bool tells_lossy_steps(const dicom::TopLevel& top) {
  return !top.text(kLossyRatio).empty() || !top.text(kLossyMethod).empty();
}

void add_lossy_step(const dicom::TopLevel& top, double ratio, std::string_view method, Edits& edits) {
  const std::string ratios = text_of(top, edits, kLossyRatio), methods = text_of(top, edits, kLossyMethod);
  const auto count = [](const std::string& text) { return text.empty() ? 0 : 1 + std::ranges::count(text, '\\'); };
  const auto before = std::max(count(ratios), count(methods));  // also where earlier steps lack either
  const auto appended = [&](const std::string& text, std::string_view step) {
    const auto values = count(text);
    return text + std::string(static_cast<std::size_t>(before - values + (values == 0 ? 0 : 1)), '\\') +
           std::string(step);
  };
  edits[kLossyRatio] = text_edit({'D', 'S'}, appended(ratios, formatted("{:.4g}", ratio)));
  edits[kLossyMethod] = text_edit({'C', 'S'}, appended(methods, method));
}

void derive_image(const dicom::TopLevel& top, const Instance& instance, const Transcoding& how, double ratio,
                  Edits& edits) {
  edits[dicom::kLossyImageCompression] = text_edit({'C', 'S'}, "01");
  add_lossy_step(top, ratio, lossy_method(*how.target->codec), edits);
  edits[kImageType] = text_edit({'C', 'S'}, derived_type(top.text(kImageType)));
  const std::string original = top.text(dicom::kSopInstanceUid);
  const std::string source = original.empty() ? hex(instance.sha256) : original;  // never two images of one UID
  edits[dicom::kSopInstanceUid] = text_edit(
      {'U', 'I'},
      dicom::derived_uid(formatted("{}/{}/{}/{}", source, how.target->uid, how.loss.most_error, how.loss.ratio)));
  const std::string sop_class = top.text(dicom::kSopClassUid);
  if (top.find(kSourceImage) == nullptr && !original.empty() && !sop_class.empty())
    edits[kSourceImage] = source_image(sop_class, original);
}

void derive_frames(const dicom::Tokens& tokens, MutableByteSpan file) {
  constexpr std::string_view kOriginal = "ORIGINAL", kDerived = "DERIVED";
  if (tokens.deflated) return;
  for (const Token& token : tokens.data) {
    if (token.tag != kFrameType || token.kind != dicom::TokenKind::kElement) continue;
    const MutableByteSpan value = file.subspan(token.value, token.length);
    std::string type(as_text(value));
    if (!type.starts_with(kOriginal)) continue;
    type.replace(0, kOriginal.size(), kDerived);
    type.resize(value.size(), ' ');
    std::memcpy(value.data(), type.data(), type.size());
  }
}

}  // namespace dicube::series
