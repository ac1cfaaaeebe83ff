#include "series/packed_before.h"

#include <algorithm>
#include <set>

#include "dicube/archive.h"

namespace dicube::series {
namespace {

// Instances by their SOP Instance UIDs; what has none by its name, without folders.
std::uint64_t identity_of_name(std::string_view name) {
  return identity_of(as_bytes(name.substr(name.rfind('/') + 1)));
}

std::set<std::uint64_t> identities_in(const Archive& archive) {
  std::set<std::uint64_t> identities;
  const auto uids = archive.column("SOPInstanceUID");
  for (std::size_t i = 0; i < archive.instances().size(); ++i) {
    const std::uint64_t uid = uids ? identity_of(uids->bytes(i)) : 0;
    identities.insert(uid != 0 ? uid : identity_of_name(archive.instances()[i].name));
  }
  return identities;
}

// An archive must be one of this series to stand for it, and hold as much: files that could not be read when it was
// packed, or that came later, would else be taken for packed.
Status check_holds(const std::string& path, const Group& group) {
  const auto there = Archive::open(path);
  const auto is_there = [](const std::string& how) { return fail(ErrorClass::kConflict, "is there already, {}", how); };
  if (!there) return is_there("and can't be read as an archive: " + there.error().message);
  const ArchiveInfo& info = there->info();
  if (info.series_instance_uid != group.uid) return is_there("with another series: " + info.series_instance_uid);
  const std::set<std::uint64_t> identities = identities_in(*there);
  const auto is_in = [&](const Member& member) {
    return identities.contains(member.sop_instance) || identities.contains(identity_of_name(member.file.name));
  };
  const std::size_t files = there->instances().size(), found = group.members.size();
  const auto known = static_cast<std::size_t>(std::ranges::count_if(group.members, is_in));
  if (std::min(files, known) < found)
    return is_there(formatted("with {} of the {} files that are found now", std::min(files, known), found));
  const bool keeps_bytes = info.format_major > 1 && !info.is_lossy;
  if (files == found && keeps_bytes && info.source_bytes != group.bytes())
    return is_there(formatted("with files of {} bytes, of {} now", info.source_bytes, group.bytes()));
  return {};
}

}  // namespace

Result<bool> is_packed(const Group& group, const io::Folder& folder, const std::string& name, OnConflict on_conflict) {
  const bool may_be_there = on_conflict == OnConflict::kOverwrite || on_conflict == OnConflict::kRename;
  if (may_be_there || !folder.has(name)) return false;
  if (on_conflict == OnConflict::kError) return fail(ErrorClass::kConflict, "exists already");
  DICUBE_TRY(check_holds(io::path_in(folder.path(), name), group));
  return true;
}

}  // namespace dicube::series
