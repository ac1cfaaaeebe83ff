"""Loading and saving whole series."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Union

from .. import _arguments, _core, _threads
from .._source import Gathered, Source, source_of
from .._warn import warn
from ..archive import read_frames
from ..dicom._order import SortMethod, check_sort_method
from ..dicom.dicom_meta import DicomMeta
from ..exceptions import (
    CubeFileExistsError,
    DataConsistencyError,
    InvalidCubeFileError,
    MetaDataError,
    NotDicomError,
    UsageError,
    _system_errors,
)
from ..series import convert
from ..validation import _path_text, validate_folder_exists, validate_parameter_type
from ._files import files_of, is_pristine, write_archive
from .image import DicomCubeImage, check_array

__all__ = ["load", "load_meta", "save", "load_from_dicom_folder", "save_to_dicom_folder", "DicomCubeImageIO"]

PathLike = Union[str, "os.PathLike[str]"]
_EXTENSIONS = {"s": ".dcbs", "a": ".dcba", "l": ".dcbl"}


# ------------------------------------------------------------------------ archives


def load(file_path: Any, skip_meta: bool = False) -> DicomCubeImage:
    """Loads an archive: all frames decoded in parallel into one array, metadata as it is asked for.

    Args:
        file_path: a path, the bytes of an archive, or a binary file.
        skip_meta: leave ``dicom_meta`` ``None``.

    Returns:
        The image; ``raw_image`` of shape (frames, rows, columns), of colour frames with a fourth axis of samples, in the stored type.

    Raises:
        FileNotFoundError, InvalidCubeFileError: no such file, or no archive.
        DataConsistencyError: the frames differ in size or type, or there are none; :func:`dicube.open` reads them one by one.
    """
    without = _arguments.flag(skip_meta, "skip_meta")
    source = source_of(file_path, "load operation")
    return _image(source, None if without else DicomMeta._of(source))


def load_meta(file_path: Any) -> DicomMeta:
    """The metadata of an archive; reads the file's index, and then each element as it is asked for.

    Returns:
        The metadata, one row per file of the archive.

    Raises:
        FileNotFoundError, InvalidCubeFileError: no such file, or no archive.
    """
    return DicomMeta._of(source_of(file_path, "load_meta operation"))


def _image(source: Source, meta: Optional[DicomMeta]) -> DicomCubeImage:
    core = source.core
    frames: Sequence[int] = range(core.frame_count) if meta is None else meta._frames()
    if len(frames) == 0:
        raise DataConsistencyError("there are no frames to load", context=source.name, suggestion="load_meta() reads what there is")
    if not core.is_uniform():
        raise DataConsistencyError(
            f"the frames differ in size or type: {_odd_frame(core)}",
            context=source.name,
            suggestion="read them one by one: dicube.open(path)[i]" + ("" if source.files() is None else " of what pack() makes of the folder"),
        )
    image = DicomCubeImage._of(source, read_frames(source, frames), frames, meta)
    if meta is not None:
        _warn_of_files_without_pixels(source, meta)
    return image


def _warn_of_files_without_pixels(source: Source, meta: DicomMeta) -> None:
    counts = meta.frame_counts
    if 0 in counts:
        first = (meta.filenames or [])[counts.index(0)]
        warn(
            f"{source.name}: {counts.count(0)} of {len(counts)} files have no pixels, such as {first}: raw_image has {sum(counts)} frames, "
            "of which get_frame_values() tells; get_values() has a value for each file"
        )


def _odd_frame(core: Any) -> str:
    """The first frame of another format than frame 0, in words."""

    def words(pixels: Any) -> str:
        rows, columns, samples, allocated, stored, high, signed, is_float, photometric = pixels
        kind = "floats" if is_float else "signed" if signed else "unsigned"
        return f"{rows} x {columns} x {samples}, {stored} of {allocated} bits up to bit {high}, {kind}, {photometric}"

    first = core.pixel_format(0)
    for frame in range(1, core.frame_count):
        if core.pixel_format(frame) != first:
            file = core.instance(core.instance_of(frame))[0]
            return f"frame {frame} ({file}) is {words(core.pixel_format(frame))}; frame 0 {words(first)}"
    return ""


def save(image: DicomCubeImage, file_path: PathLike, file_type: str = "s", *, max_error: int = 0, ratio: float = 0.0) -> None:
    """Writes an archive; an existing one is replaced, in one step.

    What was loaded from a folder or an archive keeps the names and bytes of its files; changed metadata and pixels are written
    into them, and nothing else is touched. An image from an array becomes DICOM files first (:meth:`DicomCubeImage.init_meta`).
    Names that no file can have, or several, are made up: ``slice_0000.dcm``, ...

    Args:
        file_path: the extension of ``file_type`` is added when it is missing; that of another type is an error.
        file_type: "s" (.dcbs) or "a" (.dcba: smaller, single frames take longer to read): lossless. "l" (.dcbl): lossy, by a bound that you give: one of
        max_error: the largest error of any stored value, 1 to 65535;
        ratio: how many times smaller than its values each frame gets, above 1. See :func:`dicube.convert`.

    Raises:
        InvalidCubeFileError: an unknown ``file_type``.
        UsageError (a ValueError): a name of another type; "l" without a bound, or a bound with another type; an image from a lossy archive as a lossless one.
        DataConsistencyError, MetaDataError: pixels and metadata that do not fit together or into DICOM.
    """
    _check_image(image, "save operation")
    if not isinstance(file_type, str) or file_type not in _EXTENSIONS:
        raise InvalidCubeFileError(f"Unsupported file type: {file_type!r}", context="save operation",
                                   suggestion="Use 's', 'a' or 'l'")  # fmt: skip
    path = _path_text(file_path, "file_path", "save operation", InvalidCubeFileError)
    most, factor = _arguments.loss(max_error, ratio)
    lossy = bool(most or factor)
    _check_loss(image, file_type, lossy)
    path = _named_for(path, file_type)
    folder = os.path.dirname(path)
    with _system_errors(path):
        with tempfile.TemporaryDirectory(prefix=".dicube-", dir=_arguments.absolute(_innermost(folder))) as work:
            made = os.path.join(work, "archive" + (".dcba" if file_type == "a" else ".dcbs"))
            write_archive(image, made, work)
            if lossy:
                lossless, made = made, os.path.join(work, "archive.dcbl")
                convert(lossless, made, max_error=most, ratio=factor)
            os.makedirs(folder or os.curdir, exist_ok=True)
            os.replace(made, path)


def _innermost(folder: str) -> str:
    """The folder, or the innermost one above it that is there: what is missing is made when something is to stand in it."""
    while folder and not os.path.isdir(folder):
        folder = os.path.dirname(folder.rstrip(os.sep)) if folder.rstrip(os.sep) else os.sep
    return folder or os.curdir


def _named_for(path: str, file_type: str) -> str:
    """The path with the extension of the type.

    Raises:
        UsageError: it has that of another type.
    """
    ending, named = _EXTENSIONS[file_type], path.lower()
    for other, of_other in _EXTENSIONS.items():
        if of_other != ending and named.endswith(of_other):
            raise UsageError(
                f"{path} is the name of a file of type {other!r}, and file_type is {file_type!r}",
                context="save operation",
                suggestion=f"file_type={other!r}, or a name ending in {ending}",
            )
    return path if named.endswith(ending) else path + ending


def _check_loss(image: DicomCubeImage, file_type: str, lossy: bool) -> None:
    """Nothing is lossy unasked, and nothing lossy is named as if it were not.

    Raises:
        UsageError
    """
    if lossy and file_type != "l":
        raise UsageError("max_error and ratio go with file_type='l'", context="save operation")
    from_lossy = image._source is not None and bool(image._source.core.info()["lossy"])
    if from_lossy and file_type != "l":
        raise UsageError(
            f"{image._source.name} is lossy, and so would be what is saved",  # type: ignore[union-attr]
            context="save operation",
            suggestion="save it with file_type='l'",
        )
    if file_type == "l" and not lossy and not (from_lossy and is_pristine(image)):
        raise UsageError(
            "file_type='l' is a lossy archive, and no bound of its loss is given",
            context="save operation",
            suggestion="give max_error= (the largest error of any value) or ratio= (how many times smaller), or save losslessly with file_type='s'",
        )


def _check_image(image: Any, context: str) -> None:
    """What a caller may have put into it since it was made, too."""
    validate_parameter_type(image, DicomCubeImage, "image", context)
    check_array(image.raw_image, context)
    if image.dicom_meta is not None:
        validate_parameter_type(image.dicom_meta, DicomMeta, "dicom_meta", context, MetaDataError)


# -------------------------------------------------------------------------- folders


class _File(NamedTuple):
    path: str
    name: str
    size: int
    series_uid: str


def _instances(folder: Any, context: str = "load_from_dicom_folder operation") -> List[_File]:
    """The DICOM files in and below a folder, in the order of archives."""
    path = os.fsdecode(validate_folder_exists(folder, context))
    found, left_out = _core.scan([path], _threads.get_num_threads())
    files = [_File(*entry) for entry in found]
    if not files:
        because = f"; {_some(sorted(left_out))}" if left_out else ""
        raise NotDicomError(f"no DICOM files in {path}{because}", suggestion="")
    if left_out:
        warn(_some(sorted(left_out)))
    without_series = [file.path for file in files if not file.series_uid]
    if 0 < len(without_series) < len(files):
        files = [file for file in files if file.series_uid]
        warn(f"left out, since without Series Instance UID: {_some(without_series)}")
    return files


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def load_from_dicom_folder(
    folder_path: PathLike,
    sort_method: SortMethod = SortMethod.INSTANCE_NUMBER_ASC,
    series_uid: Optional[str] = None,
) -> DicomCubeImage:
    """Loads the series whose DICOM files stand in and below a folder.

    Args:
        folder_path: the folder; files that are no DICOM are passed over.
        sort_method: the order of the slices.
        series_uid: which series, where there are several.

    Returns:
        The image, as of :func:`load`; its metadata has one row per file.

    Raises:
        FileNotFoundError: no such folder.
        ArgumentTypeError (a TypeError): ``sort_method`` is no :class:`SortMethod`.
        PermissionError, OSError: a file or folder in it can't be read: whether it is a slice is not known.
        NotDicomError (a ValueError): no DICOM file in it.
        DataConsistencyError: several series and no ``series_uid``, frames that differ in size or type, or an image whose pixels
            can't be read.

    Warns:
        UserWarning: files without Series Instance UID beside others, links to folders or to nothing, and pipes are left out.
    """
    check_sort_method(sort_method)
    if series_uid is not None:
        _arguments.text(series_uid, "series_uid")
    members = _one_series(_instances(folder_path), series_uid, os.fspath(folder_path))
    source = Gathered(os.fsdecode(os.fspath(folder_path)), [(f.path, f.name) for f in members])
    meta = DicomMeta._of(source)
    with_frames = [row for row in meta._rows if source.core.instance(row)[4] > 0]
    if with_frames and len(with_frames) < meta.slice_count:
        _check_not_images(source, meta, set(with_frames))
        meta = meta._subset(with_frames)
    try:
        meta.sort_files(sort_method)
    except MetaDataError as error:
        raise MetaDataError(f"{error.message}: slices can't be ordered by {sort_method.name}", context=str(folder_path)) from None
    return _image(source, meta)


def _one_series(files: List[_File], series_uid: Optional[str], folder: Any) -> List[_File]:
    """The files of that series, or of the only one there is.

    Raises:
        MetaDataError, DataConsistencyError
    """
    by_series: Dict[str, List[_File]] = {}
    for file in files:
        by_series.setdefault(file.series_uid, []).append(file)
    if series_uid is not None:
        if series_uid not in by_series:
            raise MetaDataError(f"no series {series_uid} in {folder}", details={"series": sorted(by_series)})
        return by_series[series_uid]
    if len(by_series) > 1:
        raise DataConsistencyError(
            f"{len(by_series)} series in one folder",
            context=str(folder),
            details={"files_per_series": {uid: len(members) for uid, members in sorted(by_series.items())}},
            suggestion="name one with series_uid=, or pack() them all",
        )
    return files


def _check_not_images(source: Source, meta: DicomMeta, with_frames: Set[int]) -> None:
    """Raises DataConsistencyError for a file that says what image it is and has none."""
    says_image = meta._says_image()
    images = [source.core.instance(row)[0] for row in meta._rows if row not in with_frames and says_image[row]]
    if images:
        raise DataConsistencyError(
            f"images without readable pixels, cut short perhaps: {_some(images)}",
            context=source.name,
            details={"files": len(images)},
            suggestion="take them out of the folder to load the others; pack() keeps them as they are",
        )


def save_to_dicom_folder(image: DicomCubeImage, folder_path: PathLike, overwrite: bool = True) -> None:
    """Writes ``slice_0000.dcm``, ``slice_0001.dcm``, ...: the original files byte for byte where nothing was edited.

    Other files in the folder stay.

    Args:
        folder_path: made when it is missing.
        overwrite: replace files of these names; otherwise they are an error, and nothing is written.

    Raises:
        FileExistsError: ``overwrite`` is off and a file is there.
    """
    _check_image(image, "save_to_dicom_folder operation")
    folder = _path_text(folder_path, "folder_path", "save_to_dicom_folder operation", InvalidCubeFileError)
    count, files = files_of(image)
    names = [os.path.join(folder, f"slice_{number:04d}.dcm") for number in range(count)]
    if not _arguments.flag(overwrite, "overwrite"):
        for name in names:
            if os.path.lexists(name):
                raise CubeFileExistsError("exists already", context=name)
    with _system_errors(folder):
        for number, (name, data) in enumerate(zip(names, files)):
            if number == 0:  # not before there is a file for it
                os.makedirs(folder, exist_ok=True)
            _replace_file(name, data)


def _replace_file(path: str, data: bytes) -> None:
    made = os.path.join(os.path.dirname(path), f".slice-{uuid.uuid4().hex}")  # named before it is there: Ctrl-C leaves none
    try:
        with open(made, "xb") as file:
            file.write(data)
        os.replace(made, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(made)
        raise


# ---------------------------------------------------------------- the older way in


class DicomCubeImageIO:
    """The functions of this module as static methods."""

    load = staticmethod(load)
    load_meta = staticmethod(load_meta)
    save = staticmethod(save)
    load_from_dicom_folder = staticmethod(load_from_dicom_folder)
    save_to_dicom_folder = staticmethod(save_to_dicom_folder)

    @staticmethod
    def load_from_nifti(file_path: PathLike) -> DicomCubeImage:
        """See :func:`dicube.core.nifti.load_from_nifti`."""
        from .nifti import load_from_nifti

        return load_from_nifti(file_path)

    @staticmethod
    def save_to_nifti(image: DicomCubeImage, file_path: PathLike) -> None:
        """See :func:`dicube.core.nifti.save_to_nifti`."""
        from .nifti import save_to_nifti

        save_to_nifti(image, file_path)
