"""Bad input: the package's exceptions, which are the builtins too, and a living interpreter."""

import errno
import io
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pydicom
import pytest

import dicube
import dicube.codecs
import dicube.integrations
import dicube.storage
from conftest import phantom
from dicube import _grid, exceptions
from dicube.storage import pixel_utils


@pytest.mark.parametrize("call", [dicube.load, dicube.load_meta, dicube.open, dicube.verify, dicube.DcbStreamingReader])
def test_a_missing_file_is_not_found(call, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        call(tmp_path / "none.dcbs")
    assert isinstance(caught.value, dicube.InvalidCubeFileError) and "none.dcbs" in str(caught.value)
    assert caught.value.errno == errno.ENOENT and caught.value.filename == str(tmp_path / "none.dcbs")


@pytest.mark.parametrize("content", [b"", b"x", b"DICUBE" * 100, b"\0" * 100_000])
def test_what_is_no_archive_says_so(content, tmp_path):
    path = tmp_path / "x.dcbs"
    path.write_bytes(content)
    for call in (dicube.load, dicube.load_meta, dicube.open):
        with pytest.raises(dicube.InvalidCubeFileError) as caught:
            call(path)
        assert isinstance(caught.value, ValueError) and "x.dcbs" in str(caught.value)
    with pytest.raises(dicube.DicomCubeError, match="a path is a str or os.PathLike"):
        dicube.open(content)


def test_wrong_arguments_name_what_was_expected(archive_path, tmp_path):
    for call in (lambda: dicube.open(7), lambda: dicube.open(None)):
        with pytest.raises(TypeError, match="path, bytes or a binary file"):
            call()
    with pytest.raises(dicube.DicomCubeError, match="folder"):
        dicube.open(tmp_path)
    with pytest.raises(ValueError, match="file type"):
        dicube.save(dicube.load(archive_path), tmp_path / "x", "z")
    with pytest.raises(ValueError, match="incorrect type"):
        dicube.save("image", tmp_path / "x")
    with pytest.raises(ValueError, match="float16, float32 or float64"):
        dicube.load(archive_path).get_fdata("int16")
    with pytest.raises(ValueError, match="codec must be"):
        dicube.pack(tmp_path, tmp_path / "out", codec="zip")
    with pytest.raises(ValueError, match="on_conflict must be"):
        dicube.pack(tmp_path, tmp_path / "out", on_conflict="maybe")


def test_a_folder_in_place_of_a_file_is_what_the_system_calls_it_and_the_other_way_round(archive_path, series, tmp_path):
    image, folder, file = dicube.load(archive_path), tmp_path / "x.dcbs", tmp_path / "file"
    folder.mkdir()
    file.write_text("text")
    for call in (
        lambda: dicube.load(folder), lambda: dicube.load_meta(folder), lambda: dicube.open(folder), lambda: dicube.DcbStreamingReader(folder),
        lambda: dicube.verify(folder), lambda: dicube.unpack(folder, tmp_path / "out"), lambda: dicube.convert(folder, tmp_path / "y.dcbs"),
        lambda: dicube.save(image, folder), lambda: dicube.convert(archive_path, folder, on_conflict="overwrite"),
    ):  # fmt: skip
        with pytest.raises(IsADirectoryError) as raised:
            call()
        assert isinstance(raised.value, exceptions.CubeIsADirectoryError) and isinstance(raised.value, ValueError)
    with pytest.raises(dicube.DicomCubeError, match="load_from_dicom_folder"):
        dicube.load(series)
    with pytest.raises(exceptions.InvalidCubeFileError, match="(?s)is a DICOM file, not an archive.*load_from_dicom_folder"):
        dicube.load(next(path for path in sorted(series.iterdir()) if path.is_file()))
    for call in (
        lambda: dicube.load_from_dicom_folder(file), lambda: dicube.read_dicom_dir(file), lambda: dicube.load(file / "x"),
        lambda: dicube.unpack(archive_path, file), lambda: dicube.save_to_dicom_folder(image, file / "x"),
    ):  # fmt: skip
        with pytest.raises(NotADirectoryError) as raised:
            call()
        assert isinstance(raised.value, exceptions.CubeNotADirectoryError) and isinstance(raised.value, ValueError)


def test_objects_of_other_types_are_type_errors_of_the_class_they_always_were(archive_path, tmp_path):
    image = dicube.load(archive_path)
    for call, other in [
        (lambda: dicube.save(np.zeros((2, 3, 3)), tmp_path / "x"), dicube.DataConsistencyError), (lambda: dicube.save(None, tmp_path / "x"), dicube.DataConsistencyError),
        (lambda: dicube.DicomCubeImage([[1]], dicube.PixelDataHeader()), dicube.DataConsistencyError), (lambda: dicube.save(image, 3), dicube.InvalidCubeFileError),
        (lambda: dicube.load_from_dicom_folder(None), dicube.InvalidCubeFileError), (lambda: image.init_meta(3), dicube.MetaDataError),
        (lambda: dicube.load_from_dicom_folder(tmp_path, "asc"), exceptions.UsageError), (lambda: image.dicom_meta.sort_files("asc"), exceptions.UsageError),
    ]:  # fmt: skip
        with pytest.raises(TypeError) as caught:
            call()
        assert isinstance(caught.value, other) and isinstance(pickle.loads(pickle.dumps(caught.value)), TypeError)
    with pytest.raises(TypeError, match="INSTANCE_NUMBER_ASC, INSTANCE_NUMBER_DESC"):
        image.dicom_meta.sort_files("asc")


def test_a_file_that_can_not_be_read_says_why(archive_path):
    with open(archive_path, "rb") as file:
        assert dicube.open(file)[0].shape == dicube.load(file).raw_image[0].shape == (40, 48)
        with pytest.raises(dicube.InvalidCubeFileError, match=r"nothing to read(.|\n)*seek\(0\)"):
            dicube.open(file)
    with pytest.raises(dicube.DicomCubeError, match="closed file"):
        dicube.open(file)
    with open(archive_path) as text, pytest.raises(TypeError, match="'rb'"):
        dicube.load(text)


class Broken(io.BytesIO):
    """A file that can't be read."""

    def __init__(self, data, error):
        super().__init__(data)
        self._error = error

    def read(self, size=-1):
        if self._error is None:
            return None
        raise self._error


def test_what_a_file_raises_is_an_error_of_the_package_with_its_cause(archive_path):
    data = archive_path.read_bytes()
    for call in (dicube.load, dicube.load_meta, dicube.open):
        for error in (RuntimeError("boom"), OSError(5, "broken"), EOFError()):
            with pytest.raises(exceptions.CubeIOError, match=type(error).__name__) as caught:
                call(Broken(data, error))
            assert caught.value.__cause__ is error
        with pytest.raises(dicube.DicomCubeError):
            call(Broken(data, None))
        for stop in (KeyboardInterrupt(), SystemExit(3)):
            with pytest.raises(type(stop)) as ended:
                call(Broken(data, stop))
            assert ended.value is stop


@pytest.mark.parametrize("typed, meant", [("PatientNmae", "PatientName"), ("StationNam", "StationName"), ("pixelspacing", "PixelSpacing")])
def test_a_mistyped_keyword_gets_the_one_that_was_meant(archive_path, typed, meant):
    with pytest.raises(ValueError, match=f"; did you mean {meant}\\?$"):
        dicube.load_meta(archive_path)[typed]


def test_a_keyword_like_no_other_gets_none(archive_path):
    with pytest.raises(ValueError, match="like '0010,0010'$"):
        dicube.load_meta(archive_path)["Xyzzy"]


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800"])
def test_a_path_that_no_file_can_have_is_not_called_damaged(archive_path, path):
    image = dicube.load(archive_path)
    for call in (dicube.load_from_dicom_folder, dicube.load_from_nifti, lambda path: dicube.save(image, path)):
        with pytest.raises(FileNotFoundError) as caught:
            call(path)
        assert isinstance(caught.value, dicube.InvalidCubeFileError) and caught.value.suggestion == "Give a path"


def test_folders_without_dicom_say_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        dicube.load_from_dicom_folder(tmp_path / "none")
    (tmp_path / "readme.txt").write_text("text")
    with pytest.raises(exceptions.NotDicomError):
        dicube.load_from_dicom_folder(tmp_path)
    with pytest.raises(ValueError):
        dicube.pack(tmp_path, tmp_path / "out")


def test_an_existing_archive_is_not_replaced_unasked(series, archive_path):
    report = dicube.pack(series, archive_path)
    assert isinstance(report.series[0].error, FileExistsError)
    with pytest.raises(FileExistsError):
        report.raise_errors()
    assert dicube.pack(series, archive_path, on_conflict="skip").series[0].skipped


def test_what_exists_may_be_written_beside(series, archive_path, tmp_path):
    target = tmp_path / "scan.dcbs"
    for name in ("scan.dcbs", "scan-2.dcbs"):
        assert dicube.pack(series, target, on_conflict="rename").raise_errors().series[0].archive == str(tmp_path / name)
    for name in ("scan-3.dcbs", "scan-4.dcbs"):
        assert dicube.convert(archive_path, target, on_conflict="rename").archive == str(tmp_path / name)
    assert [dicube.unpack(archive_path, tmp_path / "files", on_conflict="rename").renamed for _ in range(2)] == [0, 6]
    assert len(list((tmp_path / "files").rglob("*.dcm"))) == 12


def test_archives_are_named_by_a_template(series, tmp_path):
    report = dicube.pack(series, tmp_path / "out", name_template="{Modality}/{SeriesNumber}-x").raise_errors()
    path = pathlib.Path(report.series[0].archive)
    assert path.parent == tmp_path / "out" / "CT" and path.name.endswith("-x.dcbs") and path.is_file()
    for wrong in ("{PatientNmae}", "../{PatientID}", "{PatientID", "/abs"):
        with pytest.raises(dicube.exceptions.UsageError):
            dicube.pack(series, tmp_path / "out", name_template=wrong)


def test_every_truncation_and_flipped_byte_is_an_error_or_harmless(archive_path):
    """Never a crash, never other pixels."""
    data = archive_path.read_bytes()
    pixels = dicube.load(data).raw_image
    rng = np.random.default_rng(5)
    for size in list(range(0, 200, 13)) + rng.integers(0, len(data), 60).tolist():
        with pytest.raises((dicube.DicomCubeError, OSError)):
            dicube.load(data[:size])
    found = 0
    for place in rng.integers(0, len(data), 300):
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(0, 8))
        try:
            image = dicube.load(bytes(damaged))
            for key in image.dicom_meta.keys():
                image.dicom_meta.get_values(key)
        except dicube.DicomCubeError:
            found += 1
        else:
            np.testing.assert_array_equal(image.raw_image, pixels)
    assert found > 250


