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
    "SC_rgb_small_odd_big_endian.dcm": "27 bytes in big-endian words of two: kept byte-exact, no frames",
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


def main():
    build = os.path.abspath(sys.argv[1])
    dicube = os.path.join(build, "bin", "dicube")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    corpus = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("DICUBE_CORPUS", os.path.join(root, "..", "shared", "data"))
    if not os.path.isdir(corpus):
        skip(f"no corpus at {corpus}")
    warnings.simplefilter("ignore")
    counts, bad = collections.Counter(), []
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([dicube, "pack", "-q", "--all", corpus, "-o", work], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for archive in sorted(os.listdir(work)):
            path = os.path.join(work, archive)
            frame = 0
            for line in subprocess.run([dicube, "ls", "--json", path], check=True, capture_output=True, text=True).stdout.splitlines():
                entry = json.loads(line)
                first, frame = frame, frame + entry["frames"]
                name = entry["name"]
                try:
                    data = pydicom.dcmread(os.path.join(corpus, name), force=True)
                    syntax = str(data.file_meta.get("TransferSyntaxUID") or "")
                    if not syntax:
                        syntax = "1.2.840.10008.1.2" if data.original_encoding[0] else "1.2.840.10008.1.2.1"
                        data.file_meta.TransferSyntaxUID = syntax
                    if syntax not in NATIVE | HTJ2K | CODED or not any(k in data for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
                        continue
                    theirs = list(frames_of_pydicom(data))
                except Exception as error:
                    counts["not read by pydicom"] += 1
                    if entry["frames"]:
                        print(f"pydicom can't read {name}: {str(error)[:100]}")
                    continue
                why = None if len(theirs) == entry["frames"] else f"{entry['frames']} frames instead of {len(theirs)}"
                for index, values in enumerate(theirs if why is None else []):
                    done = subprocess.run([dicube, "cat", path, "--frame", str(first + index)], capture_output=True)
                    why = done.stderr.decode().strip() if done.returncode else compare(done.stdout, values, int(data.get("BitsStored") or 0), LOSSY.get(syntax, 0))
                    counts["frames"] += 1
                    if why:
                        why = f"frame {index}: {why}"
                        break
                counts["files"] += 1
                if why:
                    reason = REVIEWED.get(os.path.basename(name))
                    counts["reviewed" if reason else "different"] += 1
                    (bad if not reason else []).append(name)
                    print(f"{name}: {why}" + (f" (reviewed: {reason})" if reason else ""))
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
