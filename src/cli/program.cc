#include "cli/program.h"

#include <algorithm>
#include <numeric>

namespace dicube::cli {
namespace {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before = std::exchange(last, std::exchange(now, std::vector<std::size_t>(b.size() + 1)));
  }
  return last[b.size()];
}

const CLI::App* command_of(const CLI::App& program, const std::vector<std::string>& line) {
  for (const std::string& word : line)
    for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; }))
      if (command->get_name() == word) return command;
  return nullptr;
}

// `dicube help`, `dicube help pack`
void add_help(CLI::App& program, Run& run) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = program.add_subcommand("help", "What --help says, of the program or of a command");
  command->add_option("COMMAND", *name, "The command; without it, the program");
  command->callback([name, &program, &run] {
    run = [name, &program] {
      const CLI::App* about = name->empty() ? &program : command_of(program, {*name});
      if (about == nullptr) return Common().error({ErrorClass::kUsage, "no such command", *name});
      program.clear();  // else the help of what was parsed is what it says
      put_out(about->help(about == &program ? "" : program.get_name()));
      return static_cast<int>(kWell);
    };
  });
}

}  // namespace

std::unique_ptr<CLI::App> make_program(Run& run) {
  auto program = std::make_unique<CLI::App>(
      "Stores a DICOM series in one file, and gives the original files back byte for byte.", "dicube");
  program->set_version_flag("--version", "dicube " DICUBE_VERSION, "The program's version");
  program->set_help_flag("-h,--help", "This help");
  program->require_subcommand(1);
  program->footer(
      "Exit codes: 0 all well; 1 some inputs failed, the rest is done; 2 usage; 3 a damaged archive; 4 input/output.\n"
      "Examples:\n  dicube pack scans/ -o archives/\n  dicube unpack archives/ -o restored/\n"
      "  dicube dump archives/1.2.3.dcbs --tag PatientName");
  for (auto* add : {add_pack, add_unpack, add_verify, add_convert, add_info, add_ls, add_dump, add_cat, add_thumb,
                    add_check, add_help, add_generate})
    add(*program, run);
  return program;
}

std::optional<std::string> nearest(const CLI::App& program, const std::vector<std::string>& line,
                                   const std::string& word) {
  std::vector<std::string> known;
  if (word.starts_with("--")) {
    const CLI::App* command = command_of(program, line);
    for (const CLI::Option* option : (command == nullptr ? &program : command)->get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  } else {
    for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; }))
      if (!command->get_group().empty()) known.push_back(command->get_name());
  }
  const std::string typed = word.substr(0, word.find('='));
  std::optional<std::string> best;
  std::size_t least = 1 + std::max<std::size_t>(1, typed.size() / 3);
  for (const std::string& name : known)
    if (const std::size_t far = distance(typed, name); far < least) {
      least = far;
      best = name;
    }
  return best;
}

}  // namespace dicube::cli
