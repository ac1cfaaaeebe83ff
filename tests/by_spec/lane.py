"""spec/lane.md."""

import numpy as np

from .notation import Bytes, check

ACTIVITY = np.array([0, 4, 6, 8, 10, 10, 12, 14, 14, 16, 16, 18, 18, 18, 20, 20] + [
    a for a in (26, 32, 36, 40, 44, 46, 50) for _ in range(16)])  # fmt: skip
FAMILIES = [[int(bits) for bits in family] for family in (
    "0000002 0000102 0000113 0000123 0000124 0001124 0111235 1112235 1122345 2223346 2233456 "
    "2333457 3344567 3444568 4455678 5556788 5566788 6667888 6778888 7788888 7888888 8888888").split()]  # fmt: skip


def wrapped(n):
    return (n + 32768 & 65535) - 32768


def saturated(n):
    return np.clip(n, -32768, 32767)


def mean(a, b):
    return a + b + 1 >> 1


def frame(stream, shape, reference=None):
    """Section 1: from a stream to values, as pixels x samples; `reference` are those of the reference."""
    data = Bytes(stream)
    version, flags = data.u8(), data.u8()
    check(version == 3 and flags >> 1 == (reference is not None), "lane: version or flags")
    check(shape.samples in (1, 3) and shape.bits in (8, 16) and 0 < shape.rows < 65536 and 0 < shape.columns < 65536, "lane: shape")
    others = [None] * shape.samples
    if reference is not None:
        others = list(wrapped(reference).T)
        if flags & 1:
            r, g, b = others
            u, v = b - g, r - g
            others = [g + (u + v >> 2), u, v]
        others = [wrapped(plane).reshape(shape.rows, shape.columns) for plane in others]
    planes = [plane_of(data, shape.rows, shape.columns, other) for other in others]
    data.end("lane")
    if flags & 1:
        y, u, v = (wrapped(plane) for plane in planes)
        g = y - (u + v >> 2)
        planes = [v + g, g, u + g]
    return np.stack([plane.ravel() for plane in planes], axis=1)


