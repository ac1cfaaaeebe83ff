"""pydicom data sets from metadata and pixels; needs pydicom 3. :class:`dicube.DcbStreamingReader` makes files without it."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, Dict, Optional, Union

import numpy as np
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from .._encode import decimal_string
from .._warn import warn
from .._write import IMPLEMENTATION_UID, SOP_CLASSES
from ..codecs.jph import JphCodec
from ..exceptions import DicomCubeError, MetaDataError, UsageError

__all__ = ["DicomBuilder", "create_file_meta", "ensure_required_tags", "save_dicom", "set_pixel_data_attributes"]

# SOP classes of single images (PS3.4 B.5), by Modality: beside those whose other rules new files keep, those that only need a name.
_SOP_CLASSES = {
    **SOP_CLASSES,
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
}
_PIXEL_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
_HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")


def create_file_meta(ds: Dataset) -> FileMetaDataset:
    """File meta information (PS3.10 7.1) for a data set, Explicit VR Little Endian.

    Where the data set has no SOP Class UID, that of single images of its Modality is taken, and CT's for others; where it has no SOP
    Instance UID, a new one.
    """
    file_meta = FileMetaDataset()
    file_meta.MediaStorageSOPClassUID = UID(ds.get("SOPClassUID") or _SOP_CLASSES.get(ds.get("Modality", ""), SOP_CLASSES["CT"]))
    file_meta.MediaStorageSOPInstanceUID = UID(ds.get("SOPInstanceUID") or generate_uid())
    file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file_meta.ImplementationClassUID = UID(IMPLEMENTATION_UID)
    return file_meta


def ensure_required_tags(ds: Dataset) -> None:
    """Gives a data set the SOP Class and Instance UID of its file meta information, where it has none."""
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        if keyword not in ds:
            setattr(ds, keyword, getattr(ds.file_meta, f"MediaStorage{keyword}"))


def set_pixel_data_attributes(ds: Dataset, pixel_header: Any) -> None:
    """Rescale factors and the attributes of the type of the pixels (PS3.3 C.7.6.3), for one sample per pixel.

    Args:
        pixel_header: RescaleSlope, RescaleIntercept and PixelDtype, as of :class:`dicube.PixelDataHeader`; ``None`` changes nothing.

    Raises:
        UsageError (a ValueError): another type than integers of 8, 16 and 32 bits.
    """
    if pixel_header is None:
        return
    if pixel_header.PixelDtype not in _PIXEL_TYPES:
        raise UsageError(f"pixels of type {pixel_header.PixelDtype!r}: one of {', '.join(_PIXEL_TYPES)} is wanted")
    dtype = np.dtype(pixel_header.PixelDtype)
    ds.RescaleSlope = decimal_string(pixel_header.RescaleSlope)
    ds.RescaleIntercept = decimal_string(pixel_header.RescaleIntercept)
    ds.BitsAllocated = ds.BitsStored = 8 * dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(dtype.kind == "i")
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"


def save_dicom(ds: Dataset, output_path: Union[str, "io.IOBase", BinaryIO]) -> None:
    """Writes a data set as a DICOM file (PS3.10), to a path or a binary file."""
    ds.save_as(output_path, enforce_file_format=True)


class DicomBuilder:
    """Makes data sets of metadata and the pixels of one image."""

    @staticmethod
    def build(
        meta_dict: Dict[str, Any],
        pixel_header: Any,
        pixel_data: Union[np.ndarray, bytes, None] = None,
        transfer_syntax_uid: Optional[str] = None,
        force_uncompressed: bool = False,
        is_compressed_data: bool = False,
    ) -> Dataset:
        """A data set with its file meta information, ready for :func:`save_dicom`.

        Args:
            meta_dict: elements in the DICOM JSON model (PS3.18 F), or keyword -> value.
            pixel_header: see :func:`set_pixel_data_attributes`.
            pixel_data: an array of rows x columns or rows x columns x 3 (RGB), which sets Rows and Columns and is turned into the header's
                type; or bytes: of native pixels, or, with ``is_compressed_data``, of one codestream.
            transfer_syntax_uid: that of ``pixel_data``; Explicit VR Little Endian by default.
            force_uncompressed: decode the codestream. Where that fails, it is kept, with a warning.

        Raises:
            MetaDataError (a ValueError): no such keyword.
            UsageError (a ValueError): a type of pixels that is not known, or values that do not fit the header's.
        """
        ds = _data_set(meta_dict)
        ds.file_meta = create_file_meta(ds)
        if transfer_syntax_uid:
            ds.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
        ensure_required_tags(ds)
        set_pixel_data_attributes(ds, pixel_header)
        if pixel_data is None:
            return ds
        if is_compressed_data and force_uncompressed:
            decoded = DicomBuilder._decompress_pixel_data(bytes(pixel_data), ds, str(transfer_syntax_uid))
            if decoded is not None:
                ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                _set_pixels(ds, _as_type(decoded, pixel_header))
                return ds
        if is_compressed_data:
            ds.PixelData = encapsulate([bytes(pixel_data)])
            ds["PixelData"].VR = "OB"  # PS3.5 A.4
            ds["PixelData"].is_undefined_length = True
        elif isinstance(pixel_data, np.ndarray):
            _set_pixels(ds, _as_type(pixel_data, pixel_header))
        else:
            ds.PixelData = _even(bytes(pixel_data))
        return ds

    @staticmethod
    def _decompress_pixel_data(compressed_data: bytes, ds: Dataset, original_transfer_syntax: str) -> Optional[np.ndarray]:
        """The image in a codestream; ``None``, with a warning, where it can't be decoded."""
        try:
            if original_transfer_syntax in _HTJ2K:
                return JphCodec().decode(compressed_data)
            coded = Dataset()
            coded.update(ds)
            coded.file_meta = FileMetaDataset()
            coded.file_meta.TransferSyntaxUID = UID(original_transfer_syntax)
            coded.PixelData = encapsulate([compressed_data])
            return coded.pixel_array
        except (DicomCubeError, AttributeError, RuntimeError, ValueError, NotImplementedError, OSError) as error:
            warn(f"the pixels stay compressed, for they can't be decoded: {error}")
            return None

    @staticmethod
    def to_bytes(ds: Dataset) -> bytes:
        """:func:`save_dicom` into memory."""
        file = io.BytesIO()
        save_dicom(ds, file)
        return file.getvalue()


