"""The class for spaces where the package spacetransformer-core is not installed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from .exceptions import ArgumentTypeError, DataConsistencyError

__all__ = ["Space"]


@dataclass(frozen=True)
class Space:
    """A regular grid of voxels: attributes and conversions of the package spacetransformer-core, which takes this
    class's place when it is installed.

    The three axes are in index order: of :attr:`DicomCubeImage.space`, z (slices), y (rows), x (columns). ``origin`` is the
    position of the first voxel's centre, as x, y, z; it and ``spacing`` are in mm, in DICOM's coordinates (x to the left, y to the back).

    Raises:
        DataConsistencyError (a ValueError; of another type a TypeError, too): not three numbers, sizes below 1, steps not above 0, or
            directions that are not perpendicular.
    """

    shape: Tuple[int, ...]
    origin: Tuple[float, ...] = (0, 0, 0)
    spacing: Tuple[float, ...] = (1, 1, 1)
    x_orientation: Tuple[float, ...] = (1, 0, 0)
    y_orientation: Tuple[float, ...] = (0, 1, 0)
    z_orientation: Tuple[float, ...] = (0, 0, 1)

    def __post_init__(self) -> None:
        for name in ("shape", "origin", "spacing", "x_orientation", "y_orientation", "z_orientation"):
            value = getattr(self, name)
            try:
                value = tuple(value.tolist() if isinstance(value, np.ndarray) else value)
                numbers = [float(number) for number in value if not isinstance(number, str)]
            except TypeError:
                raise ArgumentTypeError(f"{name} must be 3 numbers, not {value!r:.60}") from None
            if len(numbers) != 3 or len(value) != 3 or not np.isfinite(numbers).all():
                raise DataConsistencyError(f"{name} must be 3 numbers, not {value!r:.60}")
            object.__setattr__(self, name, value)
        if any(size < 1 for size in self.shape):
            raise DataConsistencyError(f"shape {self.shape} has a size below 1")
        if any(not step > 0 for step in self.spacing):
            raise DataConsistencyError(f"spacing {self.spacing} has a step that is not above 0")
        axes = self.orientation_matrix
        if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
            raise DataConsistencyError("the orientation vectors are not perpendicular unit vectors")

    @property
    def orientation_matrix(self) -> NDArray[Any]:
        """3 x 3, one axis per column."""
        return np.array([self.x_orientation, self.y_orientation, self.z_orientation], float).T

    @property
    def scaled_orientation_matrix(self) -> NDArray[Any]:
        """3 x 3, one axis per column, of the spacing's length."""
        return self.orientation_matrix * np.asarray(self.spacing, float)

    @property
    def shape_zyx(self) -> Tuple[int, ...]:
        """The shape of a grid in x, y, z order as NumPy has it."""
        return self.shape[::-1]

    @property
    def end(self) -> NDArray[Any]:
        """The position of the last voxel's centre."""
        return np.asarray(self.origin, float) + self.scaled_orientation_matrix @ (np.asarray(self.shape) - 1)

    def reverse_axis_order(self) -> "Space":
        """The same grid with its axes in the opposite order."""
        return Space(
            self.shape[::-1], self.origin, self.spacing[::-1], self.z_orientation, self.y_orientation, self.x_orientation
        )

    def to_nifti_affine(self) -> NDArray[Any]:
        """4 x 4: indices to NIfTI's coordinates (x to the right, y to the front)."""
        affine = np.eye(4)
        affine[:3, :3] = self.scaled_orientation_matrix
        affine[:3, 3] = self.origin
        affine[:2] *= -1
        return affine

    def to_dicom_orientation(self) -> Tuple[float, ...]:
        """Image Orientation (Patient) of a grid in x, y, z order."""
        return tuple(self.x_orientation) + tuple(self.y_orientation)

    def to_sitk_direction(self) -> Tuple[float, ...]:
        """Nine numbers: the axes as columns, as SimpleITK takes them."""
        return tuple(self.orientation_matrix.ravel().tolist())

    def to_json(self) -> str:
        """All attributes as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "Space":
        """From a dict of the attributes.

        Raises:
            DataConsistencyError (a ValueError): no such dict.
        """
        try:
            return cls(**{key: tuple(value) for key, value in data.items()})
        except (TypeError, AttributeError) as error:
            raise DataConsistencyError(f"no space in this: {error}") from None

    @classmethod
    def from_json(cls, json_str: str) -> "Space":
        """The inverse of :meth:`to_json`.

        Raises:
            DataConsistencyError (a ValueError): no such JSON.
        """
        try:
            return cls.from_dict(json.loads(json_str))
        except (TypeError, json.JSONDecodeError, RecursionError) as error:
            raise DataConsistencyError(f"no space in this JSON: {error}") from None

    def copy(self) -> "Space":
        """Another one that is equal."""
        return Space(**asdict(self))
