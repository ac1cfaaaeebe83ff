"""One word on whether a series is regular; :func:`dicube.check` lists everything."""

from __future__ import annotations

from enum import Enum
from typing import List, Optional, Sequence, Tuple

import numpy as np

from ..exceptions import ArgumentTypeError
from ._values import as_int
from ._frames import has_frames, per_frame_meta
from .dicom_meta import DicomMeta
from .dicom_tags import CommonTags as T
from .dicom_tags import Tag

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
    orientation, slice positions, rescale factors; last, whether images lack their pixels (``INCONSISTENT``).

    Raises:
        ArgumentTypeError (a TypeError): no :class:`DicomMeta`.
    """
    if not isinstance(meta, DicomMeta):
        raise ArgumentTypeError(f"get_dicom_status() takes a DicomMeta, not {type(meta).__name__}")
    images = meta._images()
    if len(images) < meta.slice_count:  # reports, raw data
        meta = meta._subset(images)
    geometry = per_frame_meta(meta, sum(meta.frame_counts)) if has_frames(meta) else meta
    for find, of in (
        (_series, meta), (_instance_numbers, meta), (_dtype, meta), (_spacing, geometry), (_shape, meta), (_orientation, geometry),
        (_location, geometry), (_rescale, meta),
    ):  # fmt: skip
        if find is _location and meta.get(T.Modality) == "SEG":  # frames where something is, several at a place of several segments
            continue
        status = find(of)
        if status is not None:
            return status
    return DicomStatus.INCONSISTENT if 0 in meta.frame_counts else DicomStatus.CONSISTENT


def _uniform(meta: DicomMeta, tags: Sequence[int], missing: DicomStatus, differing: DicomStatus) -> Optional[DicomStatus]:
    if any(meta.is_missing(tag) for tag in tags):
        return missing
    if not all(meta.is_shared(tag) for tag in tags):
        return differing
    return None


def _alike(meta: DicomMeta, tag: Tag, tolerance: Tuple[float, float], missing: DicomStatus, differing: DicomStatus) -> Optional[DicomStatus]:
    """Of lists of numbers; they may differ by as much as :func:`dicube.check` lets them, relative and absolute."""
    status = _uniform(meta, [tag], missing, differing)
    if status is not differing:
        return status
    try:
        values = np.array(meta.get_values(tag), float)
    except (TypeError, ValueError):  # some have none, or no numbers
        return differing
    return None if np.isclose(values, values[0], *tolerance).all() else differing


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
    return _alike(meta, T.PixelSpacing, (1e-4, 0), DicomStatus.MISSING_SPACING, DicomStatus.NON_UNIFORM_SPACING)


def _shape(meta: DicomMeta) -> Optional[DicomStatus]:
    return _uniform(meta, [T.Columns, T.Rows], DicomStatus.MISSING_SHAPE, DicomStatus.NON_UNIFORM_SHAPE)


def _orientation(meta: DicomMeta) -> Optional[DicomStatus]:
    return _alike(meta, T.ImageOrientationPatient, (0, 1e-4), DicomStatus.MISSING_ORIENTATION, DicomStatus.NON_UNIFORM_ORIENTATION)


def _location(meta: DicomMeta) -> Optional[DicomStatus]:
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
