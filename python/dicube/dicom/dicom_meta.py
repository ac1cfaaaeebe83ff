"""The metadata of a series: one value for all slices, or one per slice."""

from __future__ import annotations

import copy
import json
import warnings
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Optional, Sequence, Set, SupportsIndex, Tuple

from .. import _arguments, _core
from .._encode import vr_of
from .._source import Source
from ..exceptions import ArgumentTypeError, DataConsistencyError, MetaDataError, NoSuchKeyError
from ._merged import MergedView, check_merged, parse_json
from ._order import SortMethod, check_sort_method, projection_locations, sorted_places
from ._pydicom import columns_of, read_dicom_dir
from ._values import NOWHERE, all_equal, as_given, as_int, from_jsonable, in_groups, is_flat, own_copy, to_jsonable
from .dicom_tags import PIXELS, Tag, TagLike, get_tag_key, to_tag

__all__ = ["DicomMeta", "SortMethod", "read_dicom_dir"]

_NO_GROUPS = {0x0000, 0x0001, 0x0003, 0x0005, 0x0007, 0xFFFE, 0xFFFF}  # PS3.5 7.1, 7.8
_NUMBER_OF_FRAMES = to_tag("NumberOfFrames")
_GROUPS = (to_tag("SharedFunctionalGroupsSequence"), to_tag("PerFrameFunctionalGroupsSequence"))


class _Entry:
    """One element of all slices."""

    __slots__ = ("vr", "values", "shared", "edited")

    def __init__(self, vr: str, values: List[Any], shared: bool, edited: bool = False) -> None:
        self.vr, self.values, self.shared, self.edited = vr, values, shared, edited

    def picked(self, order: Sequence[int]) -> "_Entry":
        values = [self.values[i] for i in order]
        return _Entry(self.vr, values, self.shared or len(values) == 1 or all_equal(values), self.edited)


def _check_no_pixels(tag: Tag) -> None:
    if tag in PIXELS:
        raise MetaDataError("pixel data are no metadata: change raw_image", suggestion="")


def _check_settable(tag: Tag) -> None:
    if tag.element == 0:
        raise MetaDataError(f"{tag}: group lengths are computed", suggestion="")
    if tag.group in _NO_GROUPS:
        raise MetaDataError(f"{tag}: no element of a data set", suggestion="")


