"""What is changed in an image is what is saved: its header, its space, its metadata."""

import copy

import pickle

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


def test_the_status_follows_the_metadata(series):
    image = dicube.load_from_dicom_folder(series)
    assert image.dicom_status is dicube.DicomStatus.CONSISTENT
    image.dicom_meta.set_nonshared_item("InstanceNumber", [1, 2, 2, 3, 4, 5])
    assert image.dicom_status is dicube.DicomStatus.DUPLICATE_INSTANCE_NUMBERS
    for again in (pickle.loads(pickle.dumps(image)), copy.deepcopy(image), copy.copy(image)):
        assert again.dicom_status is dicube.DicomStatus.DUPLICATE_INSTANCE_NUMBERS
        assert again.space == image.space and again.pixel_header == image.pixel_header
    image.dicom_status = dicube.DicomStatus.INCONSISTENT
    assert image.dicom_status is pickle.loads(pickle.dumps(image)).dicom_status is dicube.DicomStatus.INCONSISTENT
    with pytest.raises(TypeError, match="dicom_status"):
        image.dicom_status = "consistent"


def test_an_array_of_another_type_is_a_copy_and_says_so(image):
    assert np.shares_memory(np.asarray(image), image.raw_image)
    assert not np.shares_memory(image.__array__(copy=True), image.raw_image)
    assert image.__array__(np.dtype("f4")).dtype == np.float32
    assert np.shares_memory(image.__array__(image.dtype, copy=False), image.raw_image)
    with pytest.raises(ValueError, match="copy=False"):
        image.__array__(np.dtype("f4"), copy=False)


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
    image.raw_image[:, 3, 4] += 1
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    for number, path in enumerate(sorted((tmp_path / "out").iterdir())):
        data_set = pydicom.dcmread(path)
        assert data_set.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert "ExtendedOffsetTable" not in data_set and "ExtendedOffsetTableLengths" not in data_set
        np.testing.assert_array_equal(data_set.pixel_array, image.raw_image[number])


def _subsampled(path):
    """A native image in YBR_FULL_422: Y Y Cb Cr for two pixels (PS3.3 C.7.6.3.1.2)."""
    image = dicube.DicomCubeImage(np.zeros((1, 4, 6, 3), np.uint8), dicube.PixelDataHeader())
    image.init_meta("OT")
    dicube.save_to_dicom_folder(image, path)
    data_set = pydicom.dcmread(path / "slice_0000.dcm")
    data_set.PhotometricInterpretation, data_set.PixelData = "YBR_FULL_422", np.random.default_rng(1).bytes(4 * 6 * 2)
    data_set.save_as(path / "slice_0000.dcm")


def test_changed_pixels_of_subsampled_colours_are_not_read_as_if_they_were(tmp_path):
    _subsampled(tmp_path / "in")
    image = dicube.load_from_dicom_folder(tmp_path / "in")
    image.raw_image[0, 1, 2] = (1, 2, 3)
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    data_set = pydicom.dcmread(tmp_path / "out" / "slice_0000.dcm")
    assert data_set.PhotometricInterpretation == "YBR_FULL"
    np.testing.assert_array_equal(pydicom.pixels.pixel_array(data_set, raw=True), image.raw_image[0])
    np.testing.assert_array_equal(saved(image, tmp_path).raw_image, image.raw_image)


@pytest.mark.parametrize("samples, said", [(3, "RGB"), (1, "MONOCHROME2")])
def test_pixels_of_other_samples_say_what_they_are(tmp_path, samples, said):
    image = dicube.DicomCubeImage(np.zeros((2, 4, 6) if samples == 3 else (2, 4, 6, 3), np.uint8), dicube.PixelDataHeader())
    image = saved(image, tmp_path)
    image.raw_image = np.full((2, 4, 6, 3) if samples == 3 else (2, 4, 6), 7, np.uint8)
    again = saved(image, tmp_path)
    assert again.dicom_meta["PhotometricInterpretation"] == said and (again.raw_image == 7).all() and again.raw_image.shape == image.raw_image.shape


