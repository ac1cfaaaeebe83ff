"""The errors of the package.

Each is a :class:`DicomCubeError`, and also the builtin that fits, so that ``except FileNotFoundError`` and
``except DicomCubeError`` both work.
"""

from __future__ import annotations

import contextlib
import errno
import re
from typing import Any, Dict, Iterator, Optional, Tuple, Type

__all__ = [
    "DicomCubeError",
    "InvalidCubeFileError",
    "CodecError",
    "MetaDataError",
    "DataConsistencyError",
    "UsageError",
    "ArgumentTypeError",
    "DataTypeError",
    "MetaDataTypeError",
    "FileArgumentTypeError",
    "NoSuchIndexError",
    "NoSuchKeyError",
    "ClosedError",
    "CubeFileNotFoundError",
    "CubeFileExistsError",
    "CubeIOError",
    "CubePermissionError",
    "CubeIsADirectoryError",
    "CubeNotADirectoryError",
    "SourceChangedError",
    "NotDicomError",
    "UnsupportedError",
    "LimitError",
    "MissingPackageError",
]


_MOST_SHOWN = 20


def _shown(value: Any) -> str:
    """The value, or of a long list or dict its beginning: ``details`` has all."""
    if not isinstance(value, (list, dict)) or len(value) <= _MOST_SHOWN:
        return repr(value)
    first = value[:_MOST_SHOWN] if isinstance(value, list) else dict(list(value.items())[:_MOST_SHOWN])
    return f"{repr(first)[:-1]}, ... and {len(value) - _MOST_SHOWN} more{']' if isinstance(value, list) else '}'}"


class DicomCubeError(Exception):
    """Base of all errors of the package.

    Args:
        message: what went wrong.
        context: the operation that failed; stands before the message.
        suggestion: what to do about it; stands on a line of its own.
        details: values that help to understand it.
    """

    _default_suggestion: Optional[str] = None

    def __init__(
        self,
        message: str = "",
        context: Optional[str] = None,
        suggestion: Optional[str] = None,
        details: Optional[Dict[str, Any]] = None,
    ) -> None:
        self.message = message
        self.context = context
        self.suggestion: Optional[str] = suggestion if suggestion is not None else self._default_suggestion
        self.details: Dict[str, Any] = dict(details) if details else {}
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [f"{self.context}: {self.message}" if self.context else self.message]
        if self.details:
            lines.append("Details: " + ", ".join(f"{key}={_shown(value)}" for key, value in self.details.items()))
        if self.suggestion:
            lines.append(f"Suggestion: {self.suggestion}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self._text()

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.message, self.context, self.suggestion, self.details)


class InvalidCubeFileError(DicomCubeError, ValueError):
    """A file is no archive, or a damaged one."""

    _default_suggestion = "Verify the file is a valid DicomCube file and not corrupted"


class CodecError(DicomCubeError, ValueError):
    """A frame can't be decoded or coded."""

    _default_suggestion: Optional[str] = "Check image data format and codec compatibility"


class MetaDataError(DicomCubeError, ValueError):
    """Metadata is missing, contradictory, or not what was asked for."""

    _default_suggestion = "Verify metadata completeness and consistency in the source data"


class DataConsistencyError(DicomCubeError, ValueError):
    """Arrays, sizes or types that do not fit together."""

    _default_suggestion = "Check data array shapes, types, and dimensional consistency"


class UsageError(DicomCubeError, ValueError):
    """The arguments make no sense."""


class ArgumentTypeError(UsageError, TypeError):
    """An argument of another type than expected."""


class DataTypeError(DataConsistencyError, ArgumentTypeError):
    """An argument of another type, where earlier releases raised :class:`DataConsistencyError` alone."""


class MetaDataTypeError(MetaDataError, ArgumentTypeError):
    """The same of :class:`MetaDataError`."""


class FileArgumentTypeError(InvalidCubeFileError, ArgumentTypeError):
    """The same of :class:`InvalidCubeFileError`."""

    _default_suggestion = "Give a path"


