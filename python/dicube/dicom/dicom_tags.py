"""DICOM tags: by number, keyword or pair."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, FrozenSet, Optional, Tuple, Union, cast

import numpy as np

from .. import _core
from .._arguments import integer, is_encodable
from ..exceptions import ArgumentTypeError, UsageError

__all__ = ["Tag", "TagLike", "to_tag", "keyword", "CommonTags", "get_tag_key"]


class Tag(int):
    """A DICOM tag: an ``int`` of group and element that knows its keyword.

    ``Tag(0x0010, 0x0010)``, ``Tag(0x00100010)``, ``Tag("PatientName")`` and ``Tag("0010,0010")`` are the same.

    Raises:
        UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
    """

    __slots__ = ()

    def __new__(cls, tag: "TagLike", element: Optional[int] = None) -> "Tag":
        return to_tag(tag if element is None else (cast(int, tag), element))

    @property
    def group(self) -> int:
        """The upper 16 bits."""
        return int(self) >> 16

    @property
    def element(self) -> int:
        """The lower 16 bits."""
        return int(self) & 0xFFFF

    elem = element

    @property
    def keyword(self) -> str:
        """The standard's keyword; ``""`` where it has none."""
        return _core.keyword(int(self))

    @property
    def is_private(self) -> bool:
        """Whether its group is odd (PS3.5 7.8)."""
        return bool(self.group & 1)

    def __str__(self) -> str:
        return f"({self.group:04X},{self.element:04X})"

    def __repr__(self) -> str:
        return f"Tag{self}" + (f" {self.keyword}" if self.keyword else "")

    def __reduce__(self) -> Tuple[Any, ...]:
        return Tag, (int(self),)


#: What names a tag: a number, a keyword, ``"0010,0010"``, or (group, element).
TagLike = Union[int, str, Tuple[int, int]]


def _tag(number: Union[int, "np.integer[Any]"]) -> Tag:
    return int.__new__(Tag, number)


@lru_cache(maxsize=4096)
def _named(text: str) -> Tag:
    is_text = is_encodable(text)
    number = _core.parse_tag(text) if is_text else None
    if number is None:
        meant = _core.suggested_keyword(text) if is_text else ""
        raise UsageError(f"{text!r} is neither a DICOM keyword nor a tag like '0010,0010'{meant}")
    return _tag(number)


# Float, Double Float and Pixel Data.
PIXELS = frozenset(map(_tag, (0x7FE00008, 0x7FE00009, 0x7FE00010)))


def to_tag(tag: TagLike) -> Tag:
    """The tag that a keyword, ``"gggg,eeee"``, an ``int`` or a pair names.

    Raises:
        UsageError (a ValueError): no such keyword, or numbers out of range.
        ArgumentTypeError (a TypeError): another kind of object.
    """
    if isinstance(tag, Tag):
        return tag
    if isinstance(tag, str):
        return _named(tag)
    if isinstance(tag, (tuple, list)) and len(tag) == 2:
        group, element = integer(tag[0], "group"), integer(tag[1], "element")
        if not (0 <= group <= 0xFFFF and 0 <= element <= 0xFFFF):
            raise UsageError(f"({group:#x}, {element:#x}) is no DICOM tag")
        return _tag(group << 16 | element)
    if isinstance(tag, (int, np.integer)) and not isinstance(tag, bool):
        if not 0 <= tag <= 0xFFFFFFFF:
            raise UsageError(f"{int(tag):#x} is no DICOM tag")
        return _tag(tag)
    raise ArgumentTypeError(f"a tag is an int, a keyword or a (group, element) pair, not {type(tag).__name__}")


def keyword(tag: TagLike) -> str:
    """The keyword of a tag, or its eight hexadecimal digits where it has none."""
    tag = to_tag(tag)
    return tag.keyword or f"{tag:08X}"


def get_tag_key(tag: TagLike) -> str:
    """The tag as eight hexadecimal digits, ``"00100020"``."""
    return f"{to_tag(tag):08X}"