@pytest.mark.parametrize("said", ["MONOCHROME1", "YBR_FULL"])
def test_new_metadata_keeps_what_the_values_mean(tmp_path, said):
    image = dicube.DicomCubeImage(np.zeros((2, 4, 6, 3) if said == "YBR_FULL" else (2, 4, 6), np.uint8), dicube.PixelDataHeader())
    image.init_meta("OT").set_shared_item("PhotometricInterpretation", said)
    image = saved(image, tmp_path)
    assert image.dicom_meta["PhotometricInterpretation"] == said
    image.init_meta("OT")
    assert saved(image, tmp_path).dicom_meta["PhotometricInterpretation"] == said


@pytest.mark.parametrize("name", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"])
def test_what_is_no_number_is_none_of_the_header(archive_path, name):
    header = dicube.load(archive_path).pixel_header
    for value, error in [("x", ValueError), ([1.0, 2.0], TypeError), (np.array([1.0, 2.0]), TypeError), (1j, TypeError), (10**400, ValueError)]:
        for give in (lambda v: setattr(header, name, v), lambda v: dicube.PixelDataHeader(**{name: v})):
            with pytest.raises(error, match=f"{name} must be a number") as caught:
                give(value)
            assert isinstance(caught.value, dicube.MetaDataError)
    for value in ("1.5", np.float32(1.5), np.array(1.5)):
        setattr(header, name, value)
        assert type(getattr(header, name)) is float and getattr(header, name) == 1.5


def test_a_header_without_factors_says_one_and_zero(tmp_path):
    image = dicube.DicomCubeImage(np.ones((2, 4, 6), np.int16), dicube.PixelDataHeader(RescaleSlope=None, RescaleIntercept=None))
    assert (image.get_fdata() == 1).all() and saved(image, tmp_path).pixel_header.RescaleSlope == 1


def test_factors_of_other_slices_are_an_error(archive_path):
    image = dicube.load(archive_path)
    image.dicom_meta.set_nonshared_item("RescaleSlope", [1, 2, 3, 4, 5, 6])
    image.raw_image = image.raw_image[:3].copy()
    with pytest.raises(dicube.DataConsistencyError, match="6 slices but the image 3"):
        image.get_fdata()
    image.dicom_meta = dicube.DicomMeta({}, [])
    assert image.get_fdata().shape == (3, 40, 48)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
def test_changed_pixels_of_big_endian_files_are_turned_whole(tmp_path, dtype):
    image = dicube.DicomCubeImage(phantom(2, dtype=np.uint8).raw_image.astype(dtype), dicube.PixelDataHeader())
    dicube.save_to_dicom_folder(image, tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        data_set = pydicom.dcmread(path)
        name = {"float32": "FloatPixelData", "float64": "DoubleFloatPixelData"}.get(dtype, "PixelData")
        setattr(data_set, name, data_set.pixel_array.astype(np.dtype(dtype).newbyteorder(">")).tobytes())
        data_set.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
        turned = pydicom.Dataset(data_set)
        turned.file_meta = data_set.file_meta
        turned.save_as(path, enforce_file_format=True)
    read = dicube.load_from_dicom_folder(tmp_path / "in")
    np.testing.assert_array_equal(read.raw_image, image.raw_image)
    read.raw_image = read.raw_image * 3 + 1
    dicube.save_to_dicom_folder(read, tmp_path / "out")
    for number in range(2):
        data_set = pydicom.dcmread(tmp_path / "out" / f"slice_{number:04d}.dcm")
        assert data_set.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRBigEndian
        np.testing.assert_array_equal(pydicom.pixels.pixel_array(data_set, raw=True), read.raw_image[number])
    np.testing.assert_array_equal(dicube.load_from_dicom_folder(tmp_path / "out").raw_image, read.raw_image)


def test_what_masked_pixels_are_is_for_the_caller_to_say(archive_path, tmp_path):
    pytest.importorskip("nibabel")
    masked = np.ma.masked_less(phantom().raw_image, 0)
    with pytest.raises(dicube.DataConsistencyError, match="masked") as caught:
        dicube.DicomCubeImage(masked, dicube.PixelDataHeader())
    assert isinstance(caught.value, TypeError) and "filled" in str(caught.value)
    image = dicube.load(archive_path)
    image.raw_image = masked
    for use in (image.get_fdata, lambda: dicube.save(image, tmp_path / "x"), lambda: dicube.save_to_nifti(image, tmp_path / "x.nii"),
                lambda: dicube.save_to_dicom_folder(image, tmp_path / "out")):  # fmt: skip
        with pytest.raises(dicube.DataConsistencyError, match="masked"):
            use()
    assert not list(tmp_path.iterdir())
    image.raw_image = masked.filled(-7)
    assert (image.get_fdata() == masked.filled(-7) * 2.0 - 1000).all()


@pytest.mark.parametrize("name, value", [("spacing", (0.000255, 0.00025, 0.00025)), ("origin", (1.0, 2.0, 3.00001)), ("origin", (1.0, 2.0, 3.0)),
                                         ("y_orientation", (0, 1, 0.00001)), ("spacing", (0.00025, 0.0002501, 0.00025))])  # fmt: skip
def test_a_space_of_tiny_voxels_is_saved_as_it_was_changed(tmp_path, name, value):
    given = {"shape": (6, 40, 48), "origin": (1.0, 2.0, 3.0), "spacing": (0.00025,) * 3, "x_orientation": (0, 0, 1), "y_orientation": (0, 1, 0), "z_orientation": (1, 0, 0)}
    image = made()
    image.space = dicube.Space(**given)
    image = saved(image, tmp_path)
    image.space = dicube.Space(**{**given, name: value})
    np.testing.assert_allclose(getattr(saved(image, tmp_path).space, name), value, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("spacing, origin", [(0.00025, 123.456789012345678), (1 / 3, -1000 / 3), (0.7, -0.000123456789012345)])
def test_a_space_that_was_rounded_as_text_is_no_change(tmp_path, spacing, origin):
    turned = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turned[2] = np.cross(turned[0], turned[1])
    space = dicube.Space(shape=(6, 40, 48), origin=(origin, -origin, 2 * origin), spacing=(spacing * 2, spacing, spacing),
                         x_orientation=tuple(turned[0].tolist()), y_orientation=tuple(turned[1].tolist()), z_orientation=tuple(turned[2].tolist()))  # fmt: skip
    image = made()
    image.space = space
    image = saved(image, tmp_path)
    again = dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta, space)
    assert again.space.spacing == space.spacing
    dicube.save(again, tmp_path / "again.dcbs")
    files = [[file.sha256 for file in dicube.open(tmp_path / name).files] for name in ("x.dcbs", "again.dcbs")]
    assert files[0] == files[1]


def _place(meta):
    return [meta.get_values(keyword) for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")]


TILTED = [[-30.0, 20.0 + i, 5.5 + 2.5 * i] for i in range(6)]
GAP = [[-30.0, 20.0, 5.5 + 2.5 * i + (i > 3)] for i in range(6)]


@pytest.mark.parametrize("positions", [TILTED, GAP, GAP[::-1], GAP[:1] * 6], ids=["tilted", "gap", "back", "one"])
@pytest.mark.parametrize("given", [False, True], ids=["loaded", "given"])
def test_new_metadata_keeps_where_irregular_slices_lie(series, tmp_path, positions, given):
    image = dicube.load_from_dicom_folder(series)
    image.dicom_meta.set_nonshared_item("ImagePositionPatient", positions)
    image.dicom_meta.set_shared_item("SliceThickness", 1.25)
    before = _place(image.dicom_meta)
    if given:
        image = dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta)
    assert image.space is None
    meta = image.init_meta("CT")
    assert _place(meta) == before == _place(saved(image, tmp_path).dicom_meta) and meta["PatientName"] == "ANONYMOUS^"
    assert meta.get_shared_value("PixelSpacing") == [0.75, 0.5]


@pytest.mark.parametrize("keyword, values", [
    ("ImagePositionPatient", [None] + TILTED[1:]), ("ImageOrientationPatient", [None] * 6), ("PixelSpacing", [[0, 1]] * 6), ("PixelSpacing", [[1]] + [[1, 1]] * 5),
    ("ImageOrientationPatient", [[1, 0, 0, 1, 0, 0]] * 6), ("ImagePositionPatient", [[0, 0, float("nan")]] + TILTED[1:]),
])  # fmt: skip
def test_new_metadata_invents_no_place(series, keyword, values):
    image = dicube.load_from_dicom_folder(series)
    image.dicom_meta.set_nonshared_item(keyword, values)
    old, why = image.dicom_meta, image.space_problem
    with pytest.raises(dicube.MetaDataError, match="can't say where the slices lie") as caught:
        image.init_meta("CT")
    assert why in str(caught.value) and image.dicom_meta is old
    image.space = MOVED
    assert image.init_meta("CT")["ImagePositionPatient"][5] == [1.0, 2.0, -22.0]


@pytest.mark.parametrize("part", [np.s_[:4], np.s_[:, 1:], np.s_[:, :, ::2]])
def test_new_metadata_of_a_part_of_irregular_slices_invents_no_place(series, part):
    image = dicube.load_from_dicom_folder(series)
    image.dicom_meta.set_nonshared_item("ImagePositionPatient", GAP)
    image.raw_image = image.raw_image[part].copy()
    with pytest.raises(dicube.MetaDataError, match="6 slices of 40 x 48 pixels"):
        image.init_meta("CT")


def test_new_metadata_keeps_the_grid_of_the_metadata_that_an_image_was_made_with(series):
    image = dicube.load_from_dicom_folder(series)
    before = _place(image.dicom_meta)
    assert _place(dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta).init_meta("CT")) == before


def test_images_without_any_metadata_lie_on_a_grid_of_1_mm():
    image = dicube.DicomCubeImage(np.zeros((2, 3, 4), np.int16), dicube.PixelDataHeader())
    for slices in (2, 5):
        image.raw_image, image.dicom_meta = np.zeros((slices, 3, 4), np.int16), None
        meta = image.init_meta()
        assert meta["ImagePositionPatient"] == [[0, 0, i] for i in range(slices)] and meta["PixelSpacing"] == [1, 1]
    image = dicube.DicomCubeImage(image.raw_image, dicube.PixelDataHeader(), dicube.DicomMeta({}, ["a"] * 5))
    assert image.init_meta()["SpacingBetweenSlices"] == 1


def test_new_metadata_of_images_that_lie_nowhere_put_them_on_a_grid(own_series):
    for path in own_series.iterdir():
        data_set = pydicom.dcmread(path)
        del data_set.ImagePositionPatient, data_set.ImageOrientationPatient
        data_set.save_as(path)
    meta = dicube.load_from_dicom_folder(own_series).init_meta("US")
    assert meta["ImagePositionPatient"][2] == [0.0, 0.0, 2.0]


@pytest.mark.parametrize("given", [False, True], ids=["loaded", "given"])
def test_new_metadata_keeps_each_slices_factors(series, tmp_path, given):
    image = dicube.load_from_dicom_folder(series)
    image.dicom_meta.set_nonshared_item("RescaleSlope", [1, 2, 3, 4, 5, 6])
    values = image.get_fdata()
    if given:
        image = dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta, image.space)
    assert image.init_meta("PT")["RescaleSlope"] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(image.get_fdata(), values)
    np.testing.assert_array_equal(saved(image, tmp_path).get_fdata(), values)
    image.pixel_header.RescaleSlope = 7.0
    assert image.init_meta("PT")["RescaleSlope"] == 7
    image.dicom_meta.set_nonshared_item("RescaleSlope", [1, 2, 3, 4, 5, 6])
    image.pixel_header = dicube.PixelDataHeader(RescaleSlope=1, RescaleIntercept=-1000)
    image.raw_image = image.raw_image[:3].copy()
    with pytest.raises(dicube.MetaDataError, match="the image"):
        image.init_meta("PT")


