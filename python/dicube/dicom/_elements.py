"""The elements of a series' slices: as a source has them, read when they are asked for, and as they were edited."""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Optional, Sequence, Set, SupportsIndex, Type, TypeVar

from .. import _arguments, _core
from .._encode import vr_of
from .._source import Source
from ..exceptions import DataConsistencyError, MetaDataError
from ._given import as_given, plain
from ._values import all_equal, from_jsonable, to_jsonable, with_vrs
from .dicom_tags import PIXELS, Tag, TagLike, to_tag

_NO_GROUPS = {0x0000, 0x0001, 0x0003, 0x0005, 0x0007, 0xFFFE, 0xFFFF}  # PS3.5 7.1, 7.8
_E = TypeVar("_E", bound="Elements")


class Entry:
    """One element of all slices."""

    __slots__ = ("vr", "values", "shared", "edited")

    def __init__(self, vr: str, values: List[Any], shared: bool, edited: bool = False) -> None:
        self.vr, self.values, self.shared, self.edited = vr, values, shared, edited

    def picked(self, order: Sequence[int]) -> "Entry":
        values = [self.values[i] for i in order]
        return Entry(self.vr, values, self.shared or len(values) == 1 or all_equal(values), self.edited)


def check_no_pixels(tag: Tag) -> None:
    if tag in PIXELS:
        raise MetaDataError("pixel data are no metadata: change raw_image", suggestion="")


def check_settable(tag: Tag) -> None:
    if tag.element == 0:
        raise MetaDataError(f"{tag}: group lengths are computed", suggestion="")
    if tag.group in _NO_GROUPS:
        raise MetaDataError(f"{tag}: no element of a data set", suggestion="")


