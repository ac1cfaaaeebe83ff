"""Folders, archives and single files, and back: what is written is valid and exact."""

import datetime
import io
import os
import pathlib
import shutil
import struct
import subprocess

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

import dicube
from conftest import corpus, phantom, sha256s


def test_a_folder_comes_back_byte_for_byte(series, tmp_path):
    image = dicube.load_from_dicom_folder(series)
    dicube.save(image, tmp_path / "a")
    dicube.save_to_dicom_folder(dicube.load(tmp_path / "a.dcbs"), tmp_path / "out")
    assert sha256s(tmp_path / "out") == sha256s(series)


def test_saving_to_a_folder_leaves_other_files_alone(archive_path, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    dicube.save_to_dicom_folder(dicube.load(archive_path), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine" and len(list(tmp_path.glob("slice_*.dcm"))) == 6
    with pytest.raises(FileExistsError):
        dicube.save_to_dicom_folder(dicube.load(archive_path), tmp_path, overwrite=False)


def test_no_file_is_overwritten_unasked_that_has_no_pixels_either(own_series, tmp_path):
    data_set = pydicom.dcmread(next(own_series.iterdir()))
    del data_set.PixelData, data_set.Rows, data_set.Columns
    data_set.SOPInstanceUID += ".9"
    data_set.save_as(own_series / "without.dcm")
    dicube.pack(own_series, tmp_path / "a.dcbs").raise_errors()
    image = dicube.load(tmp_path / "a.dcbs")
    image.dicom_meta = None
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "slice_0006.dcm").write_text("mine")
    with pytest.raises(FileExistsError, match="slice_0006"):
        dicube.save_to_dicom_folder(image, tmp_path / "out", overwrite=False)
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_name_that_says_another_type_is_refused(series, tmp_path):
    image = dicube.load_from_dicom_folder(series)
    for name, file_type in (("x.dcba", "s"), ("x.dcbs", "a"), ("x.dcbl", "s")):
        with pytest.raises(ValueError, match=f"x{name[1:]} is the name of a file of type"):
            dicube.save(image, tmp_path / name, file_type)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("file_type, extension", [("s", ".dcbs"), ("a", ".dcba")])
def test_the_extension_follows_the_type(archive_path, tmp_path, file_type, extension):
    image = dicube.load(archive_path)
    dicube.save(image, tmp_path / "x", file_type)
    np.testing.assert_array_equal(dicube.load(tmp_path / f"x{extension}").raw_image, image.raw_image)
    assert os.listdir(tmp_path) == [f"x{extension}"]


def test_an_archive_with_references_reads_like_any_other(tmp_path):
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 200, (21, 64, 72))
    raw = (1000 + np.arange(72) * 4 + noise[1:] + noise[:-1]).astype(np.uint16)  # half of a slice's noise is that of the one before
    image = dicube.DicomCubeImage(raw, dicube.PixelDataHeader())
    image.init_meta("CT")
    dicube.save(image, tmp_path / "plain.dcbs")
    dicube.save(image, tmp_path / "scan", "a")
    path = tmp_path / "scan.dcba"
    assert path.stat().st_size < (tmp_path / "plain.dcbs").stat().st_size
    np.testing.assert_array_equal(dicube.load(path).raw_image.reshape(raw.shape), raw)
    with dicube.open(path) as archive:
        assert archive.info["references"] and set(archive.info["codecs"]) == {"lane", "lane-inter"}
        for i in (19, 5, 0, 12):
            np.testing.assert_array_equal(archive[i], raw[i])
        np.testing.assert_array_equal(archive[3:17:2], raw[3:17:2])
        np.testing.assert_array_equal(archive[-5:], raw[-5:])
    dicube.save_to_dicom_folder(dicube.load(path), tmp_path / "out")
    report = dicube.pack(tmp_path / "out", tmp_path / "again", archive=True)
    report.raise_errors()
    assert [name[-5:] for name in os.listdir(tmp_path / "again")] == [".dcba"]
    dicube.save(dicube.load(path), tmp_path / "back.dcbs")
    with dicube.open(tmp_path / "back.dcbs") as archive:
        assert not archive.info["references"]


def test_a_folder_loads_in_the_order_asked_for(series, tmp_path):
    up = dicube.load_from_dicom_folder(series)
    down = dicube.load_from_dicom_folder(series, dicube.SortMethod.POSITION_LEFT_HAND)
    np.testing.assert_array_equal(up.raw_image, phantom().raw_image)
    np.testing.assert_array_equal(down.raw_image, up.raw_image[::-1])
    assert down.dicom_meta["InstanceNumber"] == [6, 5, 4, 3, 2, 1]
    dicube.save(down, tmp_path / "down.dcbs")
    again = dicube.load(tmp_path / "down.dcbs")
    np.testing.assert_array_equal(again.raw_image, down.raw_image)
    assert again.dicom_meta["InstanceNumber"] == [6, 5, 4, 3, 2, 1]


LONG_NAMES = ["x" * 255, "ä" * 127, "/".join(["y" * 99] * 3), "/".join(["z" * 255] * 20), "slice_0004.dcm"]


def _with_names(names, tmp_path):
    image = phantom(len(names))
    image.init_meta("CT")
    image.dicom_meta.filenames = names
    dicube.save(image, tmp_path / "named.dcbs")
    return dicube.load(tmp_path / "named.dcbs")


