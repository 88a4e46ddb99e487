"""Classification of noise levels, which makes energies at different levels comparable, and normalises them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.broadcast import per_row
from energybased.energies.noise_conditional import NoiseConditional
from energybased.errors import require
from energybased.objectives.denoising_score_matching import DenoisingScoreMatching
from energybased.objectives.noise_levels import levels_of
from energybased.objectives.objective import Batch, Parts, Result, State, Vital, scalar


@dataclass(frozen=True)
class LevelClassification:
    """Score matching, and a cross entropy that tells which of several densities a noisy example is from.

    The candidates are the densities of data with noise at some levels (DiffCLF, 2026, arXiv 2601.21025), whose logits
    are -E(v | sigma), and the Gaussian that is the energy before training, at one more level, whose logit is its exact
    log-density. Each is the right one equally often. The cross entropy is least if exp(-E(v | sigma)) are the densities
    themselves, so energies at different levels can be compared. The Gaussian fixes log Z = 0, as in noise-contrastive
    estimation (Gutmann & Hyvärinen 2010): at levels whose noise is so large that data look like it, and through the
    other candidates at all levels. E(v | sigma) is that without a class, so labels are not used; energies under a
    class are those of an energy that is their sum (`NoiseConditional`), or are left alone (`ClassInTrunk`).

    The levels of an example are close to each other, normal in log sigma around a common centre with the standard
    deviation spread / (2d)^(1/2). From the noise of d entries alone, log sigma could be estimated with an error of
    1 / (2d)^(1/2), so levels further apart are told from each other surely, and teach nothing. The steps between close
    levels are those between the stages of a ratio (Xiao & Han 2022), in continuous form. The centres are such that each
    level has the distribution that it has in the score matching.

    It is an alternative to the time score, which needs no further pass of the network, but another second derivative.

    Args:
        matching: the score matching.
        weight: weight of the cross entropy.
        levels: number of levels that are candidates.
        spread: how far they are apart, see above.

    Raises:
        UserError: for settings out of range, or an energy without levels.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (
        *DenoisingScoreMatching.vitals,
        Vital("level_entropy", 0.0, 1000.0, 20, "lower the learning rate"),
    )

    matching: DenoisingScoreMatching = DenoisingScoreMatching()
    weight: float = 0.1
    levels: int = 3
    spread: float = 2.0

    def __post_init__(self) -> None:
        require(0 < self.weight < math.inf, f"weight must be positive, got {self.weight}")
        require(self.levels >= 2, f"a classification needs at least two levels, got {self.levels}")
        require(0 < self.spread < math.inf, f"spread must be positive, got {self.spread}")

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        return self.matching.init(parts, batch, rng)

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        result = self.matching.step(parts, state, batch, rng)
        entropy = self.entropy(levels_of(parts["energy"]), batch.x, rng)
        loss = result.losses["energy"] + self.weight * entropy
        metrics = {**result.metrics, "loss": scalar(loss), "level_entropy": scalar(entropy)}
        return Result({"energy": loss}, result.state, metrics)

    def entropy(self, energy: NoiseConditional, x: Tensor, rng: Generator) -> Tensor:
        """The cross entropy of the candidates, 0-d, with noisy copies of examples x `(batch, *event)`."""
        *levels, other = self.draw(energy, x, rng).unbind(1)
        gaussian = torch.rand(len(x), generator=rng, device=rng.device) * (self.levels + 1) < 1
        gaussian = gaussian.to(x.device)
        noise = torch.randn(x.shape, generator=rng, device=rng.device).to(x)
        noisy = x + per_row(levels[0], x) * noise
        drawn = energy.mean + per_row((other.square() + energy.scale.square()).sqrt(), x) * noise
        v = torch.where(per_row(gaussian, x), drawn, noisy)
        copies = v.repeat(self.levels, *[1] * (x.ndim - 1))
        sigma = torch.cat(levels)
        free = energy.free(sigma)
        energies = -(-energy.of_classes(copies, sigma)).logsumexp(1) if free is None else free(copies)
        candidates = [*energies.chunk(self.levels), energy.gaussian(v, other)]
        right = torch.where(gaussian, self.levels, 0)
        return F.cross_entropy(-torch.stack(candidates, 1), right)

    def draw(self, energy: NoiseConditional, x: Tensor, rng: Generator) -> Tensor:
        """Levels `(batch, levels + 1)` for each row of x, any of which could be any other."""
        mean, std = self.matching.log_mean, self.matching.log_std
        apart = min(self.spread / math.sqrt(2 * x[0].numel()), std)
        centre, own = (torch.randn((len(x), n), generator=rng, device=rng.device).to(x) for n in (1, self.levels + 1))
        low, high = energy.levels
        log_sigma = mean + math.sqrt(std**2 - apart**2) * centre + apart * own
        return log_sigma.clamp(math.log(low), math.log(high)).exp()
