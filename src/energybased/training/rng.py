"""The global random generators, from which a user's network or data may draw."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def seed_all(seed: int) -> None:
    """Seeds every global generator."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Inside, the global generators may be seeded and drawn from; afterwards they are as they were."""
    states = global_rng()
    try:
        yield
    finally:
        set_global_rng(states)


def global_rng() -> dict[str, Tensor]:
    """The states of the global generators."""
    _, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    version, words, spare = random.getstate()
    states = {
        "torch": torch.get_rng_state(),
        "numpy": torch.from_numpy(np.asarray(keys, dtype=np.int64)),
        "numpy_rest": torch.tensor([place, has_gauss, gauss], dtype=torch.float64),
        "python": torch.tensor([version, *words], dtype=torch.int64),
        "python_rest": torch.tensor([spare is not None, spare or 0.0], dtype=torch.float64),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_global_rng(states: dict[str, Tensor]) -> None:
    """Restores what `global_rng` gave."""
    torch.set_rng_state(states["torch"])
    place, has_gauss, gauss = states["numpy_rest"].tolist()
    np.random.set_state(("MT19937", states["numpy"].numpy().astype(np.uint32), int(place), int(has_gauss), gauss))
    version, *words = states["python"].tolist()
    has_spare, spare = states["python_rest"].tolist()
    random.setstate((version, tuple(words), spare if has_spare else None))
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
