// The elements of a slice from the JSON of format version 1.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/bytes.h"
#include "dicom/tags.h"
#include "dicube/error.h"

namespace dicube::archive::version1 {

using Json = nlohmann::json;

constexpr std::size_t kMostDepth = 64;  // of sequences

// Whole elements, explicit little endian, by tag: they come out in the order of their tags.
using Elements = std::map<dicom::Tag, Bytes>;

// What slice `slice` has of the merged elements.
Result<Elements> elements_of(const Json& merged, std::size_t slice);
// Adds position, orientation and spacing from the space (its axes are x, y, z), unless the metadata has them.
void add_space(const Json& space, std::size_t slice, Elements& elements);

void set(Elements& elements, dicom::Tag tag, std::string_view vr, std::string_view text);
void set(Elements& elements, dicom::Tag tag, std::uint16_t value);
// The value of an element with a short header, without padding; "" when it is not there.
std::string text_of(const Elements& elements, dicom::Tag tag);

// A number as a decimal string of at most 16 characters (PS3.5 6.2, DS).
std::string decimal(const Json& value);

}  // namespace dicube::archive::version1
