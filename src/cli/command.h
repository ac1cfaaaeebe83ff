// What all commands of `dicube` share: options, results, errors, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <string>

#include "dicube/dicube.h"

namespace dicube::cli {

using Json = nlohmann::ordered_json;

// Ends of the program, as docs and scripts know them.
enum ExitCode : int { kWell = 0, kSomeFailed = 1, kUsage = 2, kDamaged = 3, kInputOutput = 4 };
int exit_code(ErrorClass error_class);
// Whether all results got out; say so once, at the end.
bool output_is_complete();

// Options of every command, and where its results go: results alone on standard output, all else on standard error.
struct Common {
  bool json = false, quiet = false;
  unsigned threads = 0;

  void add_to(CLI::App& command);
  void add_threads_to(CLI::App& command);
  // One line of JSON, or a line of text.
  void result(const Json& json_line, const std::string& text) const;
  void note(const std::string& text) const;                 // standard error, unless quiet
  // Prints the error in the form asked for and returns its exit code.
  int error(const Error& error) const;
  // Fills in progress on a terminal and the Ctrl-C switch.
  void prepare(CallOptions& options) const;
  void end_progress() const;
};

// Values of --on-conflict.
inline const std::map<std::string, OnConflict> kConflicts = {
    {"error", OnConflict::kError}, {"skip", OnConflict::kSkip}, {"overwrite", OnConflict::kOverwrite}};

// Values of --codec.
inline const std::map<std::string, Codec> kCodecs = {{"auto", Codec::kAuto}, {"htj2k", Codec::kHtj2k}, {"lane", Codec::kLane}, {"zstd", Codec::kZstd}};

// Text that came from a file, fit for a terminal and for JSON: control characters and invalid UTF-8 replaced.
std::string printable(std::string_view text);
std::string human_bytes(std::uint64_t bytes);

// Each adds its command to the program. `run` receives what to do once the line is parsed.
using Run = std::function<int()>;
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
