"""
The C++ core of dicube. Its names may change: use those of the package dicube.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy
from numpy.typing import NDArray


version: str = '0.1.0'

def parse_tag(text: str) -> int | None:
    """The tag that a keyword or 'gggg,eeee' names; None when unknown."""

def suggested_keyword(typed: str) -> str:
    """
    '; did you mean PatientName?' for a mistyped keyword; '' when no keyword is near.
    """

def keyword(tag: int) -> str:
    """The keyword of a tag; '' when unknown."""

def implicit_vr(tag: int) -> str: ...

class Column:
    """The values of one element, for every instance."""

    @property
    def tag(self) -> int: ...

    @property
    def vr(self) -> str: ...

    @property
    def is_constant(self) -> bool: ...

    def __len__(self) -> int: ...

    def values(self) -> list:
        """One value per instance; None where the element is absent or empty."""

    def value(self, instance: int) -> object: ...

    def is_present(self, instance: int) -> bool: ...

    def text(self, instance: int) -> object: ...

    def raw(self, instance: int) -> bytes: ...

class Archive:
    """
    An open archive. All methods may be called from several threads at once.
    """

    @staticmethod
    def open(path: str) -> Archive: ...

    @staticmethod
    def from_bytes(bytes: bytes, name: str) -> Archive: ...

    @staticmethod
    def from_reader(size: int, read: Callable, name: str) -> Archive:
        """
        read(offset, size) gives bytes; it is called by several threads at once.
        """

    @property
    def instance_count(self) -> int: ...

    @property
    def frame_count(self) -> int: ...

    @property
    def checksum(self) -> int:
        """Another archive has another one, in all likelihood."""

    def info(self) -> dict: ...

    def instance_names(self) -> list: ...

    def instance(self, instance: int) -> tuple: ...

    def frame_ranges(self) -> list:
        """(first frame, frames) of every instance."""

    def instance_of(self, frame: int) -> int: ...

    def column(self, path: str) -> Column | None:
        """None when no instance has the element."""

    def frame_column(self, path: str) -> Column | None:
        """
        One value per frame: functional groups, then the data set. None when no instance has the element.
        """

    def data_set(self, instance: int) -> dict: ...

    def sequence(self, instance: int, tag: int) -> tuple:
        """
        (items, {tag: VR} of each item; of a sequence in it, a list of the same). None for the VRs where no element is private, for both where it is absent.
        """

    def paths(self) -> list[str]: ...

    def pixel_format(self, frame: int, level: int = 0) -> tuple: ...

    def photometric(self, frame: int) -> str:
        """What the decoded values mean: "RGB", "YBR_FULL", "MONOCHROME2", ..."""

    def is_uniform(self) -> bool: ...

    def codec(self, frame: int) -> str: ...

    def read_frames(self, frames: Sequence[int], out: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')], threads: int) -> None: ...

    def read_reduced(self, frame: int, level: int, out: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def read_instance(self, instance: int) -> bytes: ...

def pack(sources: Sequence[str], out: str, codec: str, on_conflict: str, all: bool, threads: int, progress: object | None, order: Sequence[str] = [], archive: bool = False, name_template: str = '') -> dict: ...

def pack_renamed(paths: Sequence[str], names: Sequence[str], out: str, archive: bool, threads: int) -> None:
    """Packs the files of one series, in this order, under these names."""

def unpack(archive: str, folder: str, on_conflict: str, threads: int, progress: object | None, transfer_syntax: str = '', max_error: int = 0, ratio: float = 0.0, verify: bool = False) -> dict: ...

def convert(archive: str, out: str, codec: str, max_error: int, ratio: float, to_version1: bool, on_conflict: str, threads: int, progress: object | None) -> dict: ...

def verify(archive: str, threads: int, progress: object | None) -> dict: ...

def scan(sources: Sequence[str], threads: int) -> tuple: ...

def gather(paths: Sequence[str], names: Sequence[str], name: str, scratch_folder: str, threads: int) -> Archive: ...

def archive_bytes(archive: Archive) -> bytes: ...

def frame_file(archive: Archive, frame: int, uid: str, uncompressed: bool = False) -> tuple: ...

def derived_uid(text: str) -> str: ...

def rewrite(file: bytes, edits: Sequence[tuple[int, str, object]], transfer_syntax: str = '') -> bytes: ...

def check(slices: int, columns: dict, frames: list, digests: list, not_whole: list, broken: list) -> list: ...

def recode_sequences(file: bytes, encode: Callable) -> list:
    """
    (tag, VR, new value) of the sequences with texts beyond ASCII in the data set's own character set; encode(tag, vr, text) gives their bytes.
    """

def is_implicit(file: bytes) -> bool | None:
    """
    Whether the data set has implicit VR, whatever its transfer syntax says; None of one in big endian.
    """

def vrs_in_sequence(archive: Archive, instance: int, tag: int) -> dict: ...

def encode_htj2k(pixels: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)], rows: int, columns: int, samples: int, bits: int, is_signed: bool, colour: bool) -> bytes: ...

def htj2k_shape(stream: bytes) -> tuple[int, int, int, int, bool, int]:
    """
    (rows, columns, samples, bits, signed, levels) of a codestream that may be decoded.
    """

def decode_htj2k(stream: bytes, level: int, out: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

def allocate(size: int) -> Annotated[NDArray[numpy.uint8], dict(shape=(None,))]:
    """
    An array of so many bytes, whatever they are; for large ones. The memory of the last one that was freed is used again.
    """
