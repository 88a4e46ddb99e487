"""Tests run on one thread: small tensors gain nothing from more, and bits stay comparable.

So do the processes that they start, and scikit-learn: threads of several workers wait for each other.
"""

import os
from importlib.util import find_spec

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before torch and scikit-learn are imported

import torch

torch.set_num_threads(1)

collect_ignore = [] if find_spec("pyod") else ["src/energybased/detectors/pyod.py"]  # it needs PyOD to be imported


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
