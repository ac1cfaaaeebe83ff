#include "cli/program.h"

#include "base/formatted.h"
#include "base/spelling.h"

namespace dicube::cli {
namespace {

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
      if (about == nullptr) {
        const auto meant = nearest(program, {}, *name);
        const std::string hint = meant ? formatted("; did you mean {}?", *meant) : "";
        return Common().error({ErrorClass::kUsage, "no such command" + hint, *name});
      }
      program.clear();  // else the help of what was parsed is what it says
      put_out(about->help(about == &program ? "" : program.get_name()));
      return static_cast<int>(kWell);
    };
  });
}

// CLI11 takes "[a,b]" for the two values a and b where an option has several. A NUL in front, which no argument can
// have, tells it that this is a name like others.
bool looks_like_list(const std::string& word) { return word.starts_with('[') && word.ends_with(']'); }
const CLI::Validator kUnmarked(
    [](std::string& text) {
      if (text.starts_with('\0')) text.erase(0, 1);
      return std::string();
    },
    "");

// CLI11 takes 010 for 8.
const CLI::Validator kDecimal(
    [](std::string& text) {
      if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos)
        return "a number from 0 is wanted, not " + text;
      text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
      constexpr std::size_t kMostDigits = 18;
      return text.size() <= kMostDigits ? std::string() : "the number " + text + " is too large";
    },
    "");

void take_as_typed(CLI::Option& option) {
  if (option.get_type_name().starts_with("UINT") || option.get_type_name().starts_with("INT"))
    option.transform(kDecimal);
  if (option.get_expected_max() > 0) option.transform(kUnmarked);  // and that first
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
  for (CLI::App* command : program->get_subcommands([](const CLI::App*) { return true; }))
    for (CLI::Option* option : command->get_options()) take_as_typed(*option);
  return program;
}

void parse(CLI::App& program, const std::vector<std::string>& line) {
  std::vector<std::string> words(line.rbegin(), line.rend());  // the order that it wants them in
  for (std::string& word : words)
    if (looks_like_list(word)) word.insert(0, 1, '\0');
  program.parse(std::move(words));
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
  const std::vector<std::string_view> words(known.begin(), known.end());
  const auto meant = nearest_word(std::string_view(word).substr(0, word.find('=')), words);
  return meant ? std::optional<std::string>(*meant) : std::nullopt;
}

std::string commands_with(const CLI::App& program, const std::string& option) {
  std::string lines;
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; }))
    if (const CLI::Option* found = command->get_option_no_throw(option); found && !command->get_group().empty())
      lines += formatted("There is dicube {} {}: {}\n", command->get_name(), option, found->get_description());
  return lines;
}

}  // namespace dicube::cli
