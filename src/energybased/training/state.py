"""The state of a training at one step."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from energybased.errors import require
from energybased.training.batches import Batches
from energybased.training.ema import Weights, ema_init
from energybased.training.optimizer import Optimizer, laid_out

Group = dict[str, Tensor]
Snapshot = dict[str, Any]  # five groups of tensors, and "counters" of plain numbers

GROUPS = ("model", "ema", "optimizer", "state", "rng")


@dataclass
class Counters:
    """Counts of steps and seconds, the current phase, and what the guard did."""

    step: int = 0
    phase: int = 0
    phase_step: int = 0
    entered: bool = False  # whether the phase's beginning is behind it
    phase_seconds: float = 0.0
    seconds: float = 0.0
    processor_seconds: float = 0.0
    rate_scale: float = 1.0
    rate_ceiling: float = 1.0  # what the scale may grow back to
    rollbacks: int = 0
    window: int = 0  # steps in the metrics' running sums
    stopped: str | None = None  # why the guard ended the training


@dataclass
class TrainState:
    """All that decides how a training continues.

    Args:
        parts: modules by name.
        optimizers: of each part that learns.
        averages: exponential moving averages of the weights of each part that learns.
        batches: of the training's data, then of phases with data of their own, each with its position.
        rng: the generator of every draw that an objective makes.
        objective: the state of the current objective, such as its replay buffer.
        sums: running sums of the metrics of the current window.
        counters: steps, seconds, the current phase, and what the guard did.
    """

    parts: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averages: dict[str, Weights]
    batches: list[Batches]
    rng: torch.Generator
    objective: Group = field(default_factory=dict)
    sums: Group = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)

    @staticmethod
    def begin(
        parts: Mapping[str, nn.Module], optimizer: Optimizer, batches: Sequence[Batches], seed: int
    ) -> TrainState:
        """The state before the first step."""
        learning = {name: part for name, part in parts.items() if any(p.requires_grad for p in part.parameters())}
        named = " and ".join(type(part).__name__ for part in parts.values())
        require(len(learning) > 0, f"{named} has no parameters to train")
        return TrainState(
            parts=dict(parts),
            optimizers={name: optimizer.build(part) for name, part in learning.items()},
            averages={name: ema_init(part) for name, part in parts.items()},
            batches=list(batches),
            rng=torch.Generator().manual_seed(seed),
        )

    def snapshot(self) -> Snapshot:
        """A copy of the state, as groups of named tensors and plain counters."""
        groups: dict[str, Group] = {
            "model": _join({name: part.state_dict() for name, part in self.parts.items()}),
            "ema": _join(self.averages),
            "optimizer": _join({name: _optimizer_tensors(o) for name, o in self.optimizers.items()}),
            "state": _join({"objective": self.objective, "sums": self.sums}),
            "rng": _join(
                {
                    **{f"batches{i}": source.state() for i, source in enumerate(self.batches)},
                    "random": {**_global_rng(), "training": self.rng.get_state()},
                }
            ),
        }
        copies = {g: {k: v.detach().clone() for k, v in tensors.items()} for g, tensors in groups.items()}
        return {**copies, "counters": asdict(self.counters)}

    def restore(self, snapshot: Snapshot) -> None:
        """Restores a snapshot, which can be restored again."""
        groups = {g: {k: v.clone() for k, v in snapshot[g].items()} for g in GROUPS}
        for name, weights in split_parts(groups["model"]).items():
            self.parts[name].load_state_dict(weights)
        for name, weights in split_parts(groups["ema"]).items():
            for key, value in weights.items():
                self.averages[name][key].copy_(value)
        moments = split_parts(groups["optimizer"])
        for name, optimizer in self.optimizers.items():
            _load_optimizer(optimizer, moments.get(name, {}))
        state = split_parts(groups["state"])
        self.objective, self.sums = state.get("objective", {}), state.get("sums", {})
        sources = split_parts(groups["rng"])
        for i, batches in enumerate(self.batches):
            batches.load(sources.get(f"batches{i}", {}))
        self.rng.set_state(sources["random"].pop("training"))
        _set_global_rng(sources["random"])
        self.counters = Counters(**snapshot["counters"])

    def restart_from_ema(self, name: str, optimizer: Optimizer) -> None:
        """Sets the weights of a part to their average, and makes a new optimiser and a new average."""
        self.parts[name].load_state_dict(self.averages[name])
        if name in self.optimizers:
            self.optimizers[name] = optimizer.build(self.parts[name])

    def reseed(self, seed: int) -> None:
        """Seeds every generator anew, so that a failed stretch of training is not repeated exactly."""
        self.rng.manual_seed(seed)
        seed_all(seed)


def seed_all(seed: int) -> None:
    """Seeds every global generator that a user's network or data may draw from."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Inside, the global generators may be seeded and drawn from; afterwards they are as they were."""
    states = _global_rng()
    try:
        yield
    finally:
        _set_global_rng(states)


def _join(groups: Mapping[str, Mapping[str, Tensor]]) -> Group:
    return {f"{first}/{name}": value for first, group in groups.items() for name, value in group.items()}


def split_parts(group: Mapping[str, Tensor]) -> dict[str, Group]:
    """Tensors that are named "part/name", by part and name."""
    split: dict[str, Group] = {}
    for key, value in group.items():
        first, name = key.split("/", 1)
        split.setdefault(first, {})[name] = value
    return split


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> Group:
    state: dict[int, Group] = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": value
        for index, moments in state.items()
        for key, value in moments.items()
        if isinstance(value, Tensor)
    }


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: Group) -> None:
    state: dict[int, Group] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            if value.shape == parameter.shape:
                moments[key] = laid_out(value, parameter)


def _global_rng() -> Group:
    """The generators that a user's network or data may draw from."""
    _, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    version, words, spare = random.getstate()
    states = {
        "torch": torch.get_rng_state(),
        "numpy": torch.from_numpy(np.asarray(keys, dtype=np.int64)),
        "numpy_rest": torch.tensor([place, has_gauss, gauss], dtype=torch.float64),
        "python": torch.tensor([version, *words], dtype=torch.int64),
        "python_rest": torch.tensor([spare is not None, spare or 0.0], dtype=torch.float64),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_global_rng(states: Group) -> None:
    torch.set_rng_state(states["torch"])
    place, has_gauss, gauss = states["numpy_rest"].tolist()
    np.random.set_state(("MT19937", states["numpy"].numpy().astype(np.uint32), int(place), int(has_gauss), gauss))
    version, *words = states["python"].tolist()
    has_spare, spare = states["python_rest"].tolist()
    random.setstate((version, tuple(words), spare if has_spare else None))
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
