"""Geometry and real-world values, against SimpleITK, nibabel and pydicom."""

import numpy as np
import pydicom
import pytest

import dicube
from dicube import _grid
from conftest import corpus, phantom
from dicube.space import affine_from_meta


def test_the_space_is_in_z_y_x_order(archive_path):
    space = dicube.load(archive_path).space
    assert tuple(space.shape) == (6, 40, 48) and space.spacing == (2.5, 0.75, 0.5) and space.origin == (-30.0, 20.0, 5.5)
    np.testing.assert_allclose(space.x_orientation, (0, 0, 1))


def test_values_are_rescaled_slice_by_slice(own_series):
    image = dicube.load_from_dicom_folder(own_series)
    np.testing.assert_allclose(image.get_fdata(), image.raw_image * 2.0 - 1000)
    assert image.get_fdata("float64").dtype == np.float64 and image.get_fdata("float16").dtype == np.float16
    image.dicom_meta.set_nonshared_item("RescaleSlope", [1, 2, 3, 4, 5, 6])
    np.testing.assert_allclose(image.get_fdata()[2], image.raw_image[2] * 3.0 - 1000)


def test_petct_values_have_each_slices_slope():
    folder = corpus("petct-philips-phantom/PT")
    image = dicube.load_from_dicom_folder(folder)
    files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    for number in (0, image.shape[0] // 2, image.shape[0] - 1):
        data_set = pydicom.dcmread(files[image.dicom_meta.filenames[number]])
        expected = data_set.pixel_array * float(data_set.RescaleSlope) + float(data_set.RescaleIntercept)
        np.testing.assert_allclose(image.get_fdata("float64")[number], expected, rtol=1e-6)


def test_bits_above_bits_stored_do_not_count(tmp_path):
    checked = 0
    for path in sorted(corpus("dcm_qa_12bit/In").rglob("*")):
        if not path.is_file():
            continue
        data_set = pydicom.dcmread(path)
        dicube.pack(path, tmp_path / f"{checked}.dcbs").raise_errors()
        image = dicube.load(tmp_path / f"{checked}.dcbs")
        slope, intercept = float(data_set.get("RescaleSlope", 1)), float(data_set.get("RescaleIntercept", 0))
        values = (image.get_fdata("float64") - intercept) / slope
        bits = data_set.BitsStored
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if data_set.PixelRepresentation else (0, (1 << bits) - 1)
        assert values.min() >= low - 1e-6 and values.max() <= high + 1e-6
        checked += 1
    assert checked


def _sitk(files):
    sitk = pytest.importorskip("SimpleITK")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(f) for f in files])
    return reader.Execute()


@pytest.mark.parametrize("folder", ["dicube-testdata/sample_150", "dicube-testdata/sample_10", "pacsman", "ctkdata/Data", "petct-philips-phantom/PT", "pycerr"])
def test_geometry_and_values_are_simpleitks(folder):
    root = corpus(folder)
    uids = {str(pydicom.dcmread(p, stop_before_pixels=True).get("SeriesInstanceUID")) for p in _dicom_files(root)}
    compared = 0
    for uid in sorted(uids):
        try:
            image = dicube.load_from_dicom_folder(root, dicube.SortMethod.POSITION_RIGHT_HAND, series_uid=uid)
        except dicube.DicomCubeError:
            continue
        if image.space is None or image.raw_image.ndim != 3 or image.shape[0] < 2:
            assert image.space is not None or image.space_problem
            continue
        theirs = _sitk([root / name for name in image.dicom_meta.filenames])
        ours = image.space.reverse_axis_order()
        assert tuple(ours.shape) == theirs.GetSize()
        np.testing.assert_allclose(ours.spacing, theirs.GetSpacing(), rtol=1e-4)
        np.testing.assert_allclose(ours.origin, theirs.GetOrigin(), atol=1e-3)
        direction = np.array(theirs.GetDirection()).reshape(3, 3)
        np.testing.assert_allclose(np.array([ours.x_orientation, ours.y_orientation, ours.z_orientation]).T, direction, atol=1e-4)
        import SimpleITK

        np.testing.assert_allclose(image.get_fdata("float64"), SimpleITK.GetArrayFromImage(theirs), rtol=1e-5, atol=1e-3)
        compared += 1
    assert compared > 0


