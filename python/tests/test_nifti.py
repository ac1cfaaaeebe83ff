"""NIfTI files hold the values that the image has, and images those that the file had."""

import numpy as np
import pytest

import dicube
from conftest import phantom

nibabel = pytest.importorskip("nibabel")


@pytest.mark.parametrize("slope, intercept", [(0.0, 7.0), (1e-50, 2.0), (1.0, 1e39), (1e39, 0.0), (float("nan"), 0.0), (-1.5, 3.0)])
def test_a_scale_that_nifti_does_not_hold_is_applied(tmp_path, slope, intercept):
    image = phantom(3, 4, 5)
    image.pixel_header = dicube.PixelDataHeader(RescaleSlope=slope, RescaleIntercept=intercept)
    with np.errstate(all="ignore"):
        dicube.save_to_nifti(image, tmp_path / "x.nii")
        written = nibabel.load(tmp_path / "x.nii")
        np.testing.assert_array_equal(written.get_fdata(dtype="float32").transpose(2, 1, 0), image.get_fdata())
    assert written.get_data_dtype() == (np.int16 if slope == -1.5 else np.float32)


def test_what_becomes_of_the_file_does_not_change_the_image(tmp_path):
    path = tmp_path / "x.nii"
    dicube.save_to_nifti(phantom(3, 4, 5), path)
    image = dicube.load_from_nifti(path)
    before = image.raw_image.copy()
    data = path.read_bytes()
    with open(path, "r+b") as file:
        file.write(bytes(len(data)))
        file.truncate(100)
    np.testing.assert_array_equal(image.raw_image, before)
    image.raw_image[0, 0, 0] += 1
