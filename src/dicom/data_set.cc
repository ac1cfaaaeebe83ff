// The data set is read in one pass with an explicit stack of open sequences and items.
//  - A level of defined length ends where its length says; one of undefined length at its delimitation.
//  - A defect inside a sequence of defined length turns the innermost such sequence into a plain element, whose
//    value are the sequence's bytes, and reading goes on behind it. No byte is read twice for that.
//  - An item or delimitation outside of sequences (one that a sequence's length leaves out) is a plain element, when it
//    has a defined length and is not one of very many.
//  - Fragments of the data set that no delimitation ends, but the file behind a whole fragment, are whole.
//  - A defect elsewhere ends the list behind the last whole top-level element.
#include "dicom/data_set.h"

#include <array>
#include <string>

#include "base/formatted.h"
#include "dicom/dictionary.h"
#include "dicom/tags.h"

namespace dicube::dicom {
namespace {

constexpr std::size_t kMostStrays = 64;  // more are no slip of a writer

enum class Fault : std::uint8_t {
  kNone,
  kCut,            // beyond the bytes at hand, not beyond the file: no defect
  kShortHeader,    // a: bytes needed, b: bytes left
  kNonsense,       // a: the length if it were an implicit header, b: bytes left
  kBeyond,         // a: length, b: bytes left
  kDelimitation,   // a: its length
  kMisplaced,      // a: the tag that can stand here, or 0
  kUndefinedLeaf,  // an undefined length where the VR allows none
  kFragment,       // a fragment of undefined length
  kDepth,          // a: depth
};

struct Defect {
  Fault fault = Fault::kNone;
  Header header = {};
  std::uint64_t at = 0, a = 0, b = 0;
  Tag within = 0;  // the innermost sequence or pixel data that is open, 0 at the top
};

std::string describe_fault(const Defect& defect) {
  const std::string tag = format_tag(defect.header.tag);
  const auto is = [](std::uint64_t count) { return count == 1 ? "is" : "are"; };
  switch (defect.fault) {
    case Fault::kShortHeader:
      return formatted("an element's header at byte {} needs {} but {} {} left", defect.at, counted(defect.a, "byte"),
                       defect.b, is(defect.b));
    case Fault::kNonsense:
      return formatted("no element at byte {}: {} has no VR, and as implicit VR its length is {} where {} {} left",
                       defect.at, tag, defect.a, counted(defect.b, "byte"), is(defect.b));
    case Fault::kBeyond:
      return formatted("{} at byte {} has a length of {} but {} {} left", tag, defect.at, defect.a,
                       counted(defect.b, "byte"), is(defect.b));
    case Fault::kDelimitation:
      return formatted("the delimitation {} at byte {} has a length of {} instead of 0", tag, defect.at, defect.a);
    case Fault::kMisplaced:
      return defect.a == 0 ? formatted("{} at byte {} stands where an element should begin", tag, defect.at)
                           : formatted("{} at byte {} stands where {} should", tag, defect.at,
                                       format_tag(static_cast<Tag>(defect.a)));
    case Fault::kUndefinedLeaf:
      return formatted("{} at byte {} has an undefined length, which its VR {}{} can't have", tag, defect.at,
                       defect.header.vr[0], defect.header.vr[1]);
    case Fault::kFragment: return formatted("the fragment at byte {} has an undefined length", defect.at);
    case Fault::kDepth:
      return formatted("{} at byte {} is nested in {} sequences, {} at most", tag, defect.at, defect.a,
                       TokenizeOptions::kMaxDepth);
    case Fault::kNone:
    case Fault::kCut: break;
  }
  return {};
}

std::string describe(const Defect& defect) {
  const std::string fault = describe_fault(defect);
  return defect.within == 0 ? fault : formatted("in {}: {}", format_tag(defect.within), fault);
}

bool has_vr(const Header& header, std::string_view vr) { return header.vr[0] == vr[0] && header.vr[1] == vr[1]; }

class ElementReader {
 public:
  ElementReader(const Window& window, std::uint64_t begin, Encoding encoding, Until until)
      : window_(window), until_(until), at_(begin) {
    levels_[0] = {.token = 0, .bound = window.limit, .undefined = false, .encoding = encoding};
    elements_.tokens.reserve(128);
    elements_.end = begin;
  }

