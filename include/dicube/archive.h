// Reading one archive (`.dcbs`): metadata by column, pixels by frame, the original files byte for byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dicube/error.h"
#include "dicube/finding.h"
#include "dicube/pixel_buffer.h"

namespace dicube {

// How the stored values of a frame are to be read. They come out little endian, samples interleaved,
// bits_allocated bits each (one byte each when bits_allocated is 1), never altered, never colour-converted: those of
// YBR_FULL_422 are Y, Cb, Cr of every pixel. Frames that the source compressed come out as their codestream decodes:
// signed values extended to bits_allocated; JPEG 2000's component transform undone (the values of YBR_RCT and YBR_ICT
// are red, green, blue), and so that of a JPEG XL; a JPEG's YCbCr left as it is, unless the data set says RGB and the
// codestream YCbCr.
struct PixelFormat {
  std::uint32_t rows = 0, columns = 0;
  std::uint16_t samples = 1;
  std::uint16_t bits_allocated = 0;  // 1, 8, 16, 32 or 64
  std::uint16_t bits_stored = 0;
  std::uint16_t high_bit = 0;
  bool is_signed = false;
  bool is_float = false;    // (7FE0,0008) or (7FE0,0009)
  std::string photometric;  // "MONOCHROME2", "RGB", ... as the data set says

  std::uint32_t bytes_per_value() const { return bits_allocated <= 8 ? 1 : bits_allocated / 8u; }
  std::uint64_t frame_bytes() const { return std::uint64_t{rows} * columns * samples * bytes_per_value(); }
  friend bool operator==(const PixelFormat&, const PixelFormat&) = default;
};

// One original file.
struct Instance {
  std::string name;        // relative path, '/' between folders; bytes as the file system had them
  std::uint64_t size = 0;  // bytes
  std::array<std::byte, 32> sha256{};
  std::uint64_t first_frame = 0;  // in the archive
  std::uint64_t frames = 0;       // 0 for what has no pixels that can be told apart
  bool is_folder = false;         // an empty folder; size 0
};

// The values of one element, for every instance (or, of Archive::frame_column(), every frame: read "frame" for
// "instance" below). Owns its values; cheap to move. Safe to read from any thread.
class Column {
 public:
  std::uint32_t tag() const { return tag_; }
  // As in the files; of the dictionary when they have none, or UN. Files may differ: without an instance, that of the
  // first that has the element, or SQ where one has it as a sequence.
  std::string_view vr() const { return vr_; }
  std::string_view vr(std::size_t instance) const;   // vr() when absent
  bool is_constant() const { return constant_; }     // present in every instance, with the same bytes
  std::size_t size() const { return rows_.size(); }  // the number of instances
  bool is_present(std::size_t instance) const { return rows_[instance].present; }
  // The value as it stands in the file: its padding, its byte order. Empty when absent. Of a sequence: its item list as
  // the archive keeps it (spec/format.md), for the elements in it have columns of their own.
  std::span<const std::byte> bytes(std::size_t instance) const;
  // As UTF-8, several values separated by '\'; numbers in decimal; nullopt when absent or binary.
  std::optional<std::string> text(std::size_t instance) const;
  // The first value as a number; nullopt when absent, empty or none.
  std::optional<double> number(std::size_t instance) const;
  // All values as numbers; empty when absent or not numeric.
  std::vector<double> numbers(std::size_t instance) const;

