// dicube_phantom: writes a CT-like series as DICOM files (explicit VR little endian, PS3.10), for the demo, tests and
// benchmarks.
//
//   dicube_phantom OUT [--slices N] [--size PX] [--seed N] [--messy]
//
// A body with lungs, spine, ribs and vessels that change from slice to slice, with noise that is correlated as a
// reconstruction filter leaves it; headers of about 11 kB and 190 elements, as scanners write them, with private groups
// and nested sequences. Deterministic for a seed.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Options {
  std::string out;
  unsigned slices = 200, size = 512, seed = 1;
  bool messy = false;
};

// xorshift64*, so that every machine draws the same numbers.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL) {}
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  // Sum of 12 uniform draws: nearly normal, mean 0, deviation 1.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 4; ++i) {
      const std::uint64_t bits = next();
      for (int k = 0; k < 3; ++k) sum += static_cast<double>(bits >> (21 * k) & 0x1FFFFF) / 0x200000;
    }
    return sum;
  }

 private:
  std::uint64_t state_;
};

class Writer {
 public:
  std::string bytes;
  void text(std::uint32_t tag, const char* vr, std::string value, char pad = ' ') {
    if (value.size() % 2 != 0) value += std::strcmp(vr, "UI") == 0 ? '\0' : pad;
    header(tag, vr, value.size());
    bytes += value;
  }
  void u16(std::uint32_t tag, std::uint16_t value) {
    header(tag, "US", 2);
    put(value, 2);
  }
  void f64(std::uint32_t tag, double value) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, 8);
    header(tag, "FD", 8);
    put(bits, 8);
  }
  void binary(std::uint32_t tag, const char* vr, const std::string& value) {
    header(tag, vr, value.size());
    bytes += value;
  }
  void begin_sequence(std::uint32_t tag) {
    header(tag, "SQ", 0xFFFFFFFF);
    begin_item();
  }
  void begin_item() {
    put_tag(0xFFFEE000);
    put(0xFFFFFFFF, 4);
  }
  void end_sequence() {
    put_tag(0xFFFEE00D);
    put(0, 4);
    put_tag(0xFFFEE0DD);
    put(0, 4);
  }
  void header(std::uint32_t tag, const char* vr, std::uint64_t length) {
    put_tag(tag);
    bytes += vr;
    static const std::string kLong = "OB OD OF OL OV OW SQ UC UN UR UT SV UV";
    if (kLong.find(vr) != std::string::npos) {
      put(0, 2);
      put(length, 4);
    } else {
      put(length, 2);
    }
  }

 private:
  void put(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  }
  void put_tag(std::uint32_t tag) {
    put(tag >> 16, 2);
    put(tag & 0xFFFF, 2);
  }
};

std::string decimal(double value, int digits = 6) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  std::string out = text;
  if (out.find('.') != std::string::npos) {
    while (out.back() == '0') out.pop_back();
    if (out.back() == '.') out.pop_back();
  }
  return out;
}

bool inside(double x, double y, double cx, double cy, double rx, double ry) {
  const double u = (x - cx) / rx, v = (y - cy) / ry;
  return u * u + v * v < 1;
}

// Hounsfield units at (x, y) in [-1, 1] of the slice at z in [0, 1].
double tissue(double x, double y, double z) {
  if (!inside(x, y, 0, 0, 0.86, 0.62 + 0.04 * std::sin(6 * z)))
    return y > 0.72 && y < 0.76 && std::fabs(x) < 0.8 ? -150 : -1000;
  double value = inside(x, y, 0, 0, 0.80, 0.56 + 0.04 * std::sin(6 * z)) ? 45 : -95;
  const double lung = 0.30 * std::sin(3.1415 * std::min(1.0, z * 1.1)) + 0.05;
  for (double side : {-1.0, 1.0}) {
    if (inside(x, y, 0.38 * side, -0.05, lung, lung * 1.25))
      value = -860 + 120 * std::sin(19 * x + 7 * z) * std::sin(23 * y - 5 * z);
    for (int rib = 0; rib < 5; ++rib)
      if (inside(x, y, side * (0.72 - 0.05 * rib), -0.32 + 0.16 * rib + 0.05 * std::sin(25 * z + rib), 0.05, 0.028))
        value = 420 + 240 * std::sin(9 * z + rib);
  }
  if (inside(x, y, 0.1, -0.12, 0.19, 0.17)) value = 60 + 130 * (inside(x, y, 0.14, -0.1, 0.08, 0.09) ? 1 : 0);
  if (inside(x, y, 0, 0.33, 0.11, 0.1)) value = inside(x, y, 0, 0.33, 0.085, 0.075) ? 180 + 60 * std::sin(40 * z) : 640;
  return value;
}