def _saved_names(image, tmp_path):
    dicube.save(image, tmp_path / "saved.dcbs")
    np.testing.assert_array_equal(dicube.load(tmp_path / "saved.dcbs").raw_image, image.raw_image)
    return [file.name for file in dicube.open(tmp_path / "saved.dcbs").files]


@pytest.mark.parametrize("edit", ["", "metadata", "pixels", "pixels alone"])
def test_files_keep_their_names_whatever_their_length(tmp_path, edit):
    image = _with_names(LONG_NAMES, tmp_path)
    if edit == "metadata":
        image.dicom_meta.set_shared_item("PatientName", "A^B")
    elif edit:
        image.raw_image[1, 2, 3] += 1
    if edit == "pixels alone":
        image.dicom_meta = None
    assert _saved_names(image, tmp_path) == LONG_NAMES
    dicube.unpack(tmp_path / "saved.dcbs", tmp_path / "out").raise_errors()
    loaded = dicube.load_from_dicom_folder(tmp_path / "out")
    assert _saved_names(loaded, tmp_path) == LONG_NAMES
    loaded.dicom_meta.set_shared_item("PatientName", "C^D")
    assert _saved_names(loaded, tmp_path) == LONG_NAMES


def test_names_that_no_file_can_have_are_made_up_and_no_other_files(tmp_path):
    odd = ["slice_0004.dcm", "x" * 256, "same", "../up", "same", "/root", "a//b", "a/./b", "", "a\0b", "\ud800", "slice_0001.dcm", "slice_0003-2.dcm", "slice_0005.dcm/x"]
    made = ["slice_0004.dcm", "slice_0001-2.dcm", "slice_0002.dcm", "slice_0003.dcm", "slice_0004-2.dcm", "slice_0005-2.dcm", *(f"slice_{i:04d}.dcm" for i in range(6, 11))]
    image = _with_names(odd, tmp_path)
    dicube.unpack(tmp_path / "named.dcbs", tmp_path / "out").raise_errors()
    assert image.dicom_meta.filenames == made + odd[-3:]
    image.raw_image[0, 0, 0] += 1
    image.dicom_meta.filenames = ["too", "few"]
    assert _saved_names(image, tmp_path) == [f"slice_{i:04d}.dcm" for i in range(len(odd))]


def test_a_name_that_is_a_folder_of_others_is_made_up(tmp_path):
    image = _with_names(["a", "a/b", "a/c/d", "a/c"], tmp_path)
    dicube.unpack(tmp_path / "named.dcbs", tmp_path / "out").raise_errors()
    assert image.dicom_meta.filenames == ["slice_0000.dcm", "a/b", "a/c/d", "slice_0003.dcm"]


def test_a_folder_is_saved_with_the_names_that_pack_gives_its_files(own_series, tmp_path):
    (tmp_path / "in").mkdir()
    own_series.rename(tmp_path / "in" / "deeper")
    dicube.pack(tmp_path / "in", tmp_path / "packed.dcbs").raise_errors()
    image = dicube.load_from_dicom_folder(tmp_path / "in")
    assert _saved_names(image, tmp_path) == dicube.load_meta(tmp_path / "packed.dcbs").filenames


def test_two_series_in_a_folder_are_told_apart(series, tmp_path):
    shutil.copytree(series, tmp_path / "in" / "one")
    other = phantom(3, seed=2)
    uid = other.init_meta("MR")["SeriesInstanceUID"]
    dicube.save_to_dicom_folder(other, tmp_path / "in" / "two")
    (tmp_path / "in" / "readme.txt").write_text("no DICOM")
    with pytest.raises(dicube.DataConsistencyError, match="2 series"):
        dicube.load_from_dicom_folder(tmp_path / "in")
    assert dicube.load_from_dicom_folder(tmp_path / "in", series_uid=uid).shape == (3, 40, 48)


def test_edits_change_their_elements_and_nothing_else(own_series, tmp_path):
    image = dicube.load_from_dicom_folder(own_series)
    meta = image.dicom_meta
    meta.set_shared_item("PatientName", "Anon^1")
    meta.set_shared_item("StationName", "NEW")  # was absent
    meta.set_nonshared_item("SOPInstanceUID", [f"1.2.3.{i}" for i in range(6)])
    meta.set_shared_item("ReferencedImageSequence", [{"ReferencedSOPClassUID": "1.2", "ReferencedSOPInstanceUID": "3.4"}])
    meta.remove("PatientSex")
    dicube.save(image, tmp_path / "edited.dcbs")
    edited = dicube.load(tmp_path / "edited.dcbs")
    np.testing.assert_array_equal(edited.raw_image, image.raw_image)
    for number in range(6):
        before = pydicom.dcmread(own_series / f"slice_{number:04d}.dcm")
        after = pydicom.dcmread(io.BytesIO(dicube.open(tmp_path / "edited.dcbs").read_file(number)))
        assert (after.PatientName, after.StationName, after.SOPInstanceUID) == ("Anon^1", "NEW", f"1.2.3.{number}")
        assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
        assert after.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "3.4" and "PatientSex" not in after
        edits = {"PatientName", "StationName", "SOPInstanceUID", "PatientSex", "ReferencedImageSequence"}
        for element in before:
            if element.keyword not in edits:
                assert after[element.tag] == element
        assert len(after) == len(before) + 1


