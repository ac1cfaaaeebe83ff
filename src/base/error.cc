#include "dicube/error.h"

#include <cerrno>

#include "base/formatted.h"

namespace dicube {

std::string_view name(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kUsage: return "usage";
    case ErrorClass::kNotFound: return "not_found";
    case ErrorClass::kIo: return "io";
    case ErrorClass::kConflict: return "conflict";
    case ErrorClass::kNotDicom: return "not_dicom";
    case ErrorClass::kChanged: return "changed";
    case ErrorClass::kDamaged: return "damaged";
    case ErrorClass::kUnsupported: return "unsupported";
    case ErrorClass::kLimit: return "limit";
    case ErrorClass::kCodec: return "codec";
    case ErrorClass::kStopped: return "stopped";
  }
  return "unknown";
}

Error in_file(Error error, std::string_view file) {
  if (error.file.empty()) error.file = file;
  return error;
}

bool writes_no_more(const Error& error) {
  return error.error_class == ErrorClass::kIo &&
         (error.system == ENOSPC || error.system == EDQUOT || error.system == EROFS);
}

std::string describe(const Error& error) {
  if (error.file.empty()) return error.message;
  return formatted("{}: {}", error.file, error.message);
}

}  // namespace dicube
