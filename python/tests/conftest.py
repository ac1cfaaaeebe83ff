"""Data for the tests: series made here, and the corpus where it is at hand."""

import os
import pathlib
import shutil

import numpy as np
import pytest

import dicube

ROOT = pathlib.Path(__file__).resolve().parents[2]


def corpus(*parts):
    """A folder of the corpus; skips the test where it is absent."""
    base = pathlib.Path(os.environ.get("DICUBE_CORPUS", ROOT.parent / "shared" / "data"))
    path = base.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs the corpus: no {path} (set DICUBE_CORPUS)")
    return path


def phantom(slices=6, rows=40, columns=48, dtype=np.int16, seed=1):
    """An image from an array: smooth, with some noise, and a grid that is not symmetrical in any axis."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(np.arange(slices), np.arange(rows), np.arange(columns), indexing="ij")
    values = 40 * z + 3 * y - 2 * x + rng.integers(0, 20, z.shape)
    if np.dtype(dtype).kind == "u":
        values -= values.min()
    if np.dtype(dtype).itemsize == 1:
        values = values % 100
    space = dicube.Space(shape=(slices, rows, columns), origin=(-30.0, 20.0, 5.5), spacing=(2.5, 0.75, 0.5),
                         x_orientation=(0, 0, 1), y_orientation=(0, 1, 0), z_orientation=(1, 0, 0))  # fmt: skip
    header = dicube.PixelDataHeader(RescaleSlope=2.0, RescaleIntercept=-1000.0, WindowCenter=40.0, WindowWidth=400.0)
    return dicube.DicomCubeImage(values.astype(dtype), header, space=space)


@pytest.fixture(scope="session")
def series(tmp_path_factory):
    """A folder with a CT series of 6 slices."""
    folder = tmp_path_factory.mktemp("series")
    image = phantom()
    image.init_meta("CT", "Doe^Jane", "P1")
    dicube.save_to_dicom_folder(image, folder)
    return folder


@pytest.fixture(scope="session")
def archive_path(series, tmp_path_factory):
    """The series, packed."""
    path = tmp_path_factory.mktemp("archive") / "series.dcbs"
    dicube.pack(series, path).raise_errors()
    return path


@pytest.fixture
def own_series(series, tmp_path):
    """A copy of the series, to be changed."""
    return pathlib.Path(shutil.copytree(series, tmp_path / "series"))


def sha256s(folder):
    import hashlib

    return sorted(hashlib.sha256(p.read_bytes()).hexdigest() for p in pathlib.Path(folder).rglob("*") if p.is_file())
