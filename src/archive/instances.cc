#include "archive/instances.h"

#include "columns/integers.h"

namespace dicube::archive {
namespace {

constexpr std::string_view kWhat = "section 'INST'";

}  // namespace

// The series, the number of instances, their sizes and numbers of frames as integer lists, whether each is a folder,
// then all SHA-256.
Bytes write_instances(const InstanceTable& table) {
  ByteWriter out;
  out.put_string(as_bytes(table.series_instance_uid));
  out.put_varint(table.instances.size());
  std::vector<std::int64_t> sizes, frames, folders;
  for (const Instance& instance : table.instances) {
    sizes.push_back(static_cast<std::int64_t>(instance.size));
    frames.push_back(static_cast<std::int64_t>(instance.frames));
    folders.push_back(instance.is_folder);
  }
  columns::put_integers(sizes, out);
  columns::put_integers(frames, out);
  columns::put_integers(folders, out);
  for (const Instance& instance : table.instances) out.put_bytes(instance.sha256);
  return out.take();
}

Result<InstanceTable> read_instances(ByteSpan bytes, std::size_t frame_count) {
  ByteReader in(bytes, kWhat);
  InstanceTable table;
  DICUBE_ASSIGN(auto uid, in.get_string());
  table.series_instance_uid = as_text(uid);
  DICUBE_ASSIGN(auto count, in.get_count(in.left() / sizeof(Instance::sha256), "instances"));
  DICUBE_ASSIGN(auto sizes, columns::get_integers(in, count));
  DICUBE_ASSIGN(auto frames, columns::get_integers(in, count));
  DICUBE_ASSIGN(auto folders, columns::get_integers(in, count));
  table.instances.resize(count);
  std::uint64_t first_frame = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Instance& instance = table.instances[i];
    if (sizes[i] < 0 || frames[i] < 0 || static_cast<std::uint64_t>(frames[i]) > frame_count - first_frame)
      return fail(ErrorClass::kDamaged, "{}: instance {} has {} bytes and {} frames, of which {} are left", kWhat, i,
                  sizes[i], frames[i], frame_count - first_frame);
    if (folders[i] != 0 && (folders[i] != 1 || sizes[i] != 0 || frames[i] != 0))
      return fail(ErrorClass::kDamaged, "{}: the folder {} is one by {} and has {} bytes and {} frames", kWhat, i,
                  folders[i], sizes[i], frames[i]);
    instance.size = static_cast<std::uint64_t>(sizes[i]);
    instance.first_frame = first_frame;
    instance.frames = static_cast<std::uint64_t>(frames[i]);
    instance.is_folder = folders[i] != 0;
    first_frame += instance.frames;
    DICUBE_ASSIGN(auto digest, in.get_bytes(instance.sha256.size()));
    std::memcpy(instance.sha256.data(), digest.data(), digest.size());
  }
  DICUBE_TRY(in.expect_end());
  if (first_frame != frame_count)
    return fail(ErrorClass::kDamaged, "{}: the instances have {} but there are {}", kWhat,
                counted(first_frame, "frame"), frame_count);
  return table;
}

}  // namespace dicube::archive
