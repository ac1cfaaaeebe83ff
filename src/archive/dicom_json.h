// The DICOM JSON model (PS3.18 annex F).
#pragma once

#include <nlohmann/json.hpp>

#include "dicube/archive.h"

namespace dicube::archive {

// Without group lengths and the file meta group; pixel data kept as frames have a VR only.
nlohmann::ordered_json dicom_json(const DataSet& data_set);

std::string base64(std::span<const std::byte> bytes);

}  // namespace dicube::archive
