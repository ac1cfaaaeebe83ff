"""Imported by monai_reader() alone, since it needs MONAI."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np
from monai.config import PathLike
from monai.data.image_reader import ImageReader

from ..core.image import DicomCubeImage
from ..core.io import load
from ..core.nifti import affine_of
from ..exceptions import DataConsistencyError


class DicubeReader(ImageReader):
    """Reads ``.dcbs``, ``.dcba`` and ``.dcbl``."""

    def __init__(self, dtype: Any = "float32") -> None:
        super().__init__()
        self.dtype = dtype

    def verify_suffix(self, filename: Union[Sequence[PathLike], PathLike]) -> bool:
        names = [filename] if isinstance(filename, (str, os.PathLike)) else list(filename)
        return all(os.fspath(name).endswith((".dcbs", ".dcba", ".dcbl")) for name in names)

    def read(self, data: Union[Sequence[PathLike], PathLike], **kwargs: Any) -> Any:
        names = [data] if isinstance(data, (str, os.PathLike)) else list(data)
        images = [load(name) for name in names]
        return images if len(images) > 1 else images[0]

    def get_data(self, img: Any) -> Tuple[np.ndarray, Dict[str, Any]]:
        images: List[DicomCubeImage] = list(img) if isinstance(img, (list, tuple)) else [img]
        arrays = [image.get_fdata(self.dtype).swapaxes(0, 2) for image in images]
        affine, *others = [affine_of(image, "give MONAI an affine") for image in images]
        if any(array.shape != arrays[0].shape for array in arrays) or not all(np.allclose(affine, other) for other in others):
            raise DataConsistencyError("archives of different size or place can't be channels of one image", suggestion="")
        meta = {"affine": affine, "original_affine": affine.copy(), "spatial_shape": np.asarray(arrays[0].shape[:3]), "space": "RAS",
                "original_channel_dim": 0 if len(arrays) > 1 else "no_channel" if arrays[0].ndim == 3 else -1}  # fmt: skip
        return (arrays[0] if len(arrays) == 1 else np.stack(arrays)), meta