 private:
  friend class ArchiveAccess;
  struct Row {
    std::uint64_t offset = 0, size = 0;  // in bytes_
    bool present = false;
    std::uint8_t encoding = 0;  // dicom::Encoding
    std::array<char, 2> vr{};
  };
  void add_row(std::span<const std::byte> value, std::uint8_t encoding, std::array<char, 2> vr);
  void settle_vrs(std::string usual);
  bool has_equal_rows() const;
  bool has_text_of_charset() const;
  std::uint32_t tag_ = 0;
  std::string vr_;
  bool constant_ = false;
  std::vector<std::byte> bytes_;
  std::vector<Row> rows_;
  std::vector<std::string> charsets_;  // Specific Character Set, raw: one for all, or one per instance
};

// One element of one instance; its value's bytes belong to the DataSet.
struct Element {
  std::uint32_t tag = 0;
  std::string vr;                           // of the dictionary when the file has none, or UN
  std::span<const std::byte> value;         // empty for sequences and for pixel data kept as frames
  std::vector<std::vector<Element>> items;  // of a sequence
  bool is_sequence = false;
  bool is_pixels = false;  // its value is the instance's frames; that of an icon's encapsulated ones is their fragments
  std::uint64_t left_out = 0;  // of the library alone: bytes of a large value that is not here
};

// Everything one instance's header says, decoded from the columns.
struct DataSet {
  std::vector<Element> meta;                    // the file meta group
  std::vector<Element> elements;                // the data set, in file order
  std::uint8_t encoding = 0;                    // of `elements`: explicit VR little endian 0, implicit 1, big endian 2
  std::string charset;                          // Specific Character Set, raw
  std::vector<std::vector<std::byte>> storage;  // what the values above point into
};

struct ArchiveInfo {
  std::uint16_t format_major = 0, format_minor = 0;
  bool has_references = false;  // some frames are coded after others: whole series get smaller, single frames slower
  bool is_lossy = false;        // the instances are lossy derivations (convert()): the originals are not in it
  std::string series_instance_uid;  // empty for other.dcbs
  std::uint64_t file_bytes = 0;
  std::uint64_t checksum = 0;  // the header's, which vouches for all else: what has another one is another archive
  std::uint64_t metadata_bytes = 0;                           // everything but the frames
  std::uint64_t pixel_bytes = 0;                              // the frames as stored
  std::uint64_t repeated_frames = 0;                          // the same as others before them: they take no bytes
  std::uint64_t source_bytes = 0;                             // the original files
  std::vector<std::pair<std::string, std::uint64_t>> codecs;  // name and number of frames
  std::optional<std::vector<Finding>> findings;               // of when it was packed; nullopt: it was not checked
  std::string status;  // of a file of format version 1, what it says of its series: "consistent", "gap_location", ...
};

// An open archive. Movable; all const members may be called from several threads at once.
//
// A file of format version 1 (the original DiCube's) opens as the archive that it converts to, an instance per frame
// with its codestream as it is, in a nameless file in the folder for temporary files; ArchiveInfo::format_major says 1.
//
// Opening reads the front of the file once (twice for a long one) and checks it; nothing else is read before it is
// asked for. Every checksum is verified before the bytes it covers are parsed or decoded (kDamaged).
class Archive {
 public:
  static Result<Archive> open(const std::string& path);
  // From memory. `bytes` must outlive the archive; `name` stands in errors.
  static Result<Archive> from_bytes(std::span<const std::byte> bytes, std::string name);
  // From what is neither: an object in a store, a part of a larger file. `read` fills `out` with what stands from
  // `offset` on, or says why not; several threads call it at once. Opening calls it once, or twice for a long front,
  // and a frame takes one call.
  using Read = std::function<Status(std::uint64_t offset, std::span<std::byte> out)>;
  static Result<Archive> from_reader(std::uint64_t size, Read read, std::string name);
  Archive(Archive&&) noexcept;
  Archive& operator=(Archive&&) noexcept;
  ~Archive();

  const ArchiveInfo& info() const;
  std::span<const Instance> instances() const;
  std::size_t frame_count() const;
  std::optional<std::size_t> find_instance(std::string_view name) const;
  std::size_t instance_of(std::size_t frame) const;  // REQUIRES: frame < frame_count()

  // Metadata. `path` is a keyword ("PatientName"), a tag ("0010,0010"), or several with item numbers from 0:
  // "ReferencedImageSequence[0].ReferencedSOPInstanceUID" ([0] may be left out).
  // kUsage: not a path. kNotFound: no instance has it.
  Result<Column> column(std::string_view path) const;
  // The same with one row per frame instead of one per instance: of an enhanced multi-frame instance what the frame's
  // item of Per-Frame Functional Groups says, in whichever group, else Shared Functional Groups, else the data set
  // itself (PS3.3 C.7.6.16): "PixelSpacing", or "PixelMeasuresSequence.PixelSpacing". What only the data set says
  // stands in every frame of the instance. Private sequences inside the groups count for private elements, and where
  // the path names them.
  Result<Column> frame_column(std::string_view path) const;
  Result<DataSet> data_set(std::size_t instance) const;
  // The paths of all columns, in the order of the data sets, without item numbers.
  std::vector<std::string> paths() const;

  // Frames. `out` must have exactly pixel_format(frame).frame_bytes() bytes.
  const PixelFormat& pixel_format(std::size_t frame) const;  // REQUIRES: frame < frame_count()
  bool is_uniform() const;                                   // all frames have the same pixel format
  std::string_view codec(std::size_t frame) const;           // "htj2k", "zstd", ... or the source's transfer syntax
  Status read_frame(std::size_t frame, std::span<std::byte> out) const;
  // Frames [first, first + count) one after the other; all must have the same pixel format. threads 0: all processors.
  Status read_frames(std::size_t first, std::size_t count, std::span<std::byte> out, unsigned threads) const;
  // The same into memory of their own. kLimit: there is not as much.
  Result<PixelBuffer> read_frames(std::size_t first, std::size_t count, unsigned threads) const;
  // At 1/2^level of the size (rows and columns rounded up), decoding only what that needs where the codec allows it.
  Status read_frame_reduced(std::size_t frame, unsigned level, std::span<std::byte> out) const;
  static PixelFormat reduced(PixelFormat format, unsigned level);

  // The original file, byte for byte, proven by its SHA-256 (kDamaged when it differs).
  Result<std::vector<std::byte>> read_instance(std::size_t instance) const;

  struct State;  // of the library alone

 private:
  friend class ArchiveAccess;
  explicit Archive(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace dicube
