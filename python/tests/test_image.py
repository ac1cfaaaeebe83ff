"""What is changed in an image is what is saved: its header, its space, its metadata."""

import numpy as np
import pydicom
import pytest

import dicube
from conftest import corpus, phantom

MOVED = dicube.Space(shape=(6, 40, 48), origin=(1.0, 2.0, 3.0), spacing=(5.0, 0.9, 0.8),
                     x_orientation=(0, 0, -1), y_orientation=(0, 1, 0), z_orientation=(1, 0, 0))  # fmt: skip


def made():
    image = phantom()
    image.init_meta("CT", "Doe^Jane", "P1")
    return image


@pytest.fixture(params=["folder", "archive", "array"])
def image(request, series, archive_path):
    return {"folder": lambda: dicube.load_from_dicom_folder(series), "archive": lambda: dicube.load(archive_path), "array": made}[request.param]()


def saved(image, tmp_path):
    dicube.save(image, tmp_path / "x.dcbs")
    return dicube.load(tmp_path / "x.dcbs")


def same_space(space, other):
    names = ("shape", "origin", "spacing", "x_orientation", "y_orientation", "z_orientation")
    return all(np.allclose(getattr(space, name), getattr(other, name), atol=1e-6) for name in names)


def test_a_changed_header_is_saved(image, tmp_path):
    image.pixel_header.RescaleSlope, image.pixel_header.WindowCenter = 7.0, 50.0
    again = saved(image, tmp_path)
    np.testing.assert_allclose(again.get_fdata(), image.raw_image * 7.0 - 1000)
    np.testing.assert_allclose(again.get_fdata(), image.get_fdata())
    assert (again.pixel_header.WindowCenter, again.pixel_header.WindowWidth) == (50.0, 400.0)
    np.testing.assert_array_equal(again.raw_image, image.raw_image)


def test_a_given_header_is_saved(image, tmp_path):
    image.pixel_header = dicube.PixelDataHeader(RescaleSlope=3.0, RescaleIntercept=5.0, WindowCenter=1.0, WindowWidth=2.0)
    again = saved(image, tmp_path)
    np.testing.assert_allclose(again.get_fdata(), image.raw_image * 3.0 + 5)
    assert (again.pixel_header.WindowCenter, again.pixel_header.WindowWidth) == (1.0, 2.0)


def test_a_given_space_is_saved(image, tmp_path):
    image.space = MOVED
    again = saved(image, tmp_path)
    assert same_space(again.space, MOVED) and again.dicom_meta["ImagePositionPatient"][5] == [1.0, 2.0, -22.0]
    assert again.dicom_meta["SliceThickness"] == 2.5
    np.testing.assert_array_equal(again.raw_image, image.raw_image)


def test_a_given_space_takes_slice_locations_along(series, tmp_path):
    image = dicube.load_from_dicom_folder(series)
    image.dicom_meta.set_nonshared_item("SliceLocation", [0.0, 2.5, 5.0, 7.5, 10.0, 12.5])
    assert saved(image, tmp_path).dicom_meta["SliceLocation"][5] == 12.5
    image.space = MOVED
    assert "SliceLocation" not in saved(image, tmp_path).dicom_meta


def test_what_was_not_changed_keeps_its_bytes(series, tmp_path):
    image = dicube.load_from_dicom_folder(series)
    assert image.pixel_header.RescaleSlope == 2.0 and image.space is not None
    again = dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta, image.space)
    for kept in (image, again):
        dicube.save(kept, tmp_path / "x.dcbs")
        with dicube.open(tmp_path / "x.dcbs") as archive:
            for number, path in enumerate(sorted(series.iterdir())):
                assert archive.read_file(number) == path.read_bytes()


def test_header_and_space_follow_the_metadata(series):
    image = dicube.load_from_dicom_folder(series)
    header, space = image.pixel_header, image.space
    assert image.pixel_header is header and image.space is space
    image.dicom_meta.set_shared_item("RescaleSlope", 9.0)
    image.dicom_meta.set_shared_item("PixelSpacing", [0.5, 0.25])
    assert image.pixel_header.RescaleSlope == 9.0 and image.space.spacing == (2.5, 0.5, 0.25)
    np.testing.assert_allclose(image.get_fdata(), image.raw_image * 9.0 - 1000)


def test_a_changed_window_leaves_each_slices_slope_alone(own_series, tmp_path):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_nonshared_item("RescaleSlope", [1, 2, 3, 4, 5, 6])
    values = image.get_fdata()
    image.pixel_header.WindowCenter = 50.0
    np.testing.assert_array_equal(image.get_fdata(), values)
    again = saved(image, tmp_path)
    np.testing.assert_array_equal(again.get_fdata(), values)
    assert again.pixel_header.WindowCenter == 50.0 and again.dicom_meta["RescaleSlope"] == [1, 2, 3, 4, 5, 6]


def test_of_several_windows_the_header_has_the_first(own_series, tmp_path):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_shared_item("WindowCenter", [40, 300])
    image.dicom_meta.set_shared_item("WindowWidth", [400, 1500])
    assert (image.pixel_header.WindowCenter, image.pixel_header.WindowWidth) == (40.0, 400.0)
    assert saved(image, tmp_path).dicom_meta["WindowCenter"] == [40, 300]


def test_functional_groups_are_not_contradicted(tmp_path):
    path = next(path for path in sorted(corpus("dcm_qa_enh/In").rglob("*.dcm")) if "Philips" in str(path))
    dicube.pack(path, tmp_path / "in.dcbs").raise_errors()
    image = dicube.load(tmp_path / "in.dcbs")
    dicube.save(dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta, image.space), tmp_path / "same.dcbs")
    assert dicube.open(tmp_path / "same.dcbs").files[0].sha256 == dicube.open(tmp_path / "in.dcbs").files[0].sha256
    image.pixel_header.RescaleSlope += 1
    with pytest.raises(NotImplementedError, match="functional groups"):
        dicube.save(image, tmp_path / "out.dcbs")


def test_changed_pixels_take_the_place_of_compressed_ones_and_of_their_offsets(archive_path, tmp_path):
    dicube.unpack(archive_path, tmp_path / "rle", transfer_syntax="rle")
    for path in (tmp_path / "rle").iterdir():
        data_set = pydicom.dcmread(path)
        frame = next(pydicom.encaps.generate_frames(data_set.PixelData, number_of_frames=1))
        data_set.PixelData, data_set.ExtendedOffsetTable, data_set.ExtendedOffsetTableLengths = pydicom.encaps.encapsulate_extended([frame])
        data_set["PixelData"].is_undefined_length = True
        data_set.save_as(path)
    image = dicube.load_from_dicom_folder(tmp_path / "rle")
    np.testing.assert_array_equal(image.raw_image, phantom().raw_image)
    image.raw_image[2, 3, 4] += 1
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    for number, path in enumerate(sorted((tmp_path / "out").iterdir())):
        data_set = pydicom.dcmread(path)
        assert data_set.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert "ExtendedOffsetTable" not in data_set and "ExtendedOffsetTableLengths" not in data_set
        np.testing.assert_array_equal(data_set.pixel_array, image.raw_image[number])
