// generate: man pages and shell completions from the tree of commands
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/formatted.h"
#include "cli/program.h"

namespace dicube::cli {
namespace {

struct Option {
  std::string value, description;  // value: "" for a flag
  std::vector<std::string> names;  // "-o", "--output"
  std::vector<std::string> choices;
};

// "TEXT:{a,b}=a" -> a, b
std::vector<std::string> choices_in(const std::string& type) {
  std::vector<std::string> out;
  const std::size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return out;
  std::string list = type.substr(open + 1, close - open - 1);
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    out.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

std::vector<Option> options_of(const CLI::App& app) {
  std::vector<Option> out;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) continue;
    const std::string type = option->get_type_name();
    Option own;
    for (const std::string& name : option->get_snames()) own.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) own.names.push_back("--" + name);
    if (option->get_expected_max() > 0) own.value = type.substr(0, type.find_first_of(":= "));
    own.choices = choices_in(type);
    own.description = option->get_description();
    out.push_back(std::move(own));
  }
  return out;
}

std::vector<const CLI::App*> commands_of(const CLI::App& program) {
  return program.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& commands) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands) names.push_back(command->get_name());
  return names;
}

// Whether it takes the name of another one.
bool is_help(const CLI::App* command) { return command->get_name() == "help"; }

std::string joined(const std::vector<std::string>& words, std::string_view between) {
  return formatted("{}", fmt::join(words, between));
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// Text for troff: no escapes, no requests at the start of a line.
std::string troff(const std::string& text) {
  std::string out = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return replaced(replaced(out, "\n.", "\n\\&."), "\n'", "\n\\&'");
}

std::string synopsis(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name = option->get_name(true) + (option->get_expected_max() > 1 ? "..." : "");
    out += option->get_required() ? " " + name : " [" + name + "]";
  }
  return out;
}

std::string man_page(const CLI::App& app, const CLI::App* parent) {
  const std::string name = parent == nullptr ? app.get_name() : parent->get_name() + "-" + app.get_name();
  std::string out =
      formatted(".TH {} 1 \"\" \"dicube {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n",
                troff(name), DICUBE_VERSION, troff(name), troff(app.get_description()),
                troff(parent == nullptr ? app.get_name() : parent->get_name() + " " + app.get_name()));
  out += parent == nullptr ? "COMMAND [OPTIONS]\n" : troff("[OPTIONS]" + synopsis(app)) + "\n";
  if (parent == nullptr) {
    out += ".SH COMMANDS\n";
    for (const CLI::App* command : commands_of(app))
      out += formatted(".TP\n.BR {} (1)\n{}\n", troff(app.get_name() + "-" + command->get_name()),
                       troff(command->get_description()));
  } else {
    out += ".SH ARGUMENTS\n";
    for (const CLI::Option* option : app.get_options())
      if (option->get_positional())
        out += formatted(".TP\n.I {}\n{}\n", troff(option->get_name(true)), troff(option->get_description()));
  }
  out += ".SH OPTIONS\n";
  for (const Option& option : options_of(app)) {
    std::vector<std::string> names;
    for (const std::string& own : option.names) names.push_back("\\fB" + troff(own) + "\\fR");
    const std::string value = option.choices.empty() ? option.value : joined(option.choices, "|");
    out += formatted(".TP\n{}{}\n{}\n", joined(names, ", "),
                     value.empty() ? "" : " \\fI" + replaced(troff(value), "|", "|\\:") + "\\fR",
                     troff(option.description));
  }
  if (!app.get_footer().empty()) out += ".SH NOTES\n.nf\n" + troff(app.get_footer()) + "\n.fi\n";
  out += ".SH SEE ALSO\n";
  if (parent != nullptr) return out + ".BR " + parent->get_name() + " (1)\n";
  return out + "docs/cli.md of the project\n";
}

// Bash makes three words of --codec=lane, unless it was told otherwise.
std::string bash_completion(const CLI::App& program) {
  const std::string names = joined(names_of(commands_of(program)), " ");
  const auto value = [](const std::string& command, const std::string& before, const std::string& words) {
    return formatted("    {}:{}) COMPREPLY=($(compgen -P \"$front\" -W \"{}\" -- \"$word\")); return ;;\n", command,
                     before, words);
  };
  std::string cases, values;
  for (const CLI::App* command : commands_of(program)) {
    if (is_help(command)) values += value("help", "help", names);
    std::vector<std::string> words;
    for (const Option& option : options_of(*command)) {
      std::ranges::copy(option.names, std::back_inserter(words));
      if (!option.choices.empty())
        values += value(command->get_name(), option.names.back(), joined(option.choices, " "));
    }
    cases += formatted("    {}) words=\"{}\" ;;\n", command->get_name(), joined(words, " "));
  }
  return formatted(
      "# bash completion of dicube\n"
      "_dicube() {{\n"
      "  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}} "
      "words= front=\n"
      "  COMPREPLY=()\n"
      "  case $word in\n"
      "    =) word= ;;\n"
      "    --*=*) before=${{word%%=*}} front=${{word%%=*}}= word=${{word#*=}} ;;\n"
      "    *) if [[ $before == = ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}; fi ;;\n"
      "  esac\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W \"{} --help --version\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case $command:$before in\n{}  esac\n"
      "  case $command in\n{}  esac\n"
      "  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W \"$words\" -- \"$word\")); fi\n"
      "}}\n"
      "complete -o default -F _dicube dicube\n",
      names, values, cases);
}

