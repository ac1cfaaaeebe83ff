"""Real-world values: stored ones with rescale factors, or a Modality LUT in their place (PS3.3 C.11.1)."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from .. import _threads
from ..archive import empty
from ..dicom._values import Item
from ..dicom.dicom_tags import to_tag
from ..exceptions import DataConsistencyError

__all__ = ["looked_up", "new_item", "real_values", "table_in"]


def real_values(
    stored: NDArray[Any],
    dtype: np.dtype[Any],
    slopes: NDArray[Any],
    intercepts: NDArray[Any],
    luts: Sequence[Any],
) -> NDArray[Any]:
    """Stored value x slope + intercept, or what a table has for it, as ``dtype``; worked out in no less than float32, of stored values
    of 32 bits or more in float64.

    Args:
        stored: values of frames.
        slopes, intercepts: one, or one per frame in a shape that multiplies ``stored``.
        luts: per frame the arguments of :func:`looked_up`, or None; [] where no frame has a table.

    Raises:
        DataConsistencyError: no such table.
    """
    out = empty(stored.shape, dtype)
    work = np.dtype("f8") if stored.dtype.itemsize >= 4 else np.result_type(dtype, "f4")
    slopes, intercepts = slopes.astype(work), intercepts.astype(work)
    is_scaled, is_moved = np.any(slopes != 1), np.any(intercepts != 0)
    on_error: Any = {"call": np.geterrcall(), **np.geterr()}  # the caller's, which other threads do not have

    def fill(block: slice) -> None:
        used = stored[block]
        values = out[block] if work == dtype else np.empty(used.shape, work)
        with np.errstate(**on_error):
            np.copyto(values, used, casting="unsafe")
            if is_scaled:
                values *= slopes[block] if slopes.ndim else slopes
            if is_moved:
                values += intercepts[block] if intercepts.ndim else intercepts
            for to, frame, lut in zip(values, used, luts[block]):
                if lut is not None:
                    to[...] = looked_up(frame, *lut)
            if work != dtype:
                out[block] = values

    _threads.for_each_block(fill, stored)
    return out


def table_in(items: Any) -> Optional[Dict[str, Any]]:
    """The item of a Modality LUT Sequence, where it says anything: some programs write an empty one into every file.

    Raises:
        DataConsistencyError: no items.
    """
    if items is None or items == []:
        return None
    lut = items[0] if isinstance(items, list) else None
    if not isinstance(lut, dict):
        raise DataConsistencyError(f"a Modality LUT Sequence of {items!r:.60}", suggestion="")
    return lut if lut.get("LUTDescriptor") is not None or lut.get("LUTData") is not None else None


def looked_up(stored: NDArray[Any], lut: Dict[str, Any], order: str) -> NDArray[Any]:
    """What the table of an item of the Modality LUT Sequence gives for stored values; its first or last for those outside.

    Args:
        order: of the bytes in a table of words, "<" or ">".

    Raises:
        DataConsistencyError: it has no such table.
    """
    first, table = _table(lut, order)
    if stored.dtype.kind == "i" and first > 0x7FFF:  # written as if it had no sign
        first -= 0x10000
    return table[np.clip(stored.astype(np.int64) - first, 0, len(table) - 1)]


def new_item(lut: Dict[str, Any], order: str, is_signed: bool) -> Item:
    """The item of a Modality LUT Sequence for files in little endian whose stored values have a sign, or not.

    Raises:
        DataConsistencyError: it has no such table.
    """
    first, table = _table(lut, order)
    descriptor = [len(table) & 0xFFFF, first, lut["LUTDescriptor"][2]]
    values = {**lut, "LUTDescriptor": np.array(descriptor, "u2").astype("i2" if is_signed else "u2").tolist(), "LUTData": table.astype("<u2").tobytes()}
    return Item(values, {to_tag("LUTDescriptor"): "SS" if is_signed else "US", to_tag("LUTData"): "OW"})


def _table(lut: Dict[str, Any], order: str) -> Tuple[int, NDArray[Any]]:
    """The first stored value that is mapped, as a word without sign, and the entries.

    Raises:
        DataConsistencyError: it has no such table.
    """
    descriptor, data = lut.get("LUTDescriptor"), lut.get("LUTData")
    if not isinstance(descriptor, list) or len(descriptor) != 3 or not all(isinstance(word, int) for word in descriptor):
        raise DataConsistencyError(f"a Modality LUT with the descriptor {descriptor!r:.60}", suggestion="")
    count = descriptor[0] & 0xFFFF or 0x10000
    if isinstance(data, list) and descriptor[2] == 8 and len(data) < count <= 2 * len(data):  # bytes, which implicit VR calls words
        data = np.array(data, f"{order}u2").tobytes()
    if isinstance(data, bytes):  # of 8 bits, an entry has a byte or a word
        data = np.frombuffer(data, "u1") if len(data) < 2 * count else np.frombuffer(data[: 2 * count], f"{order}u2")
    table = np.atleast_1d(np.asarray([] if data is None else data))
    if len(table) < count or table.dtype.kind not in "iu":
        raise DataConsistencyError(f"a Modality LUT of {len(table)} entries, where {count} are promised", suggestion="")
    return descriptor[1] & 0xFFFF, table[:count]
