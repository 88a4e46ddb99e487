"""The state of a training at one step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from energybased.errors import require
from energybased.training.batches import Batches
from energybased.training.ema import Weights, ema_init
from energybased.training.optimizer import Optimizer, laid_out
from energybased.training.rng import global_rng, seed_all, set_global_rng
from energybased.training.shard import Group, Shard

Snapshot = dict[str, Any]  # groups of tensors, "shards": a group for each number, and "counters" of plain numbers

GROUPS = ("model", "ema", "optimizer", "sums", "rng")


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
        shards: the shards of this process, by number, each with the state of the objective and its random numbers.
        sums: running sums of the metrics of the current window.
        counters: steps, seconds, the current phase, and what the guard did.
    """

    parts: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    averages: dict[str, Weights]
    batches: list[Batches]
    shards: dict[int, Shard]
    sums: Group = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)

    @staticmethod
    def begin(
        parts: Mapping[str, nn.Module],
        optimizer: Optimizer,
        batches: Sequence[Batches],
        seed: int,
        numbers: Iterable[int] = (0,),
        count: int = 1,
    ) -> TrainState:
        """The state before the first step, with the shards of these numbers, of `count` in all."""
        learning = {name: part for name, part in parts.items() if any(p.requires_grad for p in part.parameters())}
        named = " and ".join(type(part).__name__ for part in parts.values())
        require(len(learning) > 0, f"{named} has no parameters to train")
        return TrainState(
            parts=dict(parts),
            optimizers={name: optimizer.build(part) for name, part in learning.items()},
            averages={name: ema_init(part) for name, part in parts.items()},
            batches=list(batches),
            shards={number: Shard.begin(seed, number, count) for number in numbers},
        )

    def snapshot(self) -> Snapshot:
        """A copy of the state, as groups of named tensors and plain counters."""
        groups: dict[str, Group] = {
            "model": join({name: part.state_dict() for name, part in self.parts.items()}),
            "ema": join(self.averages),
            "optimizer": join({name: _optimizer_tensors(o) for name, o in self.optimizers.items()}),
            "sums": self.sums,
            "rng": join(
                {
                    **{f"batches{i}": source.state() for i, source in enumerate(self.batches)},
                    "random": global_rng(),
                }
            ),
        }
        shards = {number: _copied(shard.tensors()) for number, shard in self.shards.items()}
        copies = {name: _copied(group) for name, group in groups.items()}
        return {**copies, "shards": shards, "counters": asdict(self.counters)}

    def restore(self, snapshot: Snapshot) -> None:
        """Restores a snapshot, which can be restored again."""
        groups = {name: _copied(snapshot[name]) for name in GROUPS}
        for name, weights in split_parts(groups["model"]).items():
            self.parts[name].load_state_dict(weights)
        for name, weights in split_parts(groups["ema"]).items():
            for key, value in weights.items():
                self.averages[name][key].copy_(value)
        moments = split_parts(groups["optimizer"])
        for name, optimizer in self.optimizers.items():
            _load_optimizer(optimizer, moments.get(name, {}))
        self.sums = groups["sums"]
        for number, shard in self.shards.items():
            shard.load(_copied(snapshot["shards"][number]))
        sources = split_parts(groups["rng"])
        for i, batches in enumerate(self.batches):
            batches.load(sources.get(f"batches{i}", {}))
        set_global_rng(sources["random"])
        self.counters = Counters(**snapshot["counters"])

    def restart_from_ema(self, name: str, optimizer: Optimizer) -> None:
        """Sets the weights of a part to their average, and makes a new optimiser and a new average."""
        self.parts[name].load_state_dict(self.averages[name])
        if name in self.optimizers:
            self.optimizers[name] = optimizer.build(self.parts[name])

    def reseed(self, seed: int) -> None:
        """Seeds every generator anew, so that a failed stretch of training is not repeated exactly."""
        seed_all(seed)
        for number, shard in self.shards.items():
            shard.reseed(seed, number)


def _copied(group: Mapping[str, Tensor]) -> Group:
    return {name: value.detach().clone() for name, value in group.items()}


def join(groups: Mapping[str, Mapping[str, Tensor]]) -> Group:
    """The tensors of all groups, named "group/name"."""
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
