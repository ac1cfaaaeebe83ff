#!/usr/bin/env python3
"""What dicube packs, restored by the reader that was written from spec/ alone: tests/archives_by_spec.py BUILD_FOLDER

Packs small series in every codec, and odd ones made here, and compares what the reader makes of the archives with the originals. Reads the
golden files, too. Ends with 77 (skipped) without the Python packages that the reader needs.
"""

import collections
import os
import re
import struct
import subprocess
import sys
import tempfile

SKIP = 77
ROOT = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(ROOT, "golden")

try:
    import numpy
    from by_spec.archive import Archive
    from by_spec.jpegls import Scan
    from by_spec.lane import frame as lane_frame
    from by_spec.notation import Damaged, NotCovered
    from by_spec.recipes import bits_joined, colours_apart, jpeg_codes
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(SKIP)

# ---- odd series ---------------------------------------------------------------------------------------------------------------------

LITTLE, BIG, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5"
JPEG_LOSSLESS, JPEG_LS = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.80"


def element(tag, vr, value, order="<", undefined=False):
    value = value.encode() if isinstance(value, str) else struct.pack(order + "H", value) if isinstance(value, int) else value
    value += (b" " if vr in ("CS", "LO", "IS") else b"\0") * (len(value) % 2)
    size = 0xFFFFFFFF if undefined else len(value)
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack(order + "HI", 0, size) if vr in ("OB", "OW", "OF", "SQ", "UN") else struct.pack(order + "H", size)) + value


def item(content, undefined=False):
    end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) if undefined else b""
    return struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF if undefined else len(content)) + content + end