def _data_set(meta: Dict[str, Any]) -> Dataset:
    if meta and all(isinstance(value, dict) and "vr" in value for value in meta.values()):
        return Dataset.from_json({key: value for key, value in meta.items() if not key.startswith("0002")})
    ds = Dataset()
    for keyword, value in meta.items():
        if tag_for_keyword(keyword) is None:
            raise MetaDataError(f"{keyword!r} is no keyword of a DICOM element")
        setattr(ds, keyword, value)
    return ds


def _as_type(values: np.ndarray, pixel_header: Any) -> np.ndarray:
    """The same values in the header's type.

    Raises:
        UsageError: some do not fit.
    """
    if pixel_header is None:
        return values
    dtype = np.dtype(pixel_header.PixelDtype)
    turned = values.astype(dtype)
    if not np.array_equal(turned, values):
        raise UsageError(f"values from {values.min()} to {values.max()} do not fit {dtype}, the header's PixelDtype")
    return turned


def _set_pixels(ds: Dataset, values: np.ndarray) -> None:
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (1, 3)):
        raise UsageError(f"an image has rows x columns, or rows x columns x 3; this one has shape {values.shape}")
    ds.Rows, ds.Columns = values.shape[:2]
    if values.ndim == 3 and values.shape[2] == 3:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.PixelData = _even(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
    ds["PixelData"].VR = "OB" if values.dtype.itemsize == 1 else "OW"


def _even(data: bytes) -> bytes:
    return data + b"\0" if len(data) % 2 else data
