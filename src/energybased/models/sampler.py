"""Settings by which an energy over data is sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from energybased.errors import require
from energybased.sampling import AnyKernel, Engine, Underdamped


@dataclass(frozen=True)
class Sampler:
    """Settings of the chains during training, and of those that sample the trained model.

    The defaults of `restart` and `relabel` are for energies whose chains keep their class in training, as those of
    `ReplayBuffer(by_class=True)`; the first paper has 0.01 and 0.1.

    Args:
        kernel: one transition.
        steps: transitions per update of training.
        length: transitions of a fresh chain that samples the trained model.
        denoise: number of denoising steps at the end of such a chain; see `sampling.denoise`.
        restart: probability that a chain starts anew when it is visited in a buffer at test time
            (`tasks.replay_sampling`).
        relabel: probability that it then gets a new random class.
        dropout: use dropout in the chains of training.
        engine: "eager" computes step by step; "compiled" is faster after seconds of compilation; "auto" is the one
            that is faster in a trial before training.
    """

    kernel: AnyKernel = Underdamped(0.3)
    steps: int = 20
    length: int = 500
    denoise: int = 1
    restart: float = 0.002
    relabel: float = 0.0
    dropout: bool = False
    engine: Literal["auto", "eager", "compiled"] = "eager"

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"sampler.steps must be at least 1, got {self.steps}")
        require(self.length >= 1, f"sampler.length must be at least 1, got {self.length}")
        require(
            self.engine in ("auto", "eager", "compiled"),
            f"sampler.engine is 'auto', 'eager' or 'compiled', got {self.engine!r}",
        )
        for name, value in {"restart": self.restart, "relabel": self.relabel}.items():
            require(0 <= value <= 1, f"sampler.{name} must be a probability, got {value}")
        require(self.denoise >= 0, f"sampler.denoise must not be negative, got {self.denoise}")

    @property
    def resolved_engine(self) -> Engine:
        """The engine of the chains. "auto" counts as eager until the trial has decided."""
        return "compiled" if self.engine == "compiled" else "eager"
