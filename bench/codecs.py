#!/usr/bin/env python3
"""Lossless codecs on one core, for every series below a folder: ./dev codecs FOLDER [OUT.png] [--rounds N] [--most MB]

HTJ2K (OpenJPH), lane, our zstd filter, CharLS, libjxl at efforts 3 and 7, Blosc2 (zstd, bit-shuffle) and memcpy, on at most 8 MB of each
series' frames (--most). Packs the series, then runs build/release/bin/codecs_bench and Blosc2 on the same frames, series by series. Prints a
line per series, the medians of the series' own figures, and writes a plot: size against decoding and encoding speed. `size` is in per cent of
HTJ2K's; `enc` and `dec` are 10^6 bytes of pixels a second. Frames come from and go to memory; small ones do not leave the processor's cache.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.path.join(ROOT, "build", "release", "bin")
ORDER = ["htj2k", "lane", "lane-inter", "zstd", "CharLS", "jxl e3", "jxl e7", "Blosc2", "memcpy"]


def blosc2_figures(folder, like, rounds):
    import blosc2

    blosc2.set_nthreads(1)
    frames = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            frames.append(file.read())
        os.remove(os.path.join(folder, name))
    settings = dict(codec=blosc2.Codec.ZSTD, clevel=5, filters=[blosc2.Filter.BITSHUFFLE], typesize=like["shape"][3] // 8)
    encode = decode = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        coded = [blosc2.compress2(frame, **settings) for frame in frames]
        middle = time.perf_counter()
        back = [blosc2.decompress2(stream) for stream in coded]
        encode, decode = min(encode, middle - start), min(decode, time.perf_counter() - middle)
    if back != frames:
        sys.exit("Blosc2: other bytes come back")
    return dict(like, codec="Blosc2", coded=sum(map(len, coded)), encode=encode, decode=decode)


def measure(archives, rounds, most):
    """{codec: figures} of each archive that has frames for it."""
    program = [os.path.join(BIN, "codecs_bench"), "--rounds", str(rounds), "--most", str(most)]
    for archive in archives:
        with tempfile.TemporaryDirectory() as raw:
            done = subprocess.run([*program, "--raw", raw, archive], capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{os.path.basename(archive)}: {done.stderr.strip()}", file=sys.stderr)
                continue
            figures = {entry["codec"]: entry for entry in map(json.loads, done.stdout.splitlines())}
            if figures:
                figures["Blosc2"] = blosc2_figures(raw, figures["memcpy"], rounds)
                yield figures


def relative(figures, codec):
    """Size in per cent of HTJ2K's, encoding and decoding speed; None where the codec does not hold the series."""
    if codec not in figures or "htj2k" not in figures:
        return None
    own = figures[codec]
    return 100 * own["coded"] / figures["htj2k"]["coded"], own["bytes"] / 1e6 / own["encode"], own["bytes"] / 1e6 / own["decode"]


def cells(rows):
    return "".join(f"{'-':>19}" if row is None else f"{row[0]:7.1f}{row[1]:6.0f}{row[2]:6.0f}" for row in rows)


def medians(all_figures, codec, against=None):
    """The medians of a codec's size, encoding and decoding speed, or of their ratios to those of another codec."""
    rows = [(relative(one, codec), relative(one, against) if against else (1, 1, 1)) for one in all_figures]
    rows = [[a / b for a, b in zip(own, other)] for own, other in rows if own and other]
    return [statistics.median(column) for column in zip(*rows)] if rows else None


def report(all_figures):
    print(f"{'median':45}" + cells([medians(all_figures, codec) for codec in ORDER]))
    for codec in ("lane", "lane-inter"):
        ratios = medians(all_figures, codec, "htj2k")
        if not ratios:
            continue
        print(f"\n{len(all_figures)} series. {codec} against HTJ2K, medians of the ratios: {100 - 100 * ratios[0]:.1f} % smaller, "
              f"encodes {ratios[1]:.2f} and decodes {ratios[2]:.2f} times as fast")
        larger = sum(one[codec]["coded"] > one["htj2k"]["coded"] for one in all_figures if codec in one and "htj2k" in one)
        print(f"{larger} of the series are larger with {codec}")


def plot(all_figures, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    def is_under_another(codec, which):
        """Whether another point is so close above this one that their names would overlap."""
        own = points[codec]
        return any(0 < row[0] - own[0] < 5 and abs(math.log10(row[which] / own[which])) < 0.5 for row in points.values())

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, constrained_layout=True)
    points = {codec: medians(all_figures, codec) for codec in ORDER if codec != "memcpy"}
    points = {codec: row for codec, row in points.items() if row}
    for axis, which, name in ((axes[0], 2, "decoding"), (axes[1], 1, "encoding")):
        front, least = [], float("inf")
        for codec, row in sorted(points.items(), key=lambda item: -item[1][which]):
            if row[0] < least:
                least = row[0]
                front.append(row)
            axis.scatter(row[which], row[0], color="#1f6fb4" if codec.startswith("lane") else "#555555", zorder=3)
            offset = (6, -12) if is_under_another(codec, which) else (6, 4)
            axis.annotate(codec, (row[which], row[0]), textcoords="offset points", xytext=offset)
        axis.plot([row[which] for row in front], [row[0] for row in front], color="#bbbbbb", zorder=1)
        memcpy = medians(all_figures, "memcpy")[which]
        axis.axvline(memcpy, color="#bbbbbb", linestyle=":", zorder=1)
        axis.annotate("memcpy", (memcpy, 1), xycoords=("data", "axes fraction"), textcoords="offset points", xytext=(-4, -4), rotation=90, ha="right", va="top")
        axis.set_xscale("log")
        axis.set_xlabel(f"{name}, MB/s on one core")
        axis.grid(alpha=0.3)
        axis.margins(0.15)
    axes[0].set_ylabel("size, per cent of HTJ2K's")
    figure.suptitle(f"medians of {len(all_figures)} series; the line is the Pareto front")
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    figure.savefig(path, dpi=130)
    print(f"plot: {path}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("png", nargs="?", default=os.path.join(ROOT, "build", "codecs.png"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=int, default=8, help="MB of a series' frames")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        packed = subprocess.run([os.path.join(BIN, "dicube"), "pack", arguments.folder, "-o", work, "--codec", "htj2k", "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        archives = sorted(os.path.join(work, name) for name in os.listdir(work))
        print(packed.stderr, end="", file=sys.stderr)  # what could not be read
        if not archives:
            sys.exit(f"{arguments.folder}: no series")
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print("size: per cent of HTJ2K's (OpenJPH); enc, dec: MB/s of pixels on one core\n")
        print(f"{'series':45}" + "".join(f"{codec:>19}" for codec in ORDER))
        print(f"{'':45}" + f"{'size':>7}{'enc':>6}{'dec':>6}" * len(ORDER))
        all_figures = []
        for figures in measure(archives, arguments.rounds, arguments.most):
            all_figures.append(figures)
            one = figures["memcpy"]
            rows, columns, samples, bits = one["shape"]
            name = f"{one['series'][-22:]} {one['frames']}x{columns}x{rows}x{samples}/{bits}"
            print(f"{name:45}" + cells([relative(figures, codec) for codec in ORDER]), flush=True)
    if not all_figures:
        sys.exit(f"{arguments.folder}: no series with frames of 8 or 16 bits")
    report(all_figures)
    plot(all_figures, arguments.png)


if __name__ == "__main__":
    main()
