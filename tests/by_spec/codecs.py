"""spec/codecs.md, sections 1 to 5: a codec's stream becomes a frame's bytes."""

import numpy as np
import zstandard

from . import lane as lane_codec
from .notation import NotCovered, check, unzstd


def frame_bits(shape):
    return shape.rows * shape.columns * (2 if shape.subsampled else shape.samples) * shape.bits


def stored(stream, shape):
    """Section 3."""
    check(len(stream) == frame_bits(shape) // 8, "stored: another size")
    return stream


def zstd(stream, shape):
    """Section 4. The content is the differences' lowest bytes, then their next ones, ..."""
    size = zstandard.frame_content_size(stream[1:])
    check(size == frame_bits(shape) // 8, "zstd: another size")
    content, kind, width = unzstd(stream[1:], size), stream[0], shape.bits // 8
    if kind == 0:
        return content
    check(kind <= 3 and (kind > 1 or width > 1), "zstd: filter")
    values = np.ascontiguousarray(np.frombuffer(content, "u1").reshape(width, -1).T).view(f"<u{width}")
    if kind > 1:
        step = (1 if shape.planar else shape.samples) * (shape.columns if kind == 3 else 1)
        values = np.cumsum(values.reshape(-1, step), axis=0, dtype=values.dtype)
    return values.tobytes()


def lane(stream, shape):
    return arranged(lane_codec.frame(stream, shape), shape)


def lane_inter(stream, shape, reference):
    return arranged(lane_codec.frame(stream, shape, samples_of(reference, shape)), shape)


def htj2k(stream, shape):
    """Section 5, by OpenJPEG."""
    try:
        import openjpeg
    except ImportError:
        raise NotCovered("htj2k: pylibjpeg-openjpeg is not there")
    try:
        about = openjpeg.get_parameters(stream)
        values = openjpeg.decode(stream)
    except RuntimeError as why:
        raise NotCovered(f"htj2k: OpenJPEG can't: {why}")
    check((about["rows"], about["columns"], about["samples_per_pixel"]) == (shape.rows, shape.columns, shape.samples), "htj2k: another shape")
    values = values.astype("i8")
    if shape.samples == 1 and about["precision"] < shape.bits and about["is_signed"] != bool(shape.signed):
        values &= (1 << about["precision"]) - 1
        if shape.signed:
            values -= values >> (about["precision"] - 1) << about["precision"]
    return arranged(values.reshape(-1, shape.samples), shape)


def arranged(values, shape):
    """Section 1: values, as pixels x samples, become the frame's bytes."""
    return (values.T if shape.planar else values).astype(f"<u{shape.bits // 8}").tobytes()


def samples_of(data, shape):
    """The reverse, as integers; signed ones only where the frame is."""
    values = np.frombuffer(data, f"<{'i' if shape.signed else 'u'}{shape.bits // 8}").astype("i8")
    return values.reshape(shape.samples, -1).T if shape.planar else values.reshape(-1, shape.samples)


CODECS = {0: stored, 1: zstd, 2: htj2k, 3: lane}
