// What all commands of `dicube` share: options, results, errors, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "dicube/dicube.h"

namespace dicube::cli {

using Json = nlohmann::ordered_json;

// Ends of the program, as docs and scripts know them.
enum ExitCode : int { kWell = 0, kSomeFailed = 1, kUsage = 2, kDamaged = 3, kInputOutput = 4 };
int exit_code(ErrorClass error_class);
// The signal that asked this program to end in order; 0 for none. The exit code is then 128 + signal, as a shell has
// it.
int interrupting_signal();
// To standard output. What can't be written is no reason to stop, but output_is_complete() knows of it.
void put_out(std::string_view text);
// To standard error, which may be closed or full: then nobody hears it, and the work goes on.
void say(std::string_view text);
// What writes archives and files does so though nobody reads any more what it says, as behind `| head`: that is then as
// output which a full disk loses.
void go_on_unheard();
// Whether all results got out; say so once, at the end.
bool output_is_complete();

class Manifest;

// Options of every command, and where its results go: results alone on standard output, all else on standard error.
struct Common {
  bool json = false, quiet = false, verbose = false;
  bool recursive = false;  // archives in folders below those that are named, too
  unsigned threads = 0;
  std::shared_ptr<Manifest> manifest = nullptr;  // gets the lines of JSON, whether they are asked for or not

  void add_to(CLI::App& command);
  void add_threads_to(CLI::App& command);
  void add_recursive_to(CLI::App& command);  // and --keep-going: of commands that take several archives
  // What was asked for: one line of JSON, or a line of text.
  void result(const Json& json_line, const std::string& text) const;
  // The same of what was done, which is nothing to say when all is well and quiet.
  void done(const Json& json_line, const std::string& text) const;
  void note(const std::string& text) const;  // standard error, unless quiet
  // Prints the error in the form asked for and returns its exit code.
  int error(const Error& error) const;
  // A line on standard error, even when quiet.
  void error_text(const std::string& text) const;
  // Errors of the same kind beyond the first few: JSON only.
  int error_unsaid(const Error& error) const;
  // Fills in progress on a terminal, which counts `what`, and the Ctrl-C switch.
  void prepare(CallOptions& options, std::string_view what = "files") const;
  void end_progress() const;

 private:
  bool shows_progress() const;
};

// Values of --on-conflict.
inline const std::map<std::string, OnConflict> kConflicts = {{"error", OnConflict::kError},
                                                             {"skip", OnConflict::kSkip},
                                                             {"overwrite", OnConflict::kOverwrite},
                                                             {"rename", OnConflict::kRename}};
// `what`: "an archive"
CLI::Option* add_on_conflict(CLI::App& command, std::string& value, std::string_view what);
// --keep-going: scripts give it by habit.
void add_keep_going(CLI::App& command);

// --max-error and --ratio, of which one may be given. `of`: what has a loss, "With --lossy"
void add_loss(CLI::App& command, std::uint32_t& max_error, double& ratio, std::string_view of);
void add_codec(CLI::App& command, std::string& value);

// Values of --codec.
inline const std::map<std::string, Codec> kCodecs = {
    {"auto", Codec::kAuto}, {"htj2k", Codec::kHtj2k}, {"lane", Codec::kLane}, {"zstd", Codec::kZstd}};

// Text that came from a file, fit for a terminal: control characters, marks that turn the direction of writing, and
// bytes that are no UTF-8 are escaped, "\\n" or "\\xE9".
std::string printable(std::string_view text);
// The same, fit for JSON: text that is UTF-8 as it is; bytes that are none escaped, "\\xE9".
std::string json_text(std::string_view text);
// Adds the text under `key`; and, when it is no UTF-8, its bytes as hexadecimal digits under `key`_hex.
void put_name(Json& object, const std::string& key, std::string_view text);
Json to_json(const Error& error);
// Outputs that "-" does not make standard output: folders, archives, whose front is written last, and manifests, which
// go on with what they have.
extern const CLI::Validator kOnDisk;
// With options as they are typed here, and, of what exists already, the one that decides about it.
Error with_advice(Error error);
// "5 files", "5 files, 2 empty folders": `instances` counts both.
std::string file_count(std::uint64_t instances, std::uint64_t folders);
// "FAILED: 3 archives and 15 files"; empty where none did.
std::string failed_text(std::uint64_t archives, std::uint64_t files);
std::string human_bytes(std::uint64_t bytes);

// Receives what to do once the line is parsed.
using Run = std::function<int()>;
// A new command, and its arguments, which live as long as it does: `work` is called with them.
template <class Arguments>
std::pair<CLI::App&, Arguments&> add_command(CLI::App& program, Run& run, std::string name, std::string description,
                                             int (*work)(const Arguments&)) {
  CLI::App* command = program.add_subcommand(std::move(name), std::move(description));
  auto arguments = std::make_shared<Arguments>();
  command->callback([arguments, work, &run] { run = [arguments, work] { return work(*arguments); }; });
  return {*command, *arguments};
}

// Each adds its command to the program.
void add_pack(CLI::App& program, Run& run);
void add_unpack(CLI::App& program, Run& run);
void add_verify(CLI::App& program, Run& run);
void add_convert(CLI::App& program, Run& run);
void add_info(CLI::App& program, Run& run);
void add_ls(CLI::App& program, Run& run);
void add_dump(CLI::App& program, Run& run);
void add_cat(CLI::App& program, Run& run);
void add_thumb(CLI::App& program, Run& run);
void add_check(CLI::App& program, Run& run);

}  // namespace dicube::cli
