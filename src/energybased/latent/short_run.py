"""Short-run MCMC on a prior (Nijkamp et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from torch import Generator, Tensor

from energybased.energies import Analytic
from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling import AnyKernel, Engine, Langevin, Streams, advance


@dataclass(frozen=True)
class ShortRun:
    """Samples of a prior: the last states of short chains that start at samples of the base (Nijkamp et al. 2019).

    The chains do not converge to the density of the prior. A prior that was trained with short chains must therefore be
    sampled with the same chains.

    Args:
        kernel: one transition.
        steps: transitions of a chain.
        engine: how chains are computed; see `sample`.

    Raises:
        UserError: for settings out of range.
    """

    kernel: AnyKernel = Langevin.overdamped(0.4)
    steps: int = 60
    engine: Engine = "eager"

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.engine in get_args(Engine), f"engine is 'eager' or 'compiled', got {self.engine!r}")

    def sample(self, prior: Energy, base: Analytic, n: int, rng: Generator | None, like: Tensor) -> Tensor:
        """n samples `(n, dim)`, in the dtype and on the device of `like`."""
        start = base.sample(n, rng).to(like)
        return advance(prior, start, self.kernel, self.steps, Streams.of(rng, start), engine=self.engine).x
