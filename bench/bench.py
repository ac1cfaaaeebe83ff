#!/usr/bin/env python3
"""Ours beside the peers on one series, the largest below a folder, in one run: ./dev bench FOLDER [htj2k]

Runs build/release/bin/dicube_bench, then pydicom 3 and Blosc2 in this interpreter's environment (.venv) and PyPI `dicube` 0.3 in
.venv-peer, and prints one table with ratios (peer / ours; above 1: ours is faster or smaller). Seconds are the least of several runs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from series import folder_of, series_of

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def least(runs, work):
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def dicom_files(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder))


def measure_pydicom(folder):
    import numpy
    import pydicom

    files = dicom_files(folder)

    def load():
        return numpy.stack([pydicom.dcmread(path).pixel_array for path in files])

    yield "one field", least(3, lambda: [pydicom.dcmread(p, specific_tags=["InstanceNumber"]).InstanceNumber for p in files])
    yield "all metadata", least(3, lambda: [list(pydicom.dcmread(p, stop_before_pixels=True)) for p in files])
    yield "full load, 1 thread", least(3, load)
    yield "one slice", least(5, lambda: pydicom.dcmread(files[len(files) // 2]).pixel_array)
    yield "size", sum(os.path.getsize(path) for path in files)


def measure_blosc2(folder):
    import blosc2
    import numpy
    import pydicom

    pixels = numpy.stack([pydicom.dcmread(path).pixel_array for path in dicom_files(folder)])
    packed = [
        blosc2.compress2(frame, codec=blosc2.Codec.ZSTD, clevel=5, filters=[blosc2.Filter.BITSHUFFLE], typesize=pixels.itemsize)
        for frame in pixels
    ]
    target = numpy.empty_like(pixels)

    def load():
        for frame, stream in zip(target, packed):
            blosc2.decompress2(stream, dst=frame)

    for threads in (1, 2):
        blosc2.set_nthreads(threads)
        yield f"full load, {threads} thread{'s' if threads > 1 else ''}", least(5, load)
    yield "size", sum(len(stream) for stream in packed)
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "raw.npy")
        numpy.save(path, pixels)
        yield "raw read", least(5, lambda: numpy.load(path))


PEER = """
import json, os, resource, sys, tempfile, time
import dicube
folder, path = sys.argv[1:]
def least(runs, work):
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter(); work(); best = min(best, time.perf_counter() - start)
    return best
def pack():
    dicube.save(dicube.load_from_dicom_folder(folder), path)
out = {}
for threads in (1, 2):
    dicube.set_num_threads(threads)
    out[f"pack, {threads} thread" + ("s" if threads > 1 else "")] = least(3, pack)
    out[f"full load, {threads} thread" + ("s" if threads > 1 else "")] = least(5, lambda: dicube.load(path))
out["one field"] = least(10, lambda: dicube.load_meta(path).get_values(dicube.CommonTags.InstanceNumber))
out["size"] = os.path.getsize(path)
out["peak memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print("\\n" + json.dumps(out))
"""


def measure_peer(folder, work):
    python = os.path.join(ROOT, ".venv-peer", "bin", "python")
    done = subprocess.run([python, "-c", PEER, folder, os.path.join(work, "peer.dcbs")], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"PyPI dicube failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return {}
    return json.loads(done.stdout.strip().splitlines()[-1])


NAMES = {
    "open_one_field": "one field",
    "open_positions": "one field (positions)",
    "all_metadata": "all metadata",
    "one_slice": "one slice",
    "decode_in_load": "decode inside a load",
    "openjph_decode": "OpenJPH alone",
    "size": "size",
    "metadata_size": "metadata size",
    "peak_memory_pack": "peak memory, pack",
    "peak_memory_load": "peak memory, load",
}


def measure_ours(folder, work, codec):
    program = os.path.join(ROOT, "build", "release", "bin", "dicube_bench")
    done = subprocess.run([program, folder, work, *codec], check=True, capture_output=True, text=True)
    out = {}
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        threads = f", {entry['threads']} thread{'s' if entry['threads'] > 1 else ''}"
        name = NAMES.get(entry["what"]) or {"full_load": "full load", "pack": "pack"}[entry["what"]] + threads
        out[name] = entry["seconds"] or entry["bytes"]
    return out


def show(value, is_bytes):
    if value is None:
        return "-"
    return f"{value / 1e6:.2f} MB" if is_bytes else f"{value * 1e3:.3f} ms"


def main():
    codec = sys.argv[2:]
    if len(sys.argv) < 2 or codec not in ([], ["htj2k"]):
        sys.exit(__doc__)
    series = sorted(series_of(sys.argv[1]).values(), key=lambda paths: sum(map(os.path.getsize, paths)))
    if not series:
        sys.exit(f"bench: {sys.argv[1]}: no DICOM series there")
    if len(series) > 1:
        print(f"the largest of {len(series)} series: {len(series[-1])} files, {os.path.dirname(series[-1][0])}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as work, folder_of(series[-1]) as folder:
        columns = {
            "ours": measure_ours(folder, work, codec),
            "pydicom": dict(measure_pydicom(folder)),
            "dicube 0.3": measure_peer(folder, work),
            "Blosc2": dict(measure_blosc2(folder)),
        }
    rows = list(dict.fromkeys(name for column in columns.values() for name in column))
    print(f"{'':24}" + "".join(f"{name:>22}" for name in columns))
    for row in rows:
        is_bytes = "size" in row or "memory" in row
        line = f"{row:24}"
        ours = columns["ours"].get(row)
        for name, column in columns.items():
            text = show(column.get(row), is_bytes)
            if name != "ours" and ours and column.get(row):
                text += f" ({column[row] / ours:.2f}x)"
            line += f"{text:>22}"
        print(line)
    ours = columns["ours"]
    if ours.get("OpenJPH alone"):
        print(f"\ndecode inside a load / OpenJPH alone: {ours['OpenJPH alone'] / ours['decode inside a load']:.3f} of its speed")


if __name__ == "__main__":
    main()
