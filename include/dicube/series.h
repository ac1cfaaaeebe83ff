// From folders of DICOM files to archives, and back.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dicube/error.h"
#include "dicube/finding.h"

namespace dicube {

// How frames are coded. kAuto: lane or HTJ2K, whichever is smaller (lane when within 1 %), and zstd for simple and tiny
// frames. What a codec does not hold, or makes no smaller, goes in zstd, and as it is where that makes it no smaller.
enum class Codec : std::uint8_t { kAuto, kHtj2k, kZstd, kLane };

// When what is to be written exists already. kRename: it gets a number behind its name, the first that is free, as
// "scan-2.dcbs". kSkip, of pack(): an archive of the series that holds the instances that are found, in as many bytes
// when it holds no more.
enum class OnConflict : std::uint8_t { kError, kSkip, kOverwrite, kRename };

struct Progress {
  enum class Phase : std::uint8_t { kScan, kPack, kVerify, kUnpack, kProve } phase;  // packing and proving take turns
  std::uint64_t files_done, files_total;                                             // total 0: not known yet
  std::uint64_t bytes_done, bytes_total;
};

// What all long calls take. Callbacks come from one thread at a time, in any order of series, and must not throw.
struct CallOptions {
  unsigned threads = 0;  // 0: one per processor
  OnConflict on_conflict = OnConflict::kError;
  std::function<void(const Progress&)> on_progress;
  // Of each file that is packed, restored or verified: what is done with it, and its name in the archive.
  std::function<void(Progress::Phase, const std::string&)> on_file;
  // Set it, and the call ends soon with kStopped "cancelled", leaving nothing half-written. Must outlive the call.
  const std::atomic<bool>* cancel = nullptr;
};

// One archive written (or, with `error`, not written).
struct SeriesReport {
  std::string archive;  // path
  std::string source;   // of pack(): the deepest folder that holds all of its files
  std::string series_instance_uid;
  std::uint64_t instances = 0, frames = 0;
  std::uint64_t folders = 0;  // of the instances: empty folders
  std::uint64_t source_bytes = 0, archive_bytes = 0, pixel_bytes = 0, metadata_bytes = 0;
  std::string codec;  // "htj2k", "zstd", "htj2k+zstd", ...; "none" without frames
  double seconds = 0;
  bool skipped = false;           // the target existed and on_conflict is kSkip
  std::vector<Finding> findings;  // what does not keep the input from being packed
  std::vector<Finding> quality;   // further findings of the archive's own that are warnings or errors
  std::optional<Error> error;
};

struct PackOptions : CallOptions {
  Codec codec = Codec::kAuto;
  bool references = false;  // frames may be coded after others: smaller archives, named .dcba, whose single frames
                            // take longer. For kAuto and kLane
  bool all = false;         // also keep what belongs to no series, in other.dcbs (other.dcba)
  bool dry_run = false;     // report what would be packed, or skipped, or is in conflict; write nothing
  // Names of files as they stand in the archive, in the order in which they are to stand there; the others come behind
  // them. Empty: by instance number, position, name.
  std::vector<std::string> order;
  // Names of archives in the folder `out`, without ending: keywords of the data dictionary in braces, as in
  // "{PatientID}/{SeriesNumber}". Values are those of each archive's first file, made safe for file names; one that is
  // missing or empty is "no-" and its keyword. Series that would share a name have their UID behind it. other.dcbs
  // keeps its name. Empty: the Series Instance UID.
  std::string name_template;
  // Only those archives whose turn is `shard` of `shards`, counted from 0: as many calls with the same sources, on as
  // many machines, pack each series once. What belongs to no series is the business of one of them; each says which
  // files it can't read.
  std::uint32_t shard = 0, shards = 1;
  // Files that the caller writes meanwhile: left out, as archives in `out` are.
  std::vector<std::string> own_files;
  std::function<void(const SeriesReport&)> on_series;  // as soon as each is done
  std::function<void(const Error&)> on_file_error;     // a file or folder that could not be read; the rest goes on
};

struct PackSummary {
  std::uint64_t files = 0;            // found
  std::uint64_t not_dicom = 0;        // left out, since `all` is off: text, DICOMDIR, ...
  std::uint64_t compressed = 0;       // of these, those with the name of a compressed file, which is not looked into
  std::vector<std::string> left_out;  // their paths, as the sources were given, at most 1,000
  std::vector<SeriesReport> series;
  std::vector<Error> errors;  // of files; those of series stand in their reports
  // Those of archives that had no turn (kStopped), after one found the target full or read-only (writes_no_more()).
  std::vector<SeriesReport> not_tried;
  std::uint64_t other_shards = 0;  // archives that are the business of other shards
  std::uint64_t same_names = 0;    // series that have their UID behind a name that is another's, too
};

// Packs the DICOM files in and below `sources` (files or folders), one archive per Series Instance UID, into the folder
// `out` (made if missing), or into the file `out` when it ends in ".dcbs" (`references`: ".dcba") and there is one
// series (kUsage otherwise). Names inside are relative to the one source folder, or to the deepest folder that holds
// all sources. Each archive is proven before it gets its name: metadata rebuilt, every frame decoded, compared with the
// source. Fails as a whole only for a usage error, an `out` that can't be made, no DICOM at all (kNotDicom), or a
// cancel.
Result<PackSummary> pack(const std::vector<std::string>& sources, const std::string& out,
                         const PackOptions& options = {});

struct UnpackReport {
  std::string archive;
  std::uint64_t files = 0, bytes = 0, skipped = 0;  // bytes: written
  std::uint64_t renamed = 0;                        // of the files: with a number behind their name, which existed
  std::uint64_t unchanged = 0;      // of the files, with a transfer syntax: the originals, byte for byte
  std::uint64_t largest_error = 0;  // of any value, where `verify` was asked for
  bool is_lossy = false;            // the archive's: its files are derived images
  std::uint64_t folders = 0;        // empty ones
  std::uint64_t failed = 0;         // instances
  std::uint64_t not_tried = 0;      // instances, after the target was found full or read-only (writes_no_more())
  double seconds = 0;
  std::vector<Error> errors;  // one per cause, which one file or several have; the others were restored
};

struct UnpackOptions : CallOptions {
  // A UID or a name (docs/cli.md lists them). Empty: the original files.
  std::string transfer_syntax;
  // For a lossy one, one of the two is needed: the largest error of any value, or how many times smaller than its
  // values a frame gets, from 1 to 10,000.
  std::uint32_t max_error = 0;
  double ratio = 0;
  // Each file is read back and decoded before it gets its name, and its values compared with the archive's.
  bool verify = false;
};

// Restores the original files of `archive` below `folder` (made if missing), at their relative names. Each is proven by
// its SHA-256 before it gets its name. Nothing outside `folder` is touched, whatever the names say; symbolic links are
// not followed. Fails as a whole, and writes nothing, where its files are known to take more than is free (kIo, with
// both numbers), or where the folder may not be written and none of them is in it (kIo).
//
// With a transfer syntax, writes the instances as standard DICOM in it:
// - Pixels are the stored values: lossless syntaxes hold them exactly. Bits above Bits Stored, which are no part of
//   them, get lost in codestreams. YBR_RCT and YBR_ICT come out as RGB, YBR_FULL_422 as YBR_FULL; no other colours are
//   converted.
// - Everything else keeps its values, and its bytes where the encoding stays explicit VR little endian. Frames that the
//   archive keeps as the codestreams wanted are not decoded.
// - Files that have the syntax already, and non-images in native little endian for a compressed syntax, come out byte
//   for byte; other non-images in explicit VR little endian.
// - A lossy syntax makes a derived image: SOP Instance UID (the same for the same loss), Image Type, Lossy Image
//   Compression, its ratio and method, and Source Image Sequence. References to it from other instances are not
//   followed.
// An instance that the syntax does not hold is an error in the report (kUnsupported), so is what is no DICOM
// (kNotDicom); the others go on. kUsage: an unknown syntax, or a loss that does not go with it.
Result<UnpackReport> unpack(const std::string& archive, const std::string& folder, const UnpackOptions& options = {});

struct VerifyReport {
  std::string archive;
  std::uint64_t instances = 0, frames = 0, bytes = 0;
  double seconds = 0;
  std::uint64_t folders = 0;  // of the instances: empty folders
  std::uint64_t failed = 0;   // instances that can't be rebuilt
  std::vector<Error> errors;  // one per cause, which one instance or several have
  bool is_lossy = false;      // the archive's: what is well are derived images, not the originals
};

// Checks every checksum, and every original's SHA-256 by rebuilding it. Fails as a whole when the archive can't be
// opened.
Result<VerifyReport> verify(const std::string& archive, const CallOptions& options = {});

struct ConvertOptions : CallOptions {
  // How the frames of an archive of the current format are coded. Those that their source compressed stay as they are,
  // so do those of an archive of format version 1.
  Codec codec = Codec::kAuto;
  // Codes the images with losses: one of the two, as in UnpackOptions. By JPEG-LS for a largest error, by HTJ2K for a
  // ratio.
  std::uint32_t max_error = 0;
  double ratio = 0;
  // Writes format version 1, which the original DiCube reads.
  bool to_version1 = false;
  bool references = false;  // as in PackOptions; `out` must end in ".dcba", as no other may
};

// Makes another archive of `archive`, at the path `out`, proven like one that pack() makes. What stands in the files
// comes back byte for byte, except:
// - From format version 1, its instances are regenerated; what that format had lost stays lost.
// - With losses, the images become derived ones (see unpack()), the archive says that it is lossy, and `out` must end
//   in ".dcbl", as no other may. What bears no loss (palettes, segmentations, no image) is kept and named in the
//   findings.
// - Format version 1 holds stored values in HTJ2K, without the bits above Bits Stored, one frame per instance, one size
//   and rescale for all, and the data sets of DICOM JSON without private binary detail. kUnsupported when the series
//   does not fit. Every original is rebuilt, and the frames that were written are compared with its own.
Result<SeriesReport> convert(const std::string& archive, const std::string& out, const ConvertOptions& options = {});

}  // namespace dicube
