"""Objectives, one a file, and an example of each in `OBJECTIVES`, which the contract tests run over."""

from energybased.objectives.contrastive_divergence import ContrastiveDivergence
from energybased.objectives.objective import Batch, Objective, Result, Vital
from energybased.sampling import Langevin, ReplayBuffer

OBJECTIVES: tuple[Objective, ...] = (
    ContrastiveDivergence(Langevin(0.1, 0.05, bounds=(0.0, 1.0)), steps=3, buffer=ReplayBuffer(capacity=16)),
)

__all__ = ["OBJECTIVES", "Batch", "ContrastiveDivergence", "Objective", "Result", "Vital"]
