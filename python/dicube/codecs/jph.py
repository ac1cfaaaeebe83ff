"""HTJ2K codestreams (ISO/IEC 15444-15) of single images."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np
from numpy.typing import NDArray

from .. import _arguments, _core
from ..exceptions import ArgumentTypeError, NoSuchIndexError, UnsupportedError, UsageError

__all__ = ["JphCodec"]


class JphCodec:
    """Lossless HTJ2K, in the form of DICOM's HTJ2K Lossless RPCL (PS3.5 A.4): what archives hold, too.

    Attributes:
        id: 2, as in archives (spec/codecs.md).
        name: ``"jph"``.
        extensions: of files with such codestreams.
    """

    id: int = 2
    name: str = "jph"
    extensions: Tuple[str, ...] = (".j2k", ".j2c", ".jp2")

    def encode(self, image: NDArray[Any], /, reversible: bool = True, color_transform: bool = False, **layout: Any) -> bytes:
        """The image as a codestream that gives every value back.

        Args:
            image: rows x columns, or rows x columns x samples (1 to 4), of integers of 8, 16 or 32 bits; those of 32 bits as far as
                HTJ2K holds their range.
            reversible: must be true; for losses with a bound see :func:`dicube.save` with type ``"l"``.
            color_transform: code the samples, red, green and blue, through the reversible colour transform: smaller of most
                images, not of pseudo-colours.
            layout: ``num_decompositions``, ``block_size``, ``precinct_size``, ``progression_order`` and ``profile`` of earlier
                callers; the standard's form has its own.

        Raises:
            ArgumentTypeError (a TypeError): no array, or none of integers.
            UsageError (a ValueError): not two or three dimensions, or an empty one.
            UnsupportedError: HTJ2K does not hold it, or ``reversible`` is false.
        """
        if not isinstance(image, np.ndarray):
            raise ArgumentTypeError(f"an image is an array, not a {type(image).__name__}")
        if image.dtype.kind not in "iu":
            raise ArgumentTypeError(f"HTJ2K holds integers, not {image.dtype}")
        if image.ndim not in (2, 3) or image.size == 0:
            raise UsageError(f"an image has rows x columns or rows x columns x samples, none empty; this one has shape {image.shape}")
        if not reversible:
            raise UnsupportedError("coding with losses is not offered here", suggestion='dicube.save(image, path, "l", max_error=2)')
        unknown = set(layout) - {"num_decompositions", "block_size", "precinct_size", "progression_order", "profile"}
        if unknown:
            raise ArgumentTypeError(f"encode() has no argument {sorted(unknown)[0]!r}")
        samples = image.shape[2] if image.ndim == 3 else 1
        if samples > 4:
            raise UnsupportedError(f"HTJ2K does not hold {samples} samples here, at most 4")
        values = np.ascontiguousarray(image, image.dtype.newbyteorder("<"))
        return _core.encode_htj2k(
            values.reshape(-1).view(np.uint8),
            image.shape[0],
            image.shape[1],
            samples,
            8 * image.dtype.itemsize,
            image.dtype.kind == "i",
            bool(color_transform),
        )

    def encode_lossless(self, image: NDArray[Any], /, **options: Any) -> bytes:
        """:meth:`encode`, which is lossless."""
        return self.encode(image, **options)

    def decode(self, data: bytes, /, level: int = 0, resilient: bool = False, **options: Any) -> NDArray[Any]:
        """The image in a codestream: rows x columns, or rows x columns x samples, in the smallest integers that have its bits.

        Args:
            level: at 1/2^level of its size.
            resilient, options: kept for earlier callers; a damaged codestream is an error.

        Raises:
            ArgumentTypeError (a TypeError): ``data`` is not bytes.
            CodecError: the codestream is malformed or damaged.
            UnsupportedError: it is legal, but not decoded here.
            NoSuchIndexError (an IndexError): it has no such level.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ArgumentTypeError(f"a codestream is bytes, not a {type(data).__name__}")
        stream = bytes(data)
        number = _arguments.integer(level, "level")
        rows, columns, samples, bits, is_signed, levels = _core.htj2k_shape(stream)
        if not 0 <= number <= levels:
            raise NoSuchIndexError(f"no level {number}: the codestream has levels 0 to {levels}")
        rows, columns = (-(-side >> number) for side in (rows, columns))
        out = np.empty((rows, columns) if samples == 1 else (rows, columns, samples), f"<{'i' if is_signed else 'u'}{bits // 8}")
        _core.decode_htj2k(stream, number, out.reshape(-1).view(np.uint8))
        return out

    def is_available(self) -> bool:
        """Whether it works here: always, for it is part of the package."""
        return True

    def get_version(self) -> str:
        """The version of the package, whose part it is."""
        return f"dicube {_core.version}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} id={self.id} name={self.name!r} version={self.get_version()!r}>"
