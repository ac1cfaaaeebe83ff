"""spec/format.md: header, sections, and "Putting a file together"."""

import hashlib
import os
import struct
from collections import namedtuple

import numpy as np

from . import codecs, recipes
from .notation import PROTOCOLS, Bytes, NotCovered, check, checksum, unzstd, value_list

Instance = namedtuple("Instance", "size frames folder sha256")
Column = namedtuple("Column", "parent tag kind form encoding undefined vr reserved")
Format = namedtuple("Format", "rows columns samples bits signed planar subsampled swap syntax head recipe recipe_head")
Frame = namedtuple("Frame", "format codec reference source_size block")
ELEMENT, SEQUENCE, PIXELS, FRAGMENTS, NAME, PREAMBLE, TAIL, ROOTS = range(8)
BIG_ENDIAN = 2


def shares_groups(shape):
    return codecs.frame_bits(shape) % (8 * shape.swap) != 0 and shape.swap > 1


def reversed_groups(value, size):
    check(len(value) % size == 0, f"{len(value)} bytes in groups of {size}")
    return np.frombuffer(value, "u1").reshape(-1, size)[:, ::-1].tobytes()


class Archive:
    def __init__(self, data):
        self.data = data
        head = Bytes(data)
        magic = head.take(8)
        check(magic == b"\x89DCB\r\n\x1a\n", "not a .dcbs file")
        major, _, count, required, _, front, size, _, sum_ = head.unpack("HHIQQQQQQ")
        if major != 2:
            raise NotCovered(f"major version {major}")
        check(count <= 64, "over 64 sections")
        directory = head.take(40 * count)
        check(sum_ == checksum(data[:56] + directory, 0), "header: checksum")
        if required & ~3:
            raise NotCovered(f"required features {required:x}")
        self.references, self.repeats = required & 1, required & 2
        check(size == len(data), "another size of the file")
        sections, place = {}, head.at
        entries = Bytes(directory)
        for _ in range(count):
            name, flags, offset, stored, unpacked, sum_ = entries.unpack("4sIQQQQ")
            check(offset == place and name not in sections, "sections: a gap, or one twice")
            check(flags & ~1 == 0, "section: unknown flags")
            place += stored
            section = data[offset:place]
            if name == b"DATA":
                check(offset == front and place == size and flags == 0, "DATA: its place")
                self.data_at = offset
            else:
                check(sum_ == checksum(section, int.from_bytes(name, "little")), f"{name}: checksum")
                section = unzstd(section, unpacked, PROTOCOLS) if flags else section
                check(len(section) == unpacked, f"{name}: its size")
            sections[name] = section
        check(place == size and name == b"DATA", "sections: end before the file or DATA")
        check({b"INST", b"SCHM", b"COLS", b"FRAM"} <= set(sections), "a section is missing")
        self.read_instances(Bytes(sections[b"INST"]))
        self.read_frames(Bytes(sections[b"FRAM"]))
        self.read_columns(Bytes(sections[b"SCHM"]), Bytes(sections[b"COLS"]))
        self.read_findings(Bytes(sections[b"FIND"])) if b"FIND" in sections else None

    def read_instances(self, data):
        """Section INST."""
        self.series, count = data.string(), data.varint()
        lists = [data.ints(count) for _ in range(3)]
        self.instances = [Instance(*numbers, data.take(32)) for numbers in zip(*lists)]
        data.end("INST")

    def read_frames(self, data):
        """Section FRAM."""
        formats = []
        for _ in range(data.varint()):
            rows, columns, samples, bits, _, _ = (data.varint() for _ in range(6))
            flags, swap = data.u8(), data.u8()
            _, syntax, head = data.string(), data.string(), data.string()
            recipe, recipe_head = (data.u8(), data.string()) if syntax else (0, b"")
            signed, planar, subsampled = flags & 1, flags >> 2 & 1, flags >> 4 & 1
            if recipe:  # its pixels are never planar
                planar = subsampled = 0
            formats.append(Format(rows, columns, samples, bits, signed, planar, subsampled, swap, syntax, head, recipe, recipe_head))
        count, self.frames = data.varint(), []
        while len(self.frames) < count:
            length, format_, codec = data.varint(), data.varint(), data.u8()
            check(length >= 1 and format_ < len(formats), "FRAM: run")
            self.frames += [Frame(formats[format_], codec, None, None, None)] * length
        check(len(self.frames) == count, "FRAM: number of frames")
        pixels = [i for i, f in enumerate(self.frames) if not f.format.syntax or f.format.recipe]  # stored as pixels, in the run's codec
        for i in pixels:
            if self.frames[i].format.recipe:
                self.frames[i] = self.frames[i]._replace(source_size=data.varint())
        for i in pixels:
            if self.references and self.frames[i].codec == 5:
                other = i - data.varint()
                check(0 <= other < i and self.frames[other].codec in (3, 5), "reference")
                own = self.frames[i].format
                check(self.frames[other].format._replace(head=own.head) == own, "reference: its format")
                self.frames[i] = self.frames[i]._replace(reference=other)
        for i in pixels:
            chain = 1
            while self.frames[i].reference is not None:
                i, chain = self.frames[i].reference, chain + 1
            check(chain <= 8, "a chain of more than 8 frames")
        self.frames = [frame._replace(block=i) for i, frame in enumerate(self.frames)]
        self.read_repeats(data) if self.repeats else None
        check(len(self.frames) == sum(i.frames for i in self.instances), "FRAM: number of frames")
        blocks = data.varint()
        place, self.blocks = self.data_at, []
        for size in [data.varint() for _ in range(blocks)]:
            self.blocks.append(self.data[place : place + size])
            place += size
        check(place == len(self.data), "FRAM: blocks of another size than DATA")
        for number, block in enumerate(self.blocks):
            check(data.unpack("Q")[0] == checksum(block, number), f"block {number}: checksum")
        data.end("FRAM")

    def read_repeats(self, data):
        """Section FRAM, repeats: `frames` becomes all frames, and references are numbers among these."""
        others, self.frames, places = self.frames, [], []

        def take(n):
            check(len(places) + n <= len(others), "repeats: more skipped than there is")
            for frame in others[len(places) : len(places) + n]:
                places.append(len(self.frames))
                self.frames.append(frame if frame.reference is None else frame._replace(reference=places[frame.reference]))

        for _ in range(data.varint()):
            take(data.varint())
            length, distance = data.varint(), data.varint()
            check(1 <= length and 1 <= distance <= len(self.frames), "a repeat")
            check(len(self.frames) - len(places) + length <= 1 << 18, "too many repeats")
            for _ in range(length):
                self.frames.append(self.frames[-distance])
        take(len(others) - len(places))

    def read_columns(self, data, cols):
        """Section SCHM: the columns, the layouts, and an iterator over each column's rows."""
        count = data.varint()
        parents, tags, flags, vrs, reserved = (data.ints(count) for _ in range(5))
        self.columns = [
            Column(p - 1, t, f & 7, f >> 3 & 3, f >> 5 & 3, f >> 7, vr, r) for p, t, f, vr, r in zip(parents, tags, flags, vrs, reserved)
        ]
        self.layouts = [data.ints(data.varint()) for _ in range(data.varint())]
        chunks_of = data.ints(count)
        total = data.varint()
        places, rows, sizes = (data.ints(total) for _ in range(3))
        blocks = iter(data.ints(places.count(2)))
        check(sum(chunks_of) == total, "SCHM: number of chunks")
        chunks, columns = iter(zip(places, rows, sizes)), []
        for chunks_here in chunks_of:
            values = []
            for _ in range(chunks_here):
                place, n, size = next(chunks)
                check(n > 0, "a chunk without rows")
                if place == 3:
                    check(chunks_here == 1 and 0 <= size < len(columns) and len(columns[size]) == n, "a column like another one")
                    values += columns[size]
                    continue
                if place == 2:
                    content = self.blocks[next(blocks)]
                    check(len(content) == size, "a chunk of another size than its block")
                else:
                    content = (data, cols)[place].take(size)
                values += value_list(content, n)
            columns.append(values)
        data.end("SCHM")
        cols.end("COLS")
        self.rows = [iter(values) for values in columns]

    def read_findings(self, data):
        """Section FIND."""
        for _ in range(data.varint()):
            data.u8(), data.string(), data.string(), data.ints(data.varint())
        data.end("FIND")

    # ---- format.md, "Putting a file together" ---------------------------------------------------------------------------------------

    def originals(self):
        """Name, bytes and None of each file and folder, or a name, None and why this reader can't make it."""
        first = 0
        for instance in self.instances:
            self.unable, self.first = None, first
            name, file = self.original([self.source(i) for i in range(first, first + instance.frames)])
            first += instance.frames
            if not self.unable:
                check(len(file) == instance.size, f"{name}: {len(file)} bytes instead of {instance.size}")
                check(hashlib.sha256(file).digest() == instance.sha256, f"{name}: another SHA-256")
            yield name, None if self.unable else file, instance.folder, self.unable
        for number, rows in enumerate(self.rows):
            check(next(rows, None) is None, f"column {number}: rows left over")

    def source(self, number):
        try:
            return self.source_of_frame(number)
        except NotCovered as why:
            self.unable = str(why)
            return b""

    def original(self, frames):
        single = {c.kind: next(self.rows[i]) for i, c in enumerate(self.columns) if c.kind >= NAME}
        roots = Bytes(single[ROOTS])
        meta, data_set, _, kept = roots.varint(), roots.varint(), roots.u8(), roots.u8()
        roots.end("roots")
        body = self.walk(meta, frames) + self.walk(data_set, frames)
        return os.fsdecode(single[NAME]), single[TAIL] if kept else single[PREAMBLE] + body + single[TAIL]

    def walk(self, layout, frames):
        out = b""
        for number in self.layouts[layout]:
            column, value = self.columns[number], next(self.rows[number])
            if column.kind == SEQUENCE:
                value = self.items(value, frames)
            elif column.kind == PIXELS:
                value = self.joined(frames) + value
                if frames and not self.unable and shares_groups(self.frames[self.first].format):
                    value = reversed_groups(value, self.frames[self.first].format.swap)
            elif column.kind == FRAGMENTS:
                value = fragments(value, frames)
            out += header(column, len(value)) + value
            if column.kind in (SEQUENCE, FRAGMENTS) and column.undefined:
                out += item_header(0xFFFEE0DD, 0, column.encoding == BIG_ENDIAN)
        return out

    def items(self, value, frames):
        """The value of a sequence: an item list."""
        value, out = Bytes(value), b""
        while value.at < len(value.data):
            item = value.varint()
            content = self.walk(item >> 2, frames)
            undefined, big = item & 1, item >> 1 & 1
            out += item_header(0xFFFEE000, 0xFFFFFFFF if undefined else len(content), big) + content
            out += item_header(0xFFFEE00D, 0, big) if undefined else b""
        return out

    def joined(self, frames):
        """Native frames, of which one need not start at a byte: both then have the byte that they share."""
        if not frames or self.unable:
            return b""
        bits = codecs.frame_bits(self.frames[self.first].format)
        out = bytearray((len(frames) * bits + 7) // 8)
        for i, frame in enumerate(frames):
            first, end = i * bits // 8, ((i + 1) * bits + 7) // 8
            check(len(frame) == end - first, "a native frame of another size")
            out[first:end] = frame
        return bytes(out)

    # ---- format.md, "FRAM": from a block to the source's bytes ----------------------------------------------------------------------

    def source_of_frame(self, number):
        frame = self.frames[number]
        block = self.blocks[frame.block]
        shape = frame.format
        if shape.syntax and not shape.recipe:
            return shape.head + block
        if shape.syntax:
            pixels, recipe = self.pixels(number)
            if shape.recipe not in recipes.RECIPES:
                raise NotCovered(f"recipe {shape.recipe}")
            source = recipes.RECIPES[shape.recipe](pixels, Bytes(recipe), shape)
            check(len(source) == frame.source_size, "a codestream of another size")
            return source
        pixels = self.pixels(number)[0]
        if shape.subsampled:  # rows of Y, Cb, Cr become Y Y Cb Cr
            rows = np.frombuffer(pixels, "u1").reshape(shape.rows, 4, shape.columns // 2)
            y = rows[:, :2].reshape(shape.rows, shape.columns // 2, 2)
            pixels = np.concatenate([y, rows[:, 2, :, None], rows[:, 3, :, None]], axis=2).tobytes()
        return pixels if shares_groups(shape) else reversed_groups(pixels, shape.swap)

    def pixels(self, number):
        """A frame's bytes as its codec gives them, and its recipe."""
        frame = self.frames[number]
        block = self.blocks[frame.block]
        shape, recipe = frame.format, b""
        if shape.recipe:
            size = int.from_bytes(block[-4:], "little")
            check(size + 4 <= len(block), "recipe: beyond its block")
            recipe = shape.recipe_head + block[len(block) - 4 - size : -4]
            block = block[: len(block) - 4 - size]
        stream = shape.head + block
        if shape.subsampled:
            shape = shape._replace(samples=1, columns=2 * shape.columns, subsampled=0)
        if shape.bits == 1:  # the bytes that it touches, those that it shares with other frames too
            first = (number - self.first) * codecs.frame_bits(shape)
            columns = (first + codecs.frame_bits(shape) + 7) // 8 - first // 8
            shape = shape._replace(rows=1, columns=columns, samples=1, bits=8, signed=0, planar=0)
        if frame.codec == 5:
            check(frame.reference is not None, "codec 5 without a reference")
            return codecs.lane_inter(stream, shape, self.pixels(frame.reference)[0]), recipe
        if frame.codec not in codecs.CODECS:
            raise NotCovered(f"codec {frame.codec}")
        return codecs.CODECS[frame.codec](stream, shape), recipe


def header(column, length):
    order = ">" if column.encoding == BIG_ENDIAN else "<"
    length = 0xFFFFFFFF if column.undefined or column.kind == FRAGMENTS else length
    tag = struct.pack(order + "HH", column.tag >> 16, column.tag & 0xFFFF)
    vr = struct.pack(">H", column.vr)
    if column.form == 0:
        return tag + struct.pack(order + "I", length)
    if column.form == 1:
        return tag + vr + struct.pack(order + "H", length)
    return tag + vr + struct.pack(order + "HI", column.reserved, length)


def item_header(tag, length, big):
    return struct.pack((">" if big else "<") + "HHI", tag >> 16, tag & 0xFFFF, length)


def fragments(value, frames):
    """The value of fragments: the value tells the offset table and how the frames are cut."""
    value = Bytes(value)
    flags = value.u8()
    check(flags & 3 < 3 and flags < 8, "fragments: flags")
    table = value.string() if flags & 3 == 2 else b""
    offsets, place, out = b"", 0, b""
    for frame in frames:
        count = value.varint() if flags & 4 else 1
        sizes = [value.varint() for _ in range(count - 1)]
        check(count >= 1 and sum(sizes) <= len(frame), "fragments: sizes")
        sizes.append(len(frame) - sum(sizes))
        offsets += struct.pack("<I", place % 2**32)
        frame = Bytes(frame)
        for size in sizes:
            out += item_header(0xFFFEE000, size, False) + frame.take(size)
            place += 8 + size
    value.end("fragments")
    table = offsets if flags & 3 == 1 else table
    return item_header(0xFFFEE000, len(table), False) + table + out