class Elements:
    """What :class:`DicomMeta` knows of its slices, and how it changes."""

    slice_count: int
    _sequences: Optional[Set[Tag]] = None

    def _begin(self, source: Optional[Source], rows: List[int], slice_count: int, filenames: Optional[List[str]] = None) -> None:
        self._source, self._rows, self.slice_count, self._filenames = source, rows, slice_count, filenames
        self._whole = False  # whether _rows are all rows of the source, in its order
        self._entries: Dict[Tag, Optional[Entry]] = {}  # None: known to be absent, or removed
        self._removed: Set[Tag] = set()
        self._tags: Optional[List[Tag]] = None

    @classmethod
    def _of(cls: Type[_E], source: Source) -> _E:
        meta = cls.__new__(cls)
        count = source.core.instance_count
        meta._begin(source, list(range(count)), count)
        meta._whole = True
        return meta

    @property
    def filenames(self) -> Optional[List[str]]:
        """The names of the slices' files."""
        if self._filenames is None and self._source is not None:
            names = self._source.core.instance_names()
            self._filenames = [names[i] for i in self._rows]
        return self._filenames

    @filenames.setter
    def filenames(self, names: Optional[Sequence[str]]) -> None:
        self._filenames = list(names) if names is not None else None

    # ----------------------------------------------------------------- reading

    def _column(self, tag: Tag) -> Optional[Any]:
        if self._source is None or tag in self._removed:
            return None
        return self._source.core.column(f"{tag >> 16:04X},{tag & 0xFFFF:04X}")

    def _in_source(self, tag: Tag) -> List[bool]:
        """Of each slice, whether its file has the element, with a value or empty."""
        column = self._source.core.column(f"{tag >> 16:04X},{tag & 0xFFFF:04X}") if self._source is not None else None
        return [False] * self.slice_count if column is None else [column.is_present(row) for row in self._rows]

    def _present(self, tag: Tag) -> List[bool]:
        """Of each slice, whether it has the element; a sequence is not read for that."""
        entry = self._entries.get(tag)
        if entry is not None and entry.edited:
            return [value is not None for value in entry.values]
        return [False] * self.slice_count if tag in self._removed else self._in_source(tag)

    def _entry(self, tag_input: TagLike) -> Optional[Entry]:
        tag = to_tag(tag_input)
        if tag in self._entries:
            return self._entries[tag]
        entry = self._read(tag)
        self._entries[tag] = entry
        return entry

    def _read(self, tag: Tag) -> Optional[Entry]:
        column = self._column(tag)
        if column is None or tag in PIXELS:
            return None
        if self._is_sequence(tag, column):
            return self._read_sequence(tag)
        whole = column.values()
        values = whole if self._whole and len(whole) == self.slice_count else [whole[row] for row in self._rows]
        shared = column.is_constant or all_equal(values)
        if not shared and all(value is None for value in values):
            present = [column.is_present(row) for row in self._rows]
            if not any(present):
                return None
            shared = all(present)
        return Entry(column.vr, values, shared)

    def _is_sequence(self, tag: Tag, column: Any) -> bool:
        return column.vr == "SQ" or (column.vr == "UN" and tag in self._sequences_in_un())

    def _sequences_in_un(self) -> Set[Tag]:
        """The sequences of the first slice, those that are written with VR UN among them."""
        if self._sequences is None:
            data = self._source.core.data_set(self._rows[0]) if self._source and self._rows else {}
            self._sequences = {tag for tag, (vr, _) in data.items() if vr == "SQ"}
        return self._sequences

    def _read_sequence(self, tag: Tag) -> Optional[Entry]:
        assert self._source is not None
        values = [self._items(row, tag) for row in self._rows]
        return Entry("SQ", values, all_equal(values)) if any(value is not None for value in values) else None

    def _items(self, row: int, tag: Tag) -> Optional[List[Dict[str, Any]]]:
        items, vrs = self._source.core.sequence(row, int(tag))  # type: ignore[union-attr]
        return items if vrs is None else with_vrs(items, vrs)

    def _frames(self) -> List[int]:
        """The numbers that the frames of the slices have in the source."""
        assert self._source is not None
        ranges = self._source.core.frame_ranges()
        return [frame for row in self._rows for frame in range(ranges[row][0], sum(ranges[row]))]

    def _all_tags(self) -> List[Tag]:
        if self._tags is None:
            found = set()
            if self._source is not None:
                for path in self._source.core.paths():
                    found.add(to_tag(path.split(".", 1)[0]))
            self._tags = sorted(tag for tag in found if tag not in PIXELS and tag >> 16 not in (0x0002, 0xFFFE))
        edited = {tag for tag, entry in self._entries.items() if entry is not None and tag >> 16 != 2}
        tags = sorted((set(self._tags) | edited) - self._removed)
        if self._source is not None and len(self._rows) < self._source.core.instance_count:
            tags = [tag for tag in tags if self._entry(tag) is not None]
        return tags

    # ----------------------------------------------------------------- editing

    def _vr_for(self, tag: Tag, values: Sequence[Any]) -> str:
        entry = self._entries.get(tag) or (self._read(tag) if tag not in self._entries else None)
        first = next((value for value in values if value is not None), None)
        return vr_of(tag, plain(first, ""), {tag: entry.vr if entry is not None else ""})

    def _set(self, tag: Tag, vr: str, values: List[Any], shared: bool) -> None:
        check_no_pixels(tag)
        if not shared and len(values) != self.slice_count:
            raise DataConsistencyError(f"Number of values ({len(values)}) does not match number of datasets ({self.slice_count})")
        self._removed.discard(tag)
        shared_now = shared if shared or self.slice_count != 1 else True
        self._entries[tag] = Entry(vr, values, shared_now, edited=True)

    def _forget(self, tag: Tag) -> None:
        """Makes the element again what it is in the source."""
        self._entries.pop(tag, None)
        self._removed.discard(tag)

    def _edits(self) -> Dict[Tag, Optional[Entry]]:
        """What differs from the source: new values, and None for removed elements."""
        edits: Dict[Tag, Optional[Entry]] = {tag: None for tag in self._removed}
        for tag, entry in self._entries.items():
            if entry is not None and entry.edited:
                edits[tag] = entry
        return edits

    # ------------------------------------------------------------------- order

    def _check_index(self, index: SupportsIndex) -> int:
        return _arguments.index(index, "slice", self.slice_count)

    def _reorder(self, order: Sequence[int]) -> None:
        names = self.filenames
        if names is not None and len(names) == self.slice_count:
            self.filenames = [names[i] for i in order]
        self._rows = [self._rows[i] for i in order] if self._rows else []
        self._whole = self._whole and all(row == i for i, row in enumerate(self._rows))
        for tag, entry in self._entries.items():
            if entry is not None and not entry.shared:
                self._entries[tag] = entry.picked(order)

    def _subset(self: _E, order: Sequence[int]) -> _E:
        part = type(self).__new__(type(self))
        part._begin(self._source, [self._rows[i] for i in order] if self._rows else [], len(order))
        part._entries = {t: e.picked(order) for t, e in self._entries.items() if e is not None and e.edited}
        part._entries.update({tag: None for tag in self._removed})
        part._removed, part._tags = set(self._removed), self._tags
        names = self.filenames
        part.filenames = [names[i] for i in order] if names is not None and len(names) == self.slice_count else names
        return part

    def __deepcopy__(self: _E, memo: Dict[int, Any]) -> _E:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._rows, twin._removed = list(self._rows), set(self._removed)
        twin._entries = {
            tag: entry if entry is None else Entry(entry.vr, copy.deepcopy(entry.values), entry.shared, entry.edited)
            for tag, entry in self._entries.items()
        }
        names = self.filenames
        twin.filenames = list(names) if names is not None else None
        return twin

    def __copy__(self: _E) -> _E:
        return self.__deepcopy__({})

    # -------------------------------------------------------------------- JSON

    def _json_item(self, tag: Tag) -> Dict[str, Any]:
        entry = self._entry(tag)
        assert entry is not None
        item: Dict[str, Any] = {"vr": entry.vr, "shared": entry.shared}
        if entry.shared:
            value = entry.values[0] if entry.values else None
            if value is not None:
                item["Value"] = [to_jsonable(part) for part in (value if isinstance(value, list) else [value])]
        else:
            item["Value"] = [to_jsonable(value) for value in entry.values]
        return item

    def _add_json(self, tag: Tag, item: Dict[str, Any]) -> None:
        vr = item.get("vr") or _core.implicit_vr(tag)
        if "Value" not in item:
            self._entries[tag] = Entry(vr, [None] * self.slice_count, bool(item.get("shared", True)), edited=True)
            return
        parts = item["Value"] if isinstance(item["Value"], list) else [item["Value"]]
        values = [from_jsonable(part, vr) for part in parts]
        if item.get("shared", False):
            self._set(tag, vr, [as_given(values, vr)] * max(1, self.slice_count), True)
        else:
            self._set(tag, vr, [as_given(value, vr) for value in values], False)
