"""Metadata: values, sharing, order, JSON."""

import copy
import datetime
import decimal
import io
import pickle
import struct
import warnings

import numpy as np
import pydicom
import pytest

import dicube
from conftest import corpus
from dicube import CommonTags, DicomMeta, SortMethod, Tag


@pytest.fixture
def meta(archive_path):
    return dicube.load_meta(archive_path)


def test_values_are_plain_python(meta):
    assert meta.get_shared_value(CommonTags.PatientName) == "Doe^Jane"
    assert meta.get_values(CommonTags.InstanceNumber) == [1, 2, 3, 4, 5, 6]
    assert meta.get_values("ImagePositionPatient")[1] == [-30.0, 20.0, 8.0]
    assert meta["PixelSpacing"] == [0.75, 0.5]
    assert meta["Rows"] == 40 and isinstance(meta["Rows"], int)
    assert meta["RescaleSlope"] == 2.0 and isinstance(meta["RescaleSlope"], float)
    assert meta.get("AccessionNumber") is None and "AccessionNumber" in meta
    assert meta.get("StationName") is None and "StationName" not in meta
    assert meta.get_values("StationName") == [None] * 6
    with pytest.raises(KeyError):
        meta["StationName"]


@pytest.mark.parametrize("tag", ["PatientName", "0010,0010", "(0010,0010)", "00100010", (0x10, 0x10), 0x00100010, CommonTags.PatientName])
def test_a_tag_has_many_names(meta, tag):
    assert meta.get(tag) == "Doe^Jane"


@pytest.mark.parametrize("tag, error", [("NoSuchKeyword", ValueError), (-1, ValueError), (1.5, TypeError), (None, TypeError), ((1, 2, 3), TypeError)])
def test_a_wrong_tag_is_an_error(meta, tag, error):
    with pytest.raises(error):
        meta.get(tag)


def test_what_differs_is_not_shared(meta):
    assert meta.is_shared("PatientName") and not meta.is_shared("InstanceNumber") and not meta.is_shared("StationName")
    assert meta.is_missing("StationName") and meta.is_missing("AccessionNumber") and not meta.is_missing("InstanceNumber")
    assert meta.get_vr("PatientName") == "PN" and meta.get_vr("StationName") == ""
    with pytest.raises(ValueError, match="not shared"):
        meta.get_shared_value("InstanceNumber")
    assert meta.get_text("PixelSpacing") == "0.75\\0.5"
    assert meta.get_text("InstanceNumber", 2).strip() == "3"
    assert meta.get_text("StationName") is None and meta.get_text("AccessionNumber") == ""


def test_a_caller_can_not_change_what_is_kept(meta):
    meta.get("PixelSpacing").append(7)
    meta.get_values("ImagePositionPatient")[0][0] = 99
    assert meta["PixelSpacing"] == [0.75, 0.5] and meta["ImagePositionPatient"][0] == [-30.0, 20.0, 5.5]


def test_slices_are_sorted_and_picked(meta):
    assert meta.sort_files(SortMethod.INSTANCE_NUMBER_DESC) == [5, 4, 3, 2, 1, 0]
    assert meta["InstanceNumber"] == [6, 5, 4, 3, 2, 1] and meta.filenames[0] == "slice_0005.dcm"
    meta.sort_files(SortMethod.POSITION_RIGHT_HAND)
    first = meta["InstanceNumber"]
    meta.sort_files(SortMethod.POSITION_LEFT_HAND)
    assert meta["InstanceNumber"] == first[::-1]
    one = meta.index(0)
    assert one.slice_count == 1 and one["InstanceNumber"] == meta["InstanceNumber"][0] and one.is_shared("InstanceNumber")
    with pytest.raises(IndexError):
        meta.index(6)


def test_an_empty_element_is_shared_by_the_slices_that_have_it(own_series):
    path = own_series / "slice_0000.dcm"
    data_set = pydicom.dcmread(path)
    data_set.ImageComments = ""
    data_set.save_as(path)
    meta = dicube.load_from_dicom_folder(own_series).dicom_meta
    assert not meta.is_shared("ImageComments") and meta.index(0).is_shared("ImageComments") and "ImageComments" not in meta.index(1)
    meta.set_nonshared_item("ImageComments", [None, "a", "b", "c", "d", "e"])
    assert meta.index(0).is_shared("ImageComments")


