// dump: metadata as text or as DICOM JSON (PS3.18 annex F)
#include <fmt/format.h>

#include <cmath>

#include "cli/command.h"
#include "dicom/dictionary.h"
#include "dicom/value.h"

namespace dicube::cli {
namespace {

struct Arguments {
  Common common;
  std::string archive, tag;
  std::int64_t instance = -1;
};

std::string base64(std::span<const std::byte> bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? std::to_integer<unsigned>(bytes[at + i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) out += i <= count ? kLetters[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

Json person_name(const std::string& text) {
  static constexpr const char* kGroups[] = {"Alphabetic", "Ideographic", "Phonetic"};
  Json name = Json::object();
  std::size_t at = 0;
  for (const char* group : kGroups) {
    const auto end = std::min(text.find('=', at), text.size());
    if (end > at) name[group] = printable(text.substr(at, end - at));
    at = std::min(text.size(), end + 1);
  }
  return name;
}

// F.2.3: IS and DS are numbers where they are; what is no number stays a string.
Json text_value(const std::string& text, std::string_view vr) {
  if (text.empty()) return nullptr;
  if (vr == "PN") return person_name(text);
  if (vr == "IS" || vr == "DS") {
    const auto number = dicom::first_number(std::as_bytes(std::span(text)), vr, dicom::Encoding::kExplicitLittle);
    if (number && std::isfinite(*number)) return vr == "IS" && std::abs(*number) < 9e15 ? Json(static_cast<std::int64_t>(*number)) : Json(*number);
  }
  return text;
}

Json element_json(const Element& element, dicom::Encoding encoding, const dicom::CharacterSet& charset);

Json items_json(const std::vector<Element>& elements, dicom::Encoding encoding, const dicom::CharacterSet& charset) {
  Json out = Json::object();
  for (const Element& element : elements)
    if ((element.tag & 0xFFFF) != 0) out[fmt::format("{:08X}", element.tag)] = element_json(element, encoding, charset);
  return out;
}

Json element_json(const Element& element, dicom::Encoding encoding, const dicom::CharacterSet& charset) {
  Json out = {{"vr", printable(element.vr)}};
  if (element.is_sequence) {
    for (const auto& item : element.items) out["Value"].push_back(items_json(item, encoding, charset));
    return out;
  }
  if (element.is_pixels || element.value.empty()) return out;
  const auto values = dicom::decode(element.value, element.vr, encoding, charset);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values))
    for (const std::string& text : *texts) out["Value"].push_back(text_value(text, element.vr));
  else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&values))
    for (std::int64_t value : *integers) out["Value"].push_back(value);
  else if (const auto* reals = std::get_if<std::vector<double>>(&values))
    for (double value : *reals) out["Value"].push_back(std::isfinite(value) ? Json(value) : Json(fmt::format("{}", value)));
  else
    out["InlineBinary"] = base64(element.value);
  return out;
}

constexpr std::size_t kLongest = 96;  // characters of a value in text form

std::string short_value(const Element& element, dicom::Encoding encoding, const dicom::CharacterSet& charset) {
  if (element.is_pixels) return "(frames)";
  const auto values = dicom::decode(element.value, element.vr, encoding, charset);
  std::string text;
  auto join = [&](const auto& list, auto print) {
    for (std::size_t i = 0; i < list.size() && text.size() <= kLongest; ++i) (text += i > 0 ? "\\" : "") += print(list[i]);
  };
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values)) join(*texts, [](const std::string& t) { return t; });
  else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&values)) join(*integers, [](std::int64_t v) { return fmt::format("{}", v); });
  else if (const auto* reals = std::get_if<std::vector<double>>(&values)) join(*reals, [](double v) { return fmt::format("{}", v); });
  else text = fmt::format("({} bytes)", element.value.size());
  return text.size() > kLongest ? printable(text.substr(0, kLongest)) + "..." : printable(text);
}

