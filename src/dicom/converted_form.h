// An element with all it holds, written in another encoding (PS3.5 A.1, A.2).
#pragma once

#include <optional>
#include <span>

#include "dicom/tokenizer.h"

namespace dicube::dicom {

// Whether the data set or item that starts with `tokens` has a Pixel Representation of its own, not one in a sequence
// (an icon's), and a signed one.
std::optional<bool> says_signed(std::span<const Token> tokens, ByteSpan bytes);

// `tokens`: one top-level element and what it contains; `bytes`: what their offsets point into. `is_signed`: Pixel
// Representation, which decides between US and SS where the dictionary leaves it open (PS3.3 C.7.6.3); in items without
// one of their own, too.
// Sequences and items get undefined lengths. REQUIRES: `to` is little endian; no encapsulated pixel data for
// kImplicitLittle.
Bytes converted_element(std::span<const Token> tokens, ByteSpan bytes, Encoding to, bool is_signed);

// Whether it is written so already.
bool has_encoding(std::span<const Token> tokens, Encoding encoding);

// Bytes that one number of this VR takes; 1 for text and bytes.
unsigned number_bytes(std::array<char, 2> vr);
// Reverses the bytes of every group of `size`.
void swap_groups(MutableByteSpan value, std::size_t size);
// Reverses the bytes of every number.
inline void swap_numbers(std::array<char, 2> vr, MutableByteSpan value) { swap_groups(value, number_bytes(vr)); }

}  // namespace dicube::dicom
