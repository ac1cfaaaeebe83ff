#include "dicom/uid.h"

#include <algorithm>
#include <array>

#include "base/hash.h"

namespace dicube::dicom {

std::string derived_uid(std::string_view text) {
  const Sha256 digest = sha256(as_bytes(text));
  std::array<unsigned, 16> uuid{};
  std::transform(digest.begin(), digest.begin() + 16, uuid.begin(),
                 [](std::byte b) { return std::to_integer<unsigned>(b); });
  uuid[6] = (uuid[6] & 0x0F) | 0x80;  // version 8
  std::string digits;
  while (std::any_of(uuid.begin(), uuid.end(), [](unsigned b) { return b != 0; })) {  // divides by ten
    unsigned rest = 0;
    for (unsigned& b : uuid) {
      rest = rest << 8 | b;
      b = rest / 10;
      rest %= 10;
    }
    digits.push_back(static_cast<char>('0' + rest));
  }
  std::reverse(digits.begin(), digits.end());
  return "2.25." + digits;
}

bool is_video(std::string_view transfer_syntax) {
  constexpr std::string_view kJpegRoot = "1.2.840.10008.1.2.4.";
  if (transfer_syntax.starts_with("1.2.840.10008.1.2.7.")) return true;
  if (!transfer_syntax.starts_with(kJpegRoot)) return false;
  const std::string_view rest = transfer_syntax.substr(kJpegRoot.size());  // "100", or "100.1": in fragments
  const std::string_view number = rest.substr(0, rest.find('.'));
  return number.size() == 3 && number >= "100" && number <= "108";
}

bool may_be_lossy(std::string_view transfer_syntax) {
  constexpr std::array kLossy = {kJpegBaselineUid,    kJpegExtendedUid, kJpegSpectralUid,
                                 kJpegProgressiveUid, kJpegLsNearUid,   kJpeg2000Uid,
                                 kJpeg2000Part2Uid,   kJpegXlUid,       kHtj2kUid};
  return std::ranges::find(kLossy, transfer_syntax) != kLossy.end();
}

}  // namespace dicube::dicom