def _dicom_files(root):
    for path in sorted(root.rglob("*")):
        if path.is_file():
            try:
                pydicom.dcmread(path, stop_before_pixels=True)
            except Exception:
                continue
            yield path


def test_a_tilted_gantry_has_an_affine_but_no_space():
    root, tilted = corpus("dcm_qa_ct/In"), 0
    uids = {str(pydicom.dcmread(p, stop_before_pixels=True).get("SeriesInstanceUID")) for p in _dicom_files(root)}
    for uid in uids:
        try:
            image = dicube.load_from_dicom_folder(root, series_uid=uid)
        except dicube.DicomCubeError:
            continue
        if "tilted" in image.space_problem:
            affine, _ = affine_from_meta(image.dicom_meta)
            positions = np.array(image.dicom_meta["ImagePositionPatient"])
            last = affine @ [0, 0, image.shape[0] - 1, 1]
            np.testing.assert_allclose(last[:3], positions[-1], atol=1e-3)
            tilted += 1
    assert tilted > 0


def test_irregular_series_say_why(own_series):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_nonshared_item("ImagePositionPatient", [[0, 0, z] for z in (0, 1, 2, 3, 4, 9)])
    assert image.space is None and "lies" in image.space_problem
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.remove("PixelSpacing")
    assert image.space is None and "PixelSpacing" in image.space_problem


def test_multi_frame_functional_groups_give_geometry():
    found = 0
    for path in sorted(corpus("dcm_qa_enh/In").rglob("*.dcm")):
        data_set = pydicom.dcmread(path, stop_before_pixels=True)
        if int(data_set.get("NumberOfFrames", 1)) < 2 or "PerFrameFunctionalGroupsSequence" not in data_set:
            continue
        try:
            image = dicube.load_from_dicom_folder(path.parent, series_uid=str(data_set.SeriesInstanceUID))
        except dicube.DicomCubeError:
            continue
        groups = image._frame_meta()
        first = data_set.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
        assert groups.slice_count == image.shape[0]
        assert list(map(float, first)) in groups.get_values("ImagePositionPatient")
        found += 1
    assert found > 0


# ----------------------------------------------------------------------- NIfTI

nibabel = pytest.importorskip("nibabel")


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_nifti_has_the_right_place_for_every_voxel(archive_path, tmp_path, extension):
    image = dicube.load(archive_path)
    path = tmp_path / f"x{extension}"
    dicube.save_to_nifti(image, path)
    nifti = nibabel.load(path)
    assert nifti.shape == (48, 40, 6) and nifti.get_data_dtype() == np.int16
    np.testing.assert_allclose(nifti.get_fdata(), image.get_fdata("float64").transpose(2, 1, 0))
    # voxel (x 7, y 5, z 3) in NIfTI's coordinates: DICOM's with x and y the other way
    position = np.array(image.dicom_meta["ImagePositionPatient"][3]) + 7 * 0.5 * np.array([1, 0, 0]) + 5 * 0.75 * np.array([0, 1, 0])
    np.testing.assert_allclose(nifti.affine @ [7, 5, 3, 1], [-position[0], -position[1], position[2], 1], atol=1e-5)
    np.testing.assert_allclose(nifti.get_qform(), nifti.get_sform(), atol=1e-5)


def test_nifti_comes_back(archive_path, tmp_path):
    image = dicube.load(archive_path)
    dicube.save_to_nifti(image, tmp_path / "x.nii.gz")
    again = dicube.load_from_nifti(tmp_path / "x.nii.gz")
    np.testing.assert_array_equal(again.raw_image, image.raw_image)
    np.testing.assert_allclose(again.get_fdata(), image.get_fdata())
    for name in ("shape", "origin", "spacing", "x_orientation", "y_orientation", "z_orientation"):
        np.testing.assert_allclose(getattr(again.space, name), getattr(image.space, name), atol=1e-5)
    dicube.save(again, tmp_path / "from_nifti.dcbs")
    third = dicube.load(tmp_path / "from_nifti.dcbs")
    np.testing.assert_array_equal(third.raw_image, image.raw_image)
    np.testing.assert_allclose(third.get_fdata(), image.get_fdata())
    np.testing.assert_allclose(third.space.spacing, image.space.spacing, rtol=1e-5)


