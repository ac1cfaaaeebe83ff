"""Enhanced multi-frame objects: what the functional groups say of every frame (PS3.3 C.7.6.16)."""

from __future__ import annotations

from ..dicom.dicom_meta import DicomMeta
from ..dicom.dicom_tags import CommonTags as T
from ..dicom.dicom_tags import to_tag

__all__ = ["has_functional_groups", "per_frame_meta"]

_SHARED, _PER_FRAME = to_tag("SharedFunctionalGroupsSequence"), to_tag("PerFrameFunctionalGroupsSequence")
_FIELDS = (
    T.ImagePositionPatient, T.ImageOrientationPatient, T.PixelSpacing, T.SliceThickness, T.SpacingBetweenSlices, T.RescaleSlope,
    T.RescaleIntercept, T.WindowCenter, T.WindowWidth, T.Rows, T.Columns, to_tag("ModalityLUTSequence"), to_tag("TransferSyntaxUID"),
)  # fmt: skip


def has_functional_groups(meta: DicomMeta) -> bool:
    """Whether these are enhanced multi-frame objects."""
    return not (meta.is_missing(_SHARED) and meta.is_missing(_PER_FRAME))


def per_frame_meta(meta: DicomMeta, frames: int) -> DicomMeta:
    """Metadata with one row per frame: of a series of single frames the metadata itself."""
    if meta.slice_count == frames and (frames != 1 or meta.is_missing(_PER_FRAME)):
        return meta
    if sum(meta.frame_counts) != frames:  # an image that was given another array
        return meta
    out = DicomMeta({}, [f"frame {i}" for i in range(frames)])
    for tag in _FIELDS:
        values = meta.get_frame_values(tag)
        if any(value is not None for value in values):
            same = all(value == values[0] for value in values)
            out.set_shared_item(tag, values[0]) if same else out.set_nonshared_item(tag, values)
    return out
