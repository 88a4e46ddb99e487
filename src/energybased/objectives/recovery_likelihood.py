"""Diffusion recovery likelihood, which trains an energy over levels of noise by short chains (Gao et al. 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from energybased.algebra import Rowwise
from energybased.broadcast import per_row
from energybased.energies import Measured
from energybased.energy import Condition
from energybased.errors import require
from energybased.objectives.noise_levels import class_entropy, labels_of, levels_of
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar
from energybased.sampling import AnyKernel, Streams, Underdamped, advance


class InUnits(Rowwise):
    """E(unit z): the energy of x = unit z as one of z, with a unit `(batch,)` for each row."""

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        (unit,) = self.rows_of(x)
        return self.values(per_row(unit, x) * x, y)[0]


@dataclass(frozen=True)
class RecoveryLikelihood(Stateless):
    """mean E(v | y, sigma) - mean E(v' | y, sigma): contrastive divergence between two levels of noise.

    v = x + sigma e are examples with noise, and w = v + step e' have more of it, of the level ratio * sigma. The
    negatives v' are what chains that begin at w make of it: they sample

        p(v | w) ~ exp(-E(v | y, sigma) - |w - v|^2 / (2 step^2)), step^2 = (ratio^2 - 1) sigma^2.

    The gradient of the mean of -log p(v | w) is that of the difference of the energies, since the added term has no
    weights. p(v | w) is narrow, with nearly one mode, so short chains reach it from w, where those of a density of data
    would have to cross between modes. The ratio is (largest / smallest)^(1 / levels) of the levels of the energy. The
    levels of the paper are fixed; here sigma is drawn for each example, uniformly in its logarithm, so that the energy
    knows every level.

    A chain's unit of length is sigma (1 - 1 / ratio^2)^(1/2), the standard deviation of p(v | w) where data have none.
    Energies under different classes are compared by the cross entropy of softmax(-E(v | ., sigma)) and the labels.
    Those at different levels are not compared.

    Args:
        kernel: the transition of the chains, with steps in the unit above, and without bounds.
        steps: transitions of each chain.
        levels: number of ratios that the levels of the energy span, as in the paper.
        cross_entropy: weight of the cross entropy, if the energy has classes.

    Raises:
        UserError: for settings out of range, an energy without levels, or labels that are missing.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        Vital("gap_in_sigmas", -90.0, 9.0, 20, "lower the learning rate"),
        Vital("chain_gradient", 1e-3, 1e4, 100, "lower the learning rate"),
        Vital("separation", 0.02, 0.98, 200, "take more sampler steps per update, or lower the learning rate"),
    )

    kernel: AnyKernel = Underdamped(0.5, 0.7)
    steps: int = 15
    levels: int = 6
    cross_entropy: float = 0.0

    def __post_init__(self) -> None:
        unbounded = getattr(self.kernel, "bounds", None) is None
        require(unbounded, "chains over data with noise have no bounds: kernel.bounds must not be given")
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.levels >= 1, f"levels must be at least 1, got {self.levels}")
        require(0 <= self.cross_entropy < math.inf, f"cross_entropy must not be negative, got {self.cross_entropy}")

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        energy, x = levels_of(parts["energy"]), batch.x
        y = labels_of(energy, batch)
        low, high = energy.levels
        ratio = (high / low) ** (1 / self.levels)
        drawn = torch.rand(len(x), generator=rng, device=rng.device).to(x)
        sigma = low * (high / low) ** drawn
        first, second = (torch.randn(x.shape, generator=rng, device=rng.device).to(x) for _ in range(2))
        noisy, step = x + per_row(sigma, x) * first, math.sqrt(ratio**2 - 1) * sigma
        noisier, unit = noisy + per_row(step, x) * second, step / ratio
        seen = energy.seen(y, rng)
        at = energy.at(sigma) if seen is None else energy.at(sigma).given(seen)
        start = noisier / per_row(unit, x)
        recovering = InUnits(at + Measured(noisier, per_row(step, x)), unit)
        end = advance(recovering, start, self.kernel, self.steps, Streams.of(rng, start))
        negatives = per_row(unit, x) * end.x.detach()

        both = torch.cat([noisy, negatives]), sigma.repeat(2), None if seen is None else seen.repeat(2)
        own, energies = energy.of_class(*both)
        of_data, of_negatives = own.chunk(2)
        gap = of_data.mean() - of_negatives.mean()
        loss = gap
        metrics = {
            "gap": gap,
            "gap_in_sigmas": gap / math.sqrt(x[0].numel() / 2),  # the standard deviation of the energy of a Gaussian
            "chain_gradient": end.info.gradient.mean(),
            "chain_movement": end.info.movement.mean(),
            "separation": (of_data < of_negatives).float().mean(),
        }
        if self.cross_entropy and y is not None:
            entropy = class_entropy(energy, None if energies is None else energies[: len(x)], noisy, sigma, y)
            loss, metrics["cross_entropy"] = loss + self.cross_entropy * entropy, entropy
        return Result({"energy": loss}, state, {k: scalar(value) for k, value in {"loss": loss, **metrics}.items()})