// Text inside the single quotes and brackets of a zsh argument specification.
std::string zsh_text(const std::string& text) {
  return replaced(replaced(replaced(replaced(text, "'", "'\\''"), "[", "\\["), "]", "\\]"), ":", "\\:");
}

std::string zsh_completion(const CLI::App& program) {
  std::string list, cases;
  const auto commands = commands_of(program);
  for (const CLI::App* command : commands) {
    list += formatted("    '{}:{}'\n", command->get_name(), zsh_text(command->get_description()));
    cases += formatted("    {})\n      _arguments \\\n", command->get_name());
    for (const Option& option : options_of(*command)) {
      std::string value;
      if (!option.choices.empty())
        value = formatted(":{}:({})", option.names.back().substr(2), joined(option.choices, " "));
      else if (!option.value.empty())
        value = ":value:_files";
      for (const std::string& own : option.names)
        cases += formatted("        '{}{}[{}]{}' \\\n", own, own.starts_with("--") && !value.empty() ? "=" : "",
                           zsh_text(option.description), value);
    }
    cases += is_help(command) ? formatted("        '1:command:({})'\n      ;;\n", joined(names_of(commands), " "))
                              : "        '*:file:_files'\n      ;;\n";
  }
  return formatted(
      "#compdef dicube\n"
      "_dicube() {{\n"
      "  local -a commands=(\n{}  )\n"
      "  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n"
      "  local command=$words[2]\n  shift words\n  ((CURRENT--))\n"
      "  case $command in\n{}  esac\n"
      "}}\n"
      "_dicube \"$@\"\n",
      list, cases);
}

std::string fish_completion(const CLI::App& program) {
  const auto quoted = [](const std::string& text) {
    return "'" + replaced(replaced(text, "\\", "\\\\"), "'", "\\'") + "'";
  };
  std::string out = "# fish completion of dicube\n";
  const auto commands = commands_of(program);
  for (const CLI::App* command : commands) {
    if (is_help(command))
      out += formatted("complete -c dicube -n '__fish_seen_subcommand_from help' -x -a {}\n",
                       quoted(joined(names_of(commands), " ")));
    out += formatted("complete -c dicube -n __fish_use_subcommand -a {} -d {}\n", command->get_name(),
                     quoted(command->get_description()));
    for (const Option& option : options_of(*command)) {
      out += formatted("complete -c dicube -n '__fish_seen_subcommand_from {}'", command->get_name());
      for (const std::string& name : option.names)
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.choices.empty())
        out += " -x -a " + quoted(joined(option.choices, " "));
      else if (!option.value.empty())
        out += " -r";
      out += " -d " + quoted(option.description) + "\n";
    }
  }
  return out;
}

int write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return kWell;
  say(formatted("dicube: {}: can't be written\n", path.string()));
  return kInputOutput;
}

int generate_all(const CLI::App& program, const std::filesystem::path& folder) {
  const std::filesystem::path man = folder / "man/man1", bash = folder / "bash-completion/completions",
                              zsh = folder / "zsh/site-functions", fish = folder / "fish/vendor_completions.d";
  for (const auto& path : {man, bash, zsh, fish}) std::filesystem::create_directories(path);
  int code = write_file(man / "dicube.1", man_page(program, nullptr));
  for (const CLI::App* command : commands_of(program))
    code = std::max(code, write_file(man / ("dicube-" + command->get_name() + ".1"), man_page(*command, &program)));
  code = std::max(code, write_file(bash / "dicube", bash_completion(program)));
  code = std::max(code, write_file(zsh / "_dicube", zsh_completion(program)));
  return std::max(code, write_file(fish / "dicube.fish", fish_completion(program)));
}

}  // namespace

void add_generate(CLI::App& program, Run& run) {
  CLI::App* command = program.add_subcommand(
      "generate", "Write man pages and completions for bash, zsh and fish below a folder like /usr/share");
  command->group("");
  auto folder = std::make_shared<std::string>();
  command->add_option("DIR", *folder, "The folder")->required();
  command->callback([&program, &run, folder] { run = [&program, folder] { return generate_all(program, *folder); }; });
}

}  // namespace dicube::cli
