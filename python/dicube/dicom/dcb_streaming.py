"""Slices of an archive as DICOM files, for viewers and servers."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any, Dict, SupportsIndex, Tuple

from .. import _arguments, _core
from .._source import source_of
from ..exceptions import NoSuchIndexError
from .dicom_meta import DicomMeta

__all__ = ["DcbStreamingReader"]

class DcbStreamingReader:
    """Hands out each frame of an archive as a complete DICOM file in memory, compressed unless told otherwise.

    - A frame that its source kept native goes out in HTJ2K Lossless RPCL (transfer syntax 1.2.840.10008.1.2.4.202): without being
      decoded where the archive keeps it as HTJ2K, else coded when it is asked for (512 x 512 x 16 bit: some milliseconds). Every
      value is kept; bits above Bits Stored, which are no part of the values, are not.
    - A frame that its source compressed goes out in that transfer syntax.
    - Luminance and chrominance (YBR_FULL) are HTJ2K without a colour transform, which cornerstone's and OHIF's decoder gets wrong: for
      these ``force_uncompressed``.
    - What HTJ2K does not hold (values of 1, 32 or 64 bits, floats, overlays in unused bits of the pixels) goes out native: a single
      frame as its original file, byte for byte.
    - A frame of a multi-frame file becomes a file of its own, with a UID derived from its number.

    Safe for several threads, after ``fork``, and, pickled, in other processes.

    Args:
        dcb_file_path: a path, the bytes of an archive, or a binary file.
        chunk_size: kept for earlier callers; frames are made when they are asked for.
        cache_size: how many files are kept for the next call.
        force_uncompressed: every frame native: the original file where that is, else decoded, in Explicit VR Little Endian.

    Raises:
        FileNotFoundError, InvalidCubeFileError: no such file, or no archive.
        ArgumentTypeError: ``chunk_size`` or ``cache_size`` is no integer.
    """

    def __init__(self, dcb_file_path: Any, chunk_size: int = 10, cache_size: int = 50, force_uncompressed: bool = False) -> None:
        self._source = source_of(dcb_file_path)
        self.file_path: str = self._source.name
        self.chunk_size: int = max(1, _arguments.integer(chunk_size, "chunk_size"))
        self.cache_size: int = max(0, _arguments.integer(cache_size, "cache_size"))
        self.force_uncompressed: bool = _arguments.flag(force_uncompressed, "force_uncompressed")
        self.frame_count: int = self._source.core.frame_count
        self.dicom_meta: DicomMeta = DicomMeta._of(self._source)
        self._cache: "OrderedDict[int, Tuple[bytes, str]]" = OrderedDict()
        self._lock = threading.Lock()
        self._last_access = time.time()

    @property
    def transfer_syntax_uid(self) -> str:
        """The transfer syntax in which the first frame goes out; ``""`` without frames."""
        if self.frame_count == 0:
            return ""
        return self._file(0)[1]

    def get_frame_count(self) -> int:
        """The number of frames."""
        return self.frame_count

    def get_dicom_for_frame(self, frame_index: SupportsIndex) -> bytes:
        """A frame as a DICOM file.

        Raises:
            NoSuchIndexError (an IndexError): no such frame.
            ClosedError (a ValueError): the reader is closed.
            CodecError, InvalidCubeFileError: the frame is damaged.
        """
        number = _arguments.integer(frame_index, "frame_index")
        if not 0 <= number < self.frame_count:
            raise NoSuchIndexError(f"Frame index {number} out of range [0, {self.frame_count})")
        return self._file(number)[0]

    def _file(self, frame: int) -> Tuple[bytes, str]:
        """(file, transfer syntax)"""
        core = self._source.core  # raises when it is closed, whatever is still in the cache
        with self._lock:
            self._last_access = time.time()
            if frame in self._cache:
                self._cache.move_to_end(frame)
                return self._cache[frame]
        made = self._make(core, frame)
        with self._lock:
            self._cache[frame] = made
            while len(self._cache) > self.cache_size:
                self._cache.popitem(last=False)
        return made

    def _make(self, core: _core.Archive, frame: int) -> Tuple[bytes, str]:
        instance = core.instance_of(frame)
        first, frames = core.instance(instance)[3:5]
        uid = ""
        if frames > 1:
            original = self.dicom_meta.get_values("SOPInstanceUID")[instance]
            uid = _core.derived_uid(f"{original}/{frame - first}")
        data, syntax = _core.frame_file(core, frame, uid, self.force_uncompressed)
        return data, syntax or str(self.dicom_meta.get_values("TransferSyntaxUID")[instance] or "1.2.840.10008.1.2")

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

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_lock": None, "_cache": OrderedDict()}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
