#!/usr/bin/env python3
"""Whole series in compressed transfer syntaxes, ours beside pydicom 3 with its plug-ins: ./dev syntaxes FOLDER... [--threads N] [--runs N]

Every FOLDER holds one series. It is measured as it is and, when it is not compressed, also as `dicube unpack --transfer-syntax` writes it in
JPEG-LS, JPEG 2000 and HTJ2K. pydicom: pixel_array of all files, stacked, in this process. Ours, into one array by N threads (2): `folder`,
from the same files, whose codestreams are decoded as they stand; `archive`, from what `dicube pack` makes of them. Seconds are the least of
several runs, taken in turns; ratios are pydicom / ours. The arrays are compared once.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy
import pydicom

import dicube

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"}
WRITTEN = ["jpeg-ls", "jpeg2000", "htj2k"]
LINE = "{:<34} {:>6} {:>9} {:>9} {:>9} {:>8} {:>9} {:>8} {:>9} {:>6}"


def program():
    return os.environ.get("DICUBE", os.path.join(ROOT, "build", "release", "bin", "dicube"))


def dicube_run(*arguments):
    done = subprocess.run([program(), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"dicube {arguments[0]}: {done.stderr.strip()}")


def in_order(folder):
    """The paths of a series' files by instance number, as an archive has them."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            data_set = pydicom.dcmread(path, stop_before_pixels=True)
            found.append((float(data_set.get("InstanceNumber") or 0), path, data_set))
    found.sort(key=lambda entry: entry[:2])
    series = {entry[2].SeriesInstanceUID for entry in found}
    if len(series) != 1:
        sys.exit(f"{folder}: {len(series)} series, not one")
    return [entry[1] for entry in found], str(found[0][2].file_meta.TransferSyntaxUID)


def least(runs, works):
    """The least seconds of each, taken in turns, and what each gave."""
    seconds, given = [float("inf")] * len(works), [None] * len(works)
    for _ in range(runs):
        for i, work in enumerate(works):
            start = time.perf_counter()
            given[i] = work()
            seconds[i] = min(seconds[i], time.perf_counter() - start)
    return seconds, given


def measure(label, folder, scratch, runs):
    paths, syntax = in_order(folder)
    archive = os.path.join(scratch, "series.dcbs")
    dicube_run("pack", "-q", "--on-conflict", "overwrite", folder, "-o", archive)
    works = [
        lambda: numpy.stack([pydicom.dcmread(path).pixel_array for path in paths]),
        lambda: dicube.load_from_dicom_folder(folder).raw_image,
        lambda: dicube.load(archive).raw_image,
    ]
    seconds, arrays = least(runs, works)
    for array in arrays[1:]:
        if array.shape != arrays[0].shape or not numpy.array_equal(array, arrays[0]):
            sys.exit(f"{label}: the arrays differ")
    sources, packed = sum(map(os.path.getsize, paths)), os.path.getsize(archive)
    peer, plain, ours = seconds
    name = f"{label} ({pydicom.uid.UID(syntax).name.split(',')[0].split('(')[0].strip()[:14]} {syntax.rsplit('.', 1)[1]})"
    print(LINE.format(name[:34], len(paths), f"{arrays[0].nbytes / 1e6:.1f}", f"{peer:.3f}", f"{plain:.3f}", f"{peer / plain:.2f}", f"{ours:.3f}",
                      f"{peer / ours:.2f}", f"{sources / 1e6:.1f}", f"{packed / sources:.3f}"), flush=True)  # fmt: skip
    return syntax, archive


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    dicube.set_num_threads(options.threads)
    print(f"pydicom {pydicom.__version__}, dicube {dicube.__version__} with {options.threads} threads; ratios: pydicom / ours")
    print(LINE.format("series", "files", "pixels MB", "pydicom s", "folder s", "ratio", "archive s", "ratio", "files MB", "size"))
    for folder in options.folders:
        label = os.path.basename(os.path.normpath(folder))
        with tempfile.TemporaryDirectory() as scratch:
            syntax, archive = measure(label, folder, scratch, options.runs)
            for name in WRITTEN if syntax in NATIVE else []:
                written = os.path.join(scratch, name)
                dicube_run("unpack", "-q", archive, "-o", written, "--transfer-syntax", name)
                measure(label, written, tempfile.mkdtemp(dir=scratch), options.runs)


if __name__ == "__main__":
    main()
