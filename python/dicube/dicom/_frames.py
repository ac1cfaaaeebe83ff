"""Metadata frame by frame: what functional groups (PS3.3 C.7.6.16), a dose (C.8.8.3) and a nuclear medicine reconstruction (C.8.4.15)
say of every frame."""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Tuple

import numpy as np

from .. import _core
from .._encode import encode
from ..exceptions import UnsupportedError
from ._values import holder_in_groups, own_copy
from .dicom_meta import GROUPS, DicomMeta
from .dicom_tags import CommonTags as T
from .dicom_tags import Tag, get_tag_key, to_tag

__all__ = ["edited_in_groups", "has_functional_groups", "has_frames", "per_frame_meta", "why_nowhere"]

_DOSE_PLANES, _DOSE_SCALING = to_tag("GridFrameOffsetVector"), to_tag("DoseGridScaling")
_DETECTORS, _SLICES, _IMAGE_TYPE = to_tag("DetectorInformationSequence"), to_tag("SliceVector"), to_tag("ImageType")
_FIELDS = (
    T.ImagePositionPatient, T.ImageOrientationPatient, T.PixelSpacing, T.SliceThickness, T.SpacingBetweenSlices, T.RescaleSlope,
    T.RescaleIntercept, T.WindowCenter, T.WindowWidth, T.Rows, T.Columns, to_tag("ModalityLUTSequence"), to_tag("TransferSyntaxUID"),
    T.Modality, _IMAGE_TYPE,
)  # fmt: skip


def has_functional_groups(meta: DicomMeta) -> bool:
    """Whether some of these are enhanced multi-frame objects."""
    return any(any(meta._present(tag)) for tag in GROUPS)


def has_frames(meta: DicomMeta) -> bool:
    """Whether geometry and rescale factors are each frame's, not each file's: some have several, or none."""
    return any(count != 1 for count in meta.frame_counts) or has_functional_groups(meta)


def per_frame_meta(meta: DicomMeta, frames: int) -> DicomMeta:
    """Metadata with one row per frame: of a series of single frames the metadata itself, where nothing else says what these have."""
    counts = meta.frame_counts
    if sum(counts) != frames:  # an image that was given another array
        return meta
    own = {**_of_dose(meta, counts), **_of_reconstruction(meta, counts)}
    if not own and not has_frames(meta):
        return meta
    out = DicomMeta({}, [f"frame {i}" for i in range(frames)])
    for tag in _FIELDS:
        values = own[tag] if tag in own else meta.get_frame_values(tag)
        if any(value is not None for value in values):
            same = all(value == values[0] for value in values)
            out.set_shared_item(tag, values[0]) if same else out.set_nonshared_item(tag, values)
    return out


def why_nowhere(meta: DicomMeta) -> str:
    """Why frames that have no orientation have none, where their kind tells; else ""."""
    if meta.get(T.Modality) != "NM":
        return ""
    kinds = sorted({_kind(value) for value in meta.get_values(_IMAGE_TYPE)})
    if all(kind.startswith("RECON") for kind in kinds):
        return "DetectorInformationSequence and SpacingBetweenSlices do not say where the slices of this reconstruction lie"
    return f"nuclear medicine images of type {', '.join(kinds) or '?'} are what a camera saw: slices are in reconstructions (RECON TOMO)"


def edited_in_groups(meta: DicomMeta) -> DicomMeta:
    """The metadata with the edits of what stands in functional groups made there, for all frames of a slice: a copy, where there are any.

    Raises:
        UnsupportedError: a sequence: what stands in it is that of the frames.
        MetaDataError: a value that is none of its element.
    """
    tags = [tag for tag in meta._edits() if meta._is_contradicted(tag)]
    if not tags:
        return meta
    out, groups = copy.copy(meta), [meta.get_values(group) for group in GROUPS]
    for tag in tags:
        entry = meta._edits()[tag]
        if "SQ" in (_core.implicit_vr(tag), entry.vr if entry is not None else ""):
            raise UnsupportedError(
                f"{tag!r} was edited, but that of its frames stands in the functional groups",
                suggestion="edit SharedFunctionalGroupsSequence or PerFrameFunctionalGroupsSequence",
            )
        if entry is not None:  # items are not asked how many values they have
            for value in entry.values:
                encode(tag, entry.vr, value, "utf-8")
        key, is_removed, found = tag.keyword or get_tag_key(tag), tag in meta._removed, []
        for value, *sequences in zip(meta.get_values(tag), *groups):
            items = [item for sequence in sequences for item in sequence or []]
            found.append(any([_replace(item, key, value, is_removed) for item in items]))
        if all(found) and not any(meta._in_source(tag)):
            out._forget(tag)
    for group, sequences in zip(GROUPS, groups):
        if any(sequences):
            out.set_nonshared_item(group, sequences)
    return out


def _replace(item: Any, key: str, value: Any, is_removed: bool) -> bool:
    """Puts a value where that of a frame stands in an item of its functional groups, or takes out what stands there; whether anything did."""
    holder = holder_in_groups(item, key)
    if holder is None:
        return False
    if is_removed:
        del holder[key]
        _replace(item, key, value, is_removed)  # what stood behind it
    else:
        holder[key] = own_copy(value)
    return True


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


# ------------------------------------------------------------- nuclear medicine


def _kind(image_type: Any) -> str:
    return str(image_type[2]) if isinstance(image_type, list) and len(image_type) > 2 else ""


def _of_reconstruction(meta: DicomMeta, counts: List[int]) -> Dict[Tag, List[Any]]:
    """Where the slices of nuclear medicine reconstructions lie: the first where its detector's item says, the others behind it, or with a
    negative Spacing Between Slices before it, in the order of Slice Vector."""
    if meta.get(T.Modality) != "NM" or not any(_kind(value).startswith("RECON") for value in meta.get_values(_IMAGE_TYPE)):
        return {}
    positions, orientations = (meta.get_frame_values(tag) for tag in (T.ImagePositionPatient, T.ImageOrientationPatient))
    first = 0
    for count, *said in zip(counts, *(meta.get_values(tag) for tag in (_IMAGE_TYPE, _DETECTORS, _SLICES, T.SpacingBetweenSlices))):
        if count > 0 and _kind(said[0]).startswith("RECON"):
            place, frames = _place(said[1], positions[first], orientations[first]), slice(first, first + count)
            positions[frames], orientations[frames] = _slices(*place, said[2], said[3], count), [place[1]] * count
        first += count
    return {T.ImagePositionPatient: positions, T.ImageOrientationPatient: orientations}


def _place(detectors: Any, position: Any, orientation: Any) -> Tuple[Any, Any]:
    """Position and orientation of the first slice: those of the first detector that has them, else the data set's."""
    for item in detectors if isinstance(detectors, list) else []:
        found = item.get(T.ImagePositionPatient.keyword), item.get(T.ImageOrientationPatient.keyword)
        if None not in found:
            return found
    return position, orientation


def _slices(position: Any, orientation: Any, numbers: Any, gap: Any, count: int) -> List[Any]:
    """Positions of slices with these numbers; None where that is not known."""
    try:
        origin, axes = np.array(position, float), np.array(orientation, float)
        along = np.atleast_1d(np.array(range(count) if numbers is None else numbers, float))
        step = 0.0 if count == 1 else float(gap)
    except (TypeError, ValueError):
        return [None] * count
    if origin.shape != (3,) or along.shape != (count,) or axes.shape != (6,):
        return [None] * count
    normal = np.cross(axes[:3], axes[3:])
    return [(origin + number * step * normal).tolist() for number in along - along[0]]
