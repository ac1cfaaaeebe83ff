// ls

#include "base/formatted.h"
#include "base/hash.h"
#include "cli/archives.h"
#include "cli/command.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::string archive;
};

int run_ls(const Arguments& arguments) {
  const Common& common = arguments.common;
  const auto archive = open_archive(arguments.archive);
  if (!archive) return common.error(archive.error());
  const auto numbers = archive->column("InstanceNumber");
  for (std::size_t i = 0; i < archive->instances().size(); ++i) {
    const Instance& instance = archive->instances()[i];
    const auto number = numbers ? numbers->text(i) : std::nullopt;
    Json line = {{"index", i}};
    put_name(line, "name", instance.name);
    line.update({{"size", instance.size},
                 {"sha256", hex(instance.sha256)},
                 {"instance_number", number ? Json(json_text(*number)) : Json()},
                 {"frames", instance.frames},
                 {"folder", instance.is_folder}});
    common.result(
        line, formatted("{:>12}  {}  {:>6}  {}{}", instance.size, hex(instance.sha256), printable(number.value_or("-")),
                        printable(instance.name), instance.is_folder ? "/" : ""));
  }
  return kWell;
}

}  // namespace

void add_ls(CLI::App& program, Run& run) {
  auto [command, arguments] =
      add_command(program, run, "ls", "One line per file: size, SHA-256, instance number, name", run_ls);
  command.add_option("ARCHIVE", arguments.archive, "The archive")->required();
  arguments.common.add_to(command);
  command.footer("Example:\n  dicube ls scan.dcbs");
}

}  // namespace dicube::cli
