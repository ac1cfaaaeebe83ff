"""Words whose bits outside Bits Stored are not the sign: what they stand for, and what stays of them (PS3.5 8.1.1)."""

import io

import numpy as np
import pydicom
import pytest

import dicube
from conftest import phantom

nibabel = pytest.importorskip("nibabel")

VALUES = np.arange(-90, 3 * 16 * 12 - 90, dtype=np.int16).reshape(3, 16, 12) * 3 + 1
UPPER = 0xA000  # an old overlay


def _words(kind):
    """(words as they stand in the files, values, High Bit): of 12 bits in 16."""
    if kind == "not extended":
        return (VALUES & 0xFFF).astype(np.uint16).view(np.int16), VALUES, 11
    if kind == "overlay":
        return (VALUES.view(np.uint16) & 0xFFF) | UPPER, (VALUES.view(np.uint16) & 0xFFF), 11
    return ((VALUES & 0xFFF) << 4 | 5).astype(np.uint16), (VALUES & 0xFFF).astype(np.uint16), 15


@pytest.fixture(params=["not extended", "overlay", "high bit 15"])
def loaded(request, tmp_path):
    """An image from files of such words, and their values."""
    words, values, high_bit = _words(request.param)
    return _loaded(tmp_path, words, high_bit), values


def _loaded(tmp_path, words, high_bit=11):
    made = dicube.DicomCubeImage(words, dicube.PixelDataHeader(RescaleSlope=1.0, RescaleIntercept=-1024.0), space=phantom(*words.shape).space)
    made.init_meta("CT", "Doe^Jane", "P1")
    dicube.save_to_dicom_folder(made, tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        data_set = pydicom.dcmread(path)
        data_set.BitsStored, data_set.HighBit = 12, high_bit
        data_set.save_as(path)
    return dicube.load_from_dicom_folder(tmp_path / "in")


def _saved(image, tmp_path):
    dicube.save(image, tmp_path / "x.dcbs")
    return dicube.load(tmp_path / "x.dcbs")


def _used(words, stored):
    """The words without what stands above Bits Stored; floats as they are."""
    unused = words.dtype.itemsize * 8 - stored if stored else 0
    return words << unused >> unused if unused else words


def _check_saved(image, values, tmp_path):
    """The values are those of the image now, of its files, and of NIfTI."""
    np.testing.assert_array_equal(image.get_fdata("float64"), values - 1024.0)
    again = _saved(image, tmp_path)
    np.testing.assert_array_equal(again.get_fdata("float64"), values - 1024.0)
    np.testing.assert_array_equal(_used(again.raw_image, again.dicom_meta.get("BitsStored")), values)
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    for number in range(3):
        data_set = pydicom.dcmread(tmp_path / "out" / f"slice_{number:04d}.dcm")
        np.testing.assert_array_equal(_used(pydicom.pixels.pixel_array(data_set, raw=True), data_set.get("BitsStored")), values[number])
    dicube.save_to_nifti(image, tmp_path / "x.nii")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "x.nii").get_fdata().transpose(2, 1, 0), values - 1024.0)


def test_words_stay_whole_and_their_values_are_without_unused_bits(loaded, tmp_path):
    image, values = loaded
    np.testing.assert_array_equal(image.get_fdata(), values - 1024.0)
    assert image.raw_image.dtype.itemsize == 2 and not np.array_equal(image.raw_image, values)
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    for one, other in zip(sorted((tmp_path / "in").iterdir()), sorted((tmp_path / "out").iterdir())):
        assert one.read_bytes() == other.read_bytes()


def test_an_edit_of_one_value_leaves_those_of_all_others(loaded, tmp_path):
    image, values = loaded
    image.raw_image[0, 0, 0] = 5
    values = values.copy()
    values[0, 0, 0] = 5
    _check_saved(image, values, tmp_path)


