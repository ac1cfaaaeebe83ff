"""Series in which some files have no pixels: reports among the slices, and slices that were cut off."""

import numpy as np
import pydicom
import pytest

import dicube


@pytest.fixture
def with_report(own_series):
    """6 slices with factors of their own, and between them by its number a report."""
    for i, path in enumerate(sorted(own_series.iterdir())):
        slice_ = pydicom.dcmread(path)
        slice_.InstanceNumber, slice_.RescaleSlope = 2 * i + 1, 1 + i
        slice_.save_as(path)
    report = pydicom.dcmread(path)
    for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "SamplesPerPixel", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
                    "RescaleSlope", "RescaleIntercept"):  # fmt: skip
        delattr(report, keyword)
    report.SOPInstanceUID = report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID + ".1"
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    report.Modality, report.InstanceNumber = "SR", 4
    report.save_as(own_series / "report.dcm")
    return own_series


@pytest.fixture
def packed(with_report, tmp_path):
    dicube.pack(with_report, tmp_path / "series.dcbs").raise_errors()
    return tmp_path / "series.dcbs"


def loaded(path):
    with pytest.warns(UserWarning, match="1 of 7 files have no pixels"):
        return dicube.load(path)


def test_values_factors_and_place_are_those_of_the_slices(packed, with_report, series):
    image, alone = loaded(packed), dicube.load_from_dicom_folder(series)
    assert image.shape == alone.shape and image.dicom_meta.slice_count == 7
    assert image.space == alone.space and image.space is not None
    np.testing.assert_array_equal(image.get_fdata(), [pydicom.dcmread(path).pixel_array * (1.0 + i) - 1000 for i, path in enumerate(sorted(with_report.glob("slice*")))])
    assert image.dicom_meta.get_frame_values("InstanceNumber") == [1, 3, 5, 7, 9, 11]


def test_such_an_image_is_written_as_others_are(packed, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = loaded(packed)
    dicube.save_to_nifti(image, tmp_path / "image.nii.gz")
    assert nibabel.load(tmp_path / "image.nii.gz").shape == image.shape[::-1]
    dicube.save(image, tmp_path / "again.dcbs")
    again = loaded(tmp_path / "again.dcbs")
    assert again.dicom_meta.slice_count == 7 and again.space == image.space
    np.testing.assert_array_equal(again.raw_image, image.raw_image)
    meta = image.init_meta("CT", "Doe^Jane", "P1")
    assert meta.slice_count == 6 and meta.get_values("RescaleSlope") == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("which, status", [(2, dicube.DicomStatus.GAP_LOCATION), (5, dicube.DicomStatus.INCONSISTENT)])
def test_a_slice_that_was_cut_off_makes_a_series_inconsistent(which, status, own_series, tmp_path):
    path = sorted(own_series.iterdir())[which]
    path.write_bytes(path.read_bytes()[:-500])
    dicube.pack(own_series, tmp_path / "cut.dcbs").raise_errors()
    with pytest.warns(UserWarning, match=f"1 of 6 files have no pixels, such as .*slice_000{which}"):
        image = dicube.load(tmp_path / "cut.dcbs")
    assert image.shape[0] == 5 and image.dicom_meta.slice_count == 6
    assert image.dicom_meta.get_frame_values("InstanceNumber") == [n for n in range(1, 7) if n != which + 1]
    assert image.dicom_status == status
    assert "missing_pixels" in {finding.code for finding in dicube.check(image)}
    assert (image.space is None) == (which == 2)  # one is missing between the others
