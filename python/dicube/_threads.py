"""How many threads decoding and packing use."""

from __future__ import annotations

import os

_threads = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 4)


def get_num_threads() -> int:
    """Threads that loading, saving and packing use (default: the processors this process may use, at most 8)."""
    return _threads


def set_num_threads(num_threads: int) -> None:
    """Sets how many threads loading, saving and packing use.

    Raises:
        ValueError: less than 1.
        TypeError: no integer.
    """
    global _threads
    if isinstance(num_threads, bool) or not hasattr(num_threads, "__index__"):
        raise TypeError(f"num_threads must be an int, not {type(num_threads).__name__}")
    if num_threads < 1:
        raise ValueError("Number of threads must be at least 1")
    _threads = int(num_threads)
