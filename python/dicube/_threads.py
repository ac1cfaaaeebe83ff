"""How many threads are used, and work in Python on as many."""

from __future__ import annotations

import _thread
import collections
import contextlib
import os
import queue
from typing import TYPE_CHECKING, Any, Callable, List, Sequence

from . import _arguments
from .exceptions import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST = 256
_BLOCK = 1 << 19  # bytes: what is gone over several times stays in the cache
_threads = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 4)


def get_num_threads() -> int:
    """Threads that loading, saving, packing and ``get_fdata`` use (default: the processors this process may use, at most 8)."""
    return _threads


def set_num_threads(num_threads: int) -> None:
    """Sets how many threads loading, saving, packing and ``get_fdata`` use; more than 256 count as 256.

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
    """Calls ``work`` with each item, on that many threads, this one among them; on fewer where the system has no more of them.

    What a call raises is raised, and no further item begun. Takes no lock, unlike ``threading`` and ``concurrent.futures``: a
    signal handler may call this where it interrupted this.
    """
    left = iter(items)
    errors: List[BaseException] = []
    ended: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run() -> None:
        try:
            for item in left:
                work(item)
        except BaseException as error:
            errors.append(error)
            collections.deque(left, maxlen=0)

    def help_out() -> None:
        run()
        ended.put(None)

    helpers = 0
    try:
        with contextlib.suppress(RuntimeError):  # no thread can be started
            while helpers < min(_threads, len(items) // 2) - 1:  # to start one takes as long as an item
                _thread.start_new_thread(help_out, ())
                helpers += 1
        run()
    finally:
        collections.deque(left, maxlen=0)
        for _ in range(helpers):
            ended.get()
    try:
        if errors:
            raise errors[0]
    finally:
        errors.clear()  # an error holds its frames, which hold them


def for_each_block(work: Callable[[slice], None], frames: NDArray[Any]) -> None:
    """Calls ``work`` as :func:`for_each` does, with the places of a few frames at once: as many as stay in the cache. There is one at least."""
    per_block = max(1, _BLOCK * len(frames) // frames.nbytes)
    for_each(lambda first: work(slice(first, first + per_block)), range(0, len(frames), per_block))
