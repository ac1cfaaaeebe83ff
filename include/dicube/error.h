// Errors of the library: values. Exceptions (std::bad_alloc) only where there is no memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace dicube {

// What kind of thing went wrong. Callers branch on this; people read the message.
enum class ErrorClass : std::uint8_t {
  kUsage,        // the caller's arguments make no sense
  kNotFound,     // no such file, instance, frame or element
  kIo,           // the operating system refused: permission, space, a device error
  kConflict,     // the target exists already
  kNotDicom,     // the input is no DICOM instance
  kChanged,      // a source file changed while it was read
  kDamaged,      // an archive's bytes contradict themselves or their checksums
  kUnsupported,  // a feature, codec or format version this build does not know
  kLimit,        // a size or nesting depth over the documented limit
  kCodec,        // a frame's codestream can't be coded or decoded
  kStopped,      // the call ended before this was done: the caller wanted it, or the target takes nothing more
};

// The class's name as it stands in `--json` output: "usage", "not_found", "io", ...
std::string_view name(ErrorClass error_class);

struct Error {
  ErrorClass error_class;
  std::string message;    // what, where, and the two numbers that disagree
  std::string file = {};  // the file concerned, empty when there is none
  int system = 0;         // errno, where the operating system refused; 0 otherwise
};

// Whether the target takes nothing more, whatever comes next: it is full, over its quota, or can be read only.
bool writes_no_more(const Error& error);

// The same error with the file filled in, unless it names one already.
Error in_file(Error error, std::string_view file);

// "FILE: MESSAGE", or the message alone.
std::string describe(const Error& error);

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

}  // namespace dicube
