"""Images whose real-world values stand in a table: Modality LUT Sequence (PS3.3 C.11.1)."""

import warnings

import numpy as np
import pytest

import dicube
from conftest import corpus

pydicom = pytest.importorskip("pydicom")
from pydicom.dataset import Dataset  # noqa: E402
from pydicom.pixels import apply_modality_lut  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian  # noqa: E402


def item(first, values, bits=16, vr="US", signed=False):
    lut = Dataset()
    lut.add_new("LUTDescriptor", "SS" if signed else "US", [len(values) % 65536, first, bits])
    lut.ModalityLUTType = "US"
    lut.add_new("LUTData", vr, values.astype("<u2").tobytes() if vr == "OW" else values.tolist())
    return lut


def series(tmp_path, pixels, luts, syntax=ExplicitVRLittleEndian):
    """A folder of a file per item, without a table where that is None."""
    made = dicube.DicomCubeImage(pixels, dicube.PixelDataHeader(RescaleSlope=3.0, RescaleIntercept=-5.0))
    made.init_meta("OT", "Doe^Jane", "P1")
    folder = tmp_path / "series"
    dicube.save_to_dicom_folder(made, folder)
    for number, lut in enumerate(luts):
        path = folder / f"slice_{number:04d}.dcm"
        data_set = pydicom.dcmread(path)
        if lut is not None:
            data_set.ModalityLUTSequence = Sequence([lut])
            del data_set.RescaleSlope, data_set.RescaleIntercept
        if syntax == ExplicitVRBigEndian:
            data_set.PixelData = data_set.pixel_array.astype(">i2").tobytes()
        data_set.file_meta.TransferSyntaxUID = syntax
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pydicom.dcmwrite(path, data_set, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    return folder


def expected(folder):
    files = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    return np.concatenate([np.atleast_3d(apply_modality_lut(file.pixel_array, file).T).T for file in files])


TABLE = np.random.default_rng(5).integers(0, 65536, 700)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=["explicit", "implicit", "big"])
@pytest.mark.parametrize("vr", ["US", "OW"])
def test_values_are_those_of_each_slices_table_and_factors(tmp_path, syntax, vr):
    pixels = np.random.default_rng(3).integers(-500, 500, (3, 6, 8)).astype(np.int16)
    folder = series(tmp_path, pixels, [item(-300, TABLE, 16, vr, True), None, item(0, TABLE[:90], 16, vr, True)], syntax)
    if vr == "OW" and syntax == ExplicitVRBigEndian:
        for path in folder.iterdir():  # pydicom writes bytes as they are
            path.write_bytes(path.read_bytes().replace(TABLE.astype("<u2").tobytes(), TABLE.astype(">u2").tobytes())
                             .replace(TABLE[:90].astype("<u2").tobytes(), TABLE[:90].astype(">u2").tobytes()))
    image = dicube.load_from_dicom_folder(folder)
    np.testing.assert_array_equal(image.get_fdata("float64"), expected(folder))
    dicube.save(image, tmp_path / "x.dcbs")
    np.testing.assert_array_equal(dicube.load(tmp_path / "x.dcbs").get_fdata(), image.get_fdata())


def test_tables_of_bytes_and_of_all_65536_values():
    pixels = np.array([[[0, 1, 2, 65535]]], np.uint16)
    for name, lut, values in (
        ("bytes", {"LUTDescriptor": [3, 1, 8], "LUTData": b"\7\x08\x09\0"}, [7, 7, 8, 9]),
        ("all", {"LUTDescriptor": [0, 0, 16], "LUTData": list(range(65535, -1, -1))}, [65535, 65534, 65533, 0]),
        ("far", {"LUTDescriptor": [2, 65000, 16], "LUTData": [4, 5]}, [4, 4, 4, 5]),
    ):
        image = dicube.DicomCubeImage(pixels, dicube.PixelDataHeader())
        image.init_meta().set_shared_item("ModalityLUTSequence", [lut])
        assert image.get_fdata().tolist() == [[values]], name


@pytest.mark.parametrize("lut", [{}, {"LUTDescriptor": None, "LUTExplanation": None, "LUTData": None}])
def test_an_empty_item_as_some_programs_write_is_no_table(lut):
    image = dicube.DicomCubeImage(np.full((1, 2, 2), 7, np.uint16), dicube.PixelDataHeader(RescaleSlope=3.0, RescaleIntercept=-5.0))
    image.init_meta().set_shared_item("ModalityLUTSequence", [lut])
    assert image.get_fdata().tolist() == [[[16, 16], [16, 16]]]


@pytest.mark.parametrize("lut", [{"LUTDescriptor": [3, 0]}, {"LUTDescriptor": [3, 0, 16]}, {"LUTDescriptor": [3, 0, 16], "LUTData": [1, 2]}])
def test_what_is_no_table_is_an_error(lut):
    image = dicube.DicomCubeImage(np.zeros((1, 2, 2), np.uint16), dicube.PixelDataHeader())
    image.init_meta().set_shared_item("ModalityLUTSequence", [lut])
    with pytest.raises(dicube.DataConsistencyError, match="Modality LUT"):
        image.get_fdata()


@pytest.mark.parametrize("items", ["x", 5, [1, 2], [None], {"LUTData": [1]}, True])
def test_what_is_no_sequence_is_an_error(items):
    image = dicube.DicomCubeImage(np.zeros((2, 3, 3), "i2"), dicube.PixelDataHeader())
    image.init_meta("OT", "A", "1")
    image.dicom_meta.set_shared_item("ModalityLUTSequence", items)
    image.dicom_meta.remove("RescaleSlope")
    with pytest.raises(dicube.exceptions.DataConsistencyError, match="a Modality LUT"):
        image.get_fdata()


