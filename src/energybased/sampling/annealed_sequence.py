"""Annealed importance sampling through a sequence of energies that is given, such as those of levels of noise."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Generator, Tensor

from energybased.energy import EnergyLike, as_energy
from energybased.errors import require
from energybased.sampling.adaptation import Accepting, with_log_step
from energybased.sampling.annealed import ADAPTATION_RATE, Annealed
from energybased.sampling.engine import chains
from energybased.sampling.frozen import frozen
from energybased.sampling.running import Start
from energybased.sampling.streams import Streams


@torch.no_grad()
def anneal_sequence(
    energies: Iterable[EnergyLike],
    start: Tensor,
    kernel: Accepting,
    steps: int = 1,
    generator: Generator | None = None,
    populations: int = 1,
) -> Annealed:
    """Annealed importance sampling from the first energy of a sequence to the last (Neal 2001).

    At each next energy, the weights are multiplied by exp(E_before(x) - E_now(x)), and the kernel moves the chains
    under E_now. `anneal` mixes two energies at each level instead, and evaluates both. The step size is adapted to the
    acceptance, so the bounds of `Annealed.estimate` hold only approximately.

    Args:
        energies: the first, and those that follow; each maps `(batch, *event)` to `(batch,)`.
        start: `(batch, *event)`, samples of exp(-E) of the first energy.
        kernel: MALA or HMC.
        steps: transitions under each energy.
        populations: into how many of equal size the chains are divided, whose spread gives an error.

    Raises:
        UserError: for settings out of range, or an energy that is not finite.

    >>> from energybased.energies import StandardNormal
    >>> from energybased.sampling import HMC
    >>> wider = [StandardNormal(2) * (1 - 0.01 * i) for i in range(51)]  # log Z grows by log 2
    >>> rng = torch.Generator().manual_seed(0)
    >>> found = anneal_sequence(wider, torch.randn(500, 2, generator=rng), HMC(0.5, 4), generator=rng)
    >>> abs(found.estimate().value - math.log(2)) < 0.05
    True
    """
    require(hasattr(kernel, "optimal_acceptance"), f"annealing needs a kernel that accepts or rejects, got {kernel}")
    require(steps >= 1, f"steps must be at least 1, got {steps}")
    require(
        populations >= 1 and len(start) > 0 and len(start) % populations == 0,
        f"{len(start)} chains cannot be divided into {populations} populations",
    )
    streams, x, log_step = Streams.of(generator, start), start, math.log(kernel.step_size)
    log_weights = torch.zeros(len(start), dtype=torch.float64, device=start.device)
    before: Tensor | None = None
    for energy in map(as_energy, energies):
        now = frozen(energy)
        state = kernel.init(now, x)
        assert state.value is not None
        if before is not None:
            log_weights = log_weights + (before.double() - state.value.double())
            require(bool(log_weights.isfinite().all()), "an energy is not finite at the states of the chains")
            running = chains("eager", Start(now, with_log_step(kernel, log_step), x, streams, state=state), steps)
            running.advance(steps)
            state, accepted = running.state, running.accepted
            assert accepted is not None
            log_step += ADAPTATION_RATE * (float(accepted.mean()) / steps - kernel.optimal_acceptance)
        x, before = state.x, state.value
    return Annealed(x, log_weights, with_log_step(kernel, log_step), False, populations)
