"""Images as DICOM files: from scratch, or the source's files with what was edited."""

from __future__ import annotations

import datetime
import struct
import uuid
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from . import _core, _encode
from .archive import LOSSY, dtype_of, value_range
from .dicom._frames import edited_in_groups
from .dicom.dicom_meta import DicomMeta
from .dicom.dicom_tags import CommonTags as T
from .dicom.dicom_tags import Tag, to_tag
from .exceptions import DataConsistencyError, UnsupportedError

EXPLICIT_LITTLE, EXPLICIT_BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_NATIVE = {None, "1.2.840.10008.1.2", EXPLICIT_LITTLE, EXPLICIT_BIG, "1.2.840.10008.1.2.1.99"}
IMPLEMENTATION_UID = "2.25.302518226236905229391424906043107205817"

SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

# What PS3.3 asks for besides what an image has: type 1 with a value, type 2 empty where nothing is known.
_ALWAYS: Dict[str, Any] = {
    "StudyDate": None, "StudyTime": None, "AccessionNumber": None, "ReferringPhysicianName": None, "StudyID": None,
    "PatientName": None, "PatientID": None, "PatientBirthDate": None, "PatientSex": None, "SeriesNumber": None,
    "Manufacturer": None, "PatientOrientation": None, "InstanceNumber": None, "Laterality": None,
}  # fmt: skip
_PLANE: Dict[str, Any] = {"PositionReferenceIndicator": None, "SliceThickness": None}
_BY_MODALITY: Dict[str, Dict[str, Any]] = {
    "CT": {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"], "KVP": None, "AcquisitionNumber": None,
           "RescaleIntercept": 0, "RescaleSlope": 1, "RescaleType": "HU", "PatientPosition": None},
    "MR": {"ImageType": ["DERIVED", "SECONDARY", "OTHER"], "ScanningSequence": "RM", "SequenceVariant": "NONE",
           "ScanOptions": None, "MRAcquisitionType": "3D", "RepetitionTime": None, "EchoTime": None, "EchoTrainLength": None,
           "PatientPosition": None},
    "PT": {"ImageType": ["DERIVED", "PRIMARY"], "RescaleIntercept": 0, "RescaleSlope": 1,
           "Units": "BQML", "CountsSource": "EMISSION", "SeriesType": ["STATIC", "IMAGE"], "DecayCorrection": "NONE",
           "CorrectedImage": None, "CollimatorType": None, "AcquisitionDate": None, "AcquisitionTime": None,
           "ActualFrameDuration": None, "FrameReferenceTime": 0, "ImageIndex": 1, "NumberOfSlices": 1,
           "RadiopharmaceuticalInformationSequence": None, "PatientOrientationCodeSequence": None,
           "PatientGantryRelationshipCodeSequence": None},
}  # fmt: skip
_SECONDARY: Dict[str, Any] = {"ConversionType": "WSD", "ImageType": ["DERIVED", "SECONDARY"], "RescaleType": "US",
                              "RescaleIntercept": 0, "RescaleSlope": 1}  # fmt: skip


# What only pixels of integers have (PS3.3 C.7.6.24, C.7.6.25), and where it stands in the core's description of a frame.
_OF_INTEGERS = {T.BitsStored: 4, T.HighBit: 5, T.PixelRepresentation: 6}
# What says how pixel data are laid out, and what their bits mean.
_LAYOUT = (T.Rows, T.Columns, T.SamplesPerPixel, T.PlanarConfiguration, T.NumberOfFrames, T.BitsAllocated, *_OF_INTEGERS)


_LUTS = to_tag("ModalityLUTSequence")
_IN_PLACE_OF_LUT = (T.RescaleSlope, T.RescaleIntercept, to_tag("RescaleType"))  # a file has either (PS3.3 C.11.1)