@pytest.mark.parametrize(
    "tag, value",
    [("InstanceNumber", "abc"), ("InstanceNumber", True), ("SliceThickness", "1,5"), ("StudyDate", "2024-12-31"), ("StudyTime", "noon"), ("AcquisitionDateTime", "x"),
     ("StudyInstanceUID", "1.2.x"), ("StudyInstanceUID", "1." * 40), ("PatientAge", 30), ("PatientName", {"Alphabet": "A^B"}), ("Rows", 70000), (0x00311001, 5), ("StudyTime", "25:00"), ("StudyTime", "1260"),
     ("PixelSpacing", [1]), ("PixelSpacing", "1\\2\\3"), ("ImagePositionPatient", [1, 2]), ("ImageOrientationPatient", [1, 0, 0]), ("SliceThickness", [1, 2]), ("Columns", [4, 4])],
)  # fmt: skip
def test_a_value_that_is_none_of_its_element_is_refused(archive_path, tmp_path, tag, value):
    image = dicube.load(archive_path)
    image.dicom_meta.set_shared_item(tag, value)
    with pytest.raises((dicube.MetaDataError, dicube.DataConsistencyError)) as caught:
        dicube.save(image, tmp_path / "x.dcbs")
    assert str(dicube.Tag(dicube.dicom.dicom_tags.to_tag(tag))) in str(caught.value) and not list(tmp_path.iterdir())


