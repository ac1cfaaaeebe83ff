// What is worth knowing of a series, with the files concerned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dicube {

// ON DISK: DO NOT CHANGE.
enum class Severity : std::uint8_t { kInfo = 0, kWarning = 1, kError = 2 };

struct Finding {
  std::string code;  // "gap_in_positions", "truncated", ...; those of checks stand in docs/python.md
  std::string message;
  std::vector<std::string> files;  // relative names of those concerned; in reports alone
  Severity severity = Severity::kWarning;
  // The same of checks: slices by number from 0, in the order in which they were given; in an archive: its instances.
  std::vector<std::size_t> slices = {};
};

}  // namespace dicube
