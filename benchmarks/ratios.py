"""Ratios learned in stages, compared with known densities: `python benchmarks/ratios.py` writes results/ratios.json.

Each problem is solved with the defaults of `fit_staged_prior`, and with one stage and the same total number of updates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
import tyro
from rows import Measured

from energybased import Gaussian, IsotropicMixture
from energybased.energies import Analytic
from energybased.latent import StagedPrior, fit_staged_prior
from energybased.latent.fit import MAX_STAGES, MAX_UPDATES

HELD = 20_000  # samples of the target on which log-ratios are compared
PROTOCOLS = {
    "rmse": f"root mean square error of the log-ratio on {HELD} samples of the target, nats",
    "kl": "KL(target | prior) by quadrature, nats",
    "log_prob_off": "error of log_prob: |estimated log Z - log Z by quadrature|, nats",
    "active_stages": "stages that learned something",
    "seconds": "CPU seconds of the fit",
}


def ring() -> Analytic:
    """Eight Gaussians on a circle of radius 4."""
    angle = torch.arange(8) * (math.pi / 4)
    return IsotropicMixture(4 * torch.stack([angle.cos(), angle.sin()], 1), 0.15)


def chasm() -> Analytic:
    """N(4, 0.1^2) in one dimension: it is far from the base N(0, 1), and a tenth as wide."""
    return Gaussian(torch.tensor([4.0]), torch.tensor([[0.01]]))


def pinwheel() -> Analytic:
    """Five curved arms, each of ten Gaussians."""
    radius = torch.linspace(0.5, 3.0, 10)
    angle = torch.arange(5)[:, None] * (2 * math.pi / 5) + 0.5 * radius
    return IsotropicMixture(torch.stack([radius * angle.cos(), radius * angle.sin()], 2).flatten(0, 1), 0.12)


def pairs() -> Analytic:
    """A Gaussian with ten entries in five pairs, each with a correlation of 0.95."""
    return Gaussian(torch.zeros(10), torch.block_diag(*[torch.tensor([[1.0, 0.95], [0.95, 1.0]])] * 5))


PROBLEMS: dict[str, Callable[[], Analytic]] = {f.__name__: f for f in (ring, chasm, pinwheel, pairs)}


def quadrature(prior: StagedPrior, target: Analytic) -> tuple[float, float]:
    """KL(target | prior) in nats and the error of `log_z`, on a grid of the plane.

    The grid is wide, because one stage leaves mass where the target has none.
    """
    side = torch.linspace(-10, 10, 1401, dtype=torch.float64)
    points, area = torch.cartesian_prod(side, side).float(), (side[1] - side[0]) ** 2
    energy = torch.cat([prior(part) for part in points.split(20_000)]).double()
    log_z = torch.logsumexp(-energy, 0) + area.log()
    log_p = target.log_prob(points).double()
    kl = (log_p.exp() * (log_p + energy + log_z)).sum() * area
    return float(kl), abs(float(prior.base.log_z + prior.log_z_offset - log_z))


def solve(name: str, stages: int | str, budget: int, seed: int) -> dict[str, float]:
    target, rng, began = PROBLEMS[name](), torch.Generator().manual_seed(seed), time.process_time()
    prior = fit_staged_prior(lambda n: target.sample(n, rng), target.dim, stages=stages, budget=budget, generator=rng)
    values = {"seconds": time.process_time() - began, "active_stages": len(prior.stages)}
    x = target.sample(HELD, rng)
    values["rmse"] = float((prior.log_prob(x) - target.log_prob(x)).square().mean().sqrt())
    if target.dim == 2:
        values["kl"], values["log_prob_off"] = quadrature(prior, target)
    return values


def main(problems: tuple[str, ...] = tuple(PROBLEMS), seeds: tuple[int, ...] = (0, 1, 2)) -> None:
    found = Measured("ratios", seeds)
    for name, seed in ((name, seed) for name in problems for seed in seeds):
        for system, stages, budget in (("stages", "auto", MAX_UPDATES), ("one-stage", 1, MAX_STAGES * MAX_UPDATES)):
            values = solve(name, stages, budget, seed)
            for metric, value in values.items():
                found.add(value, PROTOCOLS[metric], values["seconds"], data=name, system=system, metric=metric)
        found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
