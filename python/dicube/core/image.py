"""A series in memory: pixels, metadata, and where they lie in the patient."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from .._source import Source
from .._write import EXPLICIT_BIG, frame_stack
from ..dicom._frames import per_frame_meta
from ..dicom.dicom_meta import DicomMeta
from ..dicom.dicom_status import DicomStatus, get_dicom_status
from ..dicom.dicom_tags import CommonTags as T
from ..dicom.dicom_tags import Tag, to_tag
from ..exceptions import DataConsistencyError, DataTypeError, MetaDataError, UsageError
from ..space import Space, space_or_reason
from ..validation import validate_array_shape, validate_parameter_type, validate_string_not_empty
from .part import Part
from .pixel_header import PixelDataHeader, first_number, header_of
from .real_world import real_values, table_in
from .stored_values import origin_of, values_of
from .written_meta import describe

__all__ = ["DicomCubeImage"]

_LUTS, _SYNTAX = to_tag("ModalityLUTSequence"), to_tag("TransferSyntaxUID")
_OF_HEADER = (T.RescaleSlope, T.RescaleIntercept, T.WindowCenter, T.WindowWidth)
_CONSTRUCTOR = "DicomCubeImage constructor"


class _Unset:
    """Stands, itself, for what was not set: a class stays the same when it is pickled and copied."""


_UNSET: Any = _Unset


class DicomCubeImage:
    """Pixels of a series with their metadata.

    Attributes:
        raw_image: stored values, shape (slices, rows, columns), colour frames with a fourth axis of samples; their own type, all bits.
            :meth:`get_fdata` has real-world values. What was loaded keeps place and factors of its slices when ``dicom_meta`` is
            sorted, and so do parts of it that are put in its place (``raw_image[2:5, 10:20]``, no copies of them); another array
            is taken to be in the order of ``dicom_meta``.
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

    _raw: Any = None
    _is_given = False  # the array, by a caller
    _part: Part  # of the array that the metadata describes
    _words: Optional[Part]  # of the frames of the source; None of a caller's own array
    dicom_meta: Optional[DicomMeta]
    _sheared: Optional[NDArray[Any]] = None  # where the voxels lie that came without perpendicular axes: x, y, z indices to mm

    def __init__(
        self,
        raw_image: NDArray[Any],
        pixel_header: PixelDataHeader,
        dicom_meta: Optional[DicomMeta] = None,
        space: Optional[Space] = None,
        dicom_status: DicomStatus = DicomStatus.CONSISTENT,
    ) -> None:
        check_array(raw_image, _CONSTRUCTOR)
        validate_parameter_type(pixel_header, PixelDataHeader, "pixel_header", _CONSTRUCTOR)
        if dicom_meta is not None:
            validate_parameter_type(dicom_meta, DicomMeta, "dicom_meta", _CONSTRUCTOR, MetaDataError)
        if space is not None:
            validate_parameter_type(space, Space, "space", _CONSTRUCTOR)
        validate_parameter_type(dicom_status, DicomStatus, "dicom_status", _CONSTRUCTOR)
        self.raw_image = raw_image
        self.dicom_meta = dicom_meta
        self._header: Any = pixel_header
        self._header_read: Any = _UNSET
        self._space: Any = space
        self._space_read: Any = _UNSET
        self._space_problem = "" if space is not None else "none was given"
        self._status: Any = dicom_status
        self._source: Optional[Source] = None
        self._frames: Sequence[int] = ()
        self._validate_shape()

    @classmethod
    def _of(cls, source: Source, raw: NDArray[Any], frames: Sequence[int], meta: Optional[DicomMeta]) -> "DicomCubeImage":
        image = cls.__new__(cls)
        image._raw, image.dicom_meta = raw, meta
        image._part = image._words = Part.all_of(raw)
        image._source, image._frames = source, frames
        image._header = image._header_read = image._space = image._space_read = None
        image._status, image._space_problem = _UNSET, ""
        return image

    def __deepcopy__(self, memo: Dict[int, Any]) -> "DicomCubeImage":
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        if self._source is not None:
            memo[id(self._source)] = self._source  # as its metadata do: it does not change
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    # ------------------------------------------------- computed when asked for
    # What was read last is kept beside what was handed out: a caller may have changed that, or the metadata.

    def _frame_meta(self) -> Optional[DicomMeta]:
        """Metadata with one row per frame."""
        if self.dicom_meta is None and self._source is None:
            return None
        meta = self.dicom_meta if self.dicom_meta is not None else DicomMeta._of(self._source)  # type: ignore[arg-type]
        count, picked = self._part.whole[0], self._part.slices[0]
        meta, rows = per_frame_meta(meta, count), self._rows_of_frames()
        if meta.slice_count == count and picked != slice(0, count, 1):
            rows = (list(range(count)) if rows is None else rows)[picked]
        return self._part.in_plane(meta if rows is None else meta._subset(rows))

    def _rows_of_frames(self) -> Optional[List[int]]:
        """Of each frame of the array that was loaded, the number that it has in the metadata, which were sorted since; None where these
        are in one order."""
        meta = self.dicom_meta
        if meta is None or self._source is None or meta._source is not self._source or self._is_given:
            return None
        frames = meta._frames()
        if frames == list(self._frames) or sorted(frames) != sorted(self._frames):
            return None
        number = {frame: i for i, frame in enumerate(frames)}
        return [number[frame] for frame in self._frames]

    @property
    def pixel_header(self) -> PixelDataHeader:
        """Rescale factors, types, window."""
        if not self._has_own_header():
            read = header_of(self._frame_meta(), self.raw_image.dtype)
            if read != self._header_read:
                self._header, self._header_read = read, copy.deepcopy(read)
        return self._header

    @pixel_header.setter
    def pixel_header(self, header: PixelDataHeader) -> None:
        validate_parameter_type(header, PixelDataHeader, "pixel_header")
        self._header, self._header_read = header, _UNSET

    def _has_own_header(self) -> bool:
        """Whether the header was given, or changed since it was read."""
        return self._header_read is _UNSET or self._header != self._header_read

    @property
    def space(self) -> Optional[Space]:
        """The grid in z, y, x order; ``None`` for an irregular series."""
        if not self._has_own_space():
            meta = self._frame_meta()
            read, self._space_problem = (None, "no metadata") if meta is None else self._space_in(meta)
            if read != self._space_read:
                self._space, self._space_read = read, copy.deepcopy(read)
        return self._space

    @space.setter
    def space(self, space: Optional[Space]) -> None:
        if space is not None:
            validate_parameter_type(space, Space, "space")
        self._space, self._space_read, self._sheared = space, _UNSET, None
        self._space_problem = "" if space is not None else "none was given"
        self._validate_shape()

    def _has_own_space(self) -> bool:
        """Whether the space was given, or changed since it was read."""
        return self._space_read is _UNSET or self._space != self._space_read

    def _space_in(self, meta: DicomMeta) -> Tuple[Optional[Space], str]:
        """The grid that metadata with a row per frame gives the array, or why there is none."""
        space, problem = space_or_reason(meta, "zyx")
        misfit = self._misfit(meta)
        return (None, misfit) if misfit and space is not None else (space, problem)

    def _grid(self) -> Tuple[Optional[Space], str]:
        """``space``, or, where none was given, that of the metadata; or why there is none.

        Raises:
            DataConsistencyError: a given one is of another shape than the array.
        """
        space, meta = self.space, self._frame_meta()
        if space is None and self._sheared is None and meta is not None and len(meta):
            return self._space_in(meta)
        if space is not None and tuple(space.shape) != frame_stack(self.raw_image).shape[:3]:
            raise DataConsistencyError(
                f"space is that of {tuple(space.shape)} voxels, the image of {self.shape}", suggestion="set image.space"
            )
        return space, self._space_problem

    def _misfit(self, meta: DicomMeta) -> str:
        """In what metadata with a row per frame is not that of the array; "" where it may be."""
        shape, said = frame_stack(self.raw_image).shape[:3], (meta.slice_count, meta.get(T.Rows), meta.get(T.Columns))
        if all(number in (None, own) for number, own in zip(said, shape)):
            return ""
        return f"the metadata is that of {said[0]} slices of {said[1]} x {said[2]} pixels, the image {' x '.join(map(str, shape))}"

    @property
    def space_problem(self) -> str:
        """Why ``space`` is ``None``; ``""`` when it is not."""
        self.space
        return self._space_problem

    @property
    def dicom_status(self) -> DicomStatus:
        """The first irregularity of the series; of an archive in format version 1, what that says of it."""
        if self._status is not _UNSET:
            return self._status
        stated = self._source.core.info()["status"] if self._source is not None else ""
        if stated in (status.value for status in DicomStatus):
            return DicomStatus(stated)
        return get_dicom_status(self.dicom_meta) if self.dicom_meta is not None else DicomStatus.CONSISTENT

    @dicom_status.setter
    def dicom_status(self, status: DicomStatus) -> None:
        validate_parameter_type(status, DicomStatus, "dicom_status")
        self._status = status

    # --------------------------------------------------------------- the array

    @property
    def raw_image(self) -> NDArray[Any]:
        """Stored values, shape (slices, rows, columns)."""
        return self._raw

    @raw_image.setter
    def raw_image(self, array: NDArray[Any]) -> None:
        if array is not self._raw:
            repeated = self._repeated_in_header() if _is_image(self._raw) else []
            self._follow(array)
            self._raw = array
            if repeated:
                known = header_of(self._frame_meta(), np.dtype("u2"))
                self._header = dataclasses.replace(self._header, **{name: getattr(known, name) for name in repeated})

    def _has_other_array(self) -> bool:
        """Whether the array is a caller's, or a part of the one before."""
        return self._is_given or self._part.shape != self._part.whole

    def _repeated_in_header(self) -> List[str]:
        """What a given header says as the metadata does, of the first slice."""
        meta = self._frame_meta() if self._has_own_header() else None
        if meta is None:
            return []
        edits = self._header_edits(meta)
        return [tag.keyword for tag in _OF_HEADER if tag not in edits and getattr(self._header, tag.keyword) is not None]

    def _follow(self, array: Any) -> None:
        """Keeps what is known of the array for one in its place that is a part of it, as ``raw_image[2:5, 10:20]`` is one, or of that
        which it is a part of itself. Others, and those of the same shape, are a caller's."""
        before = self._raw
        if not (_is_image(before) and _is_image(array)):  # the first one; what is none is found when it is used
            self._is_given = True
            if _is_image(array):
                self._part, self._words = Part.all_of(array), Part.all_of(array) if before is None else None
            return
        part, picked = self._part.next(before, array), Part.all_of(before).next(before, array)
        self._words = None if self._words is None else self._words.next(before, array)
        if part is None or (part.shape == part.whole and min(part.steps) < 0):
            self._is_given, part = True, Part.all_of(array)
        self._part = part
        if picked is not None and picked.shape != picked.whole:
            if self._has_own_space() and self._space is not None:
                self._space = picked.space_of(self._space)
            if self._sheared is not None:
                self._sheared = self._sheared @ picked.matrix

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape of ``raw_image``."""
        return self.raw_image.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of ``raw_image``."""
        return self.raw_image.dtype

    def _validate_shape(self) -> None:
        space = self._space
        if space is None or self.raw_image.ndim < 3:
            return
        if tuple(self.raw_image.shape[:3]) != tuple(space.shape):
            raise DataConsistencyError(
                "Space shape mismatch with image dimensions",
                context="DicomCubeImage shape validation",
                details={"space_shape": tuple(space.shape), "image_shape": self.raw_image.shape},
                suggestion="Ensure space dimensions match the image array dimensions",
            )

    def get_fdata(self, dtype: Any = "float32") -> NDArray[Any]:
        """Real-world values: stored value x slope + intercept, with each slice's own factors. Of the words of the source, the bits
        outside Bits Stored do not count; values that were put into ``raw_image`` count whole.

        A slice with a Modality LUT Sequence, which some XA and CR have in place of factors, gets the values of that table; of an RT
        dose, which has Dose Grid Scaling in their place, the values are the dose in its units.

        Args:
            dtype: "float16", "float32" or "float64".

        Raises:
            DataConsistencyError (a ValueError): another type, ``raw_image`` is no array of numbers, or slices have factors of their own
                and are not as many; a Modality LUT that is none.
        """
        check_array(self.raw_image, "get_fdata operation")
        try:
            wanted = np.dtype(dtype)
        except (TypeError, ValueError):  # UnicodeEncodeError, too
            wanted = np.dtype(object)
        if wanted not in (np.dtype("f2"), np.dtype("f4"), np.dtype("f8")):
            raise DataConsistencyError(f"dtype must be float16, float32 or float64, not {dtype!r}", suggestion="")
        values = values_of(self)
        frames = values[np.newaxis] if values.ndim == 2 else values
        return real_values(frames, wanted, *self._rescale(), self._modality_luts()).reshape(values.shape)

    def _rescale(self) -> Tuple[NDArray[Any], NDArray[Any]]:
        """Slope and intercept: one value, or one per slice in a shape that multiplies a stack of them."""
        header, meta = self.pixel_header, self._frame_meta()
        if meta is None or meta.slice_count == 0 or T.RescaleSlope in self._header_edits(meta):
            return np.array(first_number(header.RescaleSlope, 1.0)), np.array(first_number(header.RescaleIntercept, 0.0))
        slopes = np.array([first_number(value, 1.0) for value in meta.get_values(T.RescaleSlope)])
        intercepts = np.array([first_number(value, 0.0) for value in meta.get_values(T.RescaleIntercept)])
        if (slopes == slopes[0]).all() and (intercepts == intercepts[0]).all():
            return slopes[0], intercepts[0]
        if len(slopes) != len(frame_stack(self.raw_image)):
            raise DataConsistencyError(
                f"the metadata has rescale factors of {len(slopes)} slices but the image {len(frame_stack(self.raw_image))}",
                suggestion="DicomCubeImage(raw_image, pixel_header) is an image without that metadata",
            )
        along = (len(slopes),) + (1,) * (self.raw_image.ndim - 1)
        return slopes.reshape(along), intercepts.reshape(along)

    def _modality_luts(self) -> List[Any]:
        """Each slice's item of Modality LUT Sequence and the order of its bytes, None where it has none; [] where none has, or the
        header's factors count."""
        meta = self._frame_meta()
        if meta is None or self.raw_image.dtype.kind not in "iu" or meta.is_missing(_LUTS) or T.RescaleSlope in self._header_edits(meta):
            return []
        orders = [">" if syntax == EXPLICIT_BIG else "<" for syntax in meta.get_values(_SYNTAX)]
        luts = [(lut, order) if (lut := table_in(items)) else None for items, order in zip(meta.get_values(_LUTS), orders)]
        if not any(luts):
            return []
        if len(luts) != len(frame_stack(self.raw_image)):
            raise DataConsistencyError(
                f"the metadata has Modality LUTs of {len(luts)} slices but the image {len(frame_stack(self.raw_image))}",
                suggestion="DicomCubeImage(raw_image, pixel_header) is an image without that metadata",
            )
        return luts

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> NDArray[Any]:
        array = self.raw_image if dtype is None else self.raw_image.astype(dtype, copy=False)
        if copy is False and array is not self.raw_image:
            raise UsageError(f"raw_image is {self.raw_image.dtype}: as {array.dtype} it is a copy, and copy=False allows none")
        return array.copy() if copy and array is self.raw_image else array

    def __repr__(self) -> str:
        return f"<DicomCubeImage {'x'.join(map(str, self.shape))} {self.dtype}>"

    # ---------------------------------------------------------------- metadata

    def init_meta(self, modality: str = "OT", patient_name: str = "ANONYMOUS^", patient_id: str = "0000000") -> DicomMeta:
        """Makes metadata for an image that has none: new UIDs, today's date, the space, the pixel header, and each slice's own
        factors or Modality LUT.

        Where there is no ``space``, slices lie where the metadata of before has each of them; of an image without any 1 mm apart. Of a
        part of the array, as ``raw_image[2:5, 10:20]`` is one, slices and pixels lie where they did.

        Raises:
            MetaDataError: an empty argument, or one that is no text; metadata that does not say where each slice lies.
        """
        for name, value in (("modality", modality), ("patient_name", patient_name), ("patient_id", patient_id)):
            validate_string_not_empty(value, name, "init_meta operation", MetaDataError)
        try:
            meta = self._new_meta(modality, patient_name, patient_id)
        except MetaDataError:
            raise
        except Exception as error:
            raise MetaDataError(f"Failed to initialize DicomMeta: {error}", context="init_meta operation") from error
        origin = origin_of(self, self.dicom_meta)
        self._frames = self._frames if origin is None or self._source is None else origin[1]
        self.dicom_meta, self._part = meta, Part.all_of(self.raw_image)
        return meta

    def _new_meta(self, modality: str, patient_name: str, patient_id: str) -> DicomMeta:
        meta = DicomMeta({}, [f"slice_{i:04d}.dcm" for i in range(len(frame_stack(self.raw_image)))])
        describe(self, meta, modality, patient_name, patient_id)
        return meta

    def _header_edits(self, meta: DicomMeta) -> Dict[Tag, float]:
        """The elements in which the header was made to say another thing than the metadata does, of the first slice."""
        edits: Dict[Tag, float] = {}
        if self._has_own_header():
            known = header_of(meta, self.raw_image.dtype)
            for tags in ((T.RescaleSlope, T.RescaleIntercept), (T.WindowCenter, T.WindowWidth)):
                said = [getattr(self._header, tag.keyword) for tag in tags]
                if None not in said and said != [getattr(known, tag.keyword) for tag in tags]:
                    edits.update({tag: float(value) for tag, value in zip(tags, said)})
        return edits


def _is_image(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.ndim > 1


def check_array(raw: Any, context: str) -> None:
    """Raises DataConsistencyError unless it is an array of numbers that can be an image: what a masked one has under its mask is none."""
    validate_array_shape(raw, min_dims=2, name="raw_image", context=context)
    if isinstance(raw, np.ma.MaskedArray):
        raise DataTypeError("raw_image must not be a masked array", context=context, suggestion="raw_image.filled(value) says what masked pixels are")
    if isinstance(raw, np.matrix):
        raise DataTypeError("raw_image must be an array, not a matrix, which has two dimensions always", context=context, suggestion="np.asarray(matrix)")
    if raw.size == 0:
        raise DataConsistencyError("raw_image is empty", context=context, details={"shape": raw.shape})
    if raw.dtype.kind not in "biuf":
        raise DataTypeError(f"raw_image must hold integers, floats or truth values, not {raw.dtype}", context=context)
