#!/usr/bin/env python3
"""A second reader of .dcbs files, written from spec/ alone: tests/read_by_spec.py ARCHIVE... [-o FOLDER]

Checks every checksum, makes every original file again and compares it with the SHA-256 in the archive; with -o also writes it. It is
meant to be read beside the pages: each part names the section that it is. It is not meant for use: it is slow, and it leaves out the
limits that protect a reader from malice. Not covered, and reported so: recipes 2 (JPEG-LS) and 4 (JPEG from JPEG XL).
"""

import hashlib
import os
import struct
import sys
from collections import namedtuple

import numpy as np
import xxhash
import zstandard


class Damaged(Exception):
    pass


class NotCovered(Exception):
    """Sound, as far as one can see, but this reader doesn't know how."""


def check(condition, what):
    if not condition:
        raise Damaged(what)


# ---- format.md, "Notation", "Packed bytes" ------------------------------------------------------------------------------------------

MASK64 = 2**64 - 1


def signed64(number):
    return (number + 2**63) % 2**64 - 2**63


def checksum(data, seed):
    return xxhash.xxh3_64_intdigest(data, seed)


def unzstd(data, size):
    """One zstd frame that states its content size, and nothing behind it."""
    check(zstandard.frame_content_size(data) == size, "zstd: another content size")
    decoder = zstandard.ZstdDecompressor().decompressobj()
    out = decoder.decompress(data)
    check(decoder.eof and not decoder.unused_data and len(out) == size, "zstd: cut off, or bytes behind the frame")
    return out


