"""Tests run on one thread: small tensors gain nothing from more, and bits stay comparable."""

from importlib.util import find_spec

import pytest
import torch

torch.set_num_threads(1)

collect_ignore = [] if find_spec("pyod") else ["src/energybased/detectors/pyod.py"]  # it needs PyOD to be imported


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
