"""From folders of DICOM files to archives, and back: what the command ``dicube`` does, as functions."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Union

from . import _core, _threads
from .exceptions import DicomCubeError

__all__ = ["pack", "unpack", "verify", "Finding", "SeriesReport", "PackReport", "UnpackReport", "VerifyReport", "Progress"]

PathLike = Union[str, "os.PathLike[str]"]


class Progress(NamedTuple):
    """How far a long call is. Totals are 0 while they are not known."""

    phase: str  # "scan", "pack", "prove", "verify", "unpack"
    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int


class Finding(NamedTuple):
    """Something worth knowing about the input that did not keep it from being packed."""

    code: str
    message: str
    files: List[str]


@dataclass
class SeriesReport:
    """One archive written (or, with ``error``, not written)."""

    archive: str
    series_instance_uid: str
    instances: int
    frames: int
    source_bytes: int
    archive_bytes: int
    pixel_bytes: int
    metadata_bytes: int
    codec: str
    seconds: float
    skipped: bool
    findings: List[Finding] = field(default_factory=list)
    error: Optional[DicomCubeError] = None


@dataclass
class PackReport:
    """What packing did."""

    files: int
    not_dicom: int
    left_out: List[str]
    series: List[SeriesReport]
    errors: List[DicomCubeError]

    def raise_errors(self) -> "PackReport":
        """Raises the first error of a file or series, if there is one."""
        for error in [s.error for s in self.series] + list(self.errors):
            if error is not None:
                raise error
        return self


@dataclass
class UnpackReport:
    """What unpacking did; ``errors`` are of files, the others were restored."""

    archive: str
    files: int
    bytes: int
    skipped: int
    seconds: float
    errors: List[DicomCubeError]
    unchanged: int = 0
    largest_error: int = 0


@dataclass
class VerifyReport:
    """What verifying found: one error per damaged frame or file."""

    archive: str
    instances: int
    frames: int
    bytes: int
    seconds: float
    errors: List[DicomCubeError]


def _callback(progress: Optional[Callable[[Progress], Any]]) -> Optional[Callable[..., Any]]:
    return None if progress is None else lambda *values: progress(Progress(*values))


def pack(
    sources: Union[PathLike, Sequence[PathLike]],
    out: PathLike,
    *,
    codec: str = "auto",
    on_conflict: str = "error",
    all: bool = False,
    progress: Optional[Callable[[Progress], Any]] = None,
    order: Sequence[str] = (),
    archive: bool = False,
) -> PackReport:
    """Packs the DICOM files in and below ``sources``, one archive per Series Instance UID.

    Each archive is proven before it gets its name: metadata rebuilt, every frame decoded, compared with the source. Ctrl-C, or
    an exception of ``progress``, stops the call and leaves nothing half-written.

    Args:
        sources: a folder or file, or several.
        out: a folder (made if missing), or a file ending in ``.dcbs`` (with ``archive`` ``.dcba``) for one series.
        codec: "auto", "htj2k", "lane" or "zstd".
        on_conflict: "error", "skip" or "overwrite".
        all: also keep what belongs to no series, in ``other.dcbs``.
        progress: called with a :class:`Progress` from time to time.
        order: names of files (relative to the source folder) in the order in which they are to stand in the archive; without
            it, by instance number, position, name.
        archive: code frames after others: smaller files, named ``.dcba``, whose single frames take longer to read.

    Raises:
        NotDicomError: no DICOM file at all.
        UsageError: arguments that make no sense.
    """
    paths = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    result = _core.pack(
        [os.fspath(path) for path in paths], os.fspath(out), codec, on_conflict, all, _threads.get_num_threads(),
        _callback(progress), list(order), archive,
    )  # fmt: skip
    series = [SeriesReport(**{**s, "findings": [Finding(*f) for f in s["findings"]]}) for s in result.pop("series")]
    return PackReport(series=series, **result)


def unpack(
    archive: PathLike,
    folder: PathLike,
    *,
    on_conflict: str = "error",
    transfer_syntax: str = "",
    max_error: int = 0,
    ratio: float = 0.0,
    verify: bool = False,
    progress: Optional[Callable[[Progress], Any]] = None,
) -> UnpackReport:
    """Restores the original files below ``folder`` (made if missing), each proven by its SHA-256.

    Nothing outside ``folder`` is touched, whatever the names in the archive say.

    Args:
        transfer_syntax: a UID or name (docs/cli.md lists them): writes standard DICOM in that syntax instead. Lossless ones keep
            every stored value; what one can't hold is in the report's ``errors``.
        max_error: of a lossy syntax, the largest error of any value; or
        ratio: how many times smaller than its values each frame gets.
        verify: reads each file back and compares its pixels before it gets its name.
    """
    done = _core.unpack(
        os.fspath(archive), os.fspath(folder), on_conflict, _threads.get_num_threads(), _callback(progress),
        transfer_syntax, max_error, ratio, verify,
    )  # fmt: skip
    return UnpackReport(**done)


def verify(archive: PathLike, *, progress: Optional[Callable[[Progress], Any]] = None) -> VerifyReport:
    """Checks every checksum, and every original's SHA-256 by rebuilding it.

    Raises:
        InvalidCubeFileError: the archive can't be opened at all.
    """
    return VerifyReport(**_core.verify(os.fspath(archive), _threads.get_num_threads(), _callback(progress)))
