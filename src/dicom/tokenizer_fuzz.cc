// Whatever the bytes are, their tokens put together are the bytes, and they nest properly.
#include <cstdlib>
#include <vector>

#include "dicom/testing.h"

namespace dicube::dicom {
namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

// Every token begins where the one before ended, and sequences and items are closed by tokens of their own kind.
void check_structure(const std::vector<Token>& tokens, std::uint64_t begin, std::uint64_t end) {
  std::vector<const Token*> open;
  for (const Token& token : tokens) {
    require(token.header == begin && token.value >= token.header);
    const bool has_value = token.kind == TokenKind::kElement || token.kind == TokenKind::kFragment;
    begin = has_value ? token.value + token.length : token.value;
    const auto closes = [&](TokenKind opening) {
      require(!open.empty() && open.back()->kind == opening);
      require(open.back()->value + open.back()->length == token.header);
      require(opening == TokenKind::kFragments || open.back()->undefined_length == token.undefined_length);
      open.pop_back();
    };
    switch (token.kind) {
      case TokenKind::kElement: require(open.empty() || open.back()->kind == TokenKind::kItem); break;
      case TokenKind::kSequence:
      case TokenKind::kFragments:
        require(open.empty() || open.back()->kind == TokenKind::kItem);
        open.push_back(&token);
        break;
      case TokenKind::kItem:
        require(!open.empty() && open.back()->kind == TokenKind::kSequence);
        open.push_back(&token);
        break;
      case TokenKind::kFragment: require(!open.empty() && open.back()->kind == TokenKind::kFragments); break;
      case TokenKind::kItemEnd: closes(TokenKind::kItem); break;
      case TokenKind::kSequenceEnd: closes(TokenKind::kSequence); break;
      case TokenKind::kFragmentsEnd: closes(TokenKind::kFragments); break;
    }
    require(open.size() <= 2 * TokenizeOptions::kMaxDepth + 1);
  }
  require(open.empty() && begin == end);
}

void check(ByteSpan file, const TokenizeOptions& options) {
  auto tokens = tokenize(file, options);
  if (!tokens) return;
  require(testing::reassemble(*tokens, file) == testing::inflated(*tokens, file));
  const std::uint64_t data_begin = tokens->deflated ? 0 : tokens->data_begin;
  check_structure(tokens->meta, tokens->preamble, tokens->data_begin);
  check_structure(tokens->data, data_begin, tokens->end);
  const bool whole = !options.file_size && !options.stop_before_pixels;
  if (whole && !tokens->stop) require(tokens->end == tokens->data_bytes(file).size());
  if (whole && tokens->stop && !tokens->deflated) require(tokens->end < file.size());
  if (tokens->stop) require(!tokens->stop->reason.empty());
}

}  // namespace
}  // namespace dicube::dicom

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dicube;
  const ByteSpan file = std::as_bytes(std::span(data, size));
  dicom::check(file, {.max_inflated = 1 << 20});
  dicom::check(file, {.stop_before_pixels = true, .file_size = size + size / 2, .max_inflated = 1 << 20});
  return 0;
}