void print_elements(const std::vector<Element>& elements, dicom::Encoding encoding, const dicom::CharacterSet& charset, std::size_t depth) {
  for (const Element& element : elements) {
    const auto* entry = dicom::find(element.tag);
    fmt::print("{:{}}{} {} {:<32} {}\n", "", 2 * depth, dicom::format_tag(element.tag), printable(element.vr), entry ? entry->keyword : "-",
               element.is_sequence ? fmt::format("{} items", element.items.size()) : short_value(element, encoding, charset));
    for (std::size_t i = 0; i < element.items.size(); ++i) {
      fmt::print("{:{}}[{}]\n", "", 2 * depth + 2, i);
      print_elements(element.items[i], encoding, charset, depth + 2);
    }
  }
}

int dump_tag(const Arguments& arguments, const Archive& archive) {
  const auto column = archive.column(arguments.tag);
  if (!column) return arguments.common.error(in_file(column.error(), arguments.archive));
  for (std::size_t i = 0; i < column->size(); ++i) {
    if (arguments.instance >= 0 && i != static_cast<std::size_t>(arguments.instance)) continue;
    std::string text = "(absent)";
    if (column->is_present(i)) {
      const auto value = column->text(i);
      text = value ? printable(*value) : fmt::format("({} bytes)", column->bytes(i).size());
    }
    Json value = nullptr;
    if (column->is_present(i)) value = column->text(i) ? Json(printable(*column->text(i))) : Json(base64(column->bytes(i)));
    arguments.common.result({{"index", i}, {"name", printable(archive.instances()[i].name)}, {"vr", printable(column->vr())}, {"value", value}},
                            fmt::format("{}\t{}", printable(archive.instances()[i].name), text));
  }
  return kWell;
}

int run_dump(const Arguments& arguments) {
  const Common& common = arguments.common;
  const auto archive = Archive::open(arguments.archive);
  if (!archive) return common.error(in_file(archive.error(), arguments.archive));
  if (arguments.instance >= 0 && static_cast<std::size_t>(arguments.instance) >= archive->instances().size())
    return common.error({ErrorClass::kNotFound, fmt::format("no instance {}: there are {}", arguments.instance, archive->instances().size()), arguments.archive});
  if (!arguments.tag.empty()) return dump_tag(arguments, *archive);
  const std::size_t first = arguments.instance < 0 ? 0 : static_cast<std::size_t>(arguments.instance);
  const std::size_t end = arguments.instance < 0 ? archive->instances().size() : first + 1;
  for (std::size_t i = first; i < end; ++i) {
    const auto data = archive->data_set(i);
    if (!data) return common.error(in_file(data.error(), arguments.archive));
    const dicom::CharacterSet charset(data->charset);
    const auto encoding = static_cast<dicom::Encoding>(data->encoding);
    if (common.json) {
      common.result(items_json(data->elements, encoding, charset), "");
      continue;
    }
    fmt::print("# {}\n", printable(archive->instances()[i].name));
    print_elements(data->meta, dicom::Encoding::kExplicitLittle, charset, 0);
    print_elements(data->elements, encoding, charset, 0);
  }
  return kWell;
}

}  // namespace

void add_dump(CLI::App& program, Run& run) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("dump", "Metadata of all instances or of one; --json gives DICOM JSON");
  command->add_option("ARCHIVE", arguments->archive, "The archive")->required();
  command->add_option("--tag", arguments->tag, "One element: keyword, gggg,eeee, or a path like ReferencedImageSequence[0].ReferencedSOPInstanceUID");
  command->add_option("--instance", arguments->instance, "Of this instance only (index from 0, see ls)")->check(CLI::NonNegativeNumber);
  arguments->common.add_to(*command);
  command->footer("Examples:\n  dicube dump scan.dcbs --instance 0\n  dicube dump scan.dcbs --tag ImagePositionPatient --json");
  command->callback([arguments, &run] { run = [arguments] { return run_dump(*arguments); }; });
}

}  // namespace dicube::cli
