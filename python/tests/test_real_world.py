"""Stored values become real ones block by block, on several threads."""

import gc
import types
import warnings

import numpy as np
import pytest

import dicube
from dicube import _threads
from dicube.storage.pixel_utils import get_float_data

FRAMES = 23


@pytest.fixture
def image(tmp_path):
    raw = np.random.default_rng(1).integers(-4000, 4000, (FRAMES, 300, 310), np.int16)
    image = dicube.DicomCubeImage(raw, dicube.PixelDataHeader())
    image.init_meta("PT")
    dicube.save(image, tmp_path / "x.dcbs")
    image = dicube.load(tmp_path / "x.dcbs")
    image.dicom_meta.set_nonshared_item("RescaleSlope", [0.5 + i for i in range(FRAMES)])
    image.dicom_meta.set_shared_item("RescaleIntercept", -1000.25)
    return image


@pytest.fixture(params=[1, 2, 7])
def threads(request):
    before = dicube.get_num_threads()
    dicube.set_num_threads(request.param)
    yield request.param
    dicube.set_num_threads(before)


def expected(image, dtype):
    work = np.float32 if dtype == "float16" else np.dtype(dtype).type
    slopes = np.array([0.5 + i for i in range(FRAMES)], work).reshape(-1, 1, 1)
    with np.errstate(over="ignore"):
        return (image.raw_image.astype(work) * slopes + work(-1000.25)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_slice_has_its_own_slope_on_any_number_of_threads(image, threads, dtype):
    with np.errstate(over="ignore"):
        values = image.get_fdata(dtype)
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, expected(image, dtype))


@pytest.mark.parametrize("shape", [(300, 310), (9, 300, 310, 1), (9, 300, 310, 3)])
def test_arrays_of_any_shape_keep_it(shape, threads):
    raw = np.random.default_rng(2).integers(0, 255, shape, np.uint8)
    image = dicube.DicomCubeImage(raw, dicube.PixelDataHeader(RescaleSlope=2.0, RescaleIntercept=-3.0))
    np.testing.assert_array_equal(image.get_fdata(), raw.astype(np.float32) * 2 - 3)


def test_where_no_thread_can_be_started_the_callers_own_does_all(image, monkeypatch):
    def refused(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_threads._thread, "start_new_thread", refused)
    np.testing.assert_array_equal(image.get_fdata(), expected(image, "float32"))


def test_after_an_error_nothing_is_begun(threads):
    begun = []

    def work(item):
        begun.append(item)
        raise RuntimeError(item)

    with pytest.raises(RuntimeError):
        _threads.for_each(work, range(1000))
    assert 1 <= len(begun) <= threads and len(set(begun)) == len(begun)


def test_errors_leave_no_array_behind(image, threads):
    image.pixel_header.RescaleSlope, image.pixel_header.RescaleIntercept = 1e6, 0.0
    gc.collect()
    gc.disable()
    try:
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            image.get_fdata("float16")
        assert not [frame for frame in gc.get_objects() if isinstance(frame, types.FrameType) and frame.f_code.co_name == "fill"]
    finally:
        gc.enable()


def test_what_numpy_does_on_overflow_is_the_callers_choice(image, threads):
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        image.get_fdata("float16")
    with np.errstate(over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        image.get_fdata("float16")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("stored", ["int32", "uint32", "int64", "float64"])
def test_values_beyond_what_float32_holds_are_rescaled_before_they_are_rounded(stored, dtype):
    raw = np.arange(16777217, 16777241).reshape(2, 3, 4).astype(stored)
    header = dicube.PixelDataHeader(RescaleSlope=1.0, RescaleIntercept=-16777216.0)
    image = dicube.DicomCubeImage(raw, header)
    values = image.get_fdata(dtype)
    assert values.dtype == dtype
    np.testing.assert_array_equal(values.ravel(), np.arange(1, 25))
    np.testing.assert_array_equal(get_float_data(raw, header, dtype), values)


def test_slices_of_32_bits_have_their_own_factors(tmp_path):
    image = dicube.DicomCubeImage(np.full((2, 2, 2), 16777217, np.int32), dicube.PixelDataHeader())
    image.init_meta()
    dicube.save(image, tmp_path / "x.dcbs")
    image = dicube.load(tmp_path / "x.dcbs")
    image.dicom_meta.set_nonshared_item("RescaleIntercept", [-16777216, -16777210])
    assert image.get_fdata()[:, 0, 0].tolist() == [1, 7]