def new_uid() -> str:
    """A UID nobody else has (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def frame_stack(raw: np.ndarray) -> np.ndarray:
    """(frames, rows, columns[, samples]) of an image's array; samples are several."""
    if raw.ndim == 4 and raw.shape[3] == 1:
        return raw[..., 0]
    return raw[np.newaxis] if raw.ndim == 2 else raw


def pixel_elements(frames: np.ndarray) -> Dict[Tag, Tuple[str, Any]]:
    """Pixel data and the elements that describe it, for frames of shape (n, rows, columns[, samples]).

    Raises:
        DataConsistencyError: a type or shape that DICOM has no pixel data for.
    """
    frames = _storable(frames)
    samples = frames.shape[3] if frames.ndim == 4 else 1
    if frames.ndim not in (3, 4) or samples not in (1, 3, 4):
        raise DataConsistencyError(f"an array of shape {frames.shape} can't be stored as DICOM frames")
    if max(frames.shape[1:3]) > 0xFFFF or min(frames.shape) < 1:
        raise DataConsistencyError(f"frames of {frames.shape[1]} x {frames.shape[2]}: rows and columns must be 1 to 65535")
    bits = frames.dtype.itemsize * 8
    out: Dict[Tag, Tuple[str, Any]] = {
        T.SamplesPerPixel: ("US", samples),
        T.Rows: ("US", frames.shape[1]),
        T.Columns: ("US", frames.shape[2]),
        T.BitsAllocated: ("US", bits),
    }
    if samples > 1:
        out[T.PlanarConfiguration] = ("US", 0)
    data = np.ascontiguousarray(frames, frames.dtype.newbyteorder("<")).tobytes()
    if frames.dtype.kind == "f":
        out[to_tag(0x7FE00008 if bits == 32 else 0x7FE00009)] = ("OF" if bits == 32 else "OD", data)
        return out
    out[T.BitsStored] = ("US", bits)
    out[T.HighBit] = ("US", bits - 1)
    out[T.PixelRepresentation] = ("US", int(frames.dtype.kind == "i"))
    out[T.PixelData] = ("OB" if bits == 8 else "OW", data)
    return out


def _storable(frames: np.ndarray) -> np.ndarray:
    kind, size = frames.dtype.kind, frames.dtype.itemsize
    if kind == "b":
        return frames.astype(np.uint8)
    if kind in "iu" and size == 8:
        low, high = (int(frames.min()), int(frames.max())) if frames.size else (0, 0)
        narrow = np.int32 if low < 0 else np.uint32
        if low < np.iinfo(narrow).min or high > np.iinfo(narrow).max:
            raise DataConsistencyError(f"64-bit values from {low} to {high} do not fit DICOM's 32 bits")
        return frames.astype(narrow)
    if kind == "f" and size == 2:
        return frames.astype(np.float32)
    if (kind in "iu" and size <= 4) or (kind == "f" and size in (4, 8)):
        return frames
    raise DataConsistencyError(f"values of type {frames.dtype} can't be stored in DICOM")


# ------------------------------------------------------------------ from scratch


def new_files(frames: np.ndarray, meta: DicomMeta) -> Iterator[bytes]:
    """One DICOM file per slice, in Explicit VR Little Endian."""
    frames = _storable(frames)  # one type for all
    if meta.slice_count != len(frames):
        raise DataConsistencyError(
            f"the metadata has {meta.slice_count} slices but the image {len(frames)}", suggestion="call init_meta() again"
        )
    if frames.ndim == 4 and frames.shape[3] != 3:
        raise DataConsistencyError(f"new colour images have 3 samples per pixel, red, green and blue, not {frames.shape[3]}")
    shared, varying = _elements(meta, frames)
    codec = "ascii" if _is_ascii(meta) else "utf-8"
    if codec != "ascii":
        shared[T.SpecificCharacterSet] = ("CS", "ISO_IR 192")
    encoded = {tag: _encode.element(tag, vr, value, codec) for tag, (vr, value) in shared.items()}
    for number in range(len(frames)):
        own = {tag: (vr, values[number]) for tag, (vr, values) in varying.items()}
        own.update(pixel_elements(frames[number : number + 1]))
        pieces = dict(encoded)
        pieces.update({tag: _encode.element(tag, vr, value, codec) for tag, (vr, value) in own.items()})
        for tag in _IN_PLACE_OF_LUT if _has_table((own.get(_LUTS) or shared.get(_LUTS) or ("", None))[1]) else (_LUTS,):
            pieces.pop(tag, None)
        sop_class = _plain_uid(shared.get(T.SOPClassUID) or own.get(T.SOPClassUID))
        sop_instance = _plain_uid(own.get(T.SOPInstanceUID) or shared.get(T.SOPInstanceUID))
        yield _file_meta(sop_class, sop_instance) + b"".join(pieces[tag] for tag in sorted(pieces))