def test_json_brings_everything_back(meta):
    again = DicomMeta.from_json(meta.to_json())
    assert again == meta and again.filenames == meta.filenames
    meta.set_nonshared_item("SliceLocation", [1.5, 2, 3, None, 5, 6])
    assert DicomMeta.from_json(meta.to_json())["SliceLocation"] == [1.5, 2, 3, None, 5, 6]
    with pytest.raises(dicube.MetaDataError):
        DicomMeta.from_json("[]")


@pytest.mark.parametrize("group", [0x0001, 0x0003, 0x0005, 0x0007])
def test_json_brings_back_what_stands_in_groups_that_no_data_set_has(own_series, group, tmp_path):
    for path in own_series.iterdir():
        data = path.read_bytes()
        behind_meta = 144 + struct.unpack_from("<I", data, 140)[0]
        path.write_bytes(data[:behind_meta] + struct.pack("<HH2sH4s", group, 0x0001, b"LO", 4, b"here") + data[behind_meta:])
    image = dicube.load_from_dicom_folder(own_series)
    meta = DicomMeta.from_json(image.dicom_meta.to_json())
    assert meta == image.dicom_meta and meta[(group, 1)] == "here"
    dicube.save(dicube.DicomCubeImage(image.raw_image, image.pixel_header, meta, image.space), tmp_path / "x.dcbs")
    assert dicube.load_meta(tmp_path / "x.dcbs")[(group, 1)] == "here"


def test_json_may_have_group_lengths_which_new_files_do_not_take_over(archive_path, tmp_path):
    image = dicube.load(archive_path)
    merged = {"00080000": {"vr": "UL", "shared": True, "Value": [4]}, "00291001": {"vr": "SQ", "shared": True, "Value": [{"CodeValue": "1"}]}}
    meta = DicomMeta({**dict(image.dicom_meta.items()), **merged}, image.dicom_meta.filenames)
    assert DicomMeta.from_json(meta.to_json()) == meta and meta["00080000"] == 4 and meta[0x00291001] == [{"CodeValue": "1"}]
    dicube.save(dicube.DicomCubeImage(image.raw_image, image.pixel_header, meta, image.space), tmp_path / "x.dcbs")
    again = dicube.load_meta(tmp_path / "x.dcbs")
    assert "00080000" not in again and again[0x00291001] == [{"CodeValue": "1"}] and again["PatientName"] == "Doe^Jane"


def test_copies_are_independent(meta):
    for twin in (copy.copy(meta), copy.deepcopy(meta), pickle.loads(pickle.dumps(meta))):
        twin.set_shared_item("PatientName", "X")
        twin.remove("Modality")
        assert meta["PatientName"] == "Doe^Jane" and meta["Modality"] == "CT"
        assert twin["PatientName"] == "X" and twin.is_missing("Modality")


def test_values_set_are_read_back_in_their_form(meta):
    meta.set_shared_item("PatientName", {"Alphabetic": "A^B", "Ideographic": "C"})
    meta.set_shared_item("KVP", "120.5")
    meta.set_shared_item("SeriesNumber", "7")
    meta.set_shared_item("ImageType", ["ORIGINAL"])
    assert (meta["PatientName"], meta["KVP"], meta["SeriesNumber"], meta["ImageType"]) == ("A^B=C", 120.5, 7, "ORIGINAL")
    with pytest.raises(ValueError, match="does not match"):
        meta.set_nonshared_item("SliceLocation", [1, 2])
    with pytest.raises(TypeError):
        meta.set_nonshared_item("SliceLocation", "123456")
    with pytest.raises(dicube.MetaDataError):
        meta.set_shared_item("PixelData", b"")


