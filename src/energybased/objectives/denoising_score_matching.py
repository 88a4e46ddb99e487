"""Denoising score matching, which trains an energy without chains, at all levels of the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor

from energybased.broadcast import per_row
from energybased.energies.noise_conditional import NoiseConditional
from energybased.errors import require
from energybased.objectives.noise_levels import class_entropy, labels_of, levels_of
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar
from energybased.objectives.second_derivatives import check_second_derivatives


@dataclass(frozen=True)
class DenoisingScoreMatching(Stateless):
    """mean |D(x + sigma e) - x|^2 / (d c^2), D(v) = v - sigma^2 grad E(v | y, sigma), e from N(0, I) (Vincent 2011).

    c^2 = sigma^2 scale^2 / (sigma^2 + scale^2) is the error of the best linear denoiser of data of standard deviation
    `scale`, so the loss begins at 1 (Karras et al. 2022). The levels are log-normal, cut at the range of the energy.

    Two terms may be added. The time score (Guth et al. 2025) makes energies comparable between levels: dE/d(log sigma)
    has the mean d - |e|^2 given v, so their squared difference over 2d is minimised. The cross entropy of the classes
    makes energies comparable between classes: the logits are -E(v | ., sigma) or, in a pass of their own, those of
    `ClassInTrunk`.

    Args:
        log_mean: mean of log sigma, with sigma in the model's units.
        log_std: its standard deviation.
        time_score: weight of the time score.
        cross_entropy: weight of the cross entropy, if the energy has classes.

    Raises:
        UserError: for settings out of range, an energy without levels, labels that are missing, or a network that
            cannot be differentiated twice.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("denoising", 0.0, 3.0, 20, "lower the learning rate"),)

    log_mean: float = -1.7
    log_std: float = 1.2
    time_score: float = 0.0
    cross_entropy: float = 0.0

    def __post_init__(self) -> None:
        require(math.isfinite(self.log_mean), f"log_mean must be finite, got {self.log_mean}")
        require(0 < self.log_std < math.inf, f"log_std must be positive, got {self.log_std}")
        require(0 <= self.time_score < math.inf, f"time_score must not be negative, got {self.time_score}")
        require(0 <= self.cross_entropy < math.inf, f"cross_entropy must not be negative, got {self.cross_entropy}")

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        energy, x = levels_of(parts["energy"]), batch.x
        y, sigma = labels_of(energy, batch), x.new_full((len(x),), energy.levels[1])
        check_second_derivatives(energy, x, sigma if y is None else (y, sigma))
        return {}

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        energy, x = levels_of(parts["energy"]), batch.x
        y = labels_of(energy, batch)
        low, high = energy.levels
        drawn = torch.randn(len(x), generator=rng, device=rng.device)
        log_sigma = (self.log_mean + self.log_std * drawn).clamp(math.log(low), math.log(high)).to(x)
        noise = torch.randn(x.shape, generator=rng, device=rng.device).to(x)
        level = log_sigma.exp()
        sigma = per_row(level, x)
        noisy = x + sigma * noise
        seen = energy.seen(y, rng)
        energies, slope, time_slope = self.slopes(energy, noisy, log_sigma, seen)
        target = self.target(energy, state, noise, noisy, level, seen)
        error = (target - sigma * slope).square().flatten(1).mean(1)
        denoising = (error * (1 + (level / energy.scale).square())).mean()
        loss, metrics = denoising, {"denoising": scalar(denoising)}
        if time_slope is not None:
            d = noise[0].numel()
            gap = time_slope - (d - noise.square().flatten(1).sum(1))
            time_score = gap.square().mean() / (2 * d)
            loss, metrics["time_score"] = loss + self.time_score * time_score, scalar(time_score)
        if self.cross_entropy and y is not None:
            entropy = class_entropy(energy, energies, noisy, level, y)
            loss, metrics["cross_entropy"] = loss + self.cross_entropy * entropy, scalar(entropy)
        return Result({"energy": loss}, state, {"loss": scalar(loss), **metrics})

    def slopes(
        self, energy: NoiseConditional, noisy: Tensor, log_sigma: Tensor, y: Tensor | None
    ) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """The derivatives of the energy at noisy examples `(batch, *event)` of levels and classes `(batch,)`.

        Returns:
            energies under all classes `(batch, outputs)`, if the pass gives them; dE/dx `(batch, *event)`; and
            dE/d(log sigma) `(batch,)`, if the time score has a weight.
        """
        noisy.requires_grad_()
        log_sigma.requires_grad_(self.time_score > 0)
        own, energies = energy.of_class(noisy, log_sigma.exp(), y)
        wanted = (noisy, log_sigma) if self.time_score else (noisy,)
        slopes = torch.autograd.grad(own.sum(), wanted, create_graph=True)
        return energies, slopes[0], slopes[1] if self.time_score else None

    def target(
        self, energy: NoiseConditional, state: State, noise: Tensor, noisy: Tensor, sigma: Tensor, y: Tensor | None
    ) -> Tensor:
        """What sigma dE/dx should be, `(batch, *event)`."""
        return noise
