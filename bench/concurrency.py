#!/usr/bin/env python3
"""Ten processes, each loading five random series: metadata alone, and everything. ./dev concurrency FOLDER [OUT.png]

FOLDER holds one series per sub-folder; when there are fewer than fifty, each is used several times under another name. Runs ours
(with HTJ2K and with the lane codec) and pydicom in .venv and PyPI `dicube` 0.3 in .venv-peer, from the page cache and, where the
machine lets it be dropped, from disk; prints a table and writes a plot.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PROCESSES, PER_PROCESS = 10, 5

# What one interpreter does: pack the series when asked for, then the two scenarios on lists of paths.
WORKER = r"""
import json, multiprocessing as mp, os, sys, time
kind, work = sys.argv[1], json.loads(sys.argv[2])

if kind == "pydicom":
    import pydicom
    def files(folder):
        return [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]
    def meta(folder):
        for path in files(folder):
            pydicom.dcmread(path, stop_before_pixels=True)
    def full(folder):
        pixels = [data_set.pixel_array for data_set in [pydicom.dcmread(path) for path in files(folder)]]
        return len(pixels), pixels[0].shape
else:
    import dicube
    def meta(path):
        dicube.load_meta(path)
    def full(path):
        return dicube.load(path).raw_image.shape

def meta_worker(paths):
    for path in paths:
        meta(path)
def full_worker(paths):
    for path in paths:
        full(path)

def run(worker, tasks):
    pool = mp.get_context("fork").Pool(len(tasks))
    start = time.perf_counter()
    pool.map(worker, tasks, chunksize=1)
    seconds = time.perf_counter() - start
    pool.close(); pool.join()
    return seconds

out = {}
if "pack" in work:
    for source, target in work["pack"]:
        if work["codec"]:
            dicube.pack(source, target, codec=work["codec"]).raise_errors()
            continue
        dicube.save(dicube.load_from_dicom_folder(source), target)
    out["bytes"] = sum(os.path.getsize(target) for _, target in work["pack"])
else:
    if kind != "pydicom":
        dicube.set_num_threads(work.get("threads", 1))
    out = {"meta": run(meta_worker, work["tasks"]), "full": run(full_worker, work["tasks"])}
print("\n" + json.dumps(out))
"""


# Ours, by codec; what the peer packs with is its own affair.
CODECS = {"ours, HTJ2K": "htj2k", "ours, lane": "lane", "dicube 0.3": ""}
COLOURS = {"pydicom": "#888888", "ours, HTJ2K": "#1f6fb4", "ours, lane": "#2a9d8f", "dicube 0.3": "#c98a2b"}


def interpreter(kind):
    return os.path.join(ROOT, ".venv-peer" if kind == "dicube 0.3" else ".venv", "bin", "python")


def call(kind, work):
    done = subprocess.run([interpreter(kind), "-c", WORKER, "pydicom" if kind == "pydicom" else "dicube", json.dumps(work)],
                          capture_output=True, text=True)  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{kind}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(root, name)) for root, _, names in os.walk(folder) for name in names)


def drop_cache():
    try:
        subprocess.run(["sync"], check=True)
        with open("/proc/sys/vm/drop_caches", "w") as switch:
            switch.write("3")
    except OSError:
        return False
    return True


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    source = os.path.abspath(sys.argv[1])
    series = sorted(entry.path for entry in os.scandir(source) if entry.is_dir())
    if not series:
        sys.exit(f"{source}: no folders of series")
    needed = PROCESSES * PER_PROCESS
    with tempfile.TemporaryDirectory() as work:
        random.seed(1)
        chosen = random.sample(series, needed) if len(series) >= needed else [series[i % len(series)] for i in range(needed)]
        dicom = []
        for number, folder in enumerate(chosen):  # copies: their pages are their own
            target = os.path.join(work, "dicom", f"{number:03d}")
            shutil.copytree(folder, target)
            dicom.append(target)
        paths = {"pydicom": dicom}
        sizes = {"pydicom": sum(folder_bytes(folder) for folder in dicom)}
        for kind, codec in CODECS.items():
            out = os.path.join(work, kind.replace(" ", "-"))
            os.mkdir(out)
            made = {}
            for number, folder in enumerate(chosen):
                made.setdefault(folder, os.path.join(out, f"{number:03d}.dcbs"))
            call(kind, {"codec": codec, "pack": [[folder, path] for folder, path in made.items()]})
            paths[kind] = []
            for number, folder in enumerate(chosen):
                path = os.path.join(out, f"{number:03d}.dcbs")
                if path != made[folder]:
                    shutil.copyfile(made[folder], path)
                paths[kind].append(path)
            sizes[kind] = sum(os.path.getsize(path) for path in paths[kind])
        os.sync()  # else the system writes the copies while it is measured
        results = measure(paths)
    report(results, sizes, len(series))
    plot(results, sizes, sys.argv[2] if len(sys.argv) == 3 else os.path.join(ROOT, "build", "concurrency.png"))


def measure(paths):
    results = {}
    for state in ("warm", "cold"):
        for kind, of in paths.items():
            tasks = [of[i * PER_PROCESS : (i + 1) * PER_PROCESS] for i in range(PROCESSES)]
            best = {}
            for _ in range(3 if state == "warm" else 1):
                if state == "cold" and not drop_cache():
                    return results
                for scenario, seconds in call(kind, {"tasks": tasks}).items():
                    best[scenario] = min(seconds, best.get(scenario, seconds))
            for scenario, seconds in best.items():
                results[state, scenario, kind] = seconds
    return results


def report(results, sizes, count):
    print(f"{PROCESSES} processes x {PER_PROCESS} series, of {count} different ones; seconds, and times faster than pydicom")
    print(f"{'':28}" + "".join(f"{kind:>22}" for kind in sizes))
    print(f"{'size':28}" + "".join(f"{size / 1e6:15.1f} MB {sizes['pydicom'] / size:3.1f}" for size in sizes.values()))
    for state in ("warm", "cold"):
        for scenario, name in (("meta", "metadata"), ("full", "metadata and pixels")):
            if (state, scenario, "pydicom") not in results:
                continue
            base = results[state, scenario, "pydicom"]
            cells = [f"{results[state, scenario, kind]:12.3f} s {base / results[state, scenario, kind]:6.1f} x" for kind in sizes]
            print(f"{name + ', ' + state:28}" + "".join(cells))


def plot(results, sizes, path):
    try:
        import matplotlib
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [(state, scenario) for state in ("warm", "cold") for scenario in ("meta", "full") if (state, scenario, "pydicom") in results]
    figure, axes = plt.subplots(1, len(rows), figsize=(4.2 * len(rows), 3.6), constrained_layout=True)
    for axis, (state, scenario) in zip([axes] if len(rows) == 1 else axes, rows):
        values = [results[state, scenario, kind] for kind in sizes]
        bars = axis.bar([kind.replace(", ", "\n") for kind in sizes], values, color=[COLOURS[kind] for kind in sizes])
        axis.bar_label(bars, labels=[f"{value:.3g} s" for value in values], padding=2)
        axis.set_yscale("log" if scenario == "meta" else "linear")
        axis.set_ylabel("seconds")
        axis.set_title({"meta": "metadata", "full": "metadata and pixels"}[scenario] + ", " + state)
        axis.margins(y=0.15)
    figure.suptitle(f"{PROCESSES} processes x {PER_PROCESS} series")
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    figure.savefig(path, dpi=130)
    print(f"plot: {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
