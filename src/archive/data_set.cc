// An instance's whole header, from the columns.
#include "archive/element_value.h"
#include "archive/state.h"
#include "archive/walk.h"
#include "dicom/tags.h"
#include "dicom/value.h"

namespace dicube {
namespace {

using columns::ColumnKind;

// Builds the tree; values are copied into the DataSet.
class Builder : public archive::Visitor {
 public:
  Builder(DataSet& to, bool with_large_values) : to_(to), with_large_values_(with_large_values) {}

  Status begin_data_set() override {
    levels_.assign(1, started_ ? &to_.elements : &to_.meta);
    started_ = true;
    signs_.assign(1, false);
    return {};
  }
  Status element(const columns::ColumnKey& key, ByteSpan kept) override {
    Element& element = add(key);
    element.is_pixels = key.kind != ColumnKind::kElement;
    if (element.is_pixels) return {};
    const ByteSpan value = archive::element_value(key, kept);
    to_.storage.emplace_back(value.begin(), value.end());
    element.value = to_.storage.back();
    if (key.tag == dicom::kPixelRepresentation) signs_.back() = !dicom::trimmed(value).empty();  // zeros are padding
    if (key.tag == dicom::kSpecificCharacterSet && levels_.size() == 1) to_.charset = dicom::trimmed(value);
    return {};
  }
  bool takes_pieces() const override { return !with_large_values_; }
  Result<Sink> begin_element(const columns::ColumnKey& key, std::uint64_t size) override {
    Element& element = add(key);
    if (size > archive::MetadataBuilder::kLargeBytes) {
      element.left_out = size;
      return Sink([](ByteSpan) { return Status(); });
    }
    Bytes& kept = to_.storage.emplace_back();
    return Sink([&](ByteSpan piece) {
      append(kept, piece);
      element.value = archive::element_value(key, kept);
      return Status();
    });
  }
  Status begin_sequence(const columns::ColumnKey& key) override {
    add(key).is_sequence = true;
    return {};
  }
  Status begin_item(const columns::ColumnKey&, const columns::Item&) override {
    auto& items = levels_.back()->back().items;
    items.emplace_back();
    levels_.push_back(&items.back());
    signs_.push_back(signs_.back());
    return {};
  }
  Status end_item(const columns::ColumnKey&, const columns::Item&) override {
    levels_.pop_back();
    signs_.pop_back();
    return {};
  }
  Status end_sequence(const columns::ColumnKey&) override { return {}; }

 private:
  Element& add(const columns::ColumnKey& key) {
    Element& element = levels_.back()->emplace_back();
    element.tag = key.tag;
    element.vr = archive::vr_of(key, signs_.back());
    return element;
  }
  DataSet& to_;
  const bool with_large_values_;
  bool started_ = false;
  // Of the data set and the items around: Pixel Representation 1 was seen; it stands before what follows it. An item
  // may have its own (an icon's).
  std::vector<bool> signs_;
  std::vector<std::vector<Element>*> levels_;
};

Result<DataSet> build(const Archive::State& state, std::size_t instance, bool with_large_values) {
  DICUBE_TRY(state.check_instance_number(instance));
  DataSet out;
  DICUBE_ASSIGN(auto roots, state.metadata->roots(instance));
  out.encoding = roots.encoding;
  Builder builder(out, with_large_values);
  DICUBE_TRY(archive::walk(*state.metadata, instance, builder));
  return out;
}

}  // namespace

Result<DataSet> Archive::data_set(std::size_t instance) const { return state_->named(build(*state_, instance, true)); }

Result<DataSet> ArchiveAccess::small_data_set(const Archive& archive, std::size_t instance) {
  return archive.state_->named(build(*archive.state_, instance, false));
}

}  // namespace dicube