def test_simpleitk_reads_the_same_geometry_from_nifti(archive_path, tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    image = dicube.load(archive_path)
    dicube.save_to_nifti(image, tmp_path / "x.nii")
    theirs, ours = sitk.ReadImage(str(tmp_path / "x.nii")), image.space.reverse_axis_order()
    np.testing.assert_allclose(theirs.GetSpacing(), ours.spacing, atol=1e-5)
    np.testing.assert_allclose(theirs.GetOrigin(), ours.origin, atol=1e-5)
    np.testing.assert_allclose(np.array(theirs.GetDirection()).reshape(3, 3).T, [ours.x_orientation, ours.y_orientation, ours.z_orientation], atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64", "int8", "uint32"])
def test_nifti_keeps_types(dtype, tmp_path):
    image = phantom(3)
    image.raw_image = image.raw_image.astype(dtype)
    image.space = dicube.Space(shape=image.shape)
    dicube.save_to_nifti(image, tmp_path / "x.nii")
    again = dicube.load_from_nifti(tmp_path / "x.nii")
    assert again.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(again.raw_image, image.raw_image)


def test_nifti_needs_a_grid(tmp_path):
    image = dicube.DicomCubeImage(np.zeros((2, 3, 4), np.int16), dicube.PixelDataHeader())
    with pytest.raises(dicube.MetaDataError, match="save_to_nifti operation: Cannot save to NIfTI without space information"):
        dicube.save_to_nifti(image, tmp_path / "x.nii")
    with pytest.raises(FileNotFoundError):
        dicube.load_from_nifti(tmp_path / "none.nii")
    (tmp_path / "bad.nii").write_bytes(b"no NIfTI")
    with pytest.raises(dicube.InvalidCubeFileError):
        dicube.load_from_nifti(tmp_path / "bad.nii")
    four = nibabel.Nifti1Image(np.zeros((2, 3, 4, 5), np.int16), np.eye(4))
    nibabel.save(four, tmp_path / "four.nii")
    with pytest.raises(NotImplementedError):
        dicube.load_from_nifti(tmp_path / "four.nii")


@pytest.mark.parametrize("unit, factor", [("mm", 1), ("meter", 1000), ("micron", 0.001), ("unknown", 1)])
def test_nifti_in_other_units_is_in_mm_as_simpleitk_has_it(unit, factor, tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    nifti = nibabel.Nifti1Image(np.zeros((5, 4, 3), np.int16), np.array([[2.0, 0, 0, 9], [0, 3, 0, 8], [0, 0, 4, 7], [0, 0, 0, 1]]))
    nifti.header.set_xyzt_units(unit)
    nibabel.save(nifti, tmp_path / "x.nii")
    ours, theirs = dicube.load_from_nifti(tmp_path / "x.nii").space.reverse_axis_order(), sitk.ReadImage(str(tmp_path / "x.nii"))
    np.testing.assert_allclose(ours.spacing, np.array([2, 3, 4]) * factor)
    np.testing.assert_allclose(ours.spacing, theirs.GetSpacing())
    np.testing.assert_allclose(ours.origin, theirs.GetOrigin())


def test_a_tilted_nifti_keeps_where_its_voxels_lie(tmp_path):
    affine = np.array([[-0.5, 0, 0.1, 9], [0, -0.6, 0.8, 8], [0, 0, 2, 7], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 4, 3), np.int16), affine), tmp_path / "x.nii")
    image = dicube.load_from_nifti(tmp_path / "x.nii")
    assert image.space is None and "perpendicular" in image.space_problem
    dicube.save_to_nifti(image, tmp_path / "again.nii")
    np.testing.assert_allclose(nibabel.load(tmp_path / "again.nii").affine, affine, atol=1e-6)
    dicube.save(image, tmp_path / "x.dcbs")
    archived = dicube.load(tmp_path / "x.dcbs")
    assert "tilted" in archived.space_problem
    dicube.save_to_nifti(archived, tmp_path / "third.nii")
    np.testing.assert_allclose(nibabel.load(tmp_path / "third.nii").affine, affine, atol=1e-5)


def test_a_nifti_of_slanted_pixels_is_no_dicom(tmp_path):
    affine = np.array([[-0.5, 0.1, 0, 9], [0, -0.6, 0, 8], [0, 0, 2, 7], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(np.zeros((5, 4, 3), np.int16), affine), tmp_path / "x.nii")
    image = dicube.load_from_nifti(tmp_path / "x.nii")
    with pytest.raises(dicube.MetaDataError, match="rows and columns"):
        dicube.save(image, tmp_path / "x.dcbs")
    image.space = dicube.Space(shape=image.shape)
    dicube.save(image, tmp_path / "x.dcbs")
    assert dicube.load(tmp_path / "x.dcbs").space.spacing == (1, 1, 1)


@pytest.mark.parametrize("name", ["x.img", "x.dcbs", "x"])
def test_a_nifti_is_named_so(archive_path, tmp_path, name):
    with pytest.raises(ValueError, match=r"ends in .nii or .nii.gz"):
        dicube.save_to_nifti(dicube.load(archive_path), tmp_path / name)


@pytest.mark.parametrize(
    "heights, said",
    [
        ([0, 1, 2, 3, 5, 6], "slice 4 lies 2 mm behind the one before it, where 1 mm are usual"),
        ([0, 1, 3, 2, 4, 5], "slice 3 goes back by 1 mm: instance numbers and positions disagree"),
        ([0, 1, 2, 0, 1, 2], "2 volumes of 3 slices each in one series"),
        ([0, 0, 1, 1, 2, 2], "2 volumes of 3 slices each in one series"),
        ([0, 0, 0, 0, 1, 2], "6 slices lie at 3 positions"),
        ([0, -1, -2, -3.5, -4.5, -5.5], "slice 3 lies 1.5 mm behind the one before it, where 1 mm are usual"),
    ],
)
def test_an_irregular_series_says_what_is_wrong_with_it(own_series, heights, said):
    image = dicube.load_from_dicom_folder(own_series)
    image.dicom_meta.set_nonshared_item("ImagePositionPatient", [[0, 0, z] for z in heights])
    dicube.save(image, own_series / "x.dcbs")
    assert dicube.load(own_series / "x.dcbs").space_problem == said


def test_frames_that_differ_are_named_with_what_they_are(own_series):
    data_set = pydicom.dcmread(own_series / "slice_0004.dcm")
    data_set.Rows, data_set.PixelData = 20, data_set.PixelData[: 20 * 48 * 2]
    data_set.save_as(own_series / "slice_0004.dcm")
    with pytest.raises(dicube.DataConsistencyError, match=r"frame 4 \(slice_0004.dcm\) is 20 x 48 x 1, .*frame 0 40 x 48 x 1"):
        dicube.load_from_dicom_folder(own_series)


def test_frames_that_differ_in_what_their_values_mean_are_named_with_it(own_series):
    data_set = pydicom.dcmread(own_series / "slice_0004.dcm")
    data_set.PhotometricInterpretation = "MONOCHROME1"
    data_set.save_as(own_series / "slice_0004.dcm")
    with pytest.raises(dicube.DataConsistencyError, match=r"frame 4 .* signed, MONOCHROME1; frame 0 .* signed, MONOCHROME2"):
        dicube.load_from_dicom_folder(own_series)


def test_a_flat_nifti_is_one_slice(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    flat = np.arange(12, dtype=np.int16).reshape(3, 4)
    nibabel.save(nibabel.Nifti1Image(flat, np.diag([-0.5, -0.75, 3, 1])), tmp_path / "x.nii")
    image = dicube.load_from_nifti(tmp_path / "x.nii")
    np.testing.assert_array_equal(image.raw_image, flat.T[np.newaxis])
    assert image.space.spacing[1:] == (0.75, 0.5)
    with pytest.raises(dicube.exceptions.UnsupportedError, match="two or three dimensions"):
        nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5, 2), np.int16), np.eye(4)), tmp_path / "x.nii")
        dicube.load_from_nifti(tmp_path / "x.nii")


