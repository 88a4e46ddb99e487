"""What every trained model answers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Generator, Tensor, nn

from energybased.data import DataSpec
from energybased.devices import find_device
from energybased.errors import require
from energybased.models.file import write_model

M = TypeVar("M", bound=nn.Module)
CHUNK = 500  # rows computed at a time


@runtime_checkable
class Model(Protocol):
    """What every trained model answers; x is in the user's units everywhere.

    Models may answer more: `restore`, `reconstruct`, `log_prob`, `run_chains`. `offers` says what metrics and reports
    may ask for: "samples", "conditional samples" (`given(y).sample`), "scores", "chains", "latent vectors", "stages",
    "features".
    """

    @property
    def spec(self) -> DataSpec:
        """Shape, domain and conditions of the data that it was trained on."""
        ...

    @property
    def offers(self) -> frozenset[str]:
        """What the model can do; the names are above."""
        ...

    @property
    def classes(self) -> int:
        """Number of classes that the model waits for; 0 if it is not conditional on a class, or bound."""
        ...

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """n samples `(n, *event)`; a model conditional on a class takes the classes in turn."""
        ...

    def score(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Anomaly scores `(n,)` of x `(n, *event)`; high means out of distribution."""
        ...

    def given(self, *y: Any) -> Model:
        """The model of one condition: an int or a label, or tensors of as many rows as are asked for."""
        ...

    def film(self, *, generator: Generator | None = None) -> Tensor:
        """How a few samples come about, `(chains, frames, *event)`."""
        ...

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Model:
        """A copy on another device, or of another floating-point type."""
        ...

    def export(self, file: Path | str) -> None:
        """Writes weights and settings into one file, which `load` reads."""
        ...


@dataclass(frozen=True)
class Origin:
    """What a model was made of, for its export.

    Args:
        settings: of the recipe, as JSON.
        spec: of the training data.
        parts: the trained modules by name.
    """

    settings: Any
    spec: DataSpec
    parts: Mapping[str, nn.Module]

    def export(self, file: Path | str, half: bool = False) -> None:
        """Writes the parts into one file; in half precision if asked."""
        write_model(Path(file), self.settings, self.spec, self.parts, half)


def export(origin: Origin | None, file: Path | str) -> None:
    """Writes a model's origin.

    Raises:
        UserError: if the model has none: it is bound to a condition, or was put together by hand.
    """
    require(origin is not None, "only a model as it was trained or loaded can be exported, not one that was changed")
    assert origin is not None
    origin.export(file)


def moved(module: M, device: str | torch.device | None, dtype: torch.dtype | None) -> M:
    """A copy of a module on another device, or of another floating-point type."""
    require(dtype is None or dtype.is_floating_point, f"a model's dtype is a floating-point type, got {dtype}")
    return copy.deepcopy(module).to(None if device is None else find_device(device), dtype)


def place_of(*modules: nn.Module) -> Tensor:
    """A tensor of the modules, whose device and dtype say where and in what they compute."""
    tensors = (t for m in modules for t in (*m.parameters(), *m.buffers()) if t.is_floating_point())
    return next(tensors, torch.zeros((), device="cpu"))


def seeded(generator: Generator | None) -> Generator:
    """The generator, or a new one with a fresh seed from torch's global generator."""
    if generator is not None:
        return generator
    return torch.Generator().manual_seed(int(torch.randint(2**62, (), device="cpu")))


def checked(x: Any, spec: DataSpec, missing: Tensor | None = None) -> Tensor:
    """x as a tensor of values that the model's domain holds, in the user's units.

    Args:
        missing: boolean, broadcastable to x; entries that are True are not looked at.

    Raises:
        UserError: if x is not a batch of the model's event, or holds other values.
    """
    x = torch.from_numpy(x) if isinstance(x, np.ndarray) else x
    require(isinstance(x, Tensor) and x.is_floating_point(), "x must be a tensor of floating-point numbers")
    event = tuple(spec.event)
    require(tuple(x.shape[1:]) == event, f"x must be (n, {', '.join(map(str, event))}), got {tuple(x.shape)}")
    require(len(x) >= 1, "x must hold at least one example")
    spec.domain.check(x if missing is None else x.masked_fill(missing, 0.0), "x")
    return x


def chunks(n: int) -> list[Tensor]:
    """The rows of a batch in parts that memory holds; a row depends on its part by rounding alone."""
    return list(torch.arange(n, device="cpu").split(CHUNK))
