// Opens an archive, prints one field of every slice, and loads all frames.
#include <cstdio>

#include "dicube/dicube.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: first_slice ARCHIVE\n"), 2;
  const auto archive = dicube::Archive::open(argv[1]);
  if (!archive) return std::fprintf(stderr, "%s\n", dicube::describe(archive.error()).c_str()), 1;

  const auto positions = archive->column("ImagePositionPatient");
  for (std::size_t i = 0; positions && i < positions->size(); ++i)
    std::printf("%s: %s\n", archive->instances()[i].name.c_str(), positions->text(i).value_or("(absent)").c_str());

  if (archive->frame_count() == 0) return 0;
  const auto pixels = archive->read_frames(0, archive->frame_count(), 0);
  if (!pixels) return std::fprintf(stderr, "%s\n", dicube::describe(pixels.error()).c_str()), 1;
  std::printf("%zu frames, %zu bytes\n", archive->frame_count(), pixels->size());
}
