"""From folders of DICOM files to archives, and back: what the command ``dicube`` does, as functions."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, TypeVar, Union

from . import _arguments, _core, _threads
from .exceptions import DicomCubeError

__all__ = ["pack", "unpack", "convert", "verify", "Finding", "SeriesReport", "PackReport", "UnpackReport", "VerifyReport", "Progress"]

PathLike = Union[str, "os.PathLike[str]"]
_Report = TypeVar("_Report", bound="_Failures")


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
    quality: List[Finding] = field(default_factory=list)  # warnings and errors among those of Archive.findings


@dataclass
class PackReport:
    """What packing did."""

    files: int
    not_dicom: int
    left_out: List[str]
    series: List[SeriesReport]
    errors: List[DicomCubeError]
    not_tried: List[str] = field(default_factory=list)  # archives, after one that found the target full or read-only

    def raise_errors(self) -> "PackReport":
        """Raises the first error of a file or series, if there is one."""
        for error in [s.error for s in self.series] + list(self.errors):
            if error is not None:
                raise error
        return self


class _Failures:
    """What went wrong in a call."""

    errors: List[DicomCubeError]

    def raise_errors(self: _Report) -> _Report:
        """Raises the first error, if there is one."""
        for error in self.errors:
            raise error
        return self


@dataclass
class UnpackReport(_Failures):
    """What unpacking did; ``errors`` are of files, the others were restored."""

    archive: str
    files: int
    bytes: int
    skipped: int
    seconds: float
    errors: List[DicomCubeError]
    unchanged: int = 0
    largest_error: int = 0
    renamed: int = 0  # of the files: with a number behind their name, which existed
    not_tried: int = 0  # files, after one that found the target full or read-only


@dataclass
class VerifyReport(_Failures):
    """What verifying found: one error per damaged frame or file."""

    archive: str
    instances: int
    frames: int
    bytes: int
    seconds: float
    errors: List[DicomCubeError]


_CODECS = ("auto", "htj2k", "lane", "zstd")
_CONFLICTS = ("error", "skip", "overwrite", "rename")


def _series_report(report: Dict[str, Any]) -> SeriesReport:
    named = {name: [Finding(*finding) for finding in report[name]] for name in ("findings", "quality")}
    return SeriesReport(**{**report, **named})


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
    name_template: str = "",
) -> PackReport:
    """Packs the DICOM files in and below ``sources``, one archive per Series Instance UID.

    Each archive is proven before it gets its name: metadata rebuilt, every frame decoded, compared with the source. Ctrl-C, or
    an exception of ``progress``, stops the call and leaves nothing half-written.

    Args:
        sources: a folder or file, or several.
        out: a folder (made if missing), or a file ending in ``.dcbs`` (with ``archive`` ``.dcba``) for one series.
        codec: "auto", "htj2k", "lane" or "zstd".
        on_conflict: when an archive exists: "error", "skip" (one that lacks instances that are found is an error), "overwrite", or
            "rename": writes ``NAME-2`` beside it.
        all: also keep what belongs to no series, in ``other.dcbs``.
        progress: called with a :class:`Progress` from time to time.
        order: names of files (relative to the source folder) in the order in which they are to stand in the archive; without
            it, by instance number, position, name.
        archive: code frames after others: smaller files, named ``.dcba``, whose single frames take longer to read.
        name_template: names of archives in the folder ``out``, of keywords and text, as ``{PatientID}/{SeriesNumber}``; without one,
            they are named after their Series Instance UIDs. Values are made safe for file names.

    Returns:
        One report per series, and the errors of files that could not be read: :meth:`PackReport.raise_errors` raises the first.

    Raises:
        NotDicomError: no DICOM file at all.
        UsageError: arguments that make no sense.
    """
    result = _core.pack(
        _arguments.paths(sources, "sources"), _arguments.path(out, "out"), _arguments.choice(codec, "codec", _CODECS),
        _arguments.choice(on_conflict, "on_conflict", _CONFLICTS), _arguments.flag(all, "all"), _threads.get_num_threads(),
        _arguments.callback(progress, Progress), _arguments.texts(order, "order"),
        _arguments.flag(archive, "archive"), _arguments.text(name_template, "name_template"),
    )  # fmt: skip
    series = [_series_report(report) for report in result.pop("series")]
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
        archive: the archive; also one in format version 1, whose files are made anew.
        folder: where the files go, at their names in the archive.
        on_conflict: what to do when a file exists: "error", "skip", "overwrite", or "rename": writes ``NAME-2`` beside it.
        transfer_syntax: a UID or name (docs/cli.md lists them): writes standard DICOM in that syntax instead. Lossless ones keep
            every stored value; what one can't hold is in the report's ``errors``.
        max_error: of a lossy syntax, the largest error of any value, 1 to 65535; or
        ratio: how many times smaller than its values each frame gets, above 1.
        verify: reads each file back and compares its pixels before it gets its name.
        progress: called with a :class:`Progress` from time to time.

    Returns:
        Counts, bytes, seconds, and one error per cause for the files that could not be restored:
        :meth:`UnpackReport.raise_errors` raises the first.

    Raises:
        CubeFileNotFoundError, InvalidCubeFileError: no such archive, or a damaged one.
        OSError: its files are known to take more than is free; nothing is written.
        UsageError: arguments that make no sense together.
    """
    most, factor = _arguments.loss(max_error, ratio)
    done = _core.unpack(
        _arguments.path(archive, "archive"), _arguments.path(folder, "folder"), _arguments.choice(on_conflict, "on_conflict", _CONFLICTS),
        _threads.get_num_threads(), _arguments.callback(progress, Progress), _arguments.text(transfer_syntax, "transfer_syntax"),
        most, factor, _arguments.flag(verify, "verify"),
    )  # fmt: skip
    return UnpackReport(**done)