def _has_table(items: Any) -> bool:
    return isinstance(items, list) and any(isinstance(item, dict) and item.get("LUTData") is not None for item in items)


def _plain_uid(entry: Optional[Tuple[str, Any]]) -> str:
    return str(entry[1]) if entry is not None and entry[1] else new_uid()


def _elements(meta: DicomMeta, frames: np.ndarray) -> Tuple[Dict[Tag, Tuple[str, Any]], Dict[Tag, Tuple[str, List[Any]]]]:
    """What all slices share, and what each has of its own; completed with what the standard asks for."""
    shared: Dict[Tag, Tuple[str, Any]] = {}
    varying: Dict[Tag, Tuple[str, List[Any]]] = {}
    for tag in meta._all_tags():
        entry = meta._entry(tag)
        assert entry is not None
        if tag.element == 0:  # the group's length: it is another now
            continue
        if entry.shared or meta.slice_count == 1:
            shared[tag] = (entry.vr, entry.values[0])
        else:
            varying[tag] = (entry.vr, entry.values)
    modality = str(meta.get(T.Modality) or "OT")
    sop_class = _sop_class(modality, frames, meta)
    defaults: Dict[str, Any] = {**_ALWAYS, "Modality": modality, "SOPClassUID": sop_class}
    defaults.update(_SECONDARY if sop_class == _SECONDARY_CAPTURE else _BY_MODALITY[modality])
    if sop_class == SOP_CLASSES["PT"]:
        defaults["SeriesDate"], defaults["SeriesTime"] = today()
    fitting = ("MONOCHROME2", "MONOCHROME1", "PALETTE COLOR") if frames.ndim == 3 else ("RGB", "YBR_FULL")
    if not all(said in fitting for said in meta.get_values(T.PhotometricInterpretation)):
        varying.pop(T.PhotometricInterpretation, None)
        shared[T.PhotometricInterpretation] = ("CS", fitting[0])
    if not meta.is_missing(T.ImagePositionPatient):
        defaults.update(_PLANE)
        if sop_class != _SECONDARY_CAPTURE:
            del defaults["PatientOrientation"]
    for name in ("StudyInstanceUID", "SeriesInstanceUID"):
        defaults[name] = new_uid()
    for name, value in defaults.items():
        tag = to_tag(name)
        if tag not in shared and tag not in varying:
            shared[tag] = (_core.implicit_vr(tag), value)
    if T.SOPInstanceUID not in varying and (T.SOPInstanceUID not in shared or len(frames) > 1):
        shared.pop(T.SOPInstanceUID, None)
        varying[T.SOPInstanceUID] = ("UI", [new_uid() for _ in frames])
    for tag in (*pixel_elements(frames[:1]), *_OF_INTEGERS):
        shared.pop(tag, None)
        varying.pop(tag, None)
    return shared, varying