@pytest.fixture
def pet(own_series):
    """An image whose slices have slopes of their own."""
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_nonshared_item("RescaleSlope", [0.5, 1.5, 2.5, 3.5, 4.5, 5.5])
    return image


def test_slices_keep_their_factors_and_their_place_when_the_metadata_are_sorted(pet, tmp_path):
    values, space = pet.get_fdata(), pet.space
    twin = copy.deepcopy(pet)
    twin.dicom_meta.sort_files(dicube.SortMethod.INSTANCE_NUMBER_DESC)
    np.testing.assert_array_equal(twin.get_fdata(), values)
    assert pet.dicom_meta["InstanceNumber"] == [1, 2, 3, 4, 5, 6]
    pet.dicom_meta.sort_files(dicube.SortMethod.INSTANCE_NUMBER_DESC)
    np.testing.assert_array_equal(pet.get_fdata(), values)
    assert pet.space == space and pet.pixel_header.RescaleSlope == 0.5
    again = saved(pet, tmp_path)  # in the order of the metadata
    assert again.dicom_meta["InstanceNumber"] == [6, 5, 4, 3, 2, 1] == pet.dicom_meta["InstanceNumber"]
    np.testing.assert_array_equal(again.get_fdata(), values[::-1])
    assert tuple(again.space.origin) == tuple(np.array(space.origin) + 5 * 2.5 * np.array(space.x_orientation))


