"""log Z from both ends, where it is known: `python benchmarks/partition.py` writes results/partition.json.

Two energies with an offset: a Gaussian with 500 entries and correlations, and a mixture of eight Gaussians with 20
entries. The base is a Gaussian fitted to 10,000 draws, as in the metric `log_likelihood`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import tyro
from rows import Measured
from torch import Generator

from energybased import Gaussian, IsotropicMixture
from energybased.energies import Analytic, PrincipalGaussian
from energybased.evaluation.partition import enough_chains, sandwich_log_z

TRAINING, OFFSET = 10_000, 7.0  # draws that the base is fitted to; added to the energies, in nats


def gaussian(rng: Generator) -> Analytic:
    """500 entries whose standard deviations along random directions are between 0.3 and 3."""
    basis = torch.linalg.qr(torch.randn(500, 500, generator=rng, dtype=torch.float64)).Q
    spread = torch.logspace(-0.5, 0.5, 500, dtype=torch.float64)
    covariance = basis * spread.square() @ basis.T
    return Gaussian(torch.randn(500, generator=rng), (covariance + covariance.T) / 2)


def mixture(rng: Generator) -> Analytic:
    """Eight Gaussians of standard deviation 0.7 to 1.3 around centres of standard deviation 2."""
    means = 2 * torch.randn(8, 20, generator=rng)
    return IsotropicMixture(means, 0.7 + 0.6 * torch.rand(8, generator=rng), 0.5 + torch.rand(8, generator=rng))


PROBLEMS: dict[str, Callable[[Generator], Analytic]] = {"gaussian-500": gaussian, "mixture-20": mixture}


def main(
    problems: tuple[str, ...] = tuple(PROBLEMS), seeds: tuple[int, ...] = (0, 1, 2), chains: int | None = None
) -> None:
    torch.set_num_threads(1)
    found = Measured("partition", seeds)
    for name, seed in ((name, seed) for name in problems for seed in seeds):
        rng, began = torch.Generator().manual_seed(seed), time.process_time()
        density = PROBLEMS[name](rng)
        base = PrincipalGaussian.fit(density.sample(TRAINING, rng), density.dim)
        count = chains or enough_chains(density.dim)
        samples = density.sample(count, rng)
        ends = sandwich_log_z(density + OFFSET, base, (density.dim,), count, samples, True, base, generator=rng)
        true, seconds = float(density.log_z) - OFFSET, time.process_time() - began
        values = {
            "width": (ends.high - ends.low, "width of the sandwich with two standard errors on both sides, nats"),
            "inside": (float(ends.low <= true <= ends.high), "1 if the true log Z is inside"),
        }
        for side, end in (("forward", ends.forward), ("backward", ends.backward)):
            values[side] = end.value - true, f"{side} estimate of log Z, less the true one, nats"
            values[f"{side}_error"] = end.error, "its standard error between the groups, nats"
            values[f"{side}_ess"] = end.ess, f"effective sample size of the last weights of {count} chains"
        values["seconds"] = seconds, "CPU seconds of both directions and the fit of the base"
        for metric, (value, protocol) in values.items():
            found.add(value, f"{protocol}; {count} chains", seconds, data=name, system="ais", metric=metric)
    found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