def _sop_class(modality: str, frames: np.ndarray, meta: DicomMeta) -> str:
    """The class of the modality where the image keeps its rules, else Secondary Capture."""
    single = frames.ndim == 3 and frames.dtype.kind in "iu" and frames.dtype.itemsize == 2
    if modality == "PT" and meta.get(T.RescaleIntercept, 0) != 0:  # PS3.3 C.8.9.4
        return _SECONDARY_CAPTURE
    if any(map(_has_table, meta.get_values(_LUTS))):  # these have factors
        return _SECONDARY_CAPTURE
    return SOP_CLASSES.get(modality, _SECONDARY_CAPTURE) if single else _SECONDARY_CAPTURE


def _is_plain(value: Any) -> bool:
    """Whether its texts, if it has any, are ASCII."""
    if isinstance(value, str):
        return value.isascii()
    if isinstance(value, list):
        return all(_is_plain(part) for part in value)
    if isinstance(value, dict):
        return all(_is_plain(part) for part in value.values())
    return True


def _is_ascii(meta: DicomMeta) -> bool:
    entries = (meta._entry(tag) for tag in meta._all_tags())
    return all(_is_plain(value) for entry in entries if entry is not None for value in entry.values)


def _file_meta(sop_class: str, sop_instance: str) -> bytes:
    group = b"".join(
        _encode.element(to_tag(tag), vr, value)
        for tag, vr, value in (
            (0x00020001, "OB", b"\0\1"),
            (0x00020002, "UI", sop_class),
            (0x00020003, "UI", sop_instance),
            (0x00020010, "UI", EXPLICIT_LITTLE),
            (0x00020012, "UI", IMPLEMENTATION_UID),
            (0x00020013, "SH", "DICUBE"),
        )
    )
    return b"\0" * 128 + b"DICM" + _encode.header(0x00020000, "UL", 4) + struct.pack("<I", len(group)) + group


# ---------------------------------------------------------------- from the source


def _check_readable(tag: Tag, text: str) -> None:
    if "\ufffd" in text:
        raise UnsupportedError(
            f"SpecificCharacterSet can't be edited: {tag!r} has text beyond ASCII that is not valid in the present one",
            suggestion="set or remove that element, too",
        )


