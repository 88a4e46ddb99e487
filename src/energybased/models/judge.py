"""A judge: a trained classifier that evaluates samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Generator, Tensor

from energybased.data import DataSpec
from energybased.errors import UserError
from energybased.models.file import digest
from energybased.models.model import Origin, checked, export, moved, place_of, require_shape
from energybased.networks.judge import FEATURES, JudgeNetwork


@dataclass(frozen=True)
class Judge:
    """A classifier in eval mode.

    Args:
        network: the classifier, which gives logits and features.
        spec: shape, domain and classes of the data that it was trained on.
        origin: the recipe and the trained parts, for `export`; None if the model cannot be exported.
    """

    network: JudgeNetwork
    spec: DataSpec
    origin: Origin | None = None

    @property
    def offers(self) -> frozenset[str]:
        """What the model offers: "scores", "features" and "class logits"."""
        return frozenset({"scores", "features", "class logits"})

    @property
    def classes(self) -> int:
        """0, because a judge is not conditional on a class."""
        return 0

    @property
    def name(self) -> str:
        """`judge-` and the name of the data set, as feature extractors are named in the protocols of rows."""
        return f"judge-{self.spec.name}"

    @property
    def width(self) -> int:
        """The number of features, 64."""
        return FEATURES

    @cached_property
    def digest(self) -> str:
        """A hash of the weights."""
        return digest({"network": self.name}, self.network.state_dict())

    def features(self, x: Tensor) -> Tensor:
        """Features `(n, 64)` of pictures `(n, channels, height, width)`."""
        return self.network.features(x.to(place_of(self.network)))

    def logits(self, x: Tensor) -> Tensor:
        """Class logits `(n, classes)` of pictures `(n, channels, height, width)` in [0, 1]; differentiable in x.

        Raises:
            UserError: if x has another shape.
        """
        require_shape(x, self.spec)
        return self.network(x.to(place_of(self.network)))

    def probabilities(self, x: Tensor) -> Tensor:
        """Class probabilities `(n, classes)` of pictures `(n, channels, height, width)`."""
        return self.network.probabilities(x.to(place_of(self.network)))

    def classify(self, features: Tensor) -> Tensor:
        """Class probabilities `(n, classes)` for features `(n, 64)`."""
        return self.network.classify(features)

    def accuracy(self, x: Tensor, y: Tensor) -> float:
        """The fraction of pictures x `(n, *event)` whose most probable class is y `(n,)`."""
        return float((self.probabilities(x).argmax(1).to(y.device) == y).float().mean())

    def score(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """-log max_y p(y | x), `(n,)`. High means out of distribution (Hendrycks & Gimpel 2017)."""
        return -self.probabilities(checked(x, self.spec)).max(1).values.log()

    def sample(self, n: int, *, generator: Generator | None = None) -> NoReturn:
        raise UserError("a judge is a classifier: it cannot draw samples")

    def given(self, *y: Any) -> NoReturn:
        raise UserError("a judge is a classifier: it is not conditional")

    def film(self, *, generator: Generator | None = None) -> NoReturn:
        raise UserError("a judge is a classifier: it cannot draw samples")

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Judge:
        """A copy on another device, or with another floating-point type."""
        return replace(self, network=moved(self.network, device, dtype))

    def export(self, file: Path | str, *, dtype: torch.dtype | None = torch.float16) -> None:
        """Writes weights and settings into one file that `load` reads; parameters as `dtype`, half if not given."""
        export(self.origin, file, dtype=dtype)
