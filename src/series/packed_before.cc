#include "series/packed_before.h"

#include <algorithm>
#include <set>
#include <vector>

#include "series/call.h"

namespace dicube::series {
namespace {

// Instances by their SOP Instance UIDs; what has none by its name, without folders.
struct Identity {
  std::uint64_t uid = 0, name = 0;
  std::uint64_t best() const { return uid != 0 ? uid : name; }
};

std::uint64_t identity_of_name(std::string_view name) {
  return identity_of(as_bytes(name.substr(name.rfind('/') + 1)));
}

Identity of_member(const Member& member) { return {member.sop_instance, identity_of_name(member.file.name)}; }

std::vector<Identity> identities_in(const Archive& archive) {
  std::vector<Identity> identities;
  const auto uids = archive.column("SOPInstanceUID");
  for (std::size_t i = 0; i < archive.instances().size(); ++i)
    identities.push_back({uids ? identity_of(uids->bytes(i)) : 0, identity_of_name(archive.instances()[i].name)});
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
  std::set<std::uint64_t> identities;
  for (const Identity& identity : identities_in(*there)) identities.insert(identity.best());
  const auto is_in = [&](const Member& member) {
    const Identity identity = of_member(member);
    return identities.contains(identity.uid) || identities.contains(identity.name);
  };
  const std::size_t files = there->instances().size(), found = group.members.size();
  const auto known = static_cast<std::size_t>(std::ranges::count_if(group.members, is_in));
  if (std::min(files, known) < found)
    return is_there(formatted("with {} of the {} found now", std::min(files, known), counted(found, "file")));
  const bool keeps_bytes = info.format_major > 1 && !info.is_lossy;
  if (files == found && keeps_bytes && info.source_bytes != group.bytes())
    return is_there(formatted("with files of {}, of {} now", counted(info.source_bytes, "byte"), group.bytes()));
  return {};
}

// How many files of an archive are not among the members.
std::size_t others_in(const Archive& archive, std::span<const Member* const> members) {
  std::set<std::uint64_t> known;
  for (const Member* member : members) known.insert(of_member(*member).best());
  const auto others = std::ranges::count_if(identities_in(archive), [&](const Identity& identity) {
    return !known.contains(identity.uid) && !known.contains(identity.name);
  });
  const std::size_t files = archive.instances().size(), most_known = std::min(files, members.size());
  return std::max(static_cast<std::size_t>(others), files - most_known);  // files can share an identity
}

}  // namespace

Result<bool> is_packed(const Group& group, const io::Folder& folder, const std::string& name, OnConflict on_conflict) {
  DICUBE_ASSIGN(const bool is_left, leaves(folder, name, on_conflict));
  if (!is_left) return false;
  DICUBE_TRY(check_holds(io::path_in(folder.path(), name), group));
  return true;
}

Result<std::optional<Finding>> lost_with(const Archive& there, const Group& group,
                                         std::span<const Member* const> members, bool lacks) {
  const std::size_t others = others_in(there, members);
  if (others == 0) return std::nullopt;
  const std::string files = counted(there.instances().size(), "file");
  const bool is_other = there.info().series_instance_uid != group.uid;
  if (!is_other && lacks)
    return fail(ErrorClass::kConflict, "not overwritten: it holds {}, {} of them not among the {} read this time",
                files, others, members.size());
  return Finding{"replaces_more",
                 formatted("replaces an archive of {}{}, {} of them not in the new one", files,
                           is_other ? " of another series" : "", others),
                 {}};
}

}  // namespace dicube::series
