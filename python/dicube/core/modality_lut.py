"""The Modality LUT, which stands in place of rescale factors (PS3.3 C.11.1)."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np
from numpy.typing import NDArray

from ..exceptions import DataConsistencyError

__all__ = ["has_table", "looked_up"]


def has_table(lut: Dict[str, Any]) -> bool:
    """Whether an item of the Modality LUT Sequence says anything: some programs write an empty one into every file."""
    return lut.get("LUTDescriptor") is not None or lut.get("LUTData") is not None


def looked_up(stored: NDArray[Any], lut: Dict[str, Any], order: str) -> NDArray[Any]:
    """What the table of an item of the Modality LUT Sequence gives for stored values; its first or last for those outside.

    Args:
        order: of the bytes in a table of words, "<" or ">".

    Raises:
        DataConsistencyError: it has no such table.
    """
    descriptor, data = lut.get("LUTDescriptor"), lut.get("LUTData")
    if not isinstance(descriptor, list) or len(descriptor) != 3 or not all(isinstance(word, int) for word in descriptor):
        raise DataConsistencyError(f"a Modality LUT with the descriptor {descriptor!r:.60}", suggestion="")
    count, first = descriptor[0] & 0xFFFF or 0x10000, descriptor[1] & 0xFFFF
    if stored.dtype.kind == "i" and first > 0x7FFF:  # written as if it had no sign
        first -= 0x10000
    if isinstance(data, bytes):  # of 8 bits, an entry has a byte or a word
        data = np.frombuffer(data, "u1") if len(data) < 2 * count else np.frombuffer(data[: 2 * count], f"{order}u2")
    table = np.atleast_1d(np.asarray([] if data is None else data))
    if len(table) < count or table.dtype.kind not in "iu":
        raise DataConsistencyError(f"a Modality LUT of {len(table)} entries, where {count} are promised", suggestion="")
    return table[np.clip(stored.astype(np.int64) - first, 0, count - 1)]
