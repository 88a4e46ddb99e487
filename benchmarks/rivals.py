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

    x = start
    if isinstance(kernel, Langevin):
        for _ in range(steps):
            x = x - kernel.step_size * evaluate(x)[1] + kernel.noise_scale * torch.randn_like(x)
        return x
    now = (x, *evaluate(x))
    for _ in range(steps):
        propose = _mala if isinstance(kernel, MALA) else _hmc
        moved, log_ratio = propose(evaluate, kernel, *now)
        accepted = torch.rand_like(log_ratio).log() < log_ratio
        wide = accepted.view(-1, *[1] * (x.ndim - 1))
        now = tuple(torch.where(accepted if b.ndim == 1 else wide, b, a) for a, b in zip(now, moved, strict=True))
    return now[0]


def _mala(evaluate, kernel: MALA, x: Tensor, energy: Tensor, gradient: Tensor):
    """The proposal with its energy and gradient, and the logarithm of its acceptance ratio."""
    step, noise = kernel.step_size, torch.randn_like(x)
    moved = x - 0.5 * step**2 * gradient + step * noise
    new_energy, new_gradient = evaluate(moved)
    back = (x - moved + 0.5 * step**2 * new_gradient) / step
    log_ratio = energy - new_energy + 0.5 * (noise.square() - back.square()).flatten(1).sum(1)
    return (moved, new_energy, new_gradient), log_ratio


def _hmc(evaluate, kernel: HMC, x: Tensor, energy: Tensor, gradient: Tensor):
    step, momentum = kernel.step_size, torch.randn_like(x)
    before = energy + 0.5 * momentum.square().flatten(1).sum(1)
    for _ in range(kernel.leapfrog_steps):
        momentum = momentum - 0.5 * step * gradient
        x = x + step * momentum
        energy, gradient = evaluate(x)
        momentum = momentum - 0.5 * step * gradient
    return (x, energy, gradient), before - energy - 0.5 * momentum.square().flatten(1).sum(1)


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