class DicomMeta:
    """Metadata of a series, slice by slice, as plain Python values.

    Values are ``str``, ``int``, ``float``, ``bytes``, lists of them, lists of ``dict`` for sequences, and ``None`` where an
    element is absent or empty. Numbers of the text VRs IS and DS come as numbers; :meth:`get_text` has their text. What an
    archive holds is read when it is asked for, one element at a time.

    Args:
        merged_data: ``{"00100010": {"vr": "PN", "shared": True, "Value": ["A^B"]}, ...}``; the Value of an element that is not
            shared is a list with one value per slice.
        filenames: one per slice.

    Raises:
        MetaDataError: ``merged_data`` of another form.
        DataConsistencyError: lists of values that are not as long as there are slices.
    """

    _sequences: Optional[Set[Tag]] = None

    def __init__(self, merged_data: Optional[Dict[str, Dict[str, Any]]] = None, filenames: Optional[Sequence[str]] = None) -> None:
        self._source: Optional[Source] = None
        self._rows: List[int] = []
        self._whole = False  # whether _rows are all rows of the source, in its order
        self._entries: Dict[Tag, Optional[_Entry]] = {}  # None: known to be absent, or removed
        self._removed: set = set()
        self._tags: Optional[List[Tag]] = None
        self._filenames: Optional[List[str]] = None if filenames is None else _arguments.texts(filenames, "filenames")
        check_merged(merged_data)
        count = len(self._filenames) if self._filenames is not None else None
        for item in (merged_data or {}).values():
            if item.get("shared") is False and "Value" in item:
                count = len(item["Value"])
                break
        if count is None:
            warnings.warn("No filenames provided, defaulting to 1 dataset", stacklevel=2)
            count = 1
        self.slice_count: int = count
        for key, item in (merged_data or {}).items():
            self._add_json(to_tag(key), item)

    # ------------------------------------------------------------------ making

    @classmethod
    def _of(cls, source: Source, rows: Optional[Sequence[int]] = None) -> "DicomMeta":
        meta = cls.__new__(cls)
        meta._source = source
        meta._entries, meta._removed, meta._tags = {}, set(), None
        count = source.core.instance_count
        meta._rows = list(range(count)) if rows is None else list(rows)
        meta._whole = rows is None
        meta.slice_count = len(meta._rows)
        meta._filenames = None
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

    @classmethod
    def from_datasets(cls, datasets: Sequence[Any], filenames: Optional[Sequence[str]] = None) -> "DicomMeta":
        """From pydicom data sets; their values as plain Python."""
        meta = cls({}, filenames if filenames is not None else [f"slice_{i:04d}.dcm" for i in range(len(datasets))])
        meta.slice_count = len(datasets)
        for tag, (vr, values) in columns_of(datasets).items():
            meta._entries[tag] = _Entry(vr, values, all_equal(values), edited=True)
        return meta

    @classmethod
    def from_json(cls, json_str: str, filenames: Optional[Sequence[str]] = None) -> "DicomMeta":
        """The inverse of :meth:`to_json`.

        Raises:
            MetaDataError: no such JSON.
        """
        merged, names = parse_json(json_str, filenames)
        return cls(merged, names)

    def to_json(self) -> str:
        """All elements as JSON text; ``bytes`` in base64."""
        merged = {get_tag_key(tag): self._json_item(tag) for tag in self._all_tags()}
        return json.dumps({"_merged_data": merged, "slice_count": self.slice_count, "filenames": self.filenames})

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
            self._entries[tag] = _Entry(vr, [None] * self.slice_count, bool(item.get("shared", True)), edited=True)
            return
        parts = item["Value"] if isinstance(item["Value"], list) else [item["Value"]]
        values = [from_jsonable(part, vr) for part in parts]
        if item.get("shared", False):
            self._set(tag, vr, [as_given(values, vr)] * max(1, self.slice_count), True)
        else:
            self._set(tag, vr, [as_given(value, vr) for value in values], False)

    # ----------------------------------------------------------------- reading

    def _column(self, tag: Tag) -> Optional[Any]:
        if self._source is None or tag in self._removed:
            return None
        return self._source.core.column(f"{tag >> 16:04X},{tag & 0xFFFF:04X}")

    def _entry(self, tag_input: TagLike) -> Optional[_Entry]:
        tag = to_tag(tag_input)
        if tag in self._entries:
            return self._entries[tag]
        entry = self._read(tag)
        self._entries[tag] = entry
        return entry

    def _read(self, tag: Tag) -> Optional[_Entry]:
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
        return _Entry(column.vr, values, shared)

    def _is_sequence(self, tag: Tag, column: Any) -> bool:
        return column.vr == "SQ" or (column.vr == "UN" and tag in self._sequences_in_un())

    def _sequences_in_un(self) -> Set[Tag]:
        """The sequences of the first slice, those that are written with VR UN among them."""
        if self._sequences is None:
            data = self._source.core.data_set(self._rows[0]) if self._source and self._rows else {}
            self._sequences = {tag for tag, (vr, _) in data.items() if vr == "SQ"}
        return self._sequences

    def _read_sequence(self, tag: Tag) -> Optional[_Entry]:
        assert self._source is not None
        values = [self._source.core.data_set(row).get(tag, ("SQ", None))[1] for row in self._rows]
        return _Entry("SQ", values, all_equal(values)) if any(value is not None for value in values) else None

    def get_values(self, tag: TagLike) -> List[Any]:
        """One value per slice; ``None`` where the element is absent or empty.

        Raises:
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        entry = self._entry(tag)
        if entry is None:
            return [None] * self.slice_count
        values = entry.values[: self.slice_count]
        if values and is_flat(values[0]) and all(map(is_flat, values)):
            return values
        return [own_copy(value) for value in values]

    @property
    def frame_counts(self) -> List[int]:
        """How many frames each slice's file has: 1 but for multi-frame objects and files without pixels."""
        if self._source is not None:
            ranges = self._source.core.frame_ranges()
            return [ranges[row][1] for row in self._rows]
        counts = [as_int(value) for value in self.get_values(_NUMBER_OF_FRAMES)]
        return [1 if count is None or count < 1 else count for count in counts]

    def _images(self) -> List[int]:
        """The numbers of the slices that are images; of all where none is."""
        if self._source is None:
            return list(range(self.slice_count))
        images = [i for i, (says, frames) in enumerate(zip(self._says_image(), self.frame_counts)) if says or frames > 0]
        return images or list(range(self.slice_count))

    def _says_image(self) -> List[bool]:
        """Of each slice, whether it says how large an image it is, and of what pixels (raw data of scanners have a size, too)."""
        rows, columns, samples, bits = map(self.get_values, ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"))
        return [None not in (r, c) and (s, b) != (None, None) for r, c, s, b in zip(rows, columns, samples, bits)]

    def _frames(self) -> List[int]:
        """The numbers that the frames of the slices have in the source."""
        assert self._source is not None
        ranges = self._source.core.frame_ranges()
        return [frame for row in self._rows for frame in range(ranges[row][0], sum(ranges[row]))]

    def get_frame_values(self, tag: TagLike) -> List[Any]:
        """One value per frame, in the order of the frames; ``None`` where the element is absent or empty.

        Of an enhanced multi-frame object what the frame's item of the per-frame functional groups says, in whichever group; else
        the shared functional groups; else the data set itself, as for all other objects, for each of its frames. A value that
        was set by :meth:`set_shared_item` or :meth:`set_nonshared_item` stands for all frames of its slice.

            >>> meta.get_frame_values("ImagePositionPatient")   # doctest: +SKIP
            [[-120.0, -100.0, 4.5], [-120.0, -100.0, 6.0], ...]
        """
        tag = to_tag(tag)
        counts = self.frame_counts
        own = self._entries.get(tag)
        if (own is not None and own.edited) or tag in self._removed:
            return [own_copy(value) for value, count in zip(self.get_values(tag), counts) for _ in range(count)]
        groups = [self._entries.get(group) for group in _GROUPS]
        if self._source is None or any(group is not None and group.edited for group in groups) or self._removed & set(_GROUPS):
            return self._frame_values_of_groups(tag, counts)
        column = self._source.core.frame_column(f"{tag >> 16:04X},{tag & 0xFFFF:04X}")
        if column is None or self._is_sequence(tag, column):  # what a sequence's column has is no value
            sequence = self._entry(tag)
            return [None] * sum(counts) if sequence is None else self._frame_values_of_groups(tag, counts)
        values = column.values()
        if self._whole:
            return values
        return [values[frame] for frame in self._frames()]

    def _frame_values_of_groups(self, tag: Tag, counts: Sequence[int]) -> List[Any]:
        key = tag.keyword or get_tag_key(tag)
        out: List[Any] = []
        plain, shared, per_frame = self.get_values(tag), *(self.get_values(group) for group in _GROUPS)
        for number, count in enumerate(counts):
            common = in_groups((shared[number] or [None])[0], key)
            own = per_frame[number] or []
            for frame in range(count):
                found = in_groups(own[frame], key) if frame < len(own) else NOWHERE
                found = common if found is NOWHERE else found
                out.append(own_copy(plain[number] if found is NOWHERE else found))
        return out

    def get_shared_value(self, tag: TagLike) -> Any:
        """The value that all slices share; ``None`` when the element is absent.

        Raises:
            MetaDataError (a ValueError): the slices differ.
        """
        entry = self._entry(tag)
        if entry is None or all(value is None for value in entry.values):
            return None
        if not entry.shared:
            raise MetaDataError(f"Tag {tag!r} is not shared: use get_values()", suggestion="")
        return own_copy(entry.values[0])

    def get(self, tag: TagLike, default: Any = None) -> Any:
        """The shared value, or the list of the slices' values where they differ; ``default`` when the element is absent.

        Raises:
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        entry = self._entry(tag)
        if entry is None or all(value is None for value in entry.values):
            return default
        return own_copy(entry.values[0]) if entry.shared else self.get_values(tag)

    def __getitem__(self, tag: TagLike) -> Any:
        """As :meth:`get`.

        Raises:
            NoSuchKeyError (a KeyError): no slice has the element.
        """
        if self._entry(tag) is None:
            raise NoSuchKeyError(f"no slice has {to_tag(tag)!r}")
        return self.get(tag)

    def __contains__(self, tag: TagLike) -> bool:
        return self._entry(tag) is not None

    def get_text(self, tag: TagLike, index: SupportsIndex = 0) -> Optional[str]:
        """The value of one slice as the text that stands in its file, several values separated by a backslash.

        ``None`` where the element is absent or binary; ``""`` where it is empty.

        Raises:
            NoSuchIndexError (an IndexError): no such slice.
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        tag = to_tag(tag)
        row = self._check_index(index)
        entry = self._entries.get(tag)
        if entry is not None and entry.edited:
            value = entry.values[row]
            if isinstance(value, bytes) or (isinstance(value, list) and any(isinstance(v, (dict, bytes)) for v in value)):
                return None
            return "" if value is None else "\\".join(str(part) for part in (value if isinstance(value, list) else [value]))
        column = self._column(tag)
        return None if column is None else column.text(self._rows[row])

    def is_shared(self, tag: TagLike) -> bool:
        """Whether all slices have the element with the same value.

        Raises:
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        entry = self._entry(tag)
        return entry is not None and entry.shared

    def is_missing(self, tag: TagLike) -> bool:
        """Whether no slice has a value for the element.

        Raises:
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        entry = self._entry(tag)
        return entry is None or all(value is None for value in entry.values)

    def get_vr(self, tag: TagLike) -> str:
        """The value representation, ``"CS"``; ``""`` when the element is absent.

        Raises:
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        entry = self._entry(tag)
        return "" if entry is None else entry.vr

    def _all_tags(self) -> List[Tag]:
        if self._tags is None:
            found = set()
            if self._source is not None:
                for path in self._source.core.paths():
                    found.add(to_tag(path.split(".", 1)[0]))
            self._tags = sorted(tag for tag in found if tag not in PIXELS and tag >> 16 != 2)
        edited = {tag for tag, entry in self._entries.items() if entry is not None and tag >> 16 != 2}
        tags = sorted((set(self._tags) | edited) - self._removed)
        if self._source is not None and len(self._rows) < self._source.core.instance_count:
            tags = [tag for tag in tags if self._entry(tag) is not None]
        return tags

    def keys(self) -> List[str]:
        """The tags of all elements of the data sets, as eight hexadecimal digits; without pixel data and group 0002."""
        return [get_tag_key(tag) for tag in self._all_tags()]

    def items(self) -> Iterator[Tuple[str, Dict[str, Any]]]:
        """(key, ``{"vr", "shared", "Value"}``) of all elements."""
        return ((get_tag_key(tag), self._json_item(tag)) for tag in self._all_tags())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._all_tags())

    # ----------------------------------------------------------------- editing

    def set_shared_item(self, tag: TagLike, value: Any) -> None:
        """Gives all slices the same value; ``None`` empties the element.

        A value that does not fit the element's VR or character set, or how many values an element of the geometry has, is found when it
        is saved.

        Args:
            tag: the element; of a VR as the source or the dictionary says. A private one that the source does not have, or has without
                a VR, becomes LO or UT for text, a sequence for dicts; else its value is bytes.
            value: as :meth:`get` gives it: a number, text, date or list of them; a list of dicts for a sequence.

        Raises:
            MetaDataError: pixel data, a group length, or what no data set holds (items, commands).
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        tag = to_tag(tag)
        _check_settable(tag)
        vr = self._vr_for(tag, [value])
        self._set(tag, vr, [as_given(value, vr)] * max(1, self.slice_count), True)

    def set_nonshared_item(self, tag: TagLike, values: Iterable[Any]) -> None:
        """Gives every slice its own value.

        Args:
            tag: the element.
            values: one per slice, each as for :meth:`set_shared_item`.

        Raises:
            MetaDataError, UsageError, ArgumentTypeError: as :meth:`set_shared_item`.
            DataConsistencyError (a ValueError): not one value per slice.
        """
        tag = to_tag(tag)
        _check_settable(tag)
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise ArgumentTypeError(f"values must be a list with one value per slice, not {type(values).__name__}")
        try:
            values = list(values)
        except TypeError:
            raise ArgumentTypeError("values must be a list with one value per slice, not a single one") from None
        vr = self._vr_for(tag, values)
        self._set(tag, vr, [as_given(value, vr) for value in values], False)

    def remove(self, tag: TagLike) -> None:
        """Takes the element out of all slices; nothing happens when none has it.

        Raises:
            MetaDataError: pixel data.
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        tag = to_tag(tag)
        _check_no_pixels(tag)
        self._entries[tag] = None
        self._removed.add(tag)

    def _vr_for(self, tag: Tag, values: Sequence[Any]) -> str:
        entry = self._entries.get(tag) or (self._read(tag) if tag not in self._entries else None)
        first = next((value for value in values if value is not None), None)
        return vr_of(tag, first, {tag: entry.vr if entry is not None else ""})

    def _set(self, tag: Tag, vr: str, values: List[Any], shared: bool) -> None:
        _check_no_pixels(tag)
        if not shared and len(values) != self.slice_count:
            raise DataConsistencyError(f"Number of values ({len(values)}) does not match number of datasets ({self.slice_count})")
        self._removed.discard(tag)
        shared_now = shared if shared or self.slice_count != 1 else True
        self._entries[tag] = _Entry(vr, values, shared_now, edited=True)

    def _edits(self) -> Dict[Tag, Optional[_Entry]]:
        """What differs from the source: new values, and None for removed elements."""
        edits: Dict[Tag, Optional[_Entry]] = {tag: None for tag in self._removed}
        for tag, entry in self._entries.items():
            if entry is not None and entry.edited:
                edits[tag] = entry
        return edits

    # ---------------------------------------------------------------- ordering

    def _get_projection_location(self) -> List[float]:
        return projection_locations(self)

    def sort_files(self, sort_method: SortMethod = SortMethod.INSTANCE_NUMBER_ASC) -> List[int]:
        """Puts the slices of this object in order (the pixels of an image are not moved).

        Returns:
            For each place, the number of the slice that stood elsewhere before.

        Raises:
            ArgumentTypeError (a TypeError): no member of :class:`SortMethod`.
            MetaDataError (a ValueError): positions are missing.
        """
        order = sorted_places(self, check_sort_method(sort_method))
        self._reorder(order)
        return order

    def _reorder(self, order: Sequence[int]) -> None:
        names = self.filenames
        if names is not None and len(names) == self.slice_count:
            self.filenames = [names[i] for i in order]
        self._rows = [self._rows[i] for i in order] if self._rows else []
        self._whole = self._whole and all(row == i for i, row in enumerate(self._rows))
        for tag, entry in self._entries.items():
            if entry is not None and not entry.shared:
                self._entries[tag] = entry.picked(order)

    def _check_index(self, index: SupportsIndex) -> int:
        return _arguments.index(index, "slice", self.slice_count)

    def index(self, index: SupportsIndex) -> "DicomMeta":
        """The metadata of one slice.

        Args:
            index: its number, from 0; negative ones count from the end.

        Raises:
            NoSuchIndexError (an IndexError): no such slice.
        """
        return self._subset([self._check_index(index)])

    def _subset(self, order: Sequence[int]) -> "DicomMeta":
        part = DicomMeta.__new__(DicomMeta)
        part._source = self._source
        part._rows = [self._rows[i] for i in order] if self._rows else []
        part._whole = False
        part._entries = {t: e.picked(order) for t, e in self._entries.items() if e is not None and e.edited}
        part._entries.update({tag: None for tag in self._removed})
        part._removed, part._tags = set(self._removed), self._tags
        part.slice_count = len(order)
        names = self.filenames
        part.filenames = [names[i] for i in order] if names is not None and len(names) == self.slice_count else names
        return part

    # ------------------------------------------------------------------- other

    def display(self, show_shared: bool = True, show_non_shared: bool = True) -> None:
        """Prints a table (tag, keyword, VR, kind, value) of the elements: shared ones with their value, the others with their first values."""
        rows = []
        for tag in self._all_tags():
            entry = self._entry(tag)
            if entry is None or not (show_shared if entry.shared else show_non_shared):
                continue
            kind = "shared" if entry.shared else "per slice"
            text = str(entry.values[0]) if entry.shared and entry.values else ", ".join(map(str, entry.values[:3])) + ", ..."
            rows.append((str(tag), tag.keyword or "?", entry.vr, kind, text if len(text) <= 60 else text[:57] + "..."))
        widths = [max([len(row[i]) for row in rows] + [0]) for i in range(4)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) + "  " + row[4])

    def __repr__(self) -> str:
        return f"<DicomMeta of {self.slice_count} slices, {len(self)} elements>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DicomMeta):
            return NotImplemented
        if self.slice_count != other.slice_count or self._all_tags() != other._all_tags():
            return False
        return all(self.get_values(tag) == other.get_values(tag) for tag in self._all_tags())

    __hash__: ClassVar[None]  # type: ignore[assignment]

    def __deepcopy__(self, memo: Dict[int, Any]) -> "DicomMeta":
        twin = DicomMeta.__new__(DicomMeta)
        twin.__dict__.update(self.__dict__)
        twin._rows, twin._removed = list(self._rows), set(self._removed)
        twin._entries = {
            tag: entry if entry is None else _Entry(entry.vr, copy.deepcopy(entry.values), entry.shared, entry.edited)
            for tag, entry in self._entries.items()
        }
        names = self.filenames
        twin.filenames = list(names) if names is not None else None
        return twin

    def __copy__(self) -> "DicomMeta":
        return self.__deepcopy__({})

    @property
    def _merged_data(self) -> "MergedView":
        return MergedView(self)


_parse_dicom_dir = read_dicom_dir
