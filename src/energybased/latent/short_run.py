"""Short chains on a prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from torch import Generator, Tensor

from energybased.energies import Analytic
from energybased.energy import Energy
from energybased.errors import require
from energybased.sampling import AnyKernel, Engine, Langevin, Streams, advance, evaluating


@dataclass(frozen=True)
class ShortRun:
    """The ends of so many steps from the base (Nijkamp et al. 2019).

    A prior that was learned from them is what these chains make of it: it is to be sampled by the same chains.

    Args:
        kernel: one transition.
        steps: transitions of a chain.
        engine: how chains are computed; see `sample`.
    """

    kernel: AnyKernel = Langevin.overdamped(0.4)
    steps: int = 60
    engine: Engine = "eager"

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.engine in get_args(Engine), f"engine is 'eager' or 'compiled', got {self.engine!r}")

    def sample(self, prior: Energy, base: Analytic, n: int, rng: Generator | None, like: Tensor) -> Tensor:
        """n samples `(n, dim)`, of the type of `like` and beside it."""
        start = base.sample(n, rng).to(like)
        with evaluating(prior):
            return advance(prior, start, self.kernel, self.steps, Streams.of(rng, start), engine=self.engine).x