def dicom(series, number, pixels, rows, columns, bits=16, signed=0, samples=1, colour="MONOCHROME2", planar=0, frames=1, syntax=LITTLE,
          vr="OW", extra=b""):  # fmt: skip
    order = ">" if syntax == BIG else "<"
    uid = f"1.2.826.0.1.3680043.10.1307.9.{series}"
    meta = element(0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.7") + element(0x00020003, "UI", f"{uid}.{number}") + element(0x00020010, "UI", syntax)
    fields = [
        (0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7"), (0x00080018, "UI", f"{uid}.{number}"), (0x00080060, "CS", "OT"),
        (0x0020000D, "UI", uid + ".1"), (0x0020000E, "UI", uid), (0x00200013, "IS", f"{number}"), (0x00280002, "US", samples),
        (0x00280004, "CS", colour), (0x00280006, "US", planar), (0x00280008, "IS", f"{frames}"), (0x00280010, "US", rows),
        (0x00280011, "US", columns), (0x00280100, "US", bits), (0x00280101, "US", bits), (0x00280102, "US", bits - 1), (0x00280103, "US", signed),
    ]  # fmt: skip
    data = b"".join(element(*field, order) for field in fields if field[0] != 0x00280006 or samples > 1)
    tag = 0x7FE00008 if vr == "OF" else 0x7FE00010
    pixels = extra + element(tag, vr, pixels, order, undefined=syntax in (RLE, JPEG_LOSSLESS, JPEG_LS))
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + data + pixels


def in_big_words(value):
    return numpy.frombuffer(value + b"\0" * (len(value) % 2), "u1").reshape(-1, 2)[:, ::-1].tobytes()


def odd_series():
    """Name and bytes of files whose pixels and headers are of the less common kinds; slices of a series resemble one another."""
    random = numpy.random.default_rng(1)
    y, x = numpy.mgrid[:40, :70]
    texture = random.integers(0, 60, x.shape)
    for n in range(4):
        smooth = 30 * numpy.sin(x / 9 + n / 20) + 20 * numpy.cos(y / 7) + texture + random.integers(0, 2, x.shape)
        yield f"signed-8/{n}", dicom(1, n, smooth.astype("i1").tobytes(), 40, 70, 8, signed=1)
        yield f"signed-16/{n}", dicom(2, n, (smooth * 250).astype("<i2").tobytes(), 40, 70, 16, signed=1)
        yield f"gaps/{n}", dicom(3, n, (smooth.astype("i8") * 160 + 20000).astype("<u2").tobytes(), 40, 70)
        colours = numpy.stack([smooth + 90, smooth + 100, 120 - smooth], axis=2).astype("u1")
        yield f"rgb/{n}", dicom(4, n, colours.tobytes(), 40, 70, 8, samples=3, colour="RGB", vr="OB")
        yield f"planar/{n}", dicom(5, n, numpy.moveaxis(colours, 2, 0).tobytes(), 40, 70, 8, samples=3, colour="RGB", planar=1, vr="OB")
        pairs = numpy.concatenate([colours[:, :, 0].reshape(40, 35, 2), colours[:, ::2, 1:]], axis=2)
        yield f"422/{n}", dicom(6, n, pairs.tobytes(), 40, 70, 8, samples=3, colour="YBR_FULL_422", vr="OB")
        yield f"422-big/{n}", dicom(7, n, pairs.tobytes(), 40, 70, 8, samples=3, colour="YBR_FULL_422", syntax=BIG)
        yield f"big-16/{n}", dicom(8, n, (smooth * 200 + 30000).astype(">u2").tobytes(), 40, 70, syntax=BIG)
        yield f"32/{n}", dicom(9, n, (smooth * 1000 + 10**6).astype("<u4").tobytes(), 40, 70, 32)
        yield f"float/{n}", dicom(10, n, smooth.astype("<f4").tobytes(), 40, 70, 32, vr="OF")
        yield from large(n)
    for n, pixels in enumerate([0, 1, 2, 3, 1, 4, 0, 5, 5, 6, 2, 7]):
        noise = 8 * texture + numpy.random.default_rng(pixels).integers(0, 6, x.shape)
        yield f"again/{n}", dicom(22, n, noise.astype("<u2").tobytes(), 40, 70)
    shared = numpy.arange(7 * 33 * 5 * 9 // 8 + 1).astype("u1").tobytes()
    yield "bits/0", dicom(11, 0, shared, 33, 7, 1, frames=45, vr="OB")
    yield "big-bits/0", dicom(20, 0, in_big_words(shared), 33, 7, 1, frames=45, syntax=BIG)
    yield "big-odd/0", dicom(21, 0, in_big_words(random.integers(90, 99, 3 * 35).astype("u1").tobytes()), 5, 7, 8, frames=3, syntax=BIG)
    wild = random.choice([0, 1, 32767, 32768, 65535], (3, 29, 131)).astype("<u2")
    yield "extremes/0", dicom(12, 0, wild.tobytes(), 29, 131, frames=3)
    yield "narrow/0", dicom(13, 0, (numpy.arange(90) ** 2).astype("<u2").tobytes(), 90, 1)
    inner = item(element(0x00080100, "SH", "A")) + item(element(0x00080104, "LO", "a meaning") + element(0x00080100, "SH", ""), undefined=True)
    outer = item(element(0x00080008, "CS", "X\\Y") + element(0x00081140, "SQ", inner), undefined=True) + item(b"")
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    extra = element(0x00400555, "SQ", outer + end, undefined=True)
    extra += element(0x00410010, "LO", "OURS") + element(0x00411001, "UN", bytes(range(99)))
    yield "nested/0", dicom(14, 0, bytes(range(256)) * 2, 16, 16, extra=extra) + element(0xFFFCFFFC, "OB", bytes(10))
    for n in range(2):
        protocol = "".join(f"sSliceArray.asSlice[{i}].sPosition.dTra\t = \t{3.5 * i + n}\n" for i in range(60)) + "### ASCCONV END ###\n"
        extra = element(0x00290010, "LO", "SIEMENS CSA HEADER") + element(0x00291020, "OB", protocol.encode())
        yield f"protocol/{n}", dicom(19, n, bytes(512), 16, 16, extra=extra)
    for n in range(4):
        lengths = random.integers(1, 9, 30) * (1 if n < 3 else 7)
        runs = numpy.repeat(random.integers(0, 3, (20, 30)).astype("u1"), lengths, axis=1)
        yield f"rle/{n}", dicom(15, n, rle_fragments(runs, n), *runs.shape, 8, syntax=RLE, vr="OB")
        yield f"ends-early/{n}", dicom(23, n, rle_fragments(runs, n)[:-8], *runs.shape, 8, syntax=RLE, vr="OB", extra=item(b"stray!"))
    for n, (interleave, transform) in enumerate([(0, 0), (1, 0), (2, 0), (1, 1), (2, 2), (2, 3)]):
        stream = encapsulated([jpeg_ls(colours, interleave, transform)])
        yield f"jpeg-ls-rgb/{n}", dicom(16, n, stream, 40, 70, 8, samples=3, colour="RGB", syntax=JPEG_LS, vr="OB")
    for n in range(2):
        grey = numpy.where(x > 20, smooth + 90 + n, n).astype("u1")
        yield f"jpeg-ls/{n}", dicom(17, n, encapsulated([jpeg_ls(grey[:, :, None], 0, 0)]), 40, 70, 8, syntax=JPEG_LS, vr="OB")
    for n in range(7):
        stream = encapsulated([jpeg_lossless((smooth * 200 + 30000).astype("u2"), n + 1, n % 3 * 3)])
        yield f"jpeg/{n}", dicom(18, n, stream, 40, 70, syntax=JPEG_LOSSLESS, vr="OB")


def large(n):
    """Slices that are coded in 64 lanes: an ellipse of noise on nothing, with few values, many, ones far apart, and in colours; one with
    as many pixels as pay for all classes."""
    for series, (name, rows, columns, most) in enumerate((("few", 90, 120, 40), ("many", 140, 150, 9000), ("wide", 67, 200, 65535), ("all", 260, 280, 900))):
        random = numpy.random.default_rng(2)
        y, x = numpy.mgrid[:rows, :columns]
        inside = (2 * y / rows - 1) ** 2 + (2 * x / columns - 1) ** 2 < 0.4
        grey = random.integers(0, most // 2, x.shape) * inside
        grey += (numpy.random.default_rng(n).integers(0, most // 20 + 2, x.shape) + most // 4) * inside
        yield f"large-{name}/{n}", dicom(30 + series, n, (grey * (3 if name == "few" else 1)).astype("<u2").tobytes(), rows, columns)
        if name == "few":
            colours = numpy.stack([grey, grey + 9 * inside, 2 * grey], axis=2).astype("u1")
            yield f"large-rgb/{n}", dicom(40, n, colours.tobytes(), rows, columns, 8, samples=3, colour="RGB", vr="OB")


def rle_fragments(pixels, number):
    """Encapsulated, by four ways to choose tokens: runs of two and more, of three and more, no runs, granules; in one or two fragments."""
    coded, granule, least = bytearray(), 16 if number == 3 else 1, (2, 3, 1000, 16)[number]
    for row in pixels.tolist():
        while row:
            run = min(128, next((i for i, value in enumerate(row) if value != row[0]), len(row))) // granule * granule
            coded += bytes([257 - run, row[0]] if run >= least else [len(row[:granule]) - 1, *row[:granule]])
            row = row[run if run >= least else granule :]
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + bytes(coded) + b"\0" * (len(coded) % 2)
    cut = len(frame) // 4 * 2 if number else len(frame)
    pieces = [frame[:cut], frame[cut:]] if cut < len(frame) else [frame]
    return encapsulated(pieces, struct.pack("<I", 0) if number == 1 else b"")


def encapsulated(pieces, offsets=b""):
    return item(offsets) + b"".join(item(piece + b"\0" * (len(piece) % 2)) for piece in pieces) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def segment(marker, *content):
    content = b"".join(part if isinstance(part, bytes) else bytes(part) for part in content)
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_ls(pixels, interleave, transform, near=0):
    """By the reader's own coder: that dicube takes a recipe for it shows that both code alike."""
    rows, columns, samples = pixels.shape
    planes = [plane.astype("i8") for plane in numpy.moveaxis(pixels, 2, 0)]
    if transform:
        planes = [plane & 255 for plane in colours_apart(*planes, transform, 128)]
    size = struct.pack(">BHHB", 8, rows, columns, samples)
    head = segment(0xF7, size, *([c + 1, 0x11, 0] for c in range(samples)))
    head = (segment(0xE8, b"mrfx", [transform]) if transform else b"") + head
    scans = [range(samples)] if interleave else [[c] for c in range(samples)]
    for scan in scans:
        head += segment(0xDA, [len(scan)], *([c + 1, 0] for c in scan), [near, interleave, 0])
        head += Scan(8, near, [0] * 4).lines([planes[c].tolist() for c in scan], interleave == 2)
    return b"\xff\xd8" + head + b"\xff\xd9"


def jpeg_lossless(pixels, predictor, interval):
    """Codes of 5 bits for the categories 0 to 16; `interval`: rows between restart markers."""
    rows, columns = pixels.shape
    codes, lengths = jpeg_codes(pixels.astype("i8"), predictor, 1 << 15, interval, {c: (c, 5) for c in range(17)})
    head = segment(0xC3, struct.pack(">BHHB", 16, rows, columns, 1), [1, 0x11, 0]) + segment(0xC4, [0], [0] * 4, [17], [0] * 11, range(17))
    head += segment(0xDD, struct.pack(">H", interval * columns)) if interval else b""
    head += segment(0xDA, [1, 1, 0, predictor, 0, 0])
    for n, top in enumerate(range(0, rows, interval or rows)):
        part = slice(top, top + (interval or rows))
        head += (bytes([0xFF, 0xD0 + (n - 1) % 8]) if n else b"") + bits_joined(codes[part].ravel(), lengths[part].ravel(), 1)
    return b"\xff\xd8" + head + b"\xff\xd9"


# ---- packing and comparing ----------------------------------------------------------------------------------------------------------


def example():
    """The archive of spec/example.md, and its first original."""
    with open(os.path.join(ROOT, "..", "spec", "example.md"), encoding="utf-8") as page:
        lines = re.findall(r"^    (?:([0-9A-F]{3})  )?((?:[0-9A-F]{2} )*[0-9A-F]{2})(?=  |$)", page.read(), re.MULTILINE)
    archive = b"".join(bytes.fromhex(line) for place, line in lines if place)
    return archive, b"".join(bytes.fromhex(line) for place, line in lines if not place)


def fingerprint(content):
    """FNV-1a of 64 bits."""
    found = 0xCBF29CE484222325
    for byte in content:
        found = (found ^ byte) * 0x100000001B3 % 2**64
    return found


def files_below(folder):
    found = {}
    for path, folders, files in os.walk(folder):
        for name in files:
            with open(os.path.join(path, name), "rb") as file:
                found[os.path.relpath(os.path.join(path, name), folder)] = file.read()
        if not folders and not files:
            found[os.path.relpath(path, folder)] = b""
    return found


class Comparison:
    """What was compared, and what is wrong."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.bad, self.counts, self.codecs = [], collections.Counter(), collections.Counter()

    def run(self, program, *arguments):
        return subprocess.run([os.path.join(self.build, "bin", program), *arguments], check=True, capture_output=True).stdout

    def read(self, path):
        """The archive's originals, as the reader has them; none of one that it does not read."""
        try:
            with open(path, "rb") as file:
                archive = Archive(file.read())
            seen = set()
            for frame in archive.frames:
                stored = frame.format.syntax and not frame.format.recipe
                recipe = f", recipe {frame.format.recipe}" * (frame.format.recipe > 0)
                if frame.block in seen:
                    self.codecs["a repeat" if frame.reference is None else "a repeat after a reference"] += 1
                seen.add(frame.block)
                self.codecs["as in the source" if stored else f"codec {frame.codec}{recipe}"] += 1
            return list(archive.originals())
        except Exception as why:  # whatever goes wrong in it is a finding about this archive
            self.bad.append(f"{path}: {type(why).__name__}: {why}")
            return []

    def packed_series(self):
        with tempfile.TemporaryDirectory() as work:
            self.run("dicube_phantom", os.path.join(work, "scan"), "--slices", "5", "--size", "48")
            self.run("dicube_phantom", os.path.join(work, "messy"), "--slices", "4", "--size", "40", "--messy")
            texts = {f"texts/{n}/report {n}.txt": f"Report {n}\n".encode() * n for n in range(40)}
            for name, content in {**texts, **{f"odd/{name}": content for name, content in odd_series()}}.items():
                path = os.path.join(work, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as file:
                    file.write(content)
            for source in ("scan", "messy", "texts", "odd"):
                for way in ("lane", "htj2k", "zstd", "archive") if source != "texts" else ("auto",):
                    self.packed(work, source, way)

    def packed(self, work, source, way):
        """One folder, packed one way: every file must come back out of some archive."""
        folder, target = os.path.join(work, source), os.path.join(work, f"packed-{source}-{way}")
        options = ["--archive"] if way == "archive" else ["--codec", way]
        self.run("dicube", "pack", "-q", "--all", *options, folder, "-o", target)
        left = files_below(folder)
        for archive in sorted(os.listdir(target)):
            for name, content, _, why in self.read(os.path.join(target, archive)):
                name = name.rstrip("/")
                self.counts["not covered" if why else "equal"] += 1
                if why or left.pop(name) != content:
                    self.bad.append(f"{source} by {way}, {name}: {why or 'another content'}")
        self.bad += [f"{source} by {way}, {name}: in no archive" for name in left]

    def golden_archives(self):
        names = [name for name in os.listdir(GOLDEN) if name.endswith(".dcbs")]
        self.counts["golden archives"] = sum(bool(self.read(os.path.join(GOLDEN, name))) for name in names)

    def changed_bits(self):
        with open(os.path.join(GOLDEN, "format-2.0.dcbs"), "rb") as file:
            sound = file.read()
        for place in range(0, len(sound), 29):
            try:
                Archive(sound[:place] + bytes([sound[place] ^ 1 << place % 8]) + sound[place + 1 :])
                self.bad.append(f"a changed bit in byte {place} of the golden archive is not found")
            except (Damaged, NotCovered):
                self.counts["changed bits found"] += 1

    def example(self):
        archive, original = example()
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, "example.dcbs")
            with open(path, "wb") as file:
                file.write(archive)
            names = [(name, content) for name, content, *_ in self.read(path)]
            if len(names) != 2 or names[0] != ("a.dcm", original) or self.run("dicube", "cat", path, "--instance", "0") != original:
                self.bad.append("spec/example.md: another archive than it says")

    def golden_streams(self):
        """Shapes and what is known of the pixels, as src/codec/lane_streams_test.cc makes them."""
        shape = collections.namedtuple("Shape", "rows columns samples bits")
        for name, shape_, holds in (
            ("scan-16", shape(96, 100, 1, 16), lambda v: numpy.mean(v[: 19 * 100] == 0) > 0.9),
            ("signed-16", shape(70, 130, 1, 16), lambda v: v[0] < 4),
            ("colour-8", shape(24, 40, 3, 8), lambda v: v.min() >= 0 and v.max() < 256),
            ("extremes-16", shape(20, 30, 1, 16), lambda v: set(v.ravel() % 65536) == {0, 65535}),
            ("sparse-8", shape(40, 129, 1, 8), lambda v: v.max() == 6 and 0.9 < numpy.mean(v == 0) < 1),
            ("constant-16", shape(300, 300, 1, 16), lambda v: numpy.all(v == 42)),
        ):
            with open(os.path.join(GOLDEN, f"lane-3-{name}.lane"), "rb") as file:
                self.counts["golden streams"] += 1
                if not holds(lane_frame(file.read(), shape_)):
                    self.bad.append(f"{name}: other pixels")

    def golden_streams_of_any_parameters(self):
        """Those that src/codec/lane_any_test.cc made, most of them such as no encoder chooses."""
        with open(os.path.join(GOLDEN, "lane-3-any.lanes"), "rb") as file:
            data = file.read()
        shape = collections.namedtuple("Shape", "rows columns samples bits")
        while data:
            rows, columns, size, expected = struct.unpack_from("<IIIQ", data)
            stream, data = data[20 : 20 + size], data[20 + size :]
            y, x = numpy.mgrid[:rows, :columns]
            reference = (x * x * y + 300 * x).reshape(-1, 1) if stream[1] & 2 else None
            values = lane_frame(stream, shape(rows, columns, 1, 16), reference)
            self.counts["golden streams of any parameters"] += 1
            if fingerprint((values & 65535).astype("<u2").tobytes()) != expected:
                self.bad.append(f"golden stream {self.counts['golden streams of any parameters']} of any parameters: other pixels")

    def kinds_of_frames(self):
        wanted = {f"codec {codec}" for codec in (1, 2, 3, 5)} | {f"codec 3, recipe {recipe}" for recipe in (1, 2, 3)}
        wanted |= {"a repeat", "a repeat after a reference"}
        self.bad += [f"no frame of {kind}" for kind in sorted(wanted - set(self.codecs))]


def main():
    compared = Comparison(sys.argv[1])
    compared.packed_series()
    compared.golden_archives()
    compared.changed_bits()
    compared.example()
    compared.golden_streams()
    compared.golden_streams_of_any_parameters()
    compared.kinds_of_frames()
    print("; ".join(f"{count} {what}" for what, count in (compared.counts + compared.codecs).items()))
    print("\n".join(compared.bad), end="\n" if compared.bad else "")
    sys.exit(1 if compared.bad else 0)


if __name__ == "__main__":
    main()
