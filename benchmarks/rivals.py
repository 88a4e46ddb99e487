"""Chains of the rivals of this library: torchebm, ebmkit, and three loops of PyTorch.

The loops are "plain", "compiled forward", whose module is compiled, and "compiled step", in which one transition is
compiled, with random numbers drawn outside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from energybased import HMC, MALA, Langevin
from energybased.sampling import Kernel

STEP = 0.1
Chains = Callable[[Tensor, int], Tensor]  # (start, steps) -> last states
State = tuple[Tensor, ...]
Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]  # x -> energies and their gradients


def chains(module: nn.Module, kernel: Kernel, half: bool) -> dict[str, Chains]:
    """The chains of each rival that has this kernel. The module maps `(batch, *event)` to `(batch,)`."""
    theirs, kit = torchebm(peer(module), kernel), ebmkit(kernel)
    found = {
        "torchebm": under(half, lambda x, n: theirs.sample(x=x, n_steps=n)),
        "ebmkit": under(half, lambda x, n: kit.sample(module, x, steps=n)),
        "plain": loop(module, kernel, half),
        "compiled forward": loop(torch.compile(module), kernel, half),
        "compiled step": compiled(module, kernel, half),
    }
    return {who: run for who, run in found.items() if who != "torchebm" or theirs is not None}


def under(half: bool, sample: Chains) -> Chains:
    """Chains under autocast to bfloat16, or as they are."""

    def run(start: Tensor, steps: int) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return sample(start, steps)

    return run


def loop(module: nn.Module, kernel: Kernel, half: bool) -> Chains:
    """Chains as a careful user would write them: no graph between steps, one gradient per step.

    The parameters of the module should be frozen.
    """

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            energies = module(x).float()
        (gradient,) = torch.autograd.grad(energies.sum(), x)
        return energies.detach(), gradient

    return lambda start, steps: run(partial(move, evaluate, kernel), first(evaluate, kernel, start), steps)


def compiled(module: nn.Module, kernel: Kernel, half: bool) -> Chains:
    """Chains with one compiled function for a transition. Weights are cast to bfloat16 once a chain."""

    def summed(x: Tensor, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            energies = torch.func.functional_call(module, weights, x).float()
        return energies.sum(), energies

    def evaluate(x: Tensor, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        gradient, energies = torch.func.grad(summed, has_aux=True)(x, weights)
        return energies, gradient

    @torch.compile
    def step(weights: dict[str, Tensor], now: State, *noise: Tensor) -> State:
        return move(lambda x: evaluate(x, weights), kernel, now, *noise)

    @torch.no_grad()
    def chain(start: Tensor, steps: int) -> Tensor:
        weights = {name: weight.bfloat16() for name, weight in module.named_parameters()} if half else {}
        return run(partial(step, weights), first(lambda x: evaluate(x, weights), kernel, start), steps)

    return chain


def first(evaluate: Evaluate, kernel: Kernel, start: Tensor) -> State:
    """The state before the first transition."""
    return (start,) if isinstance(kernel, Langevin) else (start, *evaluate(start))


def run(step: Callable[..., State], now: State, steps: int) -> Tensor:
    """The last states. Random numbers are drawn here, outside of the steps."""
    start, *corrected = now
    for _ in range(steps):
        noise = torch.randn_like(start)
        now = step(now, noise, torch.rand(len(start))) if corrected else step(now, noise)
    return now[0]


def move(evaluate: Evaluate, kernel: Kernel, now: State, noise: Tensor, uniform: Tensor | None = None) -> State:
    """A transition. The state of MALA and HMC holds the energies of x and their gradients as well."""
    if isinstance(kernel, Langevin):
        return (now[0] - kernel.step_size * evaluate(now[0])[1] + kernel.noise_scale * noise,)
    moved, log_ratio = (_mala if isinstance(kernel, MALA) else _hmc)(evaluate, kernel, *now, noise)
    accepted = uniform.log() < log_ratio
    wide = accepted.view(-1, *[1] * (noise.ndim - 1))
    return tuple(torch.where(accepted if b.ndim == 1 else wide, b, a) for a, b in zip(now, moved, strict=True))


def _mala(evaluate, kernel: MALA, x: Tensor, energy: Tensor, gradient: Tensor, noise: Tensor):
    """The proposal with its energy and gradient, and the logarithm of its acceptance ratio."""
    step = kernel.step_size
    moved = x - 0.5 * step**2 * gradient + step * noise
    new_energy, new_gradient = evaluate(moved)
    back = (x - moved + 0.5 * step**2 * new_gradient) / step
    log_ratio = energy - new_energy + 0.5 * (noise.square() - back.square()).flatten(1).sum(1)
    return (moved, new_energy, new_gradient), log_ratio


def _hmc(evaluate, kernel: HMC, x: Tensor, energy: Tensor, gradient: Tensor, momentum: Tensor):
    step, before = kernel.step_size, energy + 0.5 * momentum.square().flatten(1).sum(1)
    for _ in range(kernel.leapfrog_steps):
        momentum = momentum - 0.5 * step * gradient
        x = x + step * momentum
        energy, gradient = evaluate(x)
        momentum = momentum - 0.5 * step * gradient
    return (x, energy, gradient), before - energy - 0.5 * momentum.square().flatten(1).sum(1)


def peer(module: nn.Module) -> nn.Module:
    """The network as a model of torchebm."""
    from torchebm.core import BaseModel

    class Model(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
            return self.module(x) if y is None else self.module(x, y)

    return Model()


def torchebm(model: nn.Module, kernel: Kernel):
    """The sampler of torchebm with the steps of the kernel; None if it has no such sampler."""
    from torchebm.samplers import HamiltonianMonteCarlo, LangevinDynamics

    if isinstance(kernel, HMC):
        return HamiltonianMonteCarlo(model, step_size=kernel.step_size, n_leapfrog_steps=kernel.leapfrog_steps)
    if isinstance(kernel, Langevin):
        # Its Euler-Maruyama step is x - h grad + sqrt(2 h) noise_scale eps: at temperature 1 that is the others'.
        return LangevinDynamics(model, step_size=kernel.step_size, noise_scale=1.0)
    return None


def ebmkit(kernel: Kernel):
    """The sampler of ebmkit with the steps of the kernel. Its MALA has the step size of its Langevin dynamics."""
    import ebm

    if isinstance(kernel, HMC):
        return ebm.HMC(kernel.step_size, kernel.leapfrog_steps)
    if isinstance(kernel, MALA):
        return ebm.MALA(0.5 * kernel.step_size**2)
    return ebm.LangevinDynamics(kernel.step_size, noise_scale=kernel.noise_scale)
