// The transfer syntaxes that instances can be written in.
#pragma once

#include <optional>
#include <string>

#include "codec/codec.h"
#include "dicom/tokenizer.h"
#include "dicube/series.h"

namespace dicube::series {

struct TransferSyntax {
  std::string_view uid, name;  // PS3.6 annex A; the name that callers may use for it
  dicom::Encoding encoding = dicom::Encoding::kExplicitLittle;
  std::optional<codec::CodecId> codec = {};  // of encapsulated frames; none: native
  bool is_lossy = false;
};

// By UID or name. kUsage, with the names there are, when it can't be written.
Result<const TransferSyntax*> find_transfer_syntax(std::string_view wanted);

// The one that instances shall have; nullptr for their own. kUsage, too, for a loss that does not go with it.
Result<const TransferSyntax*> wanted_syntax(const UnpackOptions& options);

}  // namespace dicube::series
