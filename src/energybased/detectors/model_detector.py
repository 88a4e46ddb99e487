"""Anomaly detection by a model that is trained already."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from energybased.data.examples import examples
from energybased.data.files import examples_in
from energybased.detectors.detector import Detector
from energybased.detectors.encoder import Array
from energybased.detectors.fold import Folds
from energybased.errors import require
from energybased.models.model import Model, checked

CHUNK = 500  # examples whose maps are computed at once


class ModelDetector(Detector):
    """Labels and p-values by the scores of a trained energy or latent model, such as `energybased.load` gives.

    `fit` trains nothing: the scores of examples that the model was not trained on become the references of p-values.
    If these examples are all normal (`novelty=True`), they are split-conformal p-values.

    Args:
        model: the trained model.
        novelty: whether the examples of `fit` are all normal.
        contamination: share of examples of `fit` above the threshold, in (0, 0.5], or "auto"; see `EnergyDetector`.
        random_state: seed of everything random.

    Attributes:
        decision_scores_, p_values_, labels_, threshold_: as those of `EnergyDetector`.

    Raises:
        UserError: for settings out of range, or examples that are not of the model's shape and domain.
    """

    def __init__(
        self,
        model: Model,
        *,
        novelty: bool = False,
        contamination: float | Literal["auto"] = 0.1,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.novelty = novelty
        self.contamination = contamination
        self.random_state = random_state

    @property
    def shows_entries(self) -> bool:
        """Whether the model tells which entries are odd: a latent one does, and an energy that has learned noise."""
        return hasattr(self.model, "reconstruct") or getattr(self.model, "noise", 0) > 0

    def map(self, X: Any) -> Array:
        """How odd each entry of examples X is, `(n, *event)`; of pictures each pixel, `(n, height, width)`.

        It is the squared change that the model makes to the entry, the mean over channels: a latent model reconstructs
        the example, and an energy moves it by -sigma^2 grad E, where sigma is the noise that it has learned.

        Raises:
            UserError: for an energy that has learned data without noise.
        """
        x, model = self._checked(X), self.model
        require(self.shows_entries, "a map needs a model that has learned noisy data")
        rng, parts = self._rng(), []
        for part in x.split(CHUNK):
            if hasattr(model, "reconstruct"):
                change = part - model.reconstruct(part, generator=rng).cpu()
            else:
                change = model.noise**2 * self._slope(part)  # type: ignore[attr-defined]
            squared = change.detach().square()
            parts.append(squared.mean(1) if squared.ndim == 4 else squared)
        return torch.cat(parts).double().numpy()

    def _slope(self, x: Tensor) -> Tensor:
        """The gradient of the energy `(n, *event)` at examples x."""
        model: Any = self.model
        return model.marginal.value_and_grad(model.spec.domain.encode(x).to(model.place))[1].cpu()

    def _read(self, X: Any, reset: bool) -> Tensor:
        require(isinstance(self.model, Model), f"model is a trained model, as load gives, got {self.model!r}")
        spec = self.model.spec
        if isinstance(X, (str, Path)):
            return examples(Path(X), spec)[1]
        x, _ = examples_in(X, "an array of examples", spec.domain)
        x = x.float() / 255 if x.dtype == torch.uint8 else x.float()
        return checked(x[:, 0] if x.shape[1:] == (1, *spec.event) else x, spec)

    def _learn(self, x: Tensor, generator: Generator) -> tuple[Folds, Tensor]:
        require(len(x) >= 2, f"a fit needs at least two examples, got {len(x)}")
        self.seed_ = int(torch.randint(2**31, (), generator=generator))
        scores = torch.from_numpy(self._energies(x)[0])
        self.kept_ = self._columns(x)
        return Folds(None, [], [scores.sort().values]), scores

    def _energies(self, x: Tensor) -> Array:
        return self.model.score(x, generator=self._rng()).detach().cpu().double().numpy()[None]

    def _columns(self, x: Tensor) -> Array:
        """The scores of examples, as one column: they tell whether the examples come from where others do."""
        return self._energies(x).T

    def _rng(self) -> Generator:
        return torch.Generator().manual_seed(self.seed_)