def test_changed_pixels_are_written_into_their_own_slices_when_the_metadata_are_sorted(pet, tmp_path):
    pet.raw_image[0, 0, 0] = 99
    values = pet.get_fdata()
    pet.dicom_meta.sort_files(dicube.SortMethod.INSTANCE_NUMBER_DESC)
    again = saved(pet, tmp_path)
    assert again.raw_image[5, 0, 0] == 99
    np.testing.assert_array_equal(again.get_fdata(), values[::-1])


def test_another_array_is_in_the_order_of_the_metadata(pet, tmp_path):
    values = pet.get_fdata()
    order = pet.dicom_meta.sort_files(dicube.SortMethod.INSTANCE_NUMBER_DESC)
    pet.raw_image = pet.raw_image[order]
    np.testing.assert_array_equal(pet.get_fdata(), values[::-1])
    np.testing.assert_array_equal(saved(pet, tmp_path).get_fdata(), values[::-1])


def test_what_was_set_for_slices_that_are_in_another_order_now_is_an_error(pet, tmp_path):
    pet.dicom_meta.sort_files(dicube.SortMethod.INSTANCE_NUMBER_DESC)
    pet.pixel_header.WindowCenter, pet.pixel_header.WindowWidth = 1, 2
    with pytest.raises(dicube.exceptions.DataConsistencyError, match="dicom_meta was sorted, raw_image was not"):
        dicube.save(pet, tmp_path / "x.dcbs")