class CommonTags:
    """Tags that programs ask for often."""

    PatientID: Tag = to_tag("PatientID")
    PatientName: Tag = to_tag("PatientName")
    PatientBirthDate: Tag = to_tag("PatientBirthDate")
    PatientSex: Tag = to_tag("PatientSex")
    PatientAge: Tag = to_tag("PatientAge")
    PatientWeight: Tag = to_tag("PatientWeight")

    StudyInstanceUID: Tag = to_tag("StudyInstanceUID")
    StudyID: Tag = to_tag("StudyID")
    StudyDate: Tag = to_tag("StudyDate")
    StudyTime: Tag = to_tag("StudyTime")
    AccessionNumber: Tag = to_tag("AccessionNumber")
    StudyDescription: Tag = to_tag("StudyDescription")

    SeriesInstanceUID: Tag = to_tag("SeriesInstanceUID")
    SeriesNumber: Tag = to_tag("SeriesNumber")
    Modality: Tag = to_tag("Modality")
    SeriesDescription: Tag = to_tag("SeriesDescription")

    SOPInstanceUID: Tag = to_tag("SOPInstanceUID")
    SOPClassUID: Tag = to_tag("SOPClassUID")
    InstanceNumber: Tag = to_tag("InstanceNumber")

    Rows: Tag = to_tag("Rows")
    Columns: Tag = to_tag("Columns")
    BitsAllocated: Tag = to_tag("BitsAllocated")
    BitsStored: Tag = to_tag("BitsStored")
    HighBit: Tag = to_tag("HighBit")
    SamplesPerPixel: Tag = to_tag("SamplesPerPixel")
    PhotometricInterpretation: Tag = to_tag("PhotometricInterpretation")
    PixelRepresentation: Tag = to_tag("PixelRepresentation")
    PlanarConfiguration: Tag = to_tag("PlanarConfiguration")
    NumberOfFrames: Tag = to_tag("NumberOfFrames")

    ImagePositionPatient: Tag = to_tag("ImagePositionPatient")
    ImageOrientationPatient: Tag = to_tag("ImageOrientationPatient")
    PixelSpacing: Tag = to_tag("PixelSpacing")
    SliceThickness: Tag = to_tag("SliceThickness")
    SpacingBetweenSlices: Tag = to_tag("SpacingBetweenSlices")
    SliceLocation: Tag = to_tag("SliceLocation")

    RescaleIntercept: Tag = to_tag("RescaleIntercept")
    RescaleSlope: Tag = to_tag("RescaleSlope")
    WindowCenter: Tag = to_tag("WindowCenter")
    WindowWidth: Tag = to_tag("WindowWidth")
    PatientPosition: Tag = to_tag("PatientPosition")
    BodyPartExamined: Tag = to_tag("BodyPartExamined")

    PixelData: Tag = to_tag("PixelData")

    DimensionIndexSequence: Tag = to_tag("DimensionIndexSequence")
    FrameContentSequence: Tag = to_tag("FrameContentSequence")

    ImplementationClassUID: Tag = to_tag("ImplementationClassUID")
    TransferSyntaxUID: Tag = to_tag("TransferSyntaxUID")
    MediaStorageSOPClassUID: Tag = to_tag("MediaStorageSOPClassUID")
    MediaStorageSOPInstanceUID: Tag = to_tag("MediaStorageSOPInstanceUID")
    SpecificCharacterSet: Tag = to_tag("SpecificCharacterSet")

    Manufacturer: Tag = to_tag("Manufacturer")
    ManufacturerModelName: Tag = to_tag("ManufacturerModelName")
    SoftwareVersions: Tag = to_tag("SoftwareVersions")

    FrameOfReferenceUID: Tag = to_tag("FrameOfReferenceUID")
    ReferencedImageSequence: Tag = to_tag("ReferencedImageSequence")
    ReferencedSOPInstanceUID: Tag = to_tag("ReferencedSOPInstanceUID")
    AcquisitionNumber: Tag = to_tag("AcquisitionNumber")
    ContrastBolusAgent: Tag = to_tag("ContrastBolusAgent")

    PATIENT_LEVEL_TAGS: FrozenSet[Tag] = frozenset({PatientID, PatientName, PatientBirthDate, PatientSex})
    STUDY_LEVEL_TAGS: FrozenSet[Tag] = frozenset({StudyInstanceUID, StudyID, StudyDate, StudyTime, AccessionNumber})
    SERIES_LEVEL_TAGS: FrozenSet[Tag] = frozenset({SeriesInstanceUID, SeriesNumber, Modality})
    INSTANCE_LEVEL_TAGS: FrozenSet[Tag] = frozenset({SOPInstanceUID, SOPClassUID, InstanceNumber})