// Stored values: 12 bits, Hounsfield + 1024; outside the scanned circle 0.
std::string pixels(const Options& options, unsigned slice) {
  const unsigned size = options.size;
  Random random(options.seed * 1000003ULL + slice);
  std::vector<float> noise((size + 2) * (size + 2));
  for (float& value : noise) value = static_cast<float>(random.normal());
  std::string out(std::size_t{2} * size * size, '\0');
  const double z = options.slices < 2 ? 0 : static_cast<double>(slice) / (options.slices - 1);
  for (unsigned row = 0; row < size; ++row)
    for (unsigned column = 0; column < size; ++column) {
      const double x = 2.0 * (column + 0.5) / size - 1, y = 2.0 * (row + 0.5) / size - 1;
      const float* at = &noise[(row + 1) * (size + 2) + column + 1];
      const double grain = 0.45 * at[0] + 0.2 * (at[1] + at[-1] + at[size + 2] + at[-static_cast<int>(size) - 2]);
      const double hounsfield = tissue(x, y, z) + 14 * grain;
      const int value = x * x + y * y > 1 ? 0 : std::clamp(static_cast<int>(std::lround(hounsfield)) + 1024, 0, 4095);
      out[2 * (std::size_t{row} * size + column)] = static_cast<char>(value & 0xFF);
      out[2 * (std::size_t{row} * size + column) + 1] = static_cast<char>(value >> 8);
    }
  return out;
}

const std::string kRoot = "1.2.826.0.1.3680043.10.1307";

std::string uid(const Options& options, unsigned kind, unsigned number) {
  Random random(options.seed * 77ULL + kind * 1000ULL + number);
  return kRoot + "." + std::to_string(kind) + "." + std::to_string(random.next()) + "." + std::to_string(number + 1);
}

struct Text {
  std::uint32_t tag;
  const char* vr;
  std::string value;
};

// Numbers as calibrations have them.
std::string table(unsigned size) {
  std::string bytes;
  for (unsigned i = 0; i < size; ++i) bytes += static_cast<char>(i * 7 + i / 16 + size / 64);
  return bytes;
}