def convert(
    archive: PathLike,
    out: PathLike,
    *,
    codec: str = "auto",
    max_error: int = 0,
    ratio: float = 0.0,
    to_version1: bool = False,
    on_conflict: str = "error",
    progress: Optional[Callable[[Progress], Any]] = None,
) -> SeriesReport:
    """Makes another archive of one, proven before it gets its name; ``archive`` stays as it is.

    Without a loss every file comes back from it byte for byte; of an archive in format version 1, which did not keep the files,
    what it kept.

    Args:
        archive: of this format, or of format version 1, which the original package writes.
        out: the archive to write. Its name ends in ``.dcbl`` when it is lossy, and in nothing of the kind when it is not; when it ends in
            ``.dcba``, frames are coded after others.
        codec: "auto", "htj2k", "lane" or "zstd", for frames that their source did not compress.
        max_error: makes a lossy archive of derived images (own UIDs, Lossy Image Compression): the largest error of any stored
            value, 1 to 65535; or
        ratio: how many times smaller than its values each frame gets, above 1. What bears no loss (palettes, segmentations) is
            kept, and named in the report's findings as ``kept_lossless``.
        to_version1: write format version 1: one frame per file, one size and rescale for all, without private binary elements.
        on_conflict: what to do when ``out`` exists: "error", "skip", "overwrite", or "rename": writes ``NAME-2`` beside it.
        progress: called with a :class:`Progress` from time to time.

    Returns:
        What was written.

    Raises:
        UsageError: arguments that make no sense together, or a name that does not fit.
        CubeFileNotFoundError, InvalidCubeFileError: no such archive, or a damaged one.
        CubeFileExistsError: ``out`` exists.
        UnsupportedError: the series does not fit into format version 1.
    """
    most, factor = _arguments.loss(max_error, ratio)
    report = _core.convert(
        _arguments.path(archive, "archive"), _arguments.path(out, "out"), _arguments.choice(codec, "codec", _CODECS), most, factor,
        _arguments.flag(to_version1, "to_version1"), _arguments.choice(on_conflict, "on_conflict", _CONFLICTS), _threads.get_num_threads(),
        _arguments.callback(progress, Progress),
    )  # fmt: skip
    return _series_report(report)


def verify(archive: PathLike, *, progress: Optional[Callable[[Progress], Any]] = None) -> VerifyReport:
    """Checks every checksum, and every original's SHA-256 by rebuilding it.

    Args:
        archive: the archive.
        progress: called with a :class:`Progress` from time to time.

    Returns:
        Counts, bytes, seconds, and one error per cause: :meth:`VerifyReport.raise_errors` raises the first. No error means
        that every file comes back byte for byte.

    Raises:
        CubeFileNotFoundError: no such archive.
        InvalidCubeFileError: the archive can't be opened at all.
    """
    return VerifyReport(**_core.verify(_arguments.path(archive, "archive"), _threads.get_num_threads(), _arguments.callback(progress, Progress)))
