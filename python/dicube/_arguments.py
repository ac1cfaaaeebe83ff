"""Arguments as the core takes them, with errors that name the one that is wrong and what was expected."""

from __future__ import annotations

import math
import os
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple

from .exceptions import UsageError


def path(value: Any, name: str) -> str:
    """A path as text.

    Raises:
        TypeError: no path.
        UsageError: one that no file can have.
    """
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"{name} must be a path, not {type(value).__name__}")
    text = os.fsdecode(value)
    if not text or "\0" in text:
        raise UsageError(f"{name} is {text!r}: no path")
    return text


def paths(values: Any, name: str) -> List[str]:
    """One path, or several.

    Raises:
        TypeError: neither.
        UsageError: none.
    """
    if isinstance(values, (str, bytes, os.PathLike)):
        return [path(values, name)]
    if not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a path or several, not {type(values).__name__}")
    several = [path(value, name) for value in values]
    if not several:
        raise UsageError(f"{name} is empty")
    return several


def texts(values: Any, name: str) -> List[str]:
    """Several texts.

    Raises:
        TypeError: something else.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of texts, not {type(values).__name__}")
    several = list(values)
    for value in several:
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a list of texts: it holds {value!r}")
    return several


def choice(value: Any, name: str, allowed: Sequence[str]) -> str:
    """One of several words.

    Raises:
        TypeError: no text.
        UsageError: another text.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, not {type(value).__name__}")
    if value not in allowed:
        raise UsageError(f"{name} must be {', '.join(map(repr, allowed[:-1]))} or {allowed[-1]!r}, not {value!r}")
    return value


def text(value: Any, name: str) -> str:
    """A text.

    Raises:
        TypeError: something else.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, not {type(value).__name__}")
    return value


def integer(value: Any, name: str) -> int:
    """An integer of any type.

    Raises:
        TypeError: something else.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    return int(value.__index__())


def loss(max_error: Any, ratio: Any) -> Tuple[int, float]:
    """The bound of a loss: (0, 0.0) without one.

    Raises:
        TypeError: no numbers.
        UsageError: numbers out of range, or both.
    """
    error = integer(max_error, "max_error")
    if not 0 <= error <= 65535:
        raise UsageError(f"max_error must be 0 to 65535, not {error}")
    if isinstance(ratio, (bool, str, bytes)) or not hasattr(ratio, "__float__"):
        raise TypeError(f"ratio must be a number, not {type(ratio).__name__}")
    factor = float(ratio)
    if not math.isfinite(factor) or not (factor == 0 or 1 < factor <= 10000):
        raise UsageError(f"ratio must be more than 1 and at most 10000, not {ratio}")
    if error and factor:
        raise UsageError("max_error and ratio: give one of them")
    return error, factor


def callback(value: Any, make: Callable[..., Any]) -> Optional[Callable[..., Any]]:
    """What the core calls with the plain values of a progress.

    Raises:
        TypeError: not to be called.
    """
    if value is None:
        return None
    if not callable(value):
        raise TypeError(f"progress must be a function, not {type(value).__name__}")
    return lambda *values: value(make(*values))