@pytest.mark.parametrize("is_implicit, said", [(False, None), (True, ExplicitVRLittleEndian), (False, ImplicitVRLittleEndian)], ids=["no meta group", "implicit", "explicit"])
def test_new_sequences_are_written_as_the_file_is_whatever_its_transfer_syntax_says(own_series, tmp_path, is_implicit, said):
    path = tmp_path / "source" / "a.dcm"
    path.parent.mkdir()
    data_set = pydicom.dcmread(own_series / "slice_0000.dcm")
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, pydicom.Dataset(data_set), implicit_vr=is_implicit, little_endian=True)
    meta = b"" if said is None else _meta_group(said)
    path.write_bytes(meta + buffer.getvalue())
    image = dicube.load_from_dicom_folder(path.parent)
    image.dicom_meta.set_shared_item("AnatomicRegionSequence", [{"CodeValue": "T-D1100", "CodeMeaning": "Head"}])
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    written = (tmp_path / "out" / "slice_0000.dcm").read_bytes()
    item = pydicom.dcmread(io.BytesIO(written), force=True).AnatomicRegionSequence[0]
    assert (item.CodeValue, item.CodeMeaning) == ("T-D1100", "Head")
    assert (struct.pack("<HH2sH", 0x0008, 0x0104, b"LO", 4) in written) != is_implicit  # pydicom looks twice


def _meta_group(transfer_syntax):
    uid = transfer_syntax.encode() + b"\0" * (len(transfer_syntax) % 2)
    element = struct.pack("<HH2sH", 2, 0x10, b"UI", len(uid)) + uid
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(element)) + element