class Edited:
    """The source's files with what was edited in the metadata, and new pixels where they changed."""

    def __init__(self, meta: DicomMeta, frames: Optional[np.ndarray], changed: Sequence[bool] = ()) -> None:
        """``frames``: those of all files, where any is new; ``changed``: which are."""
        assert meta._source is not None
        core, meta = meta._source.core, edited_in_groups(meta)
        self._meta, self._core = meta, core
        self._frames = None if frames is None else _storable(frames)  # one type for all
        self._edits = meta._edits()
        if T.TransferSyntaxUID in self._edits:
            raise UnsupportedError("TransferSyntaxUID can't be edited: it says how the file is written")
        self._check_layout()
        new_charset = self._edits.get(T.SpecificCharacterSet)
        if T.SpecificCharacterSet not in self._edits:
            self._charsets = self._original(T.SpecificCharacterSet)
        else:
            self._charsets = new_charset.values if new_charset is not None else [None] * meta.slice_count
        self._present = {
            tag: self._original(tag)
            for tag, entry in self._edits.items()
            if entry is not None and entry.vr != "SQ" and entry.vr not in _encode.CHARSET_VRS
        }
        self._lacking = {
            tag: [not there for there in meta._in_source(tag)]
            for tag, entry in self._edits.items()
            if entry is not None and not entry.shared and None in entry.values
        }
        self._other_texts = self._texts_to_rewrite() if T.SpecificCharacterSet in self._edits else {}
        self._syntaxes = self._original(T.TransferSyntaxUID)
        self._starts = np.cumsum([0] + [self._core.instance(row)[4] for row in meta._rows])
        spans = list(zip(self._starts, self._starts[1:]))
        self._changed = [any(changed[begin:end]) for begin, end in spans]
        self._integers: Dict[Tag, int] = {}  # what new pixels keep of how the source's are described
        if self._frames is not None:
            kept = self._kept_integers(self._frames, changed)
            if kept is None or self._colours_change():
                self._changed = [bool(begin < end) for begin, end in spans]
            self._integers = kept or {}

    def _kept_integers(self, frames: np.ndarray, changed: Sequence[bool]) -> Optional[Dict[Tag, int]]:
        """Bits Stored, High Bit and Pixel Representation of the source, where the new values fit into them; nothing of floats. None where
        all files must be described as the array is."""
        pixel_format = self._core.pixel_format(self._meta._frames()[0])
        allocated, stored, high_bit, _, is_float = pixel_format[3:8]
        if not self._core.is_uniform() or frames.dtype != dtype_of(pixel_format) or not self._edits.keys().isdisjoint(_LAYOUT):
            return None
        if is_float:
            return {}
        if allocated == 1 or high_bit != stored - 1:
            return None
        low, high = value_range(pixel_format)
        may_exceed = [is_new or self._core.codec(number) in LOSSY for number, is_new in zip(self._meta._frames(), changed)]
        if not all(low <= frame.min() and frame.max() <= high for frame, is_odd in zip(frames, may_exceed) if is_odd):
            return None
        return {tag: int(pixel_format[place]) for tag, place in _OF_INTEGERS.items()}

    def _colours_change(self) -> bool:
        """Whether files say another Photometric Interpretation when their decoded values are written into them."""
        numbers = self._meta._frames()
        stated = self._core.pixel_format(numbers[0])[8]
        return any(self._core.photometric(number) != stated for number in numbers)

    def _check_layout(self) -> None:
        """Raises DataConsistencyError where the metadata was made to say that the pixels, which stay, lie otherwise than they do."""
        for tag in _LAYOUT if self._frames is None else ():
            if tag not in self._edits:
                continue
            edit, present = self._edits[tag], self._original(tag)
            values = edit.values if edit is not None else [None] * len(present)
            if any(value not in (old, self._read_as(tag, i, old)) for i, (value, old) in enumerate(zip(values, present))):
                raise DataConsistencyError(f"{tag!r} was edited, and the pixels still lie as they did", suggestion="Change raw_image, too")

    def _read_as(self, tag: Tag, slice_number: int, present: Any) -> Any:
        """What a slice's pixels are read as where its file lacks the element that says so."""
        first, count = self._core.instance(self._meta._rows[slice_number])[3:5]
        if present is not None or tag not in _OF_INTEGERS or count == 0:
            return present
        pixel_format = self._core.pixel_format(first)
        return None if pixel_format[7] else int(pixel_format[_OF_INTEGERS[tag]])

    def _original(self, tag: Tag) -> List[Any]:
        column = self._core.column(f"{tag >> 16:04X},{tag & 0xFFFF:04X}")
        values = column.values() if column is not None else [None] * self._core.instance_count
        return [values[row] for row in self._meta._rows]

    def _texts_to_rewrite(self) -> Dict[Tag, Tuple[str, List[Any]]]:
        """The texts beyond ASCII outside of sequences that nobody edited: in another character set they have other bytes.

        Raises:
            UnsupportedError: one of them could not be read.
        """
        texts: Dict[Tag, Tuple[str, List[Any]]] = {}
        for tag in self._meta._all_tags():
            entry = None if tag in self._edits else self._meta._entry(tag)
            if entry is None or entry.vr not in _encode.CHARSET_VRS or all(_is_plain(value) for value in entry.values):
                continue
            for value in entry.values:
                _check_readable(tag, str(value))
            texts[tag] = (entry.vr, entry.values)
        return texts

    def file(self, slice_number: int) -> bytes:
        """The file of one slice."""
        row = self._meta._rows[slice_number]
        source, changed = self._core.read_instance(row), self._changed[slice_number]
        if not self._edits and not changed:
            return source
        syntax = self._syntaxes[slice_number]
        codec = _encode.text_codec(self._charsets[slice_number])
        edits: List[Tuple[int, str, Optional[bytes]]] = []
        implicit: Optional[bool] = None  # the first sequence asks
        for tag, entry in self._edits.items():
            if entry is None:
                edits.append((int(tag), "UN", None))
                continue
            value = entry.values[slice_number]
            if value is None and tag in self._lacking and self._lacking[tag][slice_number]:
                continue  # only others got one
            if self._stays(tag, value, slice_number):
                continue
            vrs = None
            if entry.vr == "SQ":
                implicit = _encode.is_implicit(source) if implicit is None else implicit
                vrs = _core.vrs_in_sequence(self._core, row, int(tag))
            edits.append((int(tag), entry.vr, _encode.encode(tag, entry.vr, value, codec, bool(implicit), vrs)))
        for tag, (vr, values) in self._other_texts.items():
            if not _is_plain(values[slice_number]):
                edits.append((int(tag), vr, _encode.encode(tag, vr, values[slice_number], codec)))
        if T.SpecificCharacterSet in self._edits:
            edits += self._recoded_sequences(source, codec)
        new_syntax = ""
        if changed:
            pixels = self._pixels(slice_number)
            said = {tag for tag, _, _ in pixels}
            edits = [edit for edit in edits if edit[0] not in said] + pixels
            new_syntax = "" if syntax in _NATIVE else EXPLICIT_LITTLE
        return _core.rewrite(source, edits, new_syntax)

    def _stays(self, tag: Tag, value: Any, slice_number: int) -> bool:
        """Whether only other slices got a new value: this one's stays as it is written, right or wrong."""
        present = self._present[tag][slice_number] if tag in self._present else None
        return value is not None and type(value) is type(present) and bool(value == present)

    def _recoded_sequences(self, source: bytes, codec: str) -> List[Tuple[int, str, Optional[bytes]]]:
        """The sequences that nobody edited and that have texts in the data set's character set (items may have their own)."""

        def encode(number: int, vr: str, text: str) -> bytes:
            tag = to_tag(number)
            _check_readable(tag, text)
            return _encode.encode(tag, vr, text, codec)

        edited = [(int(tag), "UN", None) for tag in self._edits if tag != T.SpecificCharacterSet]
        return _core.recode_sequences(_core.rewrite(source, edited), encode)

    def _pixels(self, slice_number: int) -> List[Tuple[int, str, Optional[bytes]]]:
        assert self._frames is not None
        begin, end = self._starts[slice_number], self._starts[slice_number + 1]
        elements = pixel_elements(self._frames[begin:end])
        elements.update({tag: ("US", number) for tag, number in self._integers.items()})
        if elements[T.BitsAllocated][1] == 32 and T.PixelData in elements and self._syntaxes[slice_number] == EXPLICIT_BIG:
            elements[T.PixelData] = ("OW", _with_swapped_words(elements[T.PixelData][1]))
        if T.PhotometricInterpretation not in self._edits:
            elements[T.PhotometricInterpretation] = ("CS", self._photometric(slice_number, elements[T.SamplesPerPixel][1]))
        out: List[Tuple[int, str, Optional[bytes]]] = [
            (int(tag), "UN", None)
            for tag in (0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010, *_OF_INTEGERS)
            if tag not in elements
        ]
        return out + [(int(tag), vr, _encode.encode(tag, vr, value)) for tag, (vr, value) in elements.items()]

    def _photometric(self, slice_number: int, samples: int) -> str:
        """What values mean that took the place of the source's decoded ones."""
        first = self._core.instance(self._meta._rows[slice_number])[3]
        if self._core.pixel_format(first)[2] == samples:
            return self._core.photometric(first)
        return "MONOCHROME2" if samples == 1 else "RGB"


def _with_swapped_words(data: bytes) -> bytes:
    """32-bit values whose words stand the other way round: in big endian each word is turned, and so all of the value."""
    return np.frombuffer(data, "<u2").reshape(-1, 2)[:, ::-1].tobytes()


def today() -> Tuple[str, str]:
    now = datetime.datetime.now()
    return now.strftime("%Y%m%d"), now.strftime("%H%M%S")
