from ..space import get_space_from_DicomMeta

__all__ = ["get_space_from_DicomMeta"]
