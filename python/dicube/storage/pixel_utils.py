"""From arrays of any type to integers with a scale, and back."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np
from numpy.typing import NDArray

from ..core.pixel_header import PixelDataHeader
from ..exceptions import DataConsistencyError, UnsupportedError, UsageError
from ..validation import validate_array_shape, validate_parameter_type

__all__ = [
    "derive_pixel_header_from_array", "get_float_data", "determine_optimal_nifti_dtype", "is_lossless_int_convertible",
    "convert_to_minimal_int",
]  # fmt: skip

_UNSIGNED, _SIGNED = (np.uint8, np.uint16, np.uint32), (np.int8, np.int16, np.int32)


def _check_numbers(array: Any, name: str) -> None:
    validate_array_shape(array, name=name)
    if array.dtype.kind not in "biuf":
        raise UnsupportedError(f"arrays of {array.dtype} are not supported")


def _check(array: Any, name: str) -> None:
    """Raises DataConsistencyError or UnsupportedError unless it is an array of numbers with at least one."""
    _check_numbers(array, name)
    if array.size == 0:
        raise DataConsistencyError(f"{name} is empty", details={"shape": array.shape})


def derive_pixel_header_from_array(
    image: NDArray[Any], preferred_dtype: str = "uint16", support_negative: bool = True
) -> Tuple[NDArray[Any], PixelDataHeader]:
    """(integers, header) for an array: integers stay as they are, floats that are whole numbers become the smallest integer
    type, other floats are spread over the range of ``preferred_dtype`` (which loses what lies between its steps).

    Args:
        preferred_dtype: "uint8" or "uint16".
        support_negative: keep signed integers; otherwise shift them into an unsigned type.

    Raises:
        UnsupportedError (a NotImplementedError): neither integers of up to 32 bits nor floats.
        UsageError, DataConsistencyError (ValueErrors): another ``preferred_dtype``; no array, or an empty one, or values that are not finite, or too far apart
            or too close together for a slope.
    """
    _check(image, "image")
    original = image.dtype.name
    if image.dtype.type in _UNSIGNED or (image.dtype.type in _SIGNED and support_negative):
        return image, PixelDataHeader(1.0, 0.0, original, original)
    if image.dtype.type in _SIGNED:
        low = int(image.min())
        unsigned = np.dtype(f"u{image.dtype.itemsize}")
        shifted = (image.astype(np.int64) - low).astype(unsigned)
        return shifted, PixelDataHeader(1.0, float(low), original, unsigned.name)
    if image.dtype.kind != "f":
        raise UnsupportedError(f"arrays of {image.dtype} are not supported")
    if preferred_dtype not in ("uint8", "uint16"):
        raise UsageError(f"Unsupported preferred_dtype: {preferred_dtype}")
    if is_lossless_int_convertible(image):
        integers, name = convert_to_minimal_int(image)
        return integers, PixelDataHeader(1.0, 0.0, original, name)
    return _spread(image, np.dtype(preferred_dtype), original)


def _spread(image: NDArray[Any], dtype: np.dtype[Any], original: str) -> Tuple[NDArray[Any], PixelDataHeader]:
    low, high = float(image.min()), float(image.max())
    if not np.isfinite([low, high]).all():
        raise DataConsistencyError("the array has values that are not finite")
    if high == low:
        # one value: 1 * slope, so that a slope of 0 never occurs
        return np.ones(image.shape, dtype), PixelDataHeader(low if low != 0 else 1.0, 0.0, original, dtype.name)
    slope = (high - low) / np.iinfo(dtype).max
    if not np.finfo(np.float64).tiny <= slope < np.inf:  # of those below, a step has few digits or none
        raise DataConsistencyError(f"values from {low} to {high} have no steps that a float holds", suggestion="scale them first")
    steps = np.rint((image.astype(np.float64) - low) / slope).astype(dtype)
    return steps, PixelDataHeader(slope, low, original, dtype.name, MaxVal=high, MinVal=low)


def is_lossless_int_convertible(arr: NDArray[Any]) -> bool:
    """Whether all values are whole numbers that 32 bits hold; those of an array of integers are not looked at."""
    validate_array_shape(arr, name="arr")
    if arr.dtype.kind in "iub":
        return True
    if arr.dtype.kind != "f" or arr.size == 0 or not np.isfinite(arr).all():
        return False
    low, high = float(arr.min()), float(arr.max())
    return low >= -(2**31) and high <= 2**32 - 1 and not (low < 0 and high > 2**31 - 1) and bool(np.array_equal(arr, np.rint(arr)))


def convert_to_minimal_int(arr: NDArray[Any]) -> Tuple[NDArray[Any], str]:
    """The values in the smallest integer type that holds them, unsigned where none is negative; and that type's name.

    Raises:
        DataConsistencyError (a ValueError): no type of up to 32 bits does; no array, or an empty one.
    """
    _check(arr, "arr")
    low, high = arr.min(), arr.max()
    for kind in _UNSIGNED if low >= 0 else _SIGNED:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return arr.astype(kind), np.dtype(kind).name
    raise DataConsistencyError(f"Value range [{low}, {high}] too large for any integer type")


def get_float_data(raw_image: NDArray[Any], pixel_header: PixelDataHeader, dtype: Any = "float32") -> NDArray[Any]:
    """``raw_image`` x slope + intercept.

    Raises:
        DataConsistencyError, UsageError (ValueErrors): no array; no type of floats.
    """
    _check_numbers(raw_image, "raw_image")
    validate_parameter_type(pixel_header, PixelDataHeader, "pixel_header")
    try:
        wanted = np.dtype(dtype)
    except (TypeError, ValueError):
        wanted = np.dtype(object)
    if wanted.kind != "f":
        raise UsageError(f"dtype must be a type of floats, not {dtype!r:.60}")
    values = raw_image.astype(np.result_type(wanted, "f8") if raw_image.dtype.itemsize >= 4 else wanted)
    if pixel_header.RescaleSlope not in (None, 1):
        values *= values.dtype.type(pixel_header.RescaleSlope)
    if pixel_header.RescaleIntercept not in (None, 0):
        values += values.dtype.type(pixel_header.RescaleIntercept)
    return values.astype(wanted, copy=False)


def determine_optimal_nifti_dtype(image: NDArray[Any], pixel_header: PixelDataHeader) -> Tuple[NDArray[Any], str]:
    """Real-world values in the smallest type that holds them: integers, of 32 bits rather signed ones, else float32."""
    values = get_float_data(image, pixel_header, "float64")
    scale = (float(pixel_header.RescaleSlope or 1), float(pixel_header.RescaleIntercept or 0))
    if all(number.is_integer() for number in scale) and is_lossless_int_convertible(values):
        kinds = _SIGNED if values.min() < 0 else (np.uint8, np.uint16, np.int32, np.uint32)
        kind = next(kind for kind in kinds if np.iinfo(kind).min <= values.min() and values.max() <= np.iinfo(kind).max)
        return values.astype(kind), np.dtype(kind).name
    return values.astype(np.float32), "float32"
