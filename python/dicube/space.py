"""Where the voxels of a series lie in the patient (DICOM's coordinates: mm, x to the left, y to the back, z to the head)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Tuple

import numpy as np

from .dicom._frames import per_frame_meta, why_nowhere
from .dicom.dicom_meta import DicomMeta
from .dicom.dicom_tags import CommonTags as T
from .exceptions import UsageError

if TYPE_CHECKING:
    from ._grid import Space
else:
    try:
        from spacetransformer import Space
    except ImportError:
        from ._grid import Space

__all__ = ["Space", "get_space_from_DicomMeta", "space_or_reason", "affine_from_meta"]

#: Slices may be this far (of the distance between two) from where a regular grid has them.
POSITION_TOLERANCE = 0.01


def affine_from_meta(meta: DicomMeta) -> Tuple[Optional[np.ndarray], str]:
    """(4 x 4 matrix, "") from column, row and slice number to DICOM's coordinates in mm; (None, reason) for a series that
    lies on no regular grid. With a tilted gantry the matrix has a shear."""
    orientation, spacing = _shared(meta, T.ImageOrientationPatient, 6), _shared(meta, T.PixelSpacing, 2)
    if isinstance(orientation, str):
        return None, why_nowhere(meta) or orientation
    if isinstance(spacing, str):
        return None, spacing
    values = meta.get_values(T.ImagePositionPatient)
    if any(not isinstance(v, list) or len(v) != 3 or not all(isinstance(c, (int, float)) for c in v) for v in values):
        return None, why_nowhere(meta) or "ImagePositionPatient is missing in some slices"
    if meta.slice_count < 1:
        return None, "no slices"
    positions = np.array(values, float)
    if not (spacing > 0).all():
        return None, f"PixelSpacing is {spacing.tolist()}, not above 0"
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    if not abs(float(np.dot(normal, normal)) - 1) < 0.1:
        return None, f"ImageOrientationPatient is {orientation.tolist()}: no perpendicular directions"
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * spacing[1], column * spacing[0]
    affine[:3, 3] = positions[0]
    step = _step(meta, positions, normal)
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
        return normal / np.linalg.norm(normal) * float(gap)
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
    if abs(usual) < 1e-4:
        return f"{len(along)} slices lie at {len(places)} positions"
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
    """The grid of a regular series, frame by frame as :attr:`DicomCubeImage.space` has it; ``None`` for an irregular one
    (:attr:`DicomCubeImage.space_problem` says why)."""
    frames = sum(meta.frame_counts)
    return space_or_reason(per_frame_meta(meta, frames) if frames else meta, axis_order)[0]
