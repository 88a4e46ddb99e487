"""The weights of classes, which contrastive divergence leaves open."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from energybased.data import DataSet
from energybased.models.degradation import normal
from energybased.models.model import by_chunks

EXAMPLES = slice(5000)  # most labelled examples that the terms are fitted to
WIDTH = 10.0  # standard deviation of the prior of a term, in nats; it keeps terms finite if no example is in doubt
UPDATES = 200  # of the optimiser; the problem is convex and has a term for each class


def fit_class_terms(model: Any, data: DataSet, generator: Generator) -> tuple[float, ...]:
    """A term in nats for each class, fitted to the validation split, or to the training split if there is none.

    Where an objective compares energies under one class at a time, a term of the class alone cancels. The terms b give
    the labels y of examples v with the model's noise the largest sum of log p(y | v), where p(y | v) is the softmax of
    b_y - E(v, y): the maximum-likelihood fit of a class's weight exp(b_y).

    Args:
        model: an `EnergyModel`.
        data: its data. Without labels there are no terms, nor if the model has no class that must be given.
        generator: source of the noise.
    """
    split = data.validation if len(data.validation) else data.train
    if model.classes == 0 or data.classes != model.classes or len(split) == 0:
        return ()
    taken = split.take(EXAMPLES)
    assert isinstance(taken.y, Tensor)
    clean = model.spec.domain.encode(data.domain.read(taken.x)).to(model.place)
    v = clean + model.noise * normal(clean, generator)

    @torch.no_grad()
    def logits(rows: Tensor) -> Tensor:
        return -model.energy.by_class(v[rows], model.classes)

    found = by_chunks(logits, len(v), model.place, model.processes).double().cpu()
    if not bool(found.isfinite().all()):  # the model has diverged, which its scores then tell
        return (math.nan,) * model.classes
    return tuple(fitted_terms(found, taken.y).tolist())


def fitted_terms(logits: Tensor, y: Tensor) -> Tensor:
    """Terms b `(classes,)` that maximise sum log softmax(logits + b)_y - |b|^2 / (2 * 10^2), with mean 0.

    Args:
        logits: `(n, classes)`.
        y: class numbers, `(n,)`.
    """
    terms = torch.zeros(logits.shape[1], dtype=logits.dtype, device=logits.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([terms], max_iter=UPDATES, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        total = torch.nn.functional.cross_entropy(logits + terms, y.to(logits.device), reduction="sum")
        total = total + 0.5 * (terms / WIDTH).square().sum()
        total.backward()
        return total

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call, arg-type, unused-ignore]
    return (terms - terms.mean()).detach()
