"""One word on whether a series is regular; :func:`dicube.check` lists everything."""

from __future__ import annotations

from enum import Enum
from typing import List, Optional, Sequence

import numpy as np

from ..exceptions import ArgumentTypeError
from ._values import as_int
from .dicom_meta import DicomMeta
from .dicom_tags import CommonTags as T

__all__ = ["DicomStatus", "get_dicom_status"]


class DicomStatus(Enum):
    """The first irregularity of a series that was found."""

    MISSING_SERIES_UID = "missing_series_uid"
    NON_UNIFORM_SERIES_UID = "non_uniform_series_uid"
    MISSING_INSTANCE_NUMBER = "missing_instance_number"
    DUPLICATE_INSTANCE_NUMBERS = "duplicate_instance_numbers"
    GAP_INSTANCE_NUMBER = "gap_instance_number"
    MISSING_SPACING = "missing_spacing"
    NON_UNIFORM_SPACING = "non_uniform_spacing"
    MISSING_SHAPE = "missing_shape"
    NON_UNIFORM_SHAPE = "non_uniform_shape"
    MISSING_ORIENTATION = "missing_orientation"
    NON_UNIFORM_ORIENTATION = "non_uniform_orientation"
    NON_UNIFORM_RESCALE_FACTOR = "non_uniform_rescale_factor"
    MISSING_DTYPE = "missing_dtype"
    NON_UNIFORM_DTYPE = "non_uniform_dtype"
    MISSING_LOCATION = "missing_location"
    REVERSED_LOCATION = "reversed_location"
    DWELLING_LOCATION = "dwelling_location"
    GAP_LOCATION = "gap_location"
    CONSISTENT = "consistent"
    INCONSISTENT = "inconsistent"


def get_dicom_status(meta: DicomMeta) -> DicomStatus:
    """The first irregularity, looked for in this order: series UID, instance numbers, pixel type, pixel spacing, size,
    orientation, slice positions, rescale factors.

    Raises:
        ArgumentTypeError (a TypeError): no :class:`DicomMeta`.
    """
    if not isinstance(meta, DicomMeta):
        raise ArgumentTypeError(f"get_dicom_status() takes a DicomMeta, not {type(meta).__name__}")
    images = meta._images()
    if len(images) < meta.slice_count:  # reports, raw data
        meta = meta._subset(images)
    for find in (_series, _instance_numbers, _dtype, _spacing, _shape, _orientation, _location, _rescale):
        status = find(meta)
        if status is not None:
            return status
    return DicomStatus.CONSISTENT


def _has_frames(meta: DicomMeta) -> bool:
    """Whether the geometry is each frame's: of images of several frames."""
    return any(count > 1 for count in meta.frame_counts)


def _uniform_frames(meta: DicomMeta, tag: int, missing: DicomStatus, differing: DicomStatus) -> Optional[DicomStatus]:
    values = meta.get_frame_values(tag)
    if any(value is None for value in values):
        return missing
    return differing if any(value != values[0] for value in values) else None


def _uniform(meta: DicomMeta, tags: Sequence[int], missing: DicomStatus, differing: DicomStatus) -> Optional[DicomStatus]:
    if any(meta.is_missing(tag) for tag in tags):
        return missing
    if not all(meta.is_shared(tag) for tag in tags):
        return differing
    return None


def _series(meta: DicomMeta) -> Optional[DicomStatus]:
    return _uniform(meta, [T.SeriesInstanceUID], DicomStatus.MISSING_SERIES_UID, DicomStatus.NON_UNIFORM_SERIES_UID)


def _numbers(meta: DicomMeta) -> List[Optional[int]]:
    return [as_int(value) for value in meta.get_values(T.InstanceNumber)]


def _instance_numbers(meta: DicomMeta) -> Optional[DicomStatus]:
    if meta.is_missing(T.InstanceNumber):
        return DicomStatus.MISSING_INSTANCE_NUMBER
    if meta.slice_count < 2:
        return None
    values = meta.get_values(T.InstanceNumber)
    if len({str(value) for value in values}) < len(values):
        return DicomStatus.DUPLICATE_INSTANCE_NUMBERS
    known = sorted(number for number in _numbers(meta) if number is not None)
    if any(b - a != 1 for a, b in zip(known, known[1:])):
        return DicomStatus.GAP_INSTANCE_NUMBER
    return None


def _dtype(meta: DicomMeta) -> Optional[DicomStatus]:
    of_integers = [T.BitsStored, T.HighBit, T.PixelRepresentation]
    allocated = meta.get_values(T.BitsAllocated)
    is_float = all(bits in (32, 64) for bits in allocated) and all(map(meta.is_missing, of_integers))  # PS3.3 C.7.6.24
    tags = [T.BitsAllocated] if is_float else [T.BitsAllocated, *of_integers]
    return _uniform(meta, tags, DicomStatus.MISSING_DTYPE, DicomStatus.NON_UNIFORM_DTYPE)


def _spacing(meta: DicomMeta) -> Optional[DicomStatus]:
    tag, status = T.PixelSpacing, (DicomStatus.MISSING_SPACING, DicomStatus.NON_UNIFORM_SPACING)
    return _uniform_frames(meta, tag, *status) if _has_frames(meta) else _uniform(meta, [tag], *status)


def _shape(meta: DicomMeta) -> Optional[DicomStatus]:
    return _uniform(meta, [T.Columns, T.Rows], DicomStatus.MISSING_SHAPE, DicomStatus.NON_UNIFORM_SHAPE)


def _orientation(meta: DicomMeta) -> Optional[DicomStatus]:
    tag, status = T.ImageOrientationPatient, (DicomStatus.MISSING_ORIENTATION, DicomStatus.NON_UNIFORM_ORIENTATION)
    return _uniform_frames(meta, tag, *status) if _has_frames(meta) else _uniform(meta, [tag], *status)


def _location(meta: DicomMeta) -> Optional[DicomStatus]:
    if _has_frames(meta):  # in whichever order
        return DicomStatus.MISSING_LOCATION if None in meta.get_frame_values(T.ImagePositionPatient) else None
    if meta.is_missing(T.ImagePositionPatient) and meta.is_missing(T.SliceLocation):
        return DicomStatus.MISSING_LOCATION
    if meta.slice_count < 2:
        return None
    try:
        locations = meta._get_projection_location()
    except ValueError:
        return DicomStatus.MISSING_LOCATION
    numbers = _numbers(meta)
    order = sorted(range(meta.slice_count), key=lambda i: (numbers[i] is None, numbers[i] or 0))
    steps = np.diff([locations[i] for i in order])
    if steps.min() < 0 < steps.max():
        return DicomStatus.REVERSED_LOCATION
    if (steps == 0).any():
        return DicomStatus.DWELLING_LOCATION
    typical = _typical_step(np.abs(steps))
    if (np.abs(np.abs(steps) - typical) > 0.5 * typical).any():
        return DicomStatus.GAP_LOCATION
    return None


def _typical_step(steps: np.ndarray) -> float:
    """The step that more than four fifths of the slices have, else the larger of median and mean."""
    values, counts = np.unique(steps, return_counts=True)
    if counts.max() > 0.8 * len(steps):
        return float(values[counts.argmax()])
    return float(max(np.median(steps), np.mean(steps)))


def _rescale(meta: DicomMeta) -> Optional[DicomStatus]:
    tags = [T.RescaleIntercept, T.RescaleSlope]
    if any(meta.is_missing(tag) for tag in tags) or all(meta.is_shared(tag) for tag in tags):
        return None
    return DicomStatus.NON_UNIFORM_RESCALE_FACTOR
