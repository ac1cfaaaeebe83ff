"""Reading one archive piece by piece."""

from __future__ import annotations

import contextlib
import math
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, SupportsIndex, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from . import _arguments, _core, _threads
from ._source import Source, source_of
from .dicom.dicom_meta import DicomMeta
from .exceptions import ArgumentTypeError, DataConsistencyError, NoSuchIndexError, NoSuchKeyError, UsageError
from .quality import QualityFinding

__all__ = ["Archive", "File"]

_LARGE, _LARGEST = 1 << 20, 1 << 30  # bytes


class File(NamedTuple):
    """One original file in an archive."""

    name: str
    size: int  # bytes
    sha256: str
    first_frame: int
    frames: int
    is_folder: bool


def dtype_of(pixel_format: Tuple[Any, ...]) -> np.dtype[Any]:
    """The NumPy type of frames of this format (1-bit values come as uint8, 0 and 1)."""
    bits, is_signed, is_float = pixel_format[3], pixel_format[6], pixel_format[7]
    if is_float:
        return np.dtype("<f8" if bits == 64 else "<f4")
    size = 1 if bits <= 8 else bits // 8
    return np.dtype(f"<{'i' if is_signed and bits > 1 else 'u'}{size}") if size > 1 else np.dtype("i1" if is_signed and bits > 1 else "u1")


def frame_shape(pixel_format: Tuple[Any, ...]) -> Tuple[int, ...]:
    """(rows, columns), and the samples of a pixel where there are several."""
    rows, columns, samples = pixel_format[:3]
    return (rows, columns) if samples == 1 else (rows, columns, samples)


#: Lossy transfer syntaxes (PS3.5 A.4): their decoders give values, in which no other bits stand.
LOSSY = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 81, 91, 93, 112, 203)}


