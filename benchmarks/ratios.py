"""Staged ratios against densities that are known: `python benchmarks/ratios.py` writes results/ratios.json.

Every problem is solved with the settings that `fit_staged_prior` has, and by one stage with as many updates in all.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Callable

import torch
from rows import row, write
from torch import Tensor

from energybased import Gaussian, IsotropicMixture
from energybased.energies import Analytic
from energybased.latent import StagedPrior, fit_staged_prior
from energybased.latent.fit import AUTO, UPDATES

COMMAND = "python benchmarks/ratios.py"
HELD = 20_000  # samples of the target on which a ratio is compared


def ring() -> Analytic:
    """Eight Gaussians on a circle of radius 4."""
    angle = torch.arange(8) * (math.pi / 4)
    return IsotropicMixture(4 * torch.stack([angle.cos(), angle.sin()], 1), 0.15)


def chasm() -> Analytic:
    """On the line, N(4, 0.1^2): forty standard deviations wide, four away."""
    return Gaussian(torch.tensor([4.0]), torch.tensor([[0.01]]))


def pinwheel() -> Analytic:
    """Five arms that bend as they go out, each of ten Gaussians."""
    radius = torch.linspace(0.5, 3.0, 10)
    angle = torch.arange(5)[:, None] * (2 * math.pi / 5) + 0.5 * radius
    return IsotropicMixture(torch.stack([radius * angle.cos(), radius * angle.sin()], 2).flatten(0, 1), 0.12)


def pairs() -> Analytic:
    """Ten entries, each two in a row correlated by 0.95."""
    return Gaussian(torch.zeros(10), torch.block_diag(*[torch.tensor([[1.0, 0.95], [0.95, 1.0]])] * 5))


PROBLEMS: dict[str, Callable[[], Analytic]] = {"ring": ring, "chasm": chasm, "pinwheel": pinwheel, "pairs": pairs}


def quadrature(prior: StagedPrior, target: Analytic) -> tuple[float, float]:
    """KL(target | prior) in nats, and how far `log_z` is off, on a grid of the plane.

    It is wide, for one stage leaves mass where the target has none.
    """
    side = torch.linspace(-10, 10, 1401, dtype=torch.float64)
    points, area = torch.cartesian_prod(side, side).float(), (side[1] - side[0]) ** 2
    energy = torch.cat([prior(part) for part in points.split(20_000)]).double()
    log_z = torch.logsumexp(-energy, 0) + area.log()
    log_p = target.log_prob(points).double()
    kl = (log_p.exp() * (log_p + energy + log_z)).sum() * area
    return float(kl), abs(float(prior.base.log_z + prior.log_z_offset - log_z))


def error(prior: StagedPrior, target: Analytic, x: Tensor) -> float:
    """Root mean square error of log target/base on the target's mass."""
    return float((prior.log_prob(x) - target.log_prob(x)).square().mean().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    options = parser.parse_args()
    seeds, command = options.seeds, f"{COMMAND} --seeds {' '.join(map(str, options.seeds))}"
    command += f" --problems {' '.join(options.problems)}"
    found, took = defaultdict(list), defaultdict(float)
    for name in options.problems:
        target = PROBLEMS[name]()
        for seed in seeds:
            for how, stages, budget in (("staged", "auto", UPDATES), ("one stage", 1, AUTO * UPDATES)):
                rng = torch.Generator().manual_seed(seed)
                began = time.process_time()
                draw = lambda n, target=target, rng=rng: target.sample(n, rng)  # noqa: E731
                prior = fit_staged_prior(draw, target.dim, stages=stages, budget=budget, generator=rng)
                spent = time.process_time() - began
                x = target.sample(HELD, rng)
                values = {"rmse": error(prior, target, x), "seconds": spent, "stages": len(prior.stages)}
                if target.dim == 2:
                    values["kl"], values["log_prob_off"] = quadrature(prior, target)
                for what, value in values.items():
                    found[f"{name}, {how}: {what}"].append(value)
                    took[f"{name}, {how}: {what}"] += spent
                print(name, how, seed, values, flush=True)
        rows = [row(k, v, seeds[: len(v)], PROTOCOLS[k.split(": ")[1]], command, took[k]) for k, v in found.items()]
        write("ratios.json", rows, merge=True)


PROTOCOLS = {
    "rmse": f"root mean square error of the log-ratio on {HELD} samples of the target, nats",
    "kl": "KL(target | prior) by quadrature, nats",
    "log_prob_off": "|log Z by its estimate - log Z by quadrature|, nats: the error of log_prob",
    "stages": "stages that learned something",
    "seconds": "processor time of the fit",
}


if __name__ == "__main__":
    main()
