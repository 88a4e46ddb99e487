"""Step-size adaptation, as a function of a kernel."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeVar

from torch import Generator, Tensor

from energybased.energy import Array, EnergyLike, as_energy, as_tensor
from energybased.errors import require
from energybased.sampling.chain import advance
from energybased.sampling.kernel import Kernel
from energybased.sampling.streams import Streams


class Accepting(Kernel, Protocol):
    """A kernel that accepts or rejects proposals; `optimal_acceptance` is the rate that is optimal in the limit."""

    optimal_acceptance: ClassVar[float]

    @property
    def step_size(self) -> float:
        """The step size, in units of x."""
        ...


Adaptable = TypeVar("Adaptable", bound=Accepting)

WINDOW = 5  # transitions between two changes of the step size


def adapt(
    kernel: Adaptable,
    energy: EnergyLike,
    start: Array,
    target: float | None = None,
    steps: int = 200,
    generator: Generator | None = None,
) -> tuple[Adaptable, Tensor]:
    """Tunes `step_size` by stochastic approximation, so that proposals are accepted at the rate `target`.

    After every 5 transitions, log step <- log step + (acceptance - target) * 4 / (i + 1)^0.6 (Robbins & Monro 1951).
    The result is the exponential of the mean over the second half of all log steps (Polyak & Juditsky 1992).

    Args:
        kernel: MALA or HMC, with the initial step size.
        energy: see `sample`.
        start: `(batch, *event)`; the acceptance is the mean over these chains.
        target: in (0, 1); if not given, the optimal rate of the kernel: 0.574 for MALA, 0.651 for HMC.
        steps: transitions of each chain, at least 10.
        generator: see `sample`.

    Raises:
        UserError: for a kernel that never rejects, settings out of range, or an energy that is not finite.

    Returns:
        The kernel with its new step size, and the last states of the chains, `(batch, *event)`.
    """
    require(
        hasattr(kernel, "optimal_acceptance"), f"{type(kernel).__name__} accepts everything: there is no rate to tune"
    )
    target = kernel.optimal_acceptance if target is None else target
    require(0 < target < 1, f"target must be between 0 and 1, got {target}")
    require(steps >= 2 * WINDOW, f"adaptation needs at least {2 * WINDOW} steps, got {steps}")
    log_step, kept = math.log(kernel.step_size), []
    energy, x = as_energy(energy), as_tensor(start)
    streams = Streams.of(generator, x)
    for i in range(steps // WINDOW):
        samples = advance(energy, x, kernel, WINDOW, streams)
        x, rate = samples.x, float(samples.info.acceptance.mean())
        require(math.isfinite(rate), "the energy is not finite at the states of the chains")
        log_step += 4.0 * (rate - target) / (i + 1) ** 0.6
        kernel = with_log_step(kernel, log_step)
        kept.append(log_step)
    later = kept[len(kept) // 2 :]
    return with_log_step(kernel, sum(later) / len(later)), x


def with_log_step(kernel: Any, log_step: float) -> Any:
    """The kernel, a frozen dataclass, with the step size exp(log_step)."""
    return replace(kernel, step_size=math.exp(log_step))
