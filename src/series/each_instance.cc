#include "series/each_instance.h"

#include <map>

namespace dicube::series {

std::vector<Error> by_cause(const Archive& archive, const std::string& path, std::vector<std::optional<Error>> failed) {
  struct Cause {
    std::size_t place, count, first;
  };
  std::vector<Error> errors;
  std::map<std::string, Cause> causes;
  for (std::size_t i = 0; i < failed.size(); ++i) {
    if (!failed[i]) continue;
    const bool of_archive = failed[i]->file == path;
    const auto [cause, is_new] =
        causes.try_emplace(of_archive ? failed[i]->message : formatted("{}", i), Cause{errors.size(), 0, i});
    ++cause->second.count;
    if (is_new) errors.push_back(*std::move(failed[i]));
  }
  for (const auto& [message, cause] : causes) {
    Error& error = errors[cause.place];
    const std::string& name = archive.instances()[cause.first].name;
    if (cause.count > 1)
      error.message += formatted(" ({} files need it, {} is the first)", cause.count, name);
    else if (error.file == path && error.message.find(name) == std::string::npos)
      error.message = formatted("{}: {}", name, error.message);
  }
  return errors;
}

}  // namespace dicube::series
