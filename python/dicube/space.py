"""Where the voxels of a series lie in the patient (DICOM's coordinates: mm, x to the left, y to the back, z to the head)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, List, Optional, Tuple

import numpy as np

from .dicom.dicom_meta import DicomMeta
from .dicom.dicom_tags import CommonTags as T
from .exceptions import ArgumentTypeError, DataConsistencyError, UsageError

try:
    from spacetransformer import Space
except ImportError:

    @dataclass(frozen=True)
    class Space:  # type: ignore[no-redef]
        """A regular grid of voxels: attributes and conversions of the package spacetransformer-core, which takes this
        class's place when it is installed.

        The three axes are in index order: of :attr:`DicomCubeImage.space`, z (slices), y (rows), x (columns). ``origin`` is the
        position of the first voxel's centre, as x, y, z.
        """

        shape: Tuple[int, int, int]
        origin: Tuple[float, float, float] = (0, 0, 0)
        spacing: Tuple[float, float, float] = (1, 1, 1)
        x_orientation: Tuple[float, float, float] = (1, 0, 0)
        y_orientation: Tuple[float, float, float] = (0, 1, 0)
        z_orientation: Tuple[float, float, float] = (0, 0, 1)

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
        def orientation_matrix(self) -> np.ndarray:
            """3 x 3, one axis per column."""
            return np.array([self.x_orientation, self.y_orientation, self.z_orientation], float).T

        @property
        def scaled_orientation_matrix(self) -> np.ndarray:
            """3 x 3, one axis per column, of the spacing's length."""
            return self.orientation_matrix * np.asarray(self.spacing, float)

        @property
        def shape_zyx(self) -> Tuple[int, int, int]:
            """The shape of a grid in x, y, z order as NumPy has it."""
            return self.shape[::-1]

        @property
        def end(self) -> np.ndarray:
            """The position of the last voxel's centre."""
            return np.asarray(self.origin, float) + self.scaled_orientation_matrix @ (np.asarray(self.shape) - 1)

        def reverse_axis_order(self) -> "Space":
            """The same grid with its axes in the opposite order."""
            return Space(
                self.shape[::-1], self.origin, self.spacing[::-1], self.z_orientation, self.y_orientation, self.x_orientation
            )

        def to_nifti_affine(self) -> np.ndarray:
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
        def from_dict(cls, data: dict) -> "Space":
            """From a dict of the attributes."""
            return cls(**{key: tuple(value) for key, value in data.items()})

        @classmethod
        def from_json(cls, json_str: str) -> "Space":
            """The inverse of :meth:`to_json`."""
            return cls.from_dict(json.loads(json_str))

        def copy(self) -> "Space":
            """Another one that is equal."""
            return Space(**asdict(self))


__all__ = ["Space", "get_space_from_DicomMeta", "space_or_reason", "affine_from_meta"]

#: Slices may be this far (of the distance between two) from where a regular grid has them.
POSITION_TOLERANCE = 0.01


def affine_from_meta(meta: DicomMeta) -> Tuple[Optional[np.ndarray], str]:
    """(4 x 4 matrix, "") from column, row and slice number to DICOM's coordinates in mm; (None, reason) for a series that
    lies on no regular grid. With a tilted gantry the matrix has a shear."""
    orientation, spacing = _shared(meta, T.ImageOrientationPatient, 6), _shared(meta, T.PixelSpacing, 2)
    if isinstance(orientation, str):
        return None, orientation
    if isinstance(spacing, str):
        return None, spacing
    values = meta.get_values(T.ImagePositionPatient)
    if any(not isinstance(v, list) or len(v) != 3 or not all(isinstance(c, (int, float)) for c in v) for v in values):
        return None, "ImagePositionPatient is missing in some slices"
    if meta.slice_count < 1:
        return None, "no slices"
    positions = np.array(values, float)
    row, column = orientation[:3], orientation[3:]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * spacing[1], column * spacing[0]
    affine[:3, 3] = positions[0]
    step = _step(meta, positions, np.cross(row, column))
    if isinstance(step, str):
        return None, step
    affine[:3, 2] = step
    return affine, ""


def _shared(meta: DicomMeta, tag: Any, count: int) -> Any:
    """The numbers that all slices share, within 1e-4; or a reason."""
    values = meta.get_values(tag)
    if any(not isinstance(v, list) or len(v) != count or not all(isinstance(n, (int, float)) for n in v) for v in values):
        return f"{tag.keyword} is missing in some slices"
    if not values:
        return "no slices"
    if meta.is_shared(tag):
        return np.array(values[0], float)
    numbers = np.array(values, float)
    if np.abs(numbers - numbers[0]).max() > 1e-4:
        return f"{tag.keyword} differs between slices"
    return numbers[0]


