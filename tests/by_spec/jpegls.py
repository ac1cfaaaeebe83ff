"""ISO/IEC 14495-1 annex A, coding: what recipe 2 of spec/codecs.md, section 6, asks for. Names are the standard's."""

J = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15]


class Scan:
    """One coded scan: of a component, or of several that are interleaved."""

    def __init__(self, precision, near, preset):
        self.maxval, self.near, self.bits = (1 << precision) - 1, near, []
        self.t1, self.t2, self.t3, self.reset = (p or d for p, d in zip(preset, self.defaults()))
        self.range = (self.maxval + 2 * near) // (2 * near + 1) + 1
        self.qbpp = (self.range - 1).bit_length()
        bpp = max(2, precision)
        self.limit = 2 * (bpp + max(8, bpp))
        self.a, self.b, self.c, self.n = [max(2, (self.range + 32) // 64)] * 367, [0] * 365, [0] * 365, [1] * 367
        self.nn = [0, 0]

    def defaults(self):
        """C.2.4.1.1.1"""
        clamp = lambda i, j: j if i > self.maxval or i < j else i
        near = self.near
        if self.maxval >= 128:
            factor = (min(self.maxval, 4095) + 128) // 256
            basic = factor + 2 + 3 * near, 4 * factor + 3 + 5 * near, 17 * factor + 4 + 7 * near
        else:
            factor = 256 // (self.maxval + 1)
            basic = max(2, 3 // factor + 3 * near), max(3, 7 // factor + 5 * near), max(4, 21 // factor + 7 * near)
        t1 = clamp(basic[0], near + 1)
        t2 = clamp(basic[1], t1)
        return t1, t2, clamp(basic[2], t2), 64

    def lines(self, planes, sample_interleaved):
        """`planes`: per component a list of rows. Sample interleaving has runs that all components share."""
        columns = len(planes[0][0])
        above = [[0] * (columns + 2) for _ in planes]
        index = [0] * len(planes)
        for y in range(len(planes[0])):
            lines = []
            for plane, line in zip(planes, above):
                line[-1] = line[-2]
                lines.append([line[1]] + plane[y] + [0])
            if sample_interleaved:
                index[0] = self.line(above, lines, index[0], columns)
            else:
                for i, (line, now) in enumerate(zip(above, lines)):
                    index[i] = self.line([line], [now], index[i], columns)
            above = lines
        return self.bytes()

    def line(self, above, now, index, columns):
        """Codes a line (of each component); puts what a decoder has in the values' places."""
        near, x = self.near, 1
        while x <= columns:
            around = [(line[x - 1], up[x], up[x - 1], up[x + 1]) for up, line in zip(above, now)]
            if any(abs(d - b) > near or abs(b - c) > near or abs(c - a) > near for a, b, c, d in around):
                for line, neighbours in zip(now, around):
                    line[x] = self.regular(line[x], *neighbours)
                x += 1
                continue
            start, left = x, [line[x - 1] for line in now]
            while x <= columns and all(abs(line[x] - a) <= near for line, a in zip(now, left)):
                for line, a in zip(now, left):
                    line[x] = a
                x += 1
            count = x - start
            while count >= 1 << J[index]:
                self.put(1, 1)
                count -= 1 << J[index]
                index = min(31, index + 1)
            if x > columns:
                if count:
                    self.put(1, 1)
                break
            self.put(count, 1 + J[index])
            for up, line, a in zip(above, now, left):
                line[x] = self.interruption(line[x], a, up[x], len(now) == 1 and abs(a - up[x]) <= near, J[index])
            index = max(0, index - 1)
            x += 1
        return index

    def regular(self, x, a, b, c, d):
        """A.4 to A.6"""
        q = 81 * self.quantized(d - b) + 9 * self.quantized(b - c) + self.quantized(c - a)
        sign = -1 if q < 0 else 1
        q = abs(q)
        predicted = min(a, b) if c >= max(a, b) else max(a, b) if c <= min(a, b) else a + b - c
        predicted = max(0, min(self.maxval, predicted + sign * self.c[q]))
        error, seen = self.error(x, predicted, sign)
        k = 0
        while self.n[q] << k < self.a[q]:
            k += 1
        if self.near == 0 and k == 0 and 2 * self.b[q] <= -self.n[q]:
            mapped = 2 * error + 1 if error >= 0 else -2 * (error + 1)
        else:
            mapped = 2 * error if error >= 0 else -2 * error - 1
        self.golomb(mapped, k, self.limit)
        self.b[q] += error * (2 * self.near + 1)
        self.a[q] += abs(error)
        if self.n[q] == self.reset:
            self.a[q], self.b[q], self.n[q] = self.a[q] >> 1, self.b[q] >> 1, self.n[q] >> 1
        self.n[q] += 1
        if self.b[q] <= -self.n[q]:
            self.b[q] = max(self.b[q] + self.n[q], 1 - self.n[q])
            self.c[q] = max(-128, self.c[q] - 1)
        elif self.b[q] > 0:
            self.b[q] = min(self.b[q] - self.n[q], 0)
            self.c[q] = min(127, self.c[q] + 1)
        return seen

    def interruption(self, x, a, b, kind, j):
        """A.7.2"""
        error, seen = self.error(x, a if kind else b, -1 if not kind and a > b else 1)
        q = 365 + kind
        most, k = self.a[q] + (self.n[q] >> 1 if kind else 0), 0
        while self.n[q] << k < most:
            k += 1
        below = 2 * self.nn[kind] >= self.n[q]
        mapped = 2 * abs(error) - kind - (error < 0 and (k != 0 or below) or error > 0 and k == 0 and not below)
        self.golomb(mapped, k, self.limit - j - 1)
        self.nn[kind] += error < 0
        self.a[q] += mapped + 1 - kind >> 1
        if self.n[q] == self.reset:
            self.a[q], self.n[q], self.nn[kind] = self.a[q] >> 1, self.n[q] >> 1, self.nn[kind] >> 1
        self.n[q] += 1
        return seen

    def quantized(self, d):
        size = abs(d)
        level = 0 if size <= self.near else 1 if size < self.t1 else 2 if size < self.t2 else 3 if size < self.t3 else 4
        return -level if d < 0 else level

    def error(self, x, predicted, sign):
        """The error to code, and the value that a decoder has then."""
        error, step = sign * (x - predicted), 2 * self.near + 1
        error = (error + self.near) // step if error > 0 else -((self.near - error) // step)
        seen = max(0, min(self.maxval, predicted + sign * error * step))
        error %= self.range
        return error - self.range if error >= (self.range + 1) // 2 else error, seen

    def golomb(self, mapped, k, limit):
        high = mapped >> k
        if high < limit - self.qbpp - 1:
            self.put(1, high + 1)
            self.put(mapped & (1 << k) - 1, k)
        else:
            self.put(1, limit - self.qbpp)
            self.put(mapped - 1, self.qbpp)

    def put(self, number, width):
        if width:
            self.bits.append(f"{number:0{width}b}")

    def bytes(self):
        """A zero bit stands behind each FF; the end is filled up with zeros."""
        bits, out, at = "".join(self.bits), bytearray(), 0
        while at < len(bits) or out[-1:] == b"\xff":
            width = 7 if out[-1:] == b"\xff" else 8
            out.append(int(bits[at : at + width].ljust(width, "0"), 2))
            at += width
        return bytes(out)
