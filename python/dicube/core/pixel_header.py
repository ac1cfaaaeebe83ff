"""How stored pixel values are to be read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional

import numpy as np

from ..dicom.dicom_meta import DicomMeta
from ..dicom.dicom_tags import CommonTags as T
from ..exceptions import MetaDataError, MetaDataTypeError

__all__ = ["PixelDataHeader", "first_number", "header_of"]

_NUMBERS = ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth")


def _number(value: Any, name: str) -> Any:
    """The value, where it is None or a number; else the float that it is."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        wrong = MetaDataTypeError if isinstance(error, TypeError) else MetaDataError
        given = f"{value!r:.60}" if isinstance(value, str) else type(value).__name__
        raise wrong(f"{name} must be a number that a float holds, not {given}", suggestion="") from None
    return value if isinstance(value, (int, float)) else number


@dataclass
class PixelDataHeader:
    """Rescale factors, type and window of an image.

    Attributes:
        RescaleSlope, RescaleIntercept: stored value -> real-world value, of the first slice where they differ.
        OriginalPixelDtype: type of the values in the source, ``"uint16"``.
        PixelDtype: type of the values in ``raw_image``.
        WindowCenter, WindowWidth: as the source suggests, in real-world values.
        MaxVal, MinVal: range, where known.
        Extras: anything else.

    Raises:
        MetaDataError (a ValueError; of another type a TypeError, too): a factor or window that is no number, whenever it is set.
    """

    RescaleSlope: float = 1.0
    RescaleIntercept: float = 0.0
    OriginalPixelDtype: str = "uint16"
    PixelDtype: str = "uint16"
    WindowCenter: Optional[float] = None
    WindowWidth: Optional[float] = None
    MaxVal: Optional[float] = None
    MinVal: Optional[float] = None
    Extras: Dict[str, Any] = field(default_factory=dict)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, _number(value, name) if name in _NUMBERS else value)

    def to_dict(self) -> Dict[str, Any]:
        """All attributes, those in ``Extras`` beside the others, which they do not replace."""
        data = asdict(self)
        return {**data.pop("Extras"), **data}

    @classmethod
    def from_dict(cls, d: Dict[str, Any]) -> "PixelDataHeader":
        """The inverse of :meth:`to_dict`.

        Raises:
            MetaDataError: no dict with texts as keys.
        """
        if not isinstance(d, dict) or not all(isinstance(key, str) for key in d):
            raise MetaDataError(f"a pixel header is a dict, not {d!r:.60}")
        known = set(cls.__dataclass_fields__) - {"Extras"}
        extras = {key: value for key, value in d.items() if key not in known}
        return cls(**{key: value for key, value in d.items() if key in known}, Extras=extras)

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, json_str: str) -> "PixelDataHeader":
        """The inverse of :meth:`to_json`.

        Raises:
            MetaDataError: no such JSON.
        """
        try:
            return cls.from_dict(json.loads(json_str))
        except (TypeError, ValueError, RecursionError) as error:
            raise MetaDataError(f"no pixel header in this JSON: {error}") from None


def first_number(value: Any, default: float) -> float:
    """The number, or the first of a list."""
    if isinstance(value, list):
        value = value[0] if value else None
    return float(value) if isinstance(value, (int, float)) else default


def header_of(meta: Optional[DicomMeta], dtype: np.dtype[Any]) -> PixelDataHeader:
    """What the metadata says of its first slice."""
    header = PixelDataHeader(OriginalPixelDtype=dtype.name, PixelDtype=dtype.name)
    if meta is None or meta.slice_count == 0:
        return header

    def first_of(tag: Any) -> List[Any]:
        return [value for value in meta.get_values(tag)[:1] if value is not None]

    for name, tag, default in (("RescaleSlope", T.RescaleSlope, 1.0), ("RescaleIntercept", T.RescaleIntercept, 0.0),
                               ("WindowCenter", T.WindowCenter, None), ("WindowWidth", T.WindowWidth, None)):  # fmt: skip
        for value in first_of(tag):
            number = first_number(value, float("nan"))
            setattr(header, name, default if number != number else number)
    return header
