"""Imported by torch_dataset() alone, since it needs torch."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np
import torch
from torch.utils.data import Dataset

from . import ArchiveDataset


class TorchDataset(Dataset):
    """Frames as tensors; types that torch lacks (unsigned of 16 and 32 bits) as the next larger signed one."""

    def __init__(self, paths: Any, transform: Any = None, level: int = 0) -> None:
        self.frames = ArchiveDataset(paths, level=level)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Tuple[Any, int, int]:
        pixels, archive, frame = self.frames[index]
        if pixels.dtype.kind == "u" and pixels.dtype.itemsize > 1:
            pixels = pixels.astype(np.int32 if pixels.dtype.itemsize == 2 else np.int64)
        tensor = torch.from_numpy(pixels)
        return (self.transform(tensor) if self.transform else tensor), archive, frame