def test_a_slice_that_lacks_an_element_is_left_without_it_when_others_get_values(own_series, tmp_path):
    files = sorted(own_series.iterdir())
    for path, kvp in zip(files[:2], (100, 110)):
        data_set = pydicom.dcmread(path)
        data_set.KVP = kvp
        data_set.save_as(path)
    for path in files[2:]:
        data_set = pydicom.dcmread(path)
        data_set.pop("KVP", None)
        data_set.save_as(path)
    image = dicube.load_from_dicom_folder(own_series)
    values = image.dicom_meta.get_values("KVP")
    values[0] = 99
    image.dicom_meta.set_nonshared_item("KVP", values)
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    written = sorted((tmp_path / "out").iterdir())
    assert pydicom.dcmread(written[0]).KVP == 99
    assert [path.read_bytes() for path in written[1:]] == [path.read_bytes() for path in files[1:]]
    image.dicom_meta.set_nonshared_item("KVP", [99, None] + values[2:])  # what has it is emptied
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    assert pydicom.dcmread(written[1])["KVP"].is_empty and written[2].read_bytes() == files[2].read_bytes()
    image.dicom_meta.set_shared_item("KVP", None)  # all are
    dicube.save_to_dicom_folder(image, tmp_path / "out")
    assert all(pydicom.dcmread(path)["KVP"].is_empty for path in written)


def expected_place(space, picked):
    """First voxel, steps and directions of a part, by the numbers of its voxels in the whole."""
    axes = np.array([space.x_orientation, space.y_orientation, space.z_orientation]) * np.array(space.spacing)[:, np.newaxis]
    numbers = [np.arange(size)[part] for size, part in zip(space.shape, picked)]
    steps = [axis * (own[1] - own[0] if len(own) > 1 else 1) for axis, own in zip(axes, numbers)]
    return np.asarray(space.origin) + sum(own[0] * axis for own, axis in zip(numbers, axes)), steps


