#!/usr/bin/env python3
"""Archive sizes of every series below a folder, ours (HTJ2K) beside PyPI `dicube` 0.3: bench/sizes.py FOLDER [MIN_SLICES]

Groups the files by Series Instance UID with pydicom (.venv), packs each series with build/release/bin/dicube and with .venv-peer, and prints
one line per series that the peer can pack, then the median and the largest ratio. Ours keep every byte and a SHA-256 per file; the peer does not.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

from series import folder_of, series_of

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = os.path.join(ROOT, "build", "release", "bin", "dicube")
PEER = os.path.join(ROOT, ".venv-peer", "bin", "python")
PACK = "import sys, dicube; dicube.save(dicube.load_from_dicom_folder(sys.argv[1]), sys.argv[2])"


def main():
    folder, least = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    ratios = []
    for uid, paths in sorted(series_of(folder).items(), key=lambda item: item[1][0]):
        if len(paths) < least:
            continue
        with tempfile.TemporaryDirectory() as work, folder_of(paths) as links:
            peer = os.path.join(work, "peer.dcbs")
            if subprocess.run([PEER, "-c", PACK, links, peer], capture_output=True).returncode != 0 or not os.path.exists(peer):
                continue
            done = subprocess.run([OURS, "pack", "--codec", "htj2k", links, "-o", os.path.join(work, "ours.dcbs"), "--json"], capture_output=True, text=True)
            ours = json.loads(done.stdout.splitlines()[0])
            size = os.path.getsize(peer)
            ratios.append(ours["archive_bytes"] / size)
            print(f"{ratios[-1]:.4f}  {ours['archive_bytes']:>10} / {size:>10}  metadata {ours['metadata_bytes']:>7}  {len(paths):>4} files  {os.path.relpath(os.path.dirname(paths[0]), folder)}")
    if not ratios:
        sys.exit(f"{folder}: no series of {least} files or more that the peer can pack")
    print(f"{len(ratios)} series; median {statistics.median(ratios):.4f}, largest {max(ratios):.4f}")


if __name__ == "__main__":
    main()
