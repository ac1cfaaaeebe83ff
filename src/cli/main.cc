// `dicube`: the contract is docs/cli.md.
#include <fmt/format.h>

#include <exception>

#include "cli/command.h"

int main(int argc, char** argv) {
  using namespace dicube::cli;
  CLI::App program("Stores a DICOM series in one file, and gives the original files back byte for byte.", "dicube");
  program.set_version_flag("--version", "dicube " DICUBE_VERSION);
  program.set_help_flag("-h,--help", "This help");
  program.require_subcommand(1);
  program.footer("Exit codes: 0 all well; 1 some inputs failed, the rest is done; 2 usage; 3 a damaged archive; 4 input/output.\n"
                 "Examples:\n  dicube pack scans/ -o archives/\n  dicube unpack archives/ -o restored/\n"
                 "  dicube dump archives/1.2.3.dcbs --tag PatientName");
  Run run;
  for (auto* add : {add_pack, add_unpack, add_verify, add_info, add_ls, add_dump, add_cat, add_thumb, add_check}) add(program, run);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? kWell : kUsage;
  }
  try {
    return run();
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "dicube: out of memory\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "dicube: {}\n", error.what());
  }
  return kInputOutput;
}
