"""What an archive is read from: a path, bytes, or a folder's files gathered; opened again after fork and pickling."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from . import _arguments, _core, _threads
from .exceptions import (
    ArgumentTypeError,
    ClosedError,
    CubeIOError,
    CubeIsADirectoryError,
    DicomCubeError,
    InvalidCubeFileError,
    SourceChangedError,
    UsageError,
    _not_found,
)

State = Tuple[int, int]  # of a file: its size, and when it was written

_forks = 0


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class Parts:
    """Reads parts of an open file that can seek, from where it stands when this is made; leaves it there. Safe for threads, and files
    of the system for forked processes, which share their position."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._start = file.tell()
        self.size = file.seek(0, os.SEEK_END) - self._start
        file.seek(self._start)
        self._is_shared = hasattr(os, "pread") and _is_of_system(file)
        self._lock, self._forks = threading.Lock(), _forks

    def __call__(self, offset: int, size: int) -> bytes:
        if self._is_shared:
            return self._read(lambda done, left: os.pread(self._file.fileno(), left, self._start + offset + done), size)
        if self._forks != _forks:  # a thread that is not here may have held it
            self._lock, self._forks = threading.Lock(), _forks
        with self._lock:
            self._file.seek(self._start + offset)
            try:
                return self._read(lambda done, left: self._file.read(left), size)
            finally:
                self._file.seek(self._start)

    @staticmethod
    def _read(part_of: Callable[[int, int], bytes], size: int) -> bytes:
        """Bytes in as many parts as they come in; fewer where there are no more."""
        parts, done = [], 0
        while done < size:
            part = part_of(done, size - done)
            if not part:
                break
            parts.append(part)
            done += len(part)
        return b"".join(parts)


def _is_of_system(file: Any) -> bool:
    """Whether its bytes are those of a file of the system, not what something makes of them."""
    return type(file.raw if type(file) is io.BufferedReader else file) is io.FileIO


class Source:
    """Opens its archive when it is first needed, and the same one again in a forked or unpickled copy. Safe for threads."""

    def __init__(self, path: Optional[str] = None, data: Optional[bytes] = None, name: str = "<bytes>", parts: Optional[Parts] = None) -> None:
        self.path = path
        self.name: str = path if path is not None else name
        self._place = _arguments.absolute(path) if path is not None else ""  # wherever the program goes
        self._data, self._parts = data, parts
        self._core: Optional[_core.Archive] = None
        self._checksum: Optional[int] = None  # of the archive that the path named when it was first opened
        self._forks = _forks
        self._lock = threading.Lock()
        self.closed: bool = False

    @property
    def core(self) -> _core.Archive:
        core = self._core
        if core is not None and self._forks == _forks:
            return core
        return self._open()

    def _open(self) -> _core.Archive:
        if self._forks != _forks:
            self._lock, self._core = threading.Lock(), self._for_fork(self._core)
            self._forks = _forks
        with self._lock:
            if self.closed:
                raise ClosedError(f"{self.name}: the archive is closed")
            if self._core is None:
                self._core = self._make()
            return self._core

    def _for_fork(self, core: Optional[_core.Archive]) -> Optional[_core.Archive]:
        """The archive opened anew, since its locks may have been held by a thread that is not here; or, where its name is gone or another's
        by now, the one whose descriptor came along."""
        if core is None or self.path is None:
            return core
        try:
            return self._make()
        except DicomCubeError:
            return core

    def _make(self) -> _core.Archive:
        if self.path is not None:
            core = _core.Archive.open(self.path if self._checksum is None else self._place)
            if self._checksum is None:
                self._checksum = core.checksum
            elif self._checksum != core.checksum:
                raise SourceChangedError("is another archive than the one that was opened here before", context=self.path)
            return core
        if self._parts is not None:
            return _core.Archive.from_reader(self._parts.size, self._parts, self.name)
        assert self._data is not None
        return _core.Archive.from_bytes(self._data, self.name)

    def rest(self) -> None:
        """Lets go of the file until it is needed."""
        self._core = None

    def close(self) -> None:
        self.closed = True
        self._core = None

    def __getstate__(self) -> Dict[str, Any]:
        data = self._data
        if self.path is None and data is None:
            data = _core.archive_bytes(self.core)
        path = self._place if self.path is not None else None
        return {"path": path, "name": self.name, "data": data, "closed": self.closed, "checksum": self._checksum}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__init__(state["path"], state["data"])  # type: ignore[misc]
        self.name, self.closed, self._checksum = state["name"], state["closed"], state["checksum"]

    def files(self) -> Optional[List[Tuple[str, Optional[State]]]]:
        """The files this was gathered from, as they were then; None for an archive."""
        return None


