// The tree of commands and options: the one source of parsing, help, man pages and completions.
#pragma once

#include <CLI/CLI.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace dicube::cli {

// `run` receives what to do once the line is parsed; it must outlive the program.
std::unique_ptr<CLI::App> make_program(Run& run);
// Has the program take these words, as they are typed.
void parse(CLI::App& program, const std::vector<std::string>& line);

// What a person who typed `word` as a command or option probably meant; nothing when nothing is near.
std::optional<std::string> nearest(const CLI::App& program, const std::vector<std::string>& line,
                                   const std::string& word);

// The commands that have an option of this name, and what it is there: a line for each.
std::string commands_with(const CLI::App& program, const std::string& option);

// The hidden command that prints man pages and completions, generated from the tree.
void add_generate(CLI::App& program, Run& run);

}  // namespace dicube::cli
