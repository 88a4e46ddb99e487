"""A user's own table of numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from energybased.models import Sampler
from energybased.recipes.energy import EnergyRecipe
from energybased.recipes.network import Dense
from energybased.sampling import ReplayBuffer, Underdamped
from energybased.training import Adam


def table(**changes: Any) -> EnergyRecipe:
    """Your own table, --data FILE.csv (or .npz, .npy, .parquet), in its own units.

    Columns are standardised by the training split, and samples and scores are in the file's units. A column of labels
    is named by --label; with --conditional the energy is conditional on it.
    """
    recipe = EnergyRecipe(
        recipe="table",
        data="",
        data_noise=0.1,
        batch_size=256,
        steps=2000,
        network=Dense((128, 128)),
        sampler=Sampler(Underdamped(0.15, 0.7), steps=10, length=300),
        buffer=ReplayBuffer(capacity=2048, restart=0.01),
        optimizer=Adam(lr=2e-3, clip_norm=5.0, schedule="cosine"),
        ema=0.998,
    )
    return replace(recipe, **changes)
