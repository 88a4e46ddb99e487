"""Chains as others write them: a plain PyTorch loop, and torchebm's samplers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from energybased import HMC, MALA, Langevin
from energybased.sampling import Kernel


def plain(module: nn.Module, start: Tensor, kernel: Kernel, steps: int, half: bool) -> Tensor:
    """As a careful user would write it: frozen weights, no graph kept, one gradient a step."""

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            energy = module(x)
        (gradient,) = torch.autograd.grad(energy.float().sum(), x)
        return energy.detach().float(), gradient

    if isinstance(kernel, Langevin):
        x = start
        for _ in range(steps):
            x = x - kernel.step_size * evaluate(x)[1] + kernel.noise_scale * torch.randn_like(x)
        return x
    if isinstance(kernel, MALA):
        return _plain_mala(evaluate, start, kernel.step_size, steps)
    return _plain_hmc(evaluate, start, kernel.step_size, kernel.leapfrog_steps, steps)


def _plain_mala(evaluate, x: Tensor, step: float, steps: int) -> Tensor:
    energy, gradient = evaluate(x)
    for _ in range(steps):
        noise = torch.randn_like(x)
        moved = x - 0.5 * step**2 * gradient + step * noise
        new_energy, new_gradient = evaluate(moved)
        back = (x - moved + 0.5 * step**2 * new_gradient) / step
        ratio = energy - new_energy + 0.5 * (noise.square() - back.square()).flatten(1).sum(1)
        yes = torch.rand_like(ratio).log() < ratio
        wide = yes.view(-1, *[1] * (x.ndim - 1))
        x, gradient = torch.where(wide, moved, x), torch.where(wide, new_gradient, gradient)
        energy = torch.where(yes, new_energy, energy)
    return x


def _plain_hmc(evaluate, x: Tensor, step: float, leapfrog_steps: int, steps: int) -> Tensor:
    energy, gradient = evaluate(x)
    for _ in range(steps):
        momentum = torch.randn_like(x)
        before = energy + 0.5 * momentum.square().flatten(1).sum(1)
        moved, new_energy, new_gradient = x, energy, gradient
        for _ in range(leapfrog_steps):
            momentum = momentum - 0.5 * step * new_gradient
            moved = moved + step * momentum
            new_energy, new_gradient = evaluate(moved)
            momentum = momentum - 0.5 * step * new_gradient
        ratio = before - new_energy - 0.5 * momentum.square().flatten(1).sum(1)
        yes = torch.rand_like(ratio).log() < ratio
        wide = yes.view(-1, *[1] * (x.ndim - 1))
        x, gradient = torch.where(wide, moved, x), torch.where(wide, new_gradient, gradient)
        energy = torch.where(yes, new_energy, energy)
    return x


def peer(module: nn.Module) -> nn.Module:
    """The same network as torchebm's model."""
    from torchebm.core import BaseModel

    class Model(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
            return self.module(x) if y is None else self.module(x, y)

    return Model()


def sampler(model: nn.Module, kernel: Kernel):
    """torchebm's sampler with the steps of ours; None where it has none."""
    from torchebm.samplers import HamiltonianMonteCarlo, LangevinDynamics

    if isinstance(kernel, HMC):
        return HamiltonianMonteCarlo(model, step_size=kernel.step_size, n_leapfrog_steps=kernel.leapfrog_steps)
    if isinstance(kernel, Langevin):
        # Its Euler-Maruyama step is x - h grad + sqrt(2 h) noise_scale eps: at temperature 1 that is the others'.
        return LangevinDynamics(model, step_size=kernel.step_size, noise_scale=1.0)
    return None


def torchebm(sampler, start: Tensor, steps: int, half: bool) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        return sampler.sample(x=start, n_steps=steps)
