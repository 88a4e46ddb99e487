"""Joint training of a classifier and a density (Grathwohl et al. 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.algebra import Marginal
from energybased.energies import as_energy
from energybased.errors import UserError, require
from energybased.objectives.contrastive_divergence import ContrastiveDivergence
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar
from energybased.sampling import ReplayBuffer


@dataclass(frozen=True)
class JointEnergy:
    """-log p(x, y) = -log p(x) - log p(y | x) for the energies E(x, y) of all classes (Grathwohl et al. 2020, JEM).

    p(y | x) is the softmax of the logits -E(x, y), whose cross entropy is minimised. The gradient of -log p(x) is
    estimated by contrastive divergence on the marginal energy -log sum_y exp(-E(x, y)), whose chains have no class.

    Args:
        divergence: contrastive divergence of the marginal energy.
        classes: number of classes.
        weight: weight of the cross entropy.

    Raises:
        UserError: for settings out of range, or if the batch has no class labels.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        *ContrastiveDivergence.vitals,
        Vital("cross_entropy", 0.0, 20.0, 20, "lower the learning rate"),
    )

    divergence: ContrastiveDivergence
    classes: int
    weight: float = 1.0

    def __post_init__(self) -> None:
        require(self.classes >= 2, f"a classifier needs at least two classes, got {self.classes}")
        require(0 < self.weight < math.inf, f"weight must be positive, got {self.weight}")
        by_class = self.buffer.by_class or self.buffer.relabel
        require(not by_class, "the chains of the marginal energy have no class: buffer.by_class and relabel are off")

    @property
    def buffer(self) -> ReplayBuffer:
        """Settings of the replay buffer."""
        return self.divergence.buffer

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        return self.divergence.init(self.marginal(parts), batch._replace(y=None), rng)

    def refresh(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> State:
        return self.divergence.refresh(self.marginal(parts), state, batch._replace(y=None), rng)

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        if not isinstance(batch.y, Tensor) or batch.y.is_floating_point():
            raise UserError("joint training needs class labels, but the batch has none")
        result = self.divergence.step(self.marginal(parts), state, batch._replace(y=None), rng)
        logits = -as_energy(parts["energy"]).by_class(batch.x, self.classes)
        cross_entropy = F.cross_entropy(logits, batch.y)
        loss = result.losses["energy"] + self.weight * cross_entropy
        right = (logits.argmax(1) == batch.y).float().mean()
        metrics = {"loss": loss, "cross_entropy": cross_entropy, "accuracy": right}
        told = result.metrics | {name: scalar(value) for name, value in metrics.items()}
        return Result({"energy": loss}, result.state, told)

    def marginal(self, parts: Parts) -> Parts:
        """The energy without its class, as the part that contrastive divergence trains."""
        return {"energy": Marginal(as_energy(parts["energy"]), self.classes)}
