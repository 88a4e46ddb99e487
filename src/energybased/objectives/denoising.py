"""A denoiser that need not be a gradient: the cheap start of an energy over levels of noise."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from energybased.energies.noise_conditional import NoiseConditional
from energybased.errors import require
from energybased.objectives.denoising_score_matching import DenoisingScoreMatching


@dataclass(frozen=True)
class Denoising(DenoisingScoreMatching):
    """The loss of `DenoisingScoreMatching`, with the field of `NoiseConditional.with_field` instead of the gradient.

    An update needs no derivative with respect to x, and takes less than half of the time. What is trained is a denoiser
    (Karras et al. 2022), whose weights are the start of the energy.

    Raises:
        UserError: if the time score has a weight: the field has none.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.time_score == 0, "a denoiser has no time score: train the energy for it")

    def slopes(
        self, energy: NoiseConditional, noisy: Tensor, log_sigma: Tensor, y: Tensor | None
    ) -> tuple[Tensor | None, Tensor, None]:
        field, energies = energy.with_field(noisy, log_sigma.exp(), y)
        return energies, field, None
