"""What holds for any array, text and bytes, looked for by hypothesis."""

import pathlib
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import dicube
from dicube.codecs import JphCodec

# The same examples each time: what fails here fails everywhere.
settings.register_profile("dicube", derandomize=True, deadline=None, max_examples=60, database=None)
settings.load_profile("dicube")

DTYPES = ["u1", "i1", "<u2", "<i2", ">u2", ">i2", "<u4", "<i4", "<f4", "<f8"]


def stacks(dtypes=DTYPES, dimensions=3):
    shapes = arrays.array_shapes(min_dims=dimensions, max_dims=dimensions, min_side=1, max_side=9)
    return st.sampled_from(dtypes).flatmap(lambda dtype: arrays.arrays(dtype, shapes))


@given(stacks())
def test_any_array_comes_back_from_a_file(values):
    image = dicube.DicomCubeImage(values, dicube.PixelDataHeader())
    image.init_meta("CT")
    with tempfile.TemporaryDirectory() as folder:
        dicube.save(image, pathlib.Path(folder) / "any.dcbs")
        loaded = dicube.load(pathlib.Path(folder) / "any.dcbs").raw_image
    assert loaded.dtype == values.dtype.newbyteorder("=")
    assert loaded.shape == values.shape and loaded.tobytes() == values.astype(loaded.dtype).tobytes()


@given(stacks(["u1", "i1", "<u2", "<i2"], dimensions=2))
def test_any_image_comes_back_from_its_codestream(values):
    assert np.array_equal(JphCodec().decode(JphCodec().encode(values)), values)


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"], exclude_characters="\\=^"), max_size=20), min_size=1, max_size=5))
def test_any_descriptions_come_back_from_a_file(texts):
    image = dicube.DicomCubeImage(np.zeros((len(texts), 2, 2), np.uint8), dicube.PixelDataHeader())
    image.init_meta("OT")
    image.dicom_meta.set_nonshared_item("ImageComments", texts)
    with tempfile.TemporaryDirectory() as folder:
        dicube.save(image, pathlib.Path(folder) / "any.dcbs")
        values = dicube.load_meta(pathlib.Path(folder) / "any.dcbs").get_values("ImageComments")
    assert [value or "" for value in values] == [text.rstrip(" ") for text in texts]


@given(st.binary(max_size=300))
def test_any_bytes_are_no_archive(data):
    with pytest.raises(dicube.DicomCubeError):
        dicube.open(data)


@given(st.data())
def test_any_change_of_an_archive_is_found(archive_path, data):
    whole = archive_path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.binary(min_size=1, max_size=40).filter(lambda new: new != whole[at : at + len(new)]))
    with pytest.raises(dicube.DicomCubeError):
        archive = dicube.open(whole[:at] + other + whole[at + len(other) :])
        np.asarray(archive)
        for i in range(6):
            archive.read_file(i)
