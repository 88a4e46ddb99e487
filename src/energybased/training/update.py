"""An update: what the shards of a batch contribute, and the mean of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from energybased.objectives import Result
from energybased.processes import Processes
from energybased.training.optimizer import Gradients, gradients


class Update(NamedTuple):
    """What a shard contributes to an update, or the mean over all shards.

    Args:
        parts: names of the parts that learn.
        gradients: by parameter; None for a parameter that the loss does not depend on.
        metrics: 0-d tensors by name.
        shared: 0-d tensors by name, for `Coupled` objectives.
    """

    parts: frozenset[str]
    gradients: Gradients
    metrics: dict[str, Tensor]
    shared: dict[str, Tensor]

    @staticmethod
    def of(result: Result, optimizers: Mapping[str, torch.optim.Optimizer]) -> Update:
        found = gradients(result.losses, optimizers)
        return Update(frozenset(result.losses), found, result.metrics, result.shared)


def mean(updates: Sequence[Update], shards: int, processes: Processes, told: Sequence[Tensor]) -> Update:
    """The mean over all shards, in every process.

    Args:
        updates: of the shards of this process.
        shards: number of shards of all processes.
        processes: the processes of the training.
        told: tensors that are replaced by their sums over all processes, in the same message.
    """
    first = updates[0]
    if shards == 1:
        return first
    numbers = [_vector([*one.metrics.values(), *one.shared.values()]) for one in updates]
    slopes = [[torch.zeros_like(p) if g is None else g for p, g in one.gradients.items()] for one in updates]
    sums = _total([[*s, vector] for s, vector in zip(slopes, numbers, strict=True)])
    processes.sum([*sums, *told])
    *grads, values = [value / shards for value in sums]
    means = dict(zip([*first.metrics, *first.shared], values, strict=True))
    return Update(
        first.parts,
        dict(zip(first.gradients, grads, strict=True)),
        {name: means[name] for name in first.metrics},
        {name: means[name] for name in first.shared},
    )


def _vector(values: Sequence[Tensor]) -> Tensor:
    return torch.stack([value.detach().float() for value in values])


def _total(values: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """Sums of lists of tensors, in pairs, so that one process adds shards in the order in which two processes do."""
    if len(values) == 1:
        return list(values[0])
    half = len(values) // 2
    return [a + b for a, b in zip(_total(values[:half]), _total(values[half:]), strict=True)]
