"""Images in memory, and loading and saving them."""

from .image import DicomCubeImage
from .io import DicomCubeImageIO
from .pixel_header import PixelDataHeader

__all__ = ["DicomCubeImage", "DicomCubeImageIO", "PixelDataHeader"]
