"""A series in memory: pixels, metadata, and where they lie in the patient."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from .._source import Source
from .._write import frame_stack, new_uid, today
from ..dicom.dicom_meta import DicomMeta
from ..dicom.dicom_status import DicomStatus, get_dicom_status
from ..dicom.dicom_tags import CommonTags as T
from ..exceptions import DataConsistencyError, MetaDataError
from ..space import Space, space_or_reason
from ..validation import validate_array_shape, validate_parameter_type, validate_string_not_empty
from .frames import per_frame_meta
from .pixel_header import PixelDataHeader

__all__ = ["DicomCubeImage"]

_UNSET: Any = object()
_CONSTRUCTOR = "DicomCubeImage constructor"


class DicomCubeImage:
    """Pixels of a series with their metadata.

    Attributes:
        raw_image: stored values, shape (slices, rows, columns), colour frames with a fourth axis of samples; their own type.
            :meth:`get_fdata` has real-world values.
        pixel_header: rescale factors, types, window.
        dicom_meta: metadata, one row per file; ``None`` when there is none.
        space: the grid in z, y, x order; ``None`` for an irregular series (``space_problem`` says why).
        dicom_status: the first irregularity that :func:`get_dicom_status` finds.

    Args:
        raw_image: array of at least two dimensions.
        pixel_header: a :class:`PixelDataHeader`.

    Raises:
        DataConsistencyError: arguments of another type, or a space of another shape than the array.
    """

    def __init__(
        self,
        raw_image: np.ndarray,
        pixel_header: PixelDataHeader,
        dicom_meta: Optional[DicomMeta] = None,
        space: Optional[Space] = None,
        dicom_status: DicomStatus = DicomStatus.CONSISTENT,
    ) -> None:
        _check_array(raw_image)
        validate_parameter_type(pixel_header, PixelDataHeader, "pixel_header", _CONSTRUCTOR)
        if dicom_meta is not None:
            validate_parameter_type(dicom_meta, DicomMeta, "dicom_meta", _CONSTRUCTOR, MetaDataError)
        if space is not None:
            validate_parameter_type(space, Space, "space", _CONSTRUCTOR)
        self.raw_image = raw_image
        self.dicom_meta = dicom_meta
        self._header: Any = pixel_header
        self._header_given = True
        self._space: Any = space
        self._space_problem = "" if space is not None else "none was given"
        self._status: Any = dicom_status
        self._source: Optional[Source] = None
        self._frames: Sequence[int] = ()
        self._validate_shape()

    @classmethod
    def _of(cls, source: Source, raw: np.ndarray, frames: Sequence[int], meta: Optional[DicomMeta]) -> "DicomCubeImage":
        image = cls.__new__(cls)
        image.raw_image, image.dicom_meta = raw, meta
        image._source, image._frames = source, frames
        image._header = image._space = image._status = _UNSET
        image._header_given, image._space_problem = False, ""
        return image

    # ------------------------------------------------- computed when asked for

    def _frame_meta(self) -> Optional[DicomMeta]:
        """Metadata with one row per frame."""
        if self.dicom_meta is None and self._source is None:
            return None
        meta = self.dicom_meta if self.dicom_meta is not None else DicomMeta._of(self._source)  # type: ignore[arg-type]
        return per_frame_meta(meta, len(frame_stack(self.raw_image)))

    @property
    def pixel_header(self) -> PixelDataHeader:
        """Rescale factors, types, window."""
        if self._header is _UNSET:
            self._header = _header_of(self._frame_meta(), self.raw_image.dtype)
        return self._header

    @pixel_header.setter
    def pixel_header(self, header: PixelDataHeader) -> None:
        validate_parameter_type(header, PixelDataHeader, "pixel_header")
        self._header, self._header_given = header, True

    @property
    def space(self) -> Optional[Space]:
        """The grid in z, y, x order; ``None`` for an irregular series."""
        if self._space is _UNSET:
            meta = self._frame_meta()
            self._space, self._space_problem = (None, "no metadata") if meta is None else space_or_reason(meta, "zyx")
        return self._space

    @space.setter
    def space(self, space: Optional[Space]) -> None:
        if space is not None:
            validate_parameter_type(space, Space, "space")
        self._space = space
        self._space_problem = "" if space is not None else "none was given"
        self._validate_shape()

    @property
    def space_problem(self) -> str:
        """Why ``space`` is ``None``; ``""`` when it is not."""
        self.space
        return self._space_problem

    @property
    def dicom_status(self) -> DicomStatus:
        """The first irregularity of the series; of an archive in format version 1, what that says of it."""
        if self._status is _UNSET:
            stated = self._source.core.info()["status"] if self._source is not None else ""
            if stated in (status.value for status in DicomStatus):
                self._status = DicomStatus(stated)
                return self._status
            self._status = get_dicom_status(self.dicom_meta) if self.dicom_meta is not None else DicomStatus.CONSISTENT
        return self._status

    @dicom_status.setter
    def dicom_status(self, status: DicomStatus) -> None:
        self._status = status

    # --------------------------------------------------------------- the array

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape of ``raw_image``."""
        return self.raw_image.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of ``raw_image``."""
        return self.raw_image.dtype

    def _validate_shape(self) -> None:
        space = self._space
        if space is None or space is _UNSET or self.raw_image.ndim < 3:
            return
        if tuple(self.raw_image.shape[:3]) != tuple(space.shape):
            raise DataConsistencyError(
                "Space shape mismatch with image dimensions",
                context="DicomCubeImage shape validation",
                details={"space_shape": tuple(space.shape), "image_shape": self.raw_image.shape},
                suggestion="Ensure space dimensions match the image array dimensions",
            )

    def get_fdata(self, dtype: Any = "float32") -> np.ndarray:
        """Real-world values: stored value x slope + intercept, with each slice's own factors; bits above Bits Stored do not count.

        Args:
            dtype: "float16", "float32" or "float64".

        Raises:
            DataConsistencyError (a ValueError): another type.
        """
        try:
            wanted = np.dtype(dtype)
        except (TypeError, ValueError):  # UnicodeEncodeError, too
            wanted = np.dtype(object)
        if wanted not in (np.dtype("f2"), np.dtype("f4"), np.dtype("f8")):
            raise DataConsistencyError(f"dtype must be float16, float32 or float64, not {dtype!r}", suggestion="")
        work = np.dtype("f4") if wanted.itemsize == 2 else wanted
        values = self._without_unused_bits().astype(work)
        slopes, intercepts = self._rescale()
        if np.any(slopes != 1):
            values *= slopes.astype(work)
        if np.any(intercepts != 0):
            values += intercepts.astype(work)
        return values.astype(wanted, copy=False)

    def _rescale(self) -> Tuple[np.ndarray, np.ndarray]:
        """Slope and intercept: one value, or one per slice in a shape that multiplies ``raw_image``."""
        header = self.pixel_header
        meta = None if self._header_given else self._frame_meta()
        if meta is None or (meta.is_shared(T.RescaleSlope) and meta.is_shared(T.RescaleIntercept)) or meta.is_missing(T.RescaleSlope):
            return np.array(float(header.RescaleSlope)), np.array(float(header.RescaleIntercept))
        along = (len(meta.get_values(T.RescaleSlope)),) + (1,) * (self.raw_image.ndim - 1)
        slope_list = [_first(value, 1.0) for value in meta.get_values(T.RescaleSlope)]
        intercept_list = [_first(value, 0.0) for value in meta.get_values(T.RescaleIntercept)]
        return np.array(slope_list).reshape(along), np.array(intercept_list).reshape(along)

    def _without_unused_bits(self) -> np.ndarray:
        """Bits outside Bits Stored (old overlays, rubbish) set to the sign (PS3.5 8.1.1)."""
        raw = self.raw_image
        if self._source is None or raw.dtype.kind not in "iu" or not len(self._frames):
            return raw
        _, _, _, allocated, stored, high_bit, _, is_float, _ = self._source.core.pixel_format(self._frames[0])
        if is_float or not 0 < stored < allocated or allocated != raw.dtype.itemsize * 8 or high_bit + 1 < stored or high_bit >= allocated:
            return raw
        return (raw << (allocated - 1 - high_bit)) >> (allocated - stored)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        array = self.raw_image if dtype is None else self.raw_image.astype(dtype, copy=False)
        return array.copy() if copy and array is self.raw_image else array

    def __repr__(self) -> str:
        return f"<DicomCubeImage {'x'.join(map(str, self.shape))} {self.dtype}>"

    # ---------------------------------------------------------------- metadata

    def init_meta(self, modality: str = "OT", patient_name: str = "ANONYMOUS^", patient_id: str = "0000000") -> DicomMeta:
        """Makes metadata for an image that has none: new UIDs, today's date, the space, the pixel header.

        Raises:
            MetaDataError: an empty argument, or one that is no text.
        """
        for name, value in (("modality", modality), ("patient_name", patient_name), ("patient_id", patient_id)):
            validate_string_not_empty(value, name, "init_meta operation", MetaDataError)
        try:
            self.dicom_meta = self._new_meta(modality, patient_name, patient_id)
        except MetaDataError:
            raise
        except Exception as error:
            raise MetaDataError(f"Failed to initialize DicomMeta: {error}", context="init_meta operation") from error
        return self.dicom_meta

    def _new_meta(self, modality: str, patient_name: str, patient_id: str) -> DicomMeta:
        frames = frame_stack(self.raw_image)
        count = len(frames)
        meta = DicomMeta({}, [f"slice_{i:04d}.dcm" for i in range(count)])
        date, time = today()
        shared = {
            T.PatientName: patient_name, T.PatientID: patient_id, T.PatientBirthDate: "19700101", T.PatientSex: "O",
            T.StudyInstanceUID: new_uid(), T.StudyDate: date, T.StudyTime: time, T.StudyID: "1",
            T.StudyDescription: f"Default {modality} Study", T.SeriesInstanceUID: new_uid(), T.SeriesNumber: 1,
            T.SeriesDescription: f"Default {modality} Series", T.Modality: modality, T.FrameOfReferenceUID: new_uid(),
        }  # fmt: skip
        for tag, value in shared.items():
            meta.set_shared_item(tag, value)
        meta.set_nonshared_item(T.SOPInstanceUID, [new_uid() for _ in range(count)])
        meta.set_nonshared_item(T.InstanceNumber, list(range(1, count + 1)))
        self._set_space(meta, count)
        self._set_pixels(meta, frames)
        return meta

    def _set_space(self, meta: DicomMeta, count: int) -> None:
        origin: np.ndarray
        step: np.ndarray
        space = self.space.reverse_axis_order() if self.space is not None else None
        if space is None:
            origin, step = np.zeros(3), np.array([0.0, 0.0, 1.0])
            orientation, spacing = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0]
        else:
            origin = np.asarray(space.origin, np.float64)
            step = np.asarray(space.z_orientation, np.float64) * float(space.spacing[2])
            orientation = [float(n) for n in (*space.x_orientation, *space.y_orientation)]
            spacing = [float(n) for n in space.spacing]
        meta.set_shared_item(T.ImageOrientationPatient, orientation)
        meta.set_shared_item(T.PixelSpacing, [spacing[1], spacing[0]])
        meta.set_shared_item(T.SliceThickness, spacing[2])
        meta.set_shared_item(T.SpacingBetweenSlices, spacing[2])
        meta.set_nonshared_item(T.ImagePositionPatient, [(origin + i * step).tolist() for i in range(count)])

    def _set_pixels(self, meta: DicomMeta, frames: np.ndarray) -> None:
        bits = min(frames.dtype.itemsize * 8, 32) if frames.dtype.kind in "iub" else frames.dtype.itemsize * 8
        samples = frames.shape[3] if frames.ndim == 4 else 1
        values = {
            T.Rows: frames.shape[1], T.Columns: frames.shape[2], T.SamplesPerPixel: samples,
            T.PhotometricInterpretation: "MONOCHROME2" if samples == 1 else "RGB", T.BitsAllocated: bits, T.BitsStored: bits,
            T.HighBit: bits - 1, T.PixelRepresentation: int(frames.dtype.kind == "i"),
            T.RescaleSlope: float(self.pixel_header.RescaleSlope), T.RescaleIntercept: float(self.pixel_header.RescaleIntercept),
        }  # fmt: skip
        for tag, value in values.items():
            meta.set_shared_item(tag, value)
        header = self.pixel_header
        if header.WindowCenter is not None and header.WindowWidth is not None:
            meta.set_shared_item(T.WindowCenter, float(header.WindowCenter))
            meta.set_shared_item(T.WindowWidth, float(header.WindowWidth))


def _check_array(raw: Any) -> None:
    validate_array_shape(raw, min_dims=2, name="raw_image", context=_CONSTRUCTOR)
    if raw.size == 0:
        raise DataConsistencyError("raw_image is empty", context=_CONSTRUCTOR, details={"shape": raw.shape})


def _first(value: Any, default: float) -> float:
    if isinstance(value, list):
        value = value[0] if value else None
    return float(value) if isinstance(value, (int, float)) else default


def _header_of(meta: Optional[DicomMeta], dtype: np.dtype) -> PixelDataHeader:
    header = PixelDataHeader(OriginalPixelDtype=dtype.name, PixelDtype=dtype.name)
    if meta is None or meta.slice_count == 0:
        return header

    def first_of(tag: Any) -> List[Any]:
        return [value for value in meta.get_values(tag)[:1] if value is not None]

    for name, tag, default in (("RescaleSlope", T.RescaleSlope, 1.0), ("RescaleIntercept", T.RescaleIntercept, 0.0),
                               ("WindowCenter", T.WindowCenter, None), ("WindowWidth", T.WindowWidth, None)):  # fmt: skip
        for value in first_of(tag):
            number = _first(value, float("nan"))
            setattr(header, name, default if number != number else number)
    return header
