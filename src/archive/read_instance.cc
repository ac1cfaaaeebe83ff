// An instance's file put together from its columns and frames.
#include "archive/assemble.h"
#include "archive/shapes.h"
#include "archive/state.h"
#include "base/checked.h"
#include "base/hash.h"

namespace dicube {
namespace {

// Frames of one instance, for putting it together.
class InstanceFrames : public archive::FrameSource {
 public:
  InstanceFrames(const Archive::State& state, const Instance& instance, archive::Scratch& scratch)
      : state_(state), instance_(instance), scratch_(scratch) {}

  Result<std::vector<std::uint64_t>> native_ends() override {
    ends_.clear();
    for (std::uint64_t i = 0; i < instance_.frames; ++i) {
      const std::uint64_t number = instance_.first_frame + i;
      const format::FrameFormat& format = format_of(number);
      const auto bits = archive::source_frame_bits(format);
      const auto end = bits ? checked_add(ends_.empty() ? 0 : ends_.back(), *bits) : std::nullopt;
      if (!end || *end / 8 > instance_.size || !format.transfer_syntax.empty())
        return fail(ErrorClass::kDamaged, "frame {} does not fit its instance of {} bytes", number, instance_.size);
      ends_.push_back(*end);
    }
    std::vector<std::uint64_t> bytes;
    for (const std::uint64_t end : ends_) bytes.push_back((end + 7) / 8);
    return bytes;
  }

  Status append_native(std::size_t i, Bytes& out) override {
    const std::uint64_t number = instance_.first_frame + i;
    const format::FrameFormat& format = format_of(number);
    const std::uint64_t bit = i == 0 ? 0 : ends_[i - 1];
    const std::size_t size = (ends_[i] + 7) / 8 - bit / 8, shared = bit % 8 == 0 ? 0 : 1;
    DICUBE_TRY(state_.read_frame(number, scratch_.stored));
    DICUBE_ASSIGN(auto codec, archive::codec_of(format, state_.index.frames[number]));
    DICUBE_TRY(archive::check_stream(format, codec, scratch_.stored, size));
    DICUBE_ASSIGN(const auto reference, state_.read_reference(number, format.planar));
    out.resize(out.size() + size - shared);
    const MutableByteSpan pixels = MutableByteSpan(out).last(size);
    DICUBE_TRY(archive::decode_to_source(scratch_, format, codec, scratch_.stored, pixels,
                                         reference ? ByteSpan(*reference) : ByteSpan()));
    if (archive::is_as_coded(format)) state_.keep_reference(number, format.planar, pixels);
    return {};
  }

  std::size_t shared_groups() const override {
    if (instance_.frames == 0) return 1;
    const format::FrameFormat& format = format_of(instance_.first_frame);
    return archive::share_groups(format) ? format.swap : 1;
  }

  std::vector<std::uint64_t> encapsulated_sizes() override {
    std::vector<std::uint64_t> sizes;
    for (std::uint64_t i = 0; i < instance_.frames; ++i)
      sizes.push_back(state_.codestream_size(instance_.first_frame + i));
    return sizes;
  }

  Status append_encapsulated(std::size_t frame, Bytes& out) override {
    const std::uint64_t number = instance_.first_frame + frame;
    DICUBE_TRY(state_.read_frame(number, scratch_.stored));
    const format::Frame& entry = state_.index.frames[number];
    const format::FrameFormat& format = state_.index.formats[entry.format];
    if (format.recipe == 0) {
      append(out, scratch_.stored);
      return {};
    }
    if (entry.source_size > instance_.size)
      return fail(ErrorClass::kDamaged, "frame {} has {} bytes, its instance {}", number, entry.source_size,
                  instance_.size);
    DICUBE_ASSIGN(const auto reference, state_.read_reference(number, false));
    return archive::follow_recipe(scratch_, format, entry, scratch_.stored, out,
                                  reference ? ByteSpan(*reference) : ByteSpan());
  }

 private:
  const format::FrameFormat& format_of(std::uint64_t frame) const {
    return state_.index.formats[state_.index.frames[frame].format];
  }

