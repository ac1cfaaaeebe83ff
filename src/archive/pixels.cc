#include "archive/pixels.h"

#include <algorithm>

#include "archive/shapes.h"
#include "base/checked.h"
#include "dicom/converted_form.h"
#include "dicom/dictionary.h"
#include "dicom/tags.h"
#include "dicom/top_level.h"
#include "dicom/uid.h"
#include "dicom/value.h"

namespace dicube::archive {
namespace {

using dicom::Tag;
using dicom::Token;
using dicom::TokenKind;

constexpr std::uint64_t kMaxFrames = std::uint64_t{1} << 32;
constexpr std::uint64_t kManyFrames = 65536,
                        kTinyFrame = 64;  // bytes: less than what a frame's place in the index takes

// A number of the elements that describe pixels.
std::optional<std::uint64_t> number_of(const dicom::TopLevel& top, Tag tag) {
  const Token* token = top.find(tag);
  if (token == nullptr) return std::nullopt;
  const std::string_view vr =
      token->vr[0] == 0 ? dicom::implicit_vr(tag) : std::string_view(token->vr.data(), token->vr.size());
  const auto number = dicom::first_number(top.value(tag), vr, token->encoding);
  if (!number || *number < 0 || *number > 4294967295.0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

// Bytes stand reversed inside groups of this size (PS3.5 7.3: by the VR, not by Bits Allocated).
std::uint8_t swap_of(const Token& token, std::string_view transfer_syntax, const format::FrameFormat& format) {
  if (transfer_syntax == dicom::kGeBigEndianPixelsUid)  // as GDCM and DCMTK read it
    return token.tag == dicom::kPixelData && format.bits_allocated == 16 ? 2 : 1;
  if (token.encoding != dicom::Encoding::kExplicitBig) return 1;
  if (token.vr == std::array<char, 2>{'O', 'W'})
    return format.bits_allocated <= 16 ? 2 : static_cast<std::uint8_t>(format.bits_allocated / 8);
  if (token.vr == std::array<char, 2>{'O', 'F'} || token.vr == std::array<char, 2>{'O', 'L'}) return 4;
  if (token.vr == std::array<char, 2>{'O', 'D'} || token.vr == std::array<char, 2>{'O', 'V'}) return 8;
  return 1;
}

Result<format::FrameFormat> read_format(const dicom::TopLevel& top, const dicom::Tokens& tokens, std::size_t index) {
  const Token& token = tokens.data[index];
  format::FrameFormat format;
  auto need = [&](Tag tag, std::uint64_t most) -> Result<std::uint64_t> {
    const auto number = number_of(top, tag);
    if (number && *number <= most) return *number;
    return fail(ErrorClass::kNotDicom, "pixel data without a valid {}", dicom::find(tag)->keyword);
  };
  DICUBE_ASSIGN(auto rows, need(dicom::kRows, 0xFFFFFFFF));
  DICUBE_ASSIGN(auto columns, need(dicom::kColumns, 0xFFFFFFFF));
  format.rows = static_cast<std::uint32_t>(rows);
  format.columns = static_cast<std::uint32_t>(columns);
  format.samples =
      static_cast<std::uint16_t>(std::min<std::uint64_t>(number_of(top, dicom::kSamplesPerPixel).value_or(1), 0xFFFF));
  format.photometric = top.text(dicom::kPhotometricInterpretation);
  if (token.tag == dicom::kPixelData) {
    DICUBE_ASSIGN(auto bits, need(dicom::kBitsAllocated, 64));
    format.bits_allocated = static_cast<std::uint16_t>(bits);
    format.is_signed = number_of(top, dicom::kPixelRepresentation).value_or(0) == 1;
  } else {
    format.is_float = true;
    format.bits_allocated = token.tag == dicom::kFloatPixelData ? 32 : 64;
  }
  const std::uint64_t bits = format.bits_allocated;
  if (bits != 1 && bits != 8 && bits != 16 && bits != 32 && bits != 64)
    return fail(ErrorClass::kUnsupported, "pixel data of {} bits allocated", bits);
  format.bits_stored = static_cast<std::uint16_t>(std::min(number_of(top, dicom::kBitsStored).value_or(bits), bits));
  format.high_bit = static_cast<std::uint16_t>(
      std::min<std::uint64_t>(number_of(top, dicom::kHighBit).value_or(std::max(1, int{format.bits_stored}) - 1), 63));
  format.planar = format.samples > 1 && number_of(top, dicom::kPlanarConfiguration).value_or(0) == 1;
  format.colour = format.samples == 3 && format.photometric == "RGB";
  format.swap = swap_of(token, tokens.transfer_syntax, format);
  return format;
}

std::uint64_t frame_count(const dicom::TopLevel& top) {
  return std::max<std::uint64_t>(1, number_of(top, dicom::kNumberOfFrames).value_or(1));
}

// `size` bytes from `begin` on of a value in whose groups of `group` bytes all stand reversed.
ByteSpan turned(ByteSpan value, std::size_t begin, std::size_t size, std::size_t group, Bytes& scratch) {
  const std::size_t first = begin / group * group, end = (begin + size + group - 1) / group * group;
  const ByteSpan groups = value.subspan(first, end - first);
  scratch.assign(groups.begin(), groups.end());
  dicom::swap_groups(scratch, group);
  return ByteSpan(scratch).subspan(begin - first, size);
}

Result<PixelPlan> plan_native(const dicom::TopLevel& top, const dicom::Tokens& tokens, ByteSpan bytes,
                              std::size_t index) {
  const Token& token = tokens.data[index];
  PixelPlan plan;
  plan.token = index;
  plan.end_token = index + 1;
  DICUBE_ASSIGN(plan.format, read_format(top, tokens, index));
  plan.format.subsampled = plan.format.photometric == "YBR_FULL_422" && plan.format.samples == 3 &&
                           plan.format.bits_allocated == 8 && plan.format.columns % 2 == 0;
  const auto bits = source_frame_bits(plan.format);
  const std::uint64_t frames = frame_count(top);
  const auto total = bits && frames <= kMaxFrames ? checked_mul(*bits, frames) : std::nullopt;
  if (!total || *bits == 0)
    return fail(ErrorClass::kLimit, "pixel data of {} of {} x {} x {}", counted(frames, "frame"), plan.format.rows,
                plan.format.columns, plan.format.samples);
  const std::uint64_t needed = *total / 8 + (*total % 8 != 0);
  if (needed > token.length)
    return fail(ErrorClass::kNotDicom, "pixel data has {}, and {} of {} x {} x {} would have {}",
                counted(token.length, "byte"), counted(frames, "frame"), plan.format.rows, plan.format.columns,
                plan.format.samples, needed);
  if (share_groups(plan.format) && token.length % plan.format.swap != 0)
    return fail(ErrorClass::kUnsupported, "{} of big-endian pixel data in words of {}", counted(token.length, "byte"),
                plan.format.swap);
  if (frames > kManyFrames && *bits / 8 < kTinyFrame)
    return fail(ErrorClass::kLimit, "{} frames of {} bits: more than {} that small are kept as one value", frames,
                *bits, kManyFrames);
  plan.frames.reserve(frames);
  for (std::uint64_t frame = 0; frame < frames; ++frame) {
    const std::uint64_t begin = frame * *bits / 8, end = ((frame + 1) * *bits + 7) / 8;
    plan.frames.push_back({{{token.value + begin, end - begin}}});
  }
  const ByteSpan value = bytes.subspan(token.value, token.length);
  Bytes scratch;
  const ByteSpan padding = share_groups(plan.format)
                               ? turned(value, needed, value.size() - needed, plan.format.swap, scratch)
                               : value.subspan(needed);
  plan.description.assign(padding.begin(), padding.end());
  return plan;
}

// Which fragment starts at each of the offsets (from the first item behind the table); fewer when some does not.
std::vector<std::size_t> fragments_at(const std::vector<const Token*>& fragments,
                                      const std::vector<std::uint64_t>& offsets) {
  std::vector<std::size_t> firsts;
  std::size_t fragment = 0;
  for (const std::uint64_t offset : offsets) {
    while (fragment < fragments.size() && fragments[fragment]->header - fragments[0]->header < offset) ++fragment;
    if (fragment == fragments.size() || fragments[fragment]->header - fragments[0]->header != offset) break;
    firsts.push_back(fragment);
  }
  return firsts;
}

// The fragments that follow one in which a codestream ends: FF D9 is the last marker of JPEG, JPEG-LS and JPEG 2000.
std::vector<std::size_t> fragments_after_ends(const std::vector<const Token*>& fragments, ByteSpan bytes) {
  constexpr std::uint64_t kPadding = 8;  // some sources pad by more than the one byte of PS3.5 A.4
  std::vector<std::size_t> firsts = {0};
  for (std::size_t i = 0; i + 1 < fragments.size(); ++i) {
    const std::uint64_t size = std::min<std::uint64_t>(fragments[i]->length, kPadding + 2);
    const auto tail = as_text(bytes.subspan(fragments[i]->value + fragments[i]->length - size, size));
    if (tail.find("\xFF\xD9") != std::string_view::npos) firsts.push_back(i + 1);
  }
  return firsts;
}

// Which frame each fragment belongs to: as a list of the first fragment of every frame.
Result<std::vector<std::size_t>> first_fragments(const std::vector<const Token*>& fragments, ByteSpan basic,
                                                 ByteSpan extended, std::uint64_t frames, ByteSpan bytes) {
  std::vector<std::size_t> firsts;
  if (frames == 1) return std::vector<std::size_t>{0};
  if (fragments.size() == frames) {
    for (std::size_t i = 0; i < fragments.size(); ++i) firsts.push_back(i);
    return firsts;
  }
  if (fragments.size() > frames) {
    std::vector<std::uint64_t> offsets;
    if (basic.size() / 4 == frames)
      for (std::uint64_t frame = 0; frame < frames; ++frame)
        offsets.push_back(load_le<std::uint32_t>(basic.data() + 4 * frame));
    else if (extended.size() / 8 == frames)
      for (std::uint64_t frame = 0; frame < frames; ++frame)
        offsets.push_back(load_le<std::uint64_t>(extended.data() + 8 * frame));
    firsts = offsets.empty() ? fragments_after_ends(fragments, bytes) : fragments_at(fragments, offsets);
    if (firsts.size() == frames && firsts[0] == 0) return firsts;
  }
  return fail(ErrorClass::kNotDicom, "{} can't be told apart into {}", counted(fragments.size(), "fragment"),
              counted(frames, "frame"));
}

// The transfer syntax of a codestream as its first bytes tell it, for files that state none or a native one; empty when
// they do not.
std::string_view syntax_of_codestream(ByteSpan stream) {
  const std::string_view start = as_text(stream.first(std::min<std::size_t>(stream.size(), 4)));
  if (start == "\xFF\x4F\xFF\x51") return dicom::kJpeg2000LosslessUid;    // JPEG 2000: SOC, SIZ
  if (start == "\xFF\xD8\xFF\xF7") return dicom::kJpegLsUid;              // JPEG-LS: SOI, SOF55
  if (start.starts_with("\xFF\xD8\xFF")) return dicom::kJpegBaselineUid;  // JPEG of whichever process
  return {};
}

// Each frame's fragments: into the plan, and into its description. `firsts`: where each begins.
void take_fragments(const std::vector<const Token*>& fragments, const std::vector<std::size_t>& firsts, ByteSpan table,
                    PixelPlan& plan) {
  Fragments structure;
  structure.offset_table.assign(table.begin(), table.end());
  for (std::size_t frame = 0; frame < firsts.size(); ++frame) {
    const std::size_t end = frame + 1 < firsts.size() ? firsts[frame + 1] : fragments.size();
    plan.frames.emplace_back();
    structure.sizes.emplace_back();
    for (std::size_t fragment = firsts[frame]; fragment < end; ++fragment) {
      plan.frames.back().pieces.push_back({fragments[fragment]->value, fragments[fragment]->length});
      structure.sizes.back().push_back(fragments[fragment]->length);
    }
  }
  plan.description = write_description(structure);
}

bool is_native_syntax(std::string_view syntax) {
  return syntax.empty() || syntax == dicom::kImplicitLittleUid || syntax == dicom::kExplicitLittleUid ||
         syntax == dicom::kDeflatedUid;
}

Result<PixelPlan> plan_encapsulated(const dicom::TopLevel& top, const dicom::Tokens& tokens, ByteSpan bytes,
                                    std::size_t index) {
  PixelPlan plan;
  plan.token = index;
  plan.end_token = index + 1;
  std::vector<const Token*> fragments;
  while (plan.end_token < tokens.data.size() && tokens.data[plan.end_token].kind == TokenKind::kFragment)
    fragments.push_back(&tokens.data[plan.end_token++]);
  ++plan.end_token;  // kFragmentsEnd
  if (fragments.size() < 2) return fail(ErrorClass::kNotDicom, "encapsulated pixel data without fragments");
  if (tokens.encoding == dicom::Encoding::kExplicitBig)  // PS3.5 A.4: always little endian
    return fail(ErrorClass::kNotDicom, "encapsulated pixel data in a big-endian data set");
  DICUBE_ASSIGN(plan.format, read_format(top, tokens, index));
  plan.format.transfer_syntax = tokens.transfer_syntax;
  plan.format.swap = 1;
  const ByteSpan table = bytes.subspan(fragments[0]->value, fragments[0]->length);
  fragments.erase(fragments.begin());
  DICUBE_ASSIGN(auto firsts,
                first_fragments(fragments, table, top.value(dicom::kExtendedOffsetTable), frame_count(top), bytes));
  take_fragments(fragments, firsts, table, plan);
  if (is_native_syntax(tokens.transfer_syntax)) {
    plan.format.transfer_syntax =
        syntax_of_codestream(firsts.empty() ? ByteSpan() : bytes.subspan(fragments[0]->value, fragments[0]->length));
    if (plan.format.transfer_syntax.empty())
      return fail(ErrorClass::kNotDicom,
                  "encapsulated pixel data in a file that does not say in which transfer syntax");
  }
  return plan;
}

// ON DISK: DO NOT CHANGE. How the description of fragments says the offset table.
enum class Table : std::uint8_t { kEmpty = 0, kCanonical = 1, kExplicit = 2 };
constexpr std::uint8_t kSplit = 4;  // some frame has several fragments: their sizes follow

}  // namespace

Result<std::optional<PixelPlan>> plan_pixels(const dicom::Tokens& tokens, ByteSpan bytes) {
  int depth = 0;
  for (std::size_t i = 0; i < tokens.data.size(); ++i) {
    const Token& token = tokens.data[i];
    if (token.kind == TokenKind::kSequence) ++depth;
    if (token.kind == TokenKind::kSequenceEnd) --depth;
    if (depth != 0 || !dicom::is_pixel_data(token.tag)) continue;
    const dicom::TopLevel top(tokens.data, bytes);
    if (token.kind == TokenKind::kElement) {
      DICUBE_ASSIGN(auto plan, plan_native(top, tokens, bytes, i));
      return std::optional(std::move(plan));
    }
    if (token.kind == TokenKind::kFragments) {
      DICUBE_ASSIGN(auto plan, plan_encapsulated(top, tokens, bytes, i));
      return std::optional(std::move(plan));
    }
  }
  return std::optional<PixelPlan>();
}

ByteSpan frame_source(const PixelPlan& plan, ByteSpan bytes, std::size_t frame, Bytes& scratch) {
  const auto& pieces = plan.frames[frame].pieces;
  if (share_groups(plan.format)) {
    const std::uint64_t begin = plan.frames[0].pieces[0].offset;  // of the value
    return turned(bytes.subspan(begin), pieces[0].offset - begin, pieces[0].size, plan.format.swap, scratch);
  }
  if (pieces.size() == 1) return bytes.subspan(pieces[0].offset, pieces[0].size);
  scratch.clear();
  for (const auto& piece : pieces) append(scratch, bytes.subspan(piece.offset, piece.size));
  return scratch;
}

Bytes canonical_offset_table(const std::vector<std::vector<std::uint64_t>>& sizes) {
  ByteWriter out;
  std::uint64_t at = 0;
  for (const auto& frame : sizes) {
    out.put(static_cast<std::uint32_t>(at));
    for (std::uint64_t size : frame) at += 8 + size;
  }
  return out.take();
}

Bytes write_description(const Fragments& fragments) {
  const bool split =
      std::any_of(fragments.sizes.begin(), fragments.sizes.end(), [](const auto& frame) { return frame.size() != 1; });
  Table table = Table::kExplicit;
  if (fragments.offset_table == canonical_offset_table(fragments.sizes)) table = Table::kCanonical;
  if (fragments.offset_table.empty()) table = Table::kEmpty;
  ByteWriter out;
  out.put(static_cast<std::uint8_t>(static_cast<std::uint8_t>(table) | (split ? kSplit : 0)));
  if (table == Table::kExplicit) out.put_string(fragments.offset_table);
  if (!split) return out.take();
  for (const auto& frame : fragments.sizes) {
    out.put_varint(frame.size());
    for (std::size_t i = 0; i + 1 < frame.size(); ++i) out.put_varint(frame[i]);
  }
  return out.take();
}

Result<Fragments> read_description(ByteSpan description, const std::vector<std::uint64_t>& frame_bytes) {
  constexpr std::string_view kWhat = "a description of fragments";
  ByteReader in(description, kWhat);
  Fragments fragments;
  DICUBE_ASSIGN(unsigned flags, in.get<std::uint8_t>());
  if (flags > 7 || (flags & 3) > 2) return fail(ErrorClass::kDamaged, "{}: unknown flags {:#x}", kWhat, flags);
  const auto table = static_cast<Table>(flags & 3);
  if (table == Table::kExplicit) {
    DICUBE_ASSIGN(auto bytes, in.get_string());
    fragments.offset_table.assign(bytes.begin(), bytes.end());
  }
  for (std::uint64_t left : frame_bytes) {
    auto& sizes = fragments.sizes.emplace_back();
    std::uint64_t count = 1;
    if (flags & kSplit) {
      DICUBE_ASSIGN(count, in.get_count(in.left() + 1, "fragments"));
      if (count == 0) return fail(ErrorClass::kDamaged, "{}: a frame of 0 fragments", kWhat);
    }
    for (std::uint64_t i = 0; i + 1 < count; ++i) {
      DICUBE_ASSIGN(auto size, in.get_count(left, "bytes in a fragment"));
      sizes.push_back(size);
      left -= size;
    }
    sizes.push_back(left);
  }
  DICUBE_TRY(in.expect_end());
  if (table == Table::kCanonical) fragments.offset_table = canonical_offset_table(fragments.sizes);
  return fragments;
}

}  // namespace dicube::archive
