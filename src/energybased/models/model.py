"""The protocol of trained models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import torch
from torch import Generator, Tensor, nn

from energybased.data import DataSpec
from energybased.devices import find_device
from energybased.errors import UserError, require
from energybased.models.file import write_model
from energybased.models.fitted import Fitted
from energybased.networks.bfloat16 import unwrapped
from energybased.processes import Processes
from energybased.settings import to_json

M = TypeVar("M", bound=nn.Module)
CHUNK = 500  # rows computed at a time
OFFERS = {  # what a model may offer to metrics and reports, and how it is used
    "samples": "sample",
    "conditional samples": "given(y).sample",
    "scores": "score",
    "energy": "marginal, a density over data in the model's units; energies",
    "chains": "run_chains",
    "class logits": "logits",
    "latent vectors": "sample_posterior",
    "stages": "sample(stages=k)",
    "features": "features",
}


@runtime_checkable
class Model(Protocol):
    """The methods of every trained model. Examples and samples are in the user's units.

    Models may have more methods: `restore`, `reconstruct`, `log_prob`, `run_chains`, `logits`, `energies`. `offers`
    says what metrics and reports may use.
    """

    @property
    def spec(self) -> DataSpec:
        """Shape, domain and conditions of the training data."""
        ...

    @property
    def offers(self) -> frozenset[str]:
        """What the model offers, of `OFFERS`."""
        ...

    @property
    def classes(self) -> int:
        """Number of classes, if a single class must still be given; 0 otherwise."""
        ...

    def sample(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """n samples `(n, *event)`. A model conditional on a class cycles through the classes."""
        ...

    def score(self, x: Tensor, *, generator: Generator | None = None) -> Tensor:
        """Anomaly scores `(n,)` of x `(n, *event)`. High means out of distribution."""
        ...

    def given(self, *y: Any) -> Model:
        """The model for condition y: an int, a label or a vector for all rows, or tensors with a row per example."""
        ...

    def film(self, *, generator: Generator | None = None) -> Tensor:
        """States of a few chains from start to sample, `(chains, frames, *event)`."""
        ...

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Model:
        """A copy on another device, or with another floating-point type, in which all of it then computes."""
        ...

    def export(self, file: Path | str, *, dtype: torch.dtype | None = None) -> None:
        """Writes weights and settings into one file that `load` reads.

        Args:
            file: where to.
            dtype: floating-point type in which parameters are stored, such as `torch.bfloat16`, which takes half of the
                space; their own if not given. `load` turns them into float32.
        """
        ...


@dataclass(frozen=True)
class Origin:
    """The recipe and the trained parts of a model, which are exported.

    Args:
        settings: settings of the recipe, as JSON.
        spec: properties of the training data.
        parts: the trained modules, by name.
    """

    settings: Any
    spec: DataSpec
    parts: Mapping[str, nn.Module]


def export(
    origin: Origin | None, file: Path | str, fitted: Fitted | None = None, dtype: torch.dtype | None = None
) -> None:
    """Writes the origin of a model, and what was fitted, into one file; parameters as `dtype`, if it is given.

    Raises:
        UserError: if the model has no origin, because it was not made by a recipe, or a condition was given.
    """
    if origin is None:
        raise UserError("only a model of a recipe can be exported, before a condition is given")
    write_model(Path(file), origin.settings, origin.spec, origin.parts, to_json(fitted), dtype)


def moved(module: M, device: str | torch.device | None, dtype: torch.dtype | None) -> M:
    """A copy of a module on another device, or with another floating-point type, in which all of it computes."""
    require(dtype is None or dtype.is_floating_point, f"a model's dtype is a floating-point type, got {dtype}")
    copied = copy.deepcopy(module) if dtype is None else cast(M, unwrapped(module))
    return copied.to(None if device is None else find_device(device), dtype)


def place_of(*modules: nn.Module) -> Tensor:
    """A tensor with the device and dtype of the modules."""
    tensors = (t for m in modules for t in (*m.parameters(), *m.buffers()) if t.is_floating_point())
    return next(tensors, torch.zeros((), device="cpu"))


def seeded(generator: Generator | None) -> Generator:
    """The generator, or a new one with a seed from torch's global generator."""
    if generator is not None:
        return generator
    return torch.Generator().manual_seed(int(torch.randint(2**62, (), device="cpu")))


def checked(x: Any, spec: DataSpec, missing: Tensor | None = None) -> Tensor:
    """x as a tensor `(n, *event)`, after a check of its shape and values.

    Args:
        x: examples, in the user's units.
        spec: shape and domain of the model.
        missing: boolean mask, broadcastable to x; entries where it is True are not checked.

    Raises:
        UserError: if x has another shape, or values outside the domain.
    """
    x = torch.from_numpy(x) if isinstance(x, np.ndarray) else x
    require_shape(x, spec)
    require(len(x) >= 1, "x must hold at least one example")
    spec.domain.check(x if missing is None else x.masked_fill(missing, 0.0), "x")
    return x


def require_shape(x: Any, spec: DataSpec) -> None:
    """Raises `UserError` unless x is a floating-point tensor `(n, *event)`."""
    require(isinstance(x, Tensor) and x.is_floating_point(), "x must be a tensor of floating-point numbers")
    event = tuple(spec.event)
    require(tuple(x.shape[1:]) == event, f"x must be (n, {', '.join(map(str, event))}), got {tuple(x.shape)}")


def finite(scores: Tensor) -> Tensor:
    """The scores `(n,)`, after a check that all are finite."""
    lost = int((~scores.isfinite()).sum())
    much = f"{lost} of {len(scores)} scores are not finite: the model has diverged, or x is far from the data"
    require(lost == 0, much)
    return scores


def by_chunks(function: Callable[[Tensor], Tensor], n: int, place: Tensor, processes: Processes) -> Tensor:
    """The results of a function for row numbers 0 ... n - 1, concatenated.

    It is called for chunks of rows, which limits memory and changes results by rounding only. Several processes take
    the chunks in turn.

    Args:
        function: maps row numbers `(rows,)` to `(rows, ...)`.
        n: number of rows.
        place: a tensor on the device of the results.
        processes: the processes that compute.
    """
    return torch.cat(processes.each(function, torch.arange(n, device="cpu").split(CHUNK), place))
