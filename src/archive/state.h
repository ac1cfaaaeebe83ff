// An open archive's parts, behind the public class.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "archive/findings.h"
#include "archive/frames.h"
#include "archive/instances.h"
#include "archive/metadata.h"
#include "archive/references.h"
#include "format/header.h"
#include "io/file.h"

namespace dicube {

struct Archive::State {
  std::unique_ptr<io::Source> source;
  format::Header header;
  format::FrameIndex index;
  archive::InstanceTable table;
  std::unique_ptr<archive::Metadata> metadata;
  std::vector<PixelFormat> formats;  // of index.formats
  ArchiveInfo info;
  std::vector<bool> is_reference;  // blocks of frames that others need
  mutable archive::ScratchPool scratch;
  mutable archive::ReferenceCache references;
  mutable std::vector<std::atomic<bool>> whole_blocks;  // empty unless they are noted

  // A frame's stored bytes behind its format's head, their checksum verified. REQUIRES: check_frame_number().
  Status read_frame(std::size_t frame, Bytes& out) const;
  // The stored bytes of a block, likewise.
  Status read_block(std::uint64_t block, Bytes& out) const;
  // The same in pieces. Only at the end is their checksum known: damage is an error then, and what the sink has got is
  // worth nothing.
  Status read_block(std::uint64_t block, const Sink& sink) const;
  // Of a frame that has a reference, the reference's pixels in the layout of decoded_shape(); of others nullptr.
  Result<archive::Pixels> read_reference(std::size_t frame, bool planar) const;
  // Keeps a decoded frame for those whose reference it is.
  void keep_reference(std::size_t frame, bool planar, ByteSpan pixels) const;
  // How long the codestream of a frame of encapsulated pixel data is in its source.
  std::uint64_t codestream_size(std::size_t frame) const;
  // Which bit of its first byte a 1-bit frame starts at.
  unsigned bit_offset(std::size_t frame) const;
  std::size_t instance_of(std::size_t frame) const;
  // kNotFound for numbers beyond the last.
  Status check_frame_number(std::size_t frame) const;
  Status check_instance_number(std::size_t instance) const;
  Status check_block_number(std::uint64_t block) const;
  Status check_block(std::uint64_t block, std::uint64_t computed) const;
  // REQUIRES: check_block_number(); `out` has the size of the block.
  Status read_whole_block(std::uint64_t block, MutableByteSpan out) const;
  // From now on, which blocks were read whole and had their checksum. REQUIRES: nobody reads meanwhile.
  void note_whole_blocks() const { whole_blocks = std::vector<std::atomic<bool>>(index.blocks.size()); }
  // The error, if any, with the archive's name.
  template <class T>
  Result<T> named(Result<T> done) const {
    if (!done) done = tl::unexpected<Error>(in_file(std::move(done).error(), source->name()));
    return done;
  }
};

// Memory for one frame, untouched until it is written to.
struct FrameBuffer {
  std::unique_ptr<std::byte[]> bytes;
  std::size_t size = 0;
  std::span<std::byte> span() const { return {bytes.get(), size}; }
};

// What other layers of the library need of an archive beyond its public face.
class ArchiveAccess {
 public:
  // All instances, in an order that is good for threads which read them in turn.
  static std::vector<std::size_t> reading_order(const Archive& archive);
  // Archive::read_frame_reduced(). `reference`: of a frame that has one, its pixels in the public form; empty: they are
  // found.
  static Status decode_frame(const Archive& archive, std::size_t frame, unsigned level,
                             std::span<const std::byte> reference, std::span<std::byte> out);
  // Of any format version.
  static Result<Archive> open(std::unique_ptr<io::Source> source);
  static const Archive::State& state(const Archive& archive);
  // kCodec when the frame's own stream says that it holds another frame: to be asked before memory is made for one.
  static Status check_frame(const Archive& archive, std::size_t frame);
  // For frame `frame` at 1/2^level: kCodec or kLimit where its stream contradicts the size, or memory does not hold it.
  static Result<FrameBuffer> frame_buffer(const Archive& archive, std::size_t frame, unsigned level = 0);
  // Archive::read_frame(). A header may promise any size, so the memory is not touched before the stream has kept it.
  static Result<FrameBuffer> read_values(const Archive& archive, std::size_t frame);
  // Archive::read_instance() into `out`, whose memory is used again.
  static Status read_instance(const Archive& archive, std::size_t instance, Bytes& out);
  // The same in pieces, however large it is. They are proven at the end: worth nothing after an error. `buffer` is
  // memory for this.
  static Status read_instance(const Archive& archive, std::size_t instance, Bytes& buffer, const Sink& sink);
  // The same where the caller compares what arrives with more than a SHA-256: of the instance's size, but not proven.
  // `in_pieces` false: at once, and it stays in `buffer`.
  static Status put_together(const Archive& archive, std::size_t instance, Bytes& buffer, const Sink& sink,
                             bool in_pieces = true);
  // Archive::data_set() without the values of over 32 MiB: Element::left_out has their sizes.
  static Result<DataSet> small_data_set(const Archive& archive, std::size_t instance);
  // Archive::column() and frame_column(), whose errors do not name the archive.
  static Result<Column> column(const Archive& archive, std::string_view path);
  static Result<Column> frame_column(const Archive& archive, std::string_view path);
  // The codestream of a frame of encapsulated pixel data, as its source has it.
  static Status read_codestream(const Archive& archive, std::size_t frame, Bytes& out);
  // The instance's file without its frames: pixel data are there, but empty, or fragments of zeros. Whole where it is
  // kept as one byte string.
  static Status read_header(const Archive& archive, std::size_t instance, Bytes& out);

 private:
  static Status read(const Archive& archive, std::size_t instance, Bytes& out, const Sink* sink);
};

}  // namespace dicube
