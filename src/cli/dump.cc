// dump: metadata as text or as DICOM JSON (PS3.18 annex F)
#include <optional>
#include <span>

#include "archive/dicom_json.h"
#include "archive/element_value.h"
#include "archive/path.h"
#include "archive/state.h"
#include "base/result.h"
#include "cli/archives.h"
#include "cli/command.h"
#include "dicom/dictionary.h"
#include "dicom/value.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::string archive, tag;
  std::int64_t instance = -1;
  bool frames = false;
};

constexpr std::size_t kLongest = 96;  // characters of a value in text form

std::string short_value(const Element& element, dicom::Encoding encoding, const dicom::CharacterSet& charset) {
  if (element.is_pixels) return "(frames)";
  if (element.left_out > 0) return formatted("({})", counted(element.left_out, "byte"));
  constexpr std::size_t kMost = kLongest + 2;  // with separators longer than that, even if they are empty
  const std::string text =
      dicom::joined(dicom::decode(element.value, element.vr, encoding, charset), element.vr, "\\", kMost)
          .value_or(formatted("({})", counted(element.value.size(), "byte")));
  return text.size() > kLongest ? printable(text.substr(0, kLongest)) + "..." : printable(text);
}

void print_elements(const std::vector<Element>& elements, dicom::Encoding encoding,
                    const dicom::CharacterSet& inherited, std::size_t depth) {
  const dicom::CharacterSet charset = archive::charset_of(elements, inherited);
  for (const Element& element : elements) {
    const auto* entry = dicom::find(element.tag);
    put_out(formatted(
        "{:{}}{} {} {:<32} {}\n", "", 2 * depth, dicom::format_tag(element.tag), printable(element.vr),
        entry ? entry->keyword : "-",
        element.is_sequence ? counted(element.items.size(), "item") : short_value(element, encoding, charset)));
    for (std::size_t i = 0; i < element.items.size(); ++i) {
      put_out(formatted("{:{}}[{}]\n", "", 2 * depth + 2, i));
      print_elements(element.items[i], encoding, charset, depth + 2);
    }
  }
}

// Of a sequence or of pixels, whose bytes are no value to show.
struct Whole {
  std::string text;
  Json value;
};

// The items of the first sequence at that place of a data set in its JSON form, or the one that the path names.
std::optional<Json> items_at(const Json& data_set, std::span<const archive::Step> path) {
  const auto element = data_set.find(formatted("{:08X}", path[0].tag));
  if (element == data_set.end()) return std::nullopt;
  Json items = element->value("Value", Json::array());
  if (const auto item = path[0].item) items = *item < items.size() ? Json::array({items[*item]}) : Json::array();
  if (path.size() == 1) return items;
  for (const Json& item : items)
    if (auto found = items_at(item, path.subspan(1))) return found;
  return std::nullopt;
}

Result<Whole> whole_of(const Archive& archive, std::size_t instance, const std::string& path, bool is_sequence) {
  if (!is_sequence) return Whole{"(frames)", nullptr};
  DICUBE_ASSIGN(const auto steps, archive::parse_path(path));
  DICUBE_ASSIGN(const auto data, ArchiveAccess::small_data_set(archive, instance));
  Json items = items_at(archive::dicom_json(data), steps).value_or(Json::array());
  return Whole{formatted("({})", counted(items.size(), "item")), std::move(items)};
}

Result<Whole> value_of(const Archive& archive, const Column& column, std::size_t row, std::size_t instance,
                       const std::string& path) {
  if (!column.is_present(row)) return Whole{"(absent)", nullptr};
  const auto tag = dicom::parse_tag(path);
  const bool is_pixels = tag && *tag >> 16 == 0x7FE0 && column.bytes(row).empty();
  if (is_pixels || column.vr(row) == "SQ") return whole_of(archive, instance, path, !is_pixels);
  if (const auto text = column.text(row)) return Whole{printable(*text), json_text(*text)};
  DICUBE_ASSIGN(const auto roots, ArchiveAccess::state(archive).metadata->roots(instance));
  return Whole{formatted("({})", counted(column.bytes(row).size(), "byte")),
               archive::inline_binary(column.bytes(row), column.vr(row), static_cast<dicom::Encoding>(roots.encoding))};
}

