"""Objectives, one a file. `OBJECTIVES` lists them for the contract tests."""

from energybased.objectives.contrastive_divergence import ContrastiveDivergence
from energybased.objectives.objective import Batch, Objective, Result, Vital

OBJECTIVES = (ContrastiveDivergence,)

__all__ = ["OBJECTIVES", "Batch", "ContrastiveDivergence", "Objective", "Result", "Vital"]
