"""Any object as any argument: an error of the package, or it works."""

import io
import pathlib

import numpy as np
import pytest

import dicube
from conftest import phantom
from dicube.integrations import ArchiveDataset

JUNK = [
    None, True, -1, 10**30, -(10**30), 1.5, float("nan"), float("inf"), "x", "", b"x", "a\0b", "\udcff", "\ud800", [], [1], (), (1, 2), {}, {"a": 1},
    object(), np.zeros(3), np.array("x"), np.int64(99), np.float32(2), slice(None), Ellipsis, set(), int, pathlib.Path("/dev/null/x"),
    io.StringIO("x"),
]  # fmt: skip
BOUNDS = ["PatientName", "InstanceNumber", "SliceThickness", "Rows", "StudyInstanceUID", "ReferencedImageSequence", "SpecificCharacterSet",
          "StudyDate", 0x00091001, "ImagePositionPatient", "WindowCenter"]  # fmt: skip


@pytest.fixture
def calls(archive_path, series, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, image, out = dicube.open(archive_path), dicube.load(archive_path), iter(tmp_path / f"out{i}" for i in range(10**6))
    meta, header, cube = image.dicom_meta, dicube.PixelDataHeader(), np.zeros((2, 2, 2))
    reader = dicube.DcbStreamingReader(archive_path)
    return {
        "load": dicube.load, "load skip_meta": lambda j: dicube.load(archive_path, j), "load_meta": dicube.load_meta, "open": dicube.open,
        "save": lambda j: dicube.save(j, next(out)), "save path": lambda j: dicube.save(image, j),
        "save type": lambda j: dicube.save(image, next(out), j), "save max_error": lambda j: dicube.save(image, next(out), "l", max_error=j),
        "save ratio": lambda j: dicube.save(image, next(out), "l", ratio=j),
        "folder": dicube.load_from_dicom_folder, "folder sort": lambda j: dicube.load_from_dicom_folder(series, j),
        "folder uid": lambda j: dicube.load_from_dicom_folder(series, series_uid=j),
        "to folder": lambda j: dicube.save_to_dicom_folder(j, next(out)), "to folder path": lambda j: dicube.save_to_dicom_folder(image, j),
        "threads": _set_threads, "read_dicom_dir": dicube.read_dicom_dir, "read_dicom_dir sort": lambda j: dicube.read_dicom_dir(series, True, j),
        "status": dicube.get_dicom_status, "check": dicube.check, "image": lambda j: dicube.DicomCubeImage(j, header),
        "image header": lambda j: dicube.DicomCubeImage(cube, j), "image meta": lambda j: dicube.DicomCubeImage(cube, header, j),
        "image space": lambda j: dicube.DicomCubeImage(cube, header, None, j), "fdata": image.get_fdata,
        "init_meta": lambda j: phantom(2).init_meta(j), "values": meta.get_values, "shared": meta.get_shared_value, "is_shared": meta.is_shared,
        "is_missing": meta.is_missing, "vr": meta.get_vr, "get": meta.get, "item": meta.__getitem__, "in": meta.__contains__,
        "text": meta.get_text, "text index": lambda j: meta.get_text("PatientName", j), "index": meta.index,
        "sort": lambda j: dicube.load_meta(archive_path).sort_files(j), "set tag": lambda j: dicube.load_meta(archive_path).set_shared_item(j, "x"),
        "set values": lambda j: dicube.load_meta(archive_path).set_nonshared_item("PatientName", j),
        "remove": lambda j: dicube.load_meta(archive_path).remove(j), "from_json": dicube.DicomMeta.from_json,
        "from_json names": lambda j: dicube.DicomMeta.from_json(meta.to_json(), j), "meta": lambda j: dicube.DicomMeta(j, ["a"]),
        "meta item": lambda j: dicube.DicomMeta({"00100010": {"vr": "PN", "shared": False, "Value": j}}, ["a"]),
        "stream": dicube.DcbStreamingReader, "stream cache": lambda j: dicube.DcbStreamingReader(archive_path, cache_size=j),
        "stream frame": reader.get_dicom_for_frame, "frames": lambda j: a[j], "in a frame": lambda j: a[0, j], "in frames": lambda j: a[:, j], "slice": lambda j: a[j:], "step": lambda j: a[::j], "frame": a.frame, "level": lambda j: a.frame(0, j), "codec": a.codec,
        "file": a.read_file, "pack": lambda j: dicube.pack(j, next(out)), "pack out": lambda j: dicube.pack(series, j),
        "pack codec": lambda j: dicube.pack(series, next(out), codec=j), "pack conflict": lambda j: dicube.pack(series, next(out), on_conflict=j),
        "pack all": lambda j: dicube.pack(series, next(out), all=j), "pack order": lambda j: dicube.pack(series, next(out), order=j),
        "unpack": lambda j: dicube.unpack(j, next(out)), "unpack folder": lambda j: dicube.unpack(archive_path, j),
        "unpack syntax": lambda j: dicube.unpack(archive_path, next(out), transfer_syntax=j), "verify": dicube.verify,
        "convert": lambda j: dicube.convert(j, next(out)), "data set": lambda j: ArchiveDataset(j), "data": ArchiveDataset([archive_path]).__getitem__,
        "data level": lambda j: ArchiveDataset([archive_path], level=j)[0], "pair": lambda j: meta.get((j, 0x10)),
        **{f"edit {tag}": lambda j, tag=tag: _edit(archive_path, next(out), tag, j) for tag in BOUNDS},
    }  # fmt: skip


def _set_threads(number):
    before = dicube.get_num_threads()
    try:
        dicube.set_num_threads(number)
    finally:
        dicube.set_num_threads(before)


def _edit(path, out, tag, value):
    image = dicube.load(path)
    image.dicom_meta.set_shared_item(tag, value)
    dicube.save(image, out)


@pytest.mark.filterwarnings("ignore")
def test_no_object_is_too_odd(calls):
    wrong, refused = [], 0
    for name, call in calls.items():
        for junk in JUNK:
            try:
                call(junk)
            except dicube.DicomCubeError as error:
                refused += 1
                if not str(error).strip():
                    wrong.append((name, junk, "says nothing"))
            except Exception as error:
                wrong.append((name, junk, repr(error)))
    assert wrong == [] and refused > 1000


def test_wrong_types_are_type_errors_and_name_the_argument(archive_path, tmp_path):
    a = dicube.open(archive_path)
    for call, said in [
        (lambda: a.frame("x"), "frame must be an integer, not str"), (lambda: a.frame(0, 1.5), "level must be an integer, not float"),
        (lambda: dicube.pack(3, tmp_path), "sources must be a path or several, not int"),
        (lambda: dicube.pack(tmp_path, None), "out must be a path, not NoneType"),
        (lambda: dicube.convert(archive_path, tmp_path / "x", codec=1), "codec must be a text, not int"),
        (lambda: dicube.DcbStreamingReader(archive_path).get_dicom_for_frame(None), "frame_index must be an integer, not NoneType"),
        (lambda: a.meta.get_values(1.5), "a tag is an int, a keyword or a"), (lambda: dicube.get_dicom_status(None), "takes a DicomMeta"),
    ]:  # fmt: skip
        with pytest.raises(dicube.exceptions.ArgumentTypeError, match=said) as caught:
            call()
        assert isinstance(caught.value, TypeError)
    with pytest.raises(IndexError):
        a[6]
    with pytest.raises(KeyError, match="none.dcm"):
        a.read_file("none.dcm")
    with pytest.raises(KeyError, match="StationName"):
        a.meta["StationName"]


@pytest.mark.parametrize("name", ["raw_image", "dicom_meta", "pixel_header", "space"])
@pytest.mark.filterwarnings("ignore")
def test_what_was_put_into_an_image_is_looked_at_when_it_is_saved(archive_path, tmp_path, name):
    for junk in [*JUNK, np.zeros((0, 4, 4)), np.zeros((2, 2, 2, 2, 2)), np.array(["a"] * 8).reshape(2, 2, 2), np.array([[None]]), np.zeros((7, 40, 48), int)]:
        image = dicube.load(archive_path)
        try:
            setattr(image, name, junk)
            image.dicom_status
            dicube.save(image, tmp_path / "x")
            dicube.save_to_dicom_folder(image, tmp_path / "out")
        except dicube.DicomCubeError:
            pass
