// Writing new DICOM files: explicit VR little endian (PS3.5 7.1.2), files as of PS3.10.
#pragma once

#include <vector>

#include "dicom/tokenizer.h"

namespace dicube::dicom {

// Of this software, in the file meta group (PS3.10 7.1).
constexpr std::string_view kImplementationUid = "2.25.302518226236905229391424906043107205817";
constexpr std::string_view kImplementationName = "DICUBE";

// Appends one element; a value of odd length is padded (PS3.5 6.2). REQUIRES: vr has two letters, the value is under 4
// GiB.
void put_element(Bytes& out, Tag tag, std::string_view vr, ByteSpan value);
void put_element(Bytes& out, Tag tag, std::string_view vr, std::uint16_t value);

// Appends a sequence of items, each a written data set, all of defined length.
void put_sequence(Bytes& out, Tag tag, const std::vector<Bytes>& items);

// Appends encapsulated pixel data: a basic offset table where the offsets fit, a fragment per frame (PS3.5 A.4).
void put_fragments(Bytes& out, const std::vector<ByteSpan>& frames);

// Preamble, prefix and file meta group (PS3.10 7.1).
Bytes file_head(std::string_view sop_class, std::string_view sop_instance, std::string_view transfer_syntax);

}  // namespace dicube::dicom
