"""Enhanced multi-frame objects: what the functional groups say of every frame (PS3.3 C.7.6.16)."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ..dicom.dicom_meta import DicomMeta
from ..dicom.dicom_tags import CommonTags as T
from ..dicom.dicom_tags import to_tag

__all__ = ["per_frame_meta"]

_SHARED, _PER_FRAME = to_tag("SharedFunctionalGroupsSequence"), to_tag("PerFrameFunctionalGroupsSequence")
_WHERE = {
    T.ImagePositionPatient: "PlanePositionSequence",
    T.ImageOrientationPatient: "PlaneOrientationSequence",
    T.PixelSpacing: "PixelMeasuresSequence",
    T.SliceThickness: "PixelMeasuresSequence",
    T.SpacingBetweenSlices: "PixelMeasuresSequence",
    T.RescaleSlope: "PixelValueTransformationSequence",
    T.RescaleIntercept: "PixelValueTransformationSequence",
    T.WindowCenter: "FrameVOILUTSequence",
    T.WindowWidth: "FrameVOILUTSequence",
}


def per_frame_meta(meta: DicomMeta, frames: int) -> DicomMeta:
    """Metadata with one row per frame: of a series of single frames the metadata itself."""
    if meta.slice_count == frames:
        if frames != 1 or meta.is_missing(_PER_FRAME):
            return meta
    counts = [_count(value) for value in meta.get_values(T.NumberOfFrames)]
    if sum(counts) != frames:  # some files have no frames
        return meta
    rows: List[Dict[Any, Any]] = []
    shared, per_frame = meta.get_values(_SHARED), meta.get_values(_PER_FRAME)
    plain = {tag: meta.get_values(tag) for tag in (*_WHERE, T.Rows, T.Columns)}
    for number, count in enumerate(counts):
        common = (shared[number] or [{}])[0] if isinstance(shared[number], list) else {}
        own = per_frame[number] if isinstance(per_frame[number], list) else []
        for frame in range(count):
            groups = own[frame] if frame < len(own) else {}
            row = {tag: values[number] for tag, values in plain.items()}
            for tag, sequence in _WHERE.items():
                found = _inside(groups, sequence, tag.keyword)
                if found is None:
                    found = _inside(common, sequence, tag.keyword)
                if found is not None:
                    row[tag] = found
            rows.append(row)
    out = DicomMeta({}, [f"frame {i}" for i in range(frames)])
    for tag in plain:
        values = [row[tag] for row in rows]
        if any(value is not None for value in values):
            same = all(value == values[0] for value in values)
            out.set_shared_item(tag, values[0]) if same else out.set_nonshared_item(tag, values)
    return out


def _count(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and value > 0 else 1


def _inside(groups: Any, sequence: str, keyword: str) -> Optional[Any]:
    items = groups.get(sequence) if isinstance(groups, dict) else None
    return items[0].get(keyword) if isinstance(items, list) and items and isinstance(items[0], dict) else None
