"""spec/format.md: "Notation", "Packed bytes", "Integer lists", "Value lists"."""

import struct
from pathlib import Path

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


MASK64 = 2**64 - 1
PROTOCOLS = zstandard.ZstdCompressionDict((Path(__file__).parents[2] / "spec" / "protocols.zdict").read_bytes())


def signed64(number):
    return (number + 2**63) % 2**64 - 2**63


def checksum(data, seed):
    return xxhash.xxh3_64_intdigest(data, seed)


def unzstd(data, size, dictionary=None):
    """One zstd frame that states its content size, and nothing behind it."""
    check(zstandard.frame_content_size(data) == size, "zstd: another content size")
    needed = zstandard.get_frame_parameters(data).dict_id
    if needed not in (0, dictionary and dictionary.dict_id()):
        raise NotCovered(f"zstd: dictionary {needed}")
    decoder = zstandard.ZstdDecompressor(dict_data=dictionary if needed else None).decompressobj()
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
        return unzstd(self.take(stored), size, PROTOCOLS)

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
    elif kind == 5:
        values = long_words(data, count)
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


def long_words(data, count):
    width, counts = data.u8(), data.ints(count)
    check(width in (2, 4) and all(n >= 0 for n in counts) and sum(counts) <= 1 << 20, "words: width or number")
    together = np.array(data.ints(sum(counts)), "<i8").view("u1").reshape(-1, 8)[:, :width].tobytes()
    ends = np.cumsum([0] + counts) * width
    return [together[a:b] for a, b in zip(ends, ends[1:])]


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
            decimals = decimals.rstrip("0") or decimals[: form == 4]
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
