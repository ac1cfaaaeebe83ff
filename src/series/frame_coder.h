// Codes the frames of a series, batch by batch. How is chosen by the frames of the first batch alone.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>

#include "base/hash.h"
#include "series/chains.h"
#include "series/codec_choice.h"

namespace dicube::series {

class FrameCoder {
 public:
  // Codes the frames of so many files with references and codecs that `options` ask for; they must outlive it.
  FrameCoder(std::size_t files, const PackOptions& options, unsigned threads);

  // Whether a file's only frame may be coded as soon as the file is read, while it is still in the cache.
  bool codes_at_once(const Prepared& file) const { return is_chosen_ && stands_alone(file); }
  void code_only_frame(Prepared& file) { code(file, 0); }

  // Codes the batch's other frames; those of files that have one and might be coded at once by now are left to
  // `code_alone`, which workers call. A batch that is one file may be coded in parts; `hand_on` is called where one
  // ends but the last: all frames before `end` are done.
  Status code_batch(std::span<Prepared> files, const std::function<void(std::size_t file, unsigned worker)>& code_alone,
                    const std::function<Status(std::size_t end)>& hand_on);

 private:
  bool stands_alone(const Prepared& file) const { return !options_.references && file.frames.size() == 1; }
  void choose(std::span<const Prepared> files, const FrameList& frames, std::span<const ChainFrame> chain);
  std::vector<ChainFrame> chain_of(std::span<Prepared> files, const FrameList& frames);
  bool repeats(Prepared& file, std::size_t frame, ByteSpan pixels, std::uint64_t number);
  // `back`: how far before it the frame with the pixels `reference` stands.
  void code(Prepared& file, std::size_t frame, ByteSpan reference = {}, std::size_t back = 0);
  std::size_t end_of_part(const Prepared& file, std::size_t first) const;
  void free_orphans(std::span<Prepared> files, std::span<const FrameList::value_type> frames, std::size_t first);

  std::size_t files_;
  const PackOptions& options_;
  unsigned threads_;
  bool is_chosen_;
  archive::CodecChoice choice_;
  SharedHeads heads_;
  std::optional<std::size_t> distance_;  // of references: found in the first batch that has frames for it
  std::uint64_t frames_before_ = 0;      // those of the batches before
  std::uint64_t repeats_ = 0;
  std::map<Hash128, std::uint64_t> numbers_;  // of frames that may be repeated, by format and pixels
  archive::ScratchPool scratch_;
};

}  // namespace dicube::series
