"""Plain Python values -> the bytes of an element's value (PS3.5 section 6.2), little endian."""

from __future__ import annotations

import datetime
import re
import struct
from typing import Any, Dict, Iterable, List, Optional

from . import _core, _escapes
from ._warn import warn
from .dicom._values import MOMENTS, Item, moment_text
from .dicom.dicom_tags import Tag, to_tag
from .exceptions import MetaDataError, UnsupportedError

_NUMBERS = {"US": "<H", "SS": "<h", "UL": "<I", "SL": "<i", "UV": "<Q", "SV": "<q", "FL": "<f", "FD": "<d"}
_BYTES = {"OB", "OW", "OD", "OF", "OL", "OV", "UN"}
_PIXEL_DATA = 0x7FE00010
MOST_NESTED = 64  # sequences: deeper ones are not read
_LONG_HEADER = _BYTES | {"SQ", "UT", "UC", "UR", "SV", "UV"}
CHARSET_VRS = {"SH", "LO", "ST", "LT", "PN", "UC", "UT"}

_CHARSET = to_tag(0x00080005)

# What texts consist of (PS3.5 6.2), not narrower than files in use have them; and one of the kind.
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_FORMS = {
    "IS": (_NUMBER, "12"), "DS": (_NUMBER, "1.5"), "DA": (r"[\d.]*", "20241231"), "TM": (r"(?!2[4-9]|[3-9]\d|\d\d:?[6-9])[\d.:]*", "235959.5"),
    "DT": (r"[\d.+-]*", "20241231235959"), "UI": (r"[\d.]{0,64}", "1.2.840.10008.1.2, at most 64 characters"), "AS": (r"\d+[DWMY]", "030Y"),
}  # fmt: skip

# Characters of a value at most, of a person's name in each group of its components (PS3.5 table 6.2-1).
_MOST_CHARACTERS = {
    "AE": 16, "AS": 4, "CS": 16, "DA": 10, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "LT": 10240, "PN": 64, "SH": 16, "ST": 1024, "TM": 16
}  # fmt: skip

# Dates, times and ages as PS3.5 6.2 has them: a minute may have a leap second.
_CLOCK = r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_OFFSET = r"(?:-(?:0\d|1[0-2])|\+(?:0\d|1[0-4]))[0-5]\d"
_CONFORMING = {
    "AS": r"\d{3}[DWMY]", "DA": r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)", "TM": _CLOCK,
    "DT": rf"(?P<year>\d{{4}})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:{_CLOCK})?)?)?(?:{_OFFSET})?",
}  # fmt: skip

# How many values elements have that say where pixels lie and what they mean: with others they would say nothing.
_COUNTS: Dict[Tag, int] = {
    to_tag(keyword): count
    for count, keywords in {
        1: ("Rows", "Columns", "SliceThickness", "SpacingBetweenSlices", "SliceLocation", "RescaleSlope", "RescaleIntercept"),
        2: ("PixelSpacing", "ImagerPixelSpacing"), 3: ("ImagePositionPatient",), 6: ("ImageOrientationPatient",),
    }.items()
    for keyword in keywords
}  # fmt: skip

_CODECS = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "iso8859-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 166": "iso8859-11",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
_WHOLE = ("ISO_IR 192", "GB18030", "GBK")  # go with no others


def text_codec(specific_character_set: Any) -> str:
    """How new texts of a file are written: a Python codec, or, where escape sequences lead from one character set to the next, their
    names, a comma after each."""
    given = specific_character_set if isinstance(specific_character_set, list) else [specific_character_set]
    names = ["" if name is None else str(name).strip().replace("ISO 2022 IR", "ISO_IR") for name in given or [None]]
    if names[0] in _WHOLE or (len(names) == 1 and names[0] in _CODECS):
        return _CODECS[names[0]]
    return "".join(f"{name}," for name in names)


def decimal_string(number: Any) -> str:
    """A number as a Decimal String: at most 16 characters, the nearest that fits.

    Raises:
        ValueError: infinite or not a number.
    """
    value = float(number)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} can't be written as a decimal string")
    if isinstance(number, int) and len(str(number)) <= 16:
        return str(number)
    text = repr(value)
    for digits in range(17, 0, -1):
        if len(text) <= 16:
            break
        text = f"{value:.{digits}g}"
    return text


