"""Files that PyPI dicube 0.3 writes (format version 1) load to the values it gives itself."""

import json
import subprocess

import numpy as np
import pytest

import dicube
from conftest import ROOT, corpus, phantom

PEER = ROOT / ".venv-peer" / "bin" / "python"
WRITE = """
import json, sys
import dicube, numpy
image = dicube.load_from_dicom_folder(sys.argv[1])
dicube.save(image, sys.argv[2])
image = dicube.load(sys.argv[2])
numpy.save(sys.argv[3], image.raw_image)
space, meta, tags = image.space, image.dicom_meta, dicube.CommonTags
print(json.dumps({
    "space": space and {name: [float(v) for v in getattr(space, name)] for name in ("shape", "origin", "spacing", "z_orientation")},
    "status": dicube.get_dicom_status(meta).value,
    "series": meta.get_shared_value(tags.SeriesInstanceUID),
    "numbers": [int(v) for v in meta.get_values(tags.InstanceNumber)],
    "positions": [[float(v) for v in p] for p in meta.get_values(tags.ImagePositionPatient)],
}))
"""


@pytest.mark.parametrize("name", ["phantom", "sample_10", "sample_150"])
def test_a_file_of_the_peer_loads_as_it_does_there(name, tmp_path):
    if not PEER.exists():
        pytest.skip("needs PyPI dicube in .venv-peer: ./dev venv")
    if name == "phantom":
        image = phantom()
        image.init_meta("CT", "Doe^Jane", "P1")
        dicube.save_to_dicom_folder(image, tmp_path / "in")
        folder = tmp_path / "in"
    else:
        folder = corpus("dicube-testdata", name)
    path, pixels = tmp_path / "old.dcbs", tmp_path / "pixels.npy"
    done = subprocess.run([PEER, "-c", WRITE, folder, path, pixels], capture_output=True, text=True, env={})
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = dicube.load(path)
    np.testing.assert_array_equal(ours.raw_image, np.load(pixels))
    meta = dicube.load_meta(path)
    assert meta.get_shared_value("SeriesInstanceUID") == theirs["series"]
    assert meta.get_values("InstanceNumber") == theirs["numbers"]
    np.testing.assert_allclose(meta.get_values("ImagePositionPatient"), theirs["positions"], rtol=1e-12)
    assert dicube.get_dicom_status(meta).value == theirs["status"]
    for field, value in theirs["space"].items():
        np.testing.assert_allclose([float(v) for v in getattr(ours.space, field)], value, atol=1e-5, err_msg=field)
