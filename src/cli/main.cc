// `dicube`: the contract is docs/cli.md.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <string_view>

#include "cli/program.h"

namespace {

using dicube::cli::nearest;
using dicube::cli::printable;

constexpr int kSignalled = 128;  // + the signal's number, as shells have it

// A word of the line that looks like an option and is none: what is said to be missing may only be misspelt.
std::optional<std::string> unknown_option(const CLI::App& program) {
  for (const std::string& word : program.remaining(true))
    if (word.starts_with("-") && word.size() > 1) return word;
  return std::nullopt;
}

int say_usage(const CLI::App& program, const CLI::ParseError& error, const std::vector<std::string>& line) {
  if (line.empty()) {
    fmt::print(stderr, "{}", program.help());
    return dicube::cli::kUsage;
  }
  const bool no_command = program.get_subcommands().empty();
  const auto unknown = no_command ? std::nullopt : unknown_option(program);
  const std::string text = no_command ? (line[0].starts_with('-') ? "no such option: " : "no such command: ") + line[0]
                           : unknown  ? "no such option: " + *unknown
                                      : error.what();
  // The word that CLI11 could not place stands last in its message.
  const std::string word = text.substr(text.find_last_of(' ') + 1);
  fmt::print(stderr, "dicube: {}\n", printable(text));
  if (no_command || (unknown && unknown->starts_with("--")))
    if (const auto meant = nearest(program, line, word)) fmt::print(stderr, "Did you mean {}?\n", *meant);
  fmt::print(stderr, "dicube --help and dicube COMMAND --help explain everything.\n");
  return dicube::cli::kUsage;
}

// Nothing of the command line is ever empty on purpose.
bool has_empty(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](std::string_view word) { return word.empty(); });
}

}  // namespace

int main(int argc, char** argv) {
  using namespace dicube::cli;
  Run run;
  const auto program = make_program(run);
  if (has_empty(argc, argv)) {
    fmt::print(stderr, "dicube: an argument is empty, as that of a variable without a value\n");
    return kUsage;
  }
  try {
    program->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program->exit(error);
    return say_usage(*program, error, {argv + 1, argv + argc});
  }
  try {
    const int code = run();
    if (code != kWell && interrupting_signal() != 0) return kSignalled + interrupting_signal();
    if (output_is_complete()) return code;
    fmt::print(stderr, "dicube: standard output can't be written\n");
    return kInputOutput;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "dicube: out of memory\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "dicube: {}\n", error.what());
  }
  return kInputOutput;
}
