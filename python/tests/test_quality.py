"""The status in one word, and all findings."""

import struct
import warnings

import numpy as np
import pydicom
import pytest

import dicube
from conftest import corpus, phantom
from dicube import DicomStatus


@pytest.fixture
def meta(archive_path):
    return dicube.load_meta(archive_path)


def test_a_regular_series_has_no_findings(meta, archive_path):
    assert dicube.get_dicom_status(meta) is DicomStatus.CONSISTENT
    assert dicube.check(meta) == dicube.check(dicube.open(archive_path)) == dicube.check(dicube.load(archive_path)) == []
    with pytest.raises(TypeError, match=r"open archive \(dicube.open\(path\)\), not str; `dicube check` looks at folders"):
        dicube.check("series")


def test_bytes_behind_the_data_set_of_a_slice_are_found_wherever_one_looks(own_series, tmp_path):
    path = sorted(own_series.iterdir())[2]
    path.write_bytes(path.read_bytes() + b"stray bytes")
    dicube.pack(own_series, tmp_path / "x.dcbs").raise_errors()
    with dicube.open(tmp_path / "x.dcbs") as archive:
        for found in (archive.findings, dicube.check(archive), dicube.check(dicube.load(tmp_path / "x.dcbs"))):
            assert [(f.code, f.severity, f.slices) for f in found] == [("unexplained_bytes", "warning", [2])]
        assert dicube.check(archive.meta) == archive.findings


