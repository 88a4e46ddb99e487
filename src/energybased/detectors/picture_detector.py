"""Anomaly detection on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Generator, Tensor
from torch.nn.functional import interpolate, normalize

from energybased.detectors.contaminated import trimmed
from energybased.detectors.detector import Detector
from energybased.detectors.encoder import Array
from energybased.detectors.fold import Folds
from energybased.detectors.normal_pictures import fit_pictures
from energybased.detectors.pictures import Pictures
from energybased.energies.largest import Largest
from energybased.energies.measured import Through
from energybased.energies.patches import Patches
from energybased.energies.surprisal import Surprisal
from energybased.errors import require
from energybased.evaluation.extractors.lite import GRID, SIDES, Lite, load_lite

EXAMPLES = 5000  # most normal training pictures whose features are kept for drift
FEWEST = 4  # pictures: two halves of two


class PictureDetector(Detector):
    """Detects anomalous pictures by an energy of features, which is high for anomalies, and shows the odd places.

    Labels, scores and p-values are as those of `EnergyDetector`. The features are those of EfficientNet-Lite0, trained
    on ImageNet, which is not trained further: 1,280 for the picture and 152 for each of 14 x 14 patches, scaled to unit
    length. The energy is the larger of two surprisals -log p(E(x)): one of the whole picture, by the distances to its
    nearest training pictures and by a Gaussian of features; and one of its oddest patches, by their distances to
    patches of training pictures (after PatchCore: Roth et al. 2022). If the training pictures also hold anomalies
    (`novelty=False`), the most anomalous fifth is left out.

    Pictures are a folder, or an array or tensor `(n, channels, height, width)`, `(n, height, width, channels)` or
    `(n, height, width)`, of bytes or of numbers in [0, 1]. They may have any size, and are scaled to 224 x 224 pixels.

    Args:
        novelty: whether the training pictures are all normal.
        contamination: share of training pictures above the threshold, in (0, 0.5], or "auto"; see `EnergyDetector`.
        random_state: seed of everything random.

    Attributes:
        decision_scores_, p_values_, labels_, threshold_: as those of `EnergyDetector`.

    Raises:
        UserError: for settings out of range, fewer than four pictures, a file that is no picture, or if the package of
            EfficientNet-Lite0 is not installed.
    """

    SIDE = SIDES[0]  # pixels to which pictures are scaled

    def __init__(
        self,
        *,
        novelty: bool = False,
        contamination: float | Literal["auto"] = 0.1,
        random_state: Any = None,
    ) -> None:
        self.novelty = novelty
        self.contamination = contamination
        self.random_state = random_state

    def map(self, X: Any) -> Array:
        """How odd each pixel of pictures X is, `(n, height, width)`: the energy of its patch, interpolated.

        A patch is a fourteenth of the picture's side, and is seen with its surroundings. The median over training
        pictures of the energy of their oddest patches is 0: what is above it is odd.
        """
        x = self._checked(X)
        return np.concatenate([self._map(part) for part in x.chunks()])

    def save(self, path: str | Path) -> None:
        """Writes the fitted detector into one safetensors file, without the weights of the features."""
        from energybased.detectors.stored import write_detector

        check_is_fitted(self)
        write_detector(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> PictureDetector:
        """Reads what `save` wrote.

        Raises:
            UserError: if the file is damaged, or no detector of pictures.
        """
        from energybased.detectors.stored import read_detector

        found = read_detector(Path(path))
        require(isinstance(found, PictureDetector), f"{path} is a detector of tables: EnergyDetector.load reads it")
        return cast(PictureDetector, found)

    def _map(self, x: Tensor) -> Array:
        patches = normalised(*self.extractor_.with_patches(x))[1]
        with torch.no_grad():
            folds = [
                cast(Patches, local.terms[0]).places(patches) - local.references.median() for local in self._locals()
            ]
        energies = torch.stack(folds).mean(0)
        coarse = energies.view(len(x), 1, GRID, GRID)
        return interpolate(coarse, x.shape[2:], mode="bilinear")[:, 0].numpy()

    def _locals(self) -> list[Surprisal]:
        """The surprisals of the patches of the folds."""
        return [cast(Surprisal, cast(Through, cast(Largest, own).terms[1]).energy) for own in self.folds_.own]

    def _read(self, X: Any, reset: bool) -> Pictures:
        pictures = Pictures.of(X, self.SIDE)
        if reset:
            require(len(pictures) >= FEWEST, f"a fit needs at least {FEWEST} pictures, got {len(pictures)}")
            self.extractor_: Lite = load_lite(0)
        return pictures

    def _learn(self, x: Pictures, generator: Generator) -> tuple[Folds, Tensor]:
        parts = [normalised(*self.extractor_.with_patches(part)) for part in x.chunks()]
        features = torch.cat([whole for whole, _ in parts]).double()
        patches = torch.cat([local.half() for _, local in parts])
        kept = torch.ones(len(x), dtype=torch.bool) if self.novelty_ else trimmed(features, generator)
        folds, scores = fit_pictures(features[kept], patches[kept], generator)
        everyone = torch.empty(len(x), dtype=torch.float64)
        everyone[kept] = scores
        if not kept.all():
            left = [features[~kept], patches[~kept].double().flatten(1)]
            everyone[~kept] = folds.energies(torch.cat(left, 1)).mean(0)
            folds = Folds(None, folds.own, [everyone.sort().values] * len(folds.own))
        self.kept_ = features[kept][torch.randperm(int(kept.sum()), generator=generator)[:EXAMPLES]].numpy()
        return folds, everyone

    def _energies(self, x: Pictures) -> Array:
        found = []
        for part in x.chunks():
            whole, local = normalised(*self.extractor_.with_patches(part))
            with torch.no_grad():
                found.append(self.folds_.energies(torch.cat([whole, local.flatten(1)], 1).double()))
        return torch.cat(found, 1).numpy()

    def _columns(self, x: Pictures) -> Array:
        return torch.cat([normalize(self.extractor_.features(part), dim=1) for part in x.chunks()]).double().numpy()


def normalised(features: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
    """Features `(n, d)` and those of patches `(n, places, c)`, scaled to unit length."""
    return normalize(features, dim=1), normalize(patches, dim=2)
