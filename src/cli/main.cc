// `dicube`: the contract is docs/cli.md.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <string_view>

#include "base/formatted.h"
#include "cli/program.h"

namespace {

using dicube::formatted;
using dicube::cli::commands_with;
using dicube::cli::nearest;
using dicube::cli::printable;
using dicube::cli::say;

constexpr int kSignalled = 128;  // + the signal's number, as shells have it

// A word of the line that looks like an option and is none: what is said to be missing may only be misspelt.
std::optional<std::string> unknown_option(const CLI::App& program) {
  for (const std::string& word : program.remaining(true))
    if (word.starts_with("-") && word.size() > 1) return word;
  return std::nullopt;
}

// A file opened while a standard stream is closed gets the stream's number, and what is said then goes into the file.
// Nothing can be written to what stands there instead, so that lost output is noticed as ever.
void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", O_RDONLY);  // takes the lowest free number
}

// What no command could tell of a file.
int failed(int code, std::string_view error_class, std::string_view message, const std::vector<std::string>& line) {
  using namespace dicube::cli;
  say(formatted("dicube: {}\n", printable(message)));
  if (std::find(line.begin(), line.end(), "--json") != line.end())
    put_out(Json{{"error", {{"class", error_class}, {"file", ""}, {"message", json_text(message)}}}}.dump() + "\n");
  return code;
}

int usage(std::string_view message, const std::vector<std::string>& line) {
  return failed(dicube::cli::kUsage, "usage", message, line);
}

int say_usage(const CLI::App& program, const CLI::ParseError& error, const std::vector<std::string>& line) {
  if (line.empty()) {
    say(program.help());
    return dicube::cli::kUsage;
  }
  const bool no_command = program.get_subcommands().empty();
  const auto unknown = no_command ? std::nullopt : unknown_option(program);
  std::string text = no_command ? (line[0].starts_with('-') ? "no such option: " : "no such command: ") + line[0]
                     : unknown  ? "no such option: " + *unknown
                                : error.what();
  if (const auto left = program.remaining(true); text.ends_with(": ") && !left.empty())
    text += left[0].substr(1);  // the word stands behind parse()'s mark, where the message ends
  // The word that CLI11 could not place stands last in its message.
  const std::string word = text.substr(text.find_last_of(' ') + 1);
  const int code = usage(text, line);
  const bool is_long = word.starts_with("--");
  if (no_command || (unknown && is_long)) {
    if (const auto meant = nearest(program, line, word))
      say(formatted("Did you mean {}?\n", *meant));
    else if (is_long)
      say(commands_with(program, word.substr(0, word.find('='))));
  }
  say("dicube --help and dicube COMMAND --help explain everything.\n");
  return code;
}

int ended(int code) {
  using namespace dicube::cli;
  if (code != kWell && interrupting_signal() != 0) return kSignalled + interrupting_signal();
  if (output_is_complete()) return code;
  say("dicube: standard output can't be written\n");
  return kInputOutput;
}

// An option that another one took for its value, as in `-o $OUT --json` where OUT is not set.
std::optional<std::string> swallowed_option(const CLI::App& program) {
  for (const CLI::App* command : program.get_subcommands())
    for (const CLI::Option* option : command->get_options())
      for (const std::string& value : option->results())
        if (!option->get_positional() && option->get_expected_max() > 0 && value.starts_with('-') &&
            command->get_option_no_throw(value) != nullptr)
          return formatted("{} has no value: behind it stands {}", option->get_name(), value);
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace dicube::cli;
  occupy_standard_streams();
  ::signal(SIGXFSZ, SIG_IGN);  // a file over the shell's limit is an error of writing, as a full disk is
  Run run;
  const auto program = make_program(run);
  const std::vector<std::string> line(argv + 1, argv + argc);
  if (std::ranges::find(line, "") != line.end())  // nothing is ever empty on purpose
    return ended(usage("an argument is empty, as that of a variable without a value", line));
  try {
    parse(*program, line);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return ended(program->exit(error));
    return ended(say_usage(*program, error, line));
  }
  if (const auto swallowed = swallowed_option(*program)) return ended(usage(*swallowed, line));
  try {
    return ended(run());
  } catch (const std::bad_alloc&) {
    return ended(failed(kInputOutput, "limit", "out of memory", line));
  } catch (const std::exception& error) {
    return ended(failed(kInputOutput, "io", error.what(), line));
  }
}
