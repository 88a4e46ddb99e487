"""Levels and power of tests of densities: `python benchmarks/fit_tests.py` writes results/fit_tests.json.

Draws of a known density are tested against it, or against other draws of it, at level 0.05. The share of rejections is
the rate of false alarms. Then the mean of every coordinate is moved by half a standard deviation, and the share is that
of the differences found. The densities are a standard normal, and a mixture of three Gaussians.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
import tyro
from rows import Measured
from torch import Generator, Tensor

from energybased import IsotropicMixture, StandardNormal
from energybased.energies import Analytic
from energybased.evaluation.classifier_test import classifier_two_sample_test
from energybased.evaluation.mean_discrepancy import maximum_mean_discrepancy
from energybased.evaluation.outcome import Outcome
from energybased.evaluation.stein import kernel_stein_discrepancy

DRAWS, LEVEL, MOVED = 200, 0.05, 0.5
CASES = {"false_alarms": 0.0, "found": MOVED}


def mixture(dim: int) -> Analytic:
    """Three Gaussians of different sizes and weights."""
    means = 1.5 * torch.randn(3, dim, generator=torch.Generator().manual_seed(0)) / math.sqrt(dim)
    return IsotropicMixture(means, torch.tensor([0.5, 0.8, 1.0]), torch.tensor([1.0, 2.0, 3.0]))


DENSITIES: dict[str, Callable[[int], Analytic]] = {"normal": StandardNormal, "mixture": mixture}
TESTS: dict[str, Callable[[Analytic, Tensor, Generator], Outcome]] = {
    "ksd": kernel_stein_discrepancy,
    "mmd": lambda density, x, rng: maximum_mean_discrepancy(x, density.sample(len(x), rng), rng),
    "c2st": lambda density, x, rng: classifier_two_sample_test(x, density.sample(len(x), rng), rng),
}


def main(repeats: int = 400, dims: tuple[int, ...] = (1, 10)) -> None:
    torch.set_num_threads(1)
    found = Measured("fit_tests")
    for kind, dim in ((kind, dim) for kind in DENSITIES for dim in dims):
        density = DENSITIES[kind](dim)
        spread = density.sample(100_000, torch.Generator().manual_seed(1)).std(0)
        for system, test in TESTS.items():
            for metric, moved in CASES.items():
                rng, began = torch.Generator().manual_seed(0), time.process_time()
                draws = (density.sample(DRAWS, rng) + moved * spread for _ in range(repeats))
                share = sum(test(density, x, rng).p_value <= LEVEL for x in draws) / repeats
                error = math.sqrt(share * (1 - share) / repeats)
                protocol = f"share of {repeats} repeats rejected at level {LEVEL}, {DRAWS} draws"
                protocol += f", means moved by {moved:g} standard deviations" if moved else ""
                fields = {"data": f"{kind}-{dim}", "system": system, "metric": metric}
                seconds = time.process_time() - began
                found.add(share, protocol, seconds, {"standard_error": round(error, 4)}, **fields)
        found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
