"""The metadata that an image's files are written with: made for an image from an array, or its own with what was changed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Optional

import numpy as np
from numpy.typing import NDArray

from .._write import frame_stack, new_uid, today
from ..dicom._frames import has_functional_groups, per_frame_meta
from ..dicom._values import all_equal
from ..dicom.dicom_meta import DicomMeta
from ..dicom.dicom_tags import CommonTags as T
from ..dicom.dicom_tags import Tag, to_tag
from ..exceptions import DataConsistencyError, MetaDataError, UnsupportedError
from ..space import Space, space_or_reason
from .part import PLACE, is_place
from .real_world import new_item

if TYPE_CHECKING:
    from .image import DicomCubeImage

__all__ = ["describe", "meta_to_write"]

_LUTS = to_tag("ModalityLUTSequence")
_UNITS = (to_tag("RescaleType"), to_tag("Units"))


def describe(image: DicomCubeImage, meta: DicomMeta, modality: str, patient_name: str, patient_id: str) -> None:
    """Gives new metadata, one row per slice, new UIDs, today's date, the image's space and pixel header."""
    frames = frame_stack(image.raw_image)
    count = len(frames)
    date, time = today()
    shared = {
        T.PatientName: patient_name, T.PatientID: patient_id, T.PatientBirthDate: "19700101", T.PatientSex: "O",
        T.StudyInstanceUID: new_uid(), T.StudyDate: date, T.StudyTime: time, T.StudyID: "1",
        T.StudyDescription: f"Default {modality} Study", T.SeriesInstanceUID: new_uid(), T.SeriesNumber: 1,
        T.SeriesDescription: f"Default {modality} Series", T.Modality: modality, T.FrameOfReferenceUID: new_uid(),
    }  # fmt: skip
    for tag, value in shared.items():
        meta.set_shared_item(tag, value)
    meta.set_nonshared_item(T.SOPInstanceUID, [new_uid() for _ in range(count)])
    meta.set_nonshared_item(T.InstanceNumber, list(range(1, count + 1)))
    _set_place(image, meta, frames)
    _set_pixels(image, meta, frames)


def meta_to_write(image: DicomCubeImage, meta: DicomMeta) -> DicomMeta:
    """The metadata of the files: where the header or the space were changed to say another thing, a copy that says it, too.

    Raises:
        UnsupportedError: that thing stands in functional groups.
    """
    frames = frame_stack(image.raw_image)
    known = per_frame_meta(meta, len(frames))
    if known.slice_count != len(frames):  # found when files are made
        return meta
    header, placed = image._header_edits(known), known
    space = image._grid()[0] if image._has_own_space() and image._space is not None else None
    if space is None and image._misfit(known) and image._has_other_array():
        placed = image._frame_meta() or known
        if image._misfit(placed) and any(map(is_place, *(placed.get_values(tag) for tag in PLACE))):
            raise DataConsistencyError(f"where the pixels lie is not known: {image._misfit(placed)}", suggestion="set image.space")
    if space is not None:
        moved = not _is_same(space, space_or_reason(known, "zyx")[0])
    else:
        moved = any(placed.get_values(tag) != known.get_values(tag) for tag in PLACE)
    if not header and not moved:
        return meta
    if has_functional_groups(meta) or (moved and known.get_values(T.ImagePositionPatient) != meta.get_values(T.ImagePositionPatient)):
        raise UnsupportedError(
            "pixel_header and space of images of several frames can't be changed: edit their functional groups",
            suggestion="init_meta() makes new metadata, a file for each frame",
        )
    if T.RescaleSlope in header and known.get_values(T.RescaleSlope) != meta.get_frame_values(T.RescaleSlope):
        raise UnsupportedError("the factors of a dose can't be changed in pixel_header: edit DoseGridScaling")
    changed = copy.copy(meta)
    for tag, value in header.items():
        changed.set_shared_item(tag, value)
    if T.RescaleSlope in header:
        changed.remove(_LUTS)
    if moved and space is not None:
        _set_space(image, space, changed, len(frames))
    for tag in PLACE if moved and space is None else ():
        _take(placed, changed, tag)
    return changed


def _take(known: DicomMeta, meta: DicomMeta, tag: Tag) -> None:
    """Gives metadata the values that known ones have."""
    if known.is_shared(tag):
        meta.set_shared_item(tag, known.get(tag))
    elif not known.is_missing(tag):
        meta.set_nonshared_item(tag, known.get_values(tag))


def _set_place(image: DicomCubeImage, meta: DicomMeta, frames: NDArray[Any]) -> None:
    """Gives new metadata the image's space; of an image without one the place that each slice has in its own metadata. Where nothing
    says that the slices have places (ultrasound, photographs), they lie 1 mm apart.

    Raises:
        MetaDataError: the metadata says where some slices lie, and not where each of them does.
    """
    space, reason = image._grid()
    known = image._frame_meta() if image._sheared is None else None
    if space is not None or known is None or (known.is_missing(T.ImagePositionPatient) and known.is_missing(T.ImageOrientationPatient)):
        return _set_space(image, space, meta, len(frames))
    reason = image._misfit(known) or reason
    if not image._misfit(known) and all(map(is_place, *(known.get_values(tag) for tag in PLACE))):
        for tag in (*PLACE, T.SliceThickness, T.SpacingBetweenSlices):
            _take(known, meta, tag)
        return None
    raise MetaDataError(f"new metadata can't say where the slices lie: {reason}", context="init_meta operation", suggestion="set image.space")


def _set_space(image: DicomCubeImage, given: Optional[Space], meta: DicomMeta, count: int) -> None:
    space = given.reverse_axis_order() if given is not None else None
    if space is not None:
        origin, axes = np.asarray(space.origin, float), np.array([space.x_orientation, space.y_orientation, space.z_orientation], float)
        spacing = [float(n) for n in space.spacing]
    else:
        matrix = np.eye(4) if image._sheared is None else image._sheared
        steps = np.linalg.norm(matrix[:3, :3], axis=0)
        origin, axes, spacing = matrix[:3, 3], (matrix[:3, :3] / steps).T, steps.tolist()
        if abs(np.dot(axes[0], axes[1])) > 1e-3:
            raise MetaDataError("rows and columns are not perpendicular, which DICOM does not hold", suggestion="set image.space")
    step = axes[2] * spacing[2]
    orientation = [*axes[0].tolist(), *axes[1].tolist()]
    meta.set_shared_item(T.ImageOrientationPatient, orientation)
    meta.set_shared_item(T.PixelSpacing, [spacing[1], spacing[0]])
    if meta.is_missing(T.SliceThickness):
        meta.set_shared_item(T.SliceThickness, spacing[2])
    meta.set_shared_item(T.SpacingBetweenSlices, spacing[2])
    meta.set_nonshared_item(T.ImagePositionPatient, [(origin + i * step).tolist() for i in range(count)])
    if T.SliceLocation in meta:
        meta.remove(T.SliceLocation)


def _photometric(image: DicomCubeImage, samples: int) -> str:
    """What new metadata says of the values: what the source does, as far as that stands alone."""
    if image._source is not None and len(image._frames):
        said = image._source.core.photometric(image._frames[0])
        if said in (("MONOCHROME1", "MONOCHROME2") if samples == 1 else ("RGB", "YBR_FULL")):
            return said
    return "MONOCHROME2" if samples == 1 else "RGB"


def _set_pixels(image: DicomCubeImage, meta: DicomMeta, frames: NDArray[Any]) -> None:
    header = image.pixel_header
    bits, is_float = frames.dtype.itemsize * 8, frames.dtype.kind == "f"
    bits = max(bits, 32) if is_float else min(bits, 32)
    samples = frames.shape[3] if frames.ndim == 4 else 1
    values = {
        T.Rows: frames.shape[1], T.Columns: frames.shape[2], T.SamplesPerPixel: samples,
        T.PhotometricInterpretation: _photometric(image, samples), T.BitsAllocated: bits,
    }  # fmt: skip
    if not is_float:  # PS3.3 C.7.6.24
        values.update({T.BitsStored: bits, T.HighBit: bits - 1, T.PixelRepresentation: int(frames.dtype.kind == "i")})
    for tag, value in values.items():
        meta.set_shared_item(tag, value)
    luts = image._modality_luts()
    if luts:
        is_signed = frames.dtype.kind == "i"
        items = [None if lut is None else [new_item(lut[0], lut[1], is_signed)] for lut in luts]
        meta.set_shared_item(_LUTS, items[0]) if all_equal(items) else meta.set_nonshared_item(_LUTS, items)
    for tag, factors in zip((T.RescaleSlope, T.RescaleIntercept), image._rescale()):
        if factors.ndim == 0:
            meta.set_shared_item(tag, float(factors))
        else:
            meta.set_nonshared_item(tag, factors.ravel().tolist())
    before = image.dicom_meta
    if before is not None and before.get(T.Modality) == meta.get(T.Modality):  # what the values measure
        for tag in _UNITS:
            if isinstance(before.get(tag), str):
                meta.set_shared_item(tag, before.get(tag))
    if header.WindowCenter is not None and header.WindowWidth is not None:
        meta.set_shared_item(T.WindowCenter, float(header.WindowCenter))
        meta.set_shared_item(T.WindowWidth, float(header.WindowWidth))


def _is_same(space: Space, other: Optional[Space]) -> bool:
    """Whether two grids are the same, up to what is lost in the texts of numbers: 1e-6 of lengths and directions, 1e-5 of a voxel."""
    if other is None or tuple(space.shape) != tuple(other.shape):
        return False
    tolerances = {"spacing": (1e-6, 0.0), "origin": (0.0, 1e-5 * min(other.spacing))}
    directions = ("x_orientation", "y_orientation", "z_orientation")
    return all(
        np.allclose(getattr(space, name), getattr(other, name), *tolerances.get(name, (0.0, 1e-6))) for name in (*tolerances, *directions)
    )
