"""Archives part by part, and arrays of any type as the values that DICOM can hold: for programs written for earlier releases."""

from . import pixel_utils
from .dcb_file import DcbAFile, DcbFile, DcbLFile, DcbSFile

__all__ = ["DcbAFile", "DcbFile", "DcbLFile", "DcbSFile", "pixel_utils"]