@pytest.mark.parametrize("value, kept", [(5, True), (-2048, True), (2047, True), (2048, False), (-2049, False)])
@pytest.mark.parametrize("kind", ["not extended", "overlay"])
def test_files_that_nobody_changed_keep_their_unused_bits_where_the_new_values_fit(tmp_path, kind, value, kept):
    words, values, _ = _words(kind)
    if kind == "overlay":
        value = (value + 2048) % 65536
    image = _loaded(tmp_path, words)
    image.raw_image[1, 2, 3] = value
    values = values.copy()
    values[1, 2, 3] = value
    _check_saved(image, values, tmp_path)
    before, after = ([path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("in", "out"))
    assert [one == other for one, other in zip(before, after)] == [kept, False, kept]
    again = dicube.load_from_dicom_folder(tmp_path / "out")
    assert (again.dicom_meta["BitsStored"], again.dicom_meta["HighBit"]) == ((12, 11) if kept else (16, 15))


def test_new_metadata_leaves_the_values(loaded, tmp_path):
    image, values = loaded
    image.init_meta("CT")
    _check_saved(image, values, tmp_path)


def test_an_image_of_loaded_array_and_metadata_has_the_values(loaded, tmp_path):
    image, values = loaded
    again = dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta)
    np.testing.assert_array_equal(again.get_fdata(), values - 1024.0)
    again.raw_image[1, 2, 3] = 7
    values = values.copy()
    values[1, 2, 3] = 7
    _check_saved(again, values, tmp_path)


@pytest.mark.parametrize("dtype", ["i4", "f4", "f8", ">i4"])
def test_another_type_changes_no_value(loaded, tmp_path, dtype):
    image, values = loaded
    image.raw_image = image.raw_image.astype(dtype)
    _check_saved(image, values, tmp_path)


def test_an_unsigned_copy_of_signed_words_keeps_their_sign(tmp_path):
    words, values, _ = _words("not extended")
    image = _loaded(tmp_path, words)
    image.raw_image = image.raw_image.astype(np.uint16)
    np.testing.assert_array_equal(image.get_fdata(), values - 1024.0)


def test_values_of_a_callers_own_count_whole(tmp_path):
    image = _loaded(tmp_path, (VALUES & 0xFFF).astype(np.uint16))
    image.raw_image[...] = image.raw_image * 2 + 1  # odd: none of them the source's word of its place
    changed = image.raw_image.copy()
    assert changed.max() > 4095
    _check_saved(image, changed, tmp_path)


def test_the_array_itself_is_taken_where_no_value_has_unused_bits(tmp_path, monkeypatch):
    image = _loaded(tmp_path, (VALUES & 0xFFF).astype(np.uint16))
    monkeypatch.setattr("dicube.core.stored_values.read_frames", lambda *_: pytest.fail("decoded"))
    np.testing.assert_array_equal(image.get_fdata(), (VALUES & 0xFFF) - 1024.0)


def test_arrays_of_another_shape_are_the_callers(tmp_path):
    words, _, _ = _words("overlay")
    image = _loaded(tmp_path, words)
    image.raw_image = np.full((2, 5, 4), 0xFFFF, np.uint16)
    assert (image.get_fdata() == 0xFFFF - 1024.0).all()


