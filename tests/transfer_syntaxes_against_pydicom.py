#!/usr/bin/env python3
"""What `dicube unpack --transfer-syntax` writes, read by others: tests/transfer_syntaxes_against_pydicom.py BUILD_FOLDER [CORPUS]

Takes one file of the corpus per kind of pixels (syntax, photometric interpretation, bits, sign, samples, frames), packs them, and
writes them in every transfer syntax. pydicom 3 must read the same pixels and the same elements from each file as from the original;
DCMTK must parse it; DCMTK and GDCM, where they are installed, must decode a few of each syntax to the same pixels.
Ends with 77 (skipped) without a corpus, pydicom or its plug-ins.
"""

import collections
import os
import shutil
import subprocess
import sys
import tempfile

from pixels_against_pydicom import CODED, HTJ2K, LOSSY, NATIVE, compare, frames_of_pydicom, program_and_corpus, without_upper_bits

import numpy
import pydicom
from pydicom.tag import Tag

LARGEST = 400_000  # bytes of a source file: the rest takes too long
SYNTAXES = {
    "explicit": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg2000": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "htj2k-rpcl": "1.2.840.10008.1.2.4.202",
    "jpeg-xl": "1.2.840.10008.1.2.4.110",
}
LOSSY_SYNTAXES = {  # and what the largest error may be
    "htj2k-lossy": ("1.2.840.10008.1.2.4.203", "ISO_15444_15", 4),
    "jpeg-ls-near": ("1.2.840.10008.1.2.4.81", "ISO_14495_1", 2),
    "jpeg-xl-lossy": ("1.2.840.10008.1.2.4.112", "ISO_18181_1", 4),
}
READABLE = NATIVE | HTJ2K | CODED
DECODED_BY_GDCM = ("explicit", "implicit", "rle", "jpeg-ls", "jpeg2000")
DCMTK_DECODERS = {"rle": "dcmdrle", "jpeg-ls": "dcmdjpls", "jpeg-ls-near": "dcmdjpls"}
BY_OTHERS = 6  # files of each syntax

# What changes with the pixels: (7FE0,xxxx), and what describes them.
PIXELS = {Tag(0x7FE00001), Tag(0x7FE00002), Tag(0x7FE00010)}
DESCRIPTION = {Tag(0x00280006), Tag(0x00280004), Tag(0x00282110)}
STEPS = {Tag(0x00282112), Tag(0x00282114)}  # of a source that is lossy and does not say how, what is said of it now
FRAMES = {Tag(0x00089007)}  # Frame Type, in functional groups
LOSS = {Tag(t) for t in (0x00080008, 0x00080018, 0x00082112, 0x00089007, 0x00282110, 0x00282112, 0x00282114)}


def read(path):
    data = pydicom.dcmread(path, force=True)
    if not data.file_meta.get("TransferSyntaxUID"):
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2" if data.original_encoding[0] else "1.2.840.10008.1.2.1"
    return data


def is_valid(uid):
    return pydicom.uid.UID(str(uid)).is_valid  # pydicom gives text where the VR is not UI