@pytest.mark.parametrize("folder", ["ctkdata/Data", "pydicom-testfiles/src", "dicube-testdata/sample_10", "covid-ct", "dcm_qa_ts/In"])
def test_edited_files_of_every_kind_stay_readable(folder, tmp_path):
    """Implicit VR, group lengths, big endian, deflated, encapsulated: one element changes, all others are pydicom's same."""
    files = [p for p in sorted(corpus(folder).rglob("*")) if p.is_file()]
    checked = 0
    for path in files[:: max(1, len(files) // 25)]:
        try:
            before = pydicom.dcmread(path)
            before.to_json_dict()
        except Exception:
            continue
        try:
            image_meta = _meta_of(path, tmp_path / f"{checked}.dcbs")
        except dicube.DicomCubeError:
            continue
        if image_meta is None:
            continue
        image_meta.set_shared_item("SeriesDescription", "edited")
        from dicube._write import Edited

        after = pydicom.dcmread(io.BytesIO(Edited(image_meta, None).file(0)))
        assert after.SeriesDescription == "edited", path
        for element in before:
            if element.keyword != "SeriesDescription" and element.tag.element != 0:
                assert after[element.tag].value == element.value or element.tag.group == 0x7FE0, (path, element.tag)
        if "PixelData" in before:
            assert after.PixelData == before.PixelData
        for element in after:
            if element.tag.element == 0 and element.tag.group == 8:
                _check_group_length(after, element)
        checked += 1
    if folder != "covid-ct":
        assert checked > 3


def _meta_of(path, out):
    report = dicube.pack(path, out)
    if len(report.series) != 1 or report.series[0].error:
        return None
    return dicube.load_meta(out)


def _check_group_length(data_set, element):
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = data_set.original_encoding[1], data_set.original_encoding[0]
    group = data_set.group_dataset(element.tag.group)
    del group[element.tag]
    pydicom.filewriter.write_dataset(buffer, group)
    assert element.value == buffer.tell()


@pytest.mark.parametrize("keyword, value", [("Rows", 20), ("Columns", None), ("BitsAllocated", 8), ("SamplesPerPixel", 3), ("NumberOfFrames", 2),
                                            ("BitsStored", 12), ("HighBit", 11), ("PixelRepresentation", 0), ("HighBit", None)])  # fmt: skip
def test_a_layout_that_the_pixels_do_not_have_is_refused(archive_path, tmp_path, keyword, value):
    image = dicube.load(archive_path)
    image.dicom_meta.set_shared_item(keyword, value)
    with pytest.raises(dicube.DataConsistencyError, match=keyword):
        dicube.save(image, tmp_path / "x.dcbs")
    image = dicube.load(archive_path)
    image.dicom_meta.set_shared_item("Rows", 20)
    image.raw_image = image.raw_image[:, :20]
    dicube.save(image, tmp_path / "x.dcbs")
    np.testing.assert_array_equal(dicube.load(tmp_path / "x.dcbs").raw_image, image.raw_image)


def test_a_layout_that_the_pixels_have_is_said(archive_path, own_series, tmp_path):
    image = dicube.load(archive_path)
    for keyword, value in (("BitsStored", 16), ("HighBit", 15), ("PixelRepresentation", 1)):
        image.dicom_meta.set_shared_item(keyword, value)
    dicube.save_to_dicom_folder(image, tmp_path / "same")
    assert sha256s(tmp_path / "same") == sha256s(own_series)
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        del data_set.HighBit, data_set.PixelRepresentation
        data_set.save_as(path)
    image = dicube.load_from_dicom_folder(own_series)
    for keyword, value, other in (("HighBit", 15, 14), ("PixelRepresentation", 0, 1)):
        image.dicom_meta.set_shared_item(keyword, other)
        with pytest.raises(dicube.DataConsistencyError, match=keyword):
            dicube.save(image, tmp_path / "x.dcbs")
        image.dicom_meta.set_shared_item(keyword, value)
    dicube.save(image, tmp_path / "x.dcbs")
    again = dicube.load(tmp_path / "x.dcbs")
    assert (again.dicom_meta["HighBit"], again.dicom_meta["PixelRepresentation"]) == (15, 0)
    np.testing.assert_array_equal(again.raw_image, image.raw_image)


def _folder_of(tmp_path, raw, change=lambda data_set: None):
    """DICOM files of an array, each with a change."""
    made = dicube.DicomCubeImage(raw, dicube.PixelDataHeader())
    made.init_meta("CT" if raw.ndim == 3 else "OT")
    dicube.save_to_dicom_folder(made, tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        data_set = pydicom.dcmread(path)
        change(data_set)
        data_set.save_as(path)
    return dicube.load_from_dicom_folder(tmp_path / "in")


def _is_kept(image, tmp_path):
    """Of each file, whether it is saved as it was; the image comes back."""
    dicube.save(image, tmp_path / "x.dcbs")
    again = dicube.load(tmp_path / "x.dcbs")
    np.testing.assert_array_equal(again.raw_image, image.raw_image)
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    files = dicube.open(tmp_path / "x.dcbs")
    saved = [files.read_file(number) for number in range(len(files.files))]
    assert saved == [path.read_bytes() for path in sorted((tmp_path / "out").iterdir())]
    return [one == path.read_bytes() for one, path in zip(saved, sorted((tmp_path / "in").iterdir()))]


def _of_12_bits(data_set):
    data_set.BitsStored, data_set.HighBit = 12, 11


@pytest.mark.parametrize("dtype, value, kept", [("u2", 4095, True), ("u2", 4096, False), ("i2", -2048, True), ("i2", 2048, False)])
def test_only_files_of_changed_pixels_are_written_anew_where_the_values_fit_into_bits_stored(tmp_path, dtype, value, kept):
    image = _folder_of(tmp_path, phantom(4, dtype=dtype).raw_image, _of_12_bits)
    image.raw_image[2, 3, 4] = value
    assert _is_kept(image, tmp_path) == [kept, kept, False, kept]
    before, after = (pydicom.dcmread(tmp_path / name / "slice_0002.dcm") for name in ("in", "out"))
    assert [after[keyword].value for keyword in OF_INTEGERS] == [12 if kept else 16, 11 if kept else 15, int(dtype == "i2")]
    assert [element.tag for element in before if after[element.tag] != element and element.keyword not in OF_INTEGERS] == [0x7FE00010]


def test_an_array_of_another_type_or_description_is_written_into_all_files(tmp_path):
    image = _folder_of(tmp_path, phantom(3, dtype="u2").raw_image, _of_12_bits)
    raw = image.raw_image
    image.raw_image = raw.astype(np.int16)
    assert _is_kept(image, tmp_path) == [False] * 3 and dicube.load_meta(tmp_path / "x.dcbs")["PixelRepresentation"] == 1
    image.raw_image = raw.copy()
    image.raw_image[0, 0, 0] += 1
    image.dicom_meta.set_shared_item("BitsStored", 16)
    assert _is_kept(image, tmp_path) == [False] * 3
    meta = dicube.load_meta(tmp_path / "x.dcbs")
    assert (meta["BitsStored"], meta["HighBit"]) == (16, 15)


def test_a_part_of_an_array_keeps_the_bits_stored(tmp_path):
    image = _folder_of(tmp_path, phantom(3, dtype="u2").raw_image, _of_12_bits)
    image.raw_image = image.raw_image[:, 2:20]
    assert _is_kept(image, tmp_path) == [False] * 3
    meta = dicube.load_meta(tmp_path / "x.dcbs")
    assert (meta["Rows"], meta["BitsStored"], meta["HighBit"]) == (18, 12, 11)


def test_a_changed_frame_costs_its_file_alone(tmp_path):
    raw = phantom(6, dtype="u2").raw_image

    def joined(data_set):
        first = 2 * (data_set.InstanceNumber - 1)
        _of_12_bits(data_set)
        data_set.SOPClassUID, data_set.NumberOfFrames, data_set.PixelData = "1.2.840.10008.5.1.4.1.1.7.3", 2, raw[first : first + 2].tobytes()

    image = _folder_of(tmp_path, raw[:3], joined)
    np.testing.assert_array_equal(image.raw_image, raw)
    image.raw_image[3, 0, 0] += 1
    assert _is_kept(image, tmp_path) == [True, False, True]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_files_of_floats_that_nobody_changed_stay(tmp_path, dtype):
    image = _folder_of(tmp_path, phantom(3, dtype=dtype).raw_image)
    image.raw_image[0, 0, 0] += 0.5
    assert _is_kept(image, tmp_path) == [False, True, True]


@pytest.mark.parametrize("said, kept", [("RGB", True), ("YBR_FULL", True), ("YBR_FULL_422", False)])
def test_files_of_colours_stay_where_changed_ones_say_the_same(tmp_path, said, kept):
    def changed(data_set):
        data_set.PhotometricInterpretation = said
        if said == "YBR_FULL_422":
            data_set.PixelData = data_set.PixelData[: 4 * 6 * 2]

    image = _folder_of(tmp_path, np.random.default_rng(1).integers(0, 256, (3, 4, 6, 3), np.uint8), changed)
    image.raw_image[1, 0, 0] ^= 1
    assert _is_kept(image, tmp_path) == [kept, False, kept]


@pytest.mark.parametrize("syntax", ["rle", "jpeg-ls", "htj2k"])
def test_compressed_files_that_nobody_changed_stay(archive_path, tmp_path, syntax):
    dicube.unpack(archive_path, tmp_path / "in", transfer_syntax=syntax).raise_errors()
    image = dicube.load_from_dicom_folder(tmp_path / "in")
    image.raw_image[1, 0, 0] += 1
    image.dicom_meta.set_shared_item("PatientName", image.dicom_meta["PatientName"])
    assert _is_kept(image, tmp_path) == [True, False, True, True, True, True]


def test_changed_pixels_are_written_into_the_files(own_series, tmp_path):
    image = dicube.load_from_dicom_folder(own_series)
    image.raw_image[2, 3, 4] += 1
    dicube.save(image, tmp_path / "x.dcbs")
    again = dicube.load(tmp_path / "x.dcbs")
    np.testing.assert_array_equal(again.raw_image, image.raw_image)
    assert again.dicom_meta["SOPInstanceUID"] == image.dicom_meta["SOPInstanceUID"]
    mask = dicube.DicomCubeImage((image.raw_image > 0).astype(np.uint8), dicube.PixelDataHeader(), dicom_meta=image.dicom_meta)
    dicube.save(mask, tmp_path / "mask.dcbs")
    again = dicube.load(tmp_path / "mask.dcbs")
    np.testing.assert_array_equal(again.raw_image, mask.raw_image)
    assert again.dtype == np.uint8 and again.dicom_meta["BitsStored"] == 8 and again.get_fdata().max() == 1


def test_an_archive_outlives_its_file(archive_path, tmp_path):
    path = pathlib.Path(shutil.copy(archive_path, tmp_path / "x.dcbs"))
    image = dicube.load(path)
    path.unlink()
    assert image.dicom_meta["PatientName"] == "Doe^Jane"
    dicube.save(image, tmp_path / "y.dcbs")
    assert (tmp_path / "y.dcbs").read_bytes() == archive_path.read_bytes()


def test_saving_over_the_file_that_was_loaded_works(archive_path, tmp_path):
    path = pathlib.Path(shutil.copy(archive_path, tmp_path / "x.dcbs"))
    image = dicube.load(path)
    image.dicom_meta.set_shared_item("PatientName", "B")
    dicube.save(image, path)
    assert dicube.load_meta(path)["PatientName"] == "B" and os.listdir(tmp_path) == ["x.dcbs"]


def _is_loaded_as_it_is_packed(folder, work):
    """The series of a folder: its pixels, and its files."""
    image = dicube.load_from_dicom_folder(folder)
    report = dicube.pack(folder, work / "packed", all=True).raise_errors()
    np.testing.assert_array_equal(image.raw_image, dicube.load(report.series[0].archive).raw_image)
    dicube.save_to_dicom_folder(image, work / "out")
    assert sha256s(work / "out") == sha256s(folder)
    return image.raw_image


def test_raw_data_beside_its_images_are_no_slices(own_series):
    raw = pydicom.dcmread(own_series / "slice_0000.dcm")
    raw.SOPClassUID = raw.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66"
    raw.SOPInstanceUID = raw.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    for keyword in ("PixelData", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        del raw[keyword]
    raw.save_as(own_series / "raw.dcm")
    image = dicube.load_from_dicom_folder(own_series)
    assert image.shape == (6, 40, 48) and image.space is not None and dicube.check(image) == []
    report = dicube.pack(own_series, own_series.parent / "x.dcbs").raise_errors()
    assert report.series[0].quality == []
    assert dicube.load(own_series.parent / "x.dcbs").dicom_status is dicube.DicomStatus.CONSISTENT
    assert dicube.check(dicube.open(own_series.parent / "x.dcbs")) == dicube.open(own_series.parent / "x.dcbs").findings == []


def test_big_endian_files_load_from_a_folder(own_series, tmp_path):
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.PixelData = np.frombuffer(data_set.PixelData, "<i2").astype(">i2").tobytes()
        data_set.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
        pydicom.dcmwrite(path, data_set, implicit_vr=False, little_endian=False)
    np.testing.assert_array_equal(_is_loaded_as_it_is_packed(own_series, tmp_path), phantom().raw_image)


def test_subsampled_colours_load_from_a_folder(own_series, tmp_path):
    pairs = np.arange(40 * 24 * 4).reshape(40, 24, 4).astype(np.uint8)  # Y Y Cb Cr
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.SamplesPerPixel, data_set.PhotometricInterpretation, data_set.PlanarConfiguration = 3, "YBR_FULL_422", 0
        data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit, data_set.PixelRepresentation = 8, 8, 7, 0
        data_set.PixelData = pairs.tobytes()
        data_set["PixelData"].VR = "OB"
        data_set.save_as(path)
    pixels = _is_loaded_as_it_is_packed(own_series, tmp_path)
    np.testing.assert_array_equal(pixels[0, :, 1::2], pairs[:, :, 1:])


@pytest.mark.parametrize("folder", ["pydicom-testfiles/src", "pydicom-data", "dcm_qa_ts/In", "cornerstone3d"])
def test_every_file_of_the_corpus_loads_from_a_folder_as_it_is_packed(folder, tmp_path):
    loaded = 0
    for number, path in enumerate(path for path in sorted(corpus(folder).rglob("*")) if path.is_file()):
        (work := tmp_path / str(number)).mkdir()
        (work / "in").mkdir()
        shutil.copy(path, work / "in" / "file")
        try:
            dicube.load_from_dicom_folder(work / "in")
        except dicube.DicomCubeError:
            continue
        _is_loaded_as_it_is_packed(work / "in", work)
        loaded += 1
        shutil.rmtree(work)
    assert loaded > 0


# ------------------------------------------------------------------ from arrays


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "bool", "int64", "float16"])
def test_arrays_of_every_type_come_back(dtype, tmp_path):
    raw = phantom(3).raw_image.astype(dtype)
    image = dicube.DicomCubeImage(raw, dicube.PixelDataHeader())
    dicube.save(image, tmp_path / "x.dcbs")
    np.testing.assert_array_equal(dicube.load(tmp_path / "x.dcbs").raw_image, raw)


OF_INTEGERS = ("BitsStored", "HighBit", "PixelRepresentation")


@pytest.mark.parametrize("dtype, bits", [("float16", 32), ("float32", 32), ("float64", 64)])
def test_floats_have_nothing_that_only_integers_have(dtype, bits, own_series, tmp_path):
    new = phantom()
    new.raw_image = new.raw_image.astype(dtype)
    new.init_meta("CT")
    assert new.dicom_meta["BitsAllocated"] == bits and not any(keyword in new.dicom_meta for keyword in OF_INTEGERS)
    changed = dicube.load_from_dicom_folder(own_series)
    changed.dicom_meta.set_shared_item("BitsStored", 12)
    changed.raw_image = changed.raw_image.astype(dtype) + 0.5
    for name, image in (("new", new), ("changed", changed)):
        dicube.save_to_dicom_folder(image, tmp_path / name)
        data_set = pydicom.dcmread(tmp_path / name / "slice_0000.dcm")
        assert data_set.BitsAllocated == bits and not any(keyword in data_set for keyword in OF_INTEGERS)
        np.testing.assert_array_equal(pydicom.pixels.pixel_array(data_set, raw=True), image.raw_image[0])
        again = dicube.load_from_dicom_folder(tmp_path / name)
        assert again.dicom_status is dicube.DicomStatus.CONSISTENT and not dicube.check(again.dicom_meta)
    again.raw_image = again.raw_image.astype(np.int16)
    dicube.save_to_dicom_folder(again, tmp_path / "whole")
    data_set = pydicom.dcmread(tmp_path / "whole" / "slice_0000.dcm")
    assert [data_set[keyword].value for keyword in OF_INTEGERS] == [16, 15, 1]
    np.testing.assert_array_equal(data_set.pixel_array, again.raw_image[0])


def test_new_metadata_of_integers_is_written_with_floats_that_took_their_place(tmp_path):
    image = phantom()
    image.init_meta("CT")
    image.raw_image = image.raw_image.astype(np.float32)
    dicube.save_to_dicom_folder(image, tmp_path)
    assert not any(keyword in pydicom.dcmread(tmp_path / "slice_0000.dcm") for keyword in OF_INTEGERS)


def test_slices_of_64_bits_get_one_type_whatever_their_signs(own_series, tmp_path):
    raw = phantom(3).raw_image.astype(np.int64)
    raw[0] -= raw[0].min()
    dicube.save(dicube.DicomCubeImage(raw, dicube.PixelDataHeader()), tmp_path / "x.dcbs")
    np.testing.assert_array_equal(dicube.load(tmp_path / "x.dcbs").raw_image, raw)
    image = dicube.load_from_dicom_folder(own_series)
    image.raw_image = np.concatenate([raw, raw])
    dicube.save(image, tmp_path / "x.dcbs")
    np.testing.assert_array_equal(dicube.load(tmp_path / "x.dcbs").raw_image, image.raw_image)


def test_colour_and_two_dimensional_arrays_come_back(tmp_path):
    rng = np.random.default_rng(3)
    for shape in ((4, 20, 30, 3), (20, 30), (4, 20, 30, 1)):
        raw = rng.integers(0, 255, shape, np.uint8)
        image = dicube.DicomCubeImage(raw, dicube.PixelDataHeader())
        dicube.save(image, tmp_path / "x.dcbs")
        np.testing.assert_array_equal(dicube.load(tmp_path / "x.dcbs").raw_image.reshape(raw.shape), raw)
        dicube.save_to_dicom_folder(image, tmp_path)
        data_set = pydicom.dcmread(tmp_path / "slice_0000.dcm")
        np.testing.assert_array_equal(data_set.pixel_array.reshape(-1), raw.reshape(-1)[: data_set.pixel_array.size])
        assert (data_set.PhotometricInterpretation == "RGB") == (shape[-1] == 3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_colour_of_every_type_is_read_by_pydicom(dtype, tmp_path):
    raw = np.stack([phantom(2).raw_image + k for k in range(3)], -1).astype(dtype)
    dicube.save_to_dicom_folder(dicube.DicomCubeImage(raw, dicube.PixelDataHeader()), tmp_path)
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "slice_0001.dcm").pixel_array, raw[1])


@pytest.mark.parametrize("raw", [np.zeros((2, 3, 4), np.complex64), np.full((2, 3, 4), 2**40), np.zeros((2, 3, 4, 2), np.uint8), np.zeros((2, 3, 4, 4), np.uint8), np.zeros((1, 2, 70000), np.uint8)])
def test_what_dicom_can_not_hold_is_refused(raw, tmp_path):
    with pytest.raises(dicube.DataConsistencyError):
        dicube.save(dicube.DicomCubeImage(raw, dicube.PixelDataHeader()), tmp_path / "x.dcbs")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("modality", ["CT", "MR", "PT", "OT"])
def test_new_files_are_valid_dicom(modality, tmp_path):
    image = phantom(2)
    if modality == "PT":
        image.pixel_header = dicube.PixelDataHeader(RescaleSlope=2.0)
    image.init_meta(modality, "Müller^Käthe", "7")
    dicube.save_to_dicom_folder(image, tmp_path)
    data_set = pydicom.dcmread(tmp_path / "slice_0001.dcm")
    np.testing.assert_array_equal(data_set.pixel_array, image.raw_image[1])
    assert data_set.PatientName == "Müller^Käthe" and data_set.ImagePositionPatient == [-30, 20, 8]
    if shutil.which("dcmdump"):
        done = subprocess.run(["dcmdump", "-q", tmp_path / "slice_0000.dcm"], capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == ""
    if shutil.which("dciodvfy"):
        done = subprocess.run(["dciodvfy", tmp_path / "slice_0000.dcm"], capture_output=True, text=True)
        assert [line for line in done.stderr.splitlines() if line.startswith("Error")] == []


# ------------------------------------------------------------ transfer syntaxes


@pytest.mark.parametrize("name, uid", [("rle", "1.2.840.10008.1.2.5"), ("jpeg2000", "1.2.840.10008.1.2.4.90"), ("implicit", "1.2.840.10008.1.2")])
def test_series_unpack_in_another_transfer_syntax(archive_path, tmp_path, name, uid):
    report = dicube.unpack(archive_path, tmp_path / name, transfer_syntax=name, verify=True)
    assert report.errors == [] and report.files == 6 and report.largest_error == 0
    pixels = phantom().raw_image
    for number, path in enumerate(sorted((tmp_path / name).iterdir())):
        data_set = pydicom.dcmread(path)
        assert data_set.file_meta.TransferSyntaxUID == uid
        np.testing.assert_array_equal(data_set.pixel_array, pixels[number])


def test_a_lossy_transfer_syntax_needs_to_be_told_how_lossy(archive_path, tmp_path):
    with pytest.raises(ValueError, match="largest error"):
        dicube.unpack(archive_path, tmp_path / "out", transfer_syntax="jpeg-ls-near")
    report = dicube.unpack(archive_path, tmp_path / "out", transfer_syntax="jpeg-ls-near", max_error=2, verify=True)
    assert report.errors == [] and 0 < report.largest_error <= 2


def test_an_image_without_series_uid_is_saved_too(own_series, tmp_path):
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        del data_set.SeriesInstanceUID
        data_set.save_as(path)
    image = dicube.load_from_dicom_folder(own_series)
    dicube.save(image, tmp_path / "x.dcbs")
    assert sorted(file.sha256 for file in dicube.open(tmp_path / "x.dcbs").files) == sha256s(own_series)
    image.dicom_meta.set_shared_item("PatientName", "A")
    dicube.save(image, tmp_path / "x.dcbs")
    assert dicube.load_meta(tmp_path / "x.dcbs")["PatientName"] == "A"


def test_slices_of_several_series_are_not_saved_as_one(archive_path, tmp_path):
    for uids in (["1.2"] * 5 + ["1.3"], ["1.2"] * 5 + [None]):
        image = dicube.load(archive_path)
        image.dicom_meta.set_nonshared_item("SeriesInstanceUID", uids)
        with pytest.raises(dicube.MetaDataError, match="2 values of SeriesInstanceUID"):
            dicube.save(image, tmp_path / "x.dcbs")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("syntax", [pydicom.uid.ImplicitVRLittleEndian, pydicom.uid.ExplicitVRLittleEndian, pydicom.uid.ExplicitVRBigEndian])
def test_a_file_without_a_meta_group_gets_none_or_a_whole_one(own_series, tmp_path, syntax):
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        bare = pydicom.Dataset(data_set)
        bare.PixelData = data_set.PixelData if syntax.is_little_endian else np.frombuffer(data_set.PixelData, "<u2").astype(">u2").tobytes()
        pydicom.dcmwrite(path, bare, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_nonshared_item("SOPInstanceUID", [f"1.2.{i}" for i in range(6)])
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    made = pydicom.dcmread(tmp_path / "out" / "slice_0003.dcm", force=True)
    assert (made.SOPInstanceUID, len(made.file_meta), made.preamble) == ("1.2.3", 0, None)
    image.dicom_meta.set_shared_item("MediaStorageSOPInstanceUID", "1.2.9")
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    made = pydicom.dcmread(tmp_path / "out" / "slice_0003.dcm")
    assert (made.file_meta.TransferSyntaxUID, made.file_meta.MediaStorageSOPClassUID) == (syntax, made.SOPClassUID)
    np.testing.assert_array_equal(made.pixel_array, image.raw_image[3])


UTC = datetime.timezone.utc
KABUL = datetime.timezone(datetime.timedelta(hours=4, minutes=30))


@pytest.mark.parametrize("keyword, moment, text", [
    ("StudyDate", datetime.date(2024, 2, 3), "20240203"), ("StudyDate", datetime.datetime(2024, 2, 3, 4, 5), "20240203"),
    ("StudyDate", datetime.date(7, 2, 3), "00070203"), ("StudyTime", datetime.time(1, 2, 3), "010203"),
    ("StudyTime", datetime.time(1, 2, 3, 456), "010203.000456"), ("StudyTime", datetime.datetime(2024, 2, 3, 4, 5, 6, 700000), "040506.700000"),
    ("AcquisitionDateTime", datetime.datetime(2024, 2, 3, 4, 5, 6, 789), "20240203040506.000789"), ("AcquisitionDateTime", datetime.date(2024, 2, 3), "20240203"),
    ("AcquisitionDateTime", datetime.datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC), "20240203040506+0000"),
    ("AcquisitionDateTime", datetime.datetime(2024, 2, 3, 4, 5, 6, 7, KABUL), "20240203040506.000007+0430"),
    ("AcquisitionDateTime", pydicom.valuerep.DT("2024"), "2024"), ("StudyTime", pydicom.valuerep.TM("01"), "01"), ("StudyDate", pydicom.valuerep.DA("20240203"), "20240203"),
    ("StudyDate", pydicom.valuerep.DT("20240203040506"), "20240203"),
])  # fmt: skip
def test_dates_and_times_are_written_whole(archive_path, tmp_path, keyword, moment, text):
    image = dicube.load(archive_path)
    image.dicom_meta.set_shared_item(keyword, moment)
    dicube.save(image, tmp_path / "x")
    archive = dicube.open(tmp_path / "x.dcbs")
    assert archive.meta.get_text(keyword, 0).strip() == text
    with pydicom.config.disable_value_validation():
        assert str(pydicom.dcmread(io.BytesIO(archive.read_file(0)))[keyword].value) == text


@pytest.mark.parametrize("keyword, moment", [("StudyDate", datetime.time(1, 2)), ("StudyTime", datetime.date(2024, 2, 3)), ("AcquisitionDateTime", datetime.time(1, 2)),
                                             ("SeriesDescription", datetime.date(2024, 2, 3)), ("PatientAge", datetime.date(2024, 2, 3))])  # fmt: skip
def test_a_time_is_no_date_and_no_other_value(archive_path, tmp_path, keyword, moment):
    image = dicube.load(archive_path)
    image.dicom_meta.set_shared_item(keyword, moment)
    with pytest.raises(dicube.exceptions.MetaDataError, match=f"{keyword}.*not a {type(moment).__name__}"):
        dicube.save(image, tmp_path / "x")
    assert not list(tmp_path.glob("x*"))


def test_a_text_too_long_for_its_header_is_kept_as_bytes_of_unknown_kind(archive_path, tmp_path):
    image = dicube.load(archive_path)
    image.dicom_meta.set_shared_item("ImageComments", "long " * 20000)
    dicube.save(image, tmp_path / "x")
    archive = dicube.open(tmp_path / "x.dcbs")
    element = pydicom.dcmread(io.BytesIO(archive.read_file(0))).get_item("ImageComments")
    assert element.VR == "UN" and element.value == b"long " * 20000
    assert archive.meta.get("ImageComments") == ("long " * 20000).rstrip()


@pytest.mark.parametrize("dtype, syntax", [("<f4", "1.2.840.10008.1.2.1.99"), ("<f8", "1.2.840.10008.1.2.1.99"), ("<f4", "1.2.840.10008.1.2.1")])
def test_files_whose_floats_are_no_numbers_come_back_where_nothing_was_changed(tmp_path, dtype, syntax):
    raw = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    raw[0, 1, 2], raw[1, 0, 0] = np.nan, -np.inf
    dicube.save_to_dicom_folder(dicube.DicomCubeImage(raw, dicube.PixelDataHeader()), tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        data_set = pydicom.dcmread(path)
        data_set.file_meta.TransferSyntaxUID = syntax
        data_set.save_as(path)
    image = dicube.load_from_dicom_folder(tmp_path / "in")
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    assert [p.read_bytes() for p in sorted((tmp_path / "out").iterdir())] == [p.read_bytes() for p in sorted((tmp_path / "in").iterdir())]
    image.raw_image[1, 0, 0] = np.nan
    dicube.save_to_dicom_folder(image, tmp_path / "changed")
    np.testing.assert_array_equal(dicube.load_from_dicom_folder(tmp_path / "changed").raw_image, image.raw_image)