def test_several_samples_and_signs_lose_their_unused_bits(tmp_path):
    made = dicube.DicomCubeImage(np.full((2, 4, 6, 3), 0xF123, np.uint16), dicube.PixelDataHeader())
    dicube.save_to_dicom_folder(made, tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        data_set = pydicom.dcmread(path)
        data_set.BitsStored, data_set.HighBit = 12, 11
        data_set.save_as(path)
    image = dicube.load_from_dicom_folder(tmp_path / "in")
    image.raw_image[0, 0, 0, 0] = 0xF124
    values = np.full((2, 4, 6, 3), 0x123)
    values[0, 0, 0, 0] = 0xF124
    np.testing.assert_array_equal(image.get_fdata(), values)
    np.testing.assert_array_equal(_saved(image, tmp_path).raw_image, values)


@pytest.mark.parametrize("codec", ["htj2k", "lane", "zstd"])
@pytest.mark.parametrize("kind", ["not extended", "overlay", "high bit 15"])
def test_reduced_frames_mix_no_unused_bits_into_values(tmp_path, kind, codec):
    words, _, high_bit = _words(kind)
    words = np.kron(words, np.ones((1, 8, 8), words.dtype))
    words[:, ::2, ::3] ^= words.dtype.type(0x1000 if high_bit == 11 else 1)  # bits that say nothing, here and there
    _loaded(tmp_path, words, high_bit)
    dicube.pack(tmp_path / "in", tmp_path / "x.dcbs", codec=codec).raise_errors()
    archive = dicube.open(tmp_path / "x.dcbs")
    assert archive.codec(1) == codec
    for level in range(1, 8):
        np.testing.assert_array_equal(archive.frame(1, level), words[1][:: 2**level, :: 2**level])


@pytest.mark.parametrize("part", [np.s_[1:], np.s_[:, 3:9, 2:], np.s_[::-2, ::-1, ::3], np.s_[2], np.s_[:, ::-1]])
def test_parts_have_the_values_of_the_whole(loaded, tmp_path, part):
    image, values = loaded
    image.raw_image = image.raw_image[part]
    expected = values[part] - 1024.0
    np.testing.assert_array_equal(image.get_fdata(), expected)
    image.raw_image = image.raw_image[..., 1:]
    image.raw_image[..., 1, 1] = 5
    expected = expected[..., 1:]
    expected[..., 1, 1] = 5 - 1024.0
    np.testing.assert_array_equal(image.get_fdata(), expected)
    image.init_meta("CT")
    np.testing.assert_array_equal(image.get_fdata(), expected)
    again = _saved(image, tmp_path)
    np.testing.assert_array_equal(again.get_fdata(), expected.reshape(again.shape))


def test_parts_of_an_image_of_loaded_array_and_metadata_have_the_values(loaded):
    image, values = loaded
    again = dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta)
    again.raw_image = again.raw_image[1:, 2:5]
    np.testing.assert_array_equal(again.get_fdata(), values[1:, 2:5] - 1024.0)


def test_copies_of_parts_are_no_values(loaded, tmp_path):
    image, _ = loaded
    image.raw_image = image.raw_image[:, 3:9].copy()
    for what in (image.get_fdata, lambda: dicube.save_to_nifti(image, tmp_path / "x.nii")):
        with pytest.raises(dicube.DataConsistencyError, match="bits outside Bits Stored|6 "):
            what()


@pytest.mark.parametrize("then", ["", "new metadata"])
def test_an_array_in_the_order_of_sorted_metadata_has_the_values(loaded, tmp_path, then):
    image, values = loaded
    order = image.dicom_meta.sort_files(dicube.SortMethod.POSITION_LEFT_HAND)
    image.raw_image = image.raw_image[order]
    np.testing.assert_array_equal(image.get_fdata(), values[::-1] - 1024.0)
    if then:
        image.init_meta("CT")
        np.testing.assert_array_equal(image.get_fdata(), values[::-1] - 1024.0)
    np.testing.assert_array_equal(_saved(image, tmp_path).get_fdata(), values[::-1] - 1024.0)