def test_a_table_counts_for_all_frames_of_its_file(tmp_path):
    path = tmp_path / "frames.dcm"
    data_set = pydicom.dcmread(next(series(tmp_path, np.zeros((1, 6, 8), np.int16), [item(-300, TABLE, signed=True)]).iterdir()))
    pixels = np.random.default_rng(3).integers(-500, 500, (4, 6, 8)).astype(np.int16)
    data_set.NumberOfFrames, data_set.PixelData = 4, pixels.tobytes()
    data_set.save_as(path)
    dicube.pack(path, tmp_path / "frames.dcbs").raise_errors()
    image = dicube.load(tmp_path / "frames.dcbs")
    np.testing.assert_array_equal(image.get_fdata(), expected_of(path))
    luts = image.dicom_meta.get_frame_values("ModalityLUTSequence")
    assert len(luts) == 4 and all(lut[0]["LUTDescriptor"] == [700, -300, 16] for lut in luts)


def expected_of(path):
    data_set = pydicom.dcmread(path)
    return apply_modality_lut(data_set.pixel_array, data_set)


def test_factors_that_the_header_is_given_take_the_place_of_tables(tmp_path):
    pixels = np.random.default_rng(3).integers(-500, 500, (3, 6, 8)).astype(np.int16)
    image = dicube.load_from_dicom_folder(series(tmp_path, pixels, [item(-300, TABLE, signed=True)] * 3))
    image.pixel_header.RescaleSlope = 2.0
    np.testing.assert_array_equal(image.get_fdata(), pixels * 2.0)
    dicube.save(image, tmp_path / "x.dcbs")
    np.testing.assert_array_equal(dicube.load(tmp_path / "x.dcbs").get_fdata(), pixels * 2.0)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=["explicit", "implicit", "big"])
@pytest.mark.parametrize("luts", ["all", "some", "bytes", "longest"])
@pytest.mark.parametrize("modality", ["CT", "OT"])
def test_new_metadata_keeps_the_values_of_tables(tmp_path, syntax, luts, modality):
    pixels = np.random.default_rng(3).integers(-500, 500, (3, 6, 8)).astype(np.int16)
    first, second = item(-300, TABLE, signed=True), item(5, TABLE[:90], signed=True)
    of_bytes = item(-4, TABLE[:256] % 256, 8, "OW", True)
    of_bytes.LUTData = (TABLE[:256] % 256).astype("u1").tobytes()
    longest = item(-500, np.arange(65536)[::-1], 16, "OW")
    longest["LUTDescriptor"].VR, longest["LUTDescriptor"].value = "US", [0, 65036, 16]
    if syntax == ExplicitVRBigEndian:
        longest.LUTData = np.arange(65536)[::-1].astype(">u2").tobytes()
    folder = series(tmp_path, pixels, {"all": [first] * 3, "some": [first, None, second], "bytes": [of_bytes] * 3, "longest": [longest] * 3}[luts], syntax)
    image = dicube.load_from_dicom_folder(folder)
    values = image.get_fdata("float64")
    meta = image.init_meta(modality)
    assert luts == "some" or meta.is_shared("ModalityLUTSequence")
    np.testing.assert_array_equal(image.get_fdata("float64"), values)
    dicube.save_to_dicom_folder(image, tmp_path / "new")
    np.testing.assert_array_equal(dicube.load_from_dicom_folder(tmp_path / "new").get_fdata("float64"), values)
    if luts != "bytes":  # in a word each, which pydicom takes for two
        np.testing.assert_array_equal(expected(tmp_path / "new"), values)
    for path in (tmp_path / "new").iterdir():
        data_set = pydicom.dcmread(path)
        assert ("ModalityLUTSequence" in data_set) != ("RescaleSlope" in data_set) == ("RescaleIntercept" in data_set)
        assert data_set.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"


def test_new_metadata_of_what_is_no_table_is_an_error():
    image = dicube.DicomCubeImage(np.zeros((1, 2, 2), np.uint16), dicube.PixelDataHeader())
    image.init_meta().set_shared_item("ModalityLUTSequence", [{"LUTDescriptor": [3, 0, 16], "LUTData": [1, 2]}])
    with pytest.raises(dicube.MetaDataError, match="Modality LUT of 2 entries"):
        image.init_meta()


def test_nifti_has_the_values_of_tables(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    pixels = np.random.default_rng(3).integers(-500, 500, (3, 6, 8)).astype(np.int16)
    image = dicube.load_from_dicom_folder(series(tmp_path, pixels, [item(-300, TABLE, signed=True)] * 3))
    image.space = dicube.Space(shape=(3, 6, 8), spacing=(2.5, 0.7, 0.7), x_orientation=(0, 0, 1), y_orientation=(0, 1, 0), z_orientation=(1, 0, 0))
    dicube.save_to_nifti(image, tmp_path / "x.nii")
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "x.nii").dataobj).T, image.get_fdata())


def test_real_tables_as_pydicom_applies_them():
    path = corpus("pydicom-data", "data_store", "data", "mlut_18.dcm")
    np.testing.assert_array_equal(dicube.load_from_dicom_folder(path.parent, series_uid=str(pydicom.dcmread(path).SeriesInstanceUID)).get_fdata()[0], expected_of(path))