POSITIONS = [[0, 0, z] for z in (0, 1, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    "edit, status, code, slices",
    [
        (lambda m: m.remove("SeriesInstanceUID"), "missing_series_uid", "missing_series_instance_uid", [0, 1, 2, 3, 4, 5]),
        (lambda m: m.set_nonshared_item("SeriesInstanceUID", ["1", "1", "1", "2", "1", "1"]), "non_uniform_series_uid", "several_series_instance_uid", [3]),
        (lambda m: m.remove("InstanceNumber"), "missing_instance_number", "missing_instance_number", [0, 1, 2, 3, 4, 5]),
        (lambda m: m.set_nonshared_item("InstanceNumber", [1, 2, 2, 3, 4, 5]), "duplicate_instance_numbers", "duplicate_instance_numbers", [1, 2]),
        (lambda m: m.set_nonshared_item("InstanceNumber", [1, 2, 3, 5, 6, 7]), "gap_instance_number", "gap_in_instance_numbers", [3]),
        (lambda m: m.remove("PixelSpacing"), "missing_spacing", "missing_pixel_spacing", [0, 1, 2, 3, 4, 5]),
        (lambda m: m.set_nonshared_item("PixelSpacing", [[1, 1]] * 5 + [[2, 1]]), "non_uniform_spacing", "mixed_pixel_spacing", [5]),
        (lambda m: m.remove("Rows"), "missing_shape", "missing_size", [0, 1, 2, 3, 4, 5]),
        (lambda m: m.set_nonshared_item("Rows", [4, 4, 5, 4, 4, 4]), "non_uniform_shape", "mixed_size", [2]),
        (lambda m: m.remove("ImageOrientationPatient"), "missing_orientation", "missing_orientation", [0, 1, 2, 3, 4, 5]),
        (lambda m: m.set_nonshared_item("ImageOrientationPatient", [[1, 0, 0, 0, 1, 0]] * 5 + [[0, 1, 0, 0, 0, 1]]), "non_uniform_orientation", "mixed_orientation", [5]),
        (lambda m: m.set_nonshared_item("RescaleSlope", [1, 1, 1, 1, 2, 1]), "non_uniform_rescale_factor", "mixed_rescale", [4]),
        (lambda m: m.remove("BitsStored"), "missing_dtype", "missing_pixel_type", [0, 1, 2, 3, 4, 5]),
        (lambda m: m.set_nonshared_item("BitsStored", [16, 12, 16, 16, 16, 16]), "non_uniform_dtype", "mixed_pixel_type", [1]),
        (lambda m: m.remove("ImagePositionPatient"), "missing_location", "missing_position", [0, 1, 2, 3, 4, 5]),
        (lambda m: m.set_nonshared_item("ImagePositionPatient", POSITIONS[:4] + [POSITIONS[5], POSITIONS[4]]), "reversed_location", "order_reverses", [5]),
        (lambda m: m.set_nonshared_item("ImagePositionPatient", POSITIONS[:4] + [POSITIONS[3], POSITIONS[4]]), "dwelling_location", "duplicate_positions", [3, 4]),
        (lambda m: m.set_nonshared_item("ImagePositionPatient", POSITIONS[:5] + [[0, 0, 7]]), "gap_location", "gap_in_positions", [5]),
    ],
)
def test_each_irregularity_is_named_with_its_slices(meta, edit, status, code, slices):
    edit(meta)
    assert dicube.get_dicom_status(meta) is DicomStatus(status)
    found = {finding.code: finding for finding in dicube.check(meta)}
    assert code in found and found[code].slices == slices and found[code].severity in ("info", "warning", "error")


@pytest.mark.parametrize("keyword, value, code", [
    ("PixelSpacing", [0, 0], "missing_pixel_spacing"), ("PixelSpacing", [-1, 1], "missing_pixel_spacing"),
    ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0], "missing_orientation"), ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "missing_orientation"),
])  # fmt: skip
def test_what_can_be_none_is_as_good_as_missing(own_series, keyword, value, code):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_shared_item(keyword, value)
    assert code in {finding.code for finding in dicube.check(image)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert image.space is None and image.space_problem.startswith(f"{keyword} is [")


def test_descending_series_with_a_gap_are_seen(meta):
    meta.set_nonshared_item("ImagePositionPatient", [[0, 0, -z] for z in (0, 1, 2, 3, 5, 6)])
    assert dicube.get_dicom_status(meta) is DicomStatus.GAP_LOCATION
    assert "gap_in_positions" in {finding.code for finding in dicube.check(meta)}


def test_an_archive_keeps_the_findings_of_when_it_was_packed(own_series, tmp_path):
    (own_series / "slice_0002.dcm").unlink()
    dicube.pack(own_series, tmp_path / "gap.dcbs").raise_errors()
    with dicube.open(tmp_path / "gap.dcbs") as archive:
        assert archive.findings == archive.info["findings"] == dicube.check(archive)
        assert {f.code: f.slices for f in archive.findings}["gap_in_positions"] == [2]
    image = dicube.load(tmp_path / "gap.dcbs")
    image.dicom_meta.set_nonshared_item("InstanceNumber", [1, 2, 3, 4, 4])
    dicube.save(image, tmp_path / "edited.dcbs")
    codes = {f.code for f in dicube.open(tmp_path / "edited.dcbs").findings}
    assert "duplicate_instance_numbers" in codes and "gap_in_instance_numbers" not in codes


def test_a_tilted_series_of_the_corpus_is_found():
    folder = corpus("dcm_qa_ct/In")
    codes = set()
    for uid in {f.series_uid for f in __import__("dicube.core.io", fromlist=["_instances"])._instances(folder)}:
        try:
            image = dicube.load_from_dicom_folder(folder, series_uid=uid)
        except dicube.DicomCubeError:
            continue
        codes |= {finding.code for finding in dicube.check(image)}
    assert "gantry_tilt" in codes


def test_a_regular_series_of_the_corpus_has_no_error():
    image = dicube.load_from_dicom_folder(corpus("dicube-testdata/sample_150"))
    assert [finding for finding in dicube.check(image) if finding.severity == "error"] == []
    assert phantom().space is not None


def test_files_with_one_sop_instance_uid_are_said_to_be_copies_or_to_differ(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    dicube.save_to_dicom_folder(phantom(), str(folder))
    first, second = sorted(folder.iterdir())[:2]
    (folder / "copy.dcm").write_bytes(first.read_bytes())

    def said(source):
        return [f.message for f in dicube.check(source) if f.code == "duplicate_sop_instance_uid"]

    assert [m.split("; ")[1] for m in said(dicube.load_from_dicom_folder(folder))] == ["the files are copies, byte for byte"]
    (folder / "copy.dcm").write_bytes(first.read_bytes() + b"\0\0")
    image = dicube.load_from_dicom_folder(folder)
    assert [m.split("; ")[1] for m in said(image)] == ["the files differ"]
    image.dicom_meta.set_shared_item("SOPInstanceUID", "1.2.3")
    assert [len(m.split("; ")) for m in said(image)] == [1]  # of files that had others


def _by_name(findings, names):
    return {(f.code, f.severity, f.message, tuple(sorted(names[i] for i in f.slices))) for f in findings}


@pytest.mark.parametrize("folder", ["pydicom-testfiles/src", "pydicom-data", "dcm_qa_ct/In", "ctkdata/Data", "highdicom/data"])
def test_findings_are_those_of_the_folder_and_of_packing(folder, tmp_path):
    """Stored when it was packed from files; looked for anew in the archive's columns."""
    checked = 0
    for report in dicube.pack(corpus(folder), tmp_path).series:
        if report.error is None:
            with dicube.open(report.archive) as archive:
                names = archive.meta.filenames
                assert _by_name(dicube.check(archive), names) == _by_name(archive.findings, names), report.series_instance_uid
            checked += 1
    assert checked > 0


def test_volumes_one_after_another_do_not_go_back(meta):
    meta.set_nonshared_item("ImagePositionPatient", [[0, 0, z] for z in (0, 1, 2, 0, 1, 2)])
    assert [f.code for f in dicube.check(meta)] == ["repeated_positions"]


def test_an_image_cut_in_its_pixels_is_found(own_series, tmp_path):
    path = own_series / "slice_0003.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    report = dicube.pack(own_series, tmp_path / "x.dcbs").raise_errors()
    assert [(f.code, f.files) for f in report.series[0].quality] == [("missing_pixels", ["slice_0003.dcm"])]
    archive = dicube.open(tmp_path / "x.dcbs")
    found = [(f.code, f.slices) for f in dicube.check(archive)]
    assert found == [("unexplained_bytes", [3]), ("missing_pixels", [3])] == [(f.code, f.slices) for f in archive.findings]


def test_reports_in_a_series_of_their_own_are_no_images(tmp_path):
    import pydicom

    report = pydicom.Dataset()
    report.SOPClassUID, report.SOPInstanceUID, report.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.3", "SR"
    report.StudyInstanceUID, report.SeriesInstanceUID, report.InstanceNumber = "1.2.3.1", "1.2.3.2", 7
    report.file_meta = pydicom.dataset.FileMetaDataset()
    report.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    (tmp_path / "in").mkdir()
    report.save_as(tmp_path / "in" / "a.dcm", enforce_file_format=True)
    dicube.pack(tmp_path / "in", tmp_path / "x.dcbs").raise_errors()
    assert dicube.check(dicube.open(tmp_path / "x.dcbs")) == dicube.open(tmp_path / "x.dcbs").findings == []


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.102.1"])
def test_the_frames_of_video_are_not_missed(own_series, tmp_path, syntax):
    import pydicom

    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        data_set.NumberOfFrames = 5
        data_set.PixelData = pydicom.encaps.encapsulate([b"video", b"goes on"])
        data_set["PixelData"].VR = "OB"
        data_set["PixelData"].is_undefined_length = True
        data_set.file_meta.TransferSyntaxUID = syntax
        data_set.save_as(path)
    dicube.pack(own_series, tmp_path / "x.dcbs").raise_errors()
    archive = dicube.open(tmp_path / "x.dcbs")
    assert archive.info["frames"] == 0 and dicube.check(archive) == archive.findings == []


def test_a_slice_whose_size_is_gone_is_still_a_slice(meta):
    meta.set_nonshared_item("Rows", [40, None, 40, 40, 40, 40])
    assert ("missing_size", [1]) in [(f.code, f.slices) for f in dicube.check(meta)]


def test_elements_of_vr_un_have_their_value(own_series, tmp_path):
    import pydicom

    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        data_set["Modality"] = pydicom.DataElement(0x00080060, "UN", b"CT")
        data_set.save_as(path)
    dicube.pack(own_series, tmp_path / "x.dcbs").raise_errors()
    meta = dicube.load_meta(tmp_path / "x.dcbs")
    assert meta["Modality"] == "CT" and meta.get_vr("Modality") == "CS" and dicube.check(meta) == []


ODD = ["x", [], [1, 2], ["a", "b", "c"], {"a": 1}, float("nan"), float("inf"), True, ["1", "2", "3", "4", "5", "x"], [1e308] * 3, -(2**70)]


@pytest.mark.parametrize("keyword", ["SliceLocation", "ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "SOPInstanceUID", "NumberOfFrames", "Rows"])
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_values_do_no_harm_to_orders_status_and_findings(meta, keyword, odd):
    def calls():
        yield lambda: dicube.get_dicom_status(meta)
        yield lambda: dicube.check(meta)
        for method in dicube.SortMethod:
            yield lambda method=method: meta.sort_files(method)

    if keyword == "SliceLocation":
        meta.remove("ImagePositionPatient")
    usual = meta.get_values(keyword)
    for values in ([odd] * 6, [odd, *usual[1:]]):
        meta.set_nonshared_item(keyword, values)
        for call in calls():
            try:
                call()
            except dicube.exceptions.MetaDataError:  # no order: what it is by is missing, or no number
                pass


@pytest.mark.parametrize("values", [["one"] * 6, [[1, 2]] * 6, [1, 2, 3, 4, 5, None], [[]] * 6, [float("inf")] * 6])
def test_slices_have_no_order_by_places_that_are_no_numbers(meta, values):
    meta.remove("ImagePositionPatient")
    meta.set_nonshared_item("SliceLocation", values)
    assert dicube.get_dicom_status(meta) is DicomStatus.MISSING_LOCATION
    with pytest.raises(dicube.exceptions.MetaDataError, match="SliceLocation"):
        meta.sort_files(dicube.SortMethod.POSITION_RIGHT_HAND)


def test_slices_are_in_order_by_slice_location_where_they_have_no_position(meta):
    meta.remove("ImagePositionPatient")
    meta.set_nonshared_item("SliceLocation", [3, 1, 2, 6, 5, 4])
    meta.sort_files(dicube.SortMethod.POSITION_LEFT_HAND)
    assert meta.get_values("SliceLocation") == [6, 5, 4, 3, 2, 1]


def test_a_uid_of_two_parts_is_one_name_for_two_slices(meta):
    meta.set_nonshared_item("SOPInstanceUID", [["1.2", "3"], ["1.2", "3"], "1.2.5", "1.2.6", "1.2.7", "1.2.8"])
    assert {f.code: f.slices for f in dicube.check(meta)}["duplicate_sop_instance_uid"] == [0, 1]


def test_steps_that_drift_are_found_where_they_leave_no_grid(own_series):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_nonshared_item("ImagePositionPatient", [[0, 0, 2 * i + 0.004 * i * i] for i in range(6)])
    assert image.space is None and "0.024 mm beside the line" in image.space_problem
    (finding,) = dicube.check(image)
    assert (finding.code, finding.severity, finding.slices) == ("uneven_positions", "warning", [2, 3])
    assert finding.message == "2 slices lie up to 0.024 mm beside even steps from the first to the last"
    image.dicom_meta.set_nonshared_item("ImagePositionPatient", [[0, 0, 2 * i + 0.0001 * i * i] for i in range(6)])
    assert image.space is not None and not dicube.check(image)


def test_a_slice_that_was_moved_aside_is_found(own_series):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_nonshared_item("ImagePositionPatient", [[int(i == 2), 0, 2 * i] for i in range(6)])
    assert image.space is None and [(f.code, f.slices) for f in dicube.check(image)] == [("uneven_positions", [2])]


@pytest.mark.parametrize("keyword, regular, mixed, status", [
    ("PixelSpacing", [0.5, 0.5 + 1e-7], [0.5, 0.501], DicomStatus.NON_UNIFORM_SPACING),
    ("ImageOrientationPatient", [1, 1e-7, 0, 0, 1, 0], [1, 1e-3, 0, 0, 1, 0], DicomStatus.NON_UNIFORM_ORIENTATION),
])  # fmt: skip
def test_the_status_says_no_more_than_the_findings_of_what_rounding_leaves(meta, keyword, regular, mixed, status):
    first = meta.get_values(keyword)[0] if keyword != "PixelSpacing" else [0.5, 0.5]
    meta.set_nonshared_item(keyword, [first] * 5 + [regular])
    assert dicube.get_dicom_status(meta) is DicomStatus.CONSISTENT and not dicube.check(meta)
    meta.set_nonshared_item(keyword, [first] * 5 + [mixed])
    assert dicube.get_dicom_status(meta) is status and dicube.check(meta)
    meta.set_nonshared_item(keyword, [first] * 5 + [None])
    assert dicube.get_dicom_status(meta) is status


def with_stray_item(path):
    data = path.read_bytes()
    behind_meta = 144 + struct.unpack_from("<I", data, 140)[0]
    path.write_bytes(data[:behind_meta] + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) + data[behind_meta:])


def test_a_stray_item_is_found_in_a_folder_as_in_an_archive_and_is_no_element(own_series, tmp_path):
    with_stray_item(sorted(own_series.iterdir())[1])
    image = dicube.load_from_dicom_folder(own_series)
    assert [(f.code, f.slices) for f in dicube.check(image)] == [("unexplained_bytes", [1])]
    assert not any(tag.startswith("FFFE") for tag in image.dicom_meta.keys())
    dicube.save(image, tmp_path / "x.dcbs")
    with dicube.open(tmp_path / "x.dcbs") as archive:
        assert dicube.check(archive) == archive.findings and archive.findings[0].code == "unexplained_bytes"


def rle_file(frame):
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.RLELossless
    data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID, data.StudyInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3.1", "1.2.3", "1.2"
    data.Modality, data.PhotometricInterpretation, data.InstanceNumber = "OT", "MONOCHROME2", 1
    data.Rows = data.Columns = 8
    data.SamplesPerPixel, data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 1, 8, 8, 7, 0
    data.PixelData = pydicom.encaps.encapsulate([frame])
    return data


def test_frames_that_cant_be_decoded_are_findings_of_the_archive_and_errors_that_name_their_file(tmp_path):
    (tmp_path / "in").mkdir()
    rle_file(struct.pack("<16I", 1, 64, *[0] * 14) + b"\x05").save_as(tmp_path / "in" / "cut.dcm", enforce_file_format=True)
    report = dicube.pack(tmp_path / "in", tmp_path / "out")
    with dicube.open(report.series[0].archive) as archive:
        assert [f.code for f in archive.findings if f.severity == "error"] == ["broken_frames"] == [f.code for f in dicube.check(archive) if f.severity == "error"]
        with pytest.raises(dicube.CodecError, match=r"frame 0 \(cut.dcm\): RLE"):
            archive[0]


def test_an_element_behind_pixels_without_their_delimitation_is_not_written_into_them(tmp_path):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "open.dcm"
    rle_file(struct.pack("<16I", 1, 64, *[0] * 14) + b"\xc1\x07").save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes()[:-8])
    image = dicube.load_from_dicom_folder(tmp_path / "in")
    image.dicom_meta.set_shared_item(0xFFFCFFFC, b"\0\0")
    dicube.save(image, tmp_path / "x.dcbs")
    again = dicube.load(tmp_path / "x.dcbs")
    assert np.array_equal(again.raw_image, np.full((1, 8, 8), 7)) and "FFFCFFFC" in again.dicom_meta
