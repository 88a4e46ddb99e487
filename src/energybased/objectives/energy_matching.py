"""Energy Matching, which trains one energy whose descent carries noise to data (Balcerak et al. 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor

from energybased.objectives.gradient_matching import GradientMatching, gradient_error, starts
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class EnergyMatching(GradientMatching):
    """mean |grad E(x_t) + (x - z)|^2 / d at x_t = (1 - t) z + t x, with t uniform in [0, 1] (Balcerak et al. 2025).

    z is noise at which fresh chains begin, and z and x are paired by optimal transport within the batch. x_t
    then hardly cross, so a gradient that does not depend on t can follow them: descent with steps that sum to 1
    carries noise to data. It is the first phase of the method. A second phase of contrastive divergence makes exp(-E)
    a density.

    The pairing of labelled batches does not look at the labels.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("loss", 0.0, 100.0, 20, "lower the learning rate"),)

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        x = batch.x
        noise, times = starts(parts, batch, rng)
        noise = noise[transported(noise, x)]
        loss = gradient_error(parts, batch, (1 - times) * noise + times * x, noise - x)
        return Result({"energy": loss}, state, {"loss": scalar(loss)})


def transported(noise: Tensor, x: Tensor) -> Tensor:
    """The order of the rows of `noise` `(n, *event)` in which the sum of |noise_i - x_i|^2 is least, `(n,)`."""
    cost = torch.cdist(x.detach().flatten(1), noise.flatten(1)).square()
    return torch.from_numpy(linear_sum_assignment(cost.cpu().numpy())[1]).to(x.device)