def _has_place(space, expected, tolerance=1e-6):
    axes = np.array([space.x_orientation, space.y_orientation, space.z_orientation]) * np.array(space.spacing)[:, np.newaxis]
    np.testing.assert_allclose(space.origin, expected[0], atol=tolerance)
    np.testing.assert_allclose(axes, expected[1], atol=tolerance)


PARTS = [np.s_[2:5, :, :], np.s_[::2, :, :], np.s_[4:1:-1, :, :], np.s_[:, 5:20, 7:], np.s_[1:3, ::3, 40:4:-2], np.s_[3:4, 1:, :]]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", ["loaded", "with metadata", "with a space", "sorted"])
def test_parts_lie_where_they_did(series, tmp_path, part, kind):
    image = dicube.load_from_dicom_folder(series)
    image.dicom_meta.set_nonshared_item("SliceLocation", [5.5 + 2.5 * i for i in range(6)])
    image.dicom_meta.set_nonshared_item("RescaleSlope", [1, 2, 3, 4, 5, 6])
    expected, values = expected_place(image.space, part), image.get_fdata()[part]
    if kind == "with metadata":
        image = dicube.DicomCubeImage(image.raw_image, image.pixel_header, image.dicom_meta)
    if kind == "with a space":
        image.space = image.space.copy()
    if kind == "sorted":
        image.dicom_meta.sort_files(dicube.SortMethod.POSITION_LEFT_HAND)
    image.raw_image = image.raw_image[part]
    assert image.space is None if kind == "with metadata" else _has_place(image.space, expected) is None
    np.testing.assert_array_equal(image.get_fdata(), values)
    dicube.save_to_nifti(image, tmp_path / "x.nii")
    _has_place(dicube.load_from_nifti(tmp_path / "x.nii").space, expected, 1e-4)
    copied = copy.deepcopy(image)
    copied.raw_image = copied.raw_image[:, 0:]
    for one in (copied, image):
        meta = one.init_meta("CT")
        assert meta.slice_count == len(values) and "SliceLocation" not in meta
        again = saved(one, tmp_path)
        _has_place(again.space, expected)
        np.testing.assert_array_equal(again.get_fdata(), values)
        one = copy.deepcopy(one)
        one.raw_image = one.raw_image[:, 1:]
        _has_place(saved(one, tmp_path).space, (expected[0] + expected[1][1], expected[1]))


def test_parts_of_irregular_slices_lie_where_these_did(series):
    image = dicube.load_from_dicom_folder(series)
    image.dicom_meta.set_nonshared_item("ImagePositionPatient", GAP)
    whole = image.raw_image
    for first in range(5):
        image.raw_image = whole[first : first + 2]
        assert image.space.origin == tuple(GAP[first]) and image.space.spacing[0] == (3.5 if first == 3 else 2.5)
    image.raw_image = whole[2:5]
    assert image.space is None and "slice 1 lies" in image.space_problem
    assert image.init_meta()["ImagePositionPatient"] == GAP[2:5]


@pytest.mark.parametrize("positions", [TILTED, GAP], ids=["tilted", "gap"])
def test_rows_and_columns_of_irregular_slices_lie_where_they_did(series, tmp_path, positions):
    for make_new in (False, True):
        image = dicube.load_from_dicom_folder(series)
        image.dicom_meta.set_nonshared_item("ImagePositionPatient", positions)
        image.raw_image = image.raw_image[:, 3:, 20:2:-2]
        if make_new:
            image.init_meta()
        meta = saved(image, tmp_path).dicom_meta
        np.testing.assert_allclose(meta["ImagePositionPatient"], np.add(positions, [20 * 0.5, 3 * 0.75, 0]))
        assert meta["PixelSpacing"] == [0.75, 1.0] and meta["ImageOrientationPatient"] == [-1, 0, 0, 0, 1, 0]
        if positions is TILTED:
            nibabel = pytest.importorskip("nibabel")
            dicube.save_to_nifti(image, tmp_path / "x.nii")
            place = np.array([-1, -1, 1]) * np.add(positions[2], [10 - 3.0, 2.25 + 0.75, 0])
            np.testing.assert_allclose((nibabel.load(tmp_path / "x.nii").affine @ [3, 1, 2, 1])[:3], place, atol=1e-5)


