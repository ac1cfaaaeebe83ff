"""Texts in several character sets, with the escape sequences of ISO 2022 between them (PS3.3 C.12.1.1.2, PS3.5 6.1.2.5)."""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Sequence


class _Set(NamedTuple):
    """Characters in place of ASCII's bytes, or of the upper half's, 0x80 to 0xFF."""

    escape: bytes
    codec: str  # which has them in the upper half
    size: int = 1  # bytes of a character
    is_upper: bool = True
    prefix: bytes = b""  # that the codec puts before each


_ASCII, _ROMAN = _Set(b"\x1b(B", "ascii", is_upper=False), _Set(b"\x1b(J", "ascii", is_upper=False)
_LATIN = {100: ("A", 1), 101: ("B", 2), 109: ("C", 3), 110: ("D", 4), 144: ("L", 5), 127: ("G", 6), 126: ("F", 7), 138: ("H", 8), 148: ("M", 9),
          203: ("b", 15), 166: ("T", 11)}  # fmt: skip
_SETS: Dict[str, _Set] = {
    "ISO_IR 13": _Set(b"\x1b)I", "shift_jis"),
    "ISO_IR 87": _Set(b"\x1b$B", "euc_jp", 2, False),
    "ISO_IR 159": _Set(b"\x1b$(D", "euc_jp", 2, False, b"\x8f"),
    "ISO_IR 149": _Set(b"\x1b$)C", "euc_kr", 2),
    "ISO_IR 58": _Set(b"\x1b$)A", "gb2312", 2),
    **{f"ISO_IR {number}": _Set(b"\x1b-" + letter.encode(), f"iso8859-{part}") for number, (letter, part) in _LATIN.items()},
}


def _bytes_of(character: str, known: _Set) -> bytes:
    """The character in this set; empty where it has none."""
    data = character.encode(known.codec, "ignore")
    if not data.startswith(known.prefix) or len(data) != len(known.prefix) + known.size or data[0] < 0x80:
        return b""
    return bytes(byte if known.is_upper else byte & 0x7F for byte in data[len(known.prefix) :])


def encode(text: str, names: Sequence[str], delimiters: str) -> bytes:
    """The bytes of a text.

    Args:
        names: SpecificCharacterSet, with "ISO_IR" for "ISO 2022 IR".
        delimiters: at these, and at control characters, the text is back in the first set.

    Raises:
        UnicodeEncodeError: a character is in none of the sets.
    """
    sets = [_SETS[name] for name in names if name in _SETS]
    lower = first = _ROMAN if names[0] == "ISO_IR 13" else _ASCII
    upper = begun = sets[0] if names[0] in _SETS and sets[0].is_upper and sets[0].size == 1 else None
    out = b""
    for place, character in enumerate(text):
        data, wanted = character.encode(errors="ignore"), first
        if not character.isascii():
            data, wanted = next(((found, known) for known in sets if (found := _bytes_of(character, known))), (b"", first))
        if not data:
            raise UnicodeEncodeError(",".join(names), text, place, place + 1, "in none of these character sets")
        if character in delimiters or character < " ":
            out, upper = out + _back(upper, begun), begun
        if wanted not in (lower, upper):
            out += wanted.escape
            lower, upper = (lower, wanted) if wanted.is_upper else (wanted, upper)
        out += data
    return out + _back(lower, first) + _back(upper, begun)


def _back(now: Optional[_Set], begun: Optional[_Set]) -> bytes:
    """What leads back to the set of the beginning; to none, nothing."""
    return b"" if begun is None or now == begun else begun.escape
