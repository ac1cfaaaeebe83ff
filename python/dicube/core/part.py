"""What part of an image's array a view of it is, as ``array[2:5, ::2]`` gives one."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from .._write import frame_stack
from ..dicom._values import all_equal
from ..dicom.dicom_meta import DicomMeta
from ..dicom.dicom_tags import CommonTags as T
from ..space import Space

__all__ = ["PLACE", "Part", "is_place"]

#: What says where a slice lies.
PLACE = (T.ImagePositionPatient, T.ImageOrientationPatient, T.PixelSpacing)


class Part(NamedTuple):
    """Frames, rows, columns (and samples) of an array of shape ``whole``: along each axis from a first one in steps.

    ``strides``: of that array, in bytes.
    """

    whole: Tuple[int, ...]
    strides: Tuple[int, ...]
    starts: Tuple[int, ...]
    steps: Tuple[int, ...]
    shape: Tuple[int, ...]

    @classmethod
    def all_of(cls, array: NDArray[Any]) -> "Part":
        frames = frame_stack(array)
        return cls(frames.shape, frames.strides, (0,) * frames.ndim, (1,) * frames.ndim, frames.shape)

    @property
    def slices(self) -> Tuple[slice, ...]:
        """Picks it from the whole."""
        ends = [start + step * size for start, step, size in zip(self.starts, self.steps, self.shape)]
        return tuple(slice(start, end if end >= 0 else None, step) for start, end, step in zip(self.starts, ends, self.steps))

    def next(self, array: NDArray[Any], other: NDArray[Any]) -> Optional["Part"]:
        """What part of the whole another array is, where ``array`` is this one; None where it is none, or its axes are in another order."""
        inner, outer = frame_stack(other), frame_stack(array)
        if inner.dtype != outer.dtype or _owner(inner) is not _owner(outer) or inner.ndim != len(self.whole):
            return None
        lengths = [step * stride for step, stride in zip(self.steps, self.strides)]
        if any(size > 1 and length != stride for size, length, stride in zip(outer.shape, lengths, outer.strides)):  # a copy by now
            part = Part.all_of(outer).next(outer, inner) if outer.shape == self.shape else None
            return None if part is None else self._then(part)
        offset = _address(inner) - _address(outer) + sum(start * stride for start, stride in zip(self.starts, self.strides))
        starts = self._place(offset)
        steps = [1 if size == 1 else step // stride if stride and step % stride == 0 else 0 for size, step, stride in zip(inner.shape, inner.strides, self.strides)]
        ends = [start + step * (size - 1) for start, step, size in zip(starts, steps, inner.shape)]
        if 0 in steps or not all(0 <= n < size for n, size in zip([*starts, *ends], self.whole * 2)):
            return None
        return Part(self.whole, self.strides, starts, tuple(steps), inner.shape)

    def _then(self, part: "Part") -> "Part":
        """What part of the whole a part of this one is."""
        starts = tuple(first + step * start for first, step, start in zip(self.starts, self.steps, part.starts))
        return Part(self.whole, self.strides, starts, tuple(a * b for a, b in zip(self.steps, part.steps)), part.shape)

    def _place(self, offset: int) -> Tuple[int, ...]:
        """The indices of the element at an offset of bytes from the whole's first; -1 among them where none is there."""
        starts = [0] * len(self.whole)
        offset -= sum((size - 1) * stride for size, stride in zip(self.whole, self.strides) if stride < 0)
        for axis in sorted(range(len(self.whole)), key=lambda axis: -abs(self.strides[axis])):
            size, stride = self.whole[axis], self.strides[axis]
            if size > 1 and stride != 0:
                place, offset = divmod(offset, abs(stride))
                starts[axis] = place if stride > 0 else size - 1 - place
        return tuple(starts) if offset == 0 else (-1,) * len(starts)

    def in_plane(self, meta: DicomMeta) -> DicomMeta:
        """Metadata of frames of the whole's rows and columns as that of these; a copy, where these are others."""
        plane, said = slice(1, 3), (meta.get(T.Rows), meta.get(T.Columns))
        if self.shape[plane] == self.whole[plane] or any(number not in (None, own) for number, own in zip(said, self.whole[plane])):
            return meta
        values = [meta.get_values(tag) for tag in PLACE]
        places = [self._moved(*place) if is_place(*place) else place for place in zip(*values)]
        out = copy.copy(meta)
        for tag, moved in zip(PLACE, zip(*places)):
            if not meta.is_missing(tag):
                out.set_shared_item(tag, moved[0]) if all_equal(moved) else out.set_nonshared_item(tag, moved)
        for tag, number in zip((T.Rows, T.Columns), self.shape[plane]):
            out.set_shared_item(tag, number)
        return out

    def _moved(self, position: Any, orientation: Any, spacing: Any) -> Tuple[Any, Any, Any]:
        down, right = np.array(orientation[3:], float), np.array(orientation[:3], float)
        origin = np.array(position, float) + down * spacing[0] * self.starts[1] + right * spacing[1] * self.starts[2]
        axes = [*(right * np.sign(self.steps[2])).tolist(), *(down * np.sign(self.steps[1])).tolist()]
        return origin.tolist(), axes, [spacing[0] * abs(self.steps[1]), spacing[1] * abs(self.steps[2])]

    @property
    def matrix(self) -> NDArray[Any]:
        """4 x 4: from its column, row and slice number to those of the whole."""
        matrix = np.diag([*(float(step) for step in self.steps[2::-1]), 1.0])
        matrix[:3, 3] = self.starts[2::-1]
        return matrix

    def space_of(self, whole: Space) -> Space:
        """Its grid, where the whole has this one, in z, y, x order."""
        axes = [np.asarray(axis, float) for axis in (whole.x_orientation, whole.y_orientation, whole.z_orientation)]
        origin = np.asarray(whole.origin, float) + sum(start * gap * axis for start, gap, axis in zip(self.starts, whole.spacing, axes))
        x, y, z = (tuple((axis if step > 0 else -axis).tolist()) for axis, step in zip(axes, self.steps))
        spacing = tuple(float(gap) * abs(step) for gap, step in zip(whole.spacing, self.steps))
        return Space(shape=self.shape[:3], origin=tuple(origin.tolist()), spacing=spacing, x_orientation=x, y_orientation=y, z_orientation=z)


def is_place(*values: Any) -> bool:
    """Whether position, orientation and pixel spacing say where a slice lies."""
    for value, count in zip(values, (3, 6, 2)):
        if not isinstance(value, list) or len(value) != count or not all(isinstance(n, (int, float)) and np.isfinite(n) for n in value):
            return False
    normal = np.cross(values[1][:3], values[1][3:])
    return abs(float(np.dot(normal, normal)) - 1) < 0.1 and min(values[2]) > 0


def _owner(array: NDArray[Any]) -> Any:
    """The array whose memory it is."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])
