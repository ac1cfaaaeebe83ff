"""Archives in training programs. Other packages are imported when their function is called."""

from __future__ import annotations

import bisect
import copy
import functools
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, SupportsIndex, Tuple, Union

from numpy.typing import NDArray

from .. import _arguments
from .._source import Source, source_of
from ..archive import Archive
from ..exceptions import _needing

__all__ = ["ArchiveDataset", "torch_dataset", "monai_reader"]

PathLike = Union[str, "os.PathLike[str]"]


class ArchiveDataset:
    """All frames of some archives as one sequence of (frame, archive number, frame number).

    Opens an archive when one of its frames is asked for, in every worker process anew, and keeps the last 128 open; safe for threads.

    Args:
        paths: the archives.
        transform: applied to each frame.
        level: frames at 1/2**level of their size.

    Raises:
        CubeFileNotFoundError, InvalidCubeFileError: one of them is not there, or no archive.
        SourceChangedError (an OSError): when a frame is asked for, another archive has taken the place of one.
    """

    def __init__(
        self, paths: Sequence[PathLike], transform: Optional[Callable[[NDArray[Any]], Any]] = None, level: int = 0
    ) -> None:
        self.paths: List[str] = _arguments.paths(paths, "paths")
        self.transform: Optional[Callable[[NDArray[Any]], Any]] = transform
        self.level: int = _arguments.level(level)
        self._sources: List[Source] = []
        self._ends: List[int] = []
        total = 0
        for path in self.paths:
            source = source_of(path)
            total += source.core.frame_count
            source.rest()
            self._sources.append(source)
            self._ends.append(total)
        self._opened = _keeper(self._sources)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: SupportsIndex) -> Tuple[Any, int, int]:
        place = _arguments.index(index, "frame", len(self))
        number = bisect.bisect_right(self._ends, place)
        frame = place - (self._ends[number - 1] if number else 0)
        pixels = self.archive(number).frame(frame, self.level)
        return (self.transform(pixels) if self.transform else pixels), number, frame

    def archive(self, number: SupportsIndex) -> Archive:
        """One of the archives, open.

        Raises:
            NoSuchIndexError (an IndexError): no such archive.
        """
        return self._opened(_arguments.index(number, "archive", len(self.paths)))

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._opened = _keeper(self._sources)


def _keeper(sources: List[Source]) -> Callable[[int], Archive]:
    """Opens one of them; those opened last stay so, fewer than a process may have open files."""
    return functools.lru_cache(maxsize=128)(lambda number: Archive(copy.copy(sources[number])))


def torch_dataset(paths: Sequence[PathLike], transform: Optional[Callable[[Any], Any]] = None, level: int = 0) -> Any:
    """An :class:`ArchiveDataset` as a ``torch.utils.data.Dataset``: (tensor, archive number, frame number).

    Raises:
        MissingPackageError (an ImportError): torch is not installed.
    """
    with _needing("torch", "pip install torch"):
        from ._torch import TorchDataset
    return TorchDataset(paths, transform, level)


def monai_reader(**kwargs: Any) -> Any:
    """A MONAI ``ImageReader`` for ``LoadImage(reader=...)``: real-world values in (x, y, z) order with their affine.

    Raises:
        MissingPackageError (an ImportError): MONAI is not installed.
    """
    with _needing("MONAI", "pip install monai"):
        from ._monai import DicubeReader
    return DicubeReader(**kwargs)
