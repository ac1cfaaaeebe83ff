// What archives are called.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dicom/tokenizer.h"
#include "series/pack_group.h"

namespace dicube::series {

// A file name for a series, without ending, whatever its UID says (it comes from a file: no path, no surprise), and no
// other's, on file systems that don't tell capital letters from small ones, too: UIDs have neither (PS3.5 9.1).
// "other" for none.
std::string name_after(const std::string& uid);

// Text with keywords in braces, '/' between folders: "{PatientID}/{SeriesNumber}".
class NameTemplate {
 public:
  // kUsage: it could lead out of its folder, or what stands in braces is no keyword of a value that can be a name.
  static Result<NameTemplate> parse(std::string_view text);
  // The name, relative and without ending, of an archive with this file in it. Of values, the characters that are
  // something to a file system, a shell or a terminal become '_'; one that is missing or empty is "no-" and its
  // keyword. No part of it is longer than 100 bytes or begins with '.' or '-'.
  std::string name_for(const File& file) const;

 private:
  struct Part {
    std::string text;  // as it is, or a keyword
    dicom::Tag tag = 0;
  };
  std::vector<Part> parts_;
};

// The Series Instance UID of the archive of that name that is there already; nothing where there is none, or it can't
// be read.
using SeriesThere = std::function<std::optional<std::string>(const std::string& name)>;

// Gives each group the name of its archive: by the template, or without one after its UID. Those that would have the
// same one but for capital letters get their UID behind it, and so do those whose name an archive of another series
// has; an archive that has one of both names and is the group's keeps it. Returns how many have their UID behind it.
std::size_t give_names(std::vector<Group>& groups, const NameTemplate* names, std::string_view ending,
                       const SeriesThere& series_there, unsigned threads);

}  // namespace dicube::series