std::string instance(const Options& options, unsigned slice, bool with_preamble = true) {
  const std::string series = uid(options, 2, 0), sop = uid(options, 3, slice);
  Writer meta;
  meta.binary(0x00020001, "OB", std::string("\0\1", 2));
  meta.text(0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.2");
  meta.text(0x00020003, "UI", sop);
  meta.text(0x00020010, "UI", "1.2.840.10008.1.2.1");
  meta.text(0x00020012, "UI", kRoot);
  Writer file;
  if (with_preamble) {
    file.bytes = std::string(128, '\0') + "DICM";
    file.header(0x00020000, "UL", 4);
    for (int i = 0; i < 4; ++i) file.bytes += static_cast<char>(meta.bytes.size() >> (8 * i));
    file.bytes += meta.bytes;
  }
  Random random(options.seed * 31ULL + slice);
  const double z = -250.5 - 1.25 * slice, current = 180 + std::floor(60 * std::sin(0.05 * slice));
  char time[32];
  std::snprintf(time, sizeof time, "1017%02u.%06u", slice / 8 % 60, slice % 8 * 125000);
  const auto texts = [&file](std::initializer_list<Text> all) {
    for (const Text& one : all) file.text(one.tag, one.vr, one.value);
  };
  const auto item = [&](std::uint32_t sequence, std::initializer_list<Text> all) {
    file.begin_sequence(sequence);
    texts(all);
    file.end_sequence();
  };
  // Sequences of one item: codes (PS3.3 8.8), and other instances.
  const auto coded = [&](std::uint32_t sequence, const char* value, const char* scheme, const char* meaning) {
    item(sequence, {{0x00080100, "SH", value}, {0x00080102, "SH", scheme}, {0x00080104, "LO", meaning}});
  };
  const auto refers = [&](std::uint32_t sequence, const std::string& sop_class, const std::string& to) {
    item(sequence, {{0x00081150, "UI", sop_class}, {0x00081155, "UI", to}});
  };
  texts({{0x00080005, "CS", "ISO_IR 100"},
         {0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"},
         {0x00080012, "DA", "20260114"},
         {0x00080013, "TM", time},
         {0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2"},
         {0x00080018, "UI", sop},
         {0x00080020, "DA", "20260114"},
         {0x00080021, "DA", "20260114"},
         {0x00080022, "DA", "20260114"},
         {0x00080023, "DA", "20260114"},
         {0x0008002A, "DT", std::string("20260114") + time},
         {0x00080030, "TM", "100912.4"},
         {0x00080031, "TM", "101655.75"},
         {0x00080032, "TM", time},
         {0x00080033, "TM", time},
         {0x00080050, "SH", "A-2026-0114"},
         {0x00080060, "CS", "CT"},
         {0x00080070, "LO", "DiCube Phantom"},
         {0x00080080, "LO", "House of Phantoms"},
         {0x00080081, "ST", "1 Phantom Lane"},
         {0x00080090, "PN", "Ghost^Dr"},
         {0x00081010, "SH", "PHANTOM1"},
         {0x00081030, "LO", "Thorax^Phantom"}});
  coded(0x00081032, "CTTHO", "99PHANTOM", "CT of the thorax");
  texts({{0x0008103E, "LO", "Thorax 1.25 mm"},
         {0x00081040, "LO", "Radiology"},
         {0x00081050, "PN", "Shade^Dr"},
         {0x00081070, "PN", "Spectre^Sr"},
         {0x00081090, "LO", "Phantom CT 64"}});
  refers(0x00081111, "1.2.840.10008.3.1.2.3.3", uid(options, 6, 0));
  refers(0x00081140, "1.2.840.10008.5.1.4.1.1.2", uid(options, 4, slice / 10));
  texts({{0x00083010, "UI", uid(options, 7, 0)},
         {0x00100010, "PN", "Phantom^Thorax"},
         {0x00100020, "LO", "PHANTOM-" + std::to_string(options.seed)},
         {0x00100030, "DA", "19560501"},
         {0x00100040, "CS", "O"},
         {0x00101010, "AS", "069Y"},
         {0x00101030, "DS", "74"},
         {0x001021B0, "LT", "Made by a program."},
         {0x00180010, "LO", "none"},
         {0x00180015, "CS", "CHEST"},
         {0x00180022, "CS", "HELIX"},
         {0x00180050, "DS", "1.25"},
         {0x00180060, "DS", "120"},
         {0x00180090, "DS", "500"},
         {0x00181000, "LO", "0001"},
         {0x00181020, "LO", "4.1.0.52013"},
         {0x00181030, "LO", "Thorax Routine/Thorax"},
         {0x00181100, "DS", "350"},
         {0x00181110, "DS", "1040"},
         {0x00181111, "DS", "570"},
         {0x00181120, "DS", "0"},
         {0x00181130, "DS", "151.5"},
         {0x00181140, "CS", "CW"},
         {0x00181150, "IS", "750"},
         {0x00181151, "IS", std::to_string(static_cast<int>(current))},
         {0x00181152, "IS", std::to_string(static_cast<int>(current) * 3 / 4)},
         {0x00181160, "SH", "B"},
         {0x00181170, "IS", std::to_string(static_cast<int>(current) * 120 / 1000)},
         {0x00181190, "DS", "0.6\\1.2"},
         {0x00181210, "SH", "STANDARD"},
         {0x00185100, "CS", "HFS"},
         {0x00189302, "CS", "SPIRAL"}});
  for (const auto& [tag, value] : {std::pair(0x00189305U, 0.75),
                                   {0x00189306U, 0.625},
                                   {0x00189307U, 40.0},
                                   {0x00189309U, 51.2},
                                   {0x00189310U, 38.4},
                                   {0x00189311U, 0.96}})
    file.f64(tag, value);
  file.text(0x00189323, "CS", "Z_DOM");
  file.f64(0x00189324, 21.5);
  file.f64(0x00189327, -z);
  file.f64(0x00189345, 8.125 + current / 64);
  coded(0x00189346, "113691", "DCM", "IEC Body Dosimetry Phantom");
  texts({{0x0020000D, "UI", uid(options, 1, 0)},
         {0x0020000E, "UI", series},
         {0x00200010, "SH", "4711"},
         {0x00200011, "IS", "3"},
         {0x00200012, "IS", "2"},
         {0x00200013, "IS", std::to_string(slice + 1)},
         {0x00200032, "DS", "-175\\-165.5\\" + decimal(z)},
         {0x00200037, "DS", "1\\0\\0\\0\\1\\0"},
         {0x00200052, "UI", uid(options, 5, 0)},
         {0x00201040, "LO", "SN"},
         {0x00201041, "DS", decimal(z)}});
  file.u16(0x00280002, 1);
  file.text(0x00280004, "CS", "MONOCHROME2");
  file.u16(0x00280010, static_cast<std::uint16_t>(options.size));
  file.u16(0x00280011, static_cast<std::uint16_t>(options.size));
  file.text(0x00280030, "DS", decimal(350.0 / options.size) + "\\" + decimal(350.0 / options.size));
  file.u16(0x00280100, 16);
  file.u16(0x00280101, 12);
  file.u16(0x00280102, 11);
  file.u16(0x00280103, 0);
  texts({{0x00281050, "DS", "40"},
         {0x00281051, "DS", "400"},
         {0x00281052, "DS", "-1024"},
         {0x00281053, "DS", "1"},
         {0x00281054, "LO", "HU"},
         {0x00282110, "CS", "00"},
         {0x00321032, "PN", "Ghost^Dr"},
         {0x00321060, "LO", "CT Thorax"}});
  item(0x00400275, {{0x00321060, "LO", "CT Thorax"},
                    {0x00400007, "LO", "CT Thorax"},
                    {0x00400009, "SH", "S-17"},
                    {0x00401001, "SH", "P-17"}});
  file.text(0x00430010, "LO", "DICUBE PHANTOM 01");
  for (unsigned i = 0; i < 60; ++i)
    file.text(0x00431010 + i, "LO",
              "protocol entry " + std::to_string(i) + " of the phantom, value " + std::to_string(i * i * 37));
  file.binary(0x00431080, "OB", table(512));
  file.f64(0x00431081, static_cast<double>(random.next() >> 20) / 1024);
  for (unsigned i = 0; i < 12; ++i) file.binary(0x00431090 + i, "OW", table(64 + 64 * i));
  file.binary(0x7FE00010, "OW", pixels(options, slice));
  return file.bytes;
}

void write(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) {
    std::fprintf(stderr, "dicube_phantom: can't write %s\n", path.c_str());
    std::exit(4);
  }
}

// What real folders hold besides.
void add_mess(const Options& options) {
  const fs::path out = options.out;
  write(out / "README.txt", "A folder as people have them.\n");
  write(out / "notes" / "report", "no DICOM, no extension\n");
  fs::create_directories(out / "empty");
  Options other = options;
  other.seed += 1000;
  other.slices = 3;
  other.size = std::min(64U, options.size);
  for (unsigned slice = 0; slice < 3; ++slice)
    write(out / "second" / ("IM" + std::to_string(slice)), instance(other, slice));
  write(out / "second" / "copy of IM1", instance(other, 1));
  write(out / "second" / "no preamble", instance(other, 2, false));
  const std::string whole = instance(other, 0);
  write(out / "second" / "cut", whole.substr(0, whole.size() * 2 / 3));
  write(out / "second" / "cut in the header", whole.substr(0, 300));
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--messy")
      options.messy = true;
    else if (word == "--slices" && i + 1 < argc)
      options.slices = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (word == "--size" && i + 1 < argc)
      options.size = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (word == "--seed" && i + 1 < argc)
      options.seed = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (options.out.empty() && word[0] != '-')
      options.out = word;
    else
      options.slices = 0;
  }
  if (options.out.empty() || options.slices == 0 || options.slices > 99999 || options.size == 0 ||
      options.size > 8192) {
    std::fprintf(stderr, "usage: dicube_phantom OUT [--slices N] [--size PX] [--seed N] [--messy]\n");
    std::exit(2);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  for (unsigned slice = 0; slice < options.slices; ++slice) {
    std::string number = std::to_string(slice + 1);
    number.insert(0, 5 - std::min<std::size_t>(5, number.size()), '0');
    write(fs::path(options.out) / "series" / ("IM" + number + ".dcm"), instance(options, slice));
  }
  if (options.messy) add_mess(options);
}