class NoSuchIndexError(UsageError, IndexError):
    """No frame, slice or file of this number."""


class NoSuchKeyError(UsageError, KeyError):
    """No element of this tag, or no file of this name."""


class ClosedError(UsageError):
    """The archive was closed."""


class CubeFileNotFoundError(InvalidCubeFileError, FileNotFoundError):
    """There is no such file."""

    _default_suggestion = "Check the path"


class CubeFileExistsError(DicomCubeError, FileExistsError):
    """The target exists already."""


class CubeIOError(DicomCubeError, OSError):
    """The operating system refused: no space, a device error, ..."""


class CubePermissionError(CubeIOError, PermissionError):
    """The operating system refused for want of permission."""


class CubeIsADirectoryError(InvalidCubeFileError, UsageError, CubeIOError, IsADirectoryError):
    """A folder where a file is wanted."""

    _default_suggestion = "Give a file, not a folder"


class CubeNotADirectoryError(InvalidCubeFileError, CubeIOError, NotADirectoryError):
    """A file where a folder is wanted, or as if it held files."""

    _default_suggestion = "Check the path"


class SourceChangedError(CubeIOError):
    """A source file changed while it was read."""


class NotDicomError(DicomCubeError, ValueError):
    """The input holds no DICOM instance."""


class UnsupportedError(CodecError, NotImplementedError):
    """A feature, codec or format version that this release does not know."""

    _default_suggestion = None


class LimitError(DicomCubeError, ValueError):
    """A size or nesting depth over the documented limit."""


class MissingPackageError(DicomCubeError, ImportError):
    """What was asked for needs another package, which can't be imported."""


@contextlib.contextmanager
def _needing(package: str, advice: str) -> Iterator[None]:
    """Turns the error of importing a package into this one's."""
    try:
        yield
    except ImportError as error:
        raise MissingPackageError(f"{package} is required: {error}", suggestion=advice) from error


_CLASSES = {
    "usage": UsageError,
    "not_found": CubeFileNotFoundError,
    "io": CubeIOError,
    "conflict": CubeFileExistsError,
    "not_dicom": NotDicomError,
    "changed": SourceChangedError,
    "damaged": InvalidCubeFileError,
    "unsupported": UnsupportedError,
    "limit": LimitError,
    "codec": CodecError,
}


def _from_system(error: OSError, path: str) -> DicomCubeError:
    """The exception for an error of the operating system."""
    cls = _BY_NUMBER.get(error.errno or 0, CubeIOError)
    made = cls(error.strerror or str(error), context=path)
    made.errno, made.filename = error.errno, path  # type: ignore[attr-defined]
    return made


def _not_found(message: str, path: str, context: str) -> CubeFileNotFoundError:
    """The exception for a file that is not there."""
    made = CubeFileNotFoundError(message, context=context)
    made.errno, made.filename = errno.ENOENT, path
    return made


_BY_NUMBER: Dict[int, Type[DicomCubeError]] = {
    errno.ENOENT: CubeFileNotFoundError,
    errno.EEXIST: CubeFileExistsError,
    errno.EACCES: CubePermissionError,
    errno.EPERM: CubePermissionError,
    errno.EISDIR: CubeIsADirectoryError,
    errno.ENOTDIR: CubeNotADirectoryError,
}


@contextlib.contextmanager
def _system_errors(path: str) -> Iterator[None]:
    """Turns errors of the operating system into the package's."""
    try:
        yield
    except OSError as error:
        if isinstance(error, DicomCubeError):
            raise
        raise _from_system(error, path) from error


def _from_core(error_class: str, message: str, file: str, system: int) -> DicomCubeError:
    """The exception for an error of the core; ``system``: its errno, where the operating system refused."""
    cls = _BY_NUMBER.get(system, _CLASSES.get(error_class, DicomCubeError))
    message = re.sub(r"\(the option (\w+)", r"(\1=True", message, count=1)  # as it is written here
    error = cls(message, context=file or None)
    if isinstance(error, OSError):
        if system:
            error.errno = system
        if file:
            error.filename = file
    return error