def test_rows_and_columns_of_a_part_are_saved_where_they_lie(series, tmp_path):
    image = dicube.load_from_dicom_folder(series)
    expected, values = expected_place(image.space, PARTS[3]), image.get_fdata()[PARTS[3]]
    image.raw_image = image.raw_image[PARTS[3]]
    again = saved(image, tmp_path)
    _has_place(again.space, expected)
    np.testing.assert_array_equal(again.get_fdata(), values)
    assert again.dicom_meta["PatientName"] == "Doe^Jane" and again.dicom_meta["Rows"] == 15
    again.raw_image = np.zeros((6, 9, 9), np.int16)
    again.dicom_meta.set_nonshared_item("ImagePositionPatient", GAP)
    with pytest.raises(dicube.DataConsistencyError, match="6 slices of 15 x 41 pixels, the image 6 x 9 x 9"):
        saved(again, tmp_path)


@pytest.mark.parametrize("array", [np.zeros((6, 20, 24), np.int16), np.zeros((3, 40, 48), np.int16)])
def test_where_arrays_of_another_shape_lie_is_not_known(series, tmp_path, array):
    image = dicube.load_from_dicom_folder(series)
    image.raw_image = array
    assert image.space is None and "6 slices of 40 x 48 pixels" in image.space_problem
    for what in (lambda: dicube.save(image, tmp_path / "x"), lambda: dicube.save_to_nifti(image, tmp_path / "x.nii"), image.init_meta):
        with pytest.raises((dicube.MetaDataError, dicube.DataConsistencyError), match="6 "):
            what()
    image.space = dicube.Space(**{**vars(MOVED), "shape": array.shape})
    assert image.init_meta()["ImagePositionPatient"][0] == [1.0, 2.0, 3.0]


def test_a_space_of_another_shape_is_none_of_the_array(tmp_path):
    image = phantom()
    image.raw_image = np.zeros((6, 20, 24), np.int16)
    for what in (lambda: dicube.save_to_nifti(image, tmp_path / "x.nii"), image.init_meta):
        with pytest.raises((dicube.MetaDataError, dicube.DataConsistencyError), match="voxels"):
            what()


def test_an_array_of_the_same_shape_is_the_callers_in_the_place_of_the_other(series):
    image = dicube.load_from_dicom_folder(series)
    space, raw = image.space, image.raw_image
    for other in (raw[::-1], raw[:, ::-1], raw.copy(), raw):
        image.raw_image = other
        assert image.space == space and image.init_meta()["ImagePositionPatient"][0] == [-30.0, 20.0, 5.5]


def test_parts_of_a_sheared_nifti_keep_their_place(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[-0.5, 0, 0.3, 10], [0, -0.75, 0.2, 20], [0, 0, 2.5, 5], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 7, 6), np.int16), affine), tmp_path / "x.nii")
    image = dicube.load_from_nifti(tmp_path / "x.nii")
    image.raw_image = image.raw_image[2::2, 1:, 3:]
    dicube.save_to_nifti(image, tmp_path / "y.nii")
    found = nibabel.load(tmp_path / "y.nii").affine
    np.testing.assert_allclose(found @ [1, 1, 1, 1], affine @ [4, 2, 4, 1], atol=1e-5)
    np.testing.assert_allclose(image.init_meta()["ImagePositionPatient"][1], (np.diag([-1, -1, 1, 1]) @ affine @ [3, 1, 4, 1])[:3], atol=1e-5)


@pytest.mark.parametrize("modality, keyword, value", [("PT", "Units", "CNTS"), ("CT", "RescaleType", "MGML")])
def test_new_metadata_keeps_what_the_values_measure(series, tmp_path, modality, keyword, value):
    image = dicube.load_from_dicom_folder(series)
    image.dicom_meta.set_shared_item("Modality", modality)
    image.dicom_meta.set_shared_item(keyword, value)
    assert image.init_meta(modality)[keyword] == value == saved(image, tmp_path).dicom_meta[keyword]
    image.init_meta("MR")
    assert keyword not in image.dicom_meta