def plane_of(data, rows, columns, reference):
    """Section 2, and the corrections and gaps of 5 and 6."""
    low, range_ = data.unpack("iH")
    if range_ == 0:
        return np.full((rows, columns), low)
    flags = data.u8()
    check(flags < 16, "lane: flags of a plane")
    lanes = (16, 64)[flags & 1]
    starts, lengths = gaps(data, range_) if flags & 8 else ([], [])
    k, shift, levels, level_shift = data.unpack("BBBB")
    check(k <= 8 and shift <= 8 and 1 <= levels <= 8 and level_shift <= 12, "lane: bounds of a plane")
    coefficients = np.frombuffer(data.take(14 * levels), "i1").astype("i8").reshape(2 * levels, 7)
    correction, unrest = np.zeros((rows, columns), "i8"), None
    if flags & 4:
        check(reference is not None, "lane: a correction without a reference")
        correction, unrest = corrections(data, reference)
    count = data.u8()
    thresholds = np.frombuffer(data.take(count - 1), "u1")
    contexts = np.frombuffer(data.take(8 * count), "u1").reshape(count, 8)
    steps = steps_of(rows, columns, lanes)
    groups = -(-len(steps) // 16)
    zero = np.zeros(groups, "u1")
    if flags & 2:
        zero = np.unpackbits(np.frombuffer(data.take((groups + 7) // 8), "u1"), bitorder="little")[:groups]
    states = np.frombuffer(data.take(4 * lanes), "<u4").astype("i8")
    words = np.frombuffer(data.take(2 * data.u32()), "<u2").astype("i8")
    m = magnitudes(rows, columns, shift, unrest, thresholds, contexts, zero, steps, states, words)
    bits = np.unpackbits(np.frombuffer(data.take((rows * columns * k + 7) // 8), "u1"), bitorder="little")[: rows * columns * k]
    low_bits = np.zeros((rows, columns), "i8")
    low_bits[tuple(np.hstack([step[1:] for step in steps]))] = (bits.reshape(rows * columns, k).astype("i8") << np.arange(k)).sum(axis=1)
    m = (m << k) + low_bits & 65535
    residuals = np.where(m % 2 == 0, m >> 1, -(m + 1 >> 1))
    centre = low + (range_ + 1 >> 1)
    values = predict(residuals, correction, range_, low - centre, level_shift, coefficients) + centre
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


def steps_of(rows, columns, lanes):
    """Section 3: of each step the lanes that have a pixel, in their order, and where it is."""
    period = (max(columns + 4, 2 * lanes + 16) + 1) // 2 * 2
    lane, steps = np.arange(lanes), []
    for step in range((rows - 1) // lanes * period + columns + 2 * ((rows - 1) % lanes)):
        before, x = np.divmod(step - 2 * lane, period)
        y = before * lanes + lane
        here = (before >= 0) & (x < columns) & (y < rows)
        steps.append(np.stack([lane, y, x])[:, here])
    return steps


def magnitudes(rows, columns, shift, unrest, thresholds, contexts, zero, steps, states, words):
    """Section 3. Lanes of a step go side by side."""
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
    activity = np.zeros((rows + 2, columns + 3), "i8")  # with what is outside the plane: two rows above, two columns left, one right
    at = 0
    for step, (lanes, y, x) in enumerate(steps):
        if zero[step // 16]:
            continue
        w, ww, n, nn = activity[y + 2, x + 1], activity[y + 2, x], activity[y + 1, x + 2], activity[y, x + 2]
        nw, ne = activity[y + 1, x + 1], activity[y + 1, x + 3]
        around = mean(mean(w, n), mean(mean(nw, ne), mean(ww, nn)))
        if unrest is not None:  # section 5
            around = np.where(y > 0, mean(around, mean(around, unrest[y, x])), around)
        c = np.searchsorted(thresholds, around, side="right")
        s = states[lanes]
        slot = s & 255
        b = bits[c, slot]
        s = frequency[c, slot] * (s >> 8) + offset[c, slot]
        m = base[c, slot] + (s & (1 << b) - 1)
        s >>= b
        order = np.concatenate([np.flatnonzero(lanes % 4 == i) for i in range(4)])
        order = order[s[order] < 65536]
        escapes = np.flatnonzero(token[c, slot] == 7)
        check(at + len(order) + len(escapes) <= len(words), "lane: words at an end")
        s[order] = (s[order] << 16) + words[at : at + len(order)]
        at += len(order)
        m[escapes] = words[at : at + len(escapes)]
        at += len(escapes)
        states[lanes], result[y, x] = s, m
        activity[y + 2, x + 2] = ACTIVITY[np.minimum(127, m >> shift)]
    check(np.all(states == 65536) and at == len(words), "lane: states or words at the end")
    return result


def predict(residuals, correction, range_, lowest, level_shift, coefficients):
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
    plane[:2, -1] = plane[0, -2]
    plane[2, 1] = plane[0, 2]
    pad = lambda array: np.pad(array, ((1, 1), (2, 1))).ravel()
    residuals, correction, result, flat = pad(residuals), pad(correction), pad(values), plane.ravel()
    for t in range(2, columns + 2 * rows - 2):
        ys = range(max(1, (t - columns) // 2 + 1), min(rows - 1, t // 2) + 1)
        if not ys:  # of one column, every other diagonal
            continue
        start, step = (ys[0] + 1) * wide + t - 2 * ys[0] + 2, wide - 2
        here = slice(start, start + step * (len(ys) - 1) + 1, step)
        at = lambda dy, dx: flat[here.start + dy * wide + dx : here.stop + dy * wide + dx : step]
        n, w, ww, nw, nww, ne = at(-1, 0), at(0, -1), at(0, -2), at(-1, -1), at(-1, -2), at(-1, 1)
        nn, nne = at(-2, 0), at(-2, 1)
        taps = wrapped(np.stack([w - nw, w - ww, n - nw, ne - n, nn - n, nne - ne, nw - nww]))
        size = np.abs(taps)
        across, down = mean(size[2], size[3]), mean(size[0], size[4])
        levels = len(coefficients) // 2
        class_ = np.minimum(levels - 1, mean(across, down) >> level_shift) + levels * (down > across)
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
    taps = wrapped(np.stack([at(*place) - reference for place in places]) << lift)
    sizes = np.abs(taps)
    unrest = np.minimum(32767, mean(mean(sizes[0], sizes[1]), mean(sizes[2], sizes[3])))
    class_ = sum(unrest > threshold for threshold in thresholds)
    weighted = taps * 256 * np.moveaxis(coefficients[class_], 2, 0)
    total = wrapped((weighted + (1 << 14) >> 15).sum(axis=0))
    half = 1 << lift - 2 if lift > 1 else 0
    return saturated(total + half) >> lift - 1, ACTIVITY[np.minimum(127, unrest >> unrest_shift)]
