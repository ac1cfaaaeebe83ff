// cat

#include <algorithm>
#include <array>
#include <optional>

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

// The file of this name, or else the one that is listed so, by ls or in its JSON.
std::optional<std::size_t> find(const Archive& archive, const std::string& name) {
  if (const auto found = archive.find_instance(name)) return found;
  const auto is_listed_so = [&](const Instance& instance) {
    return printable(instance.name) == name || json_text(instance.name) == name;
  };
  const auto& all = archive.instances();
  const auto listed = std::ranges::find_if(all, is_listed_so);
  if (listed == all.end() || std::any_of(listed + 1, all.end(), is_listed_so)) return std::nullopt;
  return static_cast<std::size_t>(listed - all.begin());
}

// What is there instead of a file of this name: one in a folder, or one whose name is near.
std::string what_is_there(const Archive& archive, const std::string& name) {
  std::vector<std::string_view> names;
  for (const Instance& instance : archive.instances()) {
    if (instance.name.ends_with("/" + name)) return " (there is " + instance.name + ")";
    names.push_back(instance.name);
  }
  const auto meant = nearest_word(name, names);
  return meant ? formatted("; did you mean {}?", *meant) : "; dicube ls says which there are";
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
    if (!found)
      return common.error({ErrorClass::kNotFound,
                           "no instance named " + arguments.name + what_is_there(*archive, arguments.name),
                           arguments.archive});
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
  const std::array what = {
      command.add_option("--instance", arguments.instance, "The original file with this index (see ls), from 0"),
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
