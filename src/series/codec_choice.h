// Which codecs the frames of a series are coded with.
#pragma once

#include <optional>
#include <span>

#include "series/prepared.h"

namespace dicube::series {

archive::CodecChoice choice_of(Codec codec);

// Tries both codecs of kAuto on the first, the middle and the last of the frames: the one that is clearly smaller on
// all of them, which need not be compared with the other any more. Nothing where neither is, nor of frames that are too
// large for one of them.
std::optional<archive::CodecChoice> clear_choice(std::span<const Prepared> files, const FrameList& frames,
                                                 unsigned threads, const CallOptions& options);

}  // namespace dicube::series
