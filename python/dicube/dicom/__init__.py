"""DICOM metadata: tags, values, quality, single files."""

import importlib as _importlib
from typing import TYPE_CHECKING, Any

from .dcb_streaming import DcbStreamingReader
from .dicom_meta import DicomMeta, SortMethod, read_dicom_dir
from .dicom_status import DicomStatus, get_dicom_status
from .dicom_tags import CommonTags, Tag

if TYPE_CHECKING:
    from ..space import get_space_from_DicomMeta
    from . import dicom_builder as dicom_builder
    from . import space_from_meta as space_from_meta

__all__ = [
    "DicomMeta", "DicomStatus", "get_dicom_status", "CommonTags", "SortMethod", "Tag", "read_dicom_dir",
    "get_space_from_DicomMeta", "DcbStreamingReader",
]  # fmt: skip

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "get_space_from_DicomMeta":
            from ..space import get_space_from_DicomMeta

            return get_space_from_DicomMeta
        if name in ("dicom_builder", "space_from_meta"):  # imported when they are asked for
            return _importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), "get_space_from_DicomMeta", "dicom_builder", "space_from_meta"})
