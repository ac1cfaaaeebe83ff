// What is irregular in a series, with the slices concerned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dicube {

// ON DISK: DO NOT CHANGE.
enum class Severity : std::uint8_t { kInfo = 0, kWarning = 1, kError = 2 };

struct QualityFinding {
  std::string code;  // "gap_in_positions", ...; the list stands in docs/python.md
  Severity severity = Severity::kWarning;
  std::string message;
  // Those concerned, by number from 0, in the order in which they were given; in an archive: of its instances.
  std::vector<std::size_t> slices;
};

}  // namespace dicube