def test_dates_times_and_decimals_set_are_handed_out_as_their_file_has_them(meta):
    meta.set_shared_item("StudyDate", datetime.date(2024, 2, 3))
    meta.set_nonshared_item("ContentTime", [datetime.time(1, 2, i) for i in range(meta.slice_count)])
    meta.set_shared_item("AcquisitionDateTime", datetime.datetime(2024, 2, 3, 4, 5, 6))
    meta.set_shared_item("KVP", decimal.Decimal("120.5"))
    meta.set_shared_item("SeriesNumber", decimal.Decimal(7))
    meta.set_shared_item("ReferencedStudySequence", [{"StudyDate": datetime.date(2024, 2, 3), "PixelSpacing": (decimal.Decimal("0.5"), np.float32(0.25))}])
    for known in (meta, DicomMeta.from_json(meta.to_json())):
        assert (known["StudyDate"], known["ContentTime"][1], known["AcquisitionDateTime"]) == ("20240203", "010201", "20240203040506")
        assert (known["KVP"], known["SeriesNumber"]) == (120.5, 7) and isinstance(known["SeriesNumber"], int)
        assert known["ReferencedStudySequence"] == [{"StudyDate": "20240203", "PixelSpacing": [0.5, 0.25]}]
    meta.set_shared_item("StudyDescription", {1, 2})
    with pytest.raises(dicube.MetaDataError, match="set is not JSON"):
        meta.to_json()


def test_values_of_pydicom_are_set_as_any_others(archive_path, tmp_path):
    data_set = pydicom.dcmread(io.BytesIO(dicube.open(archive_path).read_file(0)))
    data_set.PixelSpacing, data_set.OtherPatientNames = [0.5, 0.25], ["A^B", "C^D"]
    image = dicube.load(archive_path)
    meta = image.dicom_meta
    for keyword in ("PixelSpacing", "PatientName", "OtherPatientNames", "StudyInstanceUID", "InstanceNumber", "RescaleSlope", "ImageType"):
        meta.set_shared_item(keyword, data_set[keyword].value)
    meta.set_shared_item(0x00310010, data_set.PatientName)
    meta.set_nonshared_item("ImagePositionPatient", [data_set.ImagePositionPatient] * 6)
    meta.set_shared_item("RequestAttributesSequence", [{"OtherPatientNames": data_set.OtherPatientNames}])
    assert meta["PixelSpacing"] == [0.5, 0.25] and type(meta["PatientName"]) is type(meta["StudyInstanceUID"]) is str
    dicube.save(image, tmp_path / "x")
    again = dicube.load_meta(tmp_path / "x.dcbs")
    assert again["OtherPatientNames"] == again["RequestAttributesSequence"][0]["OtherPatientNames"] == ["A^B", "C^D"]
    assert again["PixelSpacing"] == [0.5, 0.25] and again[0x00310010] == "Doe^Jane" and again.get_vr(0x00310010) == "LO"
    assert again.get_values("ImagePositionPatient") == [[float(n) for n in data_set.ImagePositionPatient]] * 6


def test_pydicoms_data_sets_are_set_as_items(archive_path, tmp_path):
    inner, item = pydicom.Dataset(), pydicom.Dataset()
    inner.CodeValue, inner.StudyDate, inner.RescaleSlope = "T-1", "20240203", "1.5"
    inner.add_new(0x00091080, "SQ", [])
    item.SpecificCharacterSet, item.PatientName, item.PurposeOfReferenceCodeSequence, item.StudyTime = "ISO_IR 100", "J\xf8rgensen^J", [inner], datetime.time(1, 2, 3)
    item.add_new(0x00090010, "LO", "ACME")
    item.add_new(0x00091001, "SL", [-7, 7])
    image = dicube.load(archive_path)
    image.dicom_meta.set_shared_item("ReferencedStudySequence", pydicom.Sequence([item, pydicom.Dataset()]))
    image.dicom_meta.set_nonshared_item("ReferencedImageSequence", [[item] * number for number in range(6)])
    image.dicom_meta.set_shared_item(0x00311001, [item])
    item.PatientName = "another"
    inner.CodeValue = "another"
    known = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "J\xf8rgensen^J", "StudyTime": "010203", "00090010": "ACME", "00091001": [-7, 7],
             "PurposeOfReferenceCodeSequence": [{"CodeValue": "T-1", "StudyDate": "20240203", "RescaleSlope": 1.5, "00091080": []}]}  # fmt: skip
    dicube.save(image, tmp_path / "x")
    for meta in (image.dicom_meta, dicube.load_meta(tmp_path / "x.dcbs")):
        assert meta["ReferencedStudySequence"] == [known, {}] and meta.get_values("ReferencedImageSequence")[2] == [known, known]
        assert meta[0x00311001] == [known] and meta.get_vr(0x00311001) == "SQ"
    dicube.save_to_dicom_folder(image, tmp_path / "files")
    made = pydicom.dcmread(tmp_path / "files" / "slice_0001.dcm")
    assert made.ReferencedImageSequence[0][0x00091001].VR == "SL" and made.ReferencedStudySequence[0].PatientName == "J\xf8rgensen^J"


