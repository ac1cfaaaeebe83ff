"""The examples of the user guide and the founding document's scripts, and the data loader."""

import multiprocessing
import os
import pickle
import re
import shutil
import subprocess
import sys

import numpy as np
import pydicom
import pytest

import dicube
from conftest import ROOT, corpus, sha256s
from dicube.integrations import ArchiveDataset


def test_the_user_guide_runs(series, tmp_path, monkeypatch):
    pytest.importorskip("nibabel")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(series, "series")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)
    assert len(blocks) >= 10
    names = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert sha256s("restored") == sha256s("unpacked") == sha256s("series")
    assert dicube.load_meta("anonymous.dcbs")["PatientName"] == "Anonymous^1"


def test_the_readme_runs(series, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(series, "series")
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize("name", ["sample_150", "sample_10"])
def test_the_founding_documents_scripts_run(name, tmp_path):
    from dicube.dicom import CommonTags

    dicom_dir, dcbs_file, roundtrip = str(corpus("dicube-testdata", name)), str(tmp_path / "test_sequence.dcbs"), str(tmp_path / "roundtrip")
    dcb_image = dicube.load_from_dicom_folder(dicom_dir)
    dicube.save(dcb_image, dcbs_file)
    meta = dicube.load_meta(dcbs_file)
    assert isinstance(meta.get_shared_value(CommonTags.PatientName), str)
    instance_numbers = meta.get_values(CommonTags.InstanceNumber)
    assert instance_numbers == sorted(instance_numbers) and all(isinstance(number, int) for number in instance_numbers)
    dicube.save_to_dicom_folder(dcb_image, roundtrip)
    original = pydicom.dcmread(os.path.join(dicom_dir, os.listdir(dicom_dir)[0]))
    again = pydicom.dcmread(os.path.join(roundtrip, "slice_0000.dcm"))
    for tag in ["PatientName", "StudyInstanceUID", "SeriesDescription", "ImageOrientationPatient", "PixelSpacing"]:
        assert original.get(tag, "N/A") == again.get(tag, "N/A")
    assert sha256s(roundtrip) == sha256s(dicom_dir)
    with multiprocessing.Pool(3) as pool:
        shapes = pool.map(_full, [dcbs_file] * 3)
        pool.map(dicube.load_meta, [dcbs_file] * 3)
    assert shapes == [dcb_image.raw_image.shape] * 3
    assert len(dicube.load_from_dicom_folder(dicom_dir).dicom_meta.filenames) == len(os.listdir(dicom_dir))
    os.remove(dcbs_file)


def _full(path):
    return dicube.load(path).raw_image.shape


def _total(item):
    data, index = item
    return int(data[index][0].sum())


def test_a_data_set_serves_workers(archive_path):
    data = ArchiveDataset([archive_path, archive_path], level=0)
    assert len(data) == 12 and data[7][1:] == (1, 1) and data[-1][1:] == (1, 5)
    expected = [int(frame.sum()) for frame in dicube.load(archive_path).raw_image] * 2
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(_total, [(data, i) for i in range(12)]) == expected
    with pytest.raises(IndexError):
        data[12]
    assert len(pickle.loads(pickle.dumps(data))) == 12
    assert ArchiveDataset([archive_path], transform=np.mean, level=1)[0][0] == dicube.open(archive_path).frame(0, level=1).mean()


def test_a_data_set_has_more_archives_than_a_process_may_have_files(archive_path, tmp_path):
    pytest.importorskip("resource")
    paths = [shutil.copy(archive_path, tmp_path / f"{number}.dcbs") for number in range(200)]
    code = (
        "import dicube.integrations, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (180, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "data = dicube.integrations.ArchiveDataset(sys.argv[1:])\n"
        "first = data.archive(0)\n"
        "assert all(data[number * 6][1:] == (number, 0) for number in range(200)) and first[1].shape == (40, 48)"
    )
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
