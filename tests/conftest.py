"""Tests run on one thread: small tensors gain nothing from more, and bits stay comparable."""

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