def test_a_data_set_in_itself_is_refused_as_an_item_is(meta):
    item = pydicom.Dataset()
    item.ReferencedStudySequence = [item]
    with pytest.raises(dicube.MetaDataError, match="64 deep"):
        meta.set_shared_item("ReferencedStudySequence", [item])


def test_a_sequence_that_is_set_is_not_the_callers_any_more(meta):
    item, spacing = {"CodeMeaning": "first", "DerivationCodeSequence": [{"CodeValue": "1"}]}, [1.0, 2.0]
    meta.set_shared_item("AnatomicRegionSequence", [item])
    meta.set_nonshared_item("ReferencedImageSequence", [[item]] * meta.slice_count)
    meta.set_shared_item("PixelSpacing", spacing)
    item["CodeMeaning"], item["DerivationCodeSequence"][0]["CodeValue"], spacing[0] = "second", "2", 7.0
    for keyword in ("AnatomicRegionSequence", "ReferencedImageSequence"):
        assert meta.get_values(keyword)[1] == [{"CodeMeaning": "first", "DerivationCodeSequence": [{"CodeValue": "1"}]}]
    assert meta["PixelSpacing"] == [1.0, 2.0]


@pytest.mark.parametrize("implicit", [False, True])
def test_private_elements_keep_their_vr_in_sequences_of_new_files(own_series, tmp_path, implicit):
    values = {"AE": "x", "AS": "030Y", "AT": 0x00100010, "CS": "A", "DA": "20200101", "DS": "1.5", "DT": "2020", "FD": 2.5, "FL": 1.5, "IS": "3", "LO": "t",
              "LT": "t", "OB": b"ab", "OD": b"12345678", "OF": b"1234", "OL": b"1234", "OW": b"ab", "PN": "a^b", "SH": "x", "SL": -7, "SS": [-7, 7], "ST": "x",
              "SV": -5, "TM": "1212", "UC": "x", "UI": "1.2", "UL": 7, "UN": b"ab", "UR": "http:x", "US": 7, "UT": "x", "UV": 5}  # fmt: skip
    item = pydicom.Dataset()
    item.add_new(0x00090010, "LO", "ACME")
    for number, (vr, value) in enumerate(values.items()):
        item.add_new(0x00091001 + number, vr, value)
    inner = pydicom.Dataset()
    inner.add_new(0x00091001, "DS", "2.5")
    item.add_new(0x00091080, "SQ", [inner])
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.AnatomicRegionSequence = [item]
        if implicit:
            data_set.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        pydicom.dcmwrite(path, data_set, implicit_vr=implicit, little_endian=True)
    read, data_sets = dicube.read_dicom_dir(own_series)
    loaded = dicube.load_from_dicom_folder(own_series)
    copied = copy.deepcopy(loaded.dicom_meta)
    copied.set_shared_item("AnatomicRegionSequence", copied["AnatomicRegionSequence"])
    expected = data_sets[0].AnatomicRegionSequence[0]
    for meta in (read, DicomMeta.from_json(read.to_json()), DicomMeta.from_json(loaded.dicom_meta.to_json()), DicomMeta.from_json(copied.to_json())):
        dicube.save_to_dicom_folder(dicube.DicomCubeImage(loaded.raw_image, loaded.pixel_header, meta), tmp_path / "new")
        made = pydicom.dcmread(tmp_path / "new" / "slice_0000.dcm").AnatomicRegionSequence[0]
        assert [made[element.tag].value for element in expected] == [element.value for element in expected]
        if meta is read or not implicit:
            assert [made[element.tag].VR for element in expected] == [element.VR for element in expected]