  Elements run();

 private:
  // The data set (the lowest), or an open sequence (odd places of the stack) or item (even places).
  struct Level {
    std::size_t token = 0;    // of its header
    std::uint64_t bound = 0;  // its end, or, when that is undefined, the end of what it stands in
    bool undefined = false;
    Encoding encoding = Encoding::kImplicitLittle;
  };

  bool in_sequence() const { return depth_ % 2 != 0; }
  Level& level() { return levels_[depth_]; }

  void read_in_item();
  void read_in_sequence();
  void read_value(const Header& header);
  void read_fragments(const Header& header);
  void end_fragments(std::size_t first, const Header* delimitation);
  bool value_fits(const Header& header);
  bool is_sequence(const Header& header);
  void open(TokenKind kind, const Header& header, Encoding content);
  void close(const Header* delimitation);
  Token& push(TokenKind kind, const Header& header);
  void push_end(TokenKind kind, Encoding encoding, const Header* delimitation);
  bool expect_delimitation(const Header& header);
  bool read(Header& header);
  void defect(Fault fault, const Header& header, std::uint64_t a = 0, std::uint64_t b = 0);
  bool roll_back();
  void element_complete();
  Tag within() const;

  const Window window_;
  const Until until_;
  std::uint64_t at_;
  std::size_t depth_ = 0;
  std::array<Level, 1 + 2 * TokenizeOptions::kMaxDepth> levels_;
  std::size_t strays_ = 0;  // items and delimitations outside of sequences
  Tag fragments_ = 0;       // the pixel data element whose fragments are being read
  bool done_ = false;
  Defect defect_;
  std::size_t whole_ = 0;  // tokens of whole top-level elements
  Elements elements_;
};

Elements ElementReader::run() {
  while (!done_) {
    if (at_ == level().bound && !level().undefined) {
      if (depth_ == 0) break;
      close(nullptr);
    } else if (in_sequence()) {
      read_in_sequence();
    } else {
      read_in_item();
    }
    if (defect_.fault != Fault::kNone && !roll_back()) break;
  }
  elements_.tokens.resize(whole_);
  if (defect_.fault != Fault::kNone && defect_.fault != Fault::kCut)
    elements_.stop = Stop{defect_.at, describe(defect_)};
  return std::move(elements_);
}

bool ElementReader::read(Header& header) {
  const auto status = read_header(window_, at_, level().bound, level().encoding, header);
  if (status == HeaderStatus::kRead) return true;
  if (status == HeaderStatus::kCut) {
    defect(Fault::kCut, header);
  } else if (status == HeaderStatus::kTooShort) {
    defect(Fault::kShortHeader, header, header.size, level().bound - at_);
  } else {
    defect(Fault::kNonsense, header, header.length, level().bound - at_ - header.size);
  }
  return false;
}

void ElementReader::read_in_item() {
  Header header;
  // Asked before the header is read, because what follows the meta group may be a deflate stream.
  if (until_ == Until::kDataSet && depth_ == 0 && window_.bytes.size() - at_ >= 2 &&
      load_le<std::uint16_t>(window_.bytes.data() + at_) != 0x0002) {
    done_ = true;
    return;
  }
  if (!read(header)) return;
  if (is_item_or_delimitation(header.tag)) {
    const bool is_stray = depth_ == 0 && !header.undefined();
    if (is_stray && ++strays_ <= kMostStrays) return read_value(header);
    if (depth_ == 0 || !level().undefined || header.tag != kItemDelimitation) return defect(Fault::kMisplaced, header);
    if (expect_delimitation(header)) close(&header);
    return;
  }
  if (depth_ == 0 && until_ == Until::kPixels && is_pixel_data(header.tag)) {
    done_ = true;
    return;
  }
  read_value(header);
}

void ElementReader::read_in_sequence() {
  Header header;
  if (!read(header)) return;
  if (header.tag == kSequenceDelimitation && level().undefined) {
    if (expect_delimitation(header)) close(&header);
    return;
  }
  if (header.tag != kItem) return defect(Fault::kMisplaced, header, kItem);
  if (!header.undefined() && !value_fits(header)) return;
  open(TokenKind::kItem, header, level().encoding);
}

void ElementReader::read_value(const Header& header) {
  if (header.undefined()) {
    if (header.tag == kPixelData) return read_fragments(header);
    // UN of undefined length is a sequence, too (PS3.5 6.2.2).
    if (header.form != HeaderForm::kImplicit && !has_vr(header, "SQ") && !has_vr(header, "UN"))
      return defect(Fault::kUndefinedLeaf, header);
  } else {
    if (!value_fits(header)) return;
    if (!is_sequence(header)) {
      push(TokenKind::kElement, header);
      at_ += header.size + header.length;
      return element_complete();
    }
  }
  Encoding content = header.encoding;
  const std::uint64_t value = at_ + header.size;
  if (has_vr(header, "UN")) {
    // Its items are in implicit VR little endian (PS3.5 6.2.2), unless a writer has kept to its big endian.
    const bool big = is_big(content) && window_.bytes.size() - value >= 4 &&
                     is_item_or_delimitation(load_tag(window_.bytes, value, content));
    if (!big) content = Encoding::kImplicitLittle;
  }
  if (depth_ == 2 * TokenizeOptions::kMaxDepth) return defect(Fault::kDepth, header, TokenizeOptions::kMaxDepth + 1);
  open(TokenKind::kSequence, header, content);
}

// Whether an element of defined length is to be read as a sequence.
// REQUIRES: value_fits().
bool ElementReader::is_sequence(const Header& header) {
  if (has_vr(header, "SQ")) return true;
  if (header.form != HeaderForm::kImplicit && !has_vr(header, "UN")) return false;
  // The dictionary is asked only about values that begin like a sequence.
  if (header.length != 0) {
    if (header.length < 8) return false;
    const std::uint64_t value = at_ + header.size;
    if (load_tag(window_.bytes, value, header.encoding) != kItem &&
        load_tag(window_.bytes, value, Encoding::kImplicitLittle) != kItem)
      return false;
  }
  return implicit_vr(header.tag) == "SQ";
}

// Whether the value lies inside the open level and inside the bytes at hand; a defect otherwise.
bool ElementReader::value_fits(const Header& header) {
  const std::uint64_t value = at_ + header.size;
  const std::uint64_t left = level().bound - value;
  if (header.length > left) {
    defect(Fault::kBeyond, header, header.length, left);
  } else if (header.length > window_.bytes.size() - value) {
    defect(Fault::kCut, header);
  } else {
    return true;
  }
  return false;
}

void ElementReader::read_fragments(const Header& header) {
  const std::size_t first = elements_.tokens.size();
  push(TokenKind::kFragments, header);
  fragments_ = header.tag;
  at_ += header.size;
  for (;;) {
    const bool any = elements_.tokens.size() > first + 1;
    if (any && depth_ == 0 && at_ == level().bound) return end_fragments(first, nullptr);
    Header fragment;
    if (!read(fragment)) return;
    if (fragment.tag == kSequenceDelimitation) {
      if (expect_delimitation(fragment)) end_fragments(first, &fragment);
      return;
    }
    if (fragment.tag != kItem) return defect(Fault::kMisplaced, fragment, kItem);
    if (fragment.undefined()) return defect(Fault::kFragment, fragment);
    if (!value_fits(fragment)) return;
    push(TokenKind::kFragment, fragment);
    at_ += fragment.size + fragment.length;
  }
}

// The fragments of token `first` end: by the delimitation that stands at `at_`, or with the file.
void ElementReader::end_fragments(std::size_t first, const Header* delimitation) {
  Token& opening = elements_.tokens[first];
  opening.length = at_ - opening.value;
  push_end(TokenKind::kFragmentsEnd, opening.encoding, delimitation);
  fragments_ = 0;
  element_complete();
}

bool ElementReader::expect_delimitation(const Header& header) {
  if (header.length == 0) return true;
  defect(Fault::kDelimitation, header, header.length);
  return false;
}

Token& ElementReader::push(TokenKind kind, const Header& header) {
  return elements_.tokens.emplace_back(Token{.kind = kind,
                                             .form = header.form,
                                             .undefined_length = header.undefined(),
                                             .encoding = header.encoding,
                                             .vr = header.vr,
                                             .reserved = header.reserved,
                                             .tag = header.tag,
                                             .header = at_,
                                             .value = at_ + header.size,
                                             .length = header.undefined() ? 0 : header.length});
}

// The token of the delimitation at `at_`, or of one that takes no bytes.
void ElementReader::push_end(TokenKind kind, Encoding encoding, const Header* delimitation) {
  Header none;
  none.tag = kind == TokenKind::kItemEnd ? kItemDelimitation : kSequenceDelimitation;
  none.encoding = encoding;
  push(kind, delimitation ? *delimitation : none).undefined_length = delimitation != nullptr;
  if (delimitation) at_ += delimitation->size;
}

void ElementReader::open(TokenKind kind, const Header& header, Encoding content) {
  const std::uint64_t value = at_ + header.size;
  const std::uint64_t bound = header.undefined() ? level().bound : value + header.length;
  const std::size_t token = elements_.tokens.size();
  push(kind, header);
  levels_[++depth_] = {.token = token, .bound = bound, .undefined = header.undefined(), .encoding = content};
  at_ = value;
}

// Closes the innermost level: by the delimitation that stands at `at_`, or because its length is used up.
void ElementReader::close(const Header* delimitation) {
  Token& opening = elements_.tokens[level().token];
  opening.length = at_ - opening.value;
  const TokenKind kind = in_sequence() ? TokenKind::kSequenceEnd : TokenKind::kItemEnd;
  push_end(kind, level().encoding, delimitation);
  --depth_;
  if (kind == TokenKind::kSequenceEnd) element_complete();
}

void ElementReader::element_complete() {
  if (depth_ != 0) return;
  whole_ = elements_.tokens.size();
  elements_.end = at_;
}

Tag ElementReader::within() const {
  if (fragments_ != 0) return fragments_;
  if (depth_ == 0) return 0;
  return elements_.tokens[levels_[in_sequence() ? depth_ : depth_ - 1].token].tag;
}

void ElementReader::defect(Fault fault, const Header& header, std::uint64_t a, std::uint64_t b) {
  defect_ = {.fault = fault, .header = header, .at = at_, .a = a, .b = b, .within = within()};
}

// Makes the innermost open sequence of defined length a plain element; false when there is none.
bool ElementReader::roll_back() {
  if (defect_.fault == Fault::kCut || defect_.fault == Fault::kDepth) return false;
  while (depth_ != 0 && (!in_sequence() || level().undefined)) --depth_;
  if (depth_ == 0) return false;
  const std::size_t index = level().token;
  at_ = level().bound;
  --depth_;
  elements_.tokens.resize(index + 1);
  Token& token = elements_.tokens[index];
  token.kind = TokenKind::kElement;
  token.length = at_ - token.value;
  defect_ = {};
  fragments_ = 0;
  element_complete();
  return true;
}

}  // namespace

Elements read_elements(const Window& window, std::uint64_t begin, Encoding encoding, Until until) {
  return ElementReader(window, begin, encoding, until).run();
}

}  // namespace dicube::dicom
