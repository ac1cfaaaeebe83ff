"""The DICOM files that an image consists of, and the archive of them: the originals as far as nothing was changed."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from typing import Any, Iterator, List, Optional, Set, Tuple

import numpy as np

from .. import _arguments, _core, _threads
from .._source import state_of
from .._write import Edited, frame_stack, new_files
from ..archive import read_frames
from ..dicom.dicom_meta import DicomMeta
from ..exceptions import DataConsistencyError, MetaDataError
from .image import DicomCubeImage
from .stored_values import values_of
from .written_meta import meta_to_write


def write_archive(image: DicomCubeImage, made: str, work: str) -> None:
    """Writes a lossless archive to ``made``, with files of its own in the folder ``work``."""
    image = _in_order(image)
    meta = image.dicom_meta
    if image._source is not None and is_pristine(image):
        archive = made.endswith(".dcba")
        if image._source.path is not None and archive == image._source.core.info()["references"]:
            with open(made, "xb") as file:  # by the open archive: the file may have another name by now, or none
                file.write(_core.archive_bytes(image._source.core))
            return
        if _pack_originals(image, made):
            return
    if meta is not None:
        _check_one_series(meta)
    elif image._source is not None:
        meta = DicomMeta._of(image._source)
    count, files = files_of(image)
    paths = [os.path.join(work, str(number)) for number in range(count)]
    for path, data in zip(paths, files):
        with open(path, "xb") as file:
            file.write(data)
    _pack(paths, _file_names(meta, count), made)


def _pack(paths: List[str], names: List[str], made: str) -> None:
    """Packs files of one series under these names, in this order."""
    _core.pack_renamed(paths, names, made, made.endswith(".dcba"), _threads.get_num_threads())


def _check_one_series(meta: DicomMeta) -> None:
    """Raises MetaDataError where the slices were made to be of several series."""
    uids = set(meta.get_values("SeriesInstanceUID"))
    if len(uids) > 1:
        raise MetaDataError(
            f"an archive holds one series, but the slices have {len(uids)} values of SeriesInstanceUID",
            suggestion="set_shared_item() gives all of them one",
        )


def _pack_originals(image: DicomCubeImage, made: str) -> bool:
    """Packs the files that the image was loaded from; False when they are not there any more as they were."""
    files = image._source.files() if image._source is not None else None
    if files is None:
        return False
    if any(state is None or state_of(path) != state for path, state in files):
        return False
    rows = image.dicom_meta._rows if image.dicom_meta is not None else range(len(files))
    instances = [image._source.core.instance(row) for row in rows]  # type: ignore[union-attr]
    _pack([files[row][0] for row in rows], [name for name, *_ in instances], made)
    packed = _core.Archive.open(made)
    return all(packed.instance(number)[2] == instance[2] for number, instance in enumerate(instances))


def _file_names(meta: Optional[DicomMeta], count: int) -> List[str]:
    """The files' names in their archive: those of the metadata, and made-up ones for those that no file can have, or several."""
    given = meta.filenames if meta is not None else None
    given = [str(name) for name in given] if given is not None and len(given) == count else [""] * count
    kept = {name for name, times in Counter(given).items() if times == 1 and _is_file_name(name)}
    kept -= {name[:at] for name in kept for at in range(len(name)) if name[at] == "/"}  # files, and no folders of others
    taken = {name.split("/")[0] for name in kept}
    return [name if name in kept else _made_up(number, taken) for number, name in enumerate(given)]


def _is_file_name(name: str) -> bool:
    """Whether a file inside of a folder can have this name (spec/format.md)."""
    return _arguments.is_path(name) and all(part not in ("", ".", "..") and len(os.fsencode(part)) <= 255 for part in name.split("/"))


def _made_up(number: int, taken: Set[str]) -> str:
    """``slice_0003.dcm``, or, where that is taken, ``slice_0003-2.dcm`` ..."""
    names = (f"slice_{number:04d}{end}.dcm" for end in itertools.chain([""], (f"-{copy}" for copy in itertools.count(2))))
    return next(name for name in names if name not in taken)


def _in_order(image: DicomCubeImage) -> DicomCubeImage:
    """The image with its frames in the order of its metadata.

    Raises:
        DataConsistencyError: these were sorted, and something was set for frames as they stood before.
    """
    rows = image._rows_of_frames()
    if rows is None:
        return image
    meta = image._frame_meta()
    if image._has_other_array() or (meta is not None and image._header_edits(meta)) or (image._has_own_space() and image._space is not None):
        raise DataConsistencyError(
            "dicom_meta was sorted, raw_image was not, and its shape, pixel_header or space were changed",
            suggestion="put the frames into that order: image.raw_image = image.raw_image[order], with the order that sort_files() gives",
        )
    order = np.argsort(rows)
    return DicomCubeImage._of(image._source, frame_stack(image.raw_image)[order], [image._frames[i] for i in order], image.dicom_meta)  # type: ignore[arg-type]


def is_pristine(image: DicomCubeImage) -> bool:
    """Whether pixels and metadata are those of the source, all of it and in its order."""
    image = _in_order(image)
    source, meta = image._source, image.dicom_meta
    assert source is not None
    if meta is not None:
        if meta._source is not source or meta._edits():
            return False
        if source.path is not None and meta._rows != list(range(source.core.instance_count)):
            return False
    meta = DicomMeta._of(source) if meta is None else meta
    return meta_to_write(image, meta) is meta and not any(_changed_frames(image, meta))


def _changed_frames(image: DicomCubeImage, meta: DicomMeta) -> List[bool]:
    """Of each frame of ``raw_image``, whether it is another than that of the metadata's files, which is decoded again and compared."""
    frames, source = frame_stack(image.raw_image), meta._source
    numbers = meta._frames() if source is not None and source.core.is_uniform() else []
    if len(numbers) != len(frames):
        return [True] * len(frames)
    words = read_frames(source, numbers)  # type: ignore[arg-type]
    if words.dtype != frames.dtype or words.shape != frames.shape:
        return [True] * len(frames)
    bits = f"u{words.dtype.itemsize}"  # NaN is NaN, and 0 is not -0
    return [not np.array_equal(*pair) for pair in zip(frames.view(bits), words.view(bits))]


def files_of(image: DicomCubeImage) -> Tuple[int, Iterator[bytes]]:
    """How many DICOM files the image is written as, one per row of its metadata, and these."""
    image = _in_order(image)
    meta = image.dicom_meta
    if meta is None and image._source is not None:
        meta = DicomMeta._of(image._source)
    if meta is None:
        meta = image._new_meta("OT", "ANONYMOUS^", "0000000")
    meta = meta_to_write(image, meta)
    if meta._source is None:
        return meta.slice_count, new_files(frame_stack(values_of(image)), meta)
    count = len(frame_stack(image.raw_image))
    counts = [meta._source.core.instance(row)[4] for row in meta._rows]
    if sum(counts) != count:
        raise DataConsistencyError(
            f"the metadata's files have {sum(counts)} frames but the image {count}", suggestion="call init_meta() for new metadata"
        )
    changed = _changed_frames(image, meta)
    edited = Edited(meta, frame_stack(values_of(image)) if any(changed) else None, changed)
    return meta.slice_count, (edited.file(number) for number in range(meta.slice_count))