def _slanted_space(seed):
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    names = ("x_orientation", "y_orientation", "z_orientation")
    return _grid.Space(tuple(rng.integers(1, 50, 3).tolist()), tuple((100 * rng.normal(size=3)).tolist()), tuple(rng.uniform(0.2, 5, 3).tolist()),
                       **{name: tuple(axis) for name, axis in zip(names, axes.T.tolist())})  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_a_space_has_its_voxels_where_simpleitk_has_them(seed):
    sitk = pytest.importorskip("SimpleITK")
    space = _slanted_space(seed)
    image = sitk.Image(space.shape, sitk.sitkUInt8)
    image.SetOrigin(space.origin), image.SetSpacing(space.spacing), image.SetDirection(space.to_sitk_direction())
    last = image.TransformIndexToPhysicalPoint([size - 1 for size in space.shape])
    np.testing.assert_allclose(space.end, last, atol=1e-9)
    index = np.random.default_rng(seed).integers(0, space.shape)
    np.testing.assert_allclose(space.origin + space.scaled_orientation_matrix @ index, image.TransformIndexToPhysicalPoint(index.tolist()), atol=1e-9)
    affine = space.to_nifti_affine() @ [*index, 1]
    np.testing.assert_allclose(affine[:3] * [-1, -1, 1], image.TransformIndexToPhysicalPoint(index.tolist()), atol=1e-9)
    assert space.to_dicom_orientation() == space.x_orientation + space.y_orientation
    assert space.shape_zyx == space.shape[::-1]


