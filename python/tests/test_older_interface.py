"""What scripts of earlier releases use beside the functions of the package: files in parts, scales for arrays, metadata as a mapping."""

import json

import numpy as np
import pytest

import dicube
from conftest import phantom
from dicube import PixelDataHeader, validation
from dicube.storage import DcbAFile, DcbFile, DcbLFile, DcbSFile, pixel_utils


@pytest.mark.parametrize("kind, suffix", [(DcbSFile, ".dcbs"), (DcbAFile, ".dcba")])
def test_a_file_gives_back_what_was_written(tmp_path, kind, suffix):
    image = phantom(4)
    meta = image.init_meta("CT", "Doe^Jane", "1")
    path = str(tmp_path / f"one{suffix}")
    kind(path, "w").write(list(image.raw_image), image.pixel_header, meta, space=image.space)
    for file in (kind(path), DcbFile(path)):
        np.testing.assert_array_equal(file.read_images(), image.raw_image)
        assert file.read_meta().get("PatientName") == "Doe^Jane" and file.get_shape() == image.shape
        assert file.read_space().spacing == pytest.approx(image.space.spacing)
        assert file.read_pixel_header().RescaleSlope == image.pixel_header.RescaleSlope
        assert file.read_dicom_status() is dicube.DicomStatus.CONSISTENT


def test_a_lossy_file_keeps_to_its_bound(tmp_path):
    image = phantom(2)
    path = str(tmp_path / "one.dcbl")
    DcbLFile(path, "w").write(image.raw_image, image.pixel_header, image.init_meta("CT", "A", "1"), max_error=3)
    assert np.abs(np.stack(DcbFile(path).read_images()).astype(int) - image.raw_image).max() <= 3


@pytest.mark.parametrize("call, error", [
    (lambda path: DcbFile(path, "x"), ValueError), (lambda path: DcbFile(None), TypeError), (lambda path: DcbFile(" "), ValueError),
    (lambda path: DcbFile(path), FileNotFoundError), (lambda path: DcbSFile(path, "w").write(None, PixelDataHeader()), TypeError),
    (lambda path: DcbSFile(path, "w").write([None], PixelDataHeader()), ValueError),
    (lambda path: DcbLFile(path, "w").write([np.zeros((2, 2), "u1")], PixelDataHeader()), ValueError),
])  # fmt: skip
def test_what_can_be_no_file_is_an_error_of_the_package(tmp_path, call, error):
    with pytest.raises(error) as caught:
        call(str(tmp_path / "none.dcbs"))
    assert isinstance(caught.value, dicube.DicomCubeError)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values, kind, options, stored, slope, intercept", [
    ([0, 200], "u1", {}, "uint8", 1, 0), ([-5, 7], "i2", {}, "int16", 1, 0), ([-5, 7], "i2", {"support_negative": False}, "uint16", 1, -5),
    ([-(2**31), 2**31 - 1], "i4", {"support_negative": False}, "uint32", 1, -(2**31)),
    ([1.0, 300.0], "f4", {}, "uint16", 1, 0), ([-1.0, 70000.0], "f8", {}, "int32", 1, 0), ([0.25, 0.75], "f4", {}, "uint16", 0.5 / 65535, 0.25),
    ([0.25, 0.75], "f8", {"preferred_dtype": "uint8"}, "uint8", 0.5 / 255, 0.25), ([3.5, 3.5], "f4", {}, "uint16", 3.5, 0),
])  # fmt: skip
def test_an_array_becomes_integers_with_a_scale(values, kind, options, stored, slope, intercept):
    array = np.array(values, kind)
    integers, header = pixel_utils.derive_pixel_header_from_array(array, **options)
    assert (integers.dtype.name, header.PixelDtype, header.OriginalPixelDtype) == (stored, stored, array.dtype.name)
    assert (header.RescaleSlope, header.RescaleIntercept) == (slope, intercept)
    back = pixel_utils.get_float_data(integers, header, "float64")
    np.testing.assert_allclose(back, array, atol=slope / 2 if slope < 1 else 0)


@pytest.mark.parametrize("array, whole", [([1, 2], True), ([1.0, -2.0], True), ([0.5], False), ([np.nan], False), ([2.0**32], False), ([-1.0, 2.0**31], False),
                                          ([], False), (["a"], False), ([True], True)])  # fmt: skip
def test_whole_numbers_that_32_bits_hold_are_told_from_others(array, whole):
    assert pixel_utils.is_lossless_int_convertible(np.array(array)) is whole


@pytest.mark.parametrize("function", [pixel_utils.derive_pixel_header_from_array, pixel_utils.convert_to_minimal_int,
                                      lambda array: pixel_utils.get_float_data(array, PixelDataHeader()),
                                      lambda array: pixel_utils.determine_optimal_nifti_dtype(array, PixelDataHeader())])  # fmt: skip
@pytest.mark.parametrize("array, error", [([1, 2], TypeError), (None, TypeError), (np.array(["a"]), NotImplementedError)])
def test_what_is_no_array_of_numbers_is_an_error_of_the_package(function, array, error):
    with pytest.raises(error) as caught:
        function(array)
    assert isinstance(caught.value, dicube.DicomCubeError)