def _step(meta: DicomMeta, positions: np.ndarray, normal: np.ndarray) -> Any:
    if len(positions) == 1:
        gap = next((g for g in (meta.get(T.SpacingBetweenSlices), meta.get(T.SliceThickness)) if isinstance(g, (int, float)) and g > 0), 1.0)
        return normal * float(gap)
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    length = float(np.linalg.norm(step))
    if length == 0 or abs(float(np.dot(step, normal))) < 1e-3 * length:
        return "the slices do not advance through the patient"
    expected = positions[0] + np.arange(len(positions))[:, None] * step
    off = np.linalg.norm(positions - expected, axis=1)
    if off.max() > POSITION_TOLERANCE * length:
        return _why_irregular(positions @ normal) or f"slice {int(off.argmax())} lies {off.max():.4g} mm beside the line of the others"
    return step


def _why_irregular(along: np.ndarray) -> str:
    """What is wrong with positions along the normal, in mm; "" where their steps are all alike."""
    places, times = np.unique(np.round(along, 3), return_counts=True)
    if len(places) > 1 and times.min() == times.max() > 1:
        return f"{times[0]} volumes of {len(places)} slices each in one series"
    steps = np.diff(along)
    usual = float(np.median(steps))
    back = np.flatnonzero(np.sign(steps) == -np.sign(usual))
    if len(back):
        return f"slice {back[0] + 1} goes back by {abs(steps[back[0]]):.4g} mm: instance numbers and positions disagree"
    odd = np.flatnonzero(np.abs(steps - usual) > POSITION_TOLERANCE * abs(usual))
    if len(odd) == 0:
        return ""
    return f"slice {odd[0] + 1} lies {abs(steps[odd[0]]):.4g} mm behind the one before it, where {abs(usual):.4g} mm are usual"


def space_or_reason(meta: DicomMeta, axis_order: str = "xyz") -> Tuple[Optional[Space], str]:
    """(space, "") of a regular series, or (None, why it has none)."""
    if axis_order not in ("xyz", "zyx"):
        raise UsageError(f"Invalid axis order: {axis_order}")
    affine, reason = affine_from_meta(meta)
    if affine is None:
        return None, reason
    size = [meta.get(T.Columns), meta.get(T.Rows)]
    if not all(isinstance(n, int) for n in size):
        return None, "Rows or Columns are missing or differ between slices"
    spacing: List[float] = [float(n) for n in np.linalg.norm(affine[:3, :3], axis=0)]
    pixel = _shared(meta, T.PixelSpacing, 2)
    spacing[:2] = [float(pixel[1]), float(pixel[0])]
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    tilt = float(np.degrees(np.arccos(np.clip(abs(np.dot(np.cross(axes[:, 0], axes[:, 1]), axes[:, 2])), 0, 1))))
    if tilt > 0.1:
        return None, f"the slices are stacked at {tilt:.1f} degrees to their normal (tilted gantry)"
    spacing[2] = _exact_gap(meta, spacing[2])
    try:
        space = Space(
            shape=(size[0], size[1], meta.slice_count),
            origin=tuple(float(n) for n in affine[:3, 3]),
            spacing=tuple(spacing),
            x_orientation=tuple(_shared(meta, T.ImageOrientationPatient, 6)[:3].tolist()),
            y_orientation=tuple(_shared(meta, T.ImageOrientationPatient, 6)[3:].tolist()),
            z_orientation=tuple(axes[:, 2].tolist()),
        )
        return (space if axis_order == "xyz" else space.reverse_axis_order()), ""
    except Exception as error:  # the installed Space has rules of its own
        return None, str(error)


def _exact_gap(meta: DicomMeta, gap: float) -> float:
    """Spacing Between Slices where the positions say the same up to rounding: 1.2 rather than 1.1999999999999997."""
    stated = meta.get(T.SpacingBetweenSlices)
    return float(stated) if isinstance(stated, (int, float)) and abs(stated - gap) <= 1e-6 * gap else gap


def get_space_from_DicomMeta(meta: DicomMeta, axis_order: str = "xyz") -> Optional[Space]:
    """The grid of a regular series; ``None`` for an irregular one (:func:`space_or_reason` says why)."""
    return space_or_reason(meta, axis_order)[0]