def pick(corpus):
    """The smallest file of each kind, with its data set and frames as pydicom reads them."""
    kinds = {}
    for folder, _, names in os.walk(corpus):
        for name in names:
            path = os.path.join(folder, name)
            if not 0 < os.path.getsize(path) <= LARGEST:
                continue
            try:
                head = pydicom.dcmread(path, force=True, stop_before_pixels=True)
                if "Rows" not in head:
                    continue
                kind = (head.file_meta.get("TransferSyntaxUID"), *(str(head.get(k)) for k in (
                    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PlanarConfiguration")),
                    int(head.get("NumberOfFrames") or 1) > 1, head.Rows % 2, head.Columns % 2)  # fmt: skip
            except Exception:
                continue
            size = os.path.getsize(path)
            if kind not in kinds or (size, path) < kinds[kind]:
                kinds[kind] = (size, path)
    for _, path in sorted(kinds.values()):
        try:
            data = read(path)
            list(data.iterall())
            if str(data.file_meta.TransferSyntaxUID) in READABLE:
                yield path, data, list(frames_of_pydicom(data))
        except Exception as error:
            print(f"pydicom can't read {path}: {str(error)[:100]}")


def little_endian(element, data):
    """pydicom swaps no words of big-endian OW values."""
    value = element.value
    if element.VR == "OW" and not data.original_encoding[1]:
        return numpy.frombuffer(value, ">u2").astype("<u2").tobytes()
    return value


def difference_of_elements(before, after, ignored):
    for data, other in ((before, after), (after, before)):
        for element in data:
            if element.tag in ignored or element.tag.element == 0:  # group lengths follow the encoding
                continue
            if element.tag not in other:
                return f"{element.tag} {element.name} is only in one of the two"
    for element in before:
        if element.tag in ignored or element.tag.element == 0 or element.VR == "SQ" or after[element.tag].VR == "SQ":
            continue
        got = after[element.tag]
        if element.VR == got.VR and little_endian(element, before) != got.value:
            return f"{element.tag} {element.name} is {str(got.value)[:60]!r}, not {str(element.value)[:60]!r}"
    for element in before:
        if element.VR != "SQ" or element.tag in ignored or after[element.tag].VR != "SQ":
            continue
        items = after[element.tag].value
        if len(items) != len(element.value):
            return f"{element.tag} {element.name} has {len(items)} items, not {len(element.value)}"
        for index, (a, b) in enumerate(zip(element.value, items)):
            why = difference_of_elements(a, b, ignored & FRAMES)
            if why:
                return f"{element.name}[{index}]: {why}"
    return None


def difference_of_frames(before, frames, after, allowed, bound=0):
    try:
        got = list(frames_of_pydicom(after))
    except Exception as error:
        return str(error)
    if len(got) != len(frames):
        return f"{len(got)} frames instead of {len(frames)}"
    for index, (ours, theirs) in enumerate(zip(got, frames)):
        ours = numpy.ascontiguousarray(ours, theirs.dtype.newbyteorder("<"))
        if bound:
            stored = int(before.get("BitsStored") or 0)
            worst = numpy.max(numpy.abs(without_upper_bits(ours, stored).astype("f8") - without_upper_bits(theirs, stored).astype("f8")))
            why = f"values differ by up to {worst:g}" if worst > allowed + bound else None
        else:
            why = compare(ours.tobytes(), theirs, int(before.get("BitsStored") or 0), allowed)
        if why:
            return f"frame {index}: {why}"
    return None


def difference_of_meta(before, after, syntax):
    meta = after.file_meta
    if meta.TransferSyntaxUID != syntax:
        return f"transfer syntax {meta.TransferSyntaxUID}"
    if meta.MediaStorageSOPInstanceUID != after.SOPInstanceUID or meta.MediaStorageSOPClassUID != after.SOPClassUID:
        return "the meta group's UIDs are not the data set's"
    if is_valid(before.SOPInstanceUID) and not is_valid(after.SOPInstanceUID):
        return f"SOP Instance UID {after.SOPInstanceUID}"
    return None


def difference_of_loss(before, after, method):
    if after.SOPInstanceUID == before.SOPInstanceUID or after.ImageType[0] != "DERIVED":
        return "not a derived image of its own"
    ratios, methods = after.LossyImageCompressionRatio, after.LossyImageCompressionMethod
    last = [v if isinstance(v, str) or not hasattr(v, "__len__") else v[-1] for v in (ratios, methods)]
    if after.LossyImageCompression != "01" or last[1] != method or not float(last[0]) > 0:
        return f"Lossy Image Compression {after.LossyImageCompression}, {ratios}, {methods}"
    return None


def unpack(dicube, archives, out, name, *more):
    done = subprocess.run([dicube, "unpack", archives, "-o", out, "--transfer-syntax", name, "--verify", "--json", *more], capture_output=True, text=True)
    return done.stdout.splitlines()


def decode_with_others(path, name, work):
    """The file as native pixels, by each decoder there is."""
    out = os.path.join(work, "decoded.dcm")
    commands = {}
    if name in DECODED_BY_GDCM and shutil.which("gdcmconv"):
        commands["gdcmconv"] = ["gdcmconv", "--raw", path, out]
    if name in DCMTK_DECODERS and shutil.which(DCMTK_DECODERS[name]):
        commands[DCMTK_DECODERS[name]] = [DCMTK_DECODERS[name], path, out]
    for tool, command in commands.items():
        done = subprocess.run(command, capture_output=True, text=True)
        yield tool, (read(out) if done.returncode == 0 else None), done.stderr.strip()


class Checker:
    def __init__(self, dicube, work):
        self.dicube, self.work, self.counts, self.bad = dicube, work, collections.Counter(), 0

    def report(self, name, file, why):
        self.bad += 1
        print(f"{name}: {file}: {why}")

    def check(self, name, syntax, files, archives, lossy=None):
        out = os.path.join(self.work, name)
        more = ["--max-error", str(lossy[1])] if lossy else []
        for line in unpack(self.dicube, archives, out, name, *more):
            if '"error"' in line and '"class":"unsupported"' not in line:
                self.report(name, "", line[:300])
        written = [f for f in files if os.path.exists(os.path.join(out, f))]
        self.counts[name] = len(written)
        if shutil.which("dcmdump") and written:
            done = subprocess.run(["dcmdump", "-q", *(os.path.join(out, f) for f in written)], capture_output=True, text=True, errors="replace")
            if "E: " in done.stderr:
                self.report(name, "dcmdump", done.stderr[:400])
        by_others = 0
        for file in written:
            path, (before, frames) = os.path.join(out, file), files[file]
            after = read(path)
            if after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID:
                continue  # the original
            allowed = LOSSY.get(str(before.file_meta.TransferSyntaxUID), 0)
            why = difference_of_meta(before, after, syntax)
            added = STEPS if after.get("LossyImageCompression") == "01" and not any(tag in before for tag in STEPS) else set()
            why = why or difference_of_elements(before, after, PIXELS | DESCRIPTION | added | (LOSS if lossy else set()))
            why = why or (difference_of_loss(before, after, lossy[0]) if lossy else None)
            if not why and syntax in READABLE:
                why = difference_of_frames(before, frames, after, allowed + (syntax in LOSSY), lossy[1] if lossy else 0)
            if why:
                self.report(name, file, why)
            elif by_others < BY_OTHERS and not lossy:
                by_others += 1
                for tool, decoded, message in decode_with_others(path, name, self.work):
                    why = difference_of_frames(before, frames, decoded, allowed) if decoded else message
                    self.counts[f"{name} by {tool}"] += 1
                    if why:
                        self.report(name, file, f"{tool}: {why}")


def main():
    dicube, corpus = program_and_corpus()
    with tempfile.TemporaryDirectory() as work:
        source, archives = os.path.join(work, "source"), os.path.join(work, "archives")
        os.mkdir(source)
        files = {}
        for index, (path, data, frames) in enumerate(pick(corpus)):
            name = f"{index:03}-{os.path.basename(path)}"
            os.symlink(os.path.abspath(path), os.path.join(source, name))
            files[name] = (data, frames)
        subprocess.run([dicube, "pack", "-q", "--all", "--codec", "htj2k", source, "-o", archives], check=True, capture_output=True)
        checker = Checker(dicube, work)
        for name, syntax in SYNTAXES.items():
            checker.check(name, syntax, files, archives)
        for name, (syntax, method, error) in LOSSY_SYNTAXES.items():
            checker.check(name, syntax, files, archives, (method, error))
        print(f"{len(files)} files; " + ", ".join(f"{count} {what}" for what, count in checker.counts.items()))
        sys.exit(1 if checker.bad else 0)


if __name__ == "__main__":
    main()