def state_of(path: str) -> Optional[State]:
    """None where the system does not tell: the file is gone, or its path longer than it takes in one call."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


class Gathered(Source):
    """The DICOM files of one series, read into an archive without a name."""

    def __init__(self, folder: str, files: Sequence[Tuple[str, str]]) -> None:
        super().__init__(name=folder)
        self._files = [(path, state_of(path)) for path, _ in files]
        paths, names = [f[0] for f in files], [f[1] for f in files]
        self._core = _core.gather(paths, names, folder, tempfile.gettempdir(), _threads.get_num_threads())

    def _open(self) -> _core.Archive:
        if self.closed:
            raise ClosedError(f"{self.name}: the archive is closed")
        self._forks = _forks  # nothing to open again: it has no name
        assert self._core is not None
        return self._core

    def files(self) -> Optional[List[Tuple[str, Optional[State]]]]:
        return self._files

    def __reduce__(self):
        return Source, (None, _core.archive_bytes(self.core), self.name)


def source_of(source: Any, context: str = "open operation", in_parts: bool = False) -> Source:
    """A :class:`Source` for a path, bytes, or an object with ``read()``; ``in_parts``: one that can seek is not read at once."""
    if isinstance(source, Source):
        return source
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        if path and not _arguments.is_path(path):
            raise _not_found(f"File not found: {path!r}", path, context)
        try:
            opened = Source(path=path)
            opened.core
        except (InvalidCubeFileError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise _not_found(f"File not found: {path}", path, context) from None
            if os.path.isdir(path):
                raise CubeIsADirectoryError(
                    f"{path} is a folder, not an archive",
                    context=context,
                    suggestion="load_from_dicom_folder() reads folders of DICOM files",
                ) from None
            if not isinstance(error, InvalidCubeFileError):
                raise
            if _is_dicom(path):
                error.message, error.context = f"{path} is a DICOM file, not an archive", context
                error.suggestion = "load_from_dicom_folder() reads folders of DICOM files, pack() makes archives of them"
                raise
            error.details["file"] = path
            error.message, error.context = f"Failed to load file: {error.message}", context
            raise
        return opened
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _of_bytes(bytes(source))
    if hasattr(source, "read"):
        return _opened(source, str(getattr(source, "name", "<file>")), context, in_parts)
    raise ArgumentTypeError(f"an archive is a path, bytes or a binary file, not {type(source).__name__}")


def _of_bytes(data: bytes) -> Source:
    opened = Source(data=data)
    try:
        opened.core
    except InvalidCubeFileError as error:
        error.suggestion = "bytes are the archive itself: a path is a str or os.PathLike"
        raise
    return opened


def _is_dicom(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _opened(file: Any, name: str, context: str, in_parts: bool) -> Source:
    """What an open file holds from where it stands."""
    if isinstance(file, io.TextIOBase):
        raise ArgumentTypeError(f"{name} is open as text: open it in binary mode, 'rb'", context=context)
    try:
        parts = Parts(file) if in_parts and hasattr(file, "seekable") and file.seekable() else None
        data = file.read() if parts is None or parts.size == 0 else None
    except ValueError as error:  # a closed file
        raise UsageError(f"{name} can't be read: {error}", context=context) from error
    except Exception as error:
        raise CubeIOError(f"{name}: {type(error).__name__}: {error}", context=context) from error
    if parts is not None and parts.size > 0:
        return Source(parts=parts, name=name)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ArgumentTypeError(f"{name} must be a file open in binary mode: it gives {type(data).__name__}", context=context)
    if len(data) == 0:
        raise InvalidCubeFileError(f"{name}: nothing to read", context=context, suggestion="A file that was read before stands at its end: seek(0)")
    return Source(data=bytes(data), name=name)
