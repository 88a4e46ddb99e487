"""An objective of one's own: denoising score matching (Vincent 2011). It has no chains, no state and no vitals."""

from dataclasses import dataclass
from typing import ClassVar

import torch

import energybased as eb
from energybased.objectives import Result


@dataclass(frozen=True)
class ScoreMatching:
    """mean |s grad E(x + s e) - e|^2 / 2 over batch and entries, with e from N(0, I).

    Its minimum is the energy of the data plus noise of standard deviation s, up to a constant.

    Args:
        noise: s, in the model's units of x.
    """

    vitals: ClassVar[tuple] = ()

    noise: float = 0.3

    def init(self, parts, batch, rng):
        return {}

    def step(self, parts, state, batch, rng):
        e = torch.randn(batch.x.shape, generator=rng, dtype=batch.x.dtype).to(batch.x.device)
        x = (batch.x + self.noise * e).requires_grad_()
        energy = eb.Network(parts["energy"])(x, batch.y)
        (grad,) = torch.autograd.grad(energy.sum(), x, create_graph=True)
        loss = (self.noise * grad - e).square().mean() / 2
        return Result({"energy": loss}, state, {"loss": loss.detach()})
