"""Anomaly detection on pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from energybased.algebra import Combination
from energybased.detectors.contaminated import trimmed
from energybased.detectors.detector import Detector
from energybased.detectors.encoder import Array
from energybased.detectors.fold import Folds
from energybased.detectors.normal_pictures import fit_pictures
from energybased.detectors.picture_features import PictureFeatures
from energybased.detectors.pictures import Pictures
from energybased.energies.largest import Largest
from energybased.energies.measured import Through
from energybased.energies.patches import Patches
from energybased.energies.principal import PrincipalGaussian
from energybased.energies.surprisal import Surprisal
from energybased.errors import require
from energybased.evaluation.extractors.lite import GRID, SIDES, load_lite

EXAMPLES, COORDINATES = 5000, 10  # most normal training pictures, and coordinates of each, that are kept for drift
FEWEST = 4  # pictures of a fit
CHUNK = 100  # pictures whose energies are computed at once


class PictureDetector(Detector):
    """Detects anomalous pictures by an energy of features, which is high for anomalies, and shows the odd places.

    Labels, scores and p-values are as those of `EnergyDetector`. The features are those of EfficientNet-Lite0, trained
    on ImageNet, which is not trained further: 1,280 for the picture and 152 for each of 14 x 14 patches, scaled to unit
    length. The energy is the larger of two surprisals -log p(E(x)): one of the whole picture, by the distances to its
    nearest training pictures and by a Gaussian of features; and one of its oddest patches, by their distances to
    patches of training pictures (after PatchCore: Roth et al. 2022). If the training pictures also hold anomalies
    (`novelty=False`), the most anomalous fifth is left out.

    Pictures are a folder, a file, or an array or tensor `(n, channels, height, width)`, `(n, height, width, channels)`
    or `(n, height, width)`, of bytes or of numbers in [0, 1]. They may have any size, and are stretched to 224 x 224
    pixels. `drift` compares ten principal coordinates of the features, and gives the number of one.

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
    shows_entries = True  # it tells which places are odd

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

    def features(self, X: Any) -> PictureFeatures:
        """What the detector sees of pictures X. Each of its methods takes it in their place, which saves time."""
        return cast(PictureFeatures, self._checked(X))

    def places(self, X: Any) -> Array:
        """How odd each of the 14 x 14 patches of pictures X is, `(n, 14, 14)`, by the energy of its features.

        0 is the median, over training pictures, of the energy of the oddest patches of a picture. What is above is odd.
        """
        x, found = self._checked(X), []
        for part in torch.arange(len(x)).split(CHUNK):
            patches = x.select(part).patches.double()
            with torch.no_grad():
                folds = [cast(Patches, own.terms[0]).places(patches) - own.references.median() for own in self._parts()]
            found.append(torch.stack(folds).mean(0))
        return torch.cat(found).view(-1, GRID, GRID).numpy()

    def map(self, X: Any) -> Array:
        """How odd each pixel of pictures X is, `(n, height, width)`: `places`, interpolated.

        A patch is a fourteenth of the picture's side, and is seen with its surroundings. Of pictures in files, which
        may have several sizes, the map has 224 x 224 pixels.
        """
        x = self._checked(X)
        coarse = torch.from_numpy(self.places(x))[:, None]
        return interpolate(coarse, x.size, mode="bilinear")[:, 0].numpy()

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

    def _parts(self) -> list[Surprisal]:
        """The surprisals of the patches of the folds."""
        return [cast(Surprisal, cast(Through, cast(Largest, own).terms[1]).energy) for own in self.folds_.own]

    def _read(self, X: Any, reset: bool) -> PictureFeatures:
        if isinstance(X, PictureFeatures):
            return X
        return PictureFeatures.of(Pictures.of(X, self.SIDE), load_lite(0))

    def _learn(self, x: PictureFeatures, generator: Generator) -> tuple[Folds, Tensor]:
        require(len(x) >= FEWEST, f"a fit needs at least {FEWEST} pictures, got {len(x)}")
        kept = torch.ones(len(x), dtype=torch.bool) if self.novelty else trimmed(x.whole, generator)
        normal = x.select(kept)
        folds, scores = fit_pictures(normal.whole, normal.patches, generator)
        everyone = torch.empty(len(x), dtype=torch.float64)
        everyone[kept] = scores
        if not kept.all():
            everyone[~kept] = torch.from_numpy(self._of(folds, x.select(~kept))).mean(0)
            folds = Folds(None, folds.own, [everyone.sort().values] * len(folds.own))
        chosen = torch.randperm(len(normal), generator=generator)[:EXAMPLES]
        self.kept_ = coordinates(folds, normal.whole[chosen])
        return folds, everyone

    def _energies(self, x: PictureFeatures) -> Array:
        return self._of(self.folds_, x)

    def _columns(self, x: PictureFeatures) -> Array:
        return coordinates(self.folds_, x.whole)

    @staticmethod
    def _of(folds: Folds, x: PictureFeatures) -> Array:
        """The energies `(folds, n)` of pictures."""
        with torch.no_grad():
            parts = [folds.energies(x.select(part).rows()) for part in torch.arange(len(x)).split(CHUNK)]
        return torch.cat(parts, 1).numpy()


def coordinates(folds: Folds, whole: Tensor) -> Array:
    """The first principal coordinates `(n, at most 10)` of features `(n, 1280)`, by the Gaussian of the first fold."""
    mean = cast(Combination, cast(Largest, folds.own[0]).terms[0])
    gaussian = cast(PrincipalGaussian, cast(Surprisal, cast(Through, mean.terms[1]).energy).terms[0])
    return gaussian.coordinates(whole)[:, :COORDINATES].numpy()
