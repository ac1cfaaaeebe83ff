#!/usr/bin/env python3
"""A second reader of .dcbs files, written from spec/ alone: tests/read_by_spec.py ARCHIVE... [-o FOLDER]

Checks every checksum, makes every original file again and compares it with the SHA-256 in the archive; with -o also writes it. It is
meant to be read beside the pages: each part names the section that it is. It is not meant for use: it is slow, and it leaves out the
limits that protect a reader from malice. Not covered, and reported so: codec 4 with recipe 4 (JPEG from JPEG XL).
"""

import os
import sys

from by_spec.archive import Archive
from by_spec.notation import Damaged, NotCovered


def plain(name):
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise Damaged(f"no plain relative path: {name}")
    return name


def main(arguments):
    folder = None
    if "-o" in arguments:
        at = arguments.index("-o")
        folder = arguments[at + 1]
        del arguments[at : at + 2]
    failed = 0
    for path in arguments:
        equal, uncovered = 0, {}
        try:
            with open(path, "rb") as file:
                archive = Archive(file.read())
            for name, data, is_folder, why in archive.originals():
                if why:
                    uncovered[why] = uncovered.get(why, 0) + 1
                    continue
                equal += 1
                if folder:
                    target = os.path.join(folder, plain(name))
                    os.makedirs(target if is_folder else os.path.dirname(target), exist_ok=True)
                    if not is_folder:
                        with open(target, "wb") as out:
                            out.write(data)
            codecs = sorted({f.codec for f in archive.frames if not f.format.syntax or f.format.recipe})
            recipes = sorted({f.format.recipe for f in archive.frames if f.format.syntax})
            print(f"{path}: {equal} equal, codecs {codecs}, recipes {recipes}", *(f"; {n} not covered: {why}" for why, n in uncovered.items()), sep="")
        except (Damaged, NotCovered) as why:
            failed += 1
            print(f"{path}: {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
