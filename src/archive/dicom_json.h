// The DICOM JSON model (PS3.18 annex F).
#pragma once

#include <nlohmann/json.hpp>

#include "dicom/tokenizer.h"
#include "dicube/archive.h"

namespace dicube::archive {

// Without group lengths and the file meta group; pixel data kept as frames have a VR only.
nlohmann::ordered_json dicom_json(const DataSet& data_set);

// A binary value as InlineBinary has it: in base64, and in little endian, for nothing beside it tells its byte order
// (F.2.7).
std::string inline_binary(ByteSpan value, std::string_view vr, dicom::Encoding encoding);

}  // namespace dicube::archive