def test_a_space_is_the_same_reversed_twice_copied_and_from_its_json():
    space = _slanted_space(1)
    turned = space.reverse_axis_order()
    assert turned != space and turned.reverse_axis_order() == space
    assert turned.to_dicom_orientation() == space.z_orientation + space.y_orientation
    np.testing.assert_allclose(turned.end, space.end)
    assert space.copy() == space == _grid.Space.from_json(space.to_json())


@pytest.mark.parametrize("changes, error", [
    ({"shape": (3, 4)}, ValueError), ({"shape": "345"}, ValueError), ({"shape": 5}, TypeError), ({"shape": (3, 0, 5)}, ValueError),
    ({"spacing": (1, -1, 1)}, ValueError), ({"spacing": (1, 1, float("nan"))}, ValueError), ({"origin": (0, 0, float("inf"))}, ValueError),
    ({"origin": (0, 0, [])}, TypeError), ({"x_orientation": (1, 1, 0)}, ValueError), ({"y_orientation": (1, 0, 0)}, ValueError),
])  # fmt: skip
def test_what_can_be_no_space_is_an_error_that_names_it(changes, error):
    with pytest.raises(error, match="orientation" if "orientation" in next(iter(changes)) else next(iter(changes))) as caught:
        _grid.Space(**{"shape": (3, 4, 5), **changes})
    assert isinstance(caught.value, dicube.DicomCubeError)


def test_axes_of_one_are_no_axes_in_nifti(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    values = np.arange(4 * 5 * 6, dtype="i2").reshape(4, 5, 6)
    nibabel.save(nibabel.Nifti1Image(values[..., np.newaxis], np.eye(4)), tmp_path / "four.nii")
    np.testing.assert_array_equal(dicube.load_from_nifti(tmp_path / "four.nii").raw_image, values.transpose(2, 1, 0))
    nibabel.save(nibabel.Nifti1Image(np.stack([values] * 2, -1), np.eye(4)), tmp_path / "time.nii")
    with pytest.raises(NotImplementedError, match=r"shape \(4, 5, 6, 2\)"):
        dicube.load_from_nifti(tmp_path / "time.nii")


def test_a_nifti_whose_matrix_is_flat_has_no_space(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    header = nibabel.Nifti1Header()
    header.set_sform(np.diag([1, 1, 0, 1]), code=1)
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), "i2"), None, header), tmp_path / "flat.nii")
    image = dicube.load_from_nifti(tmp_path / "flat.nii")
    assert image.space is None and "singular" in image.space_problem


@pytest.mark.parametrize("shape, why", [((2, 4, 4, 3), "shape"), ((1, 1, 40000), "32767")])
def test_what_nifti_does_not_hold_is_an_error_and_no_file(tmp_path, shape, why):
    image = dicube.DicomCubeImage(np.zeros(shape, "u1"), dicube.PixelDataHeader())
    with pytest.raises(dicube.exceptions.DataConsistencyError, match=why):
        dicube.save_to_nifti(image, tmp_path / "x.nii")
    assert not list(tmp_path.iterdir())


def test_a_mask_is_written_as_nifti_of_ones(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    mask = np.random.default_rng(1).random((3, 4, 5)) > 0.5
    dicube.save_to_nifti(dicube.DicomCubeImage(mask, dicube.PixelDataHeader(), space=dicube.Space(shape=(3, 4, 5))), tmp_path / "x.nii")
    read = nibabel.load(tmp_path / "x.nii")
    assert read.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(read.dataobj), mask.transpose(2, 1, 0))
