"""DiCube: one file per DICOM series, byte-exact, with an index to its metadata and its frames.

    >>> import dicube
    >>> image = dicube.load_from_dicom_folder("series")     # doctest: +SKIP
    >>> dicube.save(image, "series.dcbs")                   # doctest: +SKIP
    >>> dicube.load("series.dcbs").get_fdata()              # doctest: +SKIP
    >>> dicube.load_meta("series.dcbs")["PatientName"]      # doctest: +SKIP
    >>> with dicube.open("series.dcbs") as archive:         # doctest: +SKIP
    ...     archive[10:20]                                  # reads these frames alone

Whole series in memory: load, load_from_dicom_folder, load_from_nifti and save, save_to_dicom_folder, save_to_nifti. Piece by
piece: open (an Archive), load_meta, DcbStreamingReader. Whole folders: pack, unpack, verify, convert. Quality: check,
get_dicom_status. For training: the module dicube.integrations. Every error is a DicomCubeError and the builtin that fits.
"""

from __future__ import annotations

import importlib as _importlib
import os as _os
import typing as _typing
from typing import Any as _Any
from typing import Union as _Union

from . import _core, exceptions
from ._threads import get_num_threads, set_num_threads
from .archive import Archive, File
from .core.image import DicomCubeImage
from .core.io import DicomCubeImageIO, load, load_from_dicom_folder, load_meta, save, save_to_dicom_folder
from .core.pixel_header import PixelDataHeader
from .dicom.dcb_streaming import DcbStreamingReader
from .dicom.dicom_meta import DicomMeta, SortMethod, read_dicom_dir
from .dicom.dicom_status import DicomStatus, get_dicom_status
from .dicom.dicom_tags import CommonTags, Tag
from .exceptions import CodecError, DataConsistencyError, DicomCubeError, InvalidCubeFileError, MetaDataError
from .quality import QualityFinding, check
from .series import convert, pack, unpack, verify
from .space import Space

__version__: str = _core.version

if _typing.TYPE_CHECKING:
    from . import codecs as codecs
    from . import integrations as integrations
    from . import storage as storage
else:

    def __getattr__(name: str) -> _Any:
        if name in ("codecs", "integrations", "storage"):  # imported when they are asked for
            return _importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        names = {name for name in globals() if name.startswith("__") or not name.startswith("_")}
        return sorted((names | {"codecs", "integrations", "storage"}) - {"annotations"})


def open(source: _Any) -> Archive:  # noqa: A001
    """Opens an archive for reading piece by piece; reads its index only.

    Args:
        source: a path, the bytes of an archive, or a binary file.

    Raises:
        FileNotFoundError, InvalidCubeFileError: no such file, or no archive.
        ArgumentTypeError (a TypeError): something else.
    """
    return Archive(source)


def load_from_nifti(file_path: _Union[str, "_os.PathLike[str]"]) -> DicomCubeImage:
    """Loads a NIfTI file of two or three dimensions; needs nibabel.

    Returns:
        Stored values, indexed z, y, x, their scale in ``pixel_header``, the grid in mm in ``space``.

    Raises:
        MissingPackageError (an ImportError): nibabel is not installed.
        FileNotFoundError, InvalidCubeFileError: no such file, or no NIfTI.
        PermissionError, CubeIOError: the system refused.
        UnsupportedError: other dimensions, or no numbers.
    """
    return DicomCubeImageIO.load_from_nifti(file_path)


def save_to_nifti(image: DicomCubeImage, file_path: _Union[str, "_os.PathLike[str]"]) -> None:
    """Writes a NIfTI-1 file, compressed when its name ends in ``.gz``; needs nibabel.

    Stored values with their scale where all slices share one, else real-world values in float32; the affine in mm.

    Raises:
        MissingPackageError (an ImportError): nibabel is not installed.
        UsageError (a ValueError): a name that ends in neither ``.nii`` nor ``.nii.gz``.
        MetaDataError: the slices lie on no regular grid.
        DataConsistencyError: a colour image, or a size that NIfTI-1 can't hold.
        CubeIOError: it can't be written.
    """
    DicomCubeImageIO.save_to_nifti(image, file_path)


# Without open: `from dicube import *` must leave a script its own.
__all__ = [
    "Archive", "CodecError", "CommonTags", "DataConsistencyError", "DcbStreamingReader", "DicomCubeError", "DicomCubeImage",
    "DicomCubeImageIO", "DicomMeta", "DicomStatus", "File", "InvalidCubeFileError", "MetaDataError", "PixelDataHeader",
    "QualityFinding", "SortMethod", "Space", "Tag", "check", "convert", "exceptions", "get_dicom_status", "get_num_threads", "load",
    "load_from_dicom_folder", "load_from_nifti", "load_meta", "pack", "read_dicom_dir", "save", "save_to_dicom_folder", "save_to_nifti",
    "set_num_threads", "unpack", "verify",
]  # fmt: skip
