#!/usr/bin/env python3
"""Stored values of every frame, ours against pydicom's: tests/pixels_against_pydicom.py BUILD_FOLDER [CORPUS]

For every file of the corpus whose pixels pydicom reads: packs it (with all its neighbours), reads each frame with
`dicube cat --frame` and compares it with pydicom 3's raw values. Ends with 77 (skipped) without a corpus, pydicom or its plug-ins.
"""

import collections
import json
import os
import subprocess
import sys
import tempfile
import warnings

SKIP = 77
NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"}
HTJ2K = {"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"}
CODED = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91)} | {"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1"}
# How far two decoders of a lossy codestream may differ: they round differently, and where the colour is subsampled, they
# differ in how they fill in the values between.
LOSSY = {f"1.2.840.10008.1.2.4.{n}": 1 for n in (51, 91, 203)} | {"1.2.840.10008.1.2.4.50": 8}

# Files whose frames differ or are missing on purpose, and why.
REVIEWED = {
    "MR_truncated.dcm": "the pixel data is cut off: kept byte-exact, no frames",
    "bad_sequence.dcm": "the data set can't be parsed up to the pixels: kept byte-exact",
}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


try:
    import libjpeg  # noqa: F401  (pylibjpeg's plug-ins: pydicom decodes with them)
    import numpy
    import openjpeg  # noqa: F401
    import pydicom
    import rle  # noqa: F401
    from pydicom.pixels import get_decoder
except ImportError as error:
    skip(f"{error}")


def frames_of_pydicom(data):
    """Stored values as rows x columns x samples, interleaved, not colour-converted."""
    syntax = data.file_meta.TransferSyntaxUID
    decoder = get_decoder(syntax)
    count = int(data.get("NumberOfFrames") or 1)
    for index in range(count):
        values, _ = decoder.as_array(data, index=index, raw=True, decoding_plugin="pylibjpeg" if data.file_meta.TransferSyntaxUID.is_compressed else "")
        yield values


def without_upper_bits(values, bits):
    """pydicom clears or sign-extends the bits above Bits Stored; we keep them."""
    unused = 8 * values.dtype.itemsize - bits
    return (values << unused) >> unused if values.dtype.kind in "iu" and 0 < bits and unused > 0 else values


def compare(ours, theirs, bits_stored, lossy):
    dtype = theirs.dtype.newbyteorder("<")
    if len(ours) != theirs.size * dtype.itemsize:
        return f"{len(ours)} bytes instead of {theirs.size * dtype.itemsize}"
    got = without_upper_bits(numpy.frombuffer(ours, dtype).reshape(theirs.shape), bits_stored)
    theirs = without_upper_bits(theirs, bits_stored)
    if numpy.array_equal(got, theirs, equal_nan=theirs.dtype.kind == "f"):
        return None
    worst = numpy.max(numpy.abs(got.astype("f8") - theirs.astype("f8")))
    if lossy and worst <= lossy and numpy.mean(numpy.abs(got.astype("f8") - theirs.astype("f8"))) < 0.5:
        return None
    return f"{numpy.count_nonzero(got != theirs)} of {theirs.size} values differ, by up to {worst:g}"


def program_and_corpus():
    """From the command line: the program of the build, and a folder of DICOM files; ends where there is none."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    corpus = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("DICUBE_CORPUS", os.path.join(root, "..", "shared", "data"))
    if not os.path.isdir(corpus):
        skip(f"no corpus at {corpus}")
    warnings.simplefilter("ignore")
    return os.path.join(os.path.abspath(sys.argv[1]), "bin", "dicube"), corpus


def read_by_pydicom(path):
    """The data set and its frames; None for what has no pixels, or in a syntax that pydicom does not know."""
    data = pydicom.dcmread(path, force=True)
    syntax = str(data.file_meta.get("TransferSyntaxUID") or "")
    if not syntax:
        syntax = "1.2.840.10008.1.2" if data.original_encoding[0] else "1.2.840.10008.1.2.1"
        data.file_meta.TransferSyntaxUID = syntax
    if syntax not in NATIVE | HTJ2K | CODED or not any(k in data for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        return None
    return data, list(frames_of_pydicom(data))


class Comparison:
    """Frames of archives, compared one by one."""

    def __init__(self, dicube, corpus):
        self.dicube, self.corpus = dicube, corpus
        self.counts, self.bad = collections.Counter(), 0

    def archive(self, path):
        first = 0
        for line in subprocess.run([self.dicube, "ls", "--json", path], check=True, capture_output=True, text=True).stdout.splitlines():
            entry = json.loads(line)
            self.file(path, entry["name"], first, entry["frames"])
            first += entry["frames"]

    def file(self, archive, name, first, frames):
        try:
            read = read_by_pydicom(os.path.join(self.corpus, name))
        except Exception as error:
            self.counts["not read by pydicom"] += 1
            if frames:
                print(f"pydicom can't read {name}: {str(error)[:100]}")
            return
        if not read:
            return
        self.counts["files"] += 1
        why = self.difference(archive, first, frames, *read)
        if why:
            reason = REVIEWED.get(os.path.basename(name))
            self.counts["reviewed" if reason else "different"] += 1
            self.bad += not reason
            print(f"{name}: {why}" + (f" (reviewed: {reason})" if reason else ""))

    def difference(self, archive, first, frames, data, theirs):
        if len(theirs) != frames:
            return f"{frames} frames instead of {len(theirs)}"
        lossy = LOSSY.get(str(data.file_meta.TransferSyntaxUID), 0)
        for index, values in enumerate(theirs):
            done = subprocess.run([self.dicube, "cat", archive, "--frame", str(first + index)], capture_output=True)
            self.counts["frames"] += 1
            why = done.stderr.decode().strip() if done.returncode else compare(done.stdout, values, int(data.get("BitsStored") or 0), lossy)
            if why:
                return f"frame {index}: {why}"
        return None


def main():
    dicube, corpus = program_and_corpus()
    compared = Comparison(dicube, corpus)
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([dicube, "pack", "-q", "--all", corpus, "-o", work], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for archive in sorted(os.listdir(work)):
            compared.archive(os.path.join(work, archive))
    print(", ".join(f"{count} {what}" for what, count in compared.counts.items()))
    sys.exit(1 if compared.bad else 0)


if __name__ == "__main__":
    main()