  const Archive::State& state_;
  const Instance& instance_;
  archive::Scratch& scratch_;
  std::vector<std::uint64_t> ends_;  // of native frames, in bits
};

// The instance without its native frames, and with zeros for the bytes of encapsulated ones.
class NoFrames : public InstanceFrames {
 public:
  using InstanceFrames::InstanceFrames;
  Result<std::vector<std::uint64_t>> native_ends() override { return std::vector<std::uint64_t>(); }
  std::vector<std::uint64_t> encapsulated_sizes() override { return sizes_ = InstanceFrames::encapsulated_sizes(); }
  Status append_encapsulated(std::size_t frame, Bytes& out) override {
    out.resize(out.size() + sizes_[frame]);
    return {};
  }

 private:
  std::vector<std::uint64_t> sizes_;
};

}  // namespace

Status ArchiveAccess::read_instance(const Archive& archive, std::size_t number, Bytes& out) {
  return read(archive, number, out, nullptr);
}

Status ArchiveAccess::read_instance(const Archive& archive, std::size_t number, Bytes& buffer, const Sink& sink) {
  return read(archive, number, buffer, &sink);
}

// Into `out`, or in pieces to the sink.
Status ArchiveAccess::read(const Archive& archive, std::size_t number, Bytes& out, const Sink* sink) {
  Sha256Stream sha256;
  const Sink take = [&](ByteSpan piece) -> Status {
    sha256.update(piece);
    return sink == nullptr ? Status() : (*sink)(piece);
  };
  DICUBE_TRY(put_together(archive, number, out, take, sink != nullptr));
  const Instance& instance = archive.instances()[number];
  if (instance.is_folder || sha256.finish() == instance.sha256) return {};
  return archive.state_->named(Status(
      fail(ErrorClass::kDamaged, "{}: the SHA-256 of the file put together is not the original's", instance.name)));
}

Status ArchiveAccess::put_together(const Archive& archive, std::size_t number, Bytes& buffer, const Sink& sink,
                                   bool in_pieces) {
  const Archive::State& state = *archive.state_;
  auto done = [&]() -> Status {
    DICUBE_TRY(state.check_instance_number(number));
    const Instance& instance = archive.instances()[number];
    buffer.clear();
    if (instance.is_folder) return {};
    auto scratch = state.scratch.lend();
    InstanceFrames frames(state, instance, *scratch);
    std::uint64_t size = 0;
    const Sink counted = [&](ByteSpan piece) {
      size += piece.size();
      return sink(piece);
    };
    DICUBE_TRY(
        archive::assemble(*state.metadata, number, instance.size, frames, buffer, in_pieces ? &counted : nullptr));
    if (!in_pieces) DICUBE_TRY(counted(buffer));
    if (size == instance.size) return {};
    return fail(ErrorClass::kDamaged, "{}: {} bytes put together, {} expected", instance.name, size, instance.size);
  }();
  return state.named(std::move(done));
}

Status ArchiveAccess::read_codestream(const Archive& archive, std::size_t frame, Bytes& out) {
  const Archive::State& state = *archive.state_;
  DICUBE_TRY(state.check_frame_number(frame));
  const Instance& instance = archive.instances()[archive.instance_of(frame)];
  auto scratch = state.scratch.lend();
  out.clear();
  return state.named(InstanceFrames(state, instance, *scratch).append_encapsulated(frame - instance.first_frame, out));
}

Status ArchiveAccess::read_header(const Archive& archive, std::size_t number, Bytes& out) {
  const Archive::State& state = *archive.state_;
  DICUBE_TRY(state.check_instance_number(number));
  const Instance& instance = archive.instances()[number];
  auto scratch = state.scratch.lend();
  NoFrames none(state, instance, *scratch);
  return state.named(archive::assemble(*state.metadata, number, instance.size, none, out));
}

Result<std::vector<std::byte>> Archive::read_instance(std::size_t number) const {
  Bytes bytes;
  DICUBE_TRY(ArchiveAccess::read_instance(*this, number, bytes));
  return bytes;
}

}  // namespace dicube
