"""What a detector sees of pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from energybased.detectors.pictures import Pictures
from energybased.evaluation.extractors.lite import Lite


@dataclass(frozen=True)
class PictureFeatures:
    """Features of pictures and of their patches, scaled to unit length.

    Args:
        whole: `(n, 1280)`, float64.
        patches: `(n, 196, 152)`, in half precision: 60 kB a picture.
        size: height and width of the pictures, in pixels.
    """

    whole: Tensor
    patches: Tensor
    size: tuple[int, int]

    @staticmethod
    def of(pictures: Pictures, lite: Lite) -> PictureFeatures:
        """The features of pictures."""
        whole, patches, size = [], [], (0, 0)
        for part in pictures.chunks():
            features, local = lite.with_patches(part)
            whole.append(normalize(features, dim=1))
            patches.append(normalize(local, dim=2).half())
            size = (part.shape[2], part.shape[3])
        return PictureFeatures(torch.cat(whole).double(), torch.cat(patches), size)

    def __len__(self) -> int:
        return len(self.whole)

    def select(self, rows: Any) -> PictureFeatures:
        """The features of these pictures."""
        return replace(self, whole=self.whole[rows], patches=self.patches[rows])

    def rows(self) -> Tensor:
        """All features of each picture in one row, `(n, 1280 + 196 * 152)`, float64."""
        return torch.cat([self.whole, self.patches.double().flatten(1)], 1)
