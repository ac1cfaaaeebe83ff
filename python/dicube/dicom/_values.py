"""Values of elements as they are handed out: from callers, JSON and pydicom, and back."""

from __future__ import annotations

import base64
import copy
import re
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np

from .dicom_tags import get_tag_key

NOWHERE: Any = object()
_PRIVATE = re.compile("[0-9A-F]{3}[13579BDF][0-9A-F]{4}")


def all_equal(values: Sequence[Any]) -> bool:
    return len(values) > 0 and values[0] is not None and all(value == values[0] for value in values[1:])


def own_copy(value: Any) -> Any:
    """A copy of what a caller could change."""
    if type(value) is list:
        return copy.deepcopy(value) if value and type(value[0]) in (list, dict) else value[:]
    return copy.deepcopy(value) if type(value) is dict else value


def own_copies(values: Sequence[Any]) -> List[Any]:
    """A copy of each; points, lists of numbers, without a call for every one."""
    return [value.copy() if type(value) is list and value and type(value[0]) is float else own_copy(value) for value in values]


def is_flat(value: Any) -> bool:
    return type(value) is not list and type(value) is not dict


def in_groups(item: Any, key: str) -> Any:
    """What stands nearest to the top in an item or below its sequences; NOWHERE when nothing does. What scanners keep in private
    sequences, whole data sets of earlier ones at times, counts for private elements alone."""
    level = [item] if isinstance(item, dict) else []
    while level:
        for outer in level:
            if key in outer:
                return outer[key]
        sequences = [value for outer in level for name, value in outer.items() if isinstance(value, list) and (is_private(key) or not is_private(name))]
        level = [inner for items in sequences for inner in items if isinstance(inner, dict)]
    return NOWHERE


def is_private(key: str) -> bool:
    """Whether the key of an element in an item is the tag of a private one."""
    return _PRIVATE.fullmatch(key) is not None


def as_int(value: Any) -> Optional[int]:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):  # infinite
        return None


def as_given(value: Any, vr: str) -> Any:
    """A value as set by a caller, in the form in which values are handed out."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if vr == "AT" and isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, int) and part <= 0xFFFF for part in value):
        value = get_tag_key(value)  # group and element
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, dict) and vr == "PN" and set(value) <= set(_NAME_GROUPS):
        value = _person_name(value)
    if isinstance(value, list) and vr != "SQ":
        value = [as_given(part, vr) for part in value]
        if len(value) == 1:
            value = value[0]
    if vr == "DS" and isinstance(value, str):
        return _number(value, float)
    if vr == "IS" and isinstance(value, (str, float)):
        return _number(value, int)
    return value


def _number(value: Union[str, float], kind: type) -> Any:
    """IS and DS values are numbers; a text that is none stays what it is."""
    try:
        number = kind(value)
    except (ValueError, OverflowError):
        return value
    return number if number == float(value) else value


_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def _person_name(parts: Dict[str, str]) -> str:
    groups = [str(parts.get(name, "")) for name in _NAME_GROUPS]
    return "=".join(groups).rstrip("=")


def from_jsonable(value: Any, vr: str) -> Any:
    """From what to_jsonable() makes, or from the DICOM JSON model."""
    if isinstance(value, dict) and set(value) == {"InlineBinary"}:
        return base64.b64decode(value["InlineBinary"])
    if isinstance(value, dict) and vr == "PN":
        return _person_name(value)
    if isinstance(value, list):
        parts = [from_jsonable(part, vr) for part in value]  # dicts are items of a sequence inside an item
        return parts if vr == "SQ" or len(parts) != 1 or isinstance(parts[0], dict) else parts[0]
    if isinstance(value, dict):
        return {key: from_jsonable(part, "") for key, part in value.items()}
    return value


def to_jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"InlineBinary": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [to_jsonable(part) for part in value]
    if isinstance(value, dict):
        return {key: to_jsonable(part) for key, part in value.items()}
    return value


def from_pydicom(element: Any) -> Any:
    value = element.value
    if element.VR == "SQ":
        return [{_pydicom_key(inner): from_pydicom(inner) for inner in item} for item in value]
    if value is None or (isinstance(value, (str, bytes)) and len(value) == 0):
        return None
    if element.VM > 1 and not isinstance(value, (str, bytes)):
        return [_plain_pydicom(part, element.VR) for part in value] or None
    return _plain_pydicom(value, element.VR)


def _pydicom_key(element: Any) -> str:
    return element.keyword or f"{int(element.tag):08X}"


def _plain_pydicom(value: Any, vr: str) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in ("DS", "FD", "FL", "OF", "OD"):
        return float(value) if value != "" else None
    if isinstance(value, int) or vr == "IS":
        return int(value) if value != "" else None
    return str(value)
