#!/usr/bin/env python3
"""Files of format version 1 as PyPI dicube writes them, read by ours, and as ours writes them, read by it: tests/version1_against_peer.py BUILD_FOLDER

Runs in the virtual environment that has PyPI dicube 0.3 (./dev venv). Saves a phantom series, and the corpus's series when it
is there, with that package; then compares its pixels, positions and names of patients with `dicube cat` and `dicube dump`, also
after `dicube convert`. And packs the same folders, converts them to version 1 and loads that with the package.
"""

import os
import subprocess
import sys
import tempfile

try:
    import dicube
    import numpy
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)
if not hasattr(dicube, "load_from_dicom_folder") or not hasattr(dicube, "save"):
    print("skipped: this is not PyPI's dicube")
    sys.exit(77)

BUILD = os.path.abspath(sys.argv[1])
PROGRAM = os.path.join(BUILD, "bin", "dicube")


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], check=True, capture_output=True).stdout


def differences(archive, pixels, positions):
    dumped = run("dump", archive, "--tag", "ImagePositionPatient").decode().splitlines()
    if len(dumped) != len(pixels):
        yield f"{len(dumped)} instances instead of {len(pixels)}"
    for index, line in enumerate(dumped):
        ours = [float(part) for part in line.split("\t")[1].split("\\")]
        if positions[index] is not None and not numpy.allclose(ours, [float(p) for p in positions[index]], rtol=1e-12, atol=0):
            yield f"slice {index} is at {ours}, not at {positions[index]}"
    for index, frame in enumerate(pixels):
        got = run("cat", archive, "--frame", str(index))
        if got != frame.tobytes():
            yield f"frame {index} differs ({len(got)} bytes, {frame.nbytes} expected)"


def check(folder, work):
    old, new = os.path.join(work, "old.dcbs"), os.path.join(work, "new.dcbs")
    dicube.save(dicube.load_from_dicom_folder(folder), old)
    image = dicube.load(old)
    pixels = numpy.ascontiguousarray(image.raw_image)
    positions = image.dicom_meta.get_values(dicube.CommonTags.ImagePositionPatient)
    run("convert", old, new, "--on-conflict", "overwrite")
    run("verify", old, new)
    found = list(differences(old, pixels, positions)) + list(differences(new, pixels, positions))
    print(f"{folder}: {len(pixels)} frames of {pixels.dtype}, " + ("equal" if not found else "; ".join(found[:5])))
    return not found


def parts_of(meta):
    """What both write alike: not group lengths, which ours leaves out, nor sequences, whose items the package takes from the files before
    it sorts them."""
    return {tag: entry for tag, entry in meta.items() if not tag.endswith("0000") and entry["vr"] not in ("SQ", "OB", "OW", "UN")}


def check_written(folder, work):
    archive, old = os.path.join(work, "ours.dcbs"), os.path.join(work, "ours-v1.dcbs")
    run("pack", folder, "-o", archive, "--on-conflict", "overwrite")
    run("convert", archive, old, "--to", "v1", "--on-conflict", "overwrite")
    ours, theirs = dicube.load(old), dicube.load_from_dicom_folder(folder)
    found = []
    for index in range(len(theirs.raw_image)):
        if run("cat", archive, "--frame", str(index)) != numpy.ascontiguousarray(ours.raw_image[index]).tobytes():
            found.append(f"frame {index} has other stored values")
    if not numpy.array_equal(ours.get_fdata(), theirs.get_fdata()):
        found.append("the values differ")
    a, b = parts_of(ours.dicom_meta._merged_data), parts_of(theirs.dicom_meta._merged_data)
    found += [f"{tag}: {a.get(tag)} instead of {b.get(tag)}"[:200] for tag in sorted(a.keys() | b.keys()) if a.get(tag) != b.get(tag)]
    if ours.dicom_status != theirs.dicom_status or (ours.space is None) != (theirs.space is None):
        found.append(f"status {ours.dicom_status}, space {ours.space}")
    elif ours.space is not None:
        for name in ("origin", "spacing", "x_orientation", "y_orientation", "z_orientation"):
            if not numpy.allclose(getattr(ours.space, name), getattr(theirs.space, name)):
                found.append(f"space: {name} {getattr(ours.space, name)} instead of {getattr(theirs.space, name)}")
    print(f"{folder} written: {len(ours.raw_image)} frames, " + ("equal" if not found else "; ".join(found[:5])))
    return not found


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    corpus = os.environ.get("DICUBE_CORPUS", os.path.join(root, "..", "shared", "data"))
    with tempfile.TemporaryDirectory() as work:
        phantom = os.path.join(work, "phantom")
        subprocess.run([os.path.join(BUILD, "bin", "dicube_phantom"), phantom, "--slices", "5", "--size", "64"], check=True, stdout=subprocess.DEVNULL)
        folders = [os.path.join(phantom, "series")] + [f for f in (os.path.join(corpus, "dicube-testdata", "sample_10"),) if os.path.isdir(f)]
        sys.exit(0 if all([check(folder, work) for folder in folders] + [check_written(folder, work) for folder in folders]) else 1)


if __name__ == "__main__":
    main()
