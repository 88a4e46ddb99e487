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
    """Your own table (--data FILE.csv, .npz, .npy or .parquet).

    Columns are standardised with the moments of the training split. Samples are in the units of the file. --label names
    a column of labels; with --conditional True the energy is conditional on it. The settings were chosen on the
    validation splits of three tables (annthyroid, cardio, satimage-2). The step size of the chains is below the
    standard deviation of the noise, so that chains can follow the narrowest columns. Training takes a minute on one
    core (results/tables.json).
    """
    recipe = EnergyRecipe(
        recipe="table",
        data="",
        data_noise=0.1,
        base="mixture",
        batch_size=256,
        steps=2000,
        network=Dense((128, 128)),
        sampler=Sampler(Underdamped(0.08, 0.8), steps=15, length=500),
        buffer=ReplayBuffer(capacity=2048, restart=0.01),
        optimizer=Adam(lr=1e-3, clip_norm=5.0, schedule="cosine"),
        ema=0.998,
    )
    return replace(recipe, **changes)
