// The section "INST": what is known of every instance without its metadata.
#pragma once

#include "base/bytes.h"
#include "dicube/archive.h"

namespace dicube::archive {

struct InstanceTable {
  std::string series_instance_uid;
  std::vector<Instance> instances;  // names are a column of the metadata
};

Bytes write_instances(const InstanceTable& table);
Result<InstanceTable> read_instances(ByteSpan bytes, std::size_t frames);

}  // namespace dicube::archive
