"""The orders that slices are put in."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

import numpy as np

from ..exceptions import ArgumentTypeError, MetaDataError
from ._values import as_int
from .dicom_tags import CommonTags

if TYPE_CHECKING:
    from .dicom_meta import DicomMeta


class SortMethod(Enum):
    """In what order slices stand."""

    INSTANCE_NUMBER_ASC = 1
    INSTANCE_NUMBER_DESC = 2
    POSITION_RIGHT_HAND = 3  # ascending along the normal of the image plane, row x column
    POSITION_LEFT_HAND = 4  # descending


def check_sort_method(method: Any) -> SortMethod:
    """Raises ArgumentTypeError for anything else."""
    if not isinstance(method, SortMethod):
        names = ", ".join(known.name for known in SortMethod)
        raise ArgumentTypeError(f"Unsupported sort method: {method!r} is no SortMethod ({names})")
    return method


def projection_locations(meta: DicomMeta) -> List[float]:
    """Where each slice lies along the normal of the image plane, in mm.

    Raises:
        MetaDataError (a ValueError): no orientation or no position, or such that are no numbers.
    """
    positions = meta.get_values(CommonTags.ImagePositionPatient)
    if all(position is None for position in positions):
        why = "neither ImagePositionPatient nor SliceLocation in every slice"
        return [_numbers(location, 1, why)[0] for location in meta.get_values(CommonTags.SliceLocation)]
    orientations = meta.get_values(CommonTags.ImageOrientationPatient)
    orientation = _numbers(next((o for o in orientations if o is not None), None), 6, "ImageOrientationPatient not found or invalid")
    normal = np.cross(orientation[:3], orientation[3:])
    why = "ImagePositionPatient is missing or invalid in some slices"
    return [float(np.dot(normal, _numbers(position, 3, why))) for position in positions]


def _numbers(value: Any, count: int, why_not: str) -> List[float]:
    try:
        numbers = [float(number) for number in (value if isinstance(value, list) else [value])]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise MetaDataError(why_not)
    return numbers


def sorted_places(meta: DicomMeta, sort_method: SortMethod) -> List[int]:
    """For each place, the number of the slice that belongs there; slices without a number come last."""
    if sort_method in (SortMethod.INSTANCE_NUMBER_ASC, SortMethod.INSTANCE_NUMBER_DESC):
        keys: List[Optional[float]] = [as_int(value) for value in meta.get_values(CommonTags.InstanceNumber)]
        sign = 1 if sort_method is SortMethod.INSTANCE_NUMBER_ASC else -1
    else:
        keys = list(projection_locations(meta))
        sign = 1 if sort_method is SortMethod.POSITION_RIGHT_HAND else -1

    def place(i: int) -> Tuple[bool, float]:
        key = keys[i]
        return (True, 0) if key is None else (False, sign * key)

    return sorted(range(meta.slice_count), key=place)
