"""Feature extractors, one per file. Their metrics are named after them: `fd_lite0`, `kd_inception`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from energybased.evaluation.extractors.extractor import Extractor
from energybased.evaluation.extractors.inception import Inception, load_inception
from energybased.evaluation.extractors.lite import Lite, load_lite

EXTRACTORS: dict[str, Callable[[Path | None, torch.device], Extractor]] = {
    "lite0": lambda weights, device: load_lite(0, device),
    "lite1": lambda weights, device: load_lite(1, device),
    "inception": load_inception,
}

__all__ = ["EXTRACTORS", "Extractor", "Inception", "Lite", "load_inception", "load_lite"]
