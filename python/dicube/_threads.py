"""How many threads decoding and packing use."""

from __future__ import annotations

import collections
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Sequence

from . import _arguments
from .exceptions import UsageError

_MOST = 256
_threads = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 4)


def get_num_threads() -> int:
    """Threads that loading, saving and packing use (default: the processors this process may use, at most 8)."""
    return _threads


def set_num_threads(num_threads: int) -> None:
    """Sets how many threads loading, saving and packing use; more than 256 count as 256.

    Raises:
        UsageError (a ValueError): less than 1.
        ArgumentTypeError (a TypeError): no integer.
    """
    global _threads
    number = _arguments.integer(num_threads, "num_threads")
    if number < 1:
        raise UsageError("Number of threads must be at least 1")
    _threads = min(number, _MOST)


def for_each(work: Callable[[int], None], items: Sequence[int]) -> None:
    """Calls ``work`` with each item, on that many threads; on this one alone where the system has no more of them."""
    threads = min(_threads, len(items) // 2)  # to start one takes as long as an item
    if threads > 1:
        try:
            with ThreadPoolExecutor(threads) as pool:
                collections.deque(pool.map(work, items), maxlen=0)
            return
        except RuntimeError:  # no thread can be started
            pass
    for item in items:
        work(item)
