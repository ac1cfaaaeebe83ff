// An element with all it holds, written in Explicit VR Little Endian (PS3.5 A.2).
#pragma once

#include <span>

#include "dicom/tokenizer.h"

namespace dicube::python {

// `tokens`: one top-level element and what it contains; `bytes`: what their offsets point into. `is_signed`: Pixel
// Representation, which decides between US and SS where the dictionary leaves it open (PS3.3 C.7.6.3).
Bytes explicit_element(std::span<const dicom::Token> tokens, ByteSpan bytes, bool is_signed);

// Bytes that one number of this VR takes; 1 for text and bytes.
unsigned number_bytes(std::array<char, 2> vr);
// Reverses the bytes of every number.
void swap_numbers(std::array<char, 2> vr, MutableByteSpan value);

}  // namespace dicube::python
