"""Values as callers set them -> the form in which they are kept and handed out."""

from __future__ import annotations

import collections.abc
import decimal
import sys
from typing import Any, Dict, Union

import numpy as np

from .. import _core
from .._encode import MOST_NESTED
from ..exceptions import MetaDataError, UsageError
from ._values import MOMENTS, NAME_GROUPS, Item, from_pydicom, item_of_pydicom, moment_text, person_name
from .dicom_tags import get_tag_key, to_tag

_REAL = ("DS", "IS", "FD", "FL", "OF", "OD")


def as_given(value: Any, vr: str) -> Any:
    """A value as set by a caller, in the form in which values are handed out; what it holds is copied.

    Raises:
        MetaDataError: sequences that nest too deep.
    """
    value = plain(_tags_as_keys(value) if vr == "AT" else value, vr)
    if isinstance(value, dict) and vr == "PN" and set(value) <= set(NAME_GROUPS):
        return person_name(value)
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


def _tags_as_keys(value: Any) -> Any:
    """Pairs of group and element as tags are handed out."""
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, int) and part <= 0xFFFF for part in value):
        return get_tag_key(value)
    return [_tags_as_keys(part) for part in value] if isinstance(value, list) else value


def plain(value: Any, vr: str, depth: int = 0) -> Any:
    """As plain Python, in lists and dicts of its own; what no element takes stays what it is.

    Args:
        vr: "" where it is not known.
        depth: how many lists and dicts it stands in.

    Raises:
        MetaDataError: sequences that nest too deep.
    """
    if depth > 2 * MOST_NESTED:  # a list and a dict each
        raise MetaDataError(f"sequences nest more than {MOST_NESTED} deep")
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if _is_data_set(value):
        return item_of_pydicom(value, lambda e: plain(e.value, e.VR, depth + 1) if e.VR == "SQ" or isinstance(e.value, MOMENTS) else from_pydicom(e))
    if isinstance(value, dict):
        return dict(value) if vr == "PN" else _plain_item(value, depth)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, collections.abc.Sequence) and not isinstance(value, (str, bytes)):
        return [plain(part, vr, depth + 1) for part in value]
    return _plain_scalar(value, vr)


def _is_data_set(value: Any) -> bool:
    pydicom = sys.modules.get("pydicom.dataset")  # who has a data set of it has imported it
    return pydicom is not None and isinstance(value, pydicom.Dataset)


def _plain_item(item: Dict[Any, Any], depth: int) -> Dict[Any, Any]:
    vrs = item.vrs if isinstance(item, Item) else {}
    values = {key: plain(value, _vr_of_key(key, vrs), depth + 1) for key, value in item.items()}
    return Item(values, vrs) if vrs else values


def _vr_of_key(key: Any, vrs: Dict[int, str]) -> str:
    try:
        tag = to_tag(key)
    except UsageError:  # found when it is saved
        return ""
    return vrs.get(tag) or _core.implicit_vr(tag)


def _plain_scalar(value: Any, vr: str) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bool):
        return value
    if type(value).__name__ == "PersonName":  # pydicom's
        return str(value)
    for kind in (str, int, float):  # and its texts and numbers
        if isinstance(value, kind):
            return value if type(value) is kind else kind.__str__(value) if kind is str else kind(value)
    if isinstance(value, decimal.Decimal) and vr in _REAL:
        return float(value)
    if isinstance(value, MOMENTS):
        try:
            return moment_text(vr, value)
        except TypeError:  # found when it is saved
            return value
    return value
