// cat
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "archive/state.h"
#include "base/formatted.h"
#include "base/spelling.h"
#include "cli/archives.h"
#include "cli/command.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::string archive, name;
  std::int64_t instance = -1, frame = -1;
};

// The files that are listed by this name, by ls or in its JSON.
std::vector<std::size_t> listed_as(const Archive& archive, const std::string& name) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < archive.instances().size(); ++i) {
    const std::string& own = archive.instances()[i].name;
    if (own == name || printable(own) == name || json_text(own) == name) found.push_back(i);
  }
  return found;
}

// What is there instead of a file of this name: several that are listed so, one in a folder, or one whose name is near.
std::string what_is_there(const Archive& archive, const std::string& name, const std::vector<std::size_t>& listed) {
  if (!listed.empty()) return formatted("; --instance {} are listed so", fmt::join(listed, ", "));
  std::vector<std::string_view> names;
  for (const Instance& instance : archive.instances()) {
    if (instance.name.ends_with("/" + name)) return " (there is " + instance.name + ")";
    names.push_back(instance.name);
  }
  const auto meant = nearest_word(name, names);
  return meant ? formatted("; did you mean {}?", *meant) : "; dicube ls says which there are";
}

// The file of this name, or else the only one that is listed so.
Result<std::size_t> find(const Archive& archive, const std::string& name) {
  const std::vector<std::size_t> listed = listed_as(archive, name);
  if (const auto exact = archive.find_instance(name)) {
    if (listed.size() > 1)
      say(formatted("dicube: several files are listed as {}: --instance {}; this is {}\n", printable(name),
                    fmt::join(listed, ", "), *exact));
    return *exact;
  }
  if (listed.size() == 1) return listed[0];
  return fail(ErrorClass::kNotFound, "no instance named {}{}", name, what_is_there(archive, name, listed));
}

// A file that is not held in memory is proven by reading it once before: nothing is put out of one that is damaged.
Status put_instance(const Archive& archive, std::size_t number) {
  constexpr std::uint64_t kMostHeld = std::uint64_t{64} << 20;
  Bytes buffer;
  const bool is_held = number >= archive.instances().size() || archive.instances()[number].size <= kMostHeld;
  DICUBE_TRY(is_held ? ArchiveAccess::read_instance(archive, number, buffer)
                     : ArchiveAccess::read_instance(archive, number, buffer, [](ByteSpan) { return Status(); }));
  if (is_held) {
    put_out(as_text(buffer));
    return {};
  }
  return ArchiveAccess::read_instance(archive, number, buffer, [](ByteSpan piece) {
    put_out(as_text(piece));
    return Status();
  });
}

int run_cat(const Arguments& arguments) {
  const Common& common = arguments.common;
  const auto archive = open_archive(arguments.archive);
  if (!archive) return common.error(archive.error());
  if (arguments.frame >= 0) {
    const auto frame = static_cast<std::size_t>(arguments.frame);
    if (frame >= archive->frame_count())
      return common.error({ErrorClass::kNotFound,
                           formatted("no frame {}: it has {}", frame, counted(archive->frame_count(), "frame")),
                           arguments.archive});
    const auto pixels = ArchiveAccess::read_values(*archive, frame);
    if (!pixels) return common.error(in_file(pixels.error(), arguments.archive));
    put_out(as_text(pixels->span()));
    return kWell;
  }
  std::size_t instance = static_cast<std::size_t>(arguments.instance);
  if (!arguments.name.empty()) {
    const auto found = find(*archive, arguments.name);
    if (!found) return common.error(in_file(found.error(), arguments.archive));
    instance = *found;
  }
  const Status done = put_instance(*archive, instance);
  return done ? kWell : common.error(done.error());
}

}  // namespace

void add_cat(CLI::App& program, Run& run) {
  auto [command, arguments] =
      add_command(program, run, "cat", "One original file, or one frame's stored values, to standard output", run_cat);
  command.add_option("ARCHIVE", arguments.archive, "The archive")->required();
  arguments.common.add_to(command);
  command.footer("Example:\n  dicube cat scan.dcbs --instance 0 > first.dcm");
  const std::array what = {command.add_option("--instance", arguments.instance,
                                              "The original file with this index, 0 for the first line of ls"),
                           command.add_option("--name", arguments.name, "The original file of this name"),
                           command.add_option("--frame", arguments.frame,
                                              "Stored values of this frame: little endian, rows x columns x samples")};
  for (CLI::Option* option : what) option->group("One of these");
  command.parse_complete_callback([what] {
    if (std::ranges::count_if(what, [](const CLI::Option* option) { return option->count() > 0; }) != 1)
      throw CLI::ValidationError("one of --instance, --name and --frame is wanted");
  });
}

}  // namespace dicube::cli
