"""Codecs for single images, by name. Archives need none of this: they code their frames themselves."""

from __future__ import annotations

from typing import Any, Dict, List, Protocol, Tuple, runtime_checkable

from numpy.typing import NDArray

from ..exceptions import ArgumentTypeError, UsageError
from .jph import JphCodec

__all__ = ["ImageCodec", "JphCodec", "get_codec", "is_codec_available", "list_codecs", "register_codec"]


@runtime_checkable
class ImageCodec(Protocol):
    """What a codec has.

    Attributes:
        id: its number.
        name: what :func:`get_codec` finds it by.
        extensions: endings of files in its format.
    """

    id: int
    name: str
    extensions: Tuple[str, ...]

    def encode(self, image: NDArray[Any], /, **options: Any) -> bytes:
        """The image as a codestream."""
        ...

    def decode(self, data: bytes, /, **options: Any) -> NDArray[Any]:
        """The image in a codestream."""
        ...

    def is_available(self) -> bool:
        """Whether it works here."""
        ...

    def get_version(self) -> str:
        """The version of what does the work."""
        ...


_codecs: Dict[str, ImageCodec] = {}


def register_codec(codec: ImageCodec) -> None:
    """Makes a codec known under its name, in place of one that had it.

    Raises:
        ArgumentTypeError (a TypeError): it lacks something that :class:`ImageCodec` names.
    """
    if not isinstance(codec, ImageCodec):
        raise ArgumentTypeError(f"{codec!r} is no codec: id, name, extensions, encode, decode, is_available and get_version are wanted")
    _codecs[codec.name.lower()] = codec


def get_codec(name: str) -> ImageCodec:
    """The codec of this name, in capitals or not.

    Raises:
        UsageError (a ValueError): there is none.
    """
    codec = _codecs.get(name.lower()) if isinstance(name, str) else None
    if codec is None:
        raise UsageError(f"Unknown codec {name!r}; there are: {', '.join(sorted(_codecs))}")
    return codec


def list_codecs() -> List[str]:
    """The names of all codecs."""
    return list(_codecs)


def is_codec_available(name: str) -> bool:
    """Whether there is a codec of this name, and works here."""
    try:
        return get_codec(name).is_available()
    except ValueError:
        return False


register_codec(JphCodec())
