"""pydicom data sets from metadata and pixels."""

import io

import numpy as np
import pytest

import dicube

pydicom = pytest.importorskip("pydicom")
from dicube.codecs import JphCodec  # noqa: E402
from dicube.dicom.dicom_builder import DicomBuilder, save_dicom  # noqa: E402

META = {"PatientName": "Doe^Jane", "PatientID": "P1", "Modality": "MR", "SOPInstanceUID": "1.2.3"}
HTJ2K = "1.2.840.10008.1.2.4.202"


def header(dtype):
    return dicube.PixelDataHeader(RescaleSlope=1 / 3, RescaleIntercept=-1000.0, PixelDtype=dtype)


def values(dtype, shape=(31, 33)):
    return np.random.default_rng(5).integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32"])
def test_pydicom_reads_the_pixels_back(dtype):
    built = DicomBuilder.build(META, header(dtype), values(dtype))
    read = pydicom.dcmread(io.BytesIO(DicomBuilder.to_bytes(built)))
    assert read.PatientName == "Doe^Jane" and read.SOPClassUID == "1.2.840.10008.5.1.4.1.1.4"
    assert np.array_equal(read.pixel_array, values(dtype)) and read.pixel_array.dtype == dtype
    assert len(str(read["RescaleSlope"].value.original_string)) <= 16


def test_colour_images_are_rgb():
    built = DicomBuilder.build(META, header("uint8"), values("uint8", (10, 11, 3)))
    read = pydicom.dcmread(io.BytesIO(DicomBuilder.to_bytes(built)))
    assert np.array_equal(read.pixel_array, values("uint8", (10, 11, 3)))


def test_values_that_do_not_fit_the_headers_type_are_refused_not_wrapped():
    with pytest.raises(dicube.exceptions.UsageError, match="do not fit uint8"):
        DicomBuilder.build(META, header("uint8"), np.full((4, 4), 300, "int16"))
    with pytest.raises(dicube.exceptions.UsageError, match="float32"):
        DicomBuilder.build(META, header("float32"), values("uint8"))


def test_a_codestream_is_kept_or_decoded():
    codestream = JphCodec().encode(values("int16"))
    meta = {**META, "Rows": 31, "Columns": 33}
    kept = DicomBuilder.build(meta, header("int16"), codestream, HTJ2K, is_compressed_data=True)
    file = io.BytesIO()
    save_dicom(kept, file)
    read = pydicom.dcmread(io.BytesIO(file.getvalue()))
    assert read.file_meta.TransferSyntaxUID == HTJ2K
    frame = next(pydicom.encaps.generate_frames(read.PixelData, number_of_frames=1))
    assert np.array_equal(JphCodec().decode(frame), values("int16"))
    native = DicomBuilder.build(meta, header("int16"), codestream, HTJ2K, force_uncompressed=True, is_compressed_data=True)
    assert native.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert native.PixelData == values("int16").tobytes()


def test_a_codestream_that_cannot_be_decoded_is_kept_with_a_warning():
    with pytest.warns(UserWarning, match="stay compressed"):
        built = DicomBuilder.build(META, header("int16"), b"no codestream", HTJ2K, force_uncompressed=True, is_compressed_data=True)
    assert built.file_meta.TransferSyntaxUID == HTJ2K


def test_metadata_may_be_the_dicom_json_model():
    built = DicomBuilder.build(
        {"00100020": {"vr": "LO", "Value": ["P1"]}, "00020010": {"vr": "UI", "Value": ["1.2"]}}, header("int16"), values("int16")
    )
    assert pydicom.dcmread(io.BytesIO(DicomBuilder.to_bytes(built))).PatientID == "P1"


def test_a_keyword_that_does_not_exist_is_refused():
    with pytest.raises(dicube.exceptions.MetaDataError, match="PatientNme"):
        DicomBuilder.build({"PatientNme": "x"}, header("int16"))
