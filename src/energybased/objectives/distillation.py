"""Distillation, which makes an energy of a trained denoiser."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from energybased.broadcast import per_row
from energybased.energies.noise_conditional import NoiseConditional
from energybased.objectives.denoising_score_matching import DenoisingScoreMatching
from energybased.objectives.noise_levels import levels_of
from energybased.objectives.objective import Batch, Parts, State


class Field(nn.Module):
    """The field of an energy over levels of noise, as a module that can be called with other weights."""

    def __init__(self, energy: NoiseConditional) -> None:
        super().__init__()
        self.energy = energy

    def forward(self, x: Tensor, sigma: Tensor, y: Tensor | None) -> Tensor:
        return self.energy.with_field(x, sigma, y)[0]


@dataclass(frozen=True)
class Distillation(DenoisingScoreMatching):
    """As `DenoisingScoreMatching`, where the target is what a trained denoiser, the teacher, says of the noise.

    The teacher is the field of the energy, as `Denoising` has trained it before this phase; its weights are the state
    of the objective. The energy begins at the same weights, where its gradient is near the field by Euler's identity,
    and learns the gradient that is closest to the field (Thornton et al. 2025). This target has no noise of its own.
    """

    def init(self, parts: Parts, batch: Batch, rng: Generator) -> State:
        teacher = Field(levels_of(parts["energy"]))
        return super().init(parts, batch, rng) | {
            name: weight.detach().clone() for name, weight in teacher.state_dict().items()
        }

    def target(
        self, energy: NoiseConditional, state: State, noise: Tensor, noisy: Tensor, sigma: Tensor, y: Tensor | None
    ) -> Tensor:
        with torch.no_grad():
            field: Tensor = functional_call(Field(energy), state, (noisy, sigma, y))
        return per_row(sigma, noisy) * field
