"""Values of elements as they are handed out: from callers, JSON and pydicom, and back."""

from __future__ import annotations

import base64
import contextlib
import copy
import datetime
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from .. import _core
from .dicom_tags import to_tag

NOWHERE: Any = object()
MOMENTS = (datetime.date, datetime.time)


class Item(Dict[str, Any]):
    """An item of a sequence that knows the VRs of those of its elements of which the dictionary says nothing, or another."""

    def __init__(self, values: Mapping[str, Any], vrs: Mapping[int, str]) -> None:
        super().__init__(values)
        self.vrs = dict(vrs)


def all_equal(values: Sequence[Any]) -> bool:
    return len(values) > 0 and values[0] is not None and all(value == values[0] for value in values[1:])


def own_copy(value: Any) -> Any:
    """A copy of what a caller could change."""
    if type(value) is list:
        return copy.deepcopy(value) if value and isinstance(value[0], (list, dict)) else value[:]
    return copy.deepcopy(value) if isinstance(value, dict) else value


def own_copies(values: Sequence[Any]) -> List[Any]:
    """A copy of each; points, lists of numbers, without a call for every one."""
    return [value.copy() if type(value) is list and value and type(value[0]) is float else own_copy(value) for value in values]


def is_flat(value: Any) -> bool:
    return type(value) is not list and type(value) is not dict


def in_groups(item: Any, key: str) -> Any:
    """What stands nearest to the top in an item or below its sequences; NOWHERE when nothing does. What scanners keep in private
    sequences, whole data sets of earlier ones at times, counts for private elements alone."""
    holder = holder_in_groups(item, key)
    return NOWHERE if holder is None else holder[key]


def holder_in_groups(item: Any, key: str) -> Optional[Dict[str, Any]]:
    """The item in which that stands."""
    level = [item] if isinstance(item, dict) else []
    while level:
        for outer in level:
            if key in outer:
                return outer
        sequences = [value for outer in level for name, value in outer.items() if isinstance(value, list) and (is_private(key) or not is_private(name))]
        level = [inner for items in sequences for inner in items if isinstance(inner, dict)]
    return None


def as_int(value: Any) -> Optional[int]:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):  # infinite
        return None


NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def person_name(parts: Dict[str, str]) -> str:
    groups = [str(parts.get(name, "")) for name in NAME_GROUPS]
    return "=".join(groups).rstrip("=")


def from_jsonable(value: Any, vr: str) -> Any:
    """From what to_jsonable() makes, or from the DICOM JSON model."""
    if isinstance(value, dict) and set(value) == {"InlineBinary"}:
        return base64.b64decode(value["InlineBinary"])
    if isinstance(value, dict) and vr == "PN":
        return person_name(value)
    if isinstance(value, list):
        parts = [from_jsonable(part, vr) for part in value]  # dicts are items of a sequence inside an item
        return parts if vr == "SQ" or len(parts) != 1 or isinstance(parts[0], dict) else parts[0]
    if isinstance(value, dict):
        return _item_from_json(value)
    return value


def _item_from_json(item: Dict[str, Any]) -> Dict[str, Any]:
    """From an item whose elements are values, or have a VR, too."""
    values, vrs = {}, {}
    for key, part in item.items():
        vr = part.get("vr") if isinstance(part, dict) else None
        if isinstance(vr, str):
            vrs[int(to_tag(key))] = vr
            part = part.get("Value")
        values[key] = from_jsonable(part, vr if isinstance(vr, str) else "")
    return Item(values, vrs) if vrs else values


def to_jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"InlineBinary": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [to_jsonable(part) for part in value]
    if isinstance(value, dict):
        vrs = value.vrs if isinstance(value, Item) else {}
        return {key: _with_vr(part, vrs.get(to_tag(key), "") if vrs else "") for key, part in value.items()}
    return value


def _with_vr(value: Any, vr: str) -> Any:
    """For JSON, with the VR where nothing else tells it."""
    if not vr:
        return to_jsonable(value)
    return {"vr": vr} if value is None else {"vr": vr, "Value": to_jsonable(value if isinstance(value, list) else [value])}


def with_vrs(items: List[Dict[str, Any]], vrs: List[Dict[int, Any]]) -> List[Dict[str, Any]]:
    """The items of a sequence as such that know the VRs of their private elements; ``vrs``: each item's, as of the core."""
    out = []
    for item, told in zip(items, vrs):
        own = {tag: vr if isinstance(vr := told[tag], str) else "SQ" for key in item if is_private(key) and (tag := int(key, 16)) in told}
        values = {key: with_vrs(value, told[to_tag(key)]) if is_items(value) else value for key, value in item.items()}
        out.append(Item(values, own) if own else values)
    return out


def is_items(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and isinstance(value[0], dict)


def is_private(key: str) -> bool:
    """Whether a key of an item is that of a private element: eight hexadecimal digits, its group odd."""
    return len(key) == 8 and key[3] in "13579BDF" and all(digit in "0123456789ABCDEF" for digit in key)


def from_pydicom(element: Any) -> Any:
    value = element.value
    if element.VR == "SQ":
        return [item_of_pydicom(item, from_pydicom) for item in value]
    if value is None or (isinstance(value, (str, bytes)) and len(value) == 0):
        return None
    if element.VM > 1 and not isinstance(value, (str, bytes)):
        return [_plain_pydicom(part, element.VR) for part in value] or None
    return _plain_pydicom(value, element.VR)


def item_of_pydicom(data_set: Any, value_of: Callable[[Any], Any]) -> Dict[str, Any]:
    """A data set as an item, with what ``value_of`` makes of its elements."""
    values = {_pydicom_key(element): value_of(element) for element in data_set}
    vrs = {int(element.tag): str(element.VR) for element in data_set}
    vrs = {tag: vr for tag, vr in vrs.items() if len(vr) == 2 and vr != _core.implicit_vr(tag)}
    return Item(values, vrs) if vrs else values


def _pydicom_key(element: Any) -> str:
    return element.keyword or f"{int(element.tag):08X}"


def moment_text(vr: str, moment: Any) -> str:
    """A date, a time or both, as far as the VR goes."""
    has_date, has_time = isinstance(moment, datetime.date), isinstance(moment, (datetime.datetime, datetime.time))
    if not {"DA": has_date, "TM": has_time, "DT": has_date}.get(vr, False):
        raise TypeError(f"not a {type(moment).__name__}")
    as_said: Any = getattr(moment, "original_string", None) if type(moment).__name__ == vr else None
    if as_said:  # pydicom's, which may say less: "2024"
        return str(as_said)
    text = f"{moment.year:04}{moment:%m%d}" if vr != "TM" else ""
    if vr != "DA" and has_time:
        text += f"{moment:%H%M%S}" + (f"{moment:.%f}" if moment.microsecond else "")
    return text + f"{moment:%z}"[:5] if vr == "DT" else text


def _plain_pydicom(value: Any, vr: str) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in ("DS", "FD", "FL", "OF", "OD"):
        return float(value) if value != "" else None
    if isinstance(value, int) or vr == "IS":
        return int(value) if value != "" else None
    if isinstance(value, MOMENTS):
        with contextlib.suppress(TypeError):  # a date of a TM
            return moment_text(vr, value)
    return str(value)
