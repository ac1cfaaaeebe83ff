"""Codecs for single images."""

import numpy as np
import pytest

import dicube
from dicube.codecs import ImageCodec, JphCodec, get_codec, is_codec_available, list_codecs, register_codec


def image(dtype, shape, seed=7):
    info = np.iinfo(dtype)
    half = np.iinfo(np.int32).max // 4
    rng = np.random.default_rng(seed)
    return rng.integers(max(info.min, -half), min(info.max, half), shape, endpoint=True).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", "<i2", ">i2", "<i4"])
@pytest.mark.parametrize("shape", [(1, 1), (64, 33), (40, 50, 3), (8, 8, 4)])
def test_every_value_comes_back(dtype, shape):
    values = image(dtype, shape)
    decoded = get_codec("jph").decode(get_codec("jph").encode(values))
    assert decoded.shape == shape and np.array_equal(decoded, values)
    assert decoded.dtype.itemsize <= np.dtype(dtype).itemsize and decoded.dtype.kind == np.dtype(dtype).kind


def test_views_of_any_memory_layout_are_coded_alike():
    values = image("<i2", (40, 50))
    codec = JphCodec()
    assert codec.encode(np.asfortranarray(values)) == codec.encode(values)
    assert np.array_equal(codec.decode(codec.encode(values[::-2, ::3])), values[::-2, ::3])


def test_the_colour_transform_loses_nothing_and_pays_on_grey():
    grey = np.repeat(image("u1", (64, 64, 1)), 3, axis=2)
    plain, turned = JphCodec().encode(grey), JphCodec().encode(grey, color_transform=True)
    assert len(turned) < len(plain)
    assert np.array_equal(JphCodec().decode(turned), grey)


def test_pydicoms_decoder_reads_the_codestreams():
    openjpeg = pytest.importorskip("openjpeg")
    values = image("<u2", (48, 64))
    assert np.array_equal(openjpeg.decode(JphCodec().encode(values)), values)


def test_levels_halve_the_image():
    values = np.add.outer(np.arange(100), np.arange(130)).astype("<u2")
    codestream = JphCodec().encode(values)
    assert JphCodec().decode(codestream, level=1).shape == (50, 65)
    with pytest.raises(IndexError, match="level 30"):
        JphCodec().decode(codestream, level=30)
    with pytest.raises(IndexError):
        JphCodec().decode(codestream, level=-1)


@pytest.mark.parametrize("wrong, error", [
    ([[1, 2]], TypeError),
    (np.zeros((4, 4)), TypeError),
    (np.zeros((4, 4), bool), TypeError),
    (np.zeros(4, "u1"), ValueError),
    (np.zeros((0, 4), "u1"), ValueError),
    (np.zeros((2, 2, 2, 2), "u1"), ValueError),
    (np.zeros((4, 4, 5), "u1"), NotImplementedError),
    (np.zeros((4, 4), "i8"), NotImplementedError),
])  # fmt: skip
def test_what_is_no_image_is_refused(wrong, error):
    with pytest.raises(error) as caught:
        JphCodec().encode(wrong)
    assert isinstance(caught.value, dicube.DicomCubeError)


def test_losses_are_refused_rather_than_left_out():
    with pytest.raises(dicube.exceptions.UnsupportedError, match="losses"):
        JphCodec().encode(np.zeros((4, 4), "u1"), reversible=False)
    JphCodec().encode(np.zeros((4, 4), "u1"), num_decompositions=3, block_size=(64, 64))
    with pytest.raises(TypeError, match="qality"):
        JphCodec().encode(np.zeros((4, 4), "u1"), qality=3)


def test_damaged_codestreams_are_errors_and_nothing_else():
    codestream = JphCodec().encode(image("<i2", (40, 50)))
    rng = np.random.default_rng(3)
    for cut in list(range(0, 120)) + [len(codestream) // 2, len(codestream) - 1]:
        with pytest.raises(dicube.DicomCubeError):
            JphCodec().decode(codestream[:cut])
    for _ in range(500):
        hurt = bytearray(codestream)
        hurt[rng.integers(len(hurt))] ^= 1 << rng.integers(8)
        try:
            JphCodec().decode(bytes(hurt))
        except dicube.DicomCubeError:
            pass
    with pytest.raises(TypeError):
        JphCodec().decode("text")


def test_codecs_are_found_by_name_in_any_case():
    assert list_codecs()[0] == "jph"
    assert get_codec("JPH") is get_codec("jph")
    assert is_codec_available("jph") and not is_codec_available("none")
    with pytest.raises(ValueError, match="Unknown codec 'none'"):
        get_codec("none")
    assert isinstance(get_codec("jph"), ImageCodec)
    with pytest.raises(TypeError):
        register_codec(object())


def test_the_codec_says_what_it_is():
    codec = get_codec("jph")
    image = np.arange(64 * 48, dtype="u2").reshape(64, 48)
    np.testing.assert_array_equal(codec.decode(codec.encode_lossless(image)), image)
    assert codec.get_version() == f"dicube {dicube.__version__}" and repr(codec).startswith("<JphCodec id=")
