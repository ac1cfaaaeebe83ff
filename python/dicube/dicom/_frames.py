"""Metadata frame by frame: what functional groups (PS3.3 C.7.6.16) and a dose (C.8.8.3) say of every frame."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np

from .dicom_meta import GROUPS, DicomMeta
from .dicom_tags import CommonTags as T
from .dicom_tags import Tag, to_tag

__all__ = ["has_functional_groups", "has_frames", "per_frame_meta"]

_DOSE_PLANES, _DOSE_SCALING = to_tag("GridFrameOffsetVector"), to_tag("DoseGridScaling")
_FIELDS = (
    T.ImagePositionPatient, T.ImageOrientationPatient, T.PixelSpacing, T.SliceThickness, T.SpacingBetweenSlices, T.RescaleSlope,
    T.RescaleIntercept, T.WindowCenter, T.WindowWidth, T.Rows, T.Columns, to_tag("ModalityLUTSequence"), to_tag("TransferSyntaxUID"),
)  # fmt: skip


def has_functional_groups(meta: DicomMeta) -> bool:
    """Whether some of these are enhanced multi-frame objects."""
    return any(any(meta._present(tag)) for tag in GROUPS)


def has_frames(meta: DicomMeta) -> bool:
    """Whether geometry and rescale factors are each frame's, not each slice's."""
    return any(count > 1 for count in meta.frame_counts) or has_functional_groups(meta)


def per_frame_meta(meta: DicomMeta, frames: int) -> DicomMeta:
    """Metadata with one row per frame: of a series of single frames the metadata itself, where nothing else says what these have."""
    counts = meta.frame_counts
    if sum(counts) != frames:  # an image that was given another array
        return meta
    own = _of_dose(meta, counts)
    if not own and not has_frames(meta):
        return meta
    out = DicomMeta({}, [f"frame {i}" for i in range(frames)])
    for tag in _FIELDS:
        values = own[tag] if tag in own else meta.get_frame_values(tag)
        if any(value is not None for value in values):
            same = all(value == values[0] for value in values)
            out.set_shared_item(tag, values[0]) if same else out.set_nonshared_item(tag, values)
    return out


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


# ------------------------------------------------------------------------- a dose


def _of_dose(meta: DicomMeta, counts: List[int]) -> Dict[Tag, List[Any]]:
    """Where its planes lie, and Dose Grid Scaling as slope: what it has in place of rescale factors."""
    own: Dict[Tag, List[Any]] = {}
    if max(counts) > 1 and not meta.is_missing(_DOSE_PLANES):
        own[T.ImagePositionPatient] = _positions(meta, counts)
    if meta.get(T.Modality) == "RTDOSE" and not meta.is_missing(_DOSE_SCALING):
        scalings = meta.get_frame_values(_DOSE_SCALING)
        for tag, values in ((T.RescaleSlope, scalings), (T.RescaleIntercept, [0] * len(scalings))):
            own[tag] = [value if _is_number(s) else said for s, value, said in zip(scalings, values, meta.get_frame_values(tag))]
    return own


def _positions(meta: DicomMeta, counts: List[int]) -> List[Any]:
    """Where each frame lies, by its distance from the first."""
    positions = meta.get_frame_values(T.ImagePositionPatient)
    first = 0
    for count, offsets, orientation in zip(counts, meta.get_values(_DOSE_PLANES), meta.get_values(T.ImageOrientationPatient)):
        if count > 1 and offsets is not None:
            positions[first : first + count] = _dose_planes(positions[first], orientation, offsets, count)
        first += count
    return positions


def _dose_planes(position: Any, orientation: Any, offsets: Any, count: int) -> List[Any]:
    """Positions along the normal from Grid Frame Offset Vector: distances that begin with 0, or the planes' z in the patient where
    they are axial (PS3.3 C.8.8.3.2). None where it is neither."""
    try:
        origin, along, axes = np.array(position, float), np.array(offsets, float), np.array(orientation, float)
    except (TypeError, ValueError):
        return [None] * count
    if origin.shape != (3,) or along.shape != (count,) or axes.shape != (6,):
        return [None] * count
    normal = np.cross(axes[:3], axes[3:])
    if along[0] != 0 and not (abs(along[0] - origin[2]) < 1e-3 and np.allclose(normal, (0, 0, 1), atol=1e-4)):
        return [None] * count
    return [(origin + (offset - along[0]) * normal).tolist() for offset in along]
