// A list of one value (columns/values.h) that may be too large to be held in memory.
#pragma once

#include <optional>
#include <string_view>

#include "base/pieces.h"
#include "columns/packed.h"
#include "columns/values.h"

namespace dicube::columns {

// Of a list of one value of `size` bytes what stands before them as one zstd frame of `packed` bytes, or, with 0, as
// they are.
Bytes value_head(std::uint64_t size, std::uint64_t packed);
constexpr std::size_t kMostValueHead = 64;

// Reads such a list as its bytes come, and any other list of one value, which it then holds whole.
class ValueStream {
 public:
  // Asked once, with the size of the value: where the value goes.
  using Start = std::function<Result<Sink>(std::uint64_t size)>;
  // `list`: bytes in the list; `most`: of the value. `what` must outlive this.
  ValueStream(std::uint64_t list, std::uint64_t most, Start start, std::string_view what)
      : list_(list), most_(most), start_(std::move(start)), what_(what) {}
  // The next bytes of the list. REQUIRES: the first ones are kMostValueHead, or all.
  Status take(ByteSpan bytes);
  // After the last ones.
  Status finish();

 private:
  Result<std::size_t> read_head(ByteSpan start);
  Status begin(std::uint64_t size, std::uint64_t stored);

  std::uint64_t list_, most_, taken_ = 0;
  Start start_;
  std::string_view what_;
  std::optional<ListKind> kind_;  // none before the first bytes
  Sink out_;                      // none of a kind that is held whole
  std::uint64_t left_ = 0;        // of the value's bytes, packed or not
  std::optional<ZstdStream> packed_;
  Bytes rest_;  // what stands behind them; of a list that is held whole, all
};

}  // namespace dicube::columns