def value_range(pixel_format: Tuple[Any, ...]) -> Tuple[int, int]:
    """The least and the largest value that Bits Stored hold."""
    stored, is_signed = pixel_format[4], pixel_format[6]
    return (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if is_signed else (0, (1 << stored) - 1)


def empty(shape: Tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """``numpy.empty``, but large arrays are made from the memory of the last one that was freed; none of those beyond is kept."""
    size = math.prod(shape) * dtype.itemsize
    if _LARGE <= size <= _LARGEST:
        return _core.allocate(size).view(dtype).reshape(shape)
    return np.empty(shape, dtype)


def read_frames(source: Source, frames: Sequence[int]) -> NDArray[Any]:
    """Frames of one size and type, stacked: decoded in parallel straight into the array, the GIL released."""
    core = source.core
    pixel_format = core.pixel_format(frames[0])
    out = empty((len(frames),) + frame_shape(pixel_format), dtype_of(pixel_format))
    core.read_frames(list(frames), out.reshape(-1).view(np.uint8), _threads.get_num_threads())
    return out


@contextlib.contextmanager
def _index_errors() -> Iterator[None]:
    """NumPy's and Python's errors of an index as the package's."""
    try:
        yield
    except IndexError as error:
        raise NoSuchIndexError(str(error)) from None
    except TypeError as error:
        raise ArgumentTypeError(f"no index: {error}") from None
    except ValueError as error:  # a step of 0
        raise UsageError(f"no index: {error}") from None


class Archive:
    """An open archive, read lazily: the index when it is opened, everything else when it is asked for.

    A sequence of frames: ``a[i]`` is one, ``a[10:20]`` a stack, ``np.asarray(a)`` all of them. Values are the stored ones, in
    their own type; colour frames have a third axis of samples. May be used by several threads, after ``fork`` and, pickled, in
    other processes, where it is opened again.

    Args:
        source: a path, the bytes of an archive, or a binary file. Of one that can seek (an object in a store, as ``fsspec`` opens
            it) no more is read than is asked for, from where it stands; it must stay open meanwhile.

    Raises:
        InvalidCubeFileError: no archive, or a damaged one.
        FileNotFoundError: no such file.
    """

    def __init__(self, source: Any) -> None:
        self._source = source_of(source, in_parts=True)
        self._meta: Optional[DicomMeta] = None
        self._uniform: Optional[bool] = None
        self._source.core  # opens

    # --------------------------------------------------------------- what it is

    @property
    def name(self) -> str:
        """Its path, or what stands in for it."""
        return self._source.name

    @property
    def info(self) -> Dict[str, Any]:
        """Format version, sizes in bytes, counts, the codecs with their numbers of frames, and :attr:`findings`."""
        return {**self._source.core.info(), "findings": self.findings}

    @property
    def findings(self) -> Optional[List[QualityFinding]]:
        """What was irregular in the series when it was packed, as the archive says; None when it does not say.

        The slices are numbers of :attr:`files`. :func:`dicube.check` looks anew.
        """
        found = self._source.core.info()["findings"]
        return None if found is None else [QualityFinding(*finding) for finding in found]

    @property
    def meta(self) -> DicomMeta:
        """The metadata, read one element at a time as it is asked for."""
        if self._meta is None:
            self._meta = DicomMeta._of(self._source)
        return self._meta

    @property
    def files(self) -> List[File]:
        """The original files, in order."""
        core = self._source.core
        return [File(*core.instance(i)) for i in range(core.instance_count)]

    def __len__(self) -> int:
        """The number of frames."""
        return self._source.core.frame_count

    @property
    def shape(self) -> Tuple[int, ...]:
        """(frames, rows, columns), and samples of colour frames.

        Raises:
            DataConsistencyError: the frames differ in size or type.
        """
        return (len(self),) + frame_shape(self._one_format())

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the stored values.

        Raises:
            DataConsistencyError: the frames differ in size or type.
        """
        return dtype_of(self._one_format())

    @property
    def ndim(self) -> int:
        """3, or 4 for colour.

        Raises:
            DataConsistencyError: the frames differ in size or type.
        """
        return len(self.shape)

    def _one_format(self) -> Tuple[Any, ...]:
        core = self._source.core
        if core.frame_count == 0:
            raise DataConsistencyError("the archive has no frames", context=self.name, suggestion="")
        if self._uniform is None:
            self._uniform = core.is_uniform()
        if not self._uniform:
            raise DataConsistencyError(
                "the frames differ in size or type", context=self.name, suggestion="read them one by one: archive[i]"
            )
        return core.pixel_format(0)

    def codec(self, frame: SupportsIndex) -> str:
        """How a frame is stored: ``"htj2k"``, ``"lane"``, ``"zstd"``, ``"stored"``, or the transfer syntax of its source.

        Raises:
            NoSuchIndexError (an IndexError): no such frame.
        """
        return self._source.core.codec(self._frame(frame))

    # -------------------------------------------------------------- what it holds

    def _frame(self, frame: Any) -> int:
        return _arguments.index(frame, "frame", len(self))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """One frame, a stack of them, or, with more indices, a part of either: what NumPy gives for the array of all frames.

        Only the frames that the first index names are read; all of them where that is ``...``.

        Args:
            key: integers, slices, lists and arrays of integers, masks, ``None``, ``...``, and tuples of them.

        Raises:
            NoSuchIndexError (an IndexError): no such frame, or no such place in it.
            ArgumentTypeError (a TypeError): no index.
            ClosedError (a ValueError): the archive was closed.
            CodecError, InvalidCubeFileError: a frame is damaged.
            DataConsistencyError: the frames of a stack differ in size or type.
        """
        count = len(self)
        parts = key if isinstance(key, tuple) else (key,)
        place = next((i for i, part in enumerate(parts) if part is not None), -1)
        if place < 0 or parts[place] is Ellipsis:
            stack = np.asarray(self)
        else:
            frames, index = self._frames_of(parts[place], count)
            if len(parts) == 1 and isinstance(index, int):
                return self.frame(frames[0])
            stack = self._stack(frames)
            if len(parts) == 1 and (isinstance(index, slice) or np.array_equal(index, range(len(frames)))):
                return stack
            parts = parts[:place] + (index,) + parts[place + 1 :]
        with _index_errors():
            return stack[parts]

    def _frames_of(self, part: Any, count: int) -> Tuple[Sequence[int], Union[int, slice, NDArray[Any]]]:
        """The frames that an index names, and the index that names the same in a stack of these."""
        with _index_errors():
            if isinstance(part, slice):
                return range(*part.indices(count)), slice(None)
            places = np.asarray(part)
        if places.ndim == 0:
            return [self._frame(part)], 0
        if places.dtype == bool:
            if len(places) != count:
                raise NoSuchIndexError(f"a mask of {len(places)} frames, and there are {count}")
            chosen = np.flatnonzero(places.any(axis=tuple(range(1, places.ndim))))
            return chosen.tolist(), places[chosen] if places.ndim > 1 else np.arange(len(chosen))
        if places.size == 0 and not isinstance(part, np.ndarray):
            places = places.astype(np.intp)
        if places.dtype.kind not in "iu":
            raise ArgumentTypeError(f"frames are named by integers, not {places.dtype}")
        for end in (places.min(), places.max()) if places.size else ():
            self._frame(end)
        numbers, inverse = np.unique(places.astype(np.int64) % max(count, 1), return_inverse=True)
        return numbers.tolist(), inverse.reshape(places.shape)

    def _stack(self, frames: Sequence[int]) -> NDArray[Any]:
        if len(frames) == 0:
            return np.empty((0,) + self.shape[1:], self.dtype)
        core = self._source.core
        wanted = core.pixel_format(frames[0])
        for frame in frames:
            if core.pixel_format(frame) != wanted:
                raise DataConsistencyError(
                    f"frames {frames[0]} and {frame} differ in size or type", context=self.name, suggestion="read them one by one"
                )
        return read_frames(self._source, frames)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self.frame(i) for i in range(len(self)))

    def frame(self, frame: SupportsIndex, level: SupportsIndex = 0) -> NDArray[Any]:
        """One frame at 1/2**level of its size (rows and columns rounded up); reads no more of the file than that takes, where
        the codec has levels: means of values. Of other codecs, and of words with bits outside Bits Stored, every 2**level-th value.

        Args:
            frame: its number, from 0; negative ones count from the end.
            level: 0 to 31.

        Returns:
            Stored values: (rows, columns), and samples of colour frames; the type of the source.

        Raises:
            NoSuchIndexError (an IndexError): no such frame.
            UsageError (a ValueError): level below 0 or above 31.
            ArgumentTypeError (a TypeError): no integers.
            CodecError, InvalidCubeFileError: the frame is damaged.
        """
        level = _arguments.level(level)
        number, core = self._frame(frame), self._source.core
        pixel_format = core.pixel_format(number, level)
        out = np.empty(frame_shape(pixel_format), dtype_of(pixel_format))
        core.read_reduced(number, level, out.reshape(-1).view(np.uint8))
        return out

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> NDArray[Any]:
        if copy is False:
            raise UsageError("the frames are decoded into a new array: copy=False is impossible")
        self._one_format()
        pixels = read_frames(self._source, range(len(self)))
        return pixels if dtype is None else pixels.astype(dtype, copy=False)

    def read_file(self, file: Union[SupportsIndex, str]) -> bytes:
        """An original file, byte for byte, proven by its SHA-256.

        Args:
            file: its number, or its name.

        Raises:
            NoSuchIndexError (an IndexError), NoSuchKeyError (a KeyError): no such file.
            InvalidCubeFileError: what is needed for it is damaged.
        """
        core = self._source.core
        if isinstance(file, str):
            names = core.instance_names()
            if file not in names:
                raise NoSuchKeyError(f"no file {file!r}", context=self.name)
            return core.read_instance(names.index(file))
        return core.read_instance(_arguments.index(file, "file", core.instance_count))

    # ------------------------------------------------------------------- life

    def close(self) -> None:
        """Lets go of the file; reading fails from then on."""
        self._source.close()

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __getstate__(self) -> Dict[str, Any]:
        return {"_source": self._source, "_meta": None, "_uniform": None}

    def __repr__(self) -> str:
        if self._source.closed:
            return f"<dicube.Archive {self.name}, closed>"
        core = self._source.core
        return f"<dicube.Archive {self.name}: {core.instance_count} files, {core.frame_count} frames>"