def test_a_sequence_with_private_elements_is_read_once(own_series):
    item = pydicom.Dataset()
    item.add_new(0x00091001, "DS", "1.5")
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.AnatomicRegionSequence = [item]
        data_set.save_as(path)
    meta, calls = dicube.load_from_dicom_folder(own_series).dicom_meta, []

    class Counted:
        def __init__(self, core):
            self.core = core

        def __getattr__(self, name):
            calls.append(name)
            return getattr(self.core, name)

    meta._source = type("Source", (), {"core": Counted(meta._source.core)})()
    assert meta["AnatomicRegionSequence"] == [{"00091001": 1.5}]
    assert calls.count("sequence") == 6 and "data_set" not in calls


def test_private_elements_are_set_by_what_they_hold(archive_path, tmp_path):
    image = dicube.load(archive_path)
    block = {0x00310010: "ACME", 0x00311001: "text", 0x00311002: "x" * 100, 0x00311003: [{"CodeValue": "1"}], 0x00311004: b"ab"}
    for tag, value in block.items():
        image.dicom_meta.set_shared_item(tag, value)
    image.dicom_meta.set_shared_item("FrameIncrementPointer", (0x0018, 0x1063))
    dicube.save(image, tmp_path / "x.dcbs")
    again = dicube.load(tmp_path / "x.dcbs")
    assert [again.dicom_meta.get_vr(tag) for tag in block] == ["LO", "LO", "UT", "SQ", "UN"]
    assert [again.dicom_meta[tag] for tag in block] == list(block.values())
    dicube.save_to_dicom_folder(again, tmp_path / "files")
    data_set = pydicom.dcmread(tmp_path / "files" / "slice_0000.dcm")
    assert data_set.FrameIncrementPointer == 0x00181063 and data_set[0x0031, 0x1001].value == "text"
    assert data_set[0x0031, 0x1003].value[0].CodeValue == "1"


def test_metadata_can_be_made_from_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        meta = DicomMeta({"00100010": {"vr": "PN", "shared": True, "Value": [{"Alphabetic": "A"}]},
                          "00200013": {"vr": "IS", "shared": False, "Value": [1, 2]}}, ["a", "b"])  # fmt: skip
    assert meta.slice_count == 2 and meta["PatientName"] == "A" and meta.get_values("InstanceNumber") == [1, 2]


def test_the_table_is_printed(meta, capsys):
    meta.display(show_non_shared=False)
    text = capsys.readouterr().out
    assert "PatientName" in text and "Doe^Jane" in text and "InstanceNumber" not in text


def test_tags_know_themselves():
    assert str(Tag(0x00100010)) == "(0010,0010)" and CommonTags.PatientName.keyword == "PatientName"
    assert (CommonTags.PatientName.group, CommonTags.PatientName.element) == (0x10, 0x10) and Tag(0x00091001).is_private
    assert Tag(0x10, 0x10) == Tag("PatientName") == Tag("0010,0010") == Tag((0x10, 0x10)) == 0x00100010
    assert type(pickle.loads(pickle.dumps(Tag(0x10, 0x10)))) is Tag
    with pytest.raises(dicube.exceptions.UsageError):
        Tag(0x10, 0x10000)
    with pytest.raises(dicube.exceptions.ArgumentTypeError):
        Tag(0x10, "10")


def test_every_overlay_has_its_keys_and_values(own_series):
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        for group in (0x6000, 0x6002, 0x601E):
            data_set.add_new((group, 0x0010), "US", group & 0xFF)
        data_set.save_as(path)
    meta = dicube.load_from_dicom_folder(own_series).dicom_meta
    assert [key for key in meta if key.startswith("60")] == ["60000010", "60020010", "601E0010"]
    assert [meta[key] for key in ("60000010", "60020010", "601E0010")] == [0, 2, 0x1E]
    assert DicomMeta.from_json(meta.to_json()) == meta