def encode(
    tag: Tag, vr: str, value: Any, codec: str = "ascii", implicit: bool = False, vrs: Optional[Dict[int, str]] = None, depth: int = 0
) -> bytes:
    """The bytes of a value, padded to an even length.

    Args:
        vrs: for a sequence, and for what stands in one, the VRs of elements in it, where they are known.
        depth: how many sequences it stands in.

    Raises:
        MetaDataError: the value does not fit the VR, or the character set.
    """
    try:
        if vrs is None:  # items are written whole: most of their values are as the source has them
            _check_count(tag, value)
        data = sequence(value or [], codec, implicit, vrs or {}, depth + 1) if vr == "SQ" else _encode(tag, vr, value, codec)
    except (struct.error, TypeError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, MetaDataError):
            raise
        raise MetaDataError(
            f"{tag!r}: {value!r} is no value for the VR {vr}: {error}",
            suggestion="text characters must exist in the file's SpecificCharacterSet" if isinstance(error, UnicodeError) else "",
        ) from None
    if len(data) % 2:
        data += b"\0" if vr in _BYTES or vr == "UI" else b" "
    return data


def _encode(tag: Tag, vr: str, value: Any, codec: str) -> bytes:
    if value is None or (isinstance(value, list) and not value):
        return b""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    parts: List[Any] = list(value) if isinstance(value, (list, tuple)) else [value]
    if vr in _NUMBERS:
        return b"".join(struct.pack(_NUMBERS[vr], part) for part in parts)
    if vr == "AT":
        return b"".join(struct.pack("<HH", to_tag(part).group, to_tag(part).element) for part in parts)
    if vr in _BYTES:
        unit = {"OF": "<f", "OD": "<d", "OW": "<H", "OL": "<I", "OV": "<Q"}.get(vr)
        if unit is None:
            raise TypeError("bytes are expected")
        return b"".join(struct.pack(unit, part) for part in parts)
    text = "\\".join(_text(vr, part) for part in parts)
    _warn_of_length(tag, vr, text)
    _warn_of_moments(tag, vr, text)
    if vr in CHARSET_VRS and "," in codec:
        return _escapes.encode(text, codec.split(",")[:-1], "\\^=" if vr == "PN" else "\\")
    return text.encode(codec if vr in CHARSET_VRS else "ascii")


def _check_count(tag: Tag, value: Any) -> None:
    parts = value if isinstance(value, (list, tuple)) else [value]
    wanted = 0 if isinstance(value, (bytes, bytearray, memoryview)) else _COUNTS.get(tag, 0)
    count = sum(part.count("\\") + 1 if isinstance(part, str) else 1 for part in parts)
    is_empty = not any(str("" if part is None else part).strip() for part in parts)
    if wanted and count != wanted and not is_empty:
        raise ValueError(f"it has {count} value{'' if count == 1 else 's'}, {wanted} {'is' if wanted == 1 else 'are'} needed")


def _text(vr: str, part: Any) -> str:
    if isinstance(part, bool):
        raise TypeError("not a bool")
    text = "" if part is None else _plain_text(vr, part)
    form, like = _FORMS.get(vr, ("", ""))
    for value in text.split("\\"):
        if form and value.strip() and not re.fullmatch(form, value.strip(), re.ASCII):
            raise ValueError(f"it is written like {like}")
    return text


def _warn_of_length(tag: Tag, vr: str, text: str) -> None:
    most = _MOST_CHARACTERS.get(vr)
    if most is None or len(text) <= most:
        return
    values = [text] if vr in ("ST", "LT") else re.split(r"[\\=]" if vr == "PN" else r"\\", text)
    longest = max(map(len, values))
    if longest > most:
        warn(f"{tag!r}: {longest} characters are written, and {vr} has at most {most} (PS3.5 6.2): readers may cut it")


def _warn_of_moments(tag: Tag, vr: str, text: str) -> None:
    """Of dates, times and ages that no calendar or clock has, or that are written as before DICOM (1993.08.22, 12:30:00)."""
    if vr not in _CONFORMING:
        return
    for value in filter(None, map(str.strip, text.split("\\"))):
        if not _is_conforming(vr, value):
            warn(f"{tag!r}: {value!r} is written, and {vr} has values like {_FORMS[vr][1]} (PS3.5 6.2): readers may refuse it")


