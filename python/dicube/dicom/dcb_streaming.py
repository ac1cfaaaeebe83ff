"""Slices of an archive as DICOM files, for viewers and servers."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any, Dict

from .. import _core
from .._source import source_of
from .dicom_meta import DicomMeta

__all__ = ["DcbStreamingReader"]

_SYNTAXES = {"htj2k": "1.2.840.10008.1.2.4.202"}


class DcbStreamingReader:
    """Hands out each frame of an archive as a complete DICOM file in memory.

    A frame that is kept as HTJ2K goes out without being decoded (transfer syntax 1.2.840.10008.1.2.4.202); another single frame
    as its original file, byte for byte; another frame of a multi-frame file as a file of its own, with a UID derived from it.
    Safe for several threads.

    Args:
        dcb_file_path: a path, the bytes of an archive, or a binary file.
        chunk_size: kept for earlier callers; frames are made when they are asked for.
        cache_size: how many files are kept for the next call.
        force_uncompressed: never HTJ2K: the original file, or uncompressed.
    """

    def __init__(self, dcb_file_path: Any, chunk_size: int = 10, cache_size: int = 50, force_uncompressed: bool = False) -> None:
        self._source = source_of(dcb_file_path)
        self.file_path = self._source.name
        self.chunk_size = max(1, chunk_size)
        self.cache_size = max(0, cache_size)
        self.force_uncompressed = force_uncompressed
        self.frame_count: int = self._source.core.frame_count
        self.dicom_meta = DicomMeta._of(self._source)
        self._cache: "OrderedDict[int, bytes]" = OrderedDict()
        self._lock = threading.Lock()
        self._last_access = time.time()

    @property
    def transfer_syntax_uid(self) -> str:
        """The transfer syntax in which the first frame goes out; ``""`` without frames."""
        if self.frame_count == 0:
            return ""
        codec = self._source.core.codec(0)
        if codec in _SYNTAXES and not self.force_uncompressed:
            return _SYNTAXES[codec]
        if "." in codec:
            return codec
        return str(self.dicom_meta.get_values("TransferSyntaxUID")[self._source.core.instance_of(0)] or "1.2.840.10008.1.2")

    def get_frame_count(self) -> int:
        """The number of frames."""
        return self.frame_count

    def get_dicom_for_frame(self, frame_index: int) -> bytes:
        """A frame as a DICOM file.

        Raises:
            IndexError: no such frame.
            ValueError: the reader is closed.
        """
        if not 0 <= frame_index < self.frame_count:
            raise IndexError(f"Frame index {frame_index} out of range [0, {self.frame_count})")
        with self._lock:
            self._last_access = time.time()
            if frame_index in self._cache:
                self._cache.move_to_end(frame_index)
                return self._cache[frame_index]
        data = self._make(frame_index)
        with self._lock:
            self._cache[frame_index] = data
            while len(self._cache) > self.cache_size:
                self._cache.popitem(last=False)
        return data

    def _make(self, frame: int) -> bytes:
        core = self._source.core
        instance = core.instance_of(frame)
        first, frames = core.instance(instance)[3:5]
        if self.force_uncompressed and frames == 1:
            return core.read_instance(instance)
        uid = ""
        if frames > 1:
            original = self.dicom_meta.get_values("SOPInstanceUID")[instance]
            uid = _core.derived_uid(f"{original}/{frame - first}")
        return _core.frame_file(core, frame, uid, self.force_uncompressed)

    def get_metadata(self) -> Dict[str, Any]:
        """What the archive holds, as a dict."""
        return {
            "frame_count": self.frame_count,
            "transfer_syntax": self.transfer_syntax_uid,
            "has_dicom_meta": True,
            "instances": self._source.core.instance_count,
            "codecs": self._source.core.info()["codecs"],
            "cache_stats": self.get_cache_stats(),
        }

    def get_cache_stats(self) -> Dict[str, Any]:
        """How full the cache is."""
        with self._lock:
            return {
                "cached_frames": len(self._cache),
                "cache_size_limit": self.cache_size,
                "chunk_size": self.chunk_size,
                "last_access": self._last_access,
            }

    def clear_cache(self) -> None:
        """Forgets the files kept for the next call."""
        with self._lock:
            self._cache.clear()

    def close(self) -> None:
        """Lets go of the archive."""
        self.clear_cache()
        self._source.close()

    def __enter__(self) -> "DcbStreamingReader":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __len__(self) -> int:
        return self.frame_count