@pytest.mark.parametrize("folder", ["dicube-testdata/sample_10", "dcm_qa_ct/In", "ctkdata/Data", "petct-philips-phantom/PT", "highdicom/data"])
def test_every_value_of_a_file_is_pydicoms(folder, tmp_path):
    """Element by element, sequences too."""
    files = [p for p in sorted(corpus(folder).rglob("*")) if p.is_file()]
    checked = 0
    for path in files[:: max(1, len(files) // 3)]:
        try:
            data_set = pydicom.dcmread(path)
        except Exception:
            continue
        if not data_set.get("SeriesInstanceUID"):
            continue
        out = tmp_path / f"{checked}.dcbs"
        dicube.pack(path, out).raise_errors()
        meta, expected = dicube.load_meta(out), DicomMeta.from_datasets([data_set])
        for element in data_set:
            if element.tag in (0x7FE00010, 0x7FE00008, 0x7FE00009) or element.tag.element == 0:
                continue
            ours, theirs = meta.get(int(element.tag)), expected.get(int(element.tag))
            if element.tag.is_private and isinstance(ours, bytes):
                continue  # implicit VR: pydicom knows some private elements
            assert _same(ours, theirs), f"{path.name} {element.tag}: {ours!r} != {theirs!r}"
            checked += 1
    assert checked > 0


def test_moments_of_data_sets_are_written_as_dicom_writes_them():
    data_set = pydicom.Dataset()
    data_set.StudyDate, data_set.StudyTime, data_set.SeriesTime = datetime.date(2024, 2, 3), datetime.time(1, 2, 3), datetime.time(1, 2, 3, 500000)
    data_set.AcquisitionDateTime = datetime.datetime(2024, 2, 3, 4, 5, 6)
    meta = DicomMeta.from_datasets([data_set])
    assert [meta.get(name) for name in ("StudyDate", "StudyTime", "SeriesTime", "AcquisitionDateTime")] == ["20240203", "010203", "010203.500000", "20240203040506"]


def _same(ours, theirs):
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(_same(a, b) for a, b in zip(ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, float) and isinstance(theirs, (int, float)):
        return abs(ours - theirs) <= 1e-6 * max(1, abs(theirs))
    if isinstance(ours, bytes) or isinstance(theirs, bytes):
        if isinstance(ours, str) or isinstance(theirs, str):
            return False
        return bytes(ours or b"").rstrip(b"\0") == bytes(theirs or b"").rstrip(b"\0")
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours.strip() == theirs.strip()
    return ours == theirs or {str(ours).strip(), str(theirs).strip()} <= {"None", "", "[]"}


def test_a_sequence_written_as_un_is_a_sequence(own_series, tmp_path):
    """PS3.5 6.2.2: of undefined length, its items in implicit VR."""
    item = struct.pack("<HHI4s", 0x0008, 0x0100, 4, b"ABCD")
    sequence = struct.pack("<HH2sHIHHI", 0x0011, 0x1010, b"UN", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, len(item)) + item
    private = struct.pack("<HH2sH4s", 0x0011, 0x0010, b"LO", 4, b"TEST") + sequence + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    for path in own_series.iterdir():
        data = path.read_bytes()
        at = data.index(struct.pack("<HH", 0x0018, 0x0050))
        path.write_bytes(data[:at] + private + data[at:])
    dicube.pack(own_series, tmp_path / "x.dcbs").raise_errors()
    meta = dicube.load_meta(tmp_path / "x.dcbs")
    assert meta[0x00111010] == [{"CodeValue": "ABCD"}] and meta.get_vr(0x00111010) == "SQ"
    assert meta.get_vr(0x00110010) == "LO"


@pytest.mark.parametrize("number", [12345678901234567, -1234567890123456, 1 / 3, -1234.5678901234567, 1.2345678901234567e-300, -1e22, 0.1, 7])
def test_a_decimal_string_has_at_most_16_characters(own_series, tmp_path, number):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_shared_item("SliceThickness", number)
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    text = str(pydicom.dcmread(tmp_path / "out" / "slice_0001.dcm").get_item("SliceThickness").value, "ascii").strip()
    assert len(text) <= 16 and float(text) == pytest.approx(number, rel=1e-8)


@pytest.mark.parametrize(
    "tag, fits, too_long",
    [
        ("PatientID", "x" * 64, "x" * 65),
        ("ImageType", ["ORIGINAL", "P" * 16], ["ORIGINAL", "P" * 17]),
        ("PatientName", "ö" * 64 + "=" + "i" * 64, "i" * 65),
        ("SeriesNumber", 2**31 - 1, 2**41),
        ("PatientComments", "a\\" * 5120, "x" * 10241),
    ],
)
def test_a_value_longer_than_its_vr_allows_is_saved_with_a_warning(archive_path, tmp_path, tag, fits, too_long):
    image = dicube.load(archive_path)
    image.dicom_meta.set_shared_item("SpecificCharacterSet", "ISO_IR 192")
    image.dicom_meta.set_shared_item(tag, fits)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dicube.save(image, tmp_path / "fits.dcbs")
    image.dicom_meta.set_shared_item(tag, too_long)
    with pytest.warns(UserWarning, match=f"{tag}.* at most (12|16|64|10240) ") as warned:
        dicube.save(image, tmp_path / "long.dcbs")
    assert {(str(warning.message)[:3], warning.filename) for warning in warned} == {("Tag", __file__)}
    assert dicube.load_meta(tmp_path / "long.dcbs")[tag] == too_long


MOMENTS = {
    "StudyDate": (["20240229", "19000101", "20241231 "], ["20241331", "20230229", "20240100", "00000101", "202412", "1993.08.22", "202412311"]),
    "StudyTime": (["00", "2359", "235960", "101010.1", "235959.123456"], ["235961", "1", "12345", "12:30:00", "101010.", "101010.1234567"]),
    "AcquisitionDateTime": (
        ["2024", "202402", "20240229", "2024022923", "20240229235960.123456+1400", "2024-1200"],
        ["20230229", "202413", "2024022924", "20240229235961", "20240229+1500", "20240229+99", "240"],
    ),
    "PatientAge": (["030Y", "001D", "120M"], ["30Y", "1D"]),
    "CalibrationDate": ([["20240229", "20240301"]], [["20240229", "20240230"]]),
}


@pytest.mark.parametrize("tag", MOMENTS)
def test_a_date_time_or_age_that_no_calendar_or_clock_has_is_saved_with_a_warning(archive_path, tmp_path, tag):
    right, wrong = MOMENTS[tag]
    image = dicube.load(archive_path)
    for value in right:
        image.dicom_meta.set_shared_item(tag, value)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            dicube.save(image, tmp_path / "right.dcbs")
    for value in wrong:
        image.dicom_meta.set_shared_item(tag, value)
        with pytest.warns(UserWarning, match=f"{tag}.* is written, and (DA|TM|DT|AS) has values like .*readers may refuse it") as warned:
            dicube.save(image, tmp_path / "wrong.dcbs")
        assert {warning.filename for warning in warned} == {__file__}
        assert dicube.load_meta(tmp_path / "wrong.dcbs")[tag] == value


def test_metadata_are_equal_where_all_values_are(archive_path):
    one, other = dicube.load_meta(archive_path), dicube.load_meta(archive_path)
    assert one == other and not one != other and one != 5
    other.set_shared_item("PatientName", "Someone")
    assert one != other
    one.set_shared_item("PatientName", "Someone")
    assert one == other
    other.remove("PatientName")
    assert one != other


def test_the_text_of_an_edited_element_is_that_of_its_value(archive_path):
    meta = dicube.load_meta(archive_path)
    meta.set_shared_item("ImageType", ["DERIVED", "PRIMARY"])
    meta.set_nonshared_item("InstanceNumber", [6, 5, 4, 3, 2, 1])
    meta.set_shared_item("PatientID", None)
    meta.set_shared_item("EncapsulatedDocument", b"\0\1")
    meta.set_shared_item("RequestAttributesSequence", [{"PatientID": "1"}])
    assert meta.get_text("ImageType", 0) == "DERIVED\\PRIMARY" and [meta.get_text("InstanceNumber", i) for i in (0, 5)] == ["6", "1"]
    assert meta.get_text("PatientID", 0) == ""
    assert meta.get_text("EncapsulatedDocument", 0) is meta.get_text("RequestAttributesSequence", 0) is None


def test_metadata_from_a_mapping_have_as_many_slices_as_its_values():
    assert DicomMeta({"00200013": {"vr": "IS", "shared": False, "Value": [1, 2, 3]}}).slice_count == 3
    with pytest.warns(UserWarning, match="defaulting to 1"):
        assert DicomMeta({"00100010": {"vr": "PN", "shared": True, "Value": ["A"]}}).slice_count == 1
