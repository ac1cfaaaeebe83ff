"""spec/codecs.md, section 6: pixels and a recipe become the source's codestream."""

import struct

import numpy as np

from . import jpegls
from .codecs import samples_of
from .notation import Bytes, check


def lossless_jpeg(pixels, recipe, shape):
    """Recipe 1: each scan's segments, and the pixels coded as ISO/IEC 10918-1 annex H says."""
    values = samples_of(pixels, shape).reshape(shape.rows, shape.columns, shape.samples)
    parts = [(recipe.string(), recipe.u8()) for _ in range(recipe.u8())]
    tables, interval, out = {}, 0, b""
    for segments, fill in parts:
        for marker, segment in marker_segments(segments):
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


def marker_segments(data):
    data = Bytes(data)
    while data.at < len(data.data):
        check(data.u8() == 0xFF, "JPEG: no marker")
        marker = data.u8()
        data.at -= marker == 0xFF  # a fill byte
        if marker not in (0xFF, 0xD8):
            yield marker, Bytes(data.take(int.from_bytes(data.take(2), "big") - 2))


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


def jpeg_ls(pixels, recipe, shape):
    """Recipe 2. The parameters of all scans stand in the first one's segments."""
    scans = [recipe.string() for _ in range(recipe.u8())]
    preset, transform = [0] * 4, 0
    for marker, segment in marker_segments(scans[0]):
        if marker == 0xF7:  # SOF55
            precision = segment.u8()
        elif marker == 0xF8 and segment.u8() == 1:  # LSE
            preset = struct.unpack(">xx4H", segment.take(10))
        elif marker == 0xE8 and segment.take(4) == b"mrfx":  # APP8
            transform = segment.u8()
        elif marker == 0xDA:  # SOS
            near, interleave, _ = segment.rest()[-3:]
    planes = list((samples_of(pixels, shape) & (1 << precision) - 1).T)
    if transform:
        planes = colours_apart(*planes, transform, 1 << precision - 1)
    planes = [(plane & (1 << precision) - 1).reshape(shape.rows, shape.columns).tolist() for plane in planes]
    groups = [planes] if interleave else [[plane] for plane in planes]
    check(len(groups) == len(scans), "JPEG-LS: another number of scans")
    coded = (jpegls.Scan(precision, near, preset).lines(group, interleave == 2) for group in groups)
    return b"".join(segments + scan for segments, scan in zip(scans, coded)) + recipe.rest()


def colours_apart(r, g, b, transform, half):
    u, v = b - g + half & 2 * half - 1, r - g + half & 2 * half - 1
    check(1 <= transform <= 3, "JPEG-LS: colour transform")
    return ((v, g, u), (v, g, b - (r + g >> 1) - half), (g + (u + v >> 2) - half // 2, u, v))[transform - 1]


def rle(pixels, recipe, shape):
    """Recipe 3: DICOM PS3.5 annex G."""
    rule, width = recipe.u8(), shape.bits // 8
    check(rule <= 8 or rule == 12, "RLE: rule")
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
    """Tokens by the rule, but for those that depart from it: `ahead` is how many tokens on the next of those is, 0 for none."""
    out, at, ahead = bytearray(), 0, recipe.varint()
    while at < len(data) or ahead:
        if ahead == 1:
            control, ahead = recipe.u8(), recipe.varint()
        else:
            check(at < len(data), "RLE: a departure behind the end")
            control, ahead = rle_control(data, at, min(len(data), at - at % row + row), rule), max(0, ahead - 1)
        count = 0 if control == 128 else control + 1 if control < 128 else 257 - control
        token = data[at : at + count]
        check(len(token) == count and (control <= 128 or token == token[:1] * count), "RLE: a token that doesn't fit")
        out += bytes([control]) + (token if control < 128 else token[:1])
        at += count
    return bytes(out)


def rle_control(data, at, end, rule):
    mode, granule = rule & 3, 16 if rule & 8 else 1
    least = 16 if rule & 8 else 3 if mode else 2

    def equal(place, most):
        run = 1
        while run < most and place + run < end and data[place + run] == data[place]:
            run += 1
        return run

    run = equal(at, 128) // granule * granule
    if run >= 3 or run == 2 and (mode in (0, 2) or mode == 3 and at + 2 == end):
        return 257 - run
    stop = at + granule
    while stop < min(end, at + 128) and equal(stop, least) < least:
        stop += granule
    return min(stop, end) - at - 1


RECIPES = {1: lossless_jpeg, 2: jpeg_ls, 3: rle}
