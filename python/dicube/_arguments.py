"""Arguments as the core takes them, with errors that name the one that is wrong and what was expected."""

from __future__ import annotations

import math
import numbers
import operator
import os
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np

from .exceptions import ArgumentTypeError, NoSuchIndexError, UsageError


def path(value: Any, name: str) -> str:
    """A path as text.

    Raises:
        ArgumentTypeError: no path.
        UsageError: one that no file can have.
    """
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise ArgumentTypeError(f"{name} must be a path, not {type(value).__name__}")
    text = os.fsdecode(value)
    if not is_path(text):
        raise UsageError(f"{name} is {text!r}: no path")
    return text


def is_path(value: str) -> bool:
    """Whether a file can have this name: the system has bytes for it, without NUL."""
    try:
        return bool(value) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return False


def absolute(value: str) -> str:
    """The path from the root on. Behind a link to a folder ".." is somewhere else than ``os.path.abspath`` has it, and than tempfile does from
    Python 3.12 on: they take it off as text."""
    folder, name = os.path.split(value)
    return os.path.abspath(os.path.join(os.path.realpath(folder), name) if os.pardir in value.split(os.sep) else value)


def _several(values: Any, name: str, expected: str) -> List[Any]:
    try:
        return list(values)
    except TypeError:
        raise ArgumentTypeError(f"{name} must be {expected}, not {type(values).__name__}") from None


def paths(values: Any, name: str) -> List[str]:
    """One path, or several.

    Raises:
        ArgumentTypeError: neither.
        UsageError: none.
    """
    if isinstance(values, (str, bytes, os.PathLike)):
        return [path(values, name)]
    several = [path(value, name) for value in _several(values, name, "a path or several")]
    if not several:
        raise UsageError(f"{name} is empty")
    return several


def texts(values: Any, name: str) -> List[str]:
    """Several texts.

    Raises:
        ArgumentTypeError: something else.
    """
    several = _several(None if isinstance(values, (str, bytes)) else values, name, "a list of texts")
    for value in several:
        if not isinstance(value, str):
            raise ArgumentTypeError(f"{name} must be a list of texts: it holds {value!r}")
    return several


def choice(value: Any, name: str, allowed: Sequence[str]) -> str:
    """One of several words.

    Raises:
        ArgumentTypeError: no text.
        UsageError: another text.
    """
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be a text, not {type(value).__name__}")
    if value not in allowed:
        raise UsageError(f"{name} must be {', '.join(map(repr, allowed[:-1]))} or {allowed[-1]!r}, not {value!r}")
    return value


def text(value: Any, name: str) -> str:
    """A text.

    Raises:
        ArgumentTypeError: something else.
    """
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be a text, not {type(value).__name__}")
    if not is_encodable(value):
        raise UsageError(f"{name} is {value!r}: no text")
    return value


def is_encodable(value: str) -> bool:
    """Whether UTF-8 has bytes for it: no lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def integer(value: Any, name: str) -> int:
    """An integer of any type.

    Raises:
        ArgumentTypeError: something else.
    """
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise ArgumentTypeError(f"{name} must be an integer, not {type(value).__name__}") from None


def index(value: Any, name: str, count: int) -> int:
    """The place of something in a list of ``count``; negative ones from the end.

    Raises:
        ArgumentTypeError: no integer.
        NoSuchIndexError: beyond either end.
    """
    number = integer(value, name)
    if not -count <= number < count:
        raise NoSuchIndexError(f"{name} {number} of {count}")
    return number % count


def level(value: Any) -> int:
    """How often a frame is halved.

    Raises:
        ArgumentTypeError: no integer.
        UsageError: below 0 or above 31.
    """
    number = integer(value, "level")
    if not 0 <= number <= 31:
        raise UsageError(f"level must be 0 to 31, not {number}")
    return number


def flag(value: Any, name: str) -> bool:
    """Yes or no.

    Raises:
        ArgumentTypeError: something else.
    """
    if not isinstance(value, (bool, np.bool_, int)):
        raise ArgumentTypeError(f"{name} must be True or False, not {type(value).__name__}")
    return bool(value)


def loss(max_error: Any, ratio: Any) -> Tuple[int, float]:
    """The bound of a loss: (0, 0.0) without one.

    Raises:
        ArgumentTypeError: no numbers.
        UsageError: numbers out of range, or both.
    """
    error = integer(max_error, "max_error")
    if not 0 <= error <= 65535:
        raise UsageError(f"max_error must be 0 to 65535, not {error}")
    if isinstance(ratio, bool) or not isinstance(ratio, numbers.Real):
        raise ArgumentTypeError(f"ratio must be a number, not {type(ratio).__name__}")
    bounded: Any = min(max(ratio, -1), 100000)  # an int may be beyond a float's range
    factor = float(bounded)
    if not math.isfinite(factor) or not (factor == 0 or 1 < factor <= 10000):
        raise UsageError(f"ratio must be more than 1 and at most 10000, not {ratio}")
    if error and factor:
        raise UsageError("max_error and ratio: give one of them")
    return error, factor


def callback(value: Any, make: Callable[..., Any]) -> Optional[Callable[..., Any]]:
    """What the core calls with the plain values of a progress.

    Raises:
        ArgumentTypeError: not to be called.
    """
    if value is None:
        return None
    if not callable(value):
        raise ArgumentTypeError(f"progress must be a function, not {type(value).__name__}")
    return lambda *values: value(make(*values))
