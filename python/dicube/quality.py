"""Every irregularity of a series, with the slices concerned."""

from __future__ import annotations

from typing import Any, List, NamedTuple

import numpy as np

from . import _core
from .dicom._frames import has_functional_groups
from .dicom.dicom_meta import GROUPS, DicomMeta
from .exceptions import ArgumentTypeError

__all__ = ["check", "QualityFinding"]

_KEYWORDS = (
    "InstanceNumber", "SliceThickness", "RescaleSlope", "RescaleIntercept", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID",
    "FrameOfReferenceUID", "PatientID", "PatientName", "Modality", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "TransferSyntaxUID",
)  # fmt: skip


class QualityFinding(NamedTuple):
    """One irregularity.

    Attributes:
        code: what it is, ``"gap_in_positions"``.
        severity: "error" (a volume made of these slices would be wrong), "warning" or "info".
        message: for people.
        slices: numbers of the slices concerned, from 0; empty when it is all of them.
    """

    code: str
    severity: str
    message: str
    slices: List[int]


def check(meta: Any) -> List[QualityFinding]:
    """All findings on a series: identity, instance numbers, sizes and types, spacing, orientation, positions, rescale factors.

    Args:
        meta: metadata, or what has it: an image or an archive.

    Returns:
        The findings, none for a regular series: those of ``dicube check`` and, for an archive, of :attr:`Archive.findings`.

    Raises:
        ArgumentTypeError (a TypeError): nothing with metadata.
    """
    given = meta
    if not isinstance(meta, DicomMeta):
        meta = getattr(meta, "dicom_meta", getattr(meta, "meta", None))
    if not isinstance(meta, DicomMeta):
        raise ArgumentTypeError(
            f"check() takes a DicomMeta, an image or an open archive (dicube.open(path)), not {type(given).__name__}; "
            "`dicube check` looks at folders and files"
        )
    if meta._source is not None:
        images = meta._images()
        if len(images) < meta.slice_count:  # the others are no slices
            found = check(meta._subset(images))
            return [f._replace(slices=[images[i] for i in f.slices]) for f in found]
    frames = meta.frame_counts if meta._source is not None else []
    columns = {keyword: meta.get_values(keyword) for keyword in _KEYWORDS if keyword in meta}
    columns["planes"] = _planes(meta)
    uids = columns.get("SOPInstanceUID", [])
    digests = meta._digests() if len(set(map(str, uids))) < len(uids) else []  # these say whether files of one UID are copies
    told = meta._told("unexplained_bytes", "broken_frames")
    return [QualityFinding(*finding) for finding in _core.check(meta.slice_count, columns, frames, digests, *told)]


def _planes(meta: DicomMeta) -> List[List[Any]]:
    """Of each slice with functional groups position, orientation and pixel spacing of every frame; of others none."""
    if not has_functional_groups(meta):
        return [[] for _ in range(meta.slice_count)]
    values = list(zip(*(meta.get_frame_values(tag) for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"))))
    has_groups = map(any, zip(*(meta._present(group) for group in GROUPS)))
    counts = meta.frame_counts
    return [values[end - count : end] if own else [] for own, end, count in zip(has_groups, np.cumsum(counts), counts)]