def test_several_values_may_stand_in_one_text(archive_path, tmp_path):
    image = dicube.load(archive_path)
    several = {"PixelSpacing": "0.50\\0.25 ", "ReferencedFrameNumber": "1\\2", "OtherPatientNames": "A^B\\C^D", "ReferencedSOPInstanceUID": "1.2\\1.3", "StudyDate": "", "SliceThickness": "", "StudyTime": "23:59:60"}
    for keyword, text in several.items():
        image.dicom_meta.set_shared_item(keyword, text)
    dicube.save(image, tmp_path / "x.dcbs")
    meta = dicube.load_meta(tmp_path / "x.dcbs")
    assert [meta[keyword] for keyword in several] == [[0.5, 0.25], [1, 2], ["A^B", "C^D"], ["1.2", "1.3"], None, None, "23:59:60"]


def test_wrong_values_of_a_file_are_kept_when_others_are_edited(own_series, tmp_path):
    files = sorted(own_series.iterdir())
    wrong = pydicom.dcmread(files[1])
    wrong.add_new("SliceThickness", "DS", ["5.0", "5.0"])
    wrong.add_new("StudyTime", "TM", "2400")
    wrong.PixelMeasuresSequence = [pydicom.Dataset()]
    wrong.PixelMeasuresSequence[0].add_new("SliceThickness", "DS", ["5", "5"])
    wrong.save_as(files[1])
    image = dicube.load_from_dicom_folder(own_series)
    meta = image.dicom_meta
    place = meta.get_values("SliceThickness").index([5.0, 5.0])
    for keyword, new in (("SliceThickness", 2.0), ("StudyTime", "1200")):
        values = meta.get_values(keyword)
        meta.set_nonshared_item(keyword, [value if number == place else new for number, value in enumerate(values)])
    sequences = meta.get_values("PixelMeasuresSequence")
    sequences[place][0]["ImageComments"] = "edited"
    meta.set_nonshared_item("PixelMeasuresSequence", sequences)
    dicube.save(image, tmp_path / "x.dcbs")
    dicube.unpack(tmp_path / "x.dcbs", tmp_path / "out")
    saved = [pydicom.dcmread(path) for path in sorted((tmp_path / "out").rglob("*.dcm"))]
    assert [data.SliceThickness for data in saved] == [2, [5, 5], 2, 2, 2, 2]
    assert [data.StudyTime for data in saved] == ["1200", "2400"] + ["1200"] * 4
    assert [str(value) for value in saved[1].SliceThickness] == ["5.0", "5.0"]
    assert saved[1].PixelMeasuresSequence[0].SliceThickness == [5, 5] and saved[1].PixelMeasuresSequence[0].ImageComments == "edited"


