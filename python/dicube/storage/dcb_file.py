"""Archives part by part, as earlier releases offered it; new programs use :func:`dicube.open` and :func:`dicube.save`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.image import DicomCubeImage
from ..core.io import load, load_meta, save
from ..core.pixel_header import PixelDataHeader
from ..dicom.dicom_meta import DicomMeta
from ..dicom.dicom_status import DicomStatus
from ..exceptions import DataConsistencyError, InvalidCubeFileError
from ..space import Space
from ..validation import validate_file_exists, validate_parameter_type, validate_string_not_empty

__all__ = ["DcbFile", "DcbSFile", "DcbAFile", "DcbLFile"]


class DcbFile:
    """One archive, for reading ("r") or writing ("w", "a").

    Raises:
        InvalidCubeFileError: no name, another mode, or, for reading, no archive.
    """

    FILE_TYPE = "s"

    def __init__(self, filename: str, mode: str = "r") -> None:
        context = f"{DcbFile.__name__} constructor"
        validate_string_not_empty(filename, "filename", context, InvalidCubeFileError)
        if mode not in ("r", "w", "a"):
            raise InvalidCubeFileError(f"Invalid file mode: {mode}", context=context, suggestion="Use 'r', 'w' or 'a'")
        self.filename: str = filename
        self.mode: str = mode
        self._image: Optional[DicomCubeImage] = None
        if mode == "r" and type(self) is DcbFile:
            validate_file_exists(filename, context)
            try:
                load_meta(filename)
            except InvalidCubeFileError as error:
                raise InvalidCubeFileError(f"Failed to read file header: {error.message}", context=context) from error

    def _loaded(self) -> DicomCubeImage:
        if self._image is None:
            self._image = load(self.filename)
        return self._image

    def write(
        self,
        images: Sequence[NDArray[Any]],
        pixel_header: PixelDataHeader,
        dicom_meta: Optional[DicomMeta] = None,
        dicom_status: DicomStatus = DicomStatus.CONSISTENT,
        space: Optional[Space] = None,
        *,
        max_error: int = 0,
        ratio: float = 0.0,
    ) -> None:
        """Writes frames with their metadata; :class:`DcbLFile` needs ``max_error`` or ``ratio``, as :func:`dicube.save`.

        Raises:
            DataConsistencyError (a ValueError): no frames, or of different shapes; and as :func:`dicube.save`.
        """
        context = f"{type(self).__name__}.write"
        validate_parameter_type(images, Iterable, "images", context)
        frames = list(images)
        shapes = sorted({np.shape(frame) for frame in frames})
        if len(shapes) != 1:
            raise DataConsistencyError(f"frames of one shape are stacked, not of {shapes}", context=context)
        image = DicomCubeImage(np.stack(frames), pixel_header, dicom_meta, space, dicom_status)
        save(image, self.filename, self.FILE_TYPE, max_error=max_error, ratio=ratio)

    def read_images(self) -> List[NDArray[Any]]:
        """The frames."""
        return list(self._loaded().raw_image)

    def read_meta(self) -> DicomMeta:
        """The metadata."""
        return load_meta(self.filename)

    def read_space(self) -> Optional[Space]:
        """The grid in z, y, x order."""
        return self._loaded().space

    def read_pixel_header(self) -> PixelDataHeader:
        """Rescale factors, types, window."""
        return self._loaded().pixel_header

    def read_dicom_status(self) -> DicomStatus:
        """The first irregularity."""
        return self._loaded().dicom_status

    def get_shape(self) -> Any:
        """(slices, rows, columns)."""
        return self._loaded().shape


class DcbSFile(DcbFile):
    """``.dcbs``"""


class DcbAFile(DcbFile):
    """``.dcba``"""

    FILE_TYPE = "a"


class DcbLFile(DcbFile):
    """``.dcbl``, lossy"""

    FILE_TYPE = "l"
