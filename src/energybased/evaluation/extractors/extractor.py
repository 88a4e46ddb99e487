"""The protocol of feature extractors."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Extractor(Protocol):
    """A network in whose features pictures are compared. A `Judge` is one."""

    @property
    def name(self) -> str:
        """Its name in the protocols of rows, such as `judge-mnist` or `lite0`."""
        ...

    @property
    def width(self) -> int:
        """The number of features, d."""
        ...

    @property
    def digest(self) -> str:
        """A hash of its weights and of what it does to pictures."""
        ...

    def features(self, x: Tensor) -> Tensor:
        """Features `(n, d)` of pictures `(n, channels, height, width)`, clipped to [0, 1]."""
        ...

    def classify(self, features: Tensor) -> Tensor:
        """Class probabilities `(n, classes)` for features `(n, d)`."""
        ...