def test_an_element_of_the_geometry_may_be_empty(archive_path, tmp_path):
    for value in ("", "  ", [], None):
        image = dicube.load(archive_path)
        image.dicom_meta.set_shared_item("PixelSpacing", value)
        dicube.save(image, tmp_path / "x.dcbs")
        assert dicube.load_meta(tmp_path / "x.dcbs")["PixelSpacing"] is None


def test_what_is_no_element_of_a_data_set_is_not_set(archive_path):
    meta = dicube.load_meta(archive_path)
    for tag in (0xFFFEE000, 0x00000002, 0x00080000, "PixelData"):
        with pytest.raises(dicube.MetaDataError):
            meta.set_shared_item(tag, b"")
    with pytest.raises(dicube.MetaDataError):
        meta.remove("PixelData")


def test_arrays_of_anything_but_numbers_are_refused(archive_path, tmp_path):
    for raw in (np.full((2, 3, 4), "x"), np.zeros((2, 3, 4), complex), np.zeros((2, 3, 4), object), np.zeros((2, 3, 4), "M8[s]")):
        with pytest.raises(TypeError, match=str(raw.dtype)[:4]):
            dicube.DicomCubeImage(raw, dicube.PixelDataHeader())
        image = dicube.load(archive_path)
        image.raw_image = raw
        for call in (image.get_fdata, lambda: dicube.save(image, tmp_path / "x"), lambda: dicube.save_to_nifti(image, tmp_path / "x.nii")):
            with pytest.raises(dicube.DataConsistencyError):
                call()
    with pytest.raises(TypeError, match="matrix"):
        dicube.DicomCubeImage(np.matrix([[1, 2], [3, 4]]), dicube.PixelDataHeader())


def test_errors_survive_pickling(tmp_path):
    try:
        dicube.load(tmp_path / "none.dcbs")
    except dicube.DicomCubeError as error:
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)


