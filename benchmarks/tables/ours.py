"""Whose rows are those of our recipes."""

from __future__ import annotations

OWN = "mnist-conditional"
RECIPES = (OWN, "mnist-jem", "mnist-paper", "fashion", "cifar10-small")
REFERENCES = ("floor", "degraded", "untouched", "test split", "training rows")


def is_rival(system: str) -> bool:
    """Whether a system is none of ours, and no reference."""
    return not system.startswith((*RECIPES, "mean of")) and system not in REFERENCES
