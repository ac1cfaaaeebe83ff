// Whatever the bytes and their character set are, decoded text is well-formed UTF-8.
#include <cstdlib>

#include "dicom/value.h"

// The first line is the value of Specific Character Set, the rest the value to decode.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dicube;
  using namespace dicube::dicom;
  const std::string_view input = as_text(std::as_bytes(std::span(data, size)));
  const std::size_t line = std::min(input.find('\n'), input.size());
  const ByteSpan value = as_bytes(input.substr(std::min(line + 1, input.size())));
  const CharacterSet charset(input.substr(0, line));
  const CharacterSet utf8("ISO_IR 192");
  for (std::string_view vr : {"PN", "LO", "LT", "CS", "AT", "US", "SL", "UV", "FD", "OB"})
    for (Encoding encoding : {Encoding::kExplicitLittle, Encoding::kExplicitBig}) {
      const Values values = decode(value, vr, encoding, charset);
      if (const auto* strings = std::get_if<std::vector<std::string>>(&values))
        for (const std::string& one : *strings)
          if (utf8.to_utf8(as_bytes(one)) != one) std::abort();
      first_number(value, vr, encoding);
      numbers(value, vr, encoding);
    }
  first_number(value, "DS", Encoding::kExplicitLittle);
  numbers(value, "IS", Encoding::kExplicitLittle);
  return 0;
}