def test_packing_reports_progress_and_findings(series, tmp_path):
    seen = []
    report = dicube.pack(series, tmp_path / "out", progress=seen.append)
    assert report.files == 6 and report.series[0].frames == 6 and report.series[0].codec == "lane"
    assert list(dict.fromkeys(progress.phase for progress in seen)) == ["scan", "pack", "prove"]
    assert all(max(progress.files_done for progress in seen if progress.phase == phase) == 6 for phase in ("scan", "pack", "prove"))
    checked = dicube.verify(report.series[0].archive)
    assert checked.instances == 6 and checked.errors == []
    restored = dicube.unpack(report.series[0].archive, tmp_path / "back")
    assert restored.files == 6 and restored.errors == []


def test_reports_raise_their_first_error(series, tmp_path):
    path = tmp_path / "x.dcbs"
    dicube.pack(series, path)
    assert dicube.verify(path).raise_errors().instances == dicube.unpack(path, tmp_path / "back").raise_errors().files == 6
    with pytest.raises(FileExistsError, match="slice_0000.dcm"):
        dicube.unpack(path, tmp_path / "back").raise_errors()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(dicube.InvalidCubeFileError, match="checksum"):
        dicube.verify(path).raise_errors()


def test_an_exception_in_a_callback_stops_the_call(series, tmp_path):
    class Stop(Exception):
        pass

    def stop(progress):
        raise Stop

    with pytest.raises(Stop):
        dicube.pack(series, tmp_path / "out", progress=stop)
    assert not (tmp_path / "out").exists()


def test_saving_that_fails_leaves_no_folder_that_it_made(archive_path, tmp_path):
    image = dicube.load(archive_path)
    image.raw_image = image.raw_image[:-1]
    (tmp_path / "there").mkdir()
    for name in ("out/deep", "there"):
        with pytest.raises(dicube.DataConsistencyError):
            dicube.save(image, tmp_path / name / "x.dcbs")
        with pytest.raises(dicube.DataConsistencyError):
            dicube.save_to_dicom_folder(image, tmp_path / name)
    assert os.listdir(tmp_path) == ["there"] and os.listdir(tmp_path / "there") == []


def test_folders_are_made_behind_links_and_missing_ones_as_the_system_does(archive_path, tmp_path, monkeypatch):
    image = dicube.load(archive_path)
    (tmp_path / "q" / "a" / "b").mkdir(parents=True)
    (tmp_path / "lnk").symlink_to(tmp_path / "q" / "a" / "b")
    monkeypatch.chdir(tmp_path)
    for path, place in (("lnk/../x", "q/a/x"), ("n/../m", "m"), ("deep/er", "deep/er")):
        dicube.save_to_dicom_folder(image, path)
        dicube.save(image, f"{path}/s/one.dcbs")
        assert len(list((tmp_path / place).glob("*.dcm"))) == 6 and (tmp_path / place / "s" / "one.dcbs").exists()
        dicube.save_to_nifti(image, f"{path}/s/one.nii")
        assert (tmp_path / place / "s" / "one.nii").exists()
    dicube.save(image, "here.dcbs")
    assert (tmp_path / "here.dcbs").exists() and not list(tmp_path.rglob(".dicube-*"))
    for call in (lambda: dicube.save_to_dicom_folder(image, "here.dcbs"), lambda: dicube.save(image, "here.dcbs/x.dcbs")):
        with pytest.raises(OSError) as caught:
            call()
        assert isinstance(caught.value, dicube.DicomCubeError)


