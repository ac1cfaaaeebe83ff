"""The stubs say what the extension module has; the package is soundly typed."""

import pathlib
import subprocess
import sys

import pytest

import dicube


def test_the_stub_of_the_core_is_current(tmp_path):
    pytest.importorskip("nanobind")
    made = tmp_path / "_core.pyi"
    subprocess.run([sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "dicube._core", "-o", made], check=True)
    checked_in = pathlib.Path(dicube.__file__).with_name("_core.pyi").read_text()
    assert made.read_text() == checked_in, "run: python -m nanobind.stubgen -m dicube._core -o python/dicube/_core.pyi"
    assert pathlib.Path(dicube.__file__).with_name("py.typed").exists()


def test_the_package_is_soundly_typed():
    pytest.importorskip("mypy")
    done = subprocess.run([sys.executable, "-m", "mypy", "--ignore-missing-imports", "--no-incremental", "-p", "dicube"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_every_public_name_has_a_docstring():
    for name in dicube.__all__:
        assert getattr(dicube, name).__doc__, name


USER = '''
import numpy as np
import dicube
from dicube.dicom import CommonTags, get_space_from_DicomMeta

def run(path: str) -> float:
    meta = dicube.load_meta(path)
    print(meta.get_shared_value(CommonTags.PatientName), meta.get("Modality"), meta.is_shared((0x0010, 0x0010)))
    with dicube.open(path) as archive:
        for finding in archive.findings or []:
            print(finding.code, finding.slices)
        print(len(archive), archive.shape, np.asarray(archive).mean())
        first = archive[np.int64(0)]
        print(archive.frame(np.argmax([1, 2])), archive.files[0].name.upper())
        print(archive[1:3], archive[[1, 2]], archive[np.array([1, 2])], archive[..., 0], archive[1, 2, 3])
        space: dicube.Space | None = dicube.load(path).space
        print(dicube.__version__, space.spacing[0] if space is not None else None, dicube.Space(first.shape).to_nifti_affine())
    grid = get_space_from_DicomMeta(meta, axis_order="zyx")
    print(None if grid is None else grid.end)
    meta.set_nonshared_item("InstanceNumber", np.arange(3))
    print(dicube.pack("in", "out", codec="lane").series[0].findings, [f.code for f in dicube.check(meta)])
    lossy: float = dicube.convert(path, "out.dcbl", max_error=2, progress=lambda p: print(p.phase)).seconds
    dicube.save(dicube.load(path), "out", "l", ratio=lossy)
    with dicube.DcbStreamingReader(path) as reader:
        data: bytes = reader.get_dicom_for_frame(0)
    return float(first.sum()) + len(data)
'''


def test_a_users_script_is_strictly_typed(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(USER)
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", tmp_path / "user.py"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout
