"""Where the voxels of a series lie; the module that earlier releases had it in."""

from ..space import get_space_from_DicomMeta

__all__ = ["get_space_from_DicomMeta"]