def test_ctrl_c_stops_packing_and_leaves_nothing(tmp_path):
    image = dicube.DicomCubeImage(np.random.default_rng(1).integers(0, 4000, (120, 512, 512), np.uint16), dicube.PixelDataHeader())
    image.init_meta("CT")
    dicube.save_to_dicom_folder(image, tmp_path / "in")
    code = (
        "import dicube, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "dicube.pack(sys.argv[1], sys.argv[2], progress=lambda p: print('go', flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path / "in", tmp_path / "out"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "go\n"
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in errors and time.monotonic() - start < 5
    assert not (tmp_path / "out").exists()


def test_decoding_lets_other_threads_run(tmp_path):
    raw = np.random.default_rng(2).integers(0, 4000, (60, 512, 512), np.uint16)
    dicube.save(dicube.DicomCubeImage(raw, dicube.PixelDataHeader()), tmp_path / "x.dcbs")
    counted, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    dicube.load(tmp_path / "x.dcbs")
    stop.set()
    thread.join()
    assert counted[0] > 3


def test_an_error_with_many_details_says_the_first_and_keeps_all():
    error = exceptions.DataConsistencyError("132 series", details={"files": {f"1.2.{i}": i for i in range(132)}, "few": [1, 2]})
    assert "'1.2.19': 19, ... and 112 more}" in str(error) and "few=[1, 2]" in str(error)
    assert len(error.details["files"]) == 132


@pytest.mark.parametrize("module, call", [
    ("nibabel", lambda d: dicube.load_from_nifti(d)), ("nibabel", lambda d: dicube.save_to_nifti(phantom(), d)), ("pydicom", lambda d: dicube.read_dicom_dir(d)),
    ("torch", lambda d: dicube.integrations.torch_dataset([])), ("monai", lambda d: dicube.integrations.monai_reader()),
])  # fmt: skip
def test_a_package_that_is_not_there_is_named(monkeypatch, tmp_path, module, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"(?i){module} is required") as caught:
        call(tmp_path)
    assert isinstance(caught.value, dicube.exceptions.MissingPackageError) and "pip install" in str(caught.value)


@pytest.mark.parametrize("call, error", [
    (lambda: dicube.codecs.get_codec("none"), ValueError), (lambda: dicube.codecs.register_codec(1), TypeError),
    (lambda: pixel_utils.derive_pixel_header_from_array(np.zeros((2, 2), complex)), NotImplementedError),
    (lambda: pixel_utils.derive_pixel_header_from_array(np.array([0.5]), "int8"), ValueError),
    (lambda: pixel_utils.derive_pixel_header_from_array(np.array([0.5, np.inf])), ValueError),
    (lambda: pixel_utils.convert_to_minimal_int(np.array([0, 2**40])), ValueError),
    (lambda: dicube.storage.DcbSFile("x.dcbs", "w").write([], dicube.PixelDataHeader()), ValueError),
    (lambda: dicube.storage.DcbSFile("x.dcbs", "w").write([np.zeros((2, 2)), np.zeros((2, 3))], dicube.PixelDataHeader()), ValueError),
    (lambda: _grid.Space.from_json("x"), ValueError), (lambda: _grid.Space.from_json("[1]"), ValueError), (lambda: _grid.Space.from_dict({"a": (1,)}), ValueError),
    (lambda: _grid.Space.from_json("[" * 100000), ValueError), (lambda: dicube.DicomMeta.from_json("[" * 100000), ValueError),
])  # fmt: skip
def test_errors_of_the_older_interface_are_the_packages_too(call, error):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, dicube.DicomCubeError)


def test_errors_of_the_core_name_no_option_of_the_command_line(tmp_path, series):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text").write_text("none")
    told = []
    for call in (lambda: dicube.pack(tmp_path / "in", tmp_path / "out"), lambda: dicube.pack(tmp_path / "in" / "text", tmp_path / "out"),
                 lambda: dicube.pack(series, tmp_path / "out.dcba")):  # fmt: skip
        with pytest.raises(dicube.DicomCubeError) as caught:
            call()
        told.append(str(caught.value))
    (tmp_path / "in" / "cut.dcm").write_bytes(next(series.iterdir()).read_bytes()[:200])
    told.extend(map(str, dicube.pack(tmp_path / "in", tmp_path / "out").errors))
    assert len(told) == 4 and not [text for text in told if "--" in text], told
    assert [("archive=True" if "dcba" in text else "all=True") in text for text in told] == [True] * 4, told


def test_sequences_that_nest_too_deep_to_be_read_are_not_written(archive_path, tmp_path):
    def saved(items):
        image = dicube.load(archive_path)
        image.dicom_meta.set_shared_item("RequestAttributesSequence", items)
        dicube.save(image, tmp_path / "x")
        return dicube.open(tmp_path / "x.dcbs")

    def nested(depth):
        items = [{"PatientID": "1"}]
        for _ in range(depth - 1):
            items = [{"RequestAttributesSequence": items}]
        return items

    endless = []
    endless.append({"RequestAttributesSequence": endless})
    assert len(saved(nested(64))) == 6
    for items in (nested(65), nested(5000), endless):
        with pytest.raises(dicube.exceptions.MetaDataError, match="more than 64 deep"):
            saved(items)