@pytest.mark.parametrize("call, error", [
    (lambda: pixel_utils.derive_pixel_header_from_array(np.zeros((0, 3))), ValueError), (lambda: pixel_utils.convert_to_minimal_int(np.zeros(0)), ValueError),
    (lambda: pixel_utils.derive_pixel_header_from_array(np.zeros((0, 3), "i2")), ValueError),
    (lambda: pixel_utils.get_float_data(np.ones(2), PixelDataHeader(), "banana"), ValueError),
    (lambda: pixel_utils.get_float_data(np.ones(2), PixelDataHeader(), "int16"), ValueError),
    (lambda: pixel_utils.get_float_data(np.ones(2), None), TypeError), (lambda: pixel_utils.is_lossless_int_convertible([1]), TypeError),
])  # fmt: skip
def test_other_arguments_are_errors_of_the_package(call, error):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, dicube.DicomCubeError)


@pytest.mark.parametrize("values", [[-1.7e308, 0.5, 1.7e308], [0, 5e-324, 1e-322], [0, 1e-310, 2e-310]])
@pytest.mark.parametrize("preferred", ["uint8", "uint16"])
def test_values_that_no_slope_spreads_are_an_error(values, preferred):
    with pytest.raises(dicube.DataConsistencyError, match="steps"):
        pixel_utils.derive_pixel_header_from_array(np.array(values), preferred)


def test_of_no_values_there_are_no_floats():
    assert pixel_utils.get_float_data(np.zeros((0, 3), "i2"), PixelDataHeader(2, 1)).shape == (0, 3)


def test_a_pixel_header_comes_back_from_its_json_with_what_else_it_has():
    header = PixelDataHeader(2, -1024, "int16", "int16", 40.0, 400.0, Extras={"Unit": "HU", "List": [1, 2]})
    assert PixelDataHeader.from_json(header.to_json()) == header
    assert header.to_dict()["Unit"] == "HU" and "Extras" not in header.to_dict()
    hiding = PixelDataHeader(2, Extras={"RescaleSlope": 5})
    assert hiding.to_dict()["RescaleSlope"] == json.loads(hiding.to_json())["RescaleSlope"] == 2


@pytest.mark.parametrize("text", ["[]", "{", "null", 5, '{"RescaleSlope": "x"}', '{"RescaleSlope": [1]}', "[" * 100000])
def test_json_that_is_no_pixel_header_is_an_error_of_the_package(text):
    with pytest.raises(dicube.exceptions.MetaDataError):
        PixelDataHeader.from_json(text)


def test_metadata_are_the_mapping_that_they_were():
    meta = phantom(3).init_meta("CT", "Doe^Jane", "1")
    merged = meta._merged_data
    assert len(merged) == len(meta) and list(merged) == merged.keys() == [key for key, _ in merged.items()]
    assert merged["00100010"] == merged.get("00100010") == {"vr": "PN", "shared": True, "Value": ["Doe^Jane"]}
    assert merged["00200013"]["shared"] is False and len(merged["00200013"]["Value"]) == 3
    assert "00100010" in merged and "00104000" not in merged and "nothing" not in merged and 1.5 not in merged
    assert merged.get("00104000", 7) == merged.pop("00104000", 7) == 7
    assert merged.pop("00100010")["Value"] == ["Doe^Jane"]
    assert "00100010" not in merged and meta.is_missing("PatientName")
    for take in (merged.pop, merged.__getitem__):
        with pytest.raises(KeyError) as caught:
            take("00100010")
        assert isinstance(caught.value, dicube.DicomCubeError)


def test_bytes_in_metadata_come_back_from_their_json():
    meta = phantom(2).init_meta("CT", "A", "1")
    meta.set_shared_item("EncapsulatedDocument", b"\0\1\xff\0")
    assert dicube.DicomMeta.from_json(meta.to_json()).get("EncapsulatedDocument") == b"\0\1\xff\0"


@pytest.mark.parametrize("value, fits", [(1, True), (10, True), (np.int16(3), True), (np.float32(9.5), True), (0, False), (10.5, False), (float("nan"), False)])
def test_a_number_is_in_a_range_or_is_not(value, fits):
    if fits:
        assert validation.validate_numeric_range(value, "n", 1, 10) == value
        return
    with pytest.raises(dicube.exceptions.DataConsistencyError, match="'n'"):
        validation.validate_numeric_range(value, "n", 1, 10)


@pytest.mark.parametrize("call, error", [
    (lambda: validation.validate_numeric_range("5", "n"), TypeError), (lambda: validation.validate_numeric_range(None, "n"), TypeError),
    (lambda: validation.validate_shape_consistency(np.zeros((2, 2)), np.zeros((2, 3))), ValueError),
    (lambda: validation.validate_shape_consistency(np.zeros((2, 2)), [[1]]), TypeError),
    (lambda: validation.validate_array_shape(np.zeros((2, 2)), expected_dims=3), ValueError),
    (lambda: validation.validate_array_shape(np.zeros((2, 2)), max_dims=1), ValueError),
])  # fmt: skip
def test_checks_of_arguments_say_what_is_wrong(call, error):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, dicube.DicomCubeError)


def test_arrays_of_one_shape_are_consistent():
    one, other = np.zeros((2, 3)), np.ones((2, 3))
    first, second = validation.validate_shape_consistency(one, other)
    assert first is one and second is other