def _is_conforming(vr: str, value: str) -> bool:
    match = re.fullmatch(_CONFORMING[vr], value, re.ASCII)
    if match is None:
        return False
    said = match.groupdict()
    try:
        datetime.date(*(int(said.get(part) or 1) for part in ("year", "month", "day")))
    except ValueError:  # no such day
        return False
    return True


def _plain_text(vr: str, part: Any) -> str:
    if vr == "DS" and not isinstance(part, str):
        return decimal_string(part)
    if vr == "IS" and not isinstance(part, str):
        if int(part) != part:
            raise ValueError("no integer")
        return str(int(part))
    if isinstance(part, MOMENTS):
        return moment_text(vr, part)
    if isinstance(part, (str, int, float)):
        return str(part)
    raise TypeError(f"not a {type(part).__name__}")


def header(tag: int, vr: str, length: int, implicit: bool = False) -> bytes:
    """An element's header."""
    place = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return place + struct.pack("<I", length)
    if vr in _LONG_HEADER:
        return place + vr.encode() + b"\0\0" + struct.pack("<I", length)
    if length > 0xFFFE:
        return place + b"UN\0\0" + struct.pack("<I", length)
    return place + vr.encode() + struct.pack("<H", length)


def is_fragments(value: Any) -> bool:
    """Whether these are the fragments of compressed pixels, as an icon has them in its item (PS3.5 A.4)."""
    at = 0
    while isinstance(value, (bytes, bytearray)) and value[at : at + 4] == b"\xfe\xff\x00\xe0" and at + 8 <= len(value):
        at += 8 + struct.unpack_from("<I", value, at + 4)[0]
    return 0 < at == len(value)


def element(
    tag: Tag, vr: str, value: Any, codec: str = "ascii", implicit: bool = False, vrs: Optional[Dict[int, str]] = None, depth: int = 0
) -> bytes:
    """A whole element, header and value."""
    if tag == _PIXEL_DATA and is_fragments(value):
        return header(tag, "OB", 0xFFFFFFFF) + bytes(value) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    data = encode(tag, vr, value, codec, implicit, vrs, depth)
    return header(tag, vr, len(data), implicit) + data


def sequence(items: Iterable[Dict[Any, Any]], codec: str, implicit: bool, vrs: Dict[int, str], depth: int) -> bytes:
    """The items of a sequence: dicts of keyword (or eight hexadecimal digits) -> value.

    Texts are in the character set of their item's own SpecificCharacterSet, where it has one, else in ``codec`` (PS3.3
    C.12.1.1.2).
    """
    if isinstance(items, (dict, str, bytes)):
        raise TypeError("a sequence is a list of dicts")
    if depth > MOST_NESTED:
        raise MetaDataError(f"sequences nest more than {MOST_NESTED} deep")  # nothing of it is shown: it may have no end
    out = []
    for item in items:
        if not isinstance(item, dict):
            raise TypeError("a sequence is a list of dicts")
        elements = {to_tag(key): value for key, value in item.items()}
        own = text_codec(elements[_CHARSET]) if _CHARSET in elements else codec
        known = {**vrs, **item.vrs} if isinstance(item, Item) else vrs
        data = b"".join(
            element(tag, vr_of(tag, value, known), value, own, implicit, known, depth) for tag, value in sorted(elements.items())
        )
        out.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data)
    return b"".join(out)


def vr_of(tag: Tag, value: Any, vrs: Dict[int, str]) -> str:
    """The VR in which a value in an item is written: that of the source, else of the dictionary, else what fits the value."""
    known = vrs.get(int(tag), "")
    if known and known != "UN":
        return known
    vr = _core.implicit_vr(tag)
    if vr != "UN":
        return vr
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict):
        return "SQ"
    if isinstance(first, str):
        return "UT" if len(first) > 64 else "LO"
    return "UN"


def is_implicit(file: bytes) -> bool:
    """Whether sequences of this file are written with implicit VR: as the file is, not as its transfer syntax says.

    Raises:
        UnsupportedError: big endian.
    """
    implicit = _core.is_implicit(file)
    if implicit is None:
        raise UnsupportedError("sequences in big-endian files can't be edited")
    return implicit
