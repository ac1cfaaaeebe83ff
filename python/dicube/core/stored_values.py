"""The values of an image's array: its words without the bits that do not count (PS3.5 8.1.1), and what a caller wrote as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from .. import _threads
from .._source import Source
from .._write import frame_stack
from ..archive import LOSSY, empty, frame_shape, read_frames, value_range
from ..dicom.dicom_meta import DicomMeta
from ..exceptions import DataConsistencyError

if TYPE_CHECKING:
    from .image import DicomCubeImage

__all__ = ["origin_of", "values_of"]

def origin_of(image: DicomCubeImage, meta: Optional[DicomMeta]) -> Optional[Tuple[Source, Sequence[int]]]:
    """The source whose frames the image's were, or those of its metadata, and their numbers there; None where there is none."""
    if image._source is not None:
        is_sorted = image._words is None and meta is not None and meta._source is image._source and sorted(meta._frames()) == sorted(image._frames)
        return image._source, meta._frames() if is_sorted else image._frames  # type: ignore[union-attr]
    if meta is None or meta._source is None or not meta._source.core.is_uniform():
        return None
    return meta._source, meta._frames()


def values_of(image: DicomCubeImage) -> NDArray[Any]:
    """What the elements of ``raw_image`` stand for, in its shape; ``raw_image`` itself where none has a bit outside the source's Bits
    Stored. Otherwise what still is the source's word loses the bits that do not count, and what a caller put in its place stays."""
    raw, origin = image.raw_image, origin_of(image, image.dicom_meta)
    if origin is None or not len(origin[1]):
        return raw
    source, numbers = origin
    pixel_format = source.core.pixel_format(numbers[0])
    shifts, frames = _unused_bits(pixel_format), frame_stack(raw)
    limits = value_range(pixel_format)
    if shifts is None or (shifts[0] == shifts[1] and _is_within(frames, *limits)):
        return raw
    whole, cut = (len(numbers),) + frame_shape(pixel_format), None
    if image._words is not None and image._words.whole == whole:
        picked = image._words.slices
        numbers, cut = numbers[picked[0]], (slice(None),) + picked[1:]
    counts = np.array([source.core.codec(number) in LOSSY for number in numbers])  # what a value has above them, it has from its loss
    if counts.all():
        return raw
    words = read_frames(source, numbers)
    if cut is not None:
        words = words[cut]
    if frames.shape != words.shape:
        _check_own(frames, words, *shifts, *limits)
        return raw
    return _with_values(frames, np.ascontiguousarray(words), counts, *shifts, *limits).reshape(raw.shape)


def _unused_bits(pixel_format: Tuple[Any, ...]) -> Optional[Tuple[int, int]]:
    """How far words are shifted up and down again to lose the unused bits; None where all are used."""
    allocated, stored, high_bit, is_float = pixel_format[3], pixel_format[4], pixel_format[5], pixel_format[7]
    if is_float or allocated not in (8, 16, 32, 64) or not 0 < stored < allocated or not stored <= high_bit + 1 <= allocated:
        return None
    return allocated - 1 - high_bit, allocated - stored


def _is_within(frames: NDArray[Any], low: int, high: int) -> bool:
    """Whether no value is outside the range, or no number."""
    outside: List[slice] = []

    def look(place: slice) -> None:
        block = frames[place]
        with np.errstate(invalid="ignore"):
            if not outside and not (block.min() >= low and block.max() <= high):
                outside.append(place)

    _threads.for_each_block(look, frames)
    return not outside


def _check_own(frames: NDArray[Any], words: NDArray[Any], up: int, down: int, low: int, high: int) -> None:
    """Raises DataConsistencyError where values that Bits Stored do not hold are all words of the source: copies of these, in all likelihood."""
    found, known = np.unique(frames), np.unique(words)
    outside = found[(found < low) | (found > high)]
    if len(outside) and np.isin(outside, known[known << up >> down != known]).all():
        raise DataConsistencyError(
            "raw_image, of another shape than what was loaded, has words with bits outside Bits Stored as the source has them",
            suggestion="put a part of it in its place without copying it, raw_image = raw_image[2:5], or make an image of get_fdata()",
        )


def _with_values(frames: NDArray[Any], words: NDArray[Any], counts: NDArray[Any], up: int, down: int, low: int, high: int) -> NDArray[Any]:
    """The frames, and where they still are these words, what the words are without unused bits, of which frames that ``counts`` have
    none; in the frames' type, or one that holds both."""
    fits = frames.dtype.kind in "iu" and not counts.any() and np.iinfo(frames.dtype).min <= low and high <= np.iinfo(frames.dtype).max
    dtype = frames.dtype if fits else np.result_type(frames, words)
    out = words if dtype == words.dtype else empty(words.shape, dtype)

    def fill(block: slice) -> None:
        used = words[block] << up
        used >>= down  # with the sign
        used[counts[block]] = words[block][counts[block]]
        out[block] = np.where(frames[block] == words[block], used, frames[block])

    _threads.for_each_block(fill, frames)
    return out