def _overshot(tmp_path):
    """An archive of lossy JPEG 2000 with values of 13 bits, where 12 are stored."""
    pytest.importorskip("openjpeg")
    rng = np.random.default_rng(1)
    values = np.where(rng.random((2, 64, 64)) < 0.5, 4095, rng.integers(3000, 4095, (2, 64, 64))).astype(np.uint16)
    made = dicube.DicomCubeImage(values, dicube.PixelDataHeader(RescaleIntercept=-1024.0))
    dicube.save_to_dicom_folder(made, tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        data_set = pydicom.dcmread(path)
        data_set.compress(pydicom.uid.JPEG2000, j2k_cr=[8])
        data_set.BitsStored, data_set.HighBit = 12, 11
        data_set.save_as(path)
    dicube.pack(tmp_path / "in", tmp_path / "x.dcbs").raise_errors()
    return dicube.open(tmp_path / "x.dcbs")


def test_values_that_lossy_jpeg_2000_made_larger_than_bits_stored_are_no_smaller_ones(tmp_path):
    _overshot(tmp_path)
    for image in (dicube.load(tmp_path / "x.dcbs"), dicube.load_from_dicom_folder(tmp_path / "in")):
        assert image.raw_image.max() > 4095
        np.testing.assert_array_equal(image.get_fdata(), image.raw_image - 1024.0)


@pytest.mark.parametrize("syntax", ["explicit", "rle", "jpeg-ls", "jpeg2000", "htj2k", "jpeg-xl"])
def test_other_transfer_syntaxes_have_the_largest_value_for_larger_ones_that_loss_made(tmp_path, syntax):
    archive = _overshot(tmp_path)
    expected = np.minimum(np.asarray(archive), 4095)
    assert (expected != np.asarray(archive)).any()
    dicube.unpack(tmp_path / "x.dcbs", tmp_path / "out", transfer_syntax=syntax, verify=True).raise_errors()
    image = dicube.load_from_dicom_folder(tmp_path / "out")
    np.testing.assert_array_equal(image.raw_image, expected)
    np.testing.assert_array_equal(image.get_fdata(), expected - 1024.0)


def test_slices_for_viewers_and_format_version_1_have_it_too(tmp_path):
    expected = np.minimum(np.asarray(_overshot(tmp_path)), 4095)
    with dicube.DcbStreamingReader(tmp_path / "x.dcbs", force_uncompressed=True) as reader:
        for number in range(2):
            np.testing.assert_array_equal(pydicom.dcmread(io.BytesIO(reader.get_dicom_for_frame(number))).pixel_array, expected[number])
    dicube.convert(tmp_path / "x.dcbs", tmp_path / "version1.dcbs", to_version1=True)
    np.testing.assert_array_equal(dicube.load(tmp_path / "version1.dcbs").raw_image, expected)


def _with_losses(tmp_path):
    """Files whose lossy codestreams give values beyond the 12 bits that they say: losses make such."""
    words = np.random.default_rng(1).choice(np.array([0, 4090, 4095], np.uint16), (3, 64, 64))
    made = dicube.DicomCubeImage(words, dicube.PixelDataHeader(RescaleSlope=1.0, RescaleIntercept=-1024.0), space=phantom(3, 64, 64).space)
    made.init_meta("CT", "Doe^Jane", "P1")
    dicube.save(made, tmp_path / "whole.dcbs")
    dicube.unpack(tmp_path / "whole.dcbs", tmp_path / "in", transfer_syntax="jpeg-ls-near", max_error=7).raise_errors()
    for path in (tmp_path / "in").iterdir():
        data_set = pydicom.dcmread(path)
        data_set.BitsStored, data_set.HighBit = 12, 11
        data_set.save_as(path)
    image = dicube.load_from_dicom_folder(tmp_path / "in")
    assert (image.raw_image.reshape(3, -1).max(axis=1) > 4095).all()
    return image


def test_values_that_losses_made_larger_than_bits_stored_stay_when_others_change(tmp_path):
    image = _with_losses(tmp_path)
    image.raw_image[0] = 0
    for _ in range(2):
        values, data = image.raw_image.copy(), image.get_fdata("float64")
        image = _saved(image, tmp_path)
        np.testing.assert_array_equal(image.raw_image, values)
        np.testing.assert_array_equal(image.get_fdata("float64"), data)
        image.raw_image[0, 0, 0] = 5000


def test_a_smaller_type_that_holds_all_values_is_kept(tmp_path):
    words, values, high_bit = _words("overlay")
    image = _loaded(tmp_path, words, high_bit)
    image.raw_image = image.raw_image.astype(np.int32)
    image.raw_image[1] = -5
    again = _saved(image, tmp_path)
    assert again.raw_image.dtype == np.int32
    plain = _loaded(tmp_path / "plain", values, high_bit)
    plain.raw_image = plain.raw_image.astype(np.int16) - 100
    again = _saved(plain, tmp_path)
    assert again.raw_image.dtype == np.int16 and again.dicom_meta.get_shared_value("BitsAllocated") == 16
    np.testing.assert_array_equal(again.raw_image, plain.raw_image)
