"""NIfTI-1 files <-> images. Needs nibabel."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from typing import Any, BinaryIO, Optional, Tuple, Union

import numpy as np

from .. import _arguments
from .._write import frame_stack
from ..exceptions import (
    DataConsistencyError,
    InvalidCubeFileError,
    MetaDataError,
    UnsupportedError,
    UsageError,
    _from_system,
    _needing,
    _system_errors,
)
from ..space import Space, affine_from_meta
from ..validation import _path_text, validate_file_exists, validate_parameter_type
from .image import DicomCubeImage, check_array
from .pixel_header import PixelDataHeader
from .stored_values import values_of

__all__ = ["load_from_nifti", "save_to_nifti", "NoSpaceError"]

PathLike = Union[str, "os.PathLike[str]"]


class NoSpaceError(MetaDataError, InvalidCubeFileError):
    """The slices lie on no regular grid, so that no affine describes them."""


_SHEARED = "the axes are not perpendicular"
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI's x and y point the other way than DICOM's
_MM = {"meter": 1000.0, "micron": 0.001}
_TYPES = {"u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"}


def _nibabel() -> Any:
    with _needing("nibabel", "pip install 'dicube[nifti]'"):
        import nibabel
    return nibabel


def load_from_nifti(file_path: PathLike) -> DicomCubeImage:
    """Loads a NIfTI file of two or three dimensions.

    ``raw_image`` has the stored values, indexed z, y, x; their scale is in ``pixel_header``. ``space``, in mm whatever the file's
    unit, is ``None`` when its axes are not perpendicular; what is saved has them all the same, as far as the format can.

    Raises:
        MissingPackageError (an ImportError): nibabel is not installed.
        FileNotFoundError, InvalidCubeFileError: no such file, or no NIfTI.
        PermissionError, CubeIOError: the system refused.
        UnsupportedError: other dimensions, or no numbers.
    """
    nibabel = _nibabel()
    path = os.fsdecode(validate_file_exists(file_path, "load_from_nifti operation"))
    with _system_errors(path), open(path, "rb"):  # nibabel calls a file that it may not read none of its types
        pass
    try:
        nifti = nibabel.load(path, mmap=False)  # what a file says that another program changes, or cuts short, stays as it was
        slope, intercept = _scale(nifti)
        stored = np.asanyarray(nifti.dataobj.get_unscaled() if hasattr(nifti.dataobj, "get_unscaled") else nifti.dataobj)
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise _from_system(error, path) from error
        raise InvalidCubeFileError(f"can't be read as NIfTI: {error}", context=path, suggestion="") from error
    while stored.ndim > 3 and stored.shape[-1] == 1:
        stored = stored[..., 0]
    if stored.ndim == 2:
        stored = stored[..., np.newaxis]
    if stored.ndim != 3 or stored.dtype.kind not in "iuf":
        raise UnsupportedError(f"a NIfTI of shape {stored.shape} and type {stored.dtype}: two or three dimensions of numbers are read", context=path)
    raw = np.ascontiguousarray(stored.transpose(2, 1, 0))
    raw = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    header = PixelDataHeader(RescaleSlope=slope, RescaleIntercept=intercept, OriginalPixelDtype=raw.dtype.name, PixelDtype=raw.dtype.name)
    affine = _affine_in_mm(nifti)
    space, reason = _space_of(affine, raw.shape)
    image = DicomCubeImage(raw, header, space=space)
    image._space_problem = reason
    image._sheared = affine if reason == _SHEARED else None
    return image


def _affine_in_mm(nifti: Any) -> np.ndarray:
    """From x, y, z indices to DICOM's coordinates."""
    units = nifti.header.get_xyzt_units()[0] if hasattr(nifti.header, "get_xyzt_units") else ""
    affine = _FLIP @ np.asarray(nifti.affine, float)
    affine[:3] *= _MM.get(units, 1.0)
    return affine


def _scale(nifti: Any) -> Tuple[float, float]:
    slope, intercept = nifti.dataobj.slope, nifti.dataobj.inter
    return float(slope if slope is not None else 1.0), float(intercept if intercept is not None else 0.0)


