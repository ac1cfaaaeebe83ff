// Markers of a codestream: ISO/IEC 15444-1 table A.2, ISO/IEC 15444-15 table A.1.
#pragma once

#include <cstdint>

namespace dicube::codec {

enum Htj2kMarker : std::uint32_t {
  kSoc = 0xFF4F,  // start of codestream
  kCap = 0xFF50,  // extended capabilities
  kSiz = 0xFF51,  // image and tile size
  kCod = 0xFF52,  // coding style
  kCoc = 0xFF53,  // coding style of a component
  kTlm = 0xFF55,  // tile-part lengths
  kPrf = 0xFF56,  // profile
  kPlm = 0xFF57,  // packet lengths, main header
  kPlt = 0xFF58,  // packet lengths, tile-part
  kCpf = 0xFF59,  // corresponding profile
  kQcd = 0xFF5C,  // quantization
  kQcc = 0xFF5D,  // quantization of a component
  kCrg = 0xFF63,  // component registration
  kCom = 0xFF64,  // comment
  kSot = 0xFF90,  // start of tile-part
  kSod = 0xFF93,  // start of data
  kEoc = 0xFFD9,  // end of codestream
};

inline constexpr std::uint64_t kSotBytes = 12;  // marker, length and the ten bytes of A.4.2

}  // namespace dicube::codec
