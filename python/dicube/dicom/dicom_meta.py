"""The metadata of a series: one value for all slices, or one per slice."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Optional, Sequence, SupportsIndex, Tuple

from .. import _arguments
from .._warn import warn
from ..exceptions import ArgumentTypeError, MetaDataError, NoSuchKeyError
from ._elements import Elements, Entry, check_no_pixels, check_settable
from ._given import as_given
from ._merged import MergedView, check_merged, parse_json
from ._order import SortMethod, check_sort_method, projection_locations, sorted_places
from ._pydicom import columns_of, read_dicom_dir
from ._values import NOWHERE, all_equal, as_int, in_groups, is_flat, own_copies, own_copy
from .dicom_tags import Tag, TagLike, get_tag_key, to_tag

__all__ = ["DicomMeta", "SortMethod", "read_dicom_dir"]

_NUMBER_OF_FRAMES = to_tag("NumberOfFrames")
_SOP_INSTANCE_UID = to_tag("SOPInstanceUID")
#: The functional groups of enhanced multi-frame objects.
GROUPS = (to_tag("SharedFunctionalGroupsSequence"), to_tag("PerFrameFunctionalGroupsSequence"))


class DicomMeta(Elements):
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

    def __init__(self, merged_data: Optional[Dict[str, Dict[str, Any]]] = None, filenames: Optional[Sequence[str]] = None) -> None:
        names = None if filenames is None else _arguments.texts(filenames, "filenames")
        check_merged(merged_data)
        count = len(names) if names is not None else None
        for item in (merged_data or {}).values():
            if item.get("shared") is False and "Value" in item:
                count = len(item["Value"])
                break
        if count is None:
            warn("No filenames provided, defaulting to 1 dataset")
            count = 1
        self._begin(None, [], count, names)
        for key, item in (merged_data or {}).items():
            self._add_json(to_tag(key), item)

    # ------------------------------------------------------------------ making

    @classmethod
    def from_datasets(cls, datasets: Sequence[Any], filenames: Optional[Sequence[str]] = None) -> "DicomMeta":
        """From pydicom data sets; their values as plain Python."""
        meta = cls({}, filenames if filenames is not None else [f"slice_{i:04d}.dcm" for i in range(len(datasets))])
        meta.slice_count = len(datasets)
        for tag, (vr, values) in columns_of(datasets).items():
            meta._entries[tag] = Entry(vr, values, all_equal(values), edited=True)
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
        """All elements as JSON text; ``bytes`` in base64.

        Raises:
            MetaDataError: a value was set that is none of any element.
        """
        merged = {get_tag_key(tag): self._json_item(tag) for tag in self._all_tags()}
        try:
            return json.dumps({"_merged_data": merged, "slice_count": self.slice_count, "filenames": self.filenames})
        except TypeError as error:
            raise MetaDataError(f"no value of an element: {error}", context="DicomMeta.to_json", suggestion="") from None

    # ----------------------------------------------------------------- reading

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
        return own_copies(values)

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

    def _digests(self) -> List[str]:
        """Of each slice the SHA-256 of its file; none where there is no file, or it has got another SOP Instance UID."""
        uid = self._entries.get(_SOP_INSTANCE_UID)
        if self._source is None or (uid is not None and uid.edited):
            return []
        return [self._source.core.instance(row)[2] for row in self._rows]

    def _told(self, *wanted: str) -> List[List[int]]:
        """For each of these codes, the slices that have a finding with it in their archive."""
        found = (self._source.core.info()["findings"] if self._source is not None else None) or []
        rows = [{row for code, _, _, concerned in found if code == one for row in concerned} for one in wanted]
        return [[number for number, row in enumerate(self._rows) if row in of] for of in rows]

    def _says_image(self) -> List[bool]:
        """Of each slice, whether it says how large an image it is, and of what pixels (raw data of scanners have a size, too)."""
        rows, columns, samples, bits = map(self.get_values, ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"))
        return [None not in (r, c) and (s, b) != (None, None) for r, c, s, b in zip(rows, columns, samples, bits)]

    def get_frame_values(self, tag: TagLike) -> List[Any]:
        """One value per frame, in the order of the frames; ``None`` where the element is absent or empty.

        Of an enhanced multi-frame object what the frame's item of the per-frame functional groups says, in whichever group; else
        the shared functional groups; else the data set itself, as for all other objects, for each of its frames. Private sequences
        in the groups count for private elements alone. A value that was set by :meth:`set_shared_item` or
        :meth:`set_nonshared_item` stands for all frames of its slice, and is written into its functional groups where these have one.

            >>> meta.get_frame_values("ImagePositionPatient")   # doctest: +SKIP
            [[-120.0, -100.0, 4.5], [-120.0, -100.0, 6.0], ...]
        """
        tag = to_tag(tag)
        counts = self.frame_counts
        own = self._entries.get(tag)
        if (own is not None and own.edited) or tag in self._removed:
            return [own_copy(value) for value, count in zip(self.get_values(tag), counts) for _ in range(count)]
        groups = [self._entries.get(group) for group in GROUPS]
        if self._source is None or any(group is not None and group.edited for group in groups) or self._removed & set(GROUPS):
            return self._frame_values_of_groups(tag, counts)
        column = self._source.core.frame_column(f"{tag >> 16:04X},{tag & 0xFFFF:04X}")
        if column is None:
            return [None] * sum(counts)
        if self._is_sequence(tag, column):  # what a sequence's column has is no value
            return self._frame_values_of_groups(tag, counts)
        values = column.values()
        if self._whole:
            return values
        return [values[frame] for frame in self._frames()]

    def _frame_values_of_groups(self, tag: Tag, counts: Sequence[int]) -> List[Any]:
        plain = [value for value, count in zip(self.get_values(tag), counts) for _ in range(count)]
        found = self._values_in_groups(tag, counts)
        return [own_copy(own if value is NOWHERE else value) for own, value in zip(plain, found)]

    def _values_in_groups(self, tag: Tag, counts: Sequence[int]) -> List[Any]:
        """What the functional groups say of every frame; NOWHERE where they say nothing."""
        key = tag.keyword or get_tag_key(tag)
        out: List[Any] = []
        for count, shared, per_frame in zip(counts, *(self.get_values(group) for group in GROUPS)):
            common = in_groups((shared or [None])[0], key)
            found = [in_groups(item, key) for item in (per_frame or [])[:count]]
            out += [common if value is NOWHERE else value for value in found + [NOWHERE] * (count - len(found))]
        return out

    def _is_contradicted(self, tag: Tag) -> bool:
        """Whether functional groups say another thing of a frame than what an element was set to, or what is left where it was removed."""
        if tag in GROUPS or not self._may_stand_in_groups(tag):
            return False
        counts = self.frame_counts
        said = [value for value, count in zip(self.get_values(tag), counts) for _ in range(count)]
        return any(value is not NOWHERE and value != own for value, own in zip(self._values_in_groups(tag, counts), said))

    def _may_stand_in_groups(self, tag: Tag) -> bool:
        if self._source is None or set(GROUPS) & set(self._edits()):
            return True
        groups, name = [group.keyword for group in GROUPS], tag.keyword or f"{tag >> 16:04x},{tag & 0xFFFF:04x}"
        return any(path[0] in groups and name in path[1:] for path in (path.split(".") for path in self._source.core.paths()))

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
        is saved; one that is longer than its VR allows is saved with a warning.

        Args:
            tag: the element; of a VR as the source or the dictionary says. A private one that the source does not have, or has without
                a VR, becomes LO or UT for text, a sequence for dicts; else its value is bytes.
            value: as :meth:`get` gives it: a number, text, date or list of them; a list of dicts for a sequence. It is copied.
                pydicom's values are taken as well: data sets are items.

        Raises:
            MetaDataError: pixel data, a group length, what no data set holds (items, commands), or sequences that nest more than 64 deep.
            UsageError (a ValueError), ArgumentTypeError (a TypeError): no tag.
        """
        tag = to_tag(tag)
        check_settable(tag)
        vr = self._vr_for(tag, [value])
        self._set(tag, vr, [as_given(value, vr)] * max(1, self.slice_count), True)

    def set_nonshared_item(self, tag: TagLike, values: Iterable[Any]) -> None:
        """Gives every slice its own value.

        Args:
            tag: the element.
            values: one per slice, each as for :meth:`set_shared_item`; with ``None`` a slice that lacks the element stays without.

        Raises:
            MetaDataError, UsageError, ArgumentTypeError: as :meth:`set_shared_item`.
            DataConsistencyError (a ValueError): not one value per slice.
        """
        tag = to_tag(tag)
        check_settable(tag)
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
        check_no_pixels(tag)
        self._entries[tag] = None
        self._removed.add(tag)

    # ---------------------------------------------------------------- ordering

    def _get_projection_location(self) -> List[float]:
        return projection_locations(self)

    def sort_files(self, sort_method: SortMethod = SortMethod.INSTANCE_NUMBER_ASC) -> List[int]:
        """Puts the slices of this object in order. The pixels of an image are not moved: loaded ones keep their slices' factors and place.

        Returns:
            For each place, the number of the slice that stood elsewhere before.

        Raises:
            ArgumentTypeError (a TypeError): no member of :class:`SortMethod`.
            MetaDataError (a ValueError): positions are missing.
        """
        order = sorted_places(self, check_sort_method(sort_method))
        self._reorder(order)
        return order

    def index(self, index: SupportsIndex) -> "DicomMeta":
        """The metadata of one slice.

        Args:
            index: its number, from 0; negative ones count from the end.

        Raises:
            NoSuchIndexError (an IndexError): no such slice.
        """
        return self._subset([self._check_index(index)])

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

    @property
    def _merged_data(self) -> "MergedView":
        return MergedView(self)


_parse_dicom_dir = read_dicom_dir