class Bytes:
    """Bytes that are read from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        check(0 <= count <= len(self.data) - self.at, f"{count} bytes wanted, {len(self.data) - self.at} left")
        self.at += count
        return self.data[self.at - count : self.at]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self, what):
        check(self.at == len(self.data), f"{what}: bytes left over")

    def unpack(self, layout):
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return self.unpack("H")[0]

    def u32(self):
        return self.unpack("I")[0]

    def varint(self):
        number = 0
        for shift in range(0, 70, 7):
            byte = self.u8()
            number |= (byte & 127) << shift
            if byte < 128:
                check(number <= MASK64, "varint: 2^64 or more")
                return number
        raise Damaged("varint: more than 10 bytes")

    def zigzag(self):
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def string(self):
        return self.take(self.varint())

    def packed(self):
        size, stored = self.varint(), self.varint()
        if stored == 0:
            return self.take(size)
        check(size <= (16 << 20) + 256 * stored, "packed: better than allowed")
        return unzstd(self.take(stored), size)

    def ints(self, count):
        """format.md, "Integer lists": count numbers of 64 bits, signed."""
        if count == 0:
            return []
        mode, first = self.u8(), self.zigzag()
        check(mode <= 5, f"integer list: mode {mode}")
        if mode == 0:
            return [first] * count
        if mode == 1:
            step = self.zigzag()
            return [signed64(first + step * i) for i in range(count)]
        if mode in (2, 4):
            numbers = self.offsets(mode, first, count)
        else:
            differences = self.offsets(mode - 1, self.zigzag(), count - 1)
            numbers = np.cumsum(np.concatenate([np.array([first & MASK64], "u8"), differences]), dtype="u8")
        return numbers.view("i8").tolist()

    def offsets(self, mode, minimum, count):
        width = self.u8()
        if mode == 2:
            check(width <= 64, "integer list: over 64 bits")
            data = np.frombuffer(self.take((count * width + 7) // 8), "u1")
            parts = np.unpackbits(data, bitorder="little")[: count * width].reshape(count, width).T
            unit = 1
        else:
            check(1 <= width <= 8, "integer list: not 1 to 8 planes")
            data = np.frombuffer(self.packed(), "u1")
            check(len(data) == count * width, "integer list: planes of another size")
            parts, unit = data.reshape(width, count), 8
        numbers = np.full(count, minimum & MASK64, "u8")
        for place, part in enumerate(parts):
            numbers += part.astype("u8") << np.uint64(place * unit)
        return numbers


# ---- format.md, "Value lists" -------------------------------------------------------------------------------------------------------


def value_list(data, count):
    data = Bytes(data)
    kind = data.u8()
    if kind == 0:
        values = [data.rest()] * count
    elif kind == 1:
        values = plain(data, count)
    elif kind == 2:
        distinct = data.varint()
        check(distinct <= count, "dictionary: more values than rows")
        words = plain(data, distinct)
        indices = data.ints(count)
        check(all(0 <= i < distinct for i in indices), "dictionary: an index beyond its end")
        values = [words[i] for i in indices]
    elif kind == 3:
        values = text(data, count)
    elif kind == 4:
        values = binary(data, count)
    else:
        raise Damaged(f"value list: kind {kind}")
    data.end("value list")
    return values


def plain(data, count):
    sizes = data.ints(count)
    together = Bytes(data.packed())
    values = [together.take(size) for size in sizes]
    together.end("plain values")
    return values


def text(data, count):
    padding, fields = data.u8(), data.varint()
    check(padding <= 2 and fields <= 64, "text: padding or fields")
    literals = [data.string() for _ in range(fields + 1)]
    values = [literals[0]] * count
    for literal in literals[1:]:
        form, digits = data.u8(), data.varint()
        check(form <= 5 and digits <= 18, "text: format or digits")
        high = data.ints(count) if form == 5 else [0] * count
        numbers = data.ints(count)
        values = [v + decimal(form, digits, h, n) + literal for v, h, n in zip(values, high, numbers)]
    fill = (b"", b" ", b"\0")[padding]
    return [v + fill if len(v) % 2 else v for v in values]


def decimal(form, digits, high, number):
    sign, number = "-" if number < 0 else "", str(abs(number))
    if form == 1:
        number = number.zfill(digits)
    elif form == 5 and high != 0:
        check(high > 0 and not sign, "text: a wide number below 0")
        number = str(high) + number.zfill(18)
    elif form in (2, 3, 4):
        number = number.zfill(digits + 1)
        whole, decimals = number[: len(number) - digits], number[len(number) - digits :]
        if form != 3:
            decimals = decimals.rstrip("0") or ("0" if form == 4 else "")
        number = whole + ("." + decimals if decimals else "")
    return (sign + number).encode()


def binary(data, count):
    width, lanes = data.u8(), data.varint()
    check(width in (1, 2, 4, 8) and lanes <= 64, "lanes: width or number")
    words = np.zeros((count, lanes, width), "u1")
    for lane in range(lanes):
        kind, digits = data.u8(), data.u8()
        numbers = np.array(data.ints(count), "<i8")
        if kind == 0:
            words[:, lane] = numbers.view("u1").reshape(count, 8)[:, :width]
            continue
        check(kind <= 2 and digits <= 9 and width >= (8 if kind == 2 else 4), "lanes: kind or digits")
        doubles = numbers.astype("<f8") / np.float64(10**digits)
        if kind == 2 or width == 4:
            doubles = doubles.astype("<f4")
        words[:, lane] = doubles.astype(f"<f{width}").view("u1").reshape(count, width)
    return [row.tobytes() for row in words]


# ---- format.md, "Header, 64 bytes" --------------------------------------------------------------------------------------------------

Instance = namedtuple("Instance", "size frames folder sha256")
Column = namedtuple("Column", "parent tag kind form encoding undefined vr reserved")
Format = namedtuple("Format", "rows columns samples bits stored high signed floating planar subsampled swap syntax head recipe recipe_head")
Frame = namedtuple("Frame", "format codec reference source_size")
ELEMENT, SEQUENCE, PIXELS, FRAGMENTS, NAME, PREAMBLE, TAIL, ROOTS = range(8)
BIG_ENDIAN = 2


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
        if required & ~1:
            raise NotCovered(f"required features {required:x}")
        self.references = required & 1
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
                section = unzstd(section, unpacked) if flags else section
                check(len(section) == unpacked, f"{name}: its size")
            sections[name] = section
        check(place == size and name == b"DATA", "sections: end before the file or DATA")
        self.read_instances(Bytes(sections[b"INST"]))
        self.read_frames(Bytes(sections[b"FRAM"]))
        self.read_columns(Bytes(sections[b"SCHM"]), Bytes(sections[b"COLS"]))
        self.read_findings(Bytes(sections[b"FIND"])) if b"FIND" in sections else None

    def read_instances(self, data):
        """ "INST" """
        self.series, count = data.string(), data.varint()
        lists = [data.ints(count) for _ in range(3)]
        self.instances = [Instance(*numbers, data.take(32)) for numbers in zip(*lists)]
        data.end("INST")

    def read_frames(self, data):
        """ "FRAM" """
        formats = []
        for _ in range(data.varint()):
            rows, columns, samples, bits, stored, high = (data.varint() for _ in range(6))
            flags, swap = data.u8(), data.u8()
            _, syntax, head = data.string(), data.string(), data.string()
            recipe, recipe_head = (data.u8(), data.string()) if syntax else (0, b"")
            bit = [flags >> b & 1 for b in range(5)]
            formats.append(Format(rows, columns, samples, bits, stored, high, bit[0], bit[1], bit[2], bit[4], swap, syntax, head, recipe, recipe_head))
        count, self.frames = data.varint(), []
        while len(self.frames) < count:
            length, format_, codec = data.varint(), data.varint(), data.u8()
            check(length >= 1 and format_ < len(formats), "FRAM: run")
            self.frames += [Frame(formats[format_], codec, None, None)] * length
        check(len(self.frames) == count == sum(i.frames for i in self.instances), "FRAM: number of frames")
        pixels = [i for i, f in enumerate(self.frames) if not f.format.syntax or f.format.recipe]  # stored as pixels, in the run's codec
        for i in pixels:
            if self.frames[i].format.recipe:
                self.frames[i] = self.frames[i]._replace(source_size=data.varint())
        for i in pixels:
            if self.references and self.frames[i].codec == 5:
                other = i - data.varint()
                check(0 <= other < i and self.frames[other].format is self.frames[i].format and self.frames[other].codec in (3, 5), "reference")
                self.frames[i] = self.frames[i]._replace(reference=other)
        for i in pixels:
            chain = 1
            while self.frames[i].reference is not None:
                i, chain = self.frames[i].reference, chain + 1
            check(chain <= 8, "a chain of more than 8 frames")
        blocks = data.varint()
        place, self.blocks = self.data_at, []
        for size in [data.varint() for _ in range(blocks)]:
            self.blocks.append(self.data[place : place + size])
            place += size
        check(place == len(self.data), "FRAM: blocks of another size than DATA")
        for number, block in enumerate(self.blocks):
            check(data.unpack("Q")[0] == checksum(block, number), f"block {number}: checksum")
        data.end("FRAM")

    def read_columns(self, data, cols):
        """ "SCHM": makes self.columns, self.layouts, and self.rows, an iterator over each column's values."""
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
        """ "FIND" """
        for _ in range(data.varint()):
            data.u8(), data.string(), data.string(), data.ints(data.varint())
        data.end("FIND")

    # ---- format.md, "Putting a file together" ---------------------------------------------------------------------------------------

    def originals(self):
        """Name, bytes and None of each file and folder, or a name, None and why this reader can't make it."""
        first = 0
        for instance in self.instances:
            self.unable, self.frame = None, first
            name, file = self.original(instance, [self.source(i) for i in range(first, first + instance.frames)])
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

    def original(self, instance, frames):
        single = {c.kind: next(self.rows[i]) for i, c in enumerate(self.columns) if c.kind >= NAME}
        roots = Bytes(single[ROOTS])
        meta, data_set, encoding, kept = roots.varint(), roots.varint(), roots.u8(), roots.u8()
        roots.end("roots")
        body = self.walk(meta, frames) + self.walk(data_set, frames)
        return single[NAME].decode(), single[TAIL] if kept else single[PREAMBLE] + body + single[TAIL]

    def walk(self, layout, frames):
        out = b""
        for number in self.layouts[layout]:
            column, value = self.columns[number], next(self.rows[number])
            if column.kind == SEQUENCE:
                value = self.items(column, value, frames)
            elif column.kind == PIXELS:
                value = self.joined(frames) + value
            elif column.kind == FRAGMENTS:
                value = fragments(value, frames)
            out += header(column, len(value)) + value
            if column.kind == SEQUENCE and column.undefined:
                out += item_header(0xFFFEE0DD, 0, column.encoding == BIG_ENDIAN)
        return out

    def items(self, column, value, frames):
        """ "Item list" """
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
        bits = frame_bits(self.frames[self.frame].format)
        out = bytearray((len(frames) * bits + 7) // 8)
        for i, frame in enumerate(frames):
            first, end = i * bits // 8, ((i + 1) * bits + 7) // 8
            check(len(frame) == end - first, "a native frame of another size")
            out[first:end] = frame
        return bytes(out)

    # ---- format.md, "FRAM": from a block to the source's bytes ----------------------------------------------------------------------

    def source_of_frame(self, number):
        frame, block = self.frames[number], self.blocks[number]
        shape = frame.format
        if shape.syntax and not shape.recipe:
            return shape.head + block
        if shape.syntax:
            pixels, stream, recipe = self.pixels(number)
            make = {1: lossless_jpeg, 3: rle}.get(shape.recipe)
            if make is None:
                raise NotCovered(f"recipe {shape.recipe}")
            source = make(pixels, Bytes(recipe), shape)
            check(len(source) == frame.source_size, "a codestream of another size")
            return source
        pixels = self.pixels(number)[0]
        if shape.subsampled:  # rows of Y, Cb, Cr become Y Y Cb Cr
            rows = np.frombuffer(pixels, "u1").reshape(shape.rows, 4, shape.columns // 2)
            y = rows[:, :2].reshape(shape.rows, shape.columns // 2, 2)
            pixels = np.concatenate([y, rows[:, 2, :, None], rows[:, 3, :, None]], axis=2).tobytes()
        return np.frombuffer(pixels, "u1").reshape(-1, shape.swap)[:, ::-1].tobytes()

    def pixels(self, number):
        """A frame's bytes as its codec gives them; the codec's stream; the recipe."""
        frame, block = self.frames[number], self.blocks[number]
        shape, recipe = frame.format, b""
        if shape.recipe:
            size = int.from_bytes(block[-4:], "little")
            check(size + 4 <= len(block), "recipe: beyond its block")
            recipe = shape.recipe_head + block[len(block) - 4 - size : -4]
            block = block[: len(block) - 4 - size]
        stream = shape.head + block
        if shape.subsampled:
            shape = shape._replace(samples=1, columns=2 * shape.columns)
        if frame.codec == 5:
            check(frame.reference is not None, "codec 5 without a reference")
            data = lane(stream, shape, self.pixels(frame.reference)[0])
        else:
            if frame.codec not in CODECS:
                raise NotCovered(f"codec {frame.codec}")
            data = CODECS[frame.codec](stream, shape)
        return data, stream, recipe


def header(column, length):
    order = ">" if column.encoding == BIG_ENDIAN else "<"
    length = 0xFFFFFFFF if column.undefined else length
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
    """ "Fragments": the value tells the offset table and how the frames are cut."""
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
    return item_header(0xFFFEE000, len(table), False) + table + out + item_header(0xFFFEE0DD, 0, False)


# ---- codecs.md, sections 1 to 5 -----------------------------------------------------------------------------------------------------


def frame_bits(shape):
    return shape.rows * shape.columns * (2 if shape.subsampled else shape.samples) * shape.bits


def frame_bytes(shape):
    return (shape.rows * shape.columns * shape.samples * shape.bits + 7) // 8


def stored(stream, shape):
    return stream


def zstd(stream, shape):
    """Section 4. The content is the differences' lowest bytes, then their next ones, ..."""
    size = zstandard.frame_content_size(stream[1:])
    content, kind = unzstd(stream[1:], size), stream[0]
    if kind == 0:
        return content
    check(kind <= 3 and size == frame_bytes(shape) and shape.bits >= (16 if kind == 1 else 8), "zstd: filter or size")
    width = shape.bits // 8
    values = np.ascontiguousarray(np.frombuffer(content, "u1").reshape(width, -1).T).view(f"<u{width}")
    if kind > 1:
        step = (1 if shape.planar else shape.samples) * (shape.columns if kind == 3 else 1)
        values = np.cumsum(values.reshape(-1, step), axis=0, dtype=values.dtype)
    return values.tobytes()


def htj2k(stream, shape):
    """Section 5, by OpenJPEG."""
    try:
        import openjpeg
    except ImportError:
        raise NotCovered("htj2k: pylibjpeg-openjpeg is not there")
    try:
        about = openjpeg.get_parameters(stream)
        values = openjpeg.decode(stream)
    except RuntimeError as why:
        raise NotCovered(f"htj2k: OpenJPEG can't: {why}")
    check((about["rows"], about["columns"], about["samples_per_pixel"]) == (shape.rows, shape.columns, shape.samples), "htj2k: another shape")
    values = values.astype("i8")
    if shape.samples == 1 and about["precision"] < shape.bits and about["is_signed"] != bool(shape.signed):
        values &= (1 << about["precision"]) - 1
        if shape.signed:
            values -= values >> (about["precision"] - 1) << about["precision"]
    return arranged(values.reshape(-1, shape.samples), shape)


def arranged(values, shape):
    """Section 1: values, as pixels x samples, become the frame's bytes."""
    return (values.T if shape.planar else values).astype(f"<u{shape.bits // 8}").tobytes()


def samples_of(data, shape):
    """The reverse, as integers; signed ones only where the frame is."""
    values = np.frombuffer(data, f"<{'i' if shape.signed else 'u'}{shape.bits // 8}").astype("i8")
    return values.reshape(shape.samples, -1).T if shape.planar else values.reshape(-1, shape.samples)


# ---- codecs.md, section 6: recipes --------------------------------------------------------------------------------------------------


def lossless_jpeg(pixels, recipe, shape):
    """Recipe 1: each scan's segments, and the pixels coded as ISO/IEC 10918-1 annex H says."""
    values = samples_of(pixels, shape).reshape(shape.rows, shape.columns, shape.samples)
    parts = [(recipe.string(), recipe.u8()) for _ in range(recipe.u8())]
    tables, interval, out = {}, 0, b""
    for segments, fill in parts:
        data = Bytes(segments)
        while data.at < len(segments):
            check(data.u8() == 0xFF, "JPEG: no marker")
            marker = data.u8()
            if marker in (0xFF, 0xD8):
                data.at -= marker == 0xFF
                continue
            segment = Bytes(data.take(int.from_bytes(data.take(2), "big") - 2))
            if marker == 0xC3:  # SOF3
                precision = segment.u8()
                segment.take(5)
                order = [segment.take(3)[0] for _ in range(shape.samples)]
            elif marker == 0xDD:  # DRI
                interval = int.from_bytes(segment.take(2), "big") // shape.columns
            elif marker == 0xC4:  # DHT
                while segment.at < len(segment.data):
                    number, counts, code, table = segment.u8(), segment.take(16), 0, {}
                    for length, count in enumerate(counts, 1):
                        for _ in range(count):
                            table.setdefault(segment.u8(), (code, length))
                            code += 1
                        code <<= 1
                    tables[number] = table
            elif marker == 0xDA:  # SOS
                scan = [tuple(segment.take(2)) for _ in range(segment.u8())]
                predictor, _, low = segment.take(3)
        codes = []
        for name, table in scan:
            v = (values[:, :, order.index(name)] & (1 << precision) - 1) >> (low & 15)
            codes.append(jpeg_codes(v, predictor, 1 << (precision - (low & 15) - 1), interval, tables[table >> 4]))
        code, length = (np.stack([c[i] for c in codes], axis=2) for i in (0, 1))
        out += segments
        for n, top in enumerate(range(0, shape.rows, interval or shape.rows)):
            out += bytes([0xFF, 0xD0 + (n - 1) % 8]) if n else b""
            out += bits_joined(code[top : top + (interval or shape.rows)].ravel(), length[top : top + (interval or shape.rows)].ravel(), fill)
    return out + recipe.rest()


def jpeg_codes(v, predictor, initial, interval, table):
    """Codes and their lengths, as rows x columns."""
    a, b, c = np.roll(v, 1, axis=1), np.roll(v, 1, axis=0), np.roll(v, (1, 1), axis=(0, 1))
    expected = (0, a, b, c, a + b - c, a + (b - c >> 1), b + (a - c >> 1), a + b >> 1)[predictor].copy()
    expected[:, 0] = b[:, 0]
    starts = slice(0, None, interval or len(v))
    expected[starts] = a[starts]
    expected[starts, 0] = initial
    difference = (v - expected + 32767) % 65536 - 32767
    category = np.zeros_like(v)
    for bit in range(17):
        category[np.abs(difference) >= 1 << bit] = bit + 1
    further = np.where(category == 16, 0, category)
    extra = np.where(difference < 0, difference + (1 << further) - 1, difference) & ((1 << further) - 1)
    known = np.array([table.get(i, (0, 0)) for i in range(17)])
    check(np.all(known[category, 1] > 0), "JPEG: a category without a code")
    return known[category, 0] << further | extra, known[category, 1] + further


def bits_joined(codes, lengths, fill):
    ends = np.cumsum(lengths)
    which = np.repeat(np.arange(len(codes)), lengths)
    bits = codes[which] >> (ends[which] - 1 - np.arange(ends[-1])) & 1
    bits = np.concatenate([bits, np.full(-len(bits) % 8, fill)]).astype("u1")
    return np.packbits(bits).tobytes().replace(b"\xff", b"\xff\0")


def rle(pixels, recipe, shape):
    """Recipe 3: DICOM PS3.5 annex G."""
    rule, width = recipe.u8(), shape.bits // 8
    check(rule < 8, "RLE: rule")
    bytes_ = np.frombuffer(pixels, "u1").reshape(-1, shape.samples, width)[:, :, ::-1].reshape(-1, shape.samples * width)
    places, out = [], b""
    for i in range(shape.samples * width):
        places.append(64 + len(out))
        segment = rle_segment(bytes_[:, i].tobytes(), rule, recipe, shape.columns if rule & 4 else len(bytes_))
        padding = recipe.varint()
        out += segment + (recipe.take(padding - 1) if padding else b"\0" * (len(segment) % 2))
    recipe.end("RLE recipe")
    return struct.pack("<16I", len(places), *places, *[0] * (15 - len(places))) + out


def rle_segment(data, rule, recipe, row):
    out, at = bytearray(), 0
    ahead = recipe.varint()
    while at < len(data) or ahead:
        if ahead == 1:
            control = recipe.u8()
            ahead = recipe.varint()
        else:
            ahead = max(0, ahead - 1)
            control = rle_control(data, at, min(len(data), at - at % row + row), rule & 3)
        count = 0 if control == 128 else control + 1 if control < 128 else 257 - control
        token = data[at : at + count]
        check(len(token) == count and (control <= 128 or token == token[:1] * count), "RLE: a token that doesn't fit")
        out += bytes([control]) + (token if control < 128 else token[:1])
        at += count
    return bytes(out)


def rle_control(data, at, end, mode):
    end = min(end, at + 128)

    def equal(place, most):
        run = 1
        while run < most and place + run < end and data[place + run] == data[place]:
            run += 1
        return run

    run = equal(at, 128)
    if run >= 3 or run == 2 and (mode in (0, 2) or mode == 3 and at + 2 == end):
        return 257 - run
    stop = at + 1
    while stop < end and equal(stop, 3) < (2 if mode == 0 else 3):
        stop += 1
    return stop - at - 1


# ---- lane.md ------------------------------------------------------------------------------------------------------------------------

ACTIVITY = np.array([0, 2, 3, 4, 5, 5, 6, 7, 7, 8, 8, 9, 9, 9, 10, 10] + [
    a for a in (13, 16, 18, 20, 22, 23, 25, 26, 27, 27, 28, 29, 30, 30, 31) for _ in range(16)])  # fmt: skip
FAMILIES = [[int(bits) for bits in family] for family in (
    "0000002 0000102 0000113 0000123 0000124 0001124 0111235 1112235 1122345 2223346 2233456 "
    "2333457 3344567 3444568 4455678 5556788 5566788 6667888 6778888 7788888 7888888 8888888").split()]  # fmt: skip


def wrapped(n):
    return (n + 32768 & 65535) - 32768


def saturated(n):
    return np.clip(n, -32768, 32767)


def mean(a, b):
    return a + b + 1 >> 1


def lane(stream, shape, reference=None):
    """Section 1."""
    data = Bytes(stream)
    version, flags = data.u8(), data.u8()
    check(version == 1 and flags >> 1 == (reference is not None), "lane: version or flags")
    check(shape.samples in (1, 3) and shape.bits in (8, 16) and 0 < shape.rows < 65536 and 0 < shape.columns < 65536, "lane: shape")
    others = [None] * shape.samples
    if reference is not None:
        others = list(wrapped(samples_of(reference, shape)).T)
        if flags & 1:
            r, g, b = others
            u, v = b - g, r - g
            others = [g + (u + v >> 2), u, v]
        others = [wrapped(plane).reshape(shape.rows, shape.columns) for plane in others]
    planes = [lane_plane(data, shape.rows, shape.columns, other) for other in others]
    data.end("lane")
    if flags & 1:
        y, u, v = (wrapped(plane) for plane in planes)
        g = y - (u + v >> 2)
        planes = [v + g, g, u + g]
    return arranged(np.stack([plane.ravel() for plane in planes], axis=1), shape)


def lane_plane(data, rows, columns, reference):
    """Section 2, and the corrections and gaps of 5 and 6."""
    low, range_ = data.unpack("iH")
    if range_ == 0:
        return np.full((rows, columns), low)
    flags = data.u8()
    lanes = (16, 64, 128)[flags & 3]
    starts, lengths = gaps(data, range_) if flags & 16 else ([], [])
    k, shift, texture = data.unpack("BBH")
    coefficients = np.frombuffer(data.take(48), "i1").astype("i8").reshape(6, 8)
    correction, unrest = np.zeros((rows, columns), "i8"), None
    if flags & 8:
        check(reference is not None, "lane: a correction without a reference")
        correction, unrest = corrections(data, reference)
    count = data.u8()
    thresholds = np.frombuffer(data.take(count - 1), "u1")
    contexts = np.frombuffer(data.take(8 * count), "u1").reshape(count, 8)
    groups = rows * (-(-columns // lanes))
    zero = np.zeros(groups, "u1")
    if flags & 4:
        zero = np.unpackbits(np.frombuffer(data.take((groups + 7) // 8), "u1"), bitorder="little")[:groups]
    states = np.frombuffer(data.take(4 * lanes), "<u4").astype("i8")
    words = np.frombuffer(data.take(2 * data.u32()), "<u2").astype("i8")
    m = magnitudes(rows, columns, shift, unrest, thresholds, contexts, zero.reshape(rows, -1), states, words)
    bits = np.unpackbits(np.frombuffer(data.take((rows * columns * k + 7) // 8), "u1"), bitorder="little")[: rows * columns * k]
    m = (m << k) + (bits.reshape(rows, columns, k).astype("i8") << np.arange(k)).sum(axis=2) & 65535
    residuals = np.where(m % 2 == 0, m >> 1, -(m + 1 >> 1))
    centre = low + (range_ + 1 >> 1)
    values = predict(residuals, correction, range_, low - centre, texture, coefficients) + centre
    shifts = np.concatenate([[0], np.cumsum(lengths)]).astype("i8")  # section 6
    return values + shifts[np.searchsorted(starts, values - low & 65535, side="right")]


def gaps(data, range_):
    """Section 6: Elias gamma numbers."""
    count, size = data.unpack("HH")
    bits = "".join(f"{byte:08b}"[::-1] for byte in data.take(size))
    numbers, at = [], 0
    for _ in range(2 * count):
        width = bits.index("1", at) - at + 1
        numbers.append(int(bits[at + width - 1 : at + 2 * width - 1], 2))
        at += 2 * width - 1
    check(size == (at + 7) // 8 and "1" not in bits[at:], "lane: gaps of another size")
    starts = np.cumsum(numbers[::2])
    check(1 <= count <= range_ and starts[-1] <= range_ and range_ + sum(numbers[1::2]) <= 65535, "lane: gaps")
    return starts, numbers[1::2]


def magnitudes(rows, columns, shift, unrest, thresholds, contexts, zero, states, words):
    """Section 3. Lanes of a block go side by side; which context they have depends on the rows above alone."""
    token, base, bits = (np.zeros((len(contexts), 256), "i8") for _ in range(3))
    frequency, offset = np.zeros_like(token), np.zeros_like(token)
    for c, (family, *frequencies) in enumerate(contexts.tolist()):
        frequencies.append(256 - sum(frequencies))
        check(1 <= frequencies[7] <= 255, "lane: frequencies")
        slot, below = 0, 0
        for t, (f, b) in enumerate(zip(frequencies, FAMILIES[family] + [0])):
            here = slice(slot, slot + f)
            token[c, here], frequency[c, here], offset[c, here] = t, f, np.arange(f)
            bits[c, here], base[c, here] = b, below if t < 7 else 0
            slot, below = slot + f, below + (1 << b)
    result = np.zeros((rows, columns), "i8")
    activity = np.zeros((rows + 2, columns + 4), "i8")  # with what is outside the plane: two rows above, two columns on either side
    lanes, at = len(states), 0
    for y in range(rows):
        up2, up = activity[y], activity[y + 1]
        nww, nw, n, ne, nee = (up[i : i + columns] for i in range(5))
        nnw, nn, nne = (up2[i : i + columns] for i in range(1, 4))
        outer = mean(mean(nww, nee), mean(nnw, nne))
        around = 2 * n + 3 * mean(nw, ne) + nn + 2 * outer >> 2
        if unrest is not None and y > 0:  # section 5
            around = mean(around, mean(around, 2 * unrest[y]))
        context = np.searchsorted(thresholds, around, side="right")
        blocks = [left for group in range(0, columns, lanes) for left in range(group, min(group + lanes, columns), 64)]
        for left in blocks:
            if zero[y, left // lanes]:
                continue
            size = min(lanes, 64, columns - left)
            s, c = states[left % lanes :][:size], context[left : left + size]
            slot = s & 255
            b = bits[c, slot]
            s[:] = frequency[c, slot] * (s >> 8) + offset[c, slot]
            m = base[c, slot] + (s & (1 << b) - 1)
            s >>= b
            order = np.concatenate([np.arange(i, size, 4) for i in range(4)])
            order = order[s[order] < 65536]
            escapes = np.flatnonzero(token[c, slot] == 7)
            check(at + len(order) + len(escapes) <= len(words), "lane: words at an end")
            s[order] = (s[order] << 16) + words[at : at + len(order)]
            at += len(order)
            m[escapes] = words[at : at + len(escapes)]
            at += len(escapes)
            result[y, left : left + size] = m
        activity[y + 2, 2 : 2 + columns] = ACTIVITY[np.minimum(255, result[y] >> shift)]
    check(np.all(states == 65536) and at == len(words), "lane: states or words at the end")
    return result


def predict(residuals, correction, range_, lowest, texture, coefficients):
    """Section 4. A pixel needs the one to its left and those above up to one to the right, so that the pixels with the same
    x + 2 y can be made side by side. `plane` has the raised values and their edges: a row above, two columns left, one right."""
    rows, columns = residuals.shape
    half = range_ + 1 >> 1
    raise_ = max([n for n in range(7) if half << n <= 16383], default=-1)
    values = np.zeros((rows, columns), "i8")
    values[0] = wrapped(np.cumsum(residuals[0]))
    wide = columns + 3
    plane = np.zeros((rows + 2, wide), "i8")
    plane[0, 2:-1] = plane[1, 2:-1] = wrapped(values[0] << raise_) if raise_ >= 0 else values[0] >> 1
    plane[:2, :2], plane[:2, -1] = plane[0, 2], plane[0, -2]
    plane[2, :2] = plane[0, 2]
    pad = lambda array: np.pad(array, ((1, 1), (2, 1))).ravel()
    residuals, correction, result, flat = pad(residuals), pad(correction), pad(values), plane.ravel()
    for t in range(2, columns + 2 * rows - 2):
        ys = range(max(1, (t - columns) // 2 + 1), min(rows - 1, t // 2) + 1)
        start, step = (ys[0] + 1) * wide + t - 2 * ys[0] + 2, wide - 2
        here = slice(start, start + step * (len(ys) - 1) + 1, step)
        at = lambda dy, dx: flat[here.start + dy * wide + dx : here.stop + dy * wide + dx : step]
        n, w, ww, nw, nww, ne = at(-1, 0), at(0, -1), at(0, -2), at(-1, -1), at(-1, -2), at(-1, 1)
        nn, nnw, nne = at(-2, 0), at(-2, -1), at(-2, 1)
        taps = wrapped(np.stack([w - nw, w - ww, n - nw, ne - n, nn - n, nne - ne, nw - nww, nnw - nw]))
        size = wrapped(np.abs(taps))
        across = saturated(size[1] + saturated(size[2] + size[3]))
        down = saturated(size[0] + saturated(size[4] + size[5]))
        class_ = np.where(across > saturated(2 * down), 1, np.where(down > saturated(2 * across), 2, 0))
        class_ += 3 * (saturated(across + down) > texture)
        change = wrapped((taps * 256 * coefficients[class_].T + (1 << 14) >> 15).sum(axis=0))
        rounded = saturated(n + (1 << raise_ - 1)) if raise_ > 0 else n
        raised = saturated(saturated(rounded + change) + change)
        expected = np.clip(raised >> raise_ if raise_ >= 0 else saturated(2 * raised), lowest, lowest + range_)
        v = wrapped(expected + correction[here] + residuals[here])
        result[here] = v
        flat[here] = wrapped(v << raise_) if raise_ >= 0 else v >> 1
        if t % 2 == 0 and t // 2 < rows:  # a row's first value: the next row's left edge
            y = t // 2 + 1
            plane[y + 1, 1], plane[y + 1, 0] = plane[y, 2], plane[y, 1]
        if t - 2 * ys[0] == columns - 1:  # a row's last value: its right edge
            plane[ys[0] + 1, -1] = plane[ys[0] + 1, -2]
    return result.reshape(rows + 2, wide)[1:-1, 2:-1]


def corrections(data, reference):
    """Section 5: what the reference adds to each expected value, and the activity of its unrest."""
    lift, unrest_shift, *thresholds = data.unpack("BBHH")
    coefficients = np.frombuffer(data.take(24), "i1").astype("i8").reshape(3, 8)
    check(1 <= lift <= 8 and unrest_shift <= 15, "lane: correction")
    rows, columns = reference.shape
    around = np.pad(reference, 1, mode="edge")
    at = lambda dy, dx: around[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns]
    places = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    taps = np.clip(np.stack([at(*place) - reference for place in places]), -32767, 32767)
    unrest = np.minimum(32767, np.abs(taps[:4]).sum(axis=0))
    class_ = sum(unrest > threshold for threshold in thresholds)
    limit = 32767 >> lift
    weighted = (np.clip(taps, -limit, limit) << lift) * 256 * np.moveaxis(coefficients[class_], 2, 0)
    total = wrapped((weighted + (1 << 14) >> 15).sum(axis=0))
    half = 1 << lift - 2 if lift > 1 else 0
    return saturated(total + half) >> lift - 1, ACTIVITY[np.minimum(255, unrest >> unrest_shift)]


CODECS = {0: stored, 1: zstd, 2: htj2k, 3: lane}


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
                    target = os.path.join(folder, name)
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
