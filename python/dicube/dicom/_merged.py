"""Metadata as the mapping of tags that earlier releases kept, and as its JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple

from .. import _arguments
from ..exceptions import MetaDataError, NoSuchKeyError, UsageError
from .dicom_tags import to_tag

if TYPE_CHECKING:
    from .dicom_meta import DicomMeta

_MOST_SLICES = 10_000_000


def check_merged(merged: Any) -> None:
    """Raises MetaDataError unless it is ``{tag: {"vr", "shared", "Value"}}``."""
    if not isinstance(merged, (dict, type(None))):
        raise MetaDataError(f"merged_data must be a dict, not {type(merged).__name__}")
    for key, item in (merged or {}).items():
        to_tag(key)
        if not isinstance(item, dict) or not isinstance(item.get("vr", ""), str):
            raise MetaDataError(f"{key!r}: an element is a dict of 'vr', 'shared' and 'Value', not {item!r:.60}")
        if item.get("shared") is False and "Value" in item and not isinstance(item["Value"], list):
            raise MetaDataError(f"{key!r}: the Value of an element that is not shared is a list with one value per slice")


def parse_json(json_str: str, filenames: Optional[Sequence[str]]) -> Tuple[Any, Optional[Sequence[str]]]:
    """The mapping in the text of :meth:`DicomMeta.to_json`, and the names of the slices' files.

    Raises:
        MetaDataError: no such JSON.
    """
    try:
        data = json.loads(json_str)
        merged = data["_merged_data"]
        count = data.get("slice_count")
        if count is not None and not (isinstance(count, int) and 0 <= count <= _MOST_SLICES):
            raise ValueError(f"slice_count is {count!r}")
        if data.get("filenames") is not None:
            _arguments.texts(data["filenames"], "filenames")
        check_merged(merged)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MetaDataError(f"no metadata in this JSON: {error}", context="DicomMeta.from_json") from None
    names = filenames if filenames is not None else data.get("filenames")
    if names is None and count is not None:
        names = [f"slice_{i:04d}.dcm" for i in range(count)]
    return merged, names


class MergedView:
    """The elements as the mapping that earlier releases kept; changes go through to the metadata."""

    def __init__(self, meta: DicomMeta) -> None:
        self._meta = meta

    def __getitem__(self, key: str) -> Dict[str, Any]:
        if self._meta._entry(to_tag(key)) is None:
            raise NoSuchKeyError(f"no slice has {key!r}")
        return self._meta._json_item(to_tag(key))

    def __contains__(self, key: object) -> bool:
        try:
            return self._meta._entry(to_tag(key)) is not None  # type: ignore[arg-type]
        except UsageError:
            return False

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else default

    def pop(self, key: str, *default: Any) -> Any:
        if key not in self:
            if default:
                return default[0]
            raise NoSuchKeyError(f"no slice has {key!r}")
        item = self[key]
        self._meta.remove(to_tag(key))
        return item

    def keys(self) -> List[str]:
        return self._meta.keys()

    def items(self) -> Iterator[Tuple[str, Dict[str, Any]]]:
        return self._meta.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._meta.keys())

    def __len__(self) -> int:
        return len(self._meta)