def _space_of(affine: np.ndarray, shape: Tuple[int, ...]) -> Tuple[Optional[Space], str]:
    """From a matrix of x, y, z indices to DICOM's coordinates."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not (spacing > 0).all() or not np.isfinite(affine).all():
        return None, "the affine is singular"
    axes = affine[:3, :3] / spacing
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        return None, _SHEARED
    try:
        space = Space(
            shape=tuple(int(n) for n in shape[::-1]),
            origin=tuple(affine[:3, 3].tolist()),
            spacing=tuple(spacing.tolist()),
            x_orientation=tuple(axes[:, 0].tolist()),
            y_orientation=tuple(axes[:, 1].tolist()),
            z_orientation=tuple(axes[:, 2].tolist()),
        )
    except Exception as error:  # the installed Space has rules of its own
        return None, str(error)
    return space.reverse_axis_order(), ""


def save_to_nifti(image: DicomCubeImage, file_path: PathLike) -> None:
    """Writes a NIfTI-1 file (``.nii`` or ``.nii.gz``): stored values and their scale where all slices share one that
    the format holds, else real-world values as float32.

    A series with a tilted gantry gets an affine with a shear.

    Raises:
        MissingPackageError (an ImportError): nibabel is not installed.
        UsageError (a ValueError): a name that ends in neither.
        NoSpaceError (a MetaDataError): the slices lie on no regular grid, so that no affine describes them.
        DataConsistencyError: a colour image, or a size that NIfTI-1 can't hold.
    """
    nibabel = _nibabel()
    validate_parameter_type(image, DicomCubeImage, "image", "save_to_nifti operation")
    check_array(image.raw_image, "save_to_nifti operation")
    frames = frame_stack(image.raw_image)
    if frames.ndim != 3:
        raise DataConsistencyError(f"an image of shape {frames.shape} is not written as NIfTI", suggestion="")
    if max(frames.shape) > 32767:
        raise DataConsistencyError(f"NIfTI-1 holds at most 32767 voxels along an axis, not {max(frames.shape)}", suggestion="")
    path = _path_text(file_path, "file_path", "save_to_nifti operation", InvalidCubeFileError)
    if not path.lower().endswith((".nii", ".nii.gz")):
        raise UsageError(f"{path}: a NIfTI file's name ends in .nii or .nii.gz", context="save_to_nifti operation")
    data, slope, intercept = _values(image)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    affine = affine_of(image, "save to NIfTI", "save_to_nifti operation")
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1, strip_shears=True)
    header.set_xyzt_units("mm")
    header["scl_slope"], header["scl_inter"] = slope, intercept
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with _system_errors(path):
        folder, name = os.path.split(_arguments.absolute(path))
        with tempfile.TemporaryDirectory(prefix=".dicube-", dir=folder) as work:
            made = os.path.join(work, name)
            with open(made, "wb") as file:
                _write(file, header.binaryblock + b"\0\0\0\0", data, path.lower().endswith(".gz"))
            os.replace(made, path)


def _write(file: BinaryIO, header: bytes, data: np.ndarray, compressed: bool) -> None:
    """Slice by slice, so that Ctrl-C is heard between two of them."""
    with contextlib.ExitStack() as stack:
        out: Any = file
        if compressed:
            out = stack.enter_context(gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0))
        out.write(header)
        for number in range(data.shape[2]):
            out.write(data[:, :, number].tobytes(order="F"))


def _values(image: DicomCubeImage) -> Tuple[np.ndarray, float, float]:
    """Values indexed x, y, z with their scale."""
    slopes, intercepts = image._rescale()
    frames = frame_stack(values_of(image))
    native = frames.astype(frames.dtype.newbyteorder("="), copy=False)
    one_scale = slopes.ndim == 0 and not image._modality_luts() and _is_scale(slopes, intercepts)
    if one_scale and native.dtype.str[1:] in _TYPES:
        return native.transpose(2, 1, 0), float(slopes), float(intercepts)
    if one_scale and native.dtype.kind == "b":
        return native.astype(np.uint8).transpose(2, 1, 0), float(slopes), float(intercepts)
    return frame_stack(image.get_fdata("float32")).transpose(2, 1, 0), 1.0, 0.0


def _is_scale(slope: np.ndarray, intercept: np.ndarray) -> bool:
    """Whether NIfTI's fields hold them, which are of 32 bits: a slope of 0 says there that nothing is scaled."""
    with np.errstate(over="ignore", under="ignore"):
        held = np.array([slope, intercept], np.float32)
    return bool(np.isfinite(held).all() and held[0] != 0)


def affine_of(image: DicomCubeImage, wish: str, context: Optional[str] = None) -> np.ndarray:
    """4 x 4: x, y, z indices to NIfTI's coordinates.

    Raises:
        NoSpaceError: the slices lie on no regular grid.
    """
    space, reason = image._grid()
    if space is not None:
        grid = space.reverse_axis_order()
        affine = np.eye(4)
        axes = np.array([grid.x_orientation, grid.y_orientation, grid.z_orientation], float).T
        affine[:3, :3], affine[:3, 3] = axes * np.asarray(grid.spacing, float), grid.origin
        return _FLIP @ affine
    if image._sheared is not None:
        return _FLIP @ image._sheared
    meta = image._frame_meta()
    if meta is None:
        reason = "it has no metadata either"
    elif not image._misfit(meta):
        found, reason = affine_from_meta(meta)
        if found is not None:
            return _FLIP @ found
    raise NoSpaceError(f"Cannot {wish} without space information: {reason}", context=context, suggestion="set image.space")
