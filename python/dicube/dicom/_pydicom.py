"""Metadata from pydicom's data sets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple, Union

from ..exceptions import _needing
from ._order import SortMethod
from ._values import from_pydicom
from .dicom_tags import PIXELS, Tag

if TYPE_CHECKING:
    from .dicom_meta import DicomMeta


def columns_of(datasets: Sequence[Any]) -> Dict[Tag, Tuple[str, List[Any]]]:
    """The VR of each element but pixel data, and a plain Python value per data set; ``None`` where it is absent."""
    columns: Dict[Tag, Tuple[str, List[Any]]] = {}
    for number, data_set in enumerate(datasets):
        for element in data_set:
            tag = Tag(int(element.tag))
            if tag not in PIXELS:
                columns.setdefault(tag, (str(element.VR), [None] * len(datasets)))[1][number] = from_pydicom(element)
    return columns


def read_dicom_dir(
    directory: Union[str, "os.PathLike[str]"],
    stop_before_pixels: bool = False,
    sort_method: Optional[SortMethod] = SortMethod.INSTANCE_NUMBER_ASC,
) -> Tuple[DicomMeta, List[Any]]:
    """Metadata and pydicom data sets of all DICOM files in and below a folder; needs pydicom.

    Returns:
        The metadata, and the data sets in the same order.

    Raises:
        MissingPackageError (an ImportError): pydicom is not installed.
        FileNotFoundError: no such folder.
        ValueError: no DICOM file in it.
    """
    from ..core.io import _instances  # here, since that module needs these two
    from .dicom_meta import DicomMeta

    with _needing("pydicom", "pip install 'dicube[pydicom]'"):
        import pydicom
    found = _instances(directory, "read_dicom_dir operation")
    datasets = [pydicom.dcmread(f.path, stop_before_pixels=stop_before_pixels, force=True) for f in found]
    meta = DicomMeta.from_datasets(datasets, [os.path.basename(f.path) for f in found])
    if sort_method is not None:
        datasets = [datasets[i] for i in meta.sort_files(sort_method)]
    return meta, datasets
