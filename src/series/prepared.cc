#include "series/prepared.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/formatted.h"
#include "base/hash.h"
#include "dicom/uid.h"
#include "series/call.h"

namespace dicube::series {
namespace {

// Of a file with columns: tokens take memory, and as many columns more. Large files may have more of them, for as many
// frames.
std::size_t most_tokens(std::size_t file_bytes) { return std::clamp<std::size_t>(file_bytes / 16, 250'000, 2'000'000); }

void find_pixels(Prepared& file) {
  auto plan = archive::plan_pixels(*file.tokens, file.tokens->data_bytes(file.bytes));
  if (!plan) {
    file.findings.push_back({"pixels_not_framed", plan.error().message, {file.instance.name}});
    return;
  }
  if (!*plan) return;
  file.pixels = std::move(**plan);
  file.frames.resize(file.pixels->frames.size());
  if (!file.pixels->format.transfer_syntax.empty()) return;
  Bytes scratch;
  for (std::size_t i = 0; i < file.frames.size(); ++i) {
    const ByteSpan source = archive::frame_source(*file.pixels, file.tokens->data_bytes(file.bytes), i, scratch);
    file.precision = std::max(file.precision, archive::source_precision(file.pixels->format, source));
  }
}

}  // namespace

Read read_from_disk() {
  const auto read = [](const File& file, auto&& to) {
    return io::read_file(file.path(), to, file.seen ? &*file.seen : nullptr);
  };
  return {read, read};
}

Bytes take_pixels(Prepared& file) {
  dicom::Tokens& tokens = *file.tokens;
  if (tokens.deflated) return {};  // kept as it is
  const std::span behind = std::span(tokens.data).subspan(file.pixels->end_token);
  const std::uint64_t begin = tokens.data[file.pixels->token].value;
  const std::uint64_t end = behind.empty() ? tokens.end : behind[0].header;
  Bytes whole = std::exchange(file.bytes, {});
  file.bytes.reserve(whole.size() - (end - begin));
  append(file.bytes, ByteSpan(whole).first(begin));
  append(file.bytes, ByteSpan(whole).subspan(end));
  for (dicom::Token& token : behind) {
    token.header -= end - begin;
    token.value -= end - begin;
  }
  tokens.end -= end - begin;
  return whole;
}

namespace {

// Its bytes as tokens, slice and frames.
void parse(Prepared& file) {
  auto tokens = dicom::tokenize(file.bytes);
  if (!tokens) {
    file.findings.push_back({"not_parsed", tokens.error().message, {file.instance.name}});
    return;
  }
  if (const std::size_t most = most_tokens(file.bytes.size()); tokens->data.size() > most) {
    file.findings.push_back({"kept_whole",
                             formatted("{} elements and items, more than {}: no columns", tokens->data.size(), most),
                             {file.instance.name}});
    return;
  }
  file.tokens = *std::move(tokens);
  const auto defect = dicom::first_defect(*file.tokens);
  if (defect) file.findings.push_back({std::string(kUnexplainedBytes), defect->reason, {file.instance.name}});
  file.slice = slice_of(*file.tokens, file.bytes);
  file.slice.is_whole = !defect;
  find_pixels(file);
  if (!dicom::is_video(file.tokens->transfer_syntax)) file.slice.has_frames = !file.frames.empty();
}

void take_apart(const Member& member, Care care, const Read& read, Prepared& file) {
  file.care = care;
  file.instance.name = member.file.name;
  file.instance.is_folder = member.file.is_folder;
  if (member.file.is_folder) {
    file.bytes.clear();
    file.instance.sha256 = sha256({});
    file.hash = xxh3_128({});
    return;
  }
  const bool is_kept = care == Care::kWhole || !member.looks_like_dicom;
  if (is_kept && read.in_pieces && member.file.size > archive::MetadataBuilder::kLargeBytes) {
    file.is_unread = true;
    file.instance.size = member.file.seen ? member.file.seen->size : member.file.size;
    file.bytes.clear();
    return;
  }
  if (auto done = read.whole(member.file, file.bytes); !done) {
    file.error = in_file(std::move(done).error(), member.file.path());
    return;
  }
  file.instance.size = file.bytes.size();
  file.hash = xxh3_128(file.bytes);  // first: what changes from here on in memory, the proof finds
  file.instance.sha256 = sha256(file.bytes);
  if (!is_kept) parse(file);
}

}  // namespace

void prepare(const Member& member, Care care, const Read& read, Prepared& file) {
  file.reset();
  try {
    take_apart(member, care, read, file);
  } catch (const std::bad_alloc&) {  // one file costs itself alone
    file.reset();
    Bytes().swap(file.bytes);
    file.error = Error{ErrorClass::kLimit, formatted("{} bytes: more than there is memory for", member.file.size),
                       member.file.path()};
  }
}

Status code_unread(const Member& member, const Read& read, const CallOptions& options, archive::ArchiveWriter& writer,
                   Prepared& file) {
  const auto coded = writer.code(file.instance.size, [&](const Sink& sink) {
    Sha256Stream sha256;
    Xxh3Stream hash;
    Status taken;
    Status done = read.in_pieces(member.file, [&](ByteSpan piece) {
      hash.update(piece);
      sha256.update(piece);
      taken = check_cancel(options);
      if (taken) taken = sink(piece);
      return taken;
    });
    file.instance.sha256 = sha256.finish();
    file.hash = hash.finish_128();
    if (!done && taken) file.error = in_file(done.error(), member.file.path());
    return done;
  });
  if (coded) file.coded = *coded;
  if (!coded && !file.error) return tl::unexpected<Error>(coded.error());
  return {};
}

}  // namespace dicube::series