int dump_tag(const Arguments& arguments, const Archive& archive) {
  const Common& common = arguments.common;
  const auto column = arguments.frames ? archive.frame_column(arguments.tag) : archive.column(arguments.tag);
  if (!column) return common.error(in_file(column.error(), arguments.archive));
  bool any = false;
  std::vector<std::pair<std::size_t, std::size_t>> wanted;  // rows and their instances
  for (std::size_t i = 0; i < column->size(); ++i) {
    const std::size_t instance = arguments.frames ? archive.instance_of(i) : i;
    if (arguments.instance >= 0 && instance != static_cast<std::size_t>(arguments.instance)) continue;
    wanted.emplace_back(i, instance);
    any = any || column->is_present(i);
  }
  if (!any)
    return common.error(
        {ErrorClass::kNotFound,
         (arguments.instance < 0 ? "no instance has " : formatted("instance {} does not have ", arguments.instance)) +
             arguments.tag,
         arguments.archive});
  for (const auto& [i, instance] : wanted) {
    const auto value = value_of(archive, *column, i, instance, arguments.tag);
    if (!value) return common.error(in_file(value.error(), arguments.archive));
    Json line = {{"index", i}};
    put_name(line, "name", archive.instances()[instance].name);
    line["vr"] = json_text(column->vr(i));
    line["value"] = value->value;
    common.result(line, formatted("{}{}\t{}", arguments.frames ? formatted("{}\t", i) : "",
                                  printable(archive.instances()[instance].name), value->text));
  }
  return kWell;
}

int run_dump(const Arguments& arguments) {
  const Common& common = arguments.common;
  const auto archive = open_archive(arguments.archive);
  if (!archive) return common.error(archive.error());
  if (arguments.instance >= 0 && static_cast<std::size_t>(arguments.instance) >= archive->instances().size())
    return common.error(
        {ErrorClass::kNotFound,
         formatted("no instance {}: it has {}", arguments.instance, counted(archive->instances().size(), "instance")),
         arguments.archive});
  if (!arguments.tag.empty()) return dump_tag(arguments, *archive);
  const std::size_t first = arguments.instance < 0 ? 0 : static_cast<std::size_t>(arguments.instance);
  const std::size_t end = arguments.instance < 0 ? archive->instances().size() : first + 1;
  for (std::size_t i = first; i < end; ++i) {
    const auto data = ArchiveAccess::small_data_set(*archive, i);
    if (!data) return common.error(in_file(data.error(), arguments.archive));
    const dicom::CharacterSet charset(data->charset);
    const auto encoding = static_cast<dicom::Encoding>(data->encoding);
    if (common.json) {
      common.result(archive::dicom_json(*data), "");
      continue;
    }
    put_out(formatted("# {}\n", printable(archive->instances()[i].name)));
    print_elements(data->meta, dicom::Encoding::kExplicitLittle, charset, 0);
    print_elements(data->elements, encoding, charset, 0);
  }
  return kWell;
}

}  // namespace

void add_dump(CLI::App& program, Run& run) {
  auto [command, arguments] =
      add_command(program, run, "dump", "Metadata of all instances or of one; --json gives DICOM JSON", run_dump);
  command.add_option("ARCHIVE", arguments.archive, "The archive")->required();
  CLI::Option* tag = command.add_option(
      "--tag", arguments.tag,
      "One element: keyword, gggg,eeee, or a path like ReferencedImageSequence[0].ReferencedSOPInstanceUID");
  command.add_option("--instance", arguments.instance, "Of this instance only (index from 0, see ls)");
  command
      .add_flag("--frames", arguments.frames,
                "With --tag: a value per frame, from the functional groups of enhanced multi-frame instances where "
                "they have it")
      ->needs(tag);
  arguments.common.add_to(command);
  command.footer(
      "Examples:\n  dicube dump scan.dcbs --instance 0\n  dicube dump scan.dcbs --tag ImagePositionPatient --frames\n  "
      "dicube dump scan.dcbs --tag ImagePositionPatient --json");
}

}  // namespace dicube::cli
